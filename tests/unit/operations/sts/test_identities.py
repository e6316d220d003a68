"""Who the caller is, and whose an access key is."""

from __future__ import annotations

import datetime as dt

import pytest

from strongroom.errors import AccessDeniedException, UnrecognizedClientException
from strongroom.identity.ids import temporary_access_key_id
from strongroom.identity.principal import Principal, PrincipalType
from strongroom.names import AccountId, Arn
from strongroom.operations.iam import access_keys
from strongroom.operations.sts import identities
from support.identity_room import IdentityRoom
from support.key_room import ACCOUNT, NOON, OTHER_ACCOUNT, allow, deny, root

SESSION = Principal(
    PrincipalType.ASSUMED_ROLE,
    ACCOUNT,
    Arn(f"arn:aws:sts::{ACCOUNT}:assumed-role/deploy/run-1"),
    "AROAEXAMPLEEXAMPLE000:run-1",
    "ASIAEXAMPLE",
    token_issued_at=NOON - dt.timedelta(minutes=5),
)


@pytest.fixture
def room() -> IdentityRoom:
    return IdentityRoom()


def new_key(room: IdentityRoom, account_root: Principal) -> str:
    answered = room.run(access_keys.CREATE_ACCESS_KEY, principal=account_root)
    return str(answered["AccessKey"]["AccessKeyId"])


def test_the_caller_identity_of_root_user_and_role_session(room: IdentityRoom) -> None:
    bob = room.user("bob")
    for caller in (root(), root(OTHER_ACCOUNT), bob, SESSION):
        assert room.run(identities.GET_CALLER_IDENTITY, principal=caller) == {
            "UserId": caller.principal_id,
            "Account": caller.account_id,
            "Arn": caller.arn,
        }
    assert bob.principal_id.startswith("AIDA")


def test_the_caller_identity_cannot_be_denied(room: IdentityRoom) -> None:
    eve = room.user("eve", deny("*"))
    assert room.run(identities.GET_CALLER_IDENTITY, principal=eve)["Arn"] == eve.arn


def test_an_access_key_tells_its_account(room: IdentityRoom) -> None:
    own, foreign = new_key(room, root()), new_key(room, root(OTHER_ACCOUNT))
    asking = room.user("asking", allow("sts:GetAccessKeyInfo"))
    for caller in (root(), asking):
        for key_id, account in ((own, ACCOUNT), (foreign, OTHER_ACCOUNT)):
            answered = room.run(identities.GET_ACCESS_KEY_INFO, {"AccessKeyId": key_id}, principal=caller)
            assert answered == {"Account": account}
    room.run(access_keys.UPDATE_ACCESS_KEY, {"AccessKeyId": own, "Status": "Inactive"})
    assert room.run(identities.GET_ACCESS_KEY_INFO, {"AccessKeyId": own}) == {"Account": ACCOUNT}


def test_a_deleted_access_key_is_unknown(room: IdentityRoom) -> None:
    key_id = new_key(room, root())
    room.run(access_keys.DELETE_ACCESS_KEY, {"AccessKeyId": key_id})
    for unknown in (key_id, "AKIAIOSFODNN7EXAMPLE"):
        with pytest.raises(UnrecognizedClientException) as refused:
            room.run(identities.GET_ACCESS_KEY_INFO, {"AccessKeyId": unknown})
        assert refused.value.message == "The security token included in the request is invalid."


@pytest.mark.parametrize("key_id", ["AKIAIOSFODNN7EXAMPLE", ""])
def test_access_key_info_needs_permission_whether_the_key_exists_or_not(
    room: IdentityRoom, key_id: str
) -> None:
    bob = room.user("bob")
    with pytest.raises(AccessDeniedException) as refused:
        room.run(
            identities.GET_ACCESS_KEY_INFO, {"AccessKeyId": key_id or new_key(room, root())}, principal=bob
        )
    assert refused.value.message == (
        f"User: {bob.arn} is not authorized to perform: sts:GetAccessKeyInfo on resource: * "
        "because no identity-based policy allows the sts:GetAccessKeyInfo action"
    )


def test_a_temporary_keys_account_stands_in_its_id(room: IdentityRoom) -> None:
    for account in (ACCOUNT, OTHER_ACCOUNT):
        key_id = temporary_access_key_id(account, b"\0\1\2\3\4")
        answered = room.run(identities.GET_ACCESS_KEY_INFO, {"AccessKeyId": key_id})
        assert answered == {"Account": account}
    nowhere = temporary_access_key_id(AccountId("999999999999"), bytes(5))
    assert room.refused(
        UnrecognizedClientException, identities.GET_ACCESS_KEY_INFO, {"AccessKeyId": nowhere}
    ) == ("The security token included in the request is invalid.")

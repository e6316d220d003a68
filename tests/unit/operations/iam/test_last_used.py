"""When keys were last used: noted once an hour, told to those who may see the key's owner."""

from __future__ import annotations

import datetime as dt
from concurrent.futures import Future
from typing import Any

import msgspec
import pytest

from strongroom.errors import AccessDeniedException, NoSuchEntityException, ServiceUnavailableException
from strongroom.identity.principal import Principal
from strongroom.operations.iam import access_keys
from strongroom.operations.iam.last_used import GET_ACCESS_KEY_LAST_USED, KeyUses
from strongroom.ports import ACCESS_KEYS
from support.identity_room import IdentityRoom
from support.key_room import ACCOUNT, NOON, OTHER_ACCOUNT, allow, root

MINUTE = dt.timedelta(minutes=1)


@pytest.fixture
def room() -> IdentityRoom:
    made = IdentityRoom()
    made.user("bob")
    return made


def a_key(room: IdentityRoom, user_name: str | None = "bob", **how: Any) -> str:
    request = {} if user_name is None else {"UserName": user_name}
    return str(room.run(access_keys.CREATE_ACCESS_KEY, request, **how)["AccessKey"]["AccessKeyId"])


def signer(room: IdentityRoom, key_id: str) -> Principal:
    found = room.signer(key_id)
    assert found is not None
    return found


def last_used(room: IdentityRoom, key_id: str, **how: Any) -> dict[str, Any]:
    found: dict[str, Any] = room.run(GET_ACCESS_KEY_LAST_USED, {"AccessKeyId": key_id}, **how)
    return found


def test_a_key_that_was_never_used(room: IdentityRoom) -> None:
    assert last_used(room, a_key(room)) == {
        "UserName": "bob",
        "AccessKeyLastUsed": {"ServiceName": "N/A", "Region": "N/A"},
    }
    assert last_used(room, a_key(room, None)) == {
        "AccessKeyLastUsed": {"ServiceName": "N/A", "Region": "N/A"}
    }


def test_the_first_use_of_an_hour_is_kept(room: IdentityRoom) -> None:
    key_id, uses = a_key(room), KeyUses(room.store)
    before = room.access_key(key_id)
    for minutes, service, region in ((0, "kms", "eu-central-1"), (59, "sts", "us-east-1")):
        uses.note(signer(room, key_id), service, region, NOON + minutes * MINUTE)
        assert last_used(room, key_id)["AccessKeyLastUsed"] == {
            "LastUsedDate": NOON,
            "ServiceName": "kms",
            "Region": "eu-central-1",
        }
    uses.note(signer(room, key_id), "iam", "us-east-1", NOON + 60 * MINUTE)
    assert room.access_key(key_id) == msgspec.structs.replace(
        before,
        last_used_at=NOON + 60 * MINUTE,
        last_used_service="iam",
        last_used_region="us-east-1",
    )


def test_processes_do_not_save_the_same_hour_twice(room: IdentityRoom) -> None:
    key_id = a_key(room)
    KeyUses(room.store).note(signer(room, key_id), "kms", "eu-central-1", NOON)
    kept = room.access_key(key_id)
    KeyUses(room.store).note(signer(room, key_id), "sts", "us-east-1", NOON + 30 * MINUTE)
    assert room.access_key(key_id) is kept
    KeyUses(room.store).note(signer(room, key_id), "sts", "us-east-1", NOON + 61 * MINUTE)
    assert room.access_key(key_id).last_used_service == "sts"


def test_keys_are_told_apart_and_switching_off_is_not_undone(room: IdentityRoom) -> None:
    one, two, uses = a_key(room), a_key(room), KeyUses(room.store)
    uses.note(signer(room, one), "kms", "eu-central-1", NOON)
    assert "LastUsedDate" not in last_used(room, two)["AccessKeyLastUsed"]
    room.run(access_keys.UPDATE_ACCESS_KEY, {"UserName": "bob", "AccessKeyId": one, "Status": "Inactive"})
    uses.note(signer(room, one), "kms", "eu-central-1", NOON + 61 * MINUTE)
    assert room.access_key(one).active is False


def test_temporary_credentials_and_keys_that_have_gone_leave_nothing(room: IdentityRoom) -> None:
    uses, before = KeyUses(room.store), room.unit.state()
    session = Principal(root().type, ACCOUNT, root().arn, ACCOUNT, "ASIAEXAMPLE", token_issued_at=NOON)
    uses.note(session, "kms", "eu-central-1", NOON)
    uses.note(root(), "kms", "eu-central-1", NOON)
    assert room.unit.state() == before
    assert room.unit.find(ACCESS_KEYS, "", "ASIAEXAMPLE") is None


class _Full:
    """A store that cannot write."""

    def write(self, work: Any) -> Future[Any]:
        done: Future[Any] = Future()
        done.set_exception(ServiceUnavailableException("full"))
        return done


def test_a_full_disk_does_not_matter(room: IdentityRoom) -> None:
    store: Any = _Full()
    KeyUses(store).note(signer(room, a_key(room)), "kms", "eu-central-1", NOON)


def test_many_keys_are_not_remembered_for_ever(room: IdentityRoom, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(KeyUses, "LIMIT", 2)
    uses, keys = KeyUses(room.store), [a_key(room), a_key(room), a_key(room, None)]
    for key_id in keys:
        uses.note(signer(room, key_id), "kms", "eu-central-1", NOON)
    assert all(room.access_key(key_id).last_used_at == NOON for key_id in keys)
    assert len(uses._noted) == 1


def test_a_key_of_another_account_is_not_there(room: IdentityRoom) -> None:
    theirs = a_key(room, None, principal=root(OTHER_ACCOUNT))
    for key_id in (theirs, "AKIAIOSFODNN7EXAMPLE"):
        with pytest.raises(NoSuchEntityException) as refused:
            last_used(room, key_id)
        assert refused.value.message == f"The Access Key with id {key_id} cannot be found"


def test_who_may_know(room: IdentityRoom) -> None:
    kate = room.user("kate", allow("iam:GetAccessKeyLastUsed", resource=f"arn:aws:iam::{ACCOUNT}:user/kate"))
    assert last_used(room, a_key(room, "kate"), principal=kate)["UserName"] == "kate"
    for key_id in (a_key(room), a_key(room, None), "AKIAIOSFODNN7EXAMPLE"):
        with pytest.raises(AccessDeniedException) as refused:
            last_used(room, key_id, principal=kate)
        assert refused.value.message == (
            f"User: {kate.arn} is not authorized to perform: iam:GetAccessKeyLastUsed on resource: "
            f"access key {key_id} because no identity-based policy allows the iam:GetAccessKeyLastUsed action"
        )

"""Resource policies that name roles, sessions of roles, and federated users: who is let in, and who once was."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from strongroom.errors import AccessDeniedException, MalformedPolicyDocumentException
from strongroom.identity.principal import Principal, PrincipalType
from strongroom.identity.records import Role
from strongroom.names import AccountId, Arn, root_arn
from strongroom.operations.secretsmanager.policies import (
    GET_RESOURCE_POLICY,
    PUT_RESOURCE_POLICY,
    VALIDATE_RESOURCE_POLICY,
)
from strongroom.operations.secretsmanager.principals import UNSUPPORTED_PRINCIPAL
from strongroom.operations.secretsmanager.reading import (
    GET_SECRET_VALUE,
)
from strongroom.ports import ROLES, SECRET_POLICIES
from support.key_room import ACCOUNT, NOON, OTHER_ACCOUNT, allow, deny, for_principal, policy
from support.replica_room import ReplicaRoom

GET = "secretsmanager:GetSecretValue"
ROLE_ID, NEXT_ID = "AROAAPP0000000000000", "AROANEXT000000000000"


def role_arn(account: AccountId = ACCOUNT) -> Arn:
    return Arn(f"arn:aws:iam::{account}:role/service/App")


def session_arn(name: str = "one", account: AccountId = ACCOUNT) -> Arn:
    return Arn(f"arn:aws:sts::{account}:assumed-role/App/{name}")


def add_role(
    room: ReplicaRoom, role_id: str = ROLE_ID, *statements: Any, account: AccountId = ACCOUNT, **more: Any
) -> None:
    record = Role(
        role_id=role_id,
        role_name="App",
        path="/service/",
        arn=role_arn(account),
        account_id=account,
        created_at=NOON,
        trust_policy="{}",
        policies={"p": policy(*statements)} if statements else {},
    )
    room.unit.save(ROLES, replace(record, **more))


def session(
    name: str = "one", role_id: str = ROLE_ID, *, account: AccountId = ACCOUNT, **more: Any
) -> Principal:
    return Principal(
        PrincipalType.ASSUMED_ROLE,
        account,
        session_arn(name, account),
        f"{role_id}:{name}",
        f"ASIA{name}",
        token_issued_at=NOON,
        role_id=role_id,
        role_arn=role_arn(account),
        **more,
    )


def federated(name: str = "bob", issuer: Principal | None = None, **more: Any) -> Principal:
    return Principal(
        PrincipalType.FEDERATED_USER,
        ACCOUNT,
        Arn(f"arn:aws:sts::{ACCOUNT}:federated-user/{name}"),
        f"{ACCOUNT}:{name}",
        f"ASIA{name}",
        token_issued_at=NOON,
        issuer_id=None if issuer is None else issuer.principal_id,
        issuer_arn=root_arn(ACCOUNT) if issuer is None else issuer.arn,
        **more,
    )


@pytest.fixture
def room() -> ReplicaRoom:
    made = ReplicaRoom()
    key = made.add_key(users=(OTHER_ACCOUNT,))
    made.add_secret(kms_key_id=key.arn)
    return made


def put(room: ReplicaRoom, *statements: Any) -> None:
    room.run(PUT_RESOURCE_POLICY, {"SecretId": "db", "ResourcePolicy": policy(*statements)})


def shown(room: ReplicaRoom) -> str:
    answer = room.run(GET_RESOURCE_POLICY, {"SecretId": "db"})
    return str(answer["ResourcePolicy"])


def stored(room: ReplicaRoom) -> str:
    (record,) = [each for each in room.unit.records.values() if type(each).__name__ == "SecretPolicy"]
    assert room.unit.find(SECRET_POLICIES, record.secret_arn, "default") is record
    return str(record.document)


def reads(room: ReplicaRoom, who: Principal, secret_id: str = "db") -> bool:
    try:
        return bool(
            room.run(GET_SECRET_VALUE, {"SecretId": secret_id}, principal=who)["SecretString"] == "first"
        )
    except AccessDeniedException as refusal:
        assert refusal.message.startswith(f"User: {who.arn} is not authorized to perform: {GET} ")
        return False


DECRYPT = allow("kms:Decrypt")


def test_a_role_is_kept_by_its_id_and_shown_by_its_arn(room: ReplicaRoom) -> None:
    add_role(room, ROLE_ID, DECRYPT)
    written = policy(for_principal(role_arn(), GET))
    put(room, for_principal(role_arn(), GET))
    assert shown(room) == written
    assert ROLE_ID in stored(room)
    assert role_arn() not in stored(room)
    assert reads(room, session())
    assert reads(room, session("two"))


def test_a_role_made_again_under_the_name_gets_nothing(room: ReplicaRoom) -> None:
    add_role(room, ROLE_ID, DECRYPT)
    put(room, for_principal(role_arn(), GET))
    room.unit.delete(ROLES, ACCOUNT, ROLE_ID)
    assert not reads(room, session()), "the session of a role that has gone"
    add_role(room, NEXT_ID, DECRYPT)
    assert not reads(room, session(role_id=NEXT_ID))
    assert ROLE_ID in shown(room)
    assert role_arn() not in shown(room)
    put(room, for_principal(role_arn(), GET))
    assert reads(room, session(role_id=NEXT_ID))
    assert not reads(room, session())


def test_a_deny_of_a_role_stays_with_the_role_it_was_written_for(room: ReplicaRoom) -> None:
    add_role(room, ROLE_ID, DECRYPT, allow(GET))
    put(room, for_principal(role_arn(), GET, effect="Deny"))
    assert not reads(room, session())
    room.unit.delete(ROLES, ACCOUNT, ROLE_ID)
    add_role(room, NEXT_ID, DECRYPT, allow(GET))
    assert reads(room, session(role_id=NEXT_ID))


def test_one_session_of_a_role_is_let_in_and_no_other(room: ReplicaRoom) -> None:
    add_role(room, ROLE_ID, DECRYPT)
    put(room, for_principal(session_arn("one"), GET))
    assert session_arn("one") in stored(room)
    assert [reads(room, session(name)) for name in ("one", "two", "One", "one1")] == [
        True,
        False,
        False,
        False,
    ]


def test_what_a_role_is_given_its_session_policy_limits_and_what_a_session_is_given_not(
    room: ReplicaRoom,
) -> None:
    add_role(room, ROLE_ID, DECRYPT)
    narrow = session(session_policies=(policy(DECRYPT),))
    wide = session("two", session_policies=(policy(DECRYPT, allow(GET)),))
    put(room, for_principal(role_arn(), GET))
    assert [reads(room, each) for each in (narrow, wide)] == [False, True]
    put(room, for_principal(session_arn("one"), GET))
    assert [reads(room, each) for each in (narrow, wide)] == [True, False]
    denying = replace_policies(narrow, policy(DECRYPT, deny(GET)))
    assert not reads(room, denying)


def replace_policies(principal: Principal, *documents: str) -> Principal:
    members = {name: getattr(principal, name) for name in principal.__slots__}
    return Principal(**{**members, "session_policies": documents})


def test_a_federated_user_is_let_in_by_its_name(room: ReplicaRoom) -> None:
    bob = federated(session_policies=(policy(DECRYPT),))
    assert not reads(room, bob)
    put(room, for_principal(bob.arn, GET))
    assert reads(room, bob)
    assert not reads(room, federated("bobby", session_policies=(policy(DECRYPT),)))


def test_a_user_named_counts_for_its_federated_sessions_within_their_policies(room: ReplicaRoom) -> None:
    ann = room.user("ann", DECRYPT)
    put(room, for_principal(ann.arn, GET))
    assert reads(room, federated(issuer=ann, session_policies=(policy(DECRYPT, allow(GET)),)))
    assert not reads(room, federated(issuer=ann, session_policies=(policy(DECRYPT),)))
    put(room, for_principal(ann.arn, GET, effect="Deny"), for_principal(root_arn(ACCOUNT), GET))
    assert not reads(room, federated(issuer=ann, session_policies=(policy(DECRYPT, allow(GET)),)))


def test_a_role_of_another_account_needs_both_sides(room: ReplicaRoom) -> None:
    add_role(room, ROLE_ID, DECRYPT, account=OTHER_ACCOUNT)
    arn = room.unit.secret_named(ACCOUNT, "eu-central-1", "db").arn  # type: ignore[union-attr]  # it is there
    visitor = session(account=OTHER_ACCOUNT)
    put(room, for_principal(role_arn(OTHER_ACCOUNT), GET))
    assert not reads(room, visitor, arn)
    add_role(room, ROLE_ID, DECRYPT, allow(GET), account=OTHER_ACCOUNT)
    assert reads(room, visitor, arn)
    put(room, for_principal(root_arn(OTHER_ACCOUNT), GET))
    assert reads(room, visitor, arn)
    put(room, for_principal(role_arn(OTHER_ACCOUNT), "secretsmanager:DescribeSecret"))
    assert not reads(room, visitor, arn)


@pytest.mark.parametrize(
    "name",
    [
        f"arn:aws:iam::{ACCOUNT}:role/App",
        f"arn:aws:iam::{ACCOUNT}:role/service/app",
        f"arn:aws:iam::{ACCOUNT}:role/service/*",
        f"arn:aws:iam::{OTHER_ACCOUNT}:role/service/App",
        "arn:aws:iam::999999999999:role/service/App",
        f"arn:aws:sts::{ACCOUNT}:assumed-role/service/App/one",
        f"arn:aws:sts::{ACCOUNT}:assumed-role/Gone/one",
        f"arn:aws:sts::{ACCOUNT}:assumed-role/App/*",
        f"arn:aws:sts::{ACCOUNT}:federated-user/*",
        f"arn:aws:iam::{ACCOUNT}:group/devs",
        NEXT_ID,
        f"{ROLE_ID}:one",
        # CYRILLIC SMALL LETTER ER, FULLWIDTH LATIN CAPITAL LETTER A
        f"arn:aws:iam::{ACCOUNT}:role/service/A\u0440p",
        f"arn:aws:iam::{ACCOUNT}:role/service/\uff21pp",
    ],
)  # fmt: skip
def test_a_principal_that_is_not_there_is_refused_and_nothing_changes(room: ReplicaRoom, name: str) -> None:
    add_role(room)
    before = room.unit.state()
    with pytest.raises(MalformedPolicyDocumentException) as caught:
        put(room, for_principal(name, GET))
    assert caught.value.message == UNSUPPORTED_PRINCIPAL
    assert room.unit.state() == before
    answer = room.run(
        VALIDATE_RESOURCE_POLICY, {"SecretId": "db", "ResourcePolicy": policy(for_principal(name, GET))}
    )
    assert answer == {
        "PolicyValidationPassed": False,
        "ValidationErrors": [{"CheckName": "PolicySyntax", "ErrorMessage": UNSUPPORTED_PRINCIPAL}],
    }


def test_all_that_is_wrong_is_told_at_once(room: ReplicaRoom) -> None:
    locked = for_principal("*", "*", effect="Deny")
    answer = room.run(
        VALIDATE_RESOURCE_POLICY,
        {"SecretId": "db", "ResourcePolicy": policy(for_principal("*", GET), locked)},
    )
    assert [each["CheckName"] for each in answer["ValidationErrors"]] == ["BroadAccess", "CallerLockOut"]
    narrowed = for_principal("*", GET, Condition={"StringEquals": {"aws:PrincipalAccount": OTHER_ACCOUNT}})
    answer = room.run(VALIDATE_RESOURCE_POLICY, {"SecretId": "db", "ResourcePolicy": policy(narrowed)})
    assert answer == {"PolicyValidationPassed": True, "ValidationErrors": []}

"""GetKeyPolicy, PutKeyPolicy, ListKeyPolicies."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec.structs import replace

from strongroom.errors import (
    AccessDeniedException,
    LimitExceededException,
    MalformedPolicyDocumentException,
    NotFoundException,
)
from strongroom.identity.principal import Principal, PrincipalType
from strongroom.operations.kms import keys, policies
from strongroom.ports import USERS
from support.key_room import KeyRoom, allow, for_principal, policy

ACCOUNT_ROOT = "arn:aws:iam::111122223333:root"


@pytest.fixture
def room() -> KeyRoom:
    return KeyRoom()


@pytest.fixture
def key_id(room: KeyRoom) -> str:
    return str(room.run(keys.CREATE_KEY)["KeyMetadata"]["KeyId"])


def put(room: KeyRoom, key_id: str, document: str, **how: Any) -> None:
    members = how.pop("members", {})
    assert room.run(policies.PUT_KEY_POLICY, {"KeyId": key_id, "Policy": document, **members}, **how) is None


def test_every_key_has_its_default_policy(room: KeyRoom, key_id: str) -> None:
    found = room.run(policies.GET_KEY_POLICY, {"KeyId": key_id})
    assert found["PolicyName"] == "default"
    assert json.loads(found["Policy"])["Statement"][0]["Principal"] == {"AWS": ACCOUNT_ROOT}
    listed = room.run(policies.LIST_KEY_POLICIES, {"KeyId": key_id})
    assert listed == {"PolicyNames": ["default"], "Truncated": False}


def test_a_policy_comes_back_as_it_was_put(room: KeyRoom, key_id: str) -> None:
    written = json.dumps(json.loads(policy(for_principal(ACCOUNT_ROOT, "kms:*"))), indent=7)
    put(room, key_id, written, members={"PolicyName": "default"})
    assert room.run(policies.GET_KEY_POLICY, {"KeyId": key_id})["Policy"] == written


def test_a_new_policy_holds_from_the_next_call_on(room: KeyRoom, key_id: str) -> None:
    bob = room.user("bob", allow("kms:DescribeKey"))
    assert room.run(keys.DESCRIBE_KEY, {"KeyId": key_id}, principal=bob)
    put(
        room,
        key_id,
        policy(
            for_principal(ACCOUNT_ROOT, "kms:*"),
            for_principal(bob.arn, "kms:DescribeKey", effect="Deny"),
        ),
    )
    with pytest.raises(AccessDeniedException):
        room.run(keys.DESCRIBE_KEY, {"KeyId": key_id}, principal=bob)


@pytest.mark.parametrize(
    "actions",
    [("kms:Encrypt",), ("kms:Put",), ("s3:*",)],
    ids=["use only", "part of a name", "other service"],
)
def test_a_policy_nobody_could_change_again_is_refused(
    room: KeyRoom, key_id: str, actions: tuple[str, ...]
) -> None:
    before = room.key(key_id)
    locked = policy(for_principal(ACCOUNT_ROOT, *actions))
    with pytest.raises(MalformedPolicyDocumentException) as refused:
        put(room, key_id, locked)
    assert refused.value.message == (
        "The new key policy will not allow you to update the key policy in the future."
    )
    assert room.key(key_id) == before
    put(room, key_id, locked, members={"BypassPolicyLockoutSafetyCheck": True})
    assert room.key(key_id).policy == locked


def test_the_caller_alone_may_keep_control(room: KeyRoom, key_id: str) -> None:
    alice = room.user("alice", allow("kms:PutKeyPolicy"))
    put(room, key_id, policy(for_principal(alice.arn, "kms:*")), principal=alice)
    with pytest.raises(AccessDeniedException):
        put(room, key_id, policy(for_principal(ACCOUNT_ROOT, "kms:*")))
    put(room, key_id, policy(for_principal(ACCOUNT_ROOT, "kms:*")), principal=alice)


def test_another_users_control_is_not_enough(room: KeyRoom, key_id: str) -> None:
    alice, bob = room.user("alice", allow("kms:PutKeyPolicy")), room.user("bob")
    with pytest.raises(MalformedPolicyDocumentException):
        put(room, key_id, policy(for_principal(bob.arn, "kms:*")), principal=alice)


@pytest.mark.parametrize("document", ["", "x", "{}", "[]", '{"Version":"2012-10-17"}'])
def test_what_is_no_policy_is_refused(room: KeyRoom, key_id: str, document: str) -> None:
    before = room.key(key_id)
    for members in ({}, {"BypassPolicyLockoutSafetyCheck": True}):
        with pytest.raises(MalformedPolicyDocumentException):
            put(room, key_id, document, members=members)
    assert room.key(key_id) == before


def test_a_policy_over_the_limit_is_refused(room: KeyRoom, key_id: str) -> None:
    before = room.key(key_id)
    fits = policy(for_principal(ACCOUNT_ROOT, "kms:*"))
    with pytest.raises(LimitExceededException) as refused:
        put(room, key_id, fits + " " * (32_769 - len(fits)))
    assert refused.value.message == "The key policy document exceeds the quota of 32768 characters."
    assert room.key(key_id) == before
    put(room, key_id, fits + " " * (32_768 - len(fits)))


@pytest.mark.parametrize("operation", [policies.GET_KEY_POLICY, policies.PUT_KEY_POLICY])
def test_there_is_one_policy_name(room: KeyRoom, key_id: str, operation: Any) -> None:
    before = room.key(key_id)
    with pytest.raises(NotFoundException):
        room.run(operation, {"KeyId": key_id, "PolicyName": "other", "Policy": before.policy})
    assert room.key(key_id) == before


def test_the_policy_can_be_put_on_a_key_in_any_state(room: KeyRoom, key_id: str) -> None:
    document = policy(for_principal(ACCOUNT_ROOT, "kms:*"))
    room.run(keys.SCHEDULE_KEY_DELETION, {"KeyId": key_id})
    put(room, key_id, document)
    assert room.key(key_id).policy == document


def test_bypassing_the_check_can_be_forbidden(room: KeyRoom, key_id: str) -> None:
    no_bypass = {"StringEquals": {"kms:BypassPolicyLockoutSafetyCheck": "false"}}
    alice = room.user("alice", allow("kms:PutKeyPolicy", Condition=no_bypass))
    document = policy(for_principal(ACCOUNT_ROOT, "kms:*"))
    put(room, key_id, document, principal=alice)
    with pytest.raises(AccessDeniedException):
        put(room, key_id, document, principal=alice, members={"BypassPolicyLockoutSafetyCheck": True})


# --- principals ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "principal",
    [
        {"AWS": "arn:aws:iam::111122223333:user/nobody"},
        {"AWS": ["*", "arn:aws:iam::111122223333:role/nobody"]},
        {"AWS": "arn:aws:iam::999999999999:root"},
        {"AWS": "arn:aws:iam::111122223333:group/team"},
        {"Service": "logs.example.com"},
        {"Federated": "cognito-identity.amazonaws.com"},
    ],
)
def test_principals_of_a_key_policy_must_exist(room: KeyRoom, key_id: str, principal: dict[str, Any]) -> None:
    stranger = {"Effect": "Allow", "Principal": principal, "Action": "kms:Decrypt", "Resource": "*"}
    document = policy(for_principal(ACCOUNT_ROOT, "kms:*"), stranger)
    before = room.unit.state()
    for request in (
        (policies.PUT_KEY_POLICY, {"KeyId": key_id, "Policy": document}),
        (
            policies.PUT_KEY_POLICY,
            {"KeyId": key_id, "Policy": document, "BypassPolicyLockoutSafetyCheck": True},
        ),
        (keys.CREATE_KEY, {"Policy": document}),
    ):
        with pytest.raises(MalformedPolicyDocumentException) as refused:
            room.run(*request)
        assert refused.value.message == "Policy contains a statement with one or more invalid principals."
    assert room.unit.state() == before


def test_a_user_made_again_under_the_same_name_gets_nothing_of_a_key_policy(room: KeyRoom) -> None:
    ann = room.user("ann")
    document = policy(for_principal(ACCOUNT_ROOT, "kms:*"), for_principal(ann.arn, "kms:DescribeKey"))
    key_id = room.run(keys.CREATE_KEY, {"Policy": document})["KeyMetadata"]["KeyId"]
    assert room.run(policies.GET_KEY_POLICY, {"KeyId": key_id})["Policy"] == document
    assert room.run(keys.DESCRIBE_KEY, {"KeyId": key_id}, principal=ann)
    record = room.unit.find(USERS, ann.account_id, ann.principal_id)
    assert record is not None
    room.unit.delete(USERS, ann.account_id, ann.principal_id)
    room.unit.save(USERS, replace(record, user_id="AIDASECONDANN00000000"))
    again = Principal(PrincipalType.USER, ann.account_id, ann.arn, "AIDASECONDANN00000000", "AKIA2")
    with pytest.raises(AccessDeniedException):
        room.run(keys.DESCRIBE_KEY, {"KeyId": key_id}, principal=again)
    shown = json.loads(room.run(policies.GET_KEY_POLICY, {"KeyId": key_id})["Policy"])
    assert shown["Statement"][1]["Principal"] == {"AWS": ann.principal_id}

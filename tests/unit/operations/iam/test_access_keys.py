"""Access keys: two per user, shown once, owned by whom they were made for."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import orjson
import pytest

from strongroom.errors import (
    AccessDeniedException,
    InvalidInputException,
    LimitExceededException,
    NoSuchEntityException,
    ServiceError,
    ValidationException,
)
from strongroom.identity.principal import Principal, PrincipalType
from strongroom.names import Arn
from strongroom.operations.iam import access_keys
from strongroom.operations.iam.credentials import open_secret_access_key
from strongroom.ports import ACCESS_KEYS, USERS
from support.identity_room import IdentityRoom, service
from support.key_room import ACCOUNT, DAY, NOON, OTHER_ACCOUNT, allow, root

BOB_ARN = f"arn:aws:iam::{ACCOUNT}:user/bob"
UNKNOWN_KEY = "AKIAIOSFODNN7EXAMPLE"
SESSION = Principal(
    PrincipalType.ASSUMED_ROLE,
    ACCOUNT,
    Arn(f"arn:aws:sts::{ACCOUNT}:assumed-role/deploy/run-1"),
    "AROAEXAMPLEEXAMPLE000:run-1",
    "ASIAEXAMPLE",
)
REQUESTS: dict[str, dict[str, str]] = {
    "CreateAccessKey": {},
    "ListAccessKeys": {},
    "UpdateAccessKey": {"AccessKeyId": UNKNOWN_KEY, "Status": "Inactive"},
    "DeleteAccessKey": {"AccessKeyId": UNKNOWN_KEY},
}
OPERATIONS = [
    access_keys.CREATE_ACCESS_KEY,
    access_keys.LIST_ACCESS_KEYS,
    access_keys.UPDATE_ACCESS_KEY,
    access_keys.DELETE_ACCESS_KEY,
]


@pytest.fixture
def room() -> IdentityRoom:
    return IdentityRoom()


@pytest.fixture
def bob(room: IdentityRoom) -> Principal:
    return room.user("bob")


def create(room: IdentityRoom, user_name: str | None = "bob", **how: Any) -> dict[str, Any]:
    request = {} if user_name is None else {"UserName": user_name}
    answered: dict[str, Any] = room.run(access_keys.CREATE_ACCESS_KEY, request, **how)["AccessKey"]
    return answered


def listed(room: IdentityRoom, user_name: str | None = "bob", **how: Any) -> list[dict[str, Any]]:
    request = {} if user_name is None else {"UserName": user_name}
    found: list[dict[str, Any]] = room.run(access_keys.LIST_ACCESS_KEYS, request, **how)["AccessKeyMetadata"]
    return found


def test_a_new_key_signs_for_its_user(room: IdentityRoom, bob: Principal) -> None:
    made = create(room, now=NOON + DAY)
    assert re.fullmatch(r"AKIA[A-Z2-7]{16}", made["AccessKeyId"])
    assert re.fullmatch(r"[A-Za-z0-9+/]{40}", made["SecretAccessKey"])
    assert {**made, "AccessKeyId": "", "SecretAccessKey": ""} == {
        "UserName": "bob",
        "AccessKeyId": "",
        "SecretAccessKey": "",
        "Status": "Active",
        "CreateDate": NOON + DAY,
    }
    signer = room.signer(made["AccessKeyId"])
    assert signer is not None
    assert (signer.arn, signer.principal_id) == (bob.arn, bob.principal_id)
    key = room.access_key(made["AccessKeyId"])
    assert open_secret_access_key(room.root_key, key) == made["SecretAccessKey"]


def test_without_user_name_the_caller_is_meant(room: IdentityRoom) -> None:
    kate = room.user("kate", allow("iam:*AccessKey*", resource=f"arn:aws:iam::{ACCOUNT}:user/kate"))
    made = create(room, None, principal=kate)
    assert made["UserName"] == "kate"
    key_id = made["AccessKeyId"]
    room.run(access_keys.UPDATE_ACCESS_KEY, {"AccessKeyId": key_id, "Status": "Inactive"}, principal=kate)
    assert listed(room, None, principal=kate) == [
        {"UserName": "kate", "AccessKeyId": key_id, "Status": "Inactive", "CreateDate": NOON}
    ]
    room.run(access_keys.DELETE_ACCESS_KEY, {"AccessKeyId": key_id}, principal=kate)
    assert listed(room, "kate") == []


def test_the_root_user_has_keys_of_its_own(room: IdentityRoom, bob: Principal) -> None:
    users = create(room)["AccessKeyId"]
    made = create(room, None)
    key_id = made["AccessKeyId"]
    assert "UserName" not in made
    signer = room.signer(key_id)
    assert signer is not None
    assert signer.is_root
    room.run(access_keys.UPDATE_ACCESS_KEY, {"AccessKeyId": key_id, "Status": "Inactive"})
    assert listed(room, None) == [{"AccessKeyId": key_id, "Status": "Inactive", "CreateDate": NOON}]
    assert [key["AccessKeyId"] for key in listed(room)] == [users]
    room.run(access_keys.DELETE_ACCESS_KEY, {"AccessKeyId": key_id})
    assert listed(room, None) == []
    assert [key["AccessKeyId"] for key in listed(room)] == [users]


@pytest.mark.parametrize("user_name", ["bob", None])
def test_two_keys_are_the_most_active_or_not(
    room: IdentityRoom, bob: Principal, user_name: str | None
) -> None:
    first = create(room, user_name)["AccessKeyId"]
    request = {"AccessKeyId": first, "Status": "Inactive", **({"UserName": "bob"} if user_name else {})}
    room.run(access_keys.UPDATE_ACCESS_KEY, request)
    create(room, user_name)
    before = room.unit.state()
    with pytest.raises(LimitExceededException) as refused:
        create(room, user_name)
    assert refused.value.message == "Cannot exceed quota for AccessKeysPerUser: 2"
    assert room.unit.state() == before
    del request["Status"]
    room.run(access_keys.DELETE_ACCESS_KEY, request)
    create(room, user_name)
    assert len(listed(room, user_name)) == 2


def test_keys_are_switched_off_and_on(room: IdentityRoom, bob: Principal) -> None:
    key_id = create(room)["AccessKeyId"]
    before = room.access_key(key_id)
    for status, active in (("Inactive", False), ("Inactive", False), ("Active", True)):
        request = {"UserName": "bob", "AccessKeyId": key_id, "Status": status}
        assert room.run(access_keys.UPDATE_ACCESS_KEY, request) is None
        assert room.access_key(key_id) == msgspec.structs.replace(before, active=active)
        assert [key["Status"] for key in listed(room)] == [status]


def test_a_key_cannot_be_made_expired(room: IdentityRoom, bob: Principal) -> None:
    key_id = create(room)["AccessKeyId"]
    before = room.unit.state()
    with pytest.raises(InvalidInputException) as refused:
        room.run(
            access_keys.UPDATE_ACCESS_KEY, {"UserName": "bob", "AccessKeyId": key_id, "Status": "Expired"}
        )
    assert refused.value.message == "The status of an access key can be set to Active or Inactive only."
    assert room.unit.state() == before


def test_keys_come_in_pages(room: IdentityRoom, bob: Principal) -> None:
    made = sorted(create(room)["AccessKeyId"] for _ in range(2))
    first = room.run(access_keys.LIST_ACCESS_KEYS, {"UserName": "bob", "MaxItems": 1})
    assert [key["AccessKeyId"] for key in first["AccessKeyMetadata"]] == made[:1]
    assert first["IsTruncated"] is True
    request = {"UserName": "bob", "MaxItems": 1, "Marker": first["Marker"]}
    second = room.run(access_keys.LIST_ACCESS_KEYS, request)
    assert [key["AccessKeyId"] for key in second["AccessKeyMetadata"]] == made[1:]
    assert second["IsTruncated"] is False
    assert "Marker" not in second


@pytest.mark.parametrize("marker", ["x", "MTpib2I", "bm90IG91cnM=", "\u00ff"])
def test_a_marker_of_others_is_refused(room: IdentityRoom, bob: Principal, marker: str) -> None:
    with pytest.raises(ValidationException) as refused:
        room.run(access_keys.LIST_ACCESS_KEYS, {"UserName": "bob", "Marker": marker})
    assert refused.value.message == "Invalid Marker."


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: str(operation.name))
def test_a_user_that_is_not_there(room: IdentityRoom, operation: Any) -> None:
    room.user("carol", account_id=OTHER_ACCOUNT)
    before = room.unit.state()
    for name in ("nobody", "carol"):
        with pytest.raises(NoSuchEntityException) as refused:
            room.run(operation, {"UserName": name, **REQUESTS[operation.name]})
        assert refused.value.message == f"The user with name {name} cannot be found."
        assert room.unit.state() == before


@pytest.mark.parametrize("operation", OPERATIONS[2:], ids=lambda operation: str(operation.name))
@pytest.mark.parametrize("whose", ["nobody's", "another user's", "root's", "another account's"])
def test_a_key_of_someone_else_is_as_good_as_absent(
    room: IdentityRoom, bob: Principal, operation: Any, whose: str
) -> None:
    kate = room.user("kate", allow("iam:*"))
    made = {
        "nobody's": {"AccessKeyId": UNKNOWN_KEY},
        "another user's": create(room, "bob"),
        "root's": create(room, None),
        "another account's": create(room, None, principal=root(OTHER_ACCOUNT)),
    }
    key_id = made[whose]["AccessKeyId"]
    before = room.unit.state()
    for named in ({}, {"UserName": "kate"}):
        request = {**REQUESTS[operation.name], "AccessKeyId": key_id, **named}
        with pytest.raises(NoSuchEntityException) as refused:
            room.run(operation, request, principal=kate)
        assert refused.value.message == f"The Access Key with id {key_id} cannot be found"
        assert room.unit.state() == before


@pytest.mark.parametrize("operation", OPERATIONS[2:], ids=lambda operation: str(operation.name))
@pytest.mark.parametrize("whose", ["a user's", "the root user's of another account"])
def test_the_root_user_reaches_without_a_name_its_own_keys_only(
    room: IdentityRoom, bob: Principal, operation: Any, whose: str
) -> None:
    made = create(room) if whose == "a user's" else create(room, None, principal=root(OTHER_ACCOUNT))
    key_id = made["AccessKeyId"]
    before = room.unit.state()
    with pytest.raises(NoSuchEntityException) as refused:
        room.run(operation, {**REQUESTS[operation.name], "AccessKeyId": key_id})
    assert refused.value.message == f"The Access Key with id {key_id} cannot be found"
    assert room.unit.state() == before


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: str(operation.name))
def test_a_role_session_has_to_name_a_user(room: IdentityRoom, operation: Any) -> None:
    before = room.unit.state()
    with pytest.raises(ValidationException) as refused:
        room.run(operation, REQUESTS[operation.name], principal=SESSION)
    assert refused.value.message == "Must specify userName when calling with non-User credentials"
    assert room.unit.state() == before


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: str(operation.name))
@pytest.mark.parametrize("name", ["bob", "eve", None])
def test_a_user_without_policies_is_refused(room: IdentityRoom, operation: Any, name: str | None) -> None:
    eve = room.user("eve")
    if name == "bob":
        room.user("bob")
    before = room.unit.state()
    named = {} if name is None else {"UserName": name}
    with pytest.raises(AccessDeniedException) as refused:
        room.run(operation, {**REQUESTS[operation.name], **named}, principal=eve)
    assert refused.value.message == (
        f"User: {eve.arn} is not authorized to perform: iam:{operation.name} on resource: "
        f"user {name or 'eve'} because no identity-based policy allows the iam:{operation.name} action"
    )
    assert room.unit.state() == before


def test_a_denial_does_not_tell_whether_a_user_exists(room: IdentityRoom, bob: Principal) -> None:
    eve = room.user("eve")
    texts = []
    for name in ("bob", "bub"):
        with pytest.raises(AccessDeniedException) as refused:
            create(room, name, principal=eve)
        texts.append(refused.value.message.replace(name, "…"))
    assert texts[0] == texts[1]


def test_a_policy_for_one_user_opens_no_other(room: IdentityRoom, bob: Principal) -> None:
    helper = room.user("helper", allow("iam:CreateAccessKey", resource=BOB_ARN))
    room.user("bobby")
    assert create(room, "BOB", principal=helper)["UserName"] == "bob"
    before = room.unit.state()
    for name in ("bobby", None):
        with pytest.raises(AccessDeniedException):
            create(room, name, principal=helper)
    assert room.unit.state() == before


def test_a_caller_is_its_id_not_its_name(room: IdentityRoom) -> None:
    """A principal authenticated before its user went gets nothing of the user now under its name."""
    kate = room.user("kate", allow("iam:*"))
    again = msgspec.structs.replace(room.found("kate"), user_id="AIDAANOTHERKATE000000")
    room.unit.delete(USERS, ACCOUNT, kate.principal_id)
    room.unit.save(USERS, again)
    before = room.unit.state()
    with pytest.raises(AccessDeniedException):
        create(room, None, principal=kate)
    assert room.unit.state() == before
    (target,) = access_keys.CREATE_ACCESS_KEY.targets(room.call(principal=kate), room.unit)
    assert target.record is None


def test_no_secret_access_key_outside_its_one_answer(room: IdentityRoom, bob: Principal) -> None:
    made = create(room)
    secret = made["SecretAccessKey"]
    create(room)
    texts: list[str] = [repr(room.unit.state()), repr(listed(room))]
    for stored in room.unit.scan(ACCESS_KEYS, ""):
        texts += [repr(stored), repr(msgspec.msgpack.encode(stored)), repr(msgspec.json.encode(stored))]
    failing: list[tuple[Any, dict[str, str]]] = [
        (access_keys.CREATE_ACCESS_KEY, {"UserName": "bob"}),
        (
            access_keys.UPDATE_ACCESS_KEY,
            {"UserName": "bob", "AccessKeyId": made["AccessKeyId"], "Status": "Expired"},
        ),
        (access_keys.DELETE_ACCESS_KEY, {"AccessKeyId": made["AccessKeyId"]}),
    ]
    for operation, request in failing:
        with pytest.raises(ServiceError) as refused:
            room.run(operation, request)
        texts += [refused.value.message, repr(refused.value)]
    kept = service("iam").operations["CreateAccessKey"].redact_response({"AccessKey": made})
    assert kept["accessKey"]["accessKeyId"] == made["AccessKeyId"]
    texts.append(repr(kept))
    assert all(secret not in text for text in texts)
    assert secret.encode() in orjson.dumps(made)

"""Versions of managed policies: five at most, numbers never given twice, the default decides at once."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from strongroom.errors import (
    AccessDeniedException,
    DeleteConflictException,
    LimitExceededException,
    NoSuchEntityException,
    ServiceError,
    ValidationException,
)
from strongroom.identity.principal import Principal
from strongroom.operations.iam import attachments, managed_policies, policy_versions, users
from support.identity_room import REQUEST_ID, IdentityRoom, service
from support.key_room import ACCOUNT, DAY, NOON, allow, deny, policy

NOTHING = policy(deny("iam:*"))
READ = policy(allow("iam:GetUser"))
ARN = f"arn:aws:iam::{ACCOUNT}:policy/p"


@pytest.fixture
def room() -> IdentityRoom:
    made = IdentityRoom()
    made.run(managed_policies.CREATE_POLICY, {"PolicyName": "p", "PolicyDocument": NOTHING})
    return made


@pytest.fixture
def bob(room: IdentityRoom) -> Principal:
    caller = room.user("bob")
    room.run(attachments.ATTACH_USER_POLICY, {"UserName": "bob", "PolicyArn": ARN})
    return caller


def version(room: IdentityRoom, document: str = READ, **more: Any) -> dict[str, Any]:
    request = {"PolicyArn": ARN, "PolicyDocument": document, **more}
    made: dict[str, Any] = room.run(policy_versions.CREATE_POLICY_VERSION, request, now=NOON + DAY)
    return made["PolicyVersion"]


def on(room: IdentityRoom, operation: Any, version_id: str) -> Any:
    return room.run(operation, {"PolicyArn": ARN, "VersionId": version_id})


def listed(room: IdentityRoom) -> list[tuple[str, bool]]:
    answered = room.run(policy_versions.LIST_POLICY_VERSIONS, {"PolicyArn": ARN})
    return [(each["VersionId"], each["IsDefaultVersion"]) for each in answered["Versions"]]


def refused(error: type[ServiceError], room: IdentityRoom, operation: Any, **request: Any) -> str:
    before = room.unit.state()
    with pytest.raises(error) as caught:
        room.run(operation, {"PolicyArn": ARN, **request})
    assert room.unit.state() == before
    return caught.value.message


def can_get(room: IdentityRoom, caller: Principal) -> bool:
    try:
        room.run(users.GET_USER, {"UserName": "bob"}, principal=caller)
    except AccessDeniedException:
        return False
    return True


def test_the_default_version_decides_at_once(room: IdentityRoom, bob: Principal) -> None:
    assert not can_get(room, bob)
    assert version(room) == {"VersionId": "v2", "IsDefaultVersion": False, "CreateDate": NOON + DAY}
    assert not can_get(room, bob)
    on(room, policy_versions.SET_DEFAULT_POLICY_VERSION, "v2")
    assert can_get(room, bob)
    assert version(room, NOTHING, SetAsDefault=True)["IsDefaultVersion"] is True
    assert not can_get(room, bob)
    on(room, policy_versions.SET_DEFAULT_POLICY_VERSION, "v2")
    on(room, policy_versions.DELETE_POLICY_VERSION, "v3")
    assert can_get(room, bob)
    assert listed(room) == [("v2", True), ("v1", False)]


def test_five_are_the_most_and_numbers_do_not_come_again(room: IdentityRoom) -> None:
    for number in range(2, 6):
        assert version(room)["VersionId"] == f"v{number}"
    assert refused(
        LimitExceededException, room, policy_versions.CREATE_POLICY_VERSION, PolicyDocument=READ
    ) == (
        "A managed policy can have up to 5 versions. Before you create a new version, you must delete an "
        "existing version."
    )
    on(room, policy_versions.DELETE_POLICY_VERSION, "v5")
    assert version(room)["VersionId"] == "v6"
    assert [each for each, _ in listed(room)] == ["v6", "v4", "v3", "v2", "v1"]


def test_the_default_version_stays(room: IdentityRoom) -> None:
    version(room)
    message = refused(DeleteConflictException, room, policy_versions.DELETE_POLICY_VERSION, VersionId="v1")
    assert message == "Cannot delete the default version of a policy."


@pytest.mark.parametrize(
    "operation",
    [
        policy_versions.GET_POLICY_VERSION,
        policy_versions.SET_DEFAULT_POLICY_VERSION,
        policy_versions.DELETE_POLICY_VERSION,
    ],
    ids=lambda operation: str(operation.name),
)
def test_a_version_that_is_not_there(room: IdentityRoom, operation: Any) -> None:
    for version_id in ("v2", "v10", "v1.beta"):
        message = refused(NoSuchEntityException, room, operation, VersionId=version_id)
        assert message == f"Policy {ARN} version {version_id} does not exist or is not attachable."


def test_a_document_comes_back_as_written(room: IdentityRoom) -> None:
    written = ' {"Version": "2012-10-17",\t"Statement": [{"Effect":"Allow","Action":"*","Resource":"*"}]}\r\n'
    version(room, written)
    answered = on(room, policy_versions.GET_POLICY_VERSION, "v2")
    assert answered["PolicyVersion"] == {
        "VersionId": "v2",
        "IsDefaultVersion": False,
        "CreateDate": NOON + DAY,
        "Document": written,
    }
    body = service("iam").operations["GetPolicyVersion"].encode_query(answered, REQUEST_ID)
    assert f"<Document>{quote(written, safe='-_.~')}</Document>" in body.decode()


def test_versions_come_in_pages(room: IdentityRoom) -> None:
    for _ in range(3):
        version(room)
    first = room.run(policy_versions.LIST_POLICY_VERSIONS, {"PolicyArn": ARN, "MaxItems": 3})
    assert [each["VersionId"] for each in first["Versions"]] == ["v4", "v3", "v2"]
    on(room, policy_versions.DELETE_POLICY_VERSION, "v2")
    request = {"PolicyArn": ARN, "Marker": first["Marker"]}
    rest = room.run(policy_versions.LIST_POLICY_VERSIONS, request)
    assert [each["VersionId"] for each in rest["Versions"]] == ["v1"]
    assert rest["IsTruncated"] is False
    message = refused(ValidationException, room, policy_versions.LIST_POLICY_VERSIONS, Marker="x")
    assert message == "Invalid Marker."

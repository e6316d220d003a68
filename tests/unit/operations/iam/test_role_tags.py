"""Tags of roles, and what policies make of them."""

from __future__ import annotations

from typing import Any

import pytest

from strongroom.errors import (
    InvalidInputException,
    LimitExceededException,
    NoSuchEntityException,
    ServiceError,
    ValidationException,
)
from strongroom.identity.principal import Principal
from strongroom.operations.iam import role_tags, roles
from strongroom.ports import ROLES
from support.identity_room import IdentityRoom
from support.key_room import ACCOUNT, allow, policy

TRUST = policy({"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"})
REQUESTS: dict[str, dict[str, Any]] = {
    "TagRole": {"Tags": [{"Key": "team", "Value": "red"}]},
    "UntagRole": {"TagKeys": ["team"]},
    "ListRoleTags": {},
}
OPERATIONS = [role_tags.TAG_ROLE, role_tags.UNTAG_ROLE, role_tags.LIST_ROLE_TAGS]


@pytest.fixture
def room() -> IdentityRoom:
    room = IdentityRoom()
    room.run(roles.CREATE_ROLE, {"RoleName": "deploy", "AssumeRolePolicyDocument": TRUST})
    return room


def tags_of(room: IdentityRoom) -> dict[str, str]:
    role: Any = room.unit.find_alternate(ROLES, ACCOUNT, "deploy")
    return dict(role.tags)


def tag(room: IdentityRoom, principal: Principal | None = None, **tags: str) -> None:
    given = [{"Key": key, "Value": value} for key, value in tags.items()]
    request = {"RoleName": "DEPLOY", "Tags": given}
    assert room.run(role_tags.TAG_ROLE, request, principal=principal) is None


def test_tags_are_set_replaced_and_removed(room: IdentityRoom) -> None:
    tag(room, team="red", Env="prod")
    tag(room, Team="blue", empty="")
    assert tags_of(room) == {"Env": "prod", "Team": "blue", "empty": ""}
    first = room.run(role_tags.LIST_ROLE_TAGS, {"RoleName": "deploy", "MaxItems": 2})
    assert first["Tags"] == [{"Key": "Env", "Value": "prod"}, {"Key": "Team", "Value": "blue"}]
    assert first["IsTruncated"] is True
    request = {"RoleName": "deploy", "MaxItems": 2, "Marker": first["Marker"]}
    assert room.run(role_tags.LIST_ROLE_TAGS, request) == {
        "Tags": [{"Key": "empty", "Value": ""}],
        "IsTruncated": False,
    }
    request = {"RoleName": "deploy", "TagKeys": ["ENV", "nothing"]}
    assert room.run(role_tags.UNTAG_ROLE, request) is None
    assert tags_of(room) == {"Team": "blue", "empty": ""}


@pytest.mark.parametrize(
    ("operation", "members", "error", "message"),
    [
        pytest.param(
            role_tags.TAG_ROLE,
            {"Tags": [{"Key": "a", "Value": ""}, {"Key": "A", "Value": ""}]},
            InvalidInputException,
            "Duplicate tag keys found. Please note that Tag keys are case insensitive.",
            id="key twice",
        ),
        pytest.param(
            role_tags.TAG_ROLE,
            {"Tags": [{"Key": "aws:a", "Value": ""}]},
            InvalidInputException,
            "Tag keys that begin with aws: are reserved for system use.",
            id="reserved",
        ),
        pytest.param(
            role_tags.TAG_ROLE,
            {"Tags": [{"Key": f"k{number}", "Value": ""} for number in range(50)]},
            LimitExceededException,
            "Cannot exceed quota for TagsPerRole: 50",
            id="one too many",
        ),
        pytest.param(
            role_tags.TAG_ROLE,
            {"Tags": [{"Key": f"k{number}", "Value": ""} for number in range(51)]},
            ValidationException,
            "1 validation error detected: Value at 'tags' failed to satisfy constraint: "
            "Member must have length less than or equal to 50",
            id="too many at once",
        ),
        pytest.param(
            role_tags.LIST_ROLE_TAGS, {"Marker": "x"}, ValidationException, "Invalid Marker.", id="marker"
        ),
    ],
)
def test_refusals_change_nothing(
    room: IdentityRoom, operation: Any, members: dict[str, Any], error: type[ServiceError], message: str
) -> None:
    tag(room, there="1")
    assert room.refused(error, operation, {"RoleName": "deploy", **members}) == message


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: str(operation.name))
def test_a_role_that_is_not_there(room: IdentityRoom, operation: Any) -> None:
    request = {"RoleName": "nothing", **REQUESTS[operation.name]}
    message = room.refused(NoSuchEntityException, operation, request)
    assert message == "The role with name nothing cannot be found."


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: str(operation.name))
def test_a_user_without_policies_is_refused(room: IdentityRoom, operation: Any) -> None:
    eve = room.user("eve")
    room.denied(operation, {"RoleName": "deploy", **REQUESTS[operation.name]}, eve, "role deploy")


def test_policies_can_limit_which_tags_are_set_and_removed_and_where(room: IdentityRoom) -> None:
    mine = {"aws:ResourceTag/owner": "tagger"}
    tagger = room.user(
        "tagger",
        allow("iam:TagRole", Condition={"StringEquals": {"aws:RequestTag/team": "red", **mine}}),
        allow(
            "iam:UntagRole",
            Condition={"ForAllValues:StringEquals": {"aws:TagKeys": ["team"]}, "StringEquals": mine},
        ),
    )
    request: dict[str, Any] = {"RoleName": "deploy", "Tags": [{"Key": "team", "Value": "red"}]}
    room.denied(role_tags.TAG_ROLE, request, tagger, "role deploy")
    tag(room, owner="tagger")
    tag(room, tagger, team="red")
    request["Tags"] = [{"Key": "team", "Value": "blue"}]
    room.denied(role_tags.TAG_ROLE, request, tagger, "role deploy")
    removal = {"RoleName": "deploy", "TagKeys": ["team", "owner"]}
    room.denied(role_tags.UNTAG_ROLE, removal, tagger, "role deploy")
    room.run(role_tags.UNTAG_ROLE, {"RoleName": "deploy", "TagKeys": ["team"]}, principal=tagger)
    assert tags_of(room) == {"owner": "tagger"}

"""Tags of users, and what policies make of them."""

from __future__ import annotations

from typing import Any

import pytest

from strongroom.errors import (
    AccessDeniedException,
    InvalidInputException,
    LimitExceededException,
    NoSuchEntityException,
    ServiceError,
    ValidationException,
)
from strongroom.identity.principal import Principal
from strongroom.operations.iam import user_tags
from support.identity_room import IdentityRoom
from support.key_room import allow

REQUESTS: dict[str, dict[str, Any]] = {
    "TagUser": {"Tags": [{"Key": "team", "Value": "red"}]},
    "UntagUser": {"TagKeys": ["team"]},
    "ListUserTags": {},
}
OPERATIONS = [user_tags.TAG_USER, user_tags.UNTAG_USER, user_tags.LIST_USER_TAGS]


@pytest.fixture
def room() -> IdentityRoom:
    room = IdentityRoom()
    room.user("bob")
    return room


def tag(room: IdentityRoom, principal: Principal | None = None, **tags: str) -> None:
    given = [{"Key": key, "Value": value} for key, value in tags.items()]
    assert room.run(user_tags.TAG_USER, {"UserName": "BOB", "Tags": given}, principal=principal) is None


def untag(room: IdentityRoom, *keys: str, principal: Principal | None = None) -> None:
    request = {"UserName": "bob", "TagKeys": list(keys)}
    assert room.run(user_tags.UNTAG_USER, request, principal=principal) is None


def test_tags_are_set_replaced_and_removed(room: IdentityRoom) -> None:
    tag(room, team="red", Env="prod")
    tag(room, Team="blue", empty="")
    assert room.found("bob").tags == {"Env": "prod", "Team": "blue", "empty": ""}
    assert room.run(user_tags.LIST_USER_TAGS, {"UserName": "bob"}) == {
        "Tags": [
            {"Key": "Env", "Value": "prod"},
            {"Key": "Team", "Value": "blue"},
            {"Key": "empty", "Value": ""},
        ],
        "IsTruncated": False,
    }
    untag(room, "ENV", "nothing")
    assert room.found("bob").tags == {"Team": "blue", "empty": ""}


def test_tags_come_in_pages(room: IdentityRoom) -> None:
    tag(room, b="2", a="1", c="3")
    first = room.run(user_tags.LIST_USER_TAGS, {"UserName": "bob", "MaxItems": 2})
    assert ([each["Key"] for each in first["Tags"]], first["IsTruncated"]) == (["a", "b"], True)
    request = {"UserName": "bob", "MaxItems": 2, "Marker": first["Marker"]}
    assert room.run(user_tags.LIST_USER_TAGS, request) == {
        "Tags": [{"Key": "c", "Value": "3"}],
        "IsTruncated": False,
    }


@pytest.mark.parametrize(
    ("operation", "members", "error", "message"),
    [
        pytest.param(
            user_tags.TAG_USER,
            {"Tags": [{"Key": "a", "Value": ""}, {"Key": "A", "Value": ""}]},
            InvalidInputException,
            "Duplicate tag keys found. Please note that Tag keys are case insensitive.",
            id="key twice",
        ),
        pytest.param(
            user_tags.TAG_USER,
            {"Tags": [{"Key": "aws:a", "Value": ""}]},
            InvalidInputException,
            "Tag keys that begin with aws: are reserved for system use.",
            id="reserved",
        ),
        pytest.param(
            user_tags.TAG_USER,
            {"Tags": [{"Key": f"k{number}", "Value": ""} for number in range(50)]},
            LimitExceededException,
            "Cannot exceed quota for TagsPerUser: 50",
            id="one too many",
        ),
        pytest.param(
            user_tags.LIST_USER_TAGS, {"Marker": "x"}, ValidationException, "Invalid Marker.", id="marker"
        ),
    ],
)
def test_refusals_change_nothing(
    room: IdentityRoom, operation: Any, members: dict[str, Any], error: type[ServiceError], message: str
) -> None:
    tag(room, there="1")
    before = room.unit.state()
    with pytest.raises(error) as refused:
        room.run(operation, {"UserName": "bob", **members})
    assert refused.value.message == message
    assert room.unit.state() == before


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: str(operation.name))
def test_a_user_that_is_not_there(room: IdentityRoom, operation: Any) -> None:
    before = room.unit.state()
    with pytest.raises(NoSuchEntityException) as refused:
        room.run(operation, {"UserName": "nobody", **REQUESTS[operation.name]})
    assert refused.value.message == "The user with name nobody cannot be found."
    assert room.unit.state() == before


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: str(operation.name))
def test_a_user_without_policies_is_refused(room: IdentityRoom, operation: Any) -> None:
    eve = room.user("eve")
    before = room.unit.state()
    with pytest.raises(AccessDeniedException) as refused:
        room.run(operation, {"UserName": "bob", **REQUESTS[operation.name]}, principal=eve)
    assert refused.value.message == (
        f"User: {eve.arn} is not authorized to perform: {operation.action} on resource: user bob "
        f"because no identity-based policy allows the {operation.action} action"
    )
    assert room.unit.state() == before


def test_policies_can_limit_which_tags_are_set_and_removed(room: IdentityRoom) -> None:
    tagger = room.user(
        "tagger",
        allow("iam:TagUser", Condition={"StringEquals": {"aws:RequestTag/team": "red"}}),
        allow("iam:UntagUser", Condition={"ForAllValues:StringEquals": {"aws:TagKeys": ["team"]}}),
    )
    tag(room, env="prod")
    tag(room, tagger, team="red")
    for operation, members in (
        (user_tags.TAG_USER, {"Tags": [{"Key": "team", "Value": "blue"}]}),
        (user_tags.TAG_USER, {"Tags": [{"Key": "env", "Value": "test"}]}),
        (user_tags.UNTAG_USER, {"TagKeys": ["env"]}),
        (user_tags.UNTAG_USER, {"TagKeys": ["team", "env"]}),
    ):
        with pytest.raises(AccessDeniedException):
            room.run(operation, {"UserName": "bob", **members}, principal=tagger)
        assert room.found("bob").tags == {"env": "prod", "team": "red"}
    untag(room, "team", principal=tagger)
    assert room.found("bob").tags == {"env": "prod"}


def test_tags_on_a_user_decide_who_may_change_it(room: IdentityRoom) -> None:
    condition = {"StringEquals": {"aws:ResourceTag/team": "red"}}
    tagger = room.user("tagger", allow("iam:TagUser", Condition=condition))
    with pytest.raises(AccessDeniedException):
        tag(room, tagger, team="red")
    assert room.found("bob").tags == {}
    tag(room, team="red")
    tag(room, tagger, team="blue")
    with pytest.raises(AccessDeniedException):
        tag(room, tagger, team="red")
    assert room.found("bob").tags == {"team": "blue"}

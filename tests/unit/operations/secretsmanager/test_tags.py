"""TagResource and UntagResource."""

from __future__ import annotations

from typing import Any

import pytest

from strongroom.errors import (
    AccessDeniedException,
    InvalidParameterException,
    InvalidRequestException,
    ResourceNotFoundException,
)
from strongroom.names import Arn, Region
from strongroom.operations.secretsmanager.tags import TAG_RESOURCE, UNTAG_RESOURCE
from strongroom.secret.records import Secret
from support.secret_room import ACCOUNT, MILLISECOND, NOON, Room

MARKED = "You can't perform this operation on the secret because it was marked for deletion."


def tags(**values: str) -> dict[str, Any]:
    return {"SecretId": "a", "Tags": [{"Key": key, "Value": value} for key, value in values.items()]}


def keys(*names: str) -> dict[str, Any]:
    return {"SecretId": "a", "TagKeys": list(names)}


def stored(room: Room) -> Secret:
    (secret,) = room.stored_secrets.values()
    return secret


def test_tagging_adds_and_replaces_and_answers_nothing() -> None:
    room = Room()
    room.add("a", tags={"team": "red", "stage": "prod"})
    assert room.run(TAG_RESOURCE, tags(team="blue", cost="1")) is None
    assert stored(room).tags == {"team": "blue", "stage": "prod", "cost": "1"}
    assert stored(room).last_changed_at == NOON + MILLISECOND


def test_untagging_removes_and_ignores_unknown_keys() -> None:
    room = Room()
    room.add("a", tags={"team": "red", "stage": "prod"})
    assert room.run(UNTAG_RESOURCE, keys("team", "nothing")) is None
    assert stored(room).tags == {"stage": "prod"}
    assert stored(room).last_changed_at == NOON + MILLISECOND


def test_the_last_tag_removed_leaves_an_empty_mapping() -> None:
    room = Room()
    room.add("a", tags={"team": "red"})
    room.run(UNTAG_RESOURCE, keys("team"))
    assert stored(room).tags == {}


@pytest.mark.parametrize("had", [None, {}, {"team": "red"}])
def test_a_call_that_changes_no_tag_changes_nothing(had: dict[str, str] | None) -> None:
    room = Room()
    before = room.add("a", tags=had)
    room.run(UNTAG_RESOURCE, keys("nothing"))
    room.run(TAG_RESOURCE, {"SecretId": "a", "Tags": []})
    if had:
        room.run(TAG_RESOURCE, tags(**had))
    assert stored(room) == before
    assert stored(room).tags == had


@pytest.mark.parametrize(
    ("request_members", "message"),
    [
        pytest.param(
            {"Tags": [{"Key": "k", "Value": "1"}, {"Key": "k", "Value": "1"}]},
            "You can't provide the same tag key more than once: k",
            id="duplicate",
        ),
        pytest.param(
            {"Tags": [{"Key": "aws:k", "Value": "1"}]},
            "You can't use the tag key aws:k: the prefix aws: is reserved for system use.",
            id="reserved",
        ),
        pytest.param(
            {"Tags": [{"Key": f"k{n}", "Value": ""} for n in range(50)]},
            "You can't attach more than 50 tags to a secret.",
            id="51 in all",
        ),
        pytest.param({"Tags": [{"Value": "1"}]}, "You must provide a key for each tag.", id="no key"),
    ],
)
def test_bad_tags_are_refused_and_change_nothing(request_members: dict[str, Any], message: str) -> None:
    room = Room()
    before = room.add("a", tags={"team": "red"})
    with pytest.raises(InvalidParameterException) as caught:
        room.run(TAG_RESOURCE, {"SecretId": "a", **request_members})
    assert caught.value.message == message
    assert stored(room) == before


@pytest.mark.parametrize(
    ("operation", "request_members"), [(TAG_RESOURCE, tags(k="v")), (UNTAG_RESOURCE, keys("team"))]
)
def test_marked_replica_and_absent_secrets_are_refused(operation: Any, request_members: Any) -> None:
    room = Room()
    with pytest.raises(ResourceNotFoundException) as missing:
        room.run(operation, request_members)
    assert missing.value.message == "Secrets Manager can't find the specified secret."

    marked = room.add("a", tags={"team": "red"}, deleted_at=NOON, deletion_at=NOON)
    with pytest.raises(InvalidRequestException) as caught:
        room.run(operation, request_members)
    assert caught.value.message == MARKED
    assert stored(room) == marked

    primary = Arn(f"arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret:a-abcdef")
    replica = room.add("a", tags={"team": "red"}, replica_of=primary, primary_region=Region("us-east-1"))
    with pytest.raises(InvalidRequestException) as refused:
        room.run(operation, request_members)
    assert refused.value.message == (
        "Operation not permitted on a replica secret. Call must be made in primary secret's region."
    )
    assert stored(room) == replica


OWN_TEAM = {
    "Effect": "Allow",
    "Action": "secretsmanager:*",
    "Resource": "*",
    "Condition": {"StringEquals": {"aws:ResourceTag/team": "red"}},
}


def test_a_caller_cannot_tag_or_untag_away_its_own_access() -> None:
    room = Room()
    caller = room.user("ann", OWN_TEAM)
    before = room.add("a", tags={"team": "red"})
    for operation, request, action in (
        (TAG_RESOURCE, tags(team="blue"), "TagResource"),
        (UNTAG_RESOURCE, keys("team"), "UntagResource"),
    ):
        with pytest.raises(AccessDeniedException) as caught:
            room.run(operation, request, principal=caller)
        assert caught.value.message.startswith(
            f"User: {caller.arn} is not authorized to perform: secretsmanager:{action} on resource: a"
        )
        assert stored(room) == before
    room.run(TAG_RESOURCE, tags(stage="prod"), principal=caller)
    assert stored(room).tags == {"team": "red", "stage": "prod"}


def test_root_keeps_its_access_whatever_the_tags() -> None:
    room = Room()
    room.add("a", tags={"team": "red"})
    room.run(TAG_RESOURCE, tags(team="blue"))
    assert stored(room).tags == {"team": "blue"}


def test_policies_see_the_tags_of_the_request() -> None:
    room = Room()
    room.add("a")
    caller = room.user(
        "ann",
        {
            "Effect": "Allow",
            "Action": "secretsmanager:TagResource",
            "Resource": "*",
            "Condition": {
                "StringEquals": {"aws:RequestTag/stage": "test"},
                "ForAnyValue:StringEquals": {"aws:TagKeys": ["stage"]},
            },
        },
        {
            "Effect": "Allow",
            "Action": "secretsmanager:UntagResource",
            "Resource": "*",
            "Condition": {"ForAnyValue:StringEquals": {"aws:TagKeys": ["stage"]}},
        },
    )
    with pytest.raises(AccessDeniedException):
        room.run(TAG_RESOURCE, tags(stage="prod"), principal=caller)
    room.run(TAG_RESOURCE, tags(stage="test"), principal=caller)
    assert stored(room).tags == {"stage": "test"}
    with pytest.raises(AccessDeniedException):
        room.run(UNTAG_RESOURCE, keys("other"), principal=caller)
    room.run(UNTAG_RESOURCE, keys("stage"), principal=caller)
    assert stored(room).tags == {}

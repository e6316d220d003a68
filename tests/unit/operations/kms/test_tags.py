"""Tags of keys."""

from __future__ import annotations

from typing import Any

import pytest

from strongroom.errors import AccessDeniedException, KMSInvalidStateException, TagException
from strongroom.operations.kms import keys, tags
from support.key_room import KeyRoom, allow


@pytest.fixture
def room() -> KeyRoom:
    return KeyRoom()


@pytest.fixture
def key_id(room: KeyRoom) -> str:
    return str(room.run(keys.CREATE_KEY)["KeyMetadata"]["KeyId"])


def tag(room: KeyRoom, key_id: str, given: dict[str, str], **how: Any) -> None:
    entries = [{"TagKey": name, "TagValue": value} for name, value in given.items()]
    assert room.run(tags.TAG_RESOURCE, {"KeyId": key_id, "Tags": entries}, **how) is None


def test_tags_are_set_replaced_and_removed(room: KeyRoom, key_id: str) -> None:
    tag(room, key_id, {"a": "1", "b": "2"})
    tag(room, key_id, {"b": "3", "c": ""})
    assert room.key(key_id).tags == {"a": "1", "b": "3", "c": ""}
    assert room.run(tags.UNTAG_RESOURCE, {"KeyId": key_id, "TagKeys": ["a", "never there"]}) is None
    assert room.run(tags.LIST_RESOURCE_TAGS, {"KeyId": key_id}) == {
        "Tags": [{"TagKey": "b", "TagValue": "3"}, {"TagKey": "c", "TagValue": ""}],
        "Truncated": False,
    }


def test_tags_come_in_pages(room: KeyRoom, key_id: str) -> None:
    tag(room, key_id, {f"k{number}": "v" for number in range(5)})
    first = room.run(tags.LIST_RESOURCE_TAGS, {"KeyId": key_id, "Limit": 3})
    rest = room.run(tags.LIST_RESOURCE_TAGS, {"KeyId": key_id, "Limit": 3, "Marker": first["NextMarker"]})
    assert [entry["TagKey"] for entry in first["Tags"] + rest["Tags"]] == ["k0", "k1", "k2", "k3", "k4"]
    assert (first["Truncated"], rest["Truncated"]) == (True, False)


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        pytest.param(
            [{"TagKey": "a", "TagValue": "1"}, {"TagKey": "a", "TagValue": "1"}],
            "Duplicate tag keys",
            id="duplicate",
        ),
        pytest.param(
            [{"TagKey": "aws:a", "TagValue": "1"}], "Tags beginning with aws: are reserved", id="reserved"
        ),
        pytest.param(
            [{"TagKey": "AWS:a", "TagValue": "1"}],
            "Tags beginning with aws: are reserved",
            id="reserved, capitals",
        ),
        pytest.param(
            [{"TagKey": str(number), "TagValue": "1"} for number in range(50)],
            "Too many tags",
            id="51 in all",
        ),
    ],
)
def test_tags_that_are_refused(
    room: KeyRoom, key_id: str, entries: list[dict[str, str]], message: str
) -> None:
    tag(room, key_id, {"there": "x"})
    with pytest.raises(TagException) as refused:
        room.run(tags.TAG_RESOURCE, {"KeyId": key_id, "Tags": entries})
    assert refused.value.message == message
    assert room.key(key_id).tags == {"there": "x"}


def test_a_key_pending_deletion_keeps_its_tags(room: KeyRoom, key_id: str) -> None:
    tag(room, key_id, {"a": "1"})
    room.run(keys.SCHEDULE_KEY_DELETION, {"KeyId": key_id})
    for change in (
        lambda: tag(room, key_id, {"b": "1"}),
        lambda: room.run(tags.UNTAG_RESOURCE, {"KeyId": key_id, "TagKeys": ["a"]}),
    ):
        with pytest.raises(KMSInvalidStateException) as refused:
            change()
        assert refused.value.message == f"{room.key(key_id).arn} is pending deletion."
    assert room.key(key_id).tags == {"a": "1"}


def test_policies_can_speak_of_a_keys_tags_and_of_those_sent(room: KeyRoom, key_id: str) -> None:
    by_tag = {"StringEquals": {"aws:ResourceTag/team": "a"}}
    only_team = {"ForAnyValue:StringEquals": {"aws:TagKeys": "team"}}
    bob = room.user(
        "bob",
        allow("kms:DescribeKey", Condition=by_tag),
        allow("kms:TagResource", "kms:UntagResource", Condition=only_team),
    )
    with pytest.raises(AccessDeniedException):
        room.run(keys.DESCRIBE_KEY, {"KeyId": key_id}, principal=bob)
    with pytest.raises(AccessDeniedException):
        tag(room, key_id, {"other": "a"}, principal=bob)
    tag(room, key_id, {"team": "a"}, principal=bob)
    assert room.run(keys.DESCRIBE_KEY, {"KeyId": key_id}, principal=bob)
    room.run(tags.UNTAG_RESOURCE, {"KeyId": key_id, "TagKeys": ["team"]}, principal=bob)
    assert room.key(key_id).tags == {}

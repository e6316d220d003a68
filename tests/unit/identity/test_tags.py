"""Tags of users: keys ignore case and keep it."""

from __future__ import annotations

import pytest

from strongroom.errors import InvalidInputException, LimitExceededException
from strongroom.identity.tags import with_tags, without_tags


def pair(key: str, value: str = "") -> dict[str, str]:
    return {"Key": key, "Value": value}


def test_new_tags_stand_beside_old_ones() -> None:
    old = {"Team": "red"}
    assert with_tags(old, [pair("env", "prod"), pair("empty")]) == {"Team": "red", "env": "prod", "empty": ""}
    assert old == {"Team": "red"}


def test_a_key_in_other_case_replaces_key_and_value() -> None:
    assert with_tags({"Department": "finance", "x": "1"}, [pair("department", "hr")]) == {
        "x": "1",
        "department": "hr",
    }


@pytest.mark.parametrize("second", ["env", "ENV"])
def test_a_key_twice_is_refused(second: str) -> None:
    with pytest.raises(InvalidInputException) as refused:
        with_tags({}, [pair("env", "1"), pair(second, "2")])
    assert (
        refused.value.message == "Duplicate tag keys found. Please note that Tag keys are case insensitive."
    )


@pytest.mark.parametrize("key", ["aws:x", "AWS:x"])
def test_reserved_keys_are_refused(key: str) -> None:
    with pytest.raises(InvalidInputException) as refused:
        with_tags({}, [pair(key)])
    assert refused.value.message == "Tag keys that begin with aws: are reserved for system use."


def test_fifty_tags_are_the_most() -> None:
    fifty = {f"k{number}": "" for number in range(50)}
    assert len(with_tags(fifty, [pair("K7", "changed")])) == 50
    with pytest.raises(LimitExceededException) as refused:
        with_tags(fifty, [pair("one more")])
    assert refused.value.message == "Cannot exceed quota for TagsPerUser: 50"


def test_removal_ignores_case_and_unknown_keys() -> None:
    assert without_tags({"Team": "red", "env": "prod"}, ["TEAM", "nothing"]) == {"env": "prod"}

"""Tags: limits, reserved keys, and the difference between none and no longer any."""

from __future__ import annotations

import pytest

from strongroom.errors import InvalidParameterException
from strongroom.secret.tags import parse_tags, with_tags, without_tags


def tags(count: int) -> list[dict[str, str]]:
    return [{"Key": f"k{n}", "Value": str(n)} for n in range(count)]


def test_tags_keep_their_order_and_case() -> None:
    parsed = parse_tags([{"Key": "b", "Value": "1"}, {"Key": "B", "Value": ""}, {"Key": "a"}])
    assert list(parsed.items()) == [("b", "1"), ("B", ""), ("a", "")]


@pytest.mark.parametrize(
    ("request_tags", "message"),
    [
        pytest.param([{"Value": "x"}], "You must provide a key for each tag.", id="no key"),
        pytest.param(
            [{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}],
            "You can't provide the same tag key more than once: a",
            id="duplicate",
        ),
        pytest.param(
            [{"Key": "AWS:x", "Value": "1"}],
            "You can't use the tag key AWS:x: the prefix aws: is reserved for system use.",
            id="reserved",
        ),
        pytest.param(tags(51), "You can't attach more than 50 tags to a secret.", id="51 tags"),
    ],
)
def test_bad_tags_are_refused(request_tags: list[dict[str, str]], message: str) -> None:
    with pytest.raises(InvalidParameterException) as caught:
        parse_tags(request_tags)
    assert caught.value.message == message


def test_fifty_tags_are_accepted() -> None:
    assert len(parse_tags(tags(50))) == 50


def test_adding_replaces_values_and_appends_keys() -> None:
    merged = with_tags({"a": "1", "b": "2"}, {"a": "3", "c": "4"})
    assert list(merged.items()) == [("a", "3"), ("b", "2"), ("c", "4")]
    assert with_tags(None, {"a": "1"}) == {"a": "1"}


def test_the_limit_counts_all_tags_of_the_secret_but_the_systems_own() -> None:
    fifty = parse_tags(tags(50))
    assert with_tags(fifty, {"k0": "new"})["k0"] == "new"
    assert len(with_tags({**parse_tags(tags(49)), "aws:x": "1"}, {"new": ""})) == 51
    with pytest.raises(InvalidParameterException) as caught:
        with_tags(fifty, {"new": ""})
    assert caught.value.message == "You can't attach more than 50 tags to a secret."
    assert "new" not in fifty


def test_removing_ignores_unknown_keys_and_leaves_an_empty_mapping() -> None:
    assert without_tags({"a": "1", "b": "2"}, ["a", "zzz", "B"]) == {"b": "2"}
    assert without_tags({"a": "1"}, ["a"]) == {}


def test_a_secret_that_never_had_tags_stays_without() -> None:
    assert without_tags(None, ["a"]) is None


def test_removing_a_reserved_tag_is_refused() -> None:
    with pytest.raises(InvalidParameterException) as caught:
        without_tags({"aws:x": "1"}, ["aws:x"])
    assert caught.value.message == (
        "You can't use the tag key aws:x: the prefix aws: is reserved for system use."
    )

"""Condition keys are found ignoring case, and never by a look-alike."""

from __future__ import annotations

import pytest

from strongroom.policy.context import ContextKeys, fold_key


@pytest.mark.parametrize("spelling", ["aws:SourceIp", "AWS:SOURCEIP", "aws:sourceip"])
def test_keys_are_found_ignoring_case(spelling: str) -> None:
    assert ContextKeys({spelling: "1.2.3.4"}).values("aws:sourceip") == "1.2.3.4"


def test_an_empty_list_of_values_is_absence() -> None:
    keys = ContextKeys({"aws:TagKeys": ()})
    assert keys.values("aws:tagkeys") is None
    assert keys.single("aws:tagkeys") is None


def test_several_values_are_no_single_value() -> None:
    keys = ContextKeys({"aws:TagKeys": ("a", "b"), "aws:One": ("c",)})
    assert keys.values("aws:tagkeys") == ("a", "b")
    assert keys.single("aws:tagkeys") is None
    assert keys.single("aws:one") == "c"


def test_spellings_of_one_key_count_as_several_values_in_any_order() -> None:
    first = ContextKeys({"aws:RequestTag/Team": "red", "aws:RequestTag/team": "blue"})
    other = ContextKeys({"aws:RequestTag/team": "blue", "aws:RequestTag/Team": "red"})
    assert set(first.values("aws:requesttag/team") or ()) == {"red", "blue"}
    assert set(other.values("aws:requesttag/team") or ()) == {"red", "blue"}
    assert first.single("aws:requesttag/team") is None
    same = ContextKeys({"aws:RequestTag/Team": "red", "aws:RequestTag/team": "red", "x": "y"})
    assert same.single("aws:requesttag/team") == "red"
    assert same.single("x") == "y"


def test_look_alike_letters_do_not_become_ascii() -> None:
    kelvin = "aws:RequestTag/\u212aey"
    assert kelvin.lower() == "aws:requesttag/key"
    keys = ContextKeys({kelvin: "x", "aws:RequestTag/Ünder": "y"})
    assert keys.values("aws:requesttag/key") is None
    assert keys.values(fold_key(kelvin)) == "x"
    assert keys.values(fold_key("aws:REQUESTTAG/Ünder")) == "y"
    assert fold_key("A\ud800B") == "a\ud800b"

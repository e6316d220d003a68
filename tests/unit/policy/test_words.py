"""Texts for every combination of patterns, held against matching by dynamic programming."""

from __future__ import annotations

from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from strongroom.policy.patterns import Variable, parse_template
from strongroom.policy.words import Pattern, words_for
from support.policy_oracle import arn_matches, wildcard

SHORT = [""] + ["".join(chars) for size in range(1, 5) for chars in product("abAz", repeat=size)]
"""`z` is in no pattern below; A differs from a in case only."""


def a_pattern(text: str, *, folded: bool = False, arn: bool = False) -> Pattern:
    parts = parse_template(text, wildcards=True, variables=False)
    return Pattern(tuple(part for part in parts if not isinstance(part, Variable)), arn, folded)


patterns = st.builds(lambda text, folded: (text, folded), st.text("ab*?", max_size=4), st.booleans())


def fits(pattern: tuple[str, bool], text: str) -> bool:
    wanted, folded = pattern
    return wildcard(wanted.lower() if folded else wanted, text.lower() if folded else text)


@given(st.lists(patterns, min_size=1, max_size=3))
def test_every_text_fits_the_same_patterns_as_one_of_the_words(chosen: list[tuple[str, bool]]) -> None:
    words = words_for(frozenset(a_pattern(text, folded=folded) for text, folded in chosen))
    assert words.exact
    covered = {tuple(fits(each, text) for each in chosen) for text in words.texts}
    for text in SHORT:
        assert tuple(fits(each, text) for each in chosen) in covered, text


def test_a_literal_inside_a_pattern_is_told_from_the_rest_of_it() -> None:
    words = words_for(frozenset((a_pattern("a*"), a_pattern("a"))))
    assert {(wildcard("a*", text), text == "a") for text in words.texts} == {
        (True, True),
        (True, False),
        (False, False),
    }


def test_a_wildcard_in_the_head_of_an_arn_crosses_no_colon() -> None:
    one, two = "arn:aws:iam::*:role/app", "arn:aws:iam::1111*:role/*"
    words = words_for(frozenset((a_pattern(one, arn=True), a_pattern(two, arn=True))))
    assert words.exact
    assert {(arn_matches(one, text), arn_matches(two, text)) for text in words.texts} == {
        (True, True),
        (True, False),
        (False, True),
        (False, False),
    }


def test_patterns_too_many_to_search_are_said_to_be_inexact() -> None:
    many = frozenset(a_pattern(f"*{one}*{two}*") for one in "abcdefgh" for two in "ijklmnop")
    words = words_for(many)
    assert not words.exact
    assert words.texts

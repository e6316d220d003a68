"""The canonical encoding of encryption contexts."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from strongroom.crypto.context import encode_context

CONTEXTS = st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=4)


@given(first=CONTEXTS, second=CONTEXTS)
def test_two_contexts_encode_alike_exactly_when_they_are_equal(
    first: dict[str, str], second: dict[str, str]
) -> None:
    assert (encode_context(first) == encode_context(second)) == (first == second)


@given(context=CONTEXTS)
def test_the_order_of_pairs_does_not_matter(context: dict[str, str]) -> None:
    turned = dict(reversed(list(context.items())))
    assert encode_context(turned) == encode_context(context)


def test_case_matters() -> None:
    assert encode_context({"Key": "v"}) != encode_context({"key": "v"})
    assert encode_context({"Key": "v"}) != encode_context({"Key": "V"})


def test_text_cannot_move_between_key_and_value_or_between_pairs() -> None:
    assert encode_context({"ab": "c"}) != encode_context({"a": "bc"})
    assert encode_context({"a": "b", "c": "d"}) != encode_context({"a": "bcd"})


def test_lone_surrogates_which_json_can_carry_are_encoded() -> None:
    assert encode_context({"\ud800": "x"}) != encode_context({"\ud801": "x"})


def test_layout() -> None:
    assert encode_context({"b": "", "a": "ß"}) == (
        b"\x00\x00\x00\x02\x00\x00\x00\x01a\x00\x00\x00\x02\xc3\x9f\x00\x00\x00\x01b\x00\x00\x00\x00"
    )

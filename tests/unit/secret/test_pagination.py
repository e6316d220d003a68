"""NextToken: round trip, binding, and garbage."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.errors import InvalidNextTokenException
from strongroom.secret.pagination import decode_token, encode_token

BOUND = {"account": "111122223333", "filters": [{"Key": "name", "Values": ["a"]}], "order": "asc"}
POSITION = (1767268800000000, "arn:aws:secretsmanager:eu-central-1:111122223333:secret:a-abcdef")
MESSAGE = "The NextToken value is invalid."


def refused(kind: str, bound: object, text: str) -> None:
    with pytest.raises(InvalidNextTokenException) as caught:
        decode_token(kind, bound, text)
    assert caught.value.message == MESSAGE


@given(st.lists(st.one_of(st.integers(-(2**63), 2**63 - 1), st.text(max_size=40)), max_size=3))
def test_decode_returns_the_position_encoded(position: list[int | str]) -> None:
    token = encode_token("ListSecrets", BOUND, tuple(position))
    assert decode_token("ListSecrets", BOUND, token) == tuple(position)


def test_the_order_of_a_mapping_does_not_matter_to_the_binding() -> None:
    token = encode_token("ListSecrets", {"a": 1, "b": 2}, POSITION)
    assert decode_token("ListSecrets", {"b": 2, "a": 1}, token) == POSITION


def test_a_token_of_another_query_is_refused() -> None:
    token = encode_token("ListSecrets", BOUND, POSITION)
    refused("BatchGetSecretValue", BOUND, token)
    refused("ListSecrets", {**BOUND, "order": "desc"}, token)
    refused("ListSecrets", {**BOUND, "account": "444455556666"}, token)


def test_a_token_altered_in_any_character_is_refused() -> None:
    token = encode_token("ListSecrets", BOUND, POSITION)
    for index, character in enumerate(token):
        other = "A" if character != "A" else "B"
        refused("ListSecrets", BOUND, token[:index] + other + token[index + 1 :])


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("x", id="one character"),
        pytest.param("not a token", id="spaces"),
        pytest.param("é" * 8, id="not ascii"),
        pytest.param("A" * 64, id="zeros"),
        pytest.param("A" * 5000, id="over 4096 characters"),
        pytest.param(base64.urlsafe_b64encode(b"[1]").decode(), id="base64 of JSON"),
    ],
)
def test_garbage_is_refused(text: str) -> None:
    refused("ListSecrets", BOUND, text)


def test_padding_and_a_cut_are_refused() -> None:
    token = encode_token("ListSecrets", BOUND, POSITION)
    refused("ListSecrets", BOUND, token + "=")
    refused("ListSecrets", BOUND, token[:-4])
    refused("ListSecrets", BOUND, token + "AAAA")


def test_the_longest_position_fits_into_a_token() -> None:
    name = "n" * 512
    arn = f"arn:aws-us-gov:secretsmanager:us-gov-west-1:111122223333:secret:{name}-abcdef"
    assert len(encode_token("ListSecrets", BOUND, (name, arn))) <= 4096


def test_a_position_that_does_not_fit_is_a_bug_not_a_token() -> None:
    with pytest.raises(ValueError, match="too long"):
        encode_token("ListSecrets", BOUND, ("n" * 5000,))

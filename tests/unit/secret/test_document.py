"""A secret's JSON is read strictly, and written again as it was but for what a rotation replaces."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.secret.document import FaultKind, RotationFault, parse_document
from strongroom.secret.value import SecretValue

CANARY = "canary-3b1f"
MEMBERS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


def parsed(text: str) -> dict[str, object]:
    return dict(parse_document(SecretValue(text=text)))


@given(st.dictionaries(st.text("abcdef", max_size=4), MEMBERS, max_size=5))
def test_members_nobody_replaces_stay_as_they_are(members: dict[str, object]) -> None:
    document = parse_document(SecretValue(text=json.dumps(members))).replaced(password="new")
    again = json.loads(document.encode())
    assert again == {**members, "password": "new"}
    assert list(again) == list({**members, "password": "new"})


def test_numbers_of_any_length_stay() -> None:
    text = '{"account":123456789012345678901234567890,"ratio":0.1}'
    assert parse_document(SecretValue(text=text)).encode() == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            f'{{"password":"{CANARY}","password":"other"}}',
            "the secret's JSON has a member twice; which one counts?",
        ),
        (f'{{"deep":{{"a":"{CANARY}","a":1}}}}', "the secret's JSON has a member twice; which one counts?"),
        (f'{{"password":"{CANARY}"', "the secret's value is no valid JSON"),
        (f'{{"password":NaN,"x":"{CANARY}"}}', "the secret's value is no valid JSON"),
        (f'{{"password":"\\ud800{CANARY}"}}', "the secret's value is no valid JSON"),
        ("[" * 3000, "the secret's value is no valid JSON"),
        ('{"a":' * 1000 + "1" + "}" * 1000, "the secret's value is no valid JSON"),
        (f'["{CANARY}"]', "the secret's value must be a JSON object"),
    ],
)
def test_what_is_no_document_is_told_without_quoting_it(text: str, message: str) -> None:
    with pytest.raises(RotationFault) as caught:
        parsed(text)
    assert (caught.value.kind, caught.value.message) == (FaultKind.SECRET, message)
    assert caught.value.__cause__ is None


def test_a_binary_value_is_no_document() -> None:
    with pytest.raises(RotationFault) as caught:
        parse_document(SecretValue(binary=CANARY.encode()))
    assert caught.value.message == "the secret is binary; rotation needs a JSON object as text"

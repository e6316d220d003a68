"""Values are taken out in every shape in which programs print them."""

from __future__ import annotations

import base64
import json
import urllib.parse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.functions.redaction import MASK, Redactor, sensitive_environment, values_of

VALUE = "p'ä\"s\\s w/o+rd\n%41\t"


def redacted(text: bytes, *values: str) -> bytes:
    redactor = Redactor()
    redactor.add(values)
    return redactor.redact(text)


@pytest.mark.parametrize(
    "printed",
    [
        pytest.param(VALUE, id="as it is"),
        pytest.param(json.dumps({"password": VALUE}), id="JSON"),
        pytest.param(json.dumps({"password": VALUE}, ensure_ascii=False), id="JSON in UTF-8"),
        pytest.param(json.dumps({"body": json.dumps({"password": VALUE})}), id="JSON in JSON"),
        pytest.param(repr({"password": VALUE}), id="a Python dict"),
        pytest.param(repr({"SecretString": json.dumps({"password": VALUE})}), id="JSON in a Python dict"),
        pytest.param(repr(VALUE.encode()), id="Python bytes"),
        pytest.param("ALTER ROLE x PASSWORD '" + VALUE.replace("'", "''") + "'", id="SQL"),
        pytest.param("postgres://u:" + urllib.parse.quote(VALUE, safe="") + "@host", id="URL"),
        pytest.param(urllib.parse.urlencode({"password": VALUE}), id="form"),
        pytest.param(VALUE.encode().hex(), id="hexadecimal"),
    ],
)
def test_every_shape_is_taken_out(printed: str) -> None:
    found = redacted(printed.encode(), VALUE)
    assert MASK in found
    for shape in (VALUE.encode(), b"w/o", b"w%2Fo", VALUE.encode().hex().encode()):
        assert shape not in found


@pytest.mark.parametrize("before", range(4))
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_base64_is_taken_out_wherever_the_value_begins(before: int, encode: object) -> None:
    value = "a value of 23 bytes???>"
    printed = encode(b"x" * before + value.encode() + b"yz")  # type: ignore[operator]
    found = redacted(printed, value)
    assert MASK in found
    assert len(found) < 16


@given(st.text(min_size=4, max_size=40), st.binary(max_size=30), st.binary(max_size=30))
def test_no_value_is_ever_left(value: str, before: bytes, after: bytes) -> None:
    raw = value.encode()
    found = redacted(before + raw + after, value)
    assert raw not in found or raw in MASK * 8


def test_the_longer_value_is_taken_out_whole() -> None:
    assert redacted(b"user=abcd1234efgh", "abcd1234", "abcd1234efgh") == b"user=***"


def test_short_values_are_left() -> None:
    assert redacted(b"a b c abc", "a", "abc") == b"a b c abc"


def test_too_many_values_withhold_everything() -> None:
    found = redacted(b"anything", *(f"value-{n}" for n in range(1000)))
    assert found == b"(withheld: more values than can be looked for)\n"
    assert redacted(b"", *(f"value-{n}" for n in range(1000))) == b""


def test_a_secrets_members_are_values_but_not_those_that_are_public() -> None:
    text = json.dumps(
        {
            "engine": "postgres",
            "host": "db.example",
            "username": "app",
            "password": "the-password",
            "more": [{"token": "the-token"}, 123456],
            "on": True,
        }
    )
    assert values_of(text) == [text, "the-password", "the-token", "123456"]


@pytest.mark.parametrize("text", ["plain", "{not json", "[" * 100_000])
def test_what_is_no_json_is_one_value(text: str) -> None:
    assert values_of(text) == [text]


def test_variables_that_are_named_as_secrets_are() -> None:
    environment = {
        "DB_PASSWORD": "1",
        "api_key": "2",
        "SECRETS_MANAGER_ENDPOINT": "3",
        "PASSWORD_LENGTH": "4",
        "SECRET_ARN": "5",
        "WEBHOOK_TOKEN": "6",
    }
    assert sensitive_environment(environment) == ["1", "2", "6"]


def test_a_redactor_shows_nothing() -> None:
    redactor = Redactor()
    redactor.add(["canary-value"])
    assert "canary" not in repr(redactor) + str(redactor)

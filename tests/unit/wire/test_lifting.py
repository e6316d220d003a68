"""A body with a long binary value says the same whether that is lifted out of it or not."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strongroom.errors import SerializationException
from strongroom.wire import lifting
from strongroom.wire.lifting import LONG_BYTES, parse_long
from strongroom.wire.models import OperationModel, load_service, parse_json

LAMBDA = load_service("lambda")
CREATE = LAMBDA.operations["CreateFunction"]
CODE = bytes(range(256)) * (LONG_BYTES // 256)
TEXT = base64.b64encode(CODE).decode()
MARK = "\N{DOUBLE DAGGER}lifted\N{DOUBLE DAGGER}"


def parsed(body: bytes, model: OperationModel = CREATE) -> dict[str, Any]:
    assert model.input_shape is not None
    return parse_long(body, LAMBDA, model.input_shape)


def checked(body: bytes) -> Any:
    """Return the request, or what is wrong with it."""
    try:
        return CREATE.checked(parsed(body))
    except Exception as error:
        return type(error), str(error)


def as_ever(body: bytes) -> Any:
    try:
        return CREATE.checked(parse_json(body))
    except Exception as error:
        return type(error), str(error)


def body(code: str = TEXT, **members: Any) -> bytes:
    return json.dumps(
        {
            "FunctionName": "f",
            "Runtime": "python3.12",
            "Role": "arn:aws:iam::111122223333:role/r",
            "Handler": "main.handler",
            "Code": {"ZipFile": code},
            **members,
        },
        ensure_ascii=False,
    ).encode()


def test_a_long_binary_value_is_bytes_already() -> None:
    assert parsed(body())["Code"] == {"ZipFile": CODE}
    assert parsed(body(Tags={"a": "b"}))["Tags"] == {"a": "b"}
    update = LAMBDA.operations["UpdateFunctionCode"]
    assert parsed(json.dumps({"ZipFile": TEXT}).encode(), update) == {"ZipFile": CODE}


def test_a_short_one_is_text_as_ever() -> None:
    assert parsed(body("AAAA"))["Code"] == {"ZipFile": "AAAA"}


@pytest.mark.parametrize(
    "text",
    [
        body(),
        body(Description=MARK),
        body(Description="behind", Tags={MARK: MARK}),
        body(Description='a " in it'),
        body(Description="\\"),
        body(TEXT, Description=TEXT),
        body("AAAA", Description=TEXT),
        body("AAAA", Unknown={"ZipFile": TEXT}),
        body("AAAA", Tags={"ZipFile": TEXT}),
        body("AAAA", Layers=[TEXT]),
        body().replace(b'"ZipFile"', b'"Z\\u0069pFile"'),
        body().replace(b'"Code": {', b'"Code": {"ZipFile": "AAAA", '),
        body().replace(b'"Code": {', b'"Code": {"S3Key": "' + MARK.encode() + b'", '),
        body()[:-1],
        body()[: LONG_BYTES + 300],
        body() + b"}",
        body().replace(b"ZipFile", b"ZipFile\xff"),
        b"[" + body() + b"]",
        b" " * LONG_BYTES + b"{}",
        b'"' * LONG_BYTES,
        b'{"a": ' * 40 + b'"' + TEXT.encode() + b'"' + b"}" * 40,
    ],
    ids=[str(number) for number in range(21)],
)
def test_it_means_what_it_means_without(text: bytes) -> None:
    assert checked(text) == as_ever(text)


@pytest.mark.parametrize(
    "code",
    [
        TEXT[:-1],
        TEXT + "=",
        "=" + TEXT[1:],
        TEXT[:LONG_BYTES] + "*" + TEXT[LONG_BYTES:],
        TEXT[:LONG_BYTES] + "\n" + TEXT[LONG_BYTES:],
        TEXT[:LONG_BYTES] + "ä" + TEXT[LONG_BYTES:],
    ],
    ids=["cut", "too long", "padding first", "a star", "a line end", "not ASCII"],
)
def test_what_is_no_base64_is_refused(code: str) -> None:
    with pytest.raises(SerializationException) as refused:
        CREATE.checked(parsed(body(code)))
    assert str(refused.value) == "A binary value is not valid base64."


def test_a_control_character_in_it_is_no_json() -> None:
    text = body().replace(TEXT[1000:1010].encode(), b"\x01", 1)
    with pytest.raises(SerializationException):
        parsed(text)


@given(
    noise=st.binary(max_size=200),
    text=st.text(max_size=30),
    before=st.booleans(),
)
@settings(max_examples=200, deadline=None)
def test_whatever_else_is_in_a_body(noise: bytes, text: str, before: bool) -> None:
    """With a low bound, for many bodies in a short time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lifting, "LONG_BYTES", 16)
        own = {"Description": text, "Tags": {text: text}}
        code = {"Code": {"ZipFile": base64.b64encode(noise).decode()}}
        members = {**own, **code} if before else {**code, **own}
        for ascii_only in (True, False):
            sent = json.dumps(members, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
            assert checked(sent) == as_ever(sent)

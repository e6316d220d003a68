"""The value envelope: strict, canonical, bound to its context."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.crypto import envelope
from strongroom.crypto.context import encode_context
from strongroom.crypto.envelope import ValueKind, parse
from strongroom.errors import IntegrityError
from support.entropies import pattern

DATA_KEY = pattern("data key", 32)
NONCE = pattern("nonce", 12)
CONTEXT = {
    "SecretARN": "arn:aws:secretsmanager:eu-central-1:111122223333:secret:a-b1C2d3",
    "SecretVersionId": "v",
}
BOUND = encode_context(CONTEXT)
DOES_NOT_OPEN = "what was sealed does not open"


def sealed(
    value: bytes = b"hunter2", kind: ValueKind = ValueKind.TEXT, wrapped_key: bytes = b"wrapped"
) -> bytes:
    return envelope.encode(
        kind, value, data_key=DATA_KEY, wrapped_key=wrapped_key, context=BOUND, nonce=NONCE
    )


@given(
    value=st.binary(max_size=100),
    kind=st.sampled_from(ValueKind),
    wrapped_key=st.binary(min_size=1, max_size=300),
)
def test_what_was_sealed_opens(value: bytes, kind: ValueKind, wrapped_key: bytes) -> None:
    parts = parse(sealed(value, kind, wrapped_key))
    assert (parts.kind, parts.wrapped_key) == (kind, wrapped_key)
    assert parts.open(DATA_KEY, BOUND) == value


def test_layout() -> None:
    made = sealed(b"value", ValueKind.BINARY, b"W" * 260)
    assert made[:8] == b"SREV\x01\x02\x01\x04"
    assert made[8:268] == b"W" * 260
    assert made[268:280] == NONCE
    assert len(made) == 280 + len(b"value") + 16
    assert b"value" not in made


def test_no_changed_byte_opens() -> None:
    made = sealed()
    for at in range(len(made)):
        for bit in range(8):
            changed = made[:at] + bytes((made[at] ^ 1 << bit,)) + made[at + 1 :]
            with pytest.raises(IntegrityError, match=DOES_NOT_OPEN):
                parse(changed).open(DATA_KEY, BOUND)


def test_no_cut_or_longer_envelope_opens() -> None:
    made = sealed()
    for wrong in (*(made[:length] for length in range(len(made))), made + b"\x00"):
        with pytest.raises(IntegrityError, match=DOES_NOT_OPEN):
            parse(wrong).open(DATA_KEY, BOUND)


@pytest.mark.parametrize(
    "context",
    [
        pytest.param({}, id="none"),
        pytest.param({**CONTEXT, "SecretVersionId": "w"}, id="another version"),
        pytest.param({**CONTEXT, "SecretARN": CONTEXT["SecretARN"] + "x"}, id="another secret"),
        pytest.param({**CONTEXT, "More": ""}, id="one pair more"),
        pytest.param({"secretarn": CONTEXT["SecretARN"], "SecretVersionId": "v"}, id="other case"),
        pytest.param(
            {"SecretARN": CONTEXT["SecretVersionId"], "SecretVersionId": CONTEXT["SecretARN"]},
            id="swapped values",
        ),
    ],
)
def test_no_envelope_opens_in_another_context(context: dict[str, str]) -> None:
    with pytest.raises(IntegrityError, match=DOES_NOT_OPEN):
        parse(sealed()).open(DATA_KEY, encode_context(context))


def test_the_wrapped_key_cannot_be_exchanged() -> None:
    made = sealed(wrapped_key=b"wrapped")
    exchanged = made.replace(b"wrapped", b"WRAPPED")
    with pytest.raises(IntegrityError, match=DOES_NOT_OPEN):
        parse(exchanged).open(DATA_KEY, BOUND)


@pytest.mark.parametrize(
    "header",
    [
        pytest.param(struct.pack(">4sBBH", b"SREW", 1, 1, 7), id="another magic"),
        pytest.param(struct.pack(">4sBBH", b"SREV", 0, 1, 7), id="version 0"),
        pytest.param(struct.pack(">4sBBH", b"SREV", 2, 1, 7), id="a later version"),
        pytest.param(struct.pack(">4sBBH", b"SREV", 1, 0, 7), id="kind 0"),
        pytest.param(struct.pack(">4sBBH", b"SREV", 1, 3, 7), id="unknown kind"),
        pytest.param(struct.pack(">4sBBH", b"SREV", 1, 1, 0), id="no wrapped key"),
        pytest.param(struct.pack(">4sBBH", b"SREV", 1, 1, 6145), id="wrapped key too long"),
        pytest.param(struct.pack(">4sBBH", b"SREV", 1, 1, 65535), id="wrapped key beyond the end"),
    ],
)
def test_parse_refuses_other_headers(header: bytes) -> None:
    with pytest.raises(IntegrityError, match=DOES_NOT_OPEN):
        parse(header + bytes(7000))


def test_parse_refuses_a_value_longer_than_secrets_manager_stores() -> None:
    longest = struct.pack(">4sBBH", b"SREV", 1, 2, 1) + bytes(1 + 12 + 65_536 + 16)
    assert len(parse(longest).sealed) == 65_552
    with pytest.raises(IntegrityError, match=DOES_NOT_OPEN):
        parse(longest + b"\x00")


@pytest.mark.parametrize(
    ("value", "wrapped_key"),
    [
        pytest.param(bytes(65_537), b"w", id="value"),
        pytest.param(b"", b"", id="no wrapped key"),
        pytest.param(b"", bytes(6145), id="wrapped key"),
    ],
)
def test_encode_refuses_lengths_out_of_bounds(value: bytes, wrapped_key: bytes) -> None:
    with pytest.raises(ValueError, match="longer than an envelope holds"):
        sealed(value, wrapped_key=wrapped_key)


@given(data=st.binary(max_size=200))
def test_parse_answers_any_bytes_with_parts_or_integrity_error(data: bytes) -> None:
    with pytest.raises(IntegrityError):
        parse(b"SREV\x01\x01" + data).open(DATA_KEY, BOUND)

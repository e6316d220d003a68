"""The stored form of records."""

from __future__ import annotations

import msgspec
import pytest

from strongroom.errors import IntegrityError
from strongroom.secret.records import SecretPolicy
from strongroom.store.bodies import checked, decode_body, encode_body, unchecked

POLICY = SecretPolicy(secret_arn="arn:a", policy_name="default", document="{}")
DECODER = msgspec.msgpack.Decoder(SecretPolicy)


def test_a_body_opens_to_what_was_stored() -> None:
    assert decode_body(DECODER, encode_body(POLICY, "id"), "id") == POLICY


def test_bodies_stay_readable() -> None:
    """A vector: bodies written by any earlier version must open."""
    body = bytes.fromhex(
        "093a043f83aa7365637265745f61726ea561726e3a61ab706f6c6963795f6e616d65a764656661756c74a8646f63756d656e74a27b7d"
    )
    assert decode_body(DECODER, body, "id") == POLICY


def test_any_flipped_bit_is_damage() -> None:
    body = encode_body(POLICY, "id")
    for at in range(len(body) * 8):
        damaged = bytearray(body)
        damaged[at // 8] ^= 1 << at % 8
        with pytest.raises(IntegrityError, match=r"^The stored record of 'id' is damaged\.$"):
            decode_body(DECODER, bytes(damaged), "id")


@pytest.mark.parametrize("body", [b"", b"abc", None, "text", 7, checked(b"", "other")])
def test_what_is_no_body_of_this_row_is_damage(body: object) -> None:
    with pytest.raises(IntegrityError, match=r"^The stored record of 'id' is damaged\.$"):
        unchecked(body, "id")


def test_a_body_of_another_row_is_damage() -> None:
    with pytest.raises(IntegrityError):
        decode_body(DECODER, encode_body(POLICY, "id"), "di")


def test_a_sound_body_of_another_type_is_damage() -> None:
    body = checked(msgspec.msgpack.encode({"secret_arn": 1}), "id")
    with pytest.raises(IntegrityError, match=r"^The stored record of 'id' does not decode\.$"):
        decode_body(DECODER, body, "id")

"""The stored form of one record: a checksum and MessagePack (docs/spec/data-dir.md, "Bodies")."""

from __future__ import annotations

from typing import Any, TypeVar
from zlib import crc32

import msgspec

from strongroom.errors import IntegrityError

R = TypeVar("R")

_CHECKSUM_SIZE = 4
_encode = msgspec.msgpack.Encoder().encode


def encode_body(record: msgspec.Struct, identity: str) -> bytes:
    """Return the body that only opens again under the same `identity` (what the row is found by)."""
    return checked(_encode(record), identity)


def decode_body(decoder: msgspec.msgpack.Decoder[R], body: Any, identity: str) -> R:
    """Return the record. Raises IntegrityError naming `identity` when a bit of the body or of it differs."""
    try:
        return decoder.decode(unchecked(body, identity))
    except (msgspec.DecodeError, msgspec.ValidationError) as exc:
        raise IntegrityError(f"The stored record of {identity!r} does not decode.") from exc


def checked(content: bytes, identity: str) -> bytes:
    """Return `content` behind its checksum."""
    # A checksum, not a MAC: it tells damage, while values are protected by the envelope's own tag.
    return crc32(content, crc32(identity.encode())).to_bytes(_CHECKSUM_SIZE, "big") + content


def unchecked(body: Any, identity: Any) -> bytes:
    """Return the content `checked` was given. Raises IntegrityError when it or `identity` differs."""
    # A damaged row may hold other types than its columns have.
    if type(body) is bytes and type(identity) is str:
        content = body[_CHECKSUM_SIZE:]
        if crc32(content, crc32(identity.encode())) == int.from_bytes(body[:_CHECKSUM_SIZE], "big"):
            return content
    raise IntegrityError(f"The stored record of {identity!r} is damaged.")

"""NextToken: where a listing stopped, as an opaque text the caller hands back.

A token holds a position, not an offset: the next page begins behind the last item already seen, wherever
that item stands now or stood, so what is created or deleted between two pages neither repeats nor hides
others. It is bound to the operation and to the parameters of the query.

The checksum is not a secret: it turns damaged and made-up tokens away with a clear answer. A token grants
nothing; each page is authorized by itself and shows only what its caller may list.

Source: fact sheet secretsmanager section 8.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import Any

import msgspec

from strongroom.errors import InvalidNextTokenException

INVALID_NEXT_TOKEN = "The NextToken value is invalid."
"""The model's description of InvalidNextTokenException; the service's own text is not on record."""

MAX_TOKEN_LENGTH = 4096

_LAYOUT = b"\x01"
_CHECKSUM_SIZE = 12
_BINDING_SIZE = 12

_encode = msgspec.json.Encoder(order="deterministic").encode
_decode = msgspec.json.Decoder(list[Any]).decode


def encode_token(kind: str, bound: object, position: tuple[int | str, ...]) -> str:
    """Return the token for the page behind `position`, of at most 4096 characters.

    `kind` names the listing (the operation). `bound` is what must be equal in the next call: account,
    region, filters, order; anything JSON can hold. The page size need not be in it.
    """
    payload = _LAYOUT + _binding(kind, bound) + _encode(position)
    token = base64.urlsafe_b64encode(_checksum(payload) + payload).rstrip(b"=").decode("ascii")
    if len(token) > MAX_TOKEN_LENGTH:
        raise ValueError("a position too long for a token")
    return token


def decode_token(kind: str, bound: object, text: str) -> tuple[Any, ...]:
    """Return the position `encode_token` was given for the same `kind` and `bound`.

    Raises:
        InvalidNextTokenException: the text is no token of ours, was altered, or belongs to another query.
    """
    raw = _unpack(text)
    checksum, payload = raw[:_CHECKSUM_SIZE], raw[_CHECKSUM_SIZE:]
    layout, rest = payload[:1], payload[1:]
    if checksum != _checksum(payload) or layout != _LAYOUT or rest[:_BINDING_SIZE] != _binding(kind, bound):
        raise InvalidNextTokenException(INVALID_NEXT_TOKEN)
    try:
        return tuple(_decode(rest[_BINDING_SIZE:]))
    except msgspec.MsgspecError as exc:
        raise InvalidNextTokenException(INVALID_NEXT_TOKEN) from exc


def _unpack(text: str) -> bytes:
    if len(text) > MAX_TOKEN_LENGTH:
        raise InvalidNextTokenException(INVALID_NEXT_TOKEN)
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as exc:
        raise InvalidNextTokenException(INVALID_NEXT_TOKEN) from exc
    # One text per token: the unused bits behind the last byte must be the ones we write.
    if base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii") != text:
        raise InvalidNextTokenException(INVALID_NEXT_TOKEN)
    return raw


def _binding(kind: str, bound: object) -> bytes:
    return hashlib.blake2b(
        _encode([kind, bound]), digest_size=_BINDING_SIZE, person=b"next-token-query"
    ).digest()


def _checksum(payload: bytes) -> bytes:
    return hashlib.blake2b(payload, digest_size=_CHECKSUM_SIZE, person=b"next-token").digest()

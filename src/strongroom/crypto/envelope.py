"""The stored form of a secret value: a data key wrapped by KMS, and the value sealed under that data key.

    offset  size  field
    0       4     magic "SREV"
    4       1     layout version, 1
    5       1     kind of value: 1 text (UTF-8), 2 binary
    6       2     W, length of the wrapped data key, big endian, 1 to 6144
    8       W     wrapped data key: the CiphertextBlob that KMS answered
    8+W     12    nonce
    20+W    V     ciphertext, as long as the value, 0 to 65536
    20+W+V  16    tag

Associated data: every byte before the nonce, then the canonical encryption context. There is one way to
write a given envelope and nothing may follow it. Normative text and vectors: docs/spec/envelope.md section 5.
"""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import Final

import msgspec

from strongroom.crypto.aead import DOES_NOT_OPEN, NONCE_BYTES, TAG_BYTES, open_once, seal_once
from strongroom.errors import IntegrityError

MAGIC: Final = b"SREV"
VERSION: Final = 1
MAX_WRAPPED_KEY_BYTES: Final = 6144
"""What KMS takes for a CiphertextBlob (model, CiphertextType)."""
MAX_VALUE_BYTES: Final = 65_536

_HEADER: Final = struct.Struct(">4sBBH")
_HEADER_BYTES: Final = _HEADER.size


class ValueKind(IntEnum):
    TEXT = 1
    BINARY = 2


_KINDS: Final = {int(kind): kind for kind in ValueKind}


class Envelope(msgspec.Struct, frozen=True):
    """The parts of an envelope that keeps to the layout; whether it opens is not known yet."""

    kind: ValueKind
    wrapped_key: bytes
    header: bytes
    """Every byte before the nonce."""
    nonce: bytes
    sealed: bytes
    """Ciphertext and tag."""

    def open(self, data_key: bytes, context: bytes) -> bytes:
        """Return the value's bytes. `context` comes from `encode_context`.

        Raises:
            IntegrityError: another data key, another context, or any byte of the envelope changed.
        """
        return open_once(data_key, self.sealed, self.header + context, nonce=self.nonce)


def encode(
    kind: ValueKind,
    value: bytes,
    *,
    data_key: bytes,
    wrapped_key: bytes,
    context: bytes,
    nonce: bytes,
) -> bytes:
    """Return the envelope of `value`, bound to `context` (from `encode_context`).

    `data_key` is fresh: it seals this one value and no other.

    Raises:
        ValueError: a length is out of the layout's bounds.
    """
    if not 1 <= len(wrapped_key) <= MAX_WRAPPED_KEY_BYTES or len(value) > MAX_VALUE_BYTES:
        raise ValueError("the value or its wrapped key is longer than an envelope holds")
    header = _HEADER.pack(MAGIC, VERSION, kind, len(wrapped_key)) + wrapped_key
    return header + nonce + seal_once(data_key, value, header + context, nonce=nonce)


def parse(envelope: bytes) -> Envelope:
    """Return the parts of an envelope; every length is checked before it is used.

    Raises:
        IntegrityError: not an envelope, of a later version, or its lengths do not fit.
    """
    if len(envelope) < _HEADER_BYTES:
        raise IntegrityError(DOES_NOT_OPEN)
    magic, version, kind_byte, wrapped_bytes = _HEADER.unpack_from(envelope)
    kind = _KINDS.get(kind_byte)
    nonce_at = _HEADER_BYTES + wrapped_bytes
    sealed_at = nonce_at + NONCE_BYTES
    if (
        magic != MAGIC
        or version != VERSION
        or kind is None
        or not 1 <= wrapped_bytes <= MAX_WRAPPED_KEY_BYTES
        or not TAG_BYTES <= len(envelope) - sealed_at <= MAX_VALUE_BYTES + TAG_BYTES
    ):
        raise IntegrityError(DOES_NOT_OPEN)
    return Envelope(
        kind,
        envelope[_HEADER_BYTES:nonce_at],
        envelope[:nonce_at],
        envelope[nonce_at:sealed_at],
        envelope[sealed_at:],
    )

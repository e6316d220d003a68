"""AES-256-GCM (NIST SP 800-38D) under keys that live long and keys that live for one message.

A key that lives long (root subkeys, KMS key material) never meets AES-GCM itself. GCM with random 96-bit
nonces must stop after 2^32 messages under one key (SP 800-38D section 8.3), a count nobody keeps across
processes and restores of a backup. So every message gets a key of its own, derived by the counter mode of
SP 800-108r1 with HMAC-SHA256 from 128 random bits, besides a random 96-bit nonce: two messages meet on both
only with probability 2^-224 per pair, and there is no limit to reach or to count.

Nothing here draws random bytes: they are arguments, so that vectors can be made again byte for byte.
Layouts and derivations: docs/spec/envelope.md sections 2 and 3.
"""

from __future__ import annotations

import hmac
from hashlib import sha256
from typing import Final, NoReturn, SupportsIndex

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from strongroom.errors import IntegrityError

KEY_BYTES: Final = 32
SALT_BYTES: Final = 16
NONCE_BYTES: Final = 12
TAG_BYTES: Final = 16
SEALING_BYTES: Final = SALT_BYTES + NONCE_BYTES
"""Random bytes that one `KeyHandle.seal` uses up."""
OVERHEAD_BYTES: Final = SEALING_BYTES + TAG_BYTES
"""By how much `KeyHandle.seal` makes a message longer."""

MESSAGE_LABEL: Final = b"strongroom/v1/message-key"
SUBKEY_LABEL: Final = b"strongroom/v1/subkey"
CHECK_LABEL: Final = b"strongroom/v1/check-value"

DOES_NOT_OPEN: Final = "what was sealed does not open"
"""The only thing an opening that fails ever says: not whether key, context, nonce or bytes were wrong."""

# SP 800-108r1 section 4.1: [i]_32 || Label || 0x00 || Context || [L]_32, one block (L = 256 bits).
_FIRST_BLOCK: Final = b"\x00\x00\x00\x01"
_LENGTH_256: Final = b"\x00\x00\x01\x00"
_MESSAGE_PREFIX: Final = _FIRST_BLOCK + MESSAGE_LABEL + b"\x00"


def derive_key(key: bytes, label: bytes, context: bytes) -> bytes:
    """Return 32 bytes derived by SP 800-108r1 counter mode with HMAC-SHA256, a single block.

    `label` holds no zero byte, so label and context cannot run into each other.
    """
    return hmac.digest(key, _FIRST_BLOCK + label + b"\x00" + context + _LENGTH_256, "sha256")


class KeyedHash:
    """HMAC-SHA256 (FIPS 198-1) under one key that is used often: the two pads are hashed once.

    Like a key handle it cannot be printed, copied or stored. Its results equal those of `hmac.digest`.
    """

    __slots__ = ("__inner", "__outer")

    def __init__(self, key: bytes) -> None:
        block = (key if len(key) <= _BLOCK_BYTES else sha256(key).digest()).ljust(_BLOCK_BYTES, b"\0")
        self.__inner = sha256(block.translate(_INNER_PAD))
        self.__outer = sha256(block.translate(_OUTER_PAD))

    def digest(self, message: bytes) -> bytes:
        """Return the 32 bytes of the keyed hash."""
        inner, outer = self.__inner.copy(), self.__outer.copy()
        inner.update(message)
        outer.update(inner.digest())
        return outer.digest()

    def __repr__(self) -> str:
        return "<KeyedHash>"

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        """Refuse pickle, copy and deepcopy, which all come through here."""
        raise TypeError("a keyed hash cannot be copied or stored")


_BLOCK_BYTES: Final = 64
_INNER_PAD: Final = bytes(byte ^ 0x36 for byte in range(256))
_OUTER_PAD: Final = bytes(byte ^ 0x5C for byte in range(256))


class KeyHandle:
    """A 256-bit key that can be used but not seen: it has no text form, no copy, no pickle, no comparison.

    Python cannot promise that bytes leave memory when a handle goes; see docs/spec/envelope.md section 7.
    """

    __slots__ = ("__hash", "__key")

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError(f"a key is {KEY_BYTES} bytes")
        self.__key = bytes(key)
        self.__hash = KeyedHash(self.__key)

    def seal(self, plaintext: bytes, aad: bytes, *, randomness: bytes) -> bytes:
        """Return salt, nonce, ciphertext and tag of `plaintext`, bound to `aad`.

        `randomness` is SEALING_BYTES fresh random bytes; it must never be used twice.
        """
        if len(randomness) != SEALING_BYTES:
            raise ValueError(f"sealing takes {SEALING_BYTES} random bytes")
        message_key = self.__hash.digest(_MESSAGE_PREFIX + randomness[:SALT_BYTES] + _LENGTH_256)
        return randomness + AESGCM(message_key).encrypt(randomness[SALT_BYTES:], plaintext, aad)

    def open(self, sealed: bytes, aad: bytes) -> bytes:
        """Return what was sealed.

        Raises:
            IntegrityError: another key, other `aad`, or any byte of `sealed` changed, added or cut off.
        """
        if len(sealed) < OVERHEAD_BYTES:
            raise IntegrityError(DOES_NOT_OPEN)
        message_key = self.__hash.digest(_MESSAGE_PREFIX + sealed[:SALT_BYTES] + _LENGTH_256)
        try:
            return AESGCM(message_key).decrypt(sealed[SALT_BYTES:SEALING_BYTES], sealed[SEALING_BYTES:], aad)
        except InvalidTag:
            raise IntegrityError(DOES_NOT_OPEN) from None

    def subkey(self, purpose: str) -> KeyHandle:
        """Return the handle of this key's subkey for `purpose`; purposes never share a key."""
        return KeyHandle(derive_key(self.__key, SUBKEY_LABEL, purpose.encode()))

    def check_value(self) -> bytes:
        """Return 32 bytes by which this key is known again and from which nothing about it follows."""
        return derive_key(self.__key, CHECK_LABEL, b"")

    def __repr__(self) -> str:
        return "<KeyHandle>"

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        """Refuse pickle, copy and deepcopy, which all come through here."""
        raise TypeError("a key handle cannot be copied or stored")

    def __getstate__(self) -> NoReturn:
        raise TypeError("a key handle cannot be copied or stored")


def seal_once(key: bytes, plaintext: bytes, aad: bytes, *, nonce: bytes) -> bytes:
    """Return ciphertext and tag under a key made for this one message.

    SECURITY: never call it twice with the same key: with one message per key no nonce can repeat.
    """
    if len(key) != KEY_BYTES or len(nonce) != NONCE_BYTES:
        raise ValueError(f"a data key is {KEY_BYTES} bytes and a nonce {NONCE_BYTES}")
    return AESGCM(key).encrypt(nonce, plaintext, aad)


def open_once(key: bytes, sealed: bytes, aad: bytes, *, nonce: bytes) -> bytes:
    """Return what `seal_once` sealed.

    Raises:
        IntegrityError: key, nonce, `aad` or any byte of `sealed` differ.
    """
    if len(key) != KEY_BYTES or len(nonce) != NONCE_BYTES or len(sealed) < TAG_BYTES:
        raise IntegrityError(DOES_NOT_OPEN)
    try:
        return AESGCM(key).decrypt(nonce, sealed, aad)
    except InvalidTag:
        raise IntegrityError(DOES_NOT_OPEN) from None

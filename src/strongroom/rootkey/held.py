"""The root key while the program runs: subkeys by purpose, and a value to know it again by.

Derivations and layout: docs/spec/envelope.md section 3.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import os
import struct
from collections.abc import Mapping
from typing import Final, NoReturn, SupportsIndex

from strongroom.crypto.aead import DOES_NOT_OPEN, KEY_BYTES, SEALING_BYTES, KeyHandle
from strongroom.crypto.context import encode_context
from strongroom.errors import IntegrityError
from strongroom.ports import Entropy
from strongroom.rootkey.errors import RootKeyError

FORMAT_LINE: Final = b"strongroom-root-key 1"
TEXT_BYTES: Final = len(FORMAT_LINE) + 1 + 44 + 1
"""Length of the text form: version line, 32 bytes in base64, each with its newline."""

_VERSION: Final = b"\x01"
_U32: Final = struct.Struct(">I")


class HeldRootKey:
    """`ports.RootKey` over 32 bytes in memory. No text form, no copy, no pickle."""

    __slots__ = ("__entropy", "__key", "__root", "__subkeys")

    def __init__(self, key: bytes, entropy: Entropy) -> None:
        self.__key = bytes(key)
        self.__root = KeyHandle(self.__key)
        self.__entropy = entropy
        self.__subkeys: dict[str, KeyHandle] = {}

    def wrap(self, purpose: str, plaintext: bytes, context: Mapping[str, str]) -> bytes:
        """Return a layout byte and `plaintext` sealed under the subkey for `purpose`, bound to `context`."""
        aad = _aad(purpose, context)
        randomness = self.__entropy.token_bytes(SEALING_BYTES)
        return _VERSION + self._subkey(purpose).seal(plaintext, aad, randomness=randomness)

    def unwrap(self, purpose: str, sealed: bytes, context: Mapping[str, str]) -> bytes:
        """Return what `wrap` was given.

        Raises:
            IntegrityError: root key, purpose, context or any byte differ.
        """
        if sealed[:1] != _VERSION:
            raise IntegrityError(DOES_NOT_OPEN)
        return self._subkey(purpose).open(sealed[1:], _aad(purpose, context))

    def check_value(self) -> bytes:
        """Return 32 bytes, not secret, to keep with the data and hand to `verify_check` at the next start."""
        return self.__root.check_value()

    def verify_check(self, expected: bytes) -> None:
        """Pass when `expected` is this key's check value.

        Raises:
            RootKeyError: another root key made it.
        """
        if not hmac.compare_digest(self.check_value(), expected):
            raise RootKeyError(
                "This is not the root key that the data directory was made with; nothing in it would open. "
                "Name the right one with --root-key."
            )

    def hand_over(self) -> int:
        """Return the read end of a pipe that holds this key, for one child process to open as `fd:N`.

        The descriptor is not inheritable until the caller says so, and belongs to the caller.
        """
        read_end, write_end = os.pipe()
        try:
            os.write(write_end, encode_text(self.__key))
        finally:
            os.close(write_end)
        return read_end

    def _subkey(self, purpose: str) -> KeyHandle:
        subkey = self.__subkeys.get(purpose)
        if subkey is None:
            subkey = self.__subkeys[purpose] = self.__root.subkey(purpose)
        return subkey

    def __repr__(self) -> str:
        return "<HeldRootKey>"

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        raise TypeError("the root key cannot be copied or stored")

    def __getstate__(self) -> NoReturn:
        raise TypeError("the root key cannot be copied or stored")


def encode_text(key: bytes) -> bytes:
    """Return the text form of a root key, as files and descriptors carry it."""
    return FORMAT_LINE + b"\n" + base64.b64encode(key) + b"\n"


def parse_text(text: bytes, origin: str) -> bytes:
    """Return the 32 bytes of a root key's text form; only what `encode_text` writes is taken.

    Raises:
        RootKeyError: anything else; `origin` names the place in its message.
    """
    first, _, rest = text.partition(b"\n")
    if first.startswith(b"strongroom-root-key ") and first != FORMAT_LINE:
        raise RootKeyError(f"The root key in {origin} has a newer format than this program knows.")
    if first == FORMAT_LINE:
        try:
            key = base64.b64decode(rest.removesuffix(b"\n"), validate=True)
        except binascii.Error:
            key = b""
        if len(key) == KEY_BYTES and hmac.compare_digest(encode_text(key), text):
            return key
    raise RootKeyError(
        f"There is no root key in {origin}: it should hold the line 'strongroom-root-key 1' and then 32 "
        "bytes in base64."
    )


def _aad(purpose: str, context: Mapping[str, str]) -> bytes:
    name = purpose.encode()
    return _VERSION + _U32.pack(len(name)) + name + encode_context(context)

"""The root key, or a passphrase, from an open file descriptor: read once, to its end, then closed."""

from __future__ import annotations

import os
import stat

from strongroom.ports import Entropy
from strongroom.rootkey.errors import RootKeyError
from strongroom.rootkey.held import TEXT_BYTES, HeldRootKey, parse_text

_LAST_STANDARD_STREAM = 2


def read_descriptor(number: int, *, limit: int, what: str) -> bytes:
    """Return everything `number` gives until its end, and close it.

    A standard stream is pointed to the null device instead of closed, so that no file opened later takes its
    number.

    Raises:
        RootKeyError: not an open descriptor, unreadable, or more than `limit` bytes.
    """
    chunks: list[bytes] = []
    size = 0
    try:
        if stat.S_ISDIR(os.fstat(number).st_mode):
            raise RootKeyError(f"File descriptor {number}, which should give the {what}, is a directory.")
        try:
            while size <= limit and (chunk := os.read(number, limit + 1 - size)):
                chunks.append(chunk)
                size += len(chunk)
        finally:
            _close(number)
    except OSError as exc:
        raise RootKeyError(
            f"File descriptor {number}, which should give the {what}, cannot be read: {exc.strerror}."
        ) from exc
    if size > limit:
        raise RootKeyError(f"File descriptor {number} gives more than a {what}.")
    return b"".join(chunks)


def open_descriptor(number: int, entropy: Entropy) -> HeldRootKey:
    """Return the root key whose text form descriptor `number` gives.

    Raises:
        RootKeyError: unreadable or malformed.
    """
    text = read_descriptor(number, limit=TEXT_BYTES, what="root key")
    return HeldRootKey(parse_text(text, f"file descriptor {number}"), entropy)


def _close(number: int) -> None:
    if number > _LAST_STANDARD_STREAM:
        os.close(number)
        return
    null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    os.dup2(null, number)
    os.close(null)

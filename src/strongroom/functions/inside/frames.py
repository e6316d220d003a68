"""Messages over a stream socket: four bytes of length, then a JSON object. Both ends use it."""

from __future__ import annotations

import json
import socket
import struct
from typing import Any, Final

__all__ = ["FRAME_BYTES", "FrameError", "FrameReader", "frame", "receive"]

FRAME_BYTES: Final = 16 * 1024 * 1024
"""The longest message. The longest honest one is an answer of 6 MB, escaped."""
_LENGTH: Final = struct.Struct(">I")


class FrameError(Exception):
    """What came is no message of this protocol."""


def frame(message: dict[str, Any]) -> bytes:
    """Return the bytes of a message."""
    body = json.dumps(message).encode()
    return _LENGTH.pack(len(body)) + body


class FrameReader:
    """Puts messages together from what a socket gives. Trusts none of it."""

    def __init__(self, limit: int = FRAME_BYTES) -> None:
        self._limit = limit
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[dict[str, Any]]:
        """Return the messages that are complete by now.

        Raises:
            FrameError: too long, no JSON, or no JSON object.
        """
        self._buffer += data
        complete = []
        while len(self._buffer) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._buffer)
            if length > self._limit:
                raise FrameError("a message is too long")
            end = _LENGTH.size + length
            if len(self._buffer) < end:
                break
            body = bytes(self._buffer[_LENGTH.size : end])
            del self._buffer[:end]
            complete.append(_parse(body))
        return complete


def receive(connection: socket.socket) -> dict[str, Any] | None:
    """Return the next message; None when the other end has closed. Blocks.

    Raises:
        FrameError: as `FrameReader.feed`, or the stream ends within a message.
    """
    head = _exactly(connection, _LENGTH.size)
    if not head:
        return None
    return _parse(_exactly(connection, _LENGTH.unpack(head)[0]))


def _exactly(connection: socket.socket, size: int) -> bytes:
    gathered = bytearray()
    while len(gathered) < size:
        part = connection.recv(min(size - len(gathered), 1 << 20))
        if not part:
            if gathered:
                raise FrameError("the stream ended within a message")
            return b""
        gathered += part
    return bytes(gathered)


def _parse(body: bytes) -> dict[str, Any]:
    try:
        message = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise FrameError("a message is no JSON") from error
    if not isinstance(message, dict):
        raise FrameError("a message is no JSON object")
    return message

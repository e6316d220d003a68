"""Reading a slot while its owner writes it."""

from __future__ import annotations

import os
from collections import deque
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

from strongroom.audit.checkpoint import Head
from strongroom.errors import IntegrityError
from strongroom.trail.layout import (
    COMPRESSED,
    format_opening,
    is_compressed,
    open_segment,
    parse_line,
    segment_files,
)
from strongroom.trail.undisturbed import undisturbed

__all__ = ["SlotReader", "leaf_hash", "whole_lines"]

SKIP_BYTES = 1024 * 1024


def leaf_hash(slot: str, line: bytes) -> bytes:
    """Return the hash of a record in the tree: over its slot's name, a newline, and its bare line."""
    return sha256(b"\x00" + slot.encode() + b"\n" + line).digest()


def whole_lines(file: BinaryIO, limit: int) -> list[bytes]:
    """Return the next whole lines of an open plain segment, without their newlines: about `limit` bytes, or
    one line.

    None while its owner writes records of which all count or none: those it could not write to their end it
    takes away again. The file stands behind what was returned.
    """
    with undisturbed(file) as free:
        if not free:
            return []
        start = file.tell()
        data = _whole(file, limit)
    file.seek(start + len(data))
    return data.split(b"\n")[:-1]


def _whole(file: BinaryIO, limit: int) -> bytes:
    data = file.read(limit)
    if b"\n" not in data:
        data += file.readline()
    return data[: data.rfind(b"\n") + 1]


class SlotReader:
    """Gives the records of a slot behind one of them, in order, as they come."""

    def __init__(self, slot: Path, after: Head | None = None, *, gone: Head | None = None) -> None:
        """Begin behind `after`, or with the first record; `gone` is the last one that was retired.

        Raises:
            IntegrityError: record `after` is not there, or is another one; a segment is damaged.
        """
        self._slot = slot
        self.head = Head(0, bytes(32))
        self._first, self._offset = 1, 0
        self._pending: deque[bytes] = deque()
        """Lines that were read and not yet given."""
        self._compressed: tuple[Path, BinaryIO] | None = None
        self._touched: set[Path] = set()
        start = after if gone is None or (after is not None and after.number > gone.number) else gone
        if start is not None:
            self._skip_to(start, gone)

    def read(self, limit: int, up_to: int | None = None) -> list[bytes]:
        """Return the leaf hashes of the next records, about `limit` bytes, none behind record `up_to`.

        Raises:
            IntegrityError: the next record is not the one that has to come, or a segment is damaged.
        """
        leaves: list[bytes] = []
        # Listed first: what another file follows is complete.
        files = segment_files(self._slot)
        while limit > 0 and self.head.number != up_to:
            path = next((path for first, path in files if first == self._first), None)
            if path is not None and not self._pending:
                self._pending.extend(self._fetch(path, limit))
            if path is not None and self._pending:
                while self._pending and self.head.number != up_to:
                    line = self._pending.popleft()
                    self._take(line)
                    leaves.append(leaf_hash(self._slot.name, line))
                    limit -= len(line)
                self._touched.add(path)
                continue
            following = next((first for first, _ in files if first > self._first), None)
            if following is None:
                break
            if following != self.head.number + 1:
                raise IntegrityError(f"records are missing in {self._slot.name} before number {following}")
            self._first, self._offset = following, 0
        return leaves

    def sync(self) -> None:
        """What was read is on disk. Raises OSError when that cannot be said."""
        for path in sorted(self._touched):
            # Compressed segments are on disk before they get their name.
            if is_compressed(path) or path.with_name(path.name + COMPRESSED).exists():
                continue
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                if path.name.startswith(f"{self._first:012}") and os.fstat(descriptor).st_size < self._offset:
                    raise IntegrityError(f"the audit segment {path.name} of {self._slot.name} became shorter")
                os.fdatasync(descriptor)
            finally:
                os.close(descriptor)
        self._touched.clear()

    def _skip_to(self, start: Head, gone: Head | None) -> None:
        firsts = [first for first, _ in segment_files(self._slot) if first <= start.number]
        if firsts:
            self._first = firsts[-1]
            self.head = Head(self._first - 1, b"")
            while self.head.number < start.number and self.read(SKIP_BYTES, start.number):
                pass
        elif start == gone:
            self._first, self.head = start.number + 1, start
        if self.head != start:
            raise IntegrityError(
                f"record {start.number} of {self._slot.name} is not the one that a checkpoint covers"
            )

    def _fetch(self, path: Path, limit: int) -> list[bytes]:
        """Return whole lines from where this reader is in the file on."""
        if not is_compressed(path):
            try:
                with path.open("rb") as file:
                    file.seek(self._offset)
                    return whole_lines(file, limit)
            except FileNotFoundError:
                pass  # it was compressed a moment ago
        if self._compressed is None or self._compressed[0] != path:
            self._compressed = path, open_segment(path)
            left = self._offset
            while left and (skipped := len(self._compressed[1].read(min(left, SKIP_BYTES)))):
                left -= skipped
        data = self._compressed[1].read(limit)
        if not data.endswith(b"\n"):
            data += self._compressed[1].readline()
        if not data:
            self._compressed = None
        return data.split(b"\n")[:-1]

    def _take(self, line: bytes) -> None:
        number = self.head.number + 1
        if self.head.line:
            expected = line.startswith(format_opening(number, self.head.line.hex()))
        else:
            found = parse_line(line)
            expected = found is not None and found.number == number
        if not expected:
            raise IntegrityError(f"record {number} of {self._slot.name} is not the one that has to come next")
        self.head = Head(number, sha256(line).digest())
        self._offset += len(line) + 1

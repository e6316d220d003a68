"""Reading a slot while its owner writes it."""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path

from strongroom.audit.checkpoint import Head
from strongroom.errors import IntegrityError
from strongroom.trail.layout import format_opening, parse_line, segment_files

__all__ = ["SlotReader", "leaf_hash"]


def leaf_hash(slot: str, line: bytes) -> bytes:
    """Return the hash of a record in the tree: over its slot's name, a newline, and its bare line."""
    return sha256(b"\x00" + slot.encode() + b"\n" + line).digest()


class SlotReader:
    """Gives the records of a slot behind one of them, in order, as they come."""

    def __init__(self, slot: Path, after: Head | None = None) -> None:
        """Begin behind `after`, or with the first record.

        Raises:
            IntegrityError: record `after` is not there, or is another one.
        """
        self._slot = slot
        self.head = Head(0, bytes(32))
        self._first, self._offset = 1, 0
        self._touched: set[Path] = set()
        if after is not None:
            self._skip_to(after)

    def read(self, limit: int, up_to: int | None = None) -> list[bytes]:
        """Return the leaf hashes of the next records, about `limit` bytes, none behind record `up_to`.

        Raises:
            IntegrityError: the next record is not the one that has to come.
        """
        leaves: list[bytes] = []
        # Listed first: what another file follows is complete.
        files = segment_files(self._slot)
        while limit > 0 and self.head.number != up_to:
            path = next((path for first, path in files if first == self._first), None)
            lines = [] if path is None else self._lines(path, limit)
            for line in lines:
                if self.head.number == up_to:
                    break
                self._take(line)
                leaves.append(leaf_hash(self._slot.name, line))
                limit -= len(line)
            if path is not None and lines:
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
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                if path.name.startswith(f"{self._first:012}") and os.fstat(descriptor).st_size < self._offset:
                    raise IntegrityError(f"the audit segment {path.name} of {self._slot.name} became shorter")
                os.fdatasync(descriptor)
            finally:
                os.close(descriptor)
        self._touched.clear()

    def _skip_to(self, after: Head) -> None:
        firsts = [first for first, _ in segment_files(self._slot) if first <= after.number]
        if firsts:
            self._first = firsts[-1]
            self.head = Head(self._first - 1, b"")
            while self.head.number < after.number and self.read(1 << 20, after.number):
                pass
        if self.head != after:
            raise IntegrityError(
                f"record {after.number} of {self._slot.name} is not the one that a checkpoint covers"
            )

    def _lines(self, path: Path, limit: int) -> list[bytes]:
        with path.open("rb") as file:
            file.seek(self._offset)
            data = file.read(limit)
            if b"\n" not in data:
                data += file.readline()
        return data[: data.rfind(b"\n") + 1].split(b"\n")[:-1]

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

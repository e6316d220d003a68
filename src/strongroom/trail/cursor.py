"""Reading one slot record by record, from any of them on, while its owner writes it.

What is read here is for consumers, not for proof: a line that is not the record that has to come is left out
and counted, where `trail/following` would stop. Positions are record numbers; offsets live in memory only, as
segments may be compressed at any time.
"""

from __future__ import annotations

import io
import os
import re
from collections import deque
from pathlib import Path
from typing import Final, NamedTuple, cast

from strongroom.errors import IntegrityError
from strongroom.trail.layout import open_segment, segment_files
from strongroom.trail.undisturbed import undisturbed

__all__ = ["FedRecord", "SlotCursor", "last_number"]

CHUNK_BYTES: Final = 1024 * 1024
TAIL_BYTES: Final = 64 * 1024
MARKS: Final = 64

_OPENING = re.compile(
    rb'\{"n":([1-9][0-9]{0,17}),"prev":"[0-9a-f]{64}",(?:"outbox":[1-9][0-9]{0,17},)?"event":(?=\{)'
)


class FedRecord(NamedTuple):
    """One record of the trail as consumers get it."""

    slot: str
    number: int
    event: bytes
    """CloudTrail's record: one line of JSON."""


class SlotCursor:
    """A place in a slot: behind record `number`. Close it when it is no longer needed."""

    def __init__(self, slot: Path, number: int = 0) -> None:
        """Begin behind record `number`; reading begins with the first call of `read`."""
        self._slot = slot
        self.number = number
        self.skipped = 0
        """How many records, by their numbers, were not there or could not be read."""
        self.damage: IntegrityError | None = None
        """Why a segment was left in its middle, when that happened in the last `read`."""
        self._goal = number
        """Records up to this one are passed over without being given."""
        self._first = 0
        """The first record of the segment that is being read, by its name; 0: none yet."""
        self._file: io.BufferedReader | None = None
        self._offset = 0
        self._rest = b""
        """Of a compressed segment: the beginning of the next line."""
        self._marks: deque[tuple[int, int, int]] = deque(maxlen=MARKS)
        """(number, first, offset) of places that were begun at before, so that one can go back to them."""

    @property
    def position(self) -> int:
        """The number of the record that reading goes on behind."""
        return max(self.number, self._goal)

    @property
    def is_ahead(self) -> bool:
        """True after a `read` that found the slot to end before the record it was to begin behind."""
        return self.number < self._goal

    def read(self, limit: int) -> list[FedRecord]:
        """Return the next records, about `limit` bytes of them, none when there is none now.

        They are on disk when this returns. What is left of a damaged compressed segment is passed over.

        Raises:
            OSError: a segment cannot be read, or not be said to be on disk; the cursor is of no use then.
        """
        mark = self.number, self._first, self._offset
        if mark not in self._marks:
            self._marks.append(mark)
        found: list[FedRecord] = []
        self.damage = None
        # Listed first: what another file follows is complete.
        files = segment_files(self._slot)
        while limit > 0:
            before = len(found)
            try:
                size = self._read_some(min(limit, CHUNK_BYTES), found)
            except IntegrityError as error:
                self.damage, size = error, 0
            if not size and not self._next_file(files):
                break
            # What is passed over on the way to the first one counts for nothing, so that it is reached.
            limit -= size if len(found) > before else 0
        self._sync(found)
        return found

    def back_to(self, number: int) -> bool:
        """Go back to a place where a `read` began, and return True; False when it is not remembered."""
        for at, first, offset in self._marks:
            if at == number and first and self._first == first and self._is_plain():
                self.number, self._goal, self._offset = at, at, offset
                return True
        return False

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _next_file(self, files: list[tuple[int, Path]]) -> bool:
        following = [(first, path) for first, path in files if first > self._first]
        if not self._first:
            # The newest segment that can have the next record.
            begun = [each for each in following if each[0] <= self._goal + 1]
            following = begun[-1:] or following
        if not following:
            return False
        first, path = following[0]
        if first > self.number + 1:
            self.skipped += first - 1 - max(self.number, self._goal)
        file = cast(io.BufferedReader, open_segment(path))
        self.close()
        self._file, self._first, self._offset, self._rest = file, first, 0, b""
        self.number = first - 1
        return True

    def _read_some(self, size: int, found: list[FedRecord]) -> int:
        """Take in some lines of the segment that is being read; return how many bytes they were."""
        if self._file is None:
            return 0
        plain = self._is_plain()
        data = self._read_plain(self._file, size) if plain else self._read_compressed(self._file, size)
        whole = data.rfind(b"\n") + 1
        if not whole:
            self._rest = b"" if plain else data
            return 0
        for line in data[: whole - 1].split(b"\n"):
            self._take(line, found)
        self._offset += whole
        self._rest = b"" if plain else data[whole:]
        return whole

    def _read_plain(self, file: io.BufferedReader, size: int) -> bytes:
        """Return at least one whole line, or what there is of it."""
        # SECURITY: always from the last whole line on, as the owner may have cut off what followed it; and
        # never a part of what it may cut off yet.
        data = b""
        with undisturbed(file) as free:
            while free and b"\n" not in data:
                more = os.pread(file.fileno(), size, self._offset + len(data))
                if not more:
                    break
                data += more
        return data

    def _read_compressed(self, file: io.BufferedReader, size: int) -> bytes:
        data = self._rest
        while b"\n" not in data:
            more = file.read1(size)
            if not more:
                break
            data += more
        return data

    def _take(self, line: bytes, found: list[FedRecord]) -> None:
        opening = _OPENING.match(line)
        number = int(opening[1]) if opening is not None and line.endswith(b"}}") else 0
        if opening is None or number <= self.number:
            # It is missed, and counted, when the next one comes.
            return
        if number > self._goal:
            self.skipped += number - 1 - max(self.number, self._goal)
            found.append(FedRecord(self._slot.name, number, line[opening.end() : -1]))
        self.number = number

    def _is_plain(self) -> bool:
        return self._file is not None and isinstance(self._file.raw, io.FileIO)

    def _sync(self, found: list[FedRecord]) -> None:
        # Segments before the newest were flushed when their owner left them.
        if found and self._file is not None and self._is_plain():
            os.fdatasync(self._file.fileno())


def last_number(slot: Path) -> int:
    """Return the number of the last record written into a slot; 0 when there is none.

    Raises:
        OSError: the slot cannot be read.
    """
    files = segment_files(slot)
    if not files:
        return 0
    first, path = files[-1]
    with open_segment(path) as file:
        if not file.seekable():
            return first - 1 + sum(1 for _ in file)
        end = file.seek(0, os.SEEK_END)
        size = TAIL_BYTES
        while end:
            start = max(0, end - size)
            file.seek(start)
            lines = file.read(end - start).split(b"\n")[:-1]
            for line in reversed(lines):
                opening = _OPENING.match(line)
                if opening is not None:
                    return int(opening[1])
            if not start:
                break
            size *= 8
    return first - 1

"""Where a slot stands when someone becomes its owner: its last record, on disk."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from strongroom.errors import IntegrityError
from strongroom.trail.layout import (
    FIRST_PREVIOUS,
    hash_line,
    is_compressed,
    open_segment,
    parse_line,
    segment_files,
)

__all__ = ["last_record", "write_again"]

TAIL_BYTES: Final = 1024 * 1024


def last_record(slot: Path) -> tuple[int, str, int | None]:
    """Return number, hash and outbox number of the slot's last record, after cutting off half a line.

    A line without its newline is one whose writer died in the middle: its answer never left.

    Raises:
        IntegrityError: the last whole line is not a record.
    """
    files = segment_files(slot)
    for first, path in reversed(files):
        last = _last_line(path)
        if last is None:
            if path != files[-1][1]:
                raise IntegrityError(
                    f"the audit segment {path.name} of {slot.name} is empty, but not the last"
                )
            continue
        line = parse_line(last)
        if line is None or line.number < first:
            raise IntegrityError(f"the audit segment {path.name} of {slot.name} does not end with a record")
        return line.number, hash_line(last), line.outbox
    return 0, FIRST_PREVIOUS, None


def write_again(slot: Path) -> None:
    """The newest segment of a slot that is not empty is on disk. Raises OSError when that cannot be said."""
    path = next((path for _, path in reversed(segment_files(slot)) if path.stat().st_size), None)
    if path is None or is_compressed(path):
        return
    with path.open("r+b", buffering=0) as file:
        start = 0
        while data := os.pread(file.fileno(), TAIL_BYTES, start):
            written = os.pwrite(file.fileno(), data, start)
            start += written
        os.fsync(file.fileno())


def _last_line(path: Path) -> bytes | None:
    """Return the last whole line of a file, cutting off what follows it; None when there is none."""
    if not is_compressed(path):
        try:
            return _last_line_of_plain(path)
        except FileNotFoundError:
            pass  # it was compressed a moment ago
    with open_segment(path) as compressed:
        last = None
        for line in compressed:
            last = line
        return None if last is None else last.removesuffix(b"\n")


def _last_line_of_plain(path: Path) -> bytes | None:
    with path.open("r+b") as file:
        size = end = file.seek(0, os.SEEK_END)
        tail = b""
        while end > 0:
            start = max(0, end - TAIL_BYTES)
            file.seek(start)
            tail = file.read(end - start) + tail
            end = start
            last = tail.rfind(b"\n")
            if last < 0:
                continue
            before = tail.rfind(b"\n", 0, last)
            if before < 0 and start > 0:
                continue
            whole = start + last + 1
            if whole < size:
                file.truncate(whole)
            # The last owner may have died before its flush; what counts from now on must be on disk.
            os.fsync(file.fileno())
            return tail[before + 1 : last]
        if size:
            file.truncate(0)
            os.fsync(file.fileno())
        return None

"""How a trail lies on disk: slots, segment files and lines. Normative: docs/spec/trail.md."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

import orjson

from strongroom.trail.compressed import open_compressed

__all__ = [
    "COMPRESSED",
    "EXPORTED",
    "FIRST_PREVIOUS",
    "LOCK",
    "SEGMENTS",
    "UNFINISHED",
    "Line",
    "format_line",
    "format_opening",
    "hash_line",
    "is_compressed",
    "is_segment_name",
    "open_segment",
    "parse_line",
    "segment_files",
    "segment_name",
    "slots",
]

SEGMENTS: Final = "segments"
LOCK: Final = "lock"
EXPORTED: Final = "keeper"
"""The slot that takes in the records of writes."""
FIRST_PREVIOUS: Final = "0" * 64
"""Stands for the hash of the line before the first."""

COMPRESSED: Final = ".zst"
"""What the name of a compressed segment has at its end."""
UNFINISHED: Final = ".new"
"""What the name of a compressed segment has behind that while it is written."""

_NAME = re.compile(r"([0-9]{12})\.jsonl(?:\.zst)?")
_LINE = re.compile(
    rb'\{"n":([1-9][0-9]{0,17}),"prev":"([0-9a-f]{64})",(?:"outbox":([1-9][0-9]{0,17}),)?"event":(\{.*\})\}'
)


@dataclass(frozen=True, slots=True)
class Line:
    """One record of a slot."""

    number: int
    previous: str
    """Hex SHA-256 of the line before, without its newline."""
    outbox: int | None
    """The number the record had in the store, for records of writes."""
    event: bytes


def segment_name(first: int) -> str:
    """Return the name of the file whose first record is number `first`."""
    return f"{first:012}.jsonl"


def segment_files(slot: Path) -> list[tuple[int, Path]]:
    """Return a slot's segments with the numbers their names promise, in order; other files are not looked at.

    Plain or compressed: `open_segment` reads either. One that is there in both forms, since the process that
    compressed it did not come to its end, is named once, as the plain file.
    """
    found: dict[int, Path] = {}
    for path in slot.iterdir():
        name = _NAME.fullmatch(path.name)
        if name is not None and (int(name[1]) not in found or not is_compressed(path)):
            found[int(name[1])] = path
    return sorted(found.items())


def is_segment_name(name: str) -> bool:
    """True of what a segment can be called, plain or compressed."""
    return _NAME.fullmatch(name) is not None


def is_compressed(path: Path) -> bool:
    return path.name.endswith(COMPRESSED)


def open_segment(path: Path) -> BinaryIO:
    """Return a segment's lines as a binary file, to be read from the beginning on; it is to be closed.

    A plain segment that was compressed since it was listed is read in that form.

    Raises:
        OSError: there is no such segment (any more), or it cannot be read.
        IntegrityError: on reading, where a compressed segment is not as it was written.
    """
    if is_compressed(path):
        return open_compressed(path)
    try:
        return path.open("rb")
    except FileNotFoundError:
        return open_compressed(path.with_name(path.name + COMPRESSED))


def format_line(number: int, previous: str, event: bytes, outbox: int | None = None) -> bytes:
    """Return a record's line without its newline. `event` is one line of JSON."""
    exported = b"" if outbox is None else b'"outbox":%d,' % outbox
    return b'{"n":%d,"prev":"%b",%b"event":%b}' % (number, previous.encode(), exported, event)


def format_opening(number: int, previous: str) -> bytes:
    """Return the bytes every line of that place begins with."""
    return b'{"n":%d,"prev":"%b",' % (number, previous.encode())


def hash_line(line: bytes) -> str:
    """Return the hex SHA-256 of a line without its newline."""
    return hashlib.sha256(line).hexdigest()


def parse_line(line: bytes) -> Line | None:
    """Return what a line says; None when it is not exactly what `format_line` writes."""
    found = _LINE.fullmatch(line)
    if found is None:
        return None
    number, previous, outbox, event = found.groups()
    try:
        orjson.loads(event)
    except orjson.JSONDecodeError:
        return None
    return Line(int(number), previous.decode(), None if outbox is None else int(outbox), event)


def slots(trail: Path) -> Iterator[Path]:
    """Yield the slots' directories by name."""
    segments = trail / SEGMENTS
    if segments.is_dir():
        yield from sorted(each for each in segments.iterdir() if each.is_dir())

"""The records since some time, for those who look back once."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from strongroom.trail.cursor import SlotCursor
from strongroom.trail.layout import segment_files, slots

__all__ = ["records_since"]

READ_BYTES: Final = 4 * 1024 * 1024


def records_since(
    trail: Path, since: dt.datetime, missed: Callable[[int], None] = lambda count: None
) -> Iterator[bytes]:
    """Yield the records written since `since`, slot after slot, and some before them; each is one line of
    JSON. Those that are missing or cannot be read are left out; `missed` is told how many of a slot.

    Raises:
        OSError: the trail cannot be read.
    """
    for slot in slots(trail):
        cursor = SlotCursor(slot, _behind(slot, since.timestamp()))
        try:
            while found := cursor.read(READ_BYTES):
                yield from (record.event for record in found)
        finally:
            cursor.close()
        if cursor.skipped:
            missed(cursor.skipped)


def _behind(slot: Path, since: float) -> int:
    """Return the number of a record before all that were written since then: a segment that was not written
    to since has none of them."""
    behind = 0
    for first, path in segment_files(slot):
        try:
            written = path.stat().st_mtime
        except FileNotFoundError:
            # It was compressed this moment.
            break
        behind = first - 1
        if written >= since:
            break
    return behind

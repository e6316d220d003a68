"""The whole trail, in order, for those who make something of it: the index, the ledger, sinks.

Each consumer keeps its own positions, together with what it made of the records before them. So it may be
stopped at any instant, begin anew, or come later than the others.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from strongroom.errors import IntegrityError
from strongroom.trail.cursor import FedRecord, SlotCursor, last_number
from strongroom.trail.layout import slots

__all__ = ["FedRecord", "Feed", "Follower", "Progress", "Restartable"]

MIN_SHARE: Final = 64 * 1024
FIRST_PAUSE_SECONDS: Final = 0.5
MAX_PAUSE_SECONDS: Final = 60.0


class Follower(Protocol):
    """A consumer of the trail."""

    @property
    def name(self) -> str:
        """What logs and metrics call it."""
        ...

    def positions(self) -> Mapping[str, int]:
        """Return the number of the last record taken of each slot; slots that are absent count as 0."""
        ...

    def take(self, records: Sequence[FedRecord]) -> None:
        """What these records give and the new positions are durable, together, when this returns or some
        seconds later: those that were not are offered again after a crash.

        The records of a slot come in order and follow its position, other slots' between them. Records at or
        before a position are left out by the follower: after a crash some may come again. Whatever this
        raises, nothing was taken; it is offered again later.
        """
        ...


class Restartable(Follower, Protocol):
    """A follower that can begin anew."""

    def reset(self) -> None:
        """Nothing was taken: all that there is is offered again, from the first record on."""
        ...


@dataclass(slots=True)
class Progress:
    """What one `advance` came to."""

    taken: int = 0
    """Records that were taken, by whichever follower took most."""
    lag: dict[str, int] = field(default_factory=dict)
    """By follower: records on disk that it has not taken."""
    skipped: dict[str, int] = field(default_factory=dict)
    """By slot: records that were found missing or unreadable since the feed was made."""
    errors: dict[str, Exception] = field(default_factory=dict)
    """By follower, or slot: what went wrong this time."""


@dataclass(slots=True)
class _Reading:
    """What was read for one `advance`."""

    share: int
    progress: Progress
    batches: dict[tuple[str, int], list[FedRecord] | None] = field(default_factory=dict)
    """By slot and number, the records behind that one; None where the slot ends before it."""
    used: set[SlotCursor] = field(default_factory=set)


class Feed:
    """Gives the trail to followers. One thread at a time; a process may have several, each with its own
    followers, so that a slow one holds up nobody."""

    def __init__(
        self,
        trail: Path,
        followers: Sequence[Follower],
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._trail = trail
        self._followers = tuple(followers)
        self._monotonic = monotonic
        self._cursors: dict[str, list[SlotCursor]] = {}
        self._skipped: dict[str, int] = {}
        self._pauses: dict[str, tuple[float, float]] = {}
        """By failing follower: when it is offered records again, and how long it paused."""

    def advance(self, limit: int = 8 * 1024 * 1024) -> Progress:
        """Offer each follower the records behind its positions, about `limit` bytes of them.

        Followers at the same place share one reading of the files. One that fails is left alone for a while,
        longer each time; the others go on. Raises nothing that a follower or a slot is the cause of.

        Raises:
            OSError: the trail's directory cannot be listed.
        """
        progress = Progress(skipped=self._skipped)
        present = {slot.name: slot for slot in slots(self._trail)}
        share = max(MIN_SHARE, limit // max(1, len(present)))
        reading = _Reading(share, progress)
        for follower in self._followers:
            if self._monotonic() < self._pauses.get(follower.name, (0.0, 0.0))[0]:
                continue
            try:
                taken = self._offer(follower, present, reading)
            except Exception as error:
                progress.errors[follower.name] = error
                self._pause(follower)
            else:
                progress.taken = max(progress.taken, taken)
                self._pauses.pop(follower.name, None)
        self._close_unused(reading.used)
        self._tell_lag(present, progress)
        return progress

    def close(self) -> None:
        """Close what is open; what was not taken is offered by the next feed."""
        self._close_unused(set())

    def _offer(self, follower: Follower, present: Mapping[str, Path], reading: _Reading) -> int:
        positions = follower.positions()
        records: list[FedRecord] = []
        for name, slot in present.items():
            key = name, positions.get(name, 0)
            if key not in reading.batches:
                reading.batches[key] = self._read(slot, key[1], reading)
            batch = reading.batches[key]
            if batch is None:
                reading.progress.errors[follower.name] = IntegrityError(
                    f"the trail's slot {name} ends before record {key[1]}, which {follower.name} has taken"
                )
            records += batch or ()
        if records:
            follower.take(records)
        return len(records)

    def _read(self, slot: Path, number: int, reading: _Reading) -> list[FedRecord] | None:
        """Return what follows a record; None when the slot ends before it."""
        cursor = self._cursor(slot, number)
        before = cursor.skipped
        try:
            records = cursor.read(reading.share)
        except OSError as error:
            reading.progress.errors[slot.name] = error
            return []
        reading.used.add(cursor)
        if cursor.damage is not None:
            reading.progress.errors[slot.name] = cursor.damage
        if cursor.skipped > before:
            self._skipped[slot.name] = self._skipped.get(slot.name, 0) + cursor.skipped - before
        return None if cursor.is_ahead else records

    def _cursor(self, slot: Path, number: int) -> SlotCursor:
        """Return a cursor behind a record: one that stands there, one that can go back, or a new one."""
        cursors = self._cursors.setdefault(slot.name, [])
        for cursor in cursors:
            if cursor.position == number or cursor.back_to(number):
                return cursor
        made = SlotCursor(slot, number)
        cursors.append(made)
        return made

    def _close_unused(self, used: set[SlotCursor]) -> None:
        for cursors in self._cursors.values():
            for cursor in [each for each in cursors if each not in used]:
                cursor.close()
                cursors.remove(cursor)

    def _tell_lag(self, present: Mapping[str, Path], progress: Progress) -> None:
        last: dict[str, int] = {}
        for name, slot in present.items():
            try:
                last[name] = last_number(slot)
            except (OSError, IntegrityError) as error:
                progress.errors.setdefault(name, error)
        for follower in self._followers:
            try:
                positions = follower.positions()
            except Exception as error:
                progress.errors.setdefault(follower.name, error)
                continue
            progress.lag[follower.name] = sum(
                max(0, number - positions.get(name, 0)) for name, number in last.items()
            )

    def _pause(self, follower: Follower) -> None:
        _, paused = self._pauses.get(follower.name, (0.0, 0.0))
        pause = min(MAX_PAUSE_SECONDS, paused * 2 or FIRST_PAUSE_SECONDS)
        self._pauses[follower.name] = self._monotonic() + pause, pause

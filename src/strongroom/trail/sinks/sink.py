"""One sink: an outlet, what it wants to have, and how far it has got."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import orjson

from strongroom.trail.cursor import last_number
from strongroom.trail.feed import FedRecord
from strongroom.trail.layout import slots
from strongroom.trail.sinks.outlet import Outlet

__all__ = ["Sink"]

BATCH: Final = 500
"""Records in one delivery at most."""


class Sink:
    """A `Follower` that sends the records on.

    INVARIANT: positions are written after a delivery, so a crash repeats records and leaves none out.
    """

    def __init__(
        self, name: str, outlet: Outlet, positions: Path, events: frozenset[str] = frozenset()
    ) -> None:
        """`positions` is the file that says how far it has got; `events` the names of events to send, empty
        for all."""
        self.name = name
        self._outlet = outlet
        self._path = positions
        self._events = events
        self._positions: dict[str, int] = orjson.loads(positions.read_bytes()) if positions.exists() else {}

    @property
    def is_new(self) -> bool:
        """True until anything is known of how far it has got."""
        return not self._path.exists()

    def begin_behind(self, trail: Path) -> None:
        """Leave out everything that is in the trail now. Raises OSError when it cannot be read."""
        self._save({slot.name: last_number(slot) for slot in slots(trail)})

    def positions(self) -> Mapping[str, int]:
        return self._positions

    def take(self, records: Sequence[FedRecord]) -> None:
        """Deliver these records (`Follower.take`). What was delivered before a failure counts as taken."""
        fresh = [each for each in records if each.number > self._positions.get(each.slot, 0)]
        for start in range(0, len(fresh), BATCH):
            batch = fresh[start : start + BATCH]
            wanted = [each for each in batch if self._wants(each)]
            if wanted:
                self._outlet.deliver(wanted)
            self._save({**self._positions, **{each.slot: each.number for each in batch}})

    def reset(self) -> None:
        """Everything is sent again (`Restartable.reset`): what is new in a trail that was put back cannot be
        told from what was sent before, and nothing may be left out."""
        self._save({})

    def close(self) -> None:
        self._outlet.close()

    def _wants(self, record: FedRecord) -> bool:
        return not self._events or orjson.loads(record.event)["eventName"] in self._events

    def _save(self, positions: dict[str, int]) -> None:
        self._path.parent.mkdir(mode=0o700, exist_ok=True)
        fresh = self._path.with_suffix(".new")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            os.write(descriptor, orjson.dumps(positions))
            os.fdatasync(descriptor)
        finally:
            os.close(descriptor)
        fresh.replace(self._path)
        self._positions = positions

"""What the keeper does for the trail beside exporting and signing: each with how often it is done."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from strongroom.ports import Clock, RootKey, Store
from strongroom.server.settings import TrailCare
from strongroom.store.room import Room
from strongroom.trail.retention import Retention

__all__ = ["Chore", "trail_chores"]

RETENTION_SECONDS: Final = 10.0
"""How often one looks for segments to compress or to retire."""


@dataclass(slots=True)
class Chore:
    """A duty of the keeper that may fail without the others."""

    name: str
    do: Callable[[], float]
    """Does a little, and returns in how many seconds it is to be called again."""
    due_at: float = float("-inf")

    def is_due(self) -> bool:
        return time.monotonic() >= self.due_at

    def attempt(self) -> None:
        """Raises what `do` raises; it is due again in ten seconds then."""
        self.due_at = time.monotonic() + RETENTION_SECONDS
        self.due_at = time.monotonic() + self.do()


def trail_chores(
    care: TrailCare, room: Room, store: Store, root_key: RootKey, clock: Clock
) -> Iterator[Chore]:
    """Yield what is to be done for a room's trail."""
    retention = Retention(room.trail, store, root_key, clock, keep_days=care.keep_days)
    yield Chore("retention", lambda: 0 if retention.advance() else RETENTION_SECONDS)

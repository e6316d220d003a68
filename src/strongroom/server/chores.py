"""What the keeper does for the trail beside exporting and signing: each with how often it is done."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from strongroom.ports import Clock, RootKey, Store
from strongroom.server.metering import Family
from strongroom.server.settings import TrailCare
from strongroom.server.space import SpaceWatch
from strongroom.store.room import Room
from strongroom.trail.copying import CheckpointCopier, destination_of
from strongroom.trail.feed import Feed
from strongroom.trail.retention import Retention

if TYPE_CHECKING:
    from strongroom.trail.delivery import LogDelivery

__all__ = ["Chore", "checkpoint_copiers", "trail_chores"]

COPY_SECONDS: Final = 5.0
DELIVERY_SECONDS: Final = 300.0
"""How old a record is at most, more or less, when it stands in a log file."""
DELIVERY_BYTES: Final = 4 * 1024 * 1024
"""About how much goes into log files at once: what other duties wait for."""
RETENTION_SECONDS: Final = 10.0
"""How often one looks for segments to compress or to retire."""


@dataclass(slots=True)
class Chore:
    """A duty of the keeper that may fail without the others."""

    name: str
    do: Callable[[], float]
    """Does a little, and returns in how many seconds it is to be called again."""
    finish: Callable[[], None] = lambda: None
    """Called once, at the end of the server."""
    families: Callable[[], list[Family]] = list
    """What metrics say of it."""
    due_at: float = float("-inf")

    def is_due(self) -> bool:
        return time.monotonic() >= self.due_at

    def attempt(self) -> None:
        """Raises what `do` raises; it is due again in ten seconds then."""
        self.due_at = time.monotonic() + RETENTION_SECONDS
        self.due_at = time.monotonic() + self.do()


def trail_chores(
    care: TrailCare, room: Room, store: Store, root_key: RootKey, clock: Clock, log: Any
) -> Iterator[Chore]:
    """Yield what is to be done for a room's trail."""
    watch = SpaceWatch(room.path, log)
    yield Chore("space", watch.look, families=watch.families)
    retention = Retention(room.trail, store, root_key, clock, keep_days=care.keep_days)
    yield Chore("retention", lambda: 0 if retention.advance() else RETENTION_SECONDS)
    if care.log_bucket is not None:
        # Imported by who needs it: keys of digests are made and used by a large library.
        from strongroom.trail.delivery import LogDelivery

        name = care.log_bucket_name or care.log_bucket.name
        delivery = LogDelivery(care.log_bucket, name, store, root_key, clock)
        feed = Feed(room.trail, [delivery])
        yield Chore("log files", partial(_deliver, feed, delivery), partial(_deliver_all, feed, delivery))


def checkpoint_copiers(care: TrailCare, room: Room) -> tuple[list[CheckpointCopier], list[Chore]]:
    """Return what sends checkpoints elsewhere, started, and the chores that tell of what they fail with."""
    copiers, chores = [], []
    for where in care.checkpoint_copies:
        copier = CheckpointCopier(destination_of(where, room.trail))
        copier.start()
        copiers.append(copier)
        name = "checkpoint copy" if len(care.checkpoint_copies) == 1 else f"checkpoint copy {len(copiers)}"
        chores.append(Chore(name, partial(_verify, copier), partial(copier.stop, COPY_SECONDS)))
    return copiers, chores


def _verify(copier: CheckpointCopier) -> float:
    copier.verify()
    return COPY_SECONDS


def _deliver(feed: Feed, delivery: LogDelivery) -> float:
    """Write a part of what is new; at its end, the digests that are due. Raises what the delivery raises."""
    progress = feed.advance(DELIVERY_BYTES)
    if not progress.taken:
        delivery.digest()
    for error in progress.errors.values():
        raise error
    return 0 if progress.taken else DELIVERY_SECONDS


def _deliver_all(feed: Feed, delivery: LogDelivery) -> None:
    deadline = time.monotonic() + COPY_SECONDS
    try:
        while time.monotonic() < deadline and _deliver(feed, delivery) == 0:
            pass
    finally:
        feed.close()

"""What keeps the index's files few and no older than they have to be. For the process that writes it."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Sequence
from contextlib import closing, suppress
from itertools import groupby
from pathlib import Path
from typing import Final, NamedTuple

from strongroom.ports import Clock
from strongroom.trail.index.packing import pack
from strongroom.trail.index.shards import Shard, connect, find_shards, remove

__all__ = ["PACKED_AT_ONCE", "Upkeep"]

PACKED_AT_ONCE: Final = 8
"""SQLite attaches ten databases at most."""
MAX_LEVEL: Final = 3
"""Live files are packed by eight, those by eight again, and those: some 67 million records then."""


class _Summary(NamedTuple):
    records: int
    newest: int | None


class Upkeep:
    """Drops what is old and packs what is small, on a thread of its own."""

    def __init__(self, directory: Path, clock: Clock, *, retention_seconds: int, live_records: int) -> None:
        self._directory = directory
        self._clock = clock
        self._retention = retention_seconds
        self._live_records = live_records
        self._summaries: dict[Path, _Summary] = {}
        """Of files that do not change any more."""
        self._thread: threading.Thread | None = None
        self._packers: list[sqlite3.Connection] = []
        self._stopping = threading.Event()
        self._failure: Exception | None = None

    def tend(self, *, wait: bool) -> None:
        """Remove files whose newest record is older than the retention; pack, when there are enough: on the
        thread, unless `wait`.

        Raises:
            OSError, sqlite3.Error: it cannot be done now; also what went wrong on the thread before.
        """
        if self._thread is not None:
            if self._thread.is_alive() and not wait:
                return
            self._thread.join()
            self._thread = None
            if self._failure is not None:
                failure, self._failure = self._failure, None
                raise failure
        # INVARIANT: nobody else changes what there is from here on.
        shards, covered = find_shards(self._directory)
        for shard in covered:
            remove(shard)
        kept = [shard for shard in shards[:-1] if not self._removed_as_past(shard)]
        self._summaries = {shard.path: self._summaries[shard.path] for shard in kept}
        batch = self._batch(kept)
        if not batch:
            return
        following = next(shard.first for shard in shards if shard.first > batch[-1].first)
        if wait:
            pack(self._directory, batch, following - 1)
            return
        self._stopping.clear()
        self._thread = threading.Thread(
            target=self._pack, args=(batch, following - 1), name="index-packing", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Nothing is done any more; packing that is under way is given up."""
        self._stopping.set()
        while self._thread is not None:
            with suppress(sqlite3.Error):
                for connection in self._packers:
                    connection.interrupt()
            self._thread.join(0.05)
            if not self._thread.is_alive():
                self._thread = None

    def _removed_as_past(self, shard: Shard) -> bool:
        if shard.path not in self._summaries:
            with closing(connect(shard)) as connection:
                found = connection.execute("SELECT records, newest FROM summary").fetchone()
            self._summaries[shard.path] = _Summary(*(found or (0, None)))
        newest = self._summaries[shard.path].newest
        if newest is not None and newest >= self._clock.now().timestamp() - self._retention:
            return False
        remove(shard)
        return True

    def _batch(self, shards: Sequence[Shard]) -> list[Shard]:
        """Return neighbours of one size that are to be packed; none when there are not enough."""
        for level, group in groupby(shards, self._level):
            alike = list(group)[:PACKED_AT_ONCE]
            if level < MAX_LEVEL and len(alike) == PACKED_AT_ONCE:
                return alike
        return []

    def _level(self, shard: Shard) -> int:
        """Return how often its records were packed, more or less: 0 for live files."""
        if not shard.packed:
            return 0
        level, records = 1, self._live_records * PACKED_AT_ONCE**2
        while level < MAX_LEVEL and self._summaries[shard.path].records >= records:
            level, records = level + 1, records * PACKED_AT_ONCE
        return level

    def _pack(self, shards: Sequence[Shard], last: int) -> None:
        try:
            pack(self._directory, shards, last, self._packers.append, self._stopping.is_set)
        except Exception as error:
            # Told by the next `tend`.
            self._failure = error
        finally:
            self._packers.clear()

"""The follower that makes the index."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from strongroom.ports import Clock
from strongroom.trail.cursor import FedRecord
from strongroom.trail.index.blocks import Block, cut_blocks
from strongroom.trail.index.packing import PACKING
from strongroom.trail.index.runs import add_run, merge_small_runs
from strongroom.trail.index.shards import connect, create, find_shards, is_damage, live_name, remove
from strongroom.trail.index.upkeep import Upkeep

__all__ = ["DEFAULT_RETENTION_DAYS", "Index"]

DEFAULT_RETENTION_DAYS: Final = 90
"""What LookupEvents answers about at AWS."""
LOCK: Final = "lock"
LIVE_RECORDS: Final = 128 * 1024
"""So many are packed with others at once."""
LIVE_SECONDS: Final = 7 * 86_400


class Index:
    """`feed.Follower`. One process and one thread of it at a time; others read meanwhile."""

    def __init__(
        self,
        directory: Path,
        clock: Clock,
        *,
        retention_days: int = DEFAULT_RETENTION_DAYS,
        live_records: int = LIVE_RECORDS,
    ) -> None:
        """Go on with the index in `directory`, from the first use on."""
        self._directory = directory
        self._clock = clock
        self._live_records = live_records
        self._lock: int | None = None
        self._connection: sqlite3.Connection | None = None
        self._positions: dict[str, int] = {}
        self._upkeep = Upkeep(
            directory, clock, retention_seconds=retention_days * 86_400, live_records=live_records
        )
        self._records = 0
        """How many records the live file has, and since when."""
        self._oldest: int | None = None
        self._next = 1
        """The number of the next block."""

    @property
    def name(self) -> str:
        return "index"

    def positions(self) -> Mapping[str, int]:
        """As `feed.Follower.positions`. An index that cannot be gone on with is made again.

        Raises:
            OSError, sqlite3.Error: the directory cannot be written now, or another process writes it.
        """
        if self._connection is None:
            self._open()
        return dict(self._positions)

    def take(self, records: Sequence[FedRecord]) -> None:
        """As `feed.Follower.take`.

        Raises:
            OSError, sqlite3.Error: it cannot be written now. A damaged index is made again from then on.
        """
        positions = dict(self.positions())
        events: list[bytes] = []
        for record in records:
            if record.number > positions.get(record.slot, 0):
                positions[record.slot] = record.number
                events.append(record.event)
        try:
            if self._records >= self._live_records or self._is_old():
                self._roll()
            self._write(list(cut_blocks(events, self._next)), positions)
        except sqlite3.Error as error:
            if is_damage(error):
                self.reset()
            raise
        self._positions = positions

    def tend(self, *, wait: bool = False) -> None:
        """Drop what is older than the retention, and pack files when there are enough of them: on a thread,
        unless `wait`.

        Raises:
            OSError, sqlite3.Error: it cannot be done now; also what went wrong on the thread before. A
                damaged index is made again from then on.
        """
        self.positions()
        try:
            self._upkeep.tend(wait=wait)
        except sqlite3.Error as error:
            if is_damage(error):
                self.reset()
            raise

    def reset(self) -> None:
        """There is nothing in the index, so that it is made again from the first record on.

        Raises:
            OSError, sqlite3.Error: it cannot be written.
        """
        self.close()
        self._open(anew=True)

    def close(self) -> None:
        """Everything taken is in the files; packing that is under way is given up."""
        self._upkeep.stop()
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _open(self, *, anew: bool = False) -> None:
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._own()
        try:
            if anew:
                self._clear()
            (self._directory / PACKING).unlink(missing_ok=True)
            try:
                self._go_on()
            except sqlite3.Error as error:
                if not is_damage(error):
                    raise
                self._clear()
                self._go_on()
        except BaseException:
            self.close()
            raise

    def _own(self) -> None:
        """No other process writes the index, until `close`. Raises BlockingIOError when one does."""
        # A server that was killed may leave such a process behind for a moment.
        lock = os.open(self._directory / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BaseException:
            os.close(lock)
            raise
        self._lock = lock

    def _clear(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        self._positions = {}
        for path in self._directory.iterdir():
            if path.name != LOCK:
                path.unlink()

    def _go_on(self) -> None:
        """Open the newest live file, made now when there is none, and know where it stands."""
        shards, covered = find_shards(self._directory)
        for shard in covered:
            remove(shard)
        lives = [shard for shard in shards if not shard.packed]
        if shards and not lives:
            # Nobody knows how far the packed ones reach.
            self._clear()
        path = lives[-1].path if lives else self._directory / live_name(1)
        first = lives[-1].first if lives else 1
        connection = self._connection = create(path, live=True)
        self._records, self._oldest = 0, None
        self._next = max(first, 1 + (connection.execute("SELECT max(id) FROM blocks").fetchone()[0] or 0))
        summary = connection.execute("SELECT records, oldest FROM summary").fetchone()
        if summary is not None:
            self._records, self._oldest = summary
        self._positions = _load_positions(connection)
        if not self._positions and len(lives) > 1:
            # The last owner had begun this one and not come to saying where it begins.
            before = connect(lives[-2])
            try:
                self._positions = _load_positions(before)
            finally:
                before.close()

    def _write(self, blocks: list[Block], positions: Mapping[str, int]) -> None:
        connection = self._connection
        assert connection is not None  # noqa: S101 - open until `close`
        connection.execute("BEGIN IMMEDIATE")
        try:
            connection.executemany(
                "INSERT INTO blocks VALUES (?, ?, ?, ?, ?)",
                [(b.number, b.oldest, b.newest, b.count, b.data) for b in blocks],
            )
            add_run(connection, [posting for block in blocks for posting in block.postings])
            merge_small_runs(connection)
            connection.executemany(
                "INSERT OR IGNORE INTO scopes VALUES (?, ?)", {each for b in blocks for each in b.scopes}
            )
            connection.executemany("INSERT OR REPLACE INTO positions VALUES (?, ?)", positions.items())
            records, oldest = self._records, self._oldest
            if blocks:
                records += sum(block.count for block in blocks)
                newest = max(block.newest for block in blocks)
                first = min(block.oldest for block in blocks)
                oldest = first if oldest is None else min(oldest, first)
                connection.execute(
                    "INSERT INTO summary VALUES (1, ?, ?, ?) ON CONFLICT DO UPDATE SET records = ?1,"
                    " oldest = ?2, newest = max(newest, ?3)",
                    (records, oldest, newest),
                )
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        self._next += len(blocks)
        self._records, self._oldest = records, oldest

    def _roll(self) -> None:
        """Begin a new live file, which goes on where the last one ends."""
        assert self._connection is not None  # noqa: S101 - open until `close`
        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection = create(self._directory / live_name(self._next), live=True)
        try:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany("INSERT OR REPLACE INTO positions VALUES (?, ?)", self._positions.items())
            connection.execute("COMMIT")
        except BaseException:
            connection.close()
            raise
        self._connection.close()
        self._connection, self._records, self._oldest = connection, 0, None

    def _is_old(self) -> bool:
        return self._oldest is not None and self._oldest < self._clock.now().timestamp() - LIVE_SECONDS


def _load_positions(connection: sqlite3.Connection) -> dict[str, int]:
    return dict(connection.execute("SELECT slot, number FROM positions"))

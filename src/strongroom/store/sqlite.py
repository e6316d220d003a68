"""The embedded store: one SQLite file, many reading threads and processes, one writer at a time.

Every process opens a store of its own, after any fork. Reading looks whether anything was committed (see
`beacon.Beacon`) and otherwise answers from memory; see `units.Reader`. Writing goes through one thread per
process, which commits what is waiting in groups; see `writer.WriterThread`.
"""

from __future__ import annotations

import datetime as dt
import os
import sqlite3
import threading
import weakref
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from strongroom.errors import ServiceUnavailableException
from strongroom.names import Arn, VersionId
from strongroom.ports import ReadUnit, WriteUnit
from strongroom.store.beacon import Beacon
from strongroom.store.connections import connect
from strongroom.store.errors import STOPPING, told
from strongroom.store.memory import Limits, Memory
from strongroom.store.room import DATABASE, RUN
from strongroom.store.units import Reader, Writer
from strongroom.store.writer import Turnstile, WriterThread

T = TypeVar("T")

_forks = 0
"""How often this process is a child of a fork; asking for the process id would be a system call each time."""


def _count_fork() -> None:
    global _forks
    _forks += 1


os.register_at_fork(after_in_child=_count_fork)


class SqliteStore:
    """`ports.Store` over the room.db of one data directory."""

    @classmethod
    def open(cls, path: Path, *, limits: Limits | None = None) -> SqliteStore:
        """Return the store of the data directory `path`, which `Room.open` or `Room.create` has prepared.

        `limits` bounds what each reading thread remembers.

        Raises:
            ServiceUnavailableException, IntegrityError: the database cannot be opened, or is damaged.
        """
        database = path / DATABASE
        turnstile = Turnstile(path / RUN)
        try:
            beacon = Beacon(path / RUN)
        except OSError:
            turnstile.close()
            raise
        try:
            connection = connect(database, writing=True)
        except sqlite3.Error as exc:
            turnstile.close()
            beacon.close()
            raise told(exc) from exc
        return cls(database, connection, turnstile, beacon, limits or Limits())

    def __init__(
        self,
        database: Path,
        connection: sqlite3.Connection,
        turnstile: Turnstile,
        beacon: Beacon,
        limits: Limits,
    ) -> None:
        self._database = database
        self._connection = connection
        self._turnstile = turnstile
        self._beacon = beacon
        self._limits = limits
        self._forks = _forks
        self._local = threading.local()
        self._gate = threading.Lock()
        self._closed = False
        self._readers: weakref.WeakSet[Reader] = weakref.WeakSet()
        self._writer = WriterThread(Writer(connection, Memory(limits), beacon), turnstile)

    def read(self, work: Callable[[ReadUnit], T]) -> T:
        """As `ports.Store.read`.

        Raises:
            ServiceUnavailableException: the database cannot be read now, or the store is closed.
            IntegrityError: what `work` asked for is damaged.
        """
        reader = self._reader()
        try:
            return reader.run(work)
        except sqlite3.Error as exc:
            raise told(exc) from exc

    def write(self, work: Callable[[WriteUnit], T]) -> Future[T]:
        """As `ports.Store.write`. The future also fails with ServiceUnavailableException when the disk
        refuses, too much waits, or the store is closed: nothing was changed then."""
        self._verify_process()
        return self._writer.submit(work)

    def touch(self, secret_arn: Arn, version_id: VersionId, day: dt.date) -> None:
        self._writer.touch(secret_arn, version_id, day)

    def pending_events(self, after: int, limit: int) -> Sequence[tuple[int, bytes]]:
        reader = self._reader()
        try:
            return reader.pending(after, limit)
        except sqlite3.Error as exc:
            raise told(exc) from exc

    def drop_events(self, up_to: int) -> None:
        """As `ports.Store.drop_events`; waits for the disk. Raises ServiceUnavailableException."""
        self._verify_process()
        self._writer.submit(lambda unit: unit.drop_events(up_to)).result()

    @property
    def backlog(self) -> int:
        """How many writes wait in this process, roughly."""
        return self._writer.backlog

    def close(self) -> None:
        """All that was submitted and touched is on disk; reads and writes are refused from now on."""
        with self._gate:
            if self._closed:
                return
            self._closed = True
        self._writer.close()
        for reader in list(self._readers):
            reader.close()
        # What follows only tidies up: what was acknowledged is on disk already.
        with suppress(sqlite3.Error):
            self._connection.execute("PRAGMA optimize")
            self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        self._connection.close()
        self._turnstile.close()

    def _reader(self) -> Reader:
        self._verify_process()
        try:
            reader: Reader = self._local.reader
        except AttributeError:
            reader = self._new_reader()
        return reader

    def _new_reader(self) -> Reader:
        with self._gate:
            if self._closed:
                raise ServiceUnavailableException(STOPPING)
            try:
                connection = connect(self._database, writing=False)
            except sqlite3.Error as exc:
                raise told(exc) from exc
            reader = Reader(connection, Memory(self._limits), self._beacon)
            # A thread that ends leaves its reader behind; its connection must not stay open.
            weakref.finalize(reader, connection.close).atexit = False
            self._readers.add(reader)
        self._local.reader = reader
        return reader

    def _verify_process(self) -> None:
        if self._forks != _forks:
            raise RuntimeError("A store must be opened by the process that uses it, after the fork.")

"""The consumer ledger: who has read which version of which secret, first, last, and how often.

It is made from the trail alone, and made anew from it when it is lost.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

import msgspec

from strongroom.audit.reading import Reading, reading_of
from strongroom.trail.feed import FedRecord, Feed

__all__ = ["HOLD_SECONDS", "LEDGER", "Ledger", "readings_up_to_now"]

LEDGER: Final = "index/ledger.db"
"""In the data directory; may be deleted."""
FORMAT: Final = 1
HOLD_SECONDS: Final = 5.0
"""So long a process that follows the trail may keep what it counted to itself: a secret that is read all the
time is written once then, not once for every batch."""
MAX_HELD: Final = 20_000

Place = tuple[str, str, str]
"""Secret, version, principal."""

_SCHEMA: Final = """
CREATE TABLE positions (slot TEXT PRIMARY KEY, number INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE readings (
    secret TEXT NOT NULL, version TEXT NOT NULL, principal TEXT NOT NULL,
    first_at TEXT NOT NULL, last_at TEXT NOT NULL, current_at TEXT NOT NULL, previous_at TEXT NOT NULL,
    times INTEGER NOT NULL,
    session TEXT NOT NULL, client TEXT NOT NULL, source TEXT NOT NULL,
    PRIMARY KEY (secret, version, principal)
) WITHOUT ROWID;
"""
# A batch may hold records of several slots, so a later one is not always the newer: times decide, and the
# greater text between two of one second, so that any order of taking comes to the same.
_ADD: Final = """
INSERT INTO readings VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET
    times = times + excluded.times,
    first_at = min(first_at, excluded.first_at),
    current_at = max(current_at, excluded.current_at),
    previous_at = max(previous_at, excluded.previous_at),
    last_at = max(last_at, excluded.last_at),
    session = iif({newer}, excluded.session, session),
    client = iif({newer}, excluded.client, client),
    source = iif({newer}, excluded.source, source)
""".format(
    newer="(excluded.last_at, excluded.session, excluded.client, excluded.source)"
    " > (last_at, session, client, source)"
)


class Ledger:
    """Keeps the ledger in a file of its own; a `Follower` of the trail. For one thread."""

    name: Final = "ledger"

    def __init__(
        self,
        connection: sqlite3.Connection,
        *,
        hold_seconds: float = 0.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connection = connection
        self._hold_seconds = hold_seconds
        self._monotonic = monotonic
        self._positions = dict(connection.execute("SELECT slot, number FROM positions"))
        self._held: dict[Place, Reading] = {}
        """What was counted and is not in the file yet."""
        self._written = self._positions
        """The positions that are in the file."""
        self._due_at = monotonic() + hold_seconds

    @classmethod
    def open(
        cls, path: Path, *, hold_seconds: float = 0.0, monotonic: Callable[[], float] = time.monotonic
    ) -> Ledger:
        """Open the file, made now when there is none; one of another format is made anew.

        What is counted is in the file so many seconds later, if `tend` is called.

        Raises:
            OSError, sqlite3.Error: it cannot be opened.
        """
        path.parent.mkdir(mode=0o700, exist_ok=True)
        # Opened by one thread, used by another.
        connection = sqlite3.connect(path, check_same_thread=False)
        path.chmod(0o600)
        connection.execute("PRAGMA journal_mode = WAL")
        # What a power cut takes is taken in again from the trail: the positions go with it.
        connection.execute("PRAGMA synchronous = NORMAL")
        _format(connection)
        return cls(connection, hold_seconds=hold_seconds, monotonic=monotonic)

    @classmethod
    def copy_in_memory(cls, path: Path) -> Ledger:
        """Return what the file has, or nothing where there is none, to be brought up to date. Writes nothing.

        Raises:
            sqlite3.Error: it cannot be read.
        """
        connection = sqlite3.connect(":memory:")
        if path.exists():
            kept = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
            with closing(kept):
                kept.backup(connection)
        _format(connection)
        return cls(connection)

    def positions(self) -> Mapping[str, int]:
        return self._positions

    def take(self, records: Sequence[FedRecord]) -> None:
        """Count the reads among these records (`Follower.take`).

        Raises:
            sqlite3.Error: the file cannot be written now.
        """
        positions, found = dict(self._positions), dict(self._held)
        for record in records:
            if record.number <= positions.get(record.slot, 0):
                continue
            positions[record.slot] = record.number
            reading = reading_of(record.event)
            if reading is not None:
                place = reading.secret_arn, reading.version_id, reading.principal
                earlier = found.get(place)
                found[place] = reading if earlier is None else earlier.with_another(reading)
        before = self._held, self._positions
        self._held, self._positions = found, positions
        try:
            self.tend()
        except BaseException:
            self._held, self._positions = before
            raise

    def tend(self) -> None:
        """What was counted is in the file, if it was held back long enough, or is much.

        Raises:
            sqlite3.Error: the file cannot be written now.
        """
        if self._monotonic() >= self._due_at or len(self._held) >= MAX_HELD:
            self._write()

    def reset(self) -> None:
        """There is nothing in the ledger, so that it is made again (`Restartable.reset`)."""
        with self._connection:
            self._connection.execute("DELETE FROM readings")
            self._connection.execute("DELETE FROM positions")
        self._held, self._positions, self._written = {}, {}, {}

    def readings(self, secret_arn: str | None = None) -> list[Reading]:
        """Return what is known of a secret, or of all, the last read first. Raises sqlite3.Error."""
        self._write()
        condition, values = ("", ()) if secret_arn is None else (" WHERE secret = ?", (secret_arn,))
        rows = self._connection.execute(
            f"SELECT * FROM readings{condition} ORDER BY last_at DESC, version, principal",  # noqa: S608
            values,
        )
        return [Reading(*row) for row in rows]

    def close(self) -> None:
        """What was counted is in the file, unless that raises sqlite3.Error."""
        try:
            self._write()
        finally:
            self._connection.close()

    def _write(self) -> None:
        """What was counted is in the file, and how far that is."""
        if self._positions != self._written:
            with self._connection:
                self._connection.executemany(_ADD, map(msgspec.structs.astuple, self._held.values()))
                self._connection.executemany(
                    "INSERT INTO positions VALUES (?, ?) ON CONFLICT DO UPDATE SET number = excluded.number",
                    [each for each in self._positions.items() if self._written.get(each[0]) != each[1]],
                )
            self._held, self._written = {}, self._positions
        self._due_at = self._monotonic() + self._hold_seconds


def readings_up_to_now(data_dir: Path, secret_arn: str | None = None) -> list[Reading]:
    """Return the ledger with all that the trail has by now, whether or not a keeper runs. Writes nothing.

    Raises:
        OSError, sqlite3.Error: trail or ledger cannot be read.
    """
    ledger = Ledger.copy_in_memory(data_dir / LEDGER)
    feed = Feed(data_dir / "trail", [ledger])
    try:
        while feed.advance().taken:
            pass
        return ledger.readings(secret_arn)
    finally:
        feed.close()
        ledger.close()


def _format(connection: sqlite3.Connection) -> None:
    [found] = connection.execute("PRAGMA user_version").fetchone()
    if found == FORMAT:
        return
    with connection:
        for table in ("positions", "readings"):
            connection.execute(f"DROP TABLE IF EXISTS {table}")
        for statement in _SCHEMA.split(";")[:-1]:
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {FORMAT:d}")

"""The files of the index: `live` ones that records are added to, and `packed` ones that never change.

<room>/index/events/live-<first block>.db           SQLite in WAL mode; the newest one is being written
<room>/index/events/packed-<first block>-<last>.db  what several others held, in order and without gaps

A packed file stands for every file whose blocks lie in it, so the instant of its renaming is the instant the
others cease to count.
"""

from __future__ import annotations

import re
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Final

__all__ = [
    "FORMAT",
    "INDEX",
    "Shard",
    "UnusableShardError",
    "connect",
    "create",
    "find_shards",
    "is_damage",
    "live_name",
    "packed_name",
    "remove",
    "uri",
]

INDEX: Final = "index/events"
FORMAT: Final = 2
"""Of another one nothing is read: the index is made again."""
BUSY_MS: Final = 5_000
WRITER_CACHE_KIB: Final = 8 * 1024
READER_CACHE_KIB: Final = 256
"""Of each file: there may be some dozens, and what is read again is in the system's memory."""

_NAME = re.compile(r"(?:live-([0-9]{12})|packed-([0-9]{12})-([0-9]{12}))\.db")
_TABLES: Final = """
CREATE TABLE blocks(id INTEGER PRIMARY KEY, oldest INTEGER NOT NULL, newest INTEGER NOT NULL,
    count INTEGER NOT NULL, data BLOB NOT NULL);
CREATE TABLE runs(id INTEGER PRIMARY KEY, postings INTEGER NOT NULL);
CREATE TABLE chunks(id INTEGER PRIMARY KEY, run INTEGER NOT NULL, first BLOB NOT NULL, data BLOB NOT NULL);
CREATE UNIQUE INDEX chunks_in_order ON chunks(run, first);
CREATE TABLE scopes(account TEXT NOT NULL, region TEXT NOT NULL, PRIMARY KEY(account, region)) WITHOUT ROWID;
CREATE TABLE positions(slot TEXT PRIMARY KEY, number INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE summary(one INTEGER PRIMARY KEY CHECK(one = 1), records INTEGER NOT NULL,
    oldest INTEGER NOT NULL, newest INTEGER NOT NULL);
"""


class UnusableShardError(sqlite3.DatabaseError):
    """A shard is of another format, or damaged where SQLite does not see it."""


@dataclass(frozen=True, slots=True)
class Shard:
    path: Path
    first: int
    """The number of its first block."""
    last: int | None
    """Of a packed one, the number of its last block."""

    @property
    def packed(self) -> bool:
        return self.last is not None

    def stands_for(self, other: Shard) -> bool:
        """True when all of the other is in this one."""
        if self.last is None or other == self:
            return False
        return self.first <= other.first and (other.last or other.first) <= self.last


def live_name(first: int) -> str:
    return f"live-{first:012}.db"


def packed_name(first: int, last: int) -> str:
    return f"packed-{first:012}-{last:012}.db"


def find_shards(directory: Path) -> tuple[list[Shard], list[Shard]]:
    """Return the shards that count, oldest first, and those that do not count any more.

    Raises:
        OSError: the directory cannot be listed.
    """
    found: list[Shard] = []
    for path in directory.iterdir() if directory.is_dir() else ():
        name = _NAME.fullmatch(path.name)
        if name is not None:
            live, first, last = name.groups()
            found.append(Shard(path, int(live or first), None if live else int(last)))
    packed = [shard for shard in found if shard.packed]
    covered = [shard for shard in found if any(each.stands_for(shard) for each in packed)]
    counting = [shard for shard in found if shard not in covered]
    return sorted(counting, key=lambda shard: shard.first), covered


def uri(shard: Shard) -> str:
    """Return what SQLite reads a shard by."""
    # A packed file never changes and may be unlinked while it is read: neither locks nor a log are needed.
    options = "mode=ro&immutable=1" if shard.packed else "mode=rw"
    return f"{shard.path.absolute().as_uri()}?{options}"


def connect(shard: Shard) -> sqlite3.Connection:
    """Return a connection that reads a shard, in autocommit mode. Threads may hand it on.

    Raises:
        sqlite3.Error: it cannot be opened.
    """
    connection = _open(uri(shard))
    try:
        connection.execute("PRAGMA query_only = ON")
        connection.execute(f"PRAGMA cache_size = -{READER_CACHE_KIB}")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def create(path: Path, *, live: bool) -> sqlite3.Connection:
    """Return a connection that writes a shard, made now when it is not there; autocommit mode.

    Raises:
        sqlite3.Error: it cannot be made or opened, or is of another format.
    """
    path.touch(0o600)
    connection = _open(f"{path.absolute().as_uri()}?mode=rw")
    try:
        connection.execute(f"PRAGMA cache_size = -{WRITER_CACHE_KIB}")
        connection.execute(f"PRAGMA journal_mode = {'WAL' if live else 'OFF'}")
        # What a power cut takes away is read from the segments again: positions go with it.
        connection.execute(f"PRAGMA synchronous = {'NORMAL' if live else 'OFF'}")
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if not version:
            connection.executescript(f"BEGIN;{_TABLES}PRAGMA user_version = {FORMAT};COMMIT;")
        elif version != FORMAT:
            raise UnusableShardError(f"the index has format {version}")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def is_damage(error: sqlite3.Error) -> bool:
    """True when a shard can never be used, False when it is another time's or place's trouble."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return isinstance(error, UnusableShardError) or code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def remove(shard: Shard) -> None:
    """The shard's files are gone. Who has it open can go on reading.

    Raises:
        OSError: they cannot be removed.
    """
    for suffix in ("", "-shm", "-wal"):
        shard.path.with_name(shard.path.name + suffix).unlink(missing_ok=True)


def _open(uri: str) -> sqlite3.Connection:
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
    try:
        connection.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
        # SECURITY: a damaged or planted schema must not run functions of its own.
        connection.execute("PRAGMA trusted_schema = OFF")
    except sqlite3.Error:
        connection.close()
        raise
    return connection

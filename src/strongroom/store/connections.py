"""Opening room.db. The settings here are what durability and the memory of unchanged records rest on."""

from __future__ import annotations

import sqlite3
from pathlib import Path

_BUSY_MS = 5_000
_READER_CACHE_KIB = 4 * 1024
_WRITER_CACHE_KIB = 8 * 1024
_JOURNAL_LIMIT = 64 * 1024 * 1024


def connect(database: Path, *, writing: bool) -> sqlite3.Connection:
    """Return a connection to an existing database, in autocommit mode.

    Closed by whoever opened it, in the same process: a connection must not cross a fork.

    Raises:
        sqlite3.Error: it cannot be opened.
    """
    # INVARIANT: nothing else of this program opens the file. Closing any other descriptor of it would drop
    # the POSIX locks that SQLite holds on it.
    connection = sqlite3.connect(
        f"{database.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None, check_same_thread=False
    )
    try:
        connection.execute(f"PRAGMA busy_timeout = {_BUSY_MS}")
        # SECURITY: a damaged or planted schema must not run functions of its own, nor lead reads astray.
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA cell_size_check = ON")
        if writing:
            connection.execute("PRAGMA journal_mode = WAL")
            # FULL: the log is synced at each commit, so what was acknowledged survives a power cut.
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute(f"PRAGMA journal_size_limit = {_JOURNAL_LIMIT}")
            connection.execute(f"PRAGMA cache_size = -{_WRITER_CACHE_KIB}")
        else:
            connection.execute("PRAGMA query_only = ON")
            connection.execute(f"PRAGMA cache_size = -{_READER_CACHE_KIB}")
    except sqlite3.Error:
        connection.close()
        raise
    return connection

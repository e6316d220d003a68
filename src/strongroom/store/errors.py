"""What can be wrong with a data directory and its database, in words for the person who runs the server."""

from __future__ import annotations

import sqlite3

from strongroom.errors import IntegrityError, ServiceUnavailableException


class RoomError(Exception):
    """A data directory cannot be made or opened; the message says why and what to do."""


def told(error: sqlite3.Error) -> Exception:
    """Return what `error` means to callers of the store; the error itself when it is a bug of this program.

    ServiceUnavailableException: the disk or its rights refuse, which may pass. IntegrityError: the file is
    damaged, or a uniqueness rule is broken. No message holds a path or a stored value.
    """
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:
        if isinstance(error, sqlite3.OperationalError) and "decode" in str(error):
            return IntegrityError("The database holds a text that is not UTF-8.")
        if isinstance(error, sqlite3.ProgrammingError) and "closed" in str(error):
            return ServiceUnavailableException(STOPPING)
        return error
    primary = code & 0xFF
    if primary in _PASSING:
        return ServiceUnavailableException(_PASSING[primary])
    if primary in _DAMAGE:
        return IntegrityError("The database file is damaged.")
    if primary == sqlite3.SQLITE_CONSTRAINT:
        return IntegrityError("The database refused a record that breaks one of its rules.")
    return error


STOPPING = "The server is stopping; nothing was changed."
BACKLOG = "Too many changes are waiting for the disk; nothing was changed. Try again."
UNLOCKABLE = "The data directory's locks do not work; nothing was changed."
_UNREADABLE = "The database could not be read or written (input/output error); nothing was changed."

_DAMAGE = (
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_FORMAT,
    sqlite3.SQLITE_SCHEMA,
    sqlite3.SQLITE_MISMATCH,
    # All statements are constant and tested: one that does not fit meets a schema that is not ours.
    sqlite3.SQLITE_ERROR,
)

_PASSING = {
    sqlite3.SQLITE_FULL: "The disk that holds the data directory is full; nothing was changed.",
    sqlite3.SQLITE_IOERR: _UNREADABLE,
    sqlite3.SQLITE_READONLY: "The data directory is read-only; nothing was changed.",
    sqlite3.SQLITE_CANTOPEN: "The database could not be opened; nothing was changed.",
    sqlite3.SQLITE_PERM: "The server may not open the database; nothing was changed.",
    sqlite3.SQLITE_BUSY: "The database is locked by another program; nothing was changed.",
    sqlite3.SQLITE_LOCKED: "The database is locked; nothing was changed.",
    sqlite3.SQLITE_NOMEM: "The server is out of memory; nothing was changed.",
    sqlite3.SQLITE_NOLFS: _UNREADABLE,
    sqlite3.SQLITE_PROTOCOL: "The database is locked by other processes; nothing was changed.",
}

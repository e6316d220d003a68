"""The data directory: its layout, its format, who owns it (docs/spec/data-dir.md)."""

from __future__ import annotations

import errno
import fcntl
import os
import sqlite3
import stat
from contextlib import closing, suppress
from pathlib import Path
from types import TracebackType

from strongroom.errors import IntegrityError
from strongroom.store.connections import connect
from strongroom.store.errors import RoomError, told

FORMAT = "FORMAT"
DATABASE = "room.db"
TRAIL = "trail"
RUN = "run"
LOCK = "lock"

FORMAT_NAME = "strongroom-data"
FORMAT_VERSION = 1
REVISION = "0001"
"""The newest migration; `schema.sql` makes what all migrations together make."""

_NEW_DATABASE = "new.db"
_SCHEMA = Path(__file__).with_name("schema.sql")


class Room:
    """An opened data directory. With `own=True` no other process can own it until the last descriptor of
    its lock is closed: forked children inherit it, and it is released when the last of them is gone."""

    def __init__(self, path: Path, lock: int | None) -> None:
        self.path = path
        self._lock = lock

    @classmethod
    def create(cls, path: Path) -> Room:
        """Make `path` a data directory with an empty database, and return it owned.

        `path` may be absent, or an empty directory, which is closed to other users then. What a creation
        that was cut short left behind is finished.

        Raises:
            RoomError: it is a room already, holds other things, or cannot be made.
        """
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            _verify_creatable(path)
            path.chmod(0o700)
            _verify_private(path)
            (path / RUN).mkdir(mode=0o700, exist_ok=True)
            (path / TRAIL).mkdir(mode=0o700, exist_ok=True)
            lock = _own(path)
        except OSError as exc:
            raise RoomError(f"The data directory {path} cannot be made: {exc.strerror}.") from exc
        try:
            if (path / FORMAT).exists():
                raise RoomError(f"{path} is a data directory already.")
            _create_database(path)
            # Last: what has a FORMAT is complete.
            _write_format(path)
        except OSError as exc:
            os.close(lock)
            raise RoomError(f"The data directory {path} cannot be made: {exc.strerror}.") from exc
        except sqlite3.Error as exc:
            os.close(lock)
            raise RoomError(f"The database in {path} cannot be made: {exc}.") from exc
        except RoomError:
            os.close(lock)
            raise
        return cls(path, lock)

    @classmethod
    def open(cls, path: Path, *, own: bool) -> Room:
        """Return the data directory `path`. The owner brings an older database up to date; others do not.

        Raises:
            RoomError: it is no data directory, was written by a newer version, is open to other users, is
                owned by another process (`own`), or has to be brought up to date first (not `own`).
            IntegrityError: its database is damaged.
        """
        try:
            verify_format(path)
            _verify_private(path)
            if not (path / DATABASE).exists():
                raise RoomError(f"{path} has no {DATABASE}; restore the directory from a backup.")
            _verify_private(path / DATABASE)
            lock = _own(path) if own else None
        except OSError as exc:
            raise RoomError(f"The data directory {path} cannot be opened: {exc.strerror}.") from exc
        room = cls(path, lock)
        try:
            room._verify_revision(upgrade=own)
        except sqlite3.Error as exc:
            room.close()
            if isinstance(told(exc), IntegrityError):
                raise IntegrityError(f"the database in {path} cannot be opened ({exc})") from exc
            raise RoomError(f"The database in {path} cannot be opened: {exc}.") from exc
        except RoomError:
            room.close()
            raise
        return room

    @property
    def database(self) -> Path:
        return self.path / DATABASE

    @property
    def trail(self) -> Path:
        return self.path / TRAIL

    @property
    def run(self) -> Path:
        return self.path / RUN

    @property
    def lock_descriptor(self) -> int | None:
        """What a process started by exec (not fork) must inherit to keep the ownership alive."""
        return self._lock

    def close(self) -> None:
        """This process gives up its share of the ownership; forked children keep theirs."""
        # Closed, not unlocked: unlocking would take the lock from the children too.
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def __enter__(self) -> Room:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _verify_revision(self, *, upgrade: bool) -> None:
        found = _revision(self.database)
        if found == REVISION:
            return
        if found > REVISION:
            raise RoomError(
                f"The database in {self.path} was written by a newer version of strongroom: it has revision "
                f"{found}, this version knows {REVISION}. Use the newer version."
            )
        if not upgrade:
            raise RoomError(
                f"The database in {self.path} has revision {found}, this version needs {REVISION}. "
                "Start the server once to bring it up to date."
            )
        # Alembic takes half a second to import: only who needs it pays.
        from strongroom.store.migrations import upgrade as migrate

        migrate(self.database)


def is_room(path: Path) -> bool:
    """True when `path` is a complete data directory, of whatever version."""
    return (path / FORMAT).is_file()


def _verify_creatable(path: Path) -> None:
    if is_room(path):
        raise RoomError(f"{path} is a data directory already.")
    # lost+found: the top of a file system of its own.
    foreign = sorted({entry.name for entry in path.iterdir()} - {DATABASE, TRAIL, RUN, "lost+found"})
    foreign = [name for name in foreign if not name.startswith((f"{DATABASE}-", f".{FORMAT}"))]
    if foreign:
        raise RoomError(f"{path} is not empty and not a data directory (it holds {foreign[0]}).")


def verify_format(path: Path) -> None:
    """Raise RoomError unless `path` is a data directory of a format this version knows."""
    try:
        content = (path / FORMAT).read_text(encoding="ascii", errors="replace")
    except FileNotFoundError:
        if not path.exists():
            raise RoomError(f"The data directory {path} does not exist.") from None
        raise RoomError(f"{path} is not a data directory: it has no {FORMAT} file.") from None
    name, _, version = content.strip().partition(" ")
    if name != FORMAT_NAME or not version.isdecimal():
        raise RoomError(f"{path / FORMAT} is damaged: it should say {FORMAT_NAME!r} and a number.")
    if int(version) > FORMAT_VERSION:
        raise RoomError(
            f"The data directory {path} was written by a newer version of strongroom: it has format "
            f"{version}, this version knows {FORMAT_VERSION}. Use the newer version."
        )


def _verify_private(path: Path) -> None:
    status = path.stat()
    if status.st_uid not in (os.geteuid(), 0):
        raise RoomError(f"{path} belongs to another user.")
    if status.st_mode & 0o077:
        # SECURITY: not closed silently, as somebody may have opened it, and should hear that it was open.
        wanted = "700" if path.is_dir() else "600"
        raise RoomError(
            f"{path} is open to other users (mode {stat.S_IMODE(status.st_mode):04o}); "
            f"run: chmod {wanted} {path}"
        )


def _own(path: Path) -> int:
    """Return the descriptor that holds the ownership; the lock file says by which process."""
    (path / RUN).mkdir(mode=0o700, exist_ok=True)
    descriptor = os.open(path / RUN / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    except OSError as exc:
        owner = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
        os.close(descriptor)
        if exc.errno in (errno.EWOULDBLOCK, errno.EACCES):
            by = f"by process {owner}" if owner.isdecimal() else "by another process"
            raise RoomError(f"The data directory {path} is in use {by}.") from None
        raise
    return descriptor


def _create_database(path: Path) -> None:
    """Make room.db complete and empty, or find that it already is."""
    database = path / DATABASE
    if database.exists():
        _verify_unused(database)
        return
    unfinished = path / RUN / _NEW_DATABASE
    for suffix in ("", "-journal", "-wal", "-shm"):
        unfinished.with_name(_NEW_DATABASE + suffix).unlink(missing_ok=True)
    # SQLite gives its other files the rights of this one.
    os.close(os.open(unfinished, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
    with closing(connect(unfinished, writing=True)) as connection:
        connection.executescript(f"BEGIN IMMEDIATE; {_SCHEMA.read_text(encoding='utf-8')}")
        connection.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)")
        connection.execute("INSERT INTO alembic_version (version_num) VALUES (?)", (REVISION,))
        connection.execute("COMMIT")
    # The last connection folded the log into the file and removed it, so the file is all there is.
    unfinished.rename(database)
    _sync_directory(path)


def _verify_unused(database: Path) -> None:
    with closing(connect(database, writing=False)) as connection:
        for table in ("records", "secrets", "versions", "events"):
            if connection.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchone():  # noqa: S608  # constants
                raise RoomError(
                    f"{database.parent} holds a database that is in use, but no {FORMAT} file. Restore the "
                    f"file (it says {FORMAT_NAME!r} and the format's number), or use another directory."
                )


def _revision(database: Path) -> str:
    with closing(connect(database, writing=False)) as connection:
        try:
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        except sqlite3.OperationalError as exc:
            if "no such table" not in str(exc):
                raise
            row = None
    if row is None:
        raise RoomError(f"{database} is not a database of strongroom.")
    return str(row[0])


def _write_format(path: Path) -> None:
    unfinished = path / f".{FORMAT}.new"
    with suppress(FileNotFoundError):
        unfinished.unlink()
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(f"{FORMAT_NAME} {FORMAT_VERSION}\n")
        file.flush()
        os.fsync(file.fileno())
    unfinished.rename(path / FORMAT)
    _sync_directory(path)
    _sync_directory(path.parent)


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

"""Read and write units over one SQLite connection each.

The SQL is that of `schema.py`'s tables, written plainly and constant, so that sqlite3 keeps it prepared.
"""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Any, TypeVar, cast

import msgspec

from strongroom.errors import IntegrityError
from strongroom.names import Arn
from strongroom.ports import SECRET_POLICIES, Kind, ReadUnit
from strongroom.secret.ordering import NEVER_ACCESSED, microseconds
from strongroom.secret.records import Secret, SecretVersion
from strongroom.store.beacon import Beacon
from strongroom.store.bodies import checked, decode_body, encode_body, unchecked
from strongroom.store.memory import SECRET, VERSION, Change, Memory, record_key

R = TypeVar("R")
T = TypeVar("T")

_DATA_VERSION = "PRAGMA data_version"

_FIND = "SELECT body FROM records WHERE kind = ? AND scope = ? AND key = ?"
_FIND_ALTERNATE = "SELECT key, body FROM records WHERE kind = ? AND scope = ? AND alternate = ?"
_SCAN = (
    "SELECT key, body FROM records WHERE kind = ? AND scope = ? AND alternate > ? ORDER BY alternate LIMIT ?"
)
_SCAN_PREFIX = (
    "SELECT key, body FROM records WHERE kind = ? AND scope = ? AND alternate > ?"
    " AND alternate >= ? AND alternate < ? ORDER BY alternate LIMIT ?"
)
_SECRET = "SELECT arn, last_accessed_day, body FROM secrets WHERE arn = ?"
_SECRET_NAMED = (
    "SELECT arn, last_accessed_day, body FROM secrets WHERE account_id = ? AND region = ? AND name = ?"
)
_SECRETS_DUE = (
    "SELECT arn, last_accessed_day, body FROM secrets WHERE deletion_at <= ?"
    " ORDER BY deletion_at, arn LIMIT ?"
)
_SECRETS_AFTER = "SELECT arn, last_accessed_day, body FROM secrets WHERE arn > ? ORDER BY arn LIMIT ?"
_VERSION = "SELECT version_id, last_accessed_day, body FROM versions WHERE secret_arn = ? AND version_id = ?"
_VERSIONS = (
    "SELECT version_id, last_accessed_day, body FROM versions WHERE secret_arn = ?"
    " ORDER BY created_at, version_id"
)
_CROWDED = (
    "SELECT secret_arn FROM versions WHERE secret_arn > ? GROUP BY secret_arn HAVING count(*) > ?"
    " ORDER BY secret_arn LIMIT ?"
)
_CHANGES_END = "SELECT coalesce(max(seq), 0) FROM changes"
_CHANGES_SINCE = "SELECT kind, key FROM changes WHERE seq > ? ORDER BY seq LIMIT ?"
_PENDING_EVENTS = "SELECT seq, body FROM events WHERE seq > ? ORDER BY seq LIMIT ?"

_SAVE = (
    "INSERT INTO records (kind, scope, key, alternate, body) VALUES (?, ?, ?, ?, ?)"
    " ON CONFLICT (kind, scope, key) DO UPDATE SET alternate = excluded.alternate, body = excluded.body"
)
_DELETE = "DELETE FROM records WHERE kind = ? AND scope = ? AND key = ?"
_DELETE_SCOPE = "DELETE FROM records WHERE kind = ? AND scope = ? RETURNING key"
_SAVE_SECRET = (
    "INSERT INTO secrets (arn, account_id, region, name, created_at, last_changed_at, last_accessed_day,"
    " deletion_at, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (arn) DO UPDATE SET"
    " account_id = excluded.account_id, region = excluded.region, name = excluded.name,"
    " created_at = excluded.created_at, last_changed_at = excluded.last_changed_at,"
    " last_accessed_day = excluded.last_accessed_day, deletion_at = excluded.deletion_at,"
    " body = excluded.body"
)
_DELETE_SECRET = "DELETE FROM secrets WHERE arn = ?"
_SAVE_VERSION = (
    "INSERT INTO versions (secret_arn, version_id, created_at, last_accessed_day, body)"
    " VALUES (?, ?, ?, ?, ?) ON CONFLICT (secret_arn, version_id) DO UPDATE SET"
    " created_at = excluded.created_at, last_accessed_day = excluded.last_accessed_day, body = excluded.body"
)
_DELETE_VERSION = "DELETE FROM versions WHERE secret_arn = ? AND version_id = ?"
_DELETE_VERSIONS = "DELETE FROM versions WHERE secret_arn = ? RETURNING version_id"
_TOUCH_SECRET = "UPDATE secrets SET last_accessed_day = ? WHERE arn = ? AND last_accessed_day < ?"
_TOUCH_VERSION = (
    "UPDATE versions SET last_accessed_day = ?"
    " WHERE secret_arn = ? AND version_id = ? AND last_accessed_day < ?"
)
_NAME_CHANGE = "INSERT INTO changes (kind, key) VALUES (?, ?)"
_TRIM_CHANGES = "DELETE FROM changes WHERE seq <= (SELECT max(seq) FROM changes) - ?"
_RECORD = "INSERT INTO events (body) VALUES (?)"
_DROP_EVENTS = "DELETE FROM events WHERE seq <= ?"

_SORT_COLUMNS = {
    "created-date": "created_at",
    "last-accessed-date": "last_accessed_day",
    "last-changed-date": "last_changed_at",
    "name": "name",
}
_CHUNK = 200
_CATCH_UP_LIMIT = 10_000
_EVENT = "event"

_secret_decoder = msgspec.msgpack.Decoder(Secret)
_version_decoder = msgspec.msgpack.Decoder(SecretVersion)


@lru_cache(maxsize=64)
def _decoder(record_type: Hashable) -> msgspec.msgpack.Decoder[Any]:
    return msgspec.msgpack.Decoder(cast(type[Any], record_type))


@lru_cache(maxsize=16)
def secrets_page(sort_by: str, descending: bool, behind: bool) -> str:
    """Return the SQL of one page of a listing. Raises ValueError when `sort_by` is no SortBy value."""
    if sort_by not in _SORT_COLUMNS:
        raise ValueError(f"not a sort key: {sort_by}")
    column = _SORT_COLUMNS[sort_by]
    direction, beyond = ("DESC", "<") if descending else ("ASC", ">")
    position = f" AND ({column}, arn) {beyond} (?, ?)" if behind else ""
    return (
        f"SELECT arn, last_accessed_day, body, {column} FROM secrets"  # noqa: S608  # all parts are constants
        f" WHERE account_id = ? AND region = ?{position}"
        f" ORDER BY {column} {direction}, arn {direction} LIMIT ?"
    )


class _Moved(BaseException):
    """The database changed after the unit handed something out; not an Exception, so no work swallows it."""


class _Unit:
    """What reading has in common: memory first, then the database."""

    def __init__(self, connection: sqlite3.Connection, memory: Memory) -> None:
        self._connection = connection
        self._execute = connection.execute
        self._memory = memory
        self._data_version = 0
        self._last_change = 0
        self._number = 0
        """Of the unit under way: an iterator of an earlier one must not go on."""
        self._from_memory = False
        """Whether this unit handed out anything while no snapshot was open."""

    @property
    def mark(self) -> int | None:
        return None

    def _enter(self) -> None:
        """Make sure that what the database says next belongs to this unit's view."""

    def find(self, kind: Kind[R], scope: str, key: str) -> R | None:
        place = (kind.name, scope, key)
        found: R | None = self._memory.records.get(place)
        if found is not None:
            self._from_memory = True
            return found
        self._enter()
        row = self._execute(_FIND, place).fetchone()
        return None if row is None else self._remember(kind, scope, key, row[0])

    def find_alternate(self, kind: Kind[R], scope: str, alternate: str) -> R | None:
        place = (kind.name, scope, alternate)
        key = self._memory.alternates.get(place)
        if key is not None:
            found: R | None = self._memory.records.get((kind.name, scope, key))
            if found is not None and kind.alternate(found) == alternate:
                self._from_memory = True
                return found
        self._enter()
        row = self._execute(_FIND_ALTERNATE, place).fetchone()
        if row is None:
            return None
        record = self._known(kind, scope, row[0], row[1])
        _verify_found(kind.alternate(record) == alternate, alternate)
        if kind.remembered:
            self._memory.alternates.put(place, row[0])
        return record

    def scan(
        self, kind: Kind[R], scope: str, *, prefix: str = "", after: str = "", limit: int | None = None
    ) -> list[R]:
        whole = not prefix and not after and limit is None
        if whole:
            remembered = self._memory.scans.get((kind.name, scope))
            if remembered is not None:
                self._from_memory = True
                return list(remembered)
        self._enter()
        size = -1 if limit is None else limit
        # An alternate is never empty, so "greater than the empty text" is all of them.
        if prefix:
            place = (kind.name, scope, after, prefix, _behind_prefix(prefix), size)
            rows = self._execute(_SCAN_PREFIX, place).fetchall()
        else:
            rows = self._execute(_SCAN, (kind.name, scope, after, size)).fetchall()
        found = [self._known(kind, scope, key, body) for key, body in rows]
        if whole and kind.remembered:
            self._memory.put_scan(kind.name, scope, tuple(found))
        return found

    def secret(self, arn: str) -> Secret | None:
        found = self._memory.secrets.get(arn)
        if found is not None:
            self._from_memory = True
            return found
        self._enter()
        return self._one_secret(self._execute(_SECRET, (arn,)).fetchone())

    def secret_named(self, account_id: str, region: str, name: str) -> Secret | None:
        place = (account_id, region, name)
        arn = self._memory.names.get(place)
        if arn is not None:
            found = self._memory.secrets.get(arn)
            if found is not None and found.name == name:
                self._from_memory = True
                return found
        self._enter()
        secret = self._one_secret(self._execute(_SECRET_NAMED, place).fetchone())
        if secret is not None:
            _verify_found((secret.account_id, secret.region, secret.name) == place, secret.arn)
        return secret

    def secrets(
        self,
        account_id: str,
        region: str,
        *,
        sort_by: str = "created-date",
        descending: bool = False,
        after: tuple[Any, ...] | None = None,
    ) -> Iterator[Secret]:
        secrets_page(sort_by, descending, False)
        return self._walk(
            self._number, (account_id, region), sort_by, descending, () if after is None else tuple(after)
        )

    def _walk(
        self,
        number: int,
        place: tuple[str, str],
        sort_by: str,
        descending: bool,
        position: tuple[Any, ...],
    ) -> Iterator[Secret]:
        while True:
            if number != self._number:
                raise RuntimeError("A listing was used after its unit had ended.")
            self._enter()
            query = secrets_page(sort_by, descending, bool(position))
            rows = self._execute(query, (*place, *position, _CHUNK)).fetchall()
            for arn, day, body, _ in rows:
                secret = self._memory.secrets.get(arn)
                # Not remembered when new: a walk over a million must not drive out what is asked for often.
                yield _secret(arn, day, body) if secret is None else secret
            if len(rows) < _CHUNK:
                return
            position = (rows[-1][3], rows[-1][0])

    def version(self, secret_arn: str, version_id: str) -> SecretVersion | None:
        place = (secret_arn, version_id)
        found = self._memory.versions.get(place)
        if found is not None:
            self._from_memory = True
            return found
        self._enter()
        row = self._execute(_VERSION, place).fetchone()
        if row is None:
            return None
        version = _version(secret_arn, version_id, row[1], row[2])
        self._memory.versions.put(place, version)
        return version

    def versions(self, secret_arn: str) -> Sequence[SecretVersion]:
        self._enter()
        known = self._memory.versions
        return [
            known.get((secret_arn, version_id)) or _version(secret_arn, version_id, day, body)
            for version_id, day, body in self._execute(_VERSIONS, (secret_arn,)).fetchall()
        ]

    def secrets_due_for_deletion(self, now: dt.datetime, limit: int) -> Sequence[Secret]:
        self._enter()
        rows = self._execute(_SECRETS_DUE, (microseconds(now), limit)).fetchall()
        return [self._memory.secrets.get(arn) or _secret(arn, day, body) for arn, day, body in rows]

    def secrets_after(self, after: str, limit: int) -> Sequence[Secret]:
        self._enter()
        rows = self._execute(_SECRETS_AFTER, (after, limit)).fetchall()
        return [self._memory.secrets.get(arn) or _secret(arn, day, body) for arn, day, body in rows]

    def crowded_secrets(self, more_than: int, after: str, limit: int) -> Sequence[Arn]:
        self._enter()
        return [arn for (arn,) in self._execute(_CROWDED, (after, more_than, limit)).fetchall()]

    def pending_events(self, after: int, limit: int) -> Sequence[tuple[int, bytes]]:
        """Return recorded events behind `after`, ascending; not part of the port's units."""
        self._enter()
        return [
            (seq, unchecked(body, _EVENT)) for seq, body in self._execute(_PENDING_EVENTS, (after, limit))
        ]

    def _catch_up(self, data_version: int) -> None:
        """Make memory true as of the transaction under way, which sees `data_version`."""
        end = int(self._execute(_CHANGES_END).fetchone()[0])
        behind = end - self._last_change
        if 0 < behind <= _CATCH_UP_LIMIT:
            changes = self._execute(_CHANGES_SINCE, (self._last_change, behind + 1)).fetchall()
            # INVARIANT: numbers have no gaps, so fewer rows than numbers means that the feed was trimmed.
            if len(changes) == behind:
                self._memory.forget(changes)
            else:
                self._memory.clear()
        elif behind:
            self._memory.clear()
        self._last_change = end
        self._data_version = data_version

    def _read_data_version(self) -> int:
        version: int = self._execute(_DATA_VERSION).fetchone()[0]
        return version

    def _known(self, kind: Kind[R], scope: str, key: str, body: object) -> R:
        found: R | None = self._memory.records.get((kind.name, scope, key))
        return self._remember(kind, scope, key, body) if found is None else found

    def _remember(self, kind: Kind[R], scope: str, key: str, body: object) -> R:
        record: R = decode_body(
            _decoder(cast(Hashable, kind.record_type)), body, _record_identity(kind.name, scope, key)
        )
        if kind.remembered:
            self._memory.records.put((kind.name, scope, key), record)
        return record

    def _one_secret(self, row: tuple[str, int, bytes] | None) -> Secret | None:
        if row is None:
            return None
        secret = self._memory.secrets.get(row[0])
        if secret is None:
            secret = _secret(*row)
            self._memory.put_secret(secret)
        return secret


class Reader(_Unit):
    """One thread's read unit, connection and memory; used for one unit after the other."""

    def __init__(self, connection: sqlite3.Connection, memory: Memory, beacon: Beacon) -> None:
        super().__init__(connection, memory)
        self._busy = False
        self._snapshot = False
        self._settled = beacon.settled
        self._known_at: int | None = None
        """The beacon's number when memory was last true as of the database."""

    def run(self, work: Callable[[ReadUnit], T]) -> T:
        """Return what `work` returns, having seen one state of the database not older than this call."""
        if self._busy:
            raise RuntimeError("A read was started inside a read.")
        self._busy = True
        try:
            # Read before the database is asked: a commit in between moves it again.
            settled = self._settled()
            if settled is None or settled != self._known_at:
                if self._read_data_version() != self._data_version:
                    self._enter()
                self._known_at = settled
            self._from_memory = False
            try:
                return work(self)
            except _Moved:
                self._leave()
                self._enter()
                return work(self)
        finally:
            self._busy = False
            self._leave()

    @property
    def mark(self) -> int | None:
        # A unit that saw something newer meanwhile says an older mark: no later unit has that one.
        return self._known_at

    def close(self) -> None:
        """Reads fail with sqlite3.ProgrammingError from now on."""
        self._connection.close()

    def pending(self, after: int, limit: int) -> Sequence[tuple[int, bytes]]:
        return self.run(lambda _: self.pending_events(after, limit))

    def _enter(self) -> None:
        if self._snapshot:
            return
        self._execute("BEGIN")
        self._snapshot = True
        # Inside the transaction this statement takes the snapshot, and tells whether it is a newer one
        # than memory's.
        data_version = self._read_data_version()
        if data_version != self._data_version:
            self._catch_up(data_version)
            if self._from_memory:
                raise _Moved

    def _leave(self) -> None:
        self._number += 1
        self._from_memory = False
        if self._snapshot:
            self._snapshot = False
            # Nothing was written, so what the work saw is true whatever the end of the transaction says;
            # it fails on a damaged file, and on a reader that was closed meanwhile.
            for end in ("COMMIT", "ROLLBACK"):
                with suppress(sqlite3.Error):
                    if self._connection.in_transaction:
                        self._execute(end)


class Writer(_Unit):
    """The writer thread's unit. Between `begin` and `commit` it is in a transaction, alone on the node."""

    def __init__(self, connection: sqlite3.Connection, memory: Memory, beacon: Beacon) -> None:
        super().__init__(connection, memory)
        self._beacon = beacon
        self._named: dict[Change, None] = {}

    def begin(self) -> None:
        self._execute("BEGIN IMMEDIATE")
        data_version = self._read_data_version()
        if data_version != self._data_version:
            self._catch_up(data_version)

    @property
    def last_change(self) -> int:
        """The number of the last change this writer knows, its own included."""
        return self._last_change

    def commit(self) -> None:
        self._beacon.begin()
        try:
            self._execute("COMMIT")
        finally:
            # Also when it failed: whether it did anything is the database's to say.
            self._beacon.end()

    def abandon(self) -> None:
        """Undo the whole transaction, if there still is one, and forget everything."""
        self._number += 1
        self._memory.clear()
        if self._connection.in_transaction:
            self._execute("ROLLBACK")
        # Memory is empty, so nothing has to be caught up with; the next `begin` reads the feed's end.
        self._data_version = 0

    @property
    def in_transaction(self) -> bool:
        return self._connection.in_transaction

    def run(self, work: Callable[[Writer], T]) -> T:
        """Return what `work` returns; whatever it raises undoes what it wrote, and nothing else."""
        self._named = {}
        self._execute("SAVEPOINT work")
        try:
            result = work(self)
            if self._named:
                self._connection.executemany(_NAME_CHANGE, self._named)
        except BaseException:
            self._undo()
            raise
        self._execute("RELEASE work")
        self._number += 1
        if self._named:
            self._last_change += len(self._named)
        return result

    def _undo(self) -> None:
        self._number += 1
        # The database itself gives up the transaction on some errors; `abandon` is the answer to that.
        if self._connection.in_transaction:
            self._execute("ROLLBACK TO work")
            self._execute("RELEASE work")
        self._memory.forget(self._named)

    def _name(self, kind: str, key: str) -> None:
        change = (kind, key)
        self._named[change] = None
        self._memory.forget((change,))

    def save(self, kind: Kind[R], record: R) -> None:
        scope, key = kind.scope(record), kind.key(record)
        if not isinstance(record, msgspec.Struct):
            raise TypeError(f"a {kind.name} is not a record")
        body = encode_body(record, _record_identity(kind.name, scope, key))
        try:
            self._execute(_SAVE, (kind.name, scope, key, kind.alternate(record), body))
        except sqlite3.IntegrityError as exc:
            raise IntegrityError(f"Another {kind.name} of {scope!r} has that name already.") from exc
        self._name(kind.name, record_key(scope, key))

    def delete(self, kind: Kind[R], scope: str, key: str) -> None:
        self._execute(_DELETE, (kind.name, scope, key))
        self._name(kind.name, record_key(scope, key))

    def save_secret(self, secret: Secret) -> None:
        row = (
            secret.arn,
            secret.account_id,
            secret.region,
            secret.name,
            microseconds(secret.created_at),
            microseconds(secret.last_changed_at),
            _day_number(secret.last_accessed_on),
            None if secret.deletion_at is None else microseconds(secret.deletion_at),
            encode_body(secret, secret.arn),
        )
        try:
            self._execute(_SAVE_SECRET, row)
        except sqlite3.IntegrityError as exc:
            raise IntegrityError(f"Another secret has the name of {secret.arn} already.") from exc
        self._name(SECRET, secret.arn)

    def delete_secret(self, arn: str) -> None:
        self._execute(_DELETE_SECRET, (arn,))
        self._name(SECRET, arn)
        for (version_id,) in self._execute(_DELETE_VERSIONS, (arn,)).fetchall():
            self._name(VERSION, record_key(arn, version_id))
        for (key,) in self._execute(_DELETE_SCOPE, (SECRET_POLICIES.name, arn)).fetchall():
            self._name(SECRET_POLICIES.name, record_key(arn, key))

    def save_version(self, version: SecretVersion) -> None:
        identity = record_key(version.secret_arn, version.version_id)
        row = (
            version.secret_arn,
            version.version_id,
            microseconds(version.created_at),
            _day_number(version.last_accessed_on),
            encode_body(version, identity),
        )
        self._execute(_SAVE_VERSION, row)
        self._name(VERSION, identity)

    def delete_version(self, secret_arn: str, version_id: str) -> None:
        self._execute(_DELETE_VERSION, (secret_arn, version_id))
        self._name(VERSION, record_key(secret_arn, version_id))

    def record(self, event: bytes) -> None:
        self._execute(_RECORD, (checked(event, _EVENT),))

    def touch(self, secret_arn: str, version_id: str, day: dt.date) -> None:
        """Let the secret and the version say they were last read on `day`, unless they say a later one."""
        number = day.toordinal()
        if self._execute(_TOUCH_SECRET, (number, secret_arn, number)).rowcount:
            self._name(SECRET, secret_arn)
        if self._execute(_TOUCH_VERSION, (number, secret_arn, version_id, number)).rowcount:
            self._name(VERSION, record_key(secret_arn, version_id))

    def drop_events(self, up_to: int) -> None:
        self._execute(_DROP_EVENTS, (up_to,))

    def trim_changes(self, keep: int) -> None:
        """Leave the newest `keep` rows of the change feed."""
        self._execute(_TRIM_CHANGES, (keep,))


def _behind_prefix(prefix: str) -> str:
    """Return the least text that is greater than every text with this prefix, by code point."""
    kept = prefix.rstrip("\U0010ffff")
    if not kept:
        # Nothing but the last code point: no text stands behind, but no prefix of ours is so.
        return prefix + prefix
    last = ord(kept[-1]) + 1
    return kept[:-1] + chr(0xE000 if last == 0xD800 else last)


def _record_identity(kind: str, scope: str, key: str) -> str:
    return f"{kind}\n{scope}\n{key}"


def _verify_found(fits: bool, identity: str) -> None:
    if not fits:
        raise IntegrityError(f"The database's index leads from {identity!r} to another record.")


def _day_number(day: dt.date | None) -> int:
    return NEVER_ACCESSED if day is None else day.toordinal()


def _day(number: object, identity: str) -> dt.date | None:
    if number == NEVER_ACCESSED:
        return None
    try:
        return dt.date.fromordinal(number)  # type: ignore[arg-type]  # whatever a damaged row holds
    except (TypeError, ValueError, OverflowError) as exc:
        raise IntegrityError(f"The stored record of {identity!r} is damaged.") from exc


def _secret(arn: str, day: int, body: bytes) -> Secret:
    secret = decode_body(_secret_decoder, body, arn)
    if day != _day_number(secret.last_accessed_on):
        # `touch` writes the column alone.
        return msgspec.structs.replace(secret, last_accessed_on=_day(day, arn))
    return secret


def _version(secret_arn: str, version_id: str, day: int, body: bytes) -> SecretVersion:
    identity = record_key(secret_arn, version_id)
    version = decode_body(_version_decoder, body, identity)
    if day != _day_number(version.last_accessed_on):
        return msgspec.structs.replace(version, last_accessed_on=_day(day, identity))
    return version

"""Asking the index, from any process, while it is being written.

The order of answers: by time, newest first; of one second, by the newest record of the block that the key
finds, then by block, then by place in the block. Blocks never change, so a place in this order is one for
good: that is what a position says. It is also the order in which postings are walked, so no more blocks are
opened than have something to give.
"""

from __future__ import annotations

import datetime as dt
import heapq
import math
import sqlite3
import threading
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from strongroom.audit.lookup import EventAttribute, EventEntry, parse_entry
from strongroom.errors import ServiceUnavailableException
from strongroom.ports import Clock, EventPage
from strongroom.trail.index.blocks import MAX_SPAN, attribute_key, unpack
from strongroom.trail.index.runs import run_ids, walk_run
from strongroom.trail.index.shards import Shard, connect, find_shards
from strongroom.trail.index.writing import DEFAULT_RETENTION_DAYS

__all__ = ["Found", "IndexReader", "Span"]

UNREADABLE: Final = "The index of the audit trail cannot be read now."

Position = tuple[int, ...]
"""(time, newest of the block, block, place in the block)."""


class Found(NamedTuple):
    position: Position
    entry: EventEntry
    event: bytes


@dataclass(frozen=True, slots=True)
class Span:
    """From and to, in seconds since 1970, both included."""

    start: int = 0
    end: int = 1 << 40


@dataclass(frozen=True, slots=True)
class _Opened:
    shard: Shard
    connection: sqlite3.Connection
    times: Span | None
    """Of a packed one, when its records are from; None: that changes."""
    inode: int

    def is_gone(self) -> bool:
        """True when the file is another one by now: an index that was made again has the same names."""
        try:
            return self.shard.path.stat().st_ino != self.inode
        except FileNotFoundError:
            return True

    def may_have(self, span: Span) -> bool:
        return self.times is None or (self.times.start <= span.end and self.times.end >= span.start)


class IndexReader:
    """`ports.EventIndex`. Opens files when it is asked, and again in the process that asks."""

    def __init__(
        self, directory: Path, clock: Clock, *, retention_days: int = DEFAULT_RETENTION_DAYS
    ) -> None:
        self._directory = directory
        self._clock = clock
        self._retention = retention_days * 86_400
        self._guard = threading.Lock()
        self._open: dict[Path, _Opened] = {}

    def lookup(
        self,
        account_id: str,
        region: str,
        *,
        attribute: tuple[EventAttribute, str] | None = None,
        start: dt.datetime | None = None,
        end: dt.datetime | None = None,
        after: tuple[int, ...] | None = None,
        limit: int = 50,
    ) -> EventPage:
        """As `ports.EventIndex.lookup`."""
        span = Span(
            max(0 if start is None else math.ceil(start.timestamp()), self._oldest()),
            Span().end if end is None else math.floor(end.timestamp()),
        )
        page: list[Found] = []
        with self._guard, closing(self.walk([(account_id, region)], attribute, span, after)) as found:
            for each in found:
                if len(page) == limit:
                    return EventPage([one.event for one in page], page[-1].position)
                page.append(each)
        return EventPage([each.event for each in page], None)

    def walk(
        self,
        scopes: Sequence[tuple[str, str]],
        attribute: tuple[EventAttribute, str] | None,
        span: Span,
        after: Position | None = None,
    ) -> Generator[Found]:
        """Yield what one attribute finds in these accounts and regions, newest first. One at a time.

        Raises:
            ServiceUnavailableException: the index cannot be read.
        """
        if after is not None:
            span = Span(span.start, min(span.end, after[0]))
        kind, value = attribute or (None, "")
        # Some keys are the same for all scopes.
        keys = {attribute_key(account, region, kind, value) for account, region in scopes}
        wanted = set(scopes)

        def fits(entry: EventEntry) -> bool:
            # SECURITY: two values may have one key, and accounts must not see each other's records.
            return (entry.account, entry.region) in wanted and (attribute is None or entry.has(*attribute))

        with ExitStack() as held:
            try:
                sources = [
                    _Source(each.connection, run, key)
                    for each in self._refresh()
                    if each.may_have(span)
                    for run in held.enter_context(_Snapshot(each.connection))
                    for key in keys
                ]
                yield from _merged(sources, span, fits, after)
            except (OSError, sqlite3.Error, ValueError) as error:
                raise ServiceUnavailableException(UNREADABLE) from error

    def scopes(self) -> list[tuple[str, str]]:
        """Return the accounts and regions that have records. Raises ServiceUnavailableException."""
        try:
            found = {
                (account, region)
                for each in self._refresh()
                for account, region in each.connection.execute("SELECT account, region FROM scopes")
            }
        except (OSError, sqlite3.Error) as error:
            raise ServiceUnavailableException(UNREADABLE) from error
        return sorted(found)

    def positions(self) -> Mapping[str, int]:
        """Return how far the index has come. Raises ServiceUnavailableException."""
        try:
            for each in reversed(self._refresh()):
                if not each.shard.packed:
                    found = dict(each.connection.execute("SELECT slot, number FROM positions"))
                    if found:
                        return found
        except (OSError, sqlite3.Error) as error:
            raise ServiceUnavailableException(UNREADABLE) from error
        return {}

    def close(self) -> None:
        for each in self._open.values():
            each.connection.close()
        self._open.clear()

    def _oldest(self) -> int:
        return int(self._clock.now().timestamp()) - self._retention

    def _refresh(self) -> list[_Opened]:
        """Return the shards there are now, opened. One that is replaced between listing and opening is met
        by listing again."""
        for attempt in range(3):
            shards, _ = find_shards(self._directory)
            present = {shard.path for shard in shards}
            for path in [path for path, each in self._open.items() if path not in present or each.is_gone()]:
                self._open.pop(path).connection.close()
            try:
                for shard in shards:
                    if shard.path not in self._open:
                        self._open[shard.path] = _opened(shard)
            except (sqlite3.OperationalError, FileNotFoundError):
                if attempt == 2 or shard.path.exists():
                    raise
                continue
            return [self._open[shard.path] for shard in shards]
        raise AssertionError


class _Snapshot:
    """A shard as it is now: its writer makes one run of several, and blocks of the one would be missed."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __enter__(self) -> list[int]:
        """Return the runs there are."""
        if not self._connection.in_transaction:
            self._connection.execute("BEGIN")
        try:
            return run_ids(self._connection)
        except sqlite3.Error:
            self.__exit__()
            raise

    def __exit__(self, *_: object) -> None:
        with suppress(sqlite3.Error):
            self._connection.rollback()


class _Source:
    """The postings of one key in one run."""

    def __init__(self, connection: sqlite3.Connection, run: int, key: bytes) -> None:
        self._connection = connection
        self._run = run
        self._key = key

    def postings(self, span: Span) -> Iterator[tuple[int, int, int, int, _Source]]:
        found = walk_run(self._connection, self._run, self._key, span.end + MAX_SPAN, span.start)
        for newest, block, span_of, mask in found:
            if newest - span_of <= span.end:
                yield -newest, -block, newest - span_of, mask, self

    def records(self, block: int) -> list[bytes]:
        row = self._connection.execute("SELECT data FROM blocks WHERE id = ?", (block,)).fetchone()
        if row is None:
            raise ValueError(f"there is no block {block}")
        return unpack(row[0])


def _merged(
    sources: Sequence[_Source], span: Span, fits: Callable[[EventEntry], bool], after: Position | None
) -> Iterator[Found]:
    """Yield what the sources find, in order."""
    waiting: list[tuple[tuple[int, int, int, int], EventEntry, bytes]] = []
    walks = [source.postings(span) for source in sources]
    for minus_newest, minus_block, oldest, mask, source in heapq.merge(*walks, key=lambda each: each[:2]):
        newest, block = -minus_newest, -minus_block
        # What is still to come is behind these: no newer, and of the same second later in the order.
        while waiting and -waiting[0][0][0] >= newest:
            yield _found(heapq.heappop(waiting))
        if after is not None and oldest >= after[0] and (newest, block) > after[1:3]:
            continue
        records = source.records(block)
        for index in range(len(records)):
            if not mask >> index & 1:
                continue
            entry = parse_entry(records[index])
            if entry is None or not span.start <= entry.at <= span.end or not fits(entry):
                continue
            if after is None or (entry.at, newest, block, index) < after:
                order = (-entry.at, minus_newest, minus_block, -index)
                heapq.heappush(waiting, (order, entry, records[index]))
    while waiting:
        yield _found(heapq.heappop(waiting))


def _found(waiting: tuple[tuple[int, int, int, int], EventEntry, bytes]) -> Found:
    order, entry, event = waiting
    return Found(tuple([-each for each in order]), entry, event)


def _opened(shard: Shard) -> _Opened:
    # Asked before: a file that takes its place in between is met by the next look.
    inode = shard.path.stat().st_ino
    connection = connect(shard)
    try:
        # Also tells whether it is one at all.
        summary = connection.execute("SELECT oldest, newest FROM summary").fetchone()
    except sqlite3.Error:
        connection.close()
        raise
    return _Opened(shard, connection, Span(*summary) if shard.packed and summary else None, inode)

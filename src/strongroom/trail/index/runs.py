"""Runs: the postings of a shard, sorted, many to a row; who adds some begins a new run, so that nothing that
is there has to be touched, and small runs become one now and then.
"""

from __future__ import annotations

import sqlite3
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Final

from strongroom.trail.index.postings import ORDER_BYTES, Posting, decode, place_of, split
from strongroom.trail.index.shards import UnusableShardError

__all__ = ["add_run", "join_runs", "merge_small_runs", "run_ids", "walk_run"]

CHUNK_POSTINGS: Final = 128
"""So many are one page of SQLite's."""
MERGED_AT_ONCE: Final = 8
SMALL_RUN: Final = 16 * 1024
"""A run of so many postings stays as it is until its shard is packed."""
SLAB_POSTINGS: Final = 64 * 1024
"""About how many are sorted at once when shards are packed."""

_FIRST_CHUNK: Final = (
    "SELECT first, data FROM chunks WHERE run = ?1 AND first >= coalesce("
    "(SELECT max(first) FROM chunks WHERE run = ?1 AND first <= ?2), ?2) ORDER BY first LIMIT 1"
)
"""That may have postings from a place on, before which it may begin."""
_NEXT_CHUNK: Final = "SELECT first, data FROM chunks WHERE run = ? AND first > ? ORDER BY first LIMIT 1"


def run_ids(connection: sqlite3.Connection, schema: str = "main") -> list[int]:
    rows = connection.execute(f"SELECT id FROM {schema}.runs ORDER BY id")  # noqa: S608 - ours
    return [run for (run,) in rows]


def add_run(connection: sqlite3.Connection, postings: list[bytes]) -> None:
    """These are a run of their own, in the transaction that is under way. Sorts them."""
    if postings:
        postings.sort()
        _write_run(connection, iter(postings), len(postings))


def merge_small_runs(connection: sqlite3.Connection) -> None:
    """There are few small runs of one size, in the transaction that is under way.

    Raises:
        UnusableShardError: the shard is damaged.
    """
    while runs := _alike(connection):
        marks = ",".join("?" * len(runs))
        rows = connection.execute(
            f"SELECT data FROM chunks WHERE run IN ({marks}) ORDER BY run, first",  # noqa: S608 - question marks
            runs,
        )
        postings = _split(b"".join([data for (data,) in rows]))
        connection.execute(f"DELETE FROM chunks WHERE run IN ({marks})", runs)  # noqa: S608 - question marks
        connection.execute(f"DELETE FROM runs WHERE id IN ({marks})", runs)  # noqa: S608 - question marks
        add_run(connection, postings)


def walk_run(
    connection: sqlite3.Connection, run: int, key: bytes, newest: int, oldest: int
) -> Iterator[Posting]:
    """Yield what a run has of a key, from the newest to the oldest of these seconds. In one transaction.

    Raises:
        sqlite3.Error, ValueError: it cannot be read.
    """
    begin, end = place_of(key, newest), place_of(key, oldest)
    # One at a time: of statements that stay open side by side, each is compiled anew.
    row = connection.execute(_FIRST_CHUNK, (run, begin)).fetchone()
    while row is not None:
        first, data = row
        postings, ended = decode(data, begin, end)
        yield from postings
        if ended:
            return
        row = connection.execute(_NEXT_CHUNK, (run, first)).fetchone()


def join_runs(connection: sqlite3.Connection, schemas: Sequence[str], stopped: Callable[[], bool]) -> None:
    """All runs of the attached shards are one of this one's, in the transaction that is under way.

    Raises:
        UnusableShardError: a shard is damaged.
        InterruptedError: `stopped` said so.
    """
    total = sum(
        connection.execute(f"SELECT coalesce(sum(postings), 0) FROM {schema}.runs").fetchone()[0]  # noqa: S608
        for schema in schemas
    )
    sources = [
        _Source(
            data
            for (data,) in connection.execute(
                f"SELECT data FROM {schema}.chunks WHERE run = ? ORDER BY first",  # noqa: S608 - ours
                (run,),
            )
        )
        for schema in schemas
        for run in run_ids(connection, schema)
    ]
    _write_run(connection, _merged(sources, stopped), total)


def _merged(sources: Sequence[_Source], stopped: Callable[[], bool]) -> Iterator[bytes]:
    """Yield the postings of all sources in order. No more than some slabs of them are in memory."""
    share = max(CHUNK_POSTINGS, SLAB_POSTINGS // max(1, len(sources)))
    while True:
        if stopped():
            raise InterruptedError("packing was stopped")
        # Up to the least of these nobody has anything that is not at hand.
        ends = [end for source in sources if (end := source.fill(share)) is not None]
        bound = min(ends, default=None)
        slab: list[bytes] = []
        for source in sources:
            slab += source.up_to(bound)
        if not slab:
            return
        # Each source's part is in order already, of which this sort makes use.
        slab.sort()
        yield from slab


class _Source:
    """The postings of one run, in order."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._held: list[bytes] = []

    def fill(self, count: int) -> bytes | None:
        """Have so many at hand and return the last of them; None: these are all that are left."""
        while len(self._held) < count:
            chunk = next(self._chunks, None)
            if chunk is None:
                return None
            self._held += _split(chunk)
        return self._held[-1]

    def up_to(self, bound: bytes | None) -> list[bytes]:
        """Take what is at hand up to a posting; None: all of it."""
        end = len(self._held) if bound is None else bisect_right(self._held, bound)
        taken, self._held = self._held[:end], self._held[end:]
        return taken


def _alike(connection: sqlite3.Connection) -> list[int]:
    """Return some small runs of about one size; none when there are not enough of them."""
    sizes: dict[int, list[int]] = {}
    for run, postings in connection.execute("SELECT id, postings FROM runs WHERE postings < ?", (SMALL_RUN,)):
        alike = sizes.setdefault((postings.bit_length() - 1) // 3, [])
        alike.append(run)
        if len(alike) == MERGED_AT_ONCE:
            return alike
    return []


def _write_run(connection: sqlite3.Connection, postings: Iterator[bytes], count: int) -> None:
    run = connection.execute("INSERT INTO runs(postings) VALUES (?)", (count,)).lastrowid
    connection.executemany(
        "INSERT INTO chunks(run, first, data) VALUES (?, ?, ?)",
        ((run, chunk[0][:ORDER_BYTES], b"".join(chunk)) for chunk in _chunked(postings)),
    )


def _chunked(postings: Iterable[bytes]) -> Iterator[list[bytes]]:
    rest = iter(postings)
    while chunk := list(islice(rest, CHUNK_POSTINGS)):
        yield chunk


def _split(data: bytes) -> list[bytes]:
    try:
        return split(data)
    except ValueError as error:
        raise UnusableShardError("its postings are damaged") from error

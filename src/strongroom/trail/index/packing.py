"""From several files to one that is packed: in the order of its tree, so small, and never changed."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from strongroom.trail.index.runs import join_runs
from strongroom.trail.index.shards import Shard, create, packed_name, remove, uri

__all__ = ["PACKING", "pack"]

PACKING: Final = "packing.db"


def pack(
    directory: Path,
    shards: Sequence[Shard],
    last: int,
    begun: Callable[[sqlite3.Connection], None] = lambda _: None,
    stopped: Callable[[], bool] = lambda: False,
) -> None:
    """One packed file stands for these, which follow one another up to block `last`.

    `begun` is given the connection that works, which another thread may interrupt; and once `stopped` says
    so, it is given up.

    Raises:
        OSError, sqlite3.Error: it could not be done; these are as they were.
    """
    path = directory / PACKING
    path.unlink(missing_ok=True)
    connection = create(path, live=False)
    begun(connection)
    try:
        _copy(connection, shards, stopped)
    except BaseException:
        connection.close()
        path.unlink(missing_ok=True)
        raise
    connection.close()
    _sync(path)
    path.rename(directory / packed_name(shards[0].first, last))
    _sync(directory)
    for shard in shards:
        remove(shard)


def _copy(connection: sqlite3.Connection, shards: Sequence[Shard], stopped: Callable[[], bool]) -> None:
    names = [f"part{number}" for number in range(len(shards))]
    for name, shard in zip(names, shards, strict=True):
        connection.execute(f"ATTACH ? AS {name}", (uri(shard),))
    connection.execute("BEGIN")
    for name in names:
        connection.execute(f"INSERT INTO blocks SELECT * FROM {name}.blocks ORDER BY id")  # noqa: S608 - ours
        connection.execute(f"INSERT OR IGNORE INTO scopes SELECT * FROM {name}.scopes")  # noqa: S608 - ours
    join_runs(connection, names, stopped)
    sums = " UNION ALL ".join(f"SELECT * FROM {name}.summary" for name in names)  # noqa: S608 - ours
    connection.execute(
        f"INSERT INTO summary SELECT 1, sum(records), min(oldest), max(newest) FROM ({sums})"  # noqa: S608 - ours
    )
    connection.execute("COMMIT")
    for name in names:
        connection.execute(f"DETACH {name}")


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

"""Runs hold all postings given to them, in order, however often they are made into others."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from strongroom.trail.index import runs
from strongroom.trail.index.postings import MAX_AT, Posting, decode, encode, place_of, split
from strongroom.trail.index.runs import add_run, join_runs, merge_small_runs, run_ids, walk_run
from strongroom.trail.index.shards import UnusableShardError, create

KEYS = [bytes([number]) * 8 for number in (0, 1, 127, 128, 255)]
NOW = 1_790_000_000
Filed = tuple[bytes, Posting]


def some(chance: random.Random, count: int, first_block: int = 1) -> list[Filed]:
    """Return postings, no two of one key for one block."""
    return [
        (
            chance.choice(KEYS),
            Posting(
                NOW + chance.randrange(60), first_block + number, chance.randrange(11), chance.getrandbits(63)
            ),
        )
        for number in range(count)
    ]


def encoded(filed: list[Filed]) -> list[bytes]:
    return [encode(key, *posting) for key, posting in filed]


def expected(filed: list[Filed], key: bytes, newest: int = MAX_AT, oldest: int = 0) -> list[Posting]:
    """Return what a walk has to give: newest first, of one second the later block first."""
    wanted = [each for its, each in filed if its == key and oldest <= each.newest <= newest]
    return sorted(wanted, key=lambda each: (-each.newest, -each.block))


def all_of(
    connection: sqlite3.Connection, key: bytes, newest: int = MAX_AT, oldest: int = 0
) -> list[Posting]:
    found = [
        posting for run in run_ids(connection) for posting in walk_run(connection, run, key, newest, oldest)
    ]
    return sorted(found, key=lambda each: (-each.newest, -each.block))


@pytest.fixture
def shard(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(create(tmp_path / "live.db", live=True)) as connection:
        yield connection


@pytest.mark.parametrize("count", [1, 127, 128, 129, 2_000])
def test_a_walk_gives_the_postings_of_a_key_between_two_seconds(
    shard: sqlite3.Connection, count: int
) -> None:
    filed = some(random.Random(count), count)
    add_run(shard, encoded(filed))
    [run] = run_ids(shard)
    for key in KEYS:
        assert list(walk_run(shard, run, key, MAX_AT, 0)) == expected(filed, key)
        for newest, oldest in ((NOW + 40, NOW + 20), (NOW + 30, NOW + 30), (NOW - 1, 0), (1 << 40, NOW + 60)):
            found = list(walk_run(shard, run, key, newest, oldest))
            assert found == expected(filed, key, newest, oldest)
    assert list(walk_run(shard, run, b"\x7f" * 7 + b"\x80", MAX_AT, 0)) == []


def test_small_runs_become_few_and_lose_nothing(
    shard: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "SMALL_RUN", 1_000)
    chance, filed = random.Random(1), list[Filed]()
    for _ in range(300):
        more = some(chance, chance.randrange(1, 30), len(filed) + 1)
        filed += more
        add_run(shard, encoded(more))
        merge_small_runs(shard)
    sizes = [size for (size,) in shard.execute("SELECT postings FROM runs")]
    assert sum(sizes) == len(filed)
    assert len([size for size in sizes if size < 1_000]) < 8 * 4
    assert max(sizes) < 8 * 1_000, "large ones are left alone"
    for key in KEYS:
        assert all_of(shard, key) == expected(filed, key)
    assert shard.execute("SELECT count(*) FROM chunks WHERE run NOT IN (SELECT id FROM runs)").fetchone() == (
        0,
    )


@pytest.mark.parametrize("slab", [10, 1 << 20])
def test_the_runs_of_several_shards_become_one_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, slab: int
) -> None:
    monkeypatch.setattr(runs, "SLAB_POSTINGS", slab)
    chance, filed = random.Random(2), list[Filed]()
    names = ["part0", "part1", "empty"]
    for name in names:
        with closing(create(tmp_path / name, live=True)) as part:
            for _ in range(0 if name == "empty" else 3):
                more = some(chance, 700, len(filed) + 1)
                filed += more
                add_run(part, encoded(more))
    with closing(create(tmp_path / "packed.db", live=False)) as packed:
        for name in names:
            packed.execute(f"ATTACH ? AS {name}", (str(tmp_path / name),))
        join_runs(packed, names, lambda: False)
        [run] = run_ids(packed)
        for key in KEYS:
            assert list(walk_run(packed, run, key, MAX_AT, 0)) == expected(filed, key)
        data = b"".join([data for (data,) in packed.execute("SELECT data FROM chunks ORDER BY id")])
        assert split(data) == sorted(encoded(filed))


def test_joining_ends_when_it_is_to_stop(shard: sqlite3.Connection, tmp_path: Path) -> None:
    with closing(create(tmp_path / "part.db", live=True)) as part:
        add_run(part, encoded(some(random.Random(3), 10)))
    shard.execute("ATTACH ? AS part", (str(tmp_path / "part.db"),))
    shard.execute("BEGIN")
    with pytest.raises(InterruptedError, match="packing was stopped"):
        join_runs(shard, ["part"], lambda: True)
    shard.rollback()
    assert run_ids(shard) == []


def test_damaged_postings_are_known_as_such(shard: sqlite3.Connection) -> None:
    for number in range(8):
        add_run(shard, encoded(some(random.Random(number), 5, 1 + number * 5)))
    shard.execute("UPDATE chunks SET data = substr(data, 2) WHERE id = 3")
    with pytest.raises(UnusableShardError, match="its postings are damaged"):
        merge_small_runs(shard)
    with pytest.raises(ValueError, match="no whole postings"):
        list(walk_run(shard, run_ids(shard)[2], KEYS[0], MAX_AT, 0))


def test_places_outside_the_times_there_are_are_the_first_and_the_last() -> None:
    [data] = encoded([(KEYS[1], Posting(NOW, 1, 0, 1))])
    postings, ended = decode(data, place_of(KEYS[1], 1 << 40), place_of(KEYS[1], -5))
    assert list(postings) == [Posting(NOW, 1, 0, 1)]
    assert not ended

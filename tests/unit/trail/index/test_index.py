"""The index finds exactly what a plain search through all records would, however it is stored just then."""

from __future__ import annotations

import datetime as dt
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from copy import deepcopy
from itertools import groupby
from pathlib import Path
from typing import Any

import orjson
import pytest

from strongroom.audit.lookup import EventAttribute
from strongroom.errors import ServiceUnavailableException
from strongroom.trail.feed import FedRecord
from strongroom.trail.index import blocks, lookup, upkeep
from strongroom.trail.index.blocks import cut_blocks, unpack
from strongroom.trail.index.lookup import IndexReader, Span
from strongroom.trail.index.packing import pack
from strongroom.trail.index.shards import UnusableShardError, create, find_shards, live_name
from strongroom.trail.index.writing import Index
from support.indexed import ACCOUNTS, NOW, REGIONS, SetClock, Writer, search

ACCOUNT, REGION = ACCOUNTS[0], REGIONS[0]
HOUR = dt.timedelta(hours=1)


class House:
    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.clock = SetClock()
        self.writer = Writer()
        self.index = self.open()
        self.reader = IndexReader(directory, self.clock)

    def open(self, live_records: int = 40) -> Index:
        return Index(self.directory, self.clock, live_records=live_records)

    def reopen(self) -> None:
        self.index.close()
        self.index = self.open()
        self.index.positions()

    def take(self, count: int, at: dt.datetime = NOW - HOUR, seconds: int = 30) -> list[FedRecord]:
        """Index records of two slots, their times spread over some seconds."""
        chance = self.writer.chance
        records = [
            self.writer.fed(
                self.writer.event(at + dt.timedelta(seconds=chance.randrange(seconds))),
                chance.choice(("api-0", "keeper")),
            )
            for _ in range(count)
        ]
        self.index.take(records)
        return records

    def pages(self, limit: int = 1000, **asked: object) -> list[bytes]:
        """Return all that is found, page by page."""
        found: list[bytes] = []
        after: tuple[int, ...] | None = None
        while True:
            page = self.reader.lookup(ACCOUNT, REGION, limit=limit, after=after, **asked)  # type: ignore[arg-type]
            assert len(page.events) <= limit
            found += page.events
            if page.position is None:
                return found
            assert len(page.events) == limit
            after = page.position

    def close(self) -> None:
        self.reader.close()
        self.index.close()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path / "index")
    yield made
    made.close()


def forget_keys() -> None:
    for remembered in (blocks._shared_keys, blocks._type_key, blocks._name_key):
        remembered.cache_clear()


def times(events: list[bytes]) -> list[str]:
    return [orjson.loads(event)["eventTime"] for event in events]


@pytest.fixture(scope="module")
def filled_once(tmp_path_factory: pytest.TempPathFactory) -> House:
    house = House(tmp_path_factory.mktemp("filled") / "index")
    for number in range(21):
        house.take(41, NOW - HOUR + dt.timedelta(seconds=11 * (number % 7)))
        house.index.tend(wait=True)
    house.close()
    return house


@pytest.fixture
def filled(filled_once: House, tmp_path: Path) -> Iterator[House]:
    """Two packed files and some live ones, of times that overlap."""
    made = House(shutil.copytree(filled_once.directory, tmp_path / "index"))
    made.writer = deepcopy(filled_once.writer)
    shards, _ = find_shards(made.directory)
    assert [shard.packed for shard in shards].count(True) == 2
    assert [shard.packed for shard in shards].count(False) > 1
    yield made
    made.close()


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        (EventAttribute.EVENT_NAME, "GetSecretValue"),
        (EventAttribute.EVENT_SOURCE, "kms.amazonaws.com"),
        (EventAttribute.READ_ONLY, "true"),
        (EventAttribute.USERNAME, "alice"),
        (EventAttribute.ACCESS_KEY_ID, "AKIABOB"),
        (EventAttribute.RESOURCE_TYPE, "AWS::SecretsManager::Secret"),
        (
            EventAttribute.RESOURCE_NAME,
            f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:app/3-aB3dE5",
        ),
        (EventAttribute.RESOURCE_NAME, "app/3"),
    ],
)
@pytest.mark.parametrize("limit", [1000, 7])
def test_an_attribute_finds_all_it_has_to_and_nothing_else(
    filled: House, attribute: EventAttribute, value: str, limit: int
) -> None:
    expected = search(filled.writer.written, ACCOUNT, REGION, (attribute, value))
    assert len(expected) > 10
    found = filled.pages(limit, attribute=(attribute, value))
    assert sorted(found) == sorted(expected)
    assert times(found) == sorted(times(found), reverse=True)


def test_each_record_is_found_by_its_id_in_its_own_account_and_region_only(filled: House) -> None:
    event = search(filled.writer.written, ACCOUNT, REGION)[100]
    asked = EventAttribute.EVENT_ID, orjson.loads(event)["eventID"]
    assert filled.pages(attribute=asked) == [event]
    for scope in ((ACCOUNTS[1], REGION), (ACCOUNT, REGIONS[1])):
        assert filled.reader.lookup(*scope, attribute=asked).events == []


def test_accounts_stay_apart_even_where_all_values_have_one_key(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "attribute_key", lambda *_: b"7" * 8)
    monkeypatch.setattr(lookup, "attribute_key", lambda *_: b"7" * 8)
    forget_keys()
    try:
        house.take(60)
        asked = EventAttribute.USERNAME, "alice"
        expected = search(house.writer.written, ACCOUNT, REGION, asked)
        assert sorted(house.pages(attribute=asked)) == sorted(expected)
    finally:
        forget_keys()


@pytest.mark.parametrize(("start", "end"), [(5, 20), (20, 20), (None, 3), (25, None), (90, None)])
def test_a_time_range_includes_both_ends(filled: House, start: int | None, end: int | None) -> None:
    begin = NOW - HOUR
    asked = {
        "start": None if start is None else begin + dt.timedelta(seconds=start),
        "end": None if end is None else begin + dt.timedelta(seconds=end),
    }
    expected = search(filled.writer.written, ACCOUNT, REGION, None, **asked)
    assert sorted(filled.pages(7, **asked)) == sorted(expected)


def test_what_comes_between_two_pages_neither_repeats_nor_hides_anything(filled: House) -> None:
    expected = search(filled.writer.written, ACCOUNT, REGION)
    found: list[bytes] = []
    after: tuple[int, ...] | None = None
    while True:
        page = filled.reader.lookup(ACCOUNT, REGION, limit=9, after=after)
        found += page.events
        after = page.position
        if after is None:
            break
        filled.take(5, NOW - HOUR, 40)
        filled.index.tend(wait=True)
    late = search(filled.writer.written[-5000:], ACCOUNT, REGION)
    assert len(found) == len(set(found))
    assert set(expected) <= set(found) <= set(late)
    assert times(found) == sorted(times(found), reverse=True)


def test_positions_come_back_and_records_that_were_taken_count_once(house: House) -> None:
    records = house.take(50)
    house.reopen()
    assert house.index.positions() == house.writer.numbers
    house.index.take(records)
    assert sorted(house.pages()) == sorted(search(house.writer.written, ACCOUNT, REGION))


def test_a_new_file_that_says_nothing_yet_goes_on_where_the_one_before_ends(house: House) -> None:
    house.take(50)
    house.index.close()
    create(house.directory / live_name(100), live=True).close()
    house.index = house.open()
    assert house.index.positions() == house.writer.numbers
    house.take(50)
    assert sorted(house.pages()) == sorted(search(house.writer.written, ACCOUNT, REGION))


def test_live_files_left_beside_the_packed_one_that_stands_for_them_do_not_count(house: House) -> None:
    for _ in range(4):
        house.take(45)
    shards, _ = find_shards(house.directory)
    kept = {shard.path: shard.path.read_bytes() for shard in shards[:3]}
    pack(house.directory, shards[:3], shards[3].first - 1)
    for path, content in kept.items():
        assert not path.exists()
        path.write_bytes(content)
    expected = sorted(search(house.writer.written, ACCOUNT, REGION))
    assert sorted(house.pages()) == expected
    house.reopen()
    assert not any(path.exists() for path in kept)
    assert sorted(house.pages()) == expected


def test_packed_files_are_packed_again_when_there_are_enough_of_a_size(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "PACKED_AT_ONCE", 2)
    for _ in range(1 + 2**4):
        house.take(41)
        for _ in range(upkeep.MAX_LEVEL):
            house.index.tend(wait=True)
    # Eight live files make one of the largest size, which is not packed any more.
    assert [shard.packed for shard in find_shards(house.directory)[0]] == [True, True, False]
    assert sorted(house.pages()) == sorted(search(house.writer.written, ACCOUNT, REGION))


def test_packing_that_fails_leaves_everything_as_it_was(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(upkeep.PACKED_AT_ONCE + 1):
        house.take(45)
    before = sorted(path.name for path in house.directory.iterdir())

    def full(*_: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr("strongroom.trail.index.packing._sync", full)
    with pytest.raises(OSError, match="No space left on device"):
        house.index.tend(wait=True)
    house.reopen()
    assert {*before} >= {path.name for path in house.directory.glob("*.db")}
    assert sorted(house.pages()) == sorted(search(house.writer.written, ACCOUNT, REGION))


def test_packing_that_ends_while_files_are_looked_at_makes_no_trouble(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(upkeep.PACKED_AT_ONCE + 1):
        house.take(45)
    house.index.tend()

    def listed_before_the_end(directory: Path) -> Any:
        found = find_shards(directory)
        if house.index._upkeep._thread is not None:
            house.index._upkeep._thread.join()
        return found

    monkeypatch.setattr(upkeep, "find_shards", listed_before_the_end)
    while [shard.packed for shard in find_shards(house.directory)[0]] != [True, False]:
        house.index.tend()
    assert sorted(house.pages()) == sorted(search(house.writer.written, ACCOUNT, REGION))


def test_what_is_older_than_the_retention_is_not_found_and_leaves_the_disk(house: House) -> None:
    old = NOW - dt.timedelta(days=80)
    house.take(50, old)
    house.take(50)
    assert len(house.pages()) == len(search(house.writer.written, ACCOUNT, REGION))
    house.clock.moment = old + dt.timedelta(days=90, seconds=15)
    start = house.clock.moment - dt.timedelta(days=90)
    expected = search(house.writer.written, ACCOUNT, REGION, None, start)
    assert sorted(house.pages()) == sorted(expected)
    house.index.tend(wait=True)
    assert len(find_shards(house.directory)[0]) == 2, "some of it is not old enough yet"
    house.clock.moment += dt.timedelta(minutes=1)
    house.index.tend(wait=True)
    assert len(find_shards(house.directory)[0]) == 1


@pytest.mark.parametrize("damage", ["no database", "another format", "the first format", "no live file"])
def test_an_index_that_cannot_be_gone_on_with_is_made_again(house: House, damage: str) -> None:
    for _ in range(3):
        house.take(45)
    house.index.close()
    newest = find_shards(house.directory)[0][-1].path
    if damage == "no database":
        newest.write_bytes(b"no database at all" * 1000)
    elif damage == "another format":
        with sqlite3.connect(newest) as connection:
            connection.execute("PRAGMA user_version = 99")
        connection.close()
    elif damage == "the first format":
        newest.unlink()
        write_first_format(newest)
    else:
        shards, _ = find_shards(house.directory)
        pack(house.directory, shards, 10_000)
    house.index = house.open()
    assert house.index.positions() == {}
    assert house.pages() == []
    house.writer = Writer(2)
    house.take(45)
    assert sorted(house.pages()) == sorted(search(house.writer.written, ACCOUNT, REGION))


def write_first_format(path: Path) -> None:
    """Make a live file as the first format had it: a row for each posting."""
    connection = sqlite3.connect(path)
    connection.executescript(
        """
        PRAGMA journal_mode = WAL;
        CREATE TABLE blocks(id INTEGER PRIMARY KEY, oldest, newest, count, data BLOB);
        CREATE TABLE postings(key INTEGER, newest INTEGER, block INTEGER, span INTEGER, mask INTEGER,
            PRIMARY KEY(key, newest, block)) WITHOUT ROWID;
        CREATE TABLE scopes(account TEXT, region TEXT, PRIMARY KEY(account, region)) WITHOUT ROWID;
        CREATE TABLE positions(slot TEXT PRIMARY KEY, number INTEGER NOT NULL) WITHOUT ROWID;
        CREATE TABLE summary(one INTEGER PRIMARY KEY, records INTEGER, oldest INTEGER, newest INTEGER);
        INSERT INTO positions VALUES ('api-0', 45);
        PRAGMA user_version = 1;
        """
    )
    connection.close()


def test_an_index_whose_postings_are_damaged_is_made_again(house: House) -> None:
    for _ in range(7):
        house.take(1)
    with closing(sqlite3.connect(find_shards(house.directory)[0][-1].path)) as connection, connection:
        connection.execute("UPDATE chunks SET data = substr(data, 2)")
    with pytest.raises(
        ServiceUnavailableException, match=r"^The index of the audit trail cannot be read now\.$"
    ):
        house.pages()
    with pytest.raises(UnusableShardError, match="its postings are damaged"):
        house.take(1)
    assert house.index.positions() == {}
    house.writer = Writer(2)
    house.take(45)
    assert sorted(house.pages()) == sorted(search(house.writer.written, ACCOUNT, REGION))


def test_who_walks_while_runs_become_one_finds_what_there_was(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("strongroom.trail.index.runs.CHUNK_POSTINGS", 2)
    house.index.close()
    house.index = house.open(live_records=10_000)
    for _ in range(7):
        # Of many seconds, so a run has several rows of the key that is asked for.
        house.take(20, seconds=100)
    expected = search(house.writer.written, ACCOUNT, REGION)
    walk = house.reader.walk([(ACCOUNT, REGION)], None, Span())
    found = [next(walk).event]
    house.take(20, seconds=100)
    with closing(sqlite3.connect(find_shards(house.directory)[0][0].path)) as connection:
        assert connection.execute("SELECT count(*) FROM runs").fetchone() == (1,)
    found += [each.event for each in walk]
    assert sorted(found) == sorted(expected)
    assert sorted(house.pages()) == sorted(search(house.writer.written, ACCOUNT, REGION))


def test_packing_that_is_stopped_leaves_everything_as_it_was(house: House) -> None:
    for _ in range(4):
        house.take(45)
    shards, _ = find_shards(house.directory)
    with pytest.raises(InterruptedError, match="packing was stopped"):
        pack(house.directory, shards[:3], shards[3].first - 1, stopped=lambda: True)
    assert find_shards(house.directory) == (shards, [])
    assert sorted(house.pages()) == sorted(search(house.writer.written, ACCOUNT, REGION))


def test_a_batch_that_cannot_be_written_is_taken_whole_later(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("strongroom.trail.index.shards.BUSY_MS", 0)
    house.reopen()
    house.take(10)
    before = house.index.positions()
    record = house.writer.fed(house.writer.event(NOW - HOUR))
    with closing(sqlite3.connect(find_shards(house.directory)[0][0].path)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(sqlite3.OperationalError, match="database is locked"):
            house.index.take([record])
        other.rollback()
    assert house.index.positions() == before
    house.index.take([record])
    assert sorted(house.pages()) == sorted(search(house.writer.written, ACCOUNT, REGION))


def test_an_index_that_cannot_be_read_is_said_to_be_unavailable(house: House) -> None:
    house.take(10)
    house.index.close()
    find_shards(house.directory)[0][0].path.write_bytes(b"no database at all" * 1000)
    with pytest.raises(
        ServiceUnavailableException, match=r"^The index of the audit trail cannot be read now\.$"
    ):
        house.pages()


@pytest.mark.parametrize("how", ["by itself", "after somebody deleted it"])
def test_who_asks_sees_an_index_that_was_made_again(house: House, how: str) -> None:
    house.take(30)
    assert house.pages() != []
    if how == "by itself":
        house.index.reset()
    else:
        house.index.close()
        shutil.rmtree(house.directory)
        house.index = house.open()
    assert house.index.positions() == {}
    house.writer = Writer(2)
    house.take(30)
    assert sorted(house.pages()) == sorted(search(house.writer.written, ACCOUNT, REGION))


def test_of_two_processes_one_writes_and_the_other_waits_its_turn(house: House) -> None:
    house.take(10)
    other = house.open()
    with pytest.raises(BlockingIOError):
        other.positions()
    house.index.close()
    assert other.positions() == house.writer.numbers
    other.close()


def test_a_directory_that_cannot_be_written_is_tried_again(tmp_path: Path) -> None:
    (tmp_path / "index").write_text("in the way")
    index = Index(tmp_path / "index" / "events", SetClock())
    with pytest.raises(NotADirectoryError):
        index.positions()
    (tmp_path / "index").unlink()
    assert index.positions() == {}
    index.close()


def test_where_nothing_was_indexed_nothing_is_found(tmp_path: Path) -> None:
    reader = IndexReader(tmp_path / "absent", SetClock())
    assert reader.lookup(ACCOUNT, REGION).events == []
    assert (reader.scopes(), reader.positions()) == ([], {})


def test_what_is_no_record_is_passed_over(house: House) -> None:
    house.index.take([house.writer.fed(b'{"some":"thing"}'), house.writer.fed(b'{"eventTime":"yesterday"}')])
    assert house.index.positions() == {"api-0": 2}
    assert house.pages() == []


def test_of_a_full_second_what_is_alike_lies_together_and_keeps_its_order(house: House) -> None:
    events = [house.writer.event(NOW + dt.timedelta(seconds=second)) for second in (1, 0) for _ in range(400)]
    cut = list(cut_blocks(events, 1))
    ordered = [event for block in cut for event in unpack(block.data)]
    assert sorted(ordered) == sorted(events)
    assert times(ordered) == sorted(times(ordered))
    groups = [key for key, _ in groupby(ordered, alike)]
    assert len(groups) == len(set(groups))
    for group in groups:
        assert [e for e in ordered if alike(e) == group] == [e for e in events if alike(e) == group]
    assert sum(len(block.postings) for block in cut) < sum(
        len(block.postings)
        for begin in range(0, 800, 50)
        for block in cut_blocks(events[begin : begin + 50], 1)
    )


def test_a_second_that_fits_a_block_stays_in_the_order_it_came(house: House) -> None:
    events = [house.writer.event(NOW) for _ in range(blocks.BLOCK_RECORDS)]
    [block] = cut_blocks(events, 1)
    assert unpack(block.data) == events


def alike(event: bytes) -> tuple[str, ...]:
    record = orjson.loads(event)
    identity, resources = record["userIdentity"], record.get("resources") or [{"ARN": ""}]
    names = (str(identity.get("userName")), str(identity.get("accessKeyId")), resources[0]["ARN"])
    return (record["eventTime"], record["recipientAccountId"], *names)

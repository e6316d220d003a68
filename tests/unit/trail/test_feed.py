"""Every follower gets every record once, in order, whatever happens to the files and to the others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

import pytest

from strongroom.errors import IntegrityError
from strongroom.trail import cursor
from strongroom.trail.compressed import CompressedWriter
from strongroom.trail.feed import FedRecord, Feed, Progress
from strongroom.trail.layout import segment_files
from strongroom.trail.segment import SegmentTrail

SLOTS = ("api-0", "api-1")


class Keeps:
    """A follower in memory. While `fault` is set it fails before it takes anything."""

    def __init__(self, name: str = "keeps", positions: Mapping[str, int] | None = None) -> None:
        self.name = name
        self.fault: Exception | None = None
        self.calls = 0
        self.records: list[FedRecord] = []
        self._positions = dict(positions or {})

    def positions(self) -> Mapping[str, int]:
        return dict(self._positions)

    def take(self, records: Sequence[FedRecord]) -> None:
        self.calls += 1
        if self.fault is not None:
            raise self.fault
        self.records += records
        for record in records:
            assert record.number > self._positions.get(record.slot, 0)
            self._positions[record.slot] = record.number

    def events(self, slot: str) -> list[bytes]:
        return [record.event for record in self.records if record.slot == slot]


class House:
    def __init__(self, trail: Path, max_bytes: int = 500) -> None:
        self.trail = trail
        self.max_bytes = max_bytes
        self.slots = {name: SegmentTrail.open(trail, "api", max_bytes=max_bytes) for name in SLOTS}
        self.written: dict[str, list[bytes]] = {name: [] for name in SLOTS}
        self.now = 0.0
        self.feeds: list[Feed] = []

    def write(self, slot: str, count: int = 1) -> None:
        for _ in range(count):
            event = b'{"event":"%d of %b","more":{"n":1}}' % (len(self.written[slot]) + 1, slot.encode())
            self.slots[slot].append(event)
            self.written[slot].append(event)

    def feed(self, *followers: Keeps) -> Feed:
        feed = Feed(self.trail, followers, monotonic=lambda: self.now)
        self.feeds.append(feed)
        return feed

    def files(self, slot: str) -> list[Path]:
        return [path for _, path in segment_files(self.trail / "segments" / slot)]

    def close(self) -> None:
        for feed in self.feeds:
            feed.close()
        for slot in self.slots.values():
            slot.close()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    made.close()


def drain(feed: Feed, limit: int = 1) -> Progress:
    """Advance until nothing comes any more; return what the last call said."""
    for _ in range(1000):
        progress = feed.advance(limit)
        if not progress.taken:
            return progress
    raise AssertionError("it did not come to an end")


def test_every_record_of_every_slot_comes_once_and_in_order(house: House) -> None:
    house.write("api-0", 40)
    house.write("api-1", 3)
    keeps = Keeps()
    feed = house.feed(keeps)
    assert drain(feed).lag == {"keeps": 0}
    house.write("api-1", 30)
    house.write("api-0", 1)
    assert drain(feed).errors == {}
    assert {slot: keeps.events(slot) for slot in SLOTS} == house.written
    assert len(house.files("api-0")) > 3, "more than one segment was read"


def test_a_feed_made_anew_goes_on_where_the_follower_stands(house: House) -> None:
    house.write("api-0", 25)
    keeps = Keeps(positions={"api-0": 17})
    drain(house.feed(keeps))
    assert keeps.events("api-0") == house.written["api-0"][17:]


def test_one_call_takes_a_bounded_number_of_records_and_tells_how_many_wait(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("strongroom.trail.feed.MIN_SHARE", 1)
    house.write("api-0", 10)
    keeps = Keeps()
    progress = house.feed(keeps).advance(300)
    assert 0 < progress.taken < 10
    assert progress.lag == {"keeps": 10 - progress.taken}


def test_a_record_longer_than_the_limit_comes_whole(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("strongroom.trail.cursor.CHUNK_BYTES", 16)
    monkeypatch.setattr("strongroom.trail.cursor.TAIL_BYTES", 16)
    house.write("api-0", 5)
    keeps = Keeps()
    assert drain(house.feed(keeps)).lag == {"keeps": 0}
    assert keeps.events("api-0") == house.written["api-0"]


def test_a_failing_follower_is_told_of_and_left_alone_for_a_while(house: House) -> None:
    house.write("api-0", 3)
    fails, goes_on = Keeps("fails"), Keeps("goes on")
    fails.fault = OSError("no room")
    feed = house.feed(fails, goes_on)
    assert feed.advance().errors == {"fails": fails.fault}
    house.write("api-0", 3)
    progress = feed.advance()
    assert (progress.errors, progress.lag) == ({}, {"fails": 6, "goes on": 0})
    assert fails.calls == 1, "it is not asked before its pause is over"
    house.now += 0.5
    feed.advance()
    house.now += 0.5
    feed.advance()
    assert fails.calls == 2, "the second pause is longer"
    fails.fault = None
    house.now += 0.5
    drain(feed)
    assert fails.events("api-0") == goes_on.events("api-0") == house.written["api-0"]


def test_followers_at_one_place_share_one_reading(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.write("api-0", 3)
    opened: list[Path] = []
    original = cursor.open_segment

    def counted(path: Path) -> BinaryIO:
        opened.append(path)
        return original(path)

    monkeypatch.setattr(cursor, "open_segment", counted)
    monkeypatch.setattr("strongroom.trail.feed.last_number", lambda _: 0)
    first, second = Keeps("first"), Keeps("second")
    drain(house.feed(first, second))
    assert first.records == second.records
    assert sorted(opened) == sorted(path for slot in SLOTS for path in house.files(slot))


def test_half_a_line_is_no_record_yet_and_may_be_another_one_in_the_end(house: House) -> None:
    house.write("api-0", 2)
    path = house.files("api-0")[-1]
    keeps = Keeps()
    feed = house.feed(keeps)
    whole = path.read_bytes()
    with path.open("ab") as file:
        file.write(b'{"n":3,"prev":"')
    assert feed.advance().lag == {"keeps": 0}
    path.write_bytes(whole)
    house.write("api-0")
    drain(feed)
    assert keeps.events("api-0") == house.written["api-0"]


def test_missing_and_damaged_records_are_counted_and_the_others_come(house: House) -> None:
    house.write("api-0", 60)
    files = house.files("api-0")
    assert len(files) > 4
    gone = len(files[1].read_bytes().splitlines())
    files[1].unlink()
    first = int(files[2].name[:12])
    lines = files[2].read_bytes().split(b"\n")
    files[2].write_bytes(b"\n".join([lines[0], b"}{" + lines[1], *lines[2:]]))
    keeps = Keeps()
    progress = drain(house.feed(keeps))
    assert progress.skipped == {"api-0": gone + 1}
    missing = {*range(first - gone, first), first + 1}
    assert keeps.events("api-0") == [
        event for number, event in enumerate(house.written["api-0"], 1) if number not in missing
    ]


def test_a_trail_that_ends_before_what_was_taken_is_told_of_and_nothing_comes_twice(house: House) -> None:
    house.write("api-0", 2)
    keeps = Keeps(positions={"api-0": 3})
    feed = house.feed(keeps)
    error = feed.advance().errors["keeps"]
    assert isinstance(error, IntegrityError)
    assert str(error) == "the trail's slot api-0 ends before record 3, which keeps has taken"
    house.write("api-0", 2)
    assert drain(feed).errors == {}
    assert keeps.events("api-0") == house.written["api-0"][3:]


def test_compressed_segments_are_read_too_and_a_damaged_one_hides_no_other(house: House) -> None:
    house.write("api-0", 60)
    paths = house.files("api-0")[:-1]
    for path in paths:
        compressed = CompressedWriter(path.with_name(path.name + ".zst"), path.stat().st_size)
        compressed.write(path.read_bytes())
        compressed.finish()
        path.unlink()
    damaged, following = paths[1], paths[2]
    damaged.with_name(damaged.name + ".zst").write_bytes(b"no frame")
    keeps = Keeps()
    feed = house.feed(keeps)
    errors: list[Exception] = []
    while (progress := feed.advance(1)).taken:
        errors += progress.errors.values()
    assert [str(error) for error in errors if not isinstance(error, IntegrityError)] == []
    assert len(errors) == 1
    missing = range(int(damaged.name[:12]), int(following.name[:12]))
    assert keeps.events("api-0") == [
        event for number, event in enumerate(house.written["api-0"], 1) if number not in missing
    ]
    assert progress.skipped == {"api-0": len(missing)}

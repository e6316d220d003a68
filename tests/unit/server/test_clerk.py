"""The clerk looks after the index: it is packed, kept to its days, and made again when the trail was put back."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from strongroom.server import clerk
from strongroom.server.clerk import BooksCare, Following
from strongroom.trail.feed import Progress
from strongroom.trail.index.lookup import IndexReader
from strongroom.trail.index.shards import find_shards
from strongroom.trail.index.writing import Index
from strongroom.trail.ledger import Ledger
from strongroom.trail.segment import SegmentTrail
from support.indexed import ACCOUNTS, NOW, REGIONS, SetClock, Writer, search


class Log:
    def __init__(self) -> None:
        self.told: list[str] = []

    def error(self, event: str, **fields: object) -> None:
        self.told.append(f"{event}: {fields['duty']}: {fields['exc_info']}")

    def info(self, event: str, **fields: object) -> None:
        self.told.append(f"{event}: {fields['duty']}")


def write(trail: Path, writer: Writer, count: int) -> None:
    trail.mkdir(exist_ok=True)
    slot = SegmentTrail.open(trail, "api")
    for _ in range(count):
        event = writer.event(NOW)
        writer.written.append(event)
        slot.append(event)
    slot.close()


def found(index: Path) -> list[bytes]:
    reader = IndexReader(index, SetClock())
    try:
        return list(reader.lookup(ACCOUNTS[0], REGIONS[0], limit=10_000).events)
    finally:
        reader.close()


def test_an_index_of_a_trail_that_was_put_back_is_made_again(tmp_path: Path) -> None:
    trail, older, writer, log = tmp_path / "trail", tmp_path / "older", Writer(), Log()
    write(trail, writer, 20)
    shutil.copytree(trail, older)
    index = Index(tmp_path / "index", SetClock())
    following = Following("books", trail, [index], log, after=BooksCare(index))
    following.advance()
    lost = Writer(2)
    write(trail, lost, 20)
    following.advance()
    assert sorted(found(tmp_path / "index")) == sorted(
        search(writer.written + lost.written, ACCOUNTS[0], REGIONS[0])
    )
    following._feed.close()
    shutil.rmtree(trail)
    shutil.copytree(older, trail)
    write(trail, writer, 5)
    following = Following("books", trail, [index], log, after=BooksCare(index))
    while following.advance().taken or index.positions() != {"api-0": 25}:
        pass
    assert sorted(found(tmp_path / "index")) == sorted(search(writer.written, ACCOUNTS[0], REGIONS[0]))
    assert log.told == [
        "duty failed: index: the trail's slot api-0 ends before record 40, which index has taken",
        "duty done again: index",
    ]
    following._feed.close()
    index.close()


def test_an_index_is_packed_while_it_is_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clerk, "TENDING_SECONDS", 0.0)
    trail, writer = tmp_path / "trail", Writer()
    index = Index(tmp_path / "index", SetClock(), live_records=10)
    following = Following("books", trail, [index], Log(), after=BooksCare(index))
    while not any(shard.packed for shard in find_shards(tmp_path / "index")[0]):
        write(trail, writer, 11)
        following.advance()
    assert sorted(found(tmp_path / "index")) == sorted(search(writer.written, ACCOUNTS[0], REGIONS[0]))
    following._feed.close()
    index.close()


@pytest.mark.parametrize(
    ("taken", "lag", "pace", "pause"),
    [
        (0, 0, 1.0, clerk.TICK_SECONDS),
        (0, 50_000, 1.0, clerk.TICK_SECONDS),
        (20, 0, 1.0, clerk.TICK_SECONDS),
        (2_000, 500, 1.0, 1.0),
        (8_000, 8_000, 1.0, 0.0),
        (2_000, 500, 0.0, 0.0),
    ],
)
def test_under_load_records_are_taken_by_the_second_unless_too_many_wait(
    tmp_path: Path, taken: int, lag: int, pace: float, pause: float
) -> None:
    following = Following("books", tmp_path, [], Log(), pace=pace)
    assert following._pause(Progress(taken, {"index": lag, "ledger": 0})) == pause


def test_the_ledger_is_written_after_a_while_though_nothing_comes(tmp_path: Path) -> None:
    trail, writer, now = tmp_path / "trail", Writer(), [0.0]
    index = Index(tmp_path / "index", SetClock())
    ledger = Ledger.open(tmp_path / "ledgers" / "ledger.db", hold_seconds=5.0, monotonic=lambda: now[0])
    following = Following("books", trail, [ledger, index], Log(), after=BooksCare(index, ledger))
    write(trail, writer, 20)
    assert following.advance().lag == {"ledger": 0, "index": 0}
    path = tmp_path / "ledgers" / "ledger.db"
    assert Ledger.copy_in_memory(path).positions() == {}
    now[0] = 5.0
    assert following.advance().taken == 0
    assert Ledger.copy_in_memory(path).positions() == {"api-0": 20}
    following._feed.close()
    index.close()
    ledger.close()

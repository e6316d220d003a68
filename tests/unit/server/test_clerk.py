"""The clerk looks after the index: it is packed, kept to its days, and made again when the trail was put back."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from strongroom.server import clerk
from strongroom.server.clerk import Following, IndexCare
from strongroom.trail.index.lookup import IndexReader
from strongroom.trail.index.shards import find_shards
from strongroom.trail.index.writing import Index
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
    following = Following("books", trail, [index], log, after=IndexCare(index))
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
    following = Following("books", trail, [index], log, after=IndexCare(index))
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
    following = Following("books", trail, [index], Log(), after=IndexCare(index))
    while not any(shard.packed for shard in find_shards(tmp_path / "index")[0]):
        write(trail, writer, 11)
        following.advance()
    assert sorted(found(tmp_path / "index")) == sorted(search(writer.written, ACCOUNTS[0], REGIONS[0]))
    following._feed.close()
    index.close()

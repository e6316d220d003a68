"""The keeper's duties: done when due, and none in the way of another."""

from __future__ import annotations

import datetime as dt
import errno
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from strongroom.audit.checkpoint import parse_note, split_notes
from strongroom.rootkey.held import HeldRootKey
from strongroom.server import keeper
from strongroom.server.chores import Chore
from strongroom.server.keeper import Keeper
from strongroom.store.room import Room
from strongroom.store.sqlite import SqliteStore
from strongroom.trail.integration import Integrator
from strongroom.trail.segment import SegmentTrail
from strongroom.trail.verification import verify_trail
from support.entropies import SeededEntropy, pattern
from support.trails import records

ROOT_KEY = HeldRootKey(pattern("the keeper's root key", 32), SeededEntropy())
MOMENT = dt.datetime(2026, 11, 25, 12, 0, tzinfo=dt.UTC)


class StoppedClock:
    def now(self) -> dt.datetime:
        return MOMENT


class Told:
    """A log that remembers."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str, str]] = []

    def error(self, event: str, *, duty: str, exc_info: Exception) -> None:
        self.lines.append((event, duty, str(exc_info)))

    def info(self, event: str, *, duty: str) -> None:
        self.lines.append((event, duty, ""))


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[tuple[SqliteStore, SegmentTrail]]:
    Room.create(tmp_path / "data").close()
    store = SqliteStore.open(tmp_path / "data")
    trail = SegmentTrail.open(tmp_path / "data" / "trail", role="keeper")
    yield store, trail
    store.close()
    trail.close()


def record(store: SqliteStore, *numbers: int) -> None:
    for number in numbers:
        event = b'{"requestID":"%d"}' % number
        store.write(lambda unit, event=event: unit.record(event)).result()  # type: ignore[misc]


def exported(tmp_path: Path) -> list[str]:
    return [each["requestID"] for each in records(tmp_path / "data")]


def test_records_of_writes_are_moved_once_and_in_order(
    parts: tuple[SqliteStore, SegmentTrail], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper, "BATCH", 2)
    store, trail = parts
    log = Told()
    duties = Keeper(store, lambda: trail, StoppedClock(), SeededEntropy(), log, ROOT_KEY)
    record(store, 1, 2, 3, 4, 5)
    duties.tick()
    duties.tick()
    record(store, 6)
    duties.finish()
    assert exported(tmp_path) == ["1", "2", "3", "4", "5", "6"]
    assert list(store.pending_events(0, 10)) == []
    assert log.lines == []


def test_a_duty_that_fails_is_told_and_stops_no_other(
    parts: tuple[SqliteStore, SegmentTrail], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, trail = parts
    log = Told()
    done: list[str] = []

    def fail(*_: Any) -> int:
        done.append("deletion")
        raise ValueError("no deletion")

    monkeypatch.setattr(keeper, "delete_due_secrets", fail)
    monkeypatch.setattr(keeper, "do_key_duties", lambda *_: done.append("keys"))
    monkeypatch.setattr(keeper, "prune_versions", lambda *_: done.append("pruning"))
    monkeypatch.setattr(keeper, "DELETION_SECONDS", 0.0)
    monkeypatch.setattr(keeper, "PRUNING_SECONDS", 0.0)
    duties = Keeper(store, lambda: trail, StoppedClock(), SeededEntropy(), log, ROOT_KEY)
    record(store, 1)
    duties.tick()
    record(store, 2)
    duties.tick()
    assert done == ["deletion", "keys", "pruning"] * 2
    assert log.lines == [("duty failed", "deletion", "no deletion")]
    assert exported(tmp_path) == ["1", "2"]


def test_duties_wait_for_their_time(
    parts: tuple[SqliteStore, SegmentTrail], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, trail = parts
    done: list[str] = []
    now = [1000.0]
    monkeypatch.setattr(keeper.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(keeper, "delete_due_secrets", lambda *_: done.append("deletion"))
    monkeypatch.setattr(keeper, "prune_versions", lambda *_: done.append("pruning"))
    monkeypatch.setattr(keeper, "do_key_duties", lambda *_: done.append("keys"))
    duties = Keeper(store, lambda: trail, StoppedClock(), SeededEntropy(), Told(), ROOT_KEY)
    for step in (0.0, 0.5, 0.4, 0.1, 3599.0):
        now[0] += step
        duties.tick()
    assert done == ["deletion", "keys", "deletion", "keys", "deletion", "keys", "pruning"]


def test_a_failure_that_goes_on_is_told_on_change_and_once_a_minute(
    parts: tuple[SqliteStore, SegmentTrail], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, trail = parts
    now, trouble, log = [1000.0], ["full"], Told()

    def delete(*_: Any) -> int:
        if trouble[0]:
            raise OSError(trouble[0])
        return 0

    monkeypatch.setattr(keeper.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(keeper, "delete_due_secrets", delete)
    monkeypatch.setattr(keeper, "do_key_duties", lambda *_: 0)
    duties = Keeper(store, lambda: trail, StoppedClock(), SeededEntropy(), log, ROOT_KEY)
    for _ in range(130):
        duties.tick()
        now[0] += 1
    assert log.lines == [("duty failed", "deletion", "full")] * 3
    log.lines.clear()
    for each in ("full", "worn out", "worn out", "full", "", ""):
        trouble[0] = each
        duties.tick()
        now[0] += 1
    assert log.lines == [
        ("duty failed", "deletion", "worn out"),
        ("duty failed", "deletion", "full"),
        ("duty done again", "deletion", ""),
    ]


def test_a_trail_that_has_closed_itself_is_opened_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Room.create(tmp_path / "data").close()
    store = SqliteStore.open(tmp_path / "data")
    opened: list[SegmentTrail] = []

    def open_trail() -> SegmentTrail:
        opened.append(SegmentTrail.open(tmp_path / "data" / "trail", role="keeper"))
        return opened[-1]

    def fail(_: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    log = Told()
    duties = Keeper(store, open_trail, StoppedClock(), SeededEntropy(), log, ROOT_KEY)
    record(store, 1)
    duties.tick()
    record(store, 2, 3)
    with monkeypatch.context() as broken:
        broken.setattr(os, "fdatasync", fail)
        duties.tick()
        duties.tick()
    assert opened[0].broken
    assert [number for number, _ in store.pending_events(0, 10)] == [2, 3]
    record(store, 4)
    duties.tick()
    duties.finish()
    store.close()
    assert exported(tmp_path) == ["1", "2", "3", "4"]
    assert verify_trail(tmp_path / "data" / "trail", exported=4).ok
    assert [line[:2] for line in log.lines] == [("duty failed", "export"), ("duty done again", "export")]


def test_the_end_of_the_server_signs_what_was_exported(
    parts: tuple[SqliteStore, SegmentTrail], tmp_path: Path
) -> None:
    store, trail = parts
    directory, log = tmp_path / "data" / "trail", Told()
    integrator = Integrator(directory, store, ROOT_KEY, StoppedClock(), SeededEntropy())
    duties = Keeper(store, lambda: trail, StoppedClock(), SeededEntropy(), log, ROOT_KEY, integrator)
    record(store, 1)
    duties.tick()
    record(store, 2, 3)
    duties.finish()
    notes, _ = split_notes((directory / "tree" / "checkpoints").read_bytes())
    assert [parse_note(note).heads["keeper"].number for note in notes] == [1, 3]
    assert log.lines == []


def test_chores_are_done_when_due_and_one_that_fails_is_told_of_and_done_again(
    parts: tuple[SqliteStore, SegmentTrail], monkeypatch: pytest.MonkeyPatch
) -> None:
    moment = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: moment[0])
    done: list[str] = []

    def fail() -> float:
        done.append("failing")
        if done.count("failing") == 1:
            raise OSError(errno.ENOSPC, "no room")
        return 3600

    def work() -> float:
        done.append("working")
        return 5

    store, trail = parts
    log = Told()
    chores = [Chore("failing", fail), Chore("working", work)]
    duties = Keeper(store, lambda: trail, StoppedClock(), SeededEntropy(), log, ROOT_KEY, None, chores)
    for seconds, names in (
        (0, ["failing", "working"]),
        (4, []),
        (1, ["working"]),
        (5, ["failing", "working"]),
    ):
        moment[0] += seconds
        done_before = len(done)
        duties.tick()
        assert done[done_before:] == names
    assert log.lines == [
        ("duty failed", "failing", "[Errno 28] no room"),
        ("duty done again", "failing", ""),
    ]

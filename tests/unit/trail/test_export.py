"""Records of writes move from the store to the trail: none lost, none doubled, whatever stops in between."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from strongroom.errors import ServiceUnavailableException
from strongroom.store.outbox import exported_up_to
from strongroom.store.room import Room
from strongroom.store.sqlite import SqliteStore
from strongroom.trail.export import export_outbox
from strongroom.trail.layout import parse_line
from strongroom.trail.segment import SegmentTrail
from strongroom.trail.verification import verify_trail


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    with Room.create(tmp_path / "room") as room:
        yield room


@pytest.fixture
def store(room: Room) -> Iterator[SqliteStore]:
    store = SqliteStore.open(room.path)
    yield store
    store.close()


@pytest.fixture
def trail(room: Room) -> Iterator[SegmentTrail]:
    trail = SegmentTrail.open(room.trail, "keeper")
    yield trail
    trail.close()


def record(store: SqliteStore, *names: str) -> None:
    for name in names:
        store.write(lambda unit, name=name: unit.record(b'{"eventID":"%b"}' % name.encode())).result()


def exported(room: Room) -> list[tuple[int | None, bytes]]:
    assert verify_trail(room.trail, exported=exported_up_to(room.database)).ok
    found = []
    for path in sorted((room.trail / "segments" / "keeper").glob("*.jsonl")):
        for raw in path.read_bytes().splitlines():
            line = parse_line(raw)
            assert line is not None
            found.append((line.outbox, line.event.split(b'"')[3]))
    return found


class StopsBefore:
    """A store that cannot drop what was exported, as if the process had died just then."""

    def __init__(self, store: SqliteStore) -> None:
        self.pending_events = store.pending_events

    def drop_events(self, up_to: int) -> None:
        raise ServiceUnavailableException(f"stopped before dropping {up_to}")


def test_what_was_recorded_is_in_the_trail_in_order_and_gone_from_the_store(
    room: Room, store: SqliteStore, trail: SegmentTrail
) -> None:
    record(store, "a", "b", "c")
    assert exported_up_to(room.database) == 0
    assert export_outbox(store, trail) == 3
    assert exported(room) == [(1, b"a"), (2, b"b"), (3, b"c")]
    assert store.pending_events(0, 10) == []
    assert exported_up_to(room.database) == 3


def test_an_empty_store_has_nothing_to_export(room: Room, store: SqliteStore, trail: SegmentTrail) -> None:
    assert export_outbox(store, trail) == 0
    assert exported(room) == []
    assert exported_up_to(room.database) == 0


def test_a_limit_leaves_the_rest_for_the_next_time(
    room: Room, store: SqliteStore, trail: SegmentTrail
) -> None:
    record(store, "a", "b", "c")
    assert export_outbox(store, trail, limit=2) == 2
    assert exported_up_to(room.database) == 2
    assert export_outbox(store, trail, limit=2) == 1
    assert exported(room) == [(1, b"a"), (2, b"b"), (3, b"c")]


def test_a_crash_between_writing_and_dropping_doubles_nothing(
    room: Room, store: SqliteStore, trail: SegmentTrail
) -> None:
    record(store, "a", "b")
    with pytest.raises(ServiceUnavailableException):
        export_outbox(StopsBefore(store), trail)  # type: ignore[arg-type]  # as much of a store as is used
    assert exported(room) == [(1, b"a"), (2, b"b")]
    assert len(store.pending_events(0, 10)) == 2
    trail.close()
    record(store, "c")
    after = SegmentTrail.open(room.trail, "keeper")
    assert after.last_outbox == 2
    assert export_outbox(store, after) == 3
    after.close()
    assert exported(room) == [(1, b"a"), (2, b"b"), (3, b"c")]
    assert store.pending_events(0, 10) == []


def test_a_crash_in_the_middle_of_writing_loses_nothing(
    room: Room, store: SqliteStore, trail: SegmentTrail
) -> None:
    record(store, "a", "b", "c")
    with pytest.raises(ServiceUnavailableException):
        export_outbox(StopsBefore(store), trail)  # type: ignore[arg-type]  # as much of a store as is used
    trail.close()
    path = room.trail / "segments" / "keeper" / "000000000001.jsonl"
    path.write_bytes(path.read_bytes()[:-20])
    after = SegmentTrail.open(room.trail, "keeper")
    assert export_outbox(store, after) == 3
    after.close()
    assert exported(room) == [(1, b"a"), (2, b"b"), (3, b"c")]


def test_a_trail_that_refuses_leaves_all_in_the_store(
    room: Room, store: SqliteStore, trail: SegmentTrail
) -> None:
    record(store, "a", "b")
    trail.close()
    with pytest.raises(ServiceUnavailableException) as refused:
        export_outbox(store, trail)
    assert refused.value.message == "The server is stopping; nothing was recorded."
    assert [number for number, _ in store.pending_events(0, 10)] == [1, 2]
    assert exported_up_to(room.database) == 0


def test_a_write_that_is_undone_takes_its_record_along(
    room: Room, store: SqliteStore, trail: SegmentTrail
) -> None:
    def undone(unit: object) -> None:
        unit.record(b'{"eventID":"x"}')  # type: ignore[attr-defined]  # a WriteUnit
        raise ValueError("no")

    record(store, "a")
    with pytest.raises(ValueError, match="no"):
        store.write(undone).result()
    record(store, "b")
    assert export_outbox(store, trail) == 2
    assert exported(room) == [(1, b"a"), (2, b"b")]

"""What `ports.Trail` promises, and what the segments promise beyond it: held to what stands on disk."""

from __future__ import annotations

import errno
import fcntl
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from strongroom.errors import IntegrityError, ServiceUnavailableException
from strongroom.ports import Trail
from strongroom.trail.cursor import SlotCursor
from strongroom.trail.following import SlotReader
from strongroom.trail.layout import parse_line
from strongroom.trail.segment import SegmentTrail, TrailError
from strongroom.trail.verification import verify_trail

UNWRITABLE = "The audit record cannot be written, so the call is refused."
CLOSED = "The server is stopping; nothing was recorded."


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "trail").mkdir()
    return tmp_path / "trail"


def event(number: int) -> bytes:
    return b'{"eventID":"%d"}' % number


def events(directory: Path, slot: str = "api-0") -> list[bytes]:
    """Return what a slot holds, read as another process would, of a trail that is whole."""
    assert verify_trail(directory).ok
    found = []
    for path in sorted((directory / "segments" / slot).glob("*.jsonl")):
        for raw in path.read_bytes().splitlines():
            line = parse_line(raw)
            assert line is not None
            found.append(line.event)
    return found


def files(directory: Path, slot: str = "api-0") -> list[str]:
    return sorted(path.name for path in (directory / "segments" / slot).glob("*.jsonl"))


class TestAppending:
    @pytest.mark.parametrize("sync_every_record", [False, True], ids=["in groups", "each"])
    def test_a_record_has_left_the_process_when_append_returns(
        self, sync_every_record: bool, directory: Path
    ) -> None:
        trail: Trail = SegmentTrail.open(directory, "api", sync_every_record=sync_every_record)
        for number in range(1, 4):
            trail.append(event(number))
            assert events(directory) == [event(each) for each in range(1, number + 1)]
        trail.close()

    def test_a_closed_trail_takes_nothing(self, directory: Path) -> None:
        trail = SegmentTrail.open(directory, "api")
        trail.append(event(1))
        trail.close()
        trail.close()
        with pytest.raises(ServiceUnavailableException) as refused:
            trail.append(event(2))
        assert refused.value.message == CLOSED
        assert events(directory) == [event(1)]

    def test_many_threads_make_one_chain(self, directory: Path) -> None:
        trail = SegmentTrail.open(directory, "api", max_bytes=2_000)
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(trail.append, [event(number) for number in range(400)]))
        trail.close()
        assert sorted(events(directory)) == sorted(event(number) for number in range(400))
        assert len(files(directory)) > 10

    def test_records_are_private(self, directory: Path) -> None:
        previous = os.umask(0)
        try:
            trail = SegmentTrail.open(directory, "api")
            trail.append(event(1))
            trail.close()
        finally:
            os.umask(previous)
        for path in (directory / "segments").rglob("*"):
            assert path.stat().st_mode & 0o077 == 0, path


class TestSegments:
    def test_a_full_one_is_followed_by_another(self, directory: Path) -> None:
        trail = SegmentTrail.open(directory, "api", max_bytes=1)
        for number in range(1, 4):
            trail.append(event(number))
        trail.close()
        assert files(directory) == ["000000000001.jsonl", "000000000002.jsonl", "000000000003.jsonl"]
        assert events(directory) == [event(1), event(2), event(3)]

    def test_the_next_owner_goes_on_in_a_new_one(self, directory: Path) -> None:
        for number in (1, 2):
            trail = SegmentTrail.open(directory, "api")
            trail.append(event(number))
            trail.close()
        assert files(directory) == ["000000000001.jsonl", "000000000002.jsonl"]
        assert events(directory) == [event(1), event(2)]

    def test_one_without_records_is_taken_up_again(self, directory: Path) -> None:
        for _ in range(3):
            SegmentTrail.open(directory, "api").close()
        assert files(directory) == ["000000000001.jsonl"]


class TestSlots:
    def test_each_worker_has_one_of_its_own(self, directory: Path) -> None:
        trails = [SegmentTrail.open(directory, "api") for _ in range(3)]
        assert [trail.slot for trail in trails] == ["api-0", "api-1", "api-2"]
        trails[1].close()
        again = SegmentTrail.open(directory, "api")
        assert again.slot == "api-1"
        for trail in (trails[0], again, trails[2]):
            trail.close()

    def test_the_keeper_has_only_one(self, directory: Path) -> None:
        keeper = SegmentTrail.open(directory, "keeper")
        with pytest.raises(TrailError) as refused:
            SegmentTrail.open(directory, "keeper")
        assert str(refused.value) == f"Another process writes the audit trail in {directory} as keeper."
        keeper.append(event(1))
        keeper.close()
        assert events(directory, "keeper") == [event(1)]

    def test_one_that_cannot_be_made_is_refused(self, directory: Path) -> None:
        (directory / "segments").write_bytes(b"in the way")
        with pytest.raises(TrailError) as refused:
            SegmentTrail.open(directory, "api")
        assert str(refused.value).startswith(f"The audit trail in {directory} cannot be written: ")


class TestAfterACrash:
    @pytest.mark.parametrize("kept", [1, 30, 100, -1], ids=str)
    def test_half_a_record_is_cut_off_and_its_number_used_again(self, kept: int, directory: Path) -> None:
        trail = SegmentTrail.open(directory, "api")
        trail.append_many([(None, event(1)), (None, event(2))])
        trail.close()
        path = directory / "segments" / "api-0" / "000000000001.jsonl"
        first, second = path.read_bytes().splitlines(keepends=True)
        path.write_bytes(first + second[:kept])
        trail = SegmentTrail.open(directory, "api")
        trail.append(event(3))
        trail.close()
        assert events(directory) == [event(1), event(3)]
        assert files(directory) == ["000000000001.jsonl", "000000000002.jsonl"]

    def test_half_of_the_very_first_record_is_cut_off(self, directory: Path) -> None:
        SegmentTrail.open(directory, "api").close()
        path = directory / "segments" / "api-0" / "000000000001.jsonl"
        path.write_bytes(b'{"n":1,"pre')
        trail = SegmentTrail.open(directory, "api")
        trail.append(event(1))
        trail.close()
        assert events(directory) == [event(1)]

    def test_a_long_last_record_is_found(self, directory: Path) -> None:
        long = b'{"eventID":"%b"}' % (b"x" * 3_000_000)
        for each in (event(1), long, event(3)):
            trail = SegmentTrail.open(directory, "api")
            trail.append(each)
            trail.close()
        assert events(directory) == [event(1), long, event(3)]

    @pytest.mark.parametrize("line", [b"{}\n", b"\n", b"\0" * 100 + b"\n"], ids=["other", "empty", "zeros"])
    def test_a_slot_that_does_not_end_with_a_record_is_not_continued(
        self, line: bytes, directory: Path
    ) -> None:
        trail = SegmentTrail.open(directory, "api")
        trail.append(event(1))
        trail.close()
        path = directory / "segments" / "api-0" / "000000000001.jsonl"
        path.write_bytes(path.read_bytes() + line)
        before = path.read_bytes()
        with pytest.raises(IntegrityError) as refused:
            SegmentTrail.open(directory, "api")
        assert (
            str(refused.value) == "the audit segment 000000000001.jsonl of api-0 does not end with a record"
        )
        assert path.read_bytes() == before
        path.write_bytes(before.removesuffix(line))
        SegmentTrail.open(directory, "api").close()


Write = Callable[[int, bytes], int]


def failing_writes(monkeypatch: pytest.MonkeyPatch, number: int, *, after: int = 0) -> None:
    """Let every write fail with `number`, the first only after so many bytes are written."""
    real: Write = os.write
    left = [after]

    def write(descriptor: int, data: bytes) -> int:
        if left[0] > 0:
            part, left[0] = data[: left[0]], 0
            return real(descriptor, part)
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "write", write)


def failing_syncs(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    failed = threading.Event()

    def fdatasync(_descriptor: int) -> None:
        failed.set()
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fdatasync", fdatasync)
    return failed


def refused(append: Callable[[bytes], None], number: int) -> None:
    with pytest.raises(ServiceUnavailableException) as error:
        append(event(number))
    assert error.value.message == UNWRITABLE


class TestADiskThatRefuses:
    @pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO], ids=os.strerror)
    @pytest.mark.parametrize("sync_every_record", [False, True], ids=["in groups", "each"])
    @pytest.mark.parametrize("after", [0, 1, 40, 90], ids=str)
    def test_a_full_one_leaves_the_chain_whole_and_goes_on_when_there_is_room(
        self,
        after: int,
        sync_every_record: bool,
        number: int,
        directory: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        trail = SegmentTrail.open(directory, "api", sync_every_record=sync_every_record)
        trail.append(event(1))
        with monkeypatch.context() as full:
            failing_writes(full, number, after=after)
            refused(trail.append, 2)
            refused(trail.append, 3)
        assert events(directory) == [event(1)]
        trail.append(event(4))
        trail.close()
        assert events(directory) == [event(1), event(4)]

    def test_records_written_together_are_all_there_or_none(
        self, directory: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        trail = SegmentTrail.open(directory, "keeper")
        trail.append_many([(1, event(1)), (2, event(2))])
        together: Sequence[tuple[int, bytes]] = [(3, event(3)), (4, event(4))]
        with monkeypatch.context() as full:
            failing_writes(full, errno.ENOSPC, after=150)
            with pytest.raises(ServiceUnavailableException):
                trail.append_many(together)
        assert events(directory, "keeper") == [event(1), event(2)]
        assert trail.last_outbox == 2
        trail.append_many(together)
        assert trail.last_outbox == 4
        trail.close()
        assert events(directory, "keeper") == [event(number) for number in range(1, 5)]

    def test_after_a_failed_flush_nothing_is_taken_any_more(
        self, directory: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        trail = SegmentTrail.open(directory, "api", sync_every_record=True)
        trail.append(event(1))
        with monkeypatch.context() as broken:
            failing_syncs(broken)
            refused(trail.append, 2)
        refused(trail.append, 3)
        trail.close()
        assert event(3) not in events(directory)

    def test_a_flush_that_fails_in_the_background_refuses_what_comes_then(
        self, directory: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        trail = SegmentTrail.open(directory, "api")
        with monkeypatch.context() as broken:
            failed = failing_syncs(broken)
            trail.append(event(1))
            assert failed.wait(10)
            # The event is set just before the failure is known; a flush asked for afterwards knows it.
            with pytest.raises(ServiceUnavailableException):
                trail.sync()
        refused(trail.append, 2)
        trail.close()
        assert events(directory) == [event(1)]

    def test_a_segment_that_cannot_be_begun_refuses_and_is_begun_later(
        self, directory: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        trail = SegmentTrail.open(directory, "api", max_bytes=1)
        trail.append(event(1))
        real = os.open

        def fail(path: str | Path, flags: int, mode: int = 0o777) -> int:
            if flags & os.O_CREAT:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return real(path, flags, mode)

        with monkeypatch.context() as full:
            full.setattr(os, "open", fail)
            refused(trail.append, 2)
        trail.append(event(3))
        trail.close()
        assert events(directory) == [event(1), event(3)]

    def test_after_half_a_record_that_cannot_be_cut_off_nothing_is_taken(
        self, directory: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        trail = SegmentTrail.open(directory, "api")
        trail.append(event(1))
        with monkeypatch.context() as full:
            failing_writes(full, errno.ENOSPC, after=40)
            full.setattr(os, "ftruncate", no_descriptors)
            refused(trail.append, 2)
        assert trail.broken
        refused(trail.append, 3)
        trail.close()
        again = SegmentTrail.open(directory, "api")
        again.append(event(4))
        again.close()
        assert events(directory) == [event(1), event(4)]

    @pytest.mark.parametrize("still", ["fsync", "pwrite", "open"], ids=lambda name: f"{name} fails at first")
    def test_after_a_failed_flush_it_recovers_once_the_disk_takes_what_was_written(
        self, still: str, directory: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        trail = SegmentTrail.open(directory, "api")
        assert trail.recover(), "nothing is wrong with it"
        with monkeypatch.context() as broken:
            failed = failing_syncs(broken)
            trail.append(event(1))
            assert failed.wait(10)
            with pytest.raises(ServiceUnavailableException):
                trail.sync()
        with monkeypatch.context() as bad:
            bad.setattr(os, still, no_descriptors)
            assert not trail.recover()
        refused(trail.append, 2)
        written: list[bytes] = []
        real = os.pwrite

        def pwrite(descriptor: int, data: bytes, at: int) -> int:
            written.append(data)
            return real(descriptor, data, at)

        monkeypatch.setattr(os, "pwrite", pwrite)
        assert trail.recover()
        assert written == [(directory / "segments" / "api-0" / files(directory)[0]).read_bytes()]
        trail.append(event(3))
        trail.close()
        assert not trail.recover(), "a closed one stays closed"
        assert events(directory) == [event(1), event(3)]

    def test_after_half_a_record_that_could_not_be_cut_off_it_recovers(
        self, directory: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        trail = SegmentTrail.open(directory, "api")
        with monkeypatch.context() as full:
            failing_writes(full, errno.ENOSPC, after=40)
            full.setattr(os, "ftruncate", no_descriptors)
            refused(trail.append, 1)
        assert trail.recover() and trail.is_writable()
        trail.append(event(2))
        trail.close()
        assert events(directory) == [event(2)]

    def test_a_reader_sees_nothing_of_records_that_are_taken_away_again(
        self, directory: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        trail = SegmentTrail.open(directory, "api")
        trail.append(event(1))
        reader = SlotReader(directory / "segments" / "api-0")
        cursor = SlotCursor(directory / "segments" / "api-0")
        seen: list[int] = []
        real: Write = os.write

        def write(descriptor: int, data: bytes) -> int:
            if seen:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            half = data[: data.index(b"\n") + 20]
            real(descriptor, half)
            seen.append(len(reader.read(1 << 20)) + len(cursor.read(1 << 20)))
            return len(half)

        with monkeypatch.context() as full:
            full.setattr(os, "write", write)
            with pytest.raises(ServiceUnavailableException):
                trail.append_many([(None, event(2)), (None, event(3))])
        assert seen == [0], "a whole line of two that were not written to their end"
        for number in (1, 4):
            assert len(reader.read(1 << 20)) == 1
            assert [each.event for each in cursor.read(1 << 20)] == [event(number)]
            trail.append(event(4))
        cursor.close()
        trail.close()
        assert events(directory) == [event(1), event(4), event(4)]

    def test_a_reader_that_was_stopped_in_the_middle_holds_up_no_writer(self, directory: Path) -> None:
        trail = SegmentTrail.open(directory, "api")
        with (directory / "segments" / "api-0" / files(directory)[0]).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH)
            trail.append_many([(None, event(1)), (None, event(2))])
        trail.close()
        assert events(directory) == [event(1), event(2)]

    def test_without_a_free_descriptor_records_still_reach_the_disk(
        self, directory: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        trail = SegmentTrail.open(directory, "api")
        flushed = threading.Semaphore(0)
        real = os.fdatasync

        def fdatasync(descriptor: int) -> None:
            real(descriptor)
            flushed.release()

        monkeypatch.setattr(os, "fdatasync", fdatasync)
        with monkeypatch.context() as short:
            short.setattr(os, "dup", no_descriptors)
            for number in (1, 2):
                trail.append(event(number))
                assert flushed.acquire(timeout=10)
        trail.append(event(3))
        assert flushed.acquire(timeout=10)
        trail.close()
        assert events(directory) == [event(1), event(2), event(3)]

    def test_says_whether_a_record_would_be_taken(
        self, directory: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        trail = SegmentTrail.open(directory, "api")
        assert trail.is_writable()
        with monkeypatch.context() as full:
            failing_writes(full, errno.ENOSPC)
            assert trail.is_writable()  # nobody has found out yet
            refused(trail.append, 1)
            assert not trail.is_writable()
            failing_writes(full, errno.ENOSPC, after=120)
            assert not trail.is_writable()
        assert trail.is_writable()
        assert events(directory) == []
        trail.append(event(2))
        assert events(directory) == [event(2)]
        with monkeypatch.context() as broken:
            failing_syncs(broken)
            with pytest.raises(ServiceUnavailableException):
                trail.sync()
        assert not trail.is_writable()
        trail.close()
        assert not trail.is_writable()


def no_descriptors(*_: int) -> int:
    raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

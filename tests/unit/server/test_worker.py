"""A worker is ready as long as it can answer reads, and the records that takes can be written."""

from __future__ import annotations

import asyncio
import errno
import gc
import os
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from strongroom.errors import ServiceUnavailableException
from strongroom.rootkey.held import HeldRootKey
from strongroom.server import worker as workers
from strongroom.server.settings import Settings
from strongroom.server.worker import Worker
from strongroom.store.room import Room
from strongroom.trail.segment import SegmentTrail
from strongroom.trail.verification import verify_trail
from support.entropies import SeededEntropy, pattern


class Told:
    """A log that remembers."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []

    def error(self, event: str, *, reason: str) -> None:
        self.lines.append((event, reason))

    def info(self, event: str) -> None:
        self.lines.append((event, ""))


class Opened:
    """Stands for `SegmentTrail`, whose `open` it passes on; what that gives is known to the test."""

    def __init__(self) -> None:
        self.trails: list[SegmentTrail] = []
        self.recovered = threading.Event()

    def open(self, *arguments: Any, **options: Any) -> SegmentTrail:
        trail = SegmentTrail.open(*arguments, **options)
        self.trails.append(trail)
        recover = trail.recover

        def recover_and_tell() -> bool:
            if recover():
                self.recovered.set()
            return not trail.broken

        trail.recover = recover_and_tell  # type: ignore[method-assign]  # what it came to is awaited
        return trail


async def readiness(listener: Any) -> int:
    statuses: list[int] = []

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    async def receive() -> Any:
        raise AssertionError("there is nothing to read")

    await listener({"type": "http", "method": "GET", "path": "/ready"}, receive, send)
    return statuses[0]


async def living(worker: Worker, work: Callable[[Any], Awaitable[list[int]]]) -> list[int]:
    """Start a worker, do `work` with what asks for its readiness, and stop it."""
    listener = worker.listener()
    steps: asyncio.Queue[dict[str, str]] = asyncio.Queue()
    told: asyncio.Queue[str] = asyncio.Queue()

    async def send(message: Any) -> None:
        await told.put(message["type"])

    life = asyncio.create_task(listener({"type": "lifespan"}, steps.get, send))
    await steps.put({"type": "lifespan.startup"})
    assert await told.get() == "lifespan.startup.complete"
    found = await work(listener)
    await steps.put({"type": "lifespan.shutdown"})
    assert await told.get() == "lifespan.shutdown.complete"
    await life
    return found


@contextmanager
def a_full_disk(trail: SegmentTrail) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as full:
        full.setattr(os, "write", failing(errno.ENOSPC))
        with pytest.raises(ServiceUnavailableException):
            trail.append(b"{}")
        yield


@contextmanager
def a_failed_flush(trail: SegmentTrail) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as broken:
        broken.setattr(os, "fdatasync", failing(errno.EIO))
        with pytest.raises(ServiceUnavailableException):
            trail.sync()
    yield


def failing(number: int) -> Callable[..., int]:
    def fail(*_: Any) -> int:
        raise OSError(number, os.strerror(number))

    return fail


FLUSH_FAILED = "a flush of the audit trail failed, so it takes no record until it could be written again"


@pytest.mark.parametrize(
    ("trouble", "statuses", "lines"),
    [
        pytest.param(
            a_full_disk,
            [200, 503, 503, 200],
            [("not ready", "the audit trail cannot be written"), ("ready again", "")],
            id="a full disk, with room again later",
        ),
        pytest.param(
            a_failed_flush,
            [200, 503, 503, 503],
            [("not ready", FLUSH_FAILED)],
            id="a failed flush",
        ),
    ],
)
def test_a_worker_that_would_refuse_every_read_is_not_ready_and_says_so_once(
    trouble: Callable[[SegmentTrail], AbstractContextManager[None]],
    statuses: list[int],
    lines: list[tuple[str, str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    log, opened = Told(), Opened()
    monkeypatch.setattr(workers, "open_log", lambda _: log)
    monkeypatch.setattr(workers, "SegmentTrail", opened)
    monkeypatch.setattr(workers, "GC_THRESHOLDS", gc.get_threshold())
    monkeypatch.setattr(workers, "MEND_SECONDS", 3600)
    # A worker whose parent is not the process that made it ends itself.
    monkeypatch.setattr(os, "getppid", os.getpid)

    async def ask(listener: Any) -> list[int]:
        found = [await readiness(listener)]
        with trouble(opened.trails[0]):
            found += [await readiness(listener), await readiness(listener)]
        return [*found, await readiness(listener)]

    with Room.create(tmp_path / "data") as room:
        key = HeldRootKey(pattern("the worker's root key", 32), SeededEntropy())
        worker = Worker(Settings(data_dir=room.path), room, key, {})
        assert asyncio.run(living(worker, ask)) == statuses
    assert log.lines == lines


def test_a_worker_whose_flush_failed_takes_records_again_without_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, opened = Told(), Opened()
    monkeypatch.setattr(workers, "open_log", lambda _: log)
    monkeypatch.setattr(workers, "SegmentTrail", opened)
    monkeypatch.setattr(workers, "GC_THRESHOLDS", gc.get_threshold())
    monkeypatch.setattr(workers, "MEND_SECONDS", 0.01)
    monkeypatch.setattr(os, "getppid", os.getpid)

    async def fail_and_recover(listener: Any) -> list[int]:
        trail = opened.trails[0]
        with pytest.MonkeyPatch.context() as broken:
            broken.setattr(os, "fsync", failing(errno.EIO))
            broken.setattr(os, "fdatasync", failing(errno.EIO))
            with pytest.raises(ServiceUnavailableException):
                trail.sync()
            found = [await readiness(listener)]
        assert await asyncio.to_thread(opened.recovered.wait, 10)
        trail.append(b"{}")
        return [*found, await readiness(listener)]

    with Room.create(tmp_path / "data") as room:
        key = HeldRootKey(pattern("the worker's root key", 32), SeededEntropy())
        worker = Worker(Settings(data_dir=room.path), room, key, {})
        assert asyncio.run(living(worker, fail_and_recover)) == [503, 200]
        assert verify_trail(room.trail).records == 1
    assert [line for line in log.lines if line[0] == "not ready"] == [("not ready", FLUSH_FAILED)]
    assert "the audit trail takes records again" in [line[0] for line in log.lines]

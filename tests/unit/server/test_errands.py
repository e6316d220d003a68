"""Errands are run once for all who wait, and no account holds every thread. Nothing here is timed."""

from __future__ import annotations

import asyncio
import threading

import pytest

from strongroom.operations.call import Errand
from strongroom.server.errands import SHARE, THREADS, Errands

SECONDS = 30
"""Waiting longer is a failure."""


class Work:
    """Work that begins, and then waits for the test."""

    def __init__(self, error: Exception | None = None) -> None:
        self.begun, self.go_on = threading.Event(), threading.Event()
        self.runs = 0
        self._error = error

    def __call__(self) -> None:
        self.runs += 1
        self.begun.set()
        assert self.go_on.wait(SECONDS)
        if self._error is not None:
            raise self._error


async def begun(work: Work) -> None:
    assert await asyncio.to_thread(work.begun.wait, SECONDS)


def test_all_who_want_the_same_wait_for_one() -> None:
    async def story() -> None:
        errands, work = Errands(), Work(OSError("down"))
        waiting = [asyncio.ensure_future(errands.run(Errand("a", work), "1")) for _ in range(5)]
        await begun(work)
        waiting[0].cancel()
        work.go_on.set()
        told = await asyncio.gather(*waiting, return_exceptions=True)
        assert isinstance(told[0], asyncio.CancelledError)
        assert [str(each) for each in told[1:]] == ["down"] * 4
        assert work.runs == 1
        with pytest.raises(OSError, match="down"):
            await errands.run(Errand("a", work), "1")
        assert work.runs == 2
        assert (errands._running, errands._gates) == ({}, {})

    asyncio.run(story())


def test_one_accounts_issuers_leave_threads_to_others() -> None:
    async def story() -> None:
        errands = Errands()
        hostile = [Work() for _ in range(THREADS * 3)]
        held = [
            asyncio.ensure_future(errands.run(Errand(f"evil {number}", work), "evil"))
            for number, work in enumerate(hostile)
        ]
        for work in hostile[:SHARE]:
            await begun(work)
        other = Work()
        other.go_on.set()
        await asyncio.wait_for(errands.run(Errand("good", other), "good"), SECONDS)
        assert other.runs == 1
        assert sum(work.runs for work in hostile) == SHARE
        for work in hostile:
            work.go_on.set()
        await asyncio.wait_for(asyncio.gather(*held), SECONDS)
        assert [work.runs for work in hostile] == [1] * len(hostile)
        assert (errands._running, errands._gates) == ({}, {})

    asyncio.run(story())


def test_an_errand_nobody_waits_for_any_more_is_finished_and_forgotten() -> None:
    async def story() -> None:
        errands, work = Errands(), Work(OSError("down"))
        waiting = asyncio.ensure_future(errands.run(Errand("a", work), "1"))
        await begun(work)
        waiting.cancel()
        running = errands._running["a"]
        work.go_on.set()
        await asyncio.wait([running], timeout=SECONDS)
        await asyncio.sleep(0)
        assert (errands._running, errands._gates) == ({}, {})

    asyncio.run(story())

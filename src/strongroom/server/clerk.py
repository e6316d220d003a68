"""The clerk: the process that reads the trail, once it is written, and makes something of it.

The ledger, the index, and the sinks each follow it at their own pace. None of them is on the way of an
answer; the clerk yields the processor to all who are.
"""

from __future__ import annotations

import gc
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from strongroom.errors import IntegrityError
from strongroom.server.log import open_log
from strongroom.server.metering import PUBLISH_SECONDS, Family, Sample, publish, resident
from strongroom.server.troubles import Troubles
from strongroom.server.world import SystemClock
from strongroom.trail.feed import Feed, Progress, Restartable
from strongroom.trail.index.shards import INDEX
from strongroom.trail.index.writing import Index
from strongroom.trail.ledger import HOLD_SECONDS, LEDGER, Ledger
from strongroom.trail.sinks.addresses import SinkAddress
from strongroom.trail.sinks.sink import Sink

__all__ = ["GC_THRESHOLDS", "BooksCare", "Following", "run_clerk"]

TICK_SECONDS: Final = 0.2
PACE_SECONDS: Final = 1.0
FEW_RECORDS: Final = 200
BATCH_RECORDS: Final = 8_000
"""Under load a second's records are taken at once, which is cheaper: unless there are so many already."""
BOOKS_BYTES: Final = 16 * 1024 * 1024
NICENESS: Final = 10
TENDING_SECONDS: Final = 5.0
GC_THRESHOLDS: Final = (200_000, 20, 20)
"""A batch of records makes many small objects and no cycles."""
SINK_BYTES: Final = 512 * 1024
"""About how much a sink is given at once: what a failed delivery repeats."""


class Following:
    """Some followers that share a feed, on a thread of their own."""

    def __init__(
        self,
        name: str,
        trail: Path,
        followers: Sequence[Restartable],
        log: Any,
        *,
        limit: int | None = None,
        pace: float = 0.0,
        after: Callable[[Progress], None] | None = None,
    ) -> None:
        """`after` is called with what each `advance` came to, on the same thread. While records come in
        numbers, so many seconds (`pace`) lie between one step and the next, if nobody falls behind for it."""
        self._pace = pace
        self._after = after
        self._followers = tuple(followers)
        self._feed = Feed(trail, followers)
        self._limit = {} if limit is None else {"limit": limit}
        self._troubles = Troubles(log)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._lag: dict[str, int] = {}
        self._skipped: dict[str, int] = {}

    def start(self) -> None:
        self._thread.start()

    def stop(self, seconds: float) -> None:
        """Nothing more is offered to the followers; one that does not end in time is left behind."""
        self._stop.set()
        self._thread.join(seconds)

    def advance(self) -> Progress:
        """Offer the followers what is next, and tell of what went wrong."""
        progress = self._feed.advance(**self._limit)
        for name, error in progress.errors.items():
            self._troubles.failed(name, error)
        for name, lag in progress.lag.items():
            if name not in progress.errors and lag >= 0 and progress.taken:
                self._troubles.done(name)
        self._lag, self._skipped = dict(progress.lag), dict(progress.skipped)
        for follower in self._followers:
            if isinstance(progress.errors.get(follower.name), IntegrityError):
                # The trail was put back to an older state: its numbers mean other records from here on.
                follower.reset()
        if self._after is not None:
            self._after(progress)
        return progress

    def families(self) -> list[Family]:
        """Return what is to be known of the followers. May be called from another thread."""
        return [
            *self._troubles.families(),
            Family(
                "strongroom_trail_lag_records",
                "gauge",
                "Records on disk that a follower of the trail has not taken.",
                [Sample("", {"follower": name}, lag) for name, lag in self._lag.items()],
            ),
            Family(
                "strongroom_trail_skipped_records",
                "gauge",
                "Records that followers found missing or unreadable: see 'strongroom trail verify'.",
                [Sample("", {"slot": slot}, count) for slot, count in self._skipped.items()],
            ),
        ]

    def _run(self) -> None:
        while not self._stop.is_set():
            begun = time.monotonic()
            try:
                pause = self._pause(self.advance())
            except Exception as error:
                self._troubles.failed("following", error)
                pause = TICK_SECONDS
            self._stop.wait(max(0.0, begun + pause - time.monotonic()))
        self._feed.close()

    def _pause(self, progress: Progress) -> float:
        """Return how long after the beginning of one step the next is to begin."""
        if not progress.taken:
            return TICK_SECONDS
        if not self._pace or max(progress.lag.values(), default=0) >= BATCH_RECORDS:
            return 0.0
        return TICK_SECONDS if progress.taken < FEW_RECORDS else self._pace


class BooksCare:
    """Has the index packed now and then, and the ledger written. Called after each of the feed's steps."""

    def __init__(self, index: Index, ledger: Ledger | None = None) -> None:
        self._index = index
        self._ledger = ledger
        self._tend_at = 0.0

    def __call__(self, _: Progress) -> None:
        if self._ledger is not None:
            self._ledger.tend()
        if time.monotonic() >= self._tend_at:
            self._tend_at = time.monotonic() + TENDING_SECONDS
            self._index.tend()


def run_clerk(data_dir: Path, sinks: Sequence[SinkAddress], index_days: int, parent: int) -> None:
    """Follow the trail until SIGTERM, or until `parent` has gone. Call in a process of its own."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(NICENESS)
    gc.set_threshold(*GC_THRESHOLDS)
    log = open_log("clerk")
    trail = data_dir / "trail"
    opened: list[Sink] = []
    index = Index(data_dir / INDEX, SystemClock(), retention_days=index_days)
    ledger = Ledger.open(data_dir / LEDGER, hold_seconds=HOLD_SECONDS)
    books: list[Restartable] = [ledger, index]
    care = BooksCare(index, ledger)
    followings = [
        Following("books", trail, books, log, limit=BOOKS_BYTES, pace=PACE_SECONDS, after=care),
    ]
    for address in sinks:
        sink = address.open(data_dir / "index")
        if sink.is_new and not address.from_start:
            sink.begin_behind(trail)
        opened.append(sink)
        followings.append(Following(sink.name, trail, [sink], log, limit=SINK_BYTES))
    for each in followings:
        each.start()
    published_at = float("-inf")
    while not stop.wait(TICK_SECONDS) and os.getppid() == parent:
        if time.monotonic() >= published_at + PUBLISH_SECONDS:
            published_at = time.monotonic()
            families = [family for each in followings for family in each.families()]
            publish(data_dir, "clerk", [*families, resident("clerk")])
    deadline = time.monotonic() + 5.0
    for each in followings:
        each.stop(max(0.0, deadline - time.monotonic()))
    for sink in opened:
        sink.close()
    index.close()
    ledger.close()

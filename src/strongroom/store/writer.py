"""The one writer thread of a process: everybody's writes, in groups, one sync of the disk for each group."""

from __future__ import annotations

import datetime as dt
import fcntl
import os
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Generic, TypeVar

from strongroom.errors import ServiceUnavailableException
from strongroom.store.errors import BACKLOG, STOPPING, UNLOCKABLE, told
from strongroom.store.units import Writer

T = TypeVar("T")

Touch = tuple[str, str, dt.date]
"""(secret ARN, version id, day it was read)"""

_GROUP = 128
_BACKLOG = 10_000
_TOUCH_DELAY = 0.5
_TOUCH_GROUP = 256
_TOUCHES_WAITING = 100_000
_TOUCHES_REMEMBERED = 100_000
_CHANGES_KEPT = 50_000
_CHANGES_TRIM_EVERY = 5_000


@dataclass(frozen=True, slots=True)
class _Pending(Generic[T]):
    work: Callable[[Writer], T]
    future: Future[T]


@dataclass(frozen=True, slots=True)
class _Outcome:
    pending: _Pending[Any]
    result: Any = None
    error: BaseException | None = None

    def tell(self) -> None:
        if self.error is None:
            self.pending.future.set_result(self.result)
        else:
            self.pending.future.set_exception(self.error)


class Turnstile:
    """The right to write, passed around among the node's processes.

    Two locks: who waits for the right holds the place next in line, so that a process that gives the right
    back cannot take it again past one that waits.
    """

    def __init__(self, run: Path) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        self._next = os.open(run / "writer.next", flags, 0o600)
        try:
            self._writing = os.open(run / "writer.lock", flags, 0o600)
        except OSError:
            os.close(self._next)
            raise

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Waits for, and holds, the right to write. Raises OSError when the locks do not work."""
        fcntl.flock(self._next, fcntl.LOCK_EX)
        try:
            fcntl.flock(self._writing, fcntl.LOCK_EX)
        finally:
            fcntl.flock(self._next, fcntl.LOCK_UN)
        try:
            yield
        finally:
            fcntl.flock(self._writing, fcntl.LOCK_UN)

    def close(self) -> None:
        os.close(self._writing)
        os.close(self._next)


class WriterThread:
    """Runs works in the order they came. INVARIANT: a future is done only after its COMMIT has returned."""

    def __init__(self, unit: Writer, turnstile: Turnstile) -> None:
        self._unit = unit
        self._turnstile = turnstile
        self._queue: queue.SimpleQueue[_Pending[Any] | None] = queue.SimpleQueue()
        """None: something else than a work wants attention (the first touch, the stop)."""
        self._gate = threading.Lock()
        self._closed = False
        self._touched: set[Touch] = set()
        self._touches: list[Touch] = []
        self._touch_gate = threading.Lock()
        self._flush_at: float | None = None
        self._trimmed_at = 0
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._thread.start()

    @property
    def backlog(self) -> int:
        """How many works wait, roughly."""
        return self._queue.qsize()

    def submit(self, work: Callable[[Writer], T]) -> Future[T]:
        """Return the future of `work`; it fails with ServiceUnavailableException when the writer is closed
        or too much is waiting already."""
        future: Future[T] = Future()
        with self._gate:
            if not self._closed and self._queue.qsize() < _BACKLOG:
                self._queue.put(_Pending(work, future))
                return future
        future.set_exception(ServiceUnavailableException(STOPPING if self._closed else BACKLOG))
        return future

    def touch(self, secret_arn: str, version_id: str, day: dt.date) -> None:
        touch = (secret_arn, version_id, day)
        if touch in self._touched:
            return
        with self._touch_gate:
            if len(self._touched) >= _TOUCHES_REMEMBERED:
                self._touched = set()
            self._touched.add(touch)
            if len(self._touches) >= _TOUCHES_WAITING:
                return
            self._touches.append(touch)
            first = len(self._touches) == 1
        if first:
            self._queue.put(None)

    def close(self) -> None:
        """Waits until everything submitted and touched is on disk; later works are refused."""
        with self._gate:
            self._closed = True
            self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        try:
            while True:
                group = self._next_group()
                if group:
                    self._commit(group)
                elif self._closed and self._queue.empty():
                    break
                self._flush_touches()
            self._flush_touches(closing=True)
        finally:
            # Also when a bug ends the thread: nobody must wait for ever.
            with self._gate:
                self._closed = True
            self._refuse_waiting()

    def _next_group(self) -> list[_Pending[Any]]:
        """Return what waits now, at most a group of it; wait for something when nothing does."""
        group: list[_Pending[Any]] = []
        try:
            item = self._queue.get(timeout=self._patience())
            while True:
                if item is not None and item.future.set_running_or_notify_cancel():
                    group.append(item)
                if len(group) == _GROUP:
                    break
                item = self._queue.get_nowait()
        except queue.Empty:
            pass
        return group

    def _patience(self) -> float | None:
        if self._closed:
            return 0
        if not self._touches:
            return None
        if self._flush_at is None:
            self._flush_at = time.monotonic() + _TOUCH_DELAY
        return max(self._flush_at - time.monotonic(), 0)

    def _commit(self, group: list[_Pending[Any]]) -> None:
        """Run a group in one transaction, then tell each work's outcome."""
        outcomes: list[_Outcome] = []
        lost: BaseException | None = None
        try:
            with self._turnstile.turn():
                lost = self._transact(group, outcomes)
        except OSError as exc:
            # Taking the turn failed: nothing was begun. (The locks are released without fail.)
            lost = exc
        for at, pending in enumerate(group):
            # Each caller gets an exception of its own: a shared one would gather everybody's tracebacks.
            outcome = _Outcome(pending, error=_told(lost)) if lost is not None else outcomes[at]
            outcome.tell()

    def _transact(self, group: list[_Pending[Any]], outcomes: list[_Outcome]) -> BaseException | None:
        """Fill `outcomes` and commit. Return why the whole transaction is undone, if it is."""
        try:
            self._unit.begin()
            for pending in group:
                outcome = self._outcome(pending)
                outcomes.append(outcome)
                if not self._unit.in_transaction:
                    # The database undid everything on its own, the works before this one included.
                    self._unit.abandon()
                    return outcome.error
            self._trim_changes()
            self._unit.commit()
        except sqlite3.Error as exc:
            with suppress(sqlite3.Error):
                self._unit.abandon()
            return exc
        return None

    def _outcome(self, pending: _Pending[Any]) -> _Outcome:
        try:
            return _Outcome(pending, self._unit.run(pending.work))
        except sqlite3.Error as exc:
            return _Outcome(pending, error=_told(exc))
        except BaseException as exc:
            # Whatever it is, it belongs to the caller, who gets it from the future.
            return _Outcome(pending, error=exc)

    def _trim_changes(self) -> None:
        if self._unit.last_change - self._trimmed_at >= _CHANGES_TRIM_EVERY:
            self._unit.trim_changes(_CHANGES_KEPT)
            self._trimmed_at = self._unit.last_change

    def _flush_touches(self, *, closing: bool = False) -> None:
        """Write a group of what was touched, when it is time; all of it when `closing`."""
        while self._touches and (closing or self._is_time()):
            with self._touch_gate:
                touches = self._touches[:_TOUCH_GROUP]
                del self._touches[:_TOUCH_GROUP]
            done: Future[None] = Future()
            self._commit([_Pending(partial(_write_touches, touches), done)])
            if isinstance(done.exception(), ServiceUnavailableException):
                # Tried again, as long as memory for that lasts: no call fails because of a full disk here.
                with self._touch_gate:
                    self._touches[:0] = touches
                self._flush_at = time.monotonic() + _TOUCH_DELAY
                return
            if not closing:
                break
        if not self._touches:
            self._flush_at = None

    def _is_time(self) -> bool:
        return self._flush_at is not None and self._flush_at <= time.monotonic()

    def _refuse_waiting(self) -> None:
        while True:
            try:
                item = self._queue.get_nowait()
            except queue.Empty:
                return
            if item is not None and item.future.set_running_or_notify_cancel():
                item.future.set_exception(ServiceUnavailableException(STOPPING))


def _write_touches(touches: list[Touch], unit: Writer) -> None:
    for secret_arn, version_id, day in touches:
        unit.touch(secret_arn, version_id, day)


def _told(error: BaseException) -> BaseException:
    """Return what the caller is told, with `error` as its cause."""
    if isinstance(error, sqlite3.Error):
        answer: BaseException = told(error)
    elif isinstance(error, OSError):
        answer = ServiceUnavailableException(UNLOCKABLE)
    elif isinstance(error, ServiceUnavailableException):
        answer = ServiceUnavailableException(error.message)
    else:
        return error
    if answer is not error:
        answer.__cause__ = error
    return answer

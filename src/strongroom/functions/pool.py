"""The sandboxes of a runner: those at work, those that wait warm for their function, and the spares."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from strongroom.functions.confinement import Confinement
from strongroom.functions.limits import Limits
from strongroom.functions.places import Code, Places
from strongroom.functions.sandbox import Run, Sandbox

__all__ = ["Busy", "Pool"]

T = TypeVar("T")

TICK_SECONDS: Final = 1.0
CLOSE_SECONDS: Final = 20
PRELOADED: Final = frozenset(
    ("boto3", "botocore", "s3transfer", "jmespath", "urllib3", "dateutil", "six", "awscrt")
)
"""What spares have imported. Code that brings its own gets a sandbox that has not."""


class Busy(Exception):
    """All sandboxes are at work, or the pool is closed."""


@dataclass(frozen=True, slots=True)
class _Warm:
    """A sandbox that knows its function."""

    sandbox: Sandbox


class Pool:
    """At most `limits.sandboxes` at any time. Threads share it.

    One thread of its own starts them all, for the kernel ends a sandbox when the thread that started it ends.
    It looks after the idle ones too.
    """

    def __init__(self, open_room: Callable[[], tuple[Places, Confinement]], limits: Limits, log: Any) -> None:
        self._open_room = open_room
        self._limits = limits
        self._log = log
        self._room: tuple[Places, Confinement] | None = None
        self._changed = threading.Condition()
        self._idle: OrderedDict[int, tuple[str, Sandbox]] = OrderedDict()
        self._spares: list[Sandbox] = []
        self._alive: set[Sandbox] = set()
        self._ending: set[Sandbox] = set()
        self._places_taken = 0
        self._closed = False
        self._failed = False
        """What was expected could not be prepared."""
        self._called_at = 0.0
        self._works: queue.SimpleQueue[Callable[[], object] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def get(
        self,
        fingerprint: str,
        timeout_seconds: float,
        code: Code,
        layers: Sequence[Code],
        load: Callable[[Sandbox, Confinement], None],
    ) -> Sandbox:
        """Return a sandbox that has run this function before and is young enough, or a new one.

        A new one has the code, and was given to `load`.

        Raises:
            Busy, CodeError, OSError, StartError: there is none, or it does not start.
            RotationFault: functions are not run on this machine.
        """
        found = self._find(fingerprint, timeout_seconds)
        if isinstance(found, _Warm):
            return found.sandbox
        # Somebody waits for a new one: nothing is loaded into it that its function may not ask for.
        sandbox = found or self._on_thread(lambda: self._started(preload=False))
        try:
            room = self._opened()
            own = room[0].fill(sandbox.place, code, layers)
            if found is not None and self._limits.preload and own & PRELOADED:
                self.discard(sandbox)
                self._take_place()
                sandbox = self._on_thread(lambda: self._started(preload=False))
                room[0].fill(sandbox.place, code, layers)
            sandbox.ready()
            load(sandbox, room[1])
        except BaseException:
            self.discard(sandbox)
            raise
        return sandbox

    def keep(self, fingerprint: str, sandbox: Sandbox) -> None:
        """It waits for the next call of its function."""
        with self._changed:
            if not self._closed:
                self._idle[id(sandbox)] = (fingerprint, sandbox)
                self._changed.notify_all()
                return
        self.discard(sandbox)

    def discard(self, sandbox: Sandbox, run: Run | None = None) -> None:
        """No process of it is left, nor its files; its last words are in `run`."""
        with self._changed:
            if sandbox not in self._alive or sandbox in self._ending:
                return
            self._ending.add(sandbox)
        ended = sandbox.end(run)
        if ended and self._room is not None:
            self._room[0].give_back(sandbox.place)
        elif not ended:
            # Its user and its place stay taken: nobody else may get them.
            self._log.error("a sandbox could not be ended", place=str(sandbox.place.task.parent))
        with self._changed:
            self._ending.discard(sandbox)
            self._alive.discard(sandbox)
            self._places_taken -= 1
            self._changed.notify_all()

    def prepare(self) -> None:
        """A spare is being started, where there is none and place for one; returns at once."""
        with self._changed:
            self._called_at = time.monotonic()
            needed = len(self._spares) < self._limits.spares
        if needed:
            self._submit_expected(self._add_spare)

    def prepare_room(self) -> None:
        """What all sandboxes share is being made; returns at once."""
        if self._room is None:
            self._submit_expected(self._opened)

    def _submit_expected(self, work: Callable[[], object]) -> None:
        # What has failed once is left to the calls that need it, each of which is told why.
        if not self._failed:
            with contextlib.suppress(Busy):
                self._submit(work)

    def close(self) -> None:
        """No sandbox is left, and none can be had."""
        with self._changed:
            self._closed = True
            thread, self._thread = self._thread, None
            self._changed.notify_all()
        if thread is not None:
            self._works.put(None)
            thread.join()
        with self._changed:
            waiting = [sandbox for _, sandbox in self._idle.values()] + self._spares
            self._idle.clear()
            self._spares.clear()
            at_work = self._alive.difference(waiting)
        for sandbox in waiting:
            self.discard(sandbox)
        # Their files and channels are still in use, by who called them; those discard them now.
        for sandbox in at_work:
            sandbox.kill()
        with self._changed:
            self._changed.wait_for(lambda: not self._alive, CLOSE_SECONDS)
        if self._room is not None:
            self._room[0].close()

    def _young(self, sandbox: Sandbox, timeout_seconds: float) -> bool:
        return time.monotonic() - sandbox.loaded_at + timeout_seconds <= self._limits.age_seconds

    def _find(self, fingerprint: str, timeout_seconds: float) -> _Warm | Sandbox | None:
        """Return a warm sandbox of the function's, or a spare; None: a place for a new one is taken."""
        ends_at = time.monotonic() + self._limits.wait_seconds
        while True:
            with self._changed:
                self._called_at = time.monotonic()
                if self._closed:
                    raise Busy
                gone = self._without_dead()
                warm = self._warm(fingerprint, timeout_seconds)
                if not gone and warm is not None:
                    return _Warm(self._idle.pop(warm)[1])
                if not gone and self._spares:
                    return self._spares.pop()
                if not gone and self._places_taken < self._limits.sandboxes:
                    self._places_taken += 1
                    return None
                if not gone and self._idle:
                    # The one that has waited longest gives way.
                    gone = [self._idle.popitem(last=False)[1][1]]
                if not gone and not self._changed.wait(ends_at - time.monotonic()):
                    raise Busy
            for sandbox in gone:
                self.discard(sandbox)

    def _warm(self, fingerprint: str, timeout_seconds: float) -> int | None:
        """Return the key of the sandbox that was used last of those that may be used again."""
        fitting = (
            key
            for key, (of, sandbox) in reversed(self._idle.items())
            if of == fingerprint and self._young(sandbox, timeout_seconds)
        )
        return next(fitting, None)

    def _without_dead(self) -> list[Sandbox]:
        """Return those that have ended while they waited, which wait no more."""
        dead = [key for key, (_, sandbox) in self._idle.items() if not sandbox.alive()]
        ended = [self._idle.pop(key)[1] for key in dead]
        ended += [sandbox for sandbox in self._spares if not sandbox.alive()]
        self._spares = [sandbox for sandbox in self._spares if sandbox.alive()]
        return ended

    def _take_place(self) -> None:
        """There is place for one more sandbox, and it is taken. Raises Busy when there is none in time."""
        spare = self._find("", 0)
        if isinstance(spare, Sandbox):
            self.discard(spare)
            self._take_place()

    def _started(self, *, preload: bool) -> Sandbox:
        """Runs on the thread. The place among the sandboxes has been taken; it is given back on failure."""
        try:
            places, confinement = self._opened()
            place = places.take()
            try:
                sandbox = Sandbox(confinement, place, preload=preload)
            except BaseException:
                places.give_back(place)
                raise
        except BaseException:
            with self._changed:
                self._places_taken -= 1
                self._changed.notify_all()
            raise
        with self._changed:
            self._alive.add(sandbox)
            self._failed = False
        return sandbox

    def _opened(self) -> tuple[Places, Confinement]:
        """Runs on the thread first, and anywhere later."""
        if self._room is None:
            self._room = self._open_room()
        return self._room

    def _add_spare(self) -> None:
        """Runs on the thread."""
        with self._changed:
            if (
                self._closed
                or len(self._spares) >= self._limits.spares
                or self._places_taken >= self._limits.sandboxes
            ):
                return
            self._places_taken += 1
        sandbox = self._started(preload=self._limits.preload)
        with self._changed:
            self._spares.append(sandbox)

    def _look_after(self) -> None:
        """Runs on the thread: end what has been idle for long, or is too old for another call."""
        now = time.monotonic()
        with self._changed:
            ended = []
            for key, (_, sandbox) in tuple(self._idle.items()):
                if now - sandbox.used_at > self._limits.idle_seconds or not self._young(sandbox, 0):
                    ended.append(self._idle.pop(key)[1])
            if now - self._called_at > self._limits.spare_seconds:
                ended += self._spares
                self._spares.clear()
        for sandbox in ended:
            self.discard(sandbox)

    def _on_thread(self, work: Callable[[], T]) -> T:
        future: Future[T] = Future()

        def run() -> None:
            try:
                future.set_result(work())
            except BaseException as error:
                future.set_exception(error)

        self._submit(run)
        return future.result()

    def _submit(self, work: Callable[[], object]) -> None:
        with self._changed:
            if self._closed:
                raise Busy
            if self._thread is None:
                self._thread = threading.Thread(target=self._serve, name="sandboxes", daemon=True)
                self._thread.start()
        self._works.put(work)

    def _serve(self) -> None:
        while True:
            work: Callable[[], object] | None = self._look_after
            with contextlib.suppress(queue.Empty):
                work = self._works.get(timeout=TICK_SECONDS)
            if work is None:
                return
            try:
                work()
            except Exception as error:
                # What was asked for is tried again by the next call, which is told why it fails.
                self._failed = True
                self._log.warning("a sandbox could not be prepared", error=str(error))

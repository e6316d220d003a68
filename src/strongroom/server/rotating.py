"""Taking up what is due: which secrets are rotated now, how many at once, and how fast one after another."""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final

from strongroom.names import Arn
from strongroom.operations.call import Resources
from strongroom.operations.secretsmanager.rotation_view import counts
from strongroom.operations.secretsmanager.rotation_work import (
    Task,
    due,
    fail,
    proceed,
    put_back,
    release_others,
    take,
)
from strongroom.ports import Clock, ReadUnit, Store
from strongroom.secret.document import FaultKind, RotationFault
from strongroom.secret.runs import RotationDuty
from strongroom.server.metering import Family
from strongroom.server.rotation_memory import RunMemory
from strongroom.server.rotation_metrics import rotation_families
from strongroom.server.rotation_pace import AT_ONCE, COUNTED, pause_after
from strongroom.server.rotation_steps import RotationSteps, event_text

__all__ = ["REST_SECONDS", "THREADS", "TICK_SECONDS", "Rotations"]

THREADS: Final = 8
"""Secrets that are rotated at once. A quarter is kept from functions, and from attempts after one that has
failed: what hangs holds up nobody else's first attempt."""
TICK_SECONDS: Final = 0.02
REST_SECONDS: Final = 30.0
HUNG_SECONDS: Final = 1080.0
"""When a step has certainly outlived every deadline: the lease is about to end."""
RECOUNT_SECONDS: Final = 2.0
"""How often all that is due is counted, when there is much."""
_BUG: Final = "an error of this server's own; its log has more"


class Rotations:
    """Takes up what is due. `tick` is for one thread; the steps run on others."""

    def __init__(
        self,
        store: Store,
        resources: Resources,
        steps: RotationSteps,
        clock: Clock,
        owner: str,
        log: Any,
        threads: int = THREADS,
    ) -> None:
        self._store = store
        self._resources = resources
        self._steps = steps
        self._clock = clock
        self._owner = owner
        self._log = log
        self._threads = threads
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="rotation")
        self._running: dict[Arn, float] = {}
        """Secrets that are at work on, and since when."""
        self._doubtful: set[Arn] = set()
        """Those of them that may take long: by functions, or after an attempt that failed."""
        self._most_doubtful = threads - threads // 4
        self._resting: dict[Arn, float] = {}
        """Secrets whose records could not be read or written, and until when they are left alone."""
        self._failures: Counter[str] = Counter()
        """Attempts that failed, by the kind of fault."""
        self._gate = threading.Lock()
        self._seen_mark: int | None = None
        self._idle_until = 0.0
        self._begin_again = float("-inf")
        """No other rotation begins before."""
        self._pause = 0.0
        self._crowd = 0
        self._counted_at = float("-inf")
        self._stopping = threading.Event()
        store.write(partial(release_others, owner=owner, now=clock.now())).result()

    @property
    def running(self) -> int:
        return len(self._running)

    def tick(self) -> None:
        """What is due is begun, as far as there are threads for it and its pace allows."""
        moment = time.monotonic()
        with self._gate:
            free = self._threads - len(self._running)
        if free <= 0 or moment < self._begin_again:
            return
        found = self._store.read(self._due)
        for arn, doubtful in found:
            with self._gate:
                if len(self._running) >= self._threads or arn in self._running:
                    continue
                if doubtful and len(self._doubtful) >= self._most_doubtful:
                    continue
                self._running[arn] = time.monotonic()
                if doubtful:
                    self._doubtful.add(arn)
            try:
                self._pool.submit(self._rotate, arn)
            except RuntimeError:
                # The machine has no thread to give; it is due as before.
                self._done_with(arn)
                raise
            if self._pause > 0.0:
                # From the moment it might have begun: a tick that is late slows nothing down.
                behind = moment - self._begin_again
                self._begin_again = moment + self._pause - (behind if behind < self._pause else 0.0)
                return

    def families(self) -> list[Family]:
        """Return what is to be known of rotations. Looks at every secret that rotates."""
        now = self._clock.now()
        found = self._store.read(lambda unit: counts(unit, now))
        return rotation_families(found, self._failures, now)

    def hung(self) -> Arn | None:
        """Return a secret whose step has outlived every deadline."""
        now = time.monotonic()
        with self._gate:
            return next((arn for arn, since in self._running.items() if now > since + HUNG_SECONDS), None)

    def finish(self, seconds: float) -> bool:
        """No further step is begun. True when those under way ended within `seconds`."""
        self._stopping.set()
        self._pool.shutdown(wait=False, cancel_futures=True)
        deadline = time.monotonic() + seconds
        while self._running and time.monotonic() < deadline:
            time.sleep(TICK_SECONDS)
        return not self._running

    def _due(self, unit: ReadUnit) -> list[tuple[Arn, bool]]:
        """Return what is due and not begun, each with whether it may take long. As long as nothing was
        committed and no time has come, nothing is asked of the database."""
        mark = unit.mark
        if mark is not None and mark == self._seen_mark and time.monotonic() < self._idle_until:
            return []
        now = self._clock.now()
        moment = time.monotonic()
        self._resting = {arn: until for arn, until in self._resting.items() if until > moment}
        with self._gate:
            busy = self._running.keys() | self._resting.keys()
            full = len(self._doubtful) >= self._most_doubtful
        # What may not begin now must not hide what stands behind it.
        most = COUNTED if full else 2 * max(self._threads, AT_ONCE) + len(self._resting)
        idle = [each for each in due(unit, now, most) if each.secret_arn not in busy]
        told = [(each, _is_doubtful(unit, each)) for each in idle]
        told = [(each, doubtful) for each, doubtful in told if not (full and doubtful)]
        self._pause = self._pause_after(unit, [each for each, _ in told], now)
        waiting = [(each.secret_arn, doubtful) for each, doubtful in told]
        self._seen_mark = mark
        # Times of duties are looked at again after a short while, whatever is committed.
        self._idle_until = 0.0 if waiting else time.monotonic() + 10 * TICK_SECONDS
        return waiting

    def _pause_after(self, unit: ReadUnit, page: Sequence[RotationDuty], now: dt.datetime) -> float:
        """Return how long to wait after the first of the page has begun. They are counted now and then."""
        if len(page) <= AT_ONCE:
            return 0.0
        if time.monotonic() >= self._counted_at + RECOUNT_SECONDS:
            self._counted_at = time.monotonic()
            self._crowd = len(due(unit, now, COUNTED))
        late = (now - page[0].due_at).total_seconds()
        return pause_after(max(self._crowd, len(page)), late)

    def _rotate(self, arn: Arn) -> None:
        try:
            task, memory = self._write(take, arn, self._owner), RunMemory()
            while task is not None:
                if self._stopping.is_set():
                    return
                with self._gate:
                    self._running[arn] = time.monotonic()
                task = self._one(task, memory)
        except Exception as error:
            if self._stopping.is_set():
                return
            self._log.error("a rotation was interrupted", secret=arn, exc_info=error)
            self._resting[arn] = time.monotonic() + REST_SECONDS
            until = self._clock.now() + dt.timedelta(seconds=REST_SECONDS)
            # If this fails, too, its lease ends by itself.
            self._store.write(partial(put_back, secret_arn=arn, owner=self._owner, until=until))
        finally:
            self._done_with(arn)

    def _done_with(self, arn: Arn) -> None:
        with self._gate:
            self._running.pop(arn, None)
            self._doubtful.discard(arn)

    def _one(self, task: Task, memory: RunMemory) -> Task | None:
        """Do a step and record how it went; return the next."""
        try:
            self._steps.do(task, memory)
        except RotationFault as fault:
            # A step that is cut off by the end of the server has not failed: it is done again.
            if not self._stopping.is_set():
                self._fail(task, fault)
            return None
        except Exception as error:
            # SECURITY: what an unknown error says may hold a password; its type does not.
            self._log.error(
                "bug in a rotation step", secret=task.secret_arn, step=task.step, error=type(error).__name__
            )
            self._fail(task, RotationFault(FaultKind.TARGET, f"{type(error).__name__}: {_BUG}"))
            return None
        return self._write(proceed, task)

    def _fail(self, task: Task, fault: RotationFault) -> None:
        self._failures[fault.kind.value] += 1
        told = event_text(task, self._steps.function_arn(task), fault)
        self._log.error(
            "rotation failed",
            secret=task.secret_arn,
            step=task.step,
            attempt=task.attempt,
            reason=fault.message,
        )
        self._write(fail, task, fault, told)

    def _write(self, work: Callable[..., Task | None], *arguments: Any) -> Task | None:
        now = self._clock.now()
        return self._store.write(lambda unit: work(unit, self._resources, *arguments, now)).result()


def _is_doubtful(unit: ReadUnit, duty: RotationDuty) -> bool:
    """True for what may take long: a function does it, or the attempt before has failed."""
    if duty.run is not None and duty.run.failure is not None:
        return True
    secret = unit.secret(duty.secret_arn)
    return secret is not None and secret.rotation is not None and secret.rotation.function_arn is not None

"""One sandboxed process and the conversation with it. Everything that comes from it is mistrusted."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

from strongroom.functions.captive import Captive
from strongroom.functions.confinement import Confinement, Level, Place
from strongroom.functions.inside.frames import FRAME_BYTES, FrameError, FrameReader, frame
from strongroom.functions.limits import Limits
from strongroom.functions.processes import resident_bytes
from strongroom.functions.redaction import Redactor, values_of

__all__ = ["End", "Ending", "Run", "Sandbox", "StartError"]

_CHUNK: Final = 65536
_TICK_SECONDS: Final = 0.1
"""How often memory and temporary files are looked at."""
_SPILL_BYTES: Final = 160 * 1024
"""What is read beyond the output that is kept, so that a value at its end is seen whole and taken out."""
_LAST_CHUNKS: Final = 64
"""More than the kernel holds of what has been said and not been read."""
_RECEIVED_BYTES: Final = 3 * FRAME_BYTES
"""A call may say so much; what goes beyond is no function that answers."""


class StartError(Exception):
    """The sandbox did not come up; the message says what it said."""


class Ending(Enum):
    ANSWER = "answer"
    TIMED_OUT = "timed out"
    EXITED = "exited"
    MEMORY = "memory"
    """It took more memory, or more room for temporary files, than it may."""


@dataclass(frozen=True, slots=True)
class End:
    """How a call ended."""

    ending: Ending
    payload: str = ""
    failed: bool = False
    status: int | None = None
    """Exit status; negative for a signal."""


@dataclass(slots=True, repr=False)
class Run:
    """What is gathered of one call."""

    redactor: Redactor = field(default_factory=Redactor)
    output: bytearray = field(default_factory=bytearray)
    dropped: bool = False
    peak_bytes: int = 0
    received: int = 0
    look_at: float = 0
    """When memory is to be looked at again."""


class Sandbox:
    """A process that waits for calls of one function. One thread uses it at a time, and none after `end`."""

    def __init__(self, confinement: Confinement, place: Place, *, preload: bool) -> None:
        """It has been started; `ready` waits until it is up.

        INVARIANT: called on a thread that outlives the sandbox: the kernel ends the one with the other.
        """
        self.place = place
        self.started_at = time.monotonic()
        self.loaded_at = self.used_at = self.started_at
        self._limits: Limits = confinement.limits
        self._level = confinement.level
        self._frames = FrameReader()
        self._messages: list[dict[str, Any]] = []
        self._captive = Captive(confinement, place, preload=preload)

    def ready(self) -> None:
        """It is up and waits for its function. Raises StartError when it is not in time."""
        run, ends_at = Run(), self.started_at + self._limits.start_seconds
        self._captive.meet(self._limits.start_seconds)
        message = self._next(run, max(ends_at, time.monotonic() + 1), None)
        if not isinstance(message, dict) or message.get("kind") != "ready":
            said = bytes(run.output[-400:]).decode("utf-8", "replace").strip()
            raise StartError(said.splitlines()[-1] if said else "it did not answer")

    def load(self, handler: str, environment: Mapping[str, str], memory_mb: int) -> None:
        """It belongs to this function from now on."""
        self.loaded_at = time.monotonic()
        self._send(
            {
                "kind": "load",
                "handler": handler,
                "environment": dict(environment),
                "memory_mb": memory_mb,
            }
        )
        self._memory_bytes = memory_mb * 1024 * 1024
        self._loaded = False

    def call(self, request: dict[str, Any], timeout_seconds: float, run: Run) -> End:
        """Run the handler to its end. After any other end than an answer the sandbox has to be ended."""
        self.used_at = time.monotonic()
        self._captive.signal(signal.SIGCONT)
        try:
            self._send({"kind": "call", **request})
        except OSError:
            return self._exited(run)
        if not self._loaded:
            end = self._await("loaded", request, self._limits.load_seconds, run)
            if end is not None:
                return end
            self._loaded = True
        end = self._await("answer", request, timeout_seconds, run)
        self.used_at = time.monotonic()
        assert end is not None  # noqa: S101  # "answer" is always an end
        return end

    def rest(self) -> bool:
        """It stands still until the next call; False: it cannot be kept, other processes are left in it."""
        if len(self._captive.members()) != 1 or not self._captive.alive():
            return False
        self._captive.signal(signal.SIGSTOP)
        return True

    def alive(self) -> bool:
        """Say whether it has not ended by itself: the machine may have run out of memory."""
        return self._captive.alive()

    def kill(self) -> None:
        """It is told to end, whatever it does; any thread may say so. Whoever uses it sees it exit."""
        self._captive.kill()

    def end(self, run: Run | None = None) -> bool:
        """No process of it is left, and its channel is closed; False when one could not be ended.

        What it had said and printed by then is in `run`.
        """
        ended = self._captive.end()
        if run is not None:
            self._drain(run)
        self._captive.close()
        return ended

    def _drain(self, run: Run) -> None:
        """What it had said and printed before it ended is in `run`."""
        with contextlib.suppress(FrameError, OSError):
            for _ in range(_LAST_CHUNKS):
                self._messages += self._frames.feed(self._captive.channel.recv(_CHUNK))
        for message in self._messages:
            _take_values(message, run)
        self._messages.clear()
        self._read_rest(run)

    def _await(self, kind: str, request: dict[str, Any], seconds: float, run: Run) -> End | None:
        ends_at = time.monotonic() + seconds
        while True:
            message = self._next(run, ends_at, self._memory_bytes)
            if isinstance(message, End):
                return message
            if message.get("kind") == "values":
                _take_values(message, run)
            elif message.get("kind") == kind == "loaded":
                return None
            elif message.get("kind") == kind == "answer":
                return self._answer(message, request, run)
            else:
                return End(Ending.EXITED)

    def _answer(self, message: dict[str, Any], request: dict[str, Any], run: Run) -> End:
        payload, failed = message.get("payload"), message.get("failed")
        if (
            not isinstance(payload, str)
            or not isinstance(failed, bool)
            or message.get("request_id") != request["facts"]["request_id"]
        ):
            return End(Ending.EXITED)
        # What it printed before it answered has arrived: the answer went the other way later.
        self._read_rest(run)
        return End(Ending.ANSWER, payload, failed)

    def _next(self, run: Run, ends_at: float, memory_bytes: int | None) -> dict[str, Any] | End:
        """Return the next message, or how the process ended without one."""
        poll = select.poll()
        poll.register(self._captive.channel, select.POLLIN)
        poll.register(self._captive.output, select.POLLIN)
        while not self._messages:
            now = time.monotonic()
            if now >= ends_at:
                return End(Ending.TIMED_OUT)
            ready = dict(poll.poll(min(ends_at - now, _TICK_SECONDS) * 1000))
            if self._captive.output in ready and not self._read_output(run):
                poll.unregister(self._captive.output)  # closed by the function: no more of it
            if memory_bytes is not None and now >= run.look_at and self._too_large(memory_bytes, run):
                return End(Ending.MEMORY)
            if self._captive.channel.fileno() in ready:
                try:
                    data = self._captive.channel.recv(_CHUNK)
                    self._messages += self._frames.feed(data)
                except (OSError, FrameError):
                    return End(Ending.EXITED)
                run.received += len(data)
                if run.received > _RECEIVED_BYTES:
                    return End(Ending.EXITED)
                if not data:
                    return self._exited(run)
        return self._messages.pop(0)

    def _exited(self, run: Run) -> End:
        """Return how the process ended, once it has hung up."""
        status = self._captive.exit_status(1)
        self._drain(run)
        return End(Ending.EXITED, status=status)

    def _read_rest(self, run: Run) -> None:
        for _ in range(_LAST_CHUNKS):
            if not self._read_output(run):
                return

    def _read_output(self, run: Run) -> bool:
        """Take some of what it printed; False when there is nothing now or ever."""
        try:
            data = os.read(self._captive.output, _CHUNK)
        except OSError:
            return False
        room = self._limits.output_bytes + _SPILL_BYTES - len(run.output)
        run.output += data[: max(room, 0)]
        run.dropped = run.dropped or len(data) > room
        return bool(data)

    def _too_large(self, memory_bytes: int, run: Run) -> bool:
        run.look_at = time.monotonic() + _TICK_SECONDS
        members = self._captive.members()
        resident = resident_bytes(members)
        run.peak_bytes = max(run.peak_bytes, resident)
        return resident > memory_bytes or (
            self._level is not Level.JAIL and _size(self.place) > self._limits.temporary_bytes
        )

    def _send(self, message: dict[str, Any]) -> None:
        """Raises OSError when it does not take it."""
        data = memoryview(frame(message))
        ends_at = time.monotonic() + self._limits.start_seconds
        poll = select.poll()
        poll.register(self._captive.channel, select.POLLOUT)
        while data:
            try:
                data = data[self._captive.channel.send(data) :]
            except BlockingIOError:
                poll.poll(1000)
                if time.monotonic() > ends_at:
                    raise TimeoutError("the sandbox does not listen") from None


def _take_values(message: dict[str, Any], run: Run) -> None:
    values = message.get("values")
    if message.get("kind") == "values" and isinstance(values, list):
        run.redactor.add(part for value in values if isinstance(value, str) for part in values_of(value))


def _size(place: Place) -> int:
    total = 0
    for count, (directory, _, files) in enumerate(os.walk(place.temporary)):
        for name in files:
            with contextlib.suppress(OSError):
                total += os.lstat(os.path.join(directory, name)).st_blocks * 512  # noqa: PTH118  # many
        if count > 10_000:
            break
    return total

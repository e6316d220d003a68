"""One sandboxed process and the conversation with it. Everything that comes from it is mistrusted."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

from strongroom.functions.confinement import Confinement, Level, Place
from strongroom.functions.inside.frames import FRAME_BYTES, FrameError, FrameReader, frame
from strongroom.functions.limits import Limits
from strongroom.functions.processes import end_user, family, gone, resident_bytes, users_processes
from strongroom.functions.redaction import Redactor, values_of

__all__ = ["End", "Ending", "Run", "Sandbox", "StartError"]

_CHUNK: Final = 65536
_TICK_SECONDS: Final = 0.1
"""How often memory and temporary files are looked at."""
_END_SECONDS: Final = 5
_WARDEN_SECONDS: Final = 20
"""How long a warden may take to end what makes new processes all the time."""
_SPILL_BYTES: Final = 160 * 1024
"""What is read beyond the output that is kept, so that a value at its end is seen whole and taken out."""
_STOPPED_SIGNALS: Final = 128
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
        self.used_at = self.started_at
        self._limits: Limits = confinement.limits
        self._level = confinement.level
        self._frames = FrameReader()
        self._messages: list[dict[str, Any]] = []
        self._init: int | None = None
        self._init_fd: int | None = None
        ours, theirs = socket.socketpair()
        output, printed = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        os.set_blocking(printed, True)
        # From a jail comes who is first in it; what is no jail gets a leash.
        jailed = self._level is Level.JAIL
        side, other = os.pipe2(os.O_CLOEXEC)
        ours_of_pipe, passed = (side, other) if jailed else (other, side)
        ours.setblocking(False)
        self._channel, self._output = ours, output
        command = confinement.command(place, preload=preload, leash=None if jailed else passed)
        if jailed:
            command[1:1] = ["--info-fd", str(passed)]
        no_environment: dict[str, str] = {}
        try:
            self._process = subprocess.Popen(  # noqa: S603  # our own words
                command,
                stdin=theirs.fileno(),
                stdout=printed,
                stderr=printed,
                env=no_environment,
                cwd="/",
                close_fds=True,
                pass_fds=(passed,),
                start_new_session=True,
            )
        except OSError:
            ours.close()
            os.close(output)
            os.close(ours_of_pipe)
            raise
        finally:
            theirs.close()
            os.close(printed)
            os.close(passed)
        self._pipe = ours_of_pipe

    def ready(self) -> None:
        """It is up and waits for its function. Raises StartError when it is not in time."""
        run, ends_at = Run(), self.started_at + self._limits.start_seconds
        if self._level is Level.JAIL:
            self._init = self._read_info(ends_at)
            with contextlib.suppress(OSError):
                self._init_fd = None if self._init is None else os.pidfd_open(self._init)
        message = self._next(run, max(ends_at, time.monotonic() + 1), None)
        if not isinstance(message, dict) or message.get("kind") != "ready":
            said = bytes(run.output[-400:]).decode("utf-8", "replace").strip()
            raise StartError(said.splitlines()[-1] if said else "it did not answer")

    def load(self, handler: str, environment: Mapping[str, str], memory_mb: int) -> None:
        """It belongs to this function from now on."""
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
        self._signal(signal.SIGCONT)
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
        members = self._members()
        if len(members) != 1 or self._process.poll() is not None:
            return False
        self._signal(signal.SIGSTOP)
        return True

    def alive(self) -> bool:
        """Say whether it has not ended by itself: the machine may have run out of memory."""
        return self._process.poll() is None

    def kill(self) -> None:
        """It is told to end, whatever it does; any thread may say so. Whoever uses it sees it exit."""
        if self._level is not Level.JAIL:
            with contextlib.suppress(OSError):
                os.write(self._pipe, b"!")
            return
        with contextlib.suppress(OSError):
            os.killpg(self._process.pid, signal.SIGKILL)
        if self._init_fd is not None:
            with contextlib.suppress(OSError):
                signal.pidfd_send_signal(self._init_fd, signal.SIGKILL)

    def end(self, run: Run | None = None) -> bool:
        """No process of it is left, and its channel is closed; False when one could not be ended.

        What it had said and printed by then is in `run`.
        """
        self.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_END_SECONDS if self._level is Level.JAIL else _WARDEN_SECONDS)
        ended = self._process.poll() is not None
        if self._init_fd is not None:
            # The first process of a jail is gone only when all others are.
            ended = gone(self._init_fd, _END_SECONDS) and ended
            os.close(self._init_fd)
        elif self._level is not Level.JAIL:
            ended = self._end_without_warden() or ended
        if run is not None:
            self._drain(run)
        self._channel.close()
        os.close(self._output)
        os.close(self._pipe)
        return ended

    def _end_without_warden(self) -> bool:
        """What came anew too fast for the warden is ended; False: not for certain."""
        self._process.kill()
        self._process.wait()
        if self.place.user is None:
            return False
        end_user(self.place.user)
        return not users_processes(self.place.user)

    def _drain(self, run: Run) -> None:
        """What it had said and printed before it ended is in `run`."""
        with contextlib.suppress(FrameError, OSError):
            while data := self._channel.recv(_CHUNK):
                self._messages += self._frames.feed(data)
        for message in self._messages:
            _take_values(message, run)
        self._messages.clear()
        for _ in range(64):
            if not self._read_output(run):
                break

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
        for _ in range(64):
            if not self._read_output(run):
                break
        return End(Ending.ANSWER, payload, failed)

    def _next(self, run: Run, ends_at: float, memory_bytes: int | None) -> dict[str, Any] | End:
        """Return the next message, or how the process ended without one."""
        poll = select.poll()
        poll.register(self._channel, select.POLLIN)
        poll.register(self._output, select.POLLIN)
        while not self._messages:
            now = time.monotonic()
            if now >= ends_at:
                return End(Ending.TIMED_OUT)
            ready = dict(poll.poll(min(ends_at - now, _TICK_SECONDS) * 1000))
            if self._output in ready and not self._read_output(run):
                poll.unregister(self._output)  # closed by the function: no more of it
            if memory_bytes is not None and now >= run.look_at and self._too_large(memory_bytes, run):
                return End(Ending.MEMORY)
            if self._channel.fileno() in ready:
                try:
                    data = self._channel.recv(_CHUNK)
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
        try:
            status = self._process.wait(1)
        except subprocess.TimeoutExpired:
            return End(Ending.EXITED)
        self._drain(run)
        if status > _STOPPED_SIGNALS:
            status = _STOPPED_SIGNALS - status
        return End(Ending.EXITED, status=status)

    def _read_output(self, run: Run) -> bool:
        """Take some of what it printed; False when there is nothing now or ever."""
        try:
            data = os.read(self._output, _CHUNK)
        except OSError:
            return False
        room = self._limits.output_bytes + _SPILL_BYTES - len(run.output)
        run.output += data[: max(room, 0)]
        run.dropped = run.dropped or len(data) > room
        return bool(data)

    def _too_large(self, memory_bytes: int, run: Run) -> bool:
        run.look_at = time.monotonic() + _TICK_SECONDS
        members = self._members()
        resident = resident_bytes(members)
        run.peak_bytes = max(run.peak_bytes, resident)
        return resident > memory_bytes or (
            self._level is not Level.JAIL and _size(self.place) > self._limits.temporary_bytes
        )

    def _members(self) -> list[int]:
        """Return the processes of it that run, without the jail's own, or the warden."""
        first = self._process.pid if self._init is None else self._init
        return [pid for pid in family(first) if pid != first]

    def _signal(self, number: int) -> None:
        for pid in self._members():
            with contextlib.suppress(OSError):
                os.kill(pid, number)

    def _send(self, message: dict[str, Any]) -> None:
        """Raises OSError when it does not take it."""
        data = memoryview(frame(message))
        ends_at = time.monotonic() + self._limits.start_seconds
        poll = select.poll()
        poll.register(self._channel, select.POLLOUT)
        while data:
            try:
                data = data[self._channel.send(data) :]
            except BlockingIOError:
                poll.poll(1000)
                if time.monotonic() > ends_at:
                    raise TimeoutError("the sandbox does not listen") from None

    def _read_info(self, ends_at: float) -> int | None:
        """Return the first process inside the jail, as bubblewrap tells it."""
        text = b""
        poll = select.poll()
        poll.register(self._pipe, select.POLLIN)
        while b"}" not in text and time.monotonic() < ends_at and poll.poll(1000):
            data = os.read(self._pipe, 4096)
            if not data:
                break
            text += data
        with contextlib.suppress(ValueError, KeyError, TypeError):
            return int(json.loads(text)["child-pid"])
        return None


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

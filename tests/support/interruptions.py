"""Interrupting a rotation at one point: at a message to its target, or at a write to the store.

`Interruptions` counts the points a rotation comes to and stops it at the one that was asked for: the rotation
waits there, while `Interruptions.arm`'s function does whatever harm, or just looks.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path

from support.relays import HOST, SIZE, Relay, Way, pump

LATE_SECONDS = 20


@dataclass(frozen=True)
class Point:
    """The n-th message to the target, or the n-th write of a rotation: before it, or after it was carried out
    and before anybody has been told."""

    kind: str
    number: int
    after: bool

    def __str__(self) -> str:
        return f"{'after' if self.after else 'before'} {self.kind} {self.number}"


class Fate(Enum):
    """What becomes of a message, or of its answer, after it was stopped."""

    ON = auto()
    CUT = auto()
    """The connection breaks."""
    SILENT = auto()
    """It is lost, and the connection stays."""
    LATE = auto()
    """The target gets the message when its client has given up waiting."""


Act = Callable[[], Fate]
"""What is done at a point."""


class Interruptions:
    """The points of the rotation that runs now; one at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._point: Point | None = None
        self._act: Act = lambda: Fate.ON
        self._counts: Counter[tuple[str, bool]] = Counter()
        self.done = threading.Event()

    def arm(self, point: Point | None, act: Act = lambda: Fate.ON) -> None:
        """Count from now on; at `point`, once, call `act`."""
        with self._lock:
            self._counts.clear()
            self._point, self._act = point, act
            self.done.clear()

    def met(self) -> bool:
        """Tell whether the point was come to, once what was done there is done; nothing happens at it any more."""
        with self._lock:
            missed, self._point = self._point, None
        return missed is None and self.done.wait(LATE_SECONDS)

    def points(self) -> list[Point]:
        """Return all points that were come to, in no order."""
        with self._lock:
            return [
                Point(kind, number, after)
                for (kind, after), count in self._counts.items()
                for number in range(1, count + 1)
            ]

    def reached(self, kind: str, *, after: bool) -> Fate:
        """A rotation has come to a point: go on when this returns."""
        with self._lock:
            self._counts[kind, after] += 1
            if self._point != Point(kind, self._counts[kind, after], after):
                return Fate.ON
            self._point = None
        try:
            return self._act()
        finally:
            self.done.set()


class InterruptedRelay(Relay):
    """Passes bytes on to a target, and stops at each message of a client."""

    def __init__(self, port: int, interruptions: Interruptions) -> None:
        self._interruptions = interruptions
        super().__init__(port)

    def listen(self) -> None:
        """Take connections again, after `close`."""
        self._listener = socket.create_server((HOST, self.port))
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def _serve(self, client: socket.socket) -> None:
        with (
            client,
            contextlib.suppress(OSError),
            socket.create_connection((HOST, self._target), 10) as server,
        ):
            pump(client, server, lambda message: self._passes_between(message, client, server))

    def _passes_between(self, message: bytes, client: socket.socket, server: socket.socket) -> Way:
        fate = self._interruptions.reached("message", after=False)
        if fate is Fate.LATE and given_up(client):
            server.sendall(message)
            server.settimeout(LATE_SECONDS)
            server.recv(SIZE)
        if fate is not Fate.ON:
            return _WAYS[fate]
        server.sendall(message)
        readable, _, _ = select.select([server, client], [], [], LATE_SECONDS)
        if server not in readable:
            return Way.LOST
        answer = server.recv(SIZE)
        if not answer:
            return Way.END
        # INVARIANT: what has been answered has been carried out.
        fate = self._interruptions.reached("message", after=True)
        if fate is not Fate.ON:
            return _WAYS[fate]
        client.sendall(answer)
        return Way.LOST


_WAYS = {Fate.CUT: Way.END, Fate.SILENT: Way.LOST, Fate.LATE: Way.END}


def given_up(client: socket.socket) -> bool:
    """Wait until the client of a connection has ended it; False when it does not."""
    readable, _, _ = select.select([client], [], [], LATE_SECONDS)
    return bool(readable) and client.recv(1, socket.MSG_PEEK) == b""


@contextmanager
def interrupted_relay(port: int, interruptions: Interruptions) -> Iterator[InterruptedRelay]:
    made = InterruptedRelay(port, interruptions)
    try:
        yield made
    finally:
        made.close()


@contextmanager
def stops_at_writes(path: Path, interruptions: Interruptions) -> Iterator[None]:
    """Listen on `path` for the writes of a `support.interrupted_server`."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen(64)

    def answer(asking: socket.socket) -> None:
        with asking, contextlib.suppress(OSError):
            name, _, when = asking.recv(SIZE).decode().strip().partition(" ")
            if not name:
                return  # who was about to ask was killed
            interruptions.reached("write", after=when == "after")
            asking.sendall(b".")

    def accept() -> None:
        while True:
            try:
                asking, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=answer, args=(asking,), daemon=True).start()

    accepting = threading.Thread(target=accept, daemon=True)
    accepting.start()
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        accepting.join()
        os.unlink(path)

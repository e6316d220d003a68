"""Rotation functions that stop at points of their own, for a test to do harm to the very process they run in."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import socket
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from support.functions import packaged
from support.interruptions import Fate, Interruptions

POINTS = ("createSecret", "setSecret", "testSecret", "finishSecret")
"""Steps; where each stops, it has done the one thing that counts."""
HOST = "127.0.0.1"


def stopping(engine: str, strategy: str) -> bytes:
    """Return the zip file of a function as `packaged` makes it, that asks STOPS_AT at each point."""
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(packaged(engine, strategy))) as plain,
        zipfile.ZipFile(buffer, "w") as archive,
    ):
        for entry in plain.infolist():
            name = "rotation.py" if entry.filename == "lambda_function.py" else entry.filename
            archive.writestr(zipfile.ZipInfo(name), plain.read(entry), zipfile.ZIP_DEFLATED)
        before = Path(__file__).parent / "functions" / "stopping.py"
        archive.writestr(zipfile.ZipInfo("lambda_function.py"), before.read_bytes())
    return buffer.getvalue()


class Stops:
    """Where functions ask what to do. They go on, unless harm is done while they wait."""

    def __init__(self, interruptions: Interruptions) -> None:
        self._interruptions = interruptions
        self._listener = socket.create_server((HOST, 0))
        self.address = f"{HOST}:{self._listener.getsockname()[1]}"
        self._word = "go on"
        self._waiting: socket.socket | None = None
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def saying(self, word: str) -> Callable[[], Fate]:
        """Return the harm that the function does to itself when it is told `word`."""

        def harm() -> Fate:
            self._word = word
            return Fate.ON

        return harm

    def kill(self) -> Fate:
        """The process that waits is gone: the interpreter of the function, and nothing beside it."""
        assert self._waiting is not None
        os.kill(_process_of(self._waiting), signal.SIGKILL)
        # It hangs up as it goes.
        assert self._waiting.recv(1) == b""
        return Fate.CUT

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            point = connection.recv(64).decode().strip()
            assert point in POINTS
            self._word, self._waiting = "go on", connection
            self._interruptions.reached(point, after=True)
            connection.sendall(self._word.encode())


@contextmanager
def stops(interruptions: Interruptions) -> Iterator[Stops]:
    made = Stops(interruptions)
    try:
        yield made
    finally:
        made.close()


def _process_of(connection: socket.socket) -> int:
    """Return the process at the other end of a connection from this machine."""
    port = connection.getpeername()[1]
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    [inode] = [row[9] for row in rows if int(row[1].split(":")[1], 16) == port and row[3] == "01"]
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if any(os.readlink(fd) == f"socket:[{inode}]" for fd in (process / "fd").iterdir()):
                found.add(int(process.name))
    [pid] = found
    return pid

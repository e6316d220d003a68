"""Servers of others that tests start for themselves: as a lesser user, on a free port, gone afterwards."""

from __future__ import annotations

import ctypes
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PR_SET_PDEATHSIG = 1
START_SECONDS = 60


@dataclass(frozen=True)
class Runas:
    """Whom a server runs as: databases refuse root."""

    uid: int | None
    gid: int | None

    @classmethod
    def lesser(cls, name: str = "nobody") -> Runas:
        """Return the user `name` for root, and for anyone else themselves."""
        if os.geteuid() != 0:
            return cls(None, None)
        entry = pwd.getpwnam(name)
        return cls(entry.pw_uid, entry.pw_gid)

    def own(self, path: Path) -> Path:
        if self.uid is not None and self.gid is not None:
            os.chown(path, self.uid, self.gid)
        return path

    def run(self, command: Sequence[str | Path], **more: object) -> None:
        done = subprocess.run(  # type: ignore[call-overload]
            command, capture_output=True, text=True, check=False, **self.arguments(), **more
        )
        assert done.returncode == 0, f"{command[0]}: {done.stdout}{done.stderr}"

    def start(self, command: Sequence[str | Path], log: Path, **more: object) -> subprocess.Popen[bytes]:
        """Start a server that the kernel ends should this process die without a chance to."""
        libc = ctypes.CDLL(None)

        def die_with_parent() -> None:
            libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)

        with log.open("ab") as output:
            return subprocess.Popen(  # type: ignore[call-overload,no-any-return]
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                preexec_fn=die_with_parent,
                **self.arguments(),
                **more,
            )

    def arguments(self) -> Mapping[str, object]:
        if self.uid is None:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}


@contextmanager
def own_directory(runas: Runas, prefix: str) -> Iterator[Path]:
    """Give a directory the server's user may reach and nobody else can read; it is gone afterwards."""
    directory = Path(tempfile.mkdtemp(prefix=prefix))
    runas.own(directory)
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def await_answer(process: subprocess.Popen[bytes], log: Path, answers: Callable[[], bool]) -> None:
    """Return once the server answers; fail with its log when it ends instead."""
    end = time.monotonic() + START_SECONDS
    while not answers():
        assert process.poll() is None, f"it ended: {log.read_text(errors='replace')[-2000:]}"
        assert time.monotonic() < end, f"no answer: {log.read_text(errors='replace')[-2000:]}"
        time.sleep(0.02)


def stop(process: subprocess.Popen[bytes], how: signal.Signals = signal.SIGTERM) -> None:
    """End a server, hung or not."""
    if process.poll() is None:
        process.send_signal(signal.SIGCONT)
        process.send_signal(how)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

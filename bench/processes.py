"""Starting servers, knowing when they answer, how much memory they hold, and stopping them."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from load import Refused, send

START_SECONDS = 60
STOP_SECONDS = 30
POLL_SECONDS = 0.005


class Ended(Exception):
    """A server stopped by itself, or never answered; the message holds the end of its log."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Process:
    """A server in a process group of its own, its output in a file."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        self._log = log
        self.started_at = time.perf_counter()
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={"PATH": os.environ["PATH"], **environment},
                cwd=log.parent,
                start_new_session=True,
            )

    def until_answered(self, endpoint: str, request: bytes) -> float:
        """Ask until the answer is 200; return the seconds since the start. Raises Ended."""
        last = "it listens to nobody"
        while time.perf_counter() - self.started_at < START_SECONDS:
            if self._process.poll() is not None:
                raise Ended(f"ended with {self._process.returncode}: {self._log_end()}")
            try:
                send(endpoint, request)
                return time.perf_counter() - self.started_at
            except (OSError, EOFError, Refused) as error:
                last = str(error)
            time.sleep(POLL_SECONDS)
        raise Ended(f"no answer in {START_SECONDS} s ({last}): {self._log_end()}")

    def memory(self) -> list[float]:
        """Return the proportional set size (PSS) of the process and each below it, in MB, first itself."""
        return [_pss(pid) for pid in [self._process.pid, *_below(self._process.pid)]]

    def processor_seconds(self) -> float:
        """Return the processor time taken so far by the process and those below it."""
        return sum(_processor(pid) for pid in [self._process.pid, *_below(self._process.pid)])

    def stop(self) -> None:
        """End it gracefully, or by force when it does not listen."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.kill()

    def kill(self) -> None:
        """Kill the whole group at once, as a power cut would."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(STOP_SECONDS)

    def _log_end(self) -> str:
        return " | ".join(self._log.read_text(errors="replace").strip().splitlines()[-3:])[-400:]


def processor_of(pid: int, opened: str = "") -> float:
    """Return the processor seconds taken so far by a process and those below it; only by those that have a
    file open whose path has `opened` in it."""
    return sum(_processor(each) for each in [pid, *_below(pid)] if not opened or _has_open(each, opened))


def _has_open(pid: int, part: str) -> bool:
    for link in Path(f"/proc/{pid}/fd").iterdir():
        # One may be closed while one looks.
        with contextlib.suppress(FileNotFoundError):
            if part in str(link.readlink()):
                return True
    return False


def _below(pid: int) -> list[int]:
    """Return the children of a process, and theirs."""
    found: list[int] = []
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            # A thread may end while one looks.
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                for child in (task / "children").read_text().split():
                    found += [int(child), *_below(int(child))]
    return found


def _pss(pid: int) -> float:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == "Pss":
            return int(value.split()[0]) / 1024
    raise ValueError(f"process {pid} has no Pss")


def _processor(pid: int) -> float:
    # The name, in brackets, may hold anything; user and system time are the 14th and 15th field of all.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def machine_seconds() -> tuple[float, float]:
    """Return the processor time of the whole machine since it started: busy, and all of it."""
    fields = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    every = sum(fields)
    waiting = fields[3] + fields[4]
    ticks = os.sysconf("SC_CLK_TCK")
    return (every - waiting) / ticks, every / ticks


def own_seconds() -> float:
    """Return the processor time of this process and of those it has waited for, the load generator's."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)

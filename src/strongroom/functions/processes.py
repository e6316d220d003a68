"""The processes of a sandbox, as the kernel tells of them."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
from pathlib import Path
from typing import Final

__all__ = ["end_user", "family", "gone", "resident_bytes", "threads_of", "users_processes"]

_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
_END_ALL: Final = (
    "import os, signal, sys; u = int(sys.argv[1]); os.setgroups([]); os.setresgid(u, u, u); "
    "os.setresuid(u, u, u); os.kill(-1, signal.SIGKILL)"
)


def family(root: int) -> list[int]:
    """Return the process and all that descend from it; those whose parents have ended are not found."""
    found: list[int] = []
    waiting = [root]
    while waiting and len(found) < 4096:
        pid = waiting.pop()
        found.append(pid)
        with contextlib.suppress(OSError, ValueError):
            for task in Path(f"/proc/{pid}/task").iterdir():
                waiting += [int(child) for child in (task / "children").read_text().split()]
    return found


def users_processes(user: int) -> list[int]:
    """Return all processes of a user."""
    found = []
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            with contextlib.suppress(OSError, IndexError):
                # Not the owner of the directory: a process may make that root's.
                ids = Path(entry.path, "status").read_text().split("\nUid:", 1)[1].split("\n", 1)[0].split()
                if str(user) in ids:
                    found.append(int(entry.name))
    return found


def threads_of(pid: int) -> int:
    """Return how many threads the process has; none when it has ended."""
    with contextlib.suppress(OSError):
        return len(os.listdir(f"/proc/{pid}/task"))  # noqa: PTH208  # only their number is wanted
    return 0


def resident_bytes(pids: list[int]) -> int:
    """Return how much memory they have now, all together."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError, ValueError, IndexError):
            total += int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE
    return total


def gone(pidfd: int, seconds: float) -> bool:
    """Wait until the process has ended, and say whether it has."""
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(seconds * 1000))


def end_user(user: int) -> None:
    """No process of the user is left. For root.

    One that forks as fast as it can is caught too: the kernel sends to all of a user's processes at once.
    """
    for _ in range(100):
        if not users_processes(user):
            return
        with contextlib.suppress(subprocess.SubprocessError, OSError):
            subprocess.run(  # noqa: S603  # our own words
                [sys.executable, "-I", "-S", "-c", _END_ALL, str(user)],
                env={},
                stdin=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=10,
                check=False,
            )
    for pid in users_processes(user):
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)

"""Keeps a function's processes together where there is no jail that does."""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
from pathlib import Path
from typing import Final

__all__ = ["stand"]

_PR_SET_CHILD_SUBREAPER: Final = 36
_POLL_MILLISECONDS: Final = 500
_SIGNALLED: Final = 128


def stand(leash: int) -> None:
    """Return in a new process, of which this one is the warden from now on.

    The warden ends when that process has ended, or when something is heard from `leash` or its other end is
    closed: then every process that came from it is ended, whatever sessions and parents they have by then.
    It runs nothing of the function's, and cannot be reached by it.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")
    child = os.fork()
    if child == 0:
        os.close(leash)
        return
    try:
        status = _watch(child, leash)
    finally:
        # Nothing above this may run a second time.
        os._exit(status if "status" in locals() else 1)


def _watch(child: int, leash: int) -> int:
    null = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(null, number)
    poll = select.poll()
    poll.register(leash, select.POLLIN)
    poll.register(os.pidfd_open(child), select.POLLIN)
    status = None
    while status is None and leash not in dict(poll.poll(_POLL_MILLISECONDS)):
        status = _reaped(child)
    return _end_all(child, status)


def _reaped(child: int) -> int | None:
    """Take in those that have ended; return the child's exit status if it is among them."""
    status = None
    with contextlib.suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            if ended[0] == child:
                code = os.waitstatus_to_exitcode(ended[1])
                status = code if code >= 0 else _SIGNALLED - code
    return status


def _end_all(child: int, status: int | None) -> int:
    while True:
        family = _family()
        # First they stand still, so that none makes another while it is ended.
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for pid in family:
                with contextlib.suppress(OSError):
                    os.kill(pid, number)
        try:
            pid, how = os.waitpid(-1, 0)
        except ChildProcessError:
            return _SIGNALLED + signal.SIGKILL if status is None else status
        if pid == child and status is None:
            code = os.waitstatus_to_exitcode(how)
            status = code if code >= 0 else _SIGNALLED - code


def _family() -> list[int]:
    found: list[int] = []
    waiting = [os.getpid()]
    while waiting:
        with contextlib.suppress(OSError, ValueError):
            for task in Path(f"/proc/{waiting.pop()}/task").iterdir():
                children = [int(pid) for pid in (task / "children").read_text().split()]
                found += children
                waiting += children
    return found

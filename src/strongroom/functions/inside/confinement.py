"""What the process gives up before it meets the function's code: its user, new privileges, resources."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
from typing import Any, Final

from .landlock import enter

__all__ = ["confine", "limit_memory"]

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_DUMPABLE: Final = 4
_PR_SET_NO_NEW_PRIVS: Final = 38
MEBIBYTE: Final = 1024 * 1024
DATA_SLACK_MB: Final = 64
"""So much more data than its memory limit a process may have: the watch over resident memory is exact."""
ADDRESS_SLACK_MB: Final = 2048


def confine(config: dict[str, Any], parent: int | None) -> None:
    """The process has the user, the limits and the rights that `config` names, and no way back.

    It ends with the process `parent`, if one is given.

    Raises:
        OSError: one of them could not be had; nothing may run then.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_NOFILE, config["nofile"])
    _limit(resource.RLIMIT_FSIZE, config["file_bytes"])
    _limit(resource.RLIMIT_CPU, config["cpu_seconds"])
    _limit(resource.RLIMIT_NPROC, config["processes"])
    if config["user"] is not None:
        os.setgroups([])
        os.setresgid(config["user"], config["user"], config["user"])
        os.setresuid(config["user"], config["user"], config["user"])
        # The change of user has taken /proc/self away from it; nothing of another user's is in its memory.
        _control(libc, _PR_SET_DUMPABLE, 1)
    _control(libc, _PR_SET_NO_NEW_PRIVS, 1)
    if parent is not None:
        # After the change of user, which would have cleared it.
        _control(libc, _PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            raise OSError("the warden has gone")
    if config["fence"] is not None:
        enter(config["fence"]["read"], config["fence"]["write"])
    os.umask(0o077)


def limit_memory(memory_mb: int) -> None:
    """No process of the sandbox gets much more memory of its own than `memory_mb`."""
    _limit(resource.RLIMIT_DATA, (memory_mb + DATA_SLACK_MB) * MEBIBYTE)
    _limit(resource.RLIMIT_AS, (memory_mb + ADDRESS_SLACK_MB) * MEBIBYTE)


def _limit(which: int, value: int) -> None:
    _, hard = resource.getrlimit(which)
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(which, (value, value))


def _control(libc: ctypes.CDLL, option: int, value: int) -> None:
    if libc.prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")

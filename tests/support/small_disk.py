"""A file system of a few megabytes that only one process and its children see."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from pathlib import Path

_NEW_NAMESPACE = 0x00020000
_NEW_USER = 0x10000000
_PRIVATE = (1 << 18) | (1 << 14)


def mounted(place: Path, size: str) -> Callable[[], None]:
    """Return what a new process has to call to have an empty disk of `size` at `place`, an existing directory.

    It raises OSError where the system does not allow that.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    user, group = os.getuid(), os.getgid()

    def checked(code: int) -> None:
        if code != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))

    def mount() -> None:
        checked(libc.unshare(_NEW_NAMESPACE | (_NEW_USER if user else 0)))
        if user:
            Path("/proc/self/setgroups").write_text("deny")
            Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
            Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
        checked(libc.mount(b"none", b"/", None, ctypes.c_ulong(_PRIVATE), None))
        options = f"size={size},mode=0700".encode()
        checked(libc.mount(b"tmpfs", bytes(place), b"tmpfs", ctypes.c_ulong(0), options))

    return mount


def can_mount(place: Path) -> bool:
    """True where this system lets a process have a disk of its own."""
    child = os.fork()
    if child == 0:
        try:
            mounted(place, "1m")()
        except OSError:
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0

"""Disks that are small, or read-only, for one process and its children alone."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from pathlib import Path

_NEW_NAMESPACE = 0x00020000
_NEW_USER = 0x10000000
_PRIVATE = (1 << 18) | (1 << 14)
_READ_ONLY, _REMOUNT, _BIND = 1, 1 << 5, 1 << 12

_libc = ctypes.CDLL(None, use_errno=True)


def mounted(place: Path, size: str) -> Callable[[], None]:
    """Return what a new process has to call to have an empty disk of `size` at `place`, an existing directory.

    It raises OSError where the system does not allow that.
    """

    def mount() -> None:
        _leave_the_others()
        _mount(b"tmpfs", place, 0, f"size={size},mode=0700".encode())

    return mount


def read_only(place: Path) -> Callable[[], None]:
    """Return what a new process has to call to see `place` and all below it, which cannot be changed then.

    It raises OSError where the system does not allow that.
    """

    def mount() -> None:
        _leave_the_others()
        _mount(bytes(place), place, _BIND)
        _mount(b"none", place, _BIND | _REMOUNT | _READ_ONLY)

    return mount


def _leave_the_others() -> None:
    """What this process mounts from now on is seen by it and its children only."""
    user, group = os.getuid(), os.getgid()
    _checked(_libc.unshare(_NEW_NAMESPACE | (_NEW_USER if user else 0)))
    if user:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    _mount(b"none", Path("/"), _PRIVATE)


def _mount(source: bytes, place: Path, flags: int, options: bytes | None = None) -> None:
    kind = b"tmpfs" if source == b"tmpfs" else None
    _checked(_libc.mount(source, bytes(place), kind, ctypes.c_ulong(flags), options))


def _checked(code: int) -> None:
    if code != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


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

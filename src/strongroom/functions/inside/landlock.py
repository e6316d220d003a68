"""Landlock: what a process may reach of the file system and of other processes, given up for good.

Source: the kernel's documentation, "Landlock: unprivileged access control", and its header landlock.h.
"""

from __future__ import annotations

import ctypes
import os
import stat
from collections.abc import Iterable
from typing import Final

__all__ = ["enter", "version"]

_CREATE_RULESET: Final = 444
_ADD_RULE: Final = 445
_RESTRICT_SELF: Final = 446
_ASK_VERSION: Final = 1
_PATH_BENEATH: Final = 1

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_MAKE_CHAR, _MAKE_BLOCK = 1 << 6, 1 << 11
_REFER, _TRUNCATE, _IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
_OF_FILES: Final = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV
_READ: Final = _EXECUTE | _READ_FILE | _READ_DIR
_SCOPED: Final = 0b11
"""Abstract sockets and signals: only within what is shut in together."""


class _Ruleset(ctypes.Structure):
    _fields_ = (
        ("handled_access_fs", ctypes.c_uint64),
        ("handled_access_net", ctypes.c_uint64),
        ("scoped", ctypes.c_uint64),
    )


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed_access", ctypes.c_uint64), ("parent_fd", ctypes.c_int32))


def version() -> int:
    """Return the kernel's version of Landlock; 0 where there is none."""
    libc = ctypes.CDLL(None, use_errno=True)
    return max(int(libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(_ASK_VERSION))), 0)


def enter(read: Iterable[str], write: Iterable[str]) -> None:
    """This process, and all that come from it, may reach only what lies below these paths.

    From version 6 on they also signal, and speak by abstract sockets to, nobody outside; of any version, they
    trace nobody outside. Needs no_new_privs. Nothing happens where there is no Landlock.

    Raises:
        OSError: the kernel has it and refuses.
    """
    known = version()
    if known == 0:
        return
    libc = ctypes.CDLL(None, use_errno=True)
    handled = _handled(known)
    ruleset = _Ruleset(handled, 0, _SCOPED if known >= 6 else 0)
    size = 24 if known >= 6 else 16 if known >= 4 else 8
    descriptor = _call(
        libc, _CREATE_RULESET, ctypes.byref(ruleset), ctypes.c_size_t(size), ctypes.c_uint32(0)
    )
    try:
        for path in read:
            _allow(libc, descriptor, path, _READ & handled)
        for path in write:
            _allow(libc, descriptor, path, handled & ~_MAKE_CHAR & ~_MAKE_BLOCK)
        _call(libc, _RESTRICT_SELF, ctypes.c_int(descriptor), ctypes.c_uint32(0))
    finally:
        os.close(descriptor)


def _handled(known: int) -> int:
    handled = (1 << 13) - 1
    if known >= 2:
        handled |= _REFER
    if known >= 3:
        handled |= _TRUNCATE
    if known >= 5:
        handled |= _IOCTL_DEV
    return handled


def _allow(libc: ctypes.CDLL, ruleset: int, path: str, access: int) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
            access &= _OF_FILES
        rule = _PathBeneath(access, descriptor)
        arguments = (
            ctypes.c_int(ruleset),
            ctypes.c_int(_PATH_BENEATH),
            ctypes.byref(rule),
            ctypes.c_uint32(0),
        )
        _call(libc, _ADD_RULE, *arguments)
    finally:
        os.close(descriptor)


def _call(libc: ctypes.CDLL, number: int, *arguments: object) -> int:
    result = int(libc.syscall(number, *arguments))
    if result < 0:
        raise OSError(ctypes.get_errno(), "landlock")
    return result

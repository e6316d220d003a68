"""Reading a plain segment between two writings of its owner, not in the middle of one."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

__all__ = ["undisturbed"]


@contextmanager
def undisturbed(file: IO[bytes]) -> Iterator[bool]:
    """Gives False while the owner of an open plain segment writes several records of which all count or none;
    with True, it does not begin to as long as this lasts, which should not be long."""
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        yield False
        return
    try:
        yield True
    finally:
        fcntl.flock(file, fcntl.LOCK_UN)

"""A number all processes of a node see, which tells readers that nothing was committed since they looked.

Reading it costs a memory access, where asking the database costs a statement. It never stands in for the
database: whenever it has moved, or says that a commit is under way, `PRAGMA data_version` decides.
"""

from __future__ import annotations

import mmap
import os
from pathlib import Path

__all__ = ["Beacon"]

FILE = "beacon"
_BYTES = 8


class Beacon:
    """Even: every commit that was begun has been announced. Odd: one is under way, or its process died in it.

    INVARIANT: only who holds the writer's turn moves it, to odd before COMMIT and to a new even number
    before the commit is acknowledged to anyone.
    """

    def __init__(self, run: Path) -> None:
        """Raises OSError when the file cannot be opened or mapped."""
        descriptor = os.open(run / FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            if os.fstat(descriptor).st_size < _BYTES:
                os.ftruncate(descriptor, _BYTES)
            self._memory = mmap.mmap(descriptor, _BYTES)
        finally:
            os.close(descriptor)
        self._number = memoryview(self._memory).cast("Q")

    def settled(self) -> int | None:
        """Return the number; None while a commit is under way, when the database itself must be asked."""
        number = self._number[0]
        return None if number & 1 else number

    def begin(self) -> None:
        """Readers ask the database from now on."""
        number = self._number[0]
        # After a process that died in a commit the number is odd already; it still must become another one.
        self._number[0] = number + 2 if number & 1 else number + 1

    def end(self) -> None:
        """What was committed, or undone, is what the database says; readers will notice once."""
        self._number[0] += 1

    def close(self) -> None:
        self._number.release()
        self._memory.close()

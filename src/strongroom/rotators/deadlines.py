"""How long a step may take, and how it ends when a target never answers."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from strongroom.secret.document import FaultKind, RotationFault

__all__ = ["CONNECT_SECONDS", "Deadline"]

CONNECT_SECONDS = 5.0
"""What one attempt to connect may take, as in the official templates (fact sheet rotation section 8)."""


class Deadline:
    """The instant by which a step has ended, one way or the other."""

    __slots__ = ("_end", "_seconds")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Return the seconds that are left, more than zero.

        Raises:
            RotationFault: none are.
        """
        left = self._end - time.monotonic()
        if left <= 0:
            raise self.fault()
        return left

    def is_over(self) -> bool:
        return time.monotonic() >= self._end

    def connect_seconds(self) -> float:
        """Return how long the next attempt to connect may take.

        Raises:
            RotationFault: no time is left.
        """
        return min(CONNECT_SECONDS, self.left())

    def fault(self) -> RotationFault:
        """Return what is raised when the time is up."""
        return RotationFault(
            FaultKind.UNREACHABLE, f"the target did not answer within {round(self._seconds, 1):g} seconds"
        )

    @contextmanager
    def ending(self, cut: Callable[[], None]) -> Iterator[Callable[[], bool]]:
        """Call `cut` from another thread if the block still runs when the time is up.

        Most drivers wait for an answer without bound; `cut` is to shut their socket down, which makes them
        fail. What the block is given tells whether that has happened.
        """
        late = threading.Event()

        def end() -> None:
            late.set()
            cut()

        timer = threading.Timer(self.left(), end)
        timer.daemon = True
        timer.start()
        try:
            yield late.is_set
        finally:
            timer.cancel()

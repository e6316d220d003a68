"""How fast rotations begin when many are due at once. Pure.

A rotation takes its share of the processor whenever it is done; how many seconds that is spread over decides
what is left meanwhile to those who read secrets.
"""

from __future__ import annotations

from typing import Final

__all__ = ["AT_ONCE", "COUNTED", "LONGEST_SECONDS", "SPREAD_SECONDS", "pause_after"]

AT_ONCE: Final = 8
"""So many begin without a pause: whoever rotates one secret, or a few, waits for nothing."""
SPREAD_SECONDS: Final = 110.0
"""Within this time all that is due has begun, if the machine can do it."""
LONGEST_SECONDS: Final = 0.22
COUNTED: Final = 1000
"""So many due at once, or more, are done as fast as the machine can: a pause would make them late."""


def pause_after(waiting: int, late_seconds: float) -> float:
    """Return the seconds between the beginning of a rotation and the next, when `waiting` more are due, the
    first of them for `late_seconds`."""
    if waiting <= AT_ONCE or waiting >= COUNTED:
        return 0.0
    return min(LONGEST_SECONDS, max(0.0, SPREAD_SECONDS - late_seconds) / waiting)

"""How much room the data directory's disk has left, and how long that lasts: told long before it ends.

A full disk stops every call, as none is answered without its record.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec

from strongroom.server.metering import Family, Sample

__all__ = ["SPACE", "SpaceState", "SpaceWatch", "read_space"]

SPACE: Final = "space.json"
"""In the directory `run`."""
LOOK_SECONDS: Final = 10.0
WINDOW_SECONDS: Final = 900.0
"""Over how long the rate is measured."""
SHORTEST_SECONDS: Final = 120.0
"""Measured over less than that, a rate says nothing."""
SHARES: Final = (0.20, 0.10, 0.05)
HOURS: Final = (24.0, 1.0)
"""What is left is warned of at these shares of the disk, or when it lasts no longer than that."""
REPEAT_SECONDS: Final = 3600.0


class SpaceState(msgspec.Struct, frozen=True, kw_only=True):
    """What was found at one look."""

    total_bytes: int
    free_bytes: int
    """That this process may use."""
    bytes_per_second: float
    """How fast the room goes; negative where it grows; 0 before that is known."""
    seconds_to_full: float | None
    """None: it does not get less."""
    level: int
    """0: there is room; 1, 2, 3: below 20, 10, 5 % of the disk, or 24 hours (1) or one (2) before the end."""


class SpaceWatch:
    """Looks at the disk now and then."""

    def __init__(
        self,
        data_dir: Path,
        log: Any,
        *,
        statvfs: Callable[[Path], os.statvfs_result] = os.statvfs,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._data_dir = data_dir
        self._log = log
        self._statvfs = statvfs
        self._monotonic = monotonic
        self._seen: deque[tuple[float, int]] = deque()
        self._told = (0, float("-inf"))
        """The level that was told last, and when."""
        self.state: SpaceState | None = None

    def look(self) -> float:
        """Find out how it stands, write that to `run/space.json`, and log when that became worse or well.

        Return in how many seconds to look again.

        Raises:
            OSError: it cannot be found out, or not be written.
        """
        found = self._statvfs(self._data_dir)
        self.state = self._state(found.f_blocks * found.f_frsize, found.f_bavail * found.f_frsize)
        self._tell(self.state)
        path = self._data_dir / "run" / SPACE
        unfinished = path.with_name(f"{SPACE}.new")
        unfinished.write_bytes(msgspec.json.encode(self.state))
        unfinished.replace(path)
        return LOOK_SECONDS

    def families(self) -> list[Family]:
        """Return what metrics say of it."""
        state = self.state
        if state is None:
            return []
        gauges = (
            ("strongroom_disk_bytes", "Size of the data directory's disk.", state.total_bytes),
            ("strongroom_disk_free_bytes", "Room left on it for the server.", state.free_bytes),
            (
                "strongroom_disk_seconds_to_full",
                "How long that lasts, as it went in the last minutes; absent while it does not get less.",
                state.seconds_to_full,
            ),
            ("strongroom_disk_level", "0: there is room; 1, 2, 3: ever less of it.", state.level),
        )
        return [
            Family(name, "gauge", text, [] if value is None else [Sample("", {}, value)])
            for name, text, value in gauges
        ]

    def _state(self, total: int, free: int) -> SpaceState:
        now = self._monotonic()
        self._seen.append((now, free))
        while self._seen[0][0] < now - WINDOW_SECONDS:
            self._seen.popleft()
        since, before = self._seen[0]
        rate = (before - free) / (now - since) if now - since >= SHORTEST_SECONDS else 0.0
        left = free / rate if rate > 0 else None
        by_share = sum(free < share * total for share in SHARES)
        by_time = 0 if left is None else sum(left < hours * 3600 for hours in HOURS)
        return SpaceState(
            total_bytes=total,
            free_bytes=free,
            bytes_per_second=rate,
            seconds_to_full=left,
            level=max(by_share, by_time),
        )

    def _tell(self, state: SpaceState) -> None:
        now, (level, at) = self._monotonic(), self._told
        if state.level > level or (state.level and now >= at + REPEAT_SECONDS):
            self._told = state.level, now
            self._log.warning(
                "the disk of the data directory runs full; when it is, every call is refused",
                free_bytes=state.free_bytes,
                free_percent=round(100 * state.free_bytes / max(1, state.total_bytes), 1),
                hours_left=None if state.seconds_to_full is None else round(state.seconds_to_full / 3600, 1),
                level=state.level,
            )
        elif not state.level and level:
            self._told = 0, now
            self._log.info("the disk of the data directory has room again", free_bytes=state.free_bytes)


def read_space(data_dir: Path) -> SpaceState | None:
    """Return what was found last; None when nothing was."""
    try:
        return msgspec.json.decode((data_dir / "run" / SPACE).read_bytes(), type=SpaceState)
    except (OSError, msgspec.MsgspecError):
        return None

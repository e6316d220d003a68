"""Telling the operator of what goes wrong again and again: once, and once when it is over."""

from __future__ import annotations

import time
from typing import Any, Final

from strongroom.server.metering import Family, Sample

__all__ = ["Troubles"]

TELLING_SECONDS: Final = 60.0
"""How often what goes on failing in the same way is told of at most."""


class Troubles:
    """What each duty of a process fails with. Not for several threads."""

    def __init__(self, log: Any) -> None:
        self._log = log
        self._troubles: dict[str, tuple[str, float]] = {}
        """What each failing duty fails with, and when that was told."""
        self._failures: dict[str, int] = {}
        """How often each duty has failed."""

    def failed(self, duty: str, error: Exception) -> None:
        """Log a failure, unless that would say what was said less than a minute ago."""
        self._failures[duty] = self._failures.get(duty, 0) + 1
        now, trouble = time.monotonic(), f"{type(error).__name__}: {error} ({error.__cause__})"
        told, at = self._troubles.get(duty, ("", 0.0))
        if trouble != told or now >= at + TELLING_SECONDS:
            self._troubles[duty] = trouble, now
            self._log.error("duty failed", duty=duty, exc_info=error)

    def done(self, duty: str) -> None:
        """Log that a duty that failed was done, if it did."""
        if self._troubles.pop(duty, None) is not None:
            self._log.info("duty done again", duty=duty)

    def families(self) -> list[Family]:
        return [
            Family(
                "strongroom_duty_failures",
                "counter",
                "How often a duty of a process beside the workers failed; it is tried again.",
                [Sample("_total", {"duty": duty}, count) for duty, count in self._failures.items()],
            ),
            Family(
                "strongroom_duty_failing",
                "gauge",
                "1 for a duty that failed when it was last tried.",
                [Sample("", {"duty": duty}, float(duty in self._troubles)) for duty in self._failures],
            ),
        ]

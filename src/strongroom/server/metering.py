"""What each process counts, and the file it tells the metrics process by.

Counting is done in plain numbers of the process's own; every few seconds they are written to
`<data-dir>/run/metrics/`. Nothing here knows a secret: labels are names of operations and of errors.
"""

from __future__ import annotations

import os
import time
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from contextlib import suppress
from itertools import accumulate
from pathlib import Path
from typing import Final, Literal

import msgspec

__all__ = [
    "PUBLISH_SECONDS",
    "Family",
    "Meter",
    "Published",
    "Sample",
    "clear_metrics",
    "metrics_directory",
    "publish",
    "resident",
]

PUBLISH_SECONDS: Final = 2.0
BOUNDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)
"""Seconds: the upper ends of the buckets of `strongroom_call_duration_seconds`."""


class Sample(msgspec.Struct, frozen=True, array_like=True):
    suffix: str
    """What is added to the family's name: `_total`, `_bucket`, …"""
    labels: Mapping[str, str]
    value: float


class Family(msgspec.Struct, frozen=True):
    """One metric with its samples, as Prometheus has it."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    samples: list[Sample]


class Published(msgspec.Struct, frozen=True):
    """What one process tells. Counters and histograms of several processes are added up; gauges count as
    long as their process goes on telling them."""

    families: list[Family]


class Meter:
    """Counts the calls of one process. Not for several threads."""

    def __init__(self) -> None:
        self._calls: dict[tuple[str, str, str], int] = {}
        self._durations: dict[tuple[str, str], list[int]] = {}
        self._seconds: dict[tuple[str, str], float] = {}

    def note(self, service: str, operation: str, outcome: str, seconds: float) -> None:
        """Count one call. `outcome` is `ok` or an error code; all three come from the models, so their number
        is bounded."""
        call = service, operation, outcome
        self._calls[call] = self._calls.get(call, 0) + 1
        place = service, operation
        counts = self._durations.get(place)
        if counts is None:
            counts = self._durations[place] = [0] * (len(BOUNDS) + 1)
            self._seconds[place] = 0.0
        counts[bisect_left(BOUNDS, seconds)] += 1
        self._seconds[place] += seconds

    def families(self) -> list[Family]:
        return [
            Family(
                "strongroom_calls",
                "counter",
                "Calls answered, by what came of them.",
                [
                    Sample("_total", {"service": service, "operation": operation, "outcome": outcome}, count)
                    for (service, operation, outcome), count in self._calls.items()
                ],
            ),
            Family(
                "strongroom_call_duration_seconds",
                "histogram",
                "From the last byte of a request to its answer.",
                [sample for place in self._durations for sample in self._histogram(place)],
            ),
        ]

    def _histogram(self, place: tuple[str, str]) -> Iterable[Sample]:
        labels = {"service": place[0], "operation": place[1]}
        counts = list(accumulate(self._durations[place]))
        for bound, count in zip((*map(str, BOUNDS), "+Inf"), counts, strict=True):
            yield Sample("_bucket", {**labels, "le": bound}, count)
        yield Sample("_count", labels, counts[-1])
        yield Sample("_sum", labels, self._seconds[place])


def resident(process: str) -> Family:
    """Return how much memory this process holds."""
    pages = int(Path("/proc/self/statm").read_text().split()[1]) if Path("/proc/self/statm").exists() else 0
    labels = {"process": process, "pid": str(os.getpid())}
    size = pages * os.sysconf("SC_PAGE_SIZE")
    return Family("strongroom_resident_bytes", "gauge", "Memory a process holds.", [Sample("", labels, size)])


def metrics_directory(data_dir: Path) -> Path:
    return data_dir / "run" / "metrics"


def clear_metrics(data_dir: Path) -> None:
    """What an earlier server told is gone. Call before any process of this one publishes."""
    directory = metrics_directory(data_dir)
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    for path in directory.iterdir():
        path.unlink()


def publish(data_dir: Path, process: str, families: list[Family]) -> None:
    """The metrics process reads these now, instead of what this process told before.

    Never raises: what cannot be told (a full disk) is told later.
    """
    path = metrics_directory(data_dir) / f"{process.replace(' ', '-')}-{os.getpid()}.json"
    with suppress(OSError):
        fresh = path.with_suffix(f".{time.monotonic_ns()}.new")
        fresh.write_bytes(msgspec.json.encode(Published(families)))
        fresh.replace(path)

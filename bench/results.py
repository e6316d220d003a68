"""What a run found."""

from __future__ import annotations

import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from load import Measured

SYNCS = 100


@dataclass
class Result:
    """One contender: every measurement, and what the probes found (None: not tried)."""

    name: str
    version: str = ""
    first_answer: str = ""
    failure: str | None = None
    starts: list[float] = field(default_factory=list)
    reads: list[Measured] = field(default_factory=list)
    writes: list[Measured] = field(default_factory=list)
    memory_idle: list[float] = field(default_factory=list)
    refuses_bad_credentials: bool | None = None
    survives_kill: bool | None = None
    in_clear: bool | None = None
    stores: bool | None = None


@dataclass
class Many:
    """strongroom with many secrets, beside one with few."""

    secrets: int
    failure: str | None = None
    small: list[Measured] = field(default_factory=list)
    large: list[Measured] = field(default_factory=list)
    starts: list[float] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)


@dataclass
class Run:
    seconds: int
    rounds: int
    secrets: int
    command: str
    results: list[Result] = field(default_factory=list)
    many: Many | None = None

    def add(self, name: str) -> Result:
        result = Result(name)
        self.results.append(result)
        return result

    def elsewhere(self) -> float:
        """Return the share of the processors that other work had while servers were measured."""
        every = [one.elsewhere for result in self.results for one in (*result.reads, *result.writes)]
        return statistics.mean(every) if every else 0.0

    def of(self, name: str) -> Result:
        return next(result for result in self.results if result.name == name)


def middle(measured: Sequence[Measured], what: Callable[[Measured], float]) -> float | None:
    """Return the median over the rounds; None when there was none."""
    return statistics.median(map(what, measured)) if measured else None


def machine() -> str:
    """Say what the run was made on, and how long its disk takes to flush."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    cores = len(os.sched_getaffinity(0))
    return (
        f"{model}, {cores} cores shared by servers and load generator, Linux {platform.release()}, "
        f"Python {platform.python_version()}; the disk takes {_sync_milliseconds():.1f} ms to flush 4 kB"
    )


def _sync_milliseconds() -> float:
    took = []
    with tempfile.TemporaryFile(dir=Path(__file__).parent, buffering=0) as file:
        for _ in range(SYNCS):
            start = time.perf_counter()
            file.write(bytes(4096))
            os.fsync(file.fileno())
            took.append((time.perf_counter() - start) * 1000)
    return statistics.median(took)

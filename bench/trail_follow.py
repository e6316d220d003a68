"""What following the trail costs a processor, a record: reading it, hashing it, the ledger, the index.

    .venv/bin/python -m bench.trail_follow [--records 300000] [--directory DIR]

The records are of reads of 2,000 secrets by 20 users, unless told otherwise.

Processor time, so that other load of the machine counts as little as can be: 10,000 records a second are
kept up with where the sum is well below 100 microseconds.
"""

from __future__ import annotations

import argparse
import gc
import random
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from bench.trail_index import Clock, event

from strongroom.server.clerk import GC_THRESHOLDS
from strongroom.trail.feed import FedRecord, Feed, Follower
from strongroom.trail.following import SlotReader
from strongroom.trail.index.writing import Index
from strongroom.trail.ledger import HOLD_SECONDS, Ledger
from strongroom.trail.segment import SegmentTrail


class Nobody:
    """Takes records and makes nothing of them."""

    name = "nobody"

    def __init__(self) -> None:
        self._positions: dict[str, int] = {}

    def positions(self) -> Mapping[str, int]:
        return self._positions

    def take(self, records: Sequence[FedRecord]) -> None:
        for record in records:
            self._positions[record.slot] = record.number


def write(trail: Path, count: int, secrets: int, users: int) -> None:
    chance = random.Random(3)
    trail.mkdir()
    slots = [SegmentTrail.open(trail, "api") for _ in range(2)]
    for begin in range(0, count, 2_000):
        numbers = range(begin, begin + 2_000)
        events = [
            (None, event(number, False, chance, secrets=secrets, user=chance.randrange(users)))
            for number in numbers
        ]
        slots[begin // 2_000 % 2].append_many(events)
    for slot in slots:
        slot.close()


def follow(trail: Path, *followers: Follower) -> None:
    feed = Feed(trail, followers)
    while feed.advance().taken:
        pass
    feed.close()


def read(trail: Path) -> None:
    """As the integration into the tree does."""
    for slot in sorted((trail / "segments").iterdir()):
        reader = SlotReader(slot)
        while reader.read(4 * 1024 * 1024):
            pass


def measure(what: str, count: int, work: Callable[[], None]) -> None:
    begun, used = time.perf_counter(), time.process_time()
    work()
    seconds, processor = time.perf_counter() - begun, time.process_time() - used
    print(
        f"{what:>24}: {processor / count * 1e6:6.1f} us of a processor a record ({seconds:.1f} s in all)",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=300_000)
    parser.add_argument("--secrets", type=int, default=2_000)
    parser.add_argument("--users", type=int, default=20)
    parser.add_argument("--directory", type=Path)
    chosen = parser.parse_args()
    gc.set_threshold(*GC_THRESHOLDS)
    with tempfile.TemporaryDirectory(dir=chosen.directory) as scratch:
        place = Path(scratch)
        trail = place / "trail"
        write(trail, chosen.records, chosen.secrets, chosen.users)
        measure("integration (hashing)", chosen.records, lambda: read(trail))
        measure("feed alone", chosen.records, lambda: follow(trail, Nobody()))
        index = Index(place / "index", Clock())
        measure("feed and index", chosen.records, lambda: follow(trail, index))
        index.close()
        (place / "ledgers").mkdir()
        ledger = Ledger.open(place / "ledgers" / "ledger.db", hold_seconds=HOLD_SECONDS)
        measure("feed and ledger", chosen.records, lambda: follow(trail, ledger))


if __name__ == "__main__":
    main()

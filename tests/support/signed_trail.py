"""A trail with everything in it that a trail can have: several slots and segments, some of them compressed, and
signed checkpoints; in a data directory with a real database, all made by the program itself."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from strongroom.audit.checkpoint import PublicKey
from strongroom.rootkey.held import HeldRootKey
from strongroom.server.world import SystemClock
from strongroom.store.outbox import trail_signer
from strongroom.store.room import DATABASE, Room
from strongroom.store.sqlite import SqliteStore
from strongroom.trail.examination import Known
from strongroom.trail.integration import Integrator
from strongroom.trail.layout import segment_files, slots
from strongroom.trail.retention import Retention
from strongroom.trail.segment import SegmentTrail
from support.entropies import SeededEntropy, pattern

ROOT_KEY = HeldRootKey(pattern("the root key of a signed trail", 32), SeededEntropy(1))
SLOTS = ("api-0", "api-1", "keeper")


@dataclass
class ShiftedClock:
    """The system's clock, some days on."""

    days: float = 0

    def now(self) -> dt.datetime:
        return SystemClock().now() + dt.timedelta(days=self.days)


class SignedTrail:
    """A trail that grows. Close it."""

    def __init__(self, data_dir: Path, *, max_bytes: int = 900) -> None:
        Room.create(data_dir).close()
        self.data_dir = data_dir
        self.path = data_dir / "trail"
        self.store = SqliteStore.open(data_dir)
        self.clock = ShiftedClock()
        self.integrator = Integrator(self.path, self.store, ROOT_KEY, self.clock, SeededEntropy(2))
        self._owners = {
            slot: SegmentTrail.open(self.path, slot.partition("-")[0], max_bytes=max_bytes) for slot in SLOTS
        }
        self.written = 0
        self.exported = 0

    def write(self, count: int) -> None:
        """Let each slot have so many records more."""
        for _ in range(count):
            for owner in self._owners.values():
                self.written += 1
                event = b'{"eventID":"event-%d","padding":"%s"}' % (self.written, b"x" * (self.written % 90))
                if owner.slot == "keeper":
                    self.exported += 1
                    owner.append_many([(self.exported, event)])
                else:
                    owner.append(event)

    def sign(self) -> None:
        assert self.integrator.advance(sign_now=True) == 0

    def keep(self, *, days: int | None = None) -> None:
        """Compress, and retire what is older than `days`."""
        retention = self.retention(days=days)
        while retention.advance():
            pass

    def retention(self, *, days: int | None = None) -> Retention:
        return Retention(self.path, self.store, ROOT_KEY, self.clock, keep_days=days)

    def age(self, days: float, segments: int) -> None:
        """Make the first segments of each slot so old."""
        at = (self.clock.now() - dt.timedelta(days=days)).timestamp()
        for slot in slots(self.path):
            for _, path in segment_files(slot)[:segments]:
                os.utime(path, (at, at))

    def known(self) -> Known:
        signer = trail_signer(self.data_dir / DATABASE)
        assert signer is not None
        return Known(self.exported, PublicKey(signer.name, signer.public_key), signer.newest)

    def names(self, slot: str = "api-0") -> list[str]:
        return sorted(path.name for path in (self.path / "segments" / slot).iterdir() if path.name != "lock")

    def close(self) -> None:
        for owner in self._owners.values():
            owner.close()
        self.store.close()


@contextmanager
def a_signed_trail(data_dir: Path) -> Iterator[SignedTrail]:
    trail = SignedTrail(data_dir)
    try:
        yield trail
    finally:
        trail.close()

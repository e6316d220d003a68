"""Checking a trail offline: is every record there, unaltered, in its place?

What the chain alone cannot show is that the newest records of a slot were cut off at the end of a line; that
takes a checkpoint kept elsewhere (docs/spec/audit-log.md, limits).
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from strongroom.trail.layout import FIRST_PREVIOUS, LOCK, Line, hash_line, parse_line, segment_files, slots

__all__ = ["Damage", "Verification", "verify_trail"]


@dataclass(frozen=True, slots=True)
class Damage:
    """The first thing in a slot that is not as it was written."""

    slot: str
    file: str
    line: int
    """In the file, from 1; 0 when the file as a whole is meant."""
    record: int
    """The number of the record that should stand there."""
    reason: str


@dataclass(frozen=True, slots=True)
class Verification:
    records: int
    """Whole records, up to the damage in slots that have any."""
    segments: int
    damages: tuple[Damage, ...]
    """At most one a slot: behind it nothing can be said."""

    @property
    def ok(self) -> bool:
        return not self.damages

    @property
    def first_damage(self) -> Damage | None:
        return self.damages[0] if self.damages else None


class _Found(Exception):
    def __init__(self, damage: Damage) -> None:
        super().__init__(damage.reason)
        self.damage = damage


@dataclass(slots=True)
class _Chain:
    """How far a slot has been followed."""

    slot: Path
    number: int = 0
    previous: str = FIRST_PREVIOUS
    outbox: int | None = None

    def damage(self, path: Path, line: int, reason: str) -> _Found:
        return _Found(Damage(self.slot.name, path.name, line, self.number + 1, reason))

    def take(self, path: Path, position: int, raw: bytes) -> None:
        line = parse_line(raw)
        if line is None:
            raise self.damage(path, position, "this is not a record as the program writes it")
        if line.number != self.number + 1:
            raise self.damage(path, position, _out_of_place(line, self.number + 1))
        if line.previous != self.previous:
            where = "the first record" if self.number == 0 else f"record {self.number}, or this one,"
            raise self.damage(path, position, f"the chain breaks: {where} was altered")
        if line.outbox is not None and self.outbox is not None and line.outbox != self.outbox + 1:
            raise self.damage(path, position, "records of writes are missing before this one")
        self.number, self.previous = line.number, hash_line(raw)
        self.outbox = line.outbox if line.outbox is not None else self.outbox


def verify_trail(trail: Path) -> Verification:
    """Return what is wrong with the trail in directory `trail`, if anything. Writes nothing.

    Each line is hashed as it stands on disk. The server may run meanwhile: half a line at the end of a slot
    that a process holds is one being written.
    """
    records = segments = 0
    damages = []
    for slot in slots(trail):
        chain = _Chain(slot)
        files = segment_files(slot)
        segments += len(files)
        try:
            _verify_slot(chain, files)
        except _Found as found:
            damages.append(found.damage)
        records += chain.number
    return Verification(records, segments, tuple(damages))


def _verify_slot(chain: _Chain, files: list[tuple[int, Path]]) -> None:
    for first, path in files:
        if first != chain.number + 1:
            missing = f"records {chain.number + 1} to {first - 1} are missing"
            reason = missing if first > chain.number else "the file's name does not fit its place"
            raise chain.damage(path, 0, reason)
        is_last = path == files[-1][1]
        for position, raw in enumerate(_lines(path), 1):
            if not raw.endswith(b"\n"):
                if is_last and _is_held(chain.slot):
                    return
                raise chain.damage(path, position, "the record is cut off")
            chain.take(path, position, raw[:-1])


def _lines(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield from file


def _is_held(slot: Path) -> bool:
    """True while a process writes the slot."""
    try:
        lock = os.open(slot / LOCK, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False


def _out_of_place(line: Line, expected: int) -> str:
    if line.number > expected:
        return f"record {expected} is missing: record {line.number} stands in its place"
    return f"record {line.number} stands here a second time, or out of order"

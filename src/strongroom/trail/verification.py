"""Checking a trail offline: is every record there, unaltered, in its place?

What is checked, and what a chain alone cannot show: docs/spec/trail.md, sections 6 and 7.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from strongroom.audit.retirement import Retired
from strongroom.errors import IntegrityError
from strongroom.trail.layout import (
    COMPRESSED,
    EXPORTED,
    FIRST_PREVIOUS,
    Line,
    format_opening,
    hash_line,
    is_compressed,
    open_segment,
    parse_line,
    segment_files,
    segment_name,
    slots,
)

__all__ = ["Damage", "Verification", "verify_trail"]


@dataclass(frozen=True, slots=True)
class Damage:
    """The first thing in a slot that is not as it was written."""

    slot: str
    file: str
    line: int
    """In the file, from 1; 0 when the file as a whole is meant."""
    record: int
    """The number of the record that should stand there; 0 when none is concerned."""
    reason: str


@dataclass(frozen=True, slots=True)
class Verification:
    records: int
    """Whole records, up to the damage in slots that have any."""
    segments: int
    unfinished: int
    """Slots that end with half a record: one being written, or one whose answer never left."""
    damages: tuple[Damage, ...]
    """At most one a slot: behind it nothing can be said."""
    retired: int = 0
    """Records that were deleted by policy, as a signed note says."""

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
    gone: Retired | None = None
    """The last record that was retired."""
    number: int = 0
    previous: str = FIRST_PREVIOUS
    """Empty where what came before is not there any more, and nothing is known of it."""
    outbox: int = 0
    """The last record of a write that came by; negative where that is not known."""
    begin: int = 0
    """The number it was followed from on."""
    first: str = ""
    """The hash of the slot's first record."""
    unfinished: bool = False

    def start(self, first: int) -> None:
        """Begin where the slot's first file does: behind what was retired, or, where a part of that is still
        to be deleted, with that."""
        if self.gone is None:
            return
        if first > self.gone.number:
            self.number, self.previous = self.gone.number, self.gone.line.hex()
            self.outbox = self.gone.write
        elif first > 1:
            self.number, self.previous, self.outbox = first - 1, "", -1
        self.begin = self.number

    def damage(self, path: Path, line: int, reason: str) -> _Found:
        return _Found(Damage(self.slot.name, path.name, line, self.number + 1, reason))

    def take(self, path: Path, position: int, raw: bytes) -> None:
        line = parse_line(raw)
        if line is None:
            raise self.damage(path, position, "this is not a record as the program writes it")
        if line.number != self.number + 1:
            raise self.damage(path, position, _out_of_place(line, self.number + 1))
        if self.previous and line.previous != self.previous:
            where = "this record" if self.number == 0 else f"record {self.number} before it, or this one,"
            raise self.damage(path, position, f"the chain breaks: {where} was altered")
        if line.outbox is not None and self.outbox >= 0 and line.outbox != self.outbox + 1:
            raise self.damage(path, position, _write_out_of_place(line.outbox, self.outbox + 1))
        previous = hash_line(raw)
        if self.gone is not None and line.number == self.gone.number and previous != self.gone.line.hex():
            raise self.damage(path, position, "this is not the record that was retired")
        self.number, self.previous = line.number, previous
        self.first = self.first or self.previous
        self.outbox = line.outbox or self.outbox


def verify_trail(
    trail: Path, *, exported: int = 0, retired: Mapping[str, Retired] | None = None
) -> Verification:
    """Return what is wrong with the trail in directory `trail`, if anything. Writes nothing.

    Each line is hashed as it stands on disk. `exported` is the number of the last record of a write that the
    database has given away (`store.outbox`), read before this is called: the trail must hold all up to it.
    `retired` says, by slot, up to which record a signed note lets it have none. The server may run meanwhile.
    """
    chains = [_Chain(slot, (retired or {}).get(slot.name)) for slot in slots(trail)]
    segments = 0
    damages: list[Damage] = []
    for chain in chains:
        files = segment_files(chain.slot)
        segments += len(files)
        try:
            _verify_slot(chain, files)
            if chain.slot.name == EXPORTED:
                _verify_exported(chain, files, exported)
        except _Found as found:
            damages.append(found.damage)
    damages += _copies(chains)
    if exported and all(chain.slot.name != EXPORTED for chain in chains):
        gone = (retired or {}).get(EXPORTED, Retired(0, b"", 0))
        reason = f"the slot is missing, and with it the records of writes {gone.write + 1} to {exported}"
        first = gone.number + 1
        damages.append(Damage(EXPORTED, segment_name(first), 0, first, reason))
    records = sum(chain.number - chain.begin for chain in chains)
    unfinished = sum(chain.unfinished for chain in chains)
    deleted = sum(chain.gone.number for chain in chains if chain.gone is not None)
    return Verification(records, segments, unfinished, tuple(damages), deleted)


def _verify_slot(chain: _Chain, files: list[tuple[int, Path]]) -> None:
    if files:
        chain.start(files[0][0])
    for first, path in files:
        if first != chain.number + 1:
            missing = f"records {chain.number + 1} to {first - 1} are missing before this file"
            reason = missing if first > chain.number else "the file's name does not fit its place"
            raise chain.damage(path, 0, reason)
        is_last = path == files[-1][1] and not is_compressed(path)
        position = 0
        try:
            _verify_forms(chain, path)
            for position, raw in enumerate(_lines(path), 1):
                if raw.endswith(b"\n"):
                    chain.take(path, position, raw[:-1])
                elif is_last and _is_beginning(raw, chain):
                    chain.unfinished = True
                else:
                    raise chain.damage(path, position, "the record is cut off")
        except IntegrityError as error:
            raise chain.damage(path, position + 1, str(error)) from error


def _verify_forms(chain: _Chain, path: Path) -> None:
    """A segment that is there plain and compressed, as after a crash, is the same in both."""
    compressed = path.with_name(path.name + COMPRESSED)
    if is_compressed(path) or not compressed.exists():
        return
    with suppress(FileNotFoundError), path.open("rb") as plain, open_segment(compressed) as other:
        if any(one != another for one, another in zip_longest(plain, other)):
            raise chain.damage(compressed, 0, "the compressed segment is not the same as the plain one")


def _is_beginning(raw: bytes, chain: _Chain) -> bool:
    """True when `raw` may be the first bytes of the record that was to come next."""
    opening = format_opening(chain.number + 1, chain.previous)
    return raw.startswith(opening) or opening.startswith(raw)


def _verify_exported(chain: _Chain, files: list[tuple[int, Path]], exported: int) -> None:
    if chain.outbox < exported:
        path = files[-1][1] if files else chain.slot / segment_name(1)
        reason = f"records of writes {chain.outbox + 1} to {exported} are missing at the end"
        raise chain.damage(path, 0, reason)


def _copies(chains: list[_Chain]) -> Iterator[Damage]:
    """Yield a damage for each slot that begins as another one does: no two records are alike."""
    seen: dict[str, str] = {}
    for chain in chains:
        if chain.first and chain.first in seen:
            original = seen[chain.first]
            yield Damage(
                chain.slot.name,
                segment_name(1),
                1,
                1,
                f"the slot is a copy of {original}, or {original} of it",
            )
        seen.setdefault(chain.first, chain.slot.name)


def _lines(path: Path) -> Iterator[bytes]:
    with open_segment(path) as file:
        yield from file


def _out_of_place(line: Line, expected: int) -> str:
    if line.number > expected:
        return f"record {expected} is missing: record {line.number} stands in its place"
    return f"record {line.number} stands here a second time, or out of order"


def _write_out_of_place(found: int, expected: int) -> str:
    if found > expected:
        return f"the records of writes {expected} to {found - 1} are missing before this one"
    return f"the record of write {found} stands here a second time"

"""Searching a directory's trail by several attributes at once: the index, and behind it what it lacks yet."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Final

from strongroom.audit.lookup import EventAttribute, EventEntry, parse_entry
from strongroom.trail.cursor import SlotCursor, last_number
from strongroom.trail.index.lookup import IndexReader, Span
from strongroom.trail.layout import slots

__all__ = ["Question", "search_trail", "unindexed"]

MAX_UNINDEXED: Final = 200_000
"""So many records that the index lacks are looked through one by one, which takes a second or two."""
READ_BYTES: Final = 4 * 1024 * 1024
_ORDER: Final = list(EventAttribute)


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be found: records of which all of this is true."""

    attributes: Collection[tuple[EventAttribute, str]] = ()
    account: str | None = None
    region: str | None = None
    span: Span = field(default_factory=Span)

    def fits(self, entry: EventEntry) -> bool:
        return (
            self.span.start <= entry.at <= self.span.end
            and self.account in (None, entry.account)
            and self.region in (None, entry.region)
            and all(entry.has(attribute, value) for attribute, value in self.attributes)
        )


def unindexed(trail: Path, positions: Mapping[str, int]) -> int:
    """Return how many records an index that has come so far lacks. Raises OSError."""
    return sum(max(0, last_number(slot) - positions.get(slot.name, 0)) for slot in slots(trail))


def search_trail(
    trail: Path, reader: IndexReader, question: Question, limit: int
) -> tuple[list[tuple[EventEntry, bytes]], int]:
    """Return the newest records that fit, newest first, up to `limit`; and how many were not searched.

    Records that the index lacks yet are looked through where they are few enough.

    Raises:
        ServiceUnavailableException: the index cannot be read.
        OSError: the trail cannot be read.
    """
    # Read before the index is asked: what it takes in meanwhile is found twice, and told once.
    positions = reader.positions()
    lacking = unindexed(trail, positions)
    newest: list[tuple[EventEntry, bytes]] = []
    if lacking <= MAX_UNINDEXED:
        found = _look_through(trail, positions, question)
        newest, lacking = heapq.nlargest(limit, found, key=lambda each: each[0].at), 0
    told = {(entry.account, entry.event_id) for entry, _ in newest}
    with closing(_indexed(reader, question)) as indexed:
        fresh = (each for each in indexed if (each[0].account, each[0].event_id) not in told)
        merged = heapq.merge(newest, fresh, key=lambda each: -each[0].at)
        return list(islice(merged, limit)), lacking


def _look_through(
    trail: Path, positions: Mapping[str, int], question: Question
) -> Iterator[tuple[EventEntry, bytes]]:
    for slot in slots(trail):
        with closing(SlotCursor(slot, positions.get(slot.name, 0))) as cursor:
            while records := cursor.read(READ_BYTES):
                for record in records:
                    entry = parse_entry(record.event)
                    if entry is not None and question.fits(entry):
                        yield entry, record.event


def _indexed(reader: IndexReader, question: Question) -> Generator[tuple[EventEntry, bytes]]:
    scopes = [
        (account, region)
        for account, region in reader.scopes()
        if question.account in (None, account) and question.region in (None, region)
    ]
    # The index is asked for the one that finds least; its records are asked for the others.
    first = min(question.attributes, key=lambda each: _ORDER.index(each[0]), default=None)
    with closing(reader.walk(scopes, first, question.span)) as found:
        for each in found:
            if question.fits(each.entry):
                yield each.entry, each.event

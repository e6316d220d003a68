"""Where the statements of a policy document stand in its text, for people who look them up."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["Position", "Span", "statement_spans"]

_SPACE = re.compile(r"[ \t\n\r]*")
_DECODER = json.JSONDecoder()


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a text; both count from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Span:
    start: Position
    """Of the opening brace."""
    end: Position
    """Just behind the closing brace."""


def statement_spans(document: str) -> tuple[Span, ...]:
    """Return the place of every statement, in order, of a document that `parse_policy` accepts."""
    return tuple(
        Span(_position(document, start), _position(document, end)) for start, end in _bounds(document)
    )


def _bounds(document: str) -> Iterator[tuple[int, int]]:
    place = _skip(document, _skip(document, 0) + 1)
    while document[place] == '"':
        key, place = _DECODER.raw_decode(document, place)
        place = _skip(document, _skip(document, place) + 1)
        if key == "Statement":
            yield from _statements(document, place)
            return
        _, place = _DECODER.raw_decode(document, place)
        place = _skip(document, place)
        if document[place] == ",":
            place = _skip(document, place + 1)


def _statements(document: str, place: int) -> Iterator[tuple[int, int]]:
    if document[place] != "[":
        yield place, _DECODER.raw_decode(document, place)[1]
        return
    while document[place] != "]":
        start = _skip(document, place + 1)
        _, end = _DECODER.raw_decode(document, start)
        yield start, end
        place = _skip(document, end)


def _skip(document: str, place: int) -> int:
    found = _SPACE.match(document, place)
    return place if found is None else found.end()


def _position(document: str, offset: int) -> Position:
    return Position(document.count("\n", 0, offset) + 1, offset - (document.rfind("\n", 0, offset) + 1) + 1)

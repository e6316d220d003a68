"""Texts to try patterns with: one for every combination of patterns that a text can fit at once. Pure.

The patterns are read side by side, as automata, over the characters they name and one that none of them
names. So what comes out is exact: no text fits a combination of them that is not among the answers.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from strongroom.policy.patterns import ARN_FIELDS, Static, Wildcard

__all__ = ["Pattern", "Words", "words_for"]

MOST_STATES: Final = 4_000
MOST_STEPS: Final = 300_000
"""Moves of one pattern by one character: some tenths of a second."""
MOST_FITTING: Final = 64
_STRANGERS: Final = "x0~qzj7#"
_COLONS_IN_HEAD: Final = ARN_FIELDS - 1


@dataclass(frozen=True, slots=True)
class Pattern:
    """What one value of a condition stands for."""

    parts: Static
    arn: bool = False
    """Wildcards before the fifth colon do not cross a colon."""
    folded: bool = False
    """Letters fit in either case."""


@dataclass(frozen=True, slots=True)
class Words:
    texts: tuple[str, ...]
    exact: bool
    """True: a text outside of them fits the same patterns as one of them."""


@lru_cache(1024)
def words_for(patterns: frozenset[Pattern]) -> Words:
    """Return texts for all combinations of the patterns, the one that fits none of them included if a text
    can do so. The answer depends on nothing else."""
    ordered = sorted(patterns, key=repr)
    items = [_items(each) for each in ordered]
    if all(not any(isinstance(part, Wildcard) for part in each.parts) for each in ordered):
        return _literal_words(ordered, items)
    return _searched(items)


@dataclass(frozen=True, slots=True)
class _Item:
    """One place of a pattern: a character, or a wildcard; where a wildcard, whether it may be a colon."""

    chars: str
    """The characters that fit; empty: any."""
    many: bool = False
    colon: bool = True

    def takes(self, char: str) -> bool:
        if self.chars:
            return char in self.chars
        return self.colon or char != ":"


def _items(pattern: Pattern) -> tuple[_Item, ...]:
    found: list[_Item] = []
    colons = 0
    everything = pattern.parts == (Wildcard.ANY,)
    for part in pattern.parts:
        if isinstance(part, Wildcard):
            crosses = not pattern.arn or everything or colons >= _COLONS_IN_HEAD
            found.append(_Item("", part is Wildcard.ANY, crosses))
            continue
        for char in part:
            colons += char == ":"
            either = char.isascii() and pattern.folded
            found.append(_Item("".join(dict.fromkeys(char.lower() + char.upper())) if either else char))
    return tuple(found)


def _literal_words(patterns: Sequence[Pattern], items: Sequence[tuple[_Item, ...]]) -> Words:
    """Patterns without wildcards: each stands for itself, and where case does not matter for its variants."""
    texts: dict[str, None] = {}
    for pattern in patterns:
        text = "".join(part for part in pattern.parts if isinstance(part, str))
        texts[text] = None
        if pattern.folded:
            texts |= dict.fromkeys((text.lower(), text.upper(), text.swapcase()))
    stranger = _stranger(items)
    # A text of strangers is none of the patterns, as they do not have that character.
    texts[stranger] = None
    return Words(tuple(texts), exact=True)


def _stranger(items: Iterable[tuple[_Item, ...]]) -> str:
    named = {char for pattern in items for item in pattern for char in item.chars}
    for char in _STRANGERS:
        if char not in named:
            return char
    return next(char for number in range(0x21, 0x10000) if (char := chr(number)) not in named)


class _Automaton:
    """A pattern as sets of places in it, each a bit: those that a text read so far may have come to."""

    def __init__(self, items: tuple[_Item, ...], alphabet: Iterable[str]) -> None:
        self.end = 1 << len(items)
        self._many = sum(1 << at for at, item in enumerate(items) if item.many)
        self._takes = {
            char: sum(1 << at for at, item in enumerate(items) if item.takes(char)) for char in alphabet
        }
        self.start = self._closed(1)

    def after(self, places: int, char: str) -> int:
        taken = places & self._takes[char]
        return self._closed((taken & ~self._many) << 1 | taken & self._many)

    def _closed(self, places: int) -> int:
        # INVARIANT: no two wildcards of any length follow each other (`patterns.parse_template`).
        return places | (places & self._many) << 1


def _searched(items: Sequence[tuple[_Item, ...]]) -> Words:
    alphabet = sorted({char for pattern in items for item in pattern for char in item.chars} | {":"})
    alphabet.insert(0, _stranger(items))
    automata = [_Automaton(pattern, alphabet) for pattern in items]
    most = min(MOST_STATES, max(1, MOST_STEPS // (len(alphabet) * len(automata))))
    start = tuple(each.start for each in automata)
    seen = {start}
    waiting = deque([(start, "")])
    found: dict[tuple[bool, ...], str] = {}
    while waiting:
        state, text = waiting.popleft()
        fitting = tuple(bool(places & each.end) for places, each in zip(state, automata, strict=True))
        # Of a combination the shortest text but the empty one, which few keys can have for a value.
        found[fitting] = found.get(fitting) or text
        if len(found) > MOST_FITTING:
            return Words(tuple(found.values()), exact=False)
        for char in alphabet:
            moved = tuple([each.after(places, char) for places, each in zip(state, automata, strict=True)])
            if moved not in seen:
                if len(seen) >= most:
                    return Words((*found.values(), *_instances(items)), exact=False)
                seen.add(moved)
                waiting.append((moved, text + char))
    return Words(tuple(found.values()), exact=True)


def _instances(items: Sequence[tuple[_Item, ...]]) -> list[str]:
    """Return a text for each pattern, for want of a complete search."""
    stranger = _stranger(items)
    return ["".join(item.chars[:1] or stranger for item in pattern) for pattern in items]

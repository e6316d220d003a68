"""Random sources for tests: one that repeats, one whose bytes are written down."""

from __future__ import annotations

import hashlib
import random


class SeededEntropy:
    """Repeatable, and as unbiased as `random` is."""

    def __init__(self, seed: int = 0) -> None:
        self._random = random.Random(seed)

    def token_bytes(self, size: int) -> bytes:
        return self._random.randbytes(size)

    def below(self, bound: int) -> int:
        return self._random.randrange(bound)


class WrittenEntropy:
    """Gives out exactly the bytes it was made with; asking for more, or leaving some, is a failed test."""

    def __init__(self, *pieces: bytes) -> None:
        self._left = b"".join(pieces)

    def token_bytes(self, size: int) -> bytes:
        assert size <= len(self._left), f"{size} random bytes asked for, {len(self._left)} left"
        given, self._left = self._left[:size], self._left[size:]
        return given

    def below(self, bound: int) -> int:
        raise AssertionError("no integer was expected to be drawn")

    @property
    def used_up(self) -> bool:
        return not self._left


def pattern(name: str, size: int) -> bytes:
    """Return `size` bytes that look random and follow from `name` alone: SHAKE-256 of the name."""
    return hashlib.shake_256(name.encode()).digest(size)

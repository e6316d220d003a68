"""The clock and the random source of the machine."""

from __future__ import annotations

import datetime as dt
import os
import secrets

__all__ = ["SystemClock", "SystemEntropy", "Uuids"]


class SystemClock:
    """`ports.Clock`."""

    def now(self) -> dt.datetime:
        return dt.datetime.now(dt.UTC)


class SystemEntropy:
    """`ports.Entropy` over getrandom(2). No state, so a fork repeats nothing."""

    def token_bytes(self, size: int) -> bytes:
        return os.urandom(size)

    def below(self, bound: int) -> int:
        return secrets.randbelow(bound)


class Uuids:
    """Random UUIDs (RFC 9562 version 4) as text; the system's random source is asked for many at a time.

    Make one per process, after the fork: a copy would give the same ones again. They name things and open
    nothing, so that it does no harm to have the next ones in memory.
    """

    BATCH = 128

    def __init__(self) -> None:
        self._made: list[str] = []

    def next(self) -> str:
        """Return one that was not given before. Threads may share the source."""
        try:
            # One step for the interpreter: two threads never get the same.
            return self._made.pop()
        except IndexError:
            digits = os.urandom(16 * self.BATCH).hex()
            made = [_uuid(digits[at : at + 32]) for at in range(0, len(digits), 32)]
            self._made += made[1:]
            return made[0]


def _uuid(digits: str) -> str:
    variant = "89ab"[int(digits[16], 16) & 3]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"

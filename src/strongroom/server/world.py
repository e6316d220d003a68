"""The clock and the random source of the machine."""

from __future__ import annotations

import datetime as dt
import os
import secrets

__all__ = ["SystemClock", "SystemEntropy", "new_uuid"]


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


def new_uuid() -> str:
    """Return a random UUID (RFC 9562 version 4) as text."""
    digits = os.urandom(16).hex()
    variant = "89ab"[int(digits[16], 16) & 3]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"

"""What every way to send records on has in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from strongroom.trail.feed import FedRecord

__all__ = ["Outlet", "SinkError"]


class SinkError(Exception):
    """Records could not be sent on now. The message is for the operator; it holds no record and no key."""


class Outlet(Protocol):
    """A place records can be sent to. One thread uses it."""

    def deliver(self, records: Sequence[FedRecord]) -> None:
        """The place has these records, as durably as it keeps anything, when this returns.

        Some may have come before: a delivery that fails, or whose end was not heard of, is repeated.

        Raises:
            SinkError: it is not certain that it has them.
        """
        ...

    def close(self) -> None: ...

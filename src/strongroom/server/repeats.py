"""Reads that come over and over: what answering one has in common with the next, kept per process.

SECURITY: a kept answer stands for decisions that are not taken again. It is used only when everything they
were taken from is the same: the caller (the very object `Callers` made from the stored records), the request
to the last byte, what the connection tells policies (`Place`), and the whole store, in which nothing may have
been committed since (`ReadUnit.mark`). Decisions that look at the time are never kept. Signature, expiry, the
opening of the value under both keys and the audit record are never skipped.
"""

from __future__ import annotations

from typing import Final

import msgspec

from strongroom.audit.event import EventTemplate
from strongroom.operations.call import Again
from strongroom.server.callers import Caller
from strongroom.wire.http import Endpoint, HttpRequest

__all__ = ["Kept", "Place", "Repeats", "place_of"]

Place = tuple[str, str, str, bytes, str, bool, str, str, str | None, Endpoint | None]
"""What a call must share with a kept one, besides caller and store."""


def place_of(request: HttpRequest, caller: Caller, region: str, operation: str) -> Place:
    """Return everything of a request that its answer, decisions and record can depend on, but the time."""
    return (
        caller.principal.access_key_id,
        region,
        operation,
        request.body,
        request.source_ip,
        request.secure,
        request.headers.get("user-agent", ""),
        request.headers.get("host", ""),
        request.tls_version,
        request.endpoint,
    )


class Kept(msgspec.Struct, frozen=True, eq=False):
    caller: Caller
    mark: int
    again: Again
    record: EventTemplate


class Repeats:
    """At most LIMIT kept answers; values are not among what is kept."""

    LIMIT: Final = 8192
    LARGEST_PLACE: Final = 2048
    """Bytes of body, user agent and host, which callers choose, together."""

    def __init__(self) -> None:
        self._kept: dict[Place, Kept] = {}
        self._seen: dict[Place, int] = {}

    def find(self, place: Place, caller: Caller, mark: int | None) -> Kept | None:
        kept = self._kept.get(place)
        if kept is not None and kept.mark == mark and kept.caller is caller:
            return kept
        return None

    def is_second(self, place: Place, mark: int | None) -> bool:
        """True when the same was asked before and nothing was committed since: then keeping may pay."""
        if mark is None or len(place[3]) + len(place[6]) + len(place[7]) > self.LARGEST_PLACE:
            return False
        if self._seen.get(place) == mark:
            return True
        if len(self._seen) >= self.LIMIT:
            self._seen.clear()
        self._seen[place] = mark
        return False

    def keep(self, place: Place, kept: Kept) -> None:
        if len(self._kept) >= self.LIMIT:
            self._kept.clear()
        self._kept[place] = kept

    def drop(self, place: Place) -> None:
        self._kept.pop(place, None)

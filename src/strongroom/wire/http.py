"""A request and an answer, free of any web framework."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One request as it came over the network, its body complete and within the limit."""

    method: str
    raw_path: str
    """The path as sent, still percent-encoded, without the query."""
    raw_query: str
    """The query as sent, without its question mark."""
    headers: tuple[tuple[str, str], ...]
    """Names in lower case, in the order received; values decoded as latin-1. HTTP/2's `:authority` stands
    here as `host`."""
    body: bytes
    received_at: dt.datetime
    request_id: str
    source_ip: str
    secure: bool
    """True when the connection is TLS."""

    def header(self, name: str) -> str | None:
        """Return the first value of `name` (lower case)."""
        for key, value in self.headers:
            if key == name:
                return value
        return None


@dataclass(frozen=True, slots=True)
class HttpResponse:
    status: int
    content_type: str
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()
    """Beyond Content-Type, x-amzn-RequestId and Date, which the listener sets."""

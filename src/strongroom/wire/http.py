"""A request and an answer, free of any web framework."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Mapping

import msgspec

__all__ = ["Endpoint", "HttpRequest", "HttpResponse", "joined_headers"]

_SPACES = re.compile(r" {2,}")
_NAMES = {
    name.encode(): name
    for name in (
        "accept", "accept-encoding", "amz-sdk-invocation-id", "amz-sdk-request", "authorization",
        "connection", "content-length", "content-type", "host", "user-agent", "x-amz-content-sha256",
        "x-amz-date", "x-amz-security-token", "x-amz-target", "x-amzn-trace-id",
    )
}  # fmt: skip
"""Those that clients send, decoded already."""


class Endpoint(msgspec.Struct, frozen=True):
    """The VPC endpoint that a listener stands for."""

    endpoint_id: str
    """`vpce-…`"""
    vpc_id: str | None = None
    policy: str | None = None
    """JSON; None: it allows everything."""


class HttpRequest(msgspec.Struct, frozen=True, eq=False):
    """One request as it came over the network, its body complete and within the limit."""

    method: str
    raw_path: str
    """The path as sent, still percent-encoded, without the query."""
    raw_query: str
    """The query as sent, without its question mark."""
    headers: Mapping[str, str]
    """From `joined_headers`. HTTP/2's `:authority` stands here as `host`."""
    body: bytes
    received_at: dt.datetime
    request_id: str
    source_ip: str
    secure: bool
    """True when the connection is TLS, or a trusted proxy says that the client's is."""
    tls_version: str | None = None
    """Of the connection itself."""
    endpoint: Endpoint | None = None
    """What the request came through; None: the open network."""
    payload_hash: str | None = None
    """SHA-256 of `body`, in hex, where the server worked it out before; None: not yet."""


class HttpResponse(msgspec.Struct, frozen=True):
    status: int
    content_type: str
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()
    """Beyond Content-Type, x-amzn-RequestId and Date, which the listener sets."""


def joined_headers(pairs: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Return one value a name, as signatures see it: trimmed, inner runs of spaces collapsed, repeated
    headers joined by commas in the order received. Names come in lower case; bytes are latin-1.

    Source: fact sheet sigv4 section 3, canonical headers.
    """
    headers: dict[str, str] = {}
    for raw_name, raw_value in pairs:
        name = _NAMES.get(raw_name) or raw_name.decode("latin-1")
        value = raw_value.decode("latin-1").strip(" \t")
        if "  " in value:
            value = _SPACES.sub(" ", value)
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    return headers

"""Bodies with one long binary value, which is most of them: it is decoded in steps, and the rest parsed.

Parsing holds up the process's other threads from its beginning to its end, a tenth of a second for 70 MB.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from strongroom.errors import SerializationException
from strongroom.wire.models import ServiceModel, from_base64_within, parse_json

__all__ = ["LONG_BYTES", "parse_long"]

LONG_BYTES: Final = 1 << 20
"""What is shorter is parsed as it is."""
_STRINGS: Final = 64
"""So many strings may stand before the long one."""
_MARK: Final = "\N{DOUBLE DAGGER}lifted\N{DOUBLE DAGGER}"


def parse_long(body: bytes, service: ServiceModel, shape: Mapping[str, Any]) -> dict[str, Any]:
    """Return the JSON object in `body`, as `models.parse_json` does; a long value that is binary by the model
    may be bytes already.

    Raises:
        SerializationException: it is no JSON object, or the value no base64.
    """
    span = None if len(body) < LONG_BYTES else _long_string(body)
    if span is None:
        return parse_json(body)
    start, end = span
    head, tail, mark = body[:start], body[end:], _MARK.encode()
    if mark in head or mark in tail:
        return parse_json(body)
    members = parse_json(b"".join((head, mark, tail)))
    place = _blob_place(members, service, shape)
    if place is None:
        # The model has no binary value there: whatever is to be said of it is said as ever.
        return parse_json(body)
    container, member = place
    try:
        container[member] = from_base64_within(body, start, end)
    except ValueError as error:
        raise SerializationException("A binary value is not valid base64.") from error
    return members


def _long_string(body: bytes) -> tuple[int, int] | None:
    """Return where the content of the first long string begins and ends; None: there is none, or not to be
    told without parsing."""
    start = body.find(b'"') + 1
    for _ in range(_STRINGS):
        end = body.find(b'"', start)
        if start == 0 or end < 0:
            return None
        if end - start >= LONG_BYTES:
            # A quotation mark after a backslash would not be the end; up to here there is none of either.
            return None if body.find(b"\\", 0, end) >= 0 else (start, end)
        start = body.find(b'"', end + 1) + 1
    return None


def _blob_place(
    members: dict[str, Any], service: ServiceModel, shape: Mapping[str, Any]
) -> tuple[dict[str, Any], str] | None:
    """Return the structure and the member that hold the mark, if the model has a binary value there."""
    for member, value in members.items():
        own = shape["members"].get(member)
        if own is None:
            continue
        found = service.shapes[own["shape"]]
        if value == _MARK and found["type"] == "blob":
            return members, member
        if isinstance(value, dict) and found["type"] == "structure":
            place = _blob_place(value, service, found)
            if place is not None:
                return place
    return None

"""Limit and Marker of KMS's lists. Source: fact sheet kms section 1."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeVar

from strongroom.errors import InvalidMarkerException
from strongroom.operations.kms import messages

T = TypeVar("T")
_ISSUED: Final = "1:"


def encode_marker(position: str) -> str:
    """Return the Marker that goes on behind `position`."""
    return base64.urlsafe_b64encode(f"{_ISSUED}{position}".encode()).decode()


def parse_marker(request: Mapping[str, Any]) -> str:
    """Return the position the request's Marker goes on behind; "" from the beginning.

    Raises:
        InvalidMarkerException: not a Marker this service gives out.
    """
    marker = request.get("Marker")
    if marker is None:
        return ""
    try:
        position = base64.b64decode(marker, altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        raise InvalidMarkerException(messages.INVALID_MARKER) from None
    if not position.startswith(_ISSUED):
        raise InvalidMarkerException(messages.INVALID_MARKER)
    return position.removeprefix(_ISSUED)


def page_size(request: Mapping[str, Any], default: int, maximum: int) -> int:
    """Return the number of entries to answer with: Limit, but never above the operation's maximum."""
    return min(int(request.get("Limit") or default), maximum)


def page_members(rows: Sequence[T], size: int, last: str) -> dict[str, Any]:
    """Return Truncated, and NextMarker when `rows`, read one beyond `size`, go on behind position `last`."""
    if len(rows) <= size:
        return {"Truncated": False}
    return {"Truncated": True, "NextMarker": encode_marker(last)}

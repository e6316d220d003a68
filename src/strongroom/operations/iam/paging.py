"""Marker and MaxItems of IAM's lists. Source: fact sheet iam section 10."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeVar

from strongroom.errors import ValidationException
from strongroom.operations.iam import messages

T = TypeVar("T")
DEFAULT_PAGE: Final = 100
_ISSUED: Final = "1:"


def encode_marker(position: str) -> str:
    """Return the Marker that goes on behind `position`."""
    return base64.urlsafe_b64encode(f"{_ISSUED}{position}".encode()).decode()


def parse_marker(request: Mapping[str, Any]) -> str:
    """Return the position the request's Marker goes on behind; "" from the beginning.

    Raises:
        ValidationException: not a Marker this service gives out.
    """
    marker = request.get("Marker")
    if marker is None:
        return ""
    try:
        position = base64.b64decode(marker, altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        raise ValidationException(messages.INVALID_MARKER) from None
    if not position.startswith(_ISSUED):
        raise ValidationException(messages.INVALID_MARKER)
    return position.removeprefix(_ISSUED)


def page_size(request: Mapping[str, Any]) -> int:
    """Return the most entries to answer with."""
    return int(request.get("MaxItems") or DEFAULT_PAGE)


def page_members(rows: Sequence[T], size: int, last: str) -> dict[str, Any]:
    """Return IsTruncated, and Marker when `rows`, read one beyond `size`, go on behind position `last`."""
    if len(rows) <= size:
        return {"IsTruncated": False}
    return {"IsTruncated": True, "Marker": encode_marker(last)}

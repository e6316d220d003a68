"""Marker and MaxItems of IAM's lists. Source: fact sheet iam section 10."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

from strongroom.errors import ValidationException
from strongroom.operations.iam import messages
from strongroom.ports import Kind, ReadUnit

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


def filtered_page(
    unit: ReadUnit, kind: Kind[T], scope: str, request: Mapping[str, Any], keep: Callable[[T], bool]
) -> tuple[list[T], dict[str, Any]]:
    """Return the records of one page that `keep` keeps, in the order of their alternates, and the page's
    IsTruncated and Marker.

    Raises:
        ValidationException: a Marker this service did not give out.
    """
    size, after = page_size(request), parse_marker(request)
    at_once = max(size + 1, DEFAULT_PAGE)
    found: list[T] = []
    # Records that are left out must not shorten a page.
    while len(found) <= size:
        rows = unit.scan(kind, scope, after=after, limit=at_once)
        found += [row for row in rows if keep(row)]
        if len(rows) < at_once:
            break
        after = kind.alternate(rows[-1])
    found = found[: size + 1]
    page = found[:size]
    return page, page_members(found, size, kind.alternate(page[-1]) if page else "")

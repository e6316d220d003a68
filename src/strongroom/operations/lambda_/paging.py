"""Pages of lists: MaxItems and Marker."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any, Final

from strongroom.errors import InvalidParameterValueException
from strongroom.operations.lambda_ import messages

__all__ = ["marker_for", "page_size", "parse_marker"]

MAXIMUM: Final = 50
"""AWS answers no more at once, whatever MaxItems says."""


def page_size(request: Mapping[str, Any]) -> int:
    return min(int(request.get("MaxItems", MAXIMUM)), MAXIMUM)


def marker_for(operation: str, last: str) -> str:
    """Return the NextMarker behind the last item shown."""
    return base64.urlsafe_b64encode(f"{operation}\n{last}".encode()).decode()


def parse_marker(request: Mapping[str, Any], operation: str) -> str:
    """Return what the page starts behind; empty for the first.

    Raises:
        InvalidParameterValueException: this operation did not give it out.
    """
    marker: str = request.get("Marker", "")
    if not marker:
        return ""
    try:
        name, _, last = (
            base64.b64decode(marker.encode(), altchars=b"-_", validate=True).decode().partition("\n")
        )
    except (binascii.Error, UnicodeDecodeError, UnicodeEncodeError) as error:
        raise InvalidParameterValueException(messages.MARKER) from error
    if name != operation or not last:
        raise InvalidParameterValueException(messages.MARKER)
    return last

"""ListPublicKeys: the keys that digest files are signed with. Source: fact sheet cloudtrail section 8."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from strongroom.errors import InvalidTimeRangeException, InvalidTokenException
from strongroom.operations.call import AuthorizedCall, Operation, Unit
from strongroom.operations.cloudtrail import messages
from strongroom.operations.cloudtrail.resolution import on_everything
from strongroom.ports import ReadUnit


def list_public_keys(authorized: AuthorizedCall, unit: ReadUnit) -> Mapping[str, Any]:
    """Return the account's keys in the call's region that were valid between two times.

    Raises:
        InvalidTimeRangeException: the start is after the end.
        InvalidTokenException: a token is given; there never is more than one page.
    """
    request = authorized.request
    start, end = request.get("StartTime"), request.get("EndTime")
    if start is not None and end is not None and start > end:
        raise InvalidTimeRangeException(messages.TIME_RANGE)
    if request.get("NextToken"):
        raise InvalidTokenException(messages.INVALID_TOKEN)
    return {"PublicKeyList": []}


LIST_PUBLIC_KEYS = Operation(
    name="ListPublicKeys",
    action="cloudtrail:ListPublicKeys",
    unit=Unit.READ,
    targets=on_everything("cloudtrail:ListPublicKeys"),
    handle=list_public_keys,
    deviations=("There are no digest files yet, and so no keys.",),
)

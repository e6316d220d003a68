"""ListPublicKeys: the keys that digest files are signed with. Source: fact sheet cloudtrail section 8."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, Final

from strongroom.audit.digest import fingerprint
from strongroom.errors import InvalidTimeRangeException, InvalidTokenException
from strongroom.operations.call import AuthorizedCall, Operation, Unit
from strongroom.operations.cloudtrail import messages
from strongroom.operations.cloudtrail.resolution import on_everything
from strongroom.ports import DIGEST_CHAINS, ReadUnit

VALID_DAYS: Final = 3650
"""Keys are not replaced; clients ask for those that are valid in some period."""


def list_public_keys(authorized: AuthorizedCall, unit: ReadUnit) -> Mapping[str, Any]:
    """Return the account's keys in the call's region that were valid between two times.

    Raises:
        InvalidTimeRangeException: the start is after the end.
        InvalidTokenException: a token is given; there never is more than one page.
    """
    call, request = authorized.call, authorized.request
    start, end = request.get("StartTime"), request.get("EndTime")
    if start is not None and end is not None and start > end:
        raise InvalidTimeRangeException(messages.TIME_RANGE)
    if request.get("NextToken"):
        raise InvalidTokenException(messages.INVALID_TOKEN)
    return {"PublicKeyList": public_keys(unit, call.account_id, call.region, start, end)}


def public_keys(
    unit: ReadUnit,
    account_id: str,
    region: str,
    start: dt.datetime | None = None,
    end: dt.datetime | None = None,
) -> list[dict[str, Any]]:
    """Return the keys of an account's digests in a region that were valid at some time between two."""
    chain = unit.find(DIGEST_CHAINS, "", f"{account_id}/{region}")
    if chain is None:
        return []
    until = chain.created_at + dt.timedelta(days=VALID_DAYS)
    if (end is not None and end < chain.created_at) or (start is not None and start > until):
        return []
    return [
        {
            "Value": chain.public_key,
            "ValidityStartTime": chain.created_at,
            "ValidityEndTime": until,
            "Fingerprint": fingerprint(chain.public_key),
        }
    ]


LIST_PUBLIC_KEYS = Operation(
    name="ListPublicKeys",
    action="cloudtrail:ListPublicKeys",
    unit=Unit.READ,
    targets=on_everything("cloudtrail:ListPublicKeys"),
    handle=list_public_keys,
    deviations=(
        "An account has one key in each region, made with its first log file; without --log-bucket none.",
    ),
)

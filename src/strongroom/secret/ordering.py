"""The order secrets are listed in, and the position of one secret in it.

Source: fact sheet secretsmanager section 6, ListSecrets (SortBy).
"""

from __future__ import annotations

import datetime as dt

from strongroom.secret.records import Secret

CREATED_DATE = "created-date"
LAST_ACCESSED_DATE = "last-accessed-date"
LAST_CHANGED_DATE = "last-changed-date"
NAME = "name"

SORT_KEYS = (CREATED_DATE, LAST_ACCESSED_DATE, LAST_CHANGED_DATE, NAME)
"""The values of SortBy."""

NEVER_ACCESSED = 0
"""Stands for a secret that was never read, so such secrets come before all others."""

Position = tuple[int | str, str]

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND = dt.timedelta(microseconds=1)


def microseconds(moment: dt.datetime) -> int:
    """Return an aware time as whole microseconds since 1970, exactly."""
    return (moment - _EPOCH) // _MICROSECOND


def sort_position(secret: Secret, sort_by: str) -> Position:
    """Return where `secret` stands among secrets sorted by `sort_by`: positions compare as secrets do.

    The first field is microseconds since 1970 (created-date, last-changed-date), the proleptic ordinal of
    the day (last-accessed-date; NEVER_ACCESSED without one) or the name; the second is the ARN, which makes
    the order total. Strings compare by code point, which is also the order of their UTF-8 bytes.

    Raises:
        ValueError: `sort_by` is none of SORT_KEYS (the wire lets no other value through).
    """
    match sort_by:
        case "created-date":
            return microseconds(secret.created_at), secret.arn
        case "last-accessed-date":
            day = secret.last_accessed_on
            return (NEVER_ACCESSED if day is None else day.toordinal()), secret.arn
        case "last-changed-date":
            return microseconds(secret.last_changed_at), secret.arn
        case "name":
            return secret.name, secret.arn
        case _:
            raise ValueError(f"not a sort key: {sort_by}")

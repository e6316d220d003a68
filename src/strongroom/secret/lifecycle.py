"""Deleting and restoring secrets, and the moment of their last change.

Source: fact sheet secretsmanager section 6, DeleteSecret and RestoreSecret, and section 7.
"""

from __future__ import annotations

import datetime as dt

from msgspec.structs import replace

from strongroom.errors import InvalidParameterException
from strongroom.secret.records import Secret

MIN_RECOVERY_WINDOW_DAYS = 7
MAX_RECOVERY_WINDOW_DAYS = 30
DEFAULT_RECOVERY_WINDOW_DAYS = 30

RECOVERY_WINDOW_OUT_OF_RANGE = "The RecoveryWindowInDays value must be between 7 and 30 days (inclusive)."
FORCE_WITH_RECOVERY_WINDOW = (
    "You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays."
)

CHANGE_STEP = dt.timedelta(milliseconds=1)
"""What the wire can tell apart: two changes of a secret are never shown with one time."""


def recovery_window(days: int | None, *, force: bool) -> dt.timedelta | None:
    """Return how long a secret can be restored after DeleteSecret; None: not at all, it goes at once.

    `force` with False in the request counts as not sent, as observed on AWS.

    Raises:
        InvalidParameterException: both are given, or the days are not 7 to 30.
    """
    if force:
        if days is not None:
            raise InvalidParameterException(FORCE_WITH_RECOVERY_WINDOW)
        return None
    if days is None:
        days = DEFAULT_RECOVERY_WINDOW_DAYS
    if not MIN_RECOVERY_WINDOW_DAYS <= days <= MAX_RECOVERY_WINDOW_DAYS:
        raise InvalidParameterException(RECOVERY_WINDOW_OUT_OF_RANGE)
    return dt.timedelta(days=days)


def is_marked(secret: Secret) -> bool:
    """True from DeleteSecret until RestoreSecret or the real deletion."""
    return secret.deleted_at is not None


def mark_for_deletion(secret: Secret, now: dt.datetime, window: dt.timedelta) -> Secret:
    """Return the secret marked at `now`, to be deleted when `window` has passed.

    `deleted_at` (DeletedDate) is the moment of the call, `deletion_at` (DeletionDate) the window's end.
    """
    return replace(secret, deleted_at=now, deletion_at=now + window, last_changed_at=changed_at(secret, now))


def restore(secret: Secret, now: dt.datetime) -> Secret:
    """Return the secret without its mark; one that is not marked comes back as it is."""
    if not is_marked(secret):
        return secret
    return replace(secret, deleted_at=None, deletion_at=None, last_changed_at=changed_at(secret, now))


def due(secret: Secret, now: dt.datetime) -> bool:
    """True when the recovery window has ended, so that the keeper may really delete the secret."""
    return secret.deletion_at is not None and secret.deletion_at <= now


def changed_at(secret: Secret, now: dt.datetime) -> dt.datetime:
    """Return the LastChangedDate for a change at `now`: later than the last one, even if the clock is not."""
    return max(now, secret.last_changed_at + CHANGE_STEP)

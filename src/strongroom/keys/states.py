"""Key states and what each lets be done. Source: fact sheet kms section 4."""

from __future__ import annotations

import datetime as dt
from typing import Final

from strongroom.errors import DisabledException, KMSInvalidStateException
from strongroom.keys.records import KmsKey

ENABLED: Final = "Enabled"
DISABLED: Final = "Disabled"
PENDING_DELETION: Final = "PendingDeletion"

DEFAULT_PENDING_WINDOW_DAYS: Final = 30
MINIMUM_PENDING_WINDOW_DAYS: Final = 7
MAXIMUM_PENDING_WINDOW_DAYS: Final = 30


def verify_usable(key: KmsKey) -> None:
    """Pass for a key that may encrypt and decrypt now.

    Raises:
        DisabledException: it is disabled.
        KMSInvalidStateException: it is pending deletion (what the live service answers; the documentation
            allows DisabledException too).
    """
    if key.state == ENABLED:
        return
    if key.state == DISABLED:
        raise DisabledException(f"{key.arn} is disabled.")
    verify_not_pending_deletion(key)


def verify_not_pending_deletion(key: KmsKey) -> None:
    """Raises KMSInvalidStateException for a key pending deletion."""
    if key.state == PENDING_DELETION:
        raise KMSInvalidStateException(f"{key.arn} is pending deletion.")


def verify_pending_deletion(key: KmsKey) -> None:
    """Raises KMSInvalidStateException for a key not pending deletion."""
    if key.state != PENDING_DELETION:
        raise KMSInvalidStateException(f"{key.arn} is not pending deletion.")


def is_gone(key: KmsKey, now: dt.datetime) -> bool:
    """True once the deletion date has come: from then on the key does not exist for anyone."""
    return key.deletion_at is not None and key.deletion_at <= now

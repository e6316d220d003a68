"""The stored form of a CloudTrail trail: settings of what becomes of records elsewhere.

The audit trail itself has no switch: it is written whatever trails there are, and none can stop it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import msgspec

from strongroom.names import AccountId, Arn, Region

__all__ = ["TrailSettings"]


class TrailSettings(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One trail, as CreateTrail and its like left it."""

    name: str
    account_id: AccountId
    home_region: Region
    arn: Arn
    created_at: dt.datetime
    bucket: str
    """Where log files go."""
    prefix: str | None = None
    global_events: bool = True
    multi_region: bool = False
    validation: bool = False
    """EnableLogFileValidation."""
    recursive: bool | None = None
    tags: Mapping[str, str] = {}
    event_selectors: tuple[Mapping[str, Any], ...] = ()
    """As PutEventSelectors took them; none: AWS's default."""
    advanced_selectors: tuple[Mapping[str, Any], ...] = ()
    logging: bool = False
    """Between StartLogging and StopLogging."""
    started_at: dt.datetime | None = None
    stopped_at: dt.datetime | None = None

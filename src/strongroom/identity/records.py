"""The stored form of IAM: accounts, users, access keys. Secret access keys stand here sealed only."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import msgspec

from strongroom.names import AccountId, Arn


class Account(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    account_id: AccountId
    created_at: dt.datetime


class User(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    user_id: str
    """AIDA…; what stored policies are bound to, so that a user made again under the same name is another."""
    user_name: str
    """Unique in its account ignoring case."""
    path: str
    arn: Arn
    account_id: AccountId
    created_at: dt.datetime
    tags: Mapping[str, str] = {}
    policies: Mapping[str, str] = {}
    """Inline policies: name to document as the caller wrote it."""


class AccessKey(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    access_key_id: str
    account_id: AccountId
    created_at: dt.datetime
    sealed_secret: bytes
    """The 40-character secret access key sealed by the root key, bound to `access_key_id`."""
    user_id: str | None = None
    """None: the key belongs to the account's root user."""
    active: bool = True

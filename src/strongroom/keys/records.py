"""The stored form of KMS keys and aliases. Key material stands here sealed under the root key only."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import msgspec

from strongroom.names import AccountId, Arn, Region


class KeyMaterial(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One generation of a symmetric key's material."""

    material_id: str
    """64 lower-case hex digits (KeyMaterialId on the wire)."""
    created_at: dt.datetime
    sealed: bytes
    """32 bytes of material sealed by the root key, bound to the key ARN and `material_id`."""


class KmsKey(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    key_id: str
    arn: Arn
    account_id: AccountId
    region: Region
    created_at: dt.datetime
    policy: str
    """The key policy document; every key has one."""
    materials: tuple[KeyMaterial, ...]
    """Oldest first; the last one seals, all of them open."""
    state: str = "Enabled"
    manager: str = "CUSTOMER"
    """`CUSTOMER` or `AWS` (the `aws/secretsmanager` kind)."""
    description: str = ""
    spec: str = "SYMMETRIC_DEFAULT"
    usage: str = "ENCRYPT_DECRYPT"
    origin: str = "AWS_KMS"
    multi_region: bool = False
    tags: Mapping[str, str] = {}
    deletion_at: dt.datetime | None = None
    alias_names: tuple[str, ...] = ()
    """Names of the aliases that point here, sorted: kms:ResourceAliases without a look into the store."""


class Alias(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    alias_name: str
    """With its `alias/` prefix."""
    arn: Arn
    key_id: str
    created_at: dt.datetime
    updated_at: dt.datetime


class RootKeyCheck(msgspec.Struct, frozen=True, kw_only=True):
    """What the root key is known again by at the next start; it opens nothing."""

    check_value: bytes
    created_at: dt.datetime

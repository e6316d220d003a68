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
    """32 bytes of material sealed by the root key, bound to the key ARN and `material_id`. Empty: imported
    material that was deleted or has expired."""
    rotation: str | None = None
    """`AUTOMATIC` or `ON_DEMAND`: how it came to be the newest one; None for a key's first."""
    check: bytes = b""
    """Imported material: what it is known again by, sealed by the root key."""
    valid_to: dt.datetime | None = None
    """Imported material: when it expires; None: never."""
    description: str = ""


class KmsKey(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    key_id: str
    arn: Arn
    account_id: AccountId
    region: Region
    created_at: dt.datetime
    policy: str
    """The key policy document, its users and roles named by their unique ids; every key has one."""
    policy_written: str | None = None
    """The policy as its author wrote it; None: the same as `policy`."""
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
    grant_count: int = 0
    """How many grants there are on the key: with none nobody looks for any."""
    rotation_days: int | None = None
    """The period of automatic rotation; None: the key is not rotated by itself."""
    rotation_due_at: dt.datetime | None = None
    pending_material: KeyMaterial | None = None
    """Imported material that becomes the newest one by RotateKeyOnDemand."""
    primary_region: Region | None = None
    """Multi-Region keys only: where the primary key is."""
    replica_regions: tuple[Region, ...] = ()
    """Multi-Region keys only, the same in all related keys: where the replica keys are, sorted."""
    pending_window_days: int | None = None
    """PendingReplicaDeletion: the window that begins when the last replica has gone."""


class Grant(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An Allow for one principal on one key."""

    grant_id: str
    """64 lower-case hex digits."""
    key_arn: Arn
    grantee: str
    """Who may: AIDA… or AROA… (any session of the role), `AROA…:session`, `account:federated name`, or an
    account id (its root user)."""
    grantee_written: str
    """The ARN it was named by."""
    retiring: str | None = None
    """Who may retire the grant, in the same form as `grantee`."""
    retiring_written: str | None = None
    issuing_account: AccountId
    created_at: dt.datetime
    operations: tuple[str, ...]
    name: str = ""
    context_equals: Mapping[str, str] | None = None
    context_subset: Mapping[str, str] | None = None


class RetirableGrant(msgspec.Struct, frozen=True, kw_only=True):
    """Leads from a retiring principal to a grant, in the account of that principal."""

    account_id: AccountId
    region: Region
    retiring: str
    key_arn: Arn
    grant_id: str


class KeyDuty(msgspec.Struct, frozen=True, kw_only=True):
    """What is due on a key by itself next: rotation, expiry of material or the key's end."""

    key_arn: Arn
    due_at: dt.datetime


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

"""The stored form of secrets and versions. Values never stand here in clear: `envelope` is sealed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import msgspec

from strongroom.names import AccountId, Arn, Region, StagingLabel, VersionId


class RotationRules(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    automatically_after_days: int | None = None
    duration: str | None = None
    schedule_expression: str | None = None


class Rotation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Configuration and dates of a secret that RotateSecret was called on at least once."""

    enabled: bool
    function_arn: Arn | None = None
    rules: RotationRules | None = None
    external_metadata: tuple[tuple[str, str], ...] = ()
    external_role_arn: Arn | None = None
    last_rotated_at: dt.datetime | None = None
    next_rotation_at: dt.datetime | None = None
    engine: str | None = None
    """What the value named when RotateSecret found a rotator for it; None: a function rotates."""
    admin_use: bytes | None = None
    """Digest of superuser secret and target as they were when somebody who may read both called RotateSecret
    (`secret.rotation.admin_use`); None: no superuser secret is used."""


class Replica(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One entry of a primary's ReplicationStatus."""

    region: Region
    arn: Arn
    kms_key_id: str | None = None
    status: str = "InSync"
    status_message: str | None = None


class CrossAccountReplica(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    arn: Arn
    status: str
    restriction: str = "SameOrg"
    role_arn: Arn | None = None
    status_message: str | None = None


class CrossAccountPrimary(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    arn: Arn
    status: str
    status_message: str | None = None


class Secret(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Everything about a secret but its versions' contents and its resource policies.

    `labels` maps label to version: a label can name one version only. A label may point to a version id
    that has no stored version yet (the value-less AWSPENDING stub of a rotation).
    """

    arn: Arn
    account_id: AccountId
    region: Region
    name: str
    created_at: dt.datetime
    last_changed_at: dt.datetime
    labels: Mapping[StagingLabel, VersionId] = {}
    description: str | None = None
    kms_key_id: str | None = None
    """As the caller gave it; None means the account's `aws/secretsmanager` key."""
    tags: Mapping[str, str] | None = None
    """None before the first tag was ever set; Describe tells an empty mapping from None."""
    type: str | None = None
    owning_service: str | None = None
    last_accessed_on: dt.date | None = None
    deleted_at: dt.datetime | None = None
    """When DeleteSecret marked it; None while it is alive."""
    deletion_at: dt.datetime | None = None
    """When the recovery window ends and the keeper may really delete it."""
    rotation: Rotation | None = None
    primary_region: Region | None = None
    """Set on a primary that has replicas, and on a replica."""
    replica_of: Arn | None = None
    """The primary's ARN, on a replica (same account, other region)."""
    replicas: tuple[Replica, ...] = ()
    cross_account_primary: CrossAccountPrimary | None = None
    cross_account_replicas: tuple[CrossAccountReplica, ...] = ()


class SecretVersion(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One stored value. Never changed after it is written, except to be sealed again under another key."""

    secret_arn: Arn
    version_id: VersionId
    created_at: dt.datetime
    kms_key_arn: Arn
    """The KMS key its data key is wrapped with."""
    envelope: bytes
    """`crypto/envelope` layout; opens to the value only with this secret's ARN and this version id."""
    default_key: bool = False
    """True when the key is the account's `aws/secretsmanager` key."""
    last_accessed_on: dt.date | None = None


class SecretPolicy(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One named resource policy of a secret."""

    secret_arn: Arn
    policy_name: str
    document: str
    """What is evaluated: users are named by their unique ids."""
    written: str | None = None
    """What the caller wrote, where that differs."""

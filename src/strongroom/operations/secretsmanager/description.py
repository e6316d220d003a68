"""DescribeSecret. Source: fact sheet secretsmanager section 6."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from strongroom.operations.call import AuthorizedCall, Operation, Unit
from strongroom.operations.secretsmanager.cross_account import cross_account_primary, cross_account_replicas
from strongroom.operations.secretsmanager.replication import replication_status
from strongroom.operations.secretsmanager.resolution import one_secret, present
from strongroom.ports import ReadUnit
from strongroom.secret.records import Rotation, Secret

__all__ = ["DESCRIBE_SECRET", "describe_members", "describe_secret"]


def describe_members(secret: Secret) -> dict[str, Any]:
    """Return what DescribeSecret and ListSecrets both show of a secret, each member only when it has a
    value."""
    members: dict[str, Any] = {
        "ARN": secret.arn,
        "Name": secret.name,
        "Type": secret.type,
        "Description": secret.description or None,
        "KmsKeyId": secret.kms_key_id,
        "LastChangedDate": secret.last_changed_at,
        "LastAccessedDate": midnight(secret.last_accessed_on),
        "DeletedDate": secret.deleted_at,
        "OwningService": secret.owning_service,
        "CreatedDate": secret.created_at,
        "PrimaryRegion": secret.primary_region,
    }
    if secret.tags is not None:
        members["Tags"] = [{"Key": key, "Value": value} for key, value in secret.tags.items()]
    if secret.rotation is not None:
        members.update(_rotation_members(secret.rotation))
    return {name: value for name, value in members.items() if value is not None}


def midnight(day: dt.date | None) -> dt.datetime | None:
    """Return 00:00 UTC of `day`: how AWS shows the day of an access."""
    return None if day is None else dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC)


def _rotation_members(rotation: Rotation) -> dict[str, Any]:
    members: dict[str, Any] = {
        "RotationEnabled": rotation.enabled,
        "RotationLambdaARN": rotation.function_arn,
        "ExternalSecretRotationRoleArn": rotation.external_role_arn,
        "LastRotatedDate": rotation.last_rotated_at,
        "NextRotationDate": rotation.next_rotation_at,
    }
    if rotation.rules is not None:
        rules = {
            "AutomaticallyAfterDays": rotation.rules.automatically_after_days,
            "Duration": rotation.rules.duration,
            "ScheduleExpression": rotation.rules.schedule_expression,
        }
        members["RotationRules"] = {name: value for name, value in rules.items() if value is not None}
    if rotation.external_metadata:
        members["ExternalSecretRotationMetadata"] = [
            {"Key": key, "Value": value} for key, value in rotation.external_metadata
        ]
    return members


def describe_secret(authorized: AuthorizedCall, unit: ReadUnit) -> Mapping[str, Any]:
    """Return the secret's description; one marked for deletion has it too, and so has a replica."""
    secret = present(authorized.target)
    members = describe_members(secret)
    stages: dict[str, list[str]] = {}
    for label, version_id in sorted(secret.labels.items()):
        stages.setdefault(version_id, []).append(label)
    if stages:
        members["VersionIdsToStages"] = stages
    if secret.replicas:
        members["ReplicationStatus"] = replication_status(secret, unit)
    primary = cross_account_primary(secret)
    if primary is not None:
        members["CrossAccountPrimary"] = primary
    replicas = cross_account_replicas(secret)
    if replicas:
        members["CrossAccountReplicas"] = replicas
    return members


DESCRIBE_SECRET = Operation(
    name="DescribeSecret",
    action="secretsmanager:DescribeSecret",
    unit=Unit.READ,
    targets=one_secret("secretsmanager:DescribeSecret"),
    handle=describe_secret,
    deviations=("DeletedDate is the moment DeleteSecret was called.",),
)

"""UpdateSecretVersionStage and ListSecretVersionIds, and which versions may be pruned.

Source: fact sheet secretsmanager sections 4 and 6.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, Final

from msgspec.structs import replace

from strongroom.names import AWSCURRENT, StagingLabel, VersionId
from strongroom.operations.call import AuthorizedCall, Call, Operation, Target, Unit
from strongroom.operations.secretsmanager.description import midnight
from strongroom.operations.secretsmanager.labels import note_labels
from strongroom.operations.secretsmanager.replicas import propagate
from strongroom.operations.secretsmanager.resolution import one_secret, present, secret_target, writable
from strongroom.operations.secretsmanager.rotation_runs import follow_change, verify_label_may_go
from strongroom.ports import ReadUnit, WriteUnit
from strongroom.secret.lifecycle import changed_at
from strongroom.secret.ordering import microseconds
from strongroom.secret.pagination import decode_token, encode_token
from strongroom.secret.records import Secret, SecretVersion
from strongroom.secret.rotation import rescheduled
from strongroom.secret.staging import after_stage_update, labels_of

__all__ = ["LIST_SECRET_VERSION_IDS", "UPDATE_SECRET_VERSION_STAGE", "prunable"]

PAGE_SIZE: Final = 100
KEPT_VERSIONS: Final = 100
KEPT_FOR: Final = dt.timedelta(hours=24)

_LIST: Final = "secretsmanager:ListSecretVersionIds"
_UPDATE: Final = "secretsmanager:UpdateSecretVersionStage"


def prunable(secret: Secret, versions: Sequence[SecretVersion], now: dt.datetime) -> list[VersionId]:
    """Return the versions the service may delete: the oldest without a label, as many as there are over
    100 versions, and none younger than 24 hours. `versions` are oldest first."""
    labelled = set(secret.labels.values())
    surplus = max(0, len(versions) - KEPT_VERSIONS)
    candidates = [
        each.version_id
        for each in versions
        if each.version_id not in labelled and now - each.created_at >= KEPT_FOR
    ]
    return candidates[:surplus]


def _update_targets(call: Call, unit: ReadUnit) -> Sequence[Target]:
    context = {"secretsmanager:VersionStage": call.request["VersionStage"]}
    return (secret_target(call, unit, call.request["SecretId"], _UPDATE, context),)


def update_secret_version_stage(authorized: AuthorizedCall, unit: WriteUnit) -> Mapping[str, Any]:
    """The label is on the version to move to, or on none when only a version to remove it from was given.

    Moving AWSCURRENT leaves AWSPREVIOUS on the version it left.

    Raises:
        InvalidParameterException, ResourceNotFoundException, LimitExceededException: as
            `staging.after_stage_update`.
        InvalidRequestException: marked for deletion, or a replica; or AWSPENDING would leave a version that
            is being rotated to at this moment.
    """
    call, request = authorized.call, authorized.request
    secret = writable(present(authorized.target))
    move_to = request.get("MoveToVersionId")
    # A stub has a label and no value. AWSCURRENT never goes there: it would strand who reads the secret.
    known = {*secret.labels.values()} if request["VersionStage"] != AWSCURRENT else set()
    if move_to is not None and unit.version(secret.arn, move_to) is not None:
        known.add(VersionId(move_to))
    labels = after_stage_update(
        secret.labels,
        StagingLabel(request["VersionStage"]),
        remove_from=request.get("RemoveFromVersionId"),
        move_to=move_to,
        versions=known,
    )
    if labels != secret.labels:
        verify_label_may_go(unit, secret, labels, call.received_at)
        rotation = secret.rotation
        if labels.get(AWSCURRENT) != secret.labels.get(AWSCURRENT):
            rotation = rescheduled(rotation, call.received_at)
        changed = replace(
            secret, labels=labels, rotation=rotation, last_changed_at=changed_at(secret, call.received_at)
        )
        changed = follow_change(unit, changed, call.received_at, call.resources.entropy)
        unit.save_secret(changed)
        propagate(call, unit, changed)
        note_labels(call, secret.labels, labels)
    return {"ARN": secret.arn, "Name": secret.name}


def list_secret_version_ids(authorized: AuthorizedCall, unit: ReadUnit) -> Mapping[str, Any]:
    """Return a page of the versions that have a value, oldest first; those without a label only on demand.

    Raises InvalidNextTokenException for a token of another query.
    """
    request = authorized.request
    secret = present(authorized.target)
    deprecated = bool(request.get("IncludeDeprecated"))
    bound = [secret.arn, deprecated]
    after = decode_token(_LIST, bound, request["NextToken"]) if request.get("NextToken") else None
    size = request.get("MaxResults") or PAGE_SIZE
    shown = [
        version
        for version in sorted(unit.versions(secret.arn), key=_position)
        if (deprecated or labels_of(secret.labels, version.version_id))
        and (after is None or _position(version) > after)
    ]
    answer: dict[str, Any] = {
        "ARN": secret.arn,
        "Name": secret.name,
        "Versions": [_entry(secret, version) for version in shown[:size]],
    }
    if len(shown) > size:
        answer["NextToken"] = encode_token(_LIST, bound, _position(shown[size - 1]))
    return answer


def _position(version: SecretVersion) -> tuple[int, str]:
    return microseconds(version.created_at), version.version_id


def _entry(secret: Secret, version: SecretVersion) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "VersionId": version.version_id,
        "CreatedDate": version.created_at,
        "KmsKeyIds": ["DefaultEncryptionKey"] if version.default_key else [version.kms_key_arn],
    }
    stages = labels_of(secret.labels, version.version_id)
    if stages:
        entry["VersionStages"] = stages
    if version.last_accessed_on is not None:
        entry["LastAccessedDate"] = midnight(version.last_accessed_on)
    return entry


UPDATE_SECRET_VERSION_STAGE = Operation(
    name="UpdateSecretVersionStage",
    action=_UPDATE,
    unit=Unit.WRITE,
    targets=_update_targets,
    handle=update_secret_version_stage,
    read_only=False,
    deviations=(
        "Texts for a RemoveFromVersionId that does not hold the label, for an unknown MoveToVersionId, for "
        "neither of them and for more than 20 labels are ours.",
        "AWSCURRENT is not moved to a version that has no value (ResourceNotFoundException).",
        "AWSPENDING cannot be taken off the version a rotation is making while one of its steps is being "
        "done (InvalidRequestException): the target may get that version's password at that moment.",
    ),
)
LIST_SECRET_VERSION_IDS = Operation(
    name="ListSecretVersionIds",
    action=_LIST,
    unit=Unit.READ,
    targets=one_secret(_LIST),
    handle=list_secret_version_ids,
    deviations=("A page holds 100 versions by default, oldest first.",),
)

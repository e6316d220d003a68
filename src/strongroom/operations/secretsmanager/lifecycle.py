"""DeleteSecret and RestoreSecret, and the real deletion of a secret.

Source: fact sheets secretsmanager sections 6 and 7, cloudtrail section 4.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from strongroom.audit.event import service_event
from strongroom.errors import InvalidParameterException, InvalidRequestException
from strongroom.names import (
    SECRET_SUFFIX_ALPHABET,
    SECRET_SUFFIX_LENGTH,
    Arn,
    parse_arn,
    secret_arn,
)
from strongroom.operations.call import AuthorizedCall, Call, Operation, Target, Unit
from strongroom.operations.secretsmanager import rotation_runs
from strongroom.operations.secretsmanager.replicas import propagate
from strongroom.operations.secretsmanager.resolution import alive, one_secret, present, secret_target
from strongroom.ports import Entropy, ReadUnit, WriteUnit
from strongroom.secret.lifecycle import is_marked, mark_for_deletion, recovery_window, restore
from strongroom.secret.records import Secret
from strongroom.secret.steps import DELETED

_DELETE = "secretsmanager:DeleteSecret"
_RESTORE = "secretsmanager:RestoreSecret"

# Emulator text (fact sheet secretsmanager section 6, MO).
STILL_HAS_REPLICAS = "You can't delete secret {} that still has replica regions [{}]"
REPLICA_WRITE = "Operation not permitted on a replica secret. Call must be made in primary secret's region."
# AWS's message names the managing service; the wording is ours.
MANAGED_SECRET = "You can't delete this secret because it is managed by {}. Use {} to delete it."
# Ours: the rules are the model's (DeleteSecret), the texts are not on record.
HAS_CROSS_ACCOUNT_REPLICA = (
    "You can't delete a secret that has a cross-account replica. Call DisassociateCrossAccountReplica first."
)
IS_CROSS_ACCOUNT_REPLICA = (
    "You can't delete a cross-account replica secret. Call StopReplicationToReplica first."
)

START_DELETE = "StartSecretVersionDelete"
END_DELETE = "EndSecretVersionDelete"
CANCEL_DELETE = "CancelSecretVersionDelete"


def _delete_targets(call: Call, unit: ReadUnit) -> Sequence[Target]:
    request = call.request
    context: dict[str, str] = {}
    if "RecoveryWindowInDays" in request:
        context["secretsmanager:RecoveryWindowInDays"] = str(request["RecoveryWindowInDays"])
    if "ForceDeleteWithoutRecovery" in request:
        context["secretsmanager:ForceDeleteWithoutRecovery"] = (
            "true" if request["ForceDeleteWithoutRecovery"] else "false"
        )
    return (secret_target(call, unit, request["SecretId"], _DELETE, context=context),)


def delete_secret(authorized: AuthorizedCall, unit: WriteUnit) -> Mapping[str, Any]:
    """The secret is marked, to be deleted when its recovery window ends; by force it is gone at once.

    A force delete of a secret that does not exist succeeds, with an ARN made up for the answer.

    Raises:
        InvalidParameterException: the window is out of range or sent together with force; or the secret
            still has replicas.
        ResourceNotFoundException: no such secret, and no force.
        InvalidRequestException: it is marked already (and no force), a replica, tied to one in another
            account, or managed by a service.
    """
    call, request, target = authorized.call, authorized.request, authorized.target
    window = recovery_window(
        request.get("RecoveryWindowInDays"), force=bool(request.get("ForceDeleteWithoutRecovery", False))
    )
    now = call.received_at
    if window is None and target.record is None:
        return _never_existed(call, request["SecretId"], now)
    secret = present(target)
    if window is not None:
        secret = alive(secret)
    _refuse_tied(secret, request["SecretId"])
    if window is None:
        erase_secret(unit, secret, now, call.resources.entropy)
        return {"ARN": secret.arn, "Name": secret.name, "DeletionDate": now}
    marked = mark_for_deletion(secret, now, window)
    marked = rotation_runs.forget_duty(unit, marked, now, DELETED)
    unit.save_secret(marked)
    propagate(call, unit, marked)
    return {"ARN": marked.arn, "Name": marked.name, "DeletionDate": marked.deletion_at}


def restore_secret(authorized: AuthorizedCall, unit: WriteUnit) -> Mapping[str, Any]:
    """The secret is not marked for deletion, whether or not it was.

    Raises:
        ResourceNotFoundException: no such secret; its window may have ended.
    """
    call = authorized.call
    secret = present(authorized.target)
    if is_marked(secret):
        restored = restore(secret, call.received_at)
        unit.save_secret(restored)
        rotation_runs.resume(unit, restored, call.received_at, call.resources.entropy)
        for version in unit.versions(secret.arn):
            unit.record(
                version_event(
                    CANCEL_DELETE, secret, version.version_id, call.received_at, call.resources.entropy
                )
            )
        propagate(call, unit, restored)
    return {"ARN": secret.arn, "Name": secret.name}


def erase_secret(unit: WriteUnit, secret: Secret, now: dt.datetime, entropy: Entropy) -> None:
    """The secret, its versions and its policies are gone; the trail tells of each version's deletion."""
    for version in unit.versions(secret.arn):
        for name in (START_DELETE, END_DELETE):
            unit.record(version_event(name, secret, version.version_id, now, entropy))
    rotation_runs.erase(unit, secret.arn)
    unit.delete_secret(secret.arn)


def version_event(name: str, secret: Secret, version_id: str, now: dt.datetime, entropy: Entropy) -> bytes:
    """Return the service event `name` about one version, as one JSON line in CloudTrail's shape."""
    return service_event(
        name=name,
        account_id=secret.account_id,
        region=secret.region,
        at=now,
        event_id=str(uuid.UUID(bytes=entropy.token_bytes(16), version=4)),
        request_id=f"{name}-{secret.arn}-{version_id}",
        additional={"SecretId": secret.arn, "SecretVersionId": version_id},
    )


def _refuse_tied(secret: Secret, shown_as: str) -> None:
    if secret.owning_service is not None:
        service = secret.owning_service
        raise InvalidRequestException(MANAGED_SECRET.format(service, service))
    if secret.replica_of is not None:
        raise InvalidRequestException(REPLICA_WRITE)
    if secret.replicas:
        regions = ",".join(replica.region for replica in secret.replicas)
        raise InvalidParameterException(STILL_HAS_REPLICAS.format(shown_as, regions))
    if any(replica.status != "Detached" for replica in secret.cross_account_replicas):
        raise InvalidRequestException(HAS_CROSS_ACCOUNT_REPLICA)
    if secret.cross_account_primary is not None:
        raise InvalidRequestException(IS_CROSS_ACCOUNT_REPLICA)


def _never_existed(call: Call, secret_id: str, now: dt.datetime) -> Mapping[str, Any]:
    """Answer a force delete of nothing, as AWS does: with the name given and an ARN that never was."""
    parsed = parse_arn(secret_id)
    if parsed is not None:
        name = parsed.resource.removeprefix("secret:")
        return {"ARN": Arn(secret_id), "Name": name, "DeletionDate": now}
    below = call.resources.entropy.below
    suffix = "".join(
        SECRET_SUFFIX_ALPHABET[below(len(SECRET_SUFFIX_ALPHABET))] for _ in range(SECRET_SUFFIX_LENGTH)
    )
    arn = secret_arn(call.region, call.account_id, secret_id, suffix)
    return {"ARN": arn, "Name": secret_id, "DeletionDate": now}


DELETE_SECRET = Operation(
    name="DeleteSecret",
    action=_DELETE,
    unit=Unit.WRITE,
    targets=_delete_targets,
    handle=delete_secret,
    read_only=False,
    deviations=(
        "ForceDeleteWithoutRecovery deletes before the answer leaves, so the name is free at once; AWS takes "
        "some seconds.",
        "A force delete of an ARN that does not exist answers with that ARN and the name in it.",
        "A replica is not deleted by DeleteSecret: RemoveRegionsFromReplication on the primary does it.",
        "DeletedDate is the moment of the DeleteSecret call; DeletionDate is the end of the recovery window.",
        "DeleteSecret and RestoreSecret move the LastChangedDate.",
        "Version-deletion events carry the version id as additionalEventData.SecretVersionId.",
        "The texts refusing a managed secret and the two ends of a cross-account replication are our own.",
    ),
)
RESTORE_SECRET = Operation(
    name="RestoreSecret",
    action=_RESTORE,
    unit=Unit.WRITE,
    targets=one_secret(_RESTORE),
    handle=restore_secret,
    read_only=False,
    deviations=("Restoring a secret that is not marked for deletion succeeds and changes nothing.",),
)

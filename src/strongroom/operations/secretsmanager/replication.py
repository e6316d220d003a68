"""Replicas in other regions: ReplicateSecretToRegions, RemoveRegionsFromReplication, and
StopReplicationToReplica, which is for replicas in other accounts too.

Source: fact sheets secretsmanager section 6 (Replication), iam section 6; service model.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, Final

from msgspec.structs import replace

from strongroom.errors import InvalidParameterException, InvalidRequestException
from strongroom.names import Arn, Region, is_region, parse_arn, partition_of
from strongroom.operations.call import AuthorizedCall, Call, Operation, Target, Unit
from strongroom.operations.datakeys import DEFAULT_ALIAS
from strongroom.operations.secretsmanager.cross_account import promote as promote_cross_account
from strongroom.operations.secretsmanager.lifecycle import erase_secret
from strongroom.operations.secretsmanager.replicas import FAILED, PENDING, propagate
from strongroom.operations.secretsmanager.resolution import (
    alive,
    one_secret,
    present,
    secret_target,
    writable,
)
from strongroom.ports import ReadUnit, WriteUnit
from strongroom.secret.lifecycle import changed_at
from strongroom.secret.records import Replica, Secret

_REPLICATE: Final = "secretsmanager:ReplicateSecretToRegions"
_REMOVE: Final = "secretsmanager:RemoveRegionsFromReplication"
_STOP: Final = "secretsmanager:StopReplicationToReplica"
_DELETE_POLICY: Final = "secretsmanager:DeleteResourcePolicy"

# Emulator text (fact sheet secretsmanager section 6, MO).
INVALID_REGION: Final = "Invalid replica region."
# Ours: the texts are not on record.
REGION_TWICE: Final = "You can't specify the replica Region {} more than once."
OTHER_KEY: Final = (
    "The secret is already replicated to {} with another KMS key. To change the key, remove the Region from "
    "replication and add it again."
)
NO_SUCH_REPLICA: Final = "The secret isn't replicated to the Region {}."
NOT_A_REPLICA: Final = "You can't stop replication to this secret because it isn't a replica."


def add_region_context(request: Mapping[str, Any]) -> dict[str, str | tuple[str, ...]]:
    """Return the condition keys of replication in a request: AddReplicaRegions, ForceOverwriteReplicaSecret.

    Present only for members the caller sent.
    """
    context: dict[str, str | tuple[str, ...]] = {}
    if "AddReplicaRegions" in request:
        context["secretsmanager:AddReplicaRegions"] = tuple(
            each["Region"] for each in request["AddReplicaRegions"] if each.get("Region")
        )
    if "ForceOverwriteReplicaSecret" in request:
        force = request["ForceOverwriteReplicaSecret"]
        context["secretsmanager:ForceOverwriteReplicaSecret"] = "true" if force else "false"
    return context


def add_replicas(
    call: Call,
    unit: WriteUnit,
    secret: Secret,
    add_regions: Sequence[Mapping[str, Any]],
    overwrite: bool,
) -> Secret:
    """The secret has a replica in each region named, in sync, or listed as Failed with the reason.

    `secret` is saved, with its versions; it comes back saved with its new ReplicationStatus. With
    `overwrite` a standalone secret of the same name there is deleted at once and replaced; a replica of
    another secret, a primary with replicas and a secret another service manages never are. A region that is
    in the list already is tried again.

    Raises:
        InvalidParameterException: the secret's own region, one of another partition, none at all, one named
            twice, or one that has a replica under another key. Nothing is changed then.
    """
    replicas = {each.region: each for each in secret.replicas}
    named: set[Region] = set()
    for request in add_regions:
        region = Region(request.get("Region", ""))
        key = request.get("KmsKeyId") or None
        _require_region(secret, region)
        if region in named:
            raise InvalidParameterException(REGION_TWICE.format(region))
        named.add(region)
        known = replicas.get(region)
        if known is not None and known.status != FAILED and known.kms_key_id != key:
            raise InvalidParameterException(OTHER_KEY.format(region))
        replicas[region] = Replica(
            region=region, arn=replica_arn(secret, region), kms_key_id=key, status=PENDING
        )
    if overwrite:
        for target in named:
            _make_way(call, unit, secret, replicas[target])
    listed = replace(secret, replicas=tuple(replicas.values()), primary_region=secret.region)
    unit.save_secret(listed)
    return propagate(call, unit, listed)


def replication_status(secret: Secret, unit: ReadUnit) -> list[dict[str, Any]]:
    """Return the ReplicationStatus member of a primary; empty for a secret without replicas."""
    answer = []
    for replica in secret.replicas:
        entry: dict[str, Any] = {
            "Region": replica.region,
            "KmsKeyId": replica.kms_key_id or DEFAULT_ALIAS,
            "Status": replica.status,
        }
        if replica.status_message is not None:
            entry["StatusMessage"] = replica.status_message
        stored = unit.secret(replica.arn)
        if stored is not None and stored.replica_of == secret.arn and stored.last_accessed_on is not None:
            entry["LastAccessedDate"] = dt.datetime.combine(
                stored.last_accessed_on, dt.time.min, tzinfo=dt.UTC
            )
        answer.append(entry)
    return answer


def replica_arn(secret: Secret, region: str) -> Arn:
    """Return the ARN of a secret's replica: the primary's with another region (fact sheet section 2)."""
    fields = secret.arn.split(":", 5)
    fields[3] = region
    return Arn(":".join(fields))


def replicate_secret_to_regions(authorized: AuthorizedCall, unit: WriteUnit) -> Mapping[str, Any]:
    """The secret is replicated to the regions named, or the answer says for each why not.

    Raises:
        ResourceNotFoundException, InvalidRequestException: no such secret; it is marked or a replica.
        InvalidParameterException: as `add_replicas`.
    """
    request = authorized.request
    secret = _changed(authorized, writable(present(authorized.target)))
    secret = add_replicas(
        authorized.call,
        unit,
        secret,
        request["AddReplicaRegions"],
        bool(request.get("ForceOverwriteReplicaSecret", False)),
    )
    return {"ARN": secret.arn, "ReplicationStatus": replication_status(secret, unit)}


def remove_regions_from_replication(authorized: AuthorizedCall, unit: WriteUnit) -> Mapping[str, Any]:
    """The replicas in the regions named are deleted, and the secret does not list them any more.

    Raises:
        ResourceNotFoundException, InvalidRequestException: no such secret; it is marked or a replica.
        InvalidParameterException: a region that has no replica; nothing is changed then.
    """
    secret = writable(present(authorized.target))
    removed = frozenset(authorized.request["RemoveReplicaRegions"])
    for region in sorted(removed - {each.region for each in secret.replicas}):
        _require_region(secret, region)
        raise InvalidParameterException(NO_SUCH_REPLICA.format(region))
    for each in secret.replicas:
        if each.region in removed:
            _delete_replica(authorized.call, unit, secret, each)
    left = _without(_changed(authorized, secret), removed)
    unit.save_secret(left)
    left = propagate(authorized.call, unit, left)
    return {"ARN": left.arn, "ReplicationStatus": replication_status(left, unit)}


def stop_replication_to_replica(authorized: AuthorizedCall, unit: WriteUnit) -> Mapping[str, Any]:
    """The replica is a standalone secret; its primary does not write to it any more.

    The primary of another region forgets the replica; one of another account lists it as Detached.

    Raises:
        ResourceNotFoundException: no such secret.
        InvalidRequestException: it is marked for deletion, or not a replica.
    """
    replica = alive(present(authorized.target))
    if replica.cross_account_primary is not None:
        standalone = promote_cross_account(authorized.call, unit, replica)
    elif replica.replica_of is not None:
        standalone = _promote(authorized, unit, replica, replica.replica_of)
    else:
        raise InvalidRequestException(NOT_A_REPLICA)
    return {"ARN": standalone.arn}


def _promote(authorized: AuthorizedCall, unit: WriteUnit, replica: Secret, primary_arn: Arn) -> Secret:
    rotation = replica.rotation
    if rotation is not None:
        # The primary's function is in another region: whoever promotes decides on rotation anew.
        rotation = replace(rotation, enabled=False, next_rotation_at=None)
    standalone = replace(
        _changed(authorized, replica), replica_of=None, primary_region=None, rotation=rotation
    )
    unit.save_secret(standalone)
    primary = unit.secret(primary_arn)
    if primary is not None:
        unit.save_secret(_without(_changed(authorized, primary), frozenset({replica.region})))
    return standalone


def _without(secret: Secret, regions: frozenset[str]) -> Secret:
    left = tuple(each for each in secret.replicas if each.region not in regions)
    return replace(secret, replicas=left, primary_region=secret.region if left else None)


def _changed(authorized: AuthorizedCall, secret: Secret) -> Secret:
    return replace(secret, last_changed_at=changed_at(secret, authorized.call.received_at))


def _require_region(secret: Secret, region: str) -> None:
    """Raises InvalidParameterException unless `region` can hold a replica of the secret."""
    arn = parse_arn(secret.arn)
    if (
        not is_region(region)
        or region == secret.region
        or arn is None
        or partition_of(region) != arn.partition
    ):
        raise InvalidParameterException(INVALID_REGION)


def _make_way(call: Call, unit: WriteUnit, primary: Secret, replica: Replica) -> None:
    """A standalone secret that has the replica's name is deleted; nothing else is touched."""
    there = unit.secret_named(primary.account_id, replica.region, primary.name)
    if (
        there is None
        or there.replica_of is not None
        or there.replicas
        or there.owning_service is not None
        or there.cross_account_primary is not None
        or there.cross_account_replicas
    ):
        return
    erase_secret(unit, there, call.received_at, call.resources.entropy)


def _delete_replica(call: Call, unit: WriteUnit, primary: Secret, replica: Replica) -> None:
    stored = unit.secret(replica.arn)
    # A failed replica may have left a secret of another origin where it wanted to be.
    if stored is not None and stored.replica_of == primary.arn:
        erase_secret(unit, stored, call.received_at, call.resources.entropy)


def _replicate_targets(call: Call, unit: ReadUnit) -> Sequence[Target]:
    context = add_region_context(call.request)
    return (secret_target(call, unit, call.request["SecretId"], _REPLICATE, context=context),)


def _stop_targets(call: Call, unit: ReadUnit) -> Sequence[Target]:
    """For a cross-account replica DeleteResourcePolicy too: the service's own policy on it goes."""
    target = secret_target(call, unit, call.request["SecretId"], _STOP)
    if target.record is None or target.record.cross_account_primary is None:
        return (target,)
    return target, secret_target(call, unit, call.request["SecretId"], _DELETE_POLICY)


REPLICATE_SECRET_TO_REGIONS = Operation(
    name="ReplicateSecretToRegions",
    action=_REPLICATE,
    unit=Unit.WRITE,
    targets=_replicate_targets,
    handle=replicate_secret_to_regions,
    read_only=False,
    deviations=(
        "Replication is done when the answer leaves: the status is InSync or Failed, never InProgress.",
        "Any well-formed region name of the same partition can hold a replica; regions need no enabling.",
        "A new replica gets all versions with a staging label, and deprecated ones as far as they can be "
        "opened.",
        "A later write by a caller who may not use the keys succeeds on the primary and sets the replica's "
        "status to Failed; the next write, or ReplicateSecretToRegions for that region, tries again.",
        "While a replica is Failed because of a key, changes of tags, policies and metadata still reach it.",
        "Naming a region that is in sync already changes nothing; with another KmsKeyId it is an "
        "InvalidParameterException, and so is naming a region twice.",
        "ForceOverwriteReplicaSecret does not replace a replica of another secret, a primary with replicas, "
        "or a secret another service manages.",
    ),
)
REMOVE_REGIONS_FROM_REPLICATION = Operation(
    name="RemoveRegionsFromReplication",
    action=_REMOVE,
    unit=Unit.WRITE,
    targets=one_secret(_REMOVE),
    handle=remove_regions_from_replication,
    read_only=False,
    deviations=(
        "A region that has no replica is an InvalidParameterException, and no replica is removed then.",
    ),
)
STOP_REPLICATION_TO_REPLICA = Operation(
    name="StopReplicationToReplica",
    action=_STOP,
    unit=Unit.WRITE,
    targets=_stop_targets,
    handle=stop_replication_to_replica,
    read_only=False,
    deviations=(
        "Calling it on a secret that is not a replica is an InvalidRequestException, with a text of our own.",
        "A promoted secret keeps its rotation configuration, turned off.",
    ),
)

"""Replicas in other accounts: CreateSecret with CrossAccountPrimaryARN, Associate- and Disassociate-
CrossAccountReplica, and promotion.

The replica's account makes the replica first (Pending) and with it a resource policy that lets the primary's
account replicate into it. The primary's account associates it (InSync from then on, at every write of the
primary). Either side ends it: Disassociate leaves a Detached replica, promotion a standalone secret.

Source: service model (AssociateCrossAccountReplica, DisassociateCrossAccountReplica,
StopReplicationToReplica, CreateSecret.CrossAccountPrimaryARN); fact sheet secretsmanager section 6.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from msgspec.structs import replace

from strongroom.errors import (
    InvalidParameterException,
    InvalidRequestException,
    LimitExceededException,
    ResourceExistsException,
    ResourceNotFoundException,
)
from strongroom.keys.reference import parse_key_ref
from strongroom.names import (
    SECRET_SUFFIX_ALPHABET,
    SECRET_SUFFIX_LENGTH,
    AccountId,
    Arn,
    ParsedArn,
    is_account_id,
    parse_arn,
    partition_of,
    secret_arn,
)
from strongroom.operations.call import AuthorizedCall, Call, Operation, Target, Unit
from strongroom.operations.datakeys import DEFAULT_ALIAS, validate_key_access
from strongroom.operations.kms.resolution import find_key
from strongroom.operations.secretsmanager.messages import (
    NAME_MARKED_FOR_DELETION,
    SECRET_NOT_FOUND,
    name_in_use,
)
from strongroom.operations.secretsmanager.replicas import (
    DETACHED,
    DETACHED_BY_PRIMARY,
    DETACHED_BY_REPLICA,
    IN_SYNC,
    PENDING,
    REPLICATION_POLICY,
    SUCCEEDED,
    accept_target,
    replication_policy,
    sync_cross_account,
)
from strongroom.operations.secretsmanager.resolution import one_secret, present, secret_target, writable
from strongroom.ports import SECRET_POLICIES, ReadUnit, WriteUnit
from strongroom.secret.lifecycle import changed_at
from strongroom.secret.records import CrossAccountPrimary, CrossAccountReplica, Secret, SecretPolicy
from strongroom.secret.tags import parse_tags

_ASSOCIATE: Final = "secretsmanager:AssociateCrossAccountReplica"
_DISASSOCIATE: Final = "secretsmanager:DisassociateCrossAccountReplica"
_GET_VALUE: Final = "secretsmanager:GetSecretValue"
_PASS_ROLE: Final = "iam:PassRole"

_COMPLETE: Final = re.compile(r"secret:.+-[A-Za-z0-9]{6}")
_EXCLUDED: Final = (
    "SecretString",
    "SecretBinary",
    "Description",
    "AddReplicaRegions",
    "ForceOverwriteReplicaSecret",
    "Type",
)

# Terraform's providers match on the beginning (fact sheet rotation section 1).
CANNOT_ASSUME: Final = "Secrets Manager is unable to assume role {}."
# Ours: the rules are the model's, the texts are not on record.
EXCLUDED: Final = "You can't specify {} when you create a cross-account replica secret."
NEEDS_KEY: Final = "A cross-account replica secret must be encrypted with a customer managed KMS key."
NOT_A_PRIMARY_ARN: Final = (
    "CrossAccountPrimaryARN must be the complete ARN of a secret in another account, in the same Region and "
    "partition."
)
NOT_A_REPLICA_ARN: Final = (
    "CrossAccountReplicaARN must be the complete ARN of a secret in another account, in the same Region and "
    "partition."
)
NOT_ITS_REPLICA: Final = "The secret {} isn't a cross-account replica of the secret {}."
ONE_ONLY: Final = "A primary secret can have at most one cross-account replica."
NOT_ASSOCIATED: Final = "The secret {} isn't associated with the cross-account replica {}."
NOT_THE_OWNER: Final = "You must call this operation from the account that owns the primary secret."
NOT_A_ROLE: Final = "ReplicationRoleARN must be the ARN of an IAM role in the account of the primary secret."


def create_replica(call: Call, unit: WriteUnit, request: Mapping[str, Any]) -> Mapping[str, Any]:
    """A secret without a version exists, Pending, ready to be associated by the owner of the primary.

    It carries a resource policy named `CrossAccountReplication` that lets the primary's account replicate
    into it. Whether the primary exists is not looked at: another account's names are none of the caller's
    business. Returns CreateSecret's answer. `request` is CreateSecret's; its Name is valid already.

    Raises:
        InvalidParameterException: a member that does not go with CrossAccountPrimaryARN; an ARN of this
            account, another region or partition; no customer managed key.
        InvalidRequestException: a secret of the name is scheduled for deletion.
        ResourceExistsException: the name is in use.
        AccessDeniedException, ResourceNotFoundException, EncryptionFailure: the key, as
            `datakeys.validate_key_access`.
    """
    for member in _EXCLUDED:
        if member in request:
            raise InvalidParameterException(EXCLUDED.format(member))
    primary = _elsewhere(request["CrossAccountPrimaryARN"], call.region, call.account_id)
    if primary is None:
        raise InvalidParameterException(NOT_A_PRIMARY_ARN)
    name = request["Name"]
    there = unit.secret_named(call.account_id, call.region, name)
    if there is not None:
        if there.deleted_at is not None:
            raise InvalidRequestException(NAME_MARKED_FOR_DELETION)
        raise ResourceExistsException(name_in_use(name))
    tags = parse_tags(request["Tags"]) if request.get("Tags") else None
    arn = secret_arn(call.region, call.account_id, name, _suffix(call))
    key = _customer_key(call, unit, arn, request.get("KmsKeyId"))
    now = call.received_at
    replica = Secret(
        arn=arn,
        account_id=call.account_id,
        region=call.region,
        name=name,
        created_at=now,
        last_changed_at=now,
        kms_key_id=key,
        tags=tags,
        cross_account_primary=CrossAccountPrimary(arn=Arn(str(primary)), status=PENDING),
    )
    unit.save_secret(replica)
    document = replication_policy(primary.account_id, primary.partition)
    unit.save(
        SECRET_POLICIES, SecretPolicy(secret_arn=arn, policy_name=REPLICATION_POLICY, document=document)
    )
    return {"ARN": arn, "Name": name}


def promote(call: Call, unit: WriteUnit, replica: Secret) -> Secret:
    """The cross-account replica is standalone; its primary, if it still lists it, lists it as Detached."""
    standalone = replace(
        replica, cross_account_primary=None, last_changed_at=changed_at(replica, call.received_at)
    )
    unit.save_secret(standalone)
    unit.delete(SECRET_POLICIES, replica.arn, REPLICATION_POLICY)
    link = replica.cross_account_primary
    primary = None if link is None else unit.secret(link.arn)
    if primary is not None:
        listed = tuple(
            replace(each, status=DETACHED, status_message=DETACHED_BY_REPLICA)
            if each.arn == replica.arn
            else each
            for each in primary.cross_account_replicas
        )
        unit.save_secret(replace(primary, cross_account_replicas=listed))
    return standalone


def associate_cross_account_replica(authorized: AuthorizedCall, unit: WriteUnit) -> Mapping[str, Any]:
    """The replica holds what the primary holds, and follows it from now on. Again: replication is repaired.

    Raises:
        ResourceNotFoundException, InvalidRequestException: no such primary; it is marked or a replica; the
            replication role cannot be assumed.
        InvalidParameterException: the replica's ARN is not one of another account in the same region and
            partition, or not of a replica made for this primary.
        LimitExceededException: the primary has another cross-account replica.
        AccessDeniedException, EncryptionFailure, DecryptionFailure: a key cannot be used.
    Whatever is raised, nothing is changed.
    """
    call, request = authorized.call, authorized.request
    primary = writable(present(authorized.target))
    if call.account_id != primary.account_id:
        raise InvalidRequestException(NOT_THE_OWNER)
    replica_arn = request["CrossAccountReplicaARN"]
    if _elsewhere(replica_arn, primary.region, primary.account_id) is None:
        raise InvalidParameterException(NOT_A_REPLICA_ARN)
    role = request.get("ReplicationRoleARN")
    if role is not None:
        _refuse_role(primary, role)
    replica = unit.secret(replica_arn)
    if replica is None:
        raise ResourceNotFoundException(SECRET_NOT_FOUND)
    link = replica.cross_account_primary
    if link is None or link.arn != primary.arn:
        raise InvalidParameterException(NOT_ITS_REPLICA.format(replica.arn, primary.arn))
    if any(each.arn != replica.arn and each.status != DETACHED for each in primary.cross_account_replicas):
        raise LimitExceededException(ONE_ONLY)
    entry = CrossAccountReplica(
        arn=replica.arn,
        status=IN_SYNC,
        restriction=request.get("ReplicaRestriction", "SameOrg"),
        status_message=SUCCEEDED,
    )
    sync_cross_account(call, unit, primary, replica)
    if primary.cross_account_replicas != (entry,):
        at = changed_at(primary, call.received_at)
        unit.save_secret(replace(primary, cross_account_replicas=(entry,), last_changed_at=at))
    return {"ARN": primary.arn, "CrossAccountReplicaARN": replica.arn, "ReplicationStatus": IN_SYNC}


def disassociate_cross_account_replica(authorized: AuthorizedCall, unit: WriteUnit) -> Mapping[str, Any]:
    """The primary does not list the replica any more; the replica stays as it is, Detached.

    Raises:
        ResourceNotFoundException, InvalidRequestException: no such primary; it is marked or a replica.
        InvalidParameterException: the replica is not associated with it.
    """
    call, replica_arn = authorized.call, authorized.request["CrossAccountReplicaARN"]
    primary = writable(present(authorized.target))
    left = tuple(each for each in primary.cross_account_replicas if each.arn != replica_arn)
    if len(left) == len(primary.cross_account_replicas):
        raise InvalidParameterException(NOT_ASSOCIATED.format(primary.arn, replica_arn))
    unit.save_secret(
        replace(primary, cross_account_replicas=left, last_changed_at=changed_at(primary, call.received_at))
    )
    replica = unit.secret(replica_arn)
    link = None if replica is None else replica.cross_account_primary
    if replica is not None and link is not None and link.arn == primary.arn:
        detached = replace(link, status=DETACHED, status_message=DETACHED_BY_PRIMARY)
        unit.save_secret(replace(replica, cross_account_primary=detached))
    return {"ARN": primary.arn, "CrossAccountReplicaARN": replica_arn}


def cross_account_primary(secret: Secret) -> dict[str, Any] | None:
    """Return DescribeSecret's CrossAccountPrimary; None for a secret that is no cross-account replica."""
    link = secret.cross_account_primary
    if link is None:
        return None
    shown = {"PrimarySecretARN": link.arn, "ReplicationStatus": link.status}
    return shown if link.status_message is None else {**shown, "StatusMessage": link.status_message}


def cross_account_replicas(secret: Secret) -> list[dict[str, Any]]:
    """Return DescribeSecret's CrossAccountReplicas; empty for a secret that has none."""
    answer = []
    for each in secret.cross_account_replicas:
        entry: dict[str, Any] = {"ReplicaSecretARN": each.arn, "ReplicationStatus": each.status}
        if each.role_arn is not None:
            entry["ReplicationRoleARN"] = each.role_arn
        if each.status_message is not None:
            entry["StatusMessage"] = each.status_message
        answer.append(entry)
    return answer


def _elsewhere(text: str, region: str, account_id: str) -> ParsedArn | None:
    """Return the complete ARN of a secret in the same region and partition but another account; or None."""
    arn = parse_arn(text)
    if (
        arn is None
        or (arn.service, arn.region, arn.partition) != ("secretsmanager", region, partition_of(region))
        or arn.account_id == account_id
        or not is_account_id(arn.account_id)
        or not _COMPLETE.fullmatch(arn.resource)
    ):
        return None
    return arn


def _customer_key(call: Call, unit: WriteUnit, arn: str, kms_key_id: str | None) -> str:
    """Return the key, usable by the caller and not the service's own."""
    if not kms_key_id or kms_key_id.rpartition(":")[2] == DEFAULT_ALIAS:
        raise InvalidParameterException(NEEDS_KEY)
    validate_key_access(
        call, unit, secret_arn=arn, region=call.region, account_id=call.account_id, kms_key_id=kms_key_id
    )
    key = find_key(unit, parse_key_ref(kms_key_id, call.region, call.account_id), call.received_at)
    if key is None or key.manager != "CUSTOMER":
        raise InvalidParameterException(NEEDS_KEY)
    return kms_key_id


def _refuse_role(primary: Secret, role: str) -> None:
    arn = parse_arn(role)
    if (
        arn is None
        or arn.service != "iam"
        or arn.account_id != primary.account_id
        or not arn.resource.startswith("role/")
    ):
        raise InvalidParameterException(NOT_A_ROLE)
    raise InvalidRequestException(CANNOT_ASSUME.format(role))


def _suffix(call: Call) -> str:
    below = call.resources.entropy.below
    return "".join(
        SECRET_SUFFIX_ALPHABET[below(len(SECRET_SUFFIX_ALPHABET))] for _ in range(SECRET_SUFFIX_LENGTH)
    )


def _associate_targets(call: Call, unit: ReadUnit) -> Sequence[Target]:
    """The primary, to be associated and read; the replica, to be written; the role, to be passed."""
    secret_id = call.request["SecretId"]
    targets = [
        secret_target(call, unit, secret_id, _ASSOCIATE),
        secret_target(call, unit, secret_id, _GET_VALUE),
    ]
    replica_arn = call.request["CrossAccountReplicaARN"]
    # An ARN that cannot be a replica's is the handler's to refuse: there is nothing to be authorized on.
    if _elsewhere(replica_arn, call.region, targets[0].owner_account) is not None:
        targets.append(accept_target(call, unit, replica_arn))
    role = call.request.get("ReplicationRoleARN")
    if role is not None:
        arn = parse_arn(role)
        owner = arn.account_id if arn is not None and is_account_id(arn.account_id) else call.account_id
        targets.append(Target(action=_PASS_ROLE, resource=role, owner_account=AccountId(owner)))
    return targets


ASSOCIATE_CROSS_ACCOUNT_REPLICA = Operation(
    name="AssociateCrossAccountReplica",
    action=_ASSOCIATE,
    unit=Unit.WRITE,
    targets=_associate_targets,
    handle=associate_cross_account_replica,
    read_only=False,
    deviations=(
        "There are no organizations here: all accounts of one installation count as one organization, so "
        "ReplicaRestriction SameOrg and NoRestriction are both accepted and allow the same.",
        "Roles that Secrets Manager could assume do not exist yet: a ReplicationRoleARN is refused with "
        "'Secrets Manager is unable to assume role'. Without one, replication runs as the caller of each "
        "write to the primary, as on AWS.",
        "A cross-account replica receives versions, staging labels and description; its tags, resource "
        "policies and KMS key stay those of its own account.",
        "Each replication asks for kms:Encrypt on the replica's key and for "
        "secretsmanager:AcceptCrossAccountReplication on the replica; the replica's account grants the "
        "latter by a resource policy named CrossAccountReplication that CreateSecret writes.",
        "A write to a cross-account replica, to its tags and policies too, is refused as on a replica in "
        "another Region, with the same text.",
        "A Detached entry is replaced when another replica is associated.",
        "The texts of its own errors are not on record; they are ours.",
    ),
)
DISASSOCIATE_CROSS_ACCOUNT_REPLICA = Operation(
    name="DisassociateCrossAccountReplica",
    action=_DISASSOCIATE,
    unit=Unit.WRITE,
    targets=one_secret(_DISASSOCIATE),
    handle=disassociate_cross_account_replica,
    read_only=False,
    deviations=(
        "The primary's entry disappears; the replica reports Detached.",
        "A replica that is not associated is an InvalidParameterException.",
    ),
)

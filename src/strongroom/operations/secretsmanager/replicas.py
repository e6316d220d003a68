"""Bringing replicas in line with their primary, inside the write that changed the primary.

All regions and accounts live in one store, so replication is synchronous and all or nothing with the write
itself. A replica has the primary's ARN with another region, versions sealed anew under a key of its region,
and everything else as the primary has it. Key permissions are those of the caller whose write it is.

Source: fact sheet secretsmanager section 6 (Replication); service model, AssociateCrossAccountReplica.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import msgspec
from msgspec.structs import replace

from strongroom.errors import (
    AccessDeniedException,
    DecryptionFailure,
    EncryptionFailure,
    InvalidParameterException,
    InvalidRequestException,
    ResourceNotFoundException,
    ServiceError,
)
from strongroom.names import Arn, VersionId
from strongroom.operations.authorize import allowed
from strongroom.operations.call import Call, Target
from strongroom.operations.datakeys import open_value, seal_value, validate_key_access
from strongroom.operations.refusals import overlooked
from strongroom.operations.secretsmanager.resolution import secret_target
from strongroom.ports import SECRET_POLICIES, ReadUnit, WriteUnit
from strongroom.secret.lifecycle import changed_at
from strongroom.secret.records import CrossAccountReplica, Replica, Secret, SecretVersion
from strongroom.secret.value import SecretValue

IN_SYNC: Final = "InSync"
FAILED: Final = "Failed"
PENDING: Final = "Pending"
DETACHED: Final = "Detached"

ACCEPT_ACTION: Final = "secretsmanager:AcceptCrossAccountReplication"
REPLICATION_POLICY: Final = "CrossAccountReplication"
"""The named resource policy, written by the service, that lets the primary's account replicate into a
cross-account replica."""

# Service model, ReplicationStatusType.
NAME_EXISTS: Final = "Secret with this name already exists in this region"
# Terraform's documentation of status_message.
SUCCEEDED: Final = "Replication succeeded"
# Ours.
DETACHED_BY_REPLICA: Final = "Replication was stopped by the replica."
DETACHED_BY_PRIMARY: Final = "Replication was stopped by the primary."
REPLICA_GONE: Final = "Secrets Manager can't find the replica secret."
NOT_ACCEPTED: Final = "The caller isn't allowed to replicate into the replica secret."

# AWS documents both for the replica's key (fact sheet iam section 6, ReplicateSecretToRegions) …
_REGION_KEY_ACTIONS: Final = ("kms:GenerateDataKey", "kms:Encrypt")
# … and for a key in another account this one only (service model, AssociateCrossAccountReplica).
_ACCOUNT_KEY_ACTIONS: Final = ("kms:Encrypt",)

_REFUSALS: Final = (
    AccessDeniedException,
    DecryptionFailure,
    EncryptionFailure,
    InvalidParameterException,
    InvalidRequestException,
    ResourceNotFoundException,
)
"""What `operations/datakeys` answers when a key cannot be used: for a replica a status, not an error."""


def propagate(call: Call, unit: WriteUnit, secret: Secret) -> Secret:
    """Every replica of `secret` is as `secret` is, or its status says Failed and why.

    Call after any change of a primary, with the secret, its versions and its policies saved. Returns the
    secret with the replicas' new statuses, saved. A replica that failed before is tried again. Where a key
    cannot be used, the replica keeps the versions and labels it had; tags, policies and all else still
    follow. Nothing happens for a secret without replicas.
    """
    if not secret.replicas and not secret.cross_account_replicas:
        return secret
    source = _Source(call, unit, secret)
    followed = replace(
        secret,
        replicas=tuple(_follow_region(source, each) for each in secret.replicas),
        cross_account_replicas=tuple(_follow_account(source, each) for each in secret.cross_account_replicas),
    )
    if followed != secret:
        unit.save_secret(followed)
    return followed


def sync_cross_account(call: Call, unit: WriteUnit, primary: Secret, replica: Secret) -> None:
    """The cross-account replica has the primary's versions, labels and description; its status is InSync.

    Raises what `operations/datakeys` raises when a key cannot be used; nothing is changed then.
    """
    _Source(call, unit, primary).into_account(replica)


def accept_target(call: Call, unit: ReadUnit, replica_arn: str) -> Target:
    """Return the target for replicating into a cross-account replica, as the caller.

    All its resource policies count, the service's own among them.
    """
    return secret_target(call, unit, replica_arn, ACCEPT_ACTION)


def replication_policy(primary_account: str, partition: str) -> str:
    """Return the document of the service's own policy on a cross-account replica."""
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:{partition}:iam::{primary_account}:root"},
        "Action": ACCEPT_ACTION,
        "Resource": "*",
    }
    return msgspec.json.encode({"Version": "2012-10-17", "Statement": [statement]}).decode()


def _follow_region(source: _Source, replica: Replica) -> Replica:
    try:
        with overlooked(source.call):
            source.into_region(replica)
    except _REFUSALS as refusal:
        return replace(replica, status=FAILED, status_message=_reason(refusal))
    return replace(replica, status=IN_SYNC, status_message=SUCCEEDED)


def _follow_account(source: _Source, replica: CrossAccountReplica) -> CrossAccountReplica:
    if replica.status == DETACHED:
        return replica
    call, unit = source.call, source.unit
    stored = unit.secret(replica.arn)
    link = None if stored is None else stored.cross_account_primary
    if stored is None or link is None or link.arn != source.primary.arn:
        return replace(replica, status=FAILED, status_message=REPLICA_GONE)
    try:
        # A status, no error: none of what is refused here is on record.
        with overlooked(call):
            if not allowed(call, unit, accept_target(call, unit, replica.arn)).allowed:
                raise AccessDeniedException(NOT_ACCEPTED)
            source.into_account(stored)
    except _REFUSALS as refusal:
        message = _reason(refusal)
        failed = replace(link, status=FAILED, status_message=message)
        if failed != link:
            unit.save_secret(replace(stored, cross_account_primary=failed))
        return replace(replica, status=FAILED, status_message=message)
    return replace(replica, status=IN_SYNC, status_message=SUCCEEDED)


def _reason(refusal: ServiceError) -> str:
    return refusal.message or type(refusal).__name__


@dataclass(slots=True, repr=False)
class _Source:
    """A primary whose values are opened once for all its replicas."""

    call: Call
    unit: WriteUnit
    primary: Secret
    values: dict[VersionId, SecretValue] = field(default_factory=dict)

    def into_region(self, replica: Replica) -> None:
        """Bring a replica of another region in line. Raises one of `_REFUSALS`."""
        call, unit, primary = self.call, self.unit, self.primary
        before = unit.secret(replica.arn)
        if before is None or before.replica_of != primary.arn:
            if unit.secret_named(primary.account_id, replica.region, primary.name) is not None:
                raise InvalidRequestException(NAME_EXISTS)
            before = None
        if before is None and replica.kms_key_id:
            validate_key_access(
                call,
                unit,
                secret_arn=replica.arn,
                region=replica.region,
                account_id=primary.account_id,
                kms_key_id=replica.kms_key_id,
                key_actions=_REGION_KEY_ACTIONS,
            )
        after = replace(
            primary,
            arn=replica.arn,
            region=replica.region,
            created_at=call.received_at if before is None else before.created_at,
            kms_key_id=replica.kms_key_id,
            last_accessed_on=None if before is None else before.last_accessed_on,
            primary_region=primary.region,
            replica_of=primary.arn,
            replicas=(),
            cross_account_replicas=(),
        )
        refusal: ServiceError | None = None
        try:
            copies = list(self._copies(after, before is None, _REGION_KEY_ACTIONS))
        except _REFUSALS as exc:
            if before is None:
                raise
            # SECURITY: a tightened policy or a changed tag holds in every region, whatever a key says.
            refusal, copies, after = exc, [], replace(after, labels=before.labels)
        if after != before:
            unit.save_secret(after)
        self._copy_policies(after.arn)
        if refusal is not None:
            raise refusal
        self._store_versions(after.arn, copies)

    def into_account(self, replica: Secret) -> None:
        """Bring a cross-account replica in line. Raises one of `_REFUSALS`, with nothing changed."""
        primary = self.primary
        link = replica.cross_account_primary
        if link is None:
            raise InvalidRequestException(REPLICA_GONE)
        after = replace(
            replica,
            labels=primary.labels,
            description=primary.description,
            cross_account_primary=replace(link, status=IN_SYNC, status_message=SUCCEEDED),
        )
        copies = list(self._copies(after, not replica.labels, _ACCOUNT_KEY_ACTIONS))
        if after != replica:
            at = changed_at(replica, self.call.received_at)
            self.unit.save_secret(replace(after, last_changed_at=at))
        self._store_versions(after.arn, copies)

    def _copies(self, replica: Secret, new: bool, key_actions: tuple[str, ...]) -> Iterator[SecretVersion]:
        """Yield the versions the replica lacks. Unlabelled ones only for a new replica, and if they open."""
        labelled = frozenset(self.primary.labels.values())
        for version in self.unit.versions(self.primary.arn):
            if self.unit.version(replica.arn, version.version_id) is not None:
                continue
            if version.version_id in labelled:
                yield self._copy(version, replica, key_actions)
            elif new:
                try:
                    with overlooked(self.call):
                        copy = self._copy(version, replica, key_actions)
                except _REFUSALS:
                    continue
                yield copy

    def _copy(self, version: SecretVersion, replica: Secret, key_actions: tuple[str, ...]) -> SecretVersion:
        sealed = seal_value(
            self.call,
            self.unit,
            secret_arn=replica.arn,
            region=replica.region,
            account_id=replica.account_id,
            version_id=version.version_id,
            kms_key_id=replica.kms_key_id,
            value=self._value(version),
            key_actions=key_actions,
        )
        return SecretVersion(
            secret_arn=replica.arn,
            version_id=version.version_id,
            created_at=version.created_at,
            kms_key_arn=sealed.kms_key_arn,
            envelope=sealed.envelope,
            default_key=sealed.default_key,
        )

    def _value(self, version: SecretVersion) -> SecretValue:
        value = self.values.get(version.version_id)
        if value is None:
            primary = self.primary
            value = open_value(
                self.call, self.unit, version, region=primary.region, account_id=primary.account_id
            )
            self.values[version.version_id] = value
        return value

    def _store_versions(self, replica_arn: Arn, copies: list[SecretVersion]) -> None:
        for copy in copies:
            self.unit.save_version(copy)
        kept = {version.version_id for version in self.unit.versions(self.primary.arn)}
        for version in self.unit.versions(replica_arn):
            if version.version_id not in kept:
                self.unit.delete_version(replica_arn, version.version_id)

    def _copy_policies(self, replica_arn: Arn) -> None:
        unit = self.unit
        wanted = {each.policy_name: each for each in unit.scan(SECRET_POLICIES, self.primary.arn)}
        there = {each.policy_name: each for each in unit.scan(SECRET_POLICIES, replica_arn)}
        for name in there.keys() - wanted.keys():
            unit.delete(SECRET_POLICIES, replica_arn, name)
        for name, policy in wanted.items():
            copy = replace(policy, secret_arn=replica_arn)
            if there.get(name) != copy:
                unit.save(SECRET_POLICIES, copy)

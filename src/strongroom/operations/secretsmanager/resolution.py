"""From a SecretId to the stored secret, and to the target its use is authorized on.

Sources: fact sheets secretsmanager sections 2 and 7, iam section 6 (condition keys).
"""

from __future__ import annotations

from collections.abc import Sequence

from strongroom.errors import InvalidRequestException, ResourceNotFoundException
from strongroom.names import AccountId, partition_of
from strongroom.operations.call import Call, ConditionContext, ResourcePolicy, Target, Targets
from strongroom.operations.secretsmanager.messages import (
    MARKED_FOR_DELETION,
    REPLICA_WRITE,
    SECRET_NOT_FOUND,
)
from strongroom.ports import SECRET_POLICIES, ReadUnit
from strongroom.secret.records import Secret
from strongroom.secret.reference import SecretRef, parse_secret_ref

__all__ = ["alive", "find_secret", "one_secret", "present", "secret_target", "writable"]


def find_secret(call: Call, unit: ReadUnit, secret_id: str) -> Secret | None:
    """Return the secret `secret_id` names in the call's region, or None.

    Raises ValidationException when it is neither a name nor a secret's ARN.
    """
    return _find(call, unit, parse_secret_ref(secret_id))


def _find(call: Call, unit: ReadUnit, ref: SecretRef) -> Secret | None:
    if ref.region is not None and ref.region != call.region:
        return None
    if ref.arn is not None:
        return unit.secret(ref.arn)
    if ref.name is None:
        return None
    return unit.secret_named(ref.account_id or call.account_id, call.region, ref.name)


def secret_target(
    call: Call,
    unit: ReadUnit,
    secret_id: str,
    action: str,
    context: ConditionContext | None = None,
    optional: bool = False,
) -> Target:
    """Return the target of `action` on the secret, which may be absent: then its `record` is None and its
    resource is the ARN it would have."""
    ref = parse_secret_ref(secret_id)
    secret = _find(call, unit, ref)
    if secret is None:
        owner = AccountId(ref.account_id or call.account_id)
        region = ref.region or call.region
        resource = ref.arn or f"arn:{partition_of(region)}:secretsmanager:{region}:{owner}:secret:{ref.name}"
        return Target(
            action=action,
            resource=resource,
            owner_account=owner,
            shown_as=secret_id,
            context={"secretsmanager:SecretId": resource, **(context or {})},
            optional=optional,
        )
    policies = unit.scan(SECRET_POLICIES, secret.arn)
    return Target(
        action=action,
        resource=secret.arn,
        owner_account=secret.account_id,
        shown_as=secret_id,
        record=secret,
        resource_policies=tuple(ResourcePolicy(each.document) for each in policies),
        context={**_context(secret), **(context or {})},
        optional=optional,
    )


def _context(secret: Secret) -> dict[str, str | tuple[str, ...]]:
    context: dict[str, str | tuple[str, ...]] = {"secretsmanager:SecretId": secret.arn}
    for key, value in (secret.tags or {}).items():
        context[f"aws:ResourceTag/{key}"] = value
        context[f"secretsmanager:ResourceTag/{key}"] = value
    if secret.rotation is not None and secret.rotation.function_arn is not None:
        context["secretsmanager:resource/AllowRotationLambdaArn"] = secret.rotation.function_arn
    if secret.type is not None:
        context["secretsmanager:resource/Type"] = secret.type
    context["secretsmanager:SecretPrimaryRegion"] = secret.primary_region or secret.region
    return context


def one_secret(action: str) -> Targets:
    """Return the targets of an operation that acts on the secret its SecretId names."""

    def targets(call: Call, unit: ReadUnit) -> Sequence[Target]:
        return (secret_target(call, unit, call.request["SecretId"], action),)

    return targets


def present(target: Target) -> Secret:
    """Return the target's secret. Raises ResourceNotFoundException when there is none."""
    secret = target.record
    if not isinstance(secret, Secret):
        raise ResourceNotFoundException(SECRET_NOT_FOUND)
    return secret


def alive(secret: Secret) -> Secret:
    """Return the secret. Raises InvalidRequestException when it is marked for deletion."""
    if secret.deleted_at is not None:
        raise InvalidRequestException(MARKED_FOR_DELETION)
    return secret


def writable(secret: Secret) -> Secret:
    """Return the secret. Raises InvalidRequestException when it is marked for deletion or a replica."""
    alive(secret)
    if secret.replica_of is not None or secret.cross_account_primary is not None:
        raise InvalidRequestException(REPLICA_WRITE)
    return secret

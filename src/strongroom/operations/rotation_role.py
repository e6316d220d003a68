"""The role Secrets Manager takes in an account to rotate without a function: made when first needed.

It is a role like any other: key policies, resource policies and boundaries hold for it, and an account may
narrow it. Source: IAM user guide, service-linked roles; its policy is `identity/managed`.
"""

from __future__ import annotations

import datetime as dt
import json
from typing import Final

import msgspec

from strongroom.identity import ids
from strongroom.identity.managed import ROTATION_POLICY
from strongroom.identity.naming import fold_name
from strongroom.identity.principal import Principal, PrincipalType
from strongroom.identity.records import Role
from strongroom.identity.sessions import Session
from strongroom.names import AccountId, Region, role_arn
from strongroom.operations.call import Call, Resources
from strongroom.operations.lambda_.standing import service_allowed
from strongroom.operations.sts.sessions import Origins, principal_of_session
from strongroom.policy.document import PolicyKind
from strongroom.ports import ROLES, Entropy, ReadUnit, WriteUnit

__all__ = ["ROLE_NAME", "SESSION_NAME", "as_service", "kept_role", "rotation_role", "service_call"]

ROLE_NAME: Final = "AWSServiceRoleForSecretsManagerRotation"
SESSION_NAME: Final = "SecretsManagerRotation"
_SERVICE: Final = "secretsmanager.amazonaws.com"
_PATH: Final = "/aws-service-role/rotation.secretsmanager.amazonaws.com/"
_TRUST: Final = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": _SERVICE}, "Action": "sts:AssumeRole"},
        ],
    }
)


def rotation_role(unit: ReadUnit, account_id: str) -> Role | None:
    """Return the account's role for rotation; None before it was needed, or when it was deleted.

    SECURITY: only at its own path, and as long as it trusts the service. A role that merely has the name is
    its maker's.
    """
    role = unit.find_alternate(ROLES, account_id, fold_name(ROLE_NAME))
    if role is None or role.path != _PATH:
        return None
    context = {"aws:SourceAccount": account_id}
    trusts = service_allowed(
        _SERVICE, "sts:AssumeRole", role.arn, role.trust_policy, PolicyKind.TRUST, context
    )
    return role if trusts else None


def kept_role(unit: WriteUnit, account_id: AccountId, now: dt.datetime, entropy: Entropy) -> Role | None:
    """Return the account's role for rotation, made now where there is none; None: its name is taken."""
    role = rotation_role(unit, account_id)
    if role is not None or unit.find_alternate(ROLES, account_id, fold_name(ROLE_NAME)) is not None:
        return role
    role = Role(
        role_id=ids.role_id(entropy.token_bytes(ids.ROLE_ID_RANDOM_BYTES)),
        role_name=ROLE_NAME,
        path=_PATH,
        arn=role_arn(account_id, _PATH, ROLE_NAME),
        account_id=account_id,
        created_at=now,
        trust_policy=_TRUST,
        description="Lets Secrets Manager rotate secrets without a function.",
        attached=(ROTATION_POLICY,),
    )
    unit.save(ROLES, role)
    return role


def as_service(call: Call, role: Role) -> Call:
    """Return the call as if the service made it itself, in its role. Notes for the record stay the call's."""
    principal = _principal(role.account_id, role, call.received_at)
    return msgspec.structs.replace(call, principal=principal, context=_context(principal, call.region))


def service_call(
    unit: ReadUnit, resources: Resources, account_id: AccountId, region: Region, now: dt.datetime
) -> Call:
    """Return what stands for a caller where the service itself changes a secret's labels.

    SECURITY: an account without the role gets a caller that may do nothing.
    """
    principal = _principal(account_id, rotation_role(unit, account_id), now)
    return Call(
        service="secretsmanager",
        operation="RotateSecret",
        request={},
        principal=principal,
        region=region,
        received_at=now,
        request_id="",
        resources=resources,
        context=_context(principal, region),
        details={},
    )


def _principal(account_id: AccountId, role: Role | None, now: dt.datetime) -> Principal:
    session = Session(
        access_key_id="",
        secret_access_key="",
        account_id=account_id,
        type=PrincipalType.ASSUMED_ROLE,
        issued_at=now,
        expires_at=now,
        name=SESSION_NAME,
        role_id=None if role is None else role.role_id,
    )
    return principal_of_session(session, Origins(role=role))


def _context(principal: Principal, region: str) -> dict[str, str]:
    return {
        "aws:PrincipalArn": principal.role_arn or principal.arn,
        "aws:PrincipalAccount": principal.account_id,
        "aws:PrincipalType": principal.type.value,
        "aws:userid": principal.principal_id,
        "aws:RequestedRegion": region,
        "aws:SecureTransport": "true",
        "aws:SourceIp": _SERVICE,
    }

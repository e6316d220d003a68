"""What `strongroom rotation check` finds without a login: of the secret, its function, the service's role."""

from __future__ import annotations

from typing import Final

from strongroom.cli.rotations import left_pending
from strongroom.errors import ServiceError
from strongroom.names import AWSCURRENT, Arn
from strongroom.operations.authorize import allowed
from strongroom.operations.call import Call
from strongroom.operations.datakeys import open_value
from strongroom.operations.lambda_.policies import function_of, may_invoke
from strongroom.operations.rotation_role import ROLE_NAME, as_service, rotation_role
from strongroom.operations.rotation_way import ByFunction
from strongroom.operations.secretsmanager.resolution import secret_target
from strongroom.operations.secretsmanager.rotation_records import duty_of
from strongroom.ports import ReadUnit
from strongroom.secret.document import FaultKind
from strongroom.secret.material import CheckFinding
from strongroom.secret.records import Secret

__all__ = ["function_findings", "role_findings", "state_findings", "superuser_findings"]

_ACTIONS: Final = ("DescribeSecret", "GetSecretValue", "PutSecretValue", "UpdateSecretVersionStage")


def state_findings(unit: ReadUnit, secret: Secret) -> list[CheckFinding]:
    findings: list[CheckFinding] = []
    if secret.deleted_at is not None:
        findings.append(CheckFinding("secret", FaultKind.SECRET, "it is marked for deletion"))
    if secret.replica_of is not None or secret.cross_account_primary is not None:
        findings.append(CheckFinding("secret", FaultKind.SECRET, "it is a replica; its primary is rotated"))
    duty, left = duty_of(unit, secret.arn), left_pending(secret)
    if duty is not None and duty.run is not None:
        findings.append(
            CheckFinding("labels", None, "a rotation is under way: see 'strongroom rotation status'")
        )
    elif left is not None:
        findings.append(CheckFinding("labels", FaultKind.SERVICE, left))
    return findings


def function_findings(unit: ReadUnit, secret: Secret, way: ByFunction) -> list[CheckFinding]:
    if function_of(unit, way.arn) is None:
        return [CheckFinding("function", FaultKind.FUNCTION, f"there is no function {way.arn}")]
    if not may_invoke(unit, way.arn, secret.arn, secret.account_id):
        message = f"the policy of the function {way.arn} does not let secretsmanager.amazonaws.com in"
        return [CheckFinding("function", FaultKind.FUNCTION, message)]
    message = (
        f"{way.arn} can be invoked; what it does itself is known by running it: RotateSecret with "
        "RotateImmediately false tests it"
    )
    return [CheckFinding("function", None, message)]


def role_findings(unit: ReadUnit, call: Call, secret: Secret) -> list[CheckFinding]:
    role = rotation_role(unit, secret.account_id)
    if role is None and secret.rotation is not None:
        message = (
            f"{ROLE_NAME} has gone, or does not trust secretsmanager.amazonaws.com; RotateSecret makes it"
        )
        return [CheckFinding("role", FaultKind.SERVICE, message)]
    if role is None:
        return [CheckFinding("role", None, f"{ROLE_NAME} is made by RotateSecret")]
    service = as_service(call, role)
    refused = [action for action in _ACTIONS if not _may(service, unit, action, secret.arn)]
    if refused:
        message = f"policies do not allow the role {role.arn} {', '.join(refused)} on this secret"
        return [CheckFinding("role", FaultKind.SERVICE, message)]
    version = unit.version(secret.arn, secret.labels.get(AWSCURRENT, ""))
    try:
        if version is not None:
            open_value(service, unit, version, region=secret.region, account_id=secret.account_id)
    except ServiceError as error:
        message = f"the role {role.arn} cannot open the value: {error.message}"
        return [CheckFinding("role", FaultKind.SERVICE, message)]
    return [CheckFinding("role", None, f"{ROLE_NAME} may read and write this secret")]


def superuser_findings(unit: ReadUnit, call: Call, secret: Secret, superuser: Arn) -> list[CheckFinding]:
    """Return what stands between the service's own role and the superuser secret."""
    role = rotation_role(unit, secret.account_id)
    if role is None or _may(as_service(call, role), unit, "GetSecretValue", superuser):
        return []
    message = f"policies do not allow the role {role.arn} GetSecretValue on the superuser secret {superuser}"
    return [CheckFinding("role", FaultKind.SERVICE, message)]


def _may(service: Call, unit: ReadUnit, action: str, secret_arn: Arn) -> bool:
    target = secret_target(service, unit, secret_arn, f"secretsmanager:{action}")
    return allowed(service, unit, target).allowed

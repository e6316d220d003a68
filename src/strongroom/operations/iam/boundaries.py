"""Permissions boundaries of users and roles. Source: fact sheet iam sections 4 and 12."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from strongroom.errors import InvalidInputException, NoSuchEntityException
from strongroom.identity.managed import AWS_ACCOUNT
from strongroom.identity.records import Role, User
from strongroom.names import Arn, parse_arn
from strongroom.operations.call import AuthorizedCall, Call, Handler, Operation, Target, Targets, Unit
from strongroom.operations.iam import messages
from strongroom.operations.iam.entities import (
    ROLE,
    USER,
    EntityType,
    entity_target,
    ignores_case,
    on_entity,
    present_entity,
)
from strongroom.operations.standing import managed_policy
from strongroom.ports import ReadUnit, WriteUnit

Bounded = TypeVar("Bounded", User, Role)

BOUNDARY_TYPE = "Policy"
"""AWS: answers say so, though the model's only value is PermissionsBoundaryPolicy (recorded, LS-iam)."""

NOTHING_TO_DELETE = "Deleting the boundary of a {noun} that has none succeeds and changes nothing."


def boundary_context(request: Mapping[str, Any]) -> dict[str, str | tuple[str, ...]]:
    """Return the condition key that a PermissionsBoundary in the request brings."""
    arn = request.get("PermissionsBoundary")
    return {} if arn is None else {"iam:PermissionsBoundary": arn}


def boundary_member(boundary: Arn | None) -> dict[str, Any]:
    """Return the PermissionsBoundary of an answer; empty without one."""
    if boundary is None:
        return {}
    described = {"PermissionsBoundaryType": BOUNDARY_TYPE, "PermissionsBoundaryArn": boundary}
    return {"PermissionsBoundary": described}


def requested_boundary(call: Call, unit: ReadUnit) -> Arn | None:
    """Return the managed policy that the request makes the boundary; None when it names none.

    Raises:
        InvalidInputException: it is not the ARN of a policy.
        NoSuchEntityException: there is no such policy, neither of the account nor of AWS.
    """
    arn = call.request.get("PermissionsBoundary")
    if arn is None:
        return None
    parsed = parse_arn(arn)
    if parsed is None or parsed.service != "iam" or not parsed.resource.startswith("policy/"):
        raise InvalidInputException(messages.no_boundary_arn(arn))
    # SECURITY: another account could change what its own policy allows.
    owned = parsed.account_id in (call.account_id, AWS_ACCOUNT)
    policy = managed_policy(unit, Arn(arn)) if owned else None
    if policy is None:
        raise NoSuchEntityException(messages.no_such_boundary(arn))
    return policy.arn


def _put_targets(entity: EntityType[Bounded], action: str) -> Targets:
    def targets(call: Call, unit: ReadUnit) -> Sequence[Target]:
        context = boundary_context(call.request)
        return (entity_target(call, unit, entity, action, call.request[entity.member], context),)

    return targets


def _put(entity: EntityType[Bounded]) -> Handler:
    """Return the handler that makes a managed policy the boundary; from the next call on nothing it does not
    allow is allowed.

    It raises:
        NoSuchEntityException: no such user or role, or no such policy.
        InvalidInputException: PermissionsBoundary is not the ARN of a policy.
    """

    def handle(authorized: AuthorizedCall, unit: WriteUnit) -> None:
        found = present_entity(entity, authorized.call, authorized.target)
        boundary = requested_boundary(authorized.call, unit)
        unit.save(entity.kind, msgspec.structs.replace(found, boundary=boundary))

    return handle


def _delete(entity: EntityType[Bounded]) -> Handler:
    """Return the handler that takes the boundary away, whether or not there is one.

    It raises:
        NoSuchEntityException: no such user or role.
    """

    def handle(authorized: AuthorizedCall, unit: WriteUnit) -> None:
        found = present_entity(entity, authorized.call, authorized.target)
        if found.boundary is not None:
            unit.save(entity.kind, msgspec.structs.replace(found, boundary=None))

    return handle


PUT_USER_PERMISSIONS_BOUNDARY = Operation(
    name="PutUserPermissionsBoundary",
    action="iam:PutUserPermissionsBoundary",
    unit=Unit.WRITE,
    targets=_put_targets(USER, "iam:PutUserPermissionsBoundary"),
    handle=_put(USER),
    read_only=False,
    deviations=(ignores_case(USER),),
)
DELETE_USER_PERMISSIONS_BOUNDARY = Operation(
    name="DeleteUserPermissionsBoundary",
    action="iam:DeleteUserPermissionsBoundary",
    unit=Unit.WRITE,
    targets=on_entity(USER, "iam:DeleteUserPermissionsBoundary"),
    handle=_delete(USER),
    read_only=False,
    deviations=(ignores_case(USER), NOTHING_TO_DELETE.format(noun="user")),
)
PUT_ROLE_PERMISSIONS_BOUNDARY = Operation(
    name="PutRolePermissionsBoundary",
    action="iam:PutRolePermissionsBoundary",
    unit=Unit.WRITE,
    targets=_put_targets(ROLE, "iam:PutRolePermissionsBoundary"),
    handle=_put(ROLE),
    read_only=False,
    deviations=(ignores_case(ROLE),),
)
DELETE_ROLE_PERMISSIONS_BOUNDARY = Operation(
    name="DeleteRolePermissionsBoundary",
    action="iam:DeleteRolePermissionsBoundary",
    unit=Unit.WRITE,
    targets=on_entity(ROLE, "iam:DeleteRolePermissionsBoundary"),
    handle=_delete(ROLE),
    read_only=False,
    deviations=(ignores_case(ROLE), NOTHING_TO_DELETE.format(noun="role")),
)

"""From a request's UserName to the user it means, and to what policies must allow.

Sources: fact sheet iam sections 9 to 12.
"""

from __future__ import annotations

from typing import Any

from strongroom.errors import NoSuchEntityException, ValidationException
from strongroom.identity.principal import PrincipalType
from strongroom.identity.records import User
from strongroom.names import root_arn
from strongroom.operations.call import Call, ConditionContext, Target, Targets
from strongroom.operations.iam import messages
from strongroom.operations.iam.entities import (
    USER,
    entity_target,
    find_entity,
    ignores_case,
    on_entity,
    resource_tags,
    target_of,
)
from strongroom.ports import USERS, ReadUnit

__all__ = [
    "IGNORES_CASE",
    "ROOT_HAS_NO_NAME",
    "described",
    "find_user",
    "is_root_itself",
    "on_user",
    "on_user_or_caller",
    "present",
    "resource_tags",
    "user_target",
]

IGNORES_CASE = ignores_case(USER)
ROOT_HAS_NO_NAME = "Where the account's root user is meant, the answer has no UserName."


def find_user(unit: ReadUnit, call: Call, name: str) -> User | None:
    """Return the user of the caller's account that has this name, in any case."""
    return find_entity(unit, call, USER, name)


def user_target(
    call: Call, unit: ReadUnit, action: str, name: str, context: ConditionContext | None = None
) -> Target:
    """Return the target of an action on a named user, whether it exists or not."""
    return entity_target(call, unit, USER, action, name, context)


def on_user(action: str) -> Targets:
    """Return the targets of an operation on the user the request's UserName names."""
    return on_entity(USER, action)


def on_user_or_caller(action: str) -> Targets:
    """Return the targets of an operation on the named user, and without a name on the caller.

    They raise ValidationException for a caller without name: neither a user nor the account's root user.
    """

    def targets(call: Call, unit: ReadUnit) -> tuple[Target]:
        name = call.request.get("UserName")
        if name is not None:
            return (user_target(call, unit, action, name),)
        principal = call.principal
        if principal.type is PrincipalType.ROOT:
            return (Target(action, root_arn(call.account_id), call.account_id),)
        if principal.type is not PrincipalType.USER:
            raise ValidationException(messages.USER_NAME_REQUIRED)
        # SECURITY: the caller is who has its id, not who has its name by now.
        user = unit.find(USERS, call.account_id, principal.principal_id)
        return (target_of(call, USER, action, user, principal.user_name or ""),)

    return targets


def is_root_itself(call: Call) -> bool:
    """True when a request without UserName comes from the account's root user."""
    return call.request.get("UserName") is None and call.principal.is_root


def present(call: Call, target: Target) -> User:
    """Return the target's user.

    Raises:
        NoSuchEntityException: there is none of that name.
    """
    user: User | None = target.record
    if user is None:
        raise NoSuchEntityException(
            messages.no_such_user(call.request.get("UserName") or call.principal.user_name or "")
        )
    return user


def described(user: User) -> dict[str, Any]:
    """Return a user as the answers have it, without tags."""
    return {
        "Path": user.path,
        "UserName": user.user_name,
        "UserId": user.user_id,
        "Arn": user.arn,
        "CreateDate": user.created_at,
    }

"""What users, groups and roles have in common: they are found by name, shown by name in denials, made of a
path and a name, and hold policies.

Sources: fact sheet iam sections 1, 9 to 12; service authorization reference for IAM.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from strongroom.errors import NoSuchEntityException
from strongroom.identity.naming import ROOT_PATH, fold_name, verify_name
from strongroom.identity.records import Group, Role, User
from strongroom.names import Arn, group_arn, role_arn, user_arn
from strongroom.operations.call import Call, ConditionContext, Target, Targets
from strongroom.operations.iam import messages
from strongroom.policy.document import GROUP_INLINE_TOTAL, ROLE_INLINE_TOTAL, USER_INLINE_TOTAL, SizeLimit
from strongroom.ports import GROUPS, ROLES, USERS, Kind, ReadUnit

E = TypeVar("E", User, Group, Role)


@dataclass(frozen=True, slots=True)
class EntityType(Generic[E]):
    """Users, groups or roles."""

    noun: str
    """In texts: `user`."""
    member: str
    """In requests and answers: `UserName`."""
    kind: Kind[E]
    name_of: Callable[[E], str]
    arn: Callable[[str, str, str], Arn]
    """Of account, path and name."""
    inline_total: SizeLimit
    """Of all inline policies together."""


USER: Final = EntityType("user", "UserName", USERS, lambda each: each.user_name, user_arn, USER_INLINE_TOTAL)
GROUP: Final = EntityType(
    "group", "GroupName", GROUPS, lambda each: each.group_name, group_arn, GROUP_INLINE_TOTAL
)
ROLE: Final = EntityType("role", "RoleName", ROLES, lambda each: each.role_name, role_arn, ROLE_INLINE_TOTAL)

_SEE_THE_BOUNDARY: Final = frozenset(
    f"iam:{verb}{noun}{what}"
    for noun in ("User", "Role")
    for verb, what in (
        ("Attach", "Policy"),
        ("Detach", "Policy"),
        ("Put", "Policy"),
        ("Delete", "Policy"),
        ("Put", "PermissionsBoundary"),
        ("Delete", "PermissionsBoundary"),
    )
)
"""Actions that have the condition key iam:PermissionsBoundary (besides CreateUser and CreateRole)."""


def ignores_case(entity: EntityType[Any]) -> str:
    """Return the deviation every operation on a named entity has."""
    return (
        f"A {entity.noun} is found by its name in any case; "
        "AWS says only that names are unique ignoring case."
    )


def find_entity(unit: ReadUnit, call: Call, entity: EntityType[E], name: str) -> E | None:
    """Return the entity of the caller's account that has this name, in any case."""
    return unit.find_alternate(entity.kind, call.account_id, fold_name(name))


def entity_target(
    call: Call,
    unit: ReadUnit,
    entity: EntityType[E],
    action: str,
    name: str,
    context: ConditionContext | None = None,
) -> Target:
    """Return the target of an action on a named entity, whether it exists or not.

    Raises:
        ValidationException: `name` has a character that no name has.
    """
    verify_name(f"{entity.noun}Name", name)
    return target_of(call, entity, action, find_entity(unit, call, entity, name), name, context)


def target_of(
    call: Call,
    entity: EntityType[E],
    action: str,
    found: E | None,
    name: str,
    context: ConditionContext | None = None,
) -> Target:
    """Return the target of an action on an entity that was looked for under `name`."""
    return Target(
        action=action,
        resource=entity.arn(call.account_id, ROOT_PATH, name) if found is None else found.arn,
        owner_account=call.account_id,
        # AWS: denials name an entity so, and by ARN only one that is to be made (published reports).
        shown_as=f"{entity.noun} {name}",
        record=found,
        context={**_own_context(found, action), **(context or {})},
    )


def on_entity(entity: EntityType[E], action: str) -> Targets:
    """Return the targets of an operation on the entity the request names."""
    return lambda call, unit: (entity_target(call, unit, entity, action, call.request[entity.member]),)


def present_entity(entity: EntityType[E], call: Call, target: Target) -> E:
    """Return the target's entity.

    Raises:
        NoSuchEntityException: there is none of that name.
    """
    found: E | None = target.record
    if found is None:
        raise NoSuchEntityException(messages.no_such_entity(entity.noun, call.request[entity.member]))
    return found


def resource_tags(tags: Mapping[str, str]) -> dict[str, str | tuple[str, ...]]:
    """Return the condition keys that an entity's tags bring."""
    found: dict[str, str | tuple[str, ...]] = {}
    for key, value in tags.items():
        found[f"aws:ResourceTag/{key}"] = value
        found[f"iam:ResourceTag/{key}"] = value
    return found


def _own_context(found: User | Group | Role | None, action: str) -> dict[str, str | tuple[str, ...]]:
    if found is None or isinstance(found, Group):
        return {}
    context = resource_tags(found.tags)
    if found.boundary is not None and action in _SEE_THE_BOUNDARY:
        context["iam:PermissionsBoundary"] = found.boundary
    return context

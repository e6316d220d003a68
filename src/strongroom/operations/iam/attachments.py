"""Attaching managed policies to users, roles and groups. Source: fact sheet iam sections 8 and 10 to 12."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from strongroom.errors import LimitExceededException, NoSuchEntityException
from strongroom.identity.naming import ROOT_PATH
from strongroom.identity.records import ManagedPolicy
from strongroom.names import Arn
from strongroom.operations.call import AuthorizedCall, Call, Operation, Target, Unit
from strongroom.operations.iam import policy_messages
from strongroom.operations.iam.entities import (
    GROUP,
    ROLE,
    USER,
    E,
    EntityType,
    entity_target,
    ignores_case,
    on_entity,
    present_entity,
)
from strongroom.operations.iam.managed_policies import position
from strongroom.operations.iam.paging import page_members, page_size, parse_marker
from strongroom.operations.iam.policy_resolution import find_policy, verify_policy_arn
from strongroom.ports import ReadUnit, WriteUnit

MAXIMUM_ATTACHED: Final = 10

_ORDER: Final = "Policies come in the order of their names, ignoring case."
_AGAIN: Final = "Attaching what is attached already changes nothing and succeeds."


def _attach(holder: EntityType[E], authorized: AuthorizedCall, unit: WriteUnit) -> None:
    """Attach a policy; it counts for the entity, or the group's members, from the next call on.

    Raises:
        NoSuchEntityException: no such entity, or no such policy.
        LimitExceededException: ten others are attached.
    """
    entity: E = present_entity(holder, authorized.call, authorized.target)
    arn = Arn(authorized.request["PolicyArn"])
    if find_policy(unit, authorized.call.account_id, arn) is None:
        raise NoSuchEntityException(policy_messages.not_attachable(arn))
    if arn in entity.attached:
        return
    if len(entity.attached) >= MAXIMUM_ATTACHED:
        raise LimitExceededException(
            policy_messages.too_many_attached(holder.noun.capitalize(), MAXIMUM_ATTACHED)
        )
    unit.save(holder.kind, msgspec.structs.replace(entity, attached=(*entity.attached, arn)))


def _detach(holder: EntityType[E], authorized: AuthorizedCall, unit: WriteUnit) -> None:
    """Detach a policy; what it alone allowed is refused from the next call on.

    Raises:
        NoSuchEntityException: no such entity, or the policy is not attached to it.
    """
    entity = present_entity(holder, authorized.call, authorized.target)
    arn = Arn(authorized.request["PolicyArn"])
    if arn not in entity.attached:
        raise NoSuchEntityException(policy_messages.no_such_policy(arn))
    left = tuple(each for each in entity.attached if each != arn)
    unit.save(holder.kind, msgspec.structs.replace(entity, attached=left))


def _list_attached(holder: EntityType[E], authorized: AuthorizedCall, unit: ReadUnit) -> Mapping[str, Any]:
    """Return the policies attached to an entity whose path begins with PathPrefix.

    Raises:
        NoSuchEntityException: no such entity.
        ValidationException: a Marker this service did not give out.
    """
    request, entity = authorized.request, present_entity(holder, authorized.call, authorized.target)
    size, after = page_size(request), parse_marker(request)
    prefix = request.get("PathPrefix", ROOT_PATH)
    found = (find_policy(unit, authorized.call.account_id, arn) for arn in entity.attached)
    rows: list[ManagedPolicy] = sorted(
        (
            each
            for each in found
            if each is not None and each.path.startswith(prefix) and position(each) > after
        ),
        key=position,
    )
    page = rows[:size]
    return {
        "AttachedPolicies": [{"PolicyName": each.policy_name, "PolicyArn": each.arn} for each in page],
        **page_members(rows, size, position(page[-1]) if page else ""),
    }


def _changing(
    name: str, holder: EntityType[E], handle: Callable[[EntityType[E], AuthorizedCall, WriteUnit], None]
) -> Operation:
    action = f"iam:{name}"

    def targets(call: Call, unit: ReadUnit) -> tuple[Target]:
        arn = verify_policy_arn(call.request["PolicyArn"])
        name = call.request[holder.member]
        return (entity_target(call, unit, holder, action, name, {"iam:PolicyARN": arn}),)

    def handler(authorized: AuthorizedCall, unit: WriteUnit) -> None:
        handle(holder, authorized, unit)

    return Operation(
        name=name,
        action=action,
        unit=Unit.WRITE,
        targets=targets,
        handle=handler,
        read_only=False,
        deviations=(ignores_case(holder), _AGAIN) if handle is _attach else (ignores_case(holder),),
    )


def _listing(name: str, holder: EntityType[E]) -> Operation:
    action = f"iam:{name}"

    def handler(authorized: AuthorizedCall, unit: ReadUnit) -> Mapping[str, Any]:
        return _list_attached(holder, authorized, unit)

    return Operation(
        name=name,
        action=action,
        unit=Unit.READ,
        targets=on_entity(holder, action),
        handle=handler,
        deviations=(ignores_case(holder), _ORDER),
    )


ATTACH_GROUP_POLICY = _changing("AttachGroupPolicy", GROUP, _attach)
ATTACH_ROLE_POLICY = _changing("AttachRolePolicy", ROLE, _attach)
ATTACH_USER_POLICY = _changing("AttachUserPolicy", USER, _attach)
DETACH_GROUP_POLICY = _changing("DetachGroupPolicy", GROUP, _detach)
DETACH_ROLE_POLICY = _changing("DetachRolePolicy", ROLE, _detach)
DETACH_USER_POLICY = _changing("DetachUserPolicy", USER, _detach)
LIST_ATTACHED_GROUP_POLICIES = _listing("ListAttachedGroupPolicies", GROUP)
LIST_ATTACHED_ROLE_POLICIES = _listing("ListAttachedRolePolicies", ROLE)
LIST_ATTACHED_USER_POLICIES = _listing("ListAttachedUserPolicies", USER)

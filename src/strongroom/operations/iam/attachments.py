"""Attaching managed policies to users, roles and groups. Source: fact sheet iam sections 8 and 10 to 12."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from strongroom.errors import LimitExceededException, NoSuchEntityException
from strongroom.identity.naming import ROOT_PATH, fold_name
from strongroom.identity.records import Group, ManagedPolicy, Role, User
from strongroom.names import Arn, group_arn, role_arn, user_arn
from strongroom.operations.call import AuthorizedCall, Call, ConditionContext, Operation, Target, Unit
from strongroom.operations.iam import policy_messages
from strongroom.operations.iam.managed_policies import position
from strongroom.operations.iam.paging import page_members, page_size, parse_marker
from strongroom.operations.iam.policy_resolution import find_policy, verify_policy_arn
from strongroom.operations.iam.resolution import resource_tags
from strongroom.ports import GROUPS, ROLES, USERS, Kind, ReadUnit, WriteUnit

MAXIMUM_ATTACHED: Final = 10

_ORDER: Final = "Policies come in the order of their names, ignoring case."
_IGNORES_CASE: Final = "The entity is found by its name in any case; AWS says only that names are unique so."
_AGAIN: Final = "Attaching what is attached already changes nothing and succeeds."

Entity = User | Role | Group


@dataclass(frozen=True, slots=True)
class Holder:
    """A kind of entity that policies can be attached to."""

    title: str
    """As quotas name it: `User`."""
    member: str
    """The request member that names one."""
    kind: Kind[Any]
    arn: Callable[[str, str, str], Arn]

    def named(self, call: Call) -> str:
        """Return the entity's name as the request has it."""
        return str(call.request[self.member])

    def target(self, call: Call, unit: ReadUnit, action: str, context: ConditionContext) -> Target:
        """Return the target of an action on the named entity, whether it exists or not."""
        name = self.named(call)
        entity: Entity | None = unit.find_alternate(self.kind, call.account_id, fold_name(name))
        tags: ConditionContext = {} if entity is None else resource_tags(getattr(entity, "tags", {}))
        return Target(
            action=action,
            resource=self.arn(call.account_id, ROOT_PATH, name) if entity is None else entity.arn,
            owner_account=call.account_id,
            shown_as=f"{self.title.lower()} {name}",
            record=entity,
            context={**tags, **context},
        )

    def present(self, authorized: AuthorizedCall) -> Any:
        """Return the target's entity.

        Raises:
            NoSuchEntityException: there is none of that name.
        """
        if authorized.target.record is None:
            # [10] recorded for users; MEM for roles.
            name = self.named(authorized.call)
            raise NoSuchEntityException(f"The {self.title.lower()} with name {name} cannot be found.")
        return authorized.target.record


_USER: Final = Holder("User", "UserName", USERS, user_arn)
_ROLE: Final = Holder("Role", "RoleName", ROLES, role_arn)
_GROUP: Final = Holder("Group", "GroupName", GROUPS, group_arn)


def _attach(holder: Holder, authorized: AuthorizedCall, unit: WriteUnit) -> None:
    """Attach a policy; it counts for the entity, or the group's members, from the next call on.

    Raises:
        NoSuchEntityException: no such entity, or no such policy.
        LimitExceededException: ten others are attached.
    """
    entity = holder.present(authorized)
    arn = Arn(authorized.request["PolicyArn"])
    if find_policy(unit, authorized.call.account_id, arn) is None:
        raise NoSuchEntityException(policy_messages.not_attachable(arn))
    if arn in entity.attached:
        return
    if len(entity.attached) >= MAXIMUM_ATTACHED:
        raise LimitExceededException(policy_messages.too_many_attached(holder.title, MAXIMUM_ATTACHED))
    unit.save(holder.kind, msgspec.structs.replace(entity, attached=(*entity.attached, arn)))


def _detach(holder: Holder, authorized: AuthorizedCall, unit: WriteUnit) -> None:
    """Detach a policy; what it alone allowed is refused from the next call on.

    Raises:
        NoSuchEntityException: no such entity, or the policy is not attached to it.
    """
    entity = holder.present(authorized)
    arn = Arn(authorized.request["PolicyArn"])
    if arn not in entity.attached:
        raise NoSuchEntityException(policy_messages.no_such_policy(arn))
    left = tuple(each for each in entity.attached if each != arn)
    unit.save(holder.kind, msgspec.structs.replace(entity, attached=left))


def _list_attached(holder: Holder, authorized: AuthorizedCall, unit: ReadUnit) -> Mapping[str, Any]:
    """Return the policies attached to an entity whose path begins with PathPrefix.

    Raises:
        NoSuchEntityException: no such entity.
        ValidationException: a Marker this service did not give out.
    """
    request, entity = authorized.request, holder.present(authorized)
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
    name: str, holder: Holder, handle: Callable[[Holder, AuthorizedCall, WriteUnit], None]
) -> Operation:
    action = f"iam:{name}"

    def targets(call: Call, unit: ReadUnit) -> tuple[Target]:
        arn = verify_policy_arn(call.request["PolicyArn"])
        return (holder.target(call, unit, action, {"iam:PolicyARN": arn}),)

    def handler(authorized: AuthorizedCall, unit: WriteUnit) -> None:
        handle(holder, authorized, unit)

    return Operation(
        name=name,
        action=action,
        unit=Unit.WRITE,
        targets=targets,
        handle=handler,
        read_only=False,
        deviations=(_IGNORES_CASE, _AGAIN) if handle is _attach else (_IGNORES_CASE,),
    )


def _listing(name: str, holder: Holder) -> Operation:
    action = f"iam:{name}"

    def targets(call: Call, unit: ReadUnit) -> tuple[Target]:
        return (holder.target(call, unit, action, {}),)

    def handler(authorized: AuthorizedCall, unit: ReadUnit) -> Mapping[str, Any]:
        return _list_attached(holder, authorized, unit)

    return Operation(
        name=name,
        action=action,
        unit=Unit.READ,
        targets=targets,
        handle=handler,
        deviations=(_IGNORES_CASE, _ORDER),
    )


ATTACH_GROUP_POLICY = _changing("AttachGroupPolicy", _GROUP, _attach)
ATTACH_ROLE_POLICY = _changing("AttachRolePolicy", _ROLE, _attach)
ATTACH_USER_POLICY = _changing("AttachUserPolicy", _USER, _attach)
DETACH_GROUP_POLICY = _changing("DetachGroupPolicy", _GROUP, _detach)
DETACH_ROLE_POLICY = _changing("DetachRolePolicy", _ROLE, _detach)
DETACH_USER_POLICY = _changing("DetachUserPolicy", _USER, _detach)
LIST_ATTACHED_GROUP_POLICIES = _listing("ListAttachedGroupPolicies", _GROUP)
LIST_ATTACHED_ROLE_POLICIES = _listing("ListAttachedRolePolicies", _ROLE)
LIST_ATTACHED_USER_POLICIES = _listing("ListAttachedUserPolicies", _USER)

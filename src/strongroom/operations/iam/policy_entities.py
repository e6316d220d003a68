"""Who has a managed policy, attached or as permissions boundary. Source: fact sheet iam sections 10 to 12."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from strongroom.identity.naming import ROOT_PATH, fold_name
from strongroom.identity.records import Group, Role, User
from strongroom.names import AccountId, Arn
from strongroom.operations.call import AuthorizedCall, Operation, Unit
from strongroom.operations.iam.paging import page_members, page_size, parse_marker
from strongroom.operations.iam.policy_resolution import on_policy, present_policy
from strongroom.ports import GROUPS, ROLES, USERS, ReadUnit

_LISTS: Final = {
    "Group": ("PolicyGroups", "GroupName", "GroupId"),
    "Role": ("PolicyRoles", "RoleName", "RoleId"),
    "User": ("PolicyUsers", "UserName", "UserId"),
}
"""Title to the answer's list, and to the name and id of its entries."""

_Entity = User | Role | Group


def list_entities_for_policy(authorized: AuthorizedCall, unit: ReadUnit) -> Mapping[str, Any]:
    """Return the groups, roles and users of the caller's account that have a policy.

    A page holds up to MaxItems of all three together.

    Raises:
        NoSuchEntityException: no such policy.
        ValidationException: a Marker this service did not give out.
    """
    request, policy = authorized.request, present_policy(authorized)
    size, after = page_size(request), parse_marker(request)
    prefix, wanted = request.get("PathPrefix", ROOT_PATH), request.get("EntityFilter")
    rows = sorted(
        (f"{title} {fold_name(name)}", title, name, entity_id)
        for title, name, entity_id, entity in _entities(unit, authorized.call.account_id)
        if wanted in (None, title)
        and entity.path.startswith(prefix)
        and _has(entity, policy.arn, request.get("PolicyUsageFilter"))
    )
    rows = [row for row in rows if row[0] > after]
    page = rows[:size]
    return {
        **{
            member: [
                {name_member: name, id_member: entity_id}
                for _, title, name, entity_id in page
                if title == kind
            ]
            for kind, (member, name_member, id_member) in _LISTS.items()
        },
        **page_members(rows, size, page[-1][0] if page else ""),
    }


def _entities(unit: ReadUnit, account_id: AccountId) -> Iterator[tuple[str, str, str, _Entity]]:
    for group in unit.scan(GROUPS, account_id):
        yield "Group", group.group_name, group.group_id, group
    for role in unit.scan(ROLES, account_id):
        yield "Role", role.role_name, role.role_id, role
    for user in unit.scan(USERS, account_id):
        yield "User", user.user_name, user.user_id, user


def _has(entity: _Entity, arn: Arn, usage: str | None) -> bool:
    attached = arn in entity.attached
    boundary = not isinstance(entity, Group) and entity.boundary == arn
    match usage:
        case "PermissionsPolicy":
            return attached
        case "PermissionsBoundary":
            return boundary
    return attached or boundary


LIST_ENTITIES_FOR_POLICY = Operation(
    name="ListEntitiesForPolicy",
    action="iam:ListEntitiesForPolicy",
    unit=Unit.READ,
    targets=on_policy("iam:ListEntitiesForPolicy"),
    handle=list_entities_for_policy,
    deviations=("Groups come before roles and roles before users, each by name ignoring case.",),
)

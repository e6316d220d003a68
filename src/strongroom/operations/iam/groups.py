"""Groups: making, finding, renaming and removing them. Source: fact sheet iam sections 10 to 12."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from strongroom.errors import DeleteConflictException, EntityAlreadyExistsException
from strongroom.identity import ids
from strongroom.identity.naming import ROOT_PATH, verify_name
from strongroom.identity.records import Group
from strongroom.names import group_arn
from strongroom.operations.call import AuthorizedCall, Call, Operation, Target, Unit
from strongroom.operations.iam import messages
from strongroom.operations.iam.entities import (
    GROUP,
    entity_target,
    find_entity,
    ignores_case,
    on_entity,
    present_entity,
)
from strongroom.operations.iam.paging import filtered_page
from strongroom.operations.iam.resolution import described as described_user
from strongroom.ports import GROUPS, USERS, ReadUnit, WriteUnit

_IGNORES_CASE: Final = ignores_case(GROUP)


def _create_targets(call: Call, unit: ReadUnit) -> Sequence[Target]:
    request = call.request
    verify_name("groupName", request["GroupName"])
    arn = group_arn(call.account_id, request.get("Path", ROOT_PATH), request["GroupName"])
    return (Target("iam:CreateGroup", arn, call.account_id),)


def create_group(authorized: AuthorizedCall, unit: WriteUnit) -> Mapping[str, Any]:
    """Save a group without policies and without users.

    Raises:
        EntityAlreadyExistsException: the name is taken, in whatever case.
    """
    call, request = authorized.call, authorized.request
    name, path = request["GroupName"], request.get("Path", ROOT_PATH)
    if find_entity(unit, call, GROUP, name) is not None:
        raise EntityAlreadyExistsException(messages.entity_exists(GROUP.noun, name))
    group = Group(
        group_id=ids.group_id(call.resources.entropy.token_bytes(ids.GROUP_ID_RANDOM_BYTES)),
        group_name=name,
        path=path,
        arn=group_arn(call.account_id, path, name),
        account_id=call.account_id,
        created_at=call.received_at,
    )
    unit.save(GROUPS, group)
    return {"Group": described(group)}


def get_group(authorized: AuthorizedCall, unit: ReadUnit) -> Mapping[str, Any]:
    """Return a group and a page of its users, by name ignoring case.

    Raises:
        NoSuchEntityException: no such group.
        ValidationException: a Marker this service did not give out.
    """
    call = authorized.call
    group = present_entity(GROUP, call, authorized.target)
    page, members = filtered_page(
        unit, USERS, call.account_id, call.request, lambda user: group.group_id in user.group_ids
    )
    return {"Group": described(group), "Users": [described_user(user) for user in page], **members}


def _list_targets(call: Call, unit: ReadUnit) -> Sequence[Target]:
    prefix = call.request.get("PathPrefix", ROOT_PATH)
    return (Target("iam:ListGroups", group_arn(call.account_id, prefix, ""), call.account_id),)


def list_groups(authorized: AuthorizedCall, unit: ReadUnit) -> Mapping[str, Any]:
    """Return the account's groups whose path begins with PathPrefix, by name ignoring case.

    Raises:
        ValidationException: a Marker this service did not give out.
    """
    call, request = authorized.call, authorized.request
    prefix = request.get("PathPrefix", ROOT_PATH)
    page, members = filtered_page(
        unit, GROUPS, call.account_id, request, lambda group: group.path.startswith(prefix)
    )
    return {"Groups": [described(group) for group in page], **members}


def _update_targets(call: Call, unit: ReadUnit) -> Sequence[Target]:
    """What the group is, and what it would be, must both be allowed."""
    request = call.request
    if "NewGroupName" in request:
        verify_name("newGroupName", request["NewGroupName"])
    target = entity_target(call, unit, GROUP, "iam:UpdateGroup", request["GroupName"])
    group: Group | None = target.record
    if group is None:
        return (target,)
    renamed = _renamed(group, request)
    if renamed.arn == group.arn:
        return (target,)
    return (target, Target("iam:UpdateGroup", renamed.arn, call.account_id))


def update_group(authorized: AuthorizedCall, unit: WriteUnit) -> None:
    """Give a group another name, another path, or both; its id, users and policies stay.

    Raises:
        NoSuchEntityException: no such group.
        EntityAlreadyExistsException: the new name is taken, in whatever case.
    """
    call = authorized.call
    group = present_entity(GROUP, call, authorized.target)
    renamed = _renamed(group, call.request)
    name = renamed.group_name
    # A change of case alone is refused, too, because the name is taken: by the group itself.
    if name != group.group_name and find_entity(unit, call, GROUP, name) is not None:
        raise EntityAlreadyExistsException(messages.entity_exists(GROUP.noun, name))
    unit.save(GROUPS, renamed)


def _renamed(group: Group, request: Mapping[str, Any]) -> Group:
    name = request.get("NewGroupName", group.group_name)
    path = request.get("NewPath", group.path)
    return msgspec.structs.replace(
        group, group_name=name, path=path, arn=group_arn(group.account_id, path, name)
    )


def delete_group(authorized: AuthorizedCall, unit: WriteUnit) -> None:
    """Remove a group. One made under the same name later has another id and none of its users.

    Raises:
        NoSuchEntityException: no such group.
        DeleteConflictException: it has users or policies.
    """
    group = present_entity(GROUP, authorized.call, authorized.target)
    if any(group.group_id in user.group_ids for user in unit.scan(USERS, group.account_id)):
        raise DeleteConflictException(messages.USERS_IN_GROUP)
    if group.policies:
        raise DeleteConflictException(messages.POLICIES_LEFT)
    if group.attached:
        raise DeleteConflictException(messages.POLICIES_ATTACHED)
    unit.delete(GROUPS, group.account_id, group.group_id)


def described(group: Group) -> dict[str, Any]:
    """Return a group as the answers have it."""
    return {
        "Path": group.path,
        "GroupName": group.group_name,
        "GroupId": group.group_id,
        "Arn": group.arn,
        "CreateDate": group.created_at,
    }


CREATE_GROUP = Operation(
    name="CreateGroup",
    action="iam:CreateGroup",
    unit=Unit.WRITE,
    targets=_create_targets,
    handle=create_group,
    read_only=False,
    deviations=("There is no quota of groups for an account.",),
)
GET_GROUP = Operation(
    name="GetGroup",
    action="iam:GetGroup",
    unit=Unit.READ,
    targets=on_entity(GROUP, "iam:GetGroup"),
    handle=get_group,
    deviations=(_IGNORES_CASE, "Users come in the order of their names, ignoring case."),
)
LIST_GROUPS = Operation(
    name="ListGroups",
    action="iam:ListGroups",
    unit=Unit.READ,
    targets=_list_targets,
    handle=list_groups,
    deviations=("Groups come in the order of their names, ignoring case.",),
)
UPDATE_GROUP = Operation(
    name="UpdateGroup",
    action="iam:UpdateGroup",
    unit=Unit.WRITE,
    targets=_update_targets,
    handle=update_group,
    read_only=False,
    deviations=(_IGNORES_CASE, "A NewGroupName equal to the present one changes nothing."),
)
DELETE_GROUP = Operation(
    name="DeleteGroup",
    action="iam:DeleteGroup",
    unit=Unit.WRITE,
    targets=on_entity(GROUP, "iam:DeleteGroup"),
    handle=delete_group,
    read_only=False,
    deviations=(
        _IGNORES_CASE,
        "Of what is left in it, users are named first, then inline policies and attached ones.",
    ),
)

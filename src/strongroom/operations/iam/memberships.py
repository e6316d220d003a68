"""Who is in which group. Membership stands on the user. Source: fact sheet iam sections 11 and 12."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from strongroom.errors import LimitExceededException, NoSuchEntityException
from strongroom.identity.records import Group, User
from strongroom.operations.call import AuthorizedCall, Operation, Unit
from strongroom.operations.iam import messages
from strongroom.operations.iam.entities import (
    GROUP,
    USER,
    find_entity,
    ignores_case,
    on_entity,
    present_entity,
)
from strongroom.operations.iam.groups import described
from strongroom.operations.iam.paging import page_members, page_size, parse_marker
from strongroom.ports import GROUPS, USERS, ReadUnit, WriteUnit

MAXIMUM_GROUPS_OF_A_USER: Final = 10

_IGNORES_CASE: Final = (ignores_case(GROUP), ignores_case(USER))


def _user_and_group(authorized: AuthorizedCall, unit: ReadUnit) -> tuple[User, Group]:
    """Return both. Where neither exists, the user is the one that is missed (recorded, LS-iam).

    Raises:
        NoSuchEntityException: one of them is not there.
    """
    call, name = authorized.call, authorized.request["UserName"]
    user = find_entity(unit, call, USER, name)
    if user is None:
        raise NoSuchEntityException(messages.no_such_entity(USER.noun, name))
    return user, present_entity(GROUP, call, authorized.target)


def add_user_to_group(authorized: AuthorizedCall, unit: WriteUnit) -> None:
    """The user is in the group, and has what its policies allow from the next call on.

    Raises:
        NoSuchEntityException: no such user, or no such group.
        LimitExceededException: the user is in ten other groups.
    """
    user, group = _user_and_group(authorized, unit)
    if group.group_id in user.group_ids:
        return
    if len(user.group_ids) >= MAXIMUM_GROUPS_OF_A_USER:
        raise LimitExceededException(messages.too_many_groups(MAXIMUM_GROUPS_OF_A_USER))
    unit.save(USERS, msgspec.structs.replace(user, group_ids=(*user.group_ids, group.group_id)))


def remove_user_from_group(authorized: AuthorizedCall, unit: WriteUnit) -> None:
    """The user is not in the group, and what the group alone allowed is refused from the next call on.

    Raises:
        NoSuchEntityException: no such user, or no such group.
    """
    user, group = _user_and_group(authorized, unit)
    if group.group_id in user.group_ids:
        left = tuple(each for each in user.group_ids if each != group.group_id)
        unit.save(USERS, msgspec.structs.replace(user, group_ids=left))


def list_groups_for_user(authorized: AuthorizedCall, unit: ReadUnit) -> Mapping[str, Any]:
    """Return the groups a user is in, by name ignoring case.

    Raises:
        NoSuchEntityException: no such user.
        ValidationException: a Marker this service did not give out.
    """
    call, request = authorized.call, authorized.request
    user = present_entity(USER, call, authorized.target)
    size, after = page_size(request), parse_marker(request)
    groups = (unit.find(GROUPS, user.account_id, each) for each in user.group_ids)
    rows = sorted(
        (each for each in groups if each is not None and GROUPS.alternate(each) > after),
        key=GROUPS.alternate,
    )
    page = rows[:size]
    last = GROUPS.alternate(page[-1]) if page else ""
    return {"Groups": [described(group) for group in page], **page_members(rows, size, last)}


ADD_USER_TO_GROUP = Operation(
    name="AddUserToGroup",
    action="iam:AddUserToGroup",
    unit=Unit.WRITE,
    targets=on_entity(GROUP, "iam:AddUserToGroup"),
    handle=add_user_to_group,
    read_only=False,
    deviations=_IGNORES_CASE,
)
REMOVE_USER_FROM_GROUP = Operation(
    name="RemoveUserFromGroup",
    action="iam:RemoveUserFromGroup",
    unit=Unit.WRITE,
    targets=on_entity(GROUP, "iam:RemoveUserFromGroup"),
    handle=remove_user_from_group,
    read_only=False,
    deviations=(
        *_IGNORES_CASE,
        "Removing a user from a group it is not in succeeds and changes nothing.",
    ),
)
LIST_GROUPS_FOR_USER = Operation(
    name="ListGroupsForUser",
    action="iam:ListGroupsForUser",
    unit=Unit.READ,
    targets=on_entity(USER, "iam:ListGroupsForUser"),
    handle=list_groups_for_user,
    deviations=(ignores_case(USER), "Groups come in the order of their names, ignoring case."),
)

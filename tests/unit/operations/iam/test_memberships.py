"""Who is in which group, and what that lets a user do from the next call on."""

from __future__ import annotations

from typing import Any

import pytest

from strongroom.errors import (
    AccessDeniedException,
    DeleteConflictException,
    LimitExceededException,
    NoSuchEntityException,
    ValidationException,
)
from strongroom.identity.principal import Principal
from strongroom.operations.iam import group_policies, groups, memberships, users
from support.identity_room import IdentityRoom
from support.key_room import ACCOUNT, OTHER_ACCOUNT, allow, deny, policy, root

READ = allow("iam:GetUser", resource=f"arn:aws:iam::{ACCOUNT}:user/*")


@pytest.fixture
def room() -> IdentityRoom:
    room = IdentityRoom()
    room.run(groups.CREATE_GROUP, {"GroupName": "Ops"})
    return room


@pytest.fixture
def eve(room: IdentityRoom) -> Principal:
    return room.user("eve")


def join(room: IdentityRoom, user: str, group: str) -> None:
    assert room.run(memberships.ADD_USER_TO_GROUP, {"UserName": user, "GroupName": group}) is None


def leave(room: IdentityRoom, user: str, group: str) -> None:
    assert room.run(memberships.REMOVE_USER_FROM_GROUP, {"UserName": user, "GroupName": group}) is None


def group_may(room: IdentityRoom, group: str, *statements: dict[str, Any]) -> None:
    request = {"GroupName": group, "PolicyName": "p", "PolicyDocument": policy(*statements)}
    room.run(group_policies.PUT_GROUP_POLICY, request)


def can_read(room: IdentityRoom, caller: Principal) -> bool:
    try:
        room.run(users.GET_USER, {"UserName": "eve"}, principal=caller)
    except AccessDeniedException:
        return False
    return True


def groups_of(room: IdentityRoom, user: str, **members: Any) -> list[str]:
    answered = room.run(memberships.LIST_GROUPS_FOR_USER, {"UserName": user, **members})
    return [group["GroupName"] for group in answered["Groups"]]


def test_a_groups_policies_count_while_the_user_is_in_it(room: IdentityRoom, eve: Principal) -> None:
    group_may(room, "ops", READ)
    assert not can_read(room, eve)
    join(room, "EVE", "ops")
    assert can_read(room, eve)
    group_may(room, "ops", READ, deny("iam:GetUser"))
    assert not can_read(room, eve)
    group_may(room, "ops", READ)
    leave(room, "eve", "OPS")
    assert not can_read(room, eve)


def test_a_deny_of_any_group_wins(room: IdentityRoom, eve: Principal) -> None:
    room.run(groups.CREATE_GROUP, {"GroupName": "locked"})
    group_may(room, "ops", READ)
    group_may(room, "locked", deny("*"))
    join(room, "eve", "ops")
    join(room, "eve", "locked")
    request = {"UserName": "eve"}
    message = room.refused(AccessDeniedException, users.GET_USER, request, principal=eve)
    assert message == (
        f"User: {eve.arn} is not authorized to perform: iam:GetUser on resource: user eve "
        "with an explicit deny in an identity-based policy"
    )
    leave(room, "eve", "locked")
    assert can_read(room, eve)


def test_joining_and_leaving_twice_changes_nothing(room: IdentityRoom, eve: Principal) -> None:
    leave(room, "eve", "ops")
    assert room.found("eve").group_ids == ()
    join(room, "eve", "ops")
    before = room.unit.state()
    join(room, "eve", "ops")
    assert room.unit.state() == before
    leave(room, "eve", "ops")
    assert groups_of(room, "eve") == []


def test_groups_of_a_user_come_by_name_and_in_pages(room: IdentityRoom, eve: Principal) -> None:
    for name in ("b", "A", "c"):
        room.run(groups.CREATE_GROUP, {"GroupName": name, "Path": "/x/"})
        join(room, "eve", name)
    answered = room.run(memberships.LIST_GROUPS_FOR_USER, {"UserName": "eve", "MaxItems": 2})
    assert answered["Groups"] == [
        room.run(groups.GET_GROUP, {"GroupName": name})["Group"] for name in ("A", "b")
    ]
    assert answered["IsTruncated"] is True
    assert groups_of(room, "eve", MaxItems=2, Marker=answered["Marker"]) == ["c"]
    request = {"UserName": "eve", "Marker": "x"}
    message = room.refused(ValidationException, memberships.LIST_GROUPS_FOR_USER, request)
    assert message == "Invalid Marker."


def test_a_user_is_in_ten_groups_at_most(room: IdentityRoom, eve: Principal) -> None:
    for number in range(10):
        room.run(groups.CREATE_GROUP, {"GroupName": f"g{number}"})
        join(room, "eve", f"g{number}")
    request = {"UserName": "eve", "GroupName": "ops"}
    message = room.refused(LimitExceededException, memberships.ADD_USER_TO_GROUP, request)
    assert message == "Cannot exceed quota for GroupsPerUser: 10"
    join(room, "eve", "g3")
    leave(room, "eve", "g3")
    join(room, "eve", "ops")
    assert len(groups_of(room, "eve")) == 10


@pytest.mark.parametrize(
    "operation",
    [memberships.ADD_USER_TO_GROUP, memberships.REMOVE_USER_FROM_GROUP],
    ids=lambda operation: str(operation.name),
)
def test_user_and_group_must_be_there(room: IdentityRoom, eve: Principal, operation: Any) -> None:
    room.run(groups.CREATE_GROUP, {"GroupName": "theirs"}, principal=root(OTHER_ACCOUNT))
    room.user("kate", account_id=OTHER_ACCOUNT)
    for user, group, noun, missing in (
        ("nobody", "ops", "user", "nobody"),
        ("kate", "ops", "user", "kate"),
        ("eve", "nothing", "group", "nothing"),
        ("eve", "theirs", "group", "theirs"),
        # Recorded: of two that are missing the user is named.
        ("nobody", "nothing", "user", "nobody"),
    ):
        request = {"UserName": user, "GroupName": group}
        message = room.refused(NoSuchEntityException, operation, request)
        assert message == f"The {noun} with name {missing} cannot be found."


def test_groups_of_a_user_that_is_not_there(room: IdentityRoom) -> None:
    request = {"UserName": "nobody"}
    message = room.refused(NoSuchEntityException, memberships.LIST_GROUPS_FOR_USER, request)
    assert message == "The user with name nobody cannot be found."


def test_membership_is_decided_by_the_group(room: IdentityRoom, eve: Principal) -> None:
    arn = f"arn:aws:iam::{ACCOUNT}:group/Ops"
    keeper = room.user("keeper", allow("iam:AddUserToGroup", resource=arn))
    request = {"UserName": "eve", "GroupName": "ops"}
    room.run(memberships.ADD_USER_TO_GROUP, request, principal=keeper)
    room.denied(memberships.REMOVE_USER_FROM_GROUP, request, keeper, "group ops")
    room.denied(memberships.ADD_USER_TO_GROUP, request, eve, "group ops")
    room.denied(memberships.LIST_GROUPS_FOR_USER, {"UserName": "eve"}, eve, "user eve")
    assert groups_of(room, "eve") == ["Ops"]


def test_a_user_in_a_group_is_not_deleted(room: IdentityRoom, eve: Principal) -> None:
    join(room, "eve", "ops")
    message = room.refused(DeleteConflictException, users.DELETE_USER, {"UserName": "eve"})
    assert message == "Cannot delete entity, must remove users from group first."
    leave(room, "eve", "ops")
    room.run(users.DELETE_USER, {"UserName": "eve"})
    assert room.run(groups.GET_GROUP, {"GroupName": "ops"})["Users"] == []

"""Groups: made, found, renamed, removed."""

from __future__ import annotations

import re
from typing import Any

import pytest
from msgspec.structs import replace

from strongroom.errors import (
    DeleteConflictException,
    EntityAlreadyExistsException,
    NoSuchEntityException,
    ValidationException,
)
from strongroom.identity.records import Group
from strongroom.names import AccountId
from strongroom.operations.iam import group_policies, groups, memberships
from strongroom.ports import GROUPS
from support.identity_room import IdentityRoom
from support.key_room import ACCOUNT, DAY, NOON, OTHER_ACCOUNT, allow, policy, root

GROUP_ARN = f"arn:aws:iam::{ACCOUNT}:group"
OPERATIONS = [groups.GET_GROUP, groups.UPDATE_GROUP, groups.DELETE_GROUP]


@pytest.fixture
def room() -> IdentityRoom:
    return IdentityRoom()


def create(room: IdentityRoom, name: str, **members: Any) -> dict[str, Any]:
    made: dict[str, Any] = room.run(groups.CREATE_GROUP, {"GroupName": name, **members})["Group"]
    return made


def stored(room: IdentityRoom, name: str, account_id: AccountId = ACCOUNT) -> Group:
    group: Group | None = room.unit.find_alternate(GROUPS, account_id, name.lower())
    assert group is not None
    return group


def join(room: IdentityRoom, user: str, group: str) -> None:
    assert room.run(memberships.ADD_USER_TO_GROUP, {"UserName": user, "GroupName": group}) is None


def names(answered: dict[str, Any]) -> list[str]:
    return [group["GroupName"] for group in answered["Groups"]]


def test_a_new_group_has_an_id_an_arn_and_nobody_in_it(room: IdentityRoom) -> None:
    made = room.run(groups.CREATE_GROUP, {"GroupName": "Ops", "Path": "/it/"}, now=NOON + DAY)["Group"]
    assert re.fullmatch(r"AGPA[A-Z2-7]{17}", made["GroupId"])
    assert made == {
        "Path": "/it/",
        "GroupName": "Ops",
        "GroupId": made["GroupId"],
        "Arn": f"{GROUP_ARN}/it/Ops",
        "CreateDate": NOON + DAY,
    }
    assert room.run(groups.GET_GROUP, {"GroupName": "ops"}) == {
        "Group": made,
        "Users": [],
        "IsTruncated": False,
    }
    assert create(room, "plain")["Arn"] == f"{GROUP_ARN}/plain"


def test_a_name_taken_in_any_case_is_refused(room: IdentityRoom) -> None:
    create(room, "Ops")
    for name in ("Ops", "ops", "OPS"):
        request = {"GroupName": name, "Path": "/other/"}
        message = room.refused(EntityAlreadyExistsException, groups.CREATE_GROUP, request)
        assert message == f"Group with name {name} already exists."
    room.run(groups.CREATE_GROUP, {"GroupName": "ops"}, principal=root(OTHER_ACCOUNT))
    assert stored(room, "ops", OTHER_ACCOUNT).arn == f"arn:aws:iam::{OTHER_ACCOUNT}:group/ops"
    # Users have names of their own.
    room.user("eve")
    assert create(room, "eve")["GroupName"] == "eve"


def test_a_look_alike_is_no_name(room: IdentityRoom) -> None:
    create(room, "ops")
    for operation, request in (
        (groups.CREATE_GROUP, {"GroupName": "\u043eps"}),
        (groups.UPDATE_GROUP, {"GroupName": "ops", "NewGroupName": "\u043eps"}),
    ):
        member = "newGroupName" if "NewGroupName" in request else "groupName"
        assert room.refused(ValidationException, operation, request) == (
            f"The specified value for {member} is invalid. It must contain only alphanumeric characters "
            "and/or the following: +=,.@_-"
        )


def test_a_group_shows_its_users_in_pages(room: IdentityRoom) -> None:
    create(room, "ops")
    create(room, "dev")
    for number in range(7):
        name = f"{'aB'[number % 2]}{number}"
        room.user(name)
        join(room, name, "ops" if number != 4 else "dev")
    first = room.run(groups.GET_GROUP, {"GroupName": "ops", "MaxItems": 4})
    assert [user["UserName"] for user in first["Users"]] == ["a0", "a2", "a6", "B1"]
    assert first["IsTruncated"] is True
    assert first["Users"][0] == {
        "Path": "/",
        "UserName": "a0",
        "UserId": room.found("a0").user_id,
        "Arn": f"arn:aws:iam::{ACCOUNT}:user/a0",
        "CreateDate": NOON,
    }
    rest = room.run(groups.GET_GROUP, {"GroupName": "ops", "MaxItems": 4, "Marker": first["Marker"]})
    assert [user["UserName"] for user in rest["Users"]] == ["B3", "B5"]
    assert rest["IsTruncated"] is False
    message = room.refused(ValidationException, groups.GET_GROUP, {"GroupName": "ops", "Marker": "x"})
    assert message == "Invalid Marker."


def test_groups_are_listed_by_path_and_in_pages(room: IdentityRoom) -> None:
    for name, path in (("b", "/in/"), ("A", "/in/deep/"), ("c", "/out/"), ("d", "/in/")):
        create(room, name, Path=path)
    room.run(groups.CREATE_GROUP, {"GroupName": "other", "Path": "/in/"}, principal=root(OTHER_ACCOUNT))
    assert names(room.run(groups.LIST_GROUPS)) == ["A", "b", "c", "d"]
    assert names(room.run(groups.LIST_GROUPS, {"PathPrefix": "/in/deep"})) == ["A"]
    first = room.run(groups.LIST_GROUPS, {"PathPrefix": "/in/", "MaxItems": 2})
    assert (names(first), first["IsTruncated"]) == (["A", "b"], True)
    request = {"PathPrefix": "/in/", "MaxItems": 2, "Marker": first["Marker"]}
    rest = room.run(groups.LIST_GROUPS, request)
    assert (names(rest), rest["IsTruncated"]) == (["d"], False)


def test_a_renamed_group_keeps_id_users_and_policies(room: IdentityRoom) -> None:
    made = create(room, "ops")
    room.user("eve")
    join(room, "eve", "ops")
    document = policy(allow("iam:GetUser"))
    request = {"GroupName": "ops", "PolicyName": "p", "PolicyDocument": document}
    room.run(group_policies.PUT_GROUP_POLICY, request)
    request = {"GroupName": "OPS", "NewGroupName": "Operations", "NewPath": "/it/"}
    assert room.run(groups.UPDATE_GROUP, request) is None
    after = stored(room, "operations")
    assert (after.group_id, after.policies) == (made["GroupId"], {"p": document})
    assert (after.group_name, after.path, after.arn) == ("Operations", "/it/", f"{GROUP_ARN}/it/Operations")
    found = room.run(groups.GET_GROUP, {"GroupName": "Operations"})
    assert [user["UserName"] for user in found["Users"]] == ["eve"]
    message = room.refused(NoSuchEntityException, groups.GET_GROUP, {"GroupName": "ops"})
    assert message == "The group with name ops cannot be found."


@pytest.mark.parametrize("name", ["dev", "DEV", "OPS"])
def test_a_taken_name_is_not_given_again(room: IdentityRoom, name: str) -> None:
    create(room, "ops")
    create(room, "dev")
    request = {"GroupName": "ops", "NewGroupName": name}
    message = room.refused(EntityAlreadyExistsException, groups.UPDATE_GROUP, request)
    assert message == f"Group with name {name} already exists."


def test_an_update_to_what_is_there_changes_nothing(room: IdentityRoom) -> None:
    create(room, "ops")
    before = room.unit.state()
    for members in ({}, {"NewGroupName": "ops"}, {"NewPath": "/"}):
        room.run(groups.UPDATE_GROUP, {"GroupName": "ops", **members})
        assert room.unit.state() == before


def test_a_group_moves_only_where_old_and_new_are_allowed(room: IdentityRoom) -> None:
    create(room, "ops", Path="/it/")
    mover = room.user("mover", allow("iam:UpdateGroup", resource=f"{GROUP_ARN}/it/*"))
    request = {"GroupName": "ops", "NewPath": "/admin/"}
    room.denied(groups.UPDATE_GROUP, request, mover, f"{GROUP_ARN}/admin/ops")
    room.run(groups.UPDATE_GROUP, {"GroupName": "ops", "NewGroupName": "o"}, principal=mover)
    assert stored(room, "o").arn == f"{GROUP_ARN}/it/o"


def test_a_group_goes_only_without_users_and_policies(room: IdentityRoom) -> None:
    made = create(room, "ops")
    room.user("eve")
    join(room, "eve", "ops")
    request = {"GroupName": "ops", "PolicyName": "p", "PolicyDocument": policy(allow("*"))}
    room.run(group_policies.PUT_GROUP_POLICY, request)
    attached = f"arn:aws:iam::{ACCOUNT}:policy/p"
    room.unit.save(GROUPS, replace(stored(room, "ops"), attached=(attached,)))
    for message, mend in (
        (
            "Cannot delete entity, must remove users from group first.",
            lambda: room.run(memberships.REMOVE_USER_FROM_GROUP, {"UserName": "eve", "GroupName": "ops"}),
        ),
        (
            "Cannot delete entity, must delete policies first.",
            lambda: room.run(group_policies.DELETE_GROUP_POLICY, {"GroupName": "ops", "PolicyName": "p"}),
        ),
        (
            "Cannot delete entity, must detach all policies first.",
            lambda: room.unit.save(GROUPS, replace(stored(room, "ops"), attached=())),
        ),
    ):
        assert room.refused(DeleteConflictException, groups.DELETE_GROUP, {"GroupName": "ops"}) == message
        mend()
    assert room.run(groups.DELETE_GROUP, {"GroupName": "OPS"}) is None
    assert room.unit.scan(GROUPS, ACCOUNT) == []
    assert create(room, "ops")["GroupId"] != made["GroupId"]


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: str(operation.name))
def test_a_group_that_is_not_there(room: IdentityRoom, operation: Any) -> None:
    room.run(groups.CREATE_GROUP, {"GroupName": "theirs"}, principal=root(OTHER_ACCOUNT))
    for name in ("nothing", "theirs"):
        message = room.refused(NoSuchEntityException, operation, {"GroupName": name})
        assert message == f"The group with name {name} cannot be found."


@pytest.mark.parametrize(
    ("operation", "resource"),
    [
        (groups.CREATE_GROUP, f"{GROUP_ARN}/ops"),
        (groups.GET_GROUP, "group ops"),
        (groups.UPDATE_GROUP, "group ops"),
        (groups.DELETE_GROUP, "group ops"),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
@pytest.mark.parametrize("there", [True, False])
def test_a_user_without_policies_is_refused_everything(
    room: IdentityRoom, operation: Any, resource: str, there: bool
) -> None:
    eve = room.user("eve")
    if there:
        create(room, "ops")
    room.denied(operation, {"GroupName": "ops"}, eve, resource)


def test_listing_is_decided_by_the_path_asked_for(room: IdentityRoom) -> None:
    reader = room.user("reader", allow("iam:ListGroups", resource=f"{GROUP_ARN}/it/*"))
    assert room.run(groups.LIST_GROUPS, {"PathPrefix": "/it/"}, principal=reader)["Groups"] == []
    room.denied(groups.LIST_GROUPS, {}, reader, f"{GROUP_ARN}/")

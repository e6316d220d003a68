"""Users: made, found, renamed, removed."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import pytest

from strongroom.errors import (
    AccessDeniedException,
    DeleteConflictException,
    EntityAlreadyExistsException,
    InvalidInputException,
    NoSuchEntityException,
    ServiceError,
    ValidationException,
)
from strongroom.identity.principal import Principal, PrincipalType
from strongroom.identity.records import LoginProfile
from strongroom.names import Arn
from strongroom.operations.iam import access_keys, attachments, groups, memberships, user_policies, users
from strongroom.ports import LOGIN_PROFILES, USERS
from support.identity_room import IdentityRoom
from support.key_room import ACCOUNT, DAY, NOON, OTHER_ACCOUNT, allow, deny, policy, root

USER_ARN = f"arn:aws:iam::{ACCOUNT}:user"


@pytest.fixture
def room() -> IdentityRoom:
    return IdentityRoom()


def create(
    room: IdentityRoom, name: str, how: dict[str, Any] | None = None, **members: Any
) -> dict[str, Any]:
    made: dict[str, Any] = room.run(users.CREATE_USER, {"UserName": name, **members}, **(how or {}))["User"]
    return made


def names(answered: dict[str, Any]) -> list[str]:
    return [user["UserName"] for user in answered["Users"]]


def refused(
    error: type[ServiceError], room: IdentityRoom, operation: Any, request: dict[str, Any], **how: Any
) -> str:
    """Return the message of a refusal that changed nothing."""
    before = room.unit.state()
    with pytest.raises(error) as caught:
        room.run(operation, request, **how)
    assert type(caught.value) is error
    assert room.unit.state() == before
    return caught.value.message


def denial(caller: Principal, action: str, resource: str) -> str:
    return (
        f"User: {caller.arn} is not authorized to perform: {action} on resource: {resource} "
        f"because no identity-based policy allows the {action} action"
    )


# CreateUser


def test_a_new_user_has_an_id_an_arn_and_no_rights(room: IdentityRoom) -> None:
    made = create(room, "Bob", {"now": NOON + DAY})
    assert re.fullmatch(r"AIDA[A-Z2-7]{17}", made["UserId"])
    assert made == {
        "Path": "/",
        "UserName": "Bob",
        "UserId": made["UserId"],
        "Arn": f"{USER_ARN}/Bob",
        "CreateDate": NOON + DAY,
    }
    stored = room.found("bob")
    assert (stored.user_id, stored.policies, stored.tags) == (made["UserId"], {}, {})


def test_path_and_tags_of_a_new_user(room: IdentityRoom) -> None:
    tags = [{"Key": "team", "Value": "red"}, {"Key": "Env", "Value": ""}]
    made = create(room, "bob", Path="/ops/db/", Tags=tags)
    assert (made["Path"], made["Arn"]) == ("/ops/db/", f"{USER_ARN}/ops/db/bob")
    assert made["Tags"] == tags[::-1]
    assert room.found("bob").tags == {"team": "red", "Env": ""}


def test_a_name_taken_in_any_case_is_refused(room: IdentityRoom) -> None:
    create(room, "Bob")
    for name in ("Bob", "bob", "BOB"):
        message = refused(
            EntityAlreadyExistsException, room, users.CREATE_USER, {"UserName": name, "Path": "/other/"}
        )
        assert message == f"User with name {name} already exists."
    create(room, "bob", {"principal": root(OTHER_ACCOUNT)})
    assert room.found("bob", OTHER_ACCOUNT).arn == f"arn:aws:iam::{OTHER_ACCOUNT}:user/bob"
    assert room.found("bob").user_name == "Bob"


@pytest.mark.parametrize(
    ("members", "error", "message"),
    [
        pytest.param(
            {"PermissionsBoundary": f"arn:aws:iam::{ACCOUNT}:not_a_policy/invalid"},
            InvalidInputException,
            f"ARN arn:aws:iam::{ACCOUNT}:not_a_policy/invalid is not valid.",
            id="boundary that is no policy's ARN",
        ),
        pytest.param(
            {"PermissionsBoundary": f"arn:aws:iam::{ACCOUNT}:policy/boundary"},
            NoSuchEntityException,
            f"Scope ARN: arn:aws:iam::{ACCOUNT}:policy/boundary does not exist or is not attachable.",
            id="boundary that does not exist",
        ),
        pytest.param(
            {"Tags": [{"Key": "a", "Value": "1"}, {"Key": "A", "Value": "2"}]},
            InvalidInputException,
            "Duplicate tag keys found. Please note that Tag keys are case insensitive.",
            id="tag key twice",
        ),
        pytest.param(
            {"Tags": [{"Key": "aws:a", "Value": "1"}]},
            InvalidInputException,
            "Tag keys that begin with aws: are reserved for system use.",
            id="reserved tag key",
        ),
        pytest.param(
            {"UserName": "b\u043eb"},
            ValidationException,
            "The specified value for userName is invalid. "
            "It must contain only alphanumeric characters and/or the following: +=,.@_-",
            id="Cyrillic o",
        ),
    ],
)
def test_what_a_new_user_cannot_have(
    room: IdentityRoom, members: dict[str, Any], error: type[ServiceError], message: str
) -> None:
    assert refused(error, room, users.CREATE_USER, {"UserName": "bob", **members}) == message


def test_creating_is_decided_by_path_name_and_tags(room: IdentityRoom) -> None:
    red = {"StringEquals": {"aws:RequestTag/team": "red"}}
    maker = room.user(
        "maker",
        allow("iam:CreateUser", resource=f"{USER_ARN}/ops/*"),
        allow("iam:TagUser", resource=f"{USER_ARN}/ops/*", Condition=red),
    )
    create(room, "one", {"principal": maker}, Path="/ops/")
    create(room, "two", {"principal": maker}, Path="/ops/", Tags=[{"Key": "team", "Value": "red"}])
    request: dict[str, Any] = {"UserName": "three"}
    message = refused(AccessDeniedException, room, users.CREATE_USER, request, principal=maker)
    assert message == denial(maker, "iam:CreateUser", f"{USER_ARN}/three")
    request = {"UserName": "three", "Path": "/ops/", "Tags": [{"Key": "team", "Value": "blue"}]}
    message = refused(AccessDeniedException, room, users.CREATE_USER, request, principal=maker)
    assert message == denial(maker, "iam:TagUser", f"{USER_ARN}/ops/three")


# GetUser


def test_a_user_is_found_by_name_in_any_case(room: IdentityRoom) -> None:
    made = create(room, "Bob", Tags=[{"Key": "team", "Value": "red"}])
    for name in ("Bob", "bob"):
        assert room.run(users.GET_USER, {"UserName": name}) == {"User": made}


def test_without_name_the_caller_is_found(room: IdentityRoom) -> None:
    kate = room.user("kate", allow("iam:GetUser", resource=f"{USER_ARN}/kate"))
    found = room.run(users.GET_USER, principal=kate)["User"]
    assert (found["UserName"], found["UserId"], found["Arn"]) == ("kate", kate.principal_id, kate.arn)
    assert room.run(users.GET_USER) == {
        "User": {"UserId": ACCOUNT, "Arn": f"arn:aws:iam::{ACCOUNT}:root", "CreateDate": NOON}
    }


def test_a_role_session_has_to_name_a_user(room: IdentityRoom) -> None:
    arn = Arn(f"arn:aws:sts::{ACCOUNT}:assumed-role/deploy/run-1")
    session = Principal(PrincipalType.ASSUMED_ROLE, ACCOUNT, arn, "AROAEXAMPLE:run-1", "ASIAEXAMPLE")
    message = refused(ValidationException, room, users.GET_USER, {}, principal=session)
    assert message == "Must specify userName when calling with non-User credentials"


def test_a_policy_sees_the_tags_of_the_user(room: IdentityRoom) -> None:
    create(room, "bob", Tags=[{"Key": "team", "Value": "red"}])
    create(room, "eve", Tags=[{"Key": "team", "Value": "blue"}])
    for number, key in enumerate(("aws:ResourceTag/team", "iam:ResourceTag/team")):
        condition = {"StringEquals": {key: "red"}}
        reader = room.user(f"reader{number}", allow("iam:GetUser", Condition=condition))
        assert room.run(users.GET_USER, {"UserName": "bob"}, principal=reader)["User"]["UserName"] == "bob"
        for name in ("eve", "nobody"):
            message = refused(
                AccessDeniedException, room, users.GET_USER, {"UserName": name}, principal=reader
            )
            assert message == denial(reader, "iam:GetUser", f"user {name}")


def test_an_explicit_deny_wins(room: IdentityRoom) -> None:
    create(room, "bob")
    reader = room.user("reader", allow("iam:*"), deny("iam:GetUser", resource=f"{USER_ARN}/bob"))
    message = refused(AccessDeniedException, room, users.GET_USER, {"UserName": "bob"}, principal=reader)
    assert message == (
        f"User: {reader.arn} is not authorized to perform: iam:GetUser on resource: user bob "
        "with an explicit deny in an identity-based policy"
    )
    assert names(room.run(users.LIST_USERS, principal=reader)) == ["bob", "reader"]


@pytest.mark.parametrize("operation", [users.GET_USER, users.UPDATE_USER, users.DELETE_USER])
def test_a_user_that_is_not_there(room: IdentityRoom, operation: Any) -> None:
    create(room, "carol", {"principal": root(OTHER_ACCOUNT)})
    for name in ("nobody", "carol"):
        message = refused(NoSuchEntityException, room, operation, {"UserName": name})
        assert message == f"The user with name {name} cannot be found."


# ListUsers


def test_users_are_listed_by_path_without_tags(room: IdentityRoom) -> None:
    create(room, "bob", Path="/ops/db/", Tags=[{"Key": "team", "Value": "red"}])
    create(room, "Anna", Path="/ops/")
    create(room, "zoe")
    create(room, "carol", {"principal": root(OTHER_ACCOUNT)})
    answered = room.run(users.LIST_USERS)
    assert names(answered) == ["Anna", "bob", "zoe"]
    assert answered["IsTruncated"] is False
    assert "Marker" not in answered
    assert answered["Users"][1] == {
        "Path": "/ops/db/",
        "UserName": "bob",
        "UserId": room.found("bob").user_id,
        "Arn": f"{USER_ARN}/ops/db/bob",
        "CreateDate": NOON,
    }
    assert names(room.run(users.LIST_USERS, {"PathPrefix": "/ops/"})) == ["Anna", "bob"]
    assert names(room.run(users.LIST_USERS, {"PathPrefix": "/ops/db"})) == ["bob"]
    assert room.run(users.LIST_USERS, {"PathPrefix": "/none/"}) == {"Users": [], "IsTruncated": False}


@pytest.mark.parametrize("size", [1, 2, 3, 5, 100])
def test_pages_hold_all_users_of_the_path_once(room: IdentityRoom, size: int) -> None:
    for number in range(12):
        create(room, f"{'aB'[number % 2]}{number:02}", Path=("/in/", "/in/deep/", "/out/")[number % 3])
    seen: list[str] = []
    request: dict[str, Any] = {"PathPrefix": "/in/", "MaxItems": size}
    while True:
        answered = room.run(users.LIST_USERS, request)
        seen += names(answered)
        assert len(answered["Users"]) <= size
        if not answered["IsTruncated"]:
            break
        assert len(answered["Users"]) == size
        request["Marker"] = answered["Marker"]
    assert seen == ["a00", "a04", "a06", "a10", "B01", "B03", "B07", "B09"]


def test_users_of_other_paths_do_not_shorten_a_page(room: IdentityRoom) -> None:
    for number in range(250):
        create(room, f"u{number:03}", Path="/in/" if number in (3, 120, 199, 249) else "/out/")
    answered = room.run(users.LIST_USERS, {"PathPrefix": "/in/", "MaxItems": 3})
    assert (names(answered), answered["IsTruncated"]) == (["u003", "u120", "u199"], True)
    request = {"PathPrefix": "/in/", "MaxItems": 3, "Marker": answered["Marker"]}
    answered = room.run(users.LIST_USERS, request)
    assert (names(answered), answered["IsTruncated"]) == (["u249"], False)


def test_a_page_holds_100_users_unless_said(room: IdentityRoom) -> None:
    for number in range(101):
        create(room, f"u{number:03}")
    answered = room.run(users.LIST_USERS)
    assert (len(answered["Users"]), answered["IsTruncated"]) == (100, True)


def test_a_marker_of_others_is_refused(room: IdentityRoom) -> None:
    assert refused(ValidationException, room, users.LIST_USERS, {"Marker": "x"}) == "Invalid Marker."


def test_listing_is_decided_by_the_path_asked_for(room: IdentityRoom) -> None:
    reader = room.user("reader", allow("iam:ListUsers", resource=f"{USER_ARN}/ops/*"))
    assert room.run(users.LIST_USERS, {"PathPrefix": "/ops/"}, principal=reader)["Users"] == []
    message = refused(AccessDeniedException, room, users.LIST_USERS, {}, principal=reader)
    assert message == denial(reader, "iam:ListUsers", f"{USER_ARN}/")


# UpdateUser


def test_a_renamed_user_is_the_same_principal(room: IdentityRoom) -> None:
    create(room, "bob", Tags=[{"Key": "team", "Value": "red"}])
    document = policy(allow("iam:GetUser"))
    room.run(
        user_policies.PUT_USER_POLICY,
        {"UserName": "bob", "PolicyName": "p", "PolicyDocument": document},
    )
    key_id = room.run(access_keys.CREATE_ACCESS_KEY, {"UserName": "bob"})["AccessKey"]["AccessKeyId"]
    before = room.found("bob")
    request = {"UserName": "bob", "NewUserName": "Robert", "NewPath": "/ops/"}
    assert room.run(users.UPDATE_USER, request) is None
    after = room.found("robert")
    assert (after.user_id, after.tags, after.policies, after.created_at) == (
        before.user_id,
        before.tags,
        before.policies,
        before.created_at,
    )
    assert (after.user_name, after.path, after.arn) == ("Robert", "/ops/", f"{USER_ARN}/ops/Robert")
    signer = room.signer(key_id)
    assert signer is not None
    assert signer.arn == after.arn
    assert room.run(users.GET_USER, principal=signer)["User"]["UserName"] == "Robert"
    message = refused(NoSuchEntityException, room, users.GET_USER, {"UserName": "bob"})
    assert message == "The user with name bob cannot be found."


def test_path_and_name_change_apart(room: IdentityRoom) -> None:
    create(room, "bob", Path="/ops/")
    room.run(users.UPDATE_USER, {"UserName": "bob", "NewUserName": "rob"})
    assert room.found("rob").arn == f"{USER_ARN}/ops/rob"
    room.run(users.UPDATE_USER, {"UserName": "rob", "NewPath": "/"})
    assert room.found("rob").arn == f"{USER_ARN}/rob"


def test_an_update_to_what_is_there_changes_nothing(room: IdentityRoom) -> None:
    create(room, "bob")
    before = room.unit.state()
    for members in ({}, {"NewUserName": "bob"}, {"NewPath": "/"}):
        room.run(users.UPDATE_USER, {"UserName": "bob", **members})
        assert room.unit.state() == before


@pytest.mark.parametrize("name", ["eve", "EVE", "BOB"])
def test_a_taken_name_is_not_given_again(room: IdentityRoom, name: str) -> None:
    create(room, "bob")
    create(room, "eve")
    message = refused(
        EntityAlreadyExistsException, room, users.UPDATE_USER, {"UserName": "bob", "NewUserName": name}
    )
    assert message == f"User with name {name} already exists."


def test_a_look_alike_is_no_new_name(room: IdentityRoom) -> None:
    create(room, "bob")
    message = refused(
        ValidationException, room, users.UPDATE_USER, {"UserName": "bob", "NewUserName": "r\u043ebert"}
    )
    assert message == (
        "The specified value for newUserName is invalid. "
        "It must contain only alphanumeric characters and/or the following: +=,.@_-"
    )


def test_a_user_moves_only_where_old_and_new_are_allowed(room: IdentityRoom) -> None:
    create(room, "bob", Path="/ops/")
    create(room, "zoe", Path="/admin/")
    mover = room.user("mover", allow("iam:UpdateUser", resource=f"{USER_ARN}/ops/*"))
    room.run(users.UPDATE_USER, {"UserName": "bob", "NewUserName": "rob"}, principal=mover)
    request = {"UserName": "rob", "NewPath": "/admin/"}
    message = refused(AccessDeniedException, room, users.UPDATE_USER, request, principal=mover)
    assert message == denial(mover, "iam:UpdateUser", f"{USER_ARN}/admin/rob")
    renamer = room.user("renamer", allow("iam:UpdateUser", resource=f"{USER_ARN}/ops/r*"))
    request = {"UserName": "rob", "NewUserName": "sue"}
    message = refused(AccessDeniedException, room, users.UPDATE_USER, request, principal=renamer)
    assert message == denial(renamer, "iam:UpdateUser", f"{USER_ARN}/ops/sue")
    request = {"UserName": "zoe", "NewPath": "/ops/"}
    message = refused(AccessDeniedException, room, users.UPDATE_USER, request, principal=mover)
    assert message == denial(mover, "iam:UpdateUser", "user zoe")


# DeleteUser


def test_a_deleted_user_is_gone(room: IdentityRoom) -> None:
    create(room, "bob")
    create(room, "eve")
    assert room.run(users.DELETE_USER, {"UserName": "bob"}) is None
    assert names(room.run(users.LIST_USERS)) == ["eve"]
    message = refused(NoSuchEntityException, room, users.DELETE_USER, {"UserName": "bob"})
    assert message == "The user with name bob cannot be found."


def test_a_user_goes_only_when_nothing_hangs_on_it(room: IdentityRoom) -> None:
    create(room, "bob")
    put = {"UserName": "bob", "PolicyName": "p", "PolicyDocument": policy(allow("*"))}
    room.run(user_policies.PUT_USER_POLICY, put)
    attachment = {"UserName": "bob", "PolicyArn": "arn:aws:iam::aws:policy/AdministratorAccess"}
    room.run(attachments.ATTACH_USER_POLICY, attachment)
    key_id = room.run(access_keys.CREATE_ACCESS_KEY, {"UserName": "bob"})["AccessKey"]["AccessKeyId"]
    key = {"UserName": "bob", "AccessKeyId": key_id}
    room.run(access_keys.UPDATE_ACCESS_KEY, {**key, "Status": "Inactive"})
    user_id = room.found("bob").user_id
    room.unit.save(
        LOGIN_PROFILES,
        LoginProfile(user_id=user_id, account_id=ACCOUNT, password_hash="", created_at=NOON),
    )
    room.run(groups.CREATE_GROUP, {"GroupName": "ops"})
    membership = {"UserName": "bob", "GroupName": "ops"}
    room.run(memberships.ADD_USER_TO_GROUP, membership)
    for left, remove in (
        (
            "delete policies",
            lambda: room.run(user_policies.DELETE_USER_POLICY, {"UserName": "bob", "PolicyName": "p"}),
        ),
        ("detach all policies", lambda: room.run(attachments.DETACH_USER_POLICY, attachment)),
        ("delete access keys", lambda: room.run(access_keys.DELETE_ACCESS_KEY, key)),
        ("delete login profile", lambda: room.unit.delete(LOGIN_PROFILES, ACCOUNT, user_id)),
        ("remove users from group", lambda: room.run(memberships.REMOVE_USER_FROM_GROUP, membership)),
    ):
        message = refused(DeleteConflictException, room, users.DELETE_USER, {"UserName": "bob"})
        assert message == f"Cannot delete entity, must {left} first."
        remove()
    room.run(users.DELETE_USER, {"UserName": "bob"})
    assert room.unit.scan(USERS, ACCOUNT) == []


def test_a_user_made_again_is_another_principal(room: IdentityRoom) -> None:
    first = create(room, "bob", {"now": NOON})
    room.run(users.DELETE_USER, {"UserName": "bob"})
    second = create(room, "bob", {"now": NOON + dt.timedelta(seconds=1)})
    assert first["Arn"] == second["Arn"]
    assert first["UserId"] != second["UserId"]


@pytest.mark.parametrize(
    ("operation", "resource"),
    [
        (users.CREATE_USER, f"{USER_ARN}/bob"),
        (users.GET_USER, "user bob"),
        (users.UPDATE_USER, "user bob"),
        (users.DELETE_USER, "user bob"),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
@pytest.mark.parametrize("there", [True, False])
def test_a_user_without_policies_is_refused_everything(
    room: IdentityRoom, operation: Any, resource: str, there: bool
) -> None:
    eve = room.user("eve")
    if there:
        create(room, "bob")
    message = refused(AccessDeniedException, room, operation, {"UserName": "bob"}, principal=eve)
    assert message == denial(eve, operation.action, resource)

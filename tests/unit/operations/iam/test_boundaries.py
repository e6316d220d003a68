"""Permissions boundaries: put, taken away, and in force from the next call on."""

from __future__ import annotations

from typing import Any

import pytest

from strongroom.errors import AccessDeniedException, InvalidInputException, NoSuchEntityException
from strongroom.identity.principal import Principal, PrincipalType
from strongroom.identity.records import Role, User
from strongroom.names import Arn, assumed_role_arn
from strongroom.operations.iam import attachments, boundaries, managed_policies, roles, user_policies, users
from strongroom.ports import ROLES, USERS
from support.identity_room import IdentityRoom
from support.key_room import ACCOUNT, OTHER_ACCOUNT, allow, policy, root

TRUST = policy({"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"})
PUT = {"user": boundaries.PUT_USER_PERMISSIONS_BOUNDARY, "role": boundaries.PUT_ROLE_PERMISSIONS_BOUNDARY}
DELETE = {
    "user": boundaries.DELETE_USER_PERMISSIONS_BOUNDARY,
    "role": boundaries.DELETE_ROLE_PERMISSIONS_BOUNDARY,
}
READ_ONLY = "arn:aws:iam::aws:policy/ReadOnlyAccess"


@pytest.fixture
def room() -> IdentityRoom:
    room = IdentityRoom()
    room.user("eve", allow("iam:*"))
    room.run(roles.CREATE_ROLE, {"RoleName": "eve", "AssumeRolePolicyDocument": TRUST})
    return room


@pytest.fixture(params=["user", "role"])
def noun(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def make_policy(room: IdentityRoom, name: str, *statements: dict[str, Any], **how: Any) -> str:
    request = {"PolicyName": name, "PolicyDocument": policy(*statements)}
    return str(room.run(managed_policies.CREATE_POLICY, request, **how)["Policy"]["Arn"])


def named(noun: str, name: str = "eve", **members: Any) -> dict[str, Any]:
    return {f"{noun.capitalize()}Name": name, **members}


def stored(room: IdentityRoom, noun: str) -> User | Role:
    kind: Any = USERS if noun == "user" else ROLES
    found: User | Role = room.unit.find_alternate(kind, ACCOUNT, "eve")
    return found


def shown(room: IdentityRoom, noun: str) -> Any:
    if noun == "user":
        return room.run(users.GET_USER, {"UserName": "eve"})["User"].get("PermissionsBoundary")
    return room.run(roles.GET_ROLE, {"RoleName": "eve"})["Role"].get("PermissionsBoundary")


def eve(room: IdentityRoom) -> Principal:
    found = room.found("eve")
    return Principal(PrincipalType.USER, ACCOUNT, found.arn, found.user_id, "AKIAEVE", user_name="eve")


def test_a_boundary_is_put_replaced_shown_and_taken_away(room: IdentityRoom, noun: str) -> None:
    first = make_policy(room, "first", allow("iam:Get*"))
    assert room.run(PUT[noun], named(noun, "EVE", PermissionsBoundary=first)) is None
    assert stored(room, noun).boundary == first
    assert shown(room, noun) == {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": first}
    room.run(PUT[noun], named(noun, PermissionsBoundary=READ_ONLY))
    assert shown(room, noun)["PermissionsBoundaryArn"] == READ_ONLY
    assert room.run(DELETE[noun], named(noun)) is None
    assert (stored(room, noun).boundary, shown(room, noun)) == (None, None)
    before = room.unit.state()
    room.run(DELETE[noun], named(noun))
    assert room.unit.state() == before


def test_a_boundary_limits_a_user_from_the_next_call_on(room: IdentityRoom) -> None:
    limit = make_policy(room, "limit", allow("iam:GetUser", "secretsmanager:*"))
    move = {"UserName": "eve", "NewPath": "/x/"}
    room.run(users.UPDATE_USER, move, principal=eve(room))
    room.run(PUT["user"], named("user", PermissionsBoundary=limit))
    message = room.refused(AccessDeniedException, users.UPDATE_USER, move, principal=eve(room))
    assert message == (
        f"User: {eve(room).arn} is not authorized to perform: iam:UpdateUser on resource: user eve "
        "because no permissions boundary allows the iam:UpdateUser action"
    )
    assert room.run(users.GET_USER, {"UserName": "eve"}, principal=eve(room))["User"]["UserName"] == "eve"
    # What a boundary allows is no permission.
    removal = {"UserName": "eve", "PolicyName": "inline"}
    room.run(user_policies.DELETE_USER_POLICY, removal)
    room.denied(users.GET_USER, {"UserName": "eve"}, eve(room), "user eve")


def test_a_boundary_limits_the_sessions_of_a_role(room: IdentityRoom) -> None:
    role = stored(room, "role")
    assert isinstance(role, Role)
    session = Principal(
        PrincipalType.ASSUMED_ROLE,
        ACCOUNT,
        assumed_role_arn(ACCOUNT, "eve", "run"),
        f"{role.role_id}:run",
        "ASIA",
        role_id=role.role_id,
        role_arn=Arn(role.arn),
    )
    full = {"RoleName": "eve", "PolicyArn": make_policy(room, "full", allow("iam:*"))}
    room.run(attachments.ATTACH_ROLE_POLICY, full)
    request = {"RoleName": "eve"}
    assert room.run(roles.GET_ROLE, request, principal=session)["Role"]["RoleName"] == "eve"
    limit = make_policy(room, "limit", allow("secretsmanager:*"))
    room.run(PUT["role"], named("role", PermissionsBoundary=limit))
    assert room.refused(AccessDeniedException, roles.GET_ROLE, request, principal=session) == (
        f"User: {session.arn} is not authorized to perform: iam:GetRole on resource: role eve "
        "because no permissions boundary allows the iam:GetRole action"
    )
    room.run(DELETE["role"], named("role"))
    assert room.run(roles.GET_ROLE, request, principal=session)["Role"]["RoleName"] == "eve"


@pytest.mark.parametrize(
    ("arn", "message"),
    [
        (
            f"arn:aws:iam::{ACCOUNT}:not_a_policy/invalid",
            f"ARN arn:aws:iam::{ACCOUNT}:not_a_policy/invalid is not valid.",
        ),
        ("a-policy-without-an-arn", "ARN a-policy-without-an-arn is not valid."),
        ("arn:aws:s3:::policy/in-a-bucket", "ARN arn:aws:s3:::policy/in-a-bucket is not valid."),
    ],
)
def test_a_boundary_is_a_policy(room: IdentityRoom, noun: str, arn: str, message: str) -> None:
    request = named(noun, PermissionsBoundary=arn)
    assert room.refused(InvalidInputException, PUT[noun], request) == message


def test_a_boundary_exists_and_is_of_the_account(room: IdentityRoom, noun: str) -> None:
    theirs = make_policy(room, "theirs", allow("*"), principal=root(OTHER_ACCOUNT))
    for arn in (theirs, f"arn:aws:iam::{ACCOUNT}:policy/nothing", "arn:aws:iam::aws:policy/Nothing"):
        request = named(noun, PermissionsBoundary=arn)
        message = room.refused(NoSuchEntityException, PUT[noun], request)
        assert message == f"Scope ARN: {arn} does not exist or is not attachable."


def test_who_is_not_there_has_no_boundary(room: IdentityRoom, noun: str) -> None:
    for operation, members in ((PUT[noun], {"PermissionsBoundary": READ_ONLY}), (DELETE[noun], {})):
        message = room.refused(NoSuchEntityException, operation, named(noun, "nobody", **members))
        assert message == f"The {noun} with name nobody cannot be found."


def test_a_user_without_policies_is_refused(room: IdentityRoom, noun: str) -> None:
    kate = room.user("kate")
    for operation, members in ((PUT[noun], {"PermissionsBoundary": READ_ONLY}), (DELETE[noun], {})):
        room.denied(operation, named(noun, **members), kate, f"{noun} eve")


def test_policies_can_say_which_boundary_must_be_kept(room: IdentityRoom, noun: str) -> None:
    """The delegation AWS documents: an administrator who cannot make anyone mightier than the boundary."""
    limit = make_policy(room, "limit", allow("iam:Get*"))
    wide = make_policy(room, "wide", allow("*"))
    held = {"StringEquals": {"iam:PermissionsBoundary": limit}}
    admin = room.user("admin", allow("iam:Put*", "iam:Attach*", "iam:Delete*", Condition=held))
    attach = attachments.ATTACH_USER_POLICY if noun == "user" else attachments.ATTACH_ROLE_POLICY
    attachment = named(noun, PolicyArn=wide)
    room.denied(attach, attachment, admin, f"{noun} eve")
    room.denied(PUT[noun], named(noun, PermissionsBoundary=wide), admin, f"{noun} eve")
    room.run(PUT[noun], named(noun, PermissionsBoundary=limit), principal=admin)
    room.run(attach, attachment, principal=admin)
    # The key is what is asked for, not what stands there: another boundary is refused all the same.
    room.denied(PUT[noun], named(noun, PermissionsBoundary=wide), admin, f"{noun} eve")
    room.run(PUT[noun], named(noun, PermissionsBoundary=wide))
    room.denied(DELETE[noun], named(noun), admin, f"{noun} eve")

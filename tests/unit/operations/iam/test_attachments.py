"""Attaching managed policies: to users, roles and groups, ten at most, obeyed from the next call on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from strongroom.errors import (
    AccessDeniedException,
    InvalidInputException,
    LimitExceededException,
    NoSuchEntityException,
    ServiceError,
    ValidationException,
)
from strongroom.identity.principal import Principal
from strongroom.identity.records import Group, Role
from strongroom.names import AccountId, group_arn, role_arn
from strongroom.operations.iam import attachments, managed_policies, policy_entities, users
from strongroom.ports import GROUPS, ROLES, USERS, Kind
from support.identity_room import IdentityRoom
from support.key_room import ACCOUNT, NOON, OTHER_ACCOUNT, allow, policy, root

READ = policy(allow("iam:GetUser"))
AWS_IAM_READ = "arn:aws:iam::aws:policy/IAMReadOnlyAccess"


@dataclass(frozen=True)
class Case:
    title: str
    kind: Kind[Any]
    attach: Any
    detach: Any
    listed: Any

    @property
    def noun(self) -> str:
        return self.title.lower()

    def named(self, name: str = "x") -> dict[str, str]:
        return {f"{self.title}Name": name}

    def arn(self, name: str = "x", path: str = "/") -> str:
        return f"arn:aws:iam::{ACCOUNT}:{self.noun}{path}{name}"


CASES = [
    Case(
        "User",
        USERS,
        attachments.ATTACH_USER_POLICY,
        attachments.DETACH_USER_POLICY,
        attachments.LIST_ATTACHED_USER_POLICIES,
    ),
    Case(
        "Role",
        ROLES,
        attachments.ATTACH_ROLE_POLICY,
        attachments.DETACH_ROLE_POLICY,
        attachments.LIST_ATTACHED_ROLE_POLICIES,
    ),
    Case(
        "Group",
        GROUPS,
        attachments.ATTACH_GROUP_POLICY,
        attachments.DETACH_GROUP_POLICY,
        attachments.LIST_ATTACHED_GROUP_POLICIES,
    ),
]
every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.noun)


def make(room: IdentityRoom, case: Case, name: str = "x", account_id: AccountId = ACCOUNT) -> None:
    if case.title == "User":
        room.user(name, account_id=account_id)
    elif case.title == "Role":
        role = Role(
            role_id=f"AROA{name.upper():0<17}",
            role_name=name,
            path="/",
            arn=role_arn(account_id, "/", name),
            account_id=account_id,
            created_at=NOON,
            trust_policy="{}",
        )
        room.unit.save(ROLES, role)
    else:
        group = Group(
            group_id=f"AGPA{name.upper():0<17}",
            group_name=name,
            path="/",
            arn=group_arn(account_id, "/", name),
            account_id=account_id,
            created_at=NOON,
        )
        room.unit.save(GROUPS, group)


@pytest.fixture
def room() -> IdentityRoom:
    return IdentityRoom()


def a_policy(room: IdentityRoom, name: str = "p", path: str = "/", document: str = READ, **how: Any) -> str:
    request = {"PolicyName": name, "Path": path, "PolicyDocument": document}
    return str(room.run(managed_policies.CREATE_POLICY, request, **how)["Policy"]["Arn"])


def attached(room: IdentityRoom, case: Case, name: str = "x", **more: Any) -> list[str]:
    answered = room.run(case.listed, {**case.named(name), **more})
    return [each["PolicyArn"] for each in answered["AttachedPolicies"]]


def refused(error: type[ServiceError], room: IdentityRoom, operation: Any, request: Any, **how: Any) -> str:
    before = room.unit.state()
    with pytest.raises(error) as caught:
        room.run(operation, request, **how)
    assert room.unit.state() == before
    return caught.value.message


def can_get(room: IdentityRoom, caller: Principal) -> bool:
    try:
        room.run(users.GET_USER, {"UserName": "x"}, principal=caller)
    except AccessDeniedException:
        return False
    return True


def test_what_is_attached_to_a_user_counts_at_once(room: IdentityRoom) -> None:
    caller, arn = room.user("x"), a_policy(room)
    assert not can_get(room, caller)
    room.run(attachments.ATTACH_USER_POLICY, {"UserName": "X", "PolicyArn": arn})
    assert can_get(room, caller)
    room.run(attachments.DETACH_USER_POLICY, {"UserName": "x", "PolicyArn": arn})
    assert not can_get(room, caller)
    room.run(attachments.ATTACH_USER_POLICY, {"UserName": "x", "PolicyArn": AWS_IAM_READ})
    assert can_get(room, caller)


def test_what_is_attached_to_a_group_counts_for_its_members(room: IdentityRoom) -> None:
    caller, arn = room.user("x"), a_policy(room)
    make(room, CASES[2], "staff")
    group = room.unit.scan(GROUPS, ACCOUNT)[0]
    room.unit.save(USERS, msgspec.structs.replace(room.found("x"), group_ids=(group.group_id,)))
    assert not can_get(room, caller)
    room.run(attachments.ATTACH_GROUP_POLICY, {"GroupName": "staff", "PolicyArn": arn})
    assert can_get(room, caller)
    room.run(attachments.DETACH_GROUP_POLICY, {"GroupName": "staff", "PolicyArn": arn})
    assert not can_get(room, caller)


@every_case
def test_attached_once_and_detached(room: IdentityRoom, case: Case) -> None:
    make(room, case)
    make(room, case, "other")
    one, two = a_policy(room, "One"), a_policy(room, "two", "/team/")
    for arn in (two, AWS_IAM_READ, one, two):
        assert room.run(case.attach, {**case.named("X"), "PolicyArn": arn}) is None
    assert room.run(case.listed, case.named()) == {
        "AttachedPolicies": [
            {"PolicyName": "IAMReadOnlyAccess", "PolicyArn": AWS_IAM_READ},
            {"PolicyName": "One", "PolicyArn": one},
            {"PolicyName": "two", "PolicyArn": two},
        ],
        "IsTruncated": False,
    }
    assert attached(room, case, PathPrefix="/team/") == [two]
    assert attached(room, case, "other") == []
    assert room.run(case.detach, {**case.named(), "PolicyArn": one}) is None
    assert attached(room, case) == [AWS_IAM_READ, two]
    message = refused(NoSuchEntityException, room, case.detach, {**case.named(), "PolicyArn": one})
    assert message == f"Policy {one} was not found."


@every_case
def test_ten_are_the_most(room: IdentityRoom, case: Case) -> None:
    make(room, case)
    arns = [a_policy(room, f"p{number:02}") for number in range(11)]
    for arn in arns[:10]:
        room.run(case.attach, {**case.named(), "PolicyArn": arn})
    message = refused(LimitExceededException, room, case.attach, {**case.named(), "PolicyArn": arns[10]})
    assert message == f"Cannot exceed quota for PoliciesPer{case.title}: 10"
    # What is attached already takes no more room.
    assert room.run(case.attach, {**case.named(), "PolicyArn": arns[0]}) is None
    first = room.run(case.listed, {**case.named(), "MaxItems": 4})
    assert (first["IsTruncated"], len(first["AttachedPolicies"])) == (True, 4)
    rest = room.run(case.listed, {**case.named(), "Marker": first["Marker"]})
    pages = first["AttachedPolicies"] + rest["AttachedPolicies"]
    assert [each["PolicyArn"] for each in pages] == arns[:10]
    message = refused(ValidationException, room, case.listed, {**case.named(), "Marker": "x"})
    assert message == "Invalid Marker."


@every_case
def test_a_policy_that_is_not_there(room: IdentityRoom, case: Case) -> None:
    make(room, case)
    elsewhere = a_policy(room, principal=root(OTHER_ACCOUNT))
    for arn in (elsewhere, f"arn:aws:iam::{ACCOUNT}:policy/p", "arn:aws:iam::aws:policy/Unknown"):
        message = refused(NoSuchEntityException, room, case.attach, {**case.named(), "PolicyArn": arn})
        assert message == f"Policy {arn} does not exist or is not attachable."
        message = refused(NoSuchEntityException, room, case.detach, {**case.named(), "PolicyArn": arn})
        assert message == f"Policy {arn} was not found."


@every_case
def test_an_entity_that_is_not_there(room: IdentityRoom, case: Case) -> None:
    make(room, case, "theirs", OTHER_ACCOUNT)
    arn = a_policy(room)
    for operation in (case.attach, case.detach, case.listed):
        more = {} if operation is case.listed else {"PolicyArn": arn}
        message = refused(NoSuchEntityException, room, operation, {**case.named("theirs"), **more})
        assert message == f"The {case.noun} with name theirs cannot be found."


@every_case
def test_what_is_no_arn_of_a_policy(room: IdentityRoom, case: Case) -> None:
    make(room, case)
    for operation in (case.attach, case.detach):
        request = {**case.named(), "PolicyArn": "AdministratorAccess-x"}
        message = refused(ValidationException, room, operation, request)
        assert message == "Invalid ARN:  Could not be parsed!"
        request = {**case.named(), "PolicyArn": case.arn()}
        message = refused(InvalidInputException, room, operation, request)
        assert message == f"ARN {case.arn()} is not valid."


@every_case
def test_the_policy_is_a_condition_key(room: IdentityRoom, case: Case) -> None:
    make(room, case)
    good, bad = a_policy(room, "good", "/team/"), a_policy(room, "bad")
    only = {"ArnLike": {"iam:PolicyARN": f"arn:aws:iam::{ACCOUNT}:policy/team/*"}}
    helper = room.user("helper", allow("iam:Attach*", "iam:Detach*", resource=case.arn(), Condition=only))
    room.run(case.attach, {**case.named(), "PolicyArn": good}, principal=helper)
    assert attached(room, case) == [good]
    for operation in (case.attach, case.detach):
        request = {**case.named(), "PolicyArn": bad}
        assert refused(AccessDeniedException, room, operation, request, principal=helper) == (
            f"User: {helper.arn} is not authorized to perform: {operation.action} on resource: "
            f"{case.noun} x because no identity-based policy allows the {operation.action} action"
        )
    room.run(case.detach, {**case.named(), "PolicyArn": good}, principal=helper)
    assert attached(room, case) == []


@every_case
def test_a_caller_without_permission_learns_nothing(room: IdentityRoom, case: Case) -> None:
    make(room, case)
    arn, eve = a_policy(room), room.user("eve")
    for operation in (case.attach, case.detach, case.listed):
        more = {} if operation is case.listed else {"PolicyArn": arn}
        for name in ("x", "nobody"):
            request = {**case.named(name), **more}
            assert refused(AccessDeniedException, room, operation, request, principal=eve) == (
                f"User: {eve.arn} is not authorized to perform: {operation.action} on resource: "
                f"{case.noun} {name} because no identity-based policy allows the {operation.action} action"
            )


def entities(room: IdentityRoom, arn: str, **more: Any) -> tuple[list[str], list[str], list[str]]:
    found = room.run(policy_entities.LIST_ENTITIES_FOR_POLICY, {"PolicyArn": arn, **more})
    return (
        [each["GroupName"] for each in found["PolicyGroups"]],
        [each["RoleName"] for each in found["PolicyRoles"]],
        [each["UserName"] for each in found["PolicyUsers"]],
    )


def test_who_has_a_policy(room: IdentityRoom) -> None:
    arn = a_policy(room)
    for case in CASES:
        for name in ("b", "A", "free"):
            make(room, case, name)
        for name in ("b", "A"):
            room.run(case.attach, {**case.named(name), "PolicyArn": arn})
        make(room, case, "theirs", OTHER_ACCOUNT)
    user = room.found("b")
    assert entities(room, arn) == (["A", "b"], ["A", "b"], ["A", "b"])
    assert entities(room, arn, EntityFilter="Role") == ([], ["A", "b"], [])
    assert entities(room, arn, EntityFilter="LocalManagedPolicy") == ([], [], [])
    assert entities(room, arn, PathPrefix="/team/") == ([], [], [])
    room.unit.save(
        USERS,
        msgspec.structs.replace(user, path="/team/", boundary=arn, attached=()),
    )
    assert entities(room, arn, PathPrefix="/team/") == ([], [], ["b"])
    assert entities(room, arn, PolicyUsageFilter="PermissionsPolicy") == (["A", "b"], ["A", "b"], ["A"])
    assert entities(room, arn, PolicyUsageFilter="PermissionsBoundary") == ([], [], ["b"])
    found = room.run(policy_entities.LIST_ENTITIES_FOR_POLICY, {"PolicyArn": arn, "EntityFilter": "User"})
    assert found["PolicyUsers"][1] == {"UserName": "b", "UserId": user.user_id}
    assert entities(room, AWS_IAM_READ) == ([], [], [])


def test_who_has_a_policy_comes_in_pages(room: IdentityRoom) -> None:
    arn = a_policy(room)
    for case in CASES:
        make(room, case)
        room.run(case.attach, {**case.named(), "PolicyArn": arn})
    first = room.run(policy_entities.LIST_ENTITIES_FOR_POLICY, {"PolicyArn": arn, "MaxItems": 2})
    assert (len(first["PolicyGroups"]), len(first["PolicyRoles"]), first["PolicyUsers"]) == (1, 1, [])
    assert entities(room, arn, Marker=first["Marker"]) == ([], [], ["x"])
    operation = policy_entities.LIST_ENTITIES_FOR_POLICY
    message = refused(ValidationException, room, operation, {"PolicyArn": arn, "Marker": "x"})
    assert message == "Invalid Marker."

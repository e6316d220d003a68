"""Inline policies of groups and roles: parsed strictly, bounded in size, obeyed from the next call on."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest

from strongroom.errors import (
    AccessDeniedException,
    LimitExceededException,
    MalformedPolicyDocumentException,
    NoSuchEntityException,
    ValidationException,
)
from strongroom.identity.principal import Principal, PrincipalType
from strongroom.identity.records import Group, Role
from strongroom.names import Arn, assumed_role_arn, group_arn, role_arn
from strongroom.operations.iam import group_policies, role_policies, users
from strongroom.ports import GROUPS, ROLES
from support.identity_room import REQUEST_ID, IdentityRoom, service
from support.key_room import ACCOUNT, NOON, allow, deny, policy

DOCUMENT = policy(allow("iam:GetUser"))
TRUST = policy({"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"})


class Holder:
    """A group or a role with its operations."""

    def __init__(self, room: IdentityRoom, noun: str) -> None:
        self.room = room
        self.noun = noun
        self.member = f"{noun.capitalize()}Name"
        module: Any = group_policies if noun == "group" else role_policies
        upper = noun.upper()
        self.put_operation = getattr(module, f"PUT_{upper}_POLICY")
        self.get_operation = getattr(module, f"GET_{upper}_POLICY")
        self.list_operation = getattr(module, f"LIST_{upper}_POLICIES")
        self.delete_operation = getattr(module, f"DELETE_{upper}_POLICY")
        self.operations = [
            (self.put_operation, {"PolicyName": "p", "PolicyDocument": DOCUMENT}),
            (self.get_operation, {"PolicyName": "p"}),
            (self.list_operation, {}),
            (self.delete_operation, {"PolicyName": "p"}),
        ]
        self.limit = 5_120 if noun == "group" else 10_240
        for name in ("Ops", "dev"):
            self.save(name)

    def save(self, name: str) -> None:
        shared: dict[str, Any] = {"path": "/", "account_id": ACCOUNT, "created_at": NOON}
        if self.noun == "group":
            arn = group_arn(ACCOUNT, "/", name)
            self.room.unit.save(GROUPS, Group(group_id=f"AGPA{name}", group_name=name, arn=arn, **shared))
        else:
            arn = role_arn(ACCOUNT, "/", name)
            role = Role(role_id=f"AROA{name}", role_name=name, arn=arn, trust_policy=TRUST, **shared)
            self.room.unit.save(ROLES, role)

    def named(self, name: str = "ops", **members: Any) -> dict[str, Any]:
        return {self.member: name, **members}

    def put(self, policy_name: str, document: str, name: str = "ops", **how: Any) -> None:
        request = self.named(name, PolicyName=policy_name, PolicyDocument=document)
        assert self.room.run(self.put_operation, request, **how) is None

    def policies(self, name: str = "ops") -> Any:
        kind: Any = GROUPS if self.noun == "group" else ROLES
        return self.room.unit.find_alternate(kind, ACCOUNT, name).policies


@pytest.fixture
def room() -> IdentityRoom:
    return IdentityRoom()


@pytest.fixture(params=["group", "role"])
def holder(room: IdentityRoom, request: pytest.FixtureRequest) -> Holder:
    return Holder(room, request.param)


def sized(characters: int) -> str:
    """Return a policy of that many characters, white space not counted, and plenty of white space."""
    written = policy(allow("iam:GetUser", Sid="")).replace(" ", "")
    written = written.replace('"Sid":""', f'"Sid":"{"s" * (characters - len(written))}"')
    assert len(written) == characters
    return json.dumps(json.loads(written), indent=8).replace("\n", "\r\n\t")


def test_a_roles_policies_decide_for_its_sessions(room: IdentityRoom) -> None:
    holder = Holder(room, "role")
    room.user("eve")
    arn = assumed_role_arn(ACCOUNT, "Ops", "run")
    session = Principal(
        PrincipalType.ASSUMED_ROLE,
        ACCOUNT,
        arn,
        "AROAOps:run",
        "ASIA",
        role_id="AROAOps",
        role_arn=Arn(f"arn:aws:iam::{ACCOUNT}:role/Ops"),
    )
    room.denied(users.GET_USER, {"UserName": "eve"}, session, "user eve")
    holder.put("read", DOCUMENT)
    assert room.run(users.GET_USER, {"UserName": "eve"}, principal=session)["User"]["UserName"] == "eve"
    holder.put("never", policy(deny("iam:*")))
    request = {"UserName": "eve"}
    message = room.refused(AccessDeniedException, users.GET_USER, request, principal=session)
    assert message == (
        f"User: {arn} is not authorized to perform: iam:GetUser on resource: user eve "
        "with an explicit deny in an identity-based policy"
    )
    room.run(holder.delete_operation, holder.named(PolicyName="never"))
    room.run(holder.delete_operation, holder.named(PolicyName="read"))
    room.denied(users.GET_USER, {"UserName": "eve"}, session, "user eve")


def test_a_policy_comes_back_as_written(room: IdentityRoom, holder: Holder) -> None:
    written = ' {"Version": "2012-10-17",\t"Statement": [{"Effect":"Allow","Action":"*","Resource":"*"}]}\r\n'
    holder.put("p", written, "OPS")
    answered = room.run(holder.get_operation, holder.named("oPS", PolicyName="p"))
    assert answered == {holder.member: "Ops", "PolicyName": "p", "PolicyDocument": written}
    body = service("iam").operations[holder.get_operation.name].encode_query(answered, REQUEST_ID)
    assert f"<PolicyDocument>{quote(written, safe='-_.~')}</PolicyDocument>" in body.decode()


def test_names_come_sorted_and_in_pages(room: IdentityRoom, holder: Holder) -> None:
    for name in ("c", "B", "a"):
        holder.put(name, DOCUMENT)
    first = room.run(holder.list_operation, holder.named(MaxItems=2))
    assert (first["PolicyNames"], first["IsTruncated"]) == (["B", "a"], True)
    rest = room.run(holder.list_operation, holder.named(MaxItems=2, Marker=first["Marker"]))
    assert rest == {"PolicyNames": ["c"], "IsTruncated": False}
    message = room.refused(ValidationException, holder.list_operation, holder.named(Marker="x"))
    assert message == "Invalid Marker."


@pytest.mark.parametrize(
    ("document", "message"),
    [
        pytest.param("{", "This policy contains invalid Json", id="no JSON"),
        pytest.param("{}", "Syntax errors in policy.", id="no statement"),
        pytest.param(TRUST, "Policy document should not specify a principal.", id="a principal"),
        pytest.param(
            policy({"Effect": "Allow", "Action": "iam:GetUser"}),
            "Policy statement must contain resources.",
            id="no resource",
        ),
    ],
)
def test_a_malformed_policy_leaves_the_former_one(
    room: IdentityRoom, holder: Holder, document: str, message: str
) -> None:
    holder.put("p", DOCUMENT)
    request = holder.named(PolicyName="p", PolicyDocument=document)
    assert room.refused(MalformedPolicyDocumentException, holder.put_operation, request) == message
    assert holder.policies() == {"p": DOCUMENT}


def test_all_policies_of_one_share_its_size(room: IdentityRoom, holder: Holder) -> None:
    half = holder.limit // 2
    holder.put("a", sized(half))
    holder.put("b", sized(half))
    holder.put("a", sized(holder.limit), "dev")
    for name, size in (("c", 120), ("b", half + 1)):
        request = holder.named("OPS", PolicyName=name, PolicyDocument=sized(size))
        message = room.refused(LimitExceededException, holder.put_operation, request)
        assert message == f"Maximum policy size of {holder.limit} bytes exceeded for {holder.noun} Ops"
    # A document that takes the place of another counts for itself alone.
    holder.put("b", sized(half - 1))


def test_a_look_alike_is_no_policy_name(room: IdentityRoom, holder: Holder) -> None:
    request = holder.named(PolicyName="p\u043elicy", PolicyDocument=DOCUMENT)
    assert room.refused(ValidationException, holder.put_operation, request) == (
        "The specified value for policyName is invalid. "
        "It must contain only alphanumeric characters and/or the following: +=,.@_-"
    )


def test_a_policy_that_is_not_there(room: IdentityRoom, holder: Holder) -> None:
    holder.put("p", DOCUMENT)
    holder.put("q", DOCUMENT, "dev")
    for operation in (holder.get_operation, holder.delete_operation):
        for name in ("q", "P"):
            message = room.refused(NoSuchEntityException, operation, holder.named(PolicyName=name))
            assert message == f"The {holder.noun} policy with name {name} cannot be found."


def test_an_entity_that_is_not_there(room: IdentityRoom, holder: Holder) -> None:
    for operation, members in holder.operations:
        message = room.refused(NoSuchEntityException, operation, holder.named("nothing", **members))
        assert message == f"The {holder.noun} with name nothing cannot be found."


def test_a_user_without_policies_is_refused(room: IdentityRoom, holder: Holder) -> None:
    holder.put("p", DOCUMENT)
    eve = room.user("eve")
    for operation, members in holder.operations:
        room.denied(operation, holder.named("ops", **members), eve, f"{holder.noun} ops")


def test_permission_is_asked_for_on_the_entity(room: IdentityRoom, holder: Holder) -> None:
    own = f"arn:aws:iam::{ACCOUNT}:{holder.noun}/Ops"
    keeper = room.user("keeper", allow(f"iam:*{holder.noun.capitalize()}Polic*", resource=own))
    holder.put("p", DOCUMENT, principal=keeper)
    room.run(holder.list_operation, holder.named(), principal=keeper)
    request = holder.named("dev", PolicyName="p", PolicyDocument=DOCUMENT)
    room.denied(holder.put_operation, request, keeper, f"{holder.noun} dev")
    room.run(holder.delete_operation, holder.named(PolicyName="p"), principal=keeper)
    assert holder.policies() == {}

"""Inline policies: parsed strictly, bounded in size, obeyed from the next call on."""

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
    ServiceError,
    ValidationException,
)
from strongroom.identity.principal import Principal
from strongroom.operations.iam import user_policies, users
from support.identity_room import REQUEST_ID, IdentityRoom, service
from support.key_room import ACCOUNT, allow, deny, policy

BOB_ARN = f"arn:aws:iam::{ACCOUNT}:user/bob"
DOCUMENT = policy(allow("iam:GetUser", resource=BOB_ARN))
REQUESTS: dict[str, dict[str, str]] = {
    "PutUserPolicy": {"PolicyName": "p", "PolicyDocument": DOCUMENT},
    "GetUserPolicy": {"PolicyName": "p"},
    "ListUserPolicies": {},
    "DeleteUserPolicy": {"PolicyName": "p"},
}
OPERATIONS = [
    user_policies.PUT_USER_POLICY,
    user_policies.GET_USER_POLICY,
    user_policies.LIST_USER_POLICIES,
    user_policies.DELETE_USER_POLICY,
]


@pytest.fixture
def room() -> IdentityRoom:
    return IdentityRoom()


@pytest.fixture
def bob(room: IdentityRoom) -> Principal:
    return room.user("bob")


def put(room: IdentityRoom, name: str, document: str, user_name: str = "bob", **how: Any) -> None:
    request = {"UserName": user_name, "PolicyName": name, "PolicyDocument": document}
    assert room.run(user_policies.PUT_USER_POLICY, request, **how) is None


def delete(room: IdentityRoom, name: str) -> None:
    request = {"UserName": "bob", "PolicyName": name}
    assert room.run(user_policies.DELETE_USER_POLICY, request) is None


def refused(error: type[ServiceError], room: IdentityRoom, operation: Any, request: dict[str, str]) -> str:
    """Return the message of a refusal that changed nothing."""
    before = room.unit.state()
    with pytest.raises(error) as caught:
        room.run(operation, request)
    assert room.unit.state() == before
    return caught.value.message


def can_get(room: IdentityRoom, caller: Principal) -> bool:
    try:
        room.run(users.GET_USER, {"UserName": "bob"}, principal=caller)
    except AccessDeniedException:
        return False
    return True


def sized(characters: int) -> str:
    """Return a policy of that many characters, white space not counted, and plenty of white space."""
    written = policy(allow("iam:GetUser", Sid="")).replace(" ", "")
    written = written.replace('"Sid":""', f'"Sid":"{"s" * (characters - len(written))}"')
    assert len(written) == characters
    return json.dumps(json.loads(written), indent=8).replace("\n", "\r\n\t")


def test_policies_decide_from_the_next_call_on(room: IdentityRoom, bob: Principal) -> None:
    assert not can_get(room, bob)
    put(room, "read", DOCUMENT)
    assert can_get(room, bob)
    put(room, "no", policy(deny("iam:Get*")))
    assert not can_get(room, bob)
    delete(room, "no")
    assert can_get(room, bob)
    put(room, "read", policy(allow("iam:GetUser", resource=BOB_ARN + "by")))
    assert not can_get(room, bob)
    put(room, "read", DOCUMENT)
    delete(room, "read")
    assert not can_get(room, bob)


def test_a_policy_of_one_user_is_nothing_to_another(room: IdentityRoom, bob: Principal) -> None:
    eve = room.user("eve")
    put(room, "all", policy(allow("*")))
    assert can_get(room, bob)
    assert not can_get(room, eve)


def test_a_user_may_write_its_own_policy_only_when_allowed(room: IdentityRoom, bob: Principal) -> None:
    with pytest.raises(AccessDeniedException):
        put(room, "all", policy(allow("*")), principal=bob)
    assert room.found("bob").policies == {}
    room.user("eve")
    own = policy(allow("iam:PutUserPolicy", resource="arn:aws:iam::*:user/${aws:username}"))
    put(room, "own", own)
    with pytest.raises(AccessDeniedException):
        put(room, "all", policy(allow("*")), "eve", principal=bob)
    assert room.found("eve").policies == {}
    put(room, "read", DOCUMENT, principal=bob)
    assert room.found("bob").policies == {"own": own, "read": DOCUMENT}


def test_a_policy_comes_back_as_written(room: IdentityRoom, bob: Principal) -> None:
    written = ' {"Version": "2012-10-17",\t"Statement": [{"Effect":"Allow","Action":"*","Resource":"*"}]}\r\n'
    put(room, "p", written, "BOB")
    answered = room.run(user_policies.GET_USER_POLICY, {"UserName": "Bob", "PolicyName": "p"})
    assert answered == {"UserName": "bob", "PolicyName": "p", "PolicyDocument": written}
    body = service("iam").operations["GetUserPolicy"].encode_query(answered, REQUEST_ID)
    assert f"<PolicyDocument>{quote(written, safe='-_.~')}</PolicyDocument>" in body.decode()


def test_names_are_told_apart_by_case(room: IdentityRoom, bob: Principal) -> None:
    put(room, "p", DOCUMENT)
    put(room, "P", policy(allow("iam:*")))
    assert room.found("bob").policies == {"p": DOCUMENT, "P": policy(allow("iam:*"))}
    delete(room, "P")
    assert room.found("bob").policies == {"p": DOCUMENT}


@pytest.mark.parametrize(
    ("document", "message"),
    [
        pytest.param("{", "This policy contains invalid Json", id="no JSON"),
        pytest.param("{}", "Syntax errors in policy.", id="no statement"),
        pytest.param("[]", "Syntax errors in policy.", id="no object"),
        pytest.param(
            policy({**allow("iam:GetUser"), "Principal": "*"}),
            "Policy document should not specify a principal.",
            id="a principal",
        ),
        pytest.param(
            policy({"Effect": "Allow", "Resource": "*"}),
            "Policy statement must contain actions.",
            id="no action",
        ),
        pytest.param(
            policy({"Effect": "Allow", "Action": "*"}),
            "Policy statement must contain resources.",
            id="no resource",
        ),
        pytest.param(policy({**allow("*"), "Effect": "allow"}), "Syntax errors in policy.", id="effect"),
        pytest.param(
            policy(allow("*", Condition={"StringEqual": {"aws:userid": "x"}})),
            "Syntax errors in policy.",
            id="unknown operator",
        ),
        pytest.param(
            policy(allow("iam:GetUser", Sid="a-b")),
            "Statement IDs (SID) must be alpha-numeric. "
            "Check that your input satisfies the regular expression [0-9A-Za-z]*",
            id="sid",
        ),
        pytest.param(
            '{"Statement": [], "Statement": [{"Effect":"Allow","Action":"*","Resource":"*"}]}',
            "Syntax errors in policy.",
            id="a key twice",
        ),
    ],
)
def test_malformed_documents(room: IdentityRoom, bob: Principal, document: str, message: str) -> None:
    put(room, "p", DOCUMENT)
    request = {"UserName": "bob", "PolicyName": "p", "PolicyDocument": document}
    operation = user_policies.PUT_USER_POLICY
    assert refused(MalformedPolicyDocumentException, room, operation, request) == message
    assert can_get(room, bob)
    # That there is no such user comes before what is wrong with the document.
    request["UserName"] = "nobody"
    message = refused(NoSuchEntityException, room, operation, request)
    assert message == "The user with name nobody cannot be found."


def test_all_policies_of_a_user_share_2048_characters(room: IdentityRoom, bob: Principal) -> None:
    put(room, "a", sized(1_048))
    put(room, "b", sized(1_000))
    room.user("eve")
    put(room, "a", sized(2_048), "eve")
    for name, size in (("c", 106), ("b", 1_001)):
        request = {"UserName": "BOB", "PolicyName": name, "PolicyDocument": sized(size)}
        message = refused(LimitExceededException, room, user_policies.PUT_USER_POLICY, request)
        assert message == "Maximum policy size of 2048 bytes exceeded for user bob"
    # A document that takes the place of another counts for itself alone.
    put(room, "b", sized(999))
    delete(room, "a")
    put(room, "c", sized(1_049))


def test_a_look_alike_is_no_policy_name(room: IdentityRoom, bob: Principal) -> None:
    request = {"UserName": "bob", "PolicyName": "p\u043elicy", "PolicyDocument": DOCUMENT}
    message = refused(ValidationException, room, user_policies.PUT_USER_POLICY, request)
    assert message == (
        "The specified value for policyName is invalid. "
        "It must contain only alphanumeric characters and/or the following: +=,.@_-"
    )


@pytest.mark.parametrize("operation", [user_policies.GET_USER_POLICY, user_policies.DELETE_USER_POLICY])
def test_a_policy_that_is_not_there(room: IdentityRoom, bob: Principal, operation: Any) -> None:
    put(room, "p", DOCUMENT)
    room.user("eve")
    put(room, "q", DOCUMENT, "eve")
    for name in ("q", "P"):
        message = refused(NoSuchEntityException, room, operation, {"UserName": "bob", "PolicyName": name})
        assert message == f"The user policy with name {name} cannot be found."


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: str(operation.name))
def test_a_user_that_is_not_there(room: IdentityRoom, operation: Any) -> None:
    request = {"UserName": "nobody", **REQUESTS[operation.name]}
    message = refused(NoSuchEntityException, room, operation, request)
    assert message == "The user with name nobody cannot be found."


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: str(operation.name))
def test_a_user_without_policies_is_refused(room: IdentityRoom, bob: Principal, operation: Any) -> None:
    put(room, "p", DOCUMENT)
    eve = room.user("eve")
    before = room.unit.state()
    with pytest.raises(AccessDeniedException) as caught:
        room.run(operation, {"UserName": "bob", **REQUESTS[operation.name]}, principal=eve)
    assert caught.value.message == (
        f"User: {eve.arn} is not authorized to perform: {operation.action} on resource: user bob "
        f"because no identity-based policy allows the {operation.action} action"
    )
    assert room.unit.state() == before


def test_names_come_sorted_and_in_pages(room: IdentityRoom, bob: Principal) -> None:
    for name in ("c", "B", "a", "+"):
        put(room, name, DOCUMENT)
    operation = user_policies.LIST_USER_POLICIES
    assert room.run(operation, {"UserName": "bob"}) == {
        "PolicyNames": ["+", "B", "a", "c"],
        "IsTruncated": False,
    }
    first = room.run(operation, {"UserName": "bob", "MaxItems": 3})
    assert (first["PolicyNames"], first["IsTruncated"]) == (["+", "B", "a"], True)
    # A name taken away in between neither repeats nor hides another.
    delete(room, "a")
    rest = room.run(operation, {"UserName": "bob", "MaxItems": 3, "Marker": first["Marker"]})
    assert rest == {"PolicyNames": ["c"], "IsTruncated": False}


def test_a_marker_of_others_is_refused(room: IdentityRoom, bob: Principal) -> None:
    operation = user_policies.LIST_USER_POLICIES
    message = refused(ValidationException, room, operation, {"UserName": "bob", "Marker": "x"})
    assert message == "Invalid Marker."

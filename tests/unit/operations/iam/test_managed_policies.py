"""Managed policies: made strictly, found by their own account, listed by scope and use, removed when free."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import msgspec
import pytest

from strongroom.errors import (
    AccessDeniedException,
    DeleteConflictException,
    EntityAlreadyExistsException,
    InvalidInputException,
    LimitExceededException,
    MalformedPolicyDocumentException,
    NoSuchEntityException,
    ServiceError,
    ValidationException,
)
from strongroom.identity.managed import AWS_MANAGED
from strongroom.identity.records import ManagedPolicy
from strongroom.operations.iam import attachments, managed_policies, policy_entities, policy_versions
from strongroom.ports import MANAGED_POLICIES, USERS
from support.identity_room import IdentityRoom
from support.key_room import ACCOUNT, DAY, NOON, OTHER_ACCOUNT, allow, policy, root

DOCUMENT = policy(allow("iam:GetUser"))
ARN = f"arn:aws:iam::{ACCOUNT}:policy/team/Read"
AWS_ADMIN = "arn:aws:iam::aws:policy/AdministratorAccess"
ON_A_POLICY: dict[Any, dict[str, Any]] = {
    managed_policies.GET_POLICY: {},
    managed_policies.DELETE_POLICY: {},
    managed_policies.TAG_POLICY: {"Tags": [{"Key": "a", "Value": "b"}]},
    managed_policies.UNTAG_POLICY: {"TagKeys": ["a"]},
    managed_policies.LIST_POLICY_TAGS: {},
    policy_entities.LIST_ENTITIES_FOR_POLICY: {},
    policy_versions.CREATE_POLICY_VERSION: {"PolicyDocument": DOCUMENT},
    policy_versions.GET_POLICY_VERSION: {"VersionId": "v1"},
    policy_versions.LIST_POLICY_VERSIONS: {},
    policy_versions.SET_DEFAULT_POLICY_VERSION: {"VersionId": "v1"},
    policy_versions.DELETE_POLICY_VERSION: {"VersionId": "v1"},
}


def named(operation: Any) -> str:
    return str(operation.name)


on_a_policy = pytest.mark.parametrize("operation", ON_A_POLICY, ids=named)


@pytest.fixture
def room() -> IdentityRoom:
    return IdentityRoom()


def create(room: IdentityRoom, name: str = "Read", document: str = DOCUMENT, **more: Any) -> dict[str, Any]:
    request = {"PolicyName": name, "Path": "/team/", "PolicyDocument": document, **more}
    made: dict[str, Any] = room.run(managed_policies.CREATE_POLICY, request)["Policy"]
    return made


def stored(room: IdentityRoom, arn: str = ARN) -> ManagedPolicy:
    found: ManagedPolicy | None = room.unit.find(MANAGED_POLICIES, ACCOUNT, arn)
    assert found is not None
    return found


def refused(error: type[ServiceError], room: IdentityRoom, operation: Any, request: Any, **how: Any) -> str:
    """Return the message of a refusal that changed nothing."""
    before = room.unit.state()
    with pytest.raises(error) as caught:
        room.run(operation, request, **how)
    assert room.unit.state() == before
    return caught.value.message


def names(room: IdentityRoom, **request: Any) -> list[str]:
    answered = room.run(managed_policies.LIST_POLICIES, request)
    assert answered["IsTruncated"] is False
    return [each["PolicyName"] for each in answered["Policies"]]


def test_a_policy_is_made_and_found(room: IdentityRoom) -> None:
    made = create(room, Description="reads", Tags=[{"Key": "b", "Value": "2"}, {"Key": "a", "Value": "1"}])
    assert re.fullmatch("ANPA[A-Z2-7]{17}", made["PolicyId"])
    expected = {
        "PolicyName": "Read",
        "PolicyId": made["PolicyId"],
        "Arn": ARN,
        "Path": "/team/",
        "DefaultVersionId": "v1",
        "AttachmentCount": 0,
        "PermissionsBoundaryUsageCount": 0,
        "IsAttachable": True,
        "CreateDate": NOON,
        "UpdateDate": NOON,
        "Tags": [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}],
    }
    assert made == expected
    found = room.run(managed_policies.GET_POLICY, {"PolicyArn": ARN})["Policy"]
    assert found == {**expected, "Description": "reads"}
    (listed,) = room.run(managed_policies.LIST_POLICIES, {"Scope": "Local"})["Policies"]
    assert listed == {key: value for key, value in expected.items() if key != "Tags"}
    assert stored(room).document == DOCUMENT


def test_the_root_path_is_the_default(room: IdentityRoom) -> None:
    made = room.run(managed_policies.CREATE_POLICY, {"PolicyName": "x", "PolicyDocument": DOCUMENT})["Policy"]
    assert (made["Path"], made["Arn"]) == ("/", f"arn:aws:iam::{ACCOUNT}:policy/x")
    assert "Tags" not in made


def test_a_name_is_taken_in_any_case_and_path(room: IdentityRoom) -> None:
    create(room)
    request = {"PolicyName": "READ", "PolicyDocument": DOCUMENT}
    message = refused(EntityAlreadyExistsException, room, managed_policies.CREATE_POLICY, request)
    assert message == "A policy called READ already exists. Duplicate names are not allowed."
    assert room.run(managed_policies.CREATE_POLICY, request, principal=root(OTHER_ACCOUNT))
    # AWS's names are not taken.
    assert create(room, "AdministratorAccess")["Arn"].startswith(f"arn:aws:iam::{ACCOUNT}:")


@pytest.mark.parametrize(
    ("document", "error", "message"),
    [
        pytest.param("{", MalformedPolicyDocumentException, "This policy contains invalid Json", id="json"),
        pytest.param("[]", MalformedPolicyDocumentException, "Syntax errors in policy.", id="no object"),
        pytest.param(
            policy({**allow("iam:GetUser"), "Principal": "*"}),
            MalformedPolicyDocumentException,
            "Policy document should not specify a principal.",
            id="principal",
        ),
        pytest.param(
            policy(allow(*[f"iam:{number:0>60}" for number in range(100)])),
            LimitExceededException,
            "Cannot exceed quota for PolicySize: 6144",
            id="size",
        ),
    ],
)
def test_documents_are_read_strictly(
    room: IdentityRoom, document: str, error: type[ServiceError], message: str
) -> None:
    request = {"PolicyName": "x", "PolicyDocument": document}
    assert refused(error, room, managed_policies.CREATE_POLICY, request) == message
    create(room)
    operation = policy_versions.CREATE_POLICY_VERSION
    assert refused(error, room, operation, {"PolicyArn": ARN, "PolicyDocument": document}) == message


def test_white_space_does_not_count(room: IdentityRoom) -> None:
    document = DOCUMENT.replace("{", "{" + " \n\t" * 3_000, 1)
    create(room, "wide", document)
    assert stored(room, f"arn:aws:iam::{ACCOUNT}:policy/team/wide").document == document


def test_a_look_alike_is_no_name(room: IdentityRoom) -> None:
    request = {"PolicyName": "Re\u0430d", "PolicyDocument": DOCUMENT}
    message = refused(ValidationException, room, managed_policies.CREATE_POLICY, request)
    assert message == (
        "The specified value for policyName is invalid. "
        "It must contain only alphanumeric characters and/or the following: +=,.@_-"
    )


def test_making_with_tags_needs_both_permissions(room: IdentityRoom) -> None:
    red = {"StringEquals": {"aws:RequestTag/team": "red"}}
    maker = room.user(
        "maker", allow("iam:CreatePolicy", Condition=red), allow("iam:TagPolicy", Condition=red)
    )
    request = {"PolicyName": "x", "PolicyDocument": DOCUMENT}
    for tags in ([], [{"Key": "team", "Value": "blue"}]):
        message = refused(
            AccessDeniedException,
            room,
            managed_policies.CREATE_POLICY,
            {**request, "Tags": tags},
            principal=maker,
        )
        assert message == (
            f"User: {maker.arn} is not authorized to perform: iam:CreatePolicy on resource: policy x "
            "because no identity-based policy allows the iam:CreatePolicy action"
        )
    tagged = {**request, "Tags": [{"Key": "team", "Value": "red"}]}
    assert room.run(managed_policies.CREATE_POLICY, tagged, principal=maker)


@on_a_policy
def test_a_policy_that_is_not_there(room: IdentityRoom, operation: Any) -> None:
    elsewhere = room.run(
        managed_policies.CREATE_POLICY,
        {"PolicyName": "x", "PolicyDocument": DOCUMENT},
        principal=root(OTHER_ACCOUNT),
    )["Policy"]["Arn"]
    create(room)
    for arn in (
        f"arn:aws:iam::{ACCOUNT}:policy/nothing",
        "arn:aws:iam::aws:policy/Nothing",
        elsewhere,
        ARN.lower(),
    ):
        message = refused(
            NoSuchEntityException, room, operation, {"PolicyArn": arn, **ON_A_POLICY[operation]}
        )
        assert message == f"Policy {arn} was not found."


@on_a_policy
@pytest.mark.parametrize(
    ("arn", "error", "message"),
    [
        ("administrator-access", ValidationException, "Invalid ARN:  Could not be parsed!"),
        (
            f"arn:aws:iam::{ACCOUNT}:user/bob",
            InvalidInputException,
            f"ARN arn:aws:iam::{ACCOUNT}:user/bob is not valid.",
        ),
        ("arn:aws:iam::you:policy/x", InvalidInputException, "ARN arn:aws:iam::you:policy/x is not valid."),
        (
            "arn:aws:s3:::bucket/policy/x",
            InvalidInputException,
            "ARN arn:aws:s3:::bucket/policy/x is not valid.",
        ),
    ],
)
def test_what_is_no_arn_of_a_policy(
    room: IdentityRoom, operation: Any, arn: str, error: type[ServiceError], message: str
) -> None:
    assert refused(error, room, operation, {"PolicyArn": arn, **ON_A_POLICY[operation]}) == message


@on_a_policy
def test_a_caller_without_permission_learns_nothing(room: IdentityRoom, operation: Any) -> None:
    create(room)
    eve = room.user("eve", allow("iam:*", resource=f"arn:aws:iam::{ACCOUNT}:policy/other"))
    for arn in (ARN, f"arn:aws:iam::{ACCOUNT}:policy/none", AWS_ADMIN):
        request = {"PolicyArn": arn, **ON_A_POLICY[operation]}
        assert refused(AccessDeniedException, room, operation, request, principal=eve) == (
            f"User: {eve.arn} is not authorized to perform: {operation.action} on resource: policy {arn} "
            f"because no identity-based policy allows the {operation.action} action"
        )


@pytest.mark.parametrize("operation", [each for each in ON_A_POLICY if not each.read_only], ids=named)
def test_aws_policies_are_aws_own(room: IdentityRoom, operation: Any) -> None:
    request = {"PolicyArn": AWS_ADMIN, **ON_A_POLICY[operation]}
    assert refused(AccessDeniedException, room, operation, request) == (
        f"User: {root().arn} is not authorized to perform: {operation.action} on resource: policy {AWS_ADMIN}"
    )


def test_aws_policies_can_be_read(room: IdentityRoom) -> None:
    found = room.run(managed_policies.GET_POLICY, {"PolicyArn": AWS_ADMIN})["Policy"]
    assert (found["PolicyName"], found["DefaultVersionId"], found["IsAttachable"]) == (
        "AdministratorAccess",
        "v1",
        True,
    )
    version = room.run(policy_versions.GET_POLICY_VERSION, {"PolicyArn": AWS_ADMIN, "VersionId": "v1"})
    assert '"Action": [\n                "*"' in version["PolicyVersion"]["Document"]


def test_a_policy_in_use_stays(room: IdentityRoom) -> None:
    bob = room.user("bob")
    create(room)
    in_use = "Cannot delete a policy attached to entities."
    room.run(attachments.ATTACH_USER_POLICY, {"UserName": "bob", "PolicyArn": ARN})
    assert (
        refused(DeleteConflictException, room, managed_policies.DELETE_POLICY, {"PolicyArn": ARN}) == in_use
    )
    room.run(attachments.DETACH_USER_POLICY, {"UserName": "bob", "PolicyArn": ARN})
    bounded(room, bob.principal_id, ARN)
    assert (
        refused(DeleteConflictException, room, managed_policies.DELETE_POLICY, {"PolicyArn": ARN}) == in_use
    )
    bounded(room, bob.principal_id, None)
    room.run(policy_versions.CREATE_POLICY_VERSION, {"PolicyArn": ARN, "PolicyDocument": DOCUMENT})
    assert refused(DeleteConflictException, room, managed_policies.DELETE_POLICY, {"PolicyArn": ARN}) == (
        "This policy has more than one version. Before you delete a policy, you must delete the policy's "
        "versions. The default version is deleted with the policy."
    )
    room.run(policy_versions.DELETE_POLICY_VERSION, {"PolicyArn": ARN, "VersionId": "v2"})
    assert room.run(managed_policies.DELETE_POLICY, {"PolicyArn": ARN}) is None
    assert room.unit.find(MANAGED_POLICIES, ACCOUNT, ARN) is None
    create(room, "READ")


def bounded(room: IdentityRoom, user_id: str, arn: Any) -> None:
    user = room.unit.find(USERS, ACCOUNT, user_id)
    assert user is not None
    room.unit.save(USERS, msgspec.structs.replace(user, boundary=arn))


def test_lists_by_scope_path_and_use(room: IdentityRoom) -> None:
    bob, kate = room.user("bob"), room.user("kate")
    for name in ("b", "A", "c"):
        create(room, name)
    room.run(managed_policies.CREATE_POLICY, {"PolicyName": "d", "PolicyDocument": DOCUMENT})
    room.run(
        managed_policies.CREATE_POLICY,
        {"PolicyName": "theirs", "PolicyDocument": DOCUMENT},
        principal=root(OTHER_ACCOUNT),
    )
    aws = sorted((each.policy_name for each in AWS_MANAGED.values()), key=str.lower)
    assert names(room, Scope="Local") == ["A", "b", "c", "d"]
    assert names(room, Scope="AWS") == aws
    assert names(room) == sorted([*aws, "A", "b", "c", "d"], key=str.lower) == names(room, Scope="All")
    assert names(room, PathPrefix="/team/") == ["A", "b", "c"]
    assert names(room, PathPrefix="/service-role/") == ["AWSLambdaBasicExecutionRole", "AWSLambdaRole"]
    assert names(room, OnlyAttached=True) == []
    prefix = f"arn:aws:iam::{ACCOUNT}:policy/team/"
    for user, arn in (("bob", prefix + "A"), ("kate", prefix + "A"), ("bob", AWS_ADMIN)):
        room.run(attachments.ATTACH_USER_POLICY, {"UserName": user, "PolicyArn": arn})
    bounded(room, bob.principal_id, prefix + "b")
    bounded(room, kate.principal_id, prefix + "A")
    assert names(room, OnlyAttached=True) == ["A", "AdministratorAccess"]
    assert names(room, OnlyAttached=True, Scope="Local") == ["A"]
    assert names(room, PolicyUsageFilter="PermissionsPolicy") == ["A", "AdministratorAccess"]
    assert names(room, PolicyUsageFilter="PermissionsBoundary") == ["A", "b"]
    (first, *_) = room.run(managed_policies.LIST_POLICIES, {"OnlyAttached": True})["Policies"]
    assert (first["AttachmentCount"], first["PermissionsBoundaryUsageCount"]) == (2, 1)


def test_lists_come_in_pages(room: IdentityRoom) -> None:
    for name in ("b", "A", "AdministratorAccess", "d"):
        create(room, name)
    seen: list[str] = []
    marker: dict[str, str] = {}
    while True:
        page = room.run(managed_policies.LIST_POLICIES, {"MaxItems": 2, **marker})
        seen += [each["Arn"] for each in page["Policies"]]
        if not page["IsTruncated"]:
            break
        assert len(page["Policies"]) == 2
        marker = {"Marker": page["Marker"]}
    assert len(seen) == len(set(seen)) == len(AWS_MANAGED) + 4
    assert seen == [each["Arn"] for each in room.run(managed_policies.LIST_POLICIES)["Policies"]]
    message = refused(ValidationException, room, managed_policies.LIST_POLICIES, {"Marker": "x"})
    assert message == "Invalid Marker."


def test_listing_needs_permission_on_the_path(room: IdentityRoom) -> None:
    kate = room.user("kate", allow("iam:ListPolicies", resource=f"arn:aws:iam::{ACCOUNT}:policy/team/"))
    assert (
        room.run(managed_policies.LIST_POLICIES, {"PathPrefix": "/team/"}, principal=kate)["Policies"] == []
    )
    assert refused(AccessDeniedException, room, managed_policies.LIST_POLICIES, {}, principal=kate) == (
        f"User: {kate.arn} is not authorized to perform: iam:ListPolicies on resource: policy path / "
        "because no identity-based policy allows the iam:ListPolicies action"
    )


def test_tags(room: IdentityRoom) -> None:
    create(room, Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
    room.run(managed_policies.TAG_POLICY, {"PolicyArn": ARN, "Tags": [{"Key": "B", "Value": "3"}]})
    first = room.run(managed_policies.LIST_POLICY_TAGS, {"PolicyArn": ARN, "MaxItems": 1})
    assert (first["Tags"], first["IsTruncated"]) == ([{"Key": "B", "Value": "3"}], True)
    rest = room.run(managed_policies.LIST_POLICY_TAGS, {"PolicyArn": ARN, "Marker": first["Marker"]})
    assert rest == {"Tags": [{"Key": "a", "Value": "1"}], "IsTruncated": False}
    room.run(managed_policies.UNTAG_POLICY, {"PolicyArn": ARN, "TagKeys": ["A", "none"]})
    assert stored(room).tags == {"B": "3"}
    many = [{"Key": f"k{number}", "Value": ""} for number in range(50)]
    message = refused(
        LimitExceededException, room, managed_policies.TAG_POLICY, {"PolicyArn": ARN, "Tags": many}
    )
    assert message == "Cannot exceed quota for TagsPerPolicy: 50"


def test_tags_decide(room: IdentityRoom) -> None:
    create(room, Tags=[{"Key": "team", "Value": "red"}])
    create(room, "other")
    kate = room.user(
        "kate", allow("iam:GetPolicy", Condition={"StringEquals": {"aws:ResourceTag/team": "red"}})
    )
    assert room.run(managed_policies.GET_POLICY, {"PolicyArn": ARN}, principal=kate)
    other = {"PolicyArn": f"arn:aws:iam::{ACCOUNT}:policy/team/other"}
    assert "because no identity-based policy allows" in refused(
        AccessDeniedException, room, managed_policies.GET_POLICY, other, principal=kate
    )


def test_times(room: IdentityRoom) -> None:
    create(room)
    room.run(
        policy_versions.CREATE_POLICY_VERSION, {"PolicyArn": ARN, "PolicyDocument": DOCUMENT}, now=NOON + DAY
    )
    found = room.run(managed_policies.GET_POLICY, {"PolicyArn": ARN})["Policy"]
    assert found["UpdateDate"] - found["CreateDate"] == dt.timedelta(days=1)

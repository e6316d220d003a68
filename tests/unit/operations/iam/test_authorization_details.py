"""Everything about an account's entities, in one list of pages."""

from __future__ import annotations

import json
from typing import Any

import pytest

from strongroom.errors import AccessDeniedException, ValidationException
from strongroom.operations.iam import (
    attachments,
    boundaries,
    groups,
    managed_policies,
    memberships,
    policy_versions,
    roles,
    user_tags,
)
from strongroom.operations.iam.authorization_details import GET_ACCOUNT_AUTHORIZATION_DETAILS as DETAILS
from support.identity_room import IdentityRoom
from support.key_room import ACCOUNT, NOON, OTHER_ACCOUNT, allow, policy, root

OWN = f"arn:aws:iam::{ACCOUNT}:policy/Own"
AWS = "arn:aws:iam::aws:policy/IAMReadOnlyAccess"
DOCUMENT = policy(allow("iam:GetUser"))
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:user/bob"},
                "Action": "sts:AssumeRole",
            }
        ],
    }
)
LISTS = ("GroupDetailList", "Policies", "RoleDetailList", "UserDetailList")


@pytest.fixture
def room() -> IdentityRoom:
    made = IdentityRoom()
    made.user("bob", allow("iam:ListUsers"))
    made.user("Ann")
    made.user("carol", account_id=OTHER_ACCOUNT)
    run = made.run
    run(groups.CREATE_GROUP, {"GroupName": "staff"})
    run(memberships.ADD_USER_TO_GROUP, {"GroupName": "staff", "UserName": "bob"})
    run(roles.CREATE_ROLE, {"RoleName": "deploy", "AssumeRolePolicyDocument": TRUST})
    run(managed_policies.CREATE_POLICY, {"PolicyName": "Own", "PolicyDocument": DOCUMENT, "Description": "d"})
    run(policy_versions.CREATE_POLICY_VERSION, {"PolicyArn": OWN, "PolicyDocument": DOCUMENT})
    run(attachments.ATTACH_GROUP_POLICY, {"GroupName": "staff", "PolicyArn": AWS})
    run(attachments.ATTACH_ROLE_POLICY, {"RoleName": "deploy", "PolicyArn": OWN})
    run(boundaries.PUT_USER_PERMISSIONS_BOUNDARY, {"UserName": "bob", "PermissionsBoundary": OWN})
    run(user_tags.TAG_USER, {"UserName": "bob", "Tags": [{"Key": "a", "Value": "b"}]})
    return made


def test_what_each_entity_has(room: IdentityRoom) -> None:
    found = room.run(DETAILS)
    assert found["IsTruncated"] is False
    (group,), (role,) = found["GroupDetailList"], found["RoleDetailList"]
    ann, bob = found["UserDetailList"]
    assert {**group, "GroupId": ""} == {
        "Path": "/",
        "GroupName": "staff",
        "GroupId": "",
        "Arn": f"arn:aws:iam::{ACCOUNT}:group/staff",
        "CreateDate": NOON,
        "GroupPolicyList": [],
        "AttachedManagedPolicies": [{"PolicyName": "IAMReadOnlyAccess", "PolicyArn": AWS}],
    }
    assert json.loads(role["AssumeRolePolicyDocument"]) == json.loads(TRUST)
    assert role["AttachedManagedPolicies"] == [{"PolicyName": "Own", "PolicyArn": OWN}]
    assert (role["RoleName"], role["RolePolicyList"], role["InstanceProfileList"]) == ("deploy", [], [])
    assert (ann["UserName"], ann["GroupList"], ann["Tags"], ann["UserPolicyList"]) == ("Ann", [], [], [])
    assert bob["UserPolicyList"] == [
        {"PolicyName": "inline", "PolicyDocument": policy(allow("iam:ListUsers"))}
    ]
    assert (bob["GroupList"], bob["Tags"]) == (["staff"], [{"Key": "a", "Value": "b"}])
    assert bob["PermissionsBoundary"]["PermissionsBoundaryArn"] == OWN
    aws, own = found["Policies"]
    assert (aws["Arn"], aws["AttachmentCount"]) == (AWS, 1)
    assert (own["AttachmentCount"], own["PermissionsBoundaryUsageCount"], own["Description"]) == (1, 1, "d")
    assert own["PolicyVersionList"] == [
        {"Document": DOCUMENT, "VersionId": "v2", "IsDefaultVersion": False, "CreateDate": NOON},
        {"Document": DOCUMENT, "VersionId": "v1", "IsDefaultVersion": True, "CreateDate": NOON},
    ]


@pytest.mark.parametrize(
    ("wanted", "counts"),
    [
        (["Group"], (1, 0, 0, 0)),
        (["LocalManagedPolicy"], (0, 1, 0, 0)),
        (["AWSManagedPolicy"], (0, 1, 0, 0)),
        (["Role", "User"], (0, 0, 1, 2)),
        ([], (1, 2, 1, 2)),
    ],
)
def test_filters(room: IdentityRoom, wanted: list[str], counts: tuple[int, ...]) -> None:
    found = room.run(DETAILS, {"Filter": wanted})
    assert tuple(len(found[each]) for each in LISTS) == counts


def test_pages_hold_all_kinds_together(room: IdentityRoom) -> None:
    whole = room.run(DETAILS)
    seen: dict[str, list[Any]] = {each: [] for each in LISTS}
    marker: dict[str, str] = {}
    for size in (4, 2):
        page = room.run(DETAILS, {"MaxItems": 4, **marker})
        assert sum(len(page[each]) for each in LISTS) == size
        for each in LISTS:
            seen[each] += page[each]
        marker = {"Marker": page["Marker"]} if page["IsTruncated"] else {}
    assert marker == {}
    assert seen == {each: whole[each] for each in LISTS}
    with pytest.raises(ValidationException) as refused:
        room.run(DETAILS, {"Marker": "x"})
    assert refused.value.message == "Invalid Marker."


def test_other_accounts_see_their_own(room: IdentityRoom) -> None:
    found = room.run(DETAILS, principal=root(OTHER_ACCOUNT))
    assert [each["UserName"] for each in found["UserDetailList"]] == ["carol"]
    assert found["GroupDetailList"] == found["Policies"] == found["RoleDetailList"] == []


def test_a_user_without_policies_is_refused(room: IdentityRoom) -> None:
    eve = room.user("eve")
    with pytest.raises(AccessDeniedException) as refused:
        room.run(DETAILS, principal=eve)
    assert refused.value.message == (
        f"User: {eve.arn} is not authorized to perform: {DETAILS.action} on resource: * "
        f"because no identity-based policy allows the {DETAILS.action} action"
    )

"""Groups, roles and boundaries over TCP, in the sequences Terraform's aws_iam_group, aws_iam_role and
aws_iam_user make; and that what they allow comes and goes with the call that says so. Source: fact sheet iam
sections 4, 5, 9 to 13; DESIGN promise 3.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from support.dialogue import Person, a_person, allow, answered, denied, deny, fresh, refused, value_of
from support.running import Server
from support.signing import json_call, send

GET_VALUE = "secretsmanager:GetSecretValue"
MANY = 24
"""Connections opened to meet both workers: that one gets none of them has a chance of about 1e-7."""
BY_A_DENY = " with an explicit deny in an identity-based policy"


@pytest.fixture(scope="module")
def iam(server: Server) -> Iterator[Any]:
    client = server.client("iam", parameter_validation=False)
    yield client
    client.close()


@pytest.fixture(scope="module")
def account(server: Server) -> str:
    return str(server.client("sts").get_caller_identity()["Account"])


@pytest.fixture
def person(server: Server) -> Person:
    return a_person(server)


@pytest.fixture
def secret(secrets: Any) -> str:
    made = fresh("guarded")
    secrets.create_secret(Name=made, SecretString="x")
    return made


def a_name(word: str) -> str:
    return f"{word}-{uuid.uuid4().hex[:12]}"


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def trusting(principal: Any, action: str = "sts:AssumeRole") -> str:
    return document({"Effect": "Allow", "Principal": principal, "Action": action})


def missing(noun: str, name: str) -> tuple[str, str]:
    return "NoSuchEntity", f"The {noun} with name {name} cannot be found."


def outcomes(server: Server, person: Person, secret: str) -> set[Any]:
    """Read the secret over many connections at a time, so that every worker answers some."""

    def read(_: int) -> Any:
        call = json_call(server, "GetSecretValue", {"SecretId": secret}, credentials=person.credentials)
        answer = send(server, call)
        return answer.json["SecretString"] if answer.status == 200 else answer.error[1:]

    with ThreadPoolExecutor(4) as pool:
        return set(pool.map(read, range(MANY)))


# Groups


def test_a_group_as_terraform_makes_changes_and_destroys_it(iam: Any, account: str) -> None:
    name, renamed, user = a_name("ops"), a_name("operations"), a_name("member")
    # aws_iam_group
    group = answered(iam.create_group, GroupName=name, Path="/it/")["Group"]
    assert re.fullmatch("AGPA[A-Z2-7]{17}", group["GroupId"])
    assert group == {
        "Path": "/it/",
        "GroupName": name,
        "GroupId": group["GroupId"],
        "Arn": f"arn:aws:iam::{account}:group/it/{name}",
        "CreateDate": group["CreateDate"],
    }
    assert answered(iam.get_group, GroupName=name) == {"Group": group, "Users": [], "IsTruncated": False}
    assert answered(iam.update_group, GroupName=name, NewGroupName=renamed, NewPath="/") == {}
    assert refused(iam.get_group, status=404, GroupName=name) == missing("group", name)
    # aws_iam_group_policy
    written = document(allow(GET_VALUE))
    assert answered(iam.put_group_policy, GroupName=renamed, PolicyName="read", PolicyDocument=written) == {}
    assert answered(iam.get_group_policy, GroupName=renamed, PolicyName="read") == {
        "GroupName": renamed,
        "PolicyName": "read",
        "PolicyDocument": json.loads(written),
    }
    # aws_iam_group_membership, aws_iam_user_group_membership
    iam.create_user(UserName=user)
    assert answered(iam.add_user_to_group, GroupName=renamed, UserName=user) == {}
    pages = iam.get_paginator("get_group").paginate(GroupName=renamed, PaginationConfig={"PageSize": 1})
    assert [each["UserName"] for page in pages for each in page["Users"]] == [user]
    pages = iam.get_paginator("list_groups_for_user").paginate(UserName=user)
    assert [each["GroupId"] for page in pages for each in page["Groups"]] == [group["GroupId"]]
    pages = iam.get_paginator("list_groups").paginate(PaginationConfig={"PageSize": 1})
    assert renamed in [each["GroupName"] for page in pages for each in page["Groups"]]
    # Destroyed in the wrong order it stays.
    conflict = ("DeleteConflict", "Cannot delete entity, must remove users from group first.")
    assert refused(iam.delete_group, status=409, GroupName=renamed) == conflict
    assert refused(iam.delete_user, status=409, UserName=user) == conflict
    assert answered(iam.remove_user_from_group, GroupName=renamed, UserName=user) == {}
    conflict = ("DeleteConflict", "Cannot delete entity, must delete policies first.")
    assert refused(iam.delete_group, status=409, GroupName=renamed) == conflict
    assert answered(iam.list_group_policies, GroupName=renamed)["PolicyNames"] == ["read"]
    assert answered(iam.delete_group_policy, GroupName=renamed, PolicyName="read") == {}
    gone = ("NoSuchEntity", "The group policy with name read cannot be found.")
    assert refused(iam.get_group_policy, status=404, GroupName=renamed, PolicyName="read") == gone
    assert answered(iam.delete_group, GroupName=renamed) == {}
    assert answered(iam.delete_user, UserName=user) == {}


def test_a_name_of_a_group_is_taken_in_whatever_case(iam: Any) -> None:
    name = a_name("ops")
    iam.create_group(GroupName=name)
    assert refused(iam.create_group, status=409, GroupName=name.upper()) == (
        "EntityAlreadyExists",
        f"Group with name {name.upper()} already exists.",
    )
    assert refused(iam.create_group, GroupName="no spaces") == (
        "ValidationError",
        "The specified value for groupName is invalid. "
        "It must contain only alphanumeric characters and/or the following: +=,.@_-",
    )
    iam.delete_group(GroupName=name)


def test_a_groups_policy_grants_and_loses_access_at_once(
    server: Server, iam: Any, person: Person, secret: str
) -> None:
    readers, locked = a_name("readers"), a_name("locked")
    iam.create_group(GroupName=readers)
    iam.create_group(GroupName=locked)
    iam.put_group_policy(GroupName=locked, PolicyName="no", PolicyDocument=document(deny("*")))
    nothing = {denied(person.arn, GET_VALUE, secret)}
    assert outcomes(server, person, secret) == nothing
    iam.add_user_to_group(GroupName=readers, UserName=person.name)
    assert outcomes(server, person, secret) == nothing
    read = document(allow(GET_VALUE))
    for _ in range(2):
        iam.put_group_policy(GroupName=readers, PolicyName="read", PolicyDocument=read)
        assert outcomes(server, person, secret) == {"x"}
        iam.delete_group_policy(GroupName=readers, PolicyName="read")
        assert outcomes(server, person, secret) == nothing
    iam.put_group_policy(GroupName=readers, PolicyName="read", PolicyDocument=read)
    iam.add_user_to_group(GroupName=locked, UserName=person.name)
    assert outcomes(server, person, secret) == {denied(person.arn, GET_VALUE, secret, BY_A_DENY)}
    iam.remove_user_from_group(GroupName=locked, UserName=person.name)
    assert outcomes(server, person, secret) == {"x"}
    iam.remove_user_from_group(GroupName=readers, UserName=person.name)
    assert outcomes(server, person, secret) == nothing


def test_a_user_is_in_ten_groups_at_most(iam: Any, person: Person) -> None:
    groups = [a_name("group") for _ in range(11)]
    for group in groups:
        iam.create_group(GroupName=group)
    for group in groups[:10]:
        iam.add_user_to_group(GroupName=group, UserName=person.name)
    assert refused(iam.add_user_to_group, status=409, GroupName=groups[10], UserName=person.name) == (
        "LimitExceeded",
        "Cannot exceed quota for GroupsPerUser: 10",
    )
    pages = iam.get_paginator("list_groups_for_user").paginate(
        UserName=person.name, PaginationConfig={"PageSize": 3}
    )
    assert [each["GroupName"] for page in pages for each in page["Groups"]] == sorted(groups[:10])


# Roles


def test_a_role_as_terraform_makes_changes_and_destroys_it(iam: Any, account: str, person: Person) -> None:
    name = a_name("deploy")
    trust = trusting({"AWS": person.arn, "Service": ["lambda.amazonaws.com"]})
    tags = [{"Key": "team", "Value": "red"}]
    # aws_iam_role
    role = answered(
        iam.create_role,
        RoleName=name,
        Path="/ci/",
        AssumeRolePolicyDocument=trust,
        Description="for the pipeline",
        MaxSessionDuration=7200,
        Tags=tags,
    )["Role"]
    assert re.fullmatch("AROA[A-Z2-7]{17}", role["RoleId"])
    assert role == {
        "Path": "/ci/",
        "RoleName": name,
        "RoleId": role["RoleId"],
        "Arn": f"arn:aws:iam::{account}:role/ci/{name}",
        "CreateDate": role["CreateDate"],
        "AssumeRolePolicyDocument": json.loads(trust),
        "Tags": tags,
    }
    found = {**role, "Description": "for the pipeline", "MaxSessionDuration": 7200, "RoleLastUsed": {}}
    assert answered(iam.get_role, RoleName=name)["Role"] == found
    pages = iam.get_paginator("list_roles").paginate(PathPrefix="/ci/", PaginationConfig={"PageSize": 1})
    (listed,) = [each for page in pages for each in page["Roles"] if each["RoleName"] == name]
    assert listed == {key: value for key, value in found.items() if key not in ("Tags", "RoleLastUsed")}
    # Changed in place.
    assert answered(iam.update_role, RoleName=name, Description="new", MaxSessionDuration=3600) == {}
    described = answered(iam.update_role_description, RoleName=name, Description="newer")["Role"]
    assert described["Description"] == "newer"
    assert answered(iam.tag_role, RoleName=name, Tags=[{"Key": "Team", "Value": "blue"}]) == {}
    assert answered(iam.list_role_tags, RoleName=name)["Tags"] == [{"Key": "Team", "Value": "blue"}]
    assert answered(iam.untag_role, RoleName=name, TagKeys=["team"]) == {}
    other = trusting({"AWS": account})
    assert answered(iam.update_assume_role_policy, RoleName=name, PolicyDocument=other) == {}
    after = answered(iam.get_role, RoleName=name)["Role"]
    assert (after["AssumeRolePolicyDocument"], after["MaxSessionDuration"]) == (json.loads(other), 3600)
    assert "Tags" not in after
    # aws_iam_role_policy, aws_iam_role_policy_attachment
    policy = answered(iam.create_policy, PolicyName=a_name("p"), PolicyDocument=document(allow("kms:*")))
    arn = policy["Policy"]["Arn"]
    written = document(allow(GET_VALUE))
    assert answered(iam.put_role_policy, RoleName=name, PolicyName="read", PolicyDocument=written) == {}
    got = answered(iam.get_role_policy, RoleName=name, PolicyName="read")
    assert got == {"RoleName": name, "PolicyName": "read", "PolicyDocument": json.loads(written)}
    assert answered(iam.attach_role_policy, RoleName=name, PolicyArn=arn) == {}
    assert refused(iam.delete_role, status=409, RoleName=name) == (
        "DeleteConflict",
        "Cannot delete entity, must detach all policies first.",
    )
    # Destroyed.
    assert answered(iam.list_instance_profiles_for_role, RoleName=name)["InstanceProfiles"] == []
    (attached,) = answered(iam.list_attached_role_policies, RoleName=name)["AttachedPolicies"]
    assert answered(iam.detach_role_policy, RoleName=name, PolicyArn=attached["PolicyArn"]) == {}
    assert refused(iam.delete_role, status=409, RoleName=name) == (
        "DeleteConflict",
        "Cannot delete entity, must delete policies first.",
    )
    for each in answered(iam.list_role_policies, RoleName=name)["PolicyNames"]:
        assert answered(iam.delete_role_policy, RoleName=name, PolicyName=each) == {}
    assert answered(iam.delete_role, RoleName=name) == {}
    assert refused(iam.get_role, status=404, RoleName=name) == missing("role", name)
    assert answered(iam.delete_policy, PolicyArn=arn) == {}


@pytest.mark.parametrize(
    ("trust", "message"),
    [
        pytest.param("{", "This policy contains invalid Json", id="no JSON"),
        pytest.param(
            trusting("*"), 'AssumeRolepolicy contained an invalid principal: "STAR":"*".', id="bare star"
        ),
        pytest.param(
            trusting({"AWS": "arn:aws:iam::999999999999:role/x"}),
            'Invalid principal in policy: "AWS":"arn:aws:iam::999999999999:role/x"',
            id="another world's role",
        ),
        pytest.param(
            trusting({"Service": "nothing"}), 'Invalid principal in policy: "SERVICE":"nothing"', id="service"
        ),
        pytest.param(
            trusting({"AWS": "*"}, "s3:GetObject"),
            "AssumeRole policy may only specify STS AssumeRole actions.",
            id="action",
        ),
    ],
)
def test_a_trust_policy_that_cannot_be(iam: Any, trust: str, message: str) -> None:
    name = a_name("role")
    assert refused(iam.create_role, RoleName=name, AssumeRolePolicyDocument=trust) == (
        "MalformedPolicyDocument",
        message,
    )
    assert refused(iam.get_role, status=404, RoleName=name) == missing("role", name)


def test_a_user_made_again_is_not_trusted_again(server: Server, iam: Any, account: str) -> None:
    person = a_person(server)
    name = a_name("role")
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trusting({"AWS": person.arn}))["Role"]
    sts = person.client("sts")
    session = answered(sts.assume_role, RoleArn=role["Arn"], RoleSessionName="run")
    assert session["AssumedRoleUser"]["AssumedRoleId"] == f"{role['RoleId']}:run"
    user_id = iam.get_user(UserName=person.name)["User"]["UserId"]
    iam.delete_access_key(UserName=person.name, AccessKeyId=person.access_key_id)
    iam.delete_user(UserName=person.name)
    shown = answered(iam.get_role, RoleName=name)["Role"]["AssumeRolePolicyDocument"]
    assert shown["Statement"][0]["Principal"] == {"AWS": user_id}
    iam.create_user(UserName=person.name)
    key = iam.create_access_key(UserName=person.name)["AccessKey"]
    again = server.client("sts", credentials=(key["AccessKeyId"], key["SecretAccessKey"]))
    code, message = refused(again.assume_role, status=403, RoleArn=role["Arn"], RoleSessionName="run")
    assert code == "AccessDenied"
    assert message.startswith(
        f"User: {person.arn} is not authorized to perform: sts:AssumeRole on resource: {role['Arn']}"
    )
    shown = answered(iam.get_role, RoleName=name)["Role"]["AssumeRolePolicyDocument"]
    assert shown["Statement"][0]["Principal"] == {"AWS": user_id}
    assert re.fullmatch(rf"arn:aws:iam::{account}:role/role-[0-9a-f]+", role["Arn"])
    sts.close()
    again.close()


# Boundaries


def test_a_boundary_limits_from_the_call_that_puts_it_on(
    server: Server, iam: Any, person: Person, secret: str
) -> None:
    person.may(allow("*"))
    limit = iam.create_policy(
        PolicyName=a_name("limit"), PolicyDocument=document(allow("secretsmanager:Describe*"))
    )["Policy"]["Arn"]
    client = person.client()
    limited = denied(
        person.arn, GET_VALUE, secret, f" because no permissions boundary allows the {GET_VALUE} action"
    )
    assert outcomes(server, person, secret) == {"x"}
    for _ in range(2):
        assert (
            answered(iam.put_user_permissions_boundary, UserName=person.name, PermissionsBoundary=limit) == {}
        )
        assert outcomes(server, person, secret) == {limited}
        assert answered(client.describe_secret, SecretId=secret)["Name"] == secret
        assert answered(iam.delete_user_permissions_boundary, UserName=person.name) == {}
        assert outcomes(server, person, secret) == {"x"}
    client.close()


def test_boundaries_of_users_and_roles_are_shown_as_terraform_reads_them(iam: Any, account: str) -> None:
    limit = iam.create_policy(PolicyName=a_name("limit"), PolicyDocument=document(allow("kms:*")))
    arn = limit["Policy"]["Arn"]
    shown = {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": arn}
    user, role = a_name("user"), a_name("role")
    made = answered(iam.create_user, UserName=user, PermissionsBoundary=arn)["User"]
    assert made["PermissionsBoundary"] == shown
    trust = trusting({"AWS": account})
    made = answered(iam.create_role, RoleName=role, AssumeRolePolicyDocument=trust, PermissionsBoundary=arn)
    assert made["Role"]["PermissionsBoundary"] == shown
    assert answered(iam.get_user, UserName=user)["User"]["PermissionsBoundary"] == shown
    assert answered(iam.get_role, RoleName=role)["Role"]["PermissionsBoundary"] == shown
    nothing = f"arn:aws:iam::{account}:policy/nothing"
    assert refused(
        iam.put_role_permissions_boundary, status=404, RoleName=role, PermissionsBoundary=nothing
    ) == ("NoSuchEntity", f"Scope ARN: {nothing} does not exist or is not attachable.")
    assert answered(iam.get_role, RoleName=role)["Role"]["PermissionsBoundary"] == shown
    assert answered(iam.delete_role_permissions_boundary, RoleName=role) == {}
    assert "PermissionsBoundary" not in answered(iam.get_role, RoleName=role)["Role"]


# Users


def test_a_user_with_everything_is_destroyed_as_terraform_does(iam: Any, person: Person) -> None:
    """aws_iam_user with force_destroy: all that hangs on the user is looked for and taken away first."""
    name, group = person.name, a_name("group")
    policy = iam.create_policy(PolicyName=a_name("p"), PolicyDocument=document(allow("kms:*")))
    arn = policy["Policy"]["Arn"]
    iam.create_group(GroupName=group)
    iam.add_user_to_group(GroupName=group, UserName=name)
    iam.attach_user_policy(UserName=name, PolicyArn=arn)
    person.may(allow("kms:*"))
    for each in answered(iam.list_groups_for_user, UserName=name)["Groups"]:
        iam.remove_user_from_group(UserName=name, GroupName=each["GroupName"])
    for each in answered(iam.list_access_keys, UserName=name)["AccessKeyMetadata"]:
        iam.delete_access_key(UserName=name, AccessKeyId=each["AccessKeyId"])
    assert answered(iam.list_ssh_public_keys, UserName=name)["SSHPublicKeys"] == []
    assert answered(iam.list_virtual_mfa_devices, AssignmentStatus="Assigned")["VirtualMFADevices"] == []
    assert answered(iam.list_mfa_devices, UserName=name)["MFADevices"] == []
    assert answered(iam.list_signing_certificates, UserName=name)["Certificates"] == []
    assert answered(iam.list_service_specific_credentials, UserName=name)["ServiceSpecificCredentials"] == []
    assert refused(iam.delete_login_profile, status=404, UserName=name) == (
        "NoSuchEntity",
        f"Login Profile for User {name} cannot be found.",
    )
    for each in answered(iam.list_attached_user_policies, UserName=name)["AttachedPolicies"]:
        iam.detach_user_policy(UserName=name, PolicyArn=each["PolicyArn"])
    for each in answered(iam.list_user_policies, UserName=name)["PolicyNames"]:
        iam.delete_user_policy(UserName=name, PolicyName=each)
    assert answered(iam.delete_user, UserName=name) == {}
    assert refused(iam.get_user, status=404, UserName=name) == missing("user", name)
    assert answered(iam.get_group, GroupName=group)["Users"] == []


def test_a_user_may_be_read_by_a_role_it_became(
    server: Server, iam: Any, person: Person, secret: str
) -> None:
    """The whole chain: a group lets its users become a role, the role reads, and each link can be cut."""
    role_name, group = a_name("reader"), a_name("people")
    trust = trusting({"AWS": person.arn.rpartition(":user/")[0] + ":root"})
    role = iam.create_role(RoleName=role_name, AssumeRolePolicyDocument=trust)["Role"]
    iam.put_role_policy(RoleName=role_name, PolicyName="read", PolicyDocument=document(allow(GET_VALUE)))
    iam.create_group(GroupName=group)
    iam.add_user_to_group(GroupName=group, UserName=person.name)
    sts = person.client("sts")
    request = {"RoleArn": role["Arn"], "RoleSessionName": "run"}
    assert refused(sts.assume_role, status=403, **request)[0] == "AccessDenied"
    become = document(allow("sts:AssumeRole", role["Arn"]))
    iam.put_group_policy(GroupName=group, PolicyName="become", PolicyDocument=become)
    given = answered(sts.assume_role, **request)["Credentials"]
    token = (given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])
    session = server.client("secretsmanager", credentials=token)
    assert value_of(session, secret) == "x"
    iam.delete_role_policy(RoleName=role_name, PolicyName="read")
    arn = f"arn:aws:sts::{role['Arn'].split(':')[4]}:assumed-role/{role_name}/run"
    assert refused(session.get_secret_value, SecretId=secret) == denied(arn, GET_VALUE, secret)
    iam.remove_user_from_group(GroupName=group, UserName=person.name)
    assert refused(sts.assume_role, status=403, **request)[0] == "AccessDenied"
    sts.close()
    session.close()

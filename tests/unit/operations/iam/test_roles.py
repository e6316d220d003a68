"""Roles: made, found, changed, removed; whom their trust policies may name."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import quote

import pytest
from msgspec.structs import replace

from strongroom.errors import (
    AccessDeniedException,
    DeleteConflictException,
    EntityAlreadyExistsException,
    InvalidInputException,
    LimitExceededException,
    MalformedPolicyDocumentException,
    NoSuchEntityException,
    ServiceError,
    UnmodifiableEntityException,
    ValidationException,
)
from strongroom.identity.records import OidcProvider, Role
from strongroom.names import AccountId, oidc_provider_arn
from strongroom.operations import rotation_role
from strongroom.operations.iam import managed_policies, role_policies, roles, users
from strongroom.ports import OIDC_PROVIDERS, ROLES
from support.identity_room import REQUEST_ID, IdentityRoom, service
from support.key_room import ACCOUNT, DAY, NOON, OTHER_ACCOUNT, allow, policy, root

ROLE_ARN = f"arn:aws:iam::{ACCOUNT}:role"
EVE_ARN = f"arn:aws:iam::{ACCOUNT}:user/eve"


def trusting(principal: Any, **more: Any) -> str:
    return policy({"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", **more})


TRUST = trusting({"Service": "lambda.amazonaws.com"})
REQUESTS: dict[str, dict[str, Any]] = {
    "UpdateRoleDescription": {"Description": "d"},
    "UpdateAssumeRolePolicy": {"PolicyDocument": TRUST},
}
OPERATIONS = [
    roles.GET_ROLE,
    roles.UPDATE_ROLE,
    roles.UPDATE_ROLE_DESCRIPTION,
    roles.UPDATE_ASSUME_ROLE_POLICY,
    roles.DELETE_ROLE,
    roles.LIST_INSTANCE_PROFILES_FOR_ROLE,
]


@pytest.fixture
def room() -> IdentityRoom:
    return IdentityRoom()


def create(room: IdentityRoom, name: str, trust: str = TRUST, **members: Any) -> dict[str, Any]:
    request = {"RoleName": name, "AssumeRolePolicyDocument": trust, **members}
    made: dict[str, Any] = room.run(roles.CREATE_ROLE, request)["Role"]
    return made


def get(room: IdentityRoom, name: str) -> dict[str, Any]:
    found: dict[str, Any] = room.run(roles.GET_ROLE, {"RoleName": name})["Role"]
    return found


def stored(room: IdentityRoom, name: str, account_id: AccountId = ACCOUNT) -> Role:
    role: Role | None = room.unit.find_alternate(ROLES, account_id, name.lower())
    assert role is not None
    return role


def names(answered: dict[str, Any]) -> list[str]:
    return [role["RoleName"] for role in answered["Roles"]]


# CreateRole, GetRole


def test_a_new_role_has_an_id_an_arn_and_no_rights(room: IdentityRoom) -> None:
    request = {"RoleName": "Deploy", "AssumeRolePolicyDocument": TRUST, "Description": "for the pipeline"}
    made = room.run(roles.CREATE_ROLE, request, now=NOON + DAY)["Role"]
    assert re.fullmatch(r"AROA[A-Z2-7]{17}", made["RoleId"])
    # Recorded: neither description nor duration.
    assert made == {
        "Path": "/",
        "RoleName": "Deploy",
        "RoleId": made["RoleId"],
        "Arn": f"{ROLE_ARN}/Deploy",
        "CreateDate": NOON + DAY,
        "AssumeRolePolicyDocument": TRUST,
    }
    assert get(room, "deploy") == {
        **made,
        "Description": "for the pipeline",
        "MaxSessionDuration": 3600,
        "RoleLastUsed": {},
    }
    assert (stored(room, "deploy").policies, stored(room, "deploy").attached) == ({}, ())


def test_all_that_a_new_role_can_have(room: IdentityRoom) -> None:
    boundary = room.run(
        managed_policies.CREATE_POLICY,
        {"PolicyName": "limit", "PolicyDocument": policy(allow("iam:Get*"))},
    )["Policy"]["Arn"]
    tags = [{"Key": "Env", "Value": ""}, {"Key": "team", "Value": "red"}]
    made = create(
        room,
        "deploy",
        Path="/ci/",
        MaxSessionDuration=7200,
        MaxSigninSessionDuration=4000,
        PermissionsBoundary=boundary,
        Tags=tags,
    )
    assert made["Arn"] == f"{ROLE_ARN}/ci/deploy"
    shown = {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": boundary}
    assert (made["PermissionsBoundary"], made["Tags"]) == (shown, tags)
    found = get(room, "deploy")
    assert (found["MaxSessionDuration"], found["MaxSigninSessionDuration"]) == (7200, 4000)
    assert (found["PermissionsBoundary"], found["Tags"]) == (shown, tags)
    assert "Description" not in found
    assert stored(room, "deploy").boundary == boundary


def test_when_a_role_was_last_used_is_shown(room: IdentityRoom) -> None:
    create(room, "deploy")
    used = replace(stored(room, "deploy"), last_used_at=NOON, last_used_region="eu-west-1")
    room.unit.save(ROLES, used)
    assert get(room, "deploy")["RoleLastUsed"] == {"LastUsedDate": NOON, "Region": "eu-west-1"}


def test_a_name_taken_in_any_case_is_refused(room: IdentityRoom) -> None:
    create(room, "Deploy")
    for name in ("Deploy", "deploy"):
        request = {"RoleName": name, "Path": "/other/", "AssumeRolePolicyDocument": TRUST}
        message = room.refused(EntityAlreadyExistsException, roles.CREATE_ROLE, request)
        assert message == f"Role with name {name} already exists."
    theirs = {"RoleName": "deploy", "AssumeRolePolicyDocument": TRUST}
    room.run(roles.CREATE_ROLE, theirs, principal=root(OTHER_ACCOUNT))
    assert stored(room, "deploy", OTHER_ACCOUNT).arn == f"arn:aws:iam::{OTHER_ACCOUNT}:role/deploy"


@pytest.mark.parametrize(
    ("members", "error", "message"),
    [
        pytest.param(
            {"Tags": [{"Key": "a", "Value": "1"}, {"Key": "A", "Value": "2"}]},
            InvalidInputException,
            "Duplicate tag keys found. Please note that Tag keys are case insensitive.",
            id="tag key twice",
        ),
        pytest.param(
            {"PermissionsBoundary": f"arn:aws:iam::{ACCOUNT}:role/not-a-policy"},
            InvalidInputException,
            f"ARN arn:aws:iam::{ACCOUNT}:role/not-a-policy is not valid.",
            id="boundary that is no policy's ARN",
        ),
        pytest.param(
            {"PermissionsBoundary": f"arn:aws:iam::{ACCOUNT}:policy/nothing"},
            NoSuchEntityException,
            f"Scope ARN: arn:aws:iam::{ACCOUNT}:policy/nothing does not exist or is not attachable.",
            id="boundary that does not exist",
        ),
        pytest.param(
            {"Path": "/aws-service-role/rotation.secretsmanager.amazonaws.com/"},
            InvalidInputException,
            "Roles below the path /aws-service-role/ are made by the services they belong to.",
            id="path of services",
        ),
        pytest.param(
            {"RoleName": "depl\u043ey"},
            ValidationException,
            "The specified value for roleName is invalid. "
            "It must contain only alphanumeric characters and/or the following: +=,.@_-",
            id="Cyrillic o",
        ),
        pytest.param(
            {"MaxSessionDuration": 3599},
            ValidationException,
            "1 validation error detected: Value '3599' at 'maxSessionDuration' failed to satisfy constraint: "
            "Member must have value greater than or equal to 3600",
            id="too short a session",
        ),
        pytest.param(
            {"MaxSessionDuration": 43201},
            ValidationException,
            "1 validation error detected: Value '43201' at 'maxSessionDuration' failed to satisfy "
            "constraint: Member must have value less than or equal to 43200",
            id="too long a session",
        ),
    ],
)
def test_what_a_new_role_cannot_have(
    room: IdentityRoom, members: dict[str, Any], error: type[ServiceError], message: str
) -> None:
    request = {"RoleName": "deploy", "AssumeRolePolicyDocument": TRUST, **members}
    assert room.refused(error, roles.CREATE_ROLE, request) == message


def test_creating_is_decided_by_path_name_tags_and_boundary(room: IdentityRoom) -> None:
    limit = {"PolicyName": "limit", "PolicyDocument": policy(allow("iam:Get*"))}
    boundary = room.run(managed_policies.CREATE_POLICY, limit)["Policy"]["Arn"]
    bounded = {"StringEquals": {"iam:PermissionsBoundary": boundary}}
    red = {"StringEquals": {"aws:RequestTag/team": "red"}}
    maker = room.user(
        "maker",
        allow("iam:CreateRole", resource=f"{ROLE_ARN}/ci/*", Condition=bounded),
        allow("iam:TagRole", resource=f"{ROLE_ARN}/ci/*", Condition=red),
    )
    request: dict[str, Any] = {
        "RoleName": "one",
        "Path": "/ci/",
        "AssumeRolePolicyDocument": TRUST,
        "PermissionsBoundary": boundary,
        "Tags": [{"Key": "team", "Value": "red"}],
    }
    room.run(roles.CREATE_ROLE, request, principal=maker)
    request["RoleName"] = "two"
    room.denied(roles.CREATE_ROLE, {**request, "Path": "/"}, maker, f"{ROLE_ARN}/two")
    unbounded = {key: value for key, value in request.items() if key != "PermissionsBoundary"}
    room.denied(roles.CREATE_ROLE, unbounded, maker, f"{ROLE_ARN}/ci/two")
    request["Tags"] = [{"Key": "team", "Value": "blue"}]
    message = room.refused(AccessDeniedException, roles.CREATE_ROLE, request, principal=maker)
    assert message == (
        f"User: {maker.arn} is not authorized to perform: iam:TagRole on resource: {ROLE_ARN}/ci/two "
        "because no identity-based policy allows the iam:TagRole action"
    )


# Trust policies


def test_nobody_says_who_may_assume_a_services_own_role(room: IdentityRoom) -> None:
    role = rotation_role.kept_role(room.unit, ACCOUNT, NOON, room.resources.entropy)
    assert role is not None
    request = {"RoleName": role.role_name, "PolicyDocument": trusting({"AWS": ACCOUNT})}
    message = room.refused(UnmodifiableEntityException, roles.UPDATE_ASSUME_ROLE_POLICY, request)
    assert message == (
        "Cannot perform the operation on the protected role 'AWSServiceRoleForSecretsManagerRotation' - this "
        "role is only modifiable by AWS"
    )


@pytest.mark.parametrize(
    ("trust", "message"),
    [
        pytest.param("{", "This policy contains invalid Json", id="no JSON"),
        pytest.param(
            policy({"Effect": "Allow", "Action": "sts:AssumeRole"}),
            "Syntax errors in policy.",
            id="nobody",
        ),
        pytest.param(
            policy({"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sns:Publish"}),
            "AssumeRole policy may only specify STS AssumeRole actions.",
            id="another service's action",
        ),
        pytest.param(
            trusting({"AWS": ACCOUNT}, Resource="*"), "Has prohibited field Resource", id="a resource"
        ),
        pytest.param(
            trusting("*"), 'AssumeRolepolicy contained an invalid principal: "STAR":"*".', id="bare star"
        ),
        pytest.param(
            trusting({"AWS": [ACCOUNT, f"{EVE_ARN}2"]}),
            f'Invalid principal in policy: "AWS":"{EVE_ARN}2"',
            id="no such user",
        ),
        pytest.param(
            trusting({"AWS": f"{ROLE_ARN}/gone"}),
            f'Invalid principal in policy: "AWS":"{ROLE_ARN}/gone"',
            id="no such role",
        ),
        pytest.param(
            trusting({"AWS": "999999999999"}),
            'Invalid principal in policy: "AWS":"999999999999"',
            id="no such account",
        ),
        pytest.param(
            trusting({"AWS": f"arn:aws:iam::{ACCOUNT}:group/ops"}),
            f'Invalid principal in policy: "AWS":"arn:aws:iam::{ACCOUNT}:group/ops"',
            id="a group",
        ),
        pytest.param(
            trusting({"AWS": f"arn:aws:sts::{ACCOUNT}:assumed-role/deploy/*"}),
            f'Invalid principal in policy: "AWS":"arn:aws:sts::{ACCOUNT}:assumed-role/deploy/*"',
            id="a wildcard",
        ),
        pytest.param(
            trusting({"Service": "lambda"}),
            'Invalid principal in policy: "SERVICE":"lambda"',
            id="no service's name",
        ),
        pytest.param(
            trusting({"Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/other.example.com"}),
            f'Invalid principal in policy: "FEDERATED":'
            f'"arn:aws:iam::{ACCOUNT}:oidc-provider/other.example.com"',
            id="no such provider",
        ),
        pytest.param(
            trusting({"Federated": "accounts.google.com"}),
            'Invalid principal in policy: "FEDERATED":"accounts.google.com"',
            id="a provider of AWS",
        ),
        pytest.param(
            trusting({"Federated": "https://token.example.com"}),
            "Federated principals must be valid domain names or SAML metadata ARNs",
            id="a URL",
        ),
    ],
)
def test_a_trust_policy_must_name_who_exists(room: IdentityRoom, trust: str, message: str) -> None:
    room.user("eve")
    create(room, "deploy")
    for operation, request in (
        (roles.CREATE_ROLE, {"RoleName": "new", "AssumeRolePolicyDocument": trust}),
        (roles.UPDATE_ASSUME_ROLE_POLICY, {"RoleName": "deploy", "PolicyDocument": trust}),
    ):
        assert room.refused(MalformedPolicyDocumentException, operation, request) == message


def test_a_trust_policy_has_2048_characters(room: IdentityRoom) -> None:
    create(room, "deploy")
    written = trusting({"AWS": ACCOUNT}, Sid="").replace(" ", "")
    fitting = written.replace('"Sid":""', f'"Sid":"{"s" * (2048 - len(written))}"')
    spread = json.dumps(json.loads(fitting), indent=9)
    update = {"RoleName": "deploy", "PolicyDocument": spread}
    assert room.run(roles.UPDATE_ASSUME_ROLE_POLICY, update) is None
    larger = fitting.replace('"Sid":"s', '"Sid":"ss')
    for operation, request in (
        (roles.CREATE_ROLE, {"RoleName": "new", "AssumeRolePolicyDocument": larger}),
        (roles.UPDATE_ASSUME_ROLE_POLICY, {"RoleName": "deploy", "PolicyDocument": larger}),
    ):
        message = room.refused(LimitExceededException, operation, request)
        assert message == "Cannot exceed quota for ACLSizePerRole: 2048"


def test_users_roles_and_providers_can_be_trusted(room: IdentityRoom) -> None:
    eve = room.user("eve")
    base = create(room, "base", Path="/x/")
    provider = oidc_provider_arn(ACCOUNT, "token.example.com")
    record = OidcProvider(arn=provider, url="token.example.com", account_id=ACCOUNT, created_at=NOON)
    room.unit.save(OIDC_PROVIDERS, record)
    trust = trusting(
        {"AWS": [EVE_ARN, base["Arn"], OTHER_ACCOUNT, "*"], "Service": "ec2.amazonaws.com"}
    ).replace('"Action": "sts:AssumeRole"', '"Action": ["sts:AssumeRole", "sts:TagSession"]')
    web = trusting({"Federated": provider}).replace("sts:AssumeRole", "sts:AssumeRoleWithWebIdentity")
    assert create(room, "one", trust)["AssumeRolePolicyDocument"] == trust
    assert create(room, "two", web)["AssumeRolePolicyDocument"] == web
    kept = stored(room, "one")
    statement = json.loads(kept.trust_policy)["Statement"][0]
    assert statement["Principal"]["AWS"] == [eve.principal_id, base["RoleId"], OTHER_ACCOUNT, "*"]
    assert kept.written_trust_policy == trust
    assert (stored(room, "two").trust_policy, stored(room, "two").written_trust_policy) == (web, None)


def test_a_role_cannot_trust_itself_before_it_is_there(room: IdentityRoom) -> None:
    own = trusting({"AWS": f"{ROLE_ARN}/deploy"})
    request = {"RoleName": "deploy", "AssumeRolePolicyDocument": own}
    message = room.refused(MalformedPolicyDocumentException, roles.CREATE_ROLE, request)
    assert message == f'Invalid principal in policy: "AWS":"{ROLE_ARN}/deploy"'
    create(room, "deploy")
    room.run(roles.UPDATE_ASSUME_ROLE_POLICY, {"RoleName": "deploy", "PolicyDocument": own})
    assert get(room, "deploy")["AssumeRolePolicyDocument"] == own


def test_who_was_deleted_is_shown_by_id_and_not_trusted_again(room: IdentityRoom) -> None:
    made = room.run(users.CREATE_USER, {"UserName": "eve"})["User"]
    base = create(room, "base")
    trust = trusting({"AWS": [EVE_ARN, base["Arn"]]})
    create(room, "deploy", trust)
    room.run(users.DELETE_USER, {"UserName": "eve"})
    room.run(users.CREATE_USER, {"UserName": "eve"})
    by_id = trusting({"AWS": [made["UserId"], base["Arn"]]})
    assert json.loads(get(room, "deploy")["AssumeRolePolicyDocument"]) == json.loads(by_id)
    room.run(roles.DELETE_ROLE, {"RoleName": "base"})
    create(room, "base")
    shown = get(room, "deploy")["AssumeRolePolicyDocument"]
    assert json.loads(shown) == json.loads(trusting({"AWS": [made["UserId"], base["RoleId"]]}))
    listed = room.run(roles.LIST_ROLES)["Roles"]
    assert [each["AssumeRolePolicyDocument"] for each in listed] == [TRUST, shown]
    # As it is shown it cannot be written again.
    request = {"RoleName": "deploy", "PolicyDocument": shown}
    message = room.refused(MalformedPolicyDocumentException, roles.UPDATE_ASSUME_ROLE_POLICY, request)
    assert message == f'Invalid principal in policy: "AWS":"{made["UserId"]}"'


def test_a_renamed_user_stays_trusted(room: IdentityRoom) -> None:
    room.run(users.CREATE_USER, {"UserName": "eve"})
    create(room, "deploy", trusting({"AWS": EVE_ARN}))
    room.run(users.UPDATE_USER, {"UserName": "eve", "NewUserName": "eva", "NewPath": "/x/"})
    shown = json.loads(get(room, "deploy")["AssumeRolePolicyDocument"])
    assert shown == json.loads(trusting({"AWS": f"arn:aws:iam::{ACCOUNT}:user/x/eva"}))


def test_the_trust_policy_is_written_for_urls(room: IdentityRoom) -> None:
    create(room, "deploy", TRUST)
    for operation, request in ((roles.GET_ROLE, {"RoleName": "deploy"}), (roles.LIST_ROLES, {})):
        body = (
            service("iam").operations[operation.name].encode_query(room.run(operation, request), REQUEST_ID)
        )
        quoted = quote(TRUST, safe="-_.~")
        assert f"<AssumeRolePolicyDocument>{quoted}</AssumeRolePolicyDocument>" in body.decode()


# ListRoles


def test_roles_are_listed_by_path_and_in_pages_without_tags(room: IdentityRoom) -> None:
    tags = [{"Key": "team", "Value": "red"}]
    for name, path in (("b", "/in/"), ("A", "/in/deep/"), ("c", "/out/"), ("d", "/in/")):
        create(room, name, Path=path, Tags=tags, Description=f"role {name}")
    theirs = {"RoleName": "e", "Path": "/in/", "AssumeRolePolicyDocument": TRUST}
    room.run(roles.CREATE_ROLE, theirs, principal=root(OTHER_ACCOUNT))
    answered = room.run(roles.LIST_ROLES)
    assert names(answered) == ["A", "b", "c", "d"]
    expected = {key: value for key, value in get(room, "A").items() if key not in ("Tags", "RoleLastUsed")}
    assert answered["Roles"][0] == expected
    first = room.run(roles.LIST_ROLES, {"PathPrefix": "/in/", "MaxItems": 2})
    assert (names(first), first["IsTruncated"]) == (["A", "b"], True)
    rest = room.run(roles.LIST_ROLES, {"PathPrefix": "/in/", "MaxItems": 2, "Marker": first["Marker"]})
    assert (names(rest), rest["IsTruncated"]) == (["d"], False)
    assert room.refused(ValidationException, roles.LIST_ROLES, {"Marker": "x"}) == "Invalid Marker."


def test_listing_is_decided_by_the_path_asked_for(room: IdentityRoom) -> None:
    reader = room.user("reader", allow("iam:ListRoles", resource=f"{ROLE_ARN}/ci/*"))
    assert room.run(roles.LIST_ROLES, {"PathPrefix": "/ci/"}, principal=reader)["Roles"] == []
    room.denied(roles.LIST_ROLES, {}, reader, f"{ROLE_ARN}/")


# UpdateRole, UpdateRoleDescription


def test_an_update_changes_what_it_names(room: IdentityRoom) -> None:
    create(room, "deploy", Description="one")
    before = stored(room, "deploy")
    assert room.run(roles.UPDATE_ROLE, {"RoleName": "DEPLOY", "MaxSessionDuration": 7200}) == {}
    assert stored(room, "deploy") == replace(before, max_session_seconds=7200)
    room.run(roles.UPDATE_ROLE, {"RoleName": "deploy", "Description": "two"})
    room.run(roles.UPDATE_ROLE, {"RoleName": "deploy", "MaxSigninSessionDuration": 3600})
    assert stored(room, "deploy") == replace(
        before, max_session_seconds=7200, description="two", max_signin_session_seconds=3600
    )
    both = {"RoleName": "deploy", "MaxSigninSessionDuration": 3600, "ResetMaxSigninSessionDuration": True}
    message = room.refused(InvalidInputException, roles.UPDATE_ROLE, both)
    assert message == "MaxSigninSessionDuration cannot be set and reset at once."
    room.run(roles.UPDATE_ROLE, {"RoleName": "deploy", "ResetMaxSigninSessionDuration": True})
    assert stored(room, "deploy").max_signin_session_seconds is None
    before = room.unit.state()
    room.run(roles.UPDATE_ROLE, {"RoleName": "deploy"})
    assert room.unit.state() == before


def test_the_description_is_changed_alone(room: IdentityRoom) -> None:
    made = create(room, "deploy", MaxSessionDuration=7200)
    request = {"RoleName": "deploy", "Description": "new"}
    assert room.run(roles.UPDATE_ROLE_DESCRIPTION, request) == {"Role": {**made, "Description": "new"}}
    assert get(room, "deploy")["Description"] == "new"
    assert get(room, "deploy")["MaxSessionDuration"] == 7200


# DeleteRole


def test_a_role_goes_only_without_policies(room: IdentityRoom) -> None:
    made = create(room, "deploy")
    put = {"RoleName": "deploy", "PolicyName": "p", "PolicyDocument": policy(allow("*"))}
    room.run(role_policies.PUT_ROLE_POLICY, put)
    room.unit.save(ROLES, replace(stored(room, "deploy"), attached=(f"arn:aws:iam::{ACCOUNT}:policy/p",)))
    message = room.refused(DeleteConflictException, roles.DELETE_ROLE, {"RoleName": "deploy"})
    assert message == "Cannot delete entity, must detach all policies first."
    room.unit.save(ROLES, replace(stored(room, "deploy"), attached=()))
    message = room.refused(DeleteConflictException, roles.DELETE_ROLE, {"RoleName": "deploy"})
    assert message == "Cannot delete entity, must delete policies first."
    room.run(role_policies.DELETE_ROLE_POLICY, {"RoleName": "deploy", "PolicyName": "p"})
    assert room.run(roles.DELETE_ROLE, {"RoleName": "DEPLOY"}) is None
    assert room.unit.scan(ROLES, ACCOUNT) == []
    again = create(room, "deploy")
    assert again["Arn"] == made["Arn"]
    assert again["RoleId"] != made["RoleId"]


def test_no_role_is_in_an_instance_profile(room: IdentityRoom) -> None:
    create(room, "deploy")
    operation = roles.LIST_INSTANCE_PROFILES_FOR_ROLE
    assert room.run(operation, {"RoleName": "deploy"}) == {"InstanceProfiles": [], "IsTruncated": False}
    request = {"RoleName": "deploy", "Marker": "x"}
    assert room.refused(ValidationException, operation, request) == "Invalid Marker."


# All


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: str(operation.name))
def test_a_role_that_is_not_there(room: IdentityRoom, operation: Any) -> None:
    theirs = {"RoleName": "theirs", "AssumeRolePolicyDocument": TRUST}
    room.run(roles.CREATE_ROLE, theirs, principal=root(OTHER_ACCOUNT))
    for name in ("nothing", "theirs"):
        request = {"RoleName": name, **REQUESTS.get(operation.name, {})}
        message = room.refused(NoSuchEntityException, operation, request)
        assert message == f"The role with name {name} cannot be found."


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: str(operation.name))
@pytest.mark.parametrize("there", [True, False])
def test_a_user_without_policies_is_refused_everything(
    room: IdentityRoom, operation: Any, there: bool
) -> None:
    eve = room.user("eve")
    if there:
        create(room, "deploy")
    request = {"RoleName": "deploy", **REQUESTS.get(operation.name, {})}
    room.denied(operation, request, eve, "role deploy")


def test_a_policy_sees_the_tags_of_the_role(room: IdentityRoom) -> None:
    create(room, "red", Tags=[{"Key": "team", "Value": "red"}])
    create(room, "blue", Tags=[{"Key": "team", "Value": "blue"}])
    for number, key in enumerate(("aws:ResourceTag/team", "iam:ResourceTag/team")):
        red = {"StringEquals": {key: "red"}}
        keeper = room.user(f"keeper{number}", allow("iam:*Role*", Condition=red))
        request = {"RoleName": "red", "Description": "mine"}
        room.run(roles.UPDATE_ROLE, request, principal=keeper)
        room.denied(roles.UPDATE_ROLE, {**request, "RoleName": "blue"}, keeper, "role blue")

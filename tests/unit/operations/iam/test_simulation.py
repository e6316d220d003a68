"""Simulations: decided by the evaluator of real calls, and saying which statements decided."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from strongroom.errors import (
    AccessDeniedException,
    InvalidInputException,
    NoSuchEntityException,
    ServiceError,
    ValidationException,
)
from strongroom.identity.records import Group, Role
from strongroom.names import Arn, group_arn, role_arn
from strongroom.operations.authorize import authorize
from strongroom.operations.iam import attachments, managed_policies, simulation, users
from strongroom.ports import GROUPS, ROLES, USERS
from support.identity_room import IdentityRoom
from support.key_room import ACCOUNT, NOON, OTHER_ACCOUNT, allow, deny, for_principal, policy

BOB = f"arn:aws:iam::{ACCOUNT}:user/bob"
READ = "secretsmanager:GetSecretValue"
SECRET = f"arn:aws:secretsmanager:eu-central-1:{ACCOUNT}:secret:prod/db-AbCdEf"
THEIRS = SECRET.replace(ACCOUNT, OTHER_ACCOUNT)
KEY = f"arn:aws:kms:eu-central-1:{ACCOUNT}:key/1234"
CUSTOM, PRINCIPAL = simulation.SIMULATE_CUSTOM_POLICY, simulation.SIMULATE_PRINCIPAL_POLICY


@pytest.fixture
def room() -> IdentityRoom:
    return IdentityRoom()


def results(room: IdentityRoom, operation: Any, **request: Any) -> list[dict[str, Any]]:
    answered = room.run(operation, request)
    assert answered["IsTruncated"] is False
    found: list[dict[str, Any]] = answered["EvaluationResults"]
    return found


def custom(room: IdentityRoom, *policies: str, action: str = READ, **request: Any) -> dict[str, Any]:
    (found,) = results(room, CUSTOM, PolicyInputList=list(policies), ActionNames=[action], **request)
    return found


def principal(room: IdentityRoom, source: str = BOB, action: str = READ, **request: Any) -> dict[str, Any]:
    (found,) = results(room, PRINCIPAL, PolicySourceArn=source, ActionNames=[action], **request)
    return found


def refused(error: type[ServiceError], room: IdentityRoom, operation: Any, **request: Any) -> str:
    before = room.unit.state()
    caller = request.pop("principal", None)
    with pytest.raises(error) as caught:
        room.run(operation, request, principal=caller)
    assert room.unit.state() == before
    return caught.value.message


def entry(name: str, *values: str) -> dict[str, Any]:
    return {"ContextKeyName": name, "ContextKeyValues": list(values), "ContextKeyType": "string"}


def test_allowed_denied_and_neither(room: IdentityRoom) -> None:
    document = (
        '{"Version": "2012-10-17", "Statement": [\n'
        f'  {{"Effect": "Allow", "Action": "{READ}", "Resource": "*"}},\n'
        f'  {{"Effect": "Deny", "Action": "*", "Resource": "{THEIRS}"}}\n'
        "]}"
    )
    found = results(
        room,
        CUSTOM,
        PolicyInputList=[document],
        ActionNames=[READ, "kms:Decrypt"],
        ResourceArns=[SECRET, THEIRS],
        ResourceOwner=f"arn:aws:iam::{ACCOUNT}:root",
    )
    assert [(each["EvalActionName"], each["EvalResourceName"], each["EvalDecision"]) for each in found] == [
        # Across accounts the identity policy alone does not allow.
        (READ, SECRET, "allowed"),
        (READ, THEIRS, "explicitDeny"),
        ("kms:Decrypt", SECRET, "implicitDeny"),
        ("kms:Decrypt", THEIRS, "explicitDeny"),
    ]
    matched = {
        "SourcePolicyId": "PolicyInputList.1",
        "SourcePolicyType": "none",
        "StartPosition": {"Line": 2, "Column": 3},
        "EndPosition": {"Line": 2, "Column": document.split("\n")[1].index("},") + 2},
    }
    assert found[0] == {
        "EvalActionName": READ,
        "EvalResourceName": SECRET,
        "EvalDecision": "allowed",
        "MatchedStatements": [matched],
        "MissingContextValues": [],
        "ResourceSpecificResults": [
            {
                "EvalResourceName": SECRET,
                "EvalResourceDecision": "allowed",
                "MatchedStatements": [matched],
                "MissingContextValues": [],
            }
        ],
    }
    assert found[1]["MatchedStatements"][0]["StartPosition"] == {"Line": 3, "Column": 3}
    assert found[2]["MatchedStatements"] == []


def test_without_resources_everything_is_meant(room: IdentityRoom) -> None:
    found = custom(room, policy(allow(READ)))
    assert (found["EvalResourceName"], found["EvalDecision"]) == ("*", "allowed")
    assert "ResourceSpecificResults" not in found


def test_of_no_actions_there_are_no_results(room: IdentityRoom) -> None:
    assert results(room, CUSTOM, PolicyInputList=[], ActionNames=[]) == []


def test_context_decides_and_what_is_missing_is_named(room: IdentityRoom) -> None:
    document = policy(
        allow(
            READ,
            resource="arn:aws:secretsmanager:*:*:secret:${aws:PrincipalTag/Team}/*",
            Condition={
                "IpAddress": {"aws:SourceIp": "10.0.0.0/8"},
                "Null": {"aws:MultiFactorAuthAge": "false"},
            },
        ),
        allow("kms:*", Condition={"StringEquals": {"kms:ViaService": "x"}}),
    )
    found = custom(room, document, ResourceArns=[SECRET])
    assert found["EvalDecision"] == "implicitDeny"
    assert found["MissingContextValues"] == [
        "aws:MultiFactorAuthAge",
        "aws:PrincipalTag/Team",
        "aws:SourceIp",
    ]
    entries = [
        entry("AWS:sourceip", "10.1.2.3"),
        entry("aws:PrincipalTag/Team", "prod"),
        entry("aws:MultiFactorAuthAge", "1"),
    ]
    found = custom(room, document, ResourceArns=[SECRET], ContextEntries=entries)
    assert (found["EvalDecision"], found["MissingContextValues"]) == ("allowed", [])
    entries[0] = entry("aws:SourceIp", "11.1.2.3")
    assert (
        custom(room, document, ResourceArns=[SECRET], ContextEntries=entries)["EvalDecision"]
        == "implicitDeny"
    )


def test_keys_with_several_values(room: IdentityRoom) -> None:
    condition = {"ForAllValues:StringEquals": {"aws:TagKeys": ["a", "b"]}, "Null": {"aws:TagKeys": "false"}}
    document = policy(allow("secretsmanager:TagResource", Condition=condition))
    for keys, expected in ((("a", "b"), "allowed"), (("a", "c"), "implicitDeny"), ((), "implicitDeny")):
        found = custom(
            room,
            document,
            action="secretsmanager:TagResource",
            ContextEntries=[{**entry("aws:TagKeys", *keys), "ContextKeyType": "stringList"}],
        )
        assert found["EvalDecision"] == expected


def test_a_boundary_limits(room: IdentityRoom) -> None:
    wide = policy(allow("*"))
    found = custom(room, wide, PermissionsBoundaryPolicyInputList=[policy(allow("kms:*"))])
    assert found["EvalDecision"] == "implicitDeny"
    assert found["PermissionsBoundaryDecisionDetail"] == {"AllowedByPermissionsBoundary": False}
    found = custom(room, wide, PermissionsBoundaryPolicyInputList=[policy(allow("secretsmanager:*"))])
    assert found["EvalDecision"] == "allowed"
    assert found["PermissionsBoundaryDecisionDetail"] == {"AllowedByPermissionsBoundary": True}
    ids = [each["SourcePolicyId"] for each in found["MatchedStatements"]]
    assert ids == ["PolicyInputList.1", "PermissionsBoundaryPolicyInputList.1"]
    message = refused(
        InvalidInputException,
        room,
        CUSTOM,
        PolicyInputList=[wide],
        ActionNames=[READ],
        PermissionsBoundaryPolicyInputList=[wide, wide],
    )
    assert message == "PermissionsBoundaryPolicyInputList can hold one policy at most."


def test_a_resource_policy_counts_for_the_caller(room: IdentityRoom) -> None:
    nothing, names_bob = policy(allow("iam:GetUser")), policy(for_principal(BOB, READ))
    found = custom(room, nothing, ResourceArns=[SECRET], ResourcePolicy=names_bob, CallerArn=BOB)
    assert found["EvalDecision"] == "allowed"
    assert [each["SourcePolicyId"] for each in found["MatchedStatements"]] == ["ResourcePolicy"]
    assert found["MatchedStatements"][0]["SourcePolicyType"] == "resource"
    kate = BOB.replace("bob", "kate")
    found = custom(room, nothing, ResourceArns=[SECRET], ResourcePolicy=names_bob, CallerArn=kate)
    assert found["EvalDecision"] == "implicitDeny"
    message = refused(
        InvalidInputException,
        room,
        CUSTOM,
        PolicyInputList=[nothing],
        ActionNames=[READ],
        ResourcePolicy=names_bob,
    )
    assert message == "A ResourcePolicy needs a CallerArn, unless PolicySourceArn is a user or role."


def test_across_accounts_both_must_allow(room: IdentityRoom) -> None:
    names_bob, read = policy(for_principal(BOB, READ)), policy(allow(READ))
    more = {"ResourceArns": [THEIRS], "CallerArn": BOB}
    assert custom(room, read, **more)["EvalDecision"] == "implicitDeny"
    assert (
        custom(room, policy(allow("iam:GetUser")), ResourcePolicy=names_bob, **more)["EvalDecision"]
        == "implicitDeny"
    )
    assert custom(room, read, ResourcePolicy=names_bob, **more)["EvalDecision"] == "allowed"
    # ResourceOwner says whose a resource is whose ARN does not.
    found = custom(
        room, read, CallerArn=BOB, ResourceOwner=OTHER_ACCOUNT, ResourceArns=["arn:aws:s3:::bucket"]
    )
    assert found["EvalDecision"] == "implicitDeny"


def test_a_key_policy_decides_first(room: IdentityRoom) -> None:
    decrypt = policy(allow("kms:Decrypt"))
    more = {"action": "kms:Decrypt", "ResourceArns": [KEY], "CallerArn": BOB}
    for names, expected in ((f"arn:aws:iam::{ACCOUNT}:root", "allowed"), (BOB + "by", "implicitDeny")):
        found = custom(room, decrypt, ResourcePolicy=policy(for_principal(names, "kms:*")), **more)
        assert found["EvalDecision"] == expected


def test_policies_of_a_user(room: IdentityRoom) -> None:
    room.user("bob", allow("iam:GetUser"))
    room.user("helper")
    made = room.run(
        managed_policies.CREATE_POLICY, {"PolicyName": "p", "PolicyDocument": policy(allow(READ))}
    )
    arn = made["Policy"]["Arn"]
    group = Group(
        group_id="AGPASTAFF00000000000",
        group_name="staff",
        path="/",
        arn=group_arn(ACCOUNT, "/", "staff"),
        account_id=ACCOUNT,
        created_at=NOON,
        policies={"no": policy(deny(READ, resource=THEIRS))},
        attached=(Arn("arn:aws:iam::aws:policy/IAMReadOnlyAccess"),),
    )
    room.unit.save(GROUPS, group)
    room.unit.save(USERS, msgspec.structs.replace(room.found("bob"), group_ids=(group.group_id,)))
    assert principal(room)["EvalDecision"] == "implicitDeny"
    room.run(attachments.ATTACH_USER_POLICY, {"UserName": "bob", "PolicyArn": arn})
    by: dict[tuple[str, str], Any] = {}
    for action, resource in ((READ, SECRET), (READ, THEIRS), ("iam:ListUsers", "*"), ("iam:GetUser", BOB)):
        found = principal(room, action=action, ResourceArns=[resource])
        matched = [(each["SourcePolicyId"], each["SourcePolicyType"]) for each in found["MatchedStatements"]]
        by[action, resource] = (found["EvalDecision"], matched)
    assert by == {
        (READ, SECRET): ("allowed", [("p", "user-managed")]),
        (READ, THEIRS): ("explicitDeny", [("group_staff_no", "group")]),
        ("iam:ListUsers", "*"): ("allowed", [("IAMReadOnlyAccess", "aws-managed")]),
        ("iam:GetUser", BOB): (
            "allowed",
            [("user_bob_inline", "user"), ("IAMReadOnlyAccess", "aws-managed")],
        ),
    }
    # The group by itself, and what the user would have without it or with more.
    assert principal(room, group.arn, "iam:ListUsers")["EvalDecision"] == "allowed"
    assert principal(room, group.arn)["EvalDecision"] == "implicitDeny"
    excluded = [
        {"PolicyType": "user-managed", "PolicyArn": arn},
        {
            "PolicyType": "inline",
            "InlinePolicyIdentifier": {
                "PolicyName": "no",
                "AttachmentType": "group",
                "AttachmentName": "staff",
            },
        },
    ]
    found = principal(room, ResourceArns=[THEIRS], PolicyExclusionList=excluded)
    assert found["EvalDecision"] == "implicitDeny"
    found = principal(room, action="kms:Decrypt", PolicyInputList=[policy(allow("kms:*"))])
    assert [each["SourcePolicyId"] for each in found["MatchedStatements"]] == ["PolicyInputList.1"]


def test_a_users_own_boundary_and_context(room: IdentityRoom) -> None:
    own = allow(READ, resource="arn:aws:secretsmanager:*:*:secret:${aws:username}-*")
    room.user("bob", own)
    secret = f"arn:aws:secretsmanager:eu-central-1:{ACCOUNT}:secret:bob-AbCdEf"
    assert principal(room, ResourceArns=[secret])["EvalDecision"] == "allowed"
    boundary = "arn:aws:iam::aws:policy/IAMFullAccess"
    room.unit.save(USERS, msgspec.structs.replace(room.found("bob"), boundary=Arn(boundary)))
    found = principal(room, ResourceArns=[secret])
    assert found["EvalDecision"] == "implicitDeny"
    assert found["PermissionsBoundaryDecisionDetail"] == {"AllowedByPermissionsBoundary": False}
    without = [{"PolicyType": "permission-boundary", "PolicyArn": boundary}]
    found = principal(room, ResourceArns=[secret], PolicyExclusionList=without)
    assert found["EvalDecision"] == "allowed"
    instead = [policy(allow("*"))]
    found = principal(room, ResourceArns=[secret], PermissionsBoundaryPolicyInputList=instead)
    assert found["EvalDecision"] == "allowed"
    # Another caller with this user's policies.
    room.user("kate")
    found = principal(room, ResourceArns=[secret], CallerArn=BOB.replace("bob", "kate"))
    assert found["EvalDecision"] == "implicitDeny"


def test_policies_of_a_role(room: IdentityRoom) -> None:
    role = Role(
        role_id="AROADEPLOY0000000000",
        role_name="deploy",
        path="/ci/",
        arn=role_arn(ACCOUNT, "/ci/", "deploy"),
        account_id=ACCOUNT,
        created_at=NOON,
        trust_policy="{}",
        policies={
            "read": policy(
                allow(
                    READ, Condition={"ArnEquals": {"aws:PrincipalArn": role_arn(ACCOUNT, "/ci/", "deploy")}}
                )
            )
        },
        tags={"team": "red"},
    )
    room.unit.save(ROLES, role)
    found = principal(room, role.arn)
    assert found["EvalDecision"] == "allowed"
    assert found["MatchedStatements"][0]["SourcePolicyId"] == "role_deploy_read"
    names_role = policy(for_principal(role.arn, "kms:Decrypt"))
    found = principal(room, role.arn, "kms:Decrypt", ResourceArns=[KEY], ResourcePolicy=names_role)
    assert found["EvalDecision"] == "allowed"


def test_a_simulation_agrees_with_the_call(room: IdentityRoom) -> None:
    """What is said to be allowed is, and what is said to be denied is not."""
    room.user("kate")
    statements = [allow("iam:*"), deny("iam:GetUser", resource="arn:aws:iam::*:user/k*")]
    bob = room.user("bob", *statements)
    for name in ("bob", "kate"):
        resource = f"arn:aws:iam::{ACCOUNT}:user/{name}"
        said = principal(room, action="iam:GetUser", ResourceArns=[resource])["EvalDecision"]
        try:
            room.run(users.GET_USER, {"UserName": name}, principal=bob)
            done = "allowed"
        except AccessDeniedException:
            done = "explicitDeny"
        assert said == done


def test_results_come_in_pages(room: IdentityRoom) -> None:
    request = {
        "PolicyInputList": [policy(allow(READ))],
        "ActionNames": [READ, "kms:Decrypt", "kms:Encrypt"],
        "ResourceArns": [SECRET, KEY],
    }
    seen: list[tuple[str, str]] = []
    marker: dict[str, str] = {}
    for size in (4, 2):
        page = room.run(CUSTOM, {**request, "MaxItems": 4, **marker})
        assert len(page["EvaluationResults"]) == size
        seen += [(each["EvalActionName"], each["EvalResourceName"]) for each in page["EvaluationResults"]]
        marker = {"Marker": page["Marker"]} if page["IsTruncated"] else {}
    assert marker == {}
    assert seen == [(action, arn) for action in request["ActionNames"] for arn in request["ResourceArns"]]
    for marker_of_others in ("x", "MTpib2I="):
        message = refused(ValidationException, room, CUSTOM, **request, Marker=marker_of_others)
        assert message == "Invalid Marker."


@pytest.mark.parametrize(
    ("request_members", "message"),
    [
        ({"PolicyInputList": ["{"]}, "This policy contains invalid Json"),
        (
            {"PolicyInputList": [policy(for_principal(BOB, READ))]},
            "Policy document should not specify a principal.",
        ),
        (
            {"ActionNames": ["secretsmanager:*"]},
            "secretsmanager:* is not the name of an action, such as secretsmanager:GetSecretValue.",
        ),
        (
            {"ActionNames": ["GetSecretValue"]},
            "GetSecretValue is not the name of an action, such as secretsmanager:GetSecretValue.",
        ),
        ({"CallerArn": "bob"}, "Invalid Entity Arn: bob does not clearly define entity type and name."),
        (
            {"CallerArn": f"arn:aws:iam::{ACCOUNT}:role/x"},
            f"Invalid Entity Arn: arn:aws:iam::{ACCOUNT}:role/x does not clearly define entity type and name.",
        ),
        ({"ResourceOwner": "me"}, "ResourceOwner must be an account id or the ARN of an account."),
        ({"ResourcePolicy": policy(allow(READ)), "CallerArn": BOB}, "Syntax errors in policy."),
        (
            {"OrderedOrganizationPolicyInputList": [{"ServiceControlPolicyInputList": [policy(allow("*"))]}]},
            "Policies of organizations are not supported here.",
        ),
    ],
)
def test_what_cannot_be_simulated(room: IdentityRoom, request_members: Any, message: str) -> None:
    request = {"PolicyInputList": [policy(allow(READ))], "ActionNames": [READ], **request_members}
    assert refused(InvalidInputException, room, CUSTOM, **request) == message


@pytest.mark.parametrize("operation", [PRINCIPAL, simulation.GET_CONTEXT_KEYS_FOR_PRINCIPAL_POLICY])
def test_an_entity_that_is_not_there(room: IdentityRoom, operation: Any) -> None:
    room.user("carol", account_id=OTHER_ACCOUNT)
    more = {"ActionNames": [READ]} if operation is PRINCIPAL else {}
    for kind, name in (("user", "bob"), ("role", "bob"), ("group", "bob")):
        arn = f"arn:aws:iam::{ACCOUNT}:{kind}/{name}"
        message = refused(NoSuchEntityException, room, operation, PolicySourceArn=arn, **more)
        assert message == f"The {kind} with name bob cannot be found."
    room.user("bob")
    for arn in (f"arn:aws:iam::{OTHER_ACCOUNT}:user/carol", f"arn:aws:iam::{ACCOUNT}:user/path/bob"):
        refused(NoSuchEntityException, room, operation, PolicySourceArn=arn, **more)
    for arn in (f"arn:aws:iam::{ACCOUNT}:root", f"arn:aws:sts::{ACCOUNT}:assumed-role/a/b", "x" * 20):
        message = refused(InvalidInputException, room, operation, PolicySourceArn=arn, **more)
        assert message == f"Invalid Entity Arn: {arn} does not clearly define entity type and name."


def test_context_keys(room: IdentityRoom) -> None:
    condition = {"StringEquals": {"aws:RequestedRegion": "${aws:PrincipalTag/Home}", "AWS:userid": "x"}}
    document = policy(
        allow(
            READ, resource="arn:aws:secretsmanager:*:*:secret:${aws:username, 'none'}*", Condition=condition
        ),
        deny("kms:*", Condition={"Bool": {"aws:requestedregion": "true"}}),
    )
    names = ["aws:RequestedRegion", "AWS:userid", "aws:PrincipalTag/Home", "aws:username"]
    asked = {"PolicyInputList": [document]}
    found = room.run(simulation.GET_CONTEXT_KEYS_FOR_CUSTOM_POLICY, asked)
    assert sorted(found["ContextKeyNames"]) == sorted(names)
    room.user("bob", allow("iam:*", Condition={"Null": {"aws:SourceVpce": "true"}}))
    operation = simulation.GET_CONTEXT_KEYS_FOR_PRINCIPAL_POLICY
    assert room.run(operation, {"PolicySourceArn": BOB})["ContextKeyNames"] == ["aws:SourceVpce"]
    both = room.run(operation, {"PolicySourceArn": BOB, **asked})["ContextKeyNames"]
    assert sorted(both) == sorted([*names, "aws:SourceVpce"])
    message = refused(
        InvalidInputException, room, simulation.GET_CONTEXT_KEYS_FOR_CUSTOM_POLICY, PolicyInputList=["[]"]
    )
    assert message == "Syntax errors in policy."


def test_without_variables_nothing_is_a_key(room: IdentityRoom) -> None:
    document = json.dumps(
        {"Statement": [allow(READ, resource="arn:aws:secretsmanager:*:*:secret:${aws:username}")]}
    )
    found = room.run(simulation.GET_CONTEXT_KEYS_FOR_CUSTOM_POLICY, {"PolicyInputList": [document]})
    assert found["ContextKeyNames"] == []


def test_who_may_simulate(room: IdentityRoom) -> None:
    room.user("bob")
    eve = room.user("eve", allow("iam:Simulate*", "iam:GetContextKeys*", resource=BOB + "by"))
    for operation, more in (
        (PRINCIPAL, {"PolicySourceArn": BOB, "ActionNames": [READ]}),
        (simulation.GET_CONTEXT_KEYS_FOR_PRINCIPAL_POLICY, {"PolicySourceArn": BOB}),
        (CUSTOM, {"PolicyInputList": [policy(allow(READ))], "ActionNames": [READ]}),
        (simulation.GET_CONTEXT_KEYS_FOR_CUSTOM_POLICY, {"PolicyInputList": [policy(allow(READ))]}),
    ):
        resource = more.get("PolicySourceArn", "*")
        assert refused(AccessDeniedException, room, operation, principal=eve, **more) == (
            f"User: {eve.arn} is not authorized to perform: {operation.action} on resource: {resource} "
            f"because no identity-based policy allows the {operation.action} action"
        )


LONG = "The policies of a request can have 131,072 characters, taken together."


@pytest.mark.parametrize("operation", [CUSTOM, simulation.GET_CONTEXT_KEYS_FOR_CUSTOM_POLICY])
def test_policies_of_a_request_are_bounded_together(room: IdentityRoom, operation: Any) -> None:
    half = policy(*(allow(READ, resource=SECRET) for _ in range(10)))
    half += " " * (131_072 // 2 - len(half))
    request: dict[str, Any] = {"PolicyInputList": [half, half]}
    if operation is CUSTOM:
        request["ActionNames"] = [READ]
        assert (
            refused(InvalidInputException, room, operation, **request, ResourcePolicy="x", CallerArn=BOB)
            == LONG
        )
        more = {"PermissionsBoundaryPolicyInputList": ["x"]}
        assert refused(InvalidInputException, room, operation, **request, **more) == LONG
    room.run(operation, request)
    request["PolicyInputList"].append("x")
    assert refused(InvalidInputException, room, operation, **request) == LONG


def test_simulations_are_worked_out_before_the_handler_runs(room: IdentityRoom) -> None:
    """On a worker thread, where there is one: the handler only hands out what was found."""
    request = {"PolicyInputList": [policy(allow(READ))], "ActionNames": [READ]}
    call = room.call("SimulateCustomPolicy", request)
    authorized = authorize(call, room.unit, CUSTOM.targets(call, room.unit))
    assert CUSTOM.prepare is not None
    work = CUSTOM.prepare(authorized, room.unit)
    assert work is not None
    found = work()
    handed = CUSTOM.handle(
        msgspec.structs.replace(authorized, call=msgspec.structs.replace(call, prepared=found)), room.unit
    )
    assert handed is found


def test_very_many_statements_make_shorter_pages_and_lose_no_result(
    room: IdentityRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(simulation, "MAX_MATCHES", 30)
    document = policy(*(allow(READ, resource=SECRET) for _ in range(10)))
    actions = [f"secretsmanager:Get{number}" for number in range(8)]
    request: dict[str, Any] = {"PolicyInputList": [document], "ActionNames": actions}
    seen: list[str] = []
    while True:
        answered = room.run(CUSTOM, request)
        assert len(answered["EvaluationResults"]) <= 3
        seen += [each["EvalActionName"] for each in answered["EvaluationResults"]]
        if not answered["IsTruncated"]:
            break
        request["Marker"] = answered["Marker"]
    assert seen == actions

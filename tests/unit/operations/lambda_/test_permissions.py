"""The resource policies of functions: statements come and go, and authorize."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec.structs import replace

from strongroom.errors import (
    AccessDeniedException,
    InvalidParameterValueException,
    PolicyLengthExceededException,
    PreconditionFailedException,
    ResourceConflictException,
    ResourceNotFoundException,
    ServiceError,
)
from strongroom.operations.lambda_ import permissions
from strongroom.operations.lambda_.aliases import CREATE_ALIAS, DELETE_ALIAS
from strongroom.operations.lambda_.functions import GET_FUNCTION
from strongroom.operations.lambda_.permissions import ADD_PERMISSION, GET_POLICY, REMOVE_PERMISSION
from strongroom.operations.lambda_.policies import may_invoke
from strongroom.ports import FUNCTION_POLICIES, USERS
from support.key_room import ACCOUNT, OTHER_ACCOUNT, allow
from support.lambda_room import FunctionRoom

ARN = f"arn:aws:lambda:eu-central-1:{ACCOUNT}:function:rotate"
SECRET = f"arn:aws:secretsmanager:eu-central-1:{ACCOUNT}:secret:db-AbCdEf"
NAMED = {"FunctionName": "rotate"}
ROTATION = {
    **NAMED,
    "StatementId": "rotation",
    "Action": "lambda:InvokeFunction",
    "Principal": "secretsmanager.amazonaws.com",
}


@pytest.fixture
def room() -> FunctionRoom:
    room = FunctionRoom()
    room.created()
    return room


def test_secrets_manager_is_let_in_and_out_again(room: FunctionRoom) -> None:
    added = room.run(ADD_PERMISSION, {**ROTATION, "SourceAccount": ACCOUNT, "SourceArn": SECRET})
    statement = {
        "Sid": "rotation",
        "Effect": "Allow",
        "Principal": {"Service": "secretsmanager.amazonaws.com"},
        "Action": "lambda:InvokeFunction",
        "Resource": ARN,
        "Condition": {
            "StringEquals": {"AWS:SourceAccount": ACCOUNT},
            "ArnLike": {"AWS:SourceArn": SECRET},
        },
    }
    assert json.loads(added["Statement"]) == statement
    shown = room.run(GET_POLICY, NAMED)
    assert json.loads(shown["Policy"]) == {"Version": "2012-10-17", "Id": "default", "Statement": [statement]}
    assert may_invoke(room.unit, ARN, SECRET, ACCOUNT)
    assert not may_invoke(room.unit, ARN, SECRET, OTHER_ACCOUNT)
    removal = {**NAMED, "StatementId": "rotation", "RevisionId": shown["RevisionId"]}
    room.run(REMOVE_PERMISSION, removal)
    assert not may_invoke(room.unit, ARN, SECRET, ACCOUNT)
    assert room.refused(ResourceNotFoundException, GET_POLICY, NAMED) == (
        "The resource you requested does not exist."
    )


@pytest.mark.parametrize(
    ("principal", "element"),
    [
        (OTHER_ACCOUNT, {"AWS": f"arn:aws:iam::{OTHER_ACCOUNT}:root"}),
        (f"arn:aws:iam::{OTHER_ACCOUNT}:root", {"AWS": f"arn:aws:iam::{OTHER_ACCOUNT}:root"}),
        ("s3.amazonaws.com", {"Service": "s3.amazonaws.com"}),
        ("*", "*"),
    ],
)
def test_principals_are_written_as_lambda_writes_them(
    room: FunctionRoom, principal: str, element: Any
) -> None:
    added = room.run(ADD_PERMISSION, {**ROTATION, "Principal": principal})
    assert json.loads(added["Statement"])["Principal"] == element


@pytest.mark.parametrize(
    ("more", "error", "message"),
    [
        (
            {"StatementId": "first"},
            ResourceConflictException,
            "The statement id (first) provided already exists. Please provide a new statement id, or remove "
            "the existing statement.",
        ),
        (
            {"Principal": "999999999999"},
            InvalidParameterValueException,
            "The provided principal was invalid. Please check the principal and try again.",
        ),
        (
            {"Principal": f"arn:aws:iam::{ACCOUNT}:user/nobody"},
            InvalidParameterValueException,
            "The provided principal was invalid. Please check the principal and try again.",
        ),
        (
            {"Principal": "secretsmanager"},
            InvalidParameterValueException,
            "The provided principal was invalid. Please check the principal and try again.",
        ),
        (
            {"PrincipalOrgID": "o-1234567890"},
            InvalidParameterValueException,
            "PrincipalOrgID is not supported here.",
        ),
        (
            {"EventSourceToken": "abc"},
            InvalidParameterValueException,
            "EventSourceToken is not supported here.",
        ),
        (
            {"Qualifier": "$LATEST"},
            InvalidParameterValueException,
            "We currently do not support adding policies for $LATEST.",
        ),
        (
            {"RevisionId": "x"},
            PreconditionFailedException,
            "The Revision Id provided does not match the latest Revision Id. "
            "Call the GetPolicy API to retrieve the latest Revision Id",
        ),
        (
            {"FunctionName": "nobody"},
            ResourceNotFoundException,
            f"Function not found: {ARN.replace('rotate', 'nobody')}",
        ),
        ({"Qualifier": "live"}, ResourceNotFoundException, f"Function not found: {ARN}:live"),
    ],
)
def test_refused_statements(
    room: FunctionRoom, more: dict[str, Any], error: type[ServiceError], message: str
) -> None:
    room.run(ADD_PERMISSION, {**ROTATION, "StatementId": "first"})
    assert room.refused(error, ADD_PERMISSION, {**ROTATION, "StatementId": "next", **more}) == message


def test_a_statement_that_is_not_there_cannot_be_removed(room: FunctionRoom) -> None:
    gone = {**NAMED, "StatementId": "gone"}
    assert room.refused(ResourceNotFoundException, REMOVE_PERMISSION, gone) == (
        "The resource you requested does not exist."
    )
    room.run(ADD_PERMISSION, ROTATION)
    assert room.refused(ResourceNotFoundException, REMOVE_PERMISSION, gone) == (
        "Statement gone is not found in resource policy."
    )
    assert "Call the GetPolicy API" in room.refused(
        PreconditionFailedException,
        REMOVE_PERMISSION,
        {**NAMED, "StatementId": "rotation", "RevisionId": "x"},
    )


def test_one_statement_goes_and_the_others_stay(room: FunctionRoom) -> None:
    for sid in ("a", "b", "c"):
        room.run(ADD_PERMISSION, {**ROTATION, "StatementId": sid})
    room.run(REMOVE_PERMISSION, {**NAMED, "StatementId": "b"})
    policy = json.loads(room.run(GET_POLICY, NAMED)["Policy"])
    assert [each["Sid"] for each in policy["Statement"]] == ["a", "c"]


def test_a_policy_has_a_greatest_size(room: FunctionRoom, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(permissions, "MAXIMUM_BYTES", 300)
    room.run(ADD_PERMISSION, ROTATION)
    told = room.refused(PolicyLengthExceededException, ADD_PERMISSION, {**ROTATION, "StatementId": "more"})
    assert told.startswith("The final policy size (")
    assert told.endswith(") is bigger than the limit (300).")


def test_an_alias_has_its_own_policy_which_goes_with_it(room: FunctionRoom) -> None:
    live = {**NAMED, "Name": "live"}
    room.run(CREATE_ALIAS, {**live, "FunctionVersion": "$LATEST"})
    added = room.run(ADD_PERMISSION, {**ROTATION, "Qualifier": "live"})
    assert json.loads(added["Statement"])["Resource"] == f"{ARN}:live"
    assert may_invoke(room.unit, f"{ARN}:live", SECRET, ACCOUNT)
    assert not may_invoke(room.unit, ARN, SECRET, ACCOUNT)
    room.refused(ResourceNotFoundException, GET_POLICY, NAMED)
    assert "Policy" in room.run(GET_POLICY, {**NAMED, "Qualifier": "live"})
    room.run(DELETE_ALIAS, live)
    assert room.unit.scan(FUNCTION_POLICIES, ARN) == []


def test_another_account_is_let_in_where_both_sides_allow_it(room: FunctionRoom) -> None:
    frank = room.user("frank", allow("lambda:GetFunction"), account_id=OTHER_ACCOUNT)
    told = room.refused(AccessDeniedException, GET_FUNCTION, {"FunctionName": ARN}, principal=frank)
    assert told == (f"User: {frank.arn} is not authorized to perform: lambda:GetFunction on resource: {ARN}")
    room.run(
        ADD_PERMISSION,
        {**NAMED, "StatementId": "s", "Action": "lambda:GetFunction", "Principal": OTHER_ACCOUNT},
    )
    assert (
        room.run(GET_FUNCTION, {"FunctionName": ARN}, principal=frank)["Configuration"]["FunctionArn"] == ARN
    )
    nobody = room.user("nobody", account_id=OTHER_ACCOUNT)
    room.refused(AccessDeniedException, GET_FUNCTION, {"FunctionName": ARN}, principal=nobody)


def test_a_user_made_again_is_another(room: FunctionRoom) -> None:
    carol = room.user("carol")
    room.run(
        ADD_PERMISSION, {**NAMED, "StatementId": "s", "Action": "lambda:GetFunction", "Principal": carol.arn}
    )
    room.run(GET_FUNCTION, NAMED, principal=carol)
    assert json.loads(room.run(GET_POLICY, NAMED)["Policy"])["Statement"][0]["Principal"] == {
        "AWS": carol.arn
    }
    room.unit.delete(USERS, ACCOUNT, carol.principal_id)
    again = room.user("carol2")
    record = room.unit.find(USERS, ACCOUNT, again.principal_id)
    assert record is not None
    room.unit.save(USERS, replace(record, user_name="carol", arn=carol.arn))
    shown = json.loads(room.run(GET_POLICY, NAMED)["Policy"])["Statement"][0]["Principal"]
    assert shown == {"AWS": carol.principal_id}


def test_policies_see_whom_a_permission_is_for(room: FunctionRoom) -> None:
    condition = {"StringEquals": {"lambda:Principal": "secretsmanager.amazonaws.com"}}
    carol = room.user("carol", allow("lambda:AddPermission", Condition=condition))
    room.run(ADD_PERMISSION, ROTATION, principal=carol)
    room.refused(
        AccessDeniedException,
        ADD_PERMISSION,
        {**ROTATION, "StatementId": "x", "Principal": "*"},
        principal=carol,
    )

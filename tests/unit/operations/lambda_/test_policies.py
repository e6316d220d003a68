"""Whether Secrets Manager may invoke a function: its own policy decides, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from strongroom.function.records import LATEST, FunctionAlias, FunctionPolicy
from strongroom.operations.lambda_.policies import function_of, may_invoke
from strongroom.ports import FUNCTION_ALIASES, FUNCTION_POLICIES, FUNCTION_VERSIONS
from support.key_room import ACCOUNT, OTHER_ACCOUNT
from support.lambda_room import FunctionRoom, service_may_invoke

SECRET = f"arn:aws:secretsmanager:eu-central-1:{ACCOUNT}:secret:db-AbCdEf"


@pytest.fixture
def room() -> FunctionRoom:
    return FunctionRoom()


@pytest.mark.parametrize(
    ("conditions", "source_account", "allowed"),
    [
        ({}, ACCOUNT, True),
        ({"StringEquals": {"AWS:SourceAccount": ACCOUNT}}, ACCOUNT, True),
        ({"StringEquals": {"AWS:SourceAccount": ACCOUNT}}, OTHER_ACCOUNT, False),
        ({"ArnLike": {"AWS:SourceArn": SECRET}}, ACCOUNT, True),
        ({"ArnLike": {"AWS:SourceArn": SECRET[:-1] + "x"}}, ACCOUNT, False),
    ],
    ids=["no condition", "its account", "another account", "its secret", "another secret"],
)
def test_the_policy_of_a_function_lets_the_service_in(
    room: FunctionRoom, conditions: dict[str, Any], source_account: str, allowed: bool
) -> None:
    function = room.function()
    room.function_policy(function, service_may_invoke(function.function_arn, **conditions))
    assert may_invoke(room.unit, function.function_arn, SECRET, source_account) is allowed


def test_without_a_policy_nobody_is_let_in(room: FunctionRoom) -> None:
    function = room.function()
    assert not may_invoke(room.unit, function.function_arn, SECRET, ACCOUNT)


@pytest.mark.parametrize(
    "change",
    [
        {"Principal": {"Service": "s3.amazonaws.com"}},
        {"Action": "lambda:GetFunction"},
        {"Resource": "arn:aws:lambda:eu-central-1:111122223333:function:other"},
        {"Effect": "Deny"},
        {"Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}},
    ],
    ids=["another service", "another action", "another function", "deny", "the account"],
)
def test_a_policy_for_something_else_does_not_let_the_service_in(
    room: FunctionRoom, change: dict[str, Any]
) -> None:
    function = room.function()
    room.function_policy(function, {**service_may_invoke(function.function_arn), **change})
    assert not may_invoke(room.unit, function.function_arn, SECRET, ACCOUNT)


def test_a_deny_wins_and_a_policy_that_does_not_parse_lets_nobody_in(room: FunctionRoom) -> None:
    function = room.function()
    allow = service_may_invoke(function.function_arn)
    room.function_policy(function, allow, {**allow, "Sid": "no", "Effect": "Deny"})
    assert not may_invoke(room.unit, function.function_arn, SECRET, ACCOUNT)
    broken = FunctionPolicy(
        function_arn=function.function_arn, qualifier=LATEST, document='{"Statement":1}', revision_id="r"
    )
    room.unit.save(FUNCTION_POLICIES, broken)
    assert not may_invoke(room.unit, function.function_arn, SECRET, ACCOUNT)


def test_an_alias_has_a_policy_of_its_own(room: FunctionRoom) -> None:
    function = room.function()
    room.unit.save(FUNCTION_VERSIONS, replace(function, version="1"))
    alias = FunctionAlias(function_arn=function.function_arn, name="live", version="1", revision_id="r")
    room.unit.save(FUNCTION_ALIASES, alias)
    room.function_policy(function, service_may_invoke(function.function_arn))
    assert not may_invoke(room.unit, alias.arn, SECRET, ACCOUNT)
    room.function_policy(function, service_may_invoke(alias.arn), qualifier="live")
    assert may_invoke(room.unit, alias.arn, SECRET, ACCOUNT)
    assert may_invoke(room.unit, function.function_arn, SECRET, ACCOUNT)
    found = function_of(room.unit, alias.arn)
    assert found is not None
    assert found.version == "1"


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:lambda:eu-central-1:111122223333:function:nobody",
        "arn:aws:lambda:us-east-1:111122223333:function:rotate",
        "arn:aws:lambda:eu-central-1:444455556666:function:rotate",
        "arn:aws:lambda:eu-central-1:111122223333:function:rotate:7",
        "arn:aws:lambda:eu-central-1:111122223333:function:rotate:nolabel",
        "arn:aws:sns:eu-central-1:111122223333:function:rotate",
        "rotate",
        "",
    ],
)
def test_a_function_that_is_not_there_lets_nobody_in(room: FunctionRoom, arn: str) -> None:
    function = room.function()
    room.function_policy(function, {**service_may_invoke("*")})
    assert function_of(room.unit, arn) is None
    assert not may_invoke(room.unit, arn, SECRET, ACCOUNT)


def test_a_function_is_found_by_its_arn(room: FunctionRoom) -> None:
    function = room.function()
    assert function_of(room.unit, function.function_arn) == function
    assert function_of(room.unit, f"{function.function_arn}:$LATEST") == function

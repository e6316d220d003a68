"""Invoke: who may, what is run, and what is answered."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from msgspec.structs import replace

from strongroom.errors import (
    AccessDeniedException,
    InvalidParameterValueException,
    InvalidRequestContentException,
    RequestTooLargeException,
    ResourceNotFoundException,
    ServiceError,
    ServiceException,
    TooManyRequestsException,
)
from strongroom.operations.lambda_.aliases import CREATE_ALIAS
from strongroom.operations.lambda_.invocations import INVOKE_FUNCTION
from strongroom.operations.lambda_.permissions import ADD_PERMISSION
from strongroom.operations.lambda_.updates import UPDATE_FUNCTION_CONFIGURATION
from strongroom.operations.lambda_.versions import PUBLISH_VERSION
from strongroom.ports import FUNCTION_VERSIONS, Invocation, InvocationResult
from strongroom.secret.document import FaultKind, FunctionsBusy, RotationFault
from support.key_room import ACCOUNT, OTHER_ACCOUNT, allow
from support.lambda_room import FunctionRoom

ARN = f"arn:aws:lambda:eu-central-1:{ACCOUNT}:function:rotate"
NAMED = {"FunctionName": "rotate"}


@pytest.fixture
def room() -> FunctionRoom:
    room = FunctionRoom()
    room.created()
    return room


def test_the_answer_is_what_the_function_returned(room: FunctionRoom) -> None:
    answered = room.run(INVOKE_FUNCTION, {**NAMED, "Payload": b'{"Step":"createSecret"}'})
    assert answered == {
        "StatusCode": 200,
        "ExecutedVersion": "$LATEST",
        "Payload": b'{"Step":"createSecret"}',
    }
    assert [each.event for each in room.runner.seen] == [b'{"Step":"createSecret"}']


def test_without_a_payload_the_event_is_an_empty_object(room: FunctionRoom) -> None:
    room.run(INVOKE_FUNCTION, NAMED)
    room.run(INVOKE_FUNCTION, {**NAMED, "Payload": b"", "InvocationType": "RequestResponse"})
    assert [each.event for each in room.runner.seen] == [b"{}", b"{}"]


def test_a_failure_of_the_function_is_an_answer(room: FunctionRoom) -> None:
    told = b'{"errorMessage":"no","errorType":"ValueError","stackTrace":[]}'
    room.runner.behave = lambda _: InvocationResult(told, "Unhandled", b"the end of the log")
    answered = room.run(INVOKE_FUNCTION, {**NAMED, "LogType": "Tail"})
    assert answered == {
        "StatusCode": 200,
        "ExecutedVersion": "$LATEST",
        "FunctionError": "Unhandled",
        "LogResult": base64.b64encode(b"the end of the log").decode(),
        "Payload": told,
    }
    assert "LogResult" not in room.run(INVOKE_FUNCTION, {**NAMED, "LogType": "None"})


def test_a_dry_run_runs_nothing(room: FunctionRoom) -> None:
    assert room.run(INVOKE_FUNCTION, {**NAMED, "InvocationType": "DryRun"}) == {"StatusCode": 204}
    assert room.runner.seen == []


def test_versions_and_aliases_run_as_they_were_published(room: FunctionRoom) -> None:
    room.run(PUBLISH_VERSION, NAMED)
    room.run(UPDATE_FUNCTION_CONFIGURATION, {**NAMED, "Timeout": 60})
    room.run(CREATE_ALIAS, {**NAMED, "Name": "live", "FunctionVersion": "1"})
    for named, version, seconds in (
        ({}, "$LATEST", 60),
        ({"Qualifier": "1"}, "1", 3),
        ({"Qualifier": "live"}, "1", 3),
    ):
        assert room.run(INVOKE_FUNCTION, {**NAMED, **named})["ExecutedVersion"] == version
        run = room.runner.seen[-1]
        assert (run.timeout_seconds, run.version) == (seconds, version)
        # It is told as what it was invoked, and which version that is.
        assert run.function_arn == ":".join((ARN, *named.values()))
        assert run.environment["AWS_LAMBDA_FUNCTION_VERSION"] == version


@pytest.mark.parametrize(
    ("more", "error", "message"),
    [
        (
            {"InvocationType": "Event"},
            InvalidParameterValueException,
            "InvocationType Event is not supported here: there are no queues for functions.",
        ),
        (
            {"Payload": b"not JSON"},
            InvalidRequestContentException,
            "Could not parse request body into json: Could not parse payload into json",
        ),
        (
            {"Payload": b"\xff"},
            InvalidRequestContentException,
            "Could not parse request body into json: Could not parse payload into json",
        ),
        (
            {"Payload": b"[" * 100_000},
            InvalidRequestContentException,
            "Could not parse request body into json: Could not parse payload into json",
        ),
        (
            {"Payload": b'"' + b"x" * 6_291_456 + b'"'},
            RequestTooLargeException,
            "Request must be smaller than 6291456 bytes for the InvokeFunction operation",
        ),
        ({"TenantId": "t"}, InvalidParameterValueException, "TenantId is not supported here."),
        (
            {"FunctionName": "nobody"},
            ResourceNotFoundException,
            f"Function not found: {ARN.replace('rotate', 'nobody')}",
        ),
        ({"Qualifier": "live"}, ResourceNotFoundException, f"Function not found: {ARN}:live"),
    ],
)
def test_what_cannot_be_run_is_not_run(
    room: FunctionRoom, more: dict[str, Any], error: type[ServiceError], message: str
) -> None:
    assert room.refused(error, INVOKE_FUNCTION, {**NAMED, **more}) == message
    assert room.runner.seen == []


def test_only_who_may_invoke_runs_it(room: FunctionRoom) -> None:
    carol = room.user("carol", allow("lambda:GetFunction"))
    told = room.refused(AccessDeniedException, INVOKE_FUNCTION, NAMED, principal=carol)
    assert told == (
        f"User: {carol.arn} is not authorized to perform: lambda:InvokeFunction on resource: {ARN} "
        "because no identity-based policy allows the lambda:InvokeFunction action"
    )
    frank = room.user("frank", allow("lambda:InvokeFunction"), account_id=OTHER_ACCOUNT)
    room.refused(AccessDeniedException, INVOKE_FUNCTION, {"FunctionName": ARN}, principal=frank)
    assert room.runner.seen == []
    statement = {"StatementId": "s", "Action": "lambda:InvokeFunction", "Principal": OTHER_ACCOUNT}
    room.run(ADD_PERMISSION, {**NAMED, **statement})
    room.run(INVOKE_FUNCTION, {"FunctionName": ARN}, principal=frank)
    assert len(room.runner.seen) == 1


def test_it_runs_as_its_role_whoever_calls(room: FunctionRoom) -> None:
    carol = room.user("carol", allow("lambda:InvokeFunction"))
    room.run(INVOKE_FUNCTION, NAMED, principal=carol)
    run = room.runner.seen[0]
    known = room.callers.find(room.unit, run.credentials[0], run.credentials[2])
    assert known is not None
    assert known.principal.arn == f"arn:aws:sts::{ACCOUNT}:assumed-role/rotate-role/rotate"


def test_a_function_that_goes_while_it_runs_gives_no_answer(room: FunctionRoom) -> None:
    def vanish(run: Invocation) -> InvocationResult:
        room.unit.delete(FUNCTION_VERSIONS, ARN, "$LATEST")
        return InvocationResult(run.event, None, b"")

    room.runner.behave = vanish
    with pytest.raises(ResourceNotFoundException):
        room.run(INVOKE_FUNCTION, NAMED)


def test_a_server_that_runs_no_functions_says_so(room: FunctionRoom) -> None:
    room.resources = replace(room.resources, functions=None)
    told = room.refused(ServiceException, INVOKE_FUNCTION, NAMED)
    assert told == "This server does not run functions."
    assert room.run(INVOKE_FUNCTION, {**NAMED, "InvocationType": "DryRun"}) == {"StatusCode": 204}


def test_too_many_functions_at_a_time_are_refused_as_by_lambda(room: FunctionRoom) -> None:
    def fail(_: Invocation) -> InvocationResult:
        raise FunctionsBusy(FaultKind.FUNCTION, "too many functions are running")

    room.runner.behave = fail
    assert room.refused(TooManyRequestsException, INVOKE_FUNCTION, NAMED) == "Rate Exceeded."


def test_a_function_that_cannot_be_started_is_a_fault_of_the_service(room: FunctionRoom) -> None:
    def fail(_: Invocation) -> InvocationResult:
        raise RotationFault(FaultKind.FUNCTION, "there is no sandbox")

    room.runner.behave = fail
    assert room.refused(ServiceException, INVOKE_FUNCTION, NAMED) == "The function could not be started."

"""Invoke: a function is run, and its answer given out.

Source: fact sheet rotation section 9; botocore's model of Lambda; texts: `messages`.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from strongroom.errors import (
    InvalidParameterValueException,
    InvalidRequestContentException,
    RequestTooLargeException,
    ServiceException,
    TooManyRequestsException,
)
from strongroom.operations.call import AuthorizedCall, Operation, Unit
from strongroom.operations.lambda_ import messages
from strongroom.operations.lambda_.invoking import invocation_of
from strongroom.operations.lambda_.policies import INVOKE
from strongroom.operations.lambda_.resolution import on_function, present_version, requested
from strongroom.ports import InvocationResult, ReadUnit
from strongroom.secret.document import FunctionsBusy, RotationFault

__all__ = ["INVOKE_FUNCTION"]

MAXIMUM_PAYLOAD: Final = 6_291_456
_EMPTY_EVENT: Final = b"{}"


def _verified_event(request: Mapping[str, Any]) -> bytes:
    """Return the payload of a request.

    Raises:
        InvalidParameterValueException: a way of invoking that is not there.
        RequestTooLargeException: the payload is over 6 MB.
        InvalidRequestContentException: it is not JSON.
    """
    if request.get("InvocationType") == "Event":
        raise InvalidParameterValueException(messages.NO_QUEUE)
    for member in ("DurableExecutionName", "TenantId"):
        if member in request:
            raise InvalidParameterValueException(messages.unsupported(member))
    payload: bytes = request.get("Payload") or _EMPTY_EVENT
    if len(payload) > MAXIMUM_PAYLOAD:
        raise RequestTooLargeException(messages.payload_too_large(MAXIMUM_PAYLOAD))
    try:
        json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise InvalidRequestContentException(messages.NOT_JSON) from error
    return payload


def _is_dry(request: Mapping[str, Any]) -> bool:
    return request.get("InvocationType") == "DryRun"


def _prepare(authorized: AuthorizedCall, unit: ReadUnit) -> Callable[[], InvocationResult] | None:
    """Return the run itself, as a session of the execution role that is made now.

    Raises:
        ResourceNotFoundException: there is no such function, version or alias.
        InvalidParameterValueException: its role cannot be taken any more.
        ServiceException: functions are not run here.
    The run raises:
        ServiceException: the function could not be started.
        TooManyRequestsException: too many are running already.
    """
    call = authorized.call
    event = _verified_event(call.request)
    ref = requested(call)
    function = present_version(unit, ref)
    if _is_dry(call.request):
        return None
    runner = call.resources.functions
    if runner is None:
        raise ServiceException(messages.no_functions(call.resources.no_functions))
    invocation = invocation_of(
        unit,
        call.resources,
        function,
        event,
        call.received_at,
        call.request_id,
        invoked_arn=ref.qualified_arn,
    )

    def run() -> InvocationResult:
        try:
            return runner.invoke(invocation)
        except FunctionsBusy as busy:
            raise TooManyRequestsException(messages.RATE_EXCEEDED) from busy
        except RotationFault as fault:
            raise ServiceException(messages.NOT_STARTED) from fault

    return run


def invoke(authorized: AuthorizedCall, unit: ReadUnit) -> Mapping[str, Any]:
    """Return what the function answered when it was run for this call; nothing for a DryRun.

    Raises:
        ResourceNotFoundException: the function is no longer there.
    """
    call, request = authorized.call, authorized.request
    version = present_version(unit, requested(call))
    if _is_dry(request):
        return {"StatusCode": 204}
    result: InvocationResult = call.prepared
    answer: dict[str, Any] = {
        "StatusCode": 200,
        "ExecutedVersion": version.version,
        "Payload": result.payload,
    }
    if result.function_error is not None:
        answer["FunctionError"] = result.function_error
    if request.get("LogType") == "Tail":
        answer["LogResult"] = base64.b64encode(result.log).decode()
    return answer


INVOKE_FUNCTION = Operation(
    name="Invoke",
    action=INVOKE,
    unit=Unit.READ,
    targets=on_function(INVOKE),
    handle=invoke,
    prepare=_prepare,
    patient=True,
    large=True,
    read_only=False,
    deviations=(
        "InvocationType Event is refused: there are no queues for functions.",
        "A caller whose permission ends while the function runs gets no answer from it.",
        "A worker process runs some functions at a time; further calls wait for a minute, and are then a "
        "TooManyRequestsException, whose Reason is left out.",
        "ClientContext has no effect.",
        "AWS_ENDPOINT_URL leads the function to this server, and so does SECRETS_MANAGER_ENDPOINT unless the "
        "function has one of its own that is not AWS's.",
    ),
)

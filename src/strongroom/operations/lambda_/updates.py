"""UpdateFunctionCode and UpdateFunctionConfiguration: $LATEST becomes another.

Source: botocore's model of Lambda; texts: `messages`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from strongroom.errors import PreconditionFailedException
from strongroom.function.records import FunctionVersion
from strongroom.function.references import FunctionRef
from strongroom.operations.call import AuthorizedCall, Call, Operation, Target, Unit
from strongroom.operations.lambda_ import messages
from strongroom.operations.lambda_.code import SealedCode, save_code
from strongroom.operations.lambda_.configuration import (
    configured,
    layer_context,
    layer_targets,
    new_revision,
    pass_role_target,
    verify_fits_with_layers,
    verify_runnable,
    verify_supported,
)
from strongroom.operations.lambda_.description import described_configuration
from strongroom.operations.lambda_.functions import ENVIRONMENT_TEXT, NOT_SUPPORTED, READY_AT_ONCE, ZIP_RULES
from strongroom.operations.lambda_.quota import verify_room
from strongroom.operations.lambda_.resolution import (
    function_ref,
    function_target,
    present_function,
    present_version,
    unqualified,
)
from strongroom.operations.lambda_.uploads import is_shared, release_code, requested_zip, sealing
from strongroom.operations.lambda_.versions import publish
from strongroom.ports import FUNCTION_VERSIONS, ReadUnit, WriteUnit

__all__ = ["UPDATE_FUNCTION_CODE", "UPDATE_FUNCTION_CONFIGURATION"]


def _named(call: Call) -> FunctionRef:
    return unqualified(function_ref(call, call.request["FunctionName"]))


def verify_revision(request: Mapping[str, Any], current: str) -> None:
    """Raises PreconditionFailedException when the request is about another revision."""
    if request.get("RevisionId", current) != current:
        raise PreconditionFailedException(messages.REVISION_DIFFERS)


def _code_targets(call: Call, unit: ReadUnit) -> Sequence[Target]:
    return (function_target(call, unit, _named(call), "lambda:UpdateFunctionCode"),)


def update_function_code(authorized: AuthorizedCall, unit: WriteUnit) -> Mapping[str, Any]:
    """$LATEST has this code; with Publish it is published, too; with DryRun nothing has changed.

    Raises:
        ResourceNotFoundException: there is no such function.
        PreconditionFailedException: it has another revision than the request names.
        InvalidParameterValueException: the code is no good, or too large together with the layers.
        CodeStorageExceededException: the account's code would be too much.
    """
    call, request = authorized.call, authorized.request
    ref = _named(call)
    function = present_function(authorized.target, ref)
    before = present_version(unit, ref)
    verify_supported(request)
    verify_revision(request, before.revision_id)
    code: SealedCode = call.prepared
    after = _with_code(call, before, code)
    verify_fits_with_layers(unit, after, before.layers)
    _verify_room(call, unit, before, code.size)
    if request.get("DryRun"):
        return described_configuration(unit, call.resources, after)
    save_code(unit, code)
    unit.save(FUNCTION_VERSIONS, after)
    release_code(unit, before)
    if request.get("Publish"):
        after = publish(call, unit, function, after)
    return described_configuration(unit, call.resources, after)


def _verify_room(call: Call, unit: ReadUnit, before: FunctionVersion, size: int) -> None:
    freed = 0 if is_shared(unit, before) else before.code_size
    verify_room(call, unit, before.account_id, before.region, size - freed)


def _with_code(call: Call, before: FunctionVersion, code: SealedCode) -> FunctionVersion:
    return replace(
        before,
        code_id=code.code_id,
        code_sha256=code.sha256,
        code_size=code.size,
        unzipped_size=code.unzipped_size,
        architecture=(call.request.get("Architectures") or [before.architecture])[0],
        modified_at=call.received_at,
        revision_id=new_revision(call.resources.entropy),
    )


_seal = sealing(lambda request: request)


def _prepare_code(authorized: AuthorizedCall, unit: ReadUnit) -> Callable[[], Any] | None:
    ref = _named(authorized.call)
    present_function(authorized.target, ref)
    before = present_version(unit, ref)
    verify_revision(authorized.request, before.revision_id)
    _verify_room(authorized.call, unit, before, len(requested_zip(authorized.request)))
    return _seal(authorized, unit)


def _configuration_targets(call: Call, unit: ReadUnit) -> Sequence[Target]:
    ref, request = _named(call), call.request
    action = "lambda:UpdateFunctionConfiguration"
    targets = [function_target(call, unit, ref, action, layer_context(request))]
    if "Role" in request:
        targets.append(pass_role_target(call, unit, request["Role"], ref.arn))
    return (*targets, *layer_targets(call))


def update_function_configuration(authorized: AuthorizedCall, unit: WriteUnit) -> Mapping[str, Any]:
    """$LATEST is configured as the request says where it says something.

    Raises:
        ResourceNotFoundException: there is no such function.
        PreconditionFailedException: it has another revision than the request names.
        InvalidParameterValueException, ValidationException: as CreateFunction.
    """
    call, request = authorized.call, authorized.request
    ref = _named(call)
    present_function(authorized.target, ref)
    before = present_version(unit, ref)
    verify_supported(request)
    verify_revision(request, before.revision_id)
    after = configured(call, before)
    verify_runnable(unit, after, before.layers)
    unit.save(FUNCTION_VERSIONS, after)
    return described_configuration(unit, call.resources, after)


UPDATE_FUNCTION_CODE = Operation(
    name="UpdateFunctionCode",
    action="lambda:UpdateFunctionCode",
    unit=Unit.WRITE,
    targets=_code_targets,
    handle=update_function_code,
    prepare=_prepare_code,
    large=True,
    read_only=False,
    deviations=(READY_AT_ONCE, "Code comes as ZipFile only.", ZIP_RULES),
)
UPDATE_FUNCTION_CONFIGURATION = Operation(
    name="UpdateFunctionConfiguration",
    action="lambda:UpdateFunctionConfiguration",
    unit=Unit.WRITE,
    targets=_configuration_targets,
    handle=update_function_configuration,
    read_only=False,
    deviations=(READY_AT_ONCE, NOT_SUPPORTED, ENVIRONMENT_TEXT),
)

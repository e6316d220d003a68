"""What a function may be configured as: what CreateFunction and UpdateFunctionConfiguration share.

Sources: Lambda developer guide, "Lambda quotas"; fact sheet rotation section 9.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from msgspec.structs import replace

from strongroom.errors import (
    InvalidParameterValueException,
    ValidationException,
)
from strongroom.function.archive import MAXIMUM_UNZIPPED
from strongroom.function.records import FunctionVersion, LayerVersion
from strongroom.function.references import parse_layer_ref
from strongroom.function.revisions import REVISION_BYTES, revision_id
from strongroom.names import AccountId, Arn, Region, parse_arn
from strongroom.operations.call import Call, ConditionContext, Target
from strongroom.operations.lambda_ import messages
from strongroom.operations.lambda_.description import LOGGING_MEMBERS
from strongroom.operations.lambda_.environment import accepted_environment, seal_environment
from strongroom.operations.lambda_.standing import LAMBDA, execution_role, trusted_role
from strongroom.ports import LAYER_VERSIONS, Entropy, ReadUnit

__all__ = [
    "configured",
    "layer_context",
    "layer_targets",
    "new_revision",
    "pass_role_target",
    "verify_fits_with_layers",
    "verify_runnable",
    "verify_supported",
]

MAXIMUM_SECONDS: Final = 900
MAXIMUM_MEMORY: Final = 10_240
MAXIMUM_LAYERS: Final = 5
_PYTHON: Final = re.compile(r"python3\.(9|1[0-9])")
_WITHOUT_EFFECT: Final[Mapping[str, tuple[Any, ...]]] = {
    # What Terraform and others send for "none": member to the values that say nothing.
    "CodeSigningConfigArn": ("",),
    "KMSKeyArn": ("",),
    "DeadLetterConfig": ({}, {"TargetArn": ""}),
    "FileSystemConfigs": ([],),
    "ImageConfig": ({},),
    "SnapStart": ({}, {"ApplyOn": "None"}),
    "TenancyConfig": (),
    "CapacityProviderConfig": ({},),
    "DurableConfig": ({},),
    "AcceleratorConfig": ({},),
    "RuntimeConfig": ({},),
    "PublishTo": (),
}


def new_revision(entropy: Entropy) -> str:
    return revision_id(entropy.token_bytes(REVISION_BYTES))


def verify_supported(request: Mapping[str, Any]) -> None:
    """Raises InvalidParameterValueException for what functions here cannot have.

    Raises also ValidationException for a time or memory beyond Lambda's.
    """
    for member, harmless in _WITHOUT_EFFECT.items():
        if member in request and request[member] not in harmless:
            raise InvalidParameterValueException(messages.unsupported(member))
    network = request.get("VpcConfig") or {}
    if network.get("SubnetIds") or network.get("SecurityGroupIds"):
        raise InvalidParameterValueException(messages.unsupported("VpcConfig"))
    if request.get("PackageType", "Zip") != "Zip":
        raise InvalidParameterValueException(messages.ZIP_ONLY)
    runtime = request.get("Runtime")
    if runtime is not None and _PYTHON.fullmatch(runtime) is None:
        raise InvalidParameterValueException(messages.unsupported_runtime(runtime))
    for member, shown, limit in (
        ("Timeout", "timeout", MAXIMUM_SECONDS),
        ("MemorySize", "memorySize", MAXIMUM_MEMORY),
    ):
        if request.get(member, 0) > limit:
            raise ValidationException(messages.too_great(request[member], shown, limit))
    if len(request.get("Layers") or ()) > MAXIMUM_LAYERS:
        raise InvalidParameterValueException(messages.too_many_layers(MAXIMUM_LAYERS))


def configured(call: Call, function: FunctionVersion) -> FunctionVersion:
    """Return `function` as the request configures it, where that says something.

    Raises:
        InvalidParameterValueException: see `environment.accepted_environment`.
    """
    request = call.request
    sealed = function.sealed_environment
    if "Environment" in request:
        variables = accepted_environment(request["Environment"])
        sealed = seal_environment(call.resources.root_key, variables, function.function_arn, function.version)
    return replace(
        function,
        runtime=request.get("Runtime", function.runtime),
        role_arn=request.get("Role", function.role_arn),
        handler=request.get("Handler", function.handler),
        description=request.get("Description", function.description),
        timeout_seconds=request.get("Timeout", function.timeout_seconds),
        memory_mb=request.get("MemorySize", function.memory_mb),
        ephemeral_mb=request.get("EphemeralStorage", {}).get("Size", function.ephemeral_mb),
        sealed_environment=sealed,
        layers=tuple(request["Layers"] or ()) if "Layers" in request else function.layers,
        architecture=(request.get("Architectures") or [function.architecture])[0],
        tracing=request.get("TracingConfig", {}).get("Mode", function.tracing),
        logging=_logging(request, function),
        modified_at=call.received_at,
        revision_id=new_revision(call.resources.entropy),
    )


def _logging(request: Mapping[str, Any], function: FunctionVersion) -> Mapping[str, str]:
    given = request.get("LoggingConfig")
    if given is None:
        return function.logging
    return {key: given[key] for key in LOGGING_MEMBERS if key in given}


def verify_runnable(unit: ReadUnit, function: FunctionVersion, had: Sequence[Arn] = ()) -> None:
    """Raises InvalidParameterValueException unless the role can be taken and all the code fits.

    `had`: the layers the function had before, which may have been deleted since.
    """
    if trusted_role(unit, function.role_arn, function.function_arn, function.account_id) is None:
        raise InvalidParameterValueException(messages.ROLE_NOT_ASSUMABLE)
    verify_fits_with_layers(unit, function, had)


def verify_fits_with_layers(unit: ReadUnit, function: FunctionVersion, had: Sequence[Arn]) -> None:
    """Raises InvalidParameterValueException when a layer is not there, or all is too large together."""
    size = function.unzipped_size
    for arn in function.layers:
        layer = _layer(unit, function.region, function.account_id, arn)
        if layer is None or (layer.deleted and arn not in had):
            raise InvalidParameterValueException(messages.no_layer_version(arn))
        size += layer.unzipped_size
    if size > MAXIMUM_UNZIPPED:
        raise InvalidParameterValueException(messages.too_large_with_layers(size, MAXIMUM_UNZIPPED))


def _layer(unit: ReadUnit, region: Region, account_id: AccountId, arn: str) -> LayerVersion | None:
    ref = parse_layer_ref(arn, region, account_id)
    if ref is None or ref.version is None or (ref.region, ref.account_id) != (region, account_id):
        return None
    return unit.find(LAYER_VERSIONS, ref.arn, str(ref.version))


def pass_role_target(call: Call, unit: ReadUnit, role_arn: str, function_arn: Arn) -> Target:
    """Return the target of handing a role to Lambda."""
    parsed = parse_arn(role_arn)
    role = execution_role(unit, role_arn)
    tags = {} if role is None else {f"aws:ResourceTag/{key}": value for key, value in role.tags.items()}
    return Target(
        "iam:PassRole",
        role_arn,
        call.account_id if parsed is None else AccountId(parsed.account_id),
        record=role,
        context={**tags, "iam:PassedToService": LAMBDA, "iam:AssociatedResourceArn": function_arn},
    )


def layer_context(request: Mapping[str, Any]) -> ConditionContext:
    """Return the condition key that the layers of a request bring: lambda:Layer."""
    layers = tuple(request.get("Layers") or ())
    return {"lambda:Layer": layers} if layers else {}


def layer_targets(call: Call) -> list[Target]:
    """Return the targets of using the layers a request names, each once."""
    targets = []
    for arn in dict.fromkeys(call.request.get("Layers") or ()):
        ref = parse_layer_ref(arn, call.region, call.account_id)
        owner = call.account_id if ref is None else ref.account_id
        targets.append(Target("lambda:GetLayerVersion", arn, owner))
    return targets

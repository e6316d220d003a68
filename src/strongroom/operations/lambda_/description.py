"""A version as answers describe it."""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

from strongroom.function.records import LATEST, FunctionVersion
from strongroom.function.references import FunctionRef, parse_layer_ref
from strongroom.operations.call import Resources
from strongroom.operations.lambda_.environment import open_environment
from strongroom.ports import LAYER_VERSIONS, ReadUnit

__all__ = ["LOGGING_MEMBERS", "described_configuration", "lambda_time", "shown_arn"]

LOGGING_MEMBERS: Final = ("LogFormat", "LogGroup", "ApplicationLogLevel", "SystemLogLevel")


def described_configuration(
    unit: ReadUnit, resources: Resources, function: FunctionVersion, arn: str | None = None
) -> dict[str, Any]:
    """Return a FunctionConfiguration. `arn`: how the request named it; else its own."""
    own = function.function_arn if function.version == LATEST else function.qualified_arn
    variables = open_environment(resources.root_key, function)
    described: dict[str, Any] = {
        "FunctionName": function.function_name,
        "FunctionArn": arn or own,
        "Runtime": function.runtime,
        "Role": function.role_arn,
        "Handler": function.handler,
        "CodeSize": function.code_size,
        "Description": function.description,
        "Timeout": function.timeout_seconds,
        "MemorySize": function.memory_mb,
        "LastModified": lambda_time(function.modified_at),
        "CodeSha256": function.code_sha256,
        "Version": function.version,
        "TracingConfig": {"Mode": function.tracing},
        "RevisionId": function.revision_id,
        "State": "Active",
        "LastUpdateStatus": "Successful",
        "PackageType": "Zip",
        "Architectures": [function.architecture],
        "EphemeralStorage": {"Size": function.ephemeral_mb},
        "SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"},
        "LoggingConfig": {
            "LogFormat": "Text",
            "LogGroup": f"/aws/lambda/{function.function_name}",
            **{key: function.logging[key] for key in LOGGING_MEMBERS if key in function.logging},
        },
    }
    if variables:
        described["Environment"] = {"Variables": dict(variables)}
    if function.layers:
        described["Layers"] = [
            {"Arn": arn, "CodeSize": _layer_size(unit, function, arn)} for arn in function.layers
        ]
    return described


def shown_arn(ref: FunctionRef, function: FunctionVersion) -> str:
    """Return the ARN an answer has: with the qualifier where the request, or the version, has one."""
    if ref.qualifier is None:
        return function.function_arn
    return f"{function.function_arn}:{ref.qualifier}"


def lambda_time(moment: dt.datetime) -> str:
    """Return a time as Lambda writes it: `2026-01-01T12:00:00.000+0000`."""
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03}+0000"


def _layer_size(unit: ReadUnit, function: FunctionVersion, arn: str) -> int:
    ref = parse_layer_ref(arn, function.region, function.account_id)
    found = None if ref is None else unit.find(LAYER_VERSIONS, ref.arn, str(ref.version))
    return 0 if found is None else found.code_size

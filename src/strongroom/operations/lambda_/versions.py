"""PublishVersion and ListVersionsByFunction: versions that never change.

Source: botocore's model of Lambda; Lambda developer guide, "Manage Lambda function versions".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from strongroom.errors import InvalidParameterValueException, PreconditionFailedException
from strongroom.function.records import Function, FunctionVersion
from strongroom.operations.call import AuthorizedCall, Call, Operation, Target, Unit
from strongroom.operations.lambda_ import messages
from strongroom.operations.lambda_.configuration import new_revision
from strongroom.operations.lambda_.description import described_configuration
from strongroom.operations.lambda_.environment import open_environment, seal_environment
from strongroom.operations.lambda_.paging import marker_for, page_size, parse_marker
from strongroom.operations.lambda_.resolution import (
    function_ref,
    function_target,
    present_function,
    present_version,
    unqualified,
)
from strongroom.ports import FUNCTION_VERSIONS, FUNCTIONS, ReadUnit, RootKey, WriteUnit

__all__ = ["LIST_VERSIONS_BY_FUNCTION", "PUBLISH_VERSION", "publish"]


def publish(
    call: Call, unit: WriteUnit, function: Function, latest: FunctionVersion, description: str | None = None
) -> FunctionVersion:
    """Return a new version, saved, that is as $LATEST is now; the last one when nothing has changed since."""
    published = unit.scan(FUNCTION_VERSIONS, function.arn)[1:]
    root_key = call.resources.root_key
    if published and _essence(root_key, published[-1]) == _essence(root_key, latest):
        return published[-1]
    number = str(function.next_version)
    variables = open_environment(root_key, latest)
    version = replace(
        latest,
        version=number,
        description=latest.description if description is None else description,
        sealed_environment=seal_environment(root_key, variables, function.arn, number),
        revision_id=new_revision(call.resources.entropy),
        modified_at=call.received_at,
    )
    unit.save(FUNCTIONS, replace(function, next_version=function.next_version + 1))
    unit.save(FUNCTION_VERSIONS, version)
    return version


def _essence(root_key: RootKey, version: FunctionVersion) -> tuple[Any, ...]:
    """Return what makes two versions the same."""
    return (
        version.code_sha256,
        version.runtime,
        version.role_arn,
        version.handler,
        version.timeout_seconds,
        version.memory_mb,
        version.ephemeral_mb,
        version.layers,
        version.architecture,
        version.tracing,
        dict(version.logging),
        dict(open_environment(root_key, version)),
    )


def _publish_targets(call: Call, unit: ReadUnit) -> Sequence[Target]:
    ref = unqualified(function_ref(call, call.request["FunctionName"]))
    return (function_target(call, unit, ref, "lambda:PublishVersion"),)


def publish_version(authorized: AuthorizedCall, unit: WriteUnit) -> Mapping[str, Any]:
    """There is a version of $LATEST as it is now.

    Raises:
        ResourceNotFoundException: there is no such function.
        PreconditionFailedException, InvalidParameterValueException: $LATEST has another revision, or other
            code, than the request says.
    """
    call, request = authorized.call, authorized.request
    ref = unqualified(function_ref(call, request["FunctionName"]))
    function = present_function(authorized.target, ref)
    latest = present_version(unit, ref)
    if request.get("RevisionId", latest.revision_id) != latest.revision_id:
        raise PreconditionFailedException(messages.REVISION_DIFFERS)
    if request.get("CodeSha256", latest.code_sha256) != latest.code_sha256:
        raise InvalidParameterValueException(messages.code_differs(request["CodeSha256"], latest.code_sha256))
    if "PublishTo" in request:
        raise InvalidParameterValueException(messages.unsupported("PublishTo"))
    version = publish(call, unit, function, latest, request.get("Description"))
    return described_configuration(unit, call.resources, version)


def list_versions_by_function(authorized: AuthorizedCall, unit: ReadUnit) -> Mapping[str, Any]:
    """Return $LATEST and then the published versions, by number.

    Raises:
        ResourceNotFoundException: there is no such function.
        InvalidParameterValueException: a Marker this operation did not give out.
    """
    call, request = authorized.call, authorized.request
    ref = unqualified(function_ref(call, request["FunctionName"]))
    present_function(authorized.target, ref)
    size, after = page_size(request), parse_marker(request, LIST_VERSIONS_BY_FUNCTION.name)
    found = unit.scan(FUNCTION_VERSIONS, ref.arn, after=after, limit=size + 1)
    page = found[:size]
    answer: dict[str, Any] = {
        "Versions": [described_configuration(unit, call.resources, each, each.qualified_arn) for each in page]
    }
    if len(found) > size:
        answer["NextMarker"] = marker_for(
            LIST_VERSIONS_BY_FUNCTION.name, FUNCTION_VERSIONS.alternate(page[-1])
        )
    return answer


def _list_targets(call: Call, unit: ReadUnit) -> Sequence[Target]:
    ref = unqualified(function_ref(call, call.request["FunctionName"]))
    return (function_target(call, unit, ref, "lambda:ListVersionsByFunction"),)


PUBLISH_VERSION = Operation(
    name="PublishVersion",
    action="lambda:PublishVersion",
    unit=Unit.WRITE,
    targets=_publish_targets,
    handle=publish_version,
    read_only=False,
    deviations=("PublishTo is refused.",),
)
LIST_VERSIONS_BY_FUNCTION = Operation(
    name="ListVersionsByFunction",
    action="lambda:ListVersionsByFunction",
    unit=Unit.READ,
    targets=_list_targets,
    handle=list_versions_by_function,
)

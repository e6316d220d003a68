"""Layers: zip files that functions share, in versions that never change.

Source: botocore's model of Lambda; Lambda developer guide, "Managing Lambda dependencies with layers".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from msgspec.structs import replace

from strongroom.errors import InvalidParameterValueException, ResourceNotFoundException
from strongroom.function.records import Layer, LayerVersion
from strongroom.function.references import LayerRef, parse_layer_ref
from strongroom.names import Arn
from strongroom.operations.call import AuthorizedCall, Call, Operation, Target, Unit
from strongroom.operations.lambda_ import messages
from strongroom.operations.lambda_.code import SealedCode, delete_code, save_code
from strongroom.operations.lambda_.description import lambda_time
from strongroom.operations.lambda_.paging import marker_for, page_size, parse_marker
from strongroom.operations.lambda_.quota import verify_room
from strongroom.operations.lambda_.resolution import on_everything
from strongroom.operations.lambda_.uploads import requested_zip, sealing
from strongroom.ports import (
    FUNCTION_VERSIONS,
    FUNCTIONS,
    LAYER_VERSIONS,
    LAYERS,
    ReadUnit,
    WriteUnit,
    account_region,
)

__all__ = [
    "DELETE_LAYER_VERSION",
    "GET_LAYER_VERSION",
    "GET_LAYER_VERSION_BY_ARN",
    "LIST_LAYERS",
    "LIST_LAYER_VERSIONS",
    "PUBLISH_LAYER_VERSION",
]

_SHOWN_BACKWARDS: Final = 10**12


def _ref(call: Call, name: str, version: int | None = None) -> LayerRef:
    """Return the layer, or version of it, that a request names.

    Raises:
        InvalidParameterValueException: it is none, or one of another region.
    """
    ref = parse_layer_ref(name, call.region, call.account_id)
    if ref is None or ref.region != call.region:
        raise InvalidParameterValueException(messages.no_layer_version(name))
    return ref if version is None else LayerRef(ref.region, ref.account_id, ref.name, version)


def _version_target(call: Call, ref: LayerRef, action: str) -> Target:
    return Target(action, f"{ref.arn}:{ref.version}", ref.account_id)


def _publish_targets(call: Call, unit: ReadUnit) -> Sequence[Target]:
    ref = _ref(call, call.request["LayerName"])
    return (Target("lambda:PublishLayerVersion", ref.arn, ref.account_id),)


def publish_layer_version(authorized: AuthorizedCall, unit: WriteUnit) -> Mapping[str, Any]:
    """There is one more version of the layer, which is made when it is the first.

    Raises:
        InvalidParameterValueException: the content is not a zip file as it must be.
        CodeStorageExceededException: the account's code would be too much.
    """
    call, request = authorized.call, authorized.request
    ref = _ref(call, request["LayerName"])
    code: SealedCode = call.prepared
    verify_room(call, unit, ref.account_id, ref.region, code.size)
    layer = unit.find(LAYERS, account_region(ref.account_id, ref.region), ref.name) or Layer(
        account_id=ref.account_id, region=ref.region, name=ref.name, arn=ref.arn
    )
    version = LayerVersion(
        layer_arn=layer.arn,
        version=layer.next_version,
        code_id=code.code_id,
        code_sha256=code.sha256,
        code_size=code.size,
        unzipped_size=code.unzipped_size,
        created_at=call.received_at,
        description=request.get("Description", ""),
        license=request.get("LicenseInfo", ""),
        runtimes=tuple(request.get("CompatibleRuntimes") or ()),
        architectures=tuple(request.get("CompatibleArchitectures") or ()),
    )
    unit.save(LAYERS, replace(layer, next_version=layer.next_version + 1))
    unit.save(LAYER_VERSIONS, version)
    save_code(unit, code)
    return _described(version)


def _get_targets(call: Call, unit: ReadUnit) -> Sequence[Target]:
    return (_version_target(call, _requested(call), "lambda:GetLayerVersion"),)


def _requested(call: Call) -> LayerRef:
    request = call.request
    if "Arn" in request:
        return _ref(call, request["Arn"])
    return _ref(call, request["LayerName"], request["VersionNumber"])


def get_layer_version(authorized: AuthorizedCall, unit: ReadUnit) -> Mapping[str, Any]:
    """Return a version of a layer.

    Raises:
        ResourceNotFoundException: there is none.
    """
    ref = _requested(authorized.call)
    found = unit.find(LAYER_VERSIONS, ref.arn, str(ref.version))
    if found is None or found.deleted:
        raise ResourceNotFoundException(messages.no_layer_version(f"{ref.arn}:{ref.version}"))
    return _described(found)


def list_layer_versions(authorized: AuthorizedCall, unit: ReadUnit) -> Mapping[str, Any]:
    """Return a layer's versions, the newest first; none for a layer that is not there.

    Raises:
        InvalidParameterValueException: a Marker this operation did not give out.
    """
    call, request = authorized.call, authorized.request
    ref = _ref(call, request["LayerName"])
    if ref.account_id != call.account_id:
        return {"LayerVersions": []}
    size, after = page_size(request), parse_marker(request, LIST_LAYER_VERSIONS.name)
    found = [each for each in _fitting(unit, ref.arn, request) if not after or _place(each) > after]
    answer: dict[str, Any] = {"LayerVersions": [_listed(each) for each in found[:size]]}
    if len(found) > size:
        answer["NextMarker"] = marker_for(LIST_LAYER_VERSIONS.name, _place(found[size - 1]))
    return answer


def list_layers(authorized: AuthorizedCall, unit: ReadUnit) -> Mapping[str, Any]:
    """Return the layers of the account and region by name, each with its newest version that fits.

    Raises:
        InvalidParameterValueException: a Marker this operation did not give out.
    """
    call, request = authorized.call, authorized.request
    size, after = page_size(request), parse_marker(request, LIST_LAYERS.name)
    page: list[dict[str, Any]] = []
    for layer in unit.scan(LAYERS, account_region(call.account_id, call.region), after=after):
        versions = _fitting(unit, layer.arn, request)
        if not versions:
            continue
        if len(page) == size:
            return {"Layers": page, "NextMarker": marker_for(LIST_LAYERS.name, page[-1]["LayerName"])}
        page.append(
            {
                "LayerName": layer.name,
                "LayerArn": layer.arn,
                "LatestMatchingVersion": _listed(versions[0]),
            }
        )
    return {"Layers": page}


def _fitting(unit: ReadUnit, layer_arn: Arn, request: Mapping[str, Any]) -> list[LayerVersion]:
    runtime, architecture = request.get("CompatibleRuntime"), request.get("CompatibleArchitecture")
    return [
        each
        for each in reversed(unit.scan(LAYER_VERSIONS, layer_arn))
        if not each.deleted
        and (runtime is None or runtime in each.runtimes)
        and (architecture is None or architecture in each.architectures)
    ]


def _place(version: LayerVersion) -> str:
    return f"{_SHOWN_BACKWARDS - version.version:013}"


def _delete_targets(call: Call, unit: ReadUnit) -> Sequence[Target]:
    return (_version_target(call, _requested(call), "lambda:DeleteLayerVersion"),)


def delete_layer_version(authorized: AuthorizedCall, unit: WriteUnit) -> None:
    """The version can no longer be seen or given to a function; functions that have it keep it."""
    ref = _requested(authorized.call)
    found = unit.find(LAYER_VERSIONS, ref.arn, str(ref.version))
    if found is None:
        return
    if _is_used(unit, ref, found.arn):
        unit.save(LAYER_VERSIONS, replace(found, deleted=True))
        return
    unit.delete(LAYER_VERSIONS, ref.arn, str(ref.version))
    delete_code(unit, found.code_id)


def _is_used(unit: ReadUnit, ref: LayerRef, arn: Arn) -> bool:
    return any(
        arn in version.layers
        for function in unit.scan(FUNCTIONS, account_region(ref.account_id, ref.region))
        for version in unit.scan(FUNCTION_VERSIONS, function.arn)
    )


def _listed(version: LayerVersion) -> dict[str, Any]:
    listed: dict[str, Any] = {
        "LayerVersionArn": version.arn,
        "Version": version.version,
        "Description": version.description,
        "CreatedDate": lambda_time(version.created_at),
    }
    if version.runtimes:
        listed["CompatibleRuntimes"] = list(version.runtimes)
    if version.architectures:
        listed["CompatibleArchitectures"] = list(version.architectures)
    if version.license:
        listed["LicenseInfo"] = version.license
    return listed


def _described(version: LayerVersion) -> dict[str, Any]:
    return {
        "Content": {"CodeSha256": version.code_sha256, "CodeSize": version.code_size},
        "LayerArn": version.layer_arn,
        **_listed(version),
    }


_seal = sealing(lambda request: request["Content"])


def _prepare(authorized: AuthorizedCall, unit: ReadUnit) -> Callable[[], Any] | None:
    call = authorized.call
    ref = _ref(call, call.request["LayerName"])
    verify_room(call, unit, ref.account_id, ref.region, len(requested_zip(call.request["Content"])))
    return _seal(authorized, unit)


_NO_LOCATION: Final = "Content has no Location: code that was given is not given out again."
_OWN_ACCOUNT: Final = "Layers are for functions of their own account and region."

PUBLISH_LAYER_VERSION = Operation(
    name="PublishLayerVersion",
    action="lambda:PublishLayerVersion",
    unit=Unit.WRITE,
    targets=_publish_targets,
    handle=publish_layer_version,
    prepare=_prepare,
    large=True,
    read_only=False,
    deviations=("Content comes as ZipFile only.", _NO_LOCATION, _OWN_ACCOUNT),
)
GET_LAYER_VERSION = Operation(
    name="GetLayerVersion",
    action="lambda:GetLayerVersion",
    unit=Unit.READ,
    targets=_get_targets,
    handle=get_layer_version,
    deviations=(_NO_LOCATION,),
)
GET_LAYER_VERSION_BY_ARN = Operation(
    name="GetLayerVersionByArn",
    action="lambda:GetLayerVersion",
    unit=Unit.READ,
    targets=_get_targets,
    handle=get_layer_version,
    deviations=(_NO_LOCATION,),
)
LIST_LAYER_VERSIONS = Operation(
    name="ListLayerVersions",
    action="lambda:ListLayerVersions",
    unit=Unit.READ,
    targets=on_everything("lambda:ListLayerVersions"),
    handle=list_layer_versions,
    deviations=(_OWN_ACCOUNT,),
)
LIST_LAYERS = Operation(
    name="ListLayers",
    action="lambda:ListLayers",
    unit=Unit.READ,
    targets=on_everything("lambda:ListLayers"),
    handle=list_layers,
)
DELETE_LAYER_VERSION = Operation(
    name="DeleteLayerVersion",
    action="lambda:DeleteLayerVersion",
    unit=Unit.WRITE,
    targets=_delete_targets,
    handle=delete_layer_version,
    read_only=False,
    deviations=("The content of a deleted version that a function had stays stored.",),
)

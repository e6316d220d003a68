"""CreateAlias, GetAlias, UpdateAlias, DeleteAlias, ListAliases: names for versions.

Source: botocore's model of Lambda; texts: `messages`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from msgspec.structs import replace

from strongroom.errors import (
    InvalidParameterValueException,
    PreconditionFailedException,
    ResourceConflictException,
    ResourceNotFoundException,
)
from strongroom.function.records import FunctionAlias
from strongroom.function.references import FunctionRef
from strongroom.operations.call import AuthorizedCall, Call, Operation, Target, Targets, Unit
from strongroom.operations.lambda_ import messages
from strongroom.operations.lambda_.configuration import new_revision
from strongroom.operations.lambda_.paging import marker_for, page_size, parse_marker
from strongroom.operations.lambda_.resolution import (
    function_ref,
    function_target,
    present_function,
    unqualified,
)
from strongroom.ports import FUNCTION_ALIASES, FUNCTION_POLICIES, FUNCTION_VERSIONS, ReadUnit, WriteUnit

__all__ = ["CREATE_ALIAS", "DELETE_ALIAS", "GET_ALIAS", "LIST_ALIASES", "UPDATE_ALIAS"]

_NO_ROUTING: Final = "RoutingConfig with weights is refused: an alias names one version."


def _function(call: Call) -> FunctionRef:
    return unqualified(function_ref(call, call.request["FunctionName"]))


def _on_function(action: str) -> Targets:
    def targets(call: Call, unit: ReadUnit) -> Sequence[Target]:
        return (function_target(call, unit, _function(call), action),)

    return targets


def create_alias(authorized: AuthorizedCall, unit: WriteUnit) -> Mapping[str, Any]:
    """The alias names the version.

    Raises:
        ResourceNotFoundException: there is no such function or version.
        ResourceConflictException: there is an alias of that name.
        InvalidParameterValueException: weights are given.
    """
    call, request = authorized.call, authorized.request
    ref = _function(call)
    present_function(authorized.target, ref)
    _verify_version(unit, ref, request)
    alias = FunctionAlias(
        function_arn=ref.arn,
        name=request["Name"],
        version=request["FunctionVersion"],
        description=request.get("Description", ""),
        revision_id=new_revision(call.resources.entropy),
    )
    if unit.find(FUNCTION_ALIASES, ref.arn, alias.name) is not None:
        raise ResourceConflictException(messages.alias_exists(alias.arn))
    unit.save(FUNCTION_ALIASES, alias)
    return _described(alias)


def get_alias(authorized: AuthorizedCall, unit: ReadUnit) -> Mapping[str, Any]:
    """Return the alias.

    Raises:
        ResourceNotFoundException: there is no such function or alias.
    """
    return _described(_present(authorized, unit))


def update_alias(authorized: AuthorizedCall, unit: WriteUnit) -> Mapping[str, Any]:
    """The alias is as the request says where it says something.

    Raises:
        ResourceNotFoundException: there is no such function, alias or version.
        PreconditionFailedException: it has another revision than the request names.
        InvalidParameterValueException: weights are given.
    """
    call, request = authorized.call, authorized.request
    alias = _present(authorized, unit)
    if request.get("RevisionId", alias.revision_id) != alias.revision_id:
        raise PreconditionFailedException(messages.REVISION_DIFFERS)
    _verify_version(unit, _function(call), request)
    changed = replace(
        alias,
        version=request.get("FunctionVersion", alias.version),
        description=request.get("Description", alias.description),
        revision_id=new_revision(call.resources.entropy),
    )
    unit.save(FUNCTION_ALIASES, changed)
    return _described(changed)


def delete_alias(authorized: AuthorizedCall, unit: WriteUnit) -> None:
    """There is no alias of that name, and no policy of it.

    Raises:
        ResourceNotFoundException: there is no such function.
    """
    ref = _function(authorized.call)
    present_function(authorized.target, ref)
    name = authorized.request["Name"]
    unit.delete(FUNCTION_ALIASES, ref.arn, name)
    unit.delete(FUNCTION_POLICIES, ref.arn, name)


def list_aliases(authorized: AuthorizedCall, unit: ReadUnit) -> Mapping[str, Any]:
    """Return the aliases by name, with FunctionVersion those of that version.

    Raises:
        ResourceNotFoundException: there is no such function.
        InvalidParameterValueException: a Marker this operation did not give out.
    """
    request = authorized.request
    ref = _function(authorized.call)
    present_function(authorized.target, ref)
    size, after = page_size(request), parse_marker(request, LIST_ALIASES.name)
    wanted = request.get("FunctionVersion")
    found = [
        each
        for each in unit.scan(FUNCTION_ALIASES, ref.arn, after=after)
        if wanted is None or each.version == wanted
    ]
    answer: dict[str, Any] = {"Aliases": [_described(each) for each in found[:size]]}
    if len(found) > size:
        answer["NextMarker"] = marker_for(LIST_ALIASES.name, found[size - 1].name)
    return answer


def _present(authorized: AuthorizedCall, unit: ReadUnit) -> FunctionAlias:
    ref = _function(authorized.call)
    present_function(authorized.target, ref)
    name = authorized.request["Name"]
    alias = unit.find(FUNCTION_ALIASES, ref.arn, name)
    if alias is None:
        raise ResourceNotFoundException(messages.no_alias(f"{ref.arn}:{name}"))
    return alias


def _verify_version(unit: ReadUnit, ref: FunctionRef, request: Mapping[str, Any]) -> None:
    if (request.get("RoutingConfig") or {}).get("AdditionalVersionWeights"):
        raise InvalidParameterValueException(messages.unsupported("RoutingConfig"))
    version = request.get("FunctionVersion")
    if version is not None and unit.find(FUNCTION_VERSIONS, ref.arn, version) is None:
        raise ResourceNotFoundException(messages.no_function(f"{ref.arn}:{version}"))


def _described(alias: FunctionAlias) -> dict[str, Any]:
    return {
        "AliasArn": alias.arn,
        "Name": alias.name,
        "FunctionVersion": alias.version,
        "Description": alias.description,
        "RevisionId": alias.revision_id,
    }


CREATE_ALIAS = Operation(
    name="CreateAlias",
    action="lambda:CreateAlias",
    unit=Unit.WRITE,
    targets=_on_function("lambda:CreateAlias"),
    handle=create_alias,
    read_only=False,
    deviations=(_NO_ROUTING,),
)
GET_ALIAS = Operation(
    name="GetAlias",
    action="lambda:GetAlias",
    unit=Unit.READ,
    targets=_on_function("lambda:GetAlias"),
    handle=get_alias,
)
UPDATE_ALIAS = Operation(
    name="UpdateAlias",
    action="lambda:UpdateAlias",
    unit=Unit.WRITE,
    targets=_on_function("lambda:UpdateAlias"),
    handle=update_alias,
    read_only=False,
    deviations=(_NO_ROUTING,),
)
DELETE_ALIAS = Operation(
    name="DeleteAlias",
    action="lambda:DeleteAlias",
    unit=Unit.WRITE,
    targets=_on_function("lambda:DeleteAlias"),
    handle=delete_alias,
    read_only=False,
)
LIST_ALIASES = Operation(
    name="ListAliases",
    action="lambda:ListAliases",
    unit=Unit.READ,
    targets=_on_function("lambda:ListAliases"),
    handle=list_aliases,
)

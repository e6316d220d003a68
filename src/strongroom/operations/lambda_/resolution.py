"""From how a request names a function to a target, whether the function exists or not.

Sources: service authorization reference for Lambda; texts: `messages`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from strongroom.errors import InvalidParameterValueException, ResourceNotFoundException
from strongroom.function.records import LATEST, Function, FunctionVersion
from strongroom.function.references import FunctionRef, parse_function_ref
from strongroom.operations.call import Call, ConditionContext, ResourcePolicy, Target, Targets
from strongroom.operations.lambda_ import messages
from strongroom.operations.lambda_.standing import stored_function, version_of
from strongroom.ports import FUNCTION_POLICIES, ReadUnit

__all__ = [
    "everything",
    "function_ref",
    "function_target",
    "on_everything",
    "on_function",
    "present_function",
    "present_version",
    "unqualified",
]


def function_ref(call: Call, name: str, qualifier: str | None = None) -> FunctionRef:
    """Return the function that `name` names, in the call's region.

    Raises:
        ResourceNotFoundException: it is in another region, or no function can have that name.
        InvalidParameterValueException: the name has another qualifier than the request.
    """
    ref = parse_function_ref(name, call.region, call.account_id)
    if ref is None:
        raise ResourceNotFoundException(messages.no_function(name))
    if ref.region != call.region:
        raise ResourceNotFoundException(messages.other_region(ref.region, call.region))
    if qualifier is None or ref.qualifier == qualifier:
        return ref
    if ref.qualifier is not None:
        raise InvalidParameterValueException(messages.QUALIFIERS_DIFFER)
    return FunctionRef(ref.region, ref.account_id, ref.name, qualifier)


def unqualified(ref: FunctionRef) -> FunctionRef:
    """Return `ref`, which must name the function itself.

    Raises:
        InvalidParameterValueException: it has a qualifier other than $LATEST.
    """
    if ref.qualifier not in (None, LATEST):
        raise InvalidParameterValueException(messages.QUALIFIED_NAME)
    return FunctionRef(ref.region, ref.account_id, ref.name, None)


def function_target(
    call: Call, unit: ReadUnit, ref: FunctionRef, action: str, context: ConditionContext | None = None
) -> Target:
    """Return the target of an action on a function, version or alias."""
    function = stored_function(unit, ref)
    tags: Mapping[str, str] = {} if function is None else function.tags
    policy = unit.find(FUNCTION_POLICIES, ref.arn, ref.version_or_alias)
    return Target(
        action=action,
        resource=ref.qualified_arn,
        owner_account=ref.account_id,
        record=function,
        resource_policies=() if policy is None else (ResourcePolicy(policy.document),),
        context={**{f"aws:ResourceTag/{key}": value for key, value in tags.items()}, **(context or {})},
    )


def on_function(action: str) -> Targets:
    """Return the targets of an operation on what FunctionName and Qualifier name."""

    def targets(call: Call, unit: ReadUnit) -> Sequence[Target]:
        return (function_target(call, unit, requested(call), action),)

    return targets


def requested(call: Call) -> FunctionRef:
    """Return what FunctionName and Qualifier name. Raises as `function_ref`."""
    return function_ref(call, call.request["FunctionName"], call.request.get("Qualifier"))


def present_function(target: Target, ref: FunctionRef) -> Function:
    """Return the target's function.

    Raises:
        ResourceNotFoundException: there is none.
    """
    function: Function | None = target.record
    if function is None:
        raise ResourceNotFoundException(messages.no_function(ref.qualified_arn))
    return function


def present_version(unit: ReadUnit, ref: FunctionRef) -> FunctionVersion:
    """Return what `ref` stands for.

    Raises:
        ResourceNotFoundException: there is no such function, version or alias.
    """
    found = version_of(unit, ref)
    if found is None:
        raise ResourceNotFoundException(messages.no_function(ref.qualified_arn))
    return found


def everything(call: Call, action: str) -> Target:
    """Return the target of an action that has no resource."""
    return Target(action, "*", call.account_id)


def on_everything(action: str) -> Callable[[Call, ReadUnit], Sequence[Target]]:
    return lambda call, unit: (everything(call, action),)

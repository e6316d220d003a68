"""TagResource, UntagResource, ListTags: tags of functions. Source: botocore's model of Lambda."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from msgspec.structs import replace

from strongroom.errors import InvalidParameterValueException
from strongroom.operations.call import AuthorizedCall, Call, ConditionContext, Operation, Target, Unit
from strongroom.operations.lambda_ import messages
from strongroom.operations.lambda_.resolution import (
    function_ref,
    function_target,
    present_function,
    unqualified,
)
from strongroom.ports import FUNCTIONS, ReadUnit, WriteUnit

__all__ = ["LIST_TAGS", "TAG_RESOURCE", "UNTAG_RESOURCE", "accepted_tags", "tag_context"]

MAXIMUM: Final = 50


def accepted_tags(tags: Mapping[str, str], added: Mapping[str, str]) -> dict[str, str]:
    """Return `tags` with `added` set.

    Raises:
        InvalidParameterValueException: a key is reserved, or there would be more than 50.
    """
    if any(key.lower().startswith("aws:") for key in added):
        raise InvalidParameterValueException(messages.RESERVED_TAG)
    merged = {**tags, **added}
    if len(merged) > MAXIMUM:
        raise InvalidParameterValueException(messages.TOO_MANY_TAGS)
    return merged


def tag_context(tags: Mapping[str, str] | None, keys: Iterable[str] | None = None) -> ConditionContext:
    """Return the condition keys that tags, or keys of tags, in a request bring."""
    given = tags or {}
    named = tuple(given) if keys is None else tuple(keys)
    context: dict[str, str | tuple[str, ...]] = {
        f"aws:RequestTag/{key}": value for key, value in given.items()
    }
    if named:
        context["aws:TagKeys"] = named
    return context


def _target(call: Call, unit: ReadUnit, action: str, context: ConditionContext) -> Sequence[Target]:
    ref = unqualified(function_ref(call, call.request["Resource"]))
    return (function_target(call, unit, ref, action, context),)


def _tag_targets(call: Call, unit: ReadUnit) -> Sequence[Target]:
    return _target(call, unit, "lambda:TagResource", tag_context(call.request["Tags"]))


def _untag_targets(call: Call, unit: ReadUnit) -> Sequence[Target]:
    return _target(call, unit, "lambda:UntagResource", tag_context(None, call.request["TagKeys"]))


def _list_targets(call: Call, unit: ReadUnit) -> Sequence[Target]:
    return _target(call, unit, "lambda:ListTags", {})


def tag_resource(authorized: AuthorizedCall, unit: WriteUnit) -> None:
    """The function has these tags as well.

    Raises:
        ResourceNotFoundException: there is no such function.
        InvalidParameterValueException: see `accepted_tags`.
    """
    function = present_function(
        authorized.target, function_ref(authorized.call, authorized.request["Resource"])
    )
    tags = accepted_tags(function.tags, authorized.request["Tags"])
    unit.save(FUNCTIONS, replace(function, tags=tags))


def untag_resource(authorized: AuthorizedCall, unit: WriteUnit) -> None:
    """The function has none of these tags; keys it does not have are no error.

    Raises:
        ResourceNotFoundException: there is no such function.
    """
    function = present_function(
        authorized.target, function_ref(authorized.call, authorized.request["Resource"])
    )
    gone = set(authorized.request["TagKeys"])
    unit.save(FUNCTIONS, replace(function, tags={k: v for k, v in function.tags.items() if k not in gone}))


def list_tags(authorized: AuthorizedCall, unit: ReadUnit) -> Mapping[str, Any]:
    """Return the function's tags.

    Raises:
        ResourceNotFoundException: there is no such function.
    """
    function = present_function(
        authorized.target, function_ref(authorized.call, authorized.request["Resource"])
    )
    return {"Tags": dict(function.tags)}


_FUNCTIONS_ONLY: Final = "Functions only have tags."

TAG_RESOURCE = Operation(
    name="TagResource",
    action="lambda:TagResource",
    unit=Unit.WRITE,
    targets=_tag_targets,
    handle=tag_resource,
    read_only=False,
    deviations=(_FUNCTIONS_ONLY, "The texts for reserved keys and for more than 50 tags are our own."),
)
UNTAG_RESOURCE = Operation(
    name="UntagResource",
    action="lambda:UntagResource",
    unit=Unit.WRITE,
    targets=_untag_targets,
    handle=untag_resource,
    read_only=False,
    deviations=(_FUNCTIONS_ONLY,),
)
LIST_TAGS = Operation(
    name="ListTags",
    action="lambda:ListTags",
    unit=Unit.READ,
    targets=_list_targets,
    handle=list_tags,
    deviations=(_FUNCTIONS_ONLY,),
)

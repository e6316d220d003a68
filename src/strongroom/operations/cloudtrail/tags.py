"""Tags of trails. Source: the model; limits and refusals as its errors describe them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from msgspec.structs import replace

from strongroom.audit.trails import TrailSettings
from strongroom.errors import (
    CloudTrailARNInvalidException,
    InvalidTagParameterException,
    ResourceNotFoundException,
    TagsLimitExceededException,
)
from strongroom.operations.call import AuthorizedCall, Call, ConditionContext, Operation, Target, Unit
from strongroom.operations.cloudtrail import messages
from strongroom.operations.cloudtrail.resolution import save_trail, trail_target
from strongroom.ports import ReadUnit, WriteUnit

MAXIMUM_TAGS: Final = 50
MAXIMUM_RESOURCES: Final = 20


def tag_context(tags: Sequence[Mapping[str, str]]) -> ConditionContext:
    """Return the condition keys that tags in a request bring."""
    if not tags:
        return {}
    named = {f"aws:RequestTag/{tag['Key']}": tag.get("Value", "") for tag in tags}
    return {**named, "aws:TagKeys": tuple(tag["Key"] for tag in tags)}


def verified_tags(present: Mapping[str, str], added: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Return `present` with `added` set.

    Raises:
        InvalidTagParameterException: a key comes twice, or is reserved.
        TagsLimitExceededException: there would be more than 50.
    """
    given = {tag["Key"]: tag.get("Value", "") for tag in added}
    if len(given) < len(added):
        raise InvalidTagParameterException(messages.DUPLICATE_TAGS)
    if any(key.lower().startswith("aws:") for key in given):
        raise InvalidTagParameterException(messages.RESERVED_TAG)
    merged = {**present, **given}
    if len(merged) > MAXIMUM_TAGS:
        raise TagsLimitExceededException(messages.TAG_LIMIT)
    return merged


def _target(call: Call, unit: ReadUnit, action: str, given: str, context: ConditionContext) -> Target:
    if not given.startswith("arn:"):
        raise CloudTrailARNInvalidException(messages.MALFORMED_ARN)
    return trail_target(call, unit, action, given, context)


def _tagging_targets(action: str) -> Any:
    def targets(call: Call, unit: ReadUnit) -> Sequence[Target]:
        context = tag_context(call.request.get("TagsList") or ())
        if action == "cloudtrail:RemoveTags":
            # Values in the request mean nothing there: only keys are taken away.
            context = {key: value for key, value in context.items() if key == "aws:TagKeys"}
        return (_target(call, unit, action, call.request.get("ResourceId", ""), context),)

    return targets


def _list_targets(call: Call, unit: ReadUnit) -> Sequence[Target]:
    given = call.request.get("ResourceIdList") or ()
    if not 1 <= len(given) <= MAXIMUM_RESOURCES:
        raise CloudTrailARNInvalidException(messages.TOO_MANY_RESOURCES)
    return tuple(_target(call, unit, "cloudtrail:ListTags", each, {}) for each in given)


def _present(target: Target) -> TrailSettings:
    trail: TrailSettings | None = target.record
    if trail is None:
        raise ResourceNotFoundException(messages.no_such_resource(target.resource))
    return trail


def add_tags(authorized: AuthorizedCall, unit: WriteUnit) -> Mapping[str, Any]:
    """Set tags. Raises ResourceNotFoundException, and what `verified_tags` raises."""
    trail = _present(authorized.target)
    save_trail(unit, replace(trail, tags=verified_tags(trail.tags, authorized.request.get("TagsList") or ())))
    return {}


def remove_tags(authorized: AuthorizedCall, unit: WriteUnit) -> Mapping[str, Any]:
    """Take tags away by their keys. Raises ResourceNotFoundException."""
    trail = _present(authorized.target)
    gone = {tag["Key"] for tag in authorized.request.get("TagsList") or ()}
    save_trail(unit, replace(trail, tags={k: v for k, v in trail.tags.items() if k not in gone}))
    return {}


def list_tags(authorized: AuthorizedCall, unit: ReadUnit) -> Mapping[str, Any]:
    """Return the tags of trails, by key. Raises ResourceNotFoundException."""
    return {
        "ResourceTagList": [
            {
                "ResourceId": target.resource,
                "TagsList": [
                    {"Key": key, "Value": value} for key, value in sorted(_present(target).tags.items())
                ],
            }
            for target in authorized.targets
        ]
    }


ADD_TAGS = Operation(
    name="AddTags",
    action="cloudtrail:AddTags",
    unit=Unit.WRITE,
    targets=_tagging_targets("cloudtrail:AddTags"),
    handle=add_tags,
    read_only=False,
)
REMOVE_TAGS = Operation(
    name="RemoveTags",
    action="cloudtrail:RemoveTags",
    unit=Unit.WRITE,
    targets=_tagging_targets("cloudtrail:RemoveTags"),
    handle=remove_tags,
    read_only=False,
)
LIST_TAGS = Operation(
    name="ListTags",
    action="cloudtrail:ListTags",
    unit=Unit.READ,
    targets=_list_targets,
    handle=list_tags,
)

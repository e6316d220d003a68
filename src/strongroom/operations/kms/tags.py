"""Tags of KMS keys. Source: fact sheet kms section 3."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from strongroom.errors import TagException
from strongroom.keys import states
from strongroom.operations.call import AuthorizedCall, Call, Operation, Target, Unit
from strongroom.operations.kms import messages
from strongroom.operations.kms.paging import page_members, page_size, parse_marker
from strongroom.operations.kms.resolution import managed, named_key, on_key, present
from strongroom.ports import KMS_KEYS, ReadUnit, WriteUnit

MAXIMUM_TAGS: Final = 50


def tag_context(tags: Sequence[Mapping[str, str]] | None) -> dict[str, str | tuple[str, ...]]:
    """Return the condition keys that tags in a request bring: aws:RequestTag/… and aws:TagKeys."""
    if not tags:
        return {}
    context: dict[str, str | tuple[str, ...]] = {
        f"aws:RequestTag/{tag['TagKey']}": tag["TagValue"] for tag in tags
    }
    context["aws:TagKeys"] = tuple(tag["TagKey"] for tag in tags)
    return context


def tagged(existing: Mapping[str, str], tags: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Return `existing` with `tags` set.

    Raises:
        TagException: a key occurs twice or begins with `aws:`, or there would be more than 50.
    """
    keys = [tag["TagKey"] for tag in tags]
    if len(set(keys)) != len(keys):
        raise TagException(messages.DUPLICATE_TAG_KEYS)
    if any(key.lower().startswith("aws:") for key in keys):
        raise TagException(messages.RESERVED_TAG_KEY)
    merged = {**existing, **{tag["TagKey"]: tag["TagValue"] for tag in tags}}
    if len(merged) > MAXIMUM_TAGS:
        raise TagException(messages.TOO_MANY_TAGS)
    return merged


def _tag_targets(call: Call, unit: ReadUnit) -> Sequence[Target]:
    request = call.request
    context = tag_context(request["Tags"])
    return (named_key(call, unit, request["KeyId"], "kms:TagResource", context=context),)


def _untag_targets(call: Call, unit: ReadUnit) -> Sequence[Target]:
    request = call.request
    context = {"aws:TagKeys": tuple(request["TagKeys"])} if request["TagKeys"] else None
    return (named_key(call, unit, request["KeyId"], "kms:UntagResource", context=context),)


def tag_resource(authorized: AuthorizedCall, unit: WriteUnit) -> None:
    key = managed(authorized.target)
    states.verify_not_pending_deletion(key)
    tags = tagged(key.tags, authorized.request["Tags"])
    unit.save(KMS_KEYS, msgspec.structs.replace(key, tags=tags))


def untag_resource(authorized: AuthorizedCall, unit: WriteUnit) -> None:
    key = managed(authorized.target)
    states.verify_not_pending_deletion(key)
    gone = set(authorized.request["TagKeys"])
    tags = {name: value for name, value in key.tags.items() if name not in gone}
    unit.save(KMS_KEYS, msgspec.structs.replace(key, tags=tags))


def list_resource_tags(authorized: AuthorizedCall, unit: ReadUnit) -> Mapping[str, Any]:
    key = present(authorized.target)
    size = page_size(authorized.request, 50, 50)
    after = parse_marker(authorized.request)
    rows = sorted(tag for tag in key.tags.items() if tag[0] > after)
    page = rows[:size]
    return {
        "Tags": [{"TagKey": name, "TagValue": value} for name, value in page],
        **page_members(rows, size, page[-1][0] if page else ""),
    }


TAG_RESOURCE = Operation(
    name="TagResource",
    action="kms:TagResource",
    unit=Unit.WRITE,
    targets=_tag_targets,
    handle=tag_resource,
    read_only=False,
)
UNTAG_RESOURCE = Operation(
    name="UntagResource",
    action="kms:UntagResource",
    unit=Unit.WRITE,
    targets=_untag_targets,
    handle=untag_resource,
    read_only=False,
)
LIST_RESOURCE_TAGS = Operation(
    name="ListResourceTags",
    action="kms:ListResourceTags",
    unit=Unit.READ,
    targets=on_key("kms:ListResourceTags"),
    handle=list_resource_tags,
)

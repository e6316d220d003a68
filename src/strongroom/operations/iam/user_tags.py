"""Tags of users. Source: fact sheet iam sections 8 and 11."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from strongroom.identity.tags import with_tags, without_tags
from strongroom.operations.call import AuthorizedCall, Call, Operation, Target, Unit
from strongroom.operations.iam.paging import page_members, page_size, parse_marker
from strongroom.operations.iam.resolution import IGNORES_CASE, on_user, present, user_target
from strongroom.ports import USERS, ReadUnit, WriteUnit


def tag_context(tags: Sequence[Mapping[str, str]] | None) -> dict[str, str | tuple[str, ...]]:
    """Return the condition keys that tags in a request bring: aws:RequestTag/… and aws:TagKeys."""
    if not tags:
        return {}
    context: dict[str, str | tuple[str, ...]] = {f"aws:RequestTag/{tag['Key']}": tag["Value"] for tag in tags}
    context["aws:TagKeys"] = tuple(tag["Key"] for tag in tags)
    return context


def tag_entries(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Return tags as the answers have them, by key."""
    return [{"Key": key, "Value": tags[key]} for key in sorted(tags)]


def _tag_targets(call: Call, unit: ReadUnit) -> Sequence[Target]:
    request = call.request
    context = tag_context(request["Tags"])
    return (user_target(call, unit, "iam:TagUser", request["UserName"], context),)


def tag_user(authorized: AuthorizedCall, unit: WriteUnit) -> None:
    """Set tags; a key that differs in case only is the same key.

    Raises:
        NoSuchEntityException: no such user.
        InvalidInputException: a key comes twice or is reserved.
        LimitExceededException: the user would have more than 50.
    """
    user = present(authorized.call, authorized.target)
    tags = with_tags(user.tags, authorized.request["Tags"])
    unit.save(USERS, msgspec.structs.replace(user, tags=tags))


def _untag_targets(call: Call, unit: ReadUnit) -> Sequence[Target]:
    request = call.request
    context = {"aws:TagKeys": tuple(request["TagKeys"])} if request["TagKeys"] else {}
    return (user_target(call, unit, "iam:UntagUser", request["UserName"], context),)


def untag_user(authorized: AuthorizedCall, unit: WriteUnit) -> None:
    """Remove tags; unknown keys are ignored.

    Raises:
        NoSuchEntityException: no such user.
    """
    user = present(authorized.call, authorized.target)
    tags = without_tags(user.tags, authorized.request["TagKeys"])
    unit.save(USERS, msgspec.structs.replace(user, tags=tags))


def list_user_tags(authorized: AuthorizedCall, unit: ReadUnit) -> Mapping[str, Any]:
    """Return a user's tags, by key.

    Raises:
        NoSuchEntityException: no such user.
        ValidationException: a Marker this service did not give out.
    """
    request = authorized.request
    user = present(authorized.call, authorized.target)
    size, after = page_size(request), parse_marker(request)
    rows = [tag for tag in tag_entries(user.tags) if tag["Key"] > after]
    page = rows[:size]
    return {"Tags": page, **page_members(rows, size, page[-1]["Key"] if page else "")}


TAG_USER = Operation(
    name="TagUser",
    action="iam:TagUser",
    unit=Unit.WRITE,
    targets=_tag_targets,
    handle=tag_user,
    read_only=False,
    deviations=(IGNORES_CASE, "The texts for reserved tag keys and for more than 50 tags are our own."),
)
UNTAG_USER = Operation(
    name="UntagUser",
    action="iam:UntagUser",
    unit=Unit.WRITE,
    targets=_untag_targets,
    handle=untag_user,
    read_only=False,
    deviations=(IGNORES_CASE,),
)
LIST_USER_TAGS = Operation(
    name="ListUserTags",
    action="iam:ListUserTags",
    unit=Unit.READ,
    targets=on_user("iam:ListUserTags"),
    handle=list_user_tags,
    deviations=(IGNORES_CASE,),
)

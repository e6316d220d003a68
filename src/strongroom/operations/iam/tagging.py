"""Tags of users and roles, and what policies see of tags in a request.

Source: fact sheet iam sections 8 and 11.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeVar

import msgspec

from strongroom.identity.records import Role, User
from strongroom.identity.tags import with_tags, without_tags
from strongroom.operations.call import AuthorizedCall, Call, Handler, Target, Targets
from strongroom.operations.iam.entities import EntityType, entity_target, present_entity
from strongroom.operations.iam.paging import page_members, page_size, parse_marker
from strongroom.ports import ReadUnit, WriteUnit

Tagged = TypeVar("Tagged", User, Role)

OWN_TEXTS: Final = "The texts for reserved tag keys and for more than 50 tags are our own."


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


def tag_targets(entity: EntityType[Tagged], action: str) -> Targets:
    def targets(call: Call, unit: ReadUnit) -> Sequence[Target]:
        request = call.request
        context = tag_context(request["Tags"])
        return (entity_target(call, unit, entity, action, request[entity.member], context),)

    return targets


def untag_targets(entity: EntityType[Tagged], action: str) -> Targets:
    def targets(call: Call, unit: ReadUnit) -> Sequence[Target]:
        request = call.request
        context = {"aws:TagKeys": tuple(request["TagKeys"])} if request["TagKeys"] else {}
        return (entity_target(call, unit, entity, action, request[entity.member], context),)

    return targets


def set_tags(entity: EntityType[Tagged]) -> Handler:
    """Return the handler that sets tags; a key that differs in case only is the same key.

    It raises:
        NoSuchEntityException: no such user or role.
        InvalidInputException: a key comes twice or is reserved.
        LimitExceededException: there would be more than 50.
    """

    def handle(authorized: AuthorizedCall, unit: WriteUnit) -> None:
        found = present_entity(entity, authorized.call, authorized.target)
        tags = with_tags(found.tags, authorized.request["Tags"], entity.noun.capitalize())
        unit.save(entity.kind, msgspec.structs.replace(found, tags=tags))

    return handle


def remove_tags(entity: EntityType[Tagged]) -> Handler:
    """Return the handler that removes tags; unknown keys are ignored.

    It raises:
        NoSuchEntityException: no such user or role.
    """

    def handle(authorized: AuthorizedCall, unit: WriteUnit) -> None:
        found = present_entity(entity, authorized.call, authorized.target)
        tags = without_tags(found.tags, authorized.request["TagKeys"])
        unit.save(entity.kind, msgspec.structs.replace(found, tags=tags))

    return handle


def list_tags(entity: EntityType[Tagged]) -> Handler:
    """Return the handler that returns tags, by key.

    It raises:
        NoSuchEntityException: no such user or role.
        ValidationException: a Marker this service did not give out.
    """

    def handle(authorized: AuthorizedCall, unit: ReadUnit) -> Mapping[str, Any]:
        request = authorized.request
        found = present_entity(entity, authorized.call, authorized.target)
        size, after = page_size(request), parse_marker(request)
        rows = [tag for tag in tag_entries(found.tags) if tag["Key"] > after]
        page = rows[:size]
        return {"Tags": page, **page_members(rows, size, page[-1]["Key"] if page else "")}

    return handle

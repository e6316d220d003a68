"""Inline policies of users, groups and roles. Source: fact sheet iam sections 1 and 10 to 12."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from strongroom.errors import (
    LimitExceededException,
    MalformedPolicyDocumentException,
    NoSuchEntityException,
)
from strongroom.identity.naming import verify_name
from strongroom.operations.call import AuthorizedCall, Call, Handler, Target, Targets
from strongroom.operations.iam import messages
from strongroom.operations.iam.entities import E, EntityType, entity_target, present_entity
from strongroom.operations.iam.paging import page_members, page_size, parse_marker
from strongroom.policy.document import PolicyKind, PolicySyntaxError, fits, parse_policy
from strongroom.ports import ReadUnit, WriteUnit


def exact_names(entity: EntityType[Any]) -> str:
    """Return the deviation of operations that name an inline policy."""
    return f"The names of a {entity.noun}'s inline policies are told apart by case, too."


def put_targets(entity: EntityType[E], action: str) -> Targets:
    """Return the targets of putting a policy: the entity, once the policy's name is a name."""

    def targets(call: Call, unit: ReadUnit) -> Sequence[Target]:
        verify_name("policyName", call.request["PolicyName"])
        return (entity_target(call, unit, entity, action, call.request[entity.member]),)

    return targets


def put_policy(entity: EntityType[E]) -> Handler:
    """Return the handler that saves an inline policy, in place of any of the same name; the next call is
    decided by it.

    It raises:
        NoSuchEntityException: no such entity.
        MalformedPolicyDocumentException: not an identity policy.
        LimitExceededException: the entity's inline policies together would have more characters than it may
            have (2,048 a user, 5,120 a group, 10,240 a role), white space not counted.
    """

    def handle(authorized: AuthorizedCall, unit: WriteUnit) -> None:
        request = authorized.request
        found = present_entity(entity, authorized.call, authorized.target)
        document = request["PolicyDocument"]
        policies = {**found.policies, request["PolicyName"]: document}
        limit = entity.inline_total
        # SECURITY: the size first: 131,072 characters, which a request may have, take seconds to compile.
        if not fits(limit, *policies.values()):
            name = entity.name_of(found)
            raise LimitExceededException(messages.policies_too_large(limit.characters, entity.noun, name))
        try:
            parse_policy(document, PolicyKind.IDENTITY)
        except PolicySyntaxError as error:
            raise MalformedPolicyDocumentException(error.message) from error
        unit.save(entity.kind, msgspec.structs.replace(found, policies=policies))

    return handle


def get_policy(entity: EntityType[E]) -> Handler:
    """Return the handler that returns an inline policy as it was written; the wire encodes it for URLs.

    It raises:
        NoSuchEntityException: no such entity, or no such policy of it.
    """

    def handle(authorized: AuthorizedCall, unit: ReadUnit) -> Mapping[str, Any]:
        found, name = _owned_policy(entity, authorized)
        return {
            entity.member: entity.name_of(found),
            "PolicyName": name,
            "PolicyDocument": found.policies[name],
        }

    return handle


def list_policies(entity: EntityType[E]) -> Handler:
    """Return the handler that returns the names of an entity's inline policies, sorted.

    It raises:
        NoSuchEntityException: no such entity.
        ValidationException: a Marker this service did not give out.
    """

    def handle(authorized: AuthorizedCall, unit: ReadUnit) -> Mapping[str, Any]:
        request = authorized.request
        found = present_entity(entity, authorized.call, authorized.target)
        size, after = page_size(request), parse_marker(request)
        rows = sorted(name for name in found.policies if name > after)
        page = rows[:size]
        return {"PolicyNames": page, **page_members(rows, size, page[-1] if page else "")}

    return handle


def delete_policy(entity: EntityType[E]) -> Handler:
    """Return the handler that removes an inline policy; what it alone allowed is refused from the next call
    on.

    It raises:
        NoSuchEntityException: no such entity, or no such policy of it.
    """

    def handle(authorized: AuthorizedCall, unit: WriteUnit) -> None:
        found, gone = _owned_policy(entity, authorized)
        policies = {name: document for name, document in found.policies.items() if name != gone}
        unit.save(entity.kind, msgspec.structs.replace(found, policies=policies))

    return handle


def _owned_policy(entity: EntityType[E], authorized: AuthorizedCall) -> tuple[E, str]:
    found = present_entity(entity, authorized.call, authorized.target)
    name: str = authorized.request["PolicyName"]
    if name not in found.policies:
        raise NoSuchEntityException(messages.no_such_inline_policy(entity.noun, name))
    return found, name

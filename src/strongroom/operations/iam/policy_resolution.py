"""From a request's PolicyArn to the managed policy it means, and who uses that.

Sources: fact sheet iam sections 8 to 12.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Final

from strongroom.errors import (
    AccessDeniedException,
    InvalidInputException,
    LimitExceededException,
    MalformedPolicyDocumentException,
    NoSuchEntityException,
    ValidationException,
)
from strongroom.identity.managed import AWS_ACCOUNT, AWS_MANAGED
from strongroom.identity.records import Group, ManagedPolicy, Role, User
from strongroom.names import AccountId, Arn, is_account_id, parse_arn
from strongroom.operations.call import AuthorizedCall, Call, ConditionContext, Target, Targets
from strongroom.operations.iam import policy_messages
from strongroom.operations.iam.entities import resource_tags
from strongroom.operations.refusals import note_unreachable
from strongroom.policy.document import MANAGED_POLICY_SIZE, PolicyKind, PolicySyntaxError, fits, parse_policy
from strongroom.ports import GROUPS, MANAGED_POLICIES, ROLES, USERS, ReadUnit

__all__ = [
    "OTHER_ACCOUNTS",
    "Usage",
    "described_policy",
    "find_policy",
    "on_policy",
    "own_policy",
    "policy_target",
    "present_policy",
    "usage_of_policies",
    "verify_document",
    "verify_policy_arn",
]

OWNED_BY_AWS = "The policy is AWS's own; no account can change it."
OTHER_ACCOUNTS = "A policy of another account is never found, whatever policies allow."

_RESOURCE: Final = re.compile(r"policy/(?:[\x21-\x7e]+/)?[A-Za-z0-9_+=,.@-]+")


def verify_policy_arn(arn: str) -> Arn:
    """Return `arn`, which names a managed policy.

    Raises:
        ValidationException: it is no ARN at all.
        InvalidInputException: it is the ARN of something else.
    """
    parsed = parse_arn(arn)
    if parsed is None:
        raise ValidationException(policy_messages.INVALID_ARN)
    owner = parsed.account_id
    if (
        parsed.service != "iam"
        or parsed.region
        or not (owner == AWS_ACCOUNT or is_account_id(owner))
        or _RESOURCE.fullmatch(parsed.resource) is None
    ):
        raise InvalidInputException(policy_messages.invalid_arn(arn))
    return Arn(arn)


def find_policy(unit: ReadUnit, account_id: AccountId, arn: Arn) -> ManagedPolicy | None:
    """Return AWS's policy of that ARN, or the account's; None for anything else."""
    known = AWS_MANAGED.get(arn)
    # SECURITY: another account's policy is as good as absent, hence the scope is not taken from the ARN.
    return known if known is not None else unit.find(MANAGED_POLICIES, account_id, arn)


def policy_target(call: Call, unit: ReadUnit, action: str, context: ConditionContext | None = None) -> Target:
    """Return the target of an action on the policy the request's PolicyArn names, there or not.

    Raises:
        ValidationException, InvalidInputException: as `verify_policy_arn`.
    """
    arn = verify_policy_arn(call.request["PolicyArn"])
    policy = find_policy(unit, call.account_id, arn)
    tags: ConditionContext = {} if policy is None else resource_tags(policy.tags)
    return Target(
        action=action,
        resource=arn,
        # AWS's policies, too, are the caller's account's to permit reading.
        owner_account=call.account_id,
        shown_as=f"policy {arn}",
        record=policy,
        context={**tags, **(context or {})},
    )


def on_policy(action: str) -> Targets:
    """Return the targets of an operation on the request's PolicyArn."""
    return lambda call, unit: (policy_target(call, unit, action),)


def present_policy(authorized: AuthorizedCall) -> ManagedPolicy:
    """Return the target's policy.

    Raises:
        NoSuchEntityException: there is none of that ARN.
    """
    policy: ManagedPolicy | None = authorized.target.record
    if policy is None:
        raise NoSuchEntityException(policy_messages.no_such_policy(authorized.target.resource))
    return policy


def own_policy(authorized: AuthorizedCall) -> ManagedPolicy:
    """Return the target's policy, which is the account's own to change.

    Raises:
        NoSuchEntityException: there is none of that ARN.
        AccessDeniedException: it is AWS's.
    """
    policy = present_policy(authorized)
    if policy.account_id == AWS_ACCOUNT:
        call, target = authorized.call, authorized.target
        message = (
            f"User: {call.principal.arn} is not authorized to perform: {target.action} "
            f"on resource: {target.shown_as}"
        )
        note_unreachable(call, target, message, OWNED_BY_AWS)
        raise AccessDeniedException(message)
    return policy


def verify_document(document: str) -> None:
    """Pass when `document` can be a managed policy.

    Raises:
        MalformedPolicyDocumentException: not an identity policy.
        LimitExceededException: more than 6,144 characters, white space not counted.
    """
    # SECURITY: the size first: 131,072 characters, which a request may have, take seconds to compile.
    if not fits(MANAGED_POLICY_SIZE, document):
        raise LimitExceededException(policy_messages.policy_too_large(MANAGED_POLICY_SIZE.characters))
    try:
        parse_policy(document, PolicyKind.IDENTITY)
    except PolicySyntaxError as error:
        raise MalformedPolicyDocumentException(error.message) from error


class Usage:
    """How many entities of an account use each managed policy, by ARN."""

    def __init__(self, entities: Iterator[User | Role | Group]) -> None:
        self.attached: Counter[Arn] = Counter()
        self.boundaries: Counter[Arn] = Counter()
        for entity in entities:
            self.attached.update(entity.attached)
            if not isinstance(entity, Group) and entity.boundary is not None:
                self.boundaries[entity.boundary] += 1


def usage_of_policies(unit: ReadUnit, account_id: AccountId) -> Usage:
    """Return the usage of managed policies by all entities of an account: looks at every one of them."""

    def entities() -> Iterator[User | Role | Group]:
        yield from unit.scan(USERS, account_id)
        yield from unit.scan(ROLES, account_id)
        yield from unit.scan(GROUPS, account_id)

    return Usage(entities())


def described_policy(policy: ManagedPolicy, usage: Usage) -> Mapping[str, Any]:
    """Return a policy as the lists have it: without description and tags."""
    return {
        "PolicyName": policy.policy_name,
        "PolicyId": policy.policy_id,
        "Arn": policy.arn,
        "Path": policy.path,
        "DefaultVersionId": policy.default_version_id,
        "AttachmentCount": usage.attached[policy.arn],
        "PermissionsBoundaryUsageCount": usage.boundaries[policy.arn],
        "IsAttachable": True,
        "CreateDate": policy.created_at,
        "UpdateDate": policy.updated_at,
    }

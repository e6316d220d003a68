"""Inline policies of users. Source: fact sheet iam sections 1 and 10 to 12."""

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
from strongroom.identity.records import User
from strongroom.operations.call import AuthorizedCall, Call, Operation, Target, Unit
from strongroom.operations.iam import messages
from strongroom.operations.iam.paging import page_members, page_size, parse_marker
from strongroom.operations.iam.resolution import IGNORES_CASE, on_user, present
from strongroom.policy.document import USER_INLINE_TOTAL, PolicyKind, PolicySyntaxError, fits, parse_policy
from strongroom.ports import USERS, ReadUnit, WriteUnit

EXACT_NAMES = "The names of a user's inline policies are told apart by case, too."

_on_put = on_user("iam:PutUserPolicy")


def _put_targets(call: Call, unit: ReadUnit) -> Sequence[Target]:
    verify_name("policyName", call.request["PolicyName"])
    return _on_put(call, unit)


def put_user_policy(authorized: AuthorizedCall, unit: WriteUnit) -> None:
    """Save an inline policy, in place of any of the same name; the next call is decided by it.

    Raises:
        NoSuchEntityException: no such user.
        MalformedPolicyDocumentException: not an identity policy.
        LimitExceededException: the user's inline policies together would have more than 2,048 characters,
            white space not counted.
    """
    request = authorized.request
    user = present(authorized.call, authorized.target)
    document = request["PolicyDocument"]
    try:
        parse_policy(document, PolicyKind.IDENTITY)
    except PolicySyntaxError as error:
        raise MalformedPolicyDocumentException(error.message) from error
    policies = {**user.policies, request["PolicyName"]: document}
    if not fits(USER_INLINE_TOTAL, *policies.values()):
        raise LimitExceededException(
            messages.policies_too_large(USER_INLINE_TOTAL.characters, user.user_name)
        )
    unit.save(USERS, msgspec.structs.replace(user, policies=policies))


def get_user_policy(authorized: AuthorizedCall, unit: ReadUnit) -> Mapping[str, Any]:
    """Return an inline policy as it was written; the wire encodes it for URLs.

    Raises:
        NoSuchEntityException: no such user, or no such policy of it.
    """
    user, name = _owned_policy(authorized)
    return {"UserName": user.user_name, "PolicyName": name, "PolicyDocument": user.policies[name]}


def list_user_policies(authorized: AuthorizedCall, unit: ReadUnit) -> Mapping[str, Any]:
    """Return the names of a user's inline policies, sorted.

    Raises:
        NoSuchEntityException: no such user.
        ValidationException: a Marker this service did not give out.
    """
    request = authorized.request
    user = present(authorized.call, authorized.target)
    size, after = page_size(request), parse_marker(request)
    rows = sorted(name for name in user.policies if name > after)
    page = rows[:size]
    return {"PolicyNames": page, **page_members(rows, size, page[-1] if page else "")}


def delete_user_policy(authorized: AuthorizedCall, unit: WriteUnit) -> None:
    """Remove an inline policy; what it alone allowed is refused from the next call on.

    Raises:
        NoSuchEntityException: no such user, or no such policy of it.
    """
    user, gone = _owned_policy(authorized)
    policies = {name: document for name, document in user.policies.items() if name != gone}
    unit.save(USERS, msgspec.structs.replace(user, policies=policies))


def _owned_policy(authorized: AuthorizedCall) -> tuple[User, str]:
    user = present(authorized.call, authorized.target)
    name: str = authorized.request["PolicyName"]
    if name not in user.policies:
        raise NoSuchEntityException(messages.no_such_user_policy(name))
    return user, name


PUT_USER_POLICY = Operation(
    name="PutUserPolicy",
    action="iam:PutUserPolicy",
    unit=Unit.WRITE,
    targets=_put_targets,
    handle=put_user_policy,
    read_only=False,
    deviations=(IGNORES_CASE, EXACT_NAMES),
)
GET_USER_POLICY = Operation(
    name="GetUserPolicy",
    action="iam:GetUserPolicy",
    unit=Unit.READ,
    targets=on_user("iam:GetUserPolicy"),
    handle=get_user_policy,
    deviations=(IGNORES_CASE, EXACT_NAMES),
)
LIST_USER_POLICIES = Operation(
    name="ListUserPolicies",
    action="iam:ListUserPolicies",
    unit=Unit.READ,
    targets=on_user("iam:ListUserPolicies"),
    handle=list_user_policies,
    deviations=(IGNORES_CASE,),
)
DELETE_USER_POLICY = Operation(
    name="DeleteUserPolicy",
    action="iam:DeleteUserPolicy",
    unit=Unit.WRITE,
    targets=on_user("iam:DeleteUserPolicy"),
    handle=delete_user_policy,
    read_only=False,
    deviations=(IGNORES_CASE, EXACT_NAMES),
)

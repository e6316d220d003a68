"""AssumeRole: a session of a role, for whom its trust policy names. Source: fact sheet iam sections 4, 13."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from strongroom.errors import (
    AccessDeniedException,
    InvalidContextAssertionException,
    ValidationException,
)
from strongroom.identity.naming import fold_name
from strongroom.identity.principal import PrincipalType
from strongroom.identity.records import Role
from strongroom.names import AccountId, Arn, assumed_role_arn, is_account_id, parse_arn
from strongroom.operations.call import (
    AuthorizedCall,
    Call,
    ConditionContext,
    Operation,
    ResourcePolicy,
    Target,
    Unit,
)
from strongroom.operations.iam.entities import resource_tags
from strongroom.operations.refusals import note_unreachable
from strongroom.operations.sts import messages
from strongroom.operations.sts.given import (
    PACKING,
    TagsSent,
    packed_size,
    parse_tags,
    role_session_seconds,
    session_policies,
    tag_context,
    with_tags,
)
from strongroom.operations.sts.sessions import issue
from strongroom.ports import ROLES, ReadUnit

__all__ = ["ASSUME_ROLE", "SIZES_LEFT_OUT", "role_session", "role_targets"]

SIZES_LEFT_OUT: Final = (
    "MinimumSessionTokenSize has no effect, and SessionTokenSize and SessionTokenUtilization are left out: "
    "AWS has not documented them."
)
_TRUSTS_NOBODY: Final = (
    '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"AROA00000000000000000"},'
    '"Action":"sts:AssumeRole"}}'
)
"""Stands for the trust policy of a role that does not exist: no id has a zero in it."""


def role_targets(
    unit: ReadUnit, role_arn: str, actions: Sequence[str], context: ConditionContext, denials: Sequence[str]
) -> list[Target]:
    """Return the targets of taking a role, one for each action; a role that is not there trusts nobody.

    `denials` are the refusals' texts, which tell nothing of whether there is such a role.

    Raises:
        ValidationException: the ARN is not one of a role.
    """
    parsed = parse_arn(role_arn)
    if (
        parsed is None
        or (parsed.service, parsed.region) != ("iam", "")
        or not is_account_id(parsed.account_id)
        or not parsed.resource.startswith("role/")
    ):
        raise ValidationException(messages.invalid_arn(role_arn))
    name = parsed.resource.rpartition("/")[2]
    found = unit.find_alternate(ROLES, parsed.account_id, fold_name(name))
    role = found if found is not None and found.arn == role_arn else None
    trust = ResourcePolicy(
        _TRUSTS_NOBODY if role is None else role.trust_policy, delegates_to_account=False, trust=True
    )
    tags: ConditionContext = {} if role is None else resource_tags(role.tags)
    return [
        Target(
            action=action,
            resource=role_arn,
            owner_account=AccountId(parsed.account_id),
            # The call's record names the role once, whatever else is asked about it.
            record=role if action is actions[0] else None,
            resource_policies=(trust,),
            context={**tags, **context},
            denial=denial,
        )
        for action, denial in zip(actions, denials, strict=True)
    ]


def _source_identity(call: Call) -> str | None:
    """Return the source identity the new session has: the calling session's, if that has one.

    Raises:
        ValidationException: the request names another one than the calling session has.
    """
    own, sent = call.principal.source_identity, call.request.get("SourceIdentity")
    if own is not None and sent not in (None, own):
        raise ValidationException(messages.SOURCE_IDENTITY_STAYS)
    return own if own is not None else sent


def _assume_role_targets(call: Call, unit: ReadUnit) -> Sequence[Target]:
    request, principal = call.request, call.principal
    if principal.is_root:
        target = Target("sts:AssumeRole", request["RoleArn"], call.account_id)
        note_unreachable(call, target, messages.ROOT_MAY_NOT_ASSUME, messages.ROOT_MAY_NOT_ASSUME)
        raise AccessDeniedException(messages.ROOT_MAY_NOT_ASSUME)
    tags, source_identity = parse_tags(request, principal), _source_identity(call)
    context: dict[str, str | tuple[str, ...]] = {
        "sts:RoleSessionName": request["RoleSessionName"],
        **tag_context(tags),
    }
    if "ExternalId" in request:
        context["sts:ExternalId"] = request["ExternalId"]
    if "DurationSeconds" in request:
        context["sts:DurationSeconds"] = str(request["DurationSeconds"])
    actions = ["sts:AssumeRole"]
    if tags.any:
        actions.append("sts:TagSession")
    if source_identity is not None:
        actions.append("sts:SetSourceIdentity")
        context["sts:SourceIdentity"] = source_identity
    role_arn = request["RoleArn"]
    denials = [messages.not_authorized(principal.arn, action, role_arn) for action in actions]
    return role_targets(unit, role_arn, actions, context, denials)


def assume_role(authorized: AuthorizedCall, unit: ReadUnit) -> Mapping[str, Any]:
    """Return temporary credentials of the role; nothing is written.

    Raises:
        AccessDeniedException: an MFA device is named; there are none.
        InvalidContextAssertionException: a context assertion comes along.
        ValidationException, MalformedPolicyDocumentException, PackedPolicyTooLargeException: what is given to
            the session is no good (`given`).
    """
    call, request = authorized.call, authorized.request
    if "SerialNumber" in request or "TokenCode" in request:
        raise AccessDeniedException(messages.MFA_NOT_VALID)
    if request.get("ProvidedContexts"):
        raise InvalidContextAssertionException(messages.CONTEXTS_UNSUPPORTED)
    return role_session(
        authorized, unit, parse_tags(request, call.principal), source_identity=_source_identity(call)
    )


def role_session(
    authorized: AuthorizedCall,
    unit: ReadUnit,
    tags: TagsSent,
    *,
    source_identity: str | None,
    provider: Arn | None = None,
) -> dict[str, Any]:
    """Return the answer's members that all ways of taking a role share.

    Raises:
        ValidationException, MalformedPolicyDocumentException, PackedPolicyTooLargeException: see `given`.
    """
    call, request = authorized.call, authorized.request
    role: Role = authorized.target.record
    seconds = role_session_seconds(request, role.max_session_seconds, call.principal)
    given = with_tags(session_policies(request, unit, role.account_id), tags)
    packed = packed_size(given)
    name = request["RoleSessionName"]
    _, credentials = issue(
        call,
        account_id=role.account_id,
        type=PrincipalType.ASSUMED_ROLE,
        seconds=seconds,
        given=given,
        name=name,
        role_id=role.role_id,
        source_identity=source_identity,
        provider=provider,
    )
    assumed = {
        "AssumedRoleId": f"{role.role_id}:{name}",
        "Arn": assumed_role_arn(role.account_id, role.role_name, name),
    }
    call.details["response_elements"]["assumedRoleUser"] = {
        "assumedRoleId": assumed["AssumedRoleId"],
        "arn": assumed["Arn"],
    }
    answer: dict[str, Any] = {"Credentials": credentials, "AssumedRoleUser": assumed, **packed}
    if source_identity is not None:
        answer["SourceIdentity"] = source_identity
    return answer


ASSUME_ROLE = Operation(
    name="AssumeRole",
    action="sts:AssumeRole",
    unit=Unit.READ,
    targets=_assume_role_targets,
    handle=assume_role,
    deviations=(
        "A refusal names neither the layer nor the statement that decided, so that a role that exists is not "
        "told from one that does not.",
        "A session ends with its role: calls with its credentials are answered as with an unknown token.",
        "The condition key sts:DurationSeconds is there only when DurationSeconds was sent.",
        "There are no MFA devices: SerialNumber and TokenCode are refused.",
        "Another SourceIdentity than that of the calling session is a ValidationError.",
        "A managed policy that does not exist, given as session policy, is a ValidationError.",
        "The event's responseElements name the access key that was given out, without the session token.",
        PACKING,
        SIZES_LEFT_OUT,
    ),
)

"""Sessions of users: GetSessionToken and GetFederationToken. Source: fact sheet iam section 13."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from strongroom.errors import AccessDeniedException
from strongroom.identity.principal import PrincipalType
from strongroom.identity.sessions import Given
from strongroom.names import federated_user_arn
from strongroom.operations.call import AuthorizedCall, Call, Operation, Target, Unit
from strongroom.operations.sts import messages
from strongroom.operations.sts.given import (
    PACKING,
    packed_size,
    parse_tags,
    session_policies,
    tag_context,
    with_tags,
)
from strongroom.operations.sts.limits import verify_may_call
from strongroom.operations.sts.roles import SIZES_LEFT_OUT
from strongroom.operations.sts.sessions import issue
from strongroom.ports import ReadUnit

DEFAULT_SECONDS: Final = 43_200
ROOT_SECONDS: Final = 3_600
"""A root user's sessions are never longer; AWS shortens them without a word."""
ENDS_WITH_KEY: Final = (
    "A session ends with the access key that made it: when that is deactivated or deleted, calls with the "
    "session's credentials are answered as with an unknown token."
)


def _seconds(call: Call) -> int:
    if call.principal.is_root:
        return min(ROOT_SECONDS, int(call.request.get("DurationSeconds", ROOT_SECONDS)))
    return int(call.request.get("DurationSeconds", DEFAULT_SECONDS))


def _user_id(call: Call) -> str | None:
    return None if call.principal.is_root else call.principal.principal_id


def _nothing(call: Call, unit: ReadUnit) -> Sequence[Target]:
    """No permission is asked for: policies cannot control it."""
    verify_may_call(call.principal, "sts", call.operation)
    return ()


def get_session_token(authorized: AuthorizedCall, unit: ReadUnit) -> Mapping[str, Any]:
    """Return temporary credentials of the calling user; nothing is written.

    Raises:
        AccessDeniedException: an MFA device is named; there are none.
    """
    call = authorized.call
    if "SerialNumber" in call.request or "TokenCode" in call.request:
        raise AccessDeniedException(messages.MFA_NOT_VALID)
    _, credentials = issue(
        call,
        account_id=call.account_id,
        type=call.principal.type,
        seconds=_seconds(call),
        given=Given(),
        user_id=_user_id(call),
        issuer_key_id=call.principal.access_key_id,
    )
    return {"Credentials": credentials}


def _federation_targets(call: Call, unit: ReadUnit) -> Sequence[Target]:
    verify_may_call(call.principal, "sts", call.operation)
    tags = parse_tags(call.request, call.principal)
    context = tag_context(tags)
    resource = federated_user_arn(call.account_id, call.request["Name"])
    actions = ["sts:GetFederationToken", *(["sts:TagSession"] if tags.any else [])]
    return [Target(action, resource, call.account_id, context=context) for action in actions]


def get_federation_token(authorized: AuthorizedCall, unit: ReadUnit) -> Mapping[str, Any]:
    """Return temporary credentials of a federated user, who may what the caller and session policies allow.

    Raises:
        ValidationException, MalformedPolicyDocumentException, PackedPolicyTooLargeException: see `given`.
    """
    call, request = authorized.call, authorized.request
    tags = parse_tags(request, call.principal)
    given = with_tags(session_policies(request, unit, call.account_id), tags)
    packed = packed_size(given)
    name = request["Name"]
    _, credentials = issue(
        call,
        account_id=call.account_id,
        type=PrincipalType.FEDERATED_USER,
        seconds=_seconds(call),
        given=given,
        name=name,
        user_id=_user_id(call),
        issuer_key_id=call.principal.access_key_id,
    )
    federated = {
        "FederatedUserId": f"{call.account_id}:{name}",
        "Arn": federated_user_arn(call.account_id, name),
    }
    call.details["response_elements"]["federatedUser"] = {
        "federatedUserId": federated["FederatedUserId"],
        "arn": federated["Arn"],
    }
    return {"Credentials": credentials, "FederatedUser": federated, **packed}


GET_SESSION_TOKEN = Operation(
    name="GetSessionToken",
    action="",
    unit=Unit.READ,
    targets=_nothing,
    handle=get_session_token,
    deviations=(
        ENDS_WITH_KEY,
        "There are no MFA devices: SerialNumber and TokenCode are refused, and no session can call IAM.",
        SIZES_LEFT_OUT,
    ),
)
GET_FEDERATION_TOKEN = Operation(
    name="GetFederationToken",
    action="sts:GetFederationToken",
    unit=Unit.READ,
    targets=_federation_targets,
    handle=get_federation_token,
    deviations=(ENDS_WITH_KEY, PACKING, SIZES_LEFT_OUT),
)

"""DecodeAuthorizationMessage: the decision in a text that ExplainDecision gave out. Source: service model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from strongroom.operations.authorization_messages import decoded_message
from strongroom.operations.call import AuthorizedCall, Call, Operation, Target, Unit
from strongroom.ports import ReadUnit

__all__ = ["DECODE_AUTHORIZATION_MESSAGE"]


def _targets(call: Call, unit: ReadUnit) -> Sequence[Target]:
    return (Target("sts:DecodeAuthorizationMessage", "*", call.account_id),)


def decode_authorization_message(authorized: AuthorizedCall, unit: ReadUnit) -> Mapping[str, Any]:
    """Return what stands in a message made for the caller's account.

    Raises:
        InvalidAuthorizationMessageException: not a message of this server, or one for another account.
    """
    call = authorized.call
    text = decoded_message(call.resources.root_key, authorized.request["EncodedMessage"], call.account_id)
    return {"DecodedMessage": text}


DECODE_AUTHORIZATION_MESSAGE = Operation(
    name="DecodeAuthorizationMessage",
    action="sts:DecodeAuthorizationMessage",
    unit=Unit.READ,
    targets=_targets,
    handle=decode_authorization_message,
    deviations=(
        "No error of this server carries a message: ExplainDecision of the service strongroom gives one out, "
        "and so does `strongroom explain --encoded`. "
        "It opens in the account it was made for, as long as the root key stays.",
        "Each of failures.items names a layer of policies that refused, and a matched statement names its "
        "policy; its principals, actions, resources and conditions are left out.",
    ),
)

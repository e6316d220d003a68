"""Who is it: the caller, or the account of an access key. Source: fact sheet iam section 13."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from strongroom.errors import UnrecognizedClientException
from strongroom.identity.ids import account_of_temporary
from strongroom.operations.call import AuthorizedCall, Call, Operation, Target, Unit
from strongroom.ports import ACCESS_KEYS, ACCOUNTS, ReadUnit

UNKNOWN_ACCESS_KEY: Final = "The security token included in the request is invalid."
"""Not established; AWS's text for keys it does not know."""


def _nothing(call: Call, unit: ReadUnit) -> Sequence[Target]:
    """No permission is asked for, and no Deny counts."""
    return ()


def get_caller_identity(authorized: AuthorizedCall, unit: ReadUnit) -> Mapping[str, Any]:
    """Return id, account and ARN of the caller."""
    principal = authorized.call.principal
    return {"UserId": principal.principal_id, "Account": principal.account_id, "Arn": principal.arn}


def _on_everything(call: Call, unit: ReadUnit) -> Sequence[Target]:
    return (Target("sts:GetAccessKeyInfo", "*", call.account_id),)


def get_access_key_info(authorized: AuthorizedCall, unit: ReadUnit) -> Mapping[str, Any]:
    """Return the account of an access key, of whichever account and whether active or not.

    A temporary key's account stands in its id; whether it was ever given out, nobody knows.

    Raises:
        UnrecognizedClientException: there is no such key, or no such account.
    """
    account_id = account_of_temporary(authorized.request["AccessKeyId"])
    if account_id is not None:
        if unit.find(ACCOUNTS, "", account_id) is None:
            raise UnrecognizedClientException(UNKNOWN_ACCESS_KEY)
        return {"Account": account_id}
    key = unit.find(ACCESS_KEYS, "", authorized.request["AccessKeyId"])
    if key is None:
        raise UnrecognizedClientException(UNKNOWN_ACCESS_KEY)
    return {"Account": key.account_id}


GET_CALLER_IDENTITY = Operation(
    name="GetCallerIdentity",
    action="",
    unit=Unit.READ,
    targets=_nothing,
    handle=get_caller_identity,
)
GET_ACCESS_KEY_INFO = Operation(
    name="GetAccessKeyInfo",
    action="sts:GetAccessKeyInfo",
    unit=Unit.READ,
    targets=_on_everything,
    handle=get_access_key_info,
    deviations=(
        "The account of a long-term key is looked up, not decoded from the id: a key that was deleted is "
        "InvalidClientTokenId.",
    ),
)

"""Decisions as sealed texts that can be handed on, and opened by whom sts:DecodeAuthorizationMessage allows.

In AWS such texts stand in the errors of some services. Here errors keep AWS's exact words, and the texts come
from ExplainDecision. What is inside has the members of AWS's decoded
messages, and holds what the account it was made for may see, which is bound to it.
"""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from collections.abc import Mapping
from typing import Any, Final

from strongroom.errors import IntegrityError, InvalidAuthorizationMessageException
from strongroom.ports import RootKey

__all__ = ["NOT_VALID", "decoded_message", "encoded_message"]

NOT_VALID: Final = "Message is not valid"
"""Seen by clients; the fact sheets have no text."""
_PURPOSE: Final = "authorization-message"
_VERSION: Final = b"\x01"
MAX_ENCODED: Final = 10_240
"""What DecodeAuthorizationMessage takes (service model)."""
MAX_DECODED: Final = 256 * 1024


def encoded_message(
    root_key: RootKey, record: Mapping[str, Any], entry: Mapping[str, Any], account_id: str
) -> str:
    """Return the message of a decision, for principals of the account.

    `entry` is what the account may see of `record`. Condition keys and statements that do not fit are left
    out.
    """
    keys = list(entry["ConditionKeys"])
    denies = [deny for each in entry["Refusals"] for deny in each["Denies"]]
    while True:
        text = json.dumps(_decoded(record, entry, denies, keys), separators=(",", ":"))
        sealed = root_key.wrap(_PURPOSE, zlib.compress(text.encode(), 9), _bound_to(account_id))
        encoded = base64.urlsafe_b64encode(_VERSION + sealed).decode()
        if len(encoded) <= MAX_ENCODED or not (keys or denies):
            return encoded
        if keys:
            keys = keys[: len(keys) // 2]
        else:
            denies = denies[: len(denies) // 2]


def decoded_message(root_key: RootKey, encoded: str, account_id: str) -> str:
    """Return the JSON text in a message that was made for the account.

    Raises:
        InvalidAuthorizationMessageException: anything else.
    """
    try:
        raw = base64.b64decode(encoded, altchars=b"-_", validate=True)
        if raw[:1] != _VERSION:
            raise InvalidAuthorizationMessageException(NOT_VALID)
        packed = root_key.unwrap(_PURPOSE, raw[1:], _bound_to(account_id))
        return zlib.decompressobj().decompress(packed, MAX_DECODED).decode()
    except (binascii.Error, ValueError, IntegrityError) as error:
        raise InvalidAuthorizationMessageException(NOT_VALID) from error


def _bound_to(account_id: str) -> dict[str, str]:
    return {"AccountId": account_id}


def _decoded(
    record: Mapping[str, Any], entry: Mapping[str, Any], denies: list[Any], keys: list[Any]
) -> dict[str, Any]:
    return {
        "allowed": False,
        "explicitDeny": any(each["Denies"] for each in entry["Refusals"]),
        "matchedStatements": {
            "items": [
                {"statementId": each["Sid"], "effect": "DENY", "policy": each["PolicyLabel"]}
                for each in denies
            ]
        },
        "failures": {"items": [{"layer": layer} for layer in entry["RefusedBy"]]},
        "context": {
            "principal": {"id": record["principal_id"], "arn": entry.get("PrincipalArn", "")},
            "action": entry["Action"],
            "resource": entry["ResourceArn"],
            "conditions": {
                "items": [
                    {"key": each["Key"], "values": {"items": [{"value": value} for value in each["Values"]]}}
                    for each in keys
                ]
            },
        },
    }

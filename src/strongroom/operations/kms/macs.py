"""Making and checking message authentication codes. Source: fact sheet kms sections 3, 4 and 9."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from strongroom.errors import KMSInvalidMacException
from strongroom.keys.records import KmsKey
from strongroom.keys.specs import GENERATE_VERIFY_MAC
from strongroom.operations.call import AuthorizedCall, Call, Operation, Target, Targets, Unit
from strongroom.operations.kms.material import mac_key
from strongroom.operations.kms.resolution import named_key
from strongroom.operations.kms.usage import stop_dry_run, usable_key, verify_algorithm
from strongroom.ports import ReadUnit


def _targets(action: str) -> Targets:
    def targets(call: Call, unit: ReadUnit) -> Sequence[Target]:
        context = {"kms:MacAlgorithm": call.request["MacAlgorithm"]}
        key_id = call.request["KeyId"]
        return (named_key(call, unit, key_id, action, aliases=True, cross_account=True, context=context),)

    return targets


def generate_mac(authorized: AuthorizedCall, unit: ReadUnit) -> Mapping[str, Any]:
    """Return the code of a message under an HMAC key.

    Raises:
        InvalidKeyUsageException: no HMAC key, or one for another algorithm.
    """
    key, request = _key(authorized), authorized.request
    mac = mac_key(authorized.call.resources, key).mac(request["MacAlgorithm"], request["Message"])
    return {"Mac": mac, "MacAlgorithm": request["MacAlgorithm"], "KeyId": key.arn}


def verify_mac(authorized: AuthorizedCall, unit: ReadUnit) -> Mapping[str, Any]:
    """Tell that the code is the key's for this message.

    Raises:
        KMSInvalidMacException: it is not; there is no answer that says "false".
    """
    key, request = _key(authorized), authorized.request
    handle = mac_key(authorized.call.resources, key)
    if not handle.is_mac(request["MacAlgorithm"], request["Message"], request["Mac"]):
        raise KMSInvalidMacException
    return {"KeyId": key.arn, "MacValid": True, "MacAlgorithm": request["MacAlgorithm"]}


def _key(authorized: AuthorizedCall) -> KmsKey:
    key = usable_key(authorized, authorized.target, GENERATE_VERIFY_MAC)
    verify_algorithm(key, authorized.request["MacAlgorithm"])
    stop_dry_run(authorized.request)
    return key


GENERATE_MAC = Operation(
    name="GenerateMac",
    action="kms:GenerateMac",
    unit=Unit.READ,
    targets=_targets("kms:GenerateMac"),
    handle=generate_mac,
)
VERIFY_MAC = Operation(
    name="VerifyMac",
    action="kms:VerifyMac",
    unit=Unit.READ,
    targets=_targets("kms:VerifyMac"),
    handle=verify_mac,
)

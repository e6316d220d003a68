"""Handing a secret to the owner of an ML-KEM key pair (FIPS 203). Source: the service model's texts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from strongroom.errors import IntegrityError, InvalidCiphertextException
from strongroom.keys.records import KmsKey
from strongroom.keys.specs import ENCAPSULATE_DECAPSULATE
from strongroom.operations.call import AuthorizedCall, Operation, Unit
from strongroom.operations.kms.material import private_key
from strongroom.operations.kms.resolution import on_key
from strongroom.operations.kms.usage import stop_dry_run, usable_key, verify_algorithm
from strongroom.ports import ReadUnit


def encapsulate(authorized: AuthorizedCall, unit: ReadUnit) -> Mapping[str, Any]:
    """Return a new shared secret, in clear and as only the key gives it back."""
    key = _key(authorized)
    secret, encapsulated = private_key(authorized.call.resources, key).encapsulate()
    return {
        "KeyId": key.arn,
        "SharedSecret": secret,
        "SharedSecretCiphertextBlob": encapsulated,
        "EncapsulationAlgorithm": authorized.request["EncapsulationAlgorithm"],
    }


def decapsulate(authorized: AuthorizedCall, unit: ReadUnit) -> Mapping[str, Any]:
    """Return the shared secret; for a blob of another key or an altered one it is another secret (implicit
    rejection), as with AWS.

    Raises:
        InvalidCiphertextException: the blob has not the length that the key's spec makes.
    """
    key, request = _key(authorized), authorized.request
    handle = private_key(authorized.call.resources, key)
    try:
        secret = handle.decapsulate(request["SharedSecretCiphertextBlob"])
    except IntegrityError:
        raise InvalidCiphertextException from None
    return {
        "KeyId": key.arn,
        "SharedSecret": secret,
        "EncapsulationAlgorithm": request["EncapsulationAlgorithm"],
    }


def _key(authorized: AuthorizedCall) -> KmsKey:
    key = usable_key(authorized, authorized.target, ENCAPSULATE_DECAPSULATE)
    verify_algorithm(key, authorized.request["EncapsulationAlgorithm"])
    stop_dry_run(authorized.request)
    return key


ENCAPSULATE = Operation(
    name="Encapsulate",
    action="kms:Encapsulate",
    unit=Unit.READ,
    targets=on_key("kms:Encapsulate", aliases=True, cross_account=True),
    handle=encapsulate,
)
DECAPSULATE = Operation(
    name="Decapsulate",
    action="kms:Decapsulate",
    unit=Unit.READ,
    targets=on_key("kms:Decapsulate", aliases=True, cross_account=True),
    handle=decapsulate,
)

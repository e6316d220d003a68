"""Deriving a secret shared with the owner of another pair. Source: fact sheet kms sections 3, 4 and 9."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from strongroom.errors import UnsupportedOperationException, ValidationException
from strongroom.keys.specs import KEY_AGREEMENT
from strongroom.operations.call import AuthorizedCall, Call, Operation, Target, Unit
from strongroom.operations.kms import messages
from strongroom.operations.kms.material import private_key
from strongroom.operations.kms.resolution import named_key
from strongroom.operations.kms.usage import stop_dry_run, usable_key, verify_algorithm
from strongroom.ports import ReadUnit

NO_ENCLAVES: Final = "Attestation documents of Recipient are not supported."


def _targets(call: Call, unit: ReadUnit) -> Sequence[Target]:
    return (
        named_key(
            call,
            unit,
            call.request["KeyId"],
            "kms:DeriveSharedSecret",
            aliases=True,
            cross_account=True,
            context={"kms:KeyAgreementAlgorithm": call.request["KeyAgreementAlgorithm"]},
        ),
    )


def derive_shared_secret(authorized: AuthorizedCall, unit: ReadUnit) -> Mapping[str, Any]:
    """Return the raw ECDH secret of the key and the peer's public key.

    Raises:
        InvalidKeyUsageException: the key is not for key agreement.
        ValidationException: PublicKey is no public key on the key's curve.
    """
    request = authorized.request
    if "Recipient" in request:
        raise UnsupportedOperationException(NO_ENCLAVES)
    key = usable_key(authorized, authorized.target, KEY_AGREEMENT)
    verify_algorithm(key, request["KeyAgreementAlgorithm"])
    try:
        shared = private_key(authorized.call.resources, key).agree(request["PublicKey"])
    except ValueError:
        raise ValidationException(messages.PEER_KEY) from None
    stop_dry_run(request)
    return {
        "KeyId": key.arn,
        "SharedSecret": shared,
        "KeyAgreementAlgorithm": request["KeyAgreementAlgorithm"],
        "KeyOrigin": key.origin,
    }


DERIVE_SHARED_SECRET = Operation(
    name="DeriveSharedSecret",
    action="kms:DeriveSharedSecret",
    unit=Unit.READ,
    targets=_targets,
    handle=derive_shared_secret,
    deviations=(
        "Recipient is not supported.",
        "A PublicKey that is none, or is on another curve, answers ValidationException with words of our "
        "own: AWS's are not established.",
    ),
)

"""Signing, verifying, and handing out public keys. Source: fact sheet kms sections 3, 4, 8 and 9."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

from strongroom.crypto.private_keys import DIGEST, EXTERNAL_MU, RAW, message_bytes
from strongroom.errors import (
    KMSInvalidSignatureException,
    UnsupportedOperationException,
    ValidationException,
)
from strongroom.keys import states
from strongroom.keys.records import KmsKey
from strongroom.keys.specs import ALGORITHM_MEMBERS, SIGN_VERIFY, algorithms, is_key_pair
from strongroom.operations.call import AuthorizedCall, Call, Operation, Resources, Target, Targets, Unit
from strongroom.operations.kms import messages
from strongroom.operations.kms.grants import verify_grant_tokens
from strongroom.operations.kms.material import private_key
from strongroom.operations.kms.resolution import named_key, on_key, present
from strongroom.operations.kms.slow_work import Prepared, done, slow_work
from strongroom.operations.kms.usage import stop_dry_run, usable_key, verify_algorithm
from strongroom.ports import ReadUnit

_ED25519: Final = "ED25519_SHA_512"
_ML_DSA: Final = "ML_DSA_SHAKE_256"
_MESSAGE_TYPES: Final[Mapping[str, tuple[str, ...]]] = {_ED25519: (RAW,), _ML_DSA: (RAW, EXTERNAL_MU)}
"""Signing algorithm to what it signs; the others sign messages and digests."""


def _signing_targets(action: str) -> Targets:
    def targets(call: Call, unit: ReadUnit) -> Sequence[Target]:
        context = {
            "kms:SigningAlgorithm": call.request["SigningAlgorithm"],
            "kms:MessageType": _message_type(call.request),
        }
        key_id = call.request["KeyId"]
        return (named_key(call, unit, key_id, action, aliases=True, cross_account=True, context=context),)

    return targets


def sign(authorized: AuthorizedCall, unit: ReadUnit) -> Mapping[str, Any]:
    """Return the signature of the message, or of its digest, under the key.

    Raises:
        InvalidKeyUsageException: the key is not for signing, or not with this algorithm.
        ValidationException: the algorithm does not sign this type of message, or one of this length.
    """
    key, work = _signing(authorized)
    return {
        "KeyId": key.arn,
        "Signature": done(authorized.call, key, work),
        "SigningAlgorithm": authorized.request["SigningAlgorithm"],
    }


def prepare_sign(authorized: AuthorizedCall, unit: ReadUnit) -> Callable[[], Prepared] | None:
    return slow_work(*_signing(authorized))


def _signing(authorized: AuthorizedCall) -> tuple[KmsKey, Callable[[], bytes]]:
    key = _signing_key(authorized)
    request = authorized.request
    return key, partial(
        _sign,
        authorized.call.resources,
        key,
        request["SigningAlgorithm"],
        request["Message"],
        _message_type(request),
    )


def _sign(resources: Resources, key: KmsKey, algorithm: str, message: bytes, message_type: str) -> bytes:
    return private_key(resources, key).sign(algorithm, message, message_type)


def verify(authorized: AuthorizedCall, unit: ReadUnit) -> Mapping[str, Any]:
    """Tell that the signature is the key's for this message.

    Raises:
        KMSInvalidSignatureException: it is not; there is no answer that says "false".
    """
    key, request = _signing_key(authorized), authorized.request
    algorithm = request["SigningAlgorithm"]
    signer = private_key(authorized.call.resources, key)
    if not signer.is_signature(algorithm, request["Message"], _message_type(request), request["Signature"]):
        raise KMSInvalidSignatureException
    return {"KeyId": key.arn, "SignatureValid": True, "SigningAlgorithm": algorithm}


def get_public_key(authorized: AuthorizedCall, unit: ReadUnit) -> Mapping[str, Any]:
    """Return the public key of an asymmetric key, and what it is for.

    Raises:
        UnsupportedOperationException: a symmetric or HMAC key.
    """
    key = present(authorized.target)
    states.verify_usable(key)
    verify_grant_tokens(authorized.request)
    if not is_key_pair(key.spec):
        raise UnsupportedOperationException(messages.NOT_A_PAIR)
    return {
        "KeyId": key.arn,
        "PublicKey": private_key(authorized.call.resources, key).public_der(),
        "CustomerMasterKeySpec": key.spec,
        "KeySpec": key.spec,
        "KeyUsage": key.usage,
        ALGORITHM_MEMBERS[key.usage]: list(algorithms(key.spec, key.usage)),
    }


def _signing_key(authorized: AuthorizedCall) -> KmsKey:
    """Return the key for the request's algorithm and message, once all of it fits."""
    request = authorized.request
    key = usable_key(authorized, authorized.target, SIGN_VERIFY)
    algorithm, message_type = request["SigningAlgorithm"], _message_type(request)
    verify_algorithm(key, algorithm)
    if message_type not in _MESSAGE_TYPES.get(algorithm, (RAW, DIGEST)):
        what = f"algorithm {algorithm}" if algorithm == _ED25519 else f"key spec {key.spec}"
        raise ValidationException(messages.incompatible_message_type(message_type, what))
    length = message_bytes(algorithm, message_type)
    if length is not None and len(request["Message"]) != length:
        what = "Digest" if message_type == DIGEST else "External Mu"
        raise ValidationException(messages.message_length(what, algorithm))
    stop_dry_run(request)
    return key


def _message_type(request: Mapping[str, Any]) -> str:
    return str(request.get("MessageType", RAW))


SIGN = Operation(
    name="Sign",
    action="kms:Sign",
    unit=Unit.READ,
    targets=_signing_targets("kms:Sign"),
    handle=sign,
    prepare=prepare_sign,
    deviations=(
        "ED25519_PH_SHA_512 answers InvalidKeyUsageException: the cryptographic library has no Ed25519ph.",
    ),
)
VERIFY = Operation(
    name="Verify",
    action="kms:Verify",
    unit=Unit.READ,
    targets=_signing_targets("kms:Verify"),
    handle=verify,
    deviations=("ED25519_PH_SHA_512 answers InvalidKeyUsageException, as for Sign.",),
)
GET_PUBLIC_KEY = Operation(
    name="GetPublicKey",
    action="kms:GetPublicKey",
    unit=Unit.READ,
    targets=on_key("kms:GetPublicKey", aliases=True, cross_account=True),
    handle=get_public_key,
    deviations=(
        "A symmetric or HMAC key answers UnsupportedOperationException with words of our own: AWS's are not "
        "established.",
    ),
)

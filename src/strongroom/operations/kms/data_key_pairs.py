"""Key pairs for use outside of KMS, their private keys wrapped. Source: fact sheet kms sections 3 and 4."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

from strongroom.crypto.private_keys import PAIR_SPECS, PrivateKeyHandle
from strongroom.errors import UnsupportedOperationException
from strongroom.keys.records import KmsKey
from strongroom.keys.specs import ENCRYPT_DECRYPT, SYMMETRIC
from strongroom.operations.call import AuthorizedCall, Call, Operation, Target, Targets, Unit
from strongroom.operations.kms.material import encrypt as seal_blob
from strongroom.operations.kms.resolution import named_key
from strongroom.operations.kms.usage import encryption_context, stop_dry_run, usable_key, verify_symmetric
from strongroom.ports import ReadUnit

NO_ENCLAVES: Final = "Attestation documents of Recipient are not supported."
NO_SUCH_SPEC: Final = "KeyPairSpec {spec} is not supported."


def _targets(action: str) -> Targets:
    def targets(call: Call, unit: ReadUnit) -> Sequence[Target]:
        request = call.request
        return (
            named_key(
                call,
                unit,
                request["KeyId"],
                action,
                aliases=True,
                cross_account=True,
                encryption_context=request.get("EncryptionContext") or {},
                context={
                    "kms:DataKeyPairSpec": request["KeyPairSpec"],
                    "kms:EncryptionAlgorithm": SYMMETRIC,
                },
            ),
        )

    return targets


def generate_data_key_pair(authorized: AuthorizedCall, unit: ReadUnit) -> Mapping[str, Any]:
    """Return a new key pair, its private key in clear and under the KMS key."""
    private_key, members = _generate(authorized)
    return {"PrivateKeyPlaintext": private_key, **members}


def generate_data_key_pair_without_plaintext(authorized: AuthorizedCall, unit: ReadUnit) -> Mapping[str, Any]:
    """Return a new key pair, its private key under the KMS key only."""
    return _generate(authorized)[1]


def prepare(authorized: AuthorizedCall, unit: ReadUnit) -> Callable[[], PrivateKeyHandle] | None:
    """An RSA key pair takes up to seconds to make; others are made when the call is handled."""
    _checked(authorized)
    spec = authorized.request["KeyPairSpec"]
    return partial(PrivateKeyHandle.generate, spec) if spec.startswith("RSA_") else None


def _checked(authorized: AuthorizedCall) -> tuple[KmsKey, bytes]:
    """Return the KMS key and the encoded encryption context, when nothing is left to refuse the call for."""
    request = authorized.request
    if "Recipient" in request:
        raise UnsupportedOperationException(NO_ENCLAVES)
    key = usable_key(authorized, authorized.target, ENCRYPT_DECRYPT)
    verify_symmetric(key)
    if request["KeyPairSpec"] not in PAIR_SPECS:
        raise UnsupportedOperationException(NO_SUCH_SPEC.format(spec=request["KeyPairSpec"]))
    context = encryption_context(request, "EncryptionContext", key)
    stop_dry_run(request)
    return key, context


def _generate(authorized: AuthorizedCall) -> tuple[bytes, dict[str, Any]]:
    key, context = _checked(authorized)
    call, spec = authorized.call, authorized.request["KeyPairSpec"]
    pair = call.prepared
    if not isinstance(pair, PrivateKeyHandle):
        pair = PrivateKeyHandle.generate(spec)
    private_key = pair.pkcs8()
    return private_key, {
        "PrivateKeyCiphertextBlob": seal_blob(call.resources, key, private_key, context),
        "PublicKey": pair.public_der(),
        "KeyId": key.arn,
        "KeyPairSpec": spec,
        "KeyMaterialId": key.materials[-1].material_id,
    }


_DEVIATIONS: Final = ("KeyPairSpec SM2 and ML_KEM_512 are not supported.",)

GENERATE_DATA_KEY_PAIR = Operation(
    name="GenerateDataKeyPair",
    action="kms:GenerateDataKeyPair",
    unit=Unit.READ,
    targets=_targets("kms:GenerateDataKeyPair"),
    handle=generate_data_key_pair,
    prepare=prepare,
    deviations=(*_DEVIATIONS, "Recipient is not supported."),
)
GENERATE_DATA_KEY_PAIR_WITHOUT_PLAINTEXT = Operation(
    name="GenerateDataKeyPairWithoutPlaintext",
    action="kms:GenerateDataKeyPairWithoutPlaintext",
    unit=Unit.READ,
    targets=_targets("kms:GenerateDataKeyPairWithoutPlaintext"),
    handle=generate_data_key_pair_without_plaintext,
    prepare=prepare,
    deviations=_DEVIATIONS,
)

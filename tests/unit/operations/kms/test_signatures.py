"""Sign, Verify and GetPublicKey. Signatures are checked by the library itself, with the public key given out."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.serialization import load_der_private_key, load_der_public_key
from msgspec.structs import replace

from strongroom.errors import (
    AccessDeniedException,
    DisabledException,
    DryRunOperationException,
    InvalidKeyUsageException,
    KMSInvalidSignatureException,
    KMSInvalidStateException,
    NotFoundException,
    ServiceError,
    UnsupportedOperationException,
    ValidationException,
)
from strongroom.operations.authorize import authorize
from strongroom.operations.kms import aliases, keys, policies, signatures
from support.key_pairs import a_key, private_key
from support.key_room import OTHER_ACCOUNT, KeyRoom, allow, for_principal, policy

MESSAGE = b"pay one hundred to Bob"
RSA_ALGORITHMS = [
    f"RSASSA_{scheme}_SHA_{size}" for scheme in ("PSS", "PKCS1_V1_5") for size in (256, 384, 512)
]
WAYS = [
    *(("RSA_2048", algorithm) for algorithm in RSA_ALGORITHMS),
    ("RSA_4096", "RSASSA_PSS_SHA_512"),
    ("ECC_NIST_P256", "ECDSA_SHA_256"),
    ("ECC_NIST_P384", "ECDSA_SHA_384"),
    ("ECC_NIST_P521", "ECDSA_SHA_512"),
    ("ECC_SECG_P256K1", "ECDSA_SHA_256"),
    ("ECC_NIST_EDWARDS25519", "ED25519_SHA_512"),
    ("ML_DSA_44", "ML_DSA_SHAKE_256"),
    ("ML_DSA_65", "ML_DSA_SHAKE_256"),
    ("ML_DSA_87", "ML_DSA_SHAKE_256"),
]
HASHED = [way for way in WAYS if way[1].startswith(("RSA", "ECDSA"))]


@pytest.fixture
def room() -> KeyRoom:
    return KeyRoom()


def digest_of(algorithm: str) -> bytes:
    return hashlib.new(f"sha{algorithm[-3:]}", MESSAGE).digest()


def sign(room: KeyRoom, key_id: str, algorithm: str, **members: Any) -> bytes:
    request = {"KeyId": key_id, "Message": MESSAGE, "SigningAlgorithm": algorithm, **members}
    return bytes(room.run(signatures.SIGN, request)["Signature"])


def verify_outside(public_der: bytes, algorithm: str, signature: bytes, message: bytes = MESSAGE) -> None:
    """Raises InvalidSignature unless the signature holds for anyone who has the public key."""
    public: Any = load_der_public_key(public_der)
    hashed = {"256": hashes.SHA256, "384": hashes.SHA384, "512": hashes.SHA512}[algorithm[-3:]]()
    if isinstance(public, rsa.RSAPublicKey):
        scheme: Any = padding.PKCS1v15()
        if "PSS" in algorithm:
            scheme = padding.PSS(padding.MGF1(hashed), hashed.digest_size)
        public.verify(signature, message, scheme, hashed)
    elif isinstance(public, ec.EllipticCurvePublicKey):
        public.verify(signature, message, ec.ECDSA(hashed))
    else:
        public.verify(signature, message)


@pytest.mark.parametrize(("spec", "algorithm"), WAYS)
def test_a_signature_holds_inside_and_outside(room: KeyRoom, spec: str, algorithm: str) -> None:
    key = a_key(room, spec, "SIGN_VERIFY")
    request = {"KeyId": key.key_id, "Message": MESSAGE, "SigningAlgorithm": algorithm}
    answered = room.run(signatures.SIGN, request)
    signature = answered.pop("Signature")
    assert answered == {"KeyId": key.arn, "SigningAlgorithm": algorithm}
    public = room.run(signatures.GET_PUBLIC_KEY, {"KeyId": key.key_id})["PublicKey"]
    verify_outside(public, algorithm, signature)
    with pytest.raises(InvalidSignature):
        verify_outside(public, algorithm, signature, b"pay one thousand to Bob")
    assert room.run(signatures.VERIFY, {**request, "Signature": signature}) == {
        "KeyId": key.arn,
        "SignatureValid": True,
        "SigningAlgorithm": algorithm,
    }


@pytest.mark.parametrize(("spec", "algorithm"), HASHED)
def test_a_digest_is_signed_as_its_message_is(room: KeyRoom, spec: str, algorithm: str) -> None:
    key = a_key(room, spec, "SIGN_VERIFY")
    digest = {"Message": digest_of(algorithm), "MessageType": "DIGEST"}
    signature = sign(room, key.key_id, algorithm, **digest)
    public = room.run(signatures.GET_PUBLIC_KEY, {"KeyId": key.key_id})["PublicKey"]
    verify_outside(public, algorithm, signature)
    request = {"KeyId": key.key_id, "SigningAlgorithm": algorithm, "Signature": signature}
    for members in (digest, {"Message": MESSAGE}, {"Message": MESSAGE, "MessageType": "RAW"}):
        assert room.run(signatures.VERIFY, {**request, **members})["SignatureValid"] is True
    # The digest as a message is hashed once more: another signature.
    with pytest.raises(KMSInvalidSignatureException):
        room.run(signatures.VERIFY, {**request, "Message": digest_of(algorithm)})


def test_a_signature_made_outside_verifies_inside(room: KeyRoom) -> None:
    key = a_key(room, "RSA_2048", "SIGN_VERIFY")
    hashed = hashes.SHA256()
    private: Any = private_key("RSA_2048")
    outside: Any = load_der_private_key(private.pkcs8(), None)
    signature = outside.sign(
        hashlib.sha256(MESSAGE).digest(), padding.PSS(padding.MGF1(hashed), 32), Prehashed(hashed)
    )
    request = {"KeyId": key.key_id, "Message": MESSAGE, "SigningAlgorithm": "RSASSA_PSS_SHA_256"}
    assert room.run(signatures.VERIFY, {**request, "Signature": signature})["SignatureValid"] is True


@pytest.mark.parametrize("spec", ["ML_DSA_44", "ML_DSA_65", "ML_DSA_87"])
def test_ml_dsa_signs_a_representative_made_outside(room: KeyRoom, spec: str) -> None:
    key = a_key(room, spec, "SIGN_VERIFY")
    public_der = room.run(signatures.GET_PUBLIC_KEY, {"KeyId": key.key_id})["PublicKey"]
    raw = load_der_public_key(public_der).public_bytes_raw()  # type: ignore[union-attr]
    # FIPS 204, algorithm 7 line 6: mu = H(H(pk, 64) || 0 || |ctx| || M, 64), the context empty.
    mu = hashlib.shake_256(hashlib.shake_256(raw).digest(64) + b"\0\0" + MESSAGE).digest(64)
    algorithm = "ML_DSA_SHAKE_256"
    signature = sign(room, key.key_id, algorithm, Message=mu, MessageType="EXTERNAL_MU")
    verify_outside(public_der, algorithm, signature)
    request = {"KeyId": key.key_id, "SigningAlgorithm": algorithm, "Signature": signature}
    for members in ({"Message": MESSAGE}, {"Message": mu, "MessageType": "EXTERNAL_MU"}):
        assert room.run(signatures.VERIFY, {**request, **members})["SignatureValid"] is True


@pytest.mark.parametrize(("spec", "algorithm"), WAYS)
def test_what_is_no_signature_is_refused_and_never_called_false(
    room: KeyRoom, spec: str, algorithm: str
) -> None:
    key = a_key(room, spec, "SIGN_VERIFY")
    signature = sign(room, key.key_id, algorithm)
    other = sign(room, key.key_id, algorithm, Message=b"another")
    middle = len(signature) // 2
    flipped = signature[:middle] + bytes((signature[middle] ^ 1,)) + signature[middle + 1 :]
    for wrong in (other, flipped, signature[:-1], signature + b"\0", b"\0", bytes(len(signature))):
        request = {"KeyId": key.key_id, "Message": MESSAGE, "SigningAlgorithm": algorithm}
        with pytest.raises(KMSInvalidSignatureException) as refused:
            room.run(signatures.VERIFY, {**request, "Signature": wrong})
        assert refused.value.message == ""


@pytest.mark.parametrize(("spec", "algorithm"), HASHED)
@pytest.mark.parametrize("operation", [signatures.SIGN, signatures.VERIFY])
def test_a_digest_has_the_length_of_its_algorithm(
    room: KeyRoom, operation: Any, spec: str, algorithm: str
) -> None:
    key = a_key(room, spec, "SIGN_VERIFY")
    request = {"KeyId": key.key_id, "SigningAlgorithm": algorithm, "Signature": b"x", "MessageType": "DIGEST"}
    for digest in (b"x", digest_of(algorithm)[:-1], digest_of(algorithm) + b"x"):
        with pytest.raises(ValidationException) as refused:
            room.run(operation, {**request, "Message": digest})
        assert refused.value.message == f"Digest is invalid length for algorithm {algorithm}."


@pytest.mark.parametrize(
    ("spec", "algorithm", "message_type", "message"),
    [
        (
            "ECC_NIST_EDWARDS25519",
            "ED25519_SHA_512",
            "DIGEST",
            "Message type DIGEST is incompatible with algorithm ED25519_SHA_512.",
        ),
        (
            "ML_DSA_44",
            "ML_DSA_SHAKE_256",
            "DIGEST",
            "Message type DIGEST is incompatible with key spec ML_DSA_44.",
        ),
        (
            "ML_DSA_44",
            "ML_DSA_SHAKE_256",
            "EXTERNAL_MU",
            "External Mu is invalid length for algorithm ML_DSA_SHAKE_256.",
        ),
        (
            "RSA_2048",
            "RSASSA_PSS_SHA_256",
            "EXTERNAL_MU",
            "Message type EXTERNAL_MU is incompatible with key spec RSA_2048.",
        ),
        (
            "ECC_NIST_P256",
            "ECDSA_SHA_256",
            "EXTERNAL_MU",
            "Message type EXTERNAL_MU is incompatible with key spec ECC_NIST_P256.",
        ),
    ],
)
@pytest.mark.parametrize("operation", [signatures.SIGN, signatures.VERIFY])
def test_an_algorithm_signs_its_types_of_messages_only(
    room: KeyRoom, operation: Any, spec: str, algorithm: str, message_type: str, message: str
) -> None:
    key = a_key(room, spec, "SIGN_VERIFY")
    request = {"KeyId": key.key_id, "SigningAlgorithm": algorithm, "Signature": b"x", "Message": MESSAGE}
    with pytest.raises(ValidationException) as refused:
        room.run(operation, {**request, "MessageType": message_type})
    assert refused.value.message == message


@pytest.mark.parametrize(
    ("spec", "usage", "algorithm", "message"),
    [
        (
            "RSA_2048",
            "SIGN_VERIFY",
            "ECDSA_SHA_256",
            "Algorithm ECDSA_SHA_256 is incompatible with key spec RSA_2048.",
        ),
        (
            "ECC_NIST_P256",
            "SIGN_VERIFY",
            "ECDSA_SHA_384",
            "Algorithm ECDSA_SHA_384 is incompatible with key spec ECC_NIST_P256.",
        ),
        (
            "ECC_NIST_EDWARDS25519",
            "SIGN_VERIFY",
            "ED25519_PH_SHA_512",
            "Algorithm ED25519_PH_SHA_512 is incompatible with key spec ECC_NIST_EDWARDS25519.",
        ),
        (
            "RSA_2048",
            "ENCRYPT_DECRYPT",
            "RSASSA_PSS_SHA_256",
            "{arn} key usage is ENCRYPT_DECRYPT which is not valid for {op}.",
        ),
        (
            "HMAC_256",
            "GENERATE_VERIFY_MAC",
            "RSASSA_PSS_SHA_256",
            "{arn} key usage is GENERATE_VERIFY_MAC which is not valid for {op}.",
        ),
        (
            "ECC_NIST_P256",
            "KEY_AGREEMENT",
            "ECDSA_SHA_256",
            "{arn} key usage is KEY_AGREEMENT which is not valid for {op}.",
        ),
    ],
)
@pytest.mark.parametrize("operation", [signatures.SIGN, signatures.VERIFY])
def test_the_key_has_to_be_for_signing_with_the_algorithm(
    room: KeyRoom, operation: Any, spec: str, usage: str, algorithm: str, message: str
) -> None:
    key = a_key(room, spec, usage)
    request = {"KeyId": key.key_id, "SigningAlgorithm": algorithm, "Signature": b"x", "Message": MESSAGE}
    with pytest.raises(InvalidKeyUsageException) as refused:
        room.run(operation, request)
    assert refused.value.message == message.format(arn=key.arn, op=operation.name)


@pytest.mark.parametrize(
    ("put_out", "error", "text"),
    [
        (keys.DISABLE_KEY, DisabledException, "is disabled."),
        (keys.SCHEDULE_KEY_DELETION, KMSInvalidStateException, "is pending deletion."),
    ],
)
def test_a_key_out_of_use_signs_verifies_and_shows_nothing(
    room: KeyRoom, put_out: Any, error: type[ServiceError], text: str
) -> None:
    key = a_key(room, "ECC_NIST_P256", "SIGN_VERIFY")
    signature = sign(room, key.key_id, "ECDSA_SHA_256")
    room.run(put_out, {"KeyId": key.key_id})
    request = {
        "KeyId": key.key_id,
        "Message": MESSAGE,
        "SigningAlgorithm": "ECDSA_SHA_256",
        "Signature": signature,
    }
    for operation in (signatures.SIGN, signatures.VERIFY, signatures.GET_PUBLIC_KEY):
        with pytest.raises(error) as refused:
            room.run(operation, request)
        assert refused.value.message == f"{key.arn} {text}"


@pytest.mark.parametrize(
    ("spec", "usage", "member", "algorithms"),
    [
        ("RSA_2048", "ENCRYPT_DECRYPT", "EncryptionAlgorithms", ["RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256"]),
        ("ECC_NIST_P384", "KEY_AGREEMENT", "KeyAgreementAlgorithms", ["ECDH"]),
        ("ECC_SECG_P256K1", "SIGN_VERIFY", "SigningAlgorithms", ["ECDSA_SHA_256"]),
    ],
)
def test_a_public_key_comes_with_what_it_is_for(
    room: KeyRoom, spec: str, usage: str, member: str, algorithms: list[str]
) -> None:
    key = a_key(room, spec, usage)
    answered = room.run(signatures.GET_PUBLIC_KEY, {"KeyId": key.arn})
    load_der_public_key(answered.pop("PublicKey"))
    assert answered == {
        "KeyId": key.arn,
        "CustomerMasterKeySpec": spec,
        "KeySpec": spec,
        "KeyUsage": usage,
        member: algorithms,
    }


@pytest.mark.parametrize(
    ("spec", "usage"), [("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT"), ("HMAC_256", "GENERATE_VERIFY_MAC")]
)
def test_keys_without_a_public_part_have_none_to_give(room: KeyRoom, spec: str, usage: str) -> None:
    key = a_key(room, spec, usage)
    with pytest.raises(UnsupportedOperationException) as refused:
        room.run(signatures.GET_PUBLIC_KEY, {"KeyId": key.key_id})
    assert refused.value.message == "GetPublicKey is only supported for asymmetric KMS keys."


@pytest.mark.parametrize("operation", [signatures.SIGN, signatures.VERIFY])
def test_a_dry_run_tells_permission_after_every_other_check(room: KeyRoom, operation: Any) -> None:
    key = a_key(room, "RSA_2048", "SIGN_VERIFY")
    request = {
        "KeyId": key.key_id,
        "Message": MESSAGE,
        "SigningAlgorithm": "RSASSA_PSS_SHA_256",
        "Signature": b"none at all",
        "DryRun": True,
    }
    with pytest.raises(DryRunOperationException) as told:
        room.run(operation, request)
    assert told.value.message == "The request would have succeeded, but the DryRun option is set."
    with pytest.raises(AccessDeniedException):
        room.run(operation, request, principal=room.user("bob"))
    with pytest.raises(InvalidKeyUsageException):
        room.run(operation, {**request, "SigningAlgorithm": "ECDSA_SHA_256"})


@pytest.mark.parametrize(
    ("condition", "fits", "fits_not"),
    [
        ("kms:SigningAlgorithm", "ECDSA_SHA_256", "ECDSA_SHA_384"),
        ("kms:MessageType", "RAW", "DIGEST"),
        ("kms:RequestAlias", "alias/signer", "alias/other"),
        ("kms:KeySpec", "ECC_NIST_P256", "RSA_2048"),
        ("kms:KeyUsage", "SIGN_VERIFY", "ENCRYPT_DECRYPT"),
    ],
)
@pytest.mark.parametrize("operation", [signatures.SIGN, signatures.VERIFY])
def test_signing_can_be_bound_to_conditions(
    room: KeyRoom, operation: Any, condition: str, fits: str, fits_not: str
) -> None:
    key = a_key(room, "ECC_NIST_P256", "SIGN_VERIFY")
    room.run(aliases.CREATE_ALIAS, {"AliasName": "alias/signer", "TargetKeyId": key.key_id})
    signature = sign(room, key.key_id, "ECDSA_SHA_256")
    request = {
        "KeyId": "alias/signer",
        "Message": MESSAGE,
        "SigningAlgorithm": "ECDSA_SHA_256",
        "Signature": signature,
    }
    action = operation.action
    may = room.user("may", allow(action, Condition={"StringEquals": {condition: fits}}))
    may_not = room.user("maynot", allow(action, Condition={"StringEquals": {condition: fits_not}}))
    assert room.run(operation, request, principal=may)["KeyId"] == key.arn
    with pytest.raises(AccessDeniedException) as refused:
        room.run(operation, request, principal=may_not)
    assert refused.value.message == (
        f"User: {may_not.arn} is not authorized to perform: {action} on resource: {key.arn} because no "
        f"identity-based policy allows the {action} action"
    )


def test_another_account_signs_by_arn_when_both_sides_allow(room: KeyRoom) -> None:
    key = a_key(room, "ECC_NIST_P256", "SIGN_VERIFY")
    carol = room.user("carol", allow("kms:*"), account_id=OTHER_ACCOUNT)
    request = {"KeyId": key.arn, "Message": MESSAGE, "SigningAlgorithm": "ECDSA_SHA_256"}
    with pytest.raises(AccessDeniedException):
        room.run(signatures.SIGN, request, principal=carol)
    shared = policy(
        for_principal("arn:aws:iam::111122223333:root", "kms:*"),
        for_principal("arn:aws:iam::444455556666:root", "kms:Sign", "kms:GetPublicKey"),
    )
    room.run(policies.PUT_KEY_POLICY, {"KeyId": key.key_id, "Policy": shared})
    signature = room.run(signatures.SIGN, request, principal=carol)["Signature"]
    public = room.run(signatures.GET_PUBLIC_KEY, {"KeyId": key.arn}, principal=carol)["PublicKey"]
    verify_outside(public, "ECDSA_SHA_256", signature)
    with pytest.raises(AccessDeniedException):
        room.run(signatures.VERIFY, {**request, "Signature": signature}, principal=carol)
    with pytest.raises(NotFoundException):
        room.run(signatures.SIGN, {**request, "KeyId": key.key_id}, principal=carol)


def authorized(room: KeyRoom, request: dict[str, Any], prepared: Any = None) -> Any:
    call = replace(room.call("Sign", request), prepared=prepared)
    return authorize(call, room.unit, signatures.SIGN.targets(call, room.unit))


def test_rsa_signs_on_a_worker_thread_and_curves_at_once(room: KeyRoom) -> None:
    prepare = signatures.SIGN.prepare
    assert prepare is not None
    key = a_key(room, "RSA_2048", "SIGN_VERIFY")
    request = {"KeyId": key.key_id, "Message": MESSAGE, "SigningAlgorithm": "RSASSA_PKCS1_V1_5_SHA_256"}
    work = prepare(authorized(room, request), room.unit)
    assert work is not None
    prepared = work()
    answered = signatures.SIGN.handle(authorized(room, request, prepared), room.unit)
    assert answered is not None
    # Handed on, not signed again: the handler gives the very same object.
    assert answered["Signature"] is prepared.result
    curve = a_key(room, "ECC_NIST_P256", "SIGN_VERIFY")
    request = {"KeyId": curve.key_id, "Message": MESSAGE, "SigningAlgorithm": "ECDSA_SHA_256"}
    assert prepare(authorized(room, request), room.unit) is None


def test_a_key_put_out_of_use_while_a_thread_signed_gives_no_signature(room: KeyRoom) -> None:
    prepare = signatures.SIGN.prepare
    assert prepare is not None
    key = a_key(room, "RSA_2048", "SIGN_VERIFY")
    request = {"KeyId": key.key_id, "Message": MESSAGE, "SigningAlgorithm": "RSASSA_PSS_SHA_256"}
    work = prepare(authorized(room, request), room.unit)
    assert work is not None
    prepared = work()
    room.run(keys.DISABLE_KEY, {"KeyId": key.key_id})
    with pytest.raises(DisabledException):
        signatures.SIGN.handle(authorized(room, request, prepared), room.unit)


def test_an_alias_pointed_elsewhere_while_a_thread_signed_gives_the_new_keys_signature(room: KeyRoom) -> None:
    prepare = signatures.SIGN.prepare
    assert prepare is not None
    old, new = a_key(room, "RSA_2048", "SIGN_VERIFY"), a_key(room, "RSA_3072", "SIGN_VERIFY")
    room.run(aliases.CREATE_ALIAS, {"AliasName": "alias/signer", "TargetKeyId": old.key_id})
    request = {"KeyId": "alias/signer", "Message": MESSAGE, "SigningAlgorithm": "RSASSA_PSS_SHA_256"}
    work = prepare(authorized(room, request), room.unit)
    assert work is not None
    prepared = work()
    room.run(aliases.UPDATE_ALIAS, {"AliasName": "alias/signer", "TargetKeyId": new.key_id})
    answered = signatures.SIGN.handle(authorized(room, request, prepared), room.unit)
    assert answered is not None
    assert answered["KeyId"] == new.arn
    public = room.run(signatures.GET_PUBLIC_KEY, {"KeyId": new.key_id})["PublicKey"]
    verify_outside(public, "RSASSA_PSS_SHA_256", answered["Signature"])

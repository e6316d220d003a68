"""Encrypt, Decrypt and ReEncrypt under RSA keys."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.serialization import load_der_public_key
from msgspec.structs import replace

from strongroom.errors import (
    AccessDeniedException,
    DisabledException,
    DryRunOperationException,
    IncorrectKeyException,
    InvalidCiphertextException,
    InvalidKeyUsageException,
    ValidationException,
)
from strongroom.keys.records import KmsKey
from strongroom.operations.authorize import authorize
from strongroom.operations.kms import ciphers, keys, policies, signatures
from support.key_pairs import a_key
from support.key_room import OTHER_ACCOUNT, KeyRoom, allow, for_principal, policy

PLAINTEXT = b"attack at dawn"
ALGORITHMS = ["RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256"]
SHA_256 = "RSAES_OAEP_SHA_256"


@pytest.fixture
def room() -> KeyRoom:
    return KeyRoom()


@pytest.fixture
def key(room: KeyRoom) -> KmsKey:
    return rsa_key(room)


def rsa_key(room: KeyRoom, spec: str = "RSA_2048") -> KmsKey:
    return a_key(room, spec, "ENCRYPT_DECRYPT")


def symmetric_key(room: KeyRoom) -> KmsKey:
    return room.key(room.run(keys.CREATE_KEY)["KeyMetadata"]["KeyId"])


def encrypted(room: KeyRoom, key: KmsKey, algorithm: str = SHA_256, plaintext: bytes = PLAINTEXT) -> bytes:
    request = {"KeyId": key.key_id, "Plaintext": plaintext, "EncryptionAlgorithm": algorithm}
    return bytes(room.run(ciphers.ENCRYPT, request)["CiphertextBlob"])


def opening(key: KmsKey, blob: bytes, algorithm: str = SHA_256, **members: Any) -> dict[str, Any]:
    return {"KeyId": key.key_id, "CiphertextBlob": blob, "EncryptionAlgorithm": algorithm, **members}


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize(("spec", "size"), [("RSA_2048", 256), ("RSA_3072", 384), ("RSA_4096", 512)])
def test_what_was_encrypted_decrypts(room: KeyRoom, spec: str, size: int, algorithm: str) -> None:
    key = rsa_key(room, spec)
    request = {"KeyId": key.key_id, "Plaintext": PLAINTEXT, "EncryptionAlgorithm": algorithm}
    answered = room.run(ciphers.ENCRYPT, request)
    blob = answered.pop("CiphertextBlob")
    assert answered == {"KeyId": key.arn, "EncryptionAlgorithm": algorithm}
    assert len(blob) == size
    # Only symmetric keys tell their material.
    assert room.run(ciphers.DECRYPT, opening(key, blob, algorithm)) == {
        "KeyId": key.arn,
        "Plaintext": PLAINTEXT,
        "EncryptionAlgorithm": algorithm,
    }


@pytest.mark.parametrize(
    ("algorithm", "kind"), [(ALGORITHMS[0], hashes.SHA1), (ALGORITHMS[1], hashes.SHA256)]
)
def test_what_was_encrypted_outside_with_the_public_key_decrypts(
    room: KeyRoom, key: KmsKey, algorithm: str, kind: Any
) -> None:
    public: Any = load_der_public_key(room.run(signatures.GET_PUBLIC_KEY, {"KeyId": key.key_id})["PublicKey"])
    blob = public.encrypt(PLAINTEXT, padding.OAEP(padding.MGF1(kind()), kind(), None))
    assert room.run(ciphers.DECRYPT, opening(key, blob, algorithm))["Plaintext"] == PLAINTEXT


@pytest.mark.parametrize(
    ("spec", "algorithm", "limit"),
    [
        ("RSA_2048", "RSAES_OAEP_SHA_256", 190),
        ("RSA_2048", "RSAES_OAEP_SHA_1", 214),
        ("RSA_3072", "RSAES_OAEP_SHA_256", 318),
        ("RSA_3072", "RSAES_OAEP_SHA_1", 342),
        ("RSA_4096", "RSAES_OAEP_SHA_256", 446),
        ("RSA_4096", "RSAES_OAEP_SHA_1", 470),
    ],
)
def test_a_plaintext_is_as_long_as_the_padding_leaves_room(
    room: KeyRoom, spec: str, algorithm: str, limit: int
) -> None:
    key = rsa_key(room, spec)
    longest = bytes(limit)
    blob = encrypted(room, key, algorithm, longest)
    assert room.run(ciphers.DECRYPT, opening(key, blob, algorithm))["Plaintext"] == longest
    with pytest.raises(ValidationException) as refused:
        encrypted(room, key, algorithm, longest + b"x")
    assert refused.value.message == (
        f"Algorithm {algorithm} and key spec {spec} cannot encrypt data larger than {limit} bytes."
    )


def test_what_does_not_open_is_refused_without_a_word(room: KeyRoom, key: KmsKey) -> None:
    blob = encrypted(room, key)
    a_symmetric_blob = room.run(ciphers.ENCRYPT, {"KeyId": symmetric_key(room).key_id, "Plaintext": b"x"})
    wrong = [
        opening(key, blob, "RSAES_OAEP_SHA_1"),
        opening(key, bytes((blob[0] ^ 1,)) + blob[1:]),
        opening(key, blob[:-1]),
        opening(key, blob + b"\0"),
        opening(key, b"x"),
        opening(key, bytes(6144)),
        opening(key, a_symmetric_blob["CiphertextBlob"]),
        # The algorithm left at its default, the blob is read as a symmetric one.
        {"KeyId": key.key_id, "CiphertextBlob": blob},
        # No key named: the blob does not name it either.
        {"CiphertextBlob": blob, "EncryptionAlgorithm": SHA_256},
        {"CiphertextBlob": blob},
    ]
    for request in wrong:
        with pytest.raises(InvalidCiphertextException) as refused:
            room.run(ciphers.DECRYPT, request)
        assert refused.value.message == ""


def test_another_key_does_not_decrypt(room: KeyRoom, key: KmsKey) -> None:
    other = rsa_key(room, "RSA_3072")
    with pytest.raises(InvalidCiphertextException):
        room.run(ciphers.DECRYPT, opening(other, encrypted(room, key)))


def test_algorithm_and_usage_have_to_fit(room: KeyRoom, key: KmsKey) -> None:
    symmetric, signer = symmetric_key(room), a_key(room, "RSA_2048", "SIGN_VERIFY")
    told = []
    for request in (
        {"KeyId": key.key_id, "Plaintext": b"x"},
        {"KeyId": symmetric.key_id, "Plaintext": b"x", "EncryptionAlgorithm": SHA_256},
        {"KeyId": signer.key_id, "Plaintext": b"x", "EncryptionAlgorithm": SHA_256},
    ):
        with pytest.raises(InvalidKeyUsageException) as refused:
            room.run(ciphers.ENCRYPT, request)
        told.append(refused.value.message)
    assert told == [
        "Algorithm SYMMETRIC_DEFAULT is incompatible with key spec RSA_2048.",
        "Algorithm RSAES_OAEP_SHA_256 is incompatible with key spec SYMMETRIC_DEFAULT.",
        f"{signer.arn} key usage is SIGN_VERIFY which is not valid for Encrypt.",
    ]
    blob = encrypted(room, key)
    with pytest.raises(InvalidKeyUsageException) as refused:
        room.run(ciphers.DECRYPT, opening(signer, blob))
    assert refused.value.message == f"{signer.arn} key usage is SIGN_VERIFY which is not valid for Decrypt."
    with pytest.raises(InvalidKeyUsageException) as refused:
        room.run(ciphers.DECRYPT, opening(symmetric, blob))
    assert refused.value.message == (
        "Algorithm RSAES_OAEP_SHA_256 is incompatible with key spec SYMMETRIC_DEFAULT."
    )


def test_a_wrong_key_is_told_before_a_wrong_usage(room: KeyRoom) -> None:
    blob = room.run(ciphers.ENCRYPT, {"KeyId": symmetric_key(room).key_id, "Plaintext": b"x"})[
        "CiphertextBlob"
    ]
    hmac_key = a_key(room, "HMAC_256", "GENERATE_VERIFY_MAC")
    with pytest.raises(IncorrectKeyException) as refused:
        room.run(ciphers.DECRYPT, {"KeyId": hmac_key.key_id, "CiphertextBlob": blob})
    assert refused.value.message == (
        "The key ID in the request does not identify a CMK that can perform this operation."
    )


def test_an_asymmetric_key_binds_to_no_context(room: KeyRoom, key: KmsKey) -> None:
    context = {"EncryptionContext": {"a": "b"}}
    blob = encrypted(room, key)
    for operation, request in (
        (ciphers.ENCRYPT, {"KeyId": key.key_id, "Plaintext": b"x", "EncryptionAlgorithm": SHA_256}),
        (ciphers.DECRYPT, opening(key, blob)),
    ):
        with pytest.raises(ValidationException) as refused:
            room.run(operation, {**request, **context})
        assert refused.value.message == "An encryption context is not supported with asymmetric KMS keys."
        room.run(operation, {**request, "EncryptionContext": {}})


def test_dry_runs_and_disabled_keys(room: KeyRoom, key: KmsKey) -> None:
    blob = encrypted(room, key)
    sealing = {"KeyId": key.key_id, "Plaintext": b"x", "EncryptionAlgorithm": SHA_256}
    with pytest.raises(DryRunOperationException):
        room.run(ciphers.ENCRYPT, {**sealing, "DryRun": True})
    with pytest.raises(ValidationException):
        room.run(ciphers.ENCRYPT, {**sealing, "Plaintext": bytes(191), "DryRun": True})
    with pytest.raises(DryRunOperationException):
        room.run(ciphers.DECRYPT, opening(key, blob, DryRun=True))
    room.run(keys.DISABLE_KEY, {"KeyId": key.key_id})
    for operation, request in ((ciphers.ENCRYPT, sealing), (ciphers.DECRYPT, opening(key, blob))):
        with pytest.raises(DisabledException):
            room.run(operation, request)


def test_re_encrypting_between_kinds_of_keys(room: KeyRoom, key: KmsKey) -> None:
    symmetric = symmetric_key(room)
    blob = room.run(ciphers.ENCRYPT, {"KeyId": symmetric.key_id, "Plaintext": PLAINTEXT})["CiphertextBlob"]
    there = room.run(
        ciphers.RE_ENCRYPT,
        {
            "CiphertextBlob": blob,
            "DestinationKeyId": key.key_id,
            "DestinationEncryptionAlgorithm": SHA_256,
        },
    )
    sealed = there.pop("CiphertextBlob")
    material_id = symmetric.materials[-1].material_id
    assert there == {
        "SourceKeyId": symmetric.arn,
        "KeyId": key.arn,
        "SourceEncryptionAlgorithm": "SYMMETRIC_DEFAULT",
        "DestinationEncryptionAlgorithm": SHA_256,
        "SourceKeyMaterialId": material_id,
    }
    back = room.run(
        ciphers.RE_ENCRYPT,
        {
            "CiphertextBlob": sealed,
            "SourceKeyId": key.key_id,
            "SourceEncryptionAlgorithm": SHA_256,
            "DestinationKeyId": symmetric.key_id,
            "DestinationEncryptionContext": {"a": "b"},
        },
    )
    again = back.pop("CiphertextBlob")
    assert back == {
        "SourceKeyId": key.arn,
        "KeyId": symmetric.arn,
        "SourceEncryptionAlgorithm": SHA_256,
        "DestinationEncryptionAlgorithm": "SYMMETRIC_DEFAULT",
        "DestinationKeyMaterialId": material_id,
    }
    request = {"CiphertextBlob": again, "EncryptionContext": {"a": "b"}}
    assert room.run(ciphers.DECRYPT, request)["Plaintext"] == PLAINTEXT


def test_re_encrypting_what_does_not_fit(room: KeyRoom, key: KmsKey) -> None:
    symmetric = symmetric_key(room)
    blob = room.run(ciphers.ENCRYPT, {"KeyId": symmetric.key_id, "Plaintext": bytes(191)})["CiphertextBlob"]
    request = {
        "CiphertextBlob": blob,
        "DestinationKeyId": key.key_id,
        "DestinationEncryptionAlgorithm": SHA_256,
    }
    with pytest.raises(ValidationException) as refused:
        room.run(ciphers.RE_ENCRYPT, request)
    assert refused.value.message == (
        "Algorithm RSAES_OAEP_SHA_256 and key spec RSA_2048 cannot encrypt data larger than 190 bytes."
    )


@pytest.mark.parametrize(
    ("missing", "action"),
    [("kms:ReEncryptFrom", "kms:ReEncryptTo"), ("kms:ReEncryptTo", "kms:ReEncryptFrom")],
)
def test_re_encrypting_asks_for_both_permissions(
    room: KeyRoom, key: KmsKey, missing: str, action: str
) -> None:
    other = rsa_key(room, "RSA_3072")
    request = {
        "CiphertextBlob": encrypted(room, key),
        "SourceKeyId": key.key_id,
        "SourceEncryptionAlgorithm": SHA_256,
        "DestinationKeyId": other.key_id,
        "DestinationEncryptionAlgorithm": SHA_256,
    }
    with pytest.raises(AccessDeniedException) as refused:
        room.run(ciphers.RE_ENCRYPT, request, principal=room.user("half", allow(action)))
    assert f"not authorized to perform: {missing}" in refused.value.message
    both = room.user("both", allow("kms:ReEncrypt*"))
    assert room.run(ciphers.RE_ENCRYPT, request, principal=both)["KeyId"] == other.arn
    same = allow("kms:ReEncrypt*", Condition={"Bool": {"kms:ReEncryptOnSameKey": "true"}})
    with pytest.raises(AccessDeniedException):
        room.run(ciphers.RE_ENCRYPT, request, principal=room.user("same", same))
    again = {**request, "DestinationKeyId": key.key_id}
    assert room.run(ciphers.RE_ENCRYPT, again, principal=room.user("same", same))["KeyId"] == key.arn


@pytest.mark.parametrize("operation", [ciphers.ENCRYPT, ciphers.DECRYPT])
def test_encrypting_can_be_bound_to_an_algorithm(room: KeyRoom, key: KmsKey, operation: Any) -> None:
    request = {**opening(key, encrypted(room, key)), "Plaintext": b"x"}
    fits = {"kms:EncryptionAlgorithm": SHA_256}
    may = room.user("may", allow(operation.action, Condition={"StringEquals": fits}))
    may_not = room.user("maynot", allow(operation.action, Condition={"StringNotEquals": fits}))
    assert room.run(operation, request, principal=may)["KeyId"] == key.arn
    with pytest.raises(AccessDeniedException):
        room.run(operation, request, principal=may_not)


def test_another_account_encrypts_to_a_shared_key_and_cannot_decrypt(room: KeyRoom, key: KmsKey) -> None:
    shared = policy(
        for_principal("arn:aws:iam::111122223333:root", "kms:*"),
        for_principal("arn:aws:iam::444455556666:root", "kms:Encrypt"),
    )
    room.run(policies.PUT_KEY_POLICY, {"KeyId": key.key_id, "Policy": shared})
    carol = room.user("carol", allow("kms:*"), account_id=OTHER_ACCOUNT)
    request = {"KeyId": key.arn, "Plaintext": PLAINTEXT, "EncryptionAlgorithm": SHA_256}
    blob = room.run(ciphers.ENCRYPT, request, principal=carol)["CiphertextBlob"]
    with pytest.raises(AccessDeniedException):
        room.run(ciphers.DECRYPT, {**opening(key, blob), "KeyId": key.arn}, principal=carol)
    assert room.run(ciphers.DECRYPT, opening(key, blob))["Plaintext"] == PLAINTEXT


def test_the_private_key_is_used_on_a_worker_thread(room: KeyRoom, key: KmsKey) -> None:
    request = opening(key, encrypted(room, key))

    def authorized(prepared: Any = None) -> Any:
        call = replace(room.call("Decrypt", request), prepared=prepared)
        return authorize(call, room.unit, ciphers.DECRYPT.targets(call, room.unit))

    assert ciphers.DECRYPT.prepare is not None
    work = ciphers.DECRYPT.prepare(authorized(), room.unit)
    assert work is not None
    prepared = work()
    assert PLAINTEXT.decode() not in repr(prepared)
    answered = ciphers.DECRYPT.handle(authorized(prepared), room.unit)
    assert answered is not None
    assert answered["Plaintext"] is prepared.result
    symmetric = symmetric_key(room)
    sealed = room.run(ciphers.ENCRYPT, {"KeyId": symmetric.key_id, "Plaintext": b"x"})["CiphertextBlob"]
    request = {"CiphertextBlob": sealed}
    assert ciphers.DECRYPT.prepare(authorized(), room.unit) is None

"""GenerateDataKeyPair and GenerateDataKeyPairWithoutPlaintext."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mlkem, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_private_key,
)
from msgspec.structs import replace

from strongroom.errors import (
    AccessDeniedException,
    DisabledException,
    DryRunOperationException,
    InvalidCiphertextException,
    InvalidKeyUsageException,
    UnsupportedOperationException,
)
from strongroom.keys.records import KmsKey
from strongroom.operations.authorize import authorize
from strongroom.operations.kms import ciphers, data_key_pairs, keys
from support.key_pairs import a_key, private_key
from support.key_room import KeyRoom, allow

CONTEXT = {"purpose": "test"}
PAIR = data_key_pairs.GENERATE_DATA_KEY_PAIR
WITHOUT = data_key_pairs.GENERATE_DATA_KEY_PAIR_WITHOUT_PLAINTEXT


@pytest.fixture
def room() -> KeyRoom:
    return KeyRoom()


@pytest.fixture
def key(room: KeyRoom) -> KmsKey:
    return room.key(room.run(keys.CREATE_KEY)["KeyMetadata"]["KeyId"])


def asked(key: KmsKey, spec: str = "ECC_NIST_P256", **members: Any) -> dict[str, Any]:
    return {"KeyId": key.key_id, "KeyPairSpec": spec, "EncryptionContext": CONTEXT, **members}


@pytest.mark.parametrize(
    ("spec", "kind", "size"),
    [
        ("RSA_2048", rsa.RSAPrivateKey, 2048),
        ("ECC_NIST_P256", ec.EllipticCurvePrivateKey, 256),
        ("ECC_NIST_P384", ec.EllipticCurvePrivateKey, 384),
        ("ECC_NIST_P521", ec.EllipticCurvePrivateKey, 521),
        ("ECC_SECG_P256K1", ec.EllipticCurvePrivateKey, 256),
        ("ECC_NIST_EDWARDS25519", ed25519.Ed25519PrivateKey, None),
        ("ML_KEM_768", mlkem.MLKEM768PrivateKey, None),
        ("ML_KEM_1024", mlkem.MLKEM1024PrivateKey, None),
    ],
)
def test_a_pair_comes_in_clear_and_wrapped(
    room: KeyRoom, key: KmsKey, spec: str, kind: type, size: int | None
) -> None:
    answered = room.run(PAIR, asked(key, spec))
    plaintext, blob = answered.pop("PrivateKeyPlaintext"), answered.pop("PrivateKeyCiphertextBlob")
    private: Any = load_der_private_key(plaintext, None)
    assert isinstance(private, kind)
    assert getattr(private, "key_size", None) == size
    assert answered.pop("PublicKey") == private.public_key().public_bytes(
        Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    )
    assert answered == {
        "KeyId": key.arn,
        "KeyPairSpec": spec,
        "KeyMaterialId": key.materials[-1].material_id,
    }
    assert plaintext not in blob
    opening = {"CiphertextBlob": blob, "EncryptionContext": CONTEXT}
    assert room.run(ciphers.DECRYPT, opening)["Plaintext"] == plaintext
    with pytest.raises(InvalidCiphertextException):
        room.run(ciphers.DECRYPT, {"CiphertextBlob": blob})


def test_without_plaintext_the_private_key_is_wrapped_only(room: KeyRoom, key: KmsKey) -> None:
    answered = room.run(WITHOUT, asked(key))
    assert set(answered) == {"PrivateKeyCiphertextBlob", "PublicKey", "KeyId", "KeyPairSpec", "KeyMaterialId"}
    blob = {"CiphertextBlob": answered["PrivateKeyCiphertextBlob"], "EncryptionContext": CONTEXT}
    private: Any = load_der_private_key(room.run(ciphers.DECRYPT, blob)["Plaintext"], None)
    public = private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert public == answered["PublicKey"]


def test_every_pair_is_another(room: KeyRoom, key: KmsKey) -> None:
    assert len({room.run(PAIR, asked(key))["PrivateKeyPlaintext"] for _ in range(4)}) == 4


def test_the_longest_private_key_fits_into_a_blob(room: KeyRoom, key: KmsKey) -> None:
    plaintext = private_key("RSA_4096").pkcs8()
    sealed = room.run(ciphers.ENCRYPT, {"KeyId": key.key_id, "Plaintext": plaintext})
    assert len(sealed["CiphertextBlob"]) <= 6144


def test_an_rsa_pair_is_made_on_a_worker_thread(room: KeyRoom, key: KmsKey) -> None:
    def authorized(prepared: Any = None, **members: Any) -> Any:
        call = replace(room.call(PAIR.name, asked(key, "RSA_2048", **members)), prepared=prepared)
        return authorize(call, room.unit, PAIR.targets(call, room.unit))

    assert PAIR.prepare is not None
    work = PAIR.prepare(authorized(), room.unit)
    assert work is not None
    made = work()
    answered = PAIR.handle(authorized(made), room.unit)
    assert answered is not None
    assert answered["PublicKey"] == made.public_der()
    # A dry run makes none.
    with pytest.raises(DryRunOperationException):
        PAIR.prepare(authorized(DryRun=True), room.unit)


@pytest.mark.parametrize("operation", [PAIR, WITHOUT])
@pytest.mark.parametrize("spec", ["SM2", "ML_KEM_512"])
def test_pairs_that_are_not_made_say_so(room: KeyRoom, key: KmsKey, operation: Any, spec: str) -> None:
    with pytest.raises(UnsupportedOperationException) as refused:
        room.run(operation, asked(key, spec))
    assert refused.value.message == f"KeyPairSpec {spec} is not supported."


def test_no_enclave_gets_a_pair(room: KeyRoom, key: KmsKey) -> None:
    with pytest.raises(UnsupportedOperationException) as refused:
        room.run(PAIR, asked(key, Recipient={}))
    assert refused.value.message == "Attestation documents of Recipient are not supported."


@pytest.mark.parametrize(
    "operation",
    [PAIR, WITHOUT, ciphers.GENERATE_DATA_KEY, ciphers.GENERATE_DATA_KEY_WITHOUT_PLAINTEXT],
)
def test_only_symmetric_keys_wrap(room: KeyRoom, operation: Any) -> None:
    size = {"KeySpec": "AES_256"} if "Pair" not in operation.name else {"KeyPairSpec": "ECC_NIST_P256"}
    rsa_key = a_key(room, "RSA_2048", "ENCRYPT_DECRYPT")
    with pytest.raises(InvalidKeyUsageException) as refused:
        room.run(operation, {"KeyId": rsa_key.key_id, **size})
    assert refused.value.message == "Cannot generate a data key with an asymmetric KMS key"
    for spec, usage in (("ECC_NIST_P256", "SIGN_VERIFY"), ("HMAC_256", "GENERATE_VERIFY_MAC")):
        other = a_key(room, spec, usage)
        with pytest.raises(InvalidKeyUsageException) as refused:
            room.run(operation, {"KeyId": other.key_id, **size})
        assert refused.value.message == (
            f"{other.arn} key usage is {usage} which is not valid for {operation.name}."
        )


@pytest.mark.parametrize("operation", [PAIR, WITHOUT])
def test_state_permission_and_dry_run(room: KeyRoom, key: KmsKey, operation: Any) -> None:
    with pytest.raises(DryRunOperationException) as told:
        room.run(operation, asked(key, "RSA_4096", DryRun=True))
    assert told.value.message == "The request would have succeeded, but the DryRun option is set."
    with pytest.raises(AccessDeniedException):
        room.run(operation, asked(key), principal=room.user("bob"))
    room.run(keys.DISABLE_KEY, {"KeyId": key.key_id})
    with pytest.raises(DisabledException):
        room.run(operation, asked(key))


@pytest.mark.parametrize(
    ("condition", "fits", "fits_not"),
    [
        ("kms:DataKeyPairSpec", "ECC_NIST_P256", "RSA_2048"),
        ("kms:EncryptionContext:purpose", "test", "live"),
        ("kms:EncryptionAlgorithm", "SYMMETRIC_DEFAULT", "RSAES_OAEP_SHA_1"),
    ],
)
@pytest.mark.parametrize("operation", [PAIR, WITHOUT])
def test_pairs_can_be_bound_to_conditions(
    room: KeyRoom, key: KmsKey, operation: Any, condition: str, fits: str, fits_not: str
) -> None:
    may = room.user("may", allow(operation.action, Condition={"StringEquals": {condition: fits}}))
    may_not = room.user("maynot", allow(operation.action, Condition={"StringEquals": {condition: fits_not}}))
    assert room.run(operation, asked(key), principal=may)["KeyId"] == key.arn
    with pytest.raises(AccessDeniedException):
        room.run(operation, asked(key), principal=may_not)

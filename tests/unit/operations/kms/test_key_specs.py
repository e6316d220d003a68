"""CreateKey of every key spec: metadata, and how its material is kept."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, rsa
from cryptography.hazmat.primitives.serialization import load_der_private_key
from msgspec.structs import replace

from strongroom.crypto.private_keys import PrivateKeyHandle
from strongroom.errors import AccessDeniedException, IntegrityError, UnsupportedOperationException
from strongroom.operations.authorize import authorize
from strongroom.operations.kms import keys
from strongroom.operations.kms.material import KeyMaterialDamage, mac_key, private_key
from strongroom.ports import KMS_KEYS
from support.key_pairs import a_key
from support.key_room import NOON, KeyRoom, allow

RSA_SIGNING = [
    "RSASSA_PKCS1_V1_5_SHA_256",
    "RSASSA_PKCS1_V1_5_SHA_384",
    "RSASSA_PKCS1_V1_5_SHA_512",
    "RSASSA_PSS_SHA_256",
    "RSASSA_PSS_SHA_384",
    "RSASSA_PSS_SHA_512",
]
RSA_ENCRYPTION = ["RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256"]
SPECS: list[tuple[str, str, str, list[str]]] = [
    ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", "EncryptionAlgorithms", ["SYMMETRIC_DEFAULT"]),
    ("HMAC_224", "GENERATE_VERIFY_MAC", "MacAlgorithms", ["HMAC_SHA_224"]),
    ("HMAC_256", "GENERATE_VERIFY_MAC", "MacAlgorithms", ["HMAC_SHA_256"]),
    ("HMAC_384", "GENERATE_VERIFY_MAC", "MacAlgorithms", ["HMAC_SHA_384"]),
    ("HMAC_512", "GENERATE_VERIFY_MAC", "MacAlgorithms", ["HMAC_SHA_512"]),
    ("RSA_2048", "SIGN_VERIFY", "SigningAlgorithms", RSA_SIGNING),
    ("RSA_2048", "ENCRYPT_DECRYPT", "EncryptionAlgorithms", RSA_ENCRYPTION),
    ("RSA_3072", "SIGN_VERIFY", "SigningAlgorithms", RSA_SIGNING),
    ("RSA_4096", "ENCRYPT_DECRYPT", "EncryptionAlgorithms", RSA_ENCRYPTION),
    ("ECC_NIST_P256", "SIGN_VERIFY", "SigningAlgorithms", ["ECDSA_SHA_256"]),
    ("ECC_NIST_P384", "SIGN_VERIFY", "SigningAlgorithms", ["ECDSA_SHA_384"]),
    ("ECC_NIST_P521", "SIGN_VERIFY", "SigningAlgorithms", ["ECDSA_SHA_512"]),
    ("ECC_NIST_P256", "KEY_AGREEMENT", "KeyAgreementAlgorithms", ["ECDH"]),
    ("ECC_NIST_P384", "KEY_AGREEMENT", "KeyAgreementAlgorithms", ["ECDH"]),
    ("ECC_NIST_P521", "KEY_AGREEMENT", "KeyAgreementAlgorithms", ["ECDH"]),
    ("ECC_SECG_P256K1", "SIGN_VERIFY", "SigningAlgorithms", ["ECDSA_SHA_256"]),
    ("ECC_NIST_EDWARDS25519", "SIGN_VERIFY", "SigningAlgorithms", ["ED25519_SHA_512"]),
    ("ML_DSA_44", "SIGN_VERIFY", "SigningAlgorithms", ["ML_DSA_SHAKE_256"]),
    ("ML_DSA_65", "SIGN_VERIFY", "SigningAlgorithms", ["ML_DSA_SHAKE_256"]),
    ("ML_DSA_87", "SIGN_VERIFY", "SigningAlgorithms", ["ML_DSA_SHAKE_256"]),
    ("ML_KEM_768", "ENCAPSULATE_DECAPSULATE", "EncapsulationAlgorithms", ["ML_KEM"]),
    ("ML_KEM_1024", "ENCAPSULATE_DECAPSULATE", "EncapsulationAlgorithms", ["ML_KEM"]),
]


@pytest.fixture
def room() -> KeyRoom:
    return KeyRoom()


@pytest.mark.parametrize(("spec", "usage", "member", "algorithms"), SPECS)
def test_a_key_of_each_spec_lists_its_algorithms(
    room: KeyRoom, spec: str, usage: str, member: str, algorithms: list[str]
) -> None:
    key = a_key(room, spec, usage)
    metadata = room.run(keys.DESCRIBE_KEY, {"KeyId": key.key_id})["KeyMetadata"]
    material_id = metadata.pop("CurrentKeyMaterialId", None)
    # Only symmetric keys can be rotated and so tell their material.
    assert (material_id is not None) == (spec == "SYMMETRIC_DEFAULT")
    assert metadata == {
        "AWSAccountId": "111122223333",
        "KeyId": key.key_id,
        "Arn": key.arn,
        "CreationDate": NOON,
        "CustomerMasterKeySpec": spec,
        "Description": "",
        "Enabled": True,
        "KeyManager": "CUSTOMER",
        "KeySpec": spec,
        "KeyState": "Enabled",
        "KeyUsage": usage,
        "MultiRegion": False,
        "Origin": "AWS_KMS",
        member: algorithms,
    }


def opened(room: KeyRoom, key: Any) -> bytes:
    (material,) = key.materials
    binding = {
        "KeyArn": key.arn,
        "KeyMaterialId": material.material_id,
        "KeySpec": key.spec,
        "KeyUsage": key.usage,
    }
    plaintext = room.root_key.unwrap("kms-material", material.sealed, binding)
    assert plaintext not in material.sealed
    return plaintext


@pytest.mark.parametrize(
    ("spec", "size"), [("HMAC_224", 28), ("HMAC_256", 32), ("HMAC_384", 48), ("HMAC_512", 64)]
)
def test_hmac_material_is_as_long_as_its_digest(room: KeyRoom, spec: str, size: int) -> None:
    one, two = (opened(room, a_key(room, spec, "GENERATE_VERIFY_MAC")) for _ in range(2))
    assert len(one) == size
    assert one != two


@pytest.mark.parametrize(
    ("spec", "kind", "size"),
    [
        ("RSA_2048", rsa.RSAPrivateKey, 2048),
        ("RSA_3072", rsa.RSAPrivateKey, 3072),
        ("RSA_4096", rsa.RSAPrivateKey, 4096),
        ("ECC_NIST_P256", ec.EllipticCurvePrivateKey, 256),
        ("ECC_NIST_P384", ec.EllipticCurvePrivateKey, 384),
        ("ECC_NIST_P521", ec.EllipticCurvePrivateKey, 521),
        ("ECC_SECG_P256K1", ec.EllipticCurvePrivateKey, 256),
        ("ECC_NIST_EDWARDS25519", ed25519.Ed25519PrivateKey, None),
        ("ML_DSA_44", mldsa.MLDSA44PrivateKey, None),
        ("ML_DSA_65", mldsa.MLDSA65PrivateKey, None),
        ("ML_DSA_87", mldsa.MLDSA87PrivateKey, None),
    ],
)
def test_private_keys_are_kept_sealed(room: KeyRoom, spec: str, kind: type, size: int | None) -> None:
    private = load_der_private_key(opened(room, a_key(room, spec, "SIGN_VERIFY")), None)
    assert isinstance(private, kind)
    assert getattr(private, "key_size", None) == size


@pytest.mark.parametrize(
    "changed",
    [{"spec": "HMAC_256", "usage": "GENERATE_VERIFY_MAC"}, {"usage": "SIGN_VERIFY"}, {"spec": "RSA_3072"}],
)
def test_material_opens_for_the_spec_and_usage_it_was_made_for_only(
    room: KeyRoom, changed: dict[str, str]
) -> None:
    for spec, usage in (("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT"), ("RSA_2048", "ENCRYPT_DECRYPT")):
        key = replace(a_key(room, spec, usage), **changed)
        if key.spec == "SYMMETRIC_DEFAULT":
            continue
        with pytest.raises(KeyMaterialDamage):
            (mac_key if key.spec == "HMAC_256" else private_key)(room.resources, key)
    assert len(room.memory) == 0


def test_a_handle_in_memory_serves_no_other_kind_of_key(room: KeyRoom) -> None:
    key = a_key(room, "HMAC_256", "GENERATE_VERIFY_MAC")
    assert mac_key(room.resources, key) is mac_key(room.resources, key)
    with pytest.raises(TypeError, match="has no PrivateKeyHandle"):
        private_key(room.resources, key)


def test_sealed_bytes_that_are_no_private_key_are_damage(room: KeyRoom) -> None:
    key = a_key(room, "ECC_NIST_P256", "SIGN_VERIFY")
    (material,) = key.materials
    binding = {
        "KeyArn": key.arn,
        "KeyMaterialId": material.material_id,
        "KeySpec": key.spec,
        "KeyUsage": key.usage,
    }
    sealed = room.root_key.wrap("kms-material", b"no key", binding)
    broken = replace(key, materials=(replace(material, sealed=sealed),))
    room.unit.save(KMS_KEYS, broken)
    with pytest.raises(KeyMaterialDamage) as damage:
        private_key(room.resources, broken)
    assert isinstance(damage.value.__cause__, IntegrityError)


def test_an_rsa_key_is_made_before_the_transaction_and_only_if_permitted(room: KeyRoom) -> None:
    request = {"KeySpec": "RSA_2048", "KeyUsage": "SIGN_VERIFY"}
    prepare = keys.CREATE_KEY.prepare
    assert prepare is not None

    def authorized(principal: Any = None) -> Any:
        call = room.call("CreateKey", request, principal=principal)
        return authorize(call, room.unit, keys.CREATE_KEY.targets(call, room.unit))

    work = prepare(authorized(), room.unit)
    assert work is not None
    made = work()
    assert isinstance(made, PrivateKeyHandle)
    with pytest.raises(AccessDeniedException):
        authorized(room.user("bob"))
    call = replace(authorized().call, prepared=made)
    targets = keys.CREATE_KEY.targets(call, room.unit)
    answered = keys.CREATE_KEY.handle(authorize(call, room.unit, targets), room.unit)
    assert answered is not None
    stored = room.key(answered["KeyMetadata"]["KeyId"])
    assert private_key(room.resources, stored).public_der() == made.public_der()


@pytest.mark.parametrize("spec", ["ECC_NIST_P256", "ML_DSA_44", "ECC_NIST_EDWARDS25519", "HMAC_256"])
def test_what_is_made_at_once_needs_no_thread(room: KeyRoom, spec: str) -> None:
    usage = "GENERATE_VERIFY_MAC" if spec == "HMAC_256" else "SIGN_VERIFY"
    call = room.call("CreateKey", {"KeySpec": spec, "KeyUsage": usage})
    prepare = keys.CREATE_KEY.prepare
    assert prepare is not None
    assert prepare(authorize(call, room.unit, keys.CREATE_KEY.targets(call, room.unit)), room.unit) is None


@pytest.mark.parametrize(
    ("condition", "value", "request_"),
    [
        ("kms:KeySpec", "ECC_NIST_P256", {}),
        ("kms:KeyUsage", "SIGN_VERIFY", {}),
        ("kms:KeyOrigin", "AWS_KMS", {}),
    ],
)
def test_create_key_can_be_bound_to_spec_usage_and_origin(
    room: KeyRoom, condition: str, value: str, request_: dict[str, Any]
) -> None:
    request = {"KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY", **request_}
    may = room.user("may", allow("kms:CreateKey", Condition={"StringEquals": {condition: value}}))
    may_not = room.user("maynot", allow("kms:CreateKey", Condition={"StringNotEquals": {condition: value}}))
    with pytest.raises(AccessDeniedException):
        room.run(keys.CREATE_KEY, request, principal=may_not)
    assert room.run(keys.CREATE_KEY, request, principal=may)["KeyMetadata"]["KeySpec"] == "ECC_NIST_P256"


@pytest.mark.parametrize("members", [{"Origin": "EXTERNAL"}, {"Origin": "AWS_CLOUDHSM"}, {"XksKeyId": "1"}])
def test_no_rsa_key_is_made_for_a_call_that_is_refused(room: KeyRoom, members: dict[str, str]) -> None:
    request = {"KeySpec": "RSA_2048", "KeyUsage": "SIGN_VERIFY", **members}
    call = room.call("CreateKey", request)
    prepare = keys.CREATE_KEY.prepare
    assert prepare is not None
    with pytest.raises(UnsupportedOperationException):
        prepare(authorize(call, room.unit, keys.CREATE_KEY.targets(call, room.unit)), room.unit)

"""DeriveSharedSecret."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_public_key,
)
from msgspec.structs import replace

from strongroom.errors import (
    AccessDeniedException,
    DisabledException,
    DryRunOperationException,
    InvalidKeyUsageException,
    UnsupportedOperationException,
    ValidationException,
)
from strongroom.keys.records import KmsKey
from strongroom.operations.kms import key_agreement, keys, signatures
from strongroom.operations.kms.material import seal_material
from strongroom.ports import KMS_KEYS
from support.key_pairs import a_key, private_key
from support.key_room import KeyRoom, allow

CURVES: list[tuple[str, ec.EllipticCurve]] = [
    ("ECC_NIST_P256", ec.SECP256R1()),
    ("ECC_NIST_P384", ec.SECP384R1()),
    ("ECC_NIST_P521", ec.SECP521R1()),
]
NO_PEER = "The public key is not a valid key on the elliptic curve of the KMS key."


@pytest.fixture
def room() -> KeyRoom:
    return KeyRoom()


def agreement_key(room: KeyRoom, spec: str = "ECC_NIST_P256") -> KmsKey:
    return a_key(room, spec, "KEY_AGREEMENT")


def spki(key: Any) -> bytes:
    return bytes(key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


def derive(room: KeyRoom, key: KmsKey, peer: bytes, **how: Any) -> Any:
    members = how.pop("members", {})
    request = {"KeyId": key.key_id, "KeyAgreementAlgorithm": "ECDH", "PublicKey": peer, **members}
    return room.run(key_agreement.DERIVE_SHARED_SECRET, request, **how)


@pytest.mark.parametrize(("spec", "curve"), CURVES)
def test_both_sides_derive_the_same_secret(room: KeyRoom, spec: str, curve: ec.EllipticCurve) -> None:
    key, bob = agreement_key(room, spec), ec.generate_private_key(curve)
    answered = derive(room, key, spki(bob))
    alice = load_der_public_key(room.run(signatures.GET_PUBLIC_KEY, {"KeyId": key.key_id})["PublicKey"])
    assert isinstance(alice, ec.EllipticCurvePublicKey)
    assert answered == {
        "KeyId": key.arn,
        "SharedSecret": bob.exchange(ec.ECDH(), alice),
        "KeyAgreementAlgorithm": "ECDH",
        "KeyOrigin": "AWS_KMS",
    }
    assert len(answered["SharedSecret"]) == (curve.key_size + 7) // 8


def test_two_kms_keys_agree(room: KeyRoom) -> None:
    one, two = agreement_key(room), agreement_key(room)
    public = {
        key.arn: room.run(signatures.GET_PUBLIC_KEY, {"KeyId": key.key_id})["PublicKey"] for key in (one, two)
    }
    assert (
        derive(room, one, public[two.arn])["SharedSecret"]
        == derive(room, two, public[one.arn])["SharedSecret"]
    )


def test_the_secret_of_rfc_5903(room: KeyRoom) -> None:
    # RFC 5903, section 8.1: 256-bit random ECP group; i is ours, g^r the peer's, g^ir the secret.
    ours = ec.derive_private_key(
        0xC88F01F510D9AC3F70A292DAA2316DE544E9AAB8AFE84049C62A9C57862D1433, ec.SECP256R1()
    )
    peer = ec.EllipticCurvePublicNumbers(
        0xD12DFB5289C8D4F81208B70270398C342296970A0BCCB74C736FC7554494BF63,
        0x56FBF3CA366CC23E8157854C13C58D6AAC23F046ADA30F8353E74F33039872AB,
        ec.SECP256R1(),
    ).public_key()
    key = agreement_key(room)
    (material,) = key.materials
    der = ours.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    sealed = seal_material(room.root_key, key, material.material_id, der)
    room.unit.save(KMS_KEYS, replace(key, materials=(replace(material, sealed=sealed),)))
    answered = derive(room, key, peer.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
    assert answered["SharedSecret"] == bytes.fromhex(
        "d6840f6b42f6edafd13116e0e12565202fef8e9ece7dce03812464d04b9442de"
    )


def test_no_other_public_key_is_taken(room: KeyRoom) -> None:
    key = agreement_key(room)
    good = spki(ec.generate_private_key(ec.SECP256R1()))
    off_the_curve = good[:-1] + bytes((good[-1] ^ 1,))
    wrong = {
        "another curve": spki(ec.generate_private_key(ec.SECP384R1())),
        "a curve of the same size": spki(ec.generate_private_key(ec.SECP256K1())),
        "an RSA key": private_key("RSA_2048").public_der(),
        "an Ed25519 key": private_key("ECC_NIST_EDWARDS25519").public_der(),
        "a point off the curve": off_the_curve,
        "cut short": good[:-1],
        "more behind it": good + b"\0",
        "garbage": b"public key",
    }
    for what, peer in wrong.items():
        with pytest.raises(ValidationException) as refused:
            derive(room, key, peer)
        assert refused.value.message == NO_PEER, what
    assert derive(room, key, good)


@pytest.mark.parametrize(
    ("spec", "usage"), [("ECC_NIST_P256", "SIGN_VERIFY"), ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT")]
)
def test_the_key_has_to_be_for_agreement(room: KeyRoom, spec: str, usage: str) -> None:
    key = a_key(room, spec, usage)
    with pytest.raises(InvalidKeyUsageException) as refused:
        derive(room, key, spki(ec.generate_private_key(ec.SECP256R1())))
    assert (
        refused.value.message == f"{key.arn} key usage is {usage} which is not valid for DeriveSharedSecret."
    )


def test_dry_run_state_and_enclaves(room: KeyRoom) -> None:
    key, peer = agreement_key(room), spki(ec.generate_private_key(ec.SECP256R1()))
    with pytest.raises(DryRunOperationException) as told:
        derive(room, key, peer, members={"DryRun": True})
    assert told.value.message == "The request would have succeeded, but the DryRun option is set."
    with pytest.raises(ValidationException, match="not a valid key"):
        derive(room, key, b"x", members={"DryRun": True})
    with pytest.raises(UnsupportedOperationException) as refused:
        derive(room, key, peer, members={"Recipient": {}})
    assert refused.value.message == "Attestation documents of Recipient are not supported."
    room.run(keys.DISABLE_KEY, {"KeyId": key.key_id})
    with pytest.raises(DisabledException):
        derive(room, key, peer)


def test_agreement_can_be_bound_to_its_algorithm(room: KeyRoom) -> None:
    key, peer = agreement_key(room), spki(ec.generate_private_key(ec.SECP256R1()))
    condition = {"kms:KeyAgreementAlgorithm": "ECDH"}
    action = "kms:DeriveSharedSecret"
    may = room.user("may", allow(action, Condition={"StringEquals": condition}))
    may_not = room.user("maynot", allow(action, Condition={"StringNotEquals": condition}))
    assert derive(room, key, peer, principal=may)["KeyId"] == key.arn
    with pytest.raises(AccessDeniedException) as refused:
        derive(room, key, peer, principal=may_not)
    assert refused.value.message == (
        f"User: {may_not.arn} is not authorized to perform: {action} on resource: {key.arn} because no "
        f"identity-based policy allows the {action} action"
    )

"""Encapsulate and Decapsulate."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import load_der_public_key

from strongroom.errors import (
    AccessDeniedException,
    DisabledException,
    DryRunOperationException,
    InvalidCiphertextException,
    InvalidKeyUsageException,
)
from strongroom.keys.records import KmsKey
from strongroom.operations.kms import encapsulation, keys, policies, signatures
from support.key_pairs import a_key
from support.key_room import OTHER_ACCOUNT, KeyRoom, allow, for_principal, policy

SPECS = [("ML_KEM_768", 1088), ("ML_KEM_1024", 1568)]


@pytest.fixture
def room() -> KeyRoom:
    return KeyRoom()


def kem_key(room: KeyRoom, spec: str = "ML_KEM_768") -> KmsKey:
    return a_key(room, spec, "ENCAPSULATE_DECAPSULATE")


def encapsulate(room: KeyRoom, key: KmsKey, **how: Any) -> Any:
    request = {"KeyId": key.arn, "EncapsulationAlgorithm": "ML_KEM"}
    return room.run(encapsulation.ENCAPSULATE, request, **how)


def decapsulate(room: KeyRoom, key: KmsKey, blob: bytes, **how: Any) -> Any:
    request = {"KeyId": key.arn, "EncapsulationAlgorithm": "ML_KEM", "SharedSecretCiphertextBlob": blob}
    return room.run(encapsulation.DECAPSULATE, request, **how)


@pytest.mark.parametrize(("spec", "size"), SPECS)
def test_a_secret_goes_to_the_owner_of_the_key(room: KeyRoom, spec: str, size: int) -> None:
    key = kem_key(room, spec)
    answered = encapsulate(room, key)
    secret, blob = answered.pop("SharedSecret"), answered.pop("SharedSecretCiphertextBlob")
    assert (len(secret), len(blob)) == (32, size)
    assert answered == {"KeyId": key.arn, "EncapsulationAlgorithm": "ML_KEM"}
    assert decapsulate(room, key, blob) == {**answered, "SharedSecret": secret}
    assert encapsulate(room, key)["SharedSecret"] != secret


@pytest.mark.parametrize(("spec", "size"), SPECS)
def test_a_secret_encapsulated_outside_is_given_back(room: KeyRoom, spec: str, size: int) -> None:
    key = kem_key(room, spec)
    answered = room.run(signatures.GET_PUBLIC_KEY, {"KeyId": key.arn})
    assert answered["EncapsulationAlgorithms"] == ["ML_KEM"]
    public: Any = load_der_public_key(answered["PublicKey"])
    secret, blob = public.encapsulate()
    assert len(blob) == size
    assert decapsulate(room, key, blob)["SharedSecret"] == secret


def test_an_altered_or_foreign_blob_gives_another_secret_and_no_error(room: KeyRoom) -> None:
    key = kem_key(room)
    answered = encapsulate(room, key)
    blob = answered["SharedSecretCiphertextBlob"]
    altered = bytes((blob[0] ^ 1,)) + blob[1:]
    foreign = encapsulate(room, kem_key(room))["SharedSecretCiphertextBlob"]
    secrets = [decapsulate(room, key, each)["SharedSecret"] for each in (blob, altered, foreign)]
    assert secrets[0] == answered["SharedSecret"]
    assert len(set(secrets)) == 3
    # Which one it is follows from key and blob: asking again tells an attacker nothing more.
    assert decapsulate(room, key, altered)["SharedSecret"] == secrets[1]


def test_a_blob_of_another_length_does_not_open(room: KeyRoom) -> None:
    key = kem_key(room)
    blob = encapsulate(room, key)["SharedSecretCiphertextBlob"]
    of_another_spec = encapsulate(room, kem_key(room, "ML_KEM_1024"))["SharedSecretCiphertextBlob"]
    for wrong in (b"x", blob[:-1], blob + b"x", of_another_spec):
        with pytest.raises(InvalidCiphertextException) as refused:
            decapsulate(room, key, wrong)
        assert refused.value.message == ""


def test_usage_state_permission_and_dry_run(room: KeyRoom) -> None:
    key, signer = kem_key(room), a_key(room, "ML_DSA_44", "SIGN_VERIFY")
    blob = encapsulate(room, key)["SharedSecretCiphertextBlob"]
    request = {"EncapsulationAlgorithm": "ML_KEM", "SharedSecretCiphertextBlob": blob}
    for operation in (encapsulation.ENCAPSULATE, encapsulation.DECAPSULATE):
        with pytest.raises(InvalidKeyUsageException) as refused:
            room.run(operation, {**request, "KeyId": signer.key_id})
        assert refused.value.message == (
            f"{signer.arn} key usage is SIGN_VERIFY which is not valid for {operation.name}."
        )
        with pytest.raises(DryRunOperationException):
            room.run(operation, {**request, "KeyId": key.key_id, "DryRun": True})
        with pytest.raises(AccessDeniedException):
            room.run(operation, {**request, "KeyId": key.key_id, "DryRun": True}, principal=room.user("bob"))
    room.run(keys.DISABLE_KEY, {"KeyId": key.key_id})
    for operation in (encapsulation.ENCAPSULATE, encapsulation.DECAPSULATE):
        with pytest.raises(DisabledException):
            room.run(operation, {**request, "KeyId": key.key_id})


def test_another_account_encapsulates_for_a_shared_key(room: KeyRoom) -> None:
    key = kem_key(room)
    shared = policy(
        for_principal("arn:aws:iam::111122223333:root", "kms:*"),
        for_principal("arn:aws:iam::444455556666:root", "kms:Encapsulate"),
    )
    room.run(policies.PUT_KEY_POLICY, {"KeyId": key.key_id, "Policy": shared})
    carol = room.user("carol", allow("kms:*"), account_id=OTHER_ACCOUNT)
    answered = encapsulate(room, key, principal=carol)
    with pytest.raises(AccessDeniedException):
        decapsulate(room, key, answered["SharedSecretCiphertextBlob"], principal=carol)
    opened = decapsulate(room, key, answered["SharedSecretCiphertextBlob"])
    assert opened["SharedSecret"] == answered["SharedSecret"]

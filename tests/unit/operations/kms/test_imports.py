"""Imported key material: taken in, expired, deleted, and brought back. Source: fact sheet kms section 3."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.keywrap import aes_key_wrap_with_padding
from cryptography.hazmat.primitives.serialization import load_der_public_key

from strongroom.errors import (
    AccessDeniedException,
    ExpiredImportTokenException,
    IncorrectKeyMaterialException,
    InvalidCiphertextException,
    InvalidImportTokenException,
    KMSInvalidStateException,
    ServiceError,
    UnsupportedOperationException,
    ValidationException,
)
from strongroom.operations.call import Operation
from strongroom.operations.kms import ciphers, imports, keys, rotation
from strongroom.operations.kms.duties import do_key_duties
from support.entropies import pattern
from support.key_room import DAY, NOON, KeyRoom, allow

MATERIAL = pattern("imported material canary", 32)
OTHER = pattern("other imported material", 32)
FOREVER = {"ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE"}
OTHER_MATERIAL = (
    IncorrectKeyMaterialException,
    "The key material is not the same key material that was previously imported into this KMS key.",
)


@pytest.fixture
def room() -> KeyRoom:
    return KeyRoom()


@pytest.fixture
def key_id(room: KeyRoom) -> str:
    return str(room.run(keys.CREATE_KEY, {"Origin": "EXTERNAL"})["KeyMetadata"]["KeyId"])


def parameters(
    room: KeyRoom, key_id: str, algorithm: str = "RSAES_OAEP_SHA_256", spec: str = "RSA_2048"
) -> dict[str, Any]:
    request = {"KeyId": key_id, "WrappingAlgorithm": algorithm, "WrappingKeySpec": spec}
    answer: dict[str, Any] = room.run(imports.GET_PARAMETERS_FOR_IMPORT, request)
    return answer


def wrapped(public_der: bytes, material: bytes, algorithm: str = "RSAES_OAEP_SHA_256") -> bytes:
    public = load_der_public_key(public_der)
    assert isinstance(public, rsa.RSAPublicKey)
    hashed = hashes.SHA1() if algorithm.endswith("SHA_1") else hashes.SHA256()  # noqa: S303 - AWS's choice
    oaep = padding.OAEP(padding.MGF1(hashed), hashed, None)
    if algorithm.startswith("RSAES"):
        return public.encrypt(material, oaep)
    wrapping_key = pattern("wrapping key", 32)
    return public.encrypt(wrapping_key, oaep) + aes_key_wrap_with_padding(wrapping_key, material)


def import_request(room: KeyRoom, key_id: str, material: bytes = MATERIAL, **members: Any) -> dict[str, Any]:
    given = parameters(room, key_id)
    return {
        "KeyId": key_id,
        "ImportToken": given["ImportToken"],
        "EncryptedKeyMaterial": wrapped(given["PublicKey"], material),
        **(members or FOREVER),
    }


def bring(
    room: KeyRoom, key_id: str, material: bytes = MATERIAL, now: dt.datetime = NOON, **members: Any
) -> str:
    request = import_request(room, key_id, material, **members)
    answer = room.run(imports.IMPORT_KEY_MATERIAL, request, now=now)
    assert answer["KeyId"] == room.key(key_id).arn
    return str(answer["KeyMaterialId"])


def metadata(room: KeyRoom, key_id: str, now: dt.datetime = NOON) -> dict[str, Any]:
    return dict(room.run(keys.DESCRIBE_KEY, {"KeyId": key_id}, now=now)["KeyMetadata"])


def encrypt(room: KeyRoom, key_id: str, now: dt.datetime = NOON) -> bytes:
    request = {"KeyId": key_id, "Plaintext": b"value"}
    return bytes(room.run(ciphers.ENCRYPT, request, now=now)["CiphertextBlob"])


def decrypt(room: KeyRoom, blob: bytes) -> bytes:
    return bytes(room.run(ciphers.DECRYPT, {"CiphertextBlob": blob})["Plaintext"])


def refusal(
    room: KeyRoom, operation: Operation, request: Mapping[str, Any], now: dt.datetime = NOON
) -> tuple[type[ServiceError], str]:
    before = room.unit.state()
    with pytest.raises(ServiceError) as caught:
        room.run(operation, request, now=now)
    assert room.unit.state() == before
    return type(caught.value), caught.value.message


def test_a_key_for_imported_material_waits_for_it(room: KeyRoom, key_id: str) -> None:
    found = metadata(room, key_id)
    assert (found["KeyState"], found["Origin"], found["Enabled"]) == ("PendingImport", "EXTERNAL", False)
    assert found.keys() & {"CurrentKeyMaterialId", "ExpirationModel", "ValidTo"} == set()
    pending = (KMSInvalidStateException, f"{found['Arn']} is pending import.")
    assert refusal(room, ciphers.ENCRYPT, {"KeyId": key_id, "Plaintext": b"x"}) == pending
    assert refusal(room, keys.ENABLE_KEY, {"KeyId": key_id}) == pending
    assert refusal(room, keys.DISABLE_KEY, {"KeyId": key_id}) == pending
    material_id = bring(room, key_id)
    found = metadata(room, key_id)
    assert (found["KeyState"], found["CurrentKeyMaterialId"]) == ("Enabled", material_id)
    assert found["ExpirationModel"] == "KEY_MATERIAL_DOES_NOT_EXPIRE"
    assert decrypt(room, encrypt(room, key_id)) == b"value"


@pytest.mark.parametrize(
    ("algorithm", "spec"),
    [
        ("RSAES_OAEP_SHA_1", "RSA_2048"),
        ("RSAES_OAEP_SHA_256", "RSA_3072"),
        ("RSA_AES_KEY_WRAP_SHA_1", "RSA_2048"),
        ("RSA_AES_KEY_WRAP_SHA_256", "RSA_4096"),
    ],
)
def test_material_comes_wrapped_in_any_of_these_ways(
    room: KeyRoom, key_id: str, algorithm: str, spec: str
) -> None:
    given = parameters(room, key_id, algorithm, spec)
    assert given["KeyId"] == room.key(key_id).arn
    assert given["ParametersValidTo"] == NOON + DAY
    assert len(given["ImportToken"]) <= 6144
    public = load_der_public_key(given["PublicKey"])
    assert isinstance(public, rsa.RSAPublicKey)
    assert f"RSA_{public.key_size}" == spec
    sealed = wrapped(given["PublicKey"], MATERIAL, algorithm)
    request = {"KeyId": key_id, "ImportToken": given["ImportToken"], **FOREVER}
    cut = {**request, "EncryptedKeyMaterial": sealed[:-1]}
    assert refusal(room, imports.IMPORT_KEY_MATERIAL, cut) == (InvalidCiphertextException, "")
    flipped = {**request, "EncryptedKeyMaterial": sealed[:-1] + bytes([sealed[-1] ^ 1])}
    assert refusal(room, imports.IMPORT_KEY_MATERIAL, flipped) == (InvalidCiphertextException, "")
    assert room.run(imports.IMPORT_KEY_MATERIAL, {**request, "EncryptedKeyMaterial": sealed})["KeyMaterialId"]


def test_what_is_imported_rests_sealed_only(room: KeyRoom, key_id: str) -> None:
    bring(room, key_id)
    stored = repr(room.unit.state())
    assert repr(MATERIAL)[2:-1] not in stored
    assert MATERIAL.hex() not in stored


def test_a_token_is_for_its_key_and_for_a_day(room: KeyRoom, key_id: str) -> None:
    other = room.run(keys.CREATE_KEY, {"Origin": "EXTERNAL"})["KeyMetadata"]["KeyId"]
    request = import_request(room, key_id)
    invalid = (InvalidImportTokenException, "The specified import token is not valid for this KMS key.")
    assert refusal(room, imports.IMPORT_KEY_MATERIAL, {**request, "KeyId": other}) == invalid
    garbled = request["ImportToken"][:-1] + bytes([request["ImportToken"][-1] ^ 1])
    assert refusal(room, imports.IMPORT_KEY_MATERIAL, {**request, "ImportToken": garbled}) == invalid
    assert refusal(room, imports.IMPORT_KEY_MATERIAL, request, now=NOON + DAY) == (
        ExpiredImportTokenException,
        "The specified import token is expired.",
    )
    # Another token's material does not open with this one.
    mixed = {**request, "EncryptedKeyMaterial": import_request(room, key_id)["EncryptedKeyMaterial"]}
    assert refusal(room, imports.IMPORT_KEY_MATERIAL, mixed) == (InvalidCiphertextException, "")


@pytest.mark.parametrize("size", [16, 31, 33, 64])
def test_material_has_32_bytes(room: KeyRoom, key_id: str, size: int) -> None:
    request = import_request(room, key_id, pattern("short", size))
    assert refusal(room, imports.IMPORT_KEY_MATERIAL, request) == (InvalidCiphertextException, "")


@pytest.mark.parametrize(
    ("members", "message"),
    [
        (
            {"ImportType": "NEW_KEY_MATERIAL"},
            "A validTo date must be set if the ExpirationModel is KEY_MATERIAL_EXPIRES",
        ),
        (
            {"ValidTo": NOON},
            "The validTo date must be in the future and no more than 365 days away.",
        ),
        (
            {"ValidTo": NOON + 366 * DAY},
            "The validTo date must be in the future and no more than 365 days away.",
        ),
        (
            {**FOREVER, "ValidTo": NOON + DAY},
            "A validTo date must not be set if the ExpirationModel is KEY_MATERIAL_DOES_NOT_EXPIRE",
        ),
    ],
)
def test_dates_that_do_not_fit(room: KeyRoom, key_id: str, members: dict[str, Any], message: str) -> None:
    request = import_request(room, key_id, **members)
    assert refusal(room, imports.IMPORT_KEY_MATERIAL, request) == (ValidationException, message)


def test_expired_material_serves_no_more_and_the_same_brings_it_back(room: KeyRoom, key_id: str) -> None:
    end = NOON + 10 * DAY
    material_id = bring(room, key_id, ValidTo=end)
    blob = encrypt(room, key_id)
    assert metadata(room, key_id)["ValidTo"] == end
    # On its date, before anybody has erased it.
    assert metadata(room, key_id, end)["KeyState"] == "PendingImport"
    with pytest.raises(KMSInvalidStateException):
        encrypt(room, key_id, end)
    assert do_key_duties(room.store, end - dt.timedelta(seconds=1), room.entropy, room.root_key) == 0
    assert do_key_duties(room.store, end, room.entropy, room.root_key) == 1
    assert do_key_duties(room.store, end, room.entropy, room.root_key) == 0
    assert [material.sealed for material in room.key(key_id).materials] == [b""]
    assert refusal(room, imports.IMPORT_KEY_MATERIAL, import_request(room, key_id, OTHER)) == OTHER_MATERIAL
    assert bring(room, key_id) == material_id
    assert decrypt(room, blob) == b"value"


def test_deleted_material_and_what_brings_it_back(room: KeyRoom, key_id: str) -> None:
    material_id = bring(room, key_id)
    blob = encrypt(room, key_id)
    room.run(keys.DISABLE_KEY, {"KeyId": key_id})
    answer = room.run(imports.DELETE_IMPORTED_KEY_MATERIAL, {"KeyId": key_id})
    assert answer == {"KeyId": room.key(key_id).arn, "KeyMaterialId": material_id}
    assert metadata(room, key_id)["KeyState"] == "PendingImport"
    with pytest.raises(KMSInvalidStateException):
        decrypt(room, blob)
    for members in ({}, {"ImportType": "EXISTING_KEY_MATERIAL", **FOREVER}):
        request = import_request(room, key_id, OTHER, **members)
        assert refusal(room, imports.IMPORT_KEY_MATERIAL, request) == OTHER_MATERIAL
    assert bring(room, key_id) == material_id
    assert decrypt(room, blob) == b"value"
    assert (
        refusal(room, imports.DELETE_IMPORTED_KEY_MATERIAL, {"KeyId": key_id, "KeyMaterialId": "0" * 64})
        == OTHER_MATERIAL
    )


def test_new_material_waits_for_rotation_on_demand(room: KeyRoom, key_id: str) -> None:
    arn = room.key(key_id).arn
    first = bring(room, key_id)
    old = encrypt(room, key_id)
    nothing = (
        KMSInvalidStateException,
        f"No available key material pending rotation for the key: {arn}.",
    )
    assert refusal(room, rotation.ROTATE_KEY_ON_DEMAND, {"KeyId": key_id}) == nothing
    second = bring(room, key_id, OTHER, ImportType="NEW_KEY_MATERIAL", **FOREVER)
    assert metadata(room, key_id)["CurrentKeyMaterialId"] == first
    every = room.run(
        rotation.LIST_KEY_ROTATIONS, {"KeyId": key_id, "IncludeKeyMaterial": "ALL_KEY_MATERIAL"}
    )["Rotations"]
    assert [(each["KeyMaterialId"], each["KeyMaterialState"], each["ImportState"]) for each in every] == [
        (first, "CURRENT", "IMPORTED"),
        (second, "PENDING_ROTATION", "IMPORTED"),
    ]
    third = import_request(room, key_id, pattern("third", 32), ImportType="NEW_KEY_MATERIAL", **FOREVER)
    assert refusal(room, imports.IMPORT_KEY_MATERIAL, third)[0] is KMSInvalidStateException
    room.run(rotation.ROTATE_KEY_ON_DEMAND, {"KeyId": key_id})
    assert metadata(room, key_id)["CurrentKeyMaterialId"] == second
    assert decrypt(room, old) == decrypt(room, encrypt(room, key_id)) == b"value"
    # Every material the key was ever used with belongs to it.
    room.run(imports.DELETE_IMPORTED_KEY_MATERIAL, {"KeyId": key_id, "KeyMaterialId": first})
    assert metadata(room, key_id)["KeyState"] == "PendingImport"


def test_a_key_without_material_can_be_scheduled_for_deletion_and_kept(room: KeyRoom, key_id: str) -> None:
    room.run(keys.SCHEDULE_KEY_DELETION, {"KeyId": key_id})
    gone = (KMSInvalidStateException, f"{room.key(key_id).arn} is pending deletion.")
    request = {
        "KeyId": key_id,
        "WrappingAlgorithm": "RSAES_OAEP_SHA_256",
        "WrappingKeySpec": "RSA_2048",
    }
    assert refusal(room, imports.GET_PARAMETERS_FOR_IMPORT, request) == gone
    room.run(keys.CANCEL_KEY_DELETION, {"KeyId": key_id})
    assert metadata(room, key_id)["KeyState"] == "PendingImport"


def test_keys_with_material_of_kms_take_none(room: KeyRoom) -> None:
    made = room.run(keys.CREATE_KEY)["KeyMetadata"]
    wrong = (
        UnsupportedOperationException,
        f"{made['Arn']} origin is AWS_KMS which is not valid for this operation.",
    )
    for operation in (
        imports.GET_PARAMETERS_FOR_IMPORT,
        imports.IMPORT_KEY_MATERIAL,
        imports.DELETE_IMPORTED_KEY_MATERIAL,
    ):
        request = {
            "KeyId": made["KeyId"],
            "WrappingAlgorithm": "RSAES_OAEP_SHA_256",
            "WrappingKeySpec": "RSA_2048",
            "ImportToken": b"x",
            "EncryptedKeyMaterial": b"x",
        }
        assert refusal(room, operation, request) == wrong


@pytest.mark.parametrize(
    ("algorithm", "spec"), [("RSAES_PKCS1_V1_5", "RSA_2048"), ("SM2PKE", "SM2"), ("SM2PKE", "RSA_2048")]
)
def test_other_wrappings_are_refused(room: KeyRoom, key_id: str, algorithm: str, spec: str) -> None:
    request = {"KeyId": key_id, "WrappingAlgorithm": algorithm, "WrappingKeySpec": spec}
    assert refusal(room, imports.GET_PARAMETERS_FOR_IMPORT, request) == (
        UnsupportedOperationException,
        f"Wrapping algorithm {algorithm} with wrapping key spec {spec} is not supported.",
    )


def test_policies_see_how_material_is_wrapped_and_when_it_expires(room: KeyRoom, key_id: str) -> None:
    wrapping = {"StringEquals": {"kms:WrappingAlgorithm": "RSAES_OAEP_SHA_256"}}
    expiring = {
        "StringEquals": {"kms:ExpirationModel": "KEY_MATERIAL_EXPIRES"},
        "DateLessThan": {"kms:ValidTo": "2026-01-31T00:00:00Z"},
    }
    bob = room.user(
        "bob",
        allow("kms:GetParametersForImport", Condition=wrapping),
        allow("kms:ImportKeyMaterial", Condition=expiring),
    )
    request = {"KeyId": key_id, "WrappingKeySpec": "RSA_2048"}
    room.run(
        imports.GET_PARAMETERS_FOR_IMPORT,
        {**request, "WrappingAlgorithm": "RSAES_OAEP_SHA_256"},
        principal=bob,
    )
    with pytest.raises(AccessDeniedException):
        room.run(
            imports.GET_PARAMETERS_FOR_IMPORT,
            {**request, "WrappingAlgorithm": "RSAES_OAEP_SHA_1"},
            principal=bob,
        )
    for members in (FOREVER, {"ValidTo": NOON + 60 * DAY}):
        with pytest.raises(AccessDeniedException):
            room.run(imports.IMPORT_KEY_MATERIAL, import_request(room, key_id, **members), principal=bob)
    request = import_request(room, key_id, ValidTo=NOON + 10 * DAY)
    assert room.run(imports.IMPORT_KEY_MATERIAL, request, principal=bob)

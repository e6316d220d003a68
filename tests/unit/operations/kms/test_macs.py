"""GenerateMac and VerifyMac."""

from __future__ import annotations

import hmac
from typing import Any

import pytest
from msgspec.structs import replace

from strongroom.errors import (
    AccessDeniedException,
    DisabledException,
    DryRunOperationException,
    InvalidKeyUsageException,
    KMSInvalidMacException,
)
from strongroom.keys.records import KmsKey
from strongroom.operations.kms import keys, macs, policies
from strongroom.operations.kms.material import open_material, seal_material
from strongroom.ports import KMS_KEYS
from support.key_pairs import a_key
from support.key_room import OTHER_ACCOUNT, KeyRoom, allow, for_principal, policy

MESSAGE = b"deliver to the back door"
SIZES = (224, 256, 384, 512)
# RFC 4231, section 4: key, data, then the codes by size of the digest.
RFC_4231: list[tuple[bytes, bytes, dict[int, str]]] = [
    (
        b"\x0b" * 20,
        b"Hi There",
        {
            224: "896fb1128abbdf196832107cd49df33f47b4b1169912ba4f53684b22",
            256: "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
            384: "afd03944d84895626b0825f4ab46907f15f9dadbe4101ec682aa034c7cebc59c"
            "faea9ea9076ede7f4af152e8b2fa9cb6",
            512: "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cde"
            "daa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854",
        },
    ),
    (
        b"Jefe",
        b"what do ya want for nothing?",
        {
            224: "a30e01098bc6dbbf45690f3a7e9e6d0f8bbea2a39e6148008fd05e44",
            256: "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            384: "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e"
            "8e2240ca5e69e2c78b3239ecfab21649",
            512: "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"
            "9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
        },
    ),
]


@pytest.fixture
def room() -> KeyRoom:
    return KeyRoom()


def hmac_key(room: KeyRoom, size: int = 256) -> KmsKey:
    return a_key(room, f"HMAC_{size}", "GENERATE_VERIFY_MAC")


def with_material(room: KeyRoom, key: KmsKey, plaintext: bytes) -> None:
    """The key's material becomes the one given."""
    (material,) = key.materials
    sealed = seal_material(room.root_key, key, material.material_id, plaintext)
    room.unit.save(KMS_KEYS, replace(key, materials=(replace(material, sealed=sealed),)))


def generate(room: KeyRoom, key: KmsKey, **members: Any) -> Any:
    algorithm = key.spec.replace("_", "_SHA_")
    return room.run(
        macs.GENERATE_MAC, {"KeyId": key.key_id, "Message": MESSAGE, "MacAlgorithm": algorithm, **members}
    )


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("secret", "data", "codes"), RFC_4231)
def test_the_codes_of_rfc_4231(
    room: KeyRoom, secret: bytes, data: bytes, codes: dict[int, str], size: int
) -> None:
    key = hmac_key(room, size)
    with_material(room, key, secret)
    algorithm = f"HMAC_SHA_{size}"
    code = bytes.fromhex(codes[size])
    assert generate(room, key, Message=data) == {"Mac": code, "MacAlgorithm": algorithm, "KeyId": key.arn}
    request = {"KeyId": key.key_id, "Message": data, "MacAlgorithm": algorithm, "Mac": code}
    assert room.run(macs.VERIFY_MAC, request) == {
        "KeyId": key.arn,
        "MacValid": True,
        "MacAlgorithm": algorithm,
    }


@pytest.mark.parametrize("size", SIZES)
def test_a_code_is_made_under_the_keys_own_material(room: KeyRoom, size: int) -> None:
    key = hmac_key(room, size)
    secret = open_material(room.root_key, key, key.materials[-1])
    assert generate(room, key)["Mac"] == hmac.digest(secret, MESSAGE, f"sha{size}")


@pytest.mark.parametrize("size", SIZES)
def test_what_is_no_code_is_refused_and_never_called_false(room: KeyRoom, size: int) -> None:
    key = hmac_key(room, size)
    mac = generate(room, key)["Mac"]
    another = generate(room, hmac_key(room, size))["Mac"]
    for wrong in (mac[:-1], mac + b"\0", mac[:1], bytes((mac[0] ^ 1,)) + mac[1:], another):
        request = {"KeyId": key.key_id, "Message": MESSAGE, "MacAlgorithm": f"HMAC_SHA_{size}", "Mac": wrong}
        with pytest.raises(KMSInvalidMacException) as refused:
            room.run(macs.VERIFY_MAC, request)
        assert refused.value.message == ""
    with pytest.raises(KMSInvalidMacException):
        room.run(macs.VERIFY_MAC, {**request, "Mac": mac, "Message": MESSAGE + b"!"})


@pytest.mark.parametrize("operation", [macs.GENERATE_MAC, macs.VERIFY_MAC])
def test_the_key_has_to_be_for_codes_of_the_algorithm(room: KeyRoom, operation: Any) -> None:
    request = {"Message": MESSAGE, "MacAlgorithm": "HMAC_SHA_256", "Mac": b"x"}
    for spec, usage, message in (
        ("HMAC_224", "GENERATE_VERIFY_MAC", "Algorithm HMAC_SHA_256 is incompatible with key spec HMAC_224."),
        (
            "SYMMETRIC_DEFAULT",
            "ENCRYPT_DECRYPT",
            "{arn} key usage is ENCRYPT_DECRYPT which is not valid for {op}.",
        ),
        ("RSA_2048", "SIGN_VERIFY", "{arn} key usage is SIGN_VERIFY which is not valid for {op}."),
    ):
        key = a_key(room, spec, usage)
        with pytest.raises(InvalidKeyUsageException) as refused:
            room.run(operation, {**request, "KeyId": key.key_id})
        assert refused.value.message == message.format(arn=key.arn, op=operation.name)


def test_a_dry_run_makes_and_checks_no_code(room: KeyRoom) -> None:
    key = hmac_key(room)
    request = {
        "KeyId": key.key_id,
        "Message": MESSAGE,
        "MacAlgorithm": "HMAC_SHA_256",
        "Mac": b"x",
        "DryRun": True,
    }
    for operation in (macs.GENERATE_MAC, macs.VERIFY_MAC):
        with pytest.raises(DryRunOperationException) as told:
            room.run(operation, request)
        assert told.value.message == "The request would have succeeded, but the DryRun option is set."
        with pytest.raises(AccessDeniedException):
            room.run(operation, request, principal=room.user("bob"))
    assert len(room.memory) == 0


def test_a_disabled_key_makes_and_checks_no_code(room: KeyRoom) -> None:
    key = hmac_key(room)
    mac = generate(room, key)["Mac"]
    room.run(keys.DISABLE_KEY, {"KeyId": key.key_id})
    request = {"KeyId": key.key_id, "Message": MESSAGE, "MacAlgorithm": "HMAC_SHA_256", "Mac": mac}
    for operation in (macs.GENERATE_MAC, macs.VERIFY_MAC):
        with pytest.raises(DisabledException) as refused:
            room.run(operation, request)
        assert refused.value.message == f"{key.arn} is disabled."


@pytest.mark.parametrize("operation", [macs.GENERATE_MAC, macs.VERIFY_MAC])
def test_codes_can_be_bound_to_an_algorithm(room: KeyRoom, operation: Any) -> None:
    key = hmac_key(room, 384)
    mac = generate(room, key)["Mac"]
    request = {"KeyId": key.key_id, "Message": MESSAGE, "MacAlgorithm": "HMAC_SHA_384", "Mac": mac}
    for algorithm, permitted in (("HMAC_SHA_384", True), ("HMAC_SHA_256", False)):
        bound = allow(operation.action, Condition={"StringEquals": {"kms:MacAlgorithm": algorithm}})
        user = room.user(f"u{algorithm[-3:]}", bound)
        if permitted:
            assert room.run(operation, request, principal=user)["KeyId"] == key.arn
        else:
            with pytest.raises(AccessDeniedException):
                room.run(operation, request, principal=user)


def test_another_account_may_check_codes_only(room: KeyRoom) -> None:
    key = hmac_key(room)
    shared = policy(
        for_principal("arn:aws:iam::111122223333:root", "kms:*"),
        for_principal("arn:aws:iam::444455556666:root", "kms:VerifyMac"),
    )
    room.run(policies.PUT_KEY_POLICY, {"KeyId": key.key_id, "Policy": shared})
    carol = room.user("carol", allow("kms:*"), account_id=OTHER_ACCOUNT)
    request = {
        "KeyId": key.arn,
        "Message": MESSAGE,
        "MacAlgorithm": "HMAC_SHA_256",
        "Mac": generate(room, key)["Mac"],
    }
    assert room.run(macs.VERIFY_MAC, request, principal=carol)["MacValid"] is True
    with pytest.raises(AccessDeniedException):
        room.run(macs.GENERATE_MAC, request, principal=carol)

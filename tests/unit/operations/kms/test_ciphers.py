"""Encrypt, Decrypt, ReEncrypt, data keys and random bytes."""

from __future__ import annotations

import base64
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from strongroom.errors import (
    AccessDeniedException,
    DisabledException,
    DryRunOperationException,
    IncorrectKeyException,
    InvalidCiphertextException,
    InvalidGrantTokenException,
    InvalidKeyUsageException,
    KMSInvalidStateException,
    NotFoundException,
    ServiceError,
    UnsupportedOperationException,
    ValidationException,
)
from strongroom.names import Region
from strongroom.operations.kms import aliases, ciphers, keys
from strongroom.operations.kms.material import KeyMaterialDamage
from strongroom.ports import KMS_KEYS
from support.key_room import DAY, NOON, OTHER_ACCOUNT, KeyRoom, allow, deny, for_principal, policy, root

CONTEXT = {"purpose": "test", "stage": "one"}
DRY_RUN = "The request would have succeeded, but the DryRun option is set."
UNREACHABLE = (
    "The ciphertext refers to a customer master key that does not exist, does not exist in this region, "
    "or you are not allowed to access."
)


@pytest.fixture
def room() -> KeyRoom:
    return KeyRoom()


@pytest.fixture
def key_id(room: KeyRoom) -> str:
    return new_key(room)


def new_key(room: KeyRoom, **members: Any) -> str:
    return str(room.run(keys.CREATE_KEY, members)["KeyMetadata"]["KeyId"])


def arn_of(key_id: str) -> str:
    return f"arn:aws:kms:eu-central-1:111122223333:key/{key_id}"


def encrypted(room: KeyRoom, key_id: str, context: Any = CONTEXT, **how: Any) -> bytes:
    request = {"KeyId": key_id, "Plaintext": b"attack at dawn", "EncryptionContext": context}
    return bytes(room.run(ciphers.ENCRYPT, request, **how)["CiphertextBlob"])


def test_what_was_encrypted_decrypts_without_naming_the_key(room: KeyRoom, key_id: str) -> None:
    answered = room.run(ciphers.ENCRYPT, {"KeyId": key_id, "Plaintext": b"attack at dawn"})
    blob = answered.pop("CiphertextBlob")
    assert answered == {"KeyId": arn_of(key_id), "EncryptionAlgorithm": "SYMMETRIC_DEFAULT"}
    assert b"attack at dawn" not in blob
    assert room.run(ciphers.DECRYPT, {"CiphertextBlob": blob}) == {
        "KeyId": arn_of(key_id),
        "Plaintext": b"attack at dawn",
        "EncryptionAlgorithm": "SYMMETRIC_DEFAULT",
        "KeyMaterialId": room.key(key_id).materials[-1].material_id,
    }


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(
    plaintext=st.binary(min_size=1, max_size=4096),
    context=st.dictionaries(st.text(min_size=1, max_size=9), st.text(max_size=9), max_size=3),
)
def test_any_plaintext_in_any_context_comes_back(
    room: KeyRoom, key_id: str, plaintext: bytes, context: dict[str, str]
) -> None:
    request = {"KeyId": key_id, "Plaintext": plaintext, "EncryptionContext": context}
    blob = room.run(ciphers.ENCRYPT, request)["CiphertextBlob"]
    again = {"CiphertextBlob": blob, "EncryptionContext": dict(reversed(context.items()))}
    assert room.run(ciphers.DECRYPT, again)["Plaintext"] == plaintext


def test_the_longest_plaintext_fits_into_the_longest_blob(room: KeyRoom, key_id: str) -> None:
    request = {"KeyId": key_id, "Plaintext": bytes(4096)}
    assert len(room.run(ciphers.ENCRYPT, request)["CiphertextBlob"]) <= 6144


def test_encrypting_twice_gives_different_blobs(room: KeyRoom, key_id: str) -> None:
    assert encrypted(room, key_id) != encrypted(room, key_id)


@pytest.mark.parametrize(
    "context",
    [
        pytest.param({}, id="none"),
        pytest.param({"purpose": "test"}, id="less"),
        pytest.param({**CONTEXT, "more": "x"}, id="more"),
        pytest.param({"Purpose": "test", "stage": "one"}, id="case of a key"),
        pytest.param({"purpose": "Test", "stage": "one"}, id="case of a value"),
    ],
)
def test_another_context_does_not_decrypt(room: KeyRoom, key_id: str, context: dict[str, str]) -> None:
    with pytest.raises(InvalidCiphertextException) as refused:
        room.run(ciphers.DECRYPT, {"CiphertextBlob": encrypted(room, key_id), "EncryptionContext": context})
    assert refused.value.message == ""


def test_no_changed_byte_decrypts(room: KeyRoom, key_id: str) -> None:
    blob = encrypted(room, key_id)
    told = set()
    for at in range(len(blob)):
        changed = blob[:at] + bytes((blob[at] ^ 1,)) + blob[at + 1 :]
        request = {"CiphertextBlob": changed, "EncryptionContext": CONTEXT}
        with pytest.raises((InvalidCiphertextException, AccessDeniedException)) as refused:
            room.run(ciphers.DECRYPT, request)
        told.add(refused.value.message)
    # A changed key ARN names a key that is not there; every other change is told by an empty message.
    assert told == {"", UNREACHABLE}


@pytest.mark.parametrize("blob", [b"x", b"AQICAHhBLOB" * 20, bytes(6144)])
def test_garbage_does_not_decrypt(room: KeyRoom, blob: bytes) -> None:
    with pytest.raises(InvalidCiphertextException) as refused:
        room.run(ciphers.DECRYPT, {"CiphertextBlob": blob})
    assert refused.value.message == ""


def test_a_blob_is_needed(room: KeyRoom) -> None:
    with pytest.raises(ValidationException) as refused:
        room.run(ciphers.DECRYPT)
    assert refused.value.message == (
        "1 validation error detected: Value null at 'ciphertextBlob' failed to satisfy constraint: "
        "Member must not be null"
    )


def test_decrypt_with_the_right_key_named(room: KeyRoom, key_id: str) -> None:
    room.run(aliases.CREATE_ALIAS, {"AliasName": "alias/app", "TargetKeyId": key_id})
    blob = encrypted(room, "alias/app")
    for name in (key_id, arn_of(key_id), "alias/app", "arn:aws:kms:eu-central-1:111122223333:alias/app"):
        request = {"CiphertextBlob": blob, "EncryptionContext": CONTEXT, "KeyId": name}
        assert room.run(ciphers.DECRYPT, request)["Plaintext"] == b"attack at dawn"


def test_decrypt_with_another_key_named(room: KeyRoom, key_id: str) -> None:
    request = {
        "CiphertextBlob": encrypted(room, key_id),
        "EncryptionContext": CONTEXT,
        "KeyId": new_key(room),
    }
    with pytest.raises(IncorrectKeyException) as refused:
        room.run(ciphers.DECRYPT, request)
    assert refused.value.message == (
        "The key ID in the request does not identify a CMK that can perform this operation."
    )


@pytest.mark.parametrize(
    ("put_out", "error", "message"),
    [
        (keys.DISABLE_KEY, DisabledException, "{arn} is disabled."),
        (keys.SCHEDULE_KEY_DELETION, KMSInvalidStateException, "{arn} is pending deletion."),
    ],
)
def test_a_key_out_of_use_does_nothing(
    room: KeyRoom, key_id: str, put_out: Any, error: type[ServiceError], message: str
) -> None:
    blob, other = encrypted(room, key_id), new_key(room)
    room.run(put_out, {"KeyId": key_id})
    named = {"KeyId": key_id, "EncryptionContext": CONTEXT}
    source = {"CiphertextBlob": blob, "SourceEncryptionContext": CONTEXT, "DestinationKeyId": other}
    for operation, request in (
        (ciphers.ENCRYPT, {**named, "Plaintext": b"x"}),
        (ciphers.DECRYPT, {"CiphertextBlob": blob, "EncryptionContext": CONTEXT}),
        (ciphers.GENERATE_DATA_KEY, {**named, "KeySpec": "AES_256"}),
        (ciphers.GENERATE_DATA_KEY_WITHOUT_PLAINTEXT, {**named, "KeySpec": "AES_256"}),
        (ciphers.RE_ENCRYPT, source),
        (
            ciphers.RE_ENCRYPT,
            {"CiphertextBlob": encrypted(room, other, {}), "DestinationKeyId": key_id},
        ),
    ):
        with pytest.raises(error) as refused:
            room.run(operation, request)
        assert refused.value.message == message.format(arn=arn_of(key_id))


def test_a_key_made_enabled_again_decrypts(room: KeyRoom, key_id: str) -> None:
    blob = encrypted(room, key_id)
    request = {"CiphertextBlob": blob, "EncryptionContext": CONTEXT}
    room.run(keys.SCHEDULE_KEY_DELETION, {"KeyId": key_id})
    room.run(keys.CANCEL_KEY_DELETION, {"KeyId": key_id})
    with pytest.raises(DisabledException):
        room.run(ciphers.DECRYPT, request)
    room.run(keys.ENABLE_KEY, {"KeyId": key_id})
    assert room.run(ciphers.DECRYPT, request)["Plaintext"] == b"attack at dawn"


def test_a_blob_of_a_key_that_is_gone_tells_nothing(room: KeyRoom, key_id: str) -> None:
    blob = encrypted(room, key_id)
    room.run(keys.SCHEDULE_KEY_DELETION, {"KeyId": key_id, "PendingWindowInDays": 7})
    with pytest.raises(AccessDeniedException) as refused:
        room.run(
            ciphers.DECRYPT,
            {"CiphertextBlob": blob, "EncryptionContext": CONTEXT},
            now=NOON + 7 * DAY,
        )
    assert refused.value.message == UNREACHABLE


def test_a_blob_does_not_decrypt_in_another_region(room: KeyRoom, key_id: str) -> None:
    request = {"CiphertextBlob": encrypted(room, key_id), "EncryptionContext": CONTEXT}
    with pytest.raises(AccessDeniedException) as refused:
        room.run(ciphers.DECRYPT, request, region=Region("us-east-1"))
    assert refused.value.message == UNREACHABLE


def test_decrypt_needs_permission_and_says_so_within_the_account(room: KeyRoom, key_id: str) -> None:
    bob = room.user("bob", allow("kms:Encrypt"))
    blob = encrypted(room, key_id, principal=bob)
    with pytest.raises(AccessDeniedException) as refused:
        room.run(ciphers.DECRYPT, {"CiphertextBlob": blob, "EncryptionContext": CONTEXT}, principal=bob)
    assert refused.value.message == (
        f"User: {bob.arn} is not authorized to perform: kms:Decrypt on resource: {arn_of(key_id)} because no "
        "identity-based policy allows the kms:Decrypt action"
    )


def test_decrypt_across_accounts_needs_both_sides_and_tells_nothing(room: KeyRoom) -> None:
    shared = policy(
        for_principal("arn:aws:iam::111122223333:root", "kms:*"),
        for_principal("arn:aws:iam::444455556666:root", "kms:Decrypt"),
    )
    open_key, closed_key = new_key(room, Policy=shared), new_key(room)
    carol = room.user("carol", allow("kms:*"), account_id=OTHER_ACCOUNT)
    dan = room.user("dan", account_id=OTHER_ACCOUNT)
    request = {"CiphertextBlob": encrypted(room, open_key), "EncryptionContext": CONTEXT}
    assert room.run(ciphers.DECRYPT, request, principal=carol)["KeyId"] == arn_of(open_key)
    closed = {"CiphertextBlob": encrypted(room, closed_key), "EncryptionContext": CONTEXT}
    for caller, asked in ((dan, request), (carol, closed), (root(OTHER_ACCOUNT), closed)):
        with pytest.raises(AccessDeniedException) as refused:
            room.run(ciphers.DECRYPT, asked, principal=caller)
        assert refused.value.message == UNREACHABLE


def test_a_policy_can_demand_an_encryption_context(room: KeyRoom, key_id: str) -> None:
    bound = {"StringEquals": {"kms:EncryptionContext:stage": "one"}}
    bob = room.user("bob", allow("kms:Encrypt", "kms:Decrypt", Condition=bound))
    blob = encrypted(room, key_id, principal=bob)
    assert room.run(ciphers.DECRYPT, {"CiphertextBlob": blob, "EncryptionContext": CONTEXT}, principal=bob)
    for context in ({}, {**CONTEXT, "stage": "two"}):
        with pytest.raises(AccessDeniedException):
            encrypted(room, key_id, context, principal=bob)


def test_a_key_for_a_service_refuses_a_direct_call(room: KeyRoom) -> None:
    via = {"StringEquals": {"kms:ViaService": "secretsmanager.eu-central-1.amazonaws.com"}}
    service_only = policy(
        for_principal("arn:aws:iam::111122223333:root", "kms:PutKeyPolicy"),
        for_principal("arn:aws:iam::111122223333:root", "kms:*", Condition=via),
    )
    key_id = new_key(room, Policy=service_only)
    with pytest.raises(AccessDeniedException):
        encrypted(room, key_id)


def test_an_identity_deny_beats_the_key_policy(room: KeyRoom) -> None:
    alice = room.user("alice", allow("kms:CreateKey"), deny("kms:Encrypt"))
    key_id = str(
        room.run(keys.CREATE_KEY, {"Policy": policy(for_principal(alice.arn, "kms:*"))}, principal=alice)[
            "KeyMetadata"
        ]["KeyId"]
    )
    with pytest.raises(AccessDeniedException):
        encrypted(room, key_id, principal=alice)


@pytest.mark.parametrize(
    ("request_", "size"),
    [({"KeySpec": "AES_256"}, 32), ({"KeySpec": "AES_128"}, 16), ({"NumberOfBytes": 1024}, 1024)],
)
def test_a_data_key_comes_in_clear_and_under_the_key(
    room: KeyRoom, key_id: str, request_: dict[str, Any], size: int
) -> None:
    asked = {"KeyId": key_id, "EncryptionContext": CONTEXT, **request_}
    made = room.run(ciphers.GENERATE_DATA_KEY, asked)
    assert set(made) == {"CiphertextBlob", "Plaintext", "KeyId", "KeyMaterialId"}
    assert (len(made["Plaintext"]), made["KeyId"]) == (size, arn_of(key_id))
    opened = {"CiphertextBlob": made["CiphertextBlob"], "EncryptionContext": CONTEXT}
    assert room.run(ciphers.DECRYPT, opened)["Plaintext"] == made["Plaintext"]
    assert room.run(ciphers.GENERATE_DATA_KEY, asked)["Plaintext"] != made["Plaintext"]


def test_a_data_key_can_come_under_the_key_only(room: KeyRoom, key_id: str) -> None:
    made = room.run(ciphers.GENERATE_DATA_KEY_WITHOUT_PLAINTEXT, {"KeyId": key_id, "NumberOfBytes": 5})
    assert set(made) == {"CiphertextBlob", "KeyId", "KeyMaterialId"}
    assert len(room.run(ciphers.DECRYPT, {"CiphertextBlob": made["CiphertextBlob"]})["Plaintext"]) == 5


@pytest.mark.parametrize("sizes", [{}, {"KeySpec": "AES_256", "NumberOfBytes": 32}])
@pytest.mark.parametrize(
    "operation", [ciphers.GENERATE_DATA_KEY, ciphers.GENERATE_DATA_KEY_WITHOUT_PLAINTEXT]
)
def test_a_data_key_needs_one_size(room: KeyRoom, key_id: str, operation: Any, sizes: dict[str, Any]) -> None:
    with pytest.raises(ValidationException) as refused:
        room.run(operation, {"KeyId": key_id, **sizes})
    assert refused.value.message == "Please specify either number of bytes or key spec."


def test_re_encrypt_moves_to_another_key_and_context(room: KeyRoom, key_id: str) -> None:
    other = new_key(room)
    moved = room.run(
        ciphers.RE_ENCRYPT,
        {
            "CiphertextBlob": encrypted(room, key_id),
            "SourceEncryptionContext": CONTEXT,
            "DestinationKeyId": other,
            "DestinationEncryptionContext": {"new": "context"},
        },
    )
    blob = moved.pop("CiphertextBlob")
    assert moved == {
        "SourceKeyId": arn_of(key_id),
        "KeyId": arn_of(other),
        "SourceEncryptionAlgorithm": "SYMMETRIC_DEFAULT",
        "DestinationEncryptionAlgorithm": "SYMMETRIC_DEFAULT",
        "SourceKeyMaterialId": room.key(key_id).materials[-1].material_id,
        "DestinationKeyMaterialId": room.key(other).materials[-1].material_id,
    }
    opened = room.run(ciphers.DECRYPT, {"CiphertextBlob": blob, "EncryptionContext": {"new": "context"}})
    assert (opened["KeyId"], opened["Plaintext"]) == (arn_of(other), b"attack at dawn")


@pytest.mark.parametrize("missing", ["kms:ReEncryptFrom", "kms:ReEncryptTo"])
def test_re_encrypt_needs_both_permissions(room: KeyRoom, key_id: str, missing: str) -> None:
    bob = room.user("bob", allow("kms:*"), deny(missing))
    request = {
        "CiphertextBlob": encrypted(room, key_id),
        "SourceEncryptionContext": CONTEXT,
        "DestinationKeyId": key_id,
    }
    with pytest.raises(AccessDeniedException):
        room.run(ciphers.RE_ENCRYPT, request, principal=bob)


def test_re_encrypt_tells_policies_whether_the_key_stays(room: KeyRoom, key_id: str) -> None:
    bob = room.user("bob", allow("kms:*", Condition={"StringEquals": {"kms:ReEncryptOnSameKey": "true"}}))
    request = {"CiphertextBlob": encrypted(room, key_id), "SourceEncryptionContext": CONTEXT}
    assert room.run(ciphers.RE_ENCRYPT, {**request, "DestinationKeyId": key_id}, principal=bob)
    with pytest.raises(AccessDeniedException):
        room.run(ciphers.RE_ENCRYPT, {**request, "DestinationKeyId": new_key(room)}, principal=bob)


def test_generate_random(room: KeyRoom) -> None:
    first = room.run(ciphers.GENERATE_RANDOM, {"NumberOfBytes": 1024})["Plaintext"]
    assert len(first) == 1024
    assert room.run(ciphers.GENERATE_RANDOM, {"NumberOfBytes": 1024})["Plaintext"] != first
    with pytest.raises(ValidationException) as refused:
        room.run(ciphers.GENERATE_RANDOM)
    assert refused.value.message == "NumberOfBytes is required."
    with pytest.raises(AccessDeniedException):
        room.run(ciphers.GENERATE_RANDOM, {"NumberOfBytes": 1}, principal=room.user("bob"))


def test_dry_run_of_a_permitted_call_does_nothing(room: KeyRoom, key_id: str) -> None:
    blob = encrypted(room, key_id)
    for operation, request in (
        (ciphers.ENCRYPT, {"KeyId": key_id, "Plaintext": b"x"}),
        (ciphers.DECRYPT, {"CiphertextBlob": blob, "EncryptionContext": CONTEXT}),
        (ciphers.RE_ENCRYPT, {"CiphertextBlob": blob, "DestinationKeyId": key_id}),
        (ciphers.GENERATE_DATA_KEY, {"KeyId": key_id, "KeySpec": "AES_256"}),
        (ciphers.GENERATE_DATA_KEY_WITHOUT_PLAINTEXT, {"KeyId": key_id, "KeySpec": "AES_256"}),
    ):
        with pytest.raises(DryRunOperationException) as refused:
            room.run(operation, {**request, "DryRun": True})
        assert refused.value.message == "The request would have succeeded, but the DryRun option is set."
        with pytest.raises(AccessDeniedException):
            room.run(operation, {**request, "DryRun": True}, principal=room.user("bob"))


def test_algorithms_of_other_keys_do_not_fit(room: KeyRoom, key_id: str) -> None:
    message = "Algorithm RSAES_OAEP_SHA_256 is incompatible with key spec SYMMETRIC_DEFAULT."
    for operation, request in (
        (ciphers.ENCRYPT, {"KeyId": key_id, "Plaintext": b"x"}),
        (ciphers.DECRYPT, {"CiphertextBlob": encrypted(room, key_id), "EncryptionContext": CONTEXT}),
    ):
        with pytest.raises(InvalidKeyUsageException) as refused:
            room.run(operation, {**request, "EncryptionAlgorithm": "RSAES_OAEP_SHA_256"})
        assert refused.value.message == message


def test_grant_tokens_are_refused_while_there_are_no_grants(room: KeyRoom, key_id: str) -> None:
    with pytest.raises(InvalidGrantTokenException) as refused:
        room.run(ciphers.ENCRYPT, {"KeyId": key_id, "Plaintext": b"x", "GrantTokens": ["t"]})
    assert refused.value.message == "The specified grant token is not valid."


def test_a_context_over_the_limit_is_refused(room: KeyRoom, key_id: str) -> None:
    with pytest.raises(ValidationException) as refused:
        encrypted(room, key_id, {"k": "v" * 8192})
    assert refused.value.message == "The encryption context is larger than 8192 bytes."
    assert encrypted(room, key_id, {"k": "v" * 8000})


@pytest.mark.parametrize(
    ("operation", "request_", "message"),
    [
        (
            ciphers.GENERATE_DATA_KEY,
            {"KeySpec": "AES_256", "Recipient": {}},
            "Attestation documents of Recipient are not supported.",
        ),
        (
            ciphers.DECRYPT,
            {"Recipient": {}},
            "Attestation documents of Recipient are not supported.",
        ),
        (
            ciphers.GENERATE_RANDOM,
            {"NumberOfBytes": 1, "Recipient": {}},
            "Attestation documents of Recipient are not supported.",
        ),
        (
            ciphers.GENERATE_RANDOM,
            {"NumberOfBytes": 1, "CustomKeyStoreId": "cks-1"},
            "Custom key stores are not supported.",
        ),
    ],
)
def test_what_is_not_there_says_so(
    room: KeyRoom, key_id: str, operation: Any, request_: dict[str, Any], message: str
) -> None:
    common = {"KeyId": key_id, "CiphertextBlob": encrypted(room, key_id), "EncryptionContext": CONTEXT}
    with pytest.raises(UnsupportedOperationException) as refused:
        room.run(operation, {**common, **request_})
    assert refused.value.message == message


@pytest.mark.parametrize("operation", [ciphers.DECRYPT, ciphers.RE_ENCRYPT])
def test_a_dry_run_may_ask_about_permissions_without_a_ciphertext(
    room: KeyRoom, key_id: str, operation: Any
) -> None:
    dry: dict[str, Any] = {"DryRun": True, "DryRunModifiers": ["IGNORE_CIPHERTEXT"]}
    request = {**dry, "KeyId": key_id, "SourceKeyId": key_id, "DestinationKeyId": key_id}
    with pytest.raises(DryRunOperationException) as told:
        room.run(operation, request)
    assert told.value.message == DRY_RUN
    with pytest.raises(AccessDeniedException):
        room.run(operation, request, principal=room.user("bob"))
    # Which key is meant has to be said then.
    member = "keyId" if operation is ciphers.DECRYPT else "sourceKeyId"
    with pytest.raises(ValidationException) as refused:
        room.run(operation, {**dry, "DestinationKeyId": key_id})
    assert refused.value.message == (
        f"1 validation error detected: Value null at '{member}' failed to satisfy constraint: "
        "Member must not be null"
    )
    # Without a dry run there is nothing to leave out.
    with pytest.raises(ValidationException, match="Value null at 'ciphertextBlob'"):
        room.run(operation, {**request, "DryRun": False})


def test_absent_keys_do_not_encrypt(room: KeyRoom) -> None:
    with pytest.raises(NotFoundException) as refused:
        encrypted(room, "alias/absent")
    assert refused.value.message == ("Alias arn:aws:kms:eu-central-1:111122223333:alias/absent is not found.")


def test_damaged_key_material_is_not_blamed_on_the_client(room: KeyRoom, key_id: str) -> None:
    blob, key = encrypted(room, key_id), room.key(key_id)
    (material,) = key.materials
    broken = msgspec.structs.replace(material, sealed=material.sealed[:-1] + b"?")
    room.unit.save(KMS_KEYS, msgspec.structs.replace(key, materials=(broken,)))
    with pytest.raises(KeyMaterialDamage):
        room.run(ciphers.DECRYPT, {"CiphertextBlob": blob, "EncryptionContext": CONTEXT})
    with pytest.raises(KeyMaterialDamage):
        encrypted(room, key_id)


def test_key_material_is_unwrapped_once(room: KeyRoom, key_id: str) -> None:
    blob = encrypted(room, key_id)
    assert len(room.memory) == 1
    room.run(ciphers.DECRYPT, {"CiphertextBlob": blob, "EncryptionContext": CONTEXT})
    assert len(room.memory) == 1


def test_no_refusal_repeats_the_plaintext(room: KeyRoom, key_id: str) -> None:
    room.run(keys.DISABLE_KEY, {"KeyId": key_id})
    for shown in (b"attack at dawn".decode(), base64.b64encode(b"attack at dawn").decode()):
        with pytest.raises(DisabledException) as refused:
            encrypted(room, key_id)
        assert shown not in refused.value.message

"""CreateKey, DescribeKey, ListKeys and the life of a key."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest

from strongroom.errors import (
    AccessDeniedException,
    InvalidMarkerException,
    KMSInvalidStateException,
    MalformedPolicyDocumentException,
    NotFoundException,
    ServiceError,
    TagException,
    UnsupportedOperationException,
    ValidationException,
)
from strongroom.names import Region
from strongroom.operations.kms import keys
from strongroom.ports import KMS_KEYS, account_region
from support.key_room import (
    ACCOUNT,
    DAY,
    NOON,
    OTHER_ACCOUNT,
    REGION,
    KeyRoom,
    allow,
    for_principal,
    policy,
    root,
)

ABSENT = "99999999-12ab-34cd-56ef-1234567890ab"


@pytest.fixture
def room() -> KeyRoom:
    return KeyRoom()


@pytest.fixture
def key_id(room: KeyRoom) -> str:
    return str(room.run(keys.CREATE_KEY)["KeyMetadata"]["KeyId"])


def arn_of(key_id: str) -> str:
    return f"arn:aws:kms:eu-central-1:111122223333:key/{key_id}"


def stored(room: KeyRoom) -> int:
    return len(room.unit.scan(KMS_KEYS, account_region(ACCOUNT, REGION)))


def test_create_key_answers_as_aws_does(room: KeyRoom) -> None:
    metadata = room.run(keys.CREATE_KEY)["KeyMetadata"]
    key_id, material = metadata.pop("KeyId"), metadata.pop("CurrentKeyMaterialId")
    assert uuid.UUID(key_id).version == 4
    assert len(bytes.fromhex(material)) == 32
    assert metadata == {
        "AWSAccountId": ACCOUNT,
        "Arn": arn_of(key_id),
        "CreationDate": NOON,
        "CustomerMasterKeySpec": "SYMMETRIC_DEFAULT",
        "Description": "",
        "Enabled": True,
        "EncryptionAlgorithms": ["SYMMETRIC_DEFAULT"],
        "KeyManager": "CUSTOMER",
        "KeySpec": "SYMMETRIC_DEFAULT",
        "KeyState": "Enabled",
        "KeyUsage": "ENCRYPT_DECRYPT",
        "MultiRegion": False,
        "Origin": "AWS_KMS",
    }


def test_a_new_key_has_the_default_policy_and_sealed_material(room: KeyRoom, key_id: str) -> None:
    key = room.key(key_id)
    assert json.loads(key.policy)["Id"] == "key-default-1"
    (material,) = key.materials
    binding = {"KeyArn": key.arn, "KeyMaterialId": material.material_id}
    opened = room.root_key.unwrap("kms-material", material.sealed, binding)
    assert len(opened) == 32
    assert opened not in material.sealed


def test_create_key_keeps_description_policy_and_tags(room: KeyRoom) -> None:
    own = policy(for_principal("arn:aws:iam::111122223333:root", "kms:*"))
    request = {"Description": "mine", "Policy": own, "Tags": [{"TagKey": "team", "TagValue": "a"}]}
    made = room.run(keys.CREATE_KEY, request)["KeyMetadata"]
    key = room.key(made["KeyId"])
    assert (made["Description"], key.policy, key.tags) == ("mine", own, {"team": "a"})


@pytest.mark.parametrize(
    ("request_", "error", "message"),
    [
        pytest.param(
            {"KeySpec": "RSA_2048"},
            ValidationException,
            "You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys.",
            id="RSA without usage",
        ),
        pytest.param(
            {"CustomerMasterKeySpec": "SM2", "KeyUsage": "SIGN_VERIFY"},
            UnsupportedOperationException,
            "KeySpec SM2 is not supported.",
            id="SM2",
        ),
        pytest.param(
            {"KeySpec": "ML_KEM_512", "KeyUsage": "ENCAPSULATE_DECAPSULATE"},
            UnsupportedOperationException,
            "KeySpec ML_KEM_512 is not supported.",
            id="ML-KEM",
        ),
        pytest.param(
            {"KeySpec": "HMAC_256", "CustomerMasterKeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"},
            ValidationException,
            "You cannot specify KeySpec and CustomerMasterKeySpec in the same request. CustomerMasterKeySpec "
            "is deprecated.",
            id="both names of the spec",
        ),
        pytest.param(
            {"KeySpec": "HMAC_256"},
            ValidationException,
            "You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys.",
            id="HMAC without usage",
        ),
        pytest.param(
            {"KeySpec": "HMAC_256", "KeyUsage": "ENCRYPT_DECRYPT"},
            ValidationException,
            "KeyUsage ENCRYPT_DECRYPT is not compatible with KeySpec HMAC_256",
            id="HMAC to encrypt",
        ),
        pytest.param(
            {"KeySpec": "RSA_2048", "KeyUsage": "KEY_AGREEMENT"},
            ValidationException,
            "KeyUsage KEY_AGREEMENT is not compatible with KeySpec RSA_2048",
            id="RSA to agree",
        ),
        pytest.param(
            {"KeySpec": "ECC_NIST_P256", "KeyUsage": "ENCRYPT_DECRYPT"},
            ValidationException,
            "KeyUsage ENCRYPT_DECRYPT is not compatible with KeySpec ECC_NIST_P256",
            id="curve to encrypt",
        ),
        pytest.param(
            {"KeySpec": "ECC_SECG_P256K1", "KeyUsage": "KEY_AGREEMENT"},
            ValidationException,
            "KeyUsage KEY_AGREEMENT is not compatible with KeySpec ECC_SECG_P256K1",
            id="SECG curve to agree",
        ),
        pytest.param(
            {"KeySpec": "ML_DSA_44", "KeyUsage": "GENERATE_VERIFY_MAC"},
            ValidationException,
            "KeyUsage GENERATE_VERIFY_MAC is not compatible with KeySpec ML_DSA_44",
            id="ML-DSA for codes",
        ),
        pytest.param(
            {"KeyUsage": "GENERATE_VERIFY_MAC"},
            ValidationException,
            "KeyUsage GENERATE_VERIFY_MAC is not compatible with KeySpec SYMMETRIC_DEFAULT",
            id="usage of another spec",
        ),
        pytest.param(
            {"Origin": "AWS_CLOUDHSM"},
            UnsupportedOperationException,
            "Key origin AWS_CLOUDHSM is not supported; supported origins are AWS_KMS and EXTERNAL.",
            id="origin",
        ),
        pytest.param(
            {"Origin": "EXTERNAL", "MultiRegion": True},
            UnsupportedOperationException,
            "Imported key material is supported for single-Region symmetric encryption keys only.",
            id="multi-Region imported",
        ),
        pytest.param(
            {"Origin": "EXTERNAL", "KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"},
            UnsupportedOperationException,
            "Imported key material is supported for single-Region symmetric encryption keys only.",
            id="imported HMAC",
        ),
        pytest.param(
            {"CustomKeyStoreId": "cks-1"},
            UnsupportedOperationException,
            "Custom key stores are not supported.",
            id="key store",
        ),
        pytest.param(
            {"XksKeyId": "1"},
            UnsupportedOperationException,
            "Custom key stores are not supported.",
            id="external key store",
        ),
        pytest.param(
            {"Tags": [{"TagKey": "a", "TagValue": "1"}, {"TagKey": "a", "TagValue": "2"}]},
            TagException,
            "Duplicate tag keys",
            id="duplicate tags",
        ),
        pytest.param(
            {"Policy": policy(for_principal("arn:aws:iam::444455556666:root", "kms:*"))},
            MalformedPolicyDocumentException,
            "The new key policy will not allow you to update the key policy in the future.",
            id="policy that locks out",
        ),
    ],
)
def test_create_key_refuses(
    room: KeyRoom, request_: dict[str, Any], error: type[ServiceError], message: str
) -> None:
    with pytest.raises(error) as refused:
        room.run(keys.CREATE_KEY, request_)
    assert refused.value.message == message
    assert stored(room) == 0


def test_create_key_takes_a_policy_that_locks_out_when_told_to(room: KeyRoom) -> None:
    locked = policy(for_principal("arn:aws:iam::444455556666:root", "kms:*"))
    made = room.run(keys.CREATE_KEY, {"Policy": locked, "BypassPolicyLockoutSafetyCheck": True})
    assert room.key(made["KeyMetadata"]["KeyId"]).policy == locked


def test_create_key_needs_an_identity_allow(room: KeyRoom) -> None:
    with pytest.raises(AccessDeniedException, match="not authorized to perform: kms:CreateKey"):
        room.run(keys.CREATE_KEY, principal=room.user("bob"))
    assert stored(room) == 0
    room.run(keys.CREATE_KEY, principal=room.user("eve", allow("kms:CreateKey")))
    assert stored(room) == 1


def test_create_key_can_be_bound_to_request_tags(room: KeyRoom) -> None:
    tagged = allow("kms:CreateKey", Condition={"StringEquals": {"aws:RequestTag/team": "a"}})
    bob = room.user("bob", tagged)
    with pytest.raises(AccessDeniedException):
        room.run(keys.CREATE_KEY, {"Tags": [{"TagKey": "team", "TagValue": "b"}]}, principal=bob)
    assert stored(room) == 0
    room.run(keys.CREATE_KEY, {"Tags": [{"TagKey": "team", "TagValue": "a"}]}, principal=bob)
    assert stored(room) == 1


@pytest.mark.parametrize("form", ["{id}", "arn:aws:kms:eu-central-1:111122223333:key/{id}"])
def test_describe_key_finds_id_and_arn(room: KeyRoom, key_id: str, form: str) -> None:
    assert room.run(keys.DESCRIBE_KEY, {"KeyId": form.format(id=key_id)})["KeyMetadata"]["KeyId"] == key_id


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("fake-key-id", "Invalid keyId 'fake-key-id'"),
        (ABSENT, f"Key 'arn:aws:kms:eu-central-1:111122223333:key/{ABSENT}' does not exist"),
        ("alias/absent", "Alias arn:aws:kms:eu-central-1:111122223333:alias/absent is not found."),
        (f"arn:aws:kms:us-east-1:111122223333:key/{ABSENT}", "Invalid arn us-east-1"),
    ],
)
def test_describe_key_of_nothing(room: KeyRoom, name: str, message: str) -> None:
    with pytest.raises(NotFoundException) as refused:
        room.run(keys.DESCRIBE_KEY, {"KeyId": name})
    assert refused.value.message == message


def test_a_key_that_is_not_there_tells_a_caller_without_permission_nothing(
    room: KeyRoom, key_id: str
) -> None:
    bob = room.user("bob")
    for name in (ABSENT, key_id):
        with pytest.raises(AccessDeniedException) as refused:
            room.run(keys.DESCRIBE_KEY, {"KeyId": name}, principal=bob)
        assert refused.value.message == (
            f"User: {bob.arn} is not authorized to perform: kms:DescribeKey on resource: {arn_of(name)} "
            "because no identity-based policy allows the kms:DescribeKey action"
        )


def test_a_key_policy_without_the_account_keeps_its_administrators_out(room: KeyRoom) -> None:
    alice = room.user("alice", allow("kms:CreateKey"))
    only_alice = policy(for_principal(alice.arn, "kms:*"))
    key_id = room.run(keys.CREATE_KEY, {"Policy": only_alice}, principal=alice)["KeyMetadata"]["KeyId"]
    assert room.run(keys.DESCRIBE_KEY, {"KeyId": key_id}, principal=alice)
    for caller in (root(), room.user("admin", allow("*"))):
        with pytest.raises(AccessDeniedException):
            room.run(keys.DESCRIBE_KEY, {"KeyId": key_id}, principal=caller)


def test_another_account_may_describe_by_arn_when_both_sides_allow(room: KeyRoom) -> None:
    shared = policy(
        for_principal("arn:aws:iam::111122223333:root", "kms:*"),
        for_principal("arn:aws:iam::444455556666:root", "kms:DescribeKey", "kms:DisableKey"),
    )
    key_id = room.run(keys.CREATE_KEY, {"Policy": shared})["KeyMetadata"]["KeyId"]
    carol = room.user("carol", allow("kms:*"), account_id=OTHER_ACCOUNT)
    named = {"KeyId": arn_of(key_id)}
    assert room.run(keys.DESCRIBE_KEY, named, principal=carol)["KeyMetadata"]["AWSAccountId"] == ACCOUNT
    with pytest.raises(AccessDeniedException):
        room.run(keys.DESCRIBE_KEY, named, principal=room.user("dan", account_id=OTHER_ACCOUNT))


def test_management_is_for_the_owner_account_only(room: KeyRoom) -> None:
    shared = policy(
        for_principal("arn:aws:iam::111122223333:root", "kms:*"),
        for_principal("arn:aws:iam::444455556666:root", "kms:*"),
    )
    key_id = room.run(keys.CREATE_KEY, {"Policy": shared})["KeyMetadata"]["KeyId"]
    carol = room.user("carol", allow("kms:*"), account_id=OTHER_ACCOUNT)
    for operation in (keys.DISABLE_KEY, keys.SCHEDULE_KEY_DELETION, keys.UPDATE_KEY_DESCRIPTION):
        with pytest.raises(AccessDeniedException, match="because the resource does not exist in this Region"):
            room.run(operation, {"KeyId": arn_of(key_id), "Description": "x"}, principal=carol)
    assert room.key(key_id).state == "Enabled"


def test_management_takes_no_alias(room: KeyRoom, key_id: str) -> None:
    with pytest.raises(NotFoundException) as refused:
        room.run(keys.DISABLE_KEY, {"KeyId": "alias/x"})
    assert refused.value.message == "Invalid keyId 'alias/x'"


def test_disable_and_enable(room: KeyRoom, key_id: str) -> None:
    assert room.run(keys.DISABLE_KEY, {"KeyId": key_id}) is None
    metadata = room.run(keys.DESCRIBE_KEY, {"KeyId": key_id})["KeyMetadata"]
    assert (metadata["Enabled"], metadata["KeyState"]) == (False, "Disabled")
    assert room.run(keys.DISABLE_KEY, {"KeyId": key_id}) is None
    assert room.run(keys.ENABLE_KEY, {"KeyId": key_id}) is None
    assert room.key(key_id).state == "Enabled"


def test_description_can_be_changed(room: KeyRoom, key_id: str) -> None:
    assert room.run(keys.UPDATE_KEY_DESCRIPTION, {"KeyId": key_id, "Description": "new"}) is None
    assert room.key(key_id).description == "new"


@pytest.mark.parametrize(("asked", "days"), [(None, 30), (7, 7), (30, 30)])
def test_deletion_is_scheduled(room: KeyRoom, key_id: str, asked: int | None, days: int) -> None:
    request = {"KeyId": key_id} if asked is None else {"KeyId": key_id, "PendingWindowInDays": asked}
    assert room.run(keys.SCHEDULE_KEY_DELETION, request) == {
        "KeyId": arn_of(key_id),
        "DeletionDate": NOON + days * DAY,
        "KeyState": "PendingDeletion",
        "PendingWindowInDays": days,
    }
    metadata = room.run(keys.DESCRIBE_KEY, {"KeyId": key_id})["KeyMetadata"]
    assert (metadata["Enabled"], metadata["KeyState"]) == (False, "PendingDeletion")
    assert metadata["DeletionDate"] == NOON + days * DAY


@pytest.mark.parametrize(
    ("days", "bound"), [(6, "greater than or equal to 7"), (31, "less than or equal to 30")]
)
def test_the_window_is_7_to_30_days(room: KeyRoom, key_id: str, days: int, bound: str) -> None:
    with pytest.raises(ValidationException) as refused:
        room.run(keys.SCHEDULE_KEY_DELETION, {"KeyId": key_id, "PendingWindowInDays": days})
    assert refused.value.message == (
        f"1 validation error detected: Value '{days}' at 'pendingWindowInDays' failed to satisfy constraint: "
        f"Member must have value {bound}"
    )
    assert room.key(key_id).state == "Enabled"


def test_a_key_pending_deletion_can_only_be_cancelled(room: KeyRoom, key_id: str) -> None:
    room.run(keys.SCHEDULE_KEY_DELETION, {"KeyId": key_id})
    before = room.key(key_id)
    for operation in (
        keys.ENABLE_KEY,
        keys.DISABLE_KEY,
        keys.SCHEDULE_KEY_DELETION,
        keys.UPDATE_KEY_DESCRIPTION,
    ):
        with pytest.raises(KMSInvalidStateException) as refused:
            room.run(operation, {"KeyId": key_id, "Description": "x"})
        assert refused.value.message == f"{arn_of(key_id)} is pending deletion."
    assert room.key(key_id) == before
    assert room.run(keys.CANCEL_KEY_DELETION, {"KeyId": key_id}) == {"KeyId": arn_of(key_id)}
    assert (room.key(key_id).state, room.key(key_id).deletion_at) == ("Disabled", None)


def test_only_a_scheduled_deletion_can_be_cancelled(room: KeyRoom, key_id: str) -> None:
    with pytest.raises(KMSInvalidStateException) as refused:
        room.run(keys.CANCEL_KEY_DELETION, {"KeyId": key_id})
    assert refused.value.message == f"{arn_of(key_id)} is not pending deletion."
    assert room.key(key_id).state == "Enabled"


def test_from_its_deletion_date_on_a_key_does_not_exist(room: KeyRoom, key_id: str) -> None:
    room.run(keys.SCHEDULE_KEY_DELETION, {"KeyId": key_id, "PendingWindowInDays": 7})
    late = NOON + 7 * DAY
    for operation in (keys.DESCRIBE_KEY, keys.CANCEL_KEY_DELETION):
        with pytest.raises(NotFoundException) as refused:
            room.run(operation, {"KeyId": key_id}, now=late)
        assert refused.value.message == f"Key '{arn_of(key_id)}' does not exist"
    assert room.run(keys.LIST_KEYS, now=late) == {"Keys": [], "Truncated": False}


def test_list_keys_pages_through_all_keys_of_account_and_region(room: KeyRoom) -> None:
    made = sorted(room.run(keys.CREATE_KEY)["KeyMetadata"]["KeyId"] for _ in range(7))
    gone = made.pop(3)
    room.run(keys.SCHEDULE_KEY_DELETION, {"KeyId": gone, "PendingWindowInDays": 7})
    room.run(keys.CREATE_KEY, region=Region("us-east-1"))
    room.run(keys.CREATE_KEY, principal=root(OTHER_ACCOUNT))
    late = NOON + 7 * DAY
    found: list[str] = []
    request: dict[str, Any] = {"Limit": 2}
    while True:
        page = room.run(keys.LIST_KEYS, request, now=late)
        found += [entry["KeyId"] for entry in page["Keys"]]
        assert len(page["Keys"]) == 2
        assert all(entry["KeyArn"] == arn_of(entry["KeyId"]) for entry in page["Keys"])
        if not page["Truncated"]:
            assert "NextMarker" not in page
            break
        request["Marker"] = page["NextMarker"]
    assert found == made


def test_list_keys_of_other_owners_is_empty(room: KeyRoom, key_id: str) -> None:
    listed = {
        owners: room.run(keys.LIST_KEYS, {"ResourceOwners": list(owners)})["Keys"]
        for owners in (("SELF",), ("OTHER_ACCOUNTS_VIA_RAM",), ("SELF", "OTHER_ACCOUNTS_VIA_RAM"))
    }
    assert [len(entries) for entries in listed.values()] == [1, 0, 1]


@pytest.mark.parametrize("marker", ["x", "!!!!", "ÿ", "eA==", "Mg==", "//4="])
def test_a_marker_not_given_out_is_refused(room: KeyRoom, marker: str) -> None:
    with pytest.raises(InvalidMarkerException) as refused:
        room.run(keys.LIST_KEYS, {"Marker": marker})
    assert refused.value.message == "The specified marker is not valid."

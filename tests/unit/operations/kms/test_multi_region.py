"""Multi-Region keys: one id and material in several regions. Source: fact sheet kms sections 3 and 4."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from strongroom.errors import (
    AccessDeniedException,
    AlreadyExistsException,
    DisabledException,
    KMSInvalidStateException,
    NotFoundException,
    ServiceError,
    UnsupportedOperationException,
    ValidationException,
)
from strongroom.names import Region
from strongroom.operations.call import Operation
from strongroom.operations.kms import ciphers, keys, multi_region, policies, rotation
from strongroom.operations.kms.duties import do_key_duties
from support.key_room import ACCOUNT, DAY, NOON, REGION, KeyRoom, allow, for_principal, policy, root

THERE = Region("us-east-1")
ELSEWHERE = Region("eu-west-1")


@pytest.fixture
def room() -> KeyRoom:
    return KeyRoom()


@pytest.fixture
def key_id(room: KeyRoom) -> str:
    return str(room.run(keys.CREATE_KEY, {"MultiRegion": True})["KeyMetadata"]["KeyId"])


def arn_of(key_id: str, region: Region) -> str:
    return f"arn:aws:kms:{region}:{ACCOUNT}:key/{key_id}"


def replicate(room: KeyRoom, key_id: str, region: Region = THERE, **members: Any) -> dict[str, Any]:
    request = {"KeyId": key_id, "ReplicaRegion": region, **members}
    answer: dict[str, Any] = room.run(multi_region.REPLICATE_KEY, request)
    return answer


def encrypt(room: KeyRoom, key_id: str, region: Region = REGION) -> bytes:
    request = {"KeyId": key_id, "Plaintext": b"value"}
    return bytes(room.run(ciphers.ENCRYPT, request, region=region)["CiphertextBlob"])


def decrypt(room: KeyRoom, blob: bytes, region: Region = REGION, **members: Any) -> tuple[bytes, str]:
    answer = room.run(ciphers.DECRYPT, {"CiphertextBlob": blob, **members}, region=region)
    return answer["Plaintext"], answer["KeyId"]


def configuration(room: KeyRoom, key_id: str, region: Region = REGION) -> dict[str, Any]:
    answer = room.run(keys.DESCRIBE_KEY, {"KeyId": key_id}, region=region)["KeyMetadata"]
    assert answer["MultiRegion"] is True
    return dict(answer["MultiRegionConfiguration"])


def refusal(
    room: KeyRoom, operation: Operation, request: Mapping[str, Any], region: Region = REGION
) -> tuple[type[ServiceError], str]:
    before = room.unit.state()
    with pytest.raises(ServiceError) as caught:
        room.run(operation, request, region=region)
    assert room.unit.state() == before
    return type(caught.value), caught.value.message


def test_a_primary_key_and_its_replicas_know_each_other(room: KeyRoom, key_id: str) -> None:
    assert key_id.startswith("mrk-")
    assert len(bytes.fromhex(key_id.removeprefix("mrk-"))) == 16
    assert configuration(room, key_id)["ReplicaKeys"] == []
    made = replicate(room, key_id, Description="there", Tags=[{"TagKey": "team", "TagValue": "a"}])
    assert made["ReplicaKeyMetadata"]["Arn"] == arn_of(key_id, THERE)
    assert made["ReplicaKeyMetadata"]["KeyState"] == "Enabled"
    assert made["ReplicaKeyMetadata"]["Description"] == "there"
    assert made["ReplicaTags"] == [{"TagKey": "team", "TagValue": "a"}]
    replicate(room, key_id, ELSEWHERE)
    for region, kind in ((REGION, "PRIMARY"), (THERE, "REPLICA"), (ELSEWHERE, "REPLICA")):
        assert configuration(room, key_id, region) == {
            "MultiRegionKeyType": kind,
            "PrimaryKey": {"Arn": arn_of(key_id, REGION), "Region": REGION},
            "ReplicaKeys": [
                {"Arn": arn_of(key_id, ELSEWHERE), "Region": ELSEWHERE},
                {"Arn": arn_of(key_id, THERE), "Region": THERE},
            ],
        }


def test_what_one_seals_the_others_open(room: KeyRoom, key_id: str) -> None:
    replicate(room, key_id)
    blob = encrypt(room, key_id)
    assert decrypt(room, blob, THERE) == (b"value", arn_of(key_id, THERE))
    assert decrypt(room, blob, THERE, KeyId=key_id) == (b"value", arn_of(key_id, THERE))
    assert decrypt(room, encrypt(room, key_id, THERE)) == (b"value", arn_of(key_id, REGION))
    with pytest.raises(AccessDeniedException):
        decrypt(room, blob, ELSEWHERE)
    other = room.run(keys.CREATE_KEY)["KeyMetadata"]["KeyId"]
    with pytest.raises(AccessDeniedException):
        decrypt(room, encrypt(room, other), THERE)


def test_each_has_its_own_policy_and_state(room: KeyRoom, key_id: str) -> None:
    ann = room.user("ann", allow("kms:*"))
    closed = policy(for_principal(root().arn, "kms:PutKeyPolicy", "kms:GetKeyPolicy"))
    made = replicate(room, key_id, Policy=closed)
    assert made["ReplicaPolicy"] == closed
    request = {"KeyId": key_id, "Plaintext": b"x"}
    assert room.run(ciphers.ENCRYPT, request, principal=ann)
    with pytest.raises(AccessDeniedException):
        room.run(ciphers.ENCRYPT, request, principal=ann, region=THERE)
    assert room.run(policies.GET_KEY_POLICY, {"KeyId": key_id})["Policy"] != closed
    room.run(keys.DISABLE_KEY, {"KeyId": key_id})
    assert room.key(key_id, region=THERE).state == "Enabled"


def test_new_material_comes_to_all_of_them(room: KeyRoom, key_id: str) -> None:
    replicate(room, key_id)
    old = encrypt(room, key_id, THERE)
    room.run(rotation.ROTATE_KEY_ON_DEMAND, {"KeyId": key_id})
    new = encrypt(room, key_id, THERE)
    for blob in (old, new):
        assert decrypt(room, blob)[0] == decrypt(room, blob, THERE)[0] == b"value"
    room.run(rotation.ENABLE_KEY_ROTATION, {"KeyId": key_id, "RotationPeriodInDays": 90})
    status = room.run(rotation.GET_KEY_ROTATION_STATUS, {"KeyId": key_id}, region=THERE)
    assert status["NextRotationDate"] == NOON + 90 * DAY
    assert do_key_duties(room.store, NOON + 90 * DAY, room.entropy, room.root_key) == 1
    ids = [[each.material_id for each in room.key(key_id, region=r).materials] for r in (REGION, THERE)]
    assert ids[0] == ids[1]
    assert len(ids[0]) == 3
    for operation in (rotation.ENABLE_KEY_ROTATION, rotation.ROTATE_KEY_ON_DEMAND):
        assert refusal(room, operation, {"KeyId": key_id}, THERE) == (
            UnsupportedOperationException,
            f"{arn_of(key_id, THERE)} is not a multi-region primary key.",
        )


def test_a_primary_key_goes_after_its_last_replica(room: KeyRoom, key_id: str) -> None:
    replicate(room, key_id)
    request = {"KeyId": key_id, "PendingWindowInDays": 7}
    assert room.run(keys.SCHEDULE_KEY_DELETION, request) == {
        "KeyId": arn_of(key_id, REGION),
        "KeyState": "PendingReplicaDeletion",
        "PendingWindowInDays": 7,
    }
    assert refusal(room, ciphers.ENCRYPT, {"KeyId": key_id, "Plaintext": b"x"})[0] is KMSInvalidStateException
    room.run(keys.SCHEDULE_KEY_DELETION, request, region=THERE)
    end = NOON + 7 * DAY
    assert do_key_duties(room.store, end, room.entropy, room.root_key) == 1
    key = room.key(key_id)
    assert (key.state, key.deletion_at, key.replica_regions) == ("PendingDeletion", end + 7 * DAY, ())
    room.run(keys.CANCEL_KEY_DELETION, {"KeyId": key_id}, now=end)
    assert room.key(key_id).state == "Disabled"


def test_a_replica_takes_the_primary_keys_place(room: KeyRoom, key_id: str) -> None:
    replicate(room, key_id)
    room.run(rotation.ENABLE_KEY_ROTATION, {"KeyId": key_id})
    request = {"KeyId": key_id, "PrimaryRegion": THERE}
    assert room.run(multi_region.UPDATE_PRIMARY_REGION, request) is None
    assert configuration(room, key_id)["MultiRegionKeyType"] == "REPLICA"
    assert configuration(room, key_id, THERE) == {
        "MultiRegionKeyType": "PRIMARY",
        "PrimaryKey": {"Arn": arn_of(key_id, THERE), "Region": THERE},
        "ReplicaKeys": [{"Arn": arn_of(key_id, REGION), "Region": REGION}],
    }
    assert room.key(key_id).rotation_days is None
    assert room.key(key_id, region=THERE).rotation_days == 365
    refused = (UnsupportedOperationException, f"{arn_of(key_id, REGION)} is not a multi-region primary key.")
    assert refusal(room, multi_region.UPDATE_PRIMARY_REGION, request) == refused


def test_what_cannot_be_replicated(room: KeyRoom, key_id: str) -> None:
    single = room.run(keys.CREATE_KEY)["KeyMetadata"]
    assert refusal(room, multi_region.REPLICATE_KEY, {"KeyId": single["KeyId"], "ReplicaRegion": THERE}) == (
        UnsupportedOperationException,
        f"{single['Arn']} is not a multi-region primary key.",
    )
    for region in (REGION, "nowhere", "cn-north-1"):
        for operation, member in (
            (multi_region.REPLICATE_KEY, "ReplicaRegion"),
            (multi_region.UPDATE_PRIMARY_REGION, "PrimaryRegion"),
        ):
            assert refusal(room, operation, {"KeyId": key_id, member: region}) == (
                ValidationException,
                f"{region} is not a valid region for this operation.",
            )
    assert refusal(room, multi_region.UPDATE_PRIMARY_REGION, {"KeyId": key_id, "PrimaryRegion": THERE}) == (
        NotFoundException,
        f"Key '{arn_of(key_id, THERE)}' does not exist",
    )
    replicate(room, key_id)
    request = {"KeyId": key_id, "ReplicaRegion": THERE}
    assert refusal(room, multi_region.REPLICATE_KEY, request) == (
        AlreadyExistsException,
        f"A related multi-region key already exists in {THERE}.",
    )
    room.run(keys.DISABLE_KEY, {"KeyId": key_id})
    assert refusal(room, multi_region.REPLICATE_KEY, {**request, "ReplicaRegion": ELSEWHERE}) == (
        DisabledException,
        f"{arn_of(key_id, REGION)} is disabled.",
    )


@pytest.mark.parametrize(
    ("statements", "may"),
    [
        pytest.param((allow("kms:ReplicateKey"),), False, id="no key may be made there"),
        pytest.param((allow("kms:ReplicateKey", "kms:CreateKey"),), True, id="both"),
        pytest.param(
            (
                allow("kms:CreateKey"),
                allow("kms:ReplicateKey", Condition={"StringEquals": {"kms:ReplicaRegion": ELSEWHERE}}),
            ),
            False,
            id="another region",
        ),
    ],
)
def test_replicating_needs_both_permissions(
    room: KeyRoom, key_id: str, statements: tuple[dict[str, Any], ...], may: bool
) -> None:
    ann = room.user("ann", *statements)
    request = {"KeyId": key_id, "ReplicaRegion": THERE}
    if may:
        assert room.run(multi_region.REPLICATE_KEY, request, principal=ann)
    else:
        with pytest.raises(AccessDeniedException):
            room.run(multi_region.REPLICATE_KEY, request, principal=ann)

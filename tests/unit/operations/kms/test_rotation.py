"""Rotation of key material on demand and its settings. Source: fact sheet kms sections 3 and 4."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import pytest
from msgspec.structs import replace

from strongroom.errors import (
    AccessDeniedException,
    DisabledException,
    InvalidMarkerException,
    KMSInvalidStateException,
    LimitExceededException,
    ServiceError,
    UnsupportedOperationException,
)
from strongroom.operations.call import Operation
from strongroom.operations.kms import ciphers, keys, rotation
from strongroom.ports import KEY_DUTIES, KMS_KEYS
from support.key_room import DAY, NOON, OTHER_ACCOUNT, KeyRoom, allow, for_principal, policy, root

SETTINGS = (rotation.ENABLE_KEY_ROTATION, rotation.DISABLE_KEY_ROTATION)


@pytest.fixture
def room() -> KeyRoom:
    return KeyRoom()


@pytest.fixture
def key_id(room: KeyRoom) -> str:
    return str(room.run(keys.CREATE_KEY)["KeyMetadata"]["KeyId"])


def enable(room: KeyRoom, key_id: str, days: int | None = None, now: dt.datetime = NOON) -> None:
    request: dict[str, Any] = {"KeyId": key_id}
    if days is not None:
        request["RotationPeriodInDays"] = days
    assert room.run(rotation.ENABLE_KEY_ROTATION, request, now=now) is None


def status(room: KeyRoom, key_id: str) -> dict[str, Any]:
    return dict(room.run(rotation.GET_KEY_ROTATION_STATUS, {"KeyId": key_id}))


def rotate(room: KeyRoom, key_id: str, now: dt.datetime = NOON) -> str:
    assert room.run(rotation.ROTATE_KEY_ON_DEMAND, {"KeyId": key_id}, now=now) == {"KeyId": key_id}
    return str(room.run(keys.DESCRIBE_KEY, {"KeyId": key_id})["KeyMetadata"]["CurrentKeyMaterialId"])


def due(room: KeyRoom) -> list[dt.datetime]:
    return [duty.due_at for duty in room.unit.scan(KEY_DUTIES, "")]


def refusal(
    room: KeyRoom, operation: Operation, request: Mapping[str, Any]
) -> tuple[type[ServiceError], str]:
    before = room.unit.state()
    with pytest.raises(ServiceError) as caught:
        room.run(operation, request)
    assert room.unit.state() == before
    return type(caught.value), caught.value.message


def test_a_key_is_not_rotated_by_itself_unless_asked(room: KeyRoom, key_id: str) -> None:
    assert status(room, key_id) == {"KeyRotationEnabled": False, "KeyId": key_id}
    assert due(room) == []


def test_the_period_begins_with_the_call_that_sets_it(room: KeyRoom, key_id: str) -> None:
    enable(room, key_id)
    year = NOON + 365 * DAY
    assert status(room, key_id) == {
        "KeyRotationEnabled": True,
        "KeyId": key_id,
        "RotationPeriodInDays": 365,
        "NextRotationDate": year,
    }
    # The same again changes nothing; another period begins anew.
    enable(room, key_id, now=NOON + DAY)
    assert due(room) == [year]
    enable(room, key_id, 90, now=NOON + DAY)
    assert status(room, key_id)["NextRotationDate"] == NOON + 91 * DAY
    assert due(room) == [NOON + 91 * DAY]
    room.run(rotation.DISABLE_KEY_ROTATION, {"KeyId": key_id})
    assert status(room, key_id) == {"KeyRotationEnabled": False, "KeyId": key_id}
    assert due(room) == []


def test_on_demand_new_material_seals_and_the_old_still_opens(room: KeyRoom, key_id: str) -> None:
    first = room.run(keys.DESCRIBE_KEY, {"KeyId": key_id})["KeyMetadata"]["CurrentKeyMaterialId"]
    blob = room.run(ciphers.ENCRYPT, {"KeyId": key_id, "Plaintext": b"old"})["CiphertextBlob"]
    second = rotate(room, key_id)
    assert first != second
    opened = room.run(ciphers.DECRYPT, {"CiphertextBlob": blob})
    assert (opened["Plaintext"], opened["KeyMaterialId"]) == (b"old", first)
    new = room.run(ciphers.ENCRYPT, {"KeyId": key_id, "Plaintext": b"new"})["CiphertextBlob"]
    opened = room.run(ciphers.DECRYPT, {"CiphertextBlob": new})
    assert (opened["Plaintext"], opened["KeyMaterialId"]) == (b"new", second)


def test_rotations_are_listed_oldest_first_and_paged(room: KeyRoom, key_id: str) -> None:
    made = [rotate(room, key_id, NOON + number * DAY) for number in range(3)]
    answer = room.run(rotation.LIST_KEY_ROTATIONS, {"KeyId": key_id})
    assert answer == {
        "Rotations": [
            {
                "KeyId": key_id,
                "KeyMaterialId": material,
                "KeyMaterialState": "CURRENT" if number == 2 else "NON_CURRENT",
                "RotationDate": NOON + number * DAY,
                "RotationType": "ON_DEMAND",
            }
            for number, material in enumerate(made)
        ],
        "Truncated": False,
    }
    every = room.run(
        rotation.LIST_KEY_ROTATIONS,
        {"KeyId": key_id, "IncludeKeyMaterial": "ALL_KEY_MATERIAL", "Limit": 3},
    )
    assert every["Rotations"][0].keys() == {"KeyId", "KeyMaterialId", "KeyMaterialState"}
    rest = room.run(
        rotation.LIST_KEY_ROTATIONS,
        {"KeyId": key_id, "IncludeKeyMaterial": "ALL_KEY_MATERIAL", "Marker": every["NextMarker"]},
    )
    assert every["Rotations"][1:] + rest["Rotations"] == answer["Rotations"]
    assert (every["Truncated"], rest["Truncated"]) == (True, False)
    assert refusal(room, rotation.LIST_KEY_ROTATIONS, {"KeyId": key_id, "Marker": "MTp4"})[0] is (
        InvalidMarkerException
    )


def test_a_key_is_rotated_on_demand_25_times_at_most(room: KeyRoom, key_id: str) -> None:
    for _ in range(25):
        rotate(room, key_id)
    assert refusal(room, rotation.ROTATE_KEY_ON_DEMAND, {"KeyId": key_id}) == (
        LimitExceededException,
        "The on-demand rotations limit has been reached for the given keyId. No more on-demand rotations can "
        f"be performed for this key: {room.key(key_id).arn}",
    )


def test_keys_out_of_use_are_not_rotated(room: KeyRoom, key_id: str) -> None:
    arn = room.key(key_id).arn
    enable(room, key_id)
    room.run(keys.DISABLE_KEY, {"KeyId": key_id})
    for operation in (*SETTINGS, rotation.ROTATE_KEY_ON_DEMAND):
        assert refusal(room, operation, {"KeyId": key_id}) == (DisabledException, f"{arn} is disabled.")
    assert status(room, key_id)["KeyRotationEnabled"] is True
    assert due(room) == []
    room.run(keys.SCHEDULE_KEY_DELETION, {"KeyId": key_id})
    for operation in (*SETTINGS, rotation.ROTATE_KEY_ON_DEMAND):
        assert refusal(room, operation, {"KeyId": key_id}) == (
            KMSInvalidStateException,
            f"{arn} is pending deletion.",
        )
    assert status(room, key_id)["KeyRotationEnabled"] is False
    assert due(room) == [NOON + 30 * DAY]
    room.run(keys.CANCEL_KEY_DELETION, {"KeyId": key_id})
    assert due(room) == []
    room.run(keys.ENABLE_KEY, {"KeyId": key_id})
    assert status(room, key_id)["KeyRotationEnabled"] is True
    assert due(room) == [NOON + 365 * DAY]


def test_other_kinds_of_keys_are_not_rotated(room: KeyRoom) -> None:
    made = room.run(keys.CREATE_KEY, {"KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"})
    key_id = made["KeyMetadata"]["KeyId"]
    for operation in (*SETTINGS, rotation.ROTATE_KEY_ON_DEMAND, rotation.LIST_KEY_ROTATIONS):
        assert refusal(room, operation, {"KeyId": key_id}) == (UnsupportedOperationException, "")
    assert status(room, key_id) == {"KeyRotationEnabled": False, "KeyId": key_id}
    external = room.run(keys.CREATE_KEY, {"Origin": "EXTERNAL"})["KeyMetadata"]
    wrong = (
        UnsupportedOperationException,
        f"{external['Arn']} origin is EXTERNAL which is not valid for this operation.",
    )
    for operation in (*SETTINGS, rotation.GET_KEY_ROTATION_STATUS):
        assert refusal(room, operation, {"KeyId": external["KeyId"]}) == wrong
    assert refusal(room, rotation.ROTATE_KEY_ON_DEMAND, {"KeyId": external["KeyId"]}) == (
        KMSInvalidStateException,
        f"{external['Arn']} is pending import.",
    )


def test_the_managed_key_is_not_the_customers_to_rotate(room: KeyRoom, key_id: str) -> None:
    room.unit.save(KMS_KEYS, replace(room.key(key_id), manager="AWS"))
    for operation in (*SETTINGS, rotation.ROTATE_KEY_ON_DEMAND):
        assert refusal(room, operation, {"KeyId": key_id}) == (
            UnsupportedOperationException,
            "This operation is not permitted on an AWS managed key.",
        )


@pytest.mark.parametrize(("days", "allowed"), [(90, False), (365, True), (None, True)])
def test_policies_see_the_period(room: KeyRoom, key_id: str, days: int | None, allowed: bool) -> None:
    condition = {"NumericGreaterThanEquals": {"kms:RotationPeriodInDays": "180"}}
    bob = room.user("bob", allow("kms:EnableKeyRotation", Condition=condition))
    request = {"KeyId": key_id} | ({} if days is None else {"RotationPeriodInDays": days})
    if allowed:
        assert room.run(rotation.ENABLE_KEY_ROTATION, request, principal=bob) is None
    else:
        with pytest.raises(AccessDeniedException):
            room.run(rotation.ENABLE_KEY_ROTATION, request, principal=bob)


def test_another_account_sees_the_status_where_allowed_and_no_more(room: KeyRoom) -> None:
    shared = policy(for_principal(root().arn, "kms:*"), for_principal(root(OTHER_ACCOUNT).arn, "kms:*"))
    arn = room.run(keys.CREATE_KEY, {"Policy": shared})["KeyMetadata"]["Arn"]
    other = root(OTHER_ACCOUNT)
    assert room.run(rotation.GET_KEY_ROTATION_STATUS, {"KeyId": arn}, principal=other)["KeyId"]
    for operation in (*SETTINGS, rotation.ROTATE_KEY_ON_DEMAND, rotation.LIST_KEY_ROTATIONS):
        with pytest.raises(AccessDeniedException):
            room.run(operation, {"KeyId": arn}, principal=other)

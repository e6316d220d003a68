"""What the keeper does to keys: rotation by the calendar, and the end of keys."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest

from strongroom.errors import NotFoundException
from strongroom.operations import datakeys
from strongroom.operations.kms import aliases, ciphers, grants, keys, rotation
from strongroom.operations.kms.duties import do_key_duties
from strongroom.ports import ALIASES, GRANTS, KEY_DUTIES, KMS_KEYS, RETIRABLE_GRANTS, account_region
from strongroom.secret.records import SecretVersion
from strongroom.secret.value import SecretValue
from support.key_room import ACCOUNT, DAY, NOON, REGION, KeyRoom, root

SCOPE = account_region(ACCOUNT, REGION)


@pytest.fixture
def room() -> KeyRoom:
    return KeyRoom()


@pytest.fixture
def key_id(room: KeyRoom) -> str:
    return str(room.run(keys.CREATE_KEY)["KeyMetadata"]["KeyId"])


def keep(room: KeyRoom, now: dt.datetime, batch: int = 100) -> int:
    return do_key_duties(room.store, now, room.entropy, room.root_key, batch)


def events(room: KeyRoom) -> list[dict[str, Any]]:
    return [json.loads(event) for event in room.unit.events]


def encrypt(room: KeyRoom, key_id: str) -> bytes:
    return bytes(room.run(ciphers.ENCRYPT, {"KeyId": key_id, "Plaintext": b"value"})["CiphertextBlob"])


def rotations(room: KeyRoom, key_id: str) -> list[tuple[str, dt.datetime]]:
    answer = room.run(rotation.LIST_KEY_ROTATIONS, {"KeyId": key_id})
    return [(each["RotationType"], each["RotationDate"]) for each in answer["Rotations"]]


def test_a_key_is_rotated_on_its_date_and_every_period_after(room: KeyRoom, key_id: str) -> None:
    room.run(rotation.ENABLE_KEY_ROTATION, {"KeyId": key_id, "RotationPeriodInDays": 90})
    blob = encrypt(room, key_id)
    first = NOON + 90 * DAY
    assert keep(room, first - dt.timedelta(microseconds=1)) == 0
    assert keep(room, first) == 1
    assert keep(room, first) == 0
    assert rotations(room, key_id) == [("AUTOMATIC", first)]
    assert room.run(ciphers.DECRYPT, {"CiphertextBlob": blob})["Plaintext"] == b"value"
    assert keep(room, NOON + 180 * DAY) == 1
    # Late by more than a period, it is rotated once and goes on from there.
    late = NOON + 500 * DAY
    assert keep(room, late) == 1
    assert keep(room, late) == 0
    assert room.key(key_id).rotation_due_at == late + 90 * DAY
    assert len(room.key(key_id).materials) == 4
    last = events(room)[-1]
    assert (last["eventName"], last["eventSource"]) == ("RotateKey", "kms.amazonaws.com")
    assert last["recipientAccountId"] == ACCOUNT
    assert last["additionalEventData"] == {
        "keyId": room.key(key_id).arn,
        "rotationType": "AUTOMATIC",
        "keyMaterialId": room.key(key_id).materials[-1].material_id,
    }


def test_a_disabled_key_waits_until_it_is_enabled(room: KeyRoom, key_id: str) -> None:
    room.run(rotation.ENABLE_KEY_ROTATION, {"KeyId": key_id, "RotationPeriodInDays": 90})
    room.run(keys.DISABLE_KEY, {"KeyId": key_id})
    later = NOON + 100 * DAY
    assert keep(room, later) == 0
    assert rotations(room, key_id) == []
    room.run(keys.ENABLE_KEY, {"KeyId": key_id}, now=later)
    assert keep(room, later) == 1
    assert rotations(room, key_id) == [("AUTOMATIC", later)]


def test_the_key_of_secrets_manager_is_rotated_every_year_and_old_secrets_open(room: KeyRoom) -> None:
    call = room.call(service="secretsmanager")
    arn = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:a-AbCdEf"
    where: dict[str, Any] = {
        "secret_arn": arn,
        "region": REGION,
        "account_id": ACCOUNT,
        "version_id": "v" * 32,
    }
    sealed = room.store.write(
        lambda unit: datakeys.seal_value(call, unit, kms_key_id=None, value=SecretValue(text="old"), **where)
    ).result()
    key_id = sealed.kms_key_arn.rpartition("/")[2]
    for year in (1, 2):
        assert keep(room, NOON + year * 365 * DAY) == 1
    assert [kind for kind, _ in rotations(room, key_id)] == ["AUTOMATIC", "AUTOMATIC"]
    version = SecretVersion(
        secret_arn=arn,
        version_id="v" * 32,
        created_at=NOON,
        kms_key_arn=sealed.kms_key_arn,
        envelope=sealed.envelope,
        default_key=sealed.default_key,
    )
    value = datakeys.open_value(call, room.unit, version, region=REGION, account_id=ACCOUNT)
    assert value.text == "old"


def test_a_key_and_all_that_hangs_on_it_go_when_the_window_ends(room: KeyRoom, key_id: str) -> None:
    other = room.run(keys.CREATE_KEY)["KeyMetadata"]["KeyId"]
    room.run(aliases.CREATE_ALIAS, {"AliasName": "alias/app", "TargetKeyId": key_id})
    for each in (key_id, other):
        room.run(
            grants.CREATE_GRANT,
            {
                "KeyId": each,
                "GranteePrincipal": root().arn,
                "RetiringPrincipal": root().arn,
                "Operations": ["Decrypt"],
            },
        )
    arn = room.key(key_id).arn
    sealed = room.key(key_id).materials[0].sealed
    room.run(keys.SCHEDULE_KEY_DELETION, {"KeyId": key_id, "PendingWindowInDays": 7})
    end = NOON + 7 * DAY
    assert keep(room, end - dt.timedelta(microseconds=1)) == 0
    assert room.key(key_id)
    assert keep(room, end) == 1
    assert [key.key_id for key in room.unit.scan(KMS_KEYS, SCOPE)] == [other]
    assert room.unit.scan(ALIASES, SCOPE) == []
    assert room.unit.scan(GRANTS, arn) == []
    assert len(room.unit.scan(RETIRABLE_GRANTS, SCOPE)) == 1
    assert room.unit.scan(KEY_DUTIES, "") == []
    assert sealed.hex() not in repr(room.unit.state())
    assert [(each["eventName"], each["additionalEventData"]) for each in events(room)] == [
        ("DeleteKey", {"keyId": arn})
    ]
    with pytest.raises(NotFoundException):
        room.run(keys.DESCRIBE_KEY, {"KeyId": key_id}, now=end)
    # The name can be given anew.
    room.run(aliases.CREATE_ALIAS, {"AliasName": "alias/app", "TargetKeyId": other}, now=end)


def test_a_key_whose_deletion_was_cancelled_stays(room: KeyRoom, key_id: str) -> None:
    room.run(keys.SCHEDULE_KEY_DELETION, {"KeyId": key_id, "PendingWindowInDays": 7})
    room.run(keys.CANCEL_KEY_DELETION, {"KeyId": key_id})
    assert keep(room, NOON + 100 * DAY) == 0
    assert room.key(key_id).state == "Disabled"
    assert events(room) == []


def test_what_is_due_is_done_in_batches_the_earliest_first(room: KeyRoom) -> None:
    made = [room.run(keys.CREATE_KEY)["KeyMetadata"]["KeyId"] for _ in range(5)]
    for days, key_id in zip((11, 9, 7, 10, 8), made, strict=True):
        room.run(keys.SCHEDULE_KEY_DELETION, {"KeyId": key_id, "PendingWindowInDays": days})
    counts = [keep(room, NOON + 10 * DAY, batch=2) for _ in range(3)]
    assert counts == [2, 2, 0]
    assert [key.key_id for key in room.unit.scan(KMS_KEYS, SCOPE)] == [made[0]]

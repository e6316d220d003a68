"""What `rotation check` does before it connects anywhere; the rest: tests/conformance/test_rotation_commands."""

from __future__ import annotations

import json

import pytest

from strongroom.cli import rotation_check
from strongroom.operations.secretsmanager.rotation import CANCEL_ROTATE_SECRET, ROTATE_SECRET
from strongroom.operations.secretsmanager.values import PUT_SECRET_VALUE
from strongroom.secret.records import Secret
from support.rotation_room import RotationRoom

CHANGED = "masterarn or the target has changed since RotateSecret was called; call it again"


def looked_at(room: RotationRoom, secret: Secret) -> rotation_check._Checked:
    call = rotation_check._call(secret, room.resources, room.clock.now())
    return rotation_check._look(room.unit, call, secret)


@pytest.mark.parametrize("cancelled", [False, True])
def test_a_superuser_secret_is_used_for_nothing_it_was_not_approved_for(cancelled: bool) -> None:
    room = RotationRoom()
    admin = room.add_secret("admin", [json.dumps({"username": "admin", "password": "root"})])
    secret = room.add_rotated(masterarn=admin.arn)
    room.run(ROTATE_SECRET, {"SecretId": "db", "ClientRequestToken": "a" * 32})
    room.work()
    material = looked_at(room, room.secret(secret.arn)).material
    assert material is not None
    assert material.admin is not None
    assert material.admin["username"] == "admin"
    if cancelled:
        room.run(CANCEL_ROTATE_SECRET, {"SecretId": "db"})
    value = json.dumps({**room.document(secret.arn), "host": "evil.example"})
    room.run(PUT_SECRET_VALUE, {"SecretId": "db", "ClientRequestToken": "c" * 32, "SecretString": value})
    checked = looked_at(room, room.secret(secret.arn))
    assert checked.material is None, "with that the rotator would log in"
    assert [each.message for each in checked.findings if each.fault is not None] == [CHANGED]

"""What `rotation check` does before it connects anywhere; the rest: tests/conformance/test_rotation_commands."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from strongroom.cli import rotation_check
from strongroom.cli.rotation_report import Checked
from strongroom.operations.kms.policies import PUT_KEY_POLICY
from strongroom.operations.rotation_role import ROLE_NAME, rotation_role
from strongroom.operations.secretsmanager.lifecycle import DELETE_SECRET
from strongroom.operations.secretsmanager.replication import REPLICATE_SECRET_TO_REGIONS
from strongroom.operations.secretsmanager.rotation import CANCEL_ROTATE_SECRET, ROTATE_SECRET
from strongroom.operations.secretsmanager.values import PUT_SECRET_VALUE
from strongroom.ports import ROLES
from strongroom.secret.records import Secret
from strongroom.secret.rotation import CHANGED, NOT_APPROVED
from support.key_room import ACCOUNT, REGION, for_principal, policy
from support.replica_room import PARIS
from support.rotation_room import FUNCTION, RotationRoom

APPROVED_FOR = {"engine": "target", "host": "db.example", "port": 5432}


def looked_at(room: RotationRoom, secret: Secret, superuser_at: str | None = None) -> Checked:
    call = rotation_check._call(secret, room.resources, room.clock.now())
    return rotation_check._look(room.unit, call, secret, superuser_at)


def faults(checked: Checked) -> list[str]:
    return [each.message for each in checked.findings if each.fault is not None]


@pytest.fixture
def room() -> RotationRoom:
    return RotationRoom()


@pytest.mark.parametrize("cancelled", [False, True])
def test_a_superuser_secret_is_used_for_nothing_it_was_not_approved_for(
    room: RotationRoom, cancelled: bool
) -> None:
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
    assert faults(checked) == [CHANGED]
    assert looked_at(room, room.secret(secret.arn), "evil.example").material is None, "RotateSecret decides"


def test_what_nobody_approved_is_said_as_the_rotation_fails_with_it(room: RotationRoom) -> None:
    admin = room.add_secret("admin", [json.dumps({"username": "admin", "password": "root"})])
    secret = room.add_rotated(masterarn=admin.arn)
    room.run(ROTATE_SECRET, {"SecretId": "db", "ClientRequestToken": "a" * 32})
    # As a version left it that did not ask who may read the superuser secret.
    stored = room.secret(secret.arn)
    assert stored.rotation is not None
    room.unit.save_secret(replace(stored, rotation=replace(stored.rotation, admin_use=None)))
    room.work()
    assert [each.message for each in room.history(secret.arn)] == [NOT_APPROVED]
    checked = looked_at(room, room.secret(secret.arn))
    assert checked.material is None
    assert faults(checked) == [NOT_APPROVED]
    assert checked.unchecked is None


@pytest.mark.parametrize("member", ["engine", "host", "port"])
@pytest.mark.parametrize("says", [None, "another"])
def test_before_rotate_secret_the_superuser_secret_has_to_name_the_target(
    room: RotationRoom, member: str, says: str | None
) -> None:
    secret, admin = unapproved(room)
    said = {**admin, **APPROVED_FOR}
    put(room, said)
    assert_used(looked_at(room, secret))
    if says is None:
        del said[member]
    else:
        said[member] = says
    put(room, said)
    checked = looked_at(room, secret)
    assert checked.material is None, "with that the rotator would log in"
    assert checked.unchecked == rotation_check.NOT_USED.format(member)
    assert faults(checked) == []
    assert checked.superuser == named(room, "admin").arn, "the trail says that it was opened"


@pytest.mark.parametrize("member", ["url", "ssl", "sslrootcert", "ca", "dbname"])
def test_nothing_of_how_a_superuser_is_connected_is_taken_from_a_secret_unasked(
    room: RotationRoom, member: str
) -> None:
    secret, admin = unapproved(room, **{member: "x"})
    put(room, {**admin, **APPROVED_FOR})
    assert looked_at(room, secret).unchecked == rotation_check.NOT_USED.format(member)
    put(room, {**admin, **APPROVED_FOR, member: "x"})
    assert_used(looked_at(room, secret))


@pytest.mark.parametrize("superuser_at", ["db.example:5432", "db.example", "evil.example:5432", "", ":5432"])
def test_the_operator_may_say_where_the_superuser_s_password_may_go(
    room: RotationRoom, superuser_at: str
) -> None:
    secret, _ = unapproved(room)
    checked = looked_at(room, secret, superuser_at)
    if superuser_at == "db.example:5432":
        assert_used(checked)
    else:
        assert checked.material is None
        assert checked.unchecked == rotation_check.NOT_USED.format("engine, host, port")


def test_a_value_without_a_port_is_named_by_its_host(room: RotationRoom) -> None:
    admin = room.add_secret("admin", [json.dumps({"username": "admin", "password": "root"})])
    secret = room.add_rotated(masterarn=admin.arn)
    unchecked = looked_at(room, secret, "h:5432").unchecked
    assert unchecked == rotation_check.NOT_USED.format("engine, host")
    assert_used(looked_at(room, secret, "h"))


DENIED: dict[str, Any] = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Deny", "Principal": "*", "Action": "secretsmanager:GetSecretValue", "Resource": "*"}
    ],
}


def test_a_value_that_cannot_be_read_is_a_finding(room: RotationRoom) -> None:
    secret = room.add_rotated()
    room.attach_policy(secret.arn, json.dumps(DENIED))
    [why] = faults(looked_at(room, secret))
    assert why.startswith(
        f"it cannot be read: User: arn:aws:iam::{ACCOUNT}:root is not authorized to perform"
    )
    assert why.endswith("with an explicit deny in a resource-based policy")


def test_a_function_that_rotates_a_secret_needs_no_value(room: RotationRoom) -> None:
    room.add_function()
    secret = room.add_rotated()
    room.run(ROTATE_SECRET, {"SecretId": "db", "ClientRequestToken": "a" * 32, "RotationLambdaARN": FUNCTION})
    room.attach_policy(secret.arn, json.dumps(DENIED))
    assert faults(looked_at(room, secret)) == []


def test_of_a_secret_marked_for_deletion_nothing_is_opened(room: RotationRoom) -> None:
    secret = room.add_rotated()
    room.run(DELETE_SECRET, {"SecretId": "db"})
    checked = looked_at(room, secret)
    assert checked.material is None
    assert [each.message for each in checked.findings] == ["it is marked for deletion"]


def test_of_a_replica_nothing_is_opened(room: RotationRoom) -> None:
    room.add_rotated()
    room.run(REPLICATE_SECRET_TO_REGIONS, {"SecretId": "db", "AddReplicaRegions": [{"Region": PARIS}]})
    replica = room.unit.secret_named(ACCOUNT, PARIS, "db")
    assert replica is not None
    checked = looked_at(room, replica)
    assert checked.material is None
    assert [each.message for each in checked.findings] == ["it is a replica; its primary is rotated"]


def break_nothing(room: RotationRoom, admin: Secret) -> None: ...


def break_value(room: RotationRoom, admin: Secret) -> None:
    request = {"SecretId": "admin", "ClientRequestToken": "c" * 32, "SecretString": "no JSON"}
    room.run(PUT_SECRET_VALUE, request)


def break_policy(room: RotationRoom, admin: Secret) -> None:
    room.attach_policy(admin.arn, json.dumps(DENIED))


def break_role(room: RotationRoom, admin: Secret) -> None:
    role = f"arn:aws:iam::*:role/aws-service-role/*/{ROLE_NAME}"
    condition = {"Condition": {"ArnLike": {"aws:PrincipalArn": role}}}
    statement = {**DENIED["Statement"][0], **condition}
    room.attach_policy(admin.arn, json.dumps({**DENIED, "Statement": [statement]}))


@pytest.mark.parametrize(
    ("harm", "why"),
    [
        (break_nothing, ""),
        (lambda room, admin: room.run(DELETE_SECRET, {"SecretId": "admin"}), "is marked for deletion"),
        (break_value, "has no current value that is a JSON object"),
        (break_role, "policies do not allow the role arn:aws:iam::"),
        (break_policy, "User: arn:aws:iam::111122223333:root is not authorized"),
    ],
)
def test_what_is_wrong_with_the_superuser_secret_is_said_of_it(
    room: RotationRoom, harm: Callable[[RotationRoom, Secret], object], why: str
) -> None:
    admin = room.add_secret("admin", [json.dumps({"username": "admin", "password": "root"})])
    secret = room.add_rotated(masterarn=admin.arn)
    room.run(ROTATE_SECRET, {"SecretId": "db", "ClientRequestToken": "a" * 32})
    room.work()
    harm(room, admin)
    told = faults(looked_at(room, secret))
    assert len(told) == bool(why)
    assert all(why in each and admin.arn in each for each in told)


def test_a_role_that_has_gone_or_cannot_decrypt_is_found(room: RotationRoom) -> None:
    key = room.add_key()
    value = {"engine": "target", "host": "h", "username": "bob", "password": "old"}
    secret = room.add_secret("db", [json.dumps(value)], kms_key_id=key.arn)
    room.run(ROTATE_SECRET, {"SecretId": "db", "ClientRequestToken": "a" * 32})
    room.work()
    assert faults(looked_at(room, secret)) == []
    role = rotation_role(room.unit, ACCOUNT)
    assert role is not None
    owner = for_principal(f"arn:aws:iam::{ACCOUNT}:root", "kms:*")
    refusal = {"Effect": "Deny", "Principal": {"AWS": role.arn}, "Action": "kms:Decrypt", "Resource": "*"}
    room.run(PUT_KEY_POLICY, {"KeyId": key.arn, "Policy": policy(owner, refusal)})
    assert faults(looked_at(room, secret)) == [
        f"the role {role.arn} cannot open the value: Access to KMS is not allowed"
    ]
    room.unit.delete(ROLES, ACCOUNT, role.role_id)
    assert faults(looked_at(room, secret)) == [
        f"{ROLE_NAME} has gone, or does not trust secretsmanager.amazonaws.com; RotateSecret makes it"
    ]


def test_garbage_left_under_awspending_is_found(room: RotationRoom) -> None:
    secret = room.add_rotated()
    value = {"SecretString": "garbage", "VersionStages": ["AWSPENDING"]}
    room.run(PUT_SECRET_VALUE, {"SecretId": "db", "ClientRequestToken": "c" * 32, **value})
    checked = looked_at(room, secret)
    assert checked.material is None
    left, pending = faults(checked)
    assert left.startswith(f"AWSPENDING was left on version {'c' * 32}; RotateSecret is refused until")
    assert pending == "what is under AWSPENDING is no JSON object"


def unapproved(room: RotationRoom, **members: str) -> tuple[Secret, dict[str, Any]]:
    """Return a secret whose value names a superuser secret that only holds user name and password."""
    admin = {"username": "admin", "password": "root"}
    stored = room.add_secret("admin", [json.dumps(admin)])
    value = {**APPROVED_FOR, "username": "bob", "password": "old", "masterarn": stored.arn, **members}
    return room.add_secret("db", [json.dumps(value)]), admin


def put(room: RotationRoom, admin: dict[str, Any]) -> None:
    token = f"{len(room.unit.version_rows):032}"
    request = {"SecretId": "admin", "ClientRequestToken": token, "SecretString": json.dumps(admin)}
    room.run(PUT_SECRET_VALUE, request)


def named(room: RotationRoom, name: str) -> Secret:
    found = room.unit.secret_named(ACCOUNT, REGION, name)
    assert found is not None
    return found


def assert_used(checked: Checked) -> None:
    assert checked.material is not None
    assert checked.material.admin is not None
    assert checked.material.admin["password"] == "root"
    assert checked.unchecked is None
    assert faults(checked) == []

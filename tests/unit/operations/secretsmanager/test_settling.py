"""Reads of AWSCURRENT wait while a rotation changes what the target takes, and no longer."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json

import pytest
from msgspec.structs import replace

from strongroom.names import AWSCURRENT, AWSPENDING
from strongroom.operations.authorize import DecisionMemory, authorize
from strongroom.operations.call import NotSettled
from strongroom.operations.rotation_role import as_service, rotation_role
from strongroom.operations.secretsmanager.reading import (
    BATCH_GET_SECRET_VALUE,
    GET_SECRET_VALUE,
    repeat_get_secret_value,
)
from strongroom.operations.secretsmanager.replication import REPLICATE_SECRET_TO_REGIONS
from strongroom.operations.secretsmanager.rotation import ROTATE_SECRET
from strongroom.operations.secretsmanager.settling import SETTLING, verify_settled
from strongroom.secret.document import FaultKind, RotationFault
from strongroom.secret.records import Secret
from strongroom.secret.runs import Step
from support.replica_room import PARIS
from support.rotation_room import FUNCTION, RotationRoom
from support.secret_room import root

TOKEN = "a" * 32
ROTATE = {"SecretId": "db", "ClientRequestToken": TOKEN}
READ = {"SecretId": "db"}


@pytest.fixture
def room() -> RotationRoom:
    return RotationRoom()


def begun(room: RotationRoom, step: Step) -> Secret:
    """Return the rotated secret, at whose rotation `step` is being done."""
    secret = room.add_rotated()
    room.run(ROTATE_SECRET, ROTATE)
    task = room.take(secret.arn)
    while task is not None and task.step is not step:
        task = room.do(task)
    assert task is not None
    return room.secret(secret.arn)


def waits(room: RotationRoom, secret: Secret, **members: object) -> bool:
    call = replace(room.call(now=room.clock.now()), **members)
    try:
        verify_settled(call, room.unit, secret)
    except NotSettled:
        return True
    return False


@pytest.mark.parametrize("step", [*Step])
def test_reads_wait_from_the_change_of_the_target_to_that_of_the_label(
    room: RotationRoom, step: Step
) -> None:
    secret = begun(room, step)
    assert waits(room, secret) is (step is not Step.CREATE)
    if step is Step.CREATE:
        return
    for operation, request in [
        (GET_SECRET_VALUE, READ),
        (GET_SECRET_VALUE, {**READ, "VersionStage": "AWSCURRENT"}),
        (BATCH_GET_SECRET_VALUE, {"SecretIdList": ["db"]}),
    ]:
        with pytest.raises(NotSettled):
            room.run(operation, request)


def test_who_asks_for_a_version_by_its_id_or_another_label_does_not_wait(room: RotationRoom) -> None:
    secret = begun(room, Step.TEST)
    current = secret.labels[AWSCURRENT]
    for more, version in [
        ({"VersionId": current}, current),
        ({"VersionId": current, "VersionStage": "AWSCURRENT"}, current),
        ({"VersionStage": "AWSPENDING"}, secret.labels[AWSPENDING]),
    ]:
        assert room.run(GET_SECRET_VALUE, {**READ, **more})["VersionId"] == version


def test_the_rotation_itself_does_not_wait(room: RotationRoom) -> None:
    secret = begun(room, Step.SET)
    role = rotation_role(room.unit, secret.account_id)
    assert role is not None
    assert not waits(room, secret, principal=as_service(room.call(), role).principal)
    function = dataclasses.replace(root(), source_function_arn=FUNCTION)
    assert not waits(room, secret, principal=function)
    assert waits(room, secret, principal=root())


def test_nobody_waits_for_long_nor_twice(room: RotationRoom) -> None:
    secret = begun(room, Step.SET)
    assert not waits(room, secret, waited=True)
    room.clock.time += SETTLING - dt.timedelta(milliseconds=1)
    assert waits(room, secret)
    room.clock.pass_(milliseconds=1)
    assert not waits(room, secret)


def test_reads_wait_for_who_takes_up_what_a_killed_process_was_at(room: RotationRoom) -> None:
    secret = begun(room, Step.TEST)
    room.clock.pass_(minutes=1)
    assert not waits(room, secret)
    room.release("process-2")
    assert waits(room, secret)
    room.clock.time += SETTLING
    assert not waits(room, secret)


def test_nobody_waits_in_the_pause_after_a_failure(room: RotationRoom) -> None:
    room.rotator.refused["test"] = RotationFault(FaultKind.UNREACHABLE, "the target is down")
    secret = room.add_rotated()
    room.run(ROTATE_SECRET, ROTATE)
    room.work()
    assert room.secret(secret.arn).labels[AWSPENDING] == TOKEN
    for seconds in (0, 4, 2):
        room.clock.pass_(seconds=seconds)
        assert not waits(room, room.secret(secret.arn))


def test_a_mere_test_changes_nothing_and_nobody_waits(room: RotationRoom) -> None:
    secret = room.add_rotated()
    room.run(ROTATE_SECRET, {**ROTATE, "RotateImmediately": False})
    assert room.take(secret.arn) is not None
    assert not waits(room, room.secret(secret.arn))


def test_reads_of_a_replica_wait_for_its_primary(room: RotationRoom) -> None:
    room.add_rotated()
    room.run(REPLICATE_SECRET_TO_REGIONS, {**READ, "AddReplicaRegions": [{"Region": PARIS}]})
    room.run(ROTATE_SECRET, ROTATE)
    [duty] = room.due()
    task = room.take(duty.secret_arn)
    while task is not None and task.step is not Step.TEST:
        task = room.do(task)
    with pytest.raises(NotSettled):
        room.run(GET_SECRET_VALUE, READ, region=PARIS)
    while task is not None:
        task = room.do(task)
    answer = room.run(GET_SECRET_VALUE, READ, region=PARIS)
    assert room.target.takes(json.loads(answer["SecretString"]))


def test_what_was_put_off_is_not_kept_for_the_next_read(room: RotationRoom) -> None:
    begun(room, Step.SET)
    call = room.call(now=room.clock.now())
    resources = replace(call.resources, decision_memory=DecisionMemory())
    for waited in (False, True):
        asked = replace(call, request=READ, waited=waited, resources=resources, details={})
        authorized = authorize(asked, room.unit, GET_SECRET_VALUE.targets(asked, room.unit))
        assert (repeat_get_secret_value(authorized, room.unit) is None) is waited

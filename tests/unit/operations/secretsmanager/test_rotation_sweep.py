"""Secrets whose rotation an earlier version of strongroom configured and never carried out get their duty."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from strongroom.errors import ServiceUnavailableException
from strongroom.names import AWSPENDING, Arn, Region
from strongroom.operations.secretsmanager import rotation_sweep
from strongroom.operations.secretsmanager.rotation import CANCEL_ROTATE_SECRET, ROTATE_SECRET
from strongroom.operations.secretsmanager.rotation_sweep import DutySweep
from strongroom.ports import ROTATION_DUTIES, ROTATION_SWEEPS
from strongroom.secret.records import Rotation, RotationRules, Secret
from strongroom.secret.rotation import turn_of
from strongroom.secret.runs import RotationDuty
from support.rotation_room import FUNCTION, RotationRoom

DAILY: dict[str, Any] = {"RotationRules": {"AutomaticallyAfterDays": 1}}


@pytest.fixture
def room() -> RotationRoom:
    return RotationRoom()


def configured(room: RotationRoom, name: str = "db", **members: str) -> Arn:
    """Store a secret as the earlier version left it: configured and scheduled, with nothing due for it."""
    room.add_function()
    secret = room.add_rotated(name, **members)
    request = {"SecretId": name, "ClientRequestToken": f"{name:x<32}", "RotateImmediately": False, **DAILY}
    room.run(ROTATE_SECRET, {**request, "RotationLambdaARN": FUNCTION})
    room.work()
    room.unit.delete(ROTATION_DUTIES, "", secret.arn)
    return secret.arn


def change(room: RotationRoom, arn: str, how: Callable[[Secret], Secret]) -> None:
    room.unit.save_secret(how(room.secret(arn)))


def rotation_of(secret: Secret) -> Rotation:
    assert secret.rotation is not None
    return secret.rotation


def swept(room: RotationRoom) -> DutySweep:
    sweep = DutySweep(room.store)
    while not sweep.done:
        sweep.advance()
    return sweep


def test_a_secret_that_was_only_configured_is_due_at_its_next_turn(room: RotationRoom) -> None:
    arn = configured(room)
    before = room.secret(arn)
    swept(room)
    turn = turn_of(before)
    assert turn is not None
    assert room.duty(arn) == RotationDuty(secret_arn=arn, due_at=turn[0])
    assert room.secret(arn) == before


def test_it_then_rotates(room: RotationRoom) -> None:
    arn = configured(room)
    swept(room)
    room.functions.invocations.clear()
    room.clock.pass_(days=2)
    room.work()
    [begun] = room.functions.invocations
    told = json.loads(begun.event)
    assert (told["SecretId"], told["Step"]) == (arn, "createSecret")
    assert room.secret(arn).labels[AWSPENDING] == told["ClientRequestToken"]


WITHOUT: dict[str, Callable[[Secret], Secret]] = {
    "rotation is off": lambda secret: replace(secret, rotation=replace(rotation_of(secret), enabled=False)),
    "never configured": lambda secret: replace(secret, rotation=None),
    "no schedule": lambda secret: replace(
        secret, rotation=replace(rotation_of(secret), rules=None, next_rotation_at=None)
    ),
    "a schedule of another age": lambda secret: replace(
        secret,
        rotation=replace(rotation_of(secret), rules=RotationRules(schedule_expression="rate(1 minute)")),
    ),
    "marked for deletion": lambda secret: replace(secret, deleted_at=secret.created_at),
    "a replica": lambda secret: replace(secret, replica_of=secret.arn, primary_region=Region("eu-west-1")),
}


@pytest.mark.parametrize("case", WITHOUT)
def test_what_does_not_rotate_by_itself_gets_none_and_the_next_does(room: RotationRoom, case: str) -> None:
    first, second = sorted((configured(room, "a"), configured(room, "b")))
    change(room, first, WITHOUT[case])
    swept(room)
    assert room.duty(first) is None
    assert room.duty(second) is not None


def test_a_duty_there_is_stays_as_it_is(room: RotationRoom) -> None:
    arn = configured(room)
    room.run(ROTATE_SECRET, {"SecretId": "db", "ClientRequestToken": "t" * 32})
    running = room.duty(arn)
    assert running is not None
    assert running.run is not None
    swept(room)
    assert room.duty(arn) == running


def test_a_store_is_looked_through_once(room: RotationRoom, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not DutySweep(room.store).done
    arn = configured(room)
    swept(room)
    room.run(CANCEL_ROTATE_SECRET, {"SecretId": "db"})
    change(room, arn, lambda secret: replace(secret, rotation=replace(rotation_of(secret), enabled=True)))
    again = DutySweep(room.store)
    assert again.done
    monkeypatch.setattr(room.unit, "secrets_after", pytest.fail)
    again.advance()
    assert room.duty(arn) is None


def test_it_goes_on_behind_the_page_where_it_was_cut_off(
    room: RotationRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rotation_sweep, "PAGE", 2)
    arns = sorted(configured(room, name) for name in ("a", "b", "c", "d", "e"))
    DutySweep(room.store).advance()
    assert [room.duty(arn) is not None for arn in arns] == [True, True, False, False, False]
    asked = []
    secrets_after = room.unit.secrets_after
    monkeypatch.setattr(
        room.unit, "secrets_after", lambda after, limit: asked.append(after) or secrets_after(after, limit)
    )
    swept(room)
    assert asked == [arns[1], arns[3]]
    assert all(room.duty(arn) is not None for arn in arns)


def test_a_page_that_could_not_be_written_is_looked_at_again(
    room: RotationRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    arn, sweep = configured(room), DutySweep(room.store)

    def full(*_: Any) -> None:
        raise ServiceUnavailableException("the disk is full")

    with monkeypatch.context() as broken:
        broken.setattr(room.unit, "save", full)
        with pytest.raises(ServiceUnavailableException, match="the disk is full"):
            sweep.advance()
    assert not sweep.done
    assert room.duty(arn) is None
    sweep.advance()
    assert sweep.done
    assert room.duty(arn) is not None


def test_where_nothing_is_missing_only_the_end_is_written(
    room: RotationRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rotation_sweep, "PAGE", 2)
    for name in ("a", "b", "c"):
        room.add_secret(name, [json.dumps({"password": "x"})])
    sweep = DutySweep(room.store)
    sweep.advance()
    assert room.unit.scan(ROTATION_SWEEPS, "") == []
    sweep.advance()
    assert [each.done for each in room.unit.scan(ROTATION_SWEEPS, "")] == [True]

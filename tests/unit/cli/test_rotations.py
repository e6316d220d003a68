"""What `rotation status` and `calendar` say of a secret, in each state its rotation can be in."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest

from strongroom.cli import rotation_calendar, rotations
from strongroom.cli.rotation_calendar import next_turns
from strongroom.operations.secretsmanager.lifecycle import DELETE_SECRET
from strongroom.operations.secretsmanager.replication import REPLICATE_SECRET_TO_REGIONS
from strongroom.operations.secretsmanager.rotation import CANCEL_ROTATE_SECRET, ROTATE_SECRET
from strongroom.operations.secretsmanager.rotation_view import rotating
from strongroom.operations.secretsmanager.values import PUT_SECRET_VALUE
from strongroom.ports import ROTATION_DUTIES
from strongroom.secret.document import FaultKind, RotationFault
from strongroom.secret.records import Secret
from support.key_room import ACCOUNT
from support.replica_room import PARIS
from support.rotation_room import RotationRoom

TOKEN = "a" * 32
ROTATE: dict[str, Any] = {"SecretId": "db", "ClientRequestToken": TOKEN}
DAILY: dict[str, Any] = {**ROTATE, "RotationRules": {"AutomaticallyAfterDays": 1}}
BY = ", by the rotator for target"
LEFT = (
    f"  AWSPENDING was left on version {TOKEN}; RotateSecret is refused until it is taken off with "
    "UpdateSecretVersionStage, or a new value is written"
)
STUCK = RotationFault(FaultKind.TARGET, "the target is stuck")


@pytest.fixture
def room() -> RotationRoom:
    return RotationRoom()


@pytest.fixture
def secret(room: RotationRoom) -> Secret:
    return room.add_rotated()


def told(room: RotationRoom, arn: str) -> list[str]:
    """Return the lines below the secret's name."""
    return shown(room, arn)[0]


def shown(room: RotationRoom, arn: str) -> tuple[list[str], dict[str, Any]]:
    each, failure = rotations._shown(room.unit, rotating(room.unit, room.secret(arn), room.clock.now()))
    return [*rotations._lines(each, failure)][1:], rotations._fields(each, failure)


def test_a_secret_nobody_rotates(room: RotationRoom, secret: Secret) -> None:
    lines, fields = shown(room, secret.arn)
    assert lines == ["  RotateSecret was never called"]
    assert (fields["state"], fields["next"], fields["left_pending"]) == ("never", None, None)


def test_a_secret_without_a_schedule(room: RotationRoom, secret: Secret) -> None:
    room.run(ROTATE_SECRET, ROTATE)
    room.work()
    lines, fields = shown(room, secret.arn)
    assert lines == [
        f"  has no schedule, and is rotated when RotateSecret is called{BY}",
        "  last rotated: 2026-01-01T12:00:00Z",
    ]
    assert fields["state"] == "unscheduled"


def test_a_secret_that_waits(room: RotationRoom, secret: Secret) -> None:
    room.run(ROTATE_SECRET, DAILY)
    room.work()
    state, following, last = told(room, secret.arn)
    assert state == f"  waits for its turn{BY}"
    assert following.startswith("  next: 2026-01-02T00:")
    assert last.startswith("  last rotated: ")
    # A version before this one kept no duties; the server gives them when it starts.
    room.unit.delete(ROTATION_DUTIES, "", secret.arn)
    assert told(room, secret.arn) == [state, last]


def test_a_rotation_under_way(room: RotationRoom, secret: Secret) -> None:
    room.run(ROTATE_SECRET, DAILY)
    begun = "version aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa, begun 2026-01-01T12:00:00Z"
    assert told(room, secret.arn) == [
        f"  is due and begins in a moment{BY}",
        f"  {begun}: attempt 1 goes on in a moment",
    ]
    task = room.take(secret.arn)
    assert task is not None
    room.steps.do(task)
    room.proceed(task)
    assert told(room, secret.arn) == [f"  is rotated now{BY}", f"  {begun}: attempt 1 is at setSecret"]


def test_an_attempt_that_failed_and_the_next_are_told_apart(room: RotationRoom, secret: Secret) -> None:
    room.rotator.refused["set"] = STUCK
    room.run(ROTATE_SECRET, DAILY)
    room.work()
    lines, fields = shown(room, secret.arn)
    assert lines == [
        f"  failed, and is attempted again{BY}",
        f"  version {TOKEN}, begun 2026-01-01T12:00:00Z: attempt 2 is made 2026-01-01T12:00:05Z",
        "  attempt 1 failed 2026-01-01T12:00:00Z in setSecret: the target is stuck",
    ]
    assert fields["failure"] == {
        "at": "2026-01-01T12:00:00Z",
        "attempt": 1,
        "test_only": False,
        "step": "setSecret",
        "kind": "target",
        "message": "the target is stuck",
    }
    assert (fields["run"]["attempt"], fields["left_pending"]) == (2, None)


def test_a_rotation_that_was_given_up_says_what_it_left(room: RotationRoom, secret: Secret) -> None:
    room.rotator.refused["create"] = STUCK
    room.run(ROTATE_SECRET, DAILY)
    room.work()
    room.run(CANCEL_ROTATE_SECRET, {"SecretId": "db"})
    lines, fields = shown(room, secret.arn)
    assert lines == [f"  rotation is off{BY}", LEFT]
    assert (fields["state"], fields["failure"], fields["left_pending"]) == ("off", None, TOKEN)


def test_a_label_left_by_hand(room: RotationRoom, secret: Secret) -> None:
    value = {"SecretString": "{}", "VersionStages": ["AWSPENDING"]}
    room.run(PUT_SECRET_VALUE, {**ROTATE, **value})
    assert told(room, secret.arn) == ["  RotateSecret was never called", LEFT]


def test_a_failed_test_of_the_configuration_is_remembered(room: RotationRoom, secret: Secret) -> None:
    room.rotator.refused["test"] = STUCK
    room.run(ROTATE_SECRET, {**DAILY, "RotateImmediately": False})
    room.work()
    lines, fields = shown(room, secret.arn)
    assert lines[:2] == [
        f"  waits for its turn{BY}",
        "  a test of the configuration failed 2026-01-01T12:00:00Z in testSecret: the target is stuck",
    ]
    assert fields["failure"]["test_only"] is True
    room.rotator.refused.clear()
    room.run(ROTATE_SECRET, {**DAILY, "ClientRequestToken": "b" * 32})
    room.work()
    assert shown(room, secret.arn)[1]["failure"] is None


def test_a_secret_that_is_marked(room: RotationRoom, secret: Secret) -> None:
    room.rotator.refused["set"] = STUCK
    room.run(ROTATE_SECRET, DAILY)
    room.work()
    room.run(DELETE_SECRET, {"SecretId": "db"})
    assert told(room, secret.arn) == [f"  is marked for deletion, and not rotated{BY}"]
    assert next_turns(room.secret(secret.arn), 3) == []


def test_a_replica_is_not_rotated_itself(room: RotationRoom, secret: Secret) -> None:
    room.run(ROTATE_SECRET, DAILY)
    room.run(REPLICATE_SECRET_TO_REGIONS, {"SecretId": "db", "AddReplicaRegions": [{"Region": PARIS}]})
    replica = room.unit.secret_named(ACCOUNT, PARIS, "db")
    assert replica is not None
    assert told(room, replica.arn)[0] == f"  is a replica: its primary is rotated{BY}"
    assert next_turns(replica, 3) == []
    assert len(next_turns(room.secret(secret.arn), 3)) == 3


def test_a_value_of_a_secret_is_in_no_line(room: RotationRoom, secret: Secret) -> None:
    room.rotator.refused["set"] = STUCK
    room.run(ROTATE_SECRET, DAILY)
    room.work()
    assert "old" not in json.dumps(shown(room, secret.arn)), "the password of `add_rotated`"


def calendar(room: RotationRoom, arn: str, days: int) -> list[tuple[str, int | None, bool]]:
    now = room.clock.now()
    each = rotating(room.unit, room.secret(arn), now)
    turns = rotation_calendar._turns(each, now, now + dt.timedelta(days=days))
    return [(f"{turn.at:%m-%d}", turn.attempt, turn.overdue) for turn in turns]


def test_the_calendar_of_a_secret_that_waits(room: RotationRoom, secret: Secret) -> None:
    room.run(ROTATE_SECRET, {**ROTATE, "RotationRules": {"AutomaticallyAfterDays": 3}})
    room.work()
    assert calendar(room, secret.arn, 7) == [("01-04", None, False), ("01-07", None, False)]


def test_the_calendar_begins_with_the_next_attempt(room: RotationRoom, secret: Secret) -> None:
    room.rotator.refused["set"] = STUCK
    room.run(ROTATE_SECRET, {**ROTATE, "RotationRules": {"AutomaticallyAfterDays": 3}})
    room.work()
    assert calendar(room, secret.arn, 4) == [("01-01", 2, False), ("01-04", None, False)]
    room.run(CANCEL_ROTATE_SECRET, {"SecretId": "db"})
    assert calendar(room, secret.arn, 4) == []


def test_the_calendar_shows_what_was_missed_once(room: RotationRoom, secret: Secret) -> None:
    """As after a standstill of the server, or while the target has refused for days."""
    room.run(ROTATE_SECRET, {**ROTATE, "RotationRules": {"AutomaticallyAfterDays": 3}})
    room.work()
    room.clock.pass_(days=20)
    assert calendar(room, secret.arn, 4) == [("01-21", None, True), ("01-24", None, False)]
    room.rotator.refused["set"] = STUCK
    room.work()
    assert calendar(room, secret.arn, 4) == [("01-21", 2, True), ("01-24", None, False)]

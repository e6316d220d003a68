"""The rotator process: what is due is begun, so many at once, and nothing is begun when it has to end."""

from __future__ import annotations

import errno
import math
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from strongroom.errors import IntegrityError, ServiceUnavailableException
from strongroom.names import AWSCURRENT, AWSPENDING, Arn
from strongroom.operations.secretsmanager import rotation_sweep
from strongroom.operations.secretsmanager.rotation import ROTATE_SECRET
from strongroom.operations.secretsmanager.rotation_sweep import DutySweep
from strongroom.secret.document import FaultKind, RotationFault
from strongroom.secret.runs import Outcome
from strongroom.server import rotating, rotation
from strongroom.server.rotating import Rotations
from strongroom.trail.segment import SegmentTrail
from strongroom.trail.verification import verify_trail
from support.function_room import RememberingLog
from support.key_room import NOON
from support.replica_room import version_id
from support.rotation_room import FUNCTION, RotationRoom

SECONDS = 20


@pytest.fixture
def room() -> RotationRoom:
    return RotationRoom()


@pytest.fixture
def log() -> RememberingLog:
    return RememberingLog()


@pytest.fixture
def rotations(room: RotationRoom, log: RememberingLog) -> Iterator[Rotations]:
    made = Rotations(room.store, room.resources, room.steps, room.clock, "process-1", log, threads=2)
    yield made
    made.finish(SECONDS)


def until(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.001)


def rotated(room: RotationRoom, name: str = "db", user: str = "bob", *, by_functions: bool = False) -> Arn:
    room.target.passwords.setdefault(user, "old")
    secret = room.add_rotated(name, username=user)
    request = {"RotationLambdaARN": FUNCTION} if by_functions else {}
    room.run(ROTATE_SECRET, {"SecretId": name, "ClientRequestToken": f"{name:x<32}", **request})
    return secret.arn


def idle(rotations: Rotations) -> None:
    until(lambda: rotations.running == 0)


def test_what_is_due_is_done_to_its_end(room: RotationRoom, rotations: Rotations) -> None:
    arn = rotated(room)
    rotations.tick()
    idle(rotations)
    assert room.labels(arn)[AWSCURRENT] == f"{'db':x<32}"
    assert [each.outcome for each in room.history(arn)] == [Outcome.SUCCEEDED]
    assert room.target.takes(room.document(arn))


def test_so_many_are_done_at_once_and_the_others_wait(room: RotationRoom, rotations: Rotations) -> None:
    arns = [rotated(room, name, name) for name in ("one", "two", "three")]
    meeting, open_ = threading.Barrier(3, timeout=SECONDS), threading.Event()

    def before(step: str, material: Any) -> None:
        if step == "create" and not open_.is_set():
            meeting.wait()
            open_.wait(SECONDS)

    room.rotator.before = before
    rotations.tick()
    meeting.wait()  # two of them and this test: both are at work
    rotations.tick()
    assert rotations.running == 2
    assert room.rotator.begun == ["create", "create"]
    open_.set()
    idle(rotations)
    rotations.tick()
    idle(rotations)
    assert all(AWSPENDING not in room.labels(arn) for arn in arns)


@pytest.mark.parametrize("by_functions", [False, True], ids=["after a failure", "by functions"])
def test_what_hangs_holds_up_nobody_elses_first_attempt(
    room: RotationRoom, log: RememberingLog, monkeypatch: pytest.MonkeyPatch, *, by_functions: bool
) -> None:
    monkeypatch.setattr(rotating, "AT_ONCE", 1000)
    open_, begun = threading.Event(), threading.Semaphore(0)
    if by_functions:
        room.add_function()
    rotations = Rotations(room.store, room.resources, room.steps, room.clock, "process-1", log, threads=4)
    hanging = [
        rotated(room, name, name, by_functions=by_functions)
        for name in ("one", "two", "three", "four", "five")
    ]

    def hang(*_: Any) -> None:
        begun.release()
        open_.wait(SECONDS)

    if by_functions:
        room.functions.handler = hang
    else:
        room.rotator.refused["create"] = RotationFault(FaultKind.UNREACHABLE, "it does not answer")
        while any((duty := room.duty(arn)) is None or duty.owner or duty.due_at <= NOON for arn in hanging):
            rotations.tick()
            idle(rotations)
        room.rotator.refused.clear()
        room.clock.pass_(seconds=5)
        room.rotator.before = lambda step, material: hang() if material.secret_arn in hanging else None
    rotations.tick()
    for _ in range(3):
        assert begun.acquire(timeout=SECONDS)
    first = rotated(room)
    rotations.tick()
    until(lambda: AWSPENDING not in room.labels(first))
    assert room.labels(first)[AWSCURRENT] == f"{'db':x<32}"
    until(lambda: rotations.running == 3)
    open_.set()
    rotations.finish(SECONDS)


def test_a_machine_without_a_thread_to_give_is_asked_again(
    room: RotationRoom, rotations: Rotations, monkeypatch: pytest.MonkeyPatch
) -> None:
    arn = rotated(room)

    def refuse(*_: Any) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(rotations._pool, "submit", refuse)
        with pytest.raises(RuntimeError):
            rotations.tick()
    assert rotations.running == 0
    rotations.tick()
    idle(rotations)
    assert room.labels(arn)[AWSCURRENT] == f"{'db':x<32}"


def test_many_that_are_due_begin_one_by_one_and_a_few_at_once(
    room: RotationRoom, rotations: Rotations, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[int, float]] = []

    def pause_after(waiting: int, late_seconds: float) -> float:
        asked.append((waiting, late_seconds))
        return 3600.0

    monkeypatch.setattr(rotating, "pause_after", pause_after)
    arns = [rotated(room, f"db{number}", f"user{number}") for number in range(10)]
    room.clock.pass_(seconds=7)
    for done in (1, 2):
        for _ in range(3):
            rotations.tick()
            idle(rotations)
        assert sum(AWSPENDING not in room.labels(arn) for arn in arns) == done
        rotations._begin_again = float("-inf")
    assert [waiting for waiting, _ in asked] == [10, 10], "counted a moment ago"
    assert all(late >= 7.0 for _, late in asked)
    for _ in arns:
        rotations.tick()
        idle(rotations)
    assert all(AWSPENDING not in room.labels(arn) for arn in arns)
    assert len(asked) == 2, "eight are a few"


@pytest.mark.parametrize(("behind", "made_good"), [(0.0, 0.0), (50.0, 50.0), (3599.0, 3599.0), (4000.0, 0.0)])
def test_a_tick_that_is_late_does_not_slow_the_pace_down(
    room: RotationRoom,
    rotations: Rotations,
    monkeypatch: pytest.MonkeyPatch,
    behind: float,
    made_good: float,
) -> None:
    monkeypatch.setattr(rotating, "pause_after", lambda waiting, late_seconds: 3600.0)
    for number in range(9):
        rotated(room, f"db{number}", f"user{number}")
    moment = time.monotonic()
    monkeypatch.setattr(rotating.time, "monotonic", lambda: moment)
    rotations._begin_again = moment - behind
    rotations.tick()
    monkeypatch.undo()
    idle(rotations)
    assert rotations._begin_again == pytest.approx(moment + 3600.0 - made_good)


def test_an_unknown_error_fails_the_attempt_and_tells_no_secret(
    room: RotationRoom, rotations: Rotations, log: RememberingLog
) -> None:
    arn = rotated(room)

    def before(step: str, material: Any) -> None:
        raise LookupError(f"Canary {material.current['password']}")

    room.rotator.before = before
    rotations.tick()
    idle(rotations)
    [record] = room.history(arn)
    assert record.outcome is Outcome.FAILED
    assert record.message == "LookupError: an error of this server's own; its log has more"
    assert "Canary" not in str(log.lines)
    assert b"Canary" not in b"".join(room.unit.events)
    assert room.labels(arn)[AWSCURRENT] == version_id(1)


def test_what_cannot_be_recorded_is_left_alone_for_a_while(
    room: RotationRoom, rotations: Rotations, log: RememberingLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    arn = rotated(room)

    def failing(*_: Any) -> None:
        raise ServiceUnavailableException("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(rotating, "take", failing)
        rotations.tick()
        idle(rotations)
        rotations.tick()
        idle(rotations)
    assert log.errors() == ["a rotation was interrupted"]
    assert room.rotator.begun == []
    monkeypatch.setattr(rotating, "REST_SECONDS", 0.0)
    rotations._resting.clear()
    rotations.tick()
    idle(rotations)
    assert room.labels(arn)[AWSCURRENT] == f"{'db':x<32}"


def test_what_was_begun_and_cannot_be_recorded_is_taken_up_later(
    room: RotationRoom, rotations: Rotations, log: RememberingLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    arn = rotated(room)

    def failing(*_: Any) -> None:
        raise ServiceUnavailableException("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(rotating, "proceed", failing)
        rotations.tick()
        idle(rotations)
    assert log.errors() == ["a rotation was interrupted"]
    assert room.due() == []
    room.clock.pass_(seconds=rotating.REST_SECONDS)
    rotations._resting.clear()
    rotations.tick()
    idle(rotations)
    assert room.rotator.begun == ["create", "set", "test", "finish"], "the version made before is used"
    assert room.labels(arn)[AWSCURRENT] == f"{'db':x<32}"


def test_a_process_that_has_to_end_finishes_the_step_and_begins_no_other(
    room: RotationRoom, rotations: Rotations, log: RememberingLog
) -> None:
    arn = rotated(room)
    begun, go_on = threading.Event(), threading.Event()

    def before(step: str, material: Any) -> None:
        if step == "set":
            begun.set()
            go_on.wait(SECONDS)

    room.rotator.before = before
    rotations.tick()
    assert begun.wait(SECONDS)
    assert not rotations.finish(0.0), "a step is being done"
    go_on.set()
    assert rotations.finish(SECONDS)
    assert room.rotator.begun == ["create", "set"]
    assert room.labels(arn) == {AWSCURRENT: version_id(1), AWSPENDING: f"{'db':x<32}"}
    following = Rotations(room.store, room.resources, room.steps, room.clock, "process-2", log)
    following.tick()
    idle(following)
    following.finish(SECONDS)
    assert room.rotator.begun == ["create", "set", "test", "finish"]
    assert room.labels(arn)[AWSCURRENT] == f"{'db':x<32}"


def test_a_step_cut_off_by_the_end_of_the_server_has_not_failed(
    room: RotationRoom, rotations: Rotations, log: RememberingLog
) -> None:
    arn = rotated(room)
    begun, cut_off = threading.Event(), threading.Event()

    def before(step: str, material: Any) -> None:
        begun.set()
        cut_off.wait(SECONDS)
        raise RotationFault(FaultKind.FUNCTION, "the sandbox was closed")

    room.rotator.before = before
    rotations.tick()
    assert begun.wait(SECONDS)
    rotations.finish(0.0)
    cut_off.set()
    assert rotations.finish(SECONDS)
    assert room.history(arn) == []
    assert log.errors() == []
    duty = room.duty(arn)
    assert duty is not None
    assert duty.owner == "process-1", "whoever comes next takes it over"


def test_a_step_that_outlives_every_deadline_is_noticed(
    room: RotationRoom, rotations: Rotations, monkeypatch: pytest.MonkeyPatch
) -> None:
    arn = rotated(room)
    begun, go_on = threading.Event(), threading.Event()

    def before(step: str, material: Any) -> None:
        begun.set()
        go_on.wait(SECONDS)

    room.rotator.before = before
    rotations.tick()
    assert begun.wait(SECONDS)
    assert rotations.hung() is None
    monkeypatch.setattr(rotating, "HUNG_SECONDS", -1.0)
    assert rotations.hung() == arn
    go_on.set()
    idle(rotations)
    assert rotations.hung() is None


def test_metrics_tell_what_rotates_and_what_needs_looking_after(
    room: RotationRoom, rotations: Rotations
) -> None:
    stuck, well = rotated(room, "stuck", "one"), rotated(room, "well", "two")
    waiting = rotated(room, "waiting", "three")
    room.rotator.before = lambda step, material: refuse_set(step, material.secret_arn, stuck)
    for _ in range(2):
        rotations.tick()
        idle(rotations)
    room.clock.pass_(seconds=2)
    assert gauges(rotations) == {
        "secrets": 1.0, "due": 0.0, "running": 0.0, "failed": 1.0, "overdue": 0.0,
        "oldest_credential_age_seconds": 1.999,
    }  # fmt: skip
    assert room.duty(well) is None, "it has no schedule"
    assert room.duty(waiting) is None
    room.run(ROTATE_SECRET, {"SecretId": "well", "ClientRequestToken": "t" * 32, **DAILY})
    assert gauges(rotations)["due"] == 1.0
    room.clock.pass_(days=3)
    assert gauges(rotations)["overdue"] == 1.0
    failures = rotations.families()[-1]
    assert [(each.labels, each.value) for each in failures.samples] == [({"kind": "target"}, 1.0)]


DAILY: dict[str, Any] = {"RotationRules": {"AutomaticallyAfterDays": 1}}


def refuse_set(step: str, arn: str, refused: str) -> None:
    if (step, arn) == ("set", refused):
        raise RotationFault(FaultKind.TARGET, "it is stuck")


def gauges(rotations: Rotations) -> dict[str, float]:
    found = [each for each in rotations.families() if each.kind == "gauge"]
    return {each.name.removeprefix("strongroom_rotation_"): each.samples[0].value for each in found}


def test_a_trail_whose_flush_failed_takes_records_again(tmp_path: Path, log: RememberingLog) -> None:
    def failing(descriptor: int) -> None:
        raise OSError(errno.EIO, "an error of the disk")

    trail = SegmentTrail.open(tmp_path, role="rotation")
    try:
        with pytest.MonkeyPatch.context() as broken:
            broken.setattr(os, "fsync", failing)
            broken.setattr(os, "fdatasync", failing)
            with pytest.raises(ServiceUnavailableException):
                trail.sync()
            rotation.mend(trail, log)
            assert trail.broken
        rotation.mend(trail, log)
        trail.append(b"{}")
    finally:
        trail.close()
    assert verify_trail(tmp_path).records == 1


def test_secrets_without_a_duty_are_looked_for_until_all_were_seen(
    room: RotationRoom, log: RememberingLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rotation_sweep, "PAGE", 1)
    secret = room.add_rotated()
    sweep = DutySweep(room.store)

    def damaged(*_: Any) -> Any:
        raise IntegrityError("The stored record of 'x' is damaged.")

    with monkeypatch.context() as broken:
        broken.setattr(room.unit, "secrets_after", damaged)
        assert rotation.advance(sweep, log) == rotating.REST_SECONDS
    assert [line[:2] for line in log.lines] == [
        ("error", "cannot look for secrets that nothing is due for yet")
    ]
    assert rotation.advance(sweep, log) == 0.0
    assert rotation.advance(sweep, log) == math.inf
    assert sweep.done
    assert room.duty(secret.arn) is None, "nobody called RotateSecret for it"

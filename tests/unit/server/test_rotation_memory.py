"""What a run reads of its secret once, what it reads and asks again, and what it knows of the new value."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from strongroom.names import AWSCURRENT, AWSPREVIOUS, AccountId, Arn, Region
from strongroom.operations.secretsmanager.policies import PUT_RESOURCE_POLICY
from strongroom.operations.secretsmanager.rotation import ROTATE_SECRET
from strongroom.operations.secretsmanager.versions import UPDATE_SECRET_VERSION_STAGE
from strongroom.secret.material import RotationMaterial
from strongroom.secret.runs import Outcome, Step
from strongroom.server.rotating import Rotations
from strongroom.server.rotation_memory import RunMemory
from strongroom.server.rotation_steps import Calls, RotationSteps
from support.function_room import RememberingLog
from support.replica_room import version_id
from support.rotation_room import RotationRoom

SECONDS = 20
TOKEN = "t" * 32
OTHER = "o" * 32
DENIED = {"Effect": "Deny", "Principal": "*", "Action": "secretsmanager:GetSecretValue", "Resource": "*"}


class NotedCalls:
    """Passes calls on; notes them, with what they name a version by."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self.made: list[str] = []

    def call(
        self, operation: str, request: Mapping[str, Any], *, account_id: AccountId, region: Region
    ) -> dict[str, Any]:
        which = request.get("VersionId") or request.get("VersionStage", "")
        self.made.append(f"{operation} {which}".strip())
        return self._calls.call(operation, request, account_id=account_id, region=region)


@pytest.fixture
def room() -> RotationRoom:
    return RotationRoom()


@pytest.fixture
def calls(room: RotationRoom) -> NotedCalls:
    return NotedCalls(room.steps._calls)


@pytest.fixture
def rotations(room: RotationRoom, calls: NotedCalls) -> Iterator[Rotations]:
    steps = RotationSteps(room.resources, calls, room.clock)
    made = Rotations(room.store, room.resources, steps, room.clock, "process-1", RememberingLog(), threads=1)
    yield made
    made.finish(SECONDS)


def begun(room: RotationRoom, name: str = "db") -> Arn:
    room.target.passwords["bob"] = "old"
    secret = room.add_rotated(name, username="bob")
    room.run(ROTATE_SECRET, {"SecretId": name, "ClientRequestToken": TOKEN})
    return secret.arn


def work(rotations: Rotations) -> None:
    rotations.tick()
    deadline = time.monotonic() + SECONDS
    while rotations.running:
        assert time.monotonic() < deadline, "it did not end in time"
        time.sleep(0.001)


def test_a_run_reads_tags_and_the_current_value_once_and_the_new_one_before_each_use(
    room: RotationRoom, rotations: Rotations, calls: NotedCalls
) -> None:
    arn = begun(room)
    work(rotations)
    assert calls.made == [
        "DescribeSecret",
        "GetSecretValue AWSCURRENT",
        "PutSecretValue",
        f"GetSecretValue {TOKEN}",
        f"GetSecretValue {TOKEN}",
        "UpdateSecretVersionStage AWSCURRENT",
    ]
    assert room.labels(arn)[AWSCURRENT] == TOKEN


def test_a_later_run_knows_nothing_of_the_one_before(
    room: RotationRoom, rotations: Rotations, calls: NotedCalls
) -> None:
    begun(room)
    work(rotations)
    calls.made.clear()
    room.run(ROTATE_SECRET, {"SecretId": "db", "ClientRequestToken": OTHER})
    work(rotations)
    assert calls.made.count("GetSecretValue AWSCURRENT") == 1
    assert calls.made.count("GetSecretValue AWSPREVIOUS") == 1, "setSecret may need it"
    assert calls.made.count(f"GetSecretValue {OTHER}") == 2


def test_only_the_step_after_the_one_that_made_the_value_takes_it_for_untried(
    room: RotationRoom, rotations: Rotations
) -> None:
    seen: list[tuple[str, bool]] = []
    room.rotator.before = lambda step, material: seen.append((step, material.untried))
    begun(room)
    work(rotations)
    assert seen == [("create", False), ("set", True), ("test", False), ("finish", False)]


def test_whoever_takes_a_run_up_does_not_take_its_value_for_untried(room: RotationRoom) -> None:
    seen: list[tuple[str, bool]] = []
    room.rotator.before = lambda step, material: seen.append((step, material.untried))
    arn = begun(room)
    task = room.take(arn)
    assert task is not None
    following = room.do(task)
    assert following is not None
    assert following.step is Step.SET
    # The process ends in setSecret, after the target has the new password.
    room.steps.do(following, RunMemory(made=following.version_id))
    room.release("process-2")
    again = room.take(arn, "process-2")
    assert again is not None
    assert again.step is Step.SET
    room.steps.do(again)
    assert seen == [("create", False), ("set", True), ("set", False)]


def test_a_made_value_is_untried_once(room: RotationRoom) -> None:
    arn = begun(room)
    task, memory = room.take(arn), RunMemory()
    assert task is not None
    room.steps.do(task, memory)
    assert memory.made == TOKEN
    following = room.proceed(task)
    assert following is not None
    room.steps.do(following, memory)
    assert memory.made is None
    room.steps.do(task, memory)
    assert memory.made is None, "createSecret found the value there"


def test_a_role_that_may_read_no_more_fails_the_next_step_whatever_is_known(
    room: RotationRoom, rotations: Rotations
) -> None:
    arn = begun(room)

    def before(step: str, material: RotationMaterial) -> None:
        document = json.dumps({"Version": "2012-10-17", "Statement": [DENIED]})
        room.run(PUT_RESOURCE_POLICY, {"SecretId": "db", "ResourcePolicy": document})

    room.rotator.before = before
    work(rotations)
    [record] = room.history(arn)
    assert (record.outcome, record.step, record.kind) == (Outcome.FAILED, Step.SET, "service")
    assert record.message.startswith("GetSecretValue was refused: AccessDeniedException: ")
    assert room.rotator.begun == ["create"]
    assert room.target.passwords["bob"] == "old"


def test_a_label_that_moves_meanwhile_shows_in_the_next_step(
    room: RotationRoom, rotations: Rotations
) -> None:
    arn = begun(room)
    work(rotations)
    made = room.document(arn)["password"]
    seen: list[tuple[str, str]] = []

    def before(step: str, material: RotationMaterial) -> None:
        seen.append((step, material.current.text("password")))
        if step == "set":
            moved = {"MoveToVersionId": version_id(1), "RemoveFromVersionId": TOKEN}
            request = {"SecretId": "db", "VersionStage": AWSCURRENT, **moved}
            room.run(UPDATE_SECRET_VERSION_STAGE, request)

    room.rotator.before = before
    room.run(ROTATE_SECRET, {"SecretId": "db", "ClientRequestToken": OTHER})
    work(rotations)
    assert seen == [("create", made), ("set", made), ("test", "old"), ("finish", "old")]
    assert room.labels(arn) == {AWSCURRENT: OTHER, AWSPREVIOUS: version_id(1)}


def test_nothing_of_what_is_remembered_is_printed() -> None:
    assert "documents" not in repr(RunMemory())

"""The rotation step machine: each case, and every way a rotation can go (`support.rotation_model`).

Source: fact sheet rotation sections 4, 5 and 8; DESIGN promise 7.
"""

from __future__ import annotations

import datetime as dt
from collections import deque
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from strongroom.names import AWSCURRENT, AWSPENDING, VersionId
from strongroom.secret.runs import RotationFailure, RotationRun, Step
from strongroom.secret.staging import Labels
from strongroom.secret.steps import (
    CANCELLED,
    DELETED,
    NO_PENDING_VALUE,
    NO_SCHEDULE_PAUSE,
    NOT_CURRENT,
    REPLACED,
    RETRY_PAUSES,
    Abandon,
    Action,
    Complete,
    EndTest,
    Fail,
    Invoke,
    Seen,
    after_failure,
    after_step,
    after_success,
    next_action,
)
from support.rotation_model import World, begin, begun, successors

NOW = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)
OLD, NEW, OTHER = VersionId("old"), VersionId("new"), VersionId("other")
RUN = RotationRun(version_id=NEW, started_at=NOW)
STUB = Seen(alive=True, enabled=True, current=OLD, pending=NEW, has_value=False)
MADE = replace(STUB, has_value=True)
PROMOTED = replace(MADE, current=NEW)
FAILURE = RotationFailure(step=Step.SET, kind="login", message="refused", at=NOW)


def at(step: Step | None, **members: Any) -> RotationRun:
    return msgspec.structs.replace(RUN, step=step, **members)


@pytest.mark.parametrize(
    ("run", "seen", "action"),
    [
        (RUN, STUB, Invoke(Step.CREATE)),
        (RUN, MADE, Invoke(Step.CREATE)),
        (at(Step.SET), MADE, Invoke(Step.SET)),
        (at(Step.SET), STUB, Fail(Step.CREATE, NO_PENDING_VALUE)),
        (at(Step.TEST), MADE, Invoke(Step.TEST)),
        (at(Step.FINISH), MADE, Invoke(Step.FINISH)),
        (at(None), MADE, Fail(Step.FINISH, NOT_CURRENT)),
        (at(None), PROMOTED, Complete()),
        (at(Step.FINISH), PROMOTED, Invoke(Step.FINISH)),
        (at(Step.CREATE), PROMOTED, Invoke(Step.FINISH)),
        (at(None), replace(PROMOTED, pending=None), Complete()),
        (at(Step.SET), replace(MADE, pending=None), Abandon(REPLACED)),
        (at(Step.SET), replace(MADE, pending=OTHER), Abandon(REPLACED)),
        (at(Step.SET), replace(MADE, current=OTHER, pending=None), Abandon(REPLACED)),
        (at(Step.SET), replace(MADE, enabled=False), Abandon(CANCELLED)),
        (at(None), replace(PROMOTED, alive=False), Abandon(DELETED)),
        (at(Step.TEST, test_only=True), MADE, Invoke(Step.TEST)),
        (at(None, test_only=True), MADE, EndTest()),
    ],
)
def test_what_is_done_next(run: RotationRun, seen: Seen, action: Action) -> None:
    assert next_action(run, seen) == action


def test_steps_follow_one_another_and_a_test_has_one() -> None:
    run, seen = RUN, []
    while run.step is not None:
        seen.append(run.step)
        run = after_step(run, run.step)
    assert seen == ["createSecret", "setSecret", "testSecret", "finishSecret"]
    assert after_step(at(Step.TEST, test_only=True), Step.TEST).step is None


def test_a_failed_attempt_is_made_again_from_the_first_step_with_growing_pauses() -> None:
    run, when = at(Step.SET), []
    for _ in RETRY_PAUSES:
        later = after_failure(run, msgspec.structs.replace(FAILURE, at=NOW), None)
        assert later is not None
        assert (later.run.step, later.run.version_id) == (Step.CREATE, NEW)
        run = later.run
        when.append(later.at - NOW)
    assert when == sorted(RETRY_PAUSES)
    assert (run.attempt, run.attempts) == (5, 5)
    last = after_failure(run, FAILURE, None)
    assert last is not None
    assert last.at == NOW + NO_SCHEDULE_PAUSE
    assert (last.run.attempt, last.run.attempts, last.run.failure) == (1, 6, FAILURE)


def test_attempts_end_with_their_window_and_go_on_in_the_next() -> None:
    closes = NOW + dt.timedelta(seconds=4)
    turn = (NOW + dt.timedelta(hours=8), NOW + dt.timedelta(hours=9))
    later = after_failure(at(Step.SET, closes_at=closes), FAILURE, turn)
    assert later is not None
    assert (later.at, later.run.closes_at, later.run.attempt) == (turn[0], turn[1], 1)
    within = after_failure(at(Step.SET, closes_at=closes + dt.timedelta(seconds=2)), FAILURE, turn)
    assert within is not None
    assert within.at == NOW + RETRY_PAUSES[0]


def test_what_has_changed_the_target_is_attempted_until_it_has_ended_whatever_its_window() -> None:
    run = after_step(at(Step.SET, closes_at=NOW), Step.SET)
    turn = (NOW + dt.timedelta(days=300), NOW + dt.timedelta(days=301))
    pauses = []
    for _ in range(7):
        later = after_failure(run, FAILURE, turn)
        assert later is not None
        run = later.run
        assert run.changed
        pauses.append(later.at - FAILURE.at)
    assert pauses == [*RETRY_PAUSES, *3 * RETRY_PAUSES[-1:]]
    assert (run.attempt, run.attempts) == (8, 8)


def test_a_failed_test_is_not_made_again() -> None:
    assert after_failure(at(Step.TEST, test_only=True), FAILURE, None) is None


# Every way


def reached(start: World) -> dict[World, World | None]:
    """Return every world that can come of `start`, each with one it came from."""
    came_from: dict[World, World | None] = {start: None}
    waiting = deque([start])
    while waiting:
        world = waiting.popleft()
        for after in successors(world):
            if after not in came_from:
                came_from[after] = world
                waiting.append(after)
    return came_from


def story(world: World, came_from: dict[World, World | None]) -> str:
    told = []
    step: World | None = world
    while step is not None:
        told.append(f"{step.told}: {dict(step.labels)}, the target takes {step.target}")
        step = came_from[step]
    return "\n".join(reversed(told))


def ends(world: World, known: set[World]) -> bool:
    """True when the process comes to an end by itself from here, with nobody in its way. `known` are worlds
    from which it does."""
    alone, passed = replace(world, faults=0, by_others=0, told=""), []
    for _ in range(40):
        passed.append(alone)
        if alone in known or (alone.run is None and alone.reading is None):
            known.update(passed)
            return True
        alone = replace(next(iter(successors(alone))), told="")
    return False


@pytest.mark.parametrize("alternating", [False, True], ids=["single user", "alternating users"])
@pytest.mark.parametrize("second_rotation", [False, True], ids=["first rotation", "second rotation"])
def test_however_it_goes_no_application_is_stranded_and_every_run_ends(
    alternating: bool, second_rotation: bool
) -> None:
    start = begin(alternating=alternating)
    if second_rotation:
        start = begun(_completed(start), "third")
    worlds = reached(start)
    assert len(worlds) > 1000, "the model explores"
    outcomes, ending = set(), set[World]()
    for world in worlds:
        assert any(world.opens(version) for _, version in world.labels), story(world, worlds)
        before = worlds[world]
        current = world.label(AWSCURRENT)
        if alternating and current in ("first", "by-hand", *world.tested):
            # Any other was made current by somebody, untried.
            assert world.opens(current), story(world, worlds)
        if before is not None and current != before.label(AWSCURRENT) and before.by_others == world.by_others:
            assert current in world.tested, story(world, worlds)
        assert ends(world, ending), story(world, worlds)
        if world.run is None and world.reading is None:
            outcomes.add((world.label(AWSCURRENT), world.label(AWSPENDING), bool(world.completed)))
    made = "third" if second_rotation else "second"
    assert (made, None, True) in outcomes
    assert ("by-hand", None, second_rotation) in outcomes


def _completed(world: World) -> World:
    """Return the world after the rotation under way has gone well."""
    alone = replace(world, faults=0, by_others=0)
    while alone.run is not None or alone.reading is not None:
        alone = next(iter(successors(alone)))
    assert alone.label(AWSPENDING) is None
    return replace(alone, faults=world.faults, by_others=world.by_others)


def test_the_model_tells_a_machine_that_leaves_a_given_version_without_a_label(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("support.rotation_model.after_end", lambda run, labels: labels)
    worlds = reached(begin(alternating=False))
    stranded = [world for world in worlds if not any(world.opens(version) for _, version in world.labels)]
    assert any(world.label(AWSCURRENT) == "wrong-by-hand" for world in stranded)
    assert any(world.label(AWSCURRENT) == "first" for world in stranded)


def test_the_model_tells_a_machine_that_takes_an_untested_version_for_what_the_target_has(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def careless(run: RotationRun, labels: Labels) -> Labels:
        return after_success(msgspec.structs.replace(run, tested=True), labels)

    monkeypatch.setattr("support.rotation_model.after_success", careless)
    worlds = reached(begin(alternating=False))
    assert any(not any(world.opens(version) for _, version in world.labels) for world in worlds)


def test_the_model_tells_a_machine_that_promotes_before_the_test(monkeypatch: pytest.MonkeyPatch) -> None:
    def careless(run: RotationRun, step: Step) -> RotationRun:
        done = after_step(run, step)
        return msgspec.structs.replace(done, step=Step.FINISH if done.step is Step.TEST else done.step)

    monkeypatch.setattr("support.rotation_model.after_step", careless)
    worlds = reached(begin(alternating=False))
    untested = [w for w in worlds if w.label(AWSCURRENT) == "second" and "second" not in w.tested]
    assert untested

"""Every way a rotation can go: the step machine in a world of labels, values and a target that takes passwords,
with anything happening between any two writes.

A step is read (what it works with is looked up), done (its one write, to the secret or the target) and
recorded; a crash, a lost answer, a call of somebody else may come before or after each of these.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, replace

import msgspec

from strongroom.names import AWSCURRENT, AWSPENDING, AWSPREVIOUS, StagingLabel, VersionId
from strongroom.secret.runs import RotationFailure, RotationRun, Step
from strongroom.secret.staging import abandoned_labels, after_new_version, attach
from strongroom.secret.steps import (
    Abandon,
    Complete,
    EndTest,
    Fail,
    Invoke,
    Seen,
    after_end,
    after_failure,
    after_step,
    after_success,
    before_step,
    next_action,
)

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
FIRST, BY_HAND, PENDING_BY_HAND = VersionId("first"), VersionId("by-hand"), VersionId("pending-by-hand")
WRONG_BY_HAND, AGAIN = VersionId("wrong-by-hand"), VersionId("again")
ADMIN = "admin"
Login = tuple[str, str]


@dataclass(frozen=True)
class Reading:
    """What a step works with."""

    step: Step
    labels: tuple[tuple[str, str], ...]
    done: bool | None = None
    """None: its write is still to come; then whether it succeeded."""


@dataclass(frozen=True)
class World:
    alternating: bool
    labels: tuple[tuple[str, str], ...]
    values: tuple[tuple[str, Login], ...]
    target: tuple[Login, ...]
    """Each user with the password that opens."""
    run: RotationRun | None
    reading: Reading | None = None
    tested: tuple[str, ...] = ()
    """Versions that have logged in while they were being tested."""
    completed: tuple[str, ...] = ()
    enabled: bool = True
    alive: bool = True
    faults: int = 2
    """How many crashes and failures may still come."""
    by_others: int = 3
    """How many calls of somebody else may still come."""
    mistaken: bool = False
    """Somebody has made a value current that does not open. Two in a row would leave nothing that does,
    rotation or no rotation."""
    told: str = ""
    """What happened last."""

    def label(self, label: StagingLabel) -> VersionId | None:
        found = dict(self.labels).get(label)
        return None if found is None else VersionId(found)

    def opens(self, version: str | None) -> bool:
        login = dict(self.values).get(version or "")
        return login is not None and login in self.target

    def with_login(self, login: Login) -> World:
        return replace(self, target=tuple(sorted({**dict(self.target), login[0]: login[1]}.items())))

    def with_labels(self, labels: dict[StagingLabel, VersionId]) -> World:
        return replace(self, labels=tuple(sorted(labels.items())))

    def label_map(self) -> dict[StagingLabel, VersionId]:
        return {StagingLabel(label): VersionId(version) for label, version in self.labels}


def begin(*, alternating: bool, version: str = "second") -> World:
    """Return the world in which RotateSecret was just called."""
    world = World(
        alternating=alternating,
        labels=((AWSCURRENT, FIRST),),
        values=((FIRST, ("app", "pw-first")),),
        target=(("app", "pw-first"),),
        run=None,
    )
    return begun(world, version)


def begun(world: World, version: str) -> World:
    token = VersionId(version)
    run = RotationRun(version_id=token, started_at=NOW)
    return replace(world.with_labels(dict(attach(world.label_map(), AWSPENDING, token))), run=run)


def successors(world: World) -> Iterator[World]:
    """Yield every world that may come next."""
    yield from _process(world)
    yield from _others(world)


# The process


def _process(world: World) -> Iterator[World]:
    run = world.run
    if world.reading is not None:
        if world.faults:
            lost = replace(world, reading=None, faults=world.faults - 1)
            yield replace(lost, told="crash")
            yield _failed(replace(lost, told=f"{world.reading.step} failed"), world.reading.step)
        if world.reading.done is None:
            yield _written(world, world.reading)
        else:
            yield _recorded(world, world.reading)
        return
    if run is None:
        return
    match next_action(run, _seen(world, run)):
        case Invoke(step):
            yield replace(
                world,
                run=before_step(run, step),
                reading=Reading(step, world.labels),
                told=f"{step} is begun",
            )
        case Complete():
            yield replace(
                world.with_labels(dict(after_success(run, world.label_map()))),
                run=None,
                completed=(*world.completed, run.version_id),
                told="completed",
            )
        case Abandon(reason):
            yield replace(_ended(world), told=reason)
        case Fail(step, message):
            yield _failed(replace(world, told=message), step)
        case EndTest():
            raise AssertionError("no test was asked for")


def _seen(world: World, run: RotationRun) -> Seen:
    return Seen(
        alive=world.alive,
        enabled=world.enabled,
        current=world.label(AWSCURRENT),
        pending=world.label(AWSPENDING),
        has_value=run.version_id in dict(world.values),
    )


def _written(world: World, reading: Reading) -> World:
    """The step's one write, as `server/rotation_steps` and a rotator do it, with what was read before."""
    after = _effect(world, reading)
    done = after is not None
    return replace(
        after or world, reading=replace(reading, done=done), told=f"{reading.step} is done: {done}"
    )


def _effect(world: World, reading: Reading) -> World | None:
    run, labels, values = world.run, dict(reading.labels), dict(world.values)
    # The process goes on with a step it has begun, whatever became of its run.
    token = run.version_id if run is not None else labels.get(AWSPENDING, "")
    if token not in (labels.get(AWSPENDING), labels.get(AWSCURRENT)):
        return None
    current, pending = values.get(labels.get(AWSCURRENT, "")), values.get(token)
    match reading.step:
        case Step.CREATE:
            if pending is not None:
                return world
            if run is None or current is None:
                return None  # the rotation token is nobody's any more
            user = current[0]
            if world.alternating:
                user = user.removesuffix("_clone") if user.endswith("_clone") else f"{user}_clone"
            return replace(world, values=(*world.values, (token, (user, f"pw-{token}"))))
        case Step.SET:
            if pending is None:
                return None
            others = [AWSPREVIOUS, *abandoned_labels(world.label_map())]
            opening = [pending, current, *(values.get(labels.get(label, "")) for label in others)]
            if world.alternating or any(login in world.target for login in opening):
                return world.with_login(pending)
            return None
        case Step.TEST:
            if pending is None or pending not in world.target:
                return None
            return replace(world, tested=(*world.tested, token))
        case Step.FINISH:
            if world.label(AWSCURRENT) == token:
                return world
            if world.label(AWSCURRENT) != labels.get(AWSCURRENT):
                return None  # RemoveFromVersionId does not have the label
            return world.with_labels(dict(attach(world.label_map(), AWSCURRENT, VersionId(token))))


def _recorded(world: World, reading: Reading) -> World:
    run = world.run
    idle = replace(world, reading=None)
    if run is None:
        return replace(idle, told="the run is no longer there")
    if not reading.done:
        return _failed(replace(idle, told=f"{reading.step} failed"), reading.step)
    return replace(idle, run=after_step(run, reading.step), told=f"{reading.step} is recorded")


def _failed(world: World, step: Step) -> World:
    if world.run is None:
        return world
    failure = RotationFailure(step=step, kind="target", message="", at=NOW)
    later = after_failure(world.run, failure, None)
    assert later is not None, "a rotation is tried again"
    # Moments and counts make no difference to what is done.
    run = msgspec.structs.replace(later.run, attempt=1, attempts=1, failure=None)
    return replace(world, run=run)


# Somebody else


def _others(world: World) -> Iterator[World]:
    if not world.by_others:
        return
    less = replace(world, by_others=world.by_others - 1)
    pending, in_flight = world.label(AWSPENDING), world.reading is not None
    if world.reading is None or world.reading.step is Step.CREATE:
        # `rotation_runs.verify_version_may_come` refuses both while the target may get the new password.
        if BY_HAND not in dict(world.values):
            yield _put_by_hand(less)
        if PENDING_BY_HAND not in dict(world.values):
            yield _pending_by_hand(less)
        if not world.mistaken:
            yield _put_wrong(less)
    if pending is not None and pending != world.label(AWSCURRENT) and not in_flight:
        # `rotation_runs.verify_label_may_go` refuses it as long as a step is being done.
        yield _given_up(less)
    if pending is not None and pending != world.label(AWSCURRENT) and not in_flight:
        yield _taken_off(less)
        yield _promoted_by_hand(less)
    may_rotate = world.run is None and pending is None and world.enabled and world.alive
    if may_rotate and AGAIN not in dict(world.values):
        yield replace(begun(less, AGAIN), told="RotateSecret")
    # Both end a run at once, or with the step that is being done; every label stays.
    ended = less if in_flight else _ended(less)
    if world.enabled:
        yield replace(ended, enabled=False, told="cancelled")
    if world.alive:
        yield replace(ended, alive=False, told="deleted")


def _put_by_hand(world: World) -> World:
    """A person changes the password of the user in use, and puts it into the secret."""
    current = dict(world.values).get(world.label(AWSCURRENT) or "", ("app", ""))
    login = (current[0], "pw-by-hand")
    labels = after_new_version(world.label_map(), BY_HAND, None)
    changed = replace(world, values=(*world.values, (BY_HAND, login))).with_login(login)
    return _followed(replace(changed.with_labels(dict(labels)), told="put by hand"))


def _put_wrong(world: World) -> World:
    """A person puts a value into the secret that the target does not take."""
    current = dict(world.values).get(world.label(AWSCURRENT) or "", ("app", ""))
    labels = after_new_version(world.label_map(), WRONG_BY_HAND, None)
    values = (*world.values, (WRONG_BY_HAND, (current[0], "pw-wrong")))
    changed = replace(world.with_labels(dict(labels)), values=values, mistaken=True)
    return _followed(replace(changed, told="a wrong one is put"))


def _taken_off(world: World) -> World:
    """A person takes AWSPENDING off, and leaves the target as it is."""
    labels = {label: version for label, version in world.label_map().items() if label != AWSPENDING}
    return _followed(replace(world.with_labels(labels), told="AWSPENDING is just taken off"))


def _promoted_by_hand(world: World) -> World:
    """A person makes the pending version current, whatever the target has."""
    pending = world.label(AWSPENDING)
    if pending is None or pending not in dict(world.values):
        return world
    wrong = not world.opens(pending)
    if wrong and world.mistaken:
        return world
    labels = attach(world.label_map(), AWSCURRENT, pending)
    changed = replace(world.with_labels(dict(labels)), mistaken=world.mistaken or wrong)
    return _followed(replace(changed, told="AWSPENDING is made current by hand"))


def _pending_by_hand(world: World) -> World:
    """A person writes another value under AWSPENDING, and sets the old password again."""
    current = dict(world.values)[world.label(AWSCURRENT) or ""]
    labels = after_new_version(world.label_map(), PENDING_BY_HAND, [AWSPENDING])
    values = (*world.values, (PENDING_BY_HAND, (current[0], "pw-pending-by-hand")))
    changed = replace(world, values=values).with_login(current).with_labels(dict(labels))
    return _followed(replace(changed, told="AWSPENDING is put elsewhere"))


def _given_up(world: World) -> World:
    """A person repairs: the old password is set again, and AWSPENDING is taken off."""
    current = dict(world.values)[world.label(AWSCURRENT) or ""]
    labels = {label: version for label, version in world.label_map().items() if label != AWSPENDING}
    repaired = world.with_login(current).with_labels(labels)
    return _followed(replace(repaired, told="AWSPENDING is taken off"))


def _followed(world: World) -> World:
    """What `rotation_runs.follow_change` does with the same write."""
    run = world.run
    if run is not None and isinstance(next_action(run, _seen(world, run)), Abandon):
        return _ended(world)
    return world


def _ended(world: World) -> World:
    """Its run has ended without success."""
    if world.run is None:
        return world
    return replace(world.with_labels(dict(after_end(world.run, world.label_map()))), run=None)

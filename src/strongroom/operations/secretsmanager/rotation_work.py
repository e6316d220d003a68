"""What the rotation process does on the store: it takes what is due, and records each step before the next.

Each function is one transaction's part, a run's change with its event. Sources: fact sheets rotation sections
3 to 5, cloudtrail section 4.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Final

from msgspec.structs import replace

from strongroom.names import AccountId, Arn, Region, VersionId
from strongroom.operations.call import Call, Resources
from strongroom.operations.rotation_role import service_call
from strongroom.operations.secretsmanager.replicas import propagate
from strongroom.operations.secretsmanager.rotation_records import (
    LEASE,
    duty_of,
    random_id,
    remember,
    run_event,
    token_digest,
)
from strongroom.operations.secretsmanager.rotation_runs import abandon, begin, schedule
from strongroom.ports import ROTATION_DUTIES, ReadUnit, WriteUnit
from strongroom.secret import steps
from strongroom.secret.document import FaultKind, RotationFault
from strongroom.secret.lifecycle import changed_at, is_marked
from strongroom.secret.records import Secret
from strongroom.secret.rotation import pending_version, rescheduled, turn_after, turn_at
from strongroom.secret.runs import Outcome, RotationDuty, RotationFailure, RotationRun, Step
from strongroom.secret.staging import Labels

__all__ = ["Task", "due", "fail", "proceed", "put_back", "release_others", "take"]

_PAGE: Final = 500


@dataclass(frozen=True, slots=True, repr=False)
class Task:
    """A step to be done now by whoever took it. Prints nothing: it holds the rotation token."""

    secret_arn: Arn
    account_id: AccountId
    region: Region
    version_id: VersionId
    step: Step
    attempt: int
    test_only: bool
    rotation_token: str
    owner: str


def due(unit: ReadUnit, now: dt.datetime, limit: int) -> list[RotationDuty]:
    """Return what is due, the longest due first."""
    return [each for each in unit.scan(ROTATION_DUTIES, "", limit=limit) if each.due_at <= now]


def release_others(unit: WriteUnit, owner: str, now: dt.datetime) -> int:
    """What another owner has begun is due now; return how many. Only for the one process of a node, at its
    start: whoever owned them has ended."""
    released, after, latest = 0, "", now + LEASE
    while True:
        page = unit.scan(ROTATION_DUTIES, "", after=after, limit=_PAGE)
        for duty in page:
            if duty.owner and duty.owner != owner:
                unit.save(ROTATION_DUTIES, replace(duty, owner="", due_at=now))
                released += 1
        if len(page) < _PAGE or page[-1].due_at > latest:
            return released
        after = ROTATION_DUTIES.alternate(page[-1])


def put_back(unit: WriteUnit, secret_arn: Arn, owner: str, until: dt.datetime) -> None:
    """What `owner` is at is nobody's, and due at `until`: how far it came is not known."""
    duty = duty_of(unit, secret_arn)
    if duty is not None and duty.owner == owner:
        unit.save(ROTATION_DUTIES, replace(duty, owner="", due_at=until))


def take(unit: WriteUnit, resources: Resources, secret_arn: Arn, owner: str, now: dt.datetime) -> Task | None:
    """Return the step of a secret that is due now, leased to `owner`; None when nothing is, by now.

    A rotation whose time has come is begun. What was put off meanwhile is put off.
    """
    duty = duty_of(unit, secret_arn)
    if duty is None or duty.due_at > now:
        return None
    secret = unit.secret(secret_arn)
    if secret is None:
        unit.delete(ROTATION_DUTIES, "", secret_arn)
        return None
    run = duty.run
    if run is not None and _has_missed_its_window(run, now):
        turn = turn_after(secret, now)
        if turn is not None:
            later = replace(run, closes_at=turn[1], attempt=1)
            unit.save(ROTATION_DUTIES, RotationDuty(secret_arn=secret_arn, due_at=turn[0], run=later))
            return None
    if run is None:
        turn = turn_at(secret, now)
        if turn is None or is_marked(secret):
            unit.delete(ROTATION_DUTIES, "", secret_arn)
            return None
        if turn[0] > now:
            unit.save(ROTATION_DUTIES, RotationDuty(secret_arn=secret_arn, due_at=turn[0]))
            return None
        secret, run = _begin_scheduled(unit, resources, secret, turn[1], now)
    token = resources.entropy.token_bytes(32).hex()
    run = replace(run, token_digest=token_digest(token))
    step = _act(unit, resources, secret, run, owner, now)
    return None if step is None else _task(secret, run, step, owner, token)


def proceed(unit: WriteUnit, resources: Resources, task: Task, now: dt.datetime) -> Task | None:
    """The task's step is recorded as done. Return the next one; None when there is none, or the run is no
    longer the owner's."""
    found = _held(unit, task)
    if found is None:
        return None
    secret, run = found
    run = steps.after_step(run, task.step)
    step = _act(unit, resources, secret, run, task.owner, now)
    return None if step is None else _task(secret, run, step, task.owner, task.rotation_token)


def fail(
    unit: WriteUnit, resources: Resources, task: Task, fault: RotationFault, told: str, now: dt.datetime
) -> None:
    """The task's attempt has failed: it is recorded, with `told` as the event's errorMessage, and the next
    one is due when its time comes."""
    found = _held(unit, task)
    if found is None:
        return
    secret, run = found
    _fail(unit, resources, secret, run, task.step, fault, told, now)


def _begin_scheduled(
    unit: WriteUnit, resources: Resources, secret: Secret, closes_at: dt.datetime, now: dt.datetime
) -> tuple[Secret, RotationRun]:
    # AWS: a rotation that is not complete is attempted again (section 1).
    version_id = pending_version(secret) or VersionId(random_id(resources.entropy))
    secret, run = begin(unit, secret, version_id, now, resources.entropy, closes_at=closes_at)
    return _saved(unit, resources, secret, now), run


def _has_missed_its_window(run: RotationRun, now: dt.datetime) -> bool:
    """True for an attempt that was to be made in a window which has closed while nobody was there to make it.

    What is half done is done to its end at any time, be it in a later attempt: the target may have the new
    password already.
    """
    return run.step is Step.CREATE and not run.changed and run.closes_at is not None and run.closes_at <= now


def _held(unit: ReadUnit, task: Task) -> tuple[Secret, RotationRun] | None:
    duty, secret = duty_of(unit, task.secret_arn), unit.secret(task.secret_arn)
    if duty is None or duty.run is None or secret is None:
        return None
    if duty.owner != task.owner or duty.run.version_id != task.version_id:
        return None
    return secret, duty.run


def _act(
    unit: WriteUnit, resources: Resources, secret: Secret, run: RotationRun, owner: str, now: dt.datetime
) -> Step | None:
    """Return the step that is to be done now, leased; or do what is to be done instead of one."""
    has_value = unit.version(secret.arn, run.version_id) is not None
    action = steps.next_action(run, steps.seen_of(secret, run, has_value=has_value))
    match action:
        case steps.Invoke(step):
            run = steps.before_step(run, step)
            unit.save(
                ROTATION_DUTIES,
                RotationDuty(secret_arn=secret.arn, due_at=now + LEASE, run=run, owner=owner),
            )
            return step
        case steps.Complete():
            _complete(unit, resources, secret, run, now)
        case steps.EndTest():
            unlabelled = _without_pending(secret, run, now)
            _end(unit, resources, unlabelled, run, now, Outcome.SUCCEEDED)
            unit.record(run_event("Succeeded", secret, run, now, resources.entropy))
        case steps.Abandon(reason):
            left = abandon(unit, secret, run, reason, now, resources.entropy)
            if left.labels != secret.labels:
                _saved(unit, resources, replace(left, last_changed_at=changed_at(left, now)), now)
        case steps.Fail(step, message):
            fault = RotationFault(FaultKind.FUNCTION, message)
            _fail(unit, resources, secret, run, step, fault, message, now)
    return None


def _complete(
    unit: WriteUnit, resources: Resources, secret: Secret, run: RotationRun, now: dt.datetime
) -> None:
    rotation = rescheduled(secret.rotation, now)
    assert rotation is not None  # noqa: S101 - the machine has seen that it is on
    labelled = _labelled(secret, steps.after_success(run, secret.labels), now)
    done = replace(labelled, rotation=replace(rotation, last_rotated_at=now))
    _end(unit, resources, done, run, now, Outcome.SUCCEEDED)
    unit.record(run_event("Succeeded", secret, run, now, resources.entropy))


def _fail(
    unit: WriteUnit,
    resources: Resources,
    secret: Secret,
    run: RotationRun,
    step: Step,
    fault: RotationFault,
    told: str,
    now: dt.datetime,
) -> None:
    if fault.sent:
        run = replace(run, changed=True)
    failure = RotationFailure(step=step, kind=fault.kind.value, message=fault.message, at=now)
    unit.record(run_event("Failed", secret, run, now, resources.entropy, error_message=told))
    later = steps.after_failure(run, failure, turn_after(secret, now))
    if later is None:
        _end(unit, resources, _without_pending(secret, run, now), run, now, Outcome.FAILED, failure)
        return
    remember(unit, secret, run, now, Outcome.FAILED, failure)
    unit.save(ROTATION_DUTIES, RotationDuty(secret_arn=secret.arn, due_at=later.at, run=later.run))


def _end(
    unit: WriteUnit,
    resources: Resources,
    secret: Secret,
    run: RotationRun,
    now: dt.datetime,
    outcome: Outcome,
    failure: RotationFailure | None = None,
) -> None:
    remember(unit, secret, run, now, outcome, failure)
    unit.delete(ROTATION_DUTIES, "", secret.arn)
    schedule(unit, _saved(unit, resources, secret, now))


def _without_pending(secret: Secret, run: RotationRun, now: dt.datetime) -> Secret:
    return _labelled(secret, steps.without_pending(run, secret.labels), now)


def _labelled(secret: Secret, labels: Labels, now: dt.datetime) -> Secret:
    if labels == secret.labels:
        return secret
    return replace(secret, labels=labels, last_changed_at=changed_at(secret, now))


def _saved(unit: WriteUnit, resources: Resources, secret: Secret, now: dt.datetime) -> Secret:
    unit.save_secret(secret)
    if not secret.replicas and not secret.cross_account_replicas:
        return secret
    call: Call = service_call(unit, resources, secret.account_id, secret.region, now)
    return propagate(call, unit, secret)


def _task(secret: Secret, run: RotationRun, step: Step, owner: str, token: str) -> Task:
    return Task(
        secret_arn=secret.arn,
        account_id=secret.account_id,
        region=secret.region,
        version_id=run.version_id,
        step=step,
        attempt=run.attempts,
        test_only=run.test_only,
        rotation_token=token,
        owner=owner,
    )

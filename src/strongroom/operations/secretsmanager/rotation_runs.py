"""Rotation runs on the store: each function is one transaction's part, a run's change with its event.

The duty of a secret says what is due; the secret itself decides when the two disagree, so that whatever
changes a secret need not think of its duty. Sources: fact sheets rotation sections 3 to 5, cloudtrail
section 4.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from msgspec.structs import replace

from strongroom.audit.event import service_event
from strongroom.errors import InvalidRequestException
from strongroom.names import AWSCURRENT, AWSPENDING, AccountId, Arn, Region, StagingLabel, VersionId
from strongroom.operations.call import Call, Resources
from strongroom.operations.rotation_role import service_call
from strongroom.operations.secretsmanager.replicas import propagate
from strongroom.ports import ROTATION_DUTIES, ROTATION_HISTORY, Entropy, ReadUnit, WriteUnit
from strongroom.secret import steps
from strongroom.secret.document import FaultKind, RotationFault
from strongroom.secret.lifecycle import changed_at, is_marked
from strongroom.secret.records import Secret
from strongroom.secret.rotation import NOT_COMPLETE, pending_version, rescheduled, turn_after, turn_of
from strongroom.secret.runs import (
    Outcome,
    RotationDuty,
    RotationFailure,
    RotationRecord,
    RotationRun,
    Step,
)
from strongroom.secret.staging import attach

__all__ = [
    "HISTORY_KEPT",
    "LEASE",
    "Task",
    "begin",
    "due",
    "duty_of",
    "erase",
    "fail",
    "follow_change",
    "forget_duty",
    "known_token",
    "proceed",
    "put_back",
    "release_others",
    "schedule",
    "take",
    "verify_label_may_go",
    "verify_none_running",
    "verify_rotation_token",
]

HISTORY_KEPT: Final = 50
"""Ends of attempts that are remembered for a secret."""
LEASE: Final = dt.timedelta(minutes=20)
"""More than any step takes: a function's longest time-out is 15 minutes."""

_PAGE: Final = 500

# Ours.
STEP_UNDER_WAY: Final = (
    "You can't remove the staging label AWSPENDING while a step of the rotation is being done. Call "
    "CancelRotateSecret, and try again in a moment."
)
WRONG_TOKEN: Final = "The RotationToken is not that of a rotation of this secret that is under way."


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


def duty_of(unit: ReadUnit, secret_arn: str) -> RotationDuty | None:
    return unit.find(ROTATION_DUTIES, "", secret_arn)


def due(unit: ReadUnit, now: dt.datetime, limit: int) -> list[RotationDuty]:
    """Return what is due, the longest due first."""
    return [each for each in unit.scan(ROTATION_DUTIES, "", limit=limit) if each.due_at <= now]


# What calls do


def schedule(unit: WriteUnit, secret: Secret) -> None:
    """The secret's duty is due at its next turn; there is none for a secret that has none. A run under way
    goes on."""
    duty, turn = duty_of(unit, secret.arn), turn_of(secret)
    if duty is not None and duty.run is not None:
        return
    if turn is not None and not is_marked(secret):
        unit.save(ROTATION_DUTIES, RotationDuty(secret_arn=secret.arn, due_at=turn[0]))
    elif duty is not None:
        unit.delete(ROTATION_DUTIES, "", secret.arn)


def begin(
    unit: WriteUnit,
    secret: Secret,
    version_id: VersionId,
    now: dt.datetime,
    entropy: Entropy,
    *,
    test_only: bool = False,
    closes_at: dt.datetime | None = None,
) -> tuple[Secret, RotationDuty]:
    """A run is due now: AWSPENDING is on `version_id`, which need not have a value, and the trail says so.

    Return the secret with its label, not saved yet, and the duty, saved.
    """
    first = Step.TEST if test_only else Step.CREATE
    rotation = secret.rotation
    run = RotationRun(
        version_id=version_id,
        started_at=now,
        step=first,
        test_only=test_only,
        way="" if rotation is None else rotation.function_arn or rotation.engine or "",
        closes_at=closes_at,
    )
    duty = RotationDuty(secret_arn=secret.arn, due_at=now, run=run)
    unit.save(ROTATION_DUTIES, duty)
    unit.record(_event("Started", secret, run, now, entropy))
    labelled = replace(
        secret, labels=attach(secret.labels, AWSPENDING, version_id), last_changed_at=changed_at(secret, now)
    )
    return labelled, duty


def forget_duty(unit: WriteUnit, secret: Secret, now: dt.datetime, reason: str) -> None:
    """Nothing is due for the secret, and a run under way has ended, leaving AWSPENDING where it is; one whose
    step is being done ends with that step. Call when the secret itself is saved as it is to be."""
    duty = duty_of(unit, secret.arn)
    if duty is None or _in_flight(duty, now):
        return
    if duty.run is not None:
        _remember(unit, secret, duty.run, now, Outcome.ABANDONED, message=reason)
    unit.delete(ROTATION_DUTIES, "", secret.arn)


def follow_change(unit: WriteUnit, secret: Secret, now: dt.datetime, entropy: Entropy) -> None:
    """A run whose version lost its label to a call that has just changed the secret is abandoned.

    Call with the secret as it is saved.
    """
    if secret.rotation is None:
        return
    duty = duty_of(unit, secret.arn)
    run = None if duty is None else duty.run
    if run is None:
        return
    seen = steps.seen_of(secret, run, has_value=True)
    if isinstance(steps.next_action(run, seen), steps.Abandon):
        _abandon(unit, secret, run, steps.REPLACED, now, entropy)


def erase(unit: WriteUnit, secret_arn: str) -> None:
    """Nothing of rotation is left of a secret that is really deleted."""
    if duty_of(unit, secret_arn) is not None:
        unit.delete(ROTATION_DUTIES, "", secret_arn)
    for each in unit.scan(ROTATION_HISTORY, secret_arn):
        unit.delete(ROTATION_HISTORY, secret_arn, ROTATION_HISTORY.key(each))


def verify_label_may_go(
    unit: ReadUnit, secret: Secret, after: Mapping[StagingLabel, VersionId], now: dt.datetime
) -> None:
    """Pass unless AWSPENDING would leave the version a step is being done for at this moment.

    SECURITY: the step may be about to give the target that version's password; with its last label gone,
    nobody would find it (DESIGN promise 7). The step ends soon, and CancelRotateSecret lets no other begin.

    Raises:
        InvalidRequestException: it would.
    """
    duty = duty_of(unit, secret.arn)
    run = None if duty is None or not _in_flight(duty, now) else duty.run
    if run is not None and run.version_id not in (after.get(AWSPENDING), after.get(AWSCURRENT)):
        raise InvalidRequestException(STEP_UNDER_WAY)


def known_token(unit: ReadUnit, secret: Secret, token: str) -> bool:
    """True when RotateSecret was called with this token before: that rotation is under way, or has ended."""
    duty = duty_of(unit, secret.arn)
    if duty is not None and duty.run is not None and duty.run.version_id == token:
        return True
    return any(
        each.version_id == token and each.outcome is Outcome.SUCCEEDED
        for each in unit.scan(ROTATION_HISTORY, secret.arn)
    )


def verify_none_running(unit: ReadUnit, secret: Secret) -> None:
    """Pass when no rotation of the secret is under way.

    Raises:
        InvalidRequestException: one is, though its version may be current already.
    """
    duty = duty_of(unit, secret.arn)
    if duty is not None and duty.run is not None:
        raise InvalidRequestException(NOT_COMPLETE)


def verify_rotation_token(unit: ReadUnit, secret: Secret, version_id: str, token: str) -> None:
    """Pass when `token` was given to the function that makes this version.

    Raises:
        InvalidRequestException: it was not.
    """
    duty = duty_of(unit, secret.arn)
    run = None if duty is None else duty.run
    digest = None if run is None or run.version_id != version_id else run.token_digest
    if digest is None or not hmac.compare_digest(digest, _digest(token)):
        raise InvalidRequestException(WRONG_TOKEN)


# What the rotation process does


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
    if duty.run is None:
        turn = turn_of(secret)
        if turn is None or turn[0] > now or is_marked(secret):
            schedule(unit, secret)
            return None
        secret, duty = _begin_scheduled(unit, resources, secret, turn[1], now)
    run = duty.run
    assert run is not None  # noqa: S101 - begun above
    token = resources.entropy.token_bytes(32).hex()
    run = replace(run, token_digest=_digest(token))
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
) -> tuple[Secret, RotationDuty]:
    # AWS: a rotation that is not complete is attempted again (section 1).
    version_id = pending_version(secret) or VersionId(_uuid(resources.entropy))
    secret, duty = begin(unit, secret, version_id, now, resources.entropy, closes_at=closes_at)
    return _saved(unit, resources, secret, now), duty


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
            unit.record(_event("Succeeded", secret, run, now, resources.entropy))
        case steps.Abandon(reason):
            _abandon(unit, secret, run, reason, now, resources.entropy)
        case steps.Fail(step, message):
            fault = RotationFault(FaultKind.FUNCTION, message)
            _fail(unit, resources, secret, run, step, fault, message, now)
    return None


def _complete(
    unit: WriteUnit, resources: Resources, secret: Secret, run: RotationRun, now: dt.datetime
) -> None:
    rotation = rescheduled(secret.rotation, now)
    assert rotation is not None  # noqa: S101 - the machine has seen that it is on
    done = replace(_without_pending(secret, run, now), rotation=replace(rotation, last_rotated_at=now))
    _end(unit, resources, done, run, now, Outcome.SUCCEEDED)
    unit.record(_event("Succeeded", secret, run, now, resources.entropy))


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
    failure = RotationFailure(step=step, kind=fault.kind.value, message=fault.message, at=now)
    unit.record(_event("Failed", secret, run, now, resources.entropy, error_message=told))
    later = steps.after_failure(run, failure, turn_after(secret, now))
    if later is None:
        _end(unit, resources, _without_pending(secret, run, now), run, now, Outcome.FAILED, failure)
        return
    _remember(unit, secret, run, now, Outcome.FAILED, failure)
    unit.save(ROTATION_DUTIES, RotationDuty(secret_arn=secret.arn, due_at=later.at, run=later.run))


def _abandon(
    unit: WriteUnit, secret: Secret, run: RotationRun, reason: str, now: dt.datetime, entropy: Entropy
) -> None:
    if reason == steps.REPLACED:
        unit.record(_event("Abandoned", secret, run, now, entropy))
    _remember(unit, secret, run, now, Outcome.ABANDONED, message=reason)
    unit.delete(ROTATION_DUTIES, "", secret.arn)
    schedule(unit, secret)


def _end(
    unit: WriteUnit,
    resources: Resources,
    secret: Secret,
    run: RotationRun,
    now: dt.datetime,
    outcome: Outcome,
    failure: RotationFailure | None = None,
) -> None:
    _remember(unit, secret, run, now, outcome, failure)
    unit.delete(ROTATION_DUTIES, "", secret.arn)
    schedule(unit, _saved(unit, resources, secret, now))


def _without_pending(secret: Secret, run: RotationRun, now: dt.datetime) -> Secret:
    if secret.labels.get(AWSPENDING) != run.version_id:
        return secret
    labels = {label: version for label, version in secret.labels.items() if label != AWSPENDING}
    return replace(secret, labels=labels, last_changed_at=changed_at(secret, now))


def _saved(unit: WriteUnit, resources: Resources, secret: Secret, now: dt.datetime) -> Secret:
    unit.save_secret(secret)
    if not secret.replicas and not secret.cross_account_replicas:
        return secret
    call: Call = service_call(unit, resources, secret.account_id, secret.region, now)
    return propagate(call, unit, secret)


def _remember(
    unit: WriteUnit,
    secret: Secret,
    run: RotationRun,
    now: dt.datetime,
    outcome: Outcome,
    failure: RotationFailure | None = None,
    message: str = "",
) -> None:
    known = unit.scan(ROTATION_HISTORY, secret.arn)
    for old in known[: max(0, len(known) + 1 - HISTORY_KEPT)]:
        unit.delete(ROTATION_HISTORY, secret.arn, ROTATION_HISTORY.key(old))
    unit.save(
        ROTATION_HISTORY,
        RotationRecord(
            secret_arn=secret.arn,
            version_id=run.version_id,
            started_at=run.started_at,
            ended_at=now,
            outcome=outcome,
            attempts=run.attempts,
            test_only=run.test_only,
            way=run.way,
            step=None if failure is None else failure.step,
            kind="" if failure is None else failure.kind,
            message=message if failure is None else failure.message,
        ),
    )


def _in_flight(duty: RotationDuty, now: dt.datetime) -> bool:
    return duty.run is not None and bool(duty.owner) and duty.due_at > now


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


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def _uuid(entropy: Entropy) -> str:
    return str(uuid.UUID(bytes=entropy.token_bytes(16), version=4))


def _event(
    what: str,
    secret: Secret,
    run: RotationRun,
    now: dt.datetime,
    entropy: Entropy,
    error_message: str | None = None,
) -> bytes:
    """Return the service event `Rotation…`, or `TestRotation…`."""
    return service_event(
        name=f"{'TestRotation' if run.test_only else 'Rotation'}{what}",
        account_id=secret.account_id,
        region=secret.region,
        at=now,
        event_id=_uuid(entropy),
        request_id=f"Rotation-{secret.arn}-{run.version_id}",
        additional={"SecretId": secret.arn},
        error_message=error_message,
    )

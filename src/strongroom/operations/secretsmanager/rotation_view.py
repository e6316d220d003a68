"""What is to be seen of rotations from outside of any call: for the operator's commands and for metrics."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from strongroom.names import AWSCURRENT
from strongroom.operations.secretsmanager.rotation_records import duty_of
from strongroom.ports import ROTATION_DUTIES, ROTATION_HISTORY, ReadUnit
from strongroom.secret.lifecycle import is_marked
from strongroom.secret.records import Secret
from strongroom.secret.rotation import turn_of
from strongroom.secret.runs import RotationDuty, RotationRecord

__all__ = ["Counts", "Rotating", "RotationState", "counts", "every_rotating", "history", "rotating"]

_PAGE: Final = 500


class RotationState(StrEnum):
    """Where a secret's rotation stands."""

    NEVER = "never"
    """RotateSecret was never called."""
    OFF = "off"
    MARKED = "marked"
    """For deletion."""
    REPLICA = "replica"
    """Its primary is rotated."""
    UNSCHEDULED = "unscheduled"
    """On, and rotated when RotateSecret is called."""
    WAITING = "waiting"
    """For its next turn."""
    DUE = "due"
    """Its turn has come; it is begun in a moment."""
    RUNNING = "running"
    RETRYING = "retrying"
    """The last attempt failed; the next one has its time."""


@dataclass(frozen=True, slots=True)
class Rotating:
    """A secret with what is due for it."""

    secret: Secret
    duty: RotationDuty | None
    state: RotationState
    overdue: bool
    """NextRotationDate has passed."""
    credential_at: dt.datetime | None
    """Since when the current credential has been in use."""


@dataclass(slots=True)
class Counts:
    """How many secrets are how."""

    rotating: int = 0
    due: int = 0
    running: int = 0
    failed: int = 0
    """The last attempt has failed."""
    overdue: int = 0
    oldest_at: dt.datetime | None = None
    """Since when the oldest current credential has been in use."""


def rotating(unit: ReadUnit, secret: Secret, now: dt.datetime) -> Rotating:
    """Return where the rotation of a secret stands at `now`."""
    duty, rotation = duty_of(unit, secret.arn), secret.rotation
    next_at = None if rotation is None else rotation.next_rotation_at
    return Rotating(
        secret=secret,
        duty=duty,
        state=_state(secret, duty, now),
        overdue=next_at is not None and next_at < now and not is_marked(secret),
        credential_at=_credential_at(unit, secret),
    )


def every_rotating(unit: ReadUnit, now: dt.datetime) -> Iterator[Rotating]:
    """Yield every secret something is due for, of all accounts and regions, in the order of when."""
    after = ""
    while True:
        page = unit.scan(ROTATION_DUTIES, "", after=after, limit=_PAGE)
        for duty in page:
            secret = unit.secret(duty.secret_arn)
            if secret is not None:
                yield rotating(unit, secret, now)
        if len(page) < _PAGE:
            return
        after = ROTATION_DUTIES.alternate(page[-1])


def counts(unit: ReadUnit, now: dt.datetime) -> Counts:
    found = Counts()
    for each in every_rotating(unit, now):
        found.rotating += 1
        found.due += each.state is RotationState.DUE
        found.running += each.state is RotationState.RUNNING
        run = None if each.duty is None else each.duty.run
        found.failed += run is not None and run.failure is not None
        found.overdue += each.overdue
        if each.credential_at is not None:
            found.oldest_at = min(found.oldest_at or each.credential_at, each.credential_at)
    return found


def history(unit: ReadUnit, secret: Secret) -> list[RotationRecord]:
    """Return how the last attempts ended, oldest first."""
    return unit.scan(ROTATION_HISTORY, secret.arn)


def _state(secret: Secret, duty: RotationDuty | None, now: dt.datetime) -> RotationState:
    if is_marked(secret):
        return RotationState.MARKED
    if duty is None:
        return _resting(secret)
    if duty.run is not None:
        if duty.owner and duty.due_at > now:
            return RotationState.RUNNING
        if duty.run.failure is not None and duty.due_at > now:
            return RotationState.RETRYING
    return RotationState.DUE if duty.due_at <= now else RotationState.WAITING


def _resting(secret: Secret) -> RotationState:
    """Return where a secret stands that nothing is due for."""
    if secret.replica_of is not None or secret.cross_account_primary is not None:
        return RotationState.REPLICA
    if secret.rotation is None:
        return RotationState.NEVER
    if not secret.rotation.enabled:
        return RotationState.OFF
    return RotationState.UNSCHEDULED if turn_of(secret) is None else RotationState.WAITING


def _credential_at(unit: ReadUnit, secret: Secret) -> dt.datetime | None:
    version = unit.version(secret.arn, secret.labels.get(AWSCURRENT, ""))
    return None if version is None else version.created_at

"""Runs of rotations as the store has them: duties, how attempts ended, and the service's own events.

Sources: fact sheets rotation sections 4 and 5, cloudtrail section 4.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import uuid
from typing import Final

from strongroom.audit.event import service_event
from strongroom.ports import ROTATION_DUTIES, ROTATION_HISTORY, Entropy, ReadUnit, WriteUnit
from strongroom.secret.records import Secret
from strongroom.secret.runs import Outcome, RotationDuty, RotationFailure, RotationRecord, RotationRun

__all__ = [
    "HISTORY_KEPT",
    "LEASE",
    "duty_of",
    "in_flight",
    "random_id",
    "remember",
    "run_event",
    "token_digest",
]

HISTORY_KEPT: Final = 50
"""Ends of attempts that are remembered for a secret."""


LEASE: Final = dt.timedelta(minutes=20)
"""How long a step is its owner's: more than any takes, for a function's longest time-out is 15 minutes."""


def duty_of(unit: ReadUnit, secret_arn: str) -> RotationDuty | None:
    return unit.find(ROTATION_DUTIES, "", secret_arn)


def in_flight(duty: RotationDuty, now: dt.datetime) -> bool:
    """True while a step is being done."""
    return duty.run is not None and bool(duty.owner) and duty.due_at > now


def remember(
    unit: WriteUnit,
    secret: Secret,
    run: RotationRun,
    now: dt.datetime,
    outcome: Outcome,
    failure: RotationFailure | None = None,
    message: str = "",
) -> None:
    """How an attempt ended is kept, and the oldest of too many forgotten."""
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


def run_event(
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
        event_id=random_id(entropy),
        request_id=f"Rotation-{secret.arn}-{run.version_id}",
        additional={"SecretId": secret.arn},
        error_message=error_message,
    )


def token_digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def random_id(entropy: Entropy) -> str:
    return str(uuid.UUID(bytes=entropy.token_bytes(16), version=4))

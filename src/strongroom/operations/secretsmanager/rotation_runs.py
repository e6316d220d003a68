"""What calls do to rotation runs: begin and end them, and keep from disturbing what is being done.

The duty of a secret says what is due; the secret itself decides when the two disagree, so that whatever
changes a secret need not think of its duty. Source: fact sheet rotation sections 1 and 3 to 5.
"""

from __future__ import annotations

import datetime as dt
import hmac
from collections.abc import Mapping
from typing import Final

from msgspec.structs import replace

from strongroom.errors import InvalidRequestException
from strongroom.names import AWSCURRENT, AWSPENDING, StagingLabel, VersionId
from strongroom.operations.secretsmanager.rotation_records import (
    duty_of,
    in_flight,
    remember,
    run_event,
    token_digest,
)
from strongroom.ports import ROTATION_DUTIES, ROTATION_HISTORY, Entropy, ReadUnit, WriteUnit
from strongroom.secret import steps
from strongroom.secret.lifecycle import changed_at, is_marked
from strongroom.secret.records import Secret
from strongroom.secret.rotation import NOT_COMPLETE, pending_version, turn_of
from strongroom.secret.runs import Outcome, RotationDuty, RotationRun, Step
from strongroom.secret.staging import abandoned_labels, attach

__all__ = [
    "abandon",
    "begin",
    "erase",
    "follow_change",
    "forget_duty",
    "known_token",
    "resume",
    "schedule",
    "verify_label_may_go",
    "verify_none_running",
    "verify_rotation_token",
    "verify_version_may_come",
]

# Ours.
STEP_UNDER_WAY: Final = (
    "You can't remove the staging label AWSPENDING while a step of the rotation is being done. Call "
    "CancelRotateSecret, and try again in a moment."
)
NOT_NOW: Final = (
    "You can't put another version in the place of the one that is being rotated to while a step of the "
    "rotation is being done. Try again in a moment."
)
WRONG_TOKEN: Final = "The RotationToken is not that of a rotation of this secret that is under way."


def schedule(unit: WriteUnit, secret: Secret) -> None:
    """The secret's duty is due at its next turn; there is none for a secret that has none, or that is
    rotated elsewhere. A run under way goes on."""
    duty, turn = duty_of(unit, secret.arn), turn_of(secret)
    if duty is not None and duty.run is not None:
        return
    if turn is not None and not is_marked(secret) and not _is_rotated_elsewhere(secret):
        unit.save(ROTATION_DUTIES, RotationDuty(secret_arn=secret.arn, due_at=turn[0]))
    elif duty is not None:
        unit.delete(ROTATION_DUTIES, "", secret.arn)


def _is_rotated_elsewhere(secret: Secret) -> bool:
    """True for a managed secret that neither a function nor a rotator of this server's is for: its
    configuration is kept, no more."""
    rotation = secret.rotation
    if rotation is None or (secret.type is None and secret.owning_service is None):
        return False
    return rotation.function_arn is None and rotation.engine is None


def begin(
    unit: WriteUnit,
    secret: Secret,
    version_id: VersionId,
    now: dt.datetime,
    entropy: Entropy,
    *,
    test_only: bool = False,
    closes_at: dt.datetime | None = None,
) -> tuple[Secret, RotationRun]:
    """A run is due now: AWSPENDING is on `version_id`, which need not have a value, and the trail says so.

    Return the secret with its label, not saved yet, and the run, saved.
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
    unit.save(ROTATION_DUTIES, RotationDuty(secret_arn=secret.arn, due_at=now, run=run))
    unit.record(run_event("Started", secret, run, now, entropy))
    labelled = replace(
        secret, labels=attach(secret.labels, AWSPENDING, version_id), last_changed_at=changed_at(secret, now)
    )
    return labelled, run


def resume(unit: WriteUnit, secret: Secret, now: dt.datetime, entropy: Entropy) -> None:
    """Of a secret that is there again: a rotation which its deletion broke off after the target was given the
    new credential is due now; else it waits for its next turn."""
    pending = pending_version(secret)
    left = {secret.labels[label] for label in abandoned_labels(secret.labels)}
    if pending is None or pending not in left or secret.rotation is None or not secret.rotation.enabled:
        schedule(unit, secret)
        return
    _, run = begin(unit, secret, pending, now, entropy)
    duty = RotationDuty(secret_arn=secret.arn, due_at=now, run=replace(run, given=True, changed=True))
    unit.save(ROTATION_DUTIES, duty)


def forget_duty(unit: WriteUnit, secret: Secret, now: dt.datetime, reason: str) -> Secret:
    """Nothing is due for the secret, and a run under way has ended, leaving AWSPENDING where it is; one whose
    step is being done ends with that step. Return the secret as it is to be saved."""
    duty = duty_of(unit, secret.arn)
    if duty is None or in_flight(duty, now):
        return secret
    unit.delete(ROTATION_DUTIES, "", secret.arn)
    if duty.run is None:
        return secret
    remember(unit, secret, duty.run, now, Outcome.ABANDONED, message=reason)
    return replace(secret, labels=steps.after_end(duty.run, secret.labels))


def follow_change(unit: WriteUnit, secret: Secret, now: dt.datetime, entropy: Entropy) -> Secret:
    """A run whose version lost its label to a call that changes the secret is abandoned.

    Return the secret as it is to be saved.
    """
    if secret.rotation is None:
        return secret
    duty = duty_of(unit, secret.arn)
    run = None if duty is None else duty.run
    if run is None:
        return secret
    seen = steps.seen_of(secret, run, has_value=True)
    if isinstance(steps.next_action(run, seen), steps.Abandon):
        return abandon(unit, secret, run, steps.REPLACED, now, entropy)
    return secret


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
    run = None if duty is None or not in_flight(duty, now) else duty.run
    if run is not None and run.version_id not in (after.get(AWSPENDING), after.get(AWSCURRENT)):
        raise InvalidRequestException(STEP_UNDER_WAY)


def verify_version_may_come(
    unit: ReadUnit, secret: Secret, after: Mapping[StagingLabel, VersionId], now: dt.datetime
) -> None:
    """Pass unless a new version would take the last label off the one whose credential a step is giving the
    target, or trying there, at this moment.

    SECURITY: as `verify_label_may_go`. Before, in createSecret, the target does not have it yet: there a
    rotation is abandoned, as in AWS. If it does, from an earlier attempt, `steps.after_end` keeps a label
    there.

    Raises:
        InvalidRequestException: it would.
    """
    duty = duty_of(unit, secret.arn)
    run = None if duty is None or not in_flight(duty, now) else duty.run
    if run is None or run.test_only or run.step is Step.CREATE:
        return
    if run.version_id not in after.values():
        raise InvalidRequestException(NOT_NOW)


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
    if digest is None or not hmac.compare_digest(digest, token_digest(token)):
        raise InvalidRequestException(WRONG_TOKEN)


def abandon(
    unit: WriteUnit, secret: Secret, run: RotationRun, reason: str, now: dt.datetime, entropy: Entropy
) -> Secret:
    """The run has ended without success, and its secret waits for its next turn, if it has one.

    Return the secret as it is to be saved.
    """
    if reason == steps.REPLACED:
        unit.record(run_event("Abandoned", secret, run, now, entropy))
    remember(unit, secret, run, now, Outcome.ABANDONED, message=reason)
    unit.delete(ROTATION_DUTIES, "", secret.arn)
    schedule(unit, secret)
    return replace(secret, labels=steps.after_end(run, secret.labels))

"""The rotation step machine: from how far a run is, and what the secret looks like, to what is done next.

Pure. Whoever carries it out records each step before asking for the next; each step may be done again for
the same version id, so a crash at any instant costs a repetition and nothing else.
Source: fact sheet rotation sections 4, 5 and 8; DESIGN promise 7.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Final, TypeAlias

from msgspec.structs import replace

from strongroom.names import AWSCURRENT, AWSPENDING, VersionId
from strongroom.secret.lifecycle import is_marked
from strongroom.secret.records import Secret
from strongroom.secret.runs import RotationFailure, RotationRun, Step
from strongroom.secret.staging import Labels, with_abandoned, without_abandoned

__all__ = [
    "RETRY_PAUSES",
    "Abandon",
    "Action",
    "Complete",
    "EndTest",
    "Fail",
    "Invoke",
    "Later",
    "Seen",
    "after_end",
    "after_failure",
    "after_step",
    "after_success",
    "before_step",
    "next_action",
    "seen_of",
    "without_pending",
]

RETRY_PAUSES: Final = tuple(dt.timedelta(seconds=each) for each in (5, 30, 120, 600))
"""Between the attempts in one window, so that there are five at most; the last also between all others of a
run that has changed the target. AWS has not published its own."""
NO_SCHEDULE_PAUSE: Final = dt.timedelta(days=1)
"""How long a rotation without a schedule waits after its last attempt, for the next ones."""

# Why a run is abandoned.
DELETED: Final = "The secret was deleted."
CANCELLED: Final = "Rotation was turned off."
REPLACED: Final = "Another version became current, or AWSPENDING was moved, while the rotation ran."
# What a step that claims to be done has left undone.
NO_PENDING_VALUE: Final = "createSecret ended without a value under AWSPENDING."
NOT_CURRENT: Final = "finishSecret ended without moving AWSCURRENT to the new version."

_NEXT: Final = {Step.CREATE: Step.SET, Step.SET: Step.TEST, Step.TEST: Step.FINISH, Step.FINISH: None}


@dataclass(frozen=True, slots=True)
class Seen:
    """What a run meets of its secret at one moment."""

    alive: bool
    enabled: bool
    current: VersionId | None
    pending: VersionId | None
    has_value: bool
    """Whether the run's version has one."""


@dataclass(frozen=True, slots=True)
class Invoke:
    step: Step


@dataclass(frozen=True, slots=True)
class Complete:
    """The new version is current: AWSPENDING is taken off it, and the run has succeeded."""


@dataclass(frozen=True, slots=True)
class EndTest:
    """The label is taken off the copy that was tried, and the test has succeeded."""


@dataclass(frozen=True, slots=True)
class Abandon:
    reason: str


@dataclass(frozen=True, slots=True)
class Fail:
    """A step is not done, though it said so."""

    step: Step
    message: str


Action: TypeAlias = Invoke | Complete | EndTest | Abandon | Fail


def seen_of(secret: Secret | None, run: RotationRun, *, has_value: bool) -> Seen:
    """Return what the run meets of its secret, which may have gone."""
    if secret is None:
        return Seen(False, False, None, None, False)
    return Seen(
        alive=not is_marked(secret),
        enabled=secret.rotation is not None and secret.rotation.enabled,
        current=secret.labels.get(AWSCURRENT),
        pending=secret.labels.get(AWSPENDING),
        has_value=has_value,
    )


def next_action(run: RotationRun, seen: Seen) -> Action:
    """Return what is done next.

    INVARIANT: finishSecret, the one step that moves AWSCURRENT, comes only after testSecret was recorded.
    """
    if not seen.alive:
        return Abandon(DELETED)
    if not seen.enabled:
        return Abandon(CANCELLED)
    is_current, is_pending = seen.current == run.version_id, seen.pending == run.version_id
    if not is_current and not is_pending:
        return Abandon(REPLACED)
    if run.test_only:
        return EndTest() if run.step is None else Invoke(Step.TEST)
    if is_current:
        # Somebody moved the label, or a process ended between doing so and saying so. What comes with the
        # last step is done again; the others have nothing left to do.
        return Complete() if run.step is None else Invoke(Step.FINISH)
    if run.step is None:
        return Fail(Step.FINISH, NOT_CURRENT)
    if run.step is not Step.CREATE and not seen.has_value:
        return Fail(Step.CREATE, NO_PENDING_VALUE)
    return Invoke(run.step)


def before_step(run: RotationRun, step: Step) -> RotationRun:
    """Return the run as it is recorded before `step` is begun."""
    return replace(run, given=not run.test_only and (run.given or step is not Step.CREATE))


def after_step(run: RotationRun, step: Step) -> RotationRun:
    """Return the run with `step` done."""
    return replace(
        run,
        step=None if run.test_only else _NEXT[step],
        changed=run.changed or step is Step.SET,
        tested=run.tested or step is Step.TEST,
    )


def after_end(run: RotationRun, labels: Labels) -> Labels:
    """Return the labels after the run has ended without success.

    INVARIANT: a version whose credential the target may have keeps a label, whoever takes AWSPENDING off it
    (DESIGN promise 7).
    """
    return with_abandoned(labels, run.version_id) if run.given else labels


def after_success(run: RotationRun, labels: Labels) -> Labels:
    """Return the labels after the run has succeeded. Whatever earlier ones left in the target, this one's
    credential has logged in since; unless somebody made it current before it was tried."""
    labels = without_pending(run, labels)
    return without_abandoned(labels) if run.tested else labels


def without_pending(run: RotationRun, labels: Labels) -> Labels:
    """Return the labels with AWSPENDING off the run's version; on another it stays."""
    if labels.get(AWSPENDING) != run.version_id:
        return labels
    return {label: version for label, version in labels.items() if label != AWSPENDING}


@dataclass(frozen=True, slots=True)
class Later:
    """When a run is taken up again, and how it is by then."""

    run: RotationRun
    at: dt.datetime


def after_failure(
    run: RotationRun,
    failure: RotationFailure,
    next_turn: tuple[dt.datetime, dt.datetime] | None,
) -> Later | None:
    """Return the run's next attempt: soon, or at the secret's next turn; None: a test is not repeated.

    `next_turn` is a moment in the next window, and when that closes; None without a schedule. The whole
    rotation is done again under the same version id, from createSecret on.

    INVARIANT: once the target has the new credential nothing is waited for but the next attempt, and never
    longer than the longest pause: a window may be months away, and with a single user nobody who reads
    AWSCURRENT gets in until then.
    """
    if run.test_only:
        return None
    failed = replace(run, failure=failure, token_digest=None, attempts=run.attempts + 1, step=Step.CREATE)
    if run.attempt <= len(RETRY_PAUSES):
        at = failure.at + RETRY_PAUSES[run.attempt - 1]
        if run.changed or run.closes_at is None or at < run.closes_at:
            return Later(replace(failed, attempt=run.attempt + 1), at)
    if run.changed:
        return Later(replace(failed, attempt=run.attempt + 1), failure.at + RETRY_PAUSES[-1])
    waiting = replace(failed, attempt=1)
    if next_turn is None:
        return Later(replace(waiting, closes_at=None), failure.at + NO_SCHEDULE_PAUSE)
    at, closes = next_turn
    return Later(replace(waiting, closes_at=closes), at)

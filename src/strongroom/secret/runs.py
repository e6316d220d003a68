"""The stored form of rotations under way: what is due when, how far a run has come, and how runs ended.

No value and no credential stands here; of a rotation token its digest only. Source: fact sheet rotation
sections 4 and 5.
"""

from __future__ import annotations

import datetime as dt
from enum import StrEnum

import msgspec

from strongroom.names import Arn, VersionId

__all__ = ["Outcome", "RotationDuty", "RotationFailure", "RotationRecord", "RotationRun", "Step"]


class Step(StrEnum):
    """The steps of a rotation, as functions are told them."""

    CREATE = "createSecret"
    SET = "setSecret"
    TEST = "testSecret"
    FINISH = "finishSecret"


class RotationFailure(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why an attempt came to nothing, for a person."""

    step: Step
    kind: str
    """A `FaultKind` value."""
    message: str
    at: dt.datetime


class RotationRun(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One rotation from its stub to its end, through as many attempts as it takes."""

    version_id: VersionId
    """The version being made: the same in every attempt."""
    started_at: dt.datetime
    step: Step | None = Step.CREATE
    """What is done next; None: every step is done."""
    attempt: int = 1
    """Counted from 1 in each window."""
    attempts: int = 1
    """Of all windows."""
    given: bool = False
    """setSecret has been begun, in this attempt or an earlier one: the target may have the version's
    credential."""
    changed: bool = False
    """setSecret has been done, in this attempt or an earlier one, or broke off when it may have been: the
    target has the version's credential, or may have it, and with a single user AWSCURRENT may open nothing
    until the run has ended."""
    tested: bool = False
    """testSecret has gone well, in this attempt or an earlier one."""
    test_only: bool = False
    """RotateImmediately false: the current value is tried under this version's id, and nothing else."""
    way: str = ""
    """The function's ARN, or the engine."""
    closes_at: dt.datetime | None = None
    """Up to when attempts are made, before they wait for the next window; None: started by a call."""
    token_digest: bytes | None = None
    """SHA-256 of this attempt's RotationToken."""
    failure: RotationFailure | None = None
    """Of the last attempt that failed."""


class RotationDuty(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is to be done for one secret next, and when. There is one for each secret that rotates."""

    secret_arn: Arn
    due_at: dt.datetime
    """While somebody is at it: when that must have ended."""
    run: RotationRun | None = None
    """None: a window is waited for."""
    owner: str = ""
    """Who is at it now: the id of a process; empty: nobody."""


class Outcome(StrEnum):
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    """An attempt; the run may go on with another one."""
    ABANDONED = "abandoned"


class RotationRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How an attempt ended."""

    secret_arn: Arn
    version_id: VersionId
    started_at: dt.datetime
    """Of the run."""
    ended_at: dt.datetime
    outcome: Outcome
    attempts: int = 1
    test_only: bool = False
    way: str = ""
    """The function's ARN, or the engine."""
    step: Step | None = None
    """Which failed."""
    kind: str = ""
    message: str = ""
    """Of a failure, or why it was abandoned."""

"""`strongroom rotation`: what rotates, what became of it, and what comes next."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, TypeAlias

import orjson
import typer

from strongroom.cli.exits import Exit
from strongroom.cli.looking import found_secret, read_room
from strongroom.names import AWSCURRENT
from strongroom.operations.secretsmanager.rotation_view import (
    Rotating,
    RotationState,
    every_rotating,
    history,
    rotating,
)
from strongroom.ports import ReadUnit
from strongroom.secret.records import Secret
from strongroom.secret.rotation import pending_version
from strongroom.secret.runs import Outcome, RotationDuty, RotationRecord, RotationRun

__all__ = ["left_pending", "moment", "print_history", "print_status"]

_Shown: TypeAlias = tuple[Rotating, RotationRecord | None]

_WORDS: Final = {
    RotationState.NEVER: "RotateSecret was never called",
    RotationState.OFF: "rotation is off",
    RotationState.MARKED: "is marked for deletion, and not rotated",
    RotationState.REPLICA: "is a replica: its primary is rotated",
    RotationState.UNSCHEDULED: "has no schedule, and is rotated when RotateSecret is called",
    RotationState.WAITING: "waits for its turn",
    RotationState.DUE: "is due and begins in a moment",
    RotationState.RUNNING: "is rotated now",
    RotationState.RETRYING: "failed, and is attempted again",
}


def print_status(
    data_dir: Path, secret_id: str | None, *, account_id: str | None, region: str, as_json: bool
) -> Exit:
    """Print where rotation stands: of one secret, or of every one that something is due for.

    FAILED when a last attempt has failed, or a rotation is overdue.

    Raises:
        RoomError: it is no data directory; there is no such secret.
    """
    now = dt.datetime.now(dt.UTC)

    def find(unit: ReadUnit) -> list[_Shown]:
        if secret_id is None:
            return [_shown(unit, each) for each in every_rotating(unit, now)]
        secret = found_secret(unit, secret_id, account_id, region)
        return [_shown(unit, rotating(unit, secret, now))]

    found = read_room(data_dir, find)
    failed = sum(failure is not None for _, failure in found)
    overdue = sum(each.overdue for each, _ in found)
    if as_json:
        fields = [_fields(each, failure) for each, failure in found]
        typer.echo(orjson.dumps({"rotations": fields}).decode())
    else:
        for each, failure in found:
            typer.echo("\n".join(_lines(each, failure)))
        if not found:
            typer.echo("No secret rotates.")
        elif secret_id is None:
            typer.echo(f"{len(found)} secrets rotate: {failed} failed last, {overdue} are overdue.")
    return Exit.FAILED if failed or overdue else Exit.DONE


def print_history(
    data_dir: Path, secret_id: str, *, account_id: str | None, region: str, as_json: bool
) -> Exit:
    """Print how a secret's last rotations ended, the newest last.

    Raises:
        RoomError: it is no data directory; there is no such secret.
    """

    def find(unit: ReadUnit) -> tuple[Secret, list[RotationRecord]]:
        secret = found_secret(unit, secret_id, account_id, region)
        return secret, history(unit, secret)

    secret, found = read_room(data_dir, find)
    if as_json:
        typer.echo(orjson.dumps({"arn": secret.arn, "attempts": [_record_fields(x) for x in found]}).decode())
        return Exit.DONE
    typer.echo(f"{secret.name} ({secret.arn})")
    for record in found:
        typer.echo(f"  {_record_line(record)}")
    if not found:
        typer.echo("  It has not been rotated yet.")
    return Exit.DONE


def moment(at: dt.datetime) -> str:
    return at.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def left_pending(secret: Secret) -> str | None:
    """Return what to do about an AWSPENDING that no rotation under way has put there."""
    pending = pending_version(secret)
    if pending is None:
        return None
    return (
        f"AWSPENDING was left on version {pending}; RotateSecret is refused until it is taken off with "
        "UpdateSecretVersionStage, or a new value is written"
    )


def _shown(unit: ReadUnit, each: Rotating) -> _Shown:
    """Return it with its last attempt, if that has failed."""
    last = history(unit, each.secret)[-1:]
    return each, last[0] if last and last[0].outcome is Outcome.FAILED else None


def _lines(each: Rotating, failure: RotationRecord | None) -> Iterable[str]:
    secret, duty = each.secret, each.duty
    rotation = secret.rotation
    yield f"{secret.name} ({secret.arn})"
    yield f"  {_WORDS[each.state]}{_way(secret)}"
    if duty is not None and duty.run is not None:
        yield f"  {_run_line(each.state, duty, duty.run)}"
    if failure is not None:
        yield f"  {_what(failure)} failed {moment(failure.ended_at)} in {failure.step}: {failure.message}"
    left = left_pending(secret) if duty is None or duty.run is None else None
    if left is not None and each.state not in (RotationState.MARKED, RotationState.REPLICA):
        yield f"  {left}"
    if duty is not None and each.state is RotationState.WAITING:
        yield f"  next: {moment(duty.due_at)}"
    if rotation is not None and rotation.last_rotated_at is not None:
        yield f"  last rotated: {moment(rotation.last_rotated_at)}"
    if each.overdue and rotation is not None and rotation.next_rotation_at is not None:
        yield f"  OVERDUE since {moment(rotation.next_rotation_at)}"


def _run_line(state: RotationState, duty: RotationDuty, run: RotationRun) -> str:
    what = "a test of the configuration" if run.test_only else f"version {run.version_id}"
    match state:
        case RotationState.RUNNING:
            now = f"attempt {run.attempts} is at {run.step or 'its end'}"
        case RotationState.RETRYING:
            now = f"attempt {run.attempts} is made {moment(duty.due_at)}"
        case _:
            now = f"attempt {run.attempts} goes on in a moment"
    return f"{what}, begun {moment(run.started_at)}: {now}"


def _what(record: RotationRecord) -> str:
    return "a test of the configuration" if record.test_only else f"attempt {record.attempts}"


def _way(secret: Secret) -> str:
    rotation = secret.rotation
    if rotation is None:
        return ""
    if rotation.function_arn is not None:
        return f", by {rotation.function_arn}"
    return f", by the rotator for {rotation.engine}" if rotation.engine else ""


def _fields(each: Rotating, failure: RotationRecord | None) -> dict[str, Any]:
    secret, duty = each.secret, each.duty
    rotation, run = secret.rotation, None if duty is None else duty.run
    return {
        "arn": secret.arn,
        "name": secret.name,
        "state": each.state.value,
        "overdue": each.overdue,
        "function": None if rotation is None else rotation.function_arn,
        "engine": None if rotation is None else rotation.engine,
        "current": secret.labels.get(AWSCURRENT),
        "credential_since": None if each.credential_at is None else moment(each.credential_at),
        "last_rotated": None
        if rotation is None or rotation.last_rotated_at is None
        else moment(rotation.last_rotated_at),
        "next": None if duty is None else moment(duty.due_at),
        "left_pending": None if run is not None else pending_version(secret),
        "run": None
        if run is None
        else {
            "version_id": run.version_id,
            "started": moment(run.started_at),
            "test_only": run.test_only,
            "attempt": run.attempts,
            "step": run.step,
        },
        "failure": None
        if failure is None
        else {
            "at": moment(failure.ended_at),
            "attempt": failure.attempts,
            "test_only": failure.test_only,
            "step": failure.step,
            "kind": failure.kind,
            "message": failure.message,
        },
    }


def _record_line(record: RotationRecord) -> str:
    what = "test" if record.test_only else f"version {record.version_id}"
    tail = f" in {record.step}: {record.message}" if record.outcome is Outcome.FAILED else ""
    if record.outcome is Outcome.ABANDONED:
        tail = f": {record.message}"
    return f"{moment(record.ended_at)}  {what}, attempt {record.attempts}: {record.outcome}{tail}"


def _record_fields(record: RotationRecord) -> dict[str, Any]:
    return {
        "version_id": record.version_id,
        "started": moment(record.started_at),
        "ended": moment(record.ended_at),
        "outcome": record.outcome.value,
        "attempt": record.attempts,
        "test_only": record.test_only,
        "way": record.way,
        "step": record.step,
        "kind": record.kind,
        "message": record.message,
    }

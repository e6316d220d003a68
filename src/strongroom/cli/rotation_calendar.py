"""`strongroom rotation calendar`: which secret is going to be rotated when."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

import orjson
import typer

from strongroom.cli.exits import Exit
from strongroom.cli.looking import read_room
from strongroom.cli.rotations import moment
from strongroom.operations.secretsmanager.rotation_view import Rotating, RotationState, every_rotating
from strongroom.ports import ReadUnit
from strongroom.secret.lifecycle import is_marked
from strongroom.secret.records import Secret
from strongroom.secret.rotation import turns

__all__ = ["next_turns", "print_calendar"]

FORESEEN: Final = dt.timedelta(days=2000)


def print_calendar(data_dir: Path, *, days: int, as_json: bool) -> Exit:
    """Print when which secret is going to be rotated in the next `days`.

    Raises:
        RoomError: it is no data directory.
    """
    now = dt.datetime.now(dt.UTC)
    until = now + dt.timedelta(days=days)

    def find(unit: ReadUnit) -> list[_Turn]:
        return [turn for each in every_rotating(unit, now) for turn in _turns(each, now, until)]

    found = sorted(read_room(data_dir, find), key=lambda turn: (turn.at, turn.secret.arn))
    if as_json:
        fields = [
            {
                "at": moment(turn.at),
                "until": moment(turn.closes),
                "arn": turn.secret.arn,
                "name": turn.secret.name,
                "attempt": turn.attempt,
                "overdue": turn.overdue,
            }
            for turn in found
        ]
        typer.echo(orjson.dumps({"days": days, "rotations": fields}).decode())
        return Exit.DONE
    for turn in found:
        marks = [
            *([f"attempt {turn.attempt}"] if turn.attempt else []),
            *(["overdue"] if turn.overdue else []),
        ]
        tail = f"  ({', '.join(marks)})" if marks else ""
        typer.echo(f"{moment(turn.at)}  {turn.secret.name}  {_region(turn.secret)}{tail}")
    typer.echo(f"{len(found)} rotations in the next {days} days.")
    return Exit.DONE


@dataclass(frozen=True, slots=True)
class _Turn:
    """One line of the calendar."""

    secret: Secret
    at: dt.datetime
    closes: dt.datetime
    attempt: int | None
    """Of the rotation under way; None: it is not begun yet."""
    overdue: bool


def _turns(each: Rotating, now: dt.datetime, until: dt.datetime) -> Iterator[_Turn]:
    duty = each.duty
    run = None if duty is None or duty.run is None or duty.run.test_only else duty.run
    first = None
    if duty is not None and run is not None:
        # While a step is being done, the duty says when its lease ends.
        at = now if each.state is RotationState.RUNNING else max(now, duty.due_at)
        first = at, max(at, run.closes_at or at)
    for number, (at, closes) in enumerate(turns(each.secret, now, until, first)):
        attempt = run.attempts if run is not None and number == 0 else None
        yield _Turn(each.secret, at, closes, attempt, overdue=each.overdue and number == 0)


def next_turns(secret: Secret, number: int) -> list[dt.datetime]:
    """Return when the secret is rotated next by itself."""
    if secret.replica_of is not None or secret.cross_account_primary is not None or is_marked(secret):
        return []
    now = dt.datetime.now(dt.UTC)
    return [at for at, _ in islice(turns(secret, now, now + FORESEEN), number)]


def _region(secret: Secret) -> str:
    return f"{secret.region} {secret.account_id}"

"""How `strongroom rotation check` tells what it found."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import orjson
import typer

from strongroom.audit.reading import consumers_of
from strongroom.cli.exits import Exit
from strongroom.cli.rotation_calendar import next_turns
from strongroom.cli.rotations import moment
from strongroom.names import Arn
from strongroom.operations.rotation_way import ByFunction, ByRotator
from strongroom.secret.material import CheckFinding, RotationMaterial
from strongroom.secret.records import Secret
from strongroom.trail.ledger import readings_up_to_now

__all__ = ["Checked", "print_checked"]

TURNS_SHOWN: Final = 3
CONSUMER_DAYS: Final = 90


@dataclass(frozen=True, slots=True, repr=False)
class Checked:
    """What was read of a secret, in one view of the store. Prints nothing."""

    secret: Secret
    findings: list[CheckFinding]
    way: ByFunction | ByRotator | None
    material: RotationMaterial | None
    superuser: Arn | None = None
    """The superuser secret whose value was opened."""
    unchecked: str | None = None
    """Why the superuser secret, and so the target, was left alone."""


def print_checked(data_dir: Path, checked: Checked, *, as_json: bool) -> Exit:
    secret = checked.secret
    coming = [moment(at) for at in next_turns(secret, TURNS_SHOWN)]
    since = dt.datetime.now(dt.UTC) - dt.timedelta(days=CONSUMER_DAYS)
    readers = consumers_of(readings_up_to_now(data_dir, secret.arn), secret.labels, since).consumers
    consumers = [each.principal for each in readers]
    failed = any(each.fault is not None for each in checked.findings)
    code = Exit.FAILED if failed or checked.unchecked is not None else Exit.DONE
    if as_json:
        fields = {
            "arn": secret.arn,
            "name": secret.name,
            "passed": code is Exit.DONE,
            "findings": [
                {
                    "subject": each.subject,
                    "fault": None if each.fault is None else each.fault.value,
                    "message": each.message,
                }
                for each in checked.findings
            ],
            "unchecked": checked.unchecked,
            "next": coming,
            "consumers": consumers,
        }
        typer.echo(orjson.dumps(fields).decode())
        return code
    typer.echo(f"{secret.name} ({secret.arn})")
    for each in checked.findings:
        typer.echo(f"  {'ok  ' if each.fault is None else 'FAIL'}  {each.subject}: {each.message}")
    if checked.unchecked is not None:
        typer.echo(f"  ?     superuser secret: {checked.unchecked}")
    typer.echo(f"  next: {', '.join(coming) or 'it is not scheduled'}")
    typer.echo(f"  read in the last {CONSUMER_DAYS} days by: {', '.join(consumers) or 'nobody'}")
    if failed:
        typer.echo("A rotation would fail.")
    elif checked.unchecked is not None:
        typer.echo("Whether a rotation would succeed is not known.")
    else:
        typer.echo("Nothing stands in the way of a rotation.")
    return code

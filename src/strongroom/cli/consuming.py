"""`strongroom consumers`."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import orjson
import typer

from strongroom.audit.reading import Consumer, Consumers, Reading, Standing, consumers_of
from strongroom.cli.exits import Exit
from strongroom.cli.looking import found_secret, read_room
from strongroom.ports import ACCOUNTS, ReadUnit
from strongroom.secret.records import Secret
from strongroom.trail.ledger import readings_up_to_now

__all__ = ["print_consumers", "print_unused"]

T = TypeVar("T")

_WORDS = {
    Standing.CURRENT: "has the current version",
    Standing.BEHIND: "has not read the current version",
    Standing.PREVIOUS: "reads AWSPREVIOUS",
}


def print_consumers(
    data_dir: Path, secret_id: str, *, account_id: str | None, region: str, days: int, as_json: bool
) -> Exit:
    """Print who has read a secret in the last `days`, and whether its old credential can go.

    Raises:
        RoomError: it is no data directory; there is no such secret.
    """
    secret = read_room(data_dir, lambda unit: found_secret(unit, secret_id, account_id, region))
    since = dt.datetime.now(dt.UTC) - dt.timedelta(days=days)
    found = consumers_of(readings_up_to_now(data_dir, secret.arn), secret.labels, since)
    if as_json:
        typer.echo(orjson.dumps(_fields(secret, found)).decode())
        return Exit.DONE
    typer.echo(f"{secret.name} ({secret.arn})")
    typer.echo(f"  AWSCURRENT is {found.current}, AWSPREVIOUS is {found.previous or 'not there'}")
    for each in found.consumers:
        typer.echo("\n".join(_lines(each, found)))
    if not found.consumers:
        typer.echo(f"  Nobody has read it in the last {days} days.")
    typer.echo(found.advice)
    return Exit.DONE


def print_unused(data_dir: Path, *, account_id: str | None, region: str, days: int, as_json: bool) -> Exit:
    """Print the secrets of a region that are at least `days` old and were not read for as long.

    Raises:
        RoomError: it is no data directory.
    """
    before = dt.datetime.now(dt.UTC) - dt.timedelta(days=days)
    last_reads: dict[str, str] = {}
    for reading in readings_up_to_now(data_dir):
        last_reads[reading.secret_arn] = max(last_reads.get(reading.secret_arn, ""), reading.last_at)
    unused = [
        (secret, last_reads.get(secret.arn))
        for secret in _secrets(data_dir, account_id, region)
        if secret.created_at <= before
        and last_reads.get(secret.arn, "") < before.strftime("%Y-%m-%dT%H:%M:%SZ")
    ]
    if as_json:
        fields = [{"arn": secret.arn, "name": secret.name, "last_read": last} for secret, last in unused]
        typer.echo(orjson.dumps({"unused": fields}).decode())
        return Exit.DONE
    for secret, last in unused:
        typer.echo(f"{secret.arn}  {'never read' if last is None else f'last read {last}'}")
    typer.echo(f"{len(unused)} secrets of {region} were not read in the last {days} days.")
    return Exit.DONE


def _lines(consumer: Consumer, found: Consumers) -> list[str]:
    last = consumer.last
    lines = [f"  {consumer.principal}: {_WORDS[consumer.standing]}"]
    lines += [f"    {_version(each, found)}: {_times(each)}" for each in consumer.readings]
    session = f" as session {last.session}" if last.session else ""
    lines.append(f"    last from {last.source}{session}, {last.client or 'no user agent'}")
    return lines


def _times(reading: Reading) -> str:
    if reading.times == 1:
        return f"once, {reading.last_at}"
    return f"{reading.times} times, {reading.first_at} to {reading.last_at}"


def _version(reading: Reading, found: Consumers) -> str:
    if reading.version_id == found.current:
        return f"AWSCURRENT {reading.version_id}"
    if reading.version_id == found.previous:
        return f"AWSPREVIOUS {reading.version_id}"
    return f"version {reading.version_id}"


def _fields(secret: Secret, found: Consumers) -> dict[str, Any]:
    return {
        "arn": secret.arn,
        "name": secret.name,
        "current": found.current,
        "previous": found.previous,
        "safe_to_retire": found.safe_to_retire,
        "advice": found.advice,
        "consumers": [
            {
                "principal": each.principal,
                "standing": each.standing.value,
                "readings": [msgspec.structs.asdict(reading) for reading in each.readings],
            }
            for each in found.consumers
        ],
    }


def _secrets(data_dir: Path, account_id: str | None, region: str) -> list[Secret]:
    def find(unit: ReadUnit) -> list[Secret]:
        accounts = [account_id] if account_id else _accounts(unit)
        return [
            secret for each in accounts for secret in unit.secrets(each, region) if secret.deleted_at is None
        ]

    return read_room(data_dir, find)


def _accounts(unit: ReadUnit) -> list[str]:
    return [account.account_id for account in unit.scan(ACCOUNTS, "")]

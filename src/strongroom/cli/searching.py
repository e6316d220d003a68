"""`strongroom trail search`."""

from __future__ import annotations

import datetime as dt
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import orjson
import typer

from strongroom.audit.lookup import EventAttribute, EventEntry, short_name
from strongroom.cli.lines import printable
from strongroom.server.world import SystemClock
from strongroom.store.errors import RoomError
from strongroom.store.room import verify_format
from strongroom.trail.index.lookup import IndexReader, Span
from strongroom.trail.index.search import Question, search_trail
from strongroom.trail.index.shards import INDEX

__all__ = ["given_attributes", "given_span", "search"]

COLUMNS: Final = ("time", "event", "user", "resource", "outcome", "source address", "account", "region")
_AGO: Final = re.compile(r"([0-9]{1,6})([smhd])")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def given_attributes(**given: str | None) -> list[tuple[EventAttribute, str]]:
    """Return the attributes that were given, by CloudTrail's names for them."""
    return [(EventAttribute(name), value) for name, value in given.items() if value is not None]


def given_span(since: str | None, until: str | None) -> Span:
    """Return the times meant: `2026-11-25T12:00:00Z`, `2026-11-25`, or `90m` for so long ago.

    Raises:
        typer.BadParameter: a time is none of these, or the first is behind the second.
    """
    now = SystemClock().now()
    span = Span(
        0 if since is None else _moment(since, now, "--since"),
        Span().end if until is None else _moment(until, now, "--until"),
    )
    if span.start > span.end:
        raise typer.BadParameter("--since is later than --until")
    return span


def _moment(text: str, now: dt.datetime, option: str) -> int:
    ago = _AGO.fullmatch(text)
    if ago is not None:
        return int(now.timestamp()) - int(ago[1]) * _SECONDS[ago[2]]
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(
            f"{option}: give 2026-11-25T12:00:00Z, 2026-11-25, or 90m, 8h, 7d"
        ) from error
    return int((moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)).timestamp())


def search(
    data_dir: Path,
    attributes: Sequence[tuple[EventAttribute, str]],
    *,
    account: str | None = None,
    region: str | None = None,
    span: Span,
    limit: int,
    as_json: bool,
) -> None:
    """Print the newest records that fit, newest first, and on standard error what was not searched.

    Works beside a running server and without one.

    Raises:
        RoomError: it is no data directory, of a newer format, or there is no trail.
        ServiceUnavailableException: the index cannot be read.
        OSError: the trail cannot be read.
    """
    verify_format(data_dir)
    trail = data_dir / "trail"
    if not trail.is_dir():
        raise RoomError(f"There is no trail in {data_dir}.")
    reader = IndexReader(data_dir / INDEX, SystemClock())
    try:
        question = Question(tuple(attributes), account, region, span)
        shown, lacking = search_trail(trail, reader, question, limit + 1)
    finally:
        reader.close()
    if lacking:
        typer.echo(
            f"strongroom: the index lags behind by {lacking:,} records, which were not searched. A running "
            "server goes on with it.",
            err=True,
        )
    if as_json:
        for _, event in shown[:limit]:
            sys.stdout.write(event.decode() + "\n")
    else:
        _print_table([_row(entry, event) for entry, event in shown[:limit]])
    if len(shown) > limit:
        typer.echo(f"strongroom: there are more than {limit:,}; see --limit, --since and --until.", err=True)


def _row(entry: EventEntry, event: bytes) -> tuple[str, ...]:
    record = orjson.loads(event)
    identity = record.get("userIdentity") or {}
    names = [short_name(arn) for _, arn in entry.resources]
    cells = (
        dt.datetime.fromtimestamp(entry.at, dt.UTC).strftime("%Y-%m-%d %H:%M:%S"),
        entry.event_name,
        entry.username or identity.get("principalId") or identity.get("invokedBy") or "",
        ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else ""),
        record.get("errorCode") or "ok",
        record.get("sourceIPAddress") or "",
        entry.account,
        entry.region,
    )
    # SECURITY: callers choose some of these texts, which must not write to the terminal.
    return tuple(printable(str(cell)) for cell in cells)


def _print_table(rows: Sequence[tuple[str, ...]]) -> None:
    if not sys.stdout.isatty():
        for row in rows:
            sys.stdout.write("\t".join(row) + "\n")
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in COLUMNS:
        table.add_column(column, overflow="fold")
    for row in rows:
        failed = row[COLUMNS.index("outcome")] != "ok"
        table.add_row(*(Text(cell, style="red" if failed else "") for cell in row))
    Console().print(table)

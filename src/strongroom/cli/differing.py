"""`strongroom policy diff`."""

from __future__ import annotations

import datetime as dt
import heapq
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Final

import msgspec
import orjson
import typer

from strongroom.cli.exits import Exit
from strongroom.cli.lines import printable
from strongroom.cli.reaching import opened
from strongroom.names import AccountId, Region
from strongroom.operations.call import Resources
from strongroom.operations.changed import ChangedUnit
from strongroom.operations.changes import Change, ChangeError, ChangeKind, changed_records
from strongroom.operations.recorded import given_to_sessions
from strongroom.operations.replay import Outcome, Replay, Replayed
from strongroom.policy.universe import SESSION_SECONDS
from strongroom.ports import ReadUnit
from strongroom.server.world import SystemClock
from strongroom.store.regions import regions_in_use
from strongroom.store.room import DATABASE, TRAIL, verify_format
from strongroom.trail.history import records_since

__all__ = ["one_change", "print_difference"]

_AT_ONCE: Final = 2_000
_SPAN: Final = re.compile(r"([0-9]{1,6})([smhd])")
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}

_SHOWN: Final = (Outcome.NEWLY_REFUSED, Outcome.NEWLY_ALLOWED, Outcome.UNDECIDED)


@dataclass
class _Group:
    """Calls of one principal, action and resource with one outcome."""

    count: int = 0
    event_id: str = ""
    """Of the newest."""
    at: str = ""
    why: Counter[str] = field(default_factory=Counter)


@dataclass
class _Tally:
    counts: Counter[Outcome] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    """Of calls that were not replayed."""
    groups: dict[tuple[Outcome, str, str, str], _Group] = field(default_factory=dict)

    missed: int = 0
    """Records that are missing or cannot be read."""

    def miss(self, count: int) -> None:
        self.missed += count

    def add(self, event: Mapping[str, Any], replayed: Replayed) -> None:
        outcome = replayed.outcome
        self.counts[outcome] += 1
        if outcome is Outcome.NOT_REPLAYED:
            self.reasons.update(replayed.why)
        if outcome not in _SHOWN:
            return
        place = (outcome, replayed.principal, replayed.action, replayed.resource)
        group = self.groups.setdefault(place, _Group())
        group.count += 1
        group.why.update(replayed.why)
        at = event.get("eventTime") or ""
        if at >= group.at:
            group.at, group.event_id = at, event.get("eventID") or ""


def one_change(
    given: Mapping[str, str | None],
    policy: Path,
    policy_name: str | None,
    account: str | None,
    region: str | None,
) -> Change:
    """Return the change that the options ask for; ends with USAGE unless exactly one thing is named."""
    named = [(kind, name) for kind, name in given.items() if name is not None]
    if len(named) != 1:
        raise typer.BadParameter(f"name one of: {', '.join('--' + each.replace(' ', '-') for each in given)}")
    kind, name = named[0]
    return Change(
        ChangeKind(kind),
        name,
        policy.read_text(encoding="utf-8", errors="replace"),
        policy_name,
        () if account is None else (AccountId(account),),
        () if region is None else (Region(region),),
    )


def _parse_since(text: str, now: dt.datetime) -> dt.datetime:
    span = _SPAN.fullmatch(text)
    if span is not None:
        return now - dt.timedelta(seconds=int(span[1]) * _UNITS[span[2]])
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter("neither a span such as 12h nor a time", param_hint="--since") from error
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=dt.UTC)


def print_difference(data_dir: Path, change: Change, *, since: str, limit: int | None, as_json: bool) -> Exit:
    """Print which recorded calls would come out otherwise under a changed policy; return FAILED when there is
    nothing of that name to be changed, or the policy is none for it.

    Raises:
        RoomError, ServiceUnavailableException, IntegrityError: as `opened`.
        OSError: the trail cannot be read.
    """
    now = SystemClock().now()
    begin = _parse_since(since, now)
    trail = data_dir / TRAIL
    if not change.regions:
        verify_format(data_dir)
        change = msgspec.structs.replace(change, regions=tuple(sorted(regions_in_use(data_dir / DATABASE))))

    try:
        with opened(data_dir) as resources:
            tally = _tallied(resources, trail, change, begin, now, limit)
    except ChangeError as error:
        typer.echo(f"strongroom: {error}", err=True)
        return Exit.FAILED
    if as_json:
        typer.echo(orjson.dumps(_as_json(tally, begin)).decode())
    else:
        typer.echo("\n".join(map(printable, _lines(tally, begin))))
    return Exit.DONE


def _tallied(
    resources: Resources, trail: Path, change: Change, begin: dt.datetime, now: dt.datetime, limit: int | None
) -> _Tally:
    store = resources.store
    store.read(lambda unit: changed_records(unit, change))
    sessions = given_to_sessions(_of_sts(trail, begin - dt.timedelta(seconds=SESSION_SECONDS)))
    replay = Replay(resources, sessions, now)
    tally = _Tally()
    events = iter(_newest(_events(trail, begin, tally), limit))
    # In parts: one view of the database kept for minutes would keep a server from clearing its log away.
    while part := list(islice(events, _AT_ONCE)):

        def work(unit: ReadUnit, part: list[Mapping[str, Any]] = part) -> list[Replayed]:
            replay.look_at(unit, ChangedUnit(unit, changed_records(unit, change)))
            return [replay.outcome(event) for event in part]

        for event, replayed in zip(part, store.read(work), strict=True):
            tally.add(event, replayed)
    return tally


def _of_sts(trail: Path, since: dt.datetime) -> Iterator[Mapping[str, Any]]:
    for record in records_since(trail, since):
        if b'"eventSource":"sts.amazonaws.com"' in record:
            with suppress(orjson.JSONDecodeError):
                yield orjson.loads(record)


def _events(trail: Path, since: dt.datetime, tally: _Tally) -> Iterator[Mapping[str, Any]]:
    first = since.strftime("%Y-%m-%dT%H:%M:%SZ")
    for record in records_since(trail, since, tally.miss):
        try:
            event = orjson.loads(record)
        except orjson.JSONDecodeError:
            tally.miss(1)
            continue
        if (event.get("eventTime") or "") >= first:
            yield event


def _newest(events: Iterable[Mapping[str, Any]], limit: int | None) -> Iterable[Mapping[str, Any]]:
    """Return the `limit` newest events; None: all."""
    if limit is None:
        return events
    return heapq.nlargest(limit, events, key=lambda event: event.get("eventTime") or "")


def _ordered(tally: _Tally) -> list[tuple[tuple[Outcome, str, str, str], _Group]]:
    return sorted(
        tally.groups.items(), key=lambda each: (_SHOWN.index(each[0][0]), -each[1].count, each[0][1:])
    )


def _lines(tally: _Tally, since: dt.datetime) -> Iterator[str]:
    counts = tally.counts
    replayed = sum(counts.values()) - counts[Outcome.NOT_REPLAYED]
    yield (
        f"Of {replayed} calls since {since:%Y-%m-%dT%H:%M:%SZ}: {counts[Outcome.NEWLY_REFUSED]} newly "
        f"refused, {counts[Outcome.NEWLY_ALLOWED]} newly allowed, {counts[Outcome.UNDECIDED]} undecided, "
        f"{counts[Outcome.UNCHANGED]} unchanged."
    )
    for (outcome, principal, action, resource), group in _ordered(tally):
        yield f"{outcome.value:13}  {group.count} x {action} on {resource}"
        yield f"               by {principal}, last in event {group.event_id} at {group.at}"
        if group.why:
            yield f"               hangs on what records do not hold: {', '.join(sorted(group.why))}"
    for reason, count in sorted(tally.reasons.items()):
        yield f"Not replayed: {count} ({reason})."
    if tally.missed:
        yield f"Missing or unreadable: {tally.missed} records; 'strongroom trail verify' says which."


def _as_json(tally: _Tally, since: dt.datetime) -> dict[str, Any]:
    counts = tally.counts
    groups = [
        {
            "outcome": outcome.value,
            "principal": principal,
            "action": action,
            "resource": resource,
            "count": group.count,
            "event_id": group.event_id,
            "event_time": group.at,
            "missing": sorted(group.why),
        }
        for (outcome, principal, action, resource), group in _ordered(tally)
    ]
    return {
        "since": since.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "counts": {each.value.replace(" ", "_"): counts[each] for each in Outcome},
        "not_replayed": dict(sorted(tally.reasons.items())),
        "unreadable": tally.missed,
        "groups": groups,
    }

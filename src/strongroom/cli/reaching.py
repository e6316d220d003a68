"""`strongroom who-can`."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, cast

import typer

from strongroom.cli.exits import Exit
from strongroom.cli.lines import printable
from strongroom.names import AccountId, Region
from strongroom.operations.call import Call, Resources
from strongroom.operations.catalog import CATALOG
from strongroom.operations.reach import Answer, Row, who_can
from strongroom.operations.subjects import SubjectKind, stored_subjects
from strongroom.operations.things import find_things
from strongroom.policy.reach import If, Term, Verdict
from strongroom.ports import ACCOUNTS, ReadUnit
from strongroom.server.world import SystemClock, SystemEntropy
from strongroom.store.regions import regions_in_use
from strongroom.store.room import DATABASE, Room
from strongroom.store.sqlite import SqliteStore

__all__ = ["ACTION", "known_action", "opened", "print_who_can"]

ACTION: Final = re.compile(r"[A-Za-z0-9-]{1,64}:[A-Za-z0-9]{1,128}")
_ORDER: Final = (Verdict.ALWAYS, Verdict.IF, Verdict.NEVER)


def known_action(text: str) -> str | None:
    """Return an action as documented, whatever its case; None: no operation asks for it."""
    actions = {each.action for service in CATALOG.values() for each in service.operations.values()}
    return {each.lower(): each for each in actions}.get(text.lower())


@contextmanager
def opened(data_dir: Path) -> Iterator[Resources]:
    """Give the store of a directory, which may be served meanwhile; the root key is not asked for, as nothing
    is sealed or opened.

    Raises:
        RoomError: as `Room.open`.
        ServiceUnavailableException, IntegrityError: the database cannot be read, or is damaged.
    """
    room = Room.open(data_dir, own=False)
    try:
        store = SqliteStore.open(room.path)
        try:
            yield Resources(store, cast(Any, None), SystemEntropy())
        finally:
            store.close()
    finally:
        room.close()


def print_who_can(
    data_dir: Path,
    action: str,
    resource: str,
    *,
    account: str | None,
    region: str | None,
    everyone: bool,
    as_json: bool,
) -> Exit:
    """Print who may do `action` on what `resource` names; return FAILED when it names nothing.

    Raises: as `opened`.
    """
    asked = known_action(action)

    with opened(data_dir) as resources:
        answers = resources.store.read(
            lambda unit: _answers(unit, resources, data_dir, asked or action, resource, account, region)
        )
    if as_json:
        typer.echo(
            json.dumps(
                {
                    "action": asked or action,
                    "known_action": asked is not None,
                    "resources": [_as_json(each, everyone) for each in answers],
                }
            )
        )
    else:
        for answer in answers:
            typer.echo("\n".join(map(printable, _lines(answer, asked or action, everyone))))
        if asked is None and answers:
            typer.echo(f"strongroom: No operation of this server asks for {action}.", err=True)
    if not answers:
        typer.echo(f"strongroom: Nothing is stored here that {resource} names.", err=True)
    return Exit.DONE if answers else Exit.FAILED


def _answers(
    unit: ReadUnit,
    resources: Resources,
    data_dir: Path,
    action: str,
    resource: str,
    account: str | None,
    region: str | None,
) -> list[Answer]:
    now = SystemClock().now()
    accounts = [each.account_id for each in unit.scan(ACCOUNTS, "")]
    if not accounts:
        return []
    regions = {Region(region)} if region is not None else regions_in_use(data_dir / DATABASE)
    looking = Call(
        service="",
        operation="",
        request={},
        principal=next(stored_subjects(unit, now)).principal,
        region=Region(region or "us-east-1"),
        received_at=now,
        request_id="",
        resources=resources,
    )
    chosen = [each for each in accounts if account in (None, each)]
    things = [
        thing
        for thing in find_things(
            unit, looking, resource, chosen, regions, service=action.partition(":")[0].lower()
        )
        if account is None or thing.account_id in (None, AccountId(account))
    ]
    return [who_can(unit, resources, thing, action, now) for thing in things]


# --- text ------------------------------------------------------------------------------------------------


def _sorted(rows: Iterable[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: (_ORDER.index(row.reach.verdict), row.subject.shown))


def _lines(answer: Answer, action: str, everyone: bool) -> Iterator[str]:
    yield f"{action} on {answer.thing.resource}"
    if answer.key is not None and answer.key.arn != answer.thing.resource:
        yield f"  under the key {answer.key.arn} ({answer.key.state})"
    yield from (f"  NOTE: {note}" for note in answer.notes)
    rows = _sorted(answer.rows)
    shown = [row for row in rows if everyone or row.reach.verdict is not Verdict.NEVER]
    widths = [
        max((len(text) for text in column), default=0) for column in zip(*map(_head, shown), strict=True)
    ]
    for row in shown:
        yield (
            "  "
            + "  ".join(text.ljust(width) for text, width in zip(_head(row), widths, strict=True)).rstrip()
        )
        yield from (f"       {line}" for line in _details(row))
    counted = Counter(row.reach.verdict for row in rows)
    yield (
        f"  {counted[Verdict.ALWAYS]} may, {counted[Verdict.IF]} may if conditions hold, "
        f"{counted[Verdict.NEVER]} may not."
    )


def _head(row: Row) -> tuple[str, str, str]:
    return row.reach.verdict.value, row.subject.kind.value, row.subject.shown


def _details(row: Row) -> Iterator[str]:
    reach = row.reach
    if row.note:
        yield row.note
    if row.subject.trusts:
        yield f"its trust policy names {', '.join(row.subject.trusts)}"
    yield from (f"refused by {each.layer.value} for {each.action}" for each in reach.refused_by)
    for term in reach.terms:
        verb = (
            "through"
            if term.effect == "Allow"
            else "denied by"
            if reach.verdict is Verdict.NEVER
            else "unless"
        )
        yield f"{verb} {_statement(term)}"
        yield from (f"    if {_condition(each)}" for each in term.conditions)
    if reach.verdict is Verdict.IF and not reach.decided:
        yield "not decided exhaustively: there are too many contexts, or keys compared with each other"
    if reach.allowing is not None:
        yield f"for example allowed with {_context(reach.allowing)}"
    if reach.refusing is not None:
        yield f"for example refused with {_context(reach.refusing)}"


def _condition(condition: If) -> str:
    what = f"{condition.operator} {condition.key}".rstrip()
    return f"{what} {' or '.join(condition.values) or '(nothing)'}"


def _statement(term: Term) -> str:
    each = term.statement
    place = "" if each.layer.value == "grant" else f", statement {each.index + 1}"
    sid = f" ({each.sid})" if each.sid else ""
    return f"{each.layer.value} {each.label}{place}{sid} for {term.action}"


def _context(choice: Mapping[str, str | tuple[str, ...]]) -> str:
    texts = (
        f"{key} = {value if isinstance(value, str) else ' and '.join(value)}" for key, value in choice.items()
    )
    return ", ".join(texts) or "none of these keys"


# --- JSON ------------------------------------------------------------------------------------------------


def _as_json(answer: Answer, everyone: bool) -> dict[str, Any]:
    thing, key = answer.thing, answer.key
    rows = _sorted(answer.rows)
    counted = Counter(row.reach.verdict for row in rows)
    return {
        "resource": thing.resource,
        "account_id": thing.account_id,
        "region": thing.region,
        "key": None if key is None else {"arn": key.arn, "state": key.state},
        "notes": list(answer.notes),
        "counts": {verdict.value: counted[verdict] for verdict in _ORDER},
        "principals": [
            _row_as_json(row) for row in rows if everyone or row.reach.verdict is not Verdict.NEVER
        ],
    }


def _row_as_json(row: Row) -> dict[str, Any]:
    subject, reach = row.subject, row.reach
    fields: dict[str, Any] = {
        "principal": subject.shown,
        "kind": subject.kind.value,
        "account_id": None if subject.kind is SubjectKind.SERVICE else _account_of(row),
        "verdict": reach.verdict.value,
        "decided": reach.decided,
        "through": [_term_as_json(each) for each in reach.terms if each.effect == "Allow"],
        "unless": [
            _term_as_json(each)
            for each in reach.terms
            if each.effect == "Deny" and reach.verdict is not Verdict.NEVER
        ],
        "denied_by": [
            _term_as_json(each)
            for each in reach.terms
            if each.effect == "Deny" and reach.verdict is Verdict.NEVER
        ],
        "refused_by": [{"action": each.action, "layer": each.layer.value} for each in reach.refused_by],
        "allowed_with": reach.allowing,
        "refused_with": reach.refusing,
    }
    if row.note:
        fields["note"] = row.note
    if subject.kind is SubjectKind.ROLE:
        fields["trusts"] = list(subject.trusts)
    return fields


def _account_of(row: Row) -> str:
    subject = row.subject
    return subject.principal.account_id if subject.caller is None else subject.caller.account_id


def _term_as_json(term: Term) -> dict[str, Any]:
    each = term.statement
    return {
        "action": term.action,
        "layer": each.layer.value,
        "policy": each.label,
        "statement": each.index + 1,
        "sid": each.sid,
        "conditions": [
            {"operator": one.operator, "key": one.key, "values": list(one.values)} for one in term.conditions
        ],
    }

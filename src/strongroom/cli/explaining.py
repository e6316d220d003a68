"""`strongroom explain`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import typer

from strongroom.cli.exits import Exit
from strongroom.cli.lines import printable
from strongroom.cli.rooms import verified_root_key
from strongroom.operations.authorization_messages import encoded_message
from strongroom.operations.strongroom.views import concerns, shown
from strongroom.server.settings import Settings
from strongroom.trail.decisions import find_decisions

__all__ = ["encode_request", "explain_request"]

NOT_ON_RECORD: Final = "strongroom: No refusal is on record under the request id {}."


def explain_request(data_dir: Path, request_id: str, *, as_json: bool) -> Exit:
    """Print why a call was refused, and return the exit code: FAILED when no record of it is kept."""
    found = find_decisions(data_dir, request_id)
    if as_json:
        typer.echo(json.dumps({"request_id": request_id, "decisions": found}))
    else:
        for record in found:
            typer.echo("\n".join(map(printable, _lines(record))))
    if not found:
        typer.echo(NOT_ON_RECORD.format(request_id), err=True)
    return Exit.DONE if found else Exit.FAILED


def encode_request(settings: Settings, request_id: str) -> Exit:
    """Print the decisions as messages for sts:DecodeAuthorizationMessage, one a line, and return the exit
    code as `explain_request` does. They open in the account of who was refused.

    Raises:
        RoomError, RootKeyError: as `open_room`.
    """
    found = [
        each
        for each in find_decisions(settings.data_dir, request_id)
        if concerns(each, each.get("account", ""))
    ]
    if found:
        root_key = verified_root_key(settings)
        for record in found:
            entry = shown(record, record["account"])
            typer.echo(encoded_message(root_key, record, entry, record["account"]))
    else:
        typer.echo(NOT_ON_RECORD.format(request_id), err=True)
    return Exit.DONE if found else Exit.FAILED


def _lines(record: dict[str, Any]) -> list[str]:
    lines = [
        f"{record['at']} {record['operation']}: {record['message']}",
        f"  {record['principal']} asked for {record['action']} on {record['resource']}",
    ]
    if "assuming" in record:
        lines.append(f"  as it would be if {record['assuming']}")
    if "note" in record:
        lines.append(f"  {record['note']}")
    explanation = record.get("explanation")
    if explanation is None:
        return lines
    for refusal in explanation["refusals"]:
        if not refusal["denies"]:
            lines.append(f"  refused by the {refusal['layer']}: nothing in it allows this")
        for each in refusal["denies"]:
            where = f"statement {each['index'] + 1}" + (f" ({each['sid']})" if each["sid"] else "")
            lines.append(f"  refused by the {refusal['layer']}: {where} of {each['label']} denies it")
    for miss in explanation["near_misses"]:
        each = miss["statement"]
        lines.append(
            f"  nearly allowed by statement {each['index'] + 1} of {each['label']}; "
            f"what does not fit: {', '.join(miss['misses'])}"
        )
    lines += [
        f"  saw {seen['key']} = {', '.join(seen['values']) or '(absent)'}" for seen in explanation["keys"]
    ]
    for number, remedy in enumerate(explanation["remedies"], 1):
        lines.append(f"  Remedy {number}, all of it together:")
        for change in remedy:
            lines += _change(change)
    return lines


def _change(change: dict[str, Any]) -> list[str]:
    if change["type"] == "add statement":
        return [
            f"    add to the {change['layer']} {change['label']}".rstrip() + ":",
            _shown(change["statement"]),
        ]
    if change["type"] == "add grant":
        return ["    or create a grant on the key:", _shown(change["parameters"])]
    lines = [f"    put in the place of statement {change['index'] + 1} of {change['label']}:"]
    lines += [_shown(each) for each in change["statements"]] or ["      (nothing: remove it)"]
    if change["also_spares"]:
        lines.append(f"      this also spares {change['also_spares']}")
    return lines


def _shown(value: dict[str, Any]) -> str:
    return f"      {json.dumps(value)}"

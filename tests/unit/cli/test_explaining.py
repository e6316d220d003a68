"""`strongroom explain` prints what a record says, in words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import orjson
from typer.testing import CliRunner, Result

from strongroom.cli.app import app
from strongroom.trail.decisions import DecisionFile

REQUEST_ID = "11111111-2222-3333-4444-555555555555"
RECORD = {
    "request_id": REQUEST_ID,
    "at": "2026-01-01T12:00:00Z",
    "service": "secretsmanager",
    "operation": "TagResource",
    "region": "eu-central-1",
    "account": "111122223333",
    "principal": "arn:aws:iam::111122223333:user/ann",
    "principal_id": "AIDAANN",
    "action": "secretsmanager:TagResource",
    "resource": "arn:aws:secretsmanager:eu-central-1:111122223333:secret:db-AbCdEf",
    "resource_account": "111122223333",
    "message": "no",
    "refused_by": ["identity-based policy"],
}
EMPTY = {"refusals": [], "keys": [], "near_misses": [], "remedies": []}


def explained(directory: Path, *options: str, **members: Any) -> Result:
    kept = DecisionFile(directory, "api-0")
    kept.append(orjson.dumps({**RECORD, **members}))
    kept.close()
    return CliRunner().invoke(app, ["explain", REQUEST_ID, "--data-dir", str(directory), *options])


def test_what_was_supposed_and_what_is_missing_is_said(tmp_path: Path) -> None:
    refusals = [{"layer": "identity-based policy", "denies": []}]
    result = explained(
        tmp_path,
        assuming="the secret had other tags",
        note="Too many calls were refused.",
        explanation={**EMPTY, "refusals": refusals},
    )
    assert result.stdout.splitlines() == [
        "2026-01-01T12:00:00Z TagResource: no",
        f"  {RECORD['principal']} asked for {RECORD['action']} on {RECORD['resource']}",
        "  as it would be if the secret had other tags",
        "  Too many calls were refused.",
        "  refused by the identity-based policy: nothing in it allows this",
    ]


def test_a_refusal_no_policy_made_says_why(tmp_path: Path) -> None:
    result = explained(tmp_path, note="The key is elsewhere.", refused_by=[])
    assert result.stdout.splitlines()[-1] == "  The key is elsewhere."
    assert result.exit_code == 0


def test_all_of_it_is_there_for_programs(tmp_path: Path) -> None:
    result = explained(tmp_path, "--json", note="x")
    assert json.loads(result.stdout) == {"request_id": REQUEST_ID, "decisions": [{**RECORD, "note": "x"}]}


def test_what_others_wrote_is_no_command_to_the_terminal(tmp_path: Path) -> None:
    result = explained(tmp_path, message="no\x1b[2J", note="gone\nyes")
    assert "TagResource: no\ufffd[2J" in result.stdout
    assert "  gone\ufffdyes" in result.stdout

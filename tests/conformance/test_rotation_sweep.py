"""A data directory of the version that only kept what RotateSecret said: its secrets rotate after the upgrade."""

from __future__ import annotations

import json
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any

from support.dialogue import until
from support.drawer import Drawer
from support.rotating_server import PROGRAM, SINGLE_USER, rotating

DAILY: dict[str, Any] = {"RotationLambdaARN": SINGLE_USER, "RotationRules": {"AutomaticallyAfterDays": 1}}


def status(directory: Path) -> dict[str, dict[str, Any]]:
    line = [*PROGRAM, "rotation", "status", "--json", "--data-dir", str(directory / "data")]
    told = subprocess.run(line, capture_output=True, text=True, check=True, timeout=60).stdout
    return {each["name"]: each for each in json.loads(told)["rotations"]}


def test_what_was_only_configured_is_scheduled_by_the_first_start(tmp_path: Path) -> None:
    drawer = Drawer(tmp_path / "drawer")
    drawer.set_password("bob", "old")
    value = {"engine": "drawer", "host": str(drawer.path), "username": "bob", "password": "old"}
    with rotating(tmp_path, "--workers", "1") as server:
        client = server.client("secretsmanager")
        for name in ("rotates", "off", "deleted", "plain"):
            client.create_secret(Name=name, SecretString=json.dumps(value))
        for name in ("rotates", "off", "deleted"):
            client.rotate_secret(SecretId=name, RotateImmediately=False, **DAILY)
        client.cancel_rotate_secret(SecretId="off")
        client.delete_secret(SecretId="deleted")
        until(lambda: status(tmp_path)["rotates"]["run"] is None)
        before = client.describe_secret(SecretId="rotates")
        expected = status(tmp_path)
        assert list(expected) == ["rotates"]
        client.close()
    with closing(sqlite3.connect(tmp_path / "data" / "room.db", isolation_level=None)) as database:
        gone = database.execute("DELETE FROM records WHERE kind IN ('rotation_duty', 'rotation_sweep')")
        assert gone.rowcount == 2
    assert status(tmp_path) == {}

    with rotating(tmp_path, "--workers", "1") as server:
        assert until(lambda: status(tmp_path)) == expected
        client = server.client("secretsmanager")
        after = client.describe_secret(SecretId="rotates")
        client.close()
    for described in (before, after):
        described.pop("ResponseMetadata")
        described.pop("LastAccessedDate", None)
    assert after == before
    with rotating(tmp_path, "--workers", "1"):
        assert status(tmp_path) == expected

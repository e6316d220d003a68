"""`strongroom rotation`: status, history, calendar and check, beside a running server."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from support.dialogue import fresh, until
from support.drawer import Drawer
from support.rotating_server import ACCOUNT, PROGRAM, rotating
from support.running import REGION, Server

Command = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("rotating")


@pytest.fixture(scope="module")
def server(directory: Path) -> Iterator[Server]:
    with rotating(directory, "--workers", "1") as started:
        yield started


@pytest.fixture(scope="module")
def secrets(server: Server) -> Iterator[Any]:
    client = server.client("secretsmanager")
    yield client
    client.close()


@pytest.fixture
def command(directory: Path, server: Server) -> Command:
    """Runs `strongroom rotation` on the server's directory."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        line = [*PROGRAM, "rotation", *arguments, "--data-dir", str(directory / "data")]
        return subprocess.run(line, capture_output=True, text=True, check=False, timeout=60)

    return run


@pytest.fixture
def check(command: Command, directory: Path) -> Command:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return command(
            "check", *arguments, "--region", REGION, "--root-key", f"file:{directory / 'root.key'}"
        )

    return run


@pytest.fixture
def drawer(tmp_path: Path) -> Drawer:
    made = Drawer(tmp_path / "drawer")
    made.set_password("bob", "Canary-Old-Password")
    return made


@pytest.fixture
def name(secrets: Any, drawer: Drawer) -> str:
    made = fresh("rotated")
    value = {
        "engine": "drawer",
        "host": str(drawer.path),
        "username": "bob",
        "password": "Canary-Old-Password",
    }
    secrets.create_secret(Name=made, SecretString=json.dumps(value))
    return made


def rotated(client: Any, name: str, **request: Any) -> str:
    token: str = client.rotate_secret(SecretId=name, **request)["VersionId"]
    until(lambda: client.describe_secret(SecretId=name)["VersionIdsToStages"].get(token) == ["AWSCURRENT"])
    return token


def test_status_and_history_of_a_rotation_that_went_well(secrets: Any, command: Command, name: str) -> None:
    token = rotated(secrets, name, RotationRules={"AutomaticallyAfterDays": 30})
    arn = secrets.describe_secret(SecretId=name)["ARN"]
    shown = command("status", name, "--region", REGION)
    assert shown.returncode == 0, shown.stderr
    lines = shown.stdout.splitlines()
    assert lines[:2] == [f"{name} ({arn})", "  waits for its turn, by the rotator for drawer"]
    status = json.loads(command("status", arn, "--json").stdout)["rotations"]
    assert [(each["state"], each["current"], each["failure"], each["run"]) for each in status] == [
        ("waiting", token, None, None)
    ]
    history = json.loads(command("history", name, "--region", REGION, "--json").stdout)
    assert history["arn"] == arn
    assert [(each["outcome"], each["version_id"], each["way"]) for each in history["attempts"]] == [
        ("succeeded", token, "drawer")
    ]
    line = command("history", name, "--region", REGION).stdout.splitlines()[1]
    assert line.endswith(f"version {token}, attempt 1: succeeded")


def test_status_says_what_to_mend_and_fails(
    secrets: Any, command: Command, name: str, drawer: Drawer
) -> None:
    drawer.refuse("set", "the superuser lacks CREATEROLE")
    token = secrets.rotate_secret(SecretId=name)["VersionId"]
    until(lambda: f"set {token}" in drawer.calls())
    until(
        lambda: json.loads(command("status", name, "--region", REGION, "--json").stdout)["rotations"][0][
            "failure"
        ]
    )
    shown = command("status", name, "--region", REGION)
    assert shown.returncode == 1
    assert "in setSecret: the superuser lacks CREATEROLE" in shown.stdout
    assert "Canary" not in shown.stdout
    history = command("history", name, "--region", REGION).stdout
    assert f"version {token}, attempt 1: failed in setSecret: the superuser lacks CREATEROLE" in history
    drawer.allow("set")
    secrets.cancel_rotate_secret(SecretId=name)
    off = command("status", name, "--region", REGION)
    assert "rotation is off" in off.stdout
    assert off.returncode == 0


def test_the_calendar_names_each_turn(secrets: Any, command: Command, name: str) -> None:
    rotated(secrets, name, RotationRules={"ScheduleExpression": "cron(0 18 ? * SAT *)", "Duration": "2h"})
    found = json.loads(command("calendar", "--days", "28", "--json").stdout)
    turns = [each for each in found["rotations"] if each["name"] == name]
    assert len(turns) == 4
    for turn in turns:
        at, closes = (dt.datetime.fromisoformat(turn[member]) for member in ("at", "until"))
        assert (at.weekday(), at.hour, closes.hour, closes.minute) == (5, 18, 20, 0)
    assert found["rotations"] == sorted(found["rotations"], key=lambda each: each["at"])
    assert f"{turns[0]['at']}  {name}  {REGION} {ACCOUNT}" in command("calendar", "--days", "28").stdout


def test_check_finds_nothing_in_the_way_and_changes_nothing(
    server: Server, secrets: Any, check: Command, name: str, drawer: Drawer
) -> None:
    before = secrets.describe_secret(SecretId=name)
    shown = check(name)
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.splitlines()[-1] == "Nothing stands in the way of a rotation."
    assert "  ok    login: the current user logs in" in shown.stdout.splitlines()
    assert "Canary" not in shown.stdout + shown.stderr
    after = secrets.describe_secret(SecretId=name)
    for described in (before, after):
        described.pop("ResponseMetadata")
        described.pop("LastAccessedDate", None)
    assert after == before
    assert drawer.calls() == []
    trail = _records(server, "CheckRotation")
    assert [each["requestParameters"] for each in trail] == [{"secretId": before["ARN"]}]
    assert trail[0]["userIdentity"]["type"] == "LocalOperator"


def test_check_predicts_what_would_fail(secrets: Any, check: Command, name: str, drawer: Drawer) -> None:
    drawer.set_password("bob", "another")
    found = check(name, "--json")
    assert found.returncode == 1
    told = json.loads(found.stdout)
    assert told["passed"] is False
    assert [each for each in told["findings"] if each["fault"]] == [
        {"subject": "login", "fault": "login", "message": "the login is refused"}
    ]
    assert told["next"] == []


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("x", "the secret has no current value that is a JSON object"),
        ('{"engine": "unknown"}', "there is no rotator for the engine in the secret JSON"),
        ('{"engine": "drawer", "masterarn": "absent", "host": "h"}', "there is no superuser secret absent"),
    ],
)
def test_check_says_why_nothing_can_rotate_it(secrets: Any, check: Command, value: str, message: str) -> None:
    name = fresh("unrotatable")
    secrets.create_secret(Name=name, SecretString=value)
    found = check(name)
    assert found.returncode == 1
    assert message in found.stdout
    assert found.stdout.splitlines()[-1] == "A rotation would fail."


def test_check_tells_of_a_label_that_was_left(secrets: Any, check: Command, name: str) -> None:
    left = secrets.put_secret_value(SecretId=name, SecretString="{}", VersionStages=["AWSPENDING"])
    found = check(name)
    assert found.returncode == 1
    assert f"FAIL  labels: AWSPENDING was left on version {left['VersionId']}" in found.stdout


def test_a_secret_that_is_not_there_is_refused(command: Command, check: Command) -> None:
    for shown in (command("status", "absent", "--region", REGION), check("absent")):
        assert shown.returncode == 3
        assert shown.stderr == (
            f"strongroom: There is no secret absent in {REGION}. --region looks in another one.\n"
        )


def _records(server: Server, event_name: str) -> list[dict[str, Any]]:
    assert server.log_path is not None
    slot = server.log_path.parent / "data" / "trail" / "segments" / "keeper"

    def found() -> list[dict[str, Any]]:
        lines = [line for file in slot.glob("*.jsonl") for line in file.read_text().splitlines()]
        events = [json.loads(line)["event"] for line in lines]
        return [each for each in events if each["eventName"] == event_name]

    records: list[dict[str, Any]] = until(found)
    return records

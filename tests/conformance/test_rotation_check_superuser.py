"""`strongroom rotation check` does not carry a superuser's password to where a secret's writer would have it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from strongroom.cli.rotation_check import NOT_USED
from support.canary_server import CanaryServer, listening
from support.dialogue import fresh, until
from support.rotating_server import PROGRAM, rotating
from support.running import REGION, Server

SUPERUSER_PASSWORD, OWN_PASSWORD = "Canary-of-the-superuser-1", "Canary-of-the-user-1"

Check = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("deputy")


@pytest.fixture(scope="module")
def server(directory: Path) -> Iterator[Server]:
    with rotating(directory, "--workers", "1") as started:
        yield started


@pytest.fixture
def canary() -> Iterator[CanaryServer]:
    with listening() as started:
        yield started


@pytest.fixture
def check(directory: Path, server: Server) -> Check:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        places = ["--data-dir", str(directory / "data"), "--root-key", f"file:{directory / 'root.key'}"]
        line = [*PROGRAM, "rotation", "check", *arguments, "--region", REGION, *places]
        done = subprocess.run(line, capture_output=True, text=True, check=False, timeout=60)
        assert "Canary" not in done.stdout + done.stderr
        return done

    return run


@pytest.fixture
def name(server: Server, canary: CanaryServer) -> str:
    """A secret whose writer has put a server of his own where the superuser is to log in."""
    client, made = server.client("secretsmanager"), fresh("deputy")
    admin = {"engine": "redis", "host": "127.0.0.1", "username": "root", "password": SUPERUSER_PASSWORD}
    admin_arn = client.create_secret(Name=fresh("admin"), SecretString=json.dumps(admin))["ARN"]
    value = {
        **admin,
        "port": canary.port,
        "ssl": False,
        "username": "bob",
        "password": OWN_PASSWORD,
        "masterarn": admin_arn,
    }
    client.create_secret(Name=made, SecretString=json.dumps(value))
    client.close()
    return made


def test_a_secret_nobody_called_rotate_secret_for_does_not_get_the_superuser_s_password(
    server: Server, directory: Path, check: Check, canary: CanaryServer, name: str
) -> None:
    shown = check(name)
    assert shown.returncode == 1
    unchecked = NOT_USED.format("port, ssl")
    assert f"  ?     superuser secret: {unchecked}" in shown.stdout.splitlines()
    assert shown.stdout.splitlines()[-1] == "Whether a rotation would succeed is not known."
    told = json.loads(check(name, "--json").stdout)
    assert (told["passed"], told["unchecked"]) == (False, unchecked)
    assert check(name, "--superuser-at", "127.0.0.1").returncode == 1
    assert canary.heard == b""

    # The canary would have heard it.
    check(name, "--superuser-at", f"127.0.0.1:{canary.port}")
    assert SUPERUSER_PASSWORD.encode() in canary.heard
    assert OWN_PASSWORD.encode() in canary.heard

    client = server.client("secretsmanager")
    arn = client.describe_secret(SecretId=name)["ARN"]
    client.close()
    kept = directory / "data" / "trail" / "segments" / "keeper"

    def recorded() -> list[dict[str, Any]]:
        lines = [line for file in kept.glob("*.jsonl") for line in file.read_text().splitlines()]
        asked = [json.loads(line)["event"]["requestParameters"] for line in lines if "CheckRotation" in line]
        return [each for each in asked if each.get("usedFor") == arn]

    [first, *_] = until(recorded)
    assert ":secret:admin" in first["secretId"], "the trail says that the superuser secret was opened"

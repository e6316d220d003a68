"""`strongroom rotation check` on set-ups that are broken says what RotateSecret then fails with, word for word.

Each set-up is a real database behind a running server; the check changes nothing in it.
"""

from __future__ import annotations

import json
import subprocess
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from strongroom.secret.document import Strategy
from support.dialogue import fresh, until
from support.mariadb_server import running_mariadb
from support.mariadb_target import MariadbTarget
from support.own_servers import free_port
from support.postgres_server import running_postgres
from support.postgres_target import PostgresTarget
from support.rotating_server import PROGRAM, rotating
from support.running import REGION, Server

SINGLE, ALTERNATING = Strategy.SINGLE_USER, Strategy.ALTERNATING_USERS
CLERK_PASSWORD = "Canary-of-the-lesser-admin-1"

Command = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("predictions")


@pytest.fixture(scope="module")
def server(directory: Path) -> Iterator[Server]:
    with rotating(directory, "--workers", "1") as started:
        yield started


@pytest.fixture(scope="module")
def secrets(server: Server) -> Iterator[Any]:
    client = server.client("secretsmanager")
    yield client
    client.close()


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresTarget]:
    with running_postgres() as started:
        yield PostgresTarget(started)


@pytest.fixture(scope="module")
def mariadb() -> Iterator[MariadbTarget]:
    with running_mariadb() as started:
        started.run("SET GLOBAL strict_password_validation = 0")
        yield MariadbTarget(started)


@pytest.fixture
def command(directory: Path, server: Server) -> Command:
    """Runs `strongroom rotation … --json` on the server's directory."""

    def run(name: str, *arguments: str) -> dict[str, Any]:
        line = [*PROGRAM, "rotation", name, *arguments, "--region", REGION, "--json"]
        line += ["--data-dir", str(directory / "data")]
        done = subprocess.run(line, capture_output=True, text=True, check=False, timeout=60)
        assert "Canary" not in done.stdout + done.stderr
        told: dict[str, Any] = json.loads(done.stdout)
        return told

    return run


@dataclass(frozen=True)
class Broken:
    """A set-up that no rotation can succeed in."""

    kind: str
    """Of the fault."""
    strategy: Strategy = SINGLE
    user: str | None = None
    members: dict[str, Any] | None = None
    """Of the secret's JSON, the superuser's as well."""
    lesser: bool = False
    """The superuser logs in, and may nothing more."""
    wrong_superuser: bool = False
    mariadb_kind: str = ""
    """Where MariaDB tells it from another fault than PostgreSQL does."""


def broken_setups() -> dict[str, Broken]:
    return {
        "nobody listens": Broken("unreachable", members={"port": free_port()}),
        "a host without an address": Broken("unreachable", members={"host": "no-such-host.invalid"}),
        "a wrong password": Broken("login", members={"password": "Wrong-canary-1"}),
        "no such database": Broken(
            "secret", members={"dbname": "no_such_database"}, mariadb_kind="privilege"
        ),
        "a superuser without rights": Broken("privilege", ALTERNATING, lesser=True),
        "a superuser's wrong password": Broken("login", ALTERNATING, wrong_superuser=True),
        "a name too long to clone": Broken("limit", ALTERNATING, user="u" * 79),
    }


SETUPS = broken_setups()


def _secret(secrets: Any, target: Any, broken: Broken) -> str:
    """Return the name of a secret in a set-up broken like this."""
    lesser = f"clerk_{uuid.uuid4().hex[:8]}"
    user = broken.user
    if user is not None and isinstance(target, PostgresTarget):
        user = user[:58]
    material = target.of_user(broken.strategy, user or f"app_{uuid.uuid4().hex[:8]}")
    value = {**material.current, **(broken.members or {})}
    value.pop("masterarn")
    if material.admin is not None:
        admin = dict(material.admin)
        if broken.lesser:
            target.make(lesser, CLERK_PASSWORD)
            admin |= {"username": lesser, "password": CLERK_PASSWORD}
        if broken.wrong_superuser:
            admin["password"] = "Wrong-canary-2"
        value["masterarn"] = secrets.create_secret(Name=fresh("admin"), SecretString=json.dumps(admin))["ARN"]
    name = fresh("broken")
    secrets.create_secret(Name=name, SecretString=json.dumps(value))
    return name


@pytest.mark.parametrize("setup", SETUPS)
@pytest.mark.parametrize("engine", ["postgres", "mariadb"])
def test_the_check_predicts_how_the_rotation_fails(
    request: pytest.FixtureRequest, secrets: Any, directory: Path, command: Command, engine: str, setup: str
) -> None:
    target, broken = request.getfixturevalue(engine), SETUPS[setup]
    name = _secret(secrets, target, broken)
    described = secrets.describe_secret(SecretId=name)["VersionIdsToStages"]
    state = target.dump()

    told = command("check", name, "--root-key", f"file:{directory / 'root.key'}")
    assert told["passed"] is False
    [foretold] = [each for each in told["findings"] if each["fault"]]
    expected = (engine == "mariadb" and broken.mariadb_kind) or broken.kind
    assert foretold["fault"] == expected
    assert target.dump() == state
    assert secrets.describe_secret(SecretId=name)["VersionIdsToStages"] == described

    token = secrets.rotate_secret(SecretId=name)["VersionId"]
    [failed, *_] = until(lambda: command("history", name)["attempts"])
    secrets.cancel_rotate_secret(SecretId=name)
    assert (failed["version_id"], failed["outcome"]) == (token, "failed")
    assert failed["kind"] == foretold["fault"]
    assert failed["message"] == foretold["message"]
    assert target.dump() == state
    [current] = described
    assert secrets.describe_secret(SecretId=name)["VersionIdsToStages"][current] == ["AWSCURRENT"]

"""RotateSecret without a function, on real databases: the password changes there and in the secret, has logged in
before anybody gets it, and an application that follows the advice notices nothing.

Source: fact sheet rotation sections 4 to 7; DESIGN promise 7.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from support import mariadb_server, postgres_server
from support.application import Application
from support.dialogue import fresh, until
from support.rotating_server import rotating
from support.running import Server

FIRST = "Canary-first-password-1"
ROTATIONS = 20


@dataclass
class Database:
    engine: str
    server: Any
    admin: tuple[str, str]

    def make_user(self) -> str:
        """Return the name of a new user, who may read one table, with the password FIRST."""
        name = f"app_{uuid.uuid4().hex[:8]}"
        if self.engine == "postgresql":
            self.server.run(
                "CREATE TABLE IF NOT EXISTS goods (n int)",
                f"CREATE ROLE {name} LOGIN PASSWORD '{FIRST}'",
                f"GRANT SELECT ON goods TO {name}",
            )
        else:
            self.server.run(
                "CREATE DATABASE IF NOT EXISTS shop",
                "CREATE TABLE IF NOT EXISTS shop.goods (n int)",
                f"CREATE USER {name}@'%' IDENTIFIED BY '{FIRST}'",
                f"GRANT SELECT ON shop.goods TO {name}@'%'",
            )
        return name

    def logs_in(self, user: str, password: str) -> bool:
        found: bool = self.server.logs_in(user, password)
        return found


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with rotating(tmp_path_factory.mktemp("managed"), "--workers", "1") as started:
        yield started


@pytest.fixture(scope="module")
def secrets(server: Server) -> Iterator[Any]:
    client = server.client("secretsmanager")
    yield client
    client.close()


@pytest.fixture(scope="module", params=["postgresql", "mariadb"])
def database(request: pytest.FixtureRequest) -> Iterator[Database]:
    module = postgres_server if request.param == "postgresql" else mariadb_server
    with ExitStack() as stack:
        running = (
            postgres_server.running_postgres()
            if request.param == "postgresql"
            else mariadb_server.running_mariadb(plugins=())
        )
        started = stack.enter_context(running)
        yield Database(request.param, started, (module.ADMIN, module.ADMIN_PASSWORD))


def a_secret(secrets: Any, database: Database, *, alternating: bool) -> tuple[str, str]:
    """Return the name of a new secret and of the user it is for."""
    user, more = database.make_user(), {}
    if alternating:
        admin = json.dumps(database.server.document(*database.admin))
        more["masterarn"] = secrets.create_secret(Name=fresh("superuser"), SecretString=admin)["ARN"]
    name = fresh("managed")
    value = {**database.server.document(user, FIRST), **more}
    secrets.create_secret(Name=name, SecretString=json.dumps(value))
    return name, user


def current(secrets: Any, name: str, label: str = "AWSCURRENT") -> dict[str, Any]:
    answer = secrets.get_secret_value(SecretId=name, VersionStage=label)
    value: dict[str, Any] = json.loads(answer["SecretString"])
    return value


def rotate(secrets: Any, name: str, **request: Any) -> dict[str, Any]:
    """Rotate it and return the new value."""
    token = secrets.rotate_secret(SecretId=name, **request)["VersionId"]
    until(lambda: secrets.describe_secret(SecretId=name)["VersionIdsToStages"].get(token) == ["AWSCURRENT"])
    return current(secrets, name)


def kept_anywhere(server: Server, canary: str) -> list[Path]:
    assert server.log_path is not None
    files = [path for path in server.log_path.parent.rglob("*") if path.is_file()]
    return [path for path in files if canary.encode() in path.read_bytes()]


def test_one_user_gets_a_new_password(server: Server, secrets: Any, database: Database) -> None:
    name, user = a_secret(secrets, database, alternating=False)
    before = current(secrets, name)
    passwords = [FIRST]
    for _ in range(2):
        new = rotate(secrets, name, RotationRules={"AutomaticallyAfterDays": 30})
        assert new == {**before, "password": new["password"]}
        assert database.logs_in(user, new["password"])
        assert not database.logs_in(user, passwords[-1])
        assert current(secrets, name, "AWSPREVIOUS")["password"] == passwords[-1]
        passwords.append(new["password"])
    assert len(set(passwords)) == 3
    for password in passwords:
        assert kept_anywhere(server, password) == []


def test_two_users_take_turns(server: Server, secrets: Any, database: Database) -> None:
    name, user = a_secret(secrets, database, alternating=True)
    for expected in (f"{user}_clone", user, f"{user}_clone"):
        before = current(secrets, name)
        new = rotate(secrets, name)
        assert new == {**before, "username": expected, "password": new["password"]}
        assert database.logs_in(expected, new["password"])
        assert database.logs_in(before["username"], before["password"])
    assert kept_anywhere(server, database.admin[1]) == []


@pytest.mark.parametrize("alternating", [False, True], ids=["single user", "alternating users"])
def test_an_application_works_through_many_rotations(
    server: Server, secrets: Any, database: Database, alternating: bool
) -> None:
    name, _ = a_secret(secrets, database, alternating=alternating)
    reader = server.client("secretsmanager")
    application = Application(reader, name, database.logs_in)
    with application.working():
        for _ in range(ROTATIONS):
            rotate(secrets, name)
    reader.close()
    assert application.served > ROTATIONS
    assert application.failed == 0
    if not alternating:
        assert application.second_tries > 0, "the old password went on opening"


def test_a_target_that_is_away_fails_the_rotation_in_words(
    server: Server, secrets: Any, database: Database
) -> None:
    name, user = a_secret(secrets, database, alternating=False)
    before = current(secrets, name)
    secrets.put_secret_value(SecretId=name, SecretString=json.dumps({**before, "port": 1}))
    token = secrets.rotate_secret(SecretId=name)["VersionId"]
    until(lambda: name in server.log())
    line = next(json.loads(each) for each in server.log().splitlines() if name in each)
    assert (line["event"], line["step"], line["attempt"]) == ("rotation failed", "setSecret", 1)
    assert line["reason"]
    assert FIRST not in server.log()
    stages = secrets.describe_secret(SecretId=name)["VersionIdsToStages"]
    assert stages[token] == ["AWSPENDING"]
    assert database.logs_in(user, FIRST)
    secrets.cancel_rotate_secret(SecretId=name)

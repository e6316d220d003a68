"""Functions written after the contract of AWS's templates rotate real databases, through Lambda, in a sandbox.

Source: fact sheet rotation sections 4, 6, 8 and 9.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from strongroom.functions.confinement import Level, sandbox_level
from support.dialogue import fresh, until
from support.function_room import jailed, run_directory
from support.mariadb_server import running_mariadb
from support.postgres_server import running_postgres
from support.rotating_server import rotating
from support.rotation_functions import a_function, a_role
from support.running import Server

FIRST = "Canary-first-password-1"


@pytest.fixture(scope="module", autouse=True)
def shut_in() -> None:
    level, words = sandbox_level()
    if level is Level.NONE:
        pytest.skip(f"functions cannot be shut in here: {words}")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with rotating(tmp_path_factory.mktemp("functions"), "--workers", "1") as started:
        yield started


@pytest.fixture(scope="module")
def data_dir(server: Server) -> Path:
    assert server.log_path is not None
    return server.log_path.parent / "data"


@pytest.fixture(scope="module", params=["postgresql", "mariadb"])
def database(request: pytest.FixtureRequest) -> Iterator[Any]:
    """A real server; its name as `packaged` knows it."""
    with ExitStack() as stack:
        started = stack.enter_context(
            running_postgres() if request.param == "postgresql" else running_mariadb()
        )
        yield request.param, started


@pytest.fixture(scope="module")
def role(server: Server) -> str:
    return a_role(server)


def a_user(database: tuple[str, Any], name: str) -> None:
    """The database has the user, who may read one table."""
    engine, target = database
    if engine == "postgresql":
        target.run(
            "CREATE TABLE IF NOT EXISTS goods (n int)",
            f"CREATE ROLE {name} LOGIN PASSWORD '{FIRST}'",
            f"GRANT SELECT ON goods TO {name}",
        )
    else:
        target.run(
            "CREATE DATABASE IF NOT EXISTS shop",
            "CREATE TABLE IF NOT EXISTS shop.goods (n int)",
            f"CREATE USER {name}@'%' IDENTIFIED BY '{FIRST}'",
            f"GRANT SELECT ON shop.goods TO {name}@'%'",
        )


def current(client: Any, secret: str, stage: str = "AWSCURRENT") -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        client.get_secret_value(SecretId=secret, VersionStage=stage)["SecretString"]
    )
    return found


def rotated(client: Any, server: Server, secret: str, **request: Any) -> dict[str, Any]:
    """Rotate it and return the new value."""
    token = str(uuid.uuid4())
    client.rotate_secret(SecretId=secret, ClientRequestToken=token, **request)

    def settled() -> bool:
        labels = client.describe_secret(SecretId=secret)["VersionIdsToStages"]
        return labels.get(token) == ["AWSCURRENT"]

    try:
        until(settled)
    except BaseException as error:
        assert server.log_path is not None
        printed = [p.read_text() for p in (server.log_path.parent / "data" / "functions").rglob("*.jsonl")]
        raise AssertionError("\n".join([server.log(), *printed])) from error
    return current(client, secret)


def kept_anywhere(data_dir: Path, canary: str) -> list[Path]:
    return [path for path in data_dir.rglob("*") if path.is_file() and canary.encode() in path.read_bytes()]


def test_single_user(server: Server, data_dir: Path, role: str, database: tuple[str, Any]) -> None:
    engine, target = database
    client, user = server.client("secretsmanager"), f"app_{uuid.uuid4().hex[:8]}"
    a_user(database, user)
    document = target.document(user, FIRST)
    secret = fresh("function")
    client.create_secret(Name=secret, SecretString=json.dumps(document))
    function = a_function(server, role, engine, "single_user")

    passwords = [FIRST]
    for request in ({"RotationLambdaARN": function, "RotationRules": {"AutomaticallyAfterDays": 30}}, {}):
        new = rotated(client, server, secret, **request)
        assert new == {**document, "password": new["password"]}
        assert target.logs_in(user, new["password"])
        assert not target.logs_in(user, passwords[-1])
        assert current(client, secret, "AWSPREVIOUS")["password"] == passwords[-1]
        passwords.append(new["password"])
    assert len(set(passwords)) == 3
    for password in passwords:
        assert kept_anywhere(data_dir, password) == []


def test_alternating_users(server: Server, data_dir: Path, role: str, database: tuple[str, Any]) -> None:
    engine, target = database
    client, user = server.client("secretsmanager"), f"app_{uuid.uuid4().hex[:8]}"
    a_user(database, user)
    admin = target.document(*ADMINS[engine](target))
    superuser, secret = fresh("superuser"), fresh("function")
    master_arn = client.create_secret(Name=superuser, SecretString=json.dumps(admin))["ARN"]
    document = {**target.document(user, FIRST), "masterarn": master_arn}
    client.create_secret(Name=secret, SecretString=json.dumps(document))
    function = a_function(server, role, engine, "alternating_users")

    before = (user, FIRST)
    for request, name in (
        ({"RotationLambdaARN": function}, f"{user}_clone"),
        ({}, user),
        ({}, f"{user}_clone"),
    ):
        new = rotated(client, server, secret, **request)
        assert new == {**document, "username": name, "password": new["password"]}
        assert target.logs_in(name, new["password"])
        assert target.logs_in(*before)
        before = (name, new["password"])
    with target.connect(*before) as connection:
        cursor = connection.cursor()
        cursor.execute("SELECT n FROM goods" if engine == "postgresql" else "SELECT n FROM shop.goods")
    assert kept_anywhere(data_dir, before[1]) == []


def test_a_function_that_is_refused_changes_nothing(
    server: Server, role: str, database: tuple[str, Any]
) -> None:
    engine, target = database
    client, user = server.client("secretsmanager"), f"app_{uuid.uuid4().hex[:8]}"
    a_user(database, user)
    secret = fresh("function")
    created = client.create_secret(
        Name=secret, SecretString=json.dumps(target.document(user, "Canary-wrong-password"))
    )
    function = a_function(server, role, engine, "single_user")
    token = str(uuid.uuid4())
    client.rotate_secret(SecretId=secret, ClientRequestToken=token, RotationLambdaARN=function)
    logs = server.client("lambda")

    def failed() -> bool:
        event = {"Step": "setSecret", "SecretId": created["ARN"], "ClientRequestToken": token}
        answer = logs.invoke(FunctionName=function, Payload=json.dumps(event).encode())
        return b"Unable to log into database" in answer["Payload"].read()

    until(failed)
    assert client.describe_secret(SecretId=secret)["VersionIdsToStages"] == {
        created["VersionId"]: ["AWSCURRENT"],
        token: ["AWSPENDING"],
    }
    assert target.logs_in(user, FIRST)
    client.cancel_rotate_secret(SecretId=secret)


def _postgres_admin(_: Any) -> tuple[str, str]:
    from support.postgres_server import ADMIN, ADMIN_PASSWORD

    return ADMIN, ADMIN_PASSWORD


def _mariadb_admin(_: Any) -> tuple[str, str]:
    from support.mariadb_server import ADMIN, ADMIN_PASSWORD

    return ADMIN, ADMIN_PASSWORD


ADMINS = {"postgresql": _postgres_admin, "mariadb": _mariadb_admin}


def test_a_sandbox_waits_before_the_first_rotation(tmp_path: Path) -> None:
    """In the rotation process alone: workers take no memory for what may never come."""
    if not jailed():
        pytest.skip("sandboxes of all servers of the machine have their places side by side here")
    with rotating(tmp_path, "--workers", "2") as started:
        places = run_directory(tmp_path / "data")
        log = started.log
        assert list(places.glob("*/places/*")) == []
        a_function(started, a_role(started), "postgresql", "single_user")
        until(lambda: list(places.glob("*/places/*")) != [])
        # All three know how they would shut it in.
        until(lambda: log().count("functions are shut in") == 3)
        assert len(list(places.glob("*/places/*"))) == 1
    assert list(places.glob("*/places/*")) == []

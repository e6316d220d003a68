"""Rotations of a real PostgreSQL whose process, or the server's workers, are killed at any moment.

An application works on meanwhile: it is never refused with what the secret gives it. DESIGN promise 7.
"""

from __future__ import annotations

import json
import os
import random
import signal
import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from support.application import Application
from support.dialogue import fresh, until
from support.postgres_server import ADMIN, ADMIN_PASSWORD, PostgresServer, running_postgres
from support.processes import process_of
from support.rotating_server import rotating
from support.running import Server

pytestmark = pytest.mark.crash
KILLS = 12
LONGEST_SECONDS = 0.12
"""A rotation takes about that long here."""
FIRST = "first-password-1"


@pytest.fixture(scope="module")
def database() -> Iterator[PostgresServer]:
    with running_postgres() as started:
        yield started


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with rotating(tmp_path_factory.mktemp("managed"), "--workers", "1") as started:
        yield started


def a_secret(client: Any, database: PostgresServer, *, alternating: bool) -> str:
    user, more = f"app_{uuid.uuid4().hex[:8]}", {}
    database.run(f"CREATE ROLE {user} LOGIN PASSWORD '{FIRST}'")
    if alternating:
        admin = json.dumps(database.document(ADMIN, ADMIN_PASSWORD))
        more["masterarn"] = client.create_secret(Name=fresh("superuser"), SecretString=admin)["ARN"]
    name = fresh("managed")
    value = {**database.document(user, FIRST), **more}
    client.create_secret(Name=name, SecretString=json.dumps(value))
    return name


@pytest.mark.parametrize("alternating", [False, True], ids=["single user", "alternating users"])
@pytest.mark.parametrize("role", ["rotation", "keeper"])
def test_an_application_works_on_while_the_process_is_killed(
    server: Server, database: PostgresServer, role: str, alternating: bool
) -> None:
    client = server.client("secretsmanager")
    name = a_secret(client, database, alternating=alternating)
    chance = random.Random(f"{role} {alternating}")
    reader = server.client("secretsmanager")
    application = Application(reader, name, database.logs_in)
    tokens = []
    with application.working():
        for _ in range(KILLS):
            victim = until(lambda: process_of(server, role))
            token = client.rotate_secret(SecretId=name)["VersionId"]
            time.sleep(chance.uniform(0, LONGEST_SECONDS))
            os.kill(victim, signal.SIGKILL)
            until(lambda token=token: _is_current(client, name, token))
            tokens.append(token)
    value = json.loads(client.get_secret_value(SecretId=name)["SecretString"])
    assert database.logs_in(value["username"], value["password"])
    assert application.served > KILLS
    assert application.failed == 0
    if alternating:
        # What was read last goes on opening until the rotation after the next.
        assert application.second_tries < KILLS
    client.close()
    reader.close()


def _is_current(client: Any, name: str, token: str) -> bool:
    stages = client.describe_secret(SecretId=name)["VersionIdsToStages"]
    return bool(stages.get(token) == ["AWSCURRENT"])

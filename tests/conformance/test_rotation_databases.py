"""Managed rotation of real databases through the whole server, and applications that go on meanwhile.

Source: fact sheet rotation sections 4 and 6.
"""

from __future__ import annotations

import json
import os
import threading
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from strongroom.secret.document import Strategy
from support.dialogue import fresh, until
from support.mariadb_server import MariadbServer, running_mariadb
from support.mariadb_target import MariadbTarget
from support.own_servers import free_port
from support.postgres_server import PostgresServer, running_postgres
from support.postgres_target import PostgresTarget
from support.rotating_server import rotating
from support.running import Server

ROTATIONS = int(os.environ.get("STRONGROOM_TEST_ROTATIONS", "15"))
"""How many of them an application is put through."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with rotating(tmp_path_factory.mktemp("databases"), "--workers", "1") as started:
        yield started


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    with running_postgres() as started:
        yield started


@pytest.fixture(scope="module")
def mariadb() -> Iterator[MariadbServer]:
    with running_mariadb() as started:
        started.run("SET GLOBAL strict_password_validation = 0")
        yield started


@pytest.fixture(params=["postgres", "mariadb"])
def target(request: pytest.FixtureRequest) -> Any:
    if request.param == "postgres":
        return PostgresTarget(request.getfixturevalue("postgres"))
    return MariadbTarget(request.getfixturevalue("mariadb"))


@pytest.fixture(params=[*Strategy], ids=[each.value for each in Strategy])
def strategy(request: pytest.FixtureRequest) -> Strategy:
    found: Strategy = request.param
    return found


@dataclass
class Database:
    """A user of a real database, as a secret that rotates."""

    client: Any
    target: Any
    arn: str
    strategy: Strategy
    versions: list[str] = field(default_factory=list)

    def current(self) -> tuple[str, dict[str, Any]]:
        answer = self.client.get_secret_value(SecretId=self.arn)
        return answer["VersionId"], json.loads(answer["SecretString"])

    def rotate(self) -> None:
        """Rotate, and return when AWSCURRENT has moved and AWSPENDING is gone."""
        token = str(uuid.uuid4())
        self.client.rotate_secret(SecretId=self.arn, ClientRequestToken=token)

        def stages() -> Any:
            return self.client.describe_secret(SecretId=self.arn)["VersionIdsToStages"].get(token)

        until(lambda: stages() == ["AWSCURRENT"])
        self.versions.append(token)


@pytest.fixture
def database(server: Server, target: Any, strategy: Strategy) -> Database:
    client = server.client("secretsmanager")
    material = target.material(strategy)
    members = dict(material.current)
    del members["masterarn"]
    if material.admin is not None:
        members["masterarn"] = client.create_secret(
            Name=fresh("admin"), SecretString=json.dumps(dict(material.admin))
        )["ARN"]
    arn = client.create_secret(Name=fresh("app"), SecretString=json.dumps(members))["ARN"]
    return Database(client, target, arn, strategy)


@dataclass
class Application:
    """Follows the advice: it keeps the secret, and fetches it again when the database refuses it."""

    database: Database
    ended: threading.Event = field(default_factory=threading.Event)
    queries: int = 0
    refetched: int = 0
    failures: list[str] = field(default_factory=list)

    def run(self) -> None:
        held, value = self.database.current()
        while not self.ended.is_set():
            self.queries += 1
            if self._query(value):
                continue
            self.refetched += 1
            held, value = self._recovered(held)

    def _recovered(self, refused: str) -> tuple[str, dict[str, Any]]:
        """Fetch the secret again and have its query answered.

        One retry does: with two users what is current is never refused; with one, the read waits for
        AWSCURRENT to move. Unless the next rotation has come in between: that is another refusal.
        """
        held, value = self.database.current()
        if held == refused or (not self._query(value) and self.database.current()[0] == held):
            self.failures.append(f"{held} is current and was refused")
        return held, value

    def _query(self, value: dict[str, Any]) -> bool:
        return bool(self.database.target.logs_in(value))


def test_an_application_serves_every_query_through_many_rotations(database: Database) -> None:
    application = Application(database)
    thread = threading.Thread(target=application.run)
    thread.start()
    try:
        for _ in range(ROTATIONS):
            database.rotate()
    finally:
        application.ended.set()
        thread.join()
    print(f"{ROTATIONS} rotations, {application.queries} queries, {application.refetched} fetched again")
    assert application.failures == []
    assert application.queries > 0
    assert len(set(database.versions)) == ROTATIONS
    _, value = database.current()
    assert database.target.logs_in(value)


def test_no_password_of_any_version_is_in_a_log_of_either(
    database: Database, server: Server, tmp_path: Path
) -> None:
    seen = [database.current()[1]["password"]]
    for _ in range(3):
        database.rotate()
        seen.append(database.current()[1]["password"])
    assert len(set(seen)) == 4
    assert server.log_path is not None
    written = [server.log(), database.target.log()]
    trail = server.log_path.parent / "data" / "trail"
    written += [path.read_bytes().decode(errors="replace") for path in trail.rglob("*") if path.is_file()]
    for password in seen:
        assert not any(password in text for text in written)


def test_a_target_that_is_away_is_told_in_words_and_the_rotation_ends_when_it_is_back(
    database: Database, server: Server
) -> None:
    """The value is put right by hand, as a person would."""
    version, value = database.current()
    away = {**value, "port": free_port()}
    database.client.put_secret_value(SecretId=database.arn, SecretString=json.dumps(away))
    token = str(uuid.uuid4())
    database.client.rotate_secret(SecretId=database.arn, ClientRequestToken=token)

    def failed() -> bool:
        trail = server.client("cloudtrail").lookup_events(
            LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": "RotationFailed"}]
        )["Events"]
        return any(
            database.arn in event["CloudTrailEvent"]
            and "nothing answers on host and port of the secret JSON" in event["CloudTrailEvent"]
            for event in trail
        )

    until(failed)
    assert database.target.logs_in(value)
    assert database.client.describe_secret(SecretId=database.arn)["VersionIdsToStages"][version]
    database.client.put_secret_value(SecretId=database.arn, SecretString=json.dumps(value))
    database.rotate()
    assert database.target.logs_in(database.current()[1])

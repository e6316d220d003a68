"""The PostgreSQL rotator against a real server."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import psycopg
import pytest

from strongroom.ports import Rotator
from strongroom.rotators.registry import load_rotators
from strongroom.secret.document import SecretDocument, Strategy
from strongroom.secret.material import RotationMaterial
from support.postgres_server import ADMIN, ADMIN_PASSWORD, HOST, PostgresServer, running_postgres
from support.rotator_contract import RotatorContract

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with running_postgres() as server:
        yield server


class PostgresTarget:
    def __init__(self, server: PostgresServer) -> None:
        self.server = server
        self.port = server.port
        rotator = load_rotators().find("postgres")
        assert rotator is not None
        self.rotator: Rotator = rotator

    def material(self, strategy: Strategy) -> RotationMaterial:
        number = next(_numbers)
        user, password = f"app{number}", f"Canary-first-password-{number}"
        self.server.run(f"CREATE ROLE {user} LOGIN PASSWORD '{self.verifier(user, password)}'")
        document = SecretDocument(self.server.document(user, password, masterarn="arn:admin"))
        admin = None
        if strategy is Strategy.ALTERNATING_USERS:
            admin = SecretDocument(self.server.document(ADMIN, ADMIN_PASSWORD))
        return RotationMaterial("arn:app", f"version-{number}", document, strategy, admin=admin)

    def verifier(self, user: str, password: str) -> str:
        """Made here, so that the canary is in no statement of the test's own."""
        with self.server.connect() as connection:
            encrypt = connection.pgconn.encrypt_password
            return str(encrypt(password.encode(), user.encode(), b"scram-sha-256").decode())

    def logs_in(self, document: SecretDocument) -> bool:
        try:
            psycopg.connect(
                host=HOST,
                port=self.port,
                user=document["username"],
                password=document["password"],
                dbname="postgres",
            ).close()
        except psycopg.OperationalError:
            return False
        return True

    def dump(self) -> str:
        return self.server.roles_dump()

    def log(self) -> str:
        return self.server.log()


@pytest.fixture
def target(server: PostgresServer) -> PostgresTarget:
    return PostgresTarget(server)


class TestPostgreSQL(RotatorContract):
    """The suite that every engine passes."""

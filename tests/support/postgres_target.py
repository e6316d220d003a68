"""PostgreSQL as a target of rotations, for `support.rotator_contract`."""

from __future__ import annotations

import itertools
from typing import Any

import psycopg

from strongroom.ports import Rotator
from strongroom.rotators.registry import load_rotators
from strongroom.secret.document import SecretDocument, Strategy
from strongroom.secret.material import RotationMaterial
from support.postgres_server import ADMIN, ADMIN_PASSWORD, HOST, PostgresServer

_numbers = itertools.count(1)


class PostgresTarget:
    def __init__(self, server: PostgresServer) -> None:
        self.server = server
        self.port = server.port
        rotator = load_rotators().find("postgres")
        assert rotator is not None
        self.rotator: Rotator = rotator

    def material(self, strategy: Strategy) -> RotationMaterial:
        return self.of_user(strategy, f"app{next(_numbers)}")

    def of_user(
        self,
        strategy: Strategy,
        user: str,
        options: str = "",
        admin: tuple[str, str] = (ADMIN, ADMIN_PASSWORD),
    ) -> RotationMaterial:
        """Make a role of that name and options, and return what its rotation gets."""
        password = f"Canary-first-password-{next(_numbers)}"
        self.make(user, password, options)
        document = SecretDocument(self.server.document(user, password, masterarn="arn:admin"))
        superuser = None
        if strategy is Strategy.ALTERNATING_USERS:
            superuser = SecretDocument(self.server.document(*admin))
        return RotationMaterial("arn:app", "version", document, strategy, admin=superuser)

    def make(self, user: str, password: str, options: str = "") -> None:
        """Make a role that logs in. The canary is in no statement of the test's own."""
        verifier = self.verifier(user, password)
        self.server.run(f"CREATE ROLE {quoted(user)} LOGIN PASSWORD '{verifier}' {options}")

    def connect(self, document: SecretDocument, database: str = "postgres") -> Any:
        """Return a connection of the document's user that commits each statement."""
        return self.server.connect(document["username"], document["password"], database)

    def verifier(self, user: str, password: str) -> str:
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


def quoted(name: str) -> str:
    doubled = name.replace('"', '""')
    return f'"{doubled}"'

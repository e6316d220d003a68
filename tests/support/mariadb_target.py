"""MariaDB as a target of rotations, for `support.rotator_contract`."""

from __future__ import annotations

import itertools
from typing import Any

import pymysql

from strongroom.ports import Rotator
from strongroom.rotators.mysql_passwords import native_hash
from strongroom.rotators.registry import load_rotators
from strongroom.secret.document import SecretDocument, Strategy
from strongroom.secret.material import RotationMaterial
from support.mariadb_server import ADMIN, ADMIN_PASSWORD, MariadbServer

_numbers = itertools.count(1)


class MariadbTarget:
    def __init__(self, server: MariadbServer, engine: str = "mariadb") -> None:
        self.server = server
        self.port = server.port
        rotator = load_rotators().find(engine)
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
        """Make a user of that name and options, and return what its rotation gets."""
        password = f"Canary-first-password-{next(_numbers)}"
        self.make(user, password, options)
        document = SecretDocument(self.server.document(user, password, masterarn="arn:admin"))
        superuser = None
        if strategy is Strategy.ALTERNATING_USERS:
            superuser = SecretDocument(self.server.document(*admin))
        return RotationMaterial("arn:app", "version", document, strategy, admin=superuser)

    def make(self, user: str, password: str, options: str = "", host: str = "%") -> None:
        """Make a user. The canary is in no statement of the test's own."""
        with self.server.connect() as connection, connection.cursor() as cursor:
            account = f"{quoted(user)}@{quoted(host)}"
            hashed = native_hash(password)
            cursor.execute(f"CREATE USER {account} IDENTIFIED BY PASSWORD '{hashed}' {options}")

    def connect(self, document: SecretDocument) -> Any:
        return self.server.connect(document["username"], document["password"])

    def logs_in(self, document: SecretDocument) -> bool:
        try:
            self.connect(document).close()
        except pymysql.MySQLError:
            return False
        return True

    def dump(self) -> str:
        return self.server.users_dump()

    def log(self) -> str:
        return self.server.log()


def quoted(name: str) -> str:
    doubled = name.replace("`", "``")
    return f"`{doubled}`"

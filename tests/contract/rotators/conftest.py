"""The servers that rotators are tested on: one of each for all modules."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.mariadb_server import MariadbServer, running_mariadb
from support.postgres_server import PostgresServer, running_postgres


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    with running_postgres() as server:
        yield server


@pytest.fixture(scope="session")
def mariadb() -> Iterator[MariadbServer]:
    """Its rules for passwords are in force (simple_password_check), but hashes are taken."""
    with running_mariadb() as server:
        server.run("SET GLOBAL strict_password_validation = 0")
        yield server

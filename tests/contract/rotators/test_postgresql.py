"""The suite that every engine passes, on a real PostgreSQL."""

from __future__ import annotations

import pytest

from support.postgres_server import PostgresServer
from support.postgres_target import PostgresTarget
from support.rotator_contract import RotatorContract


@pytest.fixture
def target(postgres: PostgresServer) -> PostgresTarget:
    return PostgresTarget(postgres)


class TestPostgreSQL(RotatorContract):
    """Both strategies."""

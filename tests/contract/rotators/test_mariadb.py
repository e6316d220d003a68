"""The suite that every engine passes, on a real MariaDB."""

from __future__ import annotations

import pytest

from support.mariadb_server import MariadbServer
from support.mariadb_target import MariadbTarget
from support.rotator_contract import RotatorContract


@pytest.fixture
def target(mariadb: MariadbServer) -> MariadbTarget:
    return MariadbTarget(mariadb)


class TestMariaDB(RotatorContract):
    """Both strategies."""

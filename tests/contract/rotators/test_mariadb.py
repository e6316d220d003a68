"""The suite that every engine passes, on a real MariaDB."""

from __future__ import annotations

from dataclasses import replace

import pytest

from strongroom.secret.document import Strategy
from support.mariadb_server import MariadbServer
from support.mariadb_target import MariadbTarget
from support.rotator_contract import RotatorContract, rotate


@pytest.fixture
def target(mariadb: MariadbServer) -> MariadbTarget:
    return MariadbTarget(mariadb)


class TestMariaDB(RotatorContract):
    """Both strategies."""


@pytest.mark.parametrize("strategy", [*Strategy], ids=[each.value for each in Strategy])
def test_a_password_may_have_any_characters(target: MariadbTarget, strategy: Strategy) -> None:
    material, password = target.material(strategy), "Canary-p\u00e4ssw\u00f6rd-1"
    for letter in ("", "\u20ac"):
        user = material.current["username"]
        target.server.run(f"SET PASSWORD FOR `{user}`@`%` = PASSWORD('{password}{letter}')")
        current = material.current.replaced(password=f"{password}{letter}")
        material = rotate(target, replace(material, current=current))
        assert target.logs_in(material.current)

"""SQL Server, Oracle, Redshift, MySQL and MongoDB: the suite runs against a server that someone lends.

Set one of these to `engine://superuser:password@host:port/dbname`, percent-encoded, of a server that may be
written to; the suite makes users whose names begin with `srt`, and leaves them there:

    STRONGROOM_TEST_SQLSERVER_URL  STRONGROOM_TEST_ORACLE_URL  STRONGROOM_TEST_REDSHIFT_URL
    STRONGROOM_TEST_MYSQL_URL  STRONGROOM_TEST_MONGO_URL

Without one, what needs no server is tested: what is said when none is there, or when it says nothing.
"""

from __future__ import annotations

import os
import socket
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from urllib.parse import unquote, urlsplit

import pytest

from strongroom.ports import Rotator
from strongroom.rotators.deadlines import Deadline
from strongroom.rotators.registry import load_rotators
from strongroom.secret.document import FaultKind, RotationFault, SecretDocument, Strategy
from strongroom.secret.material import RotationMaterial
from support.own_servers import free_port
from support.rotator_contract import assert_predicted, faults, moved, rotate

ENGINES = ("sqlserver", "oracle", "redshift", "mysql", "mongo")

MAKE_USER = {
    "sqlserver": "CREATE LOGIN [{user}] WITH PASSWORD = N'{password}'",
    "oracle": 'CREATE USER {user} IDENTIFIED BY "{password}"',
    "redshift": "CREATE USER {user} PASSWORD '{password}'",
    "mysql": "CREATE USER {user} IDENTIFIED BY '{password}'",
}
LET_IN = {"oracle": "GRANT CREATE SESSION TO {user}"}


def rotator_of(engine: str) -> Rotator:
    rotator = load_rotators().find(engine)
    assert rotator is not None
    return rotator


class Unserved:
    """A target that is not there."""

    def __init__(self, engine: str) -> None:
        self.engine = engine
        self.rotator = rotator_of(engine)

    def material(self, strategy: Strategy, port: int) -> RotationMaterial:
        members = {"engine": self.engine, "host": "127.0.0.1", "port": port, "dbname": "x", "ssl": False}
        current = {**members, "username": "app", "password": "Canary-1", "masterarn": "arn:admin"}
        admin = SecretDocument({**members, "username": "admin", "password": "Canary-2"})
        alternating = strategy is Strategy.ALTERNATING_USERS
        return RotationMaterial(
            "arn:app", "v", SecretDocument(current), strategy, admin=admin if alternating else None
        )


@pytest.fixture(params=ENGINES)
def unserved(request: pytest.FixtureRequest) -> Unserved:
    return Unserved(request.param)


@contextmanager
def silent_port() -> Iterator[int]:
    """Take connections, and never say a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield int(listener.getsockname()[1])


@contextmanager
def closing_port() -> Iterator[int]:
    """Take connections, and end them."""

    def serve(listener: socket.socket) -> None:
        while True:
            try:
                listener.accept()[0].close()
            except OSError:
                return

    with socket.create_server(("127.0.0.1", 0)) as listener:
        serving = threading.Thread(target=serve, args=(listener,), daemon=True)
        serving.start()
        yield int(listener.getsockname()[1])
        listener.shutdown(socket.SHUT_RDWR)
    serving.join()


BOTH = pytest.mark.parametrize("strategy", [*Strategy], ids=[each.value for each in Strategy])


@BOTH
def test_a_host_that_does_not_resolve(unserved: Unserved, strategy: Strategy) -> None:
    material = moved(unserved.material(strategy, free_port()), host="no-such-host.invalid")
    message = assert_predicted(unserved, material, FaultKind.UNREACHABLE)  # type: ignore[arg-type]
    assert message == "the host in the secret JSON does not resolve"


@BOTH
def test_a_port_nobody_listens_on(unserved: Unserved, strategy: Strategy) -> None:
    material = unserved.material(strategy, free_port())
    message = assert_predicted(unserved, material, FaultKind.UNREACHABLE)  # type: ignore[arg-type]
    assert message == "nothing answers on host and port of the secret JSON"


def test_a_target_that_never_says_a_word(unserved: Unserved) -> None:
    with silent_port() as port:
        material = replace(unserved.material(Strategy.SINGLE_USER, port), attempt_seconds=0.5)
        (finding,) = faults(unserved.rotator.check(material))
    assert finding.fault is FaultKind.UNREACHABLE
    assert "Canary" not in finding.message


def test_a_target_that_hangs_up(unserved: Unserved) -> None:
    with closing_port() as port:
        (finding,) = faults(unserved.rotator.check(unserved.material(Strategy.SINGLE_USER, port)))
    assert finding.fault is FaultKind.UNREACHABLE
    assert "Canary" not in finding.message


def test_the_names_of_the_other_user(unserved: Unserved) -> None:
    from support.entropies import SeededEntropy

    material = unserved.material(Strategy.ALTERNATING_USERS, free_port())
    proposed = unserved.rotator.propose(material, SeededEntropy(1))
    assert proposed["username"] == ("app_CLONE" if unserved.engine == "oracle" else "app_clone")
    assert len(proposed["password"]) == (30 if unserved.engine == "oracle" else 32)


class Lent:
    """A server that someone lends."""

    def __init__(self, engine: str) -> None:
        url = os.environ.get(f"STRONGROOM_TEST_{engine.upper()}_URL")
        if url is None:
            pytest.skip(f"STRONGROOM_TEST_{engine.upper()}_URL names no server")
        parts = urlsplit(url)
        self.engine = engine
        self.rotator = rotator_of(engine)
        self.admin = SecretDocument(
            {
                "engine": engine,
                "host": parts.hostname,
                "username": unquote(parts.username or ""),
                "password": unquote(parts.password or ""),
                **({"port": parts.port} if parts.port else {}),
                **({"dbname": parts.path[1:]} if len(parts.path) > 1 else {}),
            }
        )

    def material(self, strategy: Strategy) -> RotationMaterial:
        user, password = f"srt{uuid.uuid4().hex[:8]}", f"First-{uuid.uuid4().hex[:12]}-Aa1"
        # The engine behind the rotator, as what sends the suite's own statements.
        engine = self.rotator.engine  # type: ignore[attr-defined]
        with engine.open(self.admin, Deadline(30)) as session:
            if self.engine == "mongo":
                session._run({"createUser": user, "pwd": password, "roles": ["userAdmin"]})
                return self._material(strategy, user, password)
            send = getattr(session, "_execute", None) or session._connection.execute
            for statement in (MAKE_USER[self.engine], LET_IN.get(self.engine, "")):
                if statement:
                    send(statement.format(user=user, password=password))
        return self._material(strategy, user, password)

    def _material(self, strategy: Strategy, user: str, password: str) -> RotationMaterial:
        current = self.admin.replaced(username=user, password=password, masterarn="arn:admin")
        alternating = strategy is Strategy.ALTERNATING_USERS
        return RotationMaterial("arn:app", "v", current, strategy, admin=self.admin if alternating else None)

    def logs_in(self, material: RotationMaterial) -> bool:
        try:
            self.rotator.test(replace(material, pending=material.current))
        except RotationFault:
            return False
        return True


@BOTH
@pytest.mark.parametrize("engine", ENGINES)
def test_a_lent_server_is_rotated(engine: str, strategy: Strategy) -> None:
    lent = Lent(engine)
    material = lent.material(strategy)
    for _ in range(3):
        assert faults(lent.rotator.check(material)) == []
        before = material
        material = rotate(lent, material)  # type: ignore[arg-type]
        assert lent.logs_in(material)
        assert lent.logs_in(before) is (strategy is Strategy.ALTERNATING_USERS)


@BOTH
@pytest.mark.parametrize("engine", ENGINES)
def test_a_lent_server_refuses_a_wrong_password(engine: str, strategy: Strategy) -> None:
    lent = Lent(engine)
    material = lent.material(strategy)
    wrong = replace(material, current=material.current.replaced(password="Wrong-canary-1"))
    message = assert_predicted(lent, wrong, FaultKind.LOGIN)  # type: ignore[arg-type]
    assert "Wrong-canary" not in message

"""Connections to MySQL and MariaDB by PyMySQL."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from strongroom.rotators.deadlines import Deadline
from strongroom.rotators.drivers import load_driver
from strongroom.rotators.mysql_faults import mysql_fault
from strongroom.rotators.sockets import connected_socket, shut
from strongroom.rotators.tls import Tls, client_context, connect_by_tls
from strongroom.secret.document import FaultKind, RotationFault, SecretDocument

__all__ = ["MysqlConnection", "open_mysql"]

EXTRA = "mysql"
PORT = 3306

NO_PASSWORD_WANTED = 1698
"""On connecting. In a statement it says that a right to act for another user cannot be granted."""

PROLOGUE = "SET SESSION sql_mode = '', sql_quote_show_create = 1"
"""Names are quoted as `this`, texts as 'this', whatever the server's settings are."""


class MysqlConnection:
    """One that has logged in. Errors of driver and server come out of it as RotationFault."""

    def __init__(self, connection: Any, tls: Tls, deadline: Deadline, late: Callable[[], bool]) -> None:
        self._connection = connection
        self._deadline = deadline
        self._late = late
        self.tls = tls
        version = str(self.rows("SELECT VERSION()")[0][0])
        self.is_mariadb = "mariadb" in version.lower()
        if not self.is_mariadb:
            # From 8.0.17 on: hashes in SHOW CREATE USER are bytes otherwise, which are no text.
            with contextlib.suppress(RotationFault):
                self.execute("SET SESSION print_identified_with_as_hex = ON")

    def rows(self, query: str, *values: object) -> Sequence[tuple[Any, ...]]:
        """Return what a query of this program's yields."""
        with self._told(), self._connection.cursor() as cursor:
            cursor.execute(query, values or None)
            return tuple(cursor.fetchall())

    def execute(self, statement: str) -> None:
        """Carry out a statement. What varies in it has gone through `literal` or `Account`."""
        with self._told(), self._connection.cursor() as cursor:
            cursor.execute(statement)

    def variable(self, name: str) -> str | None:
        """Return a global variable as text; None when this server has none of that name."""
        rows = self.rows("SHOW GLOBAL VARIABLES LIKE %s", name.replace("_", "\\_"))
        return str(rows[0][1]) if rows else None

    def literal(self, text: str) -> str:
        """Return a text as it is written in a statement."""
        with self._connection.cursor() as cursor:
            return str(cursor.mogrify("%s", (text,)))

    @contextmanager
    def _told(self) -> Iterator[None]:
        self._deadline.left()
        try:
            yield
        except load_driver("pymysql", EXTRA).MySQLError as exc:
            if self._late():
                raise self._deadline.fault() from None
            # SECURITY: no cause; the server's text may repeat the statement.
            raise mysql_fault(exc) from None
        except UnicodeDecodeError:
            message = "the target describes a user in a way this program cannot read"
            raise RotationFault(FaultKind.TARGET, message) from None


@contextmanager
def open_mysql(document: SecretDocument, deadline: Deadline) -> Iterator[MysqlConnection]:
    """Give a connection of the document's user.

    Raises:
        RotationFault: none comes about.
    """
    (connection, twin), tls = connect_by_tls(document, lambda tls: _connect(document, tls, deadline))
    with twin, contextlib.closing(connection), deadline.ending(partial(shut, twin)) as late:
        session = MysqlConnection(connection, tls, deadline, late)
        session.execute(PROLOGUE)
        yield session


def _connect(document: SecretDocument, tls: Tls, deadline: Deadline) -> tuple[Any, socket.socket]:
    """Return a connection, and its socket once more, by which it can be cut."""
    driver = load_driver("pymysql", EXTRA)
    made = driver.Connection(
        host=document.text("host"),
        port=document.port(PORT),
        user=document.text("username"),
        # As bytes: the driver would take a text for latin-1.
        password=document.text("password").encode(),
        database=document.text("dbname", "") or None,
        charset="utf8mb4",
        autocommit=True,
        local_infile=False,
        defer_connect=True,
        program_name="strongroom rotation",
        **_protection(document, tls),
    )
    attempt = Deadline(deadline.connect_seconds())
    own = connected_socket(document, PORT, attempt)
    twin = own.dup()
    try:
        with attempt.ending(partial(shut, twin)) as late:
            try:
                made.connect(own)
            except (driver.MySQLError, RuntimeError) as exc:
                raise attempt.fault() if late() else _refusal(exc) from None
    except RotationFault:
        twin.close()
        own.close()
        raise
    return made, twin


def _protection(document: SecretDocument, tls: Tls) -> dict[str, Any]:
    if tls is Tls.VERIFIED:
        return {"ssl": client_context(document, tls)}
    # SECURITY: whoever sits in between could ask for the password itself.
    never = {"auth_plugin_map": {"mysql_clear_password": _NeverInClear}}
    # Without `ssl`, PyMySQL encrypts where the server can, whatever the certificate.
    return {"ssl_disabled": True, **never} if tls is Tls.NONE else never


class _NeverInClear:
    """Stands for the plugin that sends passwords as they are."""

    def __init__(self, _: Any) -> None:
        pass

    def authenticate(self, _: Any) -> Any:
        message = "the target asks for the password in clear, on a connection that is not known to be its own"
        raise RotationFault(FaultKind.TLS, message)


def _refusal(error: Exception) -> RotationFault:
    if isinstance(error, RuntimeError):
        # PyMySQL asks for `cryptography`, or for `pynacl` (MariaDB's ed25519).
        message = "the driver lacks a package for the plugin that the user logs in by (PyNaCl for ed25519)"
        return RotationFault(FaultKind.FUNCTION, message)
    if error.args and error.args[0] == NO_PASSWORD_WANTED:
        return RotationFault(FaultKind.LOGIN, "the target lets the user in by other means than a password")
    return mysql_fault(error)

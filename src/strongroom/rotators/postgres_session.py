"""Connections to PostgreSQL, and to what speaks its protocol, by psycopg."""

from __future__ import annotations

import contextlib
import math
import os
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from strongroom.rotators.deadlines import Deadline
from strongroom.rotators.drivers import load_driver
from strongroom.rotators.postgres_faults import connect_fault, statement_fault
from strongroom.rotators.scram import LEAST_ITERATIONS, is_prepared, scram_verifier
from strongroom.rotators.tls import Tls, authorities_file, connect_by_tls
from strongroom.secret.document import FaultKind, RotationFault, SecretDocument

if TYPE_CHECKING:
    from psycopg import Connection

__all__ = ["SCRAM", "PostgresConnection", "open_postgres"]

EXTRA = "postgresql"
SCRAM = "scram-sha-256"

_SALT_BYTES = 16

_SSLMODES = {Tls.VERIFIED: "verify-full", Tls.IF_OFFERED: "prefer", Tls.NONE: "disable"}

_REQUIRE_AUTH_SINCE = 160000

NOT_ASKED = (
    "the target lets this user in without a password (trust, peer or cert in pg_hba.conf), so no login shows "
    "whether one is right"
)


class PostgresConnection:
    """One that has logged in. Errors of driver and server come out of it as RotationFault."""

    def __init__(
        self, connection: Connection[Any], tls: Tls, deadline: Deadline, late: Callable[[], bool]
    ) -> None:
        self._connection = connection
        self._deadline = deadline
        self._late = late
        self.tls = tls

    def rows(self, query: str, *values: object) -> Sequence[tuple[Any, ...]]:
        """Return what a query of this program's yields."""
        with self._told():
            # As bytes: psycopg's types want a literal, to keep values of others out of statements.
            return self._connection.execute(query.encode(), values or None).fetchall()

    def execute(self, statement: str) -> None:
        """Carry out a statement. What varies in it has gone through `name` or `literal`."""
        with self._told():
            self._connection.execute(statement.encode())

    @contextmanager
    def transaction(self, *, rehearsal: bool = False) -> Iterator[None]:
        """Commit what the block has done, all or nothing; a rehearsal takes it back at the end."""
        with self._told(), self._connection.transaction(force_rollback=rehearsal):
            yield

    def name(self, name: str) -> str:
        """Return a name as it is written in a statement."""
        return str(load_driver("psycopg.sql", EXTRA).Identifier(name).as_string(self._connection))

    def literal(self, text: str) -> str:
        """Return a text as it is written in a statement."""
        return str(load_driver("psycopg.sql", EXTRA).Literal(text).as_string(self._connection))

    def execute_alone(self, statement: str) -> None:
        """Carry out a statement in a transaction of its own that may write, in one exchange."""
        self.execute(f"BEGIN READ WRITE; {statement}; COMMIT")

    def verifier(self, user: str, password: str, algorithm: str) -> str:
        """Return what the server keeps of a password, so that the password itself is in no statement."""
        if algorithm == SCRAM and is_prepared(password):
            return scram_verifier(password, os.urandom(_SALT_BYTES), self._iterations())
        with self._told():
            kept = self._connection.pgconn.encrypt_password(
                password.encode(), user.encode(), algorithm.encode()
            )
        return kept.decode()

    def _iterations(self) -> int:
        """Return how often the server wants passwords hashed; versions before 16 do not say."""
        told = self._connection.pgconn.parameter_status(b"scram_iterations")
        return LEAST_ITERATIONS if told is None else int(told)

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except load_driver("psycopg", EXTRA).Error as exc:
            if self._late():
                raise self._deadline.fault() from None
            # SECURITY: no cause; the server's text may repeat the statement.
            raise statement_fault(exc.sqlstate) from None


@contextmanager
def open_postgres(
    document: SecretDocument, deadline: Deadline, *, port: int, dbname: str | None, prologue: str
) -> Iterator[PostgresConnection]:
    """Give a connection of the document's user.

    `port` and `dbname` are the engine's where the document says nothing; `prologue` is what every session
    begins with.

    Raises:
        RotationFault: none comes about.
    """
    connection, tls = connect_by_tls(
        document, lambda tls: _connect(document, tls, deadline, document.port(port), dbname)
    )
    with connection, deadline.ending(partial(_cut, connection)) as late:
        # A role's setting may be that it only reads; changing its password writes.
        connection.read_only = False
        session = PostgresConnection(connection, tls, deadline, late)
        # A little less than what is left, so that it is the server that says what it waited for.
        milliseconds = math.ceil(deadline.left() * 900)
        session.execute(f"SET statement_timeout TO {milliseconds}; {prologue}")
        yield session


def _cut(connection: Connection[Any]) -> None:
    """Shut the connection's socket, from another thread, so that libpq stops waiting for an answer."""
    gone = (OSError, load_driver("psycopg", EXTRA).Error)
    with contextlib.suppress(*gone), socket.socket(fileno=os.dup(connection.fileno())) as own:
        own.shutdown(socket.SHUT_RDWR)


def _connect(
    document: SecretDocument, tls: Tls, deadline: Deadline, port: int, dbname: str | None
) -> Connection[Any]:
    psycopg = load_driver("psycopg", EXTRA)
    more: dict[str, Any] = {}
    if tls is not Tls.VERIFIED and psycopg.pq.version() >= _REQUIRE_AUTH_SINCE:
        # SECURITY: whoever sits in between could ask for the password itself.
        more["require_auth"] = "!password"
    with ExitStack() as stack:
        if tls is Tls.VERIFIED:
            more["sslrootcert"] = stack.enter_context(authorities_file(document))
        try:
            connection: Connection[Any] = psycopg.connect(
                host=document.text("host"),
                port=port,
                user=document.text("username"),
                password=document.text("password"),
                dbname=document.text("dbname", dbname),
                connect_timeout=max(1, math.ceil(deadline.connect_seconds())),
                sslmode=_SSLMODES[tls],
                gssencmode="disable",
                client_encoding="utf8",
                application_name="strongroom rotation",
                autocommit=True,
                prepare_threshold=None,  # for poolers in between
                **more,
            )
        except psycopg.Error as exc:
            used = exc.pgconn is not None and exc.pgconn.used_password
            raise connect_fault(exc, used_password=used) from None
        except UnicodeError as exc:  # a host name that is none
            raise connect_fault(exc, used_password=False) from None
        if not connection.pgconn.used_password:
            # SECURITY: any password seems right then, also one that nobody has set; and it may be this
            # server's own account of the machine that opens the door (peer).
            connection.close()
            raise RotationFault(FaultKind.TARGET, NOT_ASKED)
        return connection

"""Microsoft SQL Server by python-tds. Source: fact sheet rotation sections 6 to 8.

SQL Server keeps statements with passwords out of traces and audits itself, and takes a hash from nobody who
changes only their own password, so passwords go as they are, by TLS unless the secret says otherwise.
"""

from __future__ import annotations

import contextlib
import math
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from strongroom.ports import Rotator
from strongroom.rotators.accounts import AccountRotator, Session
from strongroom.rotators.deadlines import Deadline
from strongroom.rotators.drivers import load_driver
from strongroom.rotators.network_faults import network_fault
from strongroom.rotators.sockets import connected_socket, shut
from strongroom.rotators.sqlserver_statements import clone_statements, own_statement
from strongroom.rotators.tls import Tls, authorities_file, connect_by_tls
from strongroom.rotators.usernames import UserNames
from strongroom.secret.document import FaultKind, RotationFault, SecretDocument, Strategy
from strongroom.secret.material import CheckFinding, PasswordPolicy

__all__ = ["server_fault", "sqlserver"]

EXTRA = "sqlserver"
PORT = 1433
DBNAME = "master"

_CONTAINED = 2
"""authentication_type DATABASE: a user without a login."""

_NUMBERS: Mapping[int, tuple[FaultKind, str]] = {
    229: (FaultKind.PRIVILEGE, "the user lacks a permission"),
    262: (FaultKind.PRIVILEGE, "the user lacks a permission in the database"),
    300: (FaultKind.PRIVILEGE, "the user lacks a permission on the server"),
    916: (FaultKind.PRIVILEGE, "the user may not enter a database"),
    1222: (FaultKind.TARGET, "another session holds a lock"),
    3906: (FaultKind.TARGET, "the database is read-only: a replica, perhaps"),
    4060: (FaultKind.SECRET, "dbname in the secret JSON does not exist, or is not for this user"),
    4064: (FaultKind.SECRET, "the user's default database cannot be opened"),
    15115: (FaultKind.LIMIT, "the new password has been used before"),
    15116: (FaultKind.LIMIT, "the new password is too short"),
    15117: (FaultKind.LIMIT, "the new password is too long"),
    15118: (FaultKind.LIMIT, "the new password is not complex enough"),
    15119: (FaultKind.LIMIT, "the target's rules refuse the new password"),
    15151: (FaultKind.PRIVILEGE, "the user may not change logins (ALTER ANY LOGIN)"),
    15247: (FaultKind.PRIVILEGE, "the user may not do this (ALTER ANY LOGIN, or the role's owner)"),
    18452: (FaultKind.LOGIN, "the target takes no SQL Server logins"),
    18456: (FaultKind.LOGIN, "the target refuses user name or password"),
    18470: (FaultKind.LOGIN, "the login is disabled"),
    18486: (FaultKind.LOGIN, "the login is locked"),
    18487: (FaultKind.LOGIN, "the login's password has expired"),
    18488: (FaultKind.LOGIN, "the login's password must be changed first"),
}


def sqlserver() -> Rotator:
    return AccountRotator(_SqlServer())


def server_fault(number: int) -> RotationFault:
    """Return what an error of the server means, by its number."""
    kind, message = _NUMBERS.get(number, (FaultKind.TARGET, "the target refused a statement"))
    return RotationFault(kind, f"{message} (error {number})")


@dataclass(frozen=True, slots=True)
class _SqlServer:
    engines = frozenset({"sqlserver"})
    strategies = frozenset(Strategy)
    names = UserNames(limit=128)
    passwords = PasswordPolicy(length=32, exclude_characters="/@\"'\\")
    address = ("host",)

    @contextmanager
    def open(self, document: SecretDocument, deadline: Deadline) -> Iterator[Session]:
        (connection, twin), tls = connect_by_tls(document, lambda tls: _connect(document, tls, deadline))
        with twin, deadline.ending(partial(shut, twin)), contextlib.closing(connection):
            yield _Session(connection, tls, deadline)


class _Session:
    def __init__(self, connection: Any, tls: Tls, deadline: Deadline) -> None:
        self._connection = connection
        self._deadline = deadline
        self.tls = tls

    def rows(self, query: str, *values: object) -> Sequence[tuple[Any, ...]]:
        with _told(self._deadline), self._connection.cursor() as cursor:
            cursor.execute(query, values)
            return tuple(tuple(row) for row in cursor.fetchall())

    def probe(self) -> None:
        self.rows("SELECT GETDATE()")

    def change_own(self, pending: SecretDocument, acting: SecretDocument) -> None:
        user, old, new = acting.text("username"), acting.text("password"), pending.text("password")
        self._execute(own_statement(user, old, new, contained=self._is_contained()))

    def clone(self, source: SecretDocument, pending: SecretDocument, *, set_password: bool) -> None:
        other = pending.text("username")
        password = pending.text("password") if set_password else None
        for statement in clone_statements(self, source.text("username"), other, password):
            self._execute(statement)

    def examine_own(self, pending: SecretDocument, acting: SecretDocument) -> Sequence[CheckFinding]:
        what = "user" if self._is_contained() else "login"
        return (CheckFinding("privileges", None, f"the {what} may change its own password"),)

    def examine_clone(self, source: SecretDocument, pending: SecretDocument) -> Sequence[CheckFinding]:
        # All that is read on the way is read, and nothing carried out.
        planned = clone_statements(
            self, source.text("username"), pending.text("username"), pending.text("password")
        )
        count = sum(1 for _ in planned)
        for permission in ("ALTER ANY LOGIN", "VIEW ANY DEFINITION"):
            if self.rows("SELECT HAS_PERMS_BY_NAME(NULL, NULL, %s)", permission) != ((1,),):
                raise RotationFault(FaultKind.PRIVILEGE, f"it logs in but lacks {permission}")
        return (CheckFinding("privileges", None, f"the superuser may change logins ({count} statements)"),)

    def _is_contained(self) -> bool:
        query = "SELECT authentication_type FROM sys.database_principals WHERE name = USER_NAME()"
        return self.rows(query) == ((_CONTAINED,),)

    def _execute(self, statement: str) -> None:
        with _told(self._deadline), self._connection.cursor() as cursor:
            cursor.execute(statement)


def _connect(document: SecretDocument, tls: Tls, deadline: Deadline) -> tuple[Any, socket.socket]:
    """Return a connection, and its socket once more, by which it can be cut."""
    driver = load_driver("pytds", EXTRA)
    more: dict[str, Any] = {}
    with ExitStack() as stack:
        if tls is Tls.VERIFIED:
            if not load_driver("pytds.tls", EXTRA).OPENSSL_AVAILABLE:
                # Not a fault of TLS: it must not lead to a connection without.
                message = "TLS to SQL Server needs the package pyOpenSSL here"
                raise RotationFault(FaultKind.FUNCTION, message)
            more["cafile"] = stack.enter_context(authorities_file(document))
        attempt = Deadline(deadline.connect_seconds())
        own = connected_socket(document, PORT, attempt)
        twin = own.dup()
        try:
            with attempt.ending(partial(shut, twin)), _told(attempt, connecting_by=tls):
                connection = driver.connect(
                    dsn=document.text("host"),
                    user=document.text("username"),
                    password=document.text("password"),
                    database=document.text("dbname", DBNAME),
                    login_timeout=max(1, math.ceil(attempt.left())),
                    timeout=math.ceil(deadline.left()),
                    autocommit=True,
                    disable_connect_retry=True,
                    appname="strongroom rotation",
                    sock=own,
                    **more,
                )
        except RotationFault:
            twin.close()
            own.close()
            raise
        return connection, twin


@contextmanager
def _told(deadline: Deadline, connecting_by: Tls | None = None) -> Iterator[None]:
    deadline.left()
    driver = load_driver("pytds", EXTRA)
    try:
        yield
    except driver.Error as exc:
        number = getattr(exc, "number", 0)
        if number:
            # SECURITY: no cause; the server's text may repeat the statement.
            raise server_fault(number) from None
        if connecting_by is Tls.VERIFIED and "encryption" in str(exc).lower():
            raise network_fault(ConnectionResetError(), tls=True) from None
        raise network_fault(exc, tls=connecting_by is Tls.VERIFIED) from None
    except (OSError, UnicodeError) as exc:
        raise network_fault(exc, tls=connecting_by is Tls.VERIFIED) from None

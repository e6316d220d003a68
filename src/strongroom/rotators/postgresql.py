"""PostgreSQL, and Aurora PostgreSQL. Source: fact sheet rotation sections 6 to 8."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from strongroom.ports import Rotator
from strongroom.rotators.accounts import AccountRotator, Session
from strongroom.rotators.deadlines import Deadline
from strongroom.rotators.postgres_roles import find_role, privilege_fault, synchronize
from strongroom.rotators.postgres_session import SCRAM, PostgresConnection, open_postgres
from strongroom.rotators.tls import Tls
from strongroom.rotators.usernames import UserNames
from strongroom.secret.document import RotationFault, SecretDocument, Strategy
from strongroom.secret.material import CheckFinding, PasswordPolicy

__all__ = ["postgresql"]

PORT = 5432
DBNAME = "postgres"
MD5 = "md5"

PROLOGUE = "SET ROLE NONE; SET search_path TO pg_catalog, pg_temp"
"""A clone works as its original, which may not change the clone's password. SECURITY: and a superuser's
search_path may hold functions and operators of others.
"""

REHEARSED = "the change has been carried out for trial, and taken back"


def postgresql() -> Rotator:
    return AccountRotator(_PostgreSQL())


@dataclass(frozen=True, slots=True)
class _PostgreSQL:
    engines = frozenset({"postgres", "aurora-postgresql"})
    strategies = frozenset(Strategy)
    names = UserNames(limit=63)
    passwords = PasswordPolicy(length=32, exclude_characters=":/@\"'\\")
    address = ("host",)

    @contextmanager
    def open(self, document: SecretDocument, deadline: Deadline) -> Iterator[Session]:
        with open_postgres(document, deadline, port=PORT, dbname=DBNAME, prologue=PROLOGUE) as connection:
            yield _Session(connection)


class _Session:
    def __init__(self, connection: PostgresConnection) -> None:
        self._connection = connection

    @property
    def tls(self) -> Tls:
        return self._connection.tls

    def probe(self) -> None:
        self._connection.rows("SELECT now()")

    def change_own(self, pending: SecretDocument, acting: SecretDocument) -> None:
        self._change_own(pending, rehearsal=False)

    def clone(self, source: SecretDocument, pending: SecretDocument, *, set_password: bool) -> None:
        self._clone(source, pending, set_password=set_password, rehearsal=False)

    def examine_own(self, pending: SecretDocument, acting: SecretDocument) -> Sequence[CheckFinding]:
        self._change_own(pending, rehearsal=True)
        return (CheckFinding("privileges", None, f"the user may change its own password: {REHEARSED}"),)

    def examine_clone(self, source: SecretDocument, pending: SecretDocument) -> Sequence[CheckFinding]:
        self._clone(source, pending, set_password=True, rehearsal=True)
        return (CheckFinding("privileges", None, f"the superuser may make the other user: {REHEARSED}"),)

    def _change_own(self, pending: SecretDocument, *, rehearsal: bool) -> None:
        name = self._connection.name(pending.text("username"))
        verifier = self._connection.literal(self._verifier(pending))
        statement = f"ALTER ROLE {name} PASSWORD {verifier}"
        if not rehearsal:
            self._connection.execute_alone(statement)
            return
        with self._connection.transaction(rehearsal=True):
            self._connection.execute(statement)

    def _clone(
        self, source: SecretDocument, pending: SecretDocument, *, set_password: bool, rehearsal: bool
    ) -> None:
        """All in one transaction: with the password come the rights, or neither."""
        user, other = source.text("username"), pending.text("username")
        needed = set_password or find_role(self._connection, other) is None
        verifier = self._verifier(pending) if needed else None
        try:
            with self._connection.transaction(rehearsal=rehearsal):
                synchronize(self._connection, user, other, verifier)
        except RotationFault as fault:
            raise privilege_fault(self._connection, fault, user, other) from fault

    def _verifier(self, document: SecretDocument) -> str:
        """Return what the server is to keep, in the form that it is set to: its clients may know no other."""
        # Costs a new session less than a SELECT, which looks up functions and types.
        wanted = str(self._connection.rows("SHOW password_encryption")[0][0])
        algorithm = SCRAM if wanted == SCRAM else MD5
        return self._connection.verifier(document.text("username"), document.text("password"), algorithm)

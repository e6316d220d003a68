"""Amazon Redshift: PostgreSQL's protocol, users and groups of its own. Source: fact sheet rotation section 7.

Passwords are sent as the MD5 form that Redshift keeps by default, so none is in a statement. The second of
alternating users gets the original's groups, roles, and its own grants on databases, schemas and relations of
the database that the secret names; what the original owns stays its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from strongroom.ports import Rotator
from strongroom.rotators.accounts import AccountRotator, Session
from strongroom.rotators.deadlines import Deadline
from strongroom.rotators.postgres_session import PostgresConnection, open_postgres
from strongroom.rotators.tls import Tls
from strongroom.rotators.usernames import UserNames
from strongroom.secret.document import FaultKind, RotationFault, SecretDocument, Strategy
from strongroom.secret.material import CheckFinding, PasswordPolicy

__all__ = ["clone_statements", "redshift"]

PORT = 5439
DBNAME = "dev"
PROLOGUE = "SET search_path TO pg_catalog"
MD5 = "md5"

REHEARSED = "the change has been carried out for trial, and taken back"

USER = "SELECT usesysid, usecreatedb, usesuper, valuntil::text FROM pg_user WHERE usename = %s"
GROUPS = (
    "SELECT g.groname FROM pg_group g, pg_user u WHERE u.usename = %s AND u.usesysid = ANY(g.grolist) "
    "ORDER BY 1"
)
ROLES = "SELECT role_name, admin_option FROM svv_user_grants WHERE user_name = %s ORDER BY 1"
DATABASE_GRANTS = (
    "SELECT database_name, privilege_type, admin_option FROM svv_database_privileges "
    "WHERE identity_type = 'user' AND identity_name = %s ORDER BY 1, 2"
)
SCHEMA_GRANTS = (
    "SELECT namespace_name, privilege_type, admin_option FROM svv_schema_privileges "
    "WHERE identity_type = 'user' AND identity_name = %s ORDER BY 1, 2"
)
RELATION_GRANTS = (
    "SELECT namespace_name, relation_name, privilege_type, admin_option FROM svv_relation_privileges "
    "WHERE identity_type = 'user' AND identity_name = %s ORDER BY 1, 2, 3"
)


def redshift() -> Rotator:
    return AccountRotator(_Redshift())


@dataclass(frozen=True, slots=True)
class _Redshift:
    engines = frozenset({"redshift"})
    strategies = frozenset(Strategy)
    names = UserNames(limit=127)
    passwords = PasswordPolicy(length=32, exclude_characters="/@\"'\\:")
    address = ("host",)

    @contextmanager
    def open(self, document: SecretDocument, deadline: Deadline) -> Iterator[Session]:
        with open_postgres(document, deadline, port=PORT, dbname=DBNAME, prologue=PROLOGUE) as connection:
            yield _Session(connection)


class Catalog(Protocol):
    """What is asked of a database, and how it writes names."""

    def rows(self, query: str, *values: object) -> Sequence[tuple[Any, ...]]: ...

    def name(self, name: str) -> str: ...

    def literal(self, text: str) -> str: ...


def clone_statements(catalog: Catalog, source: str, other: str, verifier: str | None) -> Iterator[str]:
    """Give what makes the other user able to do what the source does. Nothing is taken from it.

    Raises:
        RotationFault: the source is no user of the target.
    """
    rows = catalog.rows(USER, source)
    if not rows:
        raise RotationFault(FaultKind.TARGET, "the target has no user of the current version's user name")
    _, creates, is_super, until = rows[0]
    name = catalog.name(other)
    password = "" if verifier is None else f" PASSWORD {catalog.literal(verifier)}"
    if not catalog.rows(USER, other):
        options = f"{' CREATEDB' if creates else ''}{' CREATEUSER' if is_super else ''}"
        valid = f" VALID UNTIL {catalog.literal(until)}" if until else ""
        yield f"CREATE USER {name}{password}{options}{valid}"
    elif password:
        yield f"ALTER USER {name}{password}"
    for (group,) in _missing(catalog, GROUPS, source, other):
        yield f"ALTER GROUP {catalog.name(group)} ADD USER {name}"
    for role, option in _missing(catalog, ROLES, source, other):
        yield f"GRANT ROLE {catalog.name(role)} TO {name}{' WITH ADMIN OPTION' if option else ''}"
    for database, privilege, option in _missing(catalog, DATABASE_GRANTS, source, other):
        yield _grant(privilege, f"DATABASE {catalog.name(database)}", name, option)
    for schema, privilege, option in _missing(catalog, SCHEMA_GRANTS, source, other):
        yield _grant(privilege, f"SCHEMA {catalog.name(schema)}", name, option)
    for schema, relation, privilege, option in _missing(catalog, RELATION_GRANTS, source, other):
        yield _grant(privilege, f"{catalog.name(schema)}.{catalog.name(relation)}", name, option)


def _missing(catalog: Catalog, query: str, source: str, other: str) -> Sequence[tuple[Any, ...]]:
    held = set(catalog.rows(query, other))
    return [row for row in catalog.rows(query, source) if row not in held]


def _grant(privilege: str, on: str, to: str, option: bool) -> str:
    # The privilege is a word of the server's own catalog.
    return f"GRANT {privilege} ON {on} TO {to}{' WITH GRANT OPTION' if option else ''}"


class _Session:
    def __init__(self, connection: PostgresConnection) -> None:
        self._connection = connection

    @property
    def tls(self) -> Tls:
        return self._connection.tls

    def probe(self) -> None:
        self._connection.rows("SELECT 1")

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
        with self._connection.transaction(rehearsal=rehearsal):
            self._connection.execute(f"ALTER USER {name} PASSWORD {verifier}")

    def _clone(
        self, source: SecretDocument, pending: SecretDocument, *, set_password: bool, rehearsal: bool
    ) -> None:
        user, other = source.text("username"), pending.text("username")
        verifier = self._verifier(pending) if set_password else None
        with self._connection.transaction(rehearsal=rehearsal):
            for statement in clone_statements(self._connection, user, other, verifier):
                self._connection.execute(statement)

    def _verifier(self, document: SecretDocument) -> str:
        return self._connection.verifier(document.text("username"), document.text("password"), MD5)

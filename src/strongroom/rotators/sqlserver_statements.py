"""Logins of SQL Server and their counterparts, as statements. Pure but for what is asked of the catalog.

Source: fact sheet rotation section 7.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from strongroom.secret.document import FaultKind, RotationFault

__all__ = ["Catalog", "clone_statements", "own_statement", "quoted_name", "quoted_text"]

LOGIN = (
    "SELECT default_database_name, default_language_name, is_policy_checked, is_expiration_checked "
    "FROM sys.sql_logins WHERE name = %s"
)
SERVER_ROLES = (
    "SELECT r.name FROM sys.server_role_members m "
    "JOIN sys.server_principals r ON r.principal_id = m.role_principal_id "
    "JOIN sys.server_principals p ON p.principal_id = m.member_principal_id "
    "WHERE p.name = %s ORDER BY r.name"
)
SERVER_PERMISSIONS = (
    "SELECT d.state_desc, d.permission_name FROM sys.server_permissions d "
    "JOIN sys.server_principals p ON p.principal_id = d.grantee_principal_id "
    "WHERE d.class = 100 AND p.name = %s AND d.permission_name <> 'CONNECT SQL' "
    "ORDER BY d.permission_name"
)
DATABASES = (
    "SELECT name FROM sys.databases WHERE state = 0 AND source_database_id IS NULL "
    "AND HAS_DBACCESS(name) = 1 ORDER BY name"
)
DATABASE_USER = (
    "SELECT p.name, p.default_schema_name FROM {db}.sys.database_principals p "
    "JOIN sys.server_principals l ON l.sid = p.sid WHERE l.name = %s AND p.name <> 'dbo'"
)
DATABASE_ROLES = (
    "SELECT r.name FROM {db}.sys.database_role_members m "
    "JOIN {db}.sys.database_principals r ON r.principal_id = m.role_principal_id "
    "JOIN {db}.sys.database_principals p ON p.principal_id = m.member_principal_id "
    "WHERE p.name = %s ORDER BY r.name"
)
DATABASE_PERMISSIONS = (
    "SELECT d.state_desc, d.permission_name, d.class, COALESCE(s.name, os.name), o.name, c.name "
    "FROM {db}.sys.database_permissions d "
    "JOIN {db}.sys.database_principals p ON p.principal_id = d.grantee_principal_id "
    "LEFT JOIN {db}.sys.schemas s ON d.class = 3 AND s.schema_id = d.major_id "
    "LEFT JOIN {db}.sys.all_objects o ON d.class = 1 AND o.object_id = d.major_id "
    "LEFT JOIN {db}.sys.schemas os ON os.schema_id = o.schema_id "
    "LEFT JOIN {db}.sys.all_columns c ON d.class = 1 AND d.minor_id > 0 "
    "AND c.object_id = d.major_id AND c.column_id = d.minor_id "
    "WHERE p.name = %s AND d.class IN (0, 1, 3) AND d.permission_name <> 'CONNECT' "
    "ORDER BY d.class, 4, 5, 6, d.permission_name"
)

OF_DATABASE, OF_OBJECT, OF_SCHEMA = 0, 1, 3


class Catalog(Protocol):
    def rows(self, query: str, *values: object) -> Sequence[tuple[Any, ...]]:
        """Return what a query yields; `%s` stands for a value."""
        ...


def own_statement(user: str, old: str, new: str, *, contained: bool) -> str:
    """Return what changes the password of who sends it. Without a right on logins it takes the old one."""
    name, texts = quoted_name(user), (quoted_text(new), quoted_text(old))
    if contained:
        return f"ALTER USER {name} WITH PASSWORD = {texts[0]}, OLD_PASSWORD = {texts[1]}"
    return f"ALTER LOGIN {name} WITH PASSWORD = {texts[0]} OLD_PASSWORD = {texts[1]}"


def clone_statements(catalog: Catalog, source: str, other: str, password: str | None) -> Iterator[str]:
    """Give what makes the other login able to do what the source does. Nothing is taken from it.

    Raises:
        RotationFault: the source is no login of the target.
    """
    rows = catalog.rows(LOGIN, source)
    if not rows:
        raise RotationFault(FaultKind.TARGET, "the target has no login of the current version's user name")
    name = quoted_name(other)
    if not catalog.rows(LOGIN, other):
        if password is None:
            raise RotationFault(FaultKind.TARGET, "the login of the pending version vanished meanwhile")
        yield f"CREATE LOGIN {name} WITH {_login_options(rows[0], password)}"
    elif password is not None:
        yield f"ALTER LOGIN {name} WITH PASSWORD = {quoted_text(password)}"
    for (role,) in _missing(catalog, SERVER_ROLES, source, other):
        yield f"ALTER SERVER ROLE {quoted_name(role)} ADD MEMBER {name}"
    for state, permission in _missing(catalog, SERVER_PERMISSIONS, source, other):
        yield _permit(state, permission, "", name)
    for (database,) in catalog.rows(DATABASES):
        yield from _in_database(catalog, database, source, other)


def _login_options(row: tuple[Any, ...], password: str) -> str:
    database, language, policy, expiration = row
    options = [f"PASSWORD = {quoted_text(password)}"]
    if database:
        options.append(f"DEFAULT_DATABASE = {quoted_name(database)}")
    if language:
        options.append(f"DEFAULT_LANGUAGE = {quoted_name(language)}")
    options.append(f"CHECK_EXPIRATION = {'ON' if expiration else 'OFF'}")
    options.append(f"CHECK_POLICY = {'ON' if policy else 'OFF'}")
    return ", ".join(options)


def _in_database(catalog: Catalog, database: str, source: str, other: str) -> Iterator[str]:
    db = quoted_name(database)
    users = catalog.rows(DATABASE_USER.format(db=db), source)
    if not users:
        return
    user, schema = users[0]
    name = quoted_name(other)
    found = catalog.rows(DATABASE_USER.format(db=db), other)
    counterpart = found[0][0] if found else other
    if not found:
        default = f" WITH DEFAULT_SCHEMA = {quoted_name(schema)}" if schema else ""
        yield _inside(db, f"CREATE USER {name} FOR LOGIN {name}{default}")
    to = quoted_name(counterpart)
    for (role,) in _missing(catalog, DATABASE_ROLES.format(db=db), user, counterpart):
        yield _inside(db, f"ALTER ROLE {quoted_name(role)} ADD MEMBER {to}")
    for row in _missing(catalog, DATABASE_PERMISSIONS.format(db=db), user, counterpart):
        state, permission, kind, schema_name, object_name, column = row
        on = {OF_DATABASE: "", OF_SCHEMA: f" ON SCHEMA::{quoted_name(schema_name or '')}"}.get(kind)
        if on is None:
            columns = f" ({quoted_name(column)})" if column else ""
            on = f" ON OBJECT::{quoted_name(schema_name)}.{quoted_name(object_name)}{columns}"
        yield _inside(db, _permit(state, permission, on, to))


def _missing(catalog: Catalog, query: str, source: str, other: str) -> Sequence[tuple[Any, ...]]:
    held = set(catalog.rows(query, other))
    return [row for row in catalog.rows(query, source) if row not in held]


def _permit(state: str, permission: str, on: str, to: str) -> str:
    # State and permission are words of the server's own catalog.
    if state == "GRANT_WITH_GRANT_OPTION":
        return f"GRANT {permission}{on} TO {to} WITH GRANT OPTION"
    return f"{'DENY' if state == 'DENY' else 'GRANT'} {permission}{on} TO {to}"


def _inside(db: str, statement: str) -> str:
    """Return a statement that is carried out in a database, whichever the session is in."""
    return f"EXEC {db}.sys.sp_executesql {quoted_text(statement)}"


def quoted_name(name: str) -> str:
    return f"[{name.replace(']', ']]')}]"


def quoted_text(text: str) -> str:
    doubled = text.replace("'", "''")
    return f"N'{doubled}'"

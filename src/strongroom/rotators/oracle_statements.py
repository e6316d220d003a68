"""Users of Oracle and their counterparts, as statements. Pure but for what is asked of the catalog.

Source: fact sheet rotation section 7.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from strongroom.secret.document import FaultKind, RotationFault

__all__ = ["Catalog", "clone_statements", "quoted_name", "quoted_password"]

USER = (
    "SELECT username, default_tablespace, temporary_tablespace, profile FROM dba_users "
    "WHERE username IN (:1, UPPER(:1)) ORDER BY CASE WHEN username = :1 THEN 0 ELSE 1 END"
)
QUOTAS = (
    "SELECT tablespace_name, max_bytes FROM dba_ts_quotas WHERE username = :1 AND dropped = 'NO' ORDER BY 1"
)
SYSTEM_PRIVILEGES = "SELECT privilege, admin_option FROM dba_sys_privs WHERE grantee = :1 ORDER BY 1"
ROLES = "SELECT granted_role, admin_option, default_role FROM dba_role_privs WHERE grantee = :1 ORDER BY 1"
OBJECT_PRIVILEGES = (
    "SELECT owner, table_name, privilege, grantable, type FROM dba_tab_privs WHERE grantee = :1 "
    "ORDER BY 1, 2, 3"
)
COLUMN_PRIVILEGES = (
    "SELECT owner, table_name, column_name, privilege, grantable FROM dba_col_privs WHERE grantee = :1 "
    "ORDER BY 1, 2, 3, 4"
)

UNLIMITED = -1


class Catalog(Protocol):
    def rows(self, query: str, *values: object) -> Sequence[tuple[Any, ...]]:
        """Return what a query yields; `:1` stands for a value."""
        ...


def clone_statements(catalog: Catalog, source: str, other: str, password: str | None) -> Iterator[str]:
    """Give what makes the other user able to do what the source does. Nothing is taken from it.

    What the source owns stays its own: applications of alternating users name the schema they work on.

    Raises:
        RotationFault: the source is no user of the target.
    """
    rows = catalog.rows(USER, source)
    if not rows:
        raise RotationFault(FaultKind.TARGET, "the target has no user of the current version's user name")
    original, default, temporary, profile = rows[0]
    found = catalog.rows(USER, other)
    # A name in a connection is folded to upper case unless the user was made otherwise.
    counterpart = found[0][0] if found else other.upper()
    name = quoted_name(counterpart)
    if not found:
        if password is None:
            raise RotationFault(FaultKind.TARGET, "the user of the pending version vanished meanwhile")
        yield (
            f"CREATE USER {name} IDENTIFIED BY {quoted_password(password)} "
            f"DEFAULT TABLESPACE {quoted_name(default)} TEMPORARY TABLESPACE {quoted_name(temporary)} "
            f"PROFILE {quoted_name(profile)}"
        )
    elif password is not None:
        yield f"ALTER USER {name} IDENTIFIED BY {quoted_password(password)}"
    for tablespace, most in _missing(catalog, QUOTAS, original, counterpart):
        quota = "UNLIMITED" if most == UNLIMITED else str(int(most))
        yield f"ALTER USER {name} QUOTA {quota} ON {quoted_name(tablespace)}"
    yield from _grants(catalog, original, counterpart)


def _grants(catalog: Catalog, original: str, counterpart: str) -> Iterator[str]:
    name = quoted_name(counterpart)
    for privilege, option in _missing(catalog, SYSTEM_PRIVILEGES, original, counterpart):
        yield f"GRANT {privilege} TO {name}{_option(option, 'ADMIN')}"
    missing = _missing(catalog, ROLES, original, counterpart)
    for role, option, _ in missing:
        yield f"GRANT {quoted_name(role)} TO {name}{_option(option, 'ADMIN')}"
    if missing:
        held = catalog.rows(ROLES, original)
        defaults = [quoted_name(role) for role, _, is_default in held if is_default == "YES"]
        yield f"ALTER USER {name} DEFAULT ROLE {', '.join(defaults) or 'NONE'}"
    for owner, table, privilege, option, kind in _missing(catalog, OBJECT_PRIVILEGES, original, counterpart):
        on = f"{quoted_name(owner)}.{quoted_name(table)}"
        if kind == "DIRECTORY":
            on = f"DIRECTORY {quoted_name(table)}"
        yield f"GRANT {privilege} ON {on} TO {name}{_option(option, 'GRANT')}"
    for owner, table, column, privilege, option in _missing(
        catalog, COLUMN_PRIVILEGES, original, counterpart
    ):
        on = f"{quoted_name(owner)}.{quoted_name(table)}"
        yield f"GRANT {privilege} ({quoted_name(column)}) ON {on} TO {name}{_option(option, 'GRANT')}"


def _missing(catalog: Catalog, query: str, source: str, other: str) -> Sequence[tuple[Any, ...]]:
    held = set(catalog.rows(query, other))
    return [row for row in catalog.rows(query, source) if row not in held]


def _option(flag: str, kind: str) -> str:
    return f" WITH {kind} OPTION" if flag == "YES" else ""


def quoted_name(name: str) -> str:
    """Return a name as it is written in a statement.

    Raises:
        RotationFault: it holds a quotation mark or a NUL, which no name of Oracle's may.
    """
    return _in_quotes(name, "a user name")


def quoted_password(password: str) -> str:
    """Return a password as it is written in a statement.

    Raises:
        RotationFault: it holds a quotation mark or a NUL.
    """
    return _in_quotes(password, "a password")


def _in_quotes(text: str, what: str) -> str:
    if '"' in text or "\0" in text:
        raise RotationFault(FaultKind.LIMIT, f'{what} of Oracle must not hold the character "')
    return f'"{text}"'

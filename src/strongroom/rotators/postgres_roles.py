"""One role of PostgreSQL as the counterpart of another: the same rights, attributes and settings.

The clone becomes a member of the original and, when it is created here, works as it (its setting `role`): so
it has every grant of the original in every database, now and later, what it creates belongs to the original,
and policies that ask for current_user go on as before. Attributes, which a membership does not carry, and
settings are copied. Nothing is ever taken from either role.
"""

from __future__ import annotations

from dataclasses import dataclass

from strongroom.rotators.postgres_session import PostgresConnection
from strongroom.secret.document import FaultKind, RotationFault

__all__ = ["Role", "find_role", "privilege_fault", "split_list", "synchronize"]

MEMBERSHIP_OPTIONS_SINCE = 160000
"""From here on a membership says whether it inherits, and CREATEROLE alone grants no role to anybody."""

_ATTRIBUTES = {
    "rolsuper": "SUPERUSER",
    "rolcreaterole": "CREATEROLE",
    "rolcreatedb": "CREATEDB",
    "rolcanlogin": "LOGIN",
    "rolreplication": "REPLICATION",
    "rolbypassrls": "BYPASSRLS",
}

_LISTS = frozenset(
    {
        "local_preload_libraries",
        "search_path",
        "session_preload_libraries",
        "shared_preload_libraries",
        "temp_tablespaces",
        "unix_socket_directories",
    }
)
"""Settings that are lists of names, each of which is a literal of its own (guc.h, GUC_LIST_QUOTE)."""


@dataclass(frozen=True, slots=True)
class Role:
    """A row of pg_roles."""

    oid: int
    name: str
    attributes: frozenset[str]
    connection_limit: int
    valid_until: str | None
    expired: bool


def find_role(connection: PostgresConnection, name: str) -> Role | None:
    rows = connection.rows(
        f"SELECT oid, rolconnlimit, rolvaliduntil::text, coalesce(rolvaliduntil <= now(), false), "  # noqa: S608 - names of ours
        f"{', '.join(_ATTRIBUTES)} FROM pg_roles WHERE rolname = %s",
        name,
    )
    if not rows:
        return None
    oid, limit, until, expired, *flags = rows[0]
    named = zip(_ATTRIBUTES.values(), flags, strict=True)
    return Role(oid, name, frozenset(word for word, flag in named if flag), limit, until, expired)


def synchronize(connection: PostgresConnection, source: str, target: str, verifier: str | None) -> None:
    """The role `target` exists, has the verifier if one is given, and may all that `source` may.

    One transaction's work. If `target` is the original of the two, it is left as it is, but for the password.

    Raises:
        RotationFault: LOGIN if the target's VALID UNTIL has passed: no password would open anything.
    """
    original = find_role(connection, source)
    if original is None:
        raise RotationFault(FaultKind.TARGET, "the target has no role of the current version's user name")
    clone = find_role(connection, target)
    if clone is None:
        if verifier is None:
            raise RotationFault(FaultKind.TARGET, "the role of the pending version vanished meanwhile")
        clone = _create(connection, original, target, verifier)
    elif clone.expired:
        message = "the other user's VALID UNTIL has passed: ALTER ROLE … VALID UNTIL 'infinity'"
        raise RotationFault(FaultKind.LOGIN, message)
    elif verifier is not None:
        _alter(connection, target, f"PASSWORD {connection.literal(verifier)}")
    _share_administration(connection, clone)
    if _is_member(connection, original, of=clone):
        return
    lacking = original.attributes - clone.attributes
    if lacking:
        _alter(connection, target, " ".join(sorted(lacking)))
    _join(connection, original, clone)
    _copy_settings(connection, original, clone)


def _create(connection: PostgresConnection, original: Role, name: str, verifier: str) -> Role:
    options = [*sorted(original.attributes), f"CONNECTION LIMIT {original.connection_limit}"]
    if original.valid_until is not None:
        options.append(f"VALID UNTIL {connection.literal(original.valid_until)}")
    options.append(f"PASSWORD {connection.literal(verifier)}")
    connection.execute(f"CREATE ROLE {connection.name(name)} {' '.join(options)}")
    created = find_role(connection, name)
    if created is None:
        raise RotationFault(FaultKind.TARGET, "the target does not show the role it has just created")
    _join(connection, original, created)
    _alter(connection, name, f"SET role TO {connection.literal(original.name)}")
    return created


def _share_administration(connection: PostgresConnection, role: Role) -> None:
    """A superuser that takes turns itself has its counterpart administer the role, too.

    From PostgreSQL 16 on who made a role administers it, and its members do: what a clone of the superuser
    made, the original could not change when its turn comes.
    """
    if _version(connection) < MEMBERSHIP_OPTIONS_SINCE:
        return
    own = find_role(connection, str(connection.rows("SELECT session_user::text")[0][0]))
    if own is None or "SUPERUSER" in own.attributes:
        return
    worked_as = _settings(connection, own).get(("", "role"))
    home = None if worked_as is None else find_role(connection, worked_as)
    if home is None or not _is_member(connection, own, of=home) or not _administers(connection, role.name):
        return
    query = "SELECT pg_has_role(%s::name, %s::name, 'MEMBER WITH ADMIN OPTION')"
    if not connection.rows(query, home.name, role.name)[0][0]:
        names = connection.name(role.name), connection.name(home.name)
        connection.execute(f"GRANT {names[0]} TO {names[1]} WITH ADMIN TRUE, INHERIT FALSE, SET FALSE")


def _join(connection: PostgresConnection, original: Role, clone: Role) -> None:
    with_options = _version(connection) >= MEMBERSHIP_OPTIONS_SINCE
    wanted = "AND inherit_option AND set_option" if with_options else ""
    held = connection.rows(
        f"SELECT 1 FROM pg_auth_members WHERE roleid = %s AND member = %s {wanted}",  # noqa: S608 - texts of ours
        original.oid,
        clone.oid,
    )
    if not held:
        how = " WITH INHERIT TRUE, SET TRUE" if with_options else ""
        names = connection.name(original.name), connection.name(clone.name)
        connection.execute(f"GRANT {names[0]} TO {names[1]}{how}")


def _is_member(connection: PostgresConnection, role: Role, *, of: Role) -> bool:
    """Tell whether a role is a member of another, over others too. pg_has_role says yes to any superuser."""
    rows = connection.rows(
        "WITH RECURSIVE above(oid) AS (SELECT roleid FROM pg_auth_members WHERE member = %s "
        "UNION SELECT m.roleid FROM pg_auth_members m JOIN above ON m.member = above.oid) "
        "SELECT 1 FROM above WHERE oid = %s",
        role.oid,
        of.oid,
    )
    return bool(rows)


def _copy_settings(connection: PostgresConnection, original: Role, clone: Role) -> None:
    held = _settings(connection, clone)
    for (database, name), value in _settings(connection, original).items():
        if name == "role" or held.get((database, name)) == value:
            continue
        where = f" IN DATABASE {connection.name(database)}" if database else ""
        values = split_list(value) if name in _LISTS else [value]
        literals = ", ".join(connection.literal(each) for each in values) or "''"
        # A name may have a dot (an extension's), and comes from the catalog.
        quoted = ".".join(connection.name(part) for part in name.split("."))
        connection.execute(f"ALTER ROLE {connection.name(clone.name)}{where} SET {quoted} TO {literals}")


def _settings(connection: PostgresConnection, role: Role) -> dict[tuple[str, str], str]:
    rows = connection.rows(
        "SELECT coalesce(d.datname, ''), split_part(c, '=', 1), substr(c, strpos(c, '=') + 1) "
        "FROM pg_db_role_setting s LEFT JOIN pg_database d ON d.oid = s.setdatabase, unnest(s.setconfig) c "
        "WHERE s.setrole = %s AND (s.setdatabase = 0 OR d.oid IS NOT NULL)",
        role.oid,
    )
    return {(database, name): value for database, name, value in rows}


def split_list(text: str) -> list[str]:
    """Return the names of a list setting as pg_db_role_setting holds it, without their quotes."""
    names: list[str] = []
    rest = text.strip()
    while rest:
        if rest.startswith('"'):
            end = 1
            while rest[end : end + 1] != '"' or rest[end : end + 2] == '""':
                end += 2 if rest[end : end + 2] == '""' else 1
                if end >= len(rest):
                    raise RotationFault(FaultKind.TARGET, "a setting of the role cannot be read")
            names.append(rest[1:end].replace('""', '"'))
            rest = rest[end + 1 :]
        else:
            bare, comma, after = rest.partition(",")
            names.append(bare.strip())
            rest = comma + after
        rest = rest.strip().removeprefix(",").strip()
    return names


def privilege_fault(
    connection: PostgresConnection, fault: RotationFault, source: str, target: str
) -> RotationFault:
    """Return a fault that says which right the superuser lacks, when that can be told."""
    if fault.kind is not FaultKind.PRIVILEGE:
        return fault
    (superuser, creates), *_ = connection.rows(
        "SELECT rolsuper, rolcreaterole FROM pg_roles WHERE rolname = session_user"
    )
    if superuser:
        return fault
    for name in (source, target):
        role = find_role(connection, name)
        if role is not None and "SUPERUSER" in role.attributes:
            return _lacks("SUPERUSER, which it takes to change a superuser")
    if not creates:
        return _lacks("CREATEROLE: ALTER ROLE … CREATEROLE")
    if _version(connection) >= MEMBERSHIP_OPTIONS_SINCE:
        for name, whose in ((source, "current"), (target, "pending")):
            if find_role(connection, name) and not _administers(connection, name):
                return _lacks(
                    f"the admin option on the {whose} version's user: GRANT … TO … WITH ADMIN OPTION"
                )
    return _lacks("a privilege or an attribute of the user it is to copy (REPLICATION, BYPASSRLS, …)")


def _lacks(what: str) -> RotationFault:
    return RotationFault(FaultKind.PRIVILEGE, f"it logs in but lacks {what}")


def _administers(connection: PostgresConnection, name: str) -> bool:
    query = "SELECT pg_has_role(session_user, %s::name, 'MEMBER WITH ADMIN OPTION')"
    return bool(connection.rows(query, name)[0][0])


def _version(connection: PostgresConnection) -> int:
    return int(connection.rows("SELECT current_setting('server_version_num')")[0][0])


def _alter(connection: PostgresConnection, name: str, change: str) -> None:
    connection.execute(f"ALTER ROLE {connection.name(name)} {change}")

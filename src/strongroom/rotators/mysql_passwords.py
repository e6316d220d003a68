"""How a password reaches MySQL or MariaDB without standing in a log.

MariaDB writes statements into its general log as they came, so it gets what it would keep: the hash of
mysql_native_password, which both compute alike. Where it takes no hash (strict_password_validation with a
validation plugin, or another plugin to log in by), the statement is kept out of the session's logs, or not
sent at all. MySQL replaces passwords before it logs a statement, unless it runs with log_raw.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from strongroom.rotators.mysql_grants import Definition
from strongroom.rotators.mysql_session import MysqlConnection
from strongroom.secret.document import FaultKind, RotationFault

__all__ = ["PasswordForm", "native_hash", "password_form", "verify_rules", "without_logs"]

NATIVE = "mysql_native_password"

KEEPING = frozenset({NATIVE, "ed25519", "parsec", "caching_sha2_password", "sha256_password"})
"""The plugins that keep a password. The others ask the operating system, a directory, a certificate."""

LOGGED = (
    "the target would write the new password into its log: turn off general_log, or "
    "strict_password_validation (MySQL: log_raw)"
)


@dataclass(frozen=True, slots=True)
class PasswordForm:
    """How the server is told a password."""

    plugin: str
    hashed: bool

    @property
    def in_clear(self) -> bool:
        return not self.hashed


def native_hash(password: str) -> str:
    """Return what mysql_native_password keeps of a password."""
    once = hashlib.sha1(password.encode(), usedforsecurity=False).digest()
    return "*" + hashlib.sha1(once, usedforsecurity=False).hexdigest().upper()


def password_form(connection: MysqlConnection, definition: Definition) -> PasswordForm:
    """Return how the server is to be told the password of a user of this definition.

    Raises:
        RotationFault: the user has no password.
    """
    plugin = next((name for name, _ in definition.plugins if name in KEEPING), None)
    if plugin is None:
        message = "the user logs in by a plugin that keeps no password at the target"
        raise RotationFault(FaultKind.TARGET, message)
    hashed = connection.is_mariadb and plugin == NATIVE and not _insists_on_clear(connection)
    return PasswordForm(plugin, hashed)


def without_logs(connection: MysqlConnection) -> None:
    """See to it that a statement of this session may hold a password.

    Raises:
        RotationFault: it would be logged.
    """
    if not connection.is_mariadb:
        if connection.variable("log_raw") == "ON":
            raise RotationFault(FaultKind.PRIVILEGE, LOGGED)
        return
    connection.execute("SET SESSION slow_query_log = 0")
    if connection.variable("general_log") == "ON":
        try:
            connection.execute("SET SESSION sql_log_off = 1")
        except RotationFault as fault:
            if fault.kind is not FaultKind.PRIVILEGE:
                raise
            raise RotationFault(FaultKind.PRIVILEGE, LOGGED) from fault


def verify_rules(connection: MysqlConnection, password: str) -> None:
    """Compare a password with the rules a server shows (simple_password_check, validate_password).

    Raises:
        RotationFault: it does not fulfil them. What a server does not show is not foreseen.
    """
    lower, upper = (sum(map(test, password)) for test in (str.islower, str.isupper))
    digits = sum(map(str.isdigit, password))
    others = len(password) - lower - upper - digits
    had = {
        "length": len(password),
        "digits": digits,
        "letters": min(lower, upper),
        "other characters": others,
    }
    for what, names in _RULES.items():
        for name in names:
            wanted = connection.variable(name)
            if wanted is not None and wanted.isdigit() and had[what] < int(wanted):
                message = f"the target's rules ask for more {what} in a password ({name} is {wanted})"
                raise RotationFault(FaultKind.LIMIT, message)


_RULES = {
    "length": (
        "simple_password_check_minimal_length",
        "validate_password.length",
        "validate_password_length",
    ),
    "digits": (
        "simple_password_check_digits",
        "validate_password.number_count",
        "validate_password_number_count",
    ),
    "letters": (
        "simple_password_check_letters_same_case",
        "validate_password.mixed_case_count",
        "validate_password_mixed_case_count",
    ),
    "other characters": (
        "simple_password_check_other_characters",
        "validate_password.special_char_count",
        "validate_password_special_char_count",
    ),
}


def _insists_on_clear(connection: MysqlConnection) -> bool:
    if connection.variable("strict_password_validation") != "ON":
        return False
    query = (
        "SELECT COUNT(*) FROM information_schema.plugins "
        "WHERE plugin_type = 'PASSWORD VALIDATION' AND plugin_status = 'ACTIVE'"
    )
    return bool(connection.rows(query)[0][0])

"""What MySQL and MariaDB say, by their numbers, sorted into what a person has to mend.

SECURITY: a server's text may repeat the statement, and with it a password, so none is passed on.
"""

from __future__ import annotations

from collections.abc import Mapping

from strongroom.rotators.network_faults import NO_TLS, network_fault
from strongroom.secret.document import FaultKind, RotationFault

__all__ = ["mysql_fault"]

REFUSED = "the target refuses user name or password (or the user from here, or without TLS)"
BROKE = "the connection broke before the target had answered"

_NUMBERS: Mapping[int, tuple[FaultKind, str]] = {
    0: (FaultKind.UNREACHABLE, BROKE),
    1040: (FaultKind.TARGET, "no connection is free"),
    1044: (FaultKind.PRIVILEGE, "the user has no right on the database"),
    1045: (FaultKind.LOGIN, REFUSED),
    1049: (FaultKind.SECRET, "dbname in the secret JSON does not exist"),
    1053: (FaultKind.UNREACHABLE, "the target is shutting down"),
    1129: (FaultKind.LOGIN, "the target has blocked this host for too many errors (FLUSH HOSTS)"),
    1130: (FaultKind.LOGIN, "the target takes nobody from this host"),
    1142: (FaultKind.PRIVILEGE, "the user lacks a privilege on a table of the system"),
    1143: (FaultKind.PRIVILEGE, "the user lacks a privilege on a column"),
    1205: (FaultKind.TARGET, "another session holds a lock"),
    1227: (FaultKind.PRIVILEGE, "the user lacks a privilege"),
    1290: (
        FaultKind.TARGET,
        "the target runs with an option that forbids the change: a read-only replica, perhaps",
    ),
    1370: (FaultKind.PRIVILEGE, "the user lacks a privilege on a routine"),
    1410: (FaultKind.PRIVILEGE, "the user may not grant what the other user is to have"),
    1524: (FaultKind.TARGET, "the target has not loaded a plugin that the user logs in by"),
    1698: (FaultKind.PRIVILEGE, "the user may not grant what the other user is to have"),
    1792: (FaultKind.TARGET, "the session of the target is read-only"),
    1819: (FaultKind.LIMIT, "the target's password rules refuse the new password"),
    1820: (FaultKind.LOGIN, "the user's password has expired"),
    1836: (FaultKind.TARGET, "the target is read-only: a replica, perhaps"),
    1862: (FaultKind.LOGIN, "the user's password has expired"),
    1959: (FaultKind.PRIVILEGE, "the user may not grant a role that the other user is to have"),
    1969: (FaultKind.TARGET, "a statement took too long"),
    2006: (FaultKind.UNREACHABLE, BROKE),
    2013: (FaultKind.UNREACHABLE, BROKE),
    2026: (FaultKind.TLS, NO_TLS),
    2055: (FaultKind.UNREACHABLE, BROKE),
    2059: (FaultKind.FUNCTION, "the driver does not know the plugin that the user logs in by"),
    3118: (FaultKind.LOGIN, "the user is locked"),
    3159: (FaultKind.TLS, "the target takes connections by TLS only: put true into ssl of the secret JSON"),
    3530: (FaultKind.PRIVILEGE, "the user may not grant a role that the other user is to have"),
    3638: (FaultKind.LIMIT, "the target has seen the new password before"),
    4151: (FaultKind.LOGIN, "the user is locked"),
}


def mysql_fault(error: Exception) -> RotationFault:
    """Return what an error of the driver means."""
    cause = getattr(error, "original_exception", None)
    if isinstance(cause, OSError):
        return network_fault(cause, tls=False)
    number = error.args[0] if error.args and isinstance(error.args[0], int) else -1
    kind, message = _NUMBERS.get(number, (FaultKind.TARGET, "the target refused a statement"))
    return RotationFault(kind, f"{message} (error {number})" if number > 0 else message)

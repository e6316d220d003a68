"""What PostgreSQL and its driver say, sorted into what a person has to mend.

SECURITY: a server's text may repeat the statement, and with it a password's verifier, so none is passed on.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from strongroom.secret.document import FaultKind, RotationFault

__all__ = ["connect_fault", "statement_fault"]

_CONNECTING: Sequence[tuple[str, FaultKind, str]] = (
    (
        r"does not support ssl|ssl error|certificate|ssl syscall|could not initiate gssapi|ssl.*handshake",
        FaultKind.TLS,
        "no trusted TLS: the target has none, or its certificate is not vouched for or not for this host",
    ),
    (
        r"no pg_hba\.conf entry .*(no encryption|ssl off)",
        FaultKind.TLS,
        "the target takes this user by TLS only: put true into ssl of the secret JSON",
    ),
    (
        r"no pg_hba\.conf entry .*(ssl encryption|ssl on)",
        FaultKind.TLS,
        "the target does not take this user by TLS (pg_hba.conf)",
    ),
    (
        r"auth method .* requirement failed|authentication method requirement",
        FaultKind.TLS,
        "the target asks for the password in clear, on a connection that is not known to be its own",
    ),
    (
        r"no pg_hba\.conf entry|pg_hba\.conf rejects",
        FaultKind.LOGIN,
        "the target does not take this user from here (pg_hba.conf)",
    ),
    (
        r"failed to resolve|could not translate host name|name or service not known",
        FaultKind.UNREACHABLE,
        "the host in the secret JSON does not resolve",
    ),
    (
        r"connection refused|no route|unreachable|could not connect|no such file",
        FaultKind.UNREACHABLE,
        "nothing answers on host and port of the secret JSON",
    ),
    (r"timeout|timed out", FaultKind.UNREACHABLE, "the target did not answer in time"),
    (
        r"server closed the connection|connection reset|could not (receive|send)|broken pipe|eof",
        FaultKind.UNREACHABLE,
        "the target closed the connection",
    ),
    (
        r"starting up|shutting down|in recovery mode|not yet accepting",
        FaultKind.UNREACHABLE,
        "the target is starting or shutting down",
    ),
    (r"too many (connections|clients)|remaining connection slots", FaultKind.TARGET, "no connection is free"),
    (r'database ".*" does not exist', FaultKind.SECRET, "dbname in the secret JSON does not exist"),
    (
        r"permission denied for database",
        FaultKind.PRIVILEGE,
        "the user lacks CONNECT on the database that dbname names",
    ),
    (
        r"not permitted to log ?in",
        FaultKind.LOGIN,
        "the target takes the user for one that may not log in (NOLOGIN)",
    ),
)

REFUSED = "the target refuses user name or password (or the role's VALID UNTIL has passed)"


def connect_fault(error: Exception, *, used_password: bool) -> RotationFault:
    """Return what a failed attempt to connect means.

    libpq gives no code for it, only a text, which a server may write in another language. What no pattern
    knows counts as a refused login once a password was asked for, and as no answer before.
    """
    text = str(error).lower()
    for pattern, kind, message in _CONNECTING:
        if re.search(pattern, text):
            return RotationFault(kind, message)
    if used_password or "fatal" in text:
        return RotationFault(FaultKind.LOGIN, REFUSED)
    return RotationFault(
        FaultKind.UNREACHABLE, "no connection comes about on host and port of the secret JSON"
    )


_STATES: Sequence[tuple[str, FaultKind, str]] = (
    ("42501", FaultKind.PRIVILEGE, "the user lacks a privilege"),
    ("22023", FaultKind.LIMIT, "the target's rules refuse the new password"),
    ("28", FaultKind.LOGIN, REFUSED),
    ("25006", FaultKind.TARGET, "the target is read-only: a replica, perhaps"),
    ("0A000", FaultKind.TARGET, "the target cannot do this: it is a replica, perhaps"),
    ("57014", FaultKind.TARGET, "a statement took too long; a lock may be held on the role"),
    ("55P03", FaultKind.TARGET, "another session holds a lock on the role"),
    ("08", FaultKind.UNREACHABLE, "the target closed the connection"),
    ("57P", FaultKind.UNREACHABLE, "the target is shutting down"),
)


def statement_fault(sqlstate: str | None) -> RotationFault:
    """Return what a failed statement means. Without a state, the connection broke under it."""
    if sqlstate is None:
        return RotationFault(FaultKind.UNREACHABLE, "the connection broke before the target had answered")
    if not re.fullmatch("[0-9A-Z]{5}", sqlstate):
        # SECURITY: what poses as a server may send any text for it.
        return RotationFault(FaultKind.TARGET, "the target refused a statement, with a state that is none")
    for prefix, kind, message in _STATES:
        if sqlstate.startswith(prefix):
            return RotationFault(kind, f"{message} (SQLSTATE {sqlstate})")
    return RotationFault(FaultKind.TARGET, f"the target refused a statement (SQLSTATE {sqlstate})")

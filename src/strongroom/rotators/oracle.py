"""Oracle by python-oracledb in its thin mode. Source: fact sheet rotation sections 6 to 8.

A user changes its own password by the protocol's own call, encrypted and in no statement. A superuser's ALTER
USER is a statement; Oracle writes it into its audit trail without the password.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from strongroom.ports import Rotator
from strongroom.rotators.accounts import AccountRotator, Session
from strongroom.rotators.deadlines import Deadline
from strongroom.rotators.drivers import load_driver
from strongroom.rotators.network_faults import NO_TLS, network_fault
from strongroom.rotators.oracle_statements import clone_statements
from strongroom.rotators.sockets import connected_socket
from strongroom.rotators.tls import Tls, client_context, connect_by_tls
from strongroom.rotators.usernames import UserNames
from strongroom.secret.document import FaultKind, RotationFault, SecretDocument, Strategy
from strongroom.secret.material import CheckFinding, PasswordPolicy

__all__ = ["code_fault", "oracle"]

EXTRA = "oracle"
PORT = 1521
CLOSE_SECONDS = 1.0

_Result = TypeVar("_Result")

NEEDED = ("CREATE USER", "ALTER USER", "GRANT ANY ROLE", "GRANT ANY PRIVILEGE", "GRANT ANY OBJECT PRIVILEGE")

_CODES: Mapping[str, tuple[FaultKind, str]] = {
    "ORA-00942": (FaultKind.PRIVILEGE, "the user may not read the catalog (SELECT_CATALOG_ROLE)"),
    "ORA-01017": (FaultKind.LOGIN, "the target refuses user name or password"),
    "ORA-01031": (FaultKind.PRIVILEGE, "the user lacks a privilege"),
    "ORA-01045": (FaultKind.LOGIN, "the user lacks CREATE SESSION"),
    "ORA-01919": (FaultKind.PRIVILEGE, "the user may not grant a role that the other user is to have"),
    "ORA-01924": (FaultKind.PRIVILEGE, "the user may not grant a role that the other user is to have"),
    "ORA-01932": (FaultKind.PRIVILEGE, "the user may not grant a role that the other user is to have"),
    "ORA-12514": (FaultKind.SECRET, "dbname in the secret JSON is no service of the target"),
    "ORA-16000": (FaultKind.TARGET, "the target is read-only: a standby, perhaps"),
    "ORA-28000": (FaultKind.LOGIN, "the user is locked"),
    "ORA-28001": (FaultKind.LOGIN, "the user's password has expired"),
    "ORA-28003": (FaultKind.LIMIT, "the target's rules refuse the new password"),
    "ORA-28007": (FaultKind.LIMIT, "the new password has been used before"),
    "DPY-3001": (FaultKind.FUNCTION, "the target asks for network encryption, which takes TLS (tcps) here"),
    "DPY-4011": (FaultKind.UNREACHABLE, "the target closed the connection"),
    "DPY-4024": (FaultKind.UNREACHABLE, "the target did not answer in time"),
    "DPY-6001": (FaultKind.SECRET, "dbname in the secret JSON is no service of the target"),
    "DPY-6003": (FaultKind.SECRET, "dbname in the secret JSON is no service of the target"),
}


def oracle() -> Rotator:
    return AccountRotator(_Oracle())


def code_fault(code: str) -> RotationFault | None:
    """Return what an error means by its code; None when only what lies under it can tell."""
    if code in _CODES:
        kind, message = _CODES[code]
        return RotationFault(kind, f"{message} ({code})")
    if re.match(r"ORA-20\d\d\d$", code):
        # What a password verify function of the owner's raises.
        return RotationFault(FaultKind.LIMIT, f"a rule of the target's own refuses it ({code})")
    if code.startswith("ORA-"):
        return RotationFault(FaultKind.TARGET, f"the target refused a statement ({code})")
    return None


@dataclass(frozen=True, slots=True)
class _Oracle:
    engines = frozenset({"oracle"})
    strategies = frozenset(Strategy)
    names = UserNames(limit=30, suffix="_CLONE")
    passwords = PasswordPolicy(length=30, exclude_characters="/@\"'\\")
    address = ("host", "dbname")

    @contextmanager
    def open(self, document: SecretDocument, deadline: Deadline) -> Iterator[Session]:
        # The driver waits without bound for an answer to its first message, unless it is asynchronous.
        with asyncio.Runner() as runner:
            waits = _Waits(runner, deadline)
            connection, tls = connect_by_tls(document, lambda tls: _connect(document, tls, waits))
            try:
                yield _Session(connection, tls, waits)
            finally:
                waits.close(connection)


class _Waits:
    """Waits for the driver, and no longer than there is time."""

    def __init__(self, runner: asyncio.Runner, deadline: Deadline) -> None:
        self._runner = runner
        self.deadline = deadline

    def result(self, pending: Coroutine[Any, Any, _Result], *, tls: bool = False) -> _Result:
        """Return what a call of the driver's comes to.

        Raises:
            RotationFault: it fails, or the time is up.
        """
        return self._within(self.deadline, pending, tls=tls)

    def connection(self, pending: Coroutine[Any, Any, _Result], *, tls: bool) -> _Result:
        """Return a connection, within the time for one."""
        return self._within(Deadline(self.deadline.connect_seconds()), pending, tls=tls)

    def close(self, connection: Any) -> None:
        """Close it, unless the target does not even answer to that."""
        with contextlib.suppress(RotationFault):
            self._within(Deadline(CLOSE_SECONDS), connection.close(), tls=False)

    def _within(self, deadline: Deadline, pending: Coroutine[Any, Any, _Result], *, tls: bool) -> _Result:
        async def bounded() -> _Result:
            return await asyncio.wait_for(pending, deadline.left())

        try:
            with _told(tls=tls):
                return self._runner.run(bounded())
        except TimeoutError:
            raise deadline.fault() from None


class _Session:
    def __init__(self, connection: Any, tls: Tls, waits: _Waits) -> None:
        self._connection = connection
        self._waits = waits
        self.tls = tls

    def rows(self, query: str, *values: object) -> Sequence[tuple[Any, ...]]:
        async def read() -> Sequence[tuple[Any, ...]]:
            with self._connection.cursor() as cursor:
                # A name that occurs several times in a query is bound once by its name.
                await cursor.execute(query, {str(at): value for at, value in enumerate(values, 1)})
                return tuple(await cursor.fetchall())

        return self._waits.result(read())

    def _execute(self, statement: str) -> None:
        async def carry_out() -> None:
            with self._connection.cursor() as cursor:
                await cursor.execute(statement)

        self._waits.result(carry_out())

    def probe(self) -> None:
        self.rows("SELECT SYSDATE FROM dual")

    def change_own(self, pending: SecretDocument, acting: SecretDocument) -> None:
        old, new = acting.text("password"), pending.text("password")
        self._waits.result(self._connection.changepassword(old, new))

    def clone(self, source: SecretDocument, pending: SecretDocument, *, set_password: bool) -> None:
        other = pending.text("username")
        password = pending.text("password") if set_password else None
        for statement in clone_statements(self, source.text("username"), other, password):
            self._execute(statement)

    def examine_own(self, pending: SecretDocument, acting: SecretDocument) -> Sequence[CheckFinding]:
        return (CheckFinding("privileges", None, "the user may change its own password"),)

    def examine_clone(self, source: SecretDocument, pending: SecretDocument) -> Sequence[CheckFinding]:
        # All that is read on the way is read, and nothing carried out.
        planned = clone_statements(
            self, source.text("username"), pending.text("username"), pending.text("password")
        )
        count = sum(1 for _ in planned)
        held = {str(row[0]) for row in self.rows("SELECT privilege FROM session_privs")}
        lacking = [privilege for privilege in NEEDED if privilege not in held]
        if lacking:
            raise RotationFault(FaultKind.PRIVILEGE, f"it logs in but lacks {', '.join(lacking)}")
        return (CheckFinding("privileges", None, f"the superuser may change users ({count} statements)"),)


def _connect(document: SecretDocument, tls: Tls, waits: _Waits) -> Any:
    driver = load_driver("oracledb", EXTRA)
    more: dict[str, Any] = {"protocol": "tcp"}
    if tls is Tls.VERIFIED:
        more = {
            "protocol": "tcps",
            "ssl_context": client_context(document, tls),
            "ssl_server_dn_match": True,
        }
    # The driver hands on texts instead of errors.
    connected_socket(document, PORT, waits.deadline).close()

    async def connect() -> Any:
        return await driver.connect_async(
            host=document.text("host"),
            port=document.port(PORT),
            service_name=document.text("dbname"),
            user=document.text("username"),
            password=document.text("password"),
            tcp_connect_timeout=waits.deadline.connect_seconds(),
            retry_count=0,
            disable_oob=True,
            program="strongroom",
            **more,
        )

    return waits.connection(connect(), tls=tls is Tls.VERIFIED)


@contextmanager
def _told(*, tls: bool) -> Iterator[None]:
    driver = load_driver("oracledb", EXTRA)
    try:
        yield
    except driver.Error as exc:
        code = str(getattr(exc.args[0], "full_code", "")) if exc.args else ""
        fault = code_fault(code)
        if fault is None and tls and code in ("DPY-6005", "DPY-6000"):
            under = network_fault(exc, tls=True)
            fault = under if under.kind is FaultKind.TLS else None
        # SECURITY: no cause; the server's text may repeat the statement.
        raise fault or _by_text(exc, tls=tls) from None
    except TimeoutError:
        raise
    except (OSError, UnicodeError) as exc:
        raise network_fault(exc, tls=tls) from None


def _by_text(error: Exception, *, tls: bool) -> RotationFault:
    """Return what a failed connection means, where the driver hands on a text and no error."""
    text = str(error).lower()
    if "refused" in text:
        return network_fault(ConnectionRefusedError(), tls=tls)
    if "timed out" in text or "timeout" in text:
        return network_fault(TimeoutError(), tls=tls)
    if "ssl" in text or "certificate" in text or tls:
        return RotationFault(FaultKind.TLS, NO_TLS)
    return network_fault(error, tls=tls)

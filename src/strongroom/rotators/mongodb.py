"""MongoDB and DocumentDB by pymongo. Source: fact sheet rotation sections 6 and 7.

The server keeps the arguments of commands about users out of its logs. Users live in the database that
`authSource` in the secret's JSON names, or else `dbname`, or else `admin`.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from strongroom.ports import Rotator
from strongroom.rotators.accounts import AccountRotator, Session
from strongroom.rotators.deadlines import Deadline
from strongroom.rotators.drivers import load_driver
from strongroom.rotators.network_faults import NO_TLS, network_fault
from strongroom.rotators.sockets import connected_socket
from strongroom.rotators.tls import Tls, authorities_file, connect_as_offered, connect_by_tls
from strongroom.rotators.usernames import UserNames
from strongroom.secret.document import FaultKind, RotationFault, SecretDocument, Strategy
from strongroom.secret.material import CheckFinding, PasswordPolicy

__all__ = ["mongodb", "server_fault"]

EXTRA = "mongodb"
PORT = 27017
DATABASE = "admin"
USER_EXISTS = 51003

_CODES: Mapping[int, tuple[FaultKind, str]] = {
    11: (FaultKind.TARGET, "the target has no user of the current version's user name"),
    13: (FaultKind.PRIVILEGE, "it logs in but lacks a privilege: changeOwnPassword, or userAdmin for others"),
    18: (FaultKind.LOGIN, "the target refuses user name or password"),
    10107: (FaultKind.TARGET, "the target is a secondary, which only reads"),
    13435: (FaultKind.TARGET, "the target is a secondary, which only reads"),
}


def mongodb() -> Rotator:
    return AccountRotator(_MongoDB())


def server_fault(code: int | None) -> RotationFault:
    """Return what an error of the server means, by its code."""
    kind, message = _CODES.get(code or 0, (FaultKind.TARGET, "the target refused a command"))
    return RotationFault(kind, f"{message} (code {code})")


@dataclass(frozen=True, slots=True)
class _MongoDB:
    engines = frozenset({"mongo"})
    strategies = frozenset(Strategy)
    names = UserNames(limit=128)
    # Clients put passwords into URLs; DocumentDB takes none of the first three.
    passwords = PasswordPolicy(length=32, exclude_characters="/@\"'\\:%?#[]")
    address = ("host",)

    @contextmanager
    def open(self, document: SecretDocument, deadline: Deadline) -> Iterator[Session]:
        # Told exactly, before the driver tries again and again.
        connected_socket(document, PORT, deadline).close()
        with ExitStack() as stack:
            client, tls = connect_by_tls(
                document,
                lambda tls: connect_as_offered(tls, lambda way: _connect(stack, document, way, deadline)),
            )
            yield _Session(client[_database(document)], tls)


class _Session:
    def __init__(self, database: Any, tls: Tls) -> None:
        self._database = database
        self.tls = tls

    def probe(self) -> None:
        self._run({"ping": 1})

    def change_own(self, pending: SecretDocument, acting: SecretDocument) -> None:
        self._run({"updateUser": acting.text("username"), "pwd": pending.text("password")})

    def clone(self, source: SecretDocument, pending: SecretDocument, *, set_password: bool) -> None:
        other, password = pending.text("username"), pending.text("password")
        original, held = self._user(source.text("username")), self._user(other)
        if original is None:
            raise server_fault(11)
        if held is None:
            self._create(other, password, original)
            return
        lacking = [each for each in original["roles"] if each not in held["roles"]]
        if lacking and source.text("username") != other + _MongoDB.names.suffix:
            self._run({"grantRolesToUser": other, "roles": lacking})
        if set_password:
            # Last: whoever can log in has all that belongs to it.
            self._run({"updateUser": other, "pwd": password})

    def examine_own(self, pending: SecretDocument, acting: SecretDocument) -> Sequence[CheckFinding]:
        status = self._run({"connectionStatus": 1, "showPrivileges": True})
        actions = {
            action
            for each in status["authInfo"].get("authenticatedUserPrivileges", ())
            for action in each["actions"]
        }
        if not actions & {"changeOwnPassword", "changePassword", "anyAction"}:
            raise RotationFault(FaultKind.PRIVILEGE, "it logs in but lacks changeOwnPassword")
        return [CheckFinding("privileges", None, "the user may change its own password")]

    def examine_clone(self, source: SecretDocument, pending: SecretDocument) -> Sequence[CheckFinding]:
        if self._user(source.text("username")) is None:
            raise server_fault(11)
        return [CheckFinding("privileges", None, "the superuser sees the user it is to copy")]

    def _create(self, user: str, password: str, original: Mapping[str, Any]) -> None:
        command: dict[str, Any] = {"createUser": user, "pwd": password, "roles": original["roles"]}
        for member in ("customData", "authenticationRestrictions", "mechanisms"):
            if original.get(member):
                command[member] = original[member]
        self._run(command)

    def _user(self, user: str) -> Mapping[str, Any] | None:
        found = self._run({"usersInfo": user, "showAuthenticationRestrictions": True})["users"]
        return found[0] if found else None

    def _run(self, command: dict[str, Any]) -> Any:
        try:
            return self._database.command(command)
        except load_driver("pymongo.errors", EXTRA).PyMongoError as exc:
            raise _fault(exc, tls=False) from None


def _database(document: SecretDocument) -> str:
    return document.text("authSource", document.text("dbname", DATABASE))


def _connect(stack: ExitStack, document: SecretDocument, tls: Tls, deadline: Deadline) -> Any:
    driver, milliseconds = load_driver("pymongo", EXTRA), math.ceil(deadline.connect_seconds() * 1000)
    more: dict[str, Any] = {}
    if tls is Tls.VERIFIED:
        more = {"tls": True, "tlsCAFile": stack.enter_context(authorities_file(document))}
    elif tls is Tls.IF_OFFERED:
        more = {"tls": True, "tlsAllowInvalidCertificates": True}
    client = driver.MongoClient(
        host=document.text("host"),
        port=document.port(PORT),
        username=document.text("username"),
        password=document.text("password"),
        authSource=_database(document),
        directConnection=True,
        retryWrites=False,
        connectTimeoutMS=milliseconds,
        serverSelectionTimeoutMS=milliseconds,
        timeoutMS=math.ceil(deadline.left() * 1000),
        appname="strongroom rotation",
        **more,
    )
    stack.callback(client.close)
    try:
        client[_database(document)].command("ping")
    except load_driver("pymongo.errors", EXTRA).PyMongoError as exc:
        with contextlib.suppress(Exception):  # it is given up either way
            client.close()
        raise _fault(exc, tls=tls is not Tls.NONE) from None
    return client


def _fault(error: Exception, *, tls: bool) -> RotationFault:
    # SECURITY: the driver's texts may repeat what was sent; only codes and types are looked at.
    errors = load_driver("pymongo.errors", EXTRA)
    if isinstance(error, errors.OperationFailure):
        return server_fault(error.code)
    if isinstance(error, errors.ServerSelectionTimeoutError) and tls and "SSL" in str(error):
        return RotationFault(FaultKind.TLS, NO_TLS)
    if isinstance(error, errors.ServerSelectionTimeoutError | errors.NetworkTimeout):
        return network_fault(TimeoutError(), tls=tls)
    return network_fault(error, tls=tls)

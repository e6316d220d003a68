"""Users of RabbitMQ: changed through the management API, tried by AMQP.

Passwords are set by their salted hash, so none is in a request. `managementPort` in the secret's JSON says
where the API answers (15672, by TLS 15671), `managementHost` on which host, if not on `host`; `port` and
`vhost` are where applications log in. A user changes its own password only as an administrator.
"""

from __future__ import annotations

import base64
import json
import logging
import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from typing import Any
from urllib.parse import quote

from strongroom.ports import Rotator
from strongroom.rotators.accounts import AccountRotator, Session
from strongroom.rotators.deadlines import Deadline
from strongroom.rotators.drivers import load_driver
from strongroom.rotators.http_calls import exchange
from strongroom.rotators.network_faults import CLOSED, network_fault
from strongroom.rotators.sockets import shut
from strongroom.rotators.tls import Tls, client_context, connect_as_offered, connect_by_tls
from strongroom.rotators.usernames import UserNames
from strongroom.secret.document import FaultKind, RotationFault, SecretDocument, Strategy
from strongroom.secret.material import CheckFinding, PasswordPolicy

__all__ = ["password_hash", "rabbitmq"]

EXTRA = "rabbitmq"
PORT, TLS_PORT = 5672, 5671
API_PORT, API_TLS_PORT = 15672, 15671
CLOSE_SECONDS = 1.0
"""For the broker's word that a connection has ended: whatever was to be done is done by then."""
MOST_BYTES = 4 * 1024 * 1024
"""Of an answer of the management API."""
REFUSED = "the target refuses user name or password"
NOT_ADMINISTRATOR = "it logs in but is no administrator: rabbitmqctl set_user_tags … administrator"
HASHING = "rabbit_password_hashing_sha256"


def rabbitmq() -> Rotator:
    return AccountRotator(_RabbitMQ())


def password_hash(password: str, salt: bytes) -> str:
    """Return what the server keeps of a password: four bytes of salt, and SHA-256 over them and it."""
    return base64.b64encode(salt + sha256(salt + password.encode()).digest()).decode()


@dataclass(frozen=True, slots=True)
class _RabbitMQ:
    engines = frozenset({"rabbitmq"})
    strategies = frozenset(Strategy)
    names = UserNames(limit=255)
    # Clients put passwords into URLs.
    passwords = PasswordPolicy(length=32, exclude_characters=" :/@\"'\\#%?&")
    address = ("host",)

    @contextmanager
    def open(self, document: SecretDocument, deadline: Deadline) -> Iterator[Session]:
        connection, tls = connect_by_tls(
            document, lambda tls: connect_as_offered(tls, lambda way: _log_in(document, way, deadline))
        )
        try:
            yield _Session(connection, document, tls, deadline)
        finally:
            _close(connection)


class _Session:
    """Logged in by AMQP; the management API is asked when something is to be changed."""

    def __init__(self, connection: Any, document: SecretDocument, tls: Tls, deadline: Deadline) -> None:
        self._connection = connection
        self._api = _Api(document, tls, deadline)
        self.tls = tls

    def probe(self) -> None:
        if not self._connection.is_open:
            raise RotationFault(FaultKind.UNREACHABLE, "the target closed the connection")

    def change_own(self, pending: SecretDocument, acting: SecretDocument) -> None:
        user = acting.text("username")
        self._put_user(user, pending, self._tags(user))

    def clone(self, source: SecretDocument, pending: SecretDocument, *, set_password: bool) -> None:
        user, other = source.text("username"), pending.text("username")
        tags, held = self._tags(user), self._api.get("users", other)
        if held is None:
            # With a password nobody knows: the pending one is in force only once all rights are there.
            self._put_user(other, pending.replaced(password=os.urandom(32).hex()), tags)
        if user != other + _RabbitMQ.names.suffix:
            # The original is left as it is, but for its password.
            self._copy_rights(user, other)
        if held is None or set_password:
            self._put_user(other, pending, tags if held is None else _joined(tags, held["tags"]))

    def _copy_rights(self, user: str, other: str) -> None:
        for kind in ("permissions", "topic-permissions"):
            for each in self._api.get("users", user, kind) or ():
                rights = {
                    name: each[name] for name in ("configure", "write", "read", "exchange") if name in each
                }
                self._api.put(kind, each["vhost"], other, body=rights)
        for name, value in self._limits(user).items():
            self._api.put("user-limits", other, name, body={"value": value})

    def examine_own(self, pending: SecretDocument, acting: SecretDocument) -> Sequence[CheckFinding]:
        self._tags(acting.text("username"))
        return [CheckFinding("privileges", None, "the user is an administrator")]

    def examine_clone(self, source: SecretDocument, pending: SecretDocument) -> Sequence[CheckFinding]:
        self._tags(source.text("username"))
        return [CheckFinding("privileges", None, "the superuser is an administrator")]

    def _put_user(self, user: str, pending: SecretDocument, tags: str) -> None:
        body = {
            "password_hash": password_hash(pending.text("password"), os.urandom(4)),
            "hashing_algorithm": HASHING,
            "tags": tags,
        }
        self._api.put("users", user, body=body)

    def _tags(self, user: str) -> str:
        """Return the tags of a user as one text, which every version takes."""
        found = self._api.get("users", user)
        if found is None:
            raise RotationFault(FaultKind.TARGET, "the target has no user of the current version's user name")
        return _joined("", found["tags"])

    def _limits(self, user: str) -> Mapping[str, int]:
        found = self._api.get("user-limits", user) or []
        return found[0]["value"] if found else {}


class _Api:
    """The management API, as the session's user."""

    def __init__(self, document: SecretDocument, tls: Tls, deadline: Deadline) -> None:
        self._document = document
        self._tls = tls
        self._deadline = deadline

    def get(self, *place: str) -> Any:
        """Return what stands there; None: nothing does."""
        return self._ask("GET", place, None)

    def put(self, *place: str, body: Mapping[str, Any]) -> None:
        self._ask("PUT", place, json.dumps(body).encode())

    def _ask(self, method: str, place: Sequence[str], body: bytes | None) -> Any:
        document, encrypted = self._document, self._tls is not Tls.NONE
        host = document.text("managementHost", document.text("host"))
        port = _api_port(document, API_TLS_PORT if encrypted else API_PORT)
        user, password = document.text("username"), document.text("password")
        credentials = base64.b64encode(f"{user}:{password}".encode()).decode()
        path = "/".join(quote(each, safe="") for each in place)
        status, content = exchange(
            method,
            f"{'https' if encrypted else 'http'}://{f'[{host}]' if ':' in host else host}:{port}/api/{path}",
            headers={"Authorization": f"Basic {credentials}", "Content-Type": "application/json"},
            body=body,
            deadline=self._deadline,
            most_bytes=MOST_BYTES,
            context=client_context(document, self._tls) if encrypted else None,
        )
        if status == 404 and method == "GET":
            return None
        if status in (401, 403):
            raise RotationFault(FaultKind.PRIVILEGE, NOT_ADMINISTRATOR)
        if not 200 <= status < 300:
            raise RotationFault(FaultKind.TARGET, f"the target's management API answered {status}")
        try:
            return json.loads(content) if method == "GET" else None
        except ValueError:
            # The cause would quote what it answered.
            raise RotationFault(FaultKind.TARGET, "the target's management API did not answer JSON") from None


def _api_port(document: SecretDocument, default: int) -> int:
    try:
        return SecretDocument({"port": document.get("managementPort")}).port(default)
    except RotationFault as fault:
        raise RotationFault(fault.kind, fault.message.replace("port", "managementPort", 1)) from None


def _log_in(document: SecretDocument, tls: Tls, deadline: Deadline) -> Any:
    driver, encrypted = load_driver("pika", EXTRA), tls is not Tls.NONE
    host, seconds = document.text("host"), deadline.connect_seconds()
    parameters = driver.ConnectionParameters(
        host=host,
        port=document.port(TLS_PORT if encrypted else PORT),
        virtual_host=document.text("vhost", "/"),
        credentials=driver.PlainCredentials(document.text("username"), document.text("password")),
        socket_timeout=seconds,
        stack_timeout=seconds * 2,
        blocked_connection_timeout=seconds,
        connection_attempts=1,
        ssl_options=driver.SSLOptions(client_context(document, tls), host) if encrypted else None,
    )
    errors = driver.exceptions
    workflow = load_driver("pika.adapters.utils.connection_workflow", EXTRA)
    # It writes a dozen lines into the log for each refused login.
    logging.getLogger("pika").setLevel(logging.CRITICAL)
    try:
        return driver.BlockingConnection(parameters)
    except (errors.ProbableAuthenticationError, errors.ProbableAccessDeniedError) as exc:
        raise _refusal(exc, isinstance(exc, errors.ProbableAuthenticationError)) from None
    except (errors.AMQPError, workflow.AMQPConnectorException) as exc:
        raise _connect_fault(exc, encrypted=encrypted) from None
    except (OSError, UnicodeError) as exc:
        raise network_fault(exc, tls=encrypted) from None


def _refusal(error: Exception, authenticating: bool) -> RotationFault:
    """The driver guesses from the moment a connection ended; only what the broker said counts."""
    if "ConnectionClosedByBroker" not in str(error):
        return RotationFault(FaultKind.UNREACHABLE, CLOSED)
    if authenticating:
        return RotationFault(FaultKind.LOGIN, REFUSED)
    return RotationFault(
        FaultKind.PRIVILEGE, "the user may not use the virtual host that vhost names, or there is none"
    )


def _connect_fault(error: Exception, *, encrypted: bool) -> RotationFault:
    """The driver collects what each address failed by, some layers deep."""
    waiting: list[object] = [error]
    while waiting:
        found = waiting.pop()
        if isinstance(found, OSError | UnicodeError):
            return network_fault(found, tls=encrypted)
        if isinstance(found, BaseException):
            waiting += [*found.args, found.__cause__]
            waiting += list(getattr(found, "exceptions", ()))
            waiting.append(getattr(found, "exception", None))
    if "Timeout" in type(error).__name__:
        return network_fault(TimeoutError(), tls=encrypted)
    return network_fault(error, tls=encrypted)


def _close(connection: Any) -> None:
    """The connection has ended; if it can be, as the protocol wants it: the broker is told, and says so."""
    errors = load_driver("pika", EXTRA).exceptions
    transport = connection._impl._transport
    if transport is None:
        return
    # The driver waits for the broker without bound. SSL sockets cannot be duplicated as such.
    with socket.socket(fileno=os.dup(transport._sock.fileno())) as twin:
        try:
            with Deadline(CLOSE_SECONDS).ending(partial(shut, twin)):
                connection.close()
        except (errors.AMQPError, OSError):
            return


def _joined(tags: str, more: str | Sequence[str]) -> str:
    listed = [*tags.split(","), *(more.split(",") if isinstance(more, str) else more)]
    return ",".join(dict.fromkeys(each for each in listed if each))

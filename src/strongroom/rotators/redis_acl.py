"""Users of Redis and Valkey. Source: fact sheet rotation sections 6 and 7.

Passwords are set by their SHA-256 (`ACL SETUSER … #hash`), which is what the server keeps of them, so no
password is in a command. A user may have several: the one an application still holds stays until the next
rotation, so that even a single user is never locked out.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from types import ModuleType
from typing import Any

from strongroom.ports import Rotator
from strongroom.rotators.accounts import AccountRotator, Session
from strongroom.rotators.deadlines import Deadline
from strongroom.rotators.drivers import load_driver
from strongroom.rotators.network_faults import NO_TLS, network_fault
from strongroom.rotators.sockets import connected_socket
from strongroom.rotators.tls import Tls, authorities, connect_as_offered, connect_by_tls
from strongroom.rotators.usernames import UserNames
from strongroom.secret.document import FaultKind, RotationFault, SecretDocument, Strategy
from strongroom.secret.material import CheckFinding, PasswordPolicy, RotationMaterial

__all__ = ["redis"]

EXTRA = "redis"
PORT = 6379
REFUSED = "the target refuses user name or password"
NO_ACL_FILE = "not configured to use an ACL file"
LACKS = "it logs in but may not run {}: ACL SETUSER … +{}"


def redis() -> Rotator:
    return _RedisRotator(_Redis())


class _RedisRotator(AccountRotator):
    def test(self, material: RotationMaterial) -> None:
        """The pending credential logs in, and is as durable as the target can make it: an attempt that was
        cut off between changing and saving is told by its password being in force."""
        AccountRotator(_Redis(saving=True)).test(material)


@dataclass(frozen=True, slots=True)
class _Redis:
    saving: bool = False
    """Whether whoever has logged in saves the users. SECURITY: not for a dry run, which changes nothing."""

    engines = frozenset({"redis", "valkey", "elasticache"})
    strategies = frozenset(Strategy)
    names = UserNames(limit=128)
    # A space separates the rules of a user, and clients put passwords into URLs.
    passwords = PasswordPolicy(length=32, exclude_characters=" :/@\"'\\#%?&")
    address = ("host",)

    @contextmanager
    def open(self, document: SecretDocument, deadline: Deadline) -> Iterator[Session]:
        connection, tls = connect_by_tls(
            document, lambda tls: connect_as_offered(tls, lambda way: _connect(document, way, deadline))
        )
        try:
            with deadline.ending(partial(_cut, connection)) as late:
                yield _Session(connection, tls, deadline, late, saving=self.saving)
        finally:
            connection.disconnect()


class _Session:
    def __init__(
        self, connection: Any, tls: Tls, deadline: Deadline, late: Callable[[], bool], *, saving: bool
    ) -> None:
        self._connection = connection
        self._deadline = deadline
        self._late = late
        self._saving = saving
        self.tls = tls

    def probe(self) -> None:
        # A user without the right to PING has logged in all the same.
        with contextlib.suppress(_Refused):
            self._run("PING")
        if self._saving:
            with contextlib.suppress(RotationFault):
                self._save()

    def change_own(self, pending: SecretDocument, acting: SecretDocument) -> None:
        # One command: at no instant is there a user without password, or with neither of the two.
        self._run("ACL", "SETUSER", acting.text("username"), "resetpass", _hash(acting), _hash(pending))
        self._save()

    def clone(self, source: SecretDocument, pending: SecretDocument, *, set_password: bool) -> None:
        user, other = source.text("username"), pending.text("username")
        held = self._user(other)
        passwords = ["resetpass", _hash(pending)] if set_password or held is None else []
        rules = [] if self._is_original(user, other) and held is not None else self._rules(user, held)
        if passwords or rules:
            self._run("ACL", "SETUSER", other, "on", *passwords, *rules)
        self._save()

    def examine_own(self, pending: SecretDocument, acting: SecretDocument) -> Sequence[CheckFinding]:
        return [*self._examine_right(acting.text("username")), self._keeping()]

    def examine_clone(self, source: SecretDocument, pending: SecretDocument) -> Sequence[CheckFinding]:
        self._rules(source.text("username"), self._user(pending.text("username")))
        return [*self._examine_right(str(self._run("ACL", "WHOAMI"))), self._keeping()]

    def _examine_right(self, user: str) -> Sequence[CheckFinding]:
        """Return whether the session's user may change users: it switches itself on, which it is.

        Raises:
            RotationFault: (PRIVILEGE) it may not.
        """
        self._run("ACL", "SETUSER", user, "on")
        return [CheckFinding("privileges", None, "the user may change passwords")]

    def _keeping(self) -> CheckFinding:
        try:
            found = self._run("CONFIG", "GET", "aclfile")
        except RotationFault:
            return CheckFinding("persistence", None, "whether users outlive a restart cannot be told here")
        kept = found.get("aclfile") if isinstance(found, dict) else [*found, "", ""][1]
        if kept:
            return CheckFinding("persistence", None, "users are saved to the target's ACL file")
        return CheckFinding(
            "persistence",
            None,
            "the target has no ACL file: a restart may bring old passwords back, unless its configuration "
            "file can be rewritten",
        )

    def _user(self, name: str) -> Mapping[str, Any] | None:
        found = self._run("ACL", "GETUSER", name)
        if not found:
            return None
        if isinstance(found, Mapping):
            return found
        return dict(zip(found[::2], found[1::2], strict=True))

    def _rules(self, source: str, held: Mapping[str, Any] | None) -> list[str]:
        """Return what a user lacks to be able to do all that `source` may."""
        original = self._user(source)
        if original is None:
            raise RotationFault(FaultKind.TARGET, "the target has no user of the current version's user name")
        has = {"commands": "", **(held or {})}
        rules: list[str] = []
        if original["commands"] != has["commands"]:
            rules += str(original["commands"]).split()
        for member, prefix in (("keys", "~"), ("channels", "&")):
            missing = _patterns(original, member, prefix) - _patterns(has, member, prefix)
            rules += sorted(missing)
        selectors = [_selector(each) for each in original.get("selectors", ())]
        present = [_selector(each) for each in has.get("selectors", ())]
        return rules + [f"({each})" for each in selectors if each not in present]

    @staticmethod
    def _is_original(source: str, other: str) -> bool:
        return source == other + _Redis.names.suffix

    def _save(self) -> None:
        """Users are as durable as the target can make them.

        Raises:
            RotationFault: (PRIVILEGE) there is an ACL file, and the user may not save it.
        """
        try:
            self._run("ACL", "SAVE")
        except RotationFault as fault:
            if fault.message != NO_ACL_FILE:
                raise
            # What a configuration file does not hold, or may not be written, is the operator's choice.
            with contextlib.suppress(_Refused):
                self._run("CONFIG", "REWRITE")

    def _run(self, *words: str) -> Any:
        driver = load_driver("redis", EXTRA)
        try:
            self._connection.send_command(*words)
            return self._connection.read_response()
        except driver.exceptions.NoPermissionError:
            raise _Refused(FaultKind.PRIVILEGE, _lacks(words)) from None
        except driver.exceptions.ResponseError as exc:
            # SECURITY: the server's text may repeat what was sent.
            no_file = NO_ACL_FILE in str(exc)
            raise _Refused(
                FaultKind.TARGET, NO_ACL_FILE if no_file else f"the target refused {' '.join(words[:2])}"
            ) from None
        except (driver.exceptions.RedisError, OSError) as exc:
            if self._late():
                raise self._deadline.fault() from None
            raise network_fault(exc, tls=False) from None


def _lacks(words: Sequence[str]) -> str:
    command = words[:2] if words[0] in ("ACL", "CONFIG") else words[:1]
    return LACKS.format(" ".join(command), "|".join(command).lower())


class _Refused(RotationFault):
    """The target answered, with an error."""


def _connect(document: SecretDocument, tls: Tls, deadline: Deadline) -> Any:
    encrypted, verified = tls is not Tls.NONE, tls is Tls.VERIFIED
    driver = load_driver("redis", EXTRA)
    more: dict[str, Any] = {}
    make = driver.Connection
    if encrypted:
        _verify_not_plain(document, deadline)
        make = driver.SSLConnection
        more = {
            "ssl_cert_reqs": "required" if verified else "none",
            "ssl_check_hostname": verified,
            "ssl_ca_data": authorities(document) if verified else None,
        }
    # A connection, not a client: what a client makes of answers differs between the driver's versions.
    connection = make(
        host=document.text("host"),
        port=document.port(PORT),
        username=document.text("username"),
        password=document.text("password"),
        socket_connect_timeout=deadline.connect_seconds(),
        socket_timeout=deadline.left(),
        decode_responses=True,
        protocol=2,
        retry=driver.retry.Retry(driver.backoff.NoBackoff(), 0),
        **more,
    )
    try:
        with deadline.ending(partial(_cut, connection)) as late:
            try:
                connection.connect()
            except (driver.exceptions.RedisError, OSError, UnicodeError) as exc:
                raise deadline.fault() if late() else _refusal(driver, exc, encrypted=encrypted) from None
    except RotationFault:
        connection.disconnect()
        raise
    return connection


def _refusal(driver: ModuleType, error: Exception, *, encrypted: bool) -> RotationFault:
    """Return why there is no connection."""
    errors = driver.exceptions
    if isinstance(error, errors.AuthenticationError):
        return RotationFault(FaultKind.LOGIN, REFUSED)
    if isinstance(error, errors.BusyLoadingError):
        return RotationFault(FaultKind.UNREACHABLE, "the target is starting")
    if isinstance(error, errors.ResponseError):
        if any(each in str(error) for each in ("WRONGPASS", "NOAUTH", "invalid username-password")):
            return RotationFault(FaultKind.LOGIN, REFUSED)
        return RotationFault(FaultKind.TARGET, "the target refused a command")
    return network_fault(error, tls=encrypted)


def _verify_not_plain(document: SecretDocument, deadline: Deadline) -> None:
    """Pass unless the target answers in clear: it would leave a wish for TLS unanswered until time is up.

    Raises:
        RotationFault: (TLS) it does; (UNREACHABLE) it cannot be reached.
    """
    try:
        with connected_socket(document, PORT, deadline) as plain:
            plain.sendall(b"PING\r\n")
            answer = plain.recv(1)
    except ConnectionResetError:
        return
    except (OSError, UnicodeError) as exc:
        raise network_fault(exc, tls=False) from None
    if answer in (b"+", b"-"):
        raise RotationFault(FaultKind.TLS, NO_TLS)


def _cut(connection: Any) -> None:
    """End the connection, from another thread, so that nobody waits for an answer."""
    with contextlib.suppress(OSError, AttributeError):
        connection._sock.shutdown(socket.SHUT_RDWR)


def _hash(document: SecretDocument) -> str:
    return "#" + sha256(document.text("password").encode()).hexdigest()


def _patterns(user: Mapping[str, Any], member: str, prefix: str) -> set[str]:
    """Return patterns as rules. Before 7.0 they come as a list without prefix, since then as one text."""
    found = user.get(member) or ()
    if isinstance(found, str):
        return set(found.split())
    return {each if each.startswith((prefix, "%")) else prefix + each for each in found}


def _selector(found: Any) -> str:
    fields = found if isinstance(found, Mapping) else dict(zip(found[::2], found[1::2], strict=True))
    return " ".join(str(fields[member]) for member in ("commands", "keys", "channels") if fields.get(member))

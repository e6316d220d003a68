"""Entries of a directory that log in by simple bind: LDAP. `username` in the secret's JSON is the entry's DN.

Passwords are changed by the extended operation for it (RFC 3062), so that the directory hashes them by its
own rules and applies its policy. Other than by a bind, no password is sent. The second of two alternating
users is an entry beside the first, with the same attributes and in the same groups.
"""

from __future__ import annotations

import contextlib
import math
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from strongroom.ports import Rotator
from strongroom.rotators.accounts import AccountRotator, Session
from strongroom.rotators.deadlines import Deadline
from strongroom.rotators.drivers import load_driver
from strongroom.rotators.network_faults import CLOSED, NO_TLS, network_fault
from strongroom.rotators.sockets import open_socket
from strongroom.rotators.tls import Tls, authorities, connect_as_offered, connect_by_tls
from strongroom.rotators.usernames import UserNames
from strongroom.secret.document import FaultKind, RotationFault, SecretDocument, Strategy
from strongroom.secret.material import CheckFinding, PasswordPolicy

__all__ = ["ldap"]

EXTRA = "ldap"
PORT, TLS_PORT = 389, 636
PASSWORD_MODIFY = "1.3.6.1.4.1.4203.1.11.1"
REFUSED = "the target refuses user name or password"
NOT_A_DN = (
    "username in the secret JSON must be the DN of an entry, such as uid=app,ou=people,dc=example,dc=org"
)

SUCCESS, EXISTS, NOT_THERE, HELD_ALREADY = 0, 68, 32, 20
_RESULTS: Mapping[int, tuple[FaultKind, str]] = {
    49: (FaultKind.LOGIN, REFUSED),
    48: (FaultKind.LOGIN, "the target does not let the user bind by password"),
    13: (FaultKind.TLS, "the target wants TLS for this"),
    8: (FaultKind.TLS, "the target wants TLS for this"),
    50: (FaultKind.PRIVILEGE, "it logs in but may not change the entry: the directory's access rules"),
    19: (FaultKind.LIMIT, "the target's rules refuse the new password"),
    53: (FaultKind.LIMIT, "the target is unwilling: its password policy, or a replica that only reads"),
    51: (FaultKind.UNREACHABLE, "the target is busy"),
    52: (FaultKind.UNREACHABLE, "the target is unavailable"),
}
_OWN = frozenset({"userpassword", "objectclass"})
GROUPS = "(|(member={0})(uniqueMember={0}))"


def ldap() -> Rotator:
    return AccountRotator(_Ldap())


class _EntryNames(UserNames):
    """The name that alternates is the value of a DN's first part."""

    def other(self, user: str) -> str:
        attribute, value, rest = split_dn(user)
        escape = load_driver("ldap3.utils.dn", EXTRA).escape_rdn
        return f"{attribute}={escape(super().other(value))},{rest}"


@dataclass(frozen=True, slots=True)
class _Ldap:
    engines = frozenset({"ldap"})
    strategies = frozenset(Strategy)
    names = _EntryNames(limit=256)
    passwords = PasswordPolicy(length=32, exclude_characters="\"'\\")
    address = ("host",)

    @contextmanager
    def open(self, document: SecretDocument, deadline: Deadline) -> Iterator[Session]:
        split_dn(document.text("username"))
        connection, tls = connect_by_tls(
            document, lambda tls: connect_as_offered(tls, lambda way: _bound(document, way, deadline))
        )
        try:
            with deadline.ending(partial(_cut, connection)) as late:
                yield _Session(connection, tls, deadline, late)
        finally:
            _close(connection)


class _Session:
    def __init__(self, connection: Any, tls: Tls, deadline: Deadline, late: Callable[[], bool]) -> None:
        self._connection = connection
        self._deadline = deadline
        self._late = late
        self.tls = tls

    def probe(self) -> None:
        self._search("", "(objectClass=*)", "BASE", ["namingContexts"])

    def change_own(self, pending: SecretDocument, acting: SecretDocument) -> None:
        # With the old password, as some directories want it of whoever changes his own.
        self._set_password(acting.text("username"), pending.text("password"), acting.text("password"))

    def clone(self, source: SecretDocument, pending: SecretDocument, *, set_password: bool) -> None:
        user, other = source.text("username"), pending.text("username")
        made = self._entry(other) is None
        if made:
            self._add(user, other)
        if split_dn(user)[1] != split_dn(other)[1] + _Ldap.names.suffix:
            self._join_groups(user, other)
        if made or set_password:
            # Last: whoever can log in has all that belongs to it.
            self._set_password(other, pending.text("password"), None)

    def examine_own(self, pending: SecretDocument, acting: SecretDocument) -> Sequence[CheckFinding]:
        self._examine_extension()
        return [
            CheckFinding("privileges", None, "whether the user may change its password shows when it does")
        ]

    def examine_clone(self, source: SecretDocument, pending: SecretDocument) -> Sequence[CheckFinding]:
        self._examine_extension()
        if self._entry(source.text("username")) is None:
            raise RotationFault(FaultKind.PRIVILEGE, "the superuser does not see the current version's entry")
        return [CheckFinding("privileges", None, "the superuser sees the entry it is to copy")]

    def _examine_extension(self) -> None:
        [root] = self._search("", "(objectClass=*)", "BASE", ["supportedExtension"])
        offered = root["attributes"].get("supportedExtension", ())
        if PASSWORD_MODIFY not in offered:
            message = "the target does not know the operation that changes passwords (RFC 3062)"
            raise RotationFault(FaultKind.TARGET, message)

    def _set_password(self, entry: str, new: str, old: str | None) -> None:
        extended = self._connection.extend.standard
        self._do(lambda: extended.modify_password(user=entry, old_password=old, new_password=new))

    def _entry(self, dn: str) -> Mapping[str, Any] | None:
        found = self._search(dn, "(objectClass=*)", "BASE", ["*"])
        return found[0]["raw_attributes"] if found else None

    def _add(self, user: str, other: str) -> None:
        """The entry `other` exists, a copy of the user's with its own name and a password nobody knows."""
        original = self._entry(user)
        if original is None:
            raise RotationFault(
                FaultKind.TARGET, "the target has no entry of the current version's user name"
            )
        naming, name, _ = split_dn(other)
        old_name = split_dn(user)[1]
        members = {
            attribute: [name.encode() if value == old_name.encode() else value for value in values]
            for attribute, values in original.items()
            if attribute.lower() not in _OWN and values
        }
        members[naming] = [name.encode()]
        classes = [each.decode() for each in original["objectClass"]]
        self._do(lambda: self._connection.add(other, classes, members), but=(EXISTS,))

    def _join_groups(self, user: str, other: str) -> None:
        escape = load_driver("ldap3.utils.conv", EXTRA).escape_filter_chars
        base = self._base(user)
        groups = self._search(base, GROUPS.format(escape(user)), "SUBTREE", ["member", "uniqueMember"])
        add = load_driver("ldap3", EXTRA).MODIFY_ADD
        for group in groups:
            for attribute in ("member", "uniqueMember"):
                if user.encode() in group["raw_attributes"].get(attribute, ()):
                    change = {attribute: [(add, [other])]}
                    self._do(partial(self._connection.modify, group["dn"], change), but=(HELD_ALREADY,))

    def _base(self, user: str) -> str:
        """Return the naming context that an entry is in."""
        [root] = self._search("", "(objectClass=*)", "BASE", ["namingContexts"])
        contexts = root["attributes"].get("namingContexts", ())
        return max((each for each in contexts if user.lower().endswith(each.lower())), key=len, default="")

    def _search(self, base: str, text: str, scope: str, attributes: list[str]) -> list[dict[str, Any]]:
        self._do(
            lambda: self._connection.search(base, text, search_scope=scope, attributes=attributes),
            but=(NOT_THERE,),
        )
        return [each for each in self._connection.response or () if each["type"] == "searchResEntry"]

    def _do(self, work: Callable[[], Any], but: Sequence[int] = ()) -> None:
        try:
            work()
        except load_driver("ldap3.core.exceptions", EXTRA).LDAPException as exc:
            if self._late():
                raise self._deadline.fault() from None
            raise _driver_fault(exc, tls=False) from None
        code = (self._connection.result or {}).get("result", SUCCESS)
        if code != SUCCESS and code not in but:
            raise _result_fault(code)


def split_dn(dn: str) -> tuple[str, str, str]:
    """Return attribute and value of a DN's first part, and the rest of it.

    Raises:
        RotationFault: it is no DN, has one part only, or its first part has several values.
    """
    names = load_driver("ldap3.utils.dn", EXTRA)
    try:
        parts = names.parse_dn(dn)
        first = names.parse_dn(dn, escape=False, strip=True)[0]
    except Exception:  # its parser raises whatever it stumbles over
        raise RotationFault(FaultKind.SECRET, NOT_A_DN) from None
    if len(parts) < 2 or first[2] == "+" or not first[1]:
        raise RotationFault(FaultKind.SECRET, NOT_A_DN)
    rest = ",".join(f"{attribute}={value}" for attribute, value, _ in parts[1:])
    return first[0], first[1].replace("\\", ""), rest


def _bound(document: SecretDocument, tls: Tls, deadline: Deadline) -> Any:
    driver, errors = load_driver("ldap3", EXTRA), load_driver("ldap3.core.exceptions", EXTRA)
    host, port, seconds = document.text("host"), document.port(PORT), deadline.connect_seconds()
    # The driver does not tell why it cannot connect.
    open_socket(host, port, deadline).close()
    encryption = None
    if tls is not Tls.NONE:
        verified = tls is Tls.VERIFIED
        encryption = driver.Tls(
            validate=ssl.CERT_REQUIRED if verified else ssl.CERT_NONE,
            ca_certs_data=authorities(document) if verified else None,
            valid_names=[host] if verified else None,
        )
    by_tls_port = encryption is not None and port == TLS_PORT
    server = driver.Server(
        host, port, use_ssl=by_tls_port, tls=encryption, get_info=driver.NONE, connect_timeout=seconds
    )
    connection = driver.Connection(
        server,
        user=document.text("username"),
        password=document.text("password"),
        receive_timeout=math.ceil(deadline.left()),
        raise_exceptions=False,
    )
    try:
        with deadline.ending(partial(_cut, connection)) as late:
            try:
                connection.open(read_server_info=False)
                if (
                    encryption is not None
                    and not by_tls_port
                    and not connection.start_tls(read_server_info=False)
                ):
                    raise deadline.fault() if late() else RotationFault(FaultKind.TLS, NO_TLS)
                connection.bind(read_server_info=False)
            except errors.LDAPException as exc:
                starting = encryption is not None and not connection.tls_started
                raise deadline.fault() if late() else _driver_fault(exc, tls=starting) from None
    except RotationFault:
        _close(connection)
        raise
    code = (connection.result or {}).get("result", SUCCESS)
    if code != SUCCESS or not connection.bound:
        _close(connection)
        raise _result_fault(code) if code != SUCCESS else RotationFault(FaultKind.UNREACHABLE, CLOSED)
    return connection


def _result_fault(code: int) -> RotationFault:
    kind, message = _RESULTS.get(code, (FaultKind.TARGET, f"the target refused a request (result {code})"))
    return RotationFault(kind, message)


def _driver_fault(error: Exception, *, tls: bool) -> RotationFault:
    # SECURITY: the driver's texts may repeat what was sent.
    name = type(error).__name__
    if tls and ("StartTLS" in name or "SSL" in name or "Certificate" in name or "Socket" in name):
        return RotationFault(FaultKind.TLS, NO_TLS)
    if name in ("LDAPInvalidDnError", "LDAPInvalidDNSyntaxResult"):
        return RotationFault(FaultKind.SECRET, NOT_A_DN)
    return network_fault(error, tls=False)


def _cut(connection: Any) -> None:
    """End the connection, from another thread, so that nobody waits for an answer."""
    with contextlib.suppress(OSError, AttributeError):
        connection.socket.shutdown(socket.SHUT_RDWR)


def _close(connection: Any) -> None:
    own = connection.socket
    with contextlib.suppress(Exception):  # whatever the driver makes of a broken connection
        connection.unbind()
    if own is not None:
        # What it gave up on it leaves open.
        own.close()

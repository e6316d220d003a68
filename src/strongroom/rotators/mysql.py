"""MySQL, Aurora MySQL and MariaDB. Source: fact sheet rotation sections 6 to 8.

Of MySQL, versions from 5.7 on; of MariaDB, from 10.4 on. Both speak one protocol, and which it is is asked
of the server, whatever the secret says.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from strongroom.ports import Rotator
from strongroom.rotators.accounts import AccountRotator, Session
from strongroom.rotators.deadlines import Deadline
from strongroom.rotators.mysql_passwords import verify_rules, without_logs
from strongroom.rotators.mysql_session import MysqlConnection, open_mysql
from strongroom.rotators.mysql_users import Counterpart, change_own_password, own_form
from strongroom.rotators.tls import Tls
from strongroom.rotators.usernames import UserNames
from strongroom.secret.document import FaultKind, RotationFault, SecretDocument, Strategy
from strongroom.secret.material import CheckFinding, PasswordPolicy

__all__ = ["mariadb", "mysql"]

EXCLUDED = "/@\"'\\"

READ_ONLY = "the target is read-only: a replica, perhaps"


def mysql() -> Rotator:
    # The templates' default of 16 is of MySQL 5.6; since 5.7 a name may have 32 characters.
    return AccountRotator(_Mysql(frozenset({"mysql", "aurora-mysql"}), UserNames(limit=32)))


def mariadb() -> Rotator:
    return AccountRotator(_Mysql(frozenset({"mariadb"}), UserNames(limit=80)))


@dataclass(frozen=True, slots=True)
class _Mysql:
    engines: frozenset[str]
    names: UserNames
    strategies = frozenset(Strategy)
    passwords = PasswordPolicy(length=32, exclude_characters=EXCLUDED)
    address = ("host",)

    @contextmanager
    def open(self, document: SecretDocument, deadline: Deadline) -> Iterator[Session]:
        with open_mysql(document, deadline) as connection:
            yield _Session(connection)


class _Session:
    def __init__(self, connection: MysqlConnection) -> None:
        self._connection = connection

    @property
    def tls(self) -> Tls:
        return self._connection.tls

    def probe(self) -> None:
        self._connection.rows("SELECT NOW()")

    def change_own(self, pending: SecretDocument, acting: SecretDocument) -> None:
        old, new = acting.text("password"), pending.text("password")
        change_own_password(self._connection, acting.text("username"), old, new)

    def clone(self, source: SecretDocument, pending: SecretDocument, *, set_password: bool) -> None:
        self._counterpart(source, pending, set_password=set_password).carry_out()

    def examine_own(self, pending: SecretDocument, acting: SecretDocument) -> Sequence[CheckFinding]:
        self._verify_writable()
        if own_form(self._connection, acting.text("username")).in_clear:
            without_logs(self._connection)
        verify_rules(self._connection, pending.text("password"))
        return (
            CheckFinding("privileges", None, "the user may change its own password"),
            CheckFinding("password", None, "the new password fulfils the rules the target shows"),
        )

    def examine_clone(self, source: SecretDocument, pending: SecretDocument) -> Sequence[CheckFinding]:
        self._verify_writable()
        self._counterpart(source, pending, set_password=True).verify()
        return (
            CheckFinding(
                "privileges", None, "the superuser may make the other user, and grant what it needs"
            ),
            CheckFinding("password", None, "the new password fulfils the rules the target shows"),
        )

    def _counterpart(
        self, source: SecretDocument, pending: SecretDocument, *, set_password: bool
    ) -> Counterpart:
        user, other, password = source.text("username"), pending.text("username"), pending.text("password")
        return Counterpart(self._connection, user, other, password, set_password)

    def _verify_writable(self) -> None:
        if self._connection.variable("super_read_only") == "ON":
            raise RotationFault(FaultKind.TARGET, READ_ONLY)

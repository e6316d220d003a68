"""One user of MySQL or MariaDB as the counterpart of another: what has to be done, and doing it.

The other user gets an account for each host the first may come from, with the same way to log in, the same
options, and the same grants and roles. Each rotation brings after what one of them has got since; nothing is
ever taken from either. None of it is one transaction, so it can be begun again anywhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from strongroom.rotators.mysql_grants import (
    Account,
    Definition,
    Grant,
    covers,
    may,
    parse_definition,
    parse_grant,
    regranted,
)
from strongroom.rotators.mysql_passwords import (
    PasswordForm,
    native_hash,
    password_form,
    verify_rules,
    without_logs,
)
from strongroom.rotators.mysql_session import MysqlConnection
from strongroom.rotators.passwords import RehearsalEntropy, new_password
from strongroom.secret.document import FaultKind, RotationFault
from strongroom.secret.material import PasswordPolicy

__all__ = ["Counterpart", "change_own_password", "own_form"]


def own_form(connection: MysqlConnection, user: str) -> PasswordForm:
    """Return how the session's user tells the server its new password.

    Raises:
        RotationFault: the server takes the session for another user's.
    """
    return password_form(connection, _own_definition(connection, user))


def change_own_password(connection: MysqlConnection, user: str, old: str, new: str) -> None:
    """The session's user, from the hosts of the account it has logged in by, has the new password.

    Raises:
        RotationFault: it cannot be changed, or the server takes the session for another user's.
    """
    definition = _own_definition(connection, user)
    form = password_form(connection, definition)
    if form.hashed:
        connection.execute(f"SET PASSWORD = {connection.literal(native_hash(new))}")
        return
    without_logs(connection)
    literal = connection.literal(new)
    if connection.is_mariadb:
        connection.execute(f"SET PASSWORD = PASSWORD({literal})")
    else:
        proof = f" REPLACE {connection.literal(old)}" if _asks_for_old(connection, definition) else ""
        connection.execute(f"ALTER USER USER() IDENTIFIED BY {literal}{proof}")


def _own_definition(connection: MysqlConnection, user: str) -> Definition:
    account = str(connection.rows("SELECT CURRENT_USER()")[0][0])
    if account.rpartition("@")[0] != user:
        # Anonymous and proxied users: it would be somebody else's password that changes.
        raise RotationFault(FaultKind.TARGET, "the target takes the user for another one (CURRENT_USER())")
    (row,) = connection.rows("SHOW CREATE USER CURRENT_USER()")
    return parse_definition(str(row[0]))


def _asks_for_old(connection: MysqlConnection, definition: Definition) -> bool:
    """Tell whether MySQL wants the password that is to be replaced from who replaces it."""
    _, asks, rest = definition.options.partition("PASSWORD REQUIRE CURRENT")
    if not asks or rest.startswith(" OPTIONAL"):
        return False
    return not rest.startswith(" DEFAULT") or connection.variable("password_require_current") == "ON"


@dataclass(frozen=True, slots=True)
class _Pair:
    """An account of the source, and the one the other user has or is to have."""

    source: Account
    other: Account
    definition: Definition
    existing: Definition | None


@dataclass(frozen=True, slots=True)
class Counterpart:
    """What makes the other user able to do what the source's user does."""

    connection: MysqlConnection
    source: str
    other: str
    password: str
    set_password: bool

    def carry_out(self) -> None:
        pairs = self._pairs()
        for pair in pairs:
            self._identify(pair, alone=len(pairs) == 1)
            for statement, _ in self._missing(pair):
                self.connection.execute(statement)

    def verify(self) -> None:
        """Find out whether `carry_out` could. Changes nothing.

        Raises:
            RotationFault: it could not.
        """
        held = [parse_grant(str(row[0])) for row in self.connection.rows("SHOW GRANTS")]
        for pair in self._pairs():
            self._verify_password(pair, held)
            if not may(held, "CREATE USER"):
                raise RotationFault(FaultKind.PRIVILEGE, "it logs in but lacks CREATE USER")
            for _, grant in self._missing(pair):
                if grant is not None and not covers(held, grant):
                    what = ", ".join(sorted(grant.privileges))
                    where = f" ON {grant.scope}" if grant.scope else ""
                    message = f"it logs in but may not grant what the user has: {what}{where}"
                    raise RotationFault(FaultKind.PRIVILEGE, message)

    def _verify_password(self, pair: _Pair, held: Sequence[Grant]) -> None:
        form = password_form(self.connection, pair.existing or pair.definition)
        if form.in_clear:
            without_logs(self.connection)
            if self.connection.is_mariadb and not may(held, "UPDATE", "`mysql`.*"):
                message = "it logs in but lacks UPDATE on mysql.*, to set a password that is no hash"
                raise RotationFault(FaultKind.PRIVILEGE, message)
        verify_rules(self.connection, self.password)

    def _pairs(self) -> Sequence[_Pair]:
        hosts = self._hosts(self.source)
        if not hosts:
            message = "the target has no account of the current version's user name"
            raise RotationFault(FaultKind.TARGET, message)
        taken = self._hosts(self.other)
        pairs = []
        for host in hosts:
            source, other = Account(self.source, host), Account(self.other, host)
            existing = self._definition(other) if host in taken else None
            pairs.append(_Pair(source, other, self._definition(source), existing))
        return pairs

    def _hosts(self, user: str) -> Sequence[str]:
        # A role of MariaDB stands there too, without a host.
        rows = self.connection.rows(
            "SELECT Host FROM mysql.user WHERE User = %s AND Host <> '' ORDER BY Host", user
        )
        return [str(row[0]) for row in rows]

    def _definition(self, account: Account) -> Definition:
        (row,) = self.connection.rows(f"SHOW CREATE USER {account}")
        return parse_definition(str(row[0]))

    def _identify(self, pair: _Pair, *, alone: bool) -> None:
        """The account exists, and has the password if it is to be set."""
        definition = pair.existing or pair.definition
        form = password_form(self.connection, definition)
        if form.in_clear:
            without_logs(self.connection)
        if pair.existing is None:
            self._create(pair, form)
        elif self._lacks_password(pair.existing, form, alone=alone):
            if form.in_clear and self.connection.is_mariadb:
                self._set_in_clear(pair.other)
            else:
                # Not SET PASSWORD, which would ask for UPDATE on mysql.* beside CREATE USER.
                clause = self._clause(definition, form, self.password)
                self.connection.execute(f"ALTER USER {pair.other} {clause}")

    def _create(self, pair: _Pair, form: PasswordForm) -> None:
        password = self.password
        if form.in_clear and self.connection.is_mariadb:
            # SECURITY: MariaDB writes CREATE USER into its binary log as it came. What stands there opens
            # an account without rights, for as long as the next statement takes.
            password = new_password({}, PasswordPolicy(exclude_characters="'\\"), RehearsalEntropy())
        clause = self._clause(pair.definition, form, password)
        self.connection.execute(f"CREATE USER {pair.other} {clause} {pair.definition.options}")
        if password != self.password:
            self._set_in_clear(pair.other)

    def _set_in_clear(self, account: Account) -> None:
        """MariaDB puts the hash into its binary log for this statement, and for no other."""
        literal = self.connection.literal(self.password)
        self.connection.execute(f"SET PASSWORD FOR {account} = PASSWORD({literal})")

    def _lacks_password(self, existing: Definition, form: PasswordForm, *, alone: bool) -> bool:
        """Tell whether an account is to be given the password.

        Of several, that the pending credential logs in tells nothing but of one. A password that is given
        twice may be refused as used before.
        """
        if form.hashed:
            kept = dict(existing.plugins).get(form.plugin)
            return kept != native_hash(self.password)
        return self.set_password or not alone

    def _clause(self, definition: Definition, form: PasswordForm, password: str) -> str:
        """Return how the other user is to log in: as the definition says, by this password."""
        if not self.connection.is_mariadb:
            # SHOW CREATE USER names one plugin.
            plugin, literal = map(self.connection.literal, (form.plugin, password))
            return f"IDENTIFIED WITH {plugin} BY {literal}"
        ways = [self._way(plugin, kept, form, password) for plugin, kept in definition.plugins]
        return f"IDENTIFIED VIA {' OR '.join(ways)}"

    def _way(self, plugin: str, kept: str, form: PasswordForm, password: str) -> str:
        """Return one of the ways in which an account of MariaDB may log in."""
        if plugin != form.plugin:
            return f"{plugin} USING {self.connection.literal(kept)}" if kept else plugin
        if form.hashed:
            return f"{plugin} USING {self.connection.literal(native_hash(password))}"
        return f"{plugin} USING PASSWORD({self.connection.literal(password)})"

    def _missing(self, pair: _Pair) -> Iterator[tuple[str, Grant | None]]:
        """Give the statements that bring the other account what it lacks, and what each grants."""
        held = set() if pair.existing is None else set(self._grants(pair.other))
        for line in self._grants(pair.source):
            statement = regranted(line, pair.other)
            if statement is None or statement in held:
                continue
            yield statement, parse_grant(line) if statement.startswith("GRANT ") else None
        roles = pair.definition.default_roles
        if roles and (pair.existing is None or pair.existing.default_roles != roles):
            yield f"SET DEFAULT ROLE {roles} TO {pair.other}", None

    def _grants(self, account: Account) -> Iterator[str]:
        for row in self.connection.rows(f"SHOW GRANTS FOR {account}"):
            # In the form in which they are compared, without what is no grant.
            line = regranted(str(row[0]), account)
            if line is not None:
                yield line

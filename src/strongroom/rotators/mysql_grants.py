"""Accounts and grants of MySQL and MariaDB as their servers write them. Pure.

SHOW GRANTS and SHOW CREATE USER answer with statements. They are taken apart by token, never by searching:
a name may hold anything.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from strongroom.secret.document import FaultKind, RotationFault

__all__ = ["Account", "Definition", "Grant", "covers", "may", "parse_definition", "parse_grant", "regranted"]

_TOKEN = re.compile(
    r"`(?:[^`]|``)*`"
    r"|'(?:[^'\\]|\\.|'')*'"
    r'|"(?:[^"\\]|\\.|"")*"'
    r"|0x[0-9A-Fa-f]+"
    r"|[\w$]+"
    r"|\S",
    re.DOTALL,
)

_GRANTEE_WORDS = frozenset({"TO", "FROM", "FOR"})

UNREADABLE = "the target describes a user in a way this program cannot read"


@dataclass(frozen=True, slots=True)
class Account:
    """A user from certain hosts."""

    user: str
    host: str

    def __str__(self) -> str:
        """Return it as it is written in statements."""
        return f"{_quoted(self.user)}@{_quoted(self.host)}"


@dataclass(frozen=True, slots=True)
class Definition:
    """What SHOW CREATE USER says of an account."""

    plugins: tuple[tuple[str, str], ...]
    """By what it logs in: name of the plugin, and what that keeps of the password."""
    options: str
    """REQUIRE, resource limits, expiry and lock, as they stand in CREATE USER."""
    default_roles: str
    """MySQL has them here; MariaDB among the grants."""


@dataclass(frozen=True, slots=True)
class Grant:
    """A line of SHOW GRANTS."""

    privileges: frozenset[str]
    scope: str
    """What follows ON, such as `shop`.* ; empty for a role."""
    grantable: bool
    """WITH GRANT OPTION, or WITH ADMIN OPTION for a role."""


def parse_definition(statement: str) -> Definition:
    """Return the parts of a CREATE USER statement.

    Raises:
        RotationFault: it has none that are known.
    """
    words = _words(statement)
    at = _past_account(words, 2)
    plugins: list[tuple[str, str]] = []
    if _is(words, at, "IDENTIFIED"):
        at += 1
        if _is(words, at, "BY"):
            plugins.append(("mysql_native_password", _text(words, at + 2)))
            at += 3
        # WITH may also begin the limits, behind a password.
        more = _is(words, at, "VIA", "WITH") and not plugins
        while more:
            name, kept = _text(words, at + 1), ""
            at += 2
            if _is(words, at, "USING", "AS", "BY"):
                kept = _text(words, at + 1)
                at += 2
            plugins.append((name, kept))
            more = _is(words, at, "OR")
    if _is(words, at, "AND"):  # a second factor
        raise RotationFault(FaultKind.TARGET, UNREADABLE)
    roles = ""
    if _is(words, at, "DEFAULT") and _is(words, at + 1, "ROLE"):
        start = at = at + 2
        while at < len(words) and not _is(words, at, "REQUIRE"):
            at += 1
        roles = _between(statement, words, start, at)
    return Definition(tuple(plugins), _between(statement, words, at, len(words)), roles)


def parse_grant(line: str) -> Grant:
    """Return what a line of SHOW GRANTS gives."""
    words = _words(line)
    end = _grantee(words)
    option = any(
        _is(words, at, "GRANT", "ADMIN") and _is(words, at + 1, "OPTION") for at in range(end, len(words))
    )
    on = next((at for at in range(1, end) if _is(words, at, "ON")), None)
    if on is None:
        return Grant(frozenset({_between(line, words, 1, end)}), "", option)
    names = frozenset(_privileges(words[1:on]))
    return Grant(names, _between(line, words, on + 1, end), option)


def regranted(line: str, account: Account) -> str | None:
    """Return a line of SHOW GRANTS as a statement for another account; None when it gives nothing.

    A password, TLS and limits, which older servers put into the line, are left out.
    """
    words = _words(line)
    end = _grantee(words)
    grant = parse_grant(line)
    if grant.privileges == {"USAGE"} and not grant.grantable:
        return None
    option = ""
    if grant.grantable:
        option = " WITH GRANT OPTION" if grant.scope else " WITH ADMIN OPTION"
    head = line[: words[end].end()]
    return f"{head} {account}{option}"


def covers(held: Iterable[Grant], wanted: Grant) -> bool:
    """Tell whether someone who holds these may grant that.

    What may be granted is what one has together with the grant option there or further out.
    """
    if not wanted.scope:
        return any(
            grant.grantable and not grant.scope and grant.privileges == wanted.privileges for grant in held
        )
    found: set[str] = set()
    for grant in held:
        if grant.grantable and _contains(grant.scope, wanted.scope):
            found |= grant.privileges
    return "ALL PRIVILEGES" in found or (wanted.privileges - {"USAGE"}) <= found


def may(held: Iterable[Grant], privilege: str, *scopes: str) -> bool:
    """Tell whether someone who holds these has a privilege everywhere, or in one of the scopes."""
    return any(
        {"ALL PRIVILEGES", privilege} & grant.privileges for grant in held if grant.scope in ("*.*", *scopes)
    )


def _privileges(words: Sequence[re.Match[str]]) -> list[str]:
    """Return the names of a list such as SELECT (`a`, `b`), CREATE USER; without the columns."""
    names: list[str] = []
    current: list[str] = []
    depth = 0
    for word in words:
        text = word.group()
        depth += (text == "(") - (text == ")")
        if depth == 0 and text == ",":
            names.append(" ".join(current))
            current = []
        elif depth == 0 and text != ")":
            current.append(text.upper())
    return [*names, " ".join(current)]


def _contains(outer: str, inner: str) -> bool:
    if outer in ("*.*", inner):
        return True
    database, everything = outer.removesuffix(".*"), outer.endswith(".*")
    if not everything or not database.startswith("`"):
        return False
    # The kind of a routine stands before its name; a database has none.
    place = (
        inner.split(" ", 1)[1] if inner.split(" ", 1)[0] in ("PROCEDURE", "FUNCTION", "PACKAGE") else inner
    )
    return bool(re.match(_like(_unquoted(database)), _unquoted(_words(place)[0].group())))


def _like(pattern: str) -> str:
    """Return a pattern of LIKE, in which a backslash takes the meaning of % and _ away, as an expression."""
    parts = re.findall(r"\\.|.", pattern, re.DOTALL)
    translated = {"%": ".*", "_": "."}
    return "".join(translated.get(part) or re.escape(part[-1]) for part in parts) + r"\Z"


def _grantee(words: Sequence[re.Match[str]]) -> int:
    """Return where the word before the account stands. What follows it are options of one word each."""
    for at in range(len(words) - 1, 0, -1):
        if words[at].group().upper() in _GRANTEE_WORDS and at + 1 < len(words):
            quote = words[at + 1].group()[0]
            if quote in "`'\"":
                return at
    raise RotationFault(FaultKind.TARGET, UNREADABLE)


def _past_account(words: Sequence[re.Match[str]], at: int) -> int:
    return at + 3 if _is(words, at + 1, "@") else at + 1


def _words(statement: str) -> list[re.Match[str]]:
    return list(_TOKEN.finditer(statement))


def _is(words: Sequence[re.Match[str]], at: int, *names: str) -> bool:
    return at < len(words) and words[at].group().upper() in names


def _text(words: Sequence[re.Match[str]], at: int) -> str:
    if at >= len(words):
        raise RotationFault(FaultKind.TARGET, UNREADABLE)
    return _unquoted(words[at].group())


def _between(statement: str, words: Sequence[re.Match[str]], start: int, end: int) -> str:
    return statement[words[start].start() : words[end - 1].end()] if start < end else ""


def _unquoted(text: str) -> str:
    quote = text[:1]
    return text[1:-1].replace(quote * 2, quote) if quote in ("`", "'", '"') else text


def _quoted(name: str) -> str:
    doubled = name.replace("`", "``")
    return f"`{doubled}`"

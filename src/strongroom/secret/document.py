"""A secret's JSON as rotation reads it, and what rotation says when a step cannot be done. Pure.

Source: fact sheet rotation sections 6 and 7.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Any

import orjson

from strongroom.secret.value import SecretValue

__all__ = ["FaultKind", "FunctionsBusy", "RotationFault", "SecretDocument", "Strategy", "parse_document"]


class Strategy(Enum):
    """Whose password changes (fact sheet rotation section 6)."""

    SINGLE_USER = "single-user"
    ALTERNATING_USERS = "alternating-users"


class FaultKind(Enum):
    """What stands in the way of a rotation step, as a person would sort it."""

    SECRET = "secret"
    """The secret's JSON lacks a field, or says what cannot be."""
    UNREACHABLE = "unreachable"
    """No connection: name, address, port, time-out."""
    TLS = "tls"
    """The target's certificate or its wish for TLS."""
    LOGIN = "login"
    """The target refuses the user or the password."""
    PRIVILEGE = "privilege"
    """The user who changes credentials lacks a right to."""
    LIMIT = "limit"
    """A name too long, a password against the target's rules."""
    TARGET = "target"
    """The target failed, or answered what it should not."""
    FUNCTION = "function"
    """The function failed, hung, or could not be started."""
    SERVICE = "service"
    """This server refused: a policy, a key, a label."""


class RotationFault(Exception):
    """A step of a rotation cannot be done now.

    The message is for a person and says what to mend. SECURITY: it never holds a value of a secret, nor a
    text of the target's that might repeat one.
    """

    def __init__(self, kind: FaultKind, message: str, *, sent: bool = False) -> None:
        super().__init__(message)
        self.kind = kind
        self.sent = sent
        """Whether the target may have been given the new credential: nobody heard what became of it."""

    @property
    def message(self) -> str:
        return str(self.args[0])


class FunctionsBusy(RotationFault):
    """A function was not started because too many are running; a little later there may be room."""


class SecretDocument(Mapping[str, Any]):
    """The members of a secret's JSON. Shows none of them when printed."""

    __slots__ = ("_members",)

    def __init__(self, members: Mapping[str, Any]) -> None:
        self._members = dict(members)

    def __getitem__(self, field: str) -> Any:
        return self._members[field]

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)

    def __repr__(self) -> str:
        return "<SecretDocument>"

    def text(self, field: str, default: str | None = None) -> str:
        """Return a member as text; a number is written out.

        Raises:
            RotationFault: it is absent or empty and there is no default, or it is neither text nor number.
        """
        value = self._members.get(field)
        if value is None or value == "":
            if default is None:
                raise RotationFault(FaultKind.SECRET, f"{field} key is missing from secret JSON")
            return default
        if isinstance(value, bool) or not isinstance(value, (str, int)):
            raise RotationFault(FaultKind.SECRET, f"{field} in the secret JSON must be a text")
        return str(value)

    def port(self, default: int) -> int:
        """Return the member `port`, which may be a number or a text.

        Raises:
            RotationFault: it is no port number.
        """
        text = self.text("port", str(default))
        if not text.isascii() or not text.isdigit() or not 0 < int(text[:6]) < 65536:
            raise RotationFault(FaultKind.SECRET, "port in the secret JSON must be between 1 and 65535")
        return int(text)

    def flag(self, field: str) -> bool | None:
        """Return a member that is a boolean, or a text of one; None when it is absent.

        Raises:
            RotationFault: it is neither.
        """
        value = self._members.get(field)
        if value is None or isinstance(value, bool):
            return value
        folded = value.lower() if isinstance(value, str) else ""
        if folded not in ("true", "false"):
            raise RotationFault(FaultKind.SECRET, f"{field} in the secret JSON must be true or false")
        return folded == "true"

    def replaced(self, **members: Any) -> SecretDocument:
        """Return the document with other values for some members; the order of the others stays."""
        return SecretDocument({**self._members, **members})

    def encode(self) -> str:
        """Return the JSON to be stored as SecretString."""
        return json.dumps(self._members, ensure_ascii=False, separators=(",", ":"))


def parse_document(value: SecretValue) -> SecretDocument:
    """Return the members of a secret's JSON.

    Raises:
        RotationFault: the value is binary, no JSON, no JSON object, or has a member twice.
    """
    if value.text is None:
        raise RotationFault(FaultKind.SECRET, "the secret is binary; rotation needs a JSON object as text")
    try:
        # The one is strict; the other keeps numbers of any length, and tells of a member that is there twice.
        orjson.loads(value.text)
        members = json.loads(value.text, object_pairs_hook=_members)
    except (ValueError, RecursionError):
        # The cause would quote the text.
        raise RotationFault(FaultKind.SECRET, "the secret's value is no valid JSON") from None
    if not isinstance(members, dict):
        raise RotationFault(FaultKind.SECRET, "the secret's value must be a JSON object")
    return SecretDocument(members)


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise RotationFault(FaultKind.SECRET, "the secret's JSON has a member twice; which one counts?")
    return members

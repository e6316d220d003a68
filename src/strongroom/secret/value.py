"""A secret's value: text or binary, kept out of messages, logs and tracebacks."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import Final

MAX_VALUE_BYTES: Final = 65_536
"""Limit of a value, in bytes of its UTF-8 or binary form (fact sheet secretsmanager section 5)."""


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class SecretValue:
    """SecretString or SecretBinary: exactly one is set. Prints no content; compares in constant time."""

    text: str | None = None
    binary: bytes | None = None

    def __post_init__(self) -> None:
        if (self.text is None) == (self.binary is None):
            raise ValueError("a secret value is either text or binary")

    def encoded(self) -> bytes:
        """Return the value's bytes, text as UTF-8. Text and binary of the same bytes encode alike."""
        return self.binary if self.text is None else self.text.encode()  # type: ignore[return-value] # one is set

    def __eq__(self, other: object) -> bool:
        """True for the same kind and the same bytes; the time taken tells nothing but the lengths."""
        if not isinstance(other, SecretValue):
            return NotImplemented
        same_bytes = hmac.compare_digest(self.encoded(), other.encoded())
        return same_bytes and (self.text is None) == (other.text is None)

    __hash__ = None  # type: ignore[assignment] # a hash of a value could be looked up in a table

    def __repr__(self) -> str:
        return "SecretValue(text)" if self.binary is None else "SecretValue(binary)"

"""Takes values out of text, in the shapes in which programs print them. Pure."""

from __future__ import annotations

import base64
import binascii
import json
import re
import urllib.parse
from collections.abc import Iterable, Mapping
from typing import Any, Final

__all__ = ["MASK", "SHORTEST", "Redactor", "sensitive_environment", "values_of"]

MASK: Final = b"***"
SHORTEST: Final = 4
"""A shorter value is no secret, and its removal would leave nothing readable."""
MOST_VALUES: Final = 400
MOST_BYTES: Final = 1024 * 1024

_PUBLIC: Final = frozenset(
    (
        "engine",
        "host",
        "port",
        "username",
        "dbname",
        "masterarn",
        "ssl",
        "dbinstanceidentifier",
        "dbclusteridentifier",
        "dbidentifier",
        "type",
        "org",
        "user_arn",
    )
)
"""Members of a secret's JSON that are no secret by themselves (fact sheet rotation section 7)."""
_NAMED_SECRET: Final = re.compile(
    r"(PASSWORD|PASSWD|PASSPHRASE|SECRET|TOKEN|CREDENTIALS?|PRIVATE_KEY|API_?KEY)$", re.I
)


def sensitive_environment(environment: Mapping[str, str]) -> list[str]:
    """Return the values of variables whose names say that they are secret."""
    return [value for name, value in environment.items() if _NAMED_SECRET.search(name)]


def values_of(text: str) -> list[str]:
    """Return what must not be printed of one secret value: the whole, and where it is JSON its members."""
    try:
        members = json.loads(text)
    except (ValueError, RecursionError):
        return [text]
    return [text, *_leaves(members, 0)]


def _leaves(value: Any, depth: int) -> list[str]:
    if depth > 16:
        return []
    if isinstance(value, dict):
        secret = (v for k, v in value.items() if k.lower() not in _PUBLIC)
        return [leaf for member in secret for leaf in _leaves(member, depth + 1)]
    if isinstance(value, list):
        return [leaf for member in value for leaf in _leaves(member, depth + 1)]
    if isinstance(value, str):
        return [value]
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return [str(value)]
    return []


class Redactor:
    """Knows values, and takes them out. Shows none when printed."""

    def __init__(self) -> None:
        self._values: set[str] = set()
        self._bytes = 0
        self._overflown = False

    def __repr__(self) -> str:
        return "<Redactor>"

    def add(self, values: Iterable[str]) -> None:
        """Every later `redact` takes these out too."""
        for value in values:
            if len(value) < SHORTEST or value in self._values or self._overflown:
                continue
            self._values.add(value)
            self._bytes += len(value)
            # More than that is more than can be looked for: nothing is let through then.
            self._overflown = len(self._values) > MOST_VALUES or self._bytes > MOST_BYTES

    def redact(self, text: bytes) -> bytes:
        """Return the text without the values; all of it is replaced when there are too many to look for."""
        if self._overflown:
            return b"(withheld: more values than can be looked for)\n" if text else b""
        shapes = {shape for value in self._values for shape in _shapes(value)}
        for shape in sorted(shapes, key=len, reverse=True):
            if shape in text:
                text = text.replace(shape, MASK)
        return text


def _shapes(value: str) -> set[bytes]:
    """Return the ways in which programs write a text."""
    raw = _raw(value)
    plain = json.dumps(value)[1:-1]
    shapes = {
        raw,
        plain.encode(),
        json.dumps(plain)[1:-1].encode(),  # JSON within JSON
        _raw(json.dumps(value, ensure_ascii=False)[1:-1]),
        _raw(repr(plain)[1:-1]),  # JSON shown by Python
        _raw(repr(value)[1:-1]),
        repr(raw)[2:-1].encode(),
        _raw(value.replace("'", "''")),
        urllib.parse.quote(raw, safe="").encode(),
        urllib.parse.quote(raw).encode(),
        urllib.parse.quote_plus(raw).encode(),
    }
    if len(raw) >= 8:
        shapes |= {binascii.hexlify(raw), binascii.hexlify(raw).upper()}
        shapes |= _base64_shapes(raw)
    return {shape for shape in shapes if len(shape) >= SHORTEST}


def _raw(text: str) -> bytes:
    """Return a text's bytes; bytes that were no text came as surrogates, and are what they were."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


def _base64_shapes(raw: bytes) -> set[bytes]:
    """Return what base64 makes of the bytes wherever they begin in what is encoded."""
    shapes = set()
    for before in range(3):
        padded = b"\0" * before + raw
        encoded = base64.b64encode(padded)
        # The characters at the ends depend on the neighbours; those in between do not.
        start = (before * 8 + 5) // 6
        end = len(padded) * 8 // 6
        shapes |= {encoded[start:end], encoded[start:end].replace(b"+", b"-").replace(b"/", b"_")}
    return shapes

"""OpenID Connect identity providers: their URLs, and key sets an operator gives for them.

Source: fact sheet iam sections 11 to 13; RFC 7517 for key sets.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final
from urllib.parse import urlsplit

from strongroom.errors import InvalidInputException, ValidationException

__all__ = ["KeySetError", "parse_provider_url", "verify_key_set"]

# Published reports of the live service.
INVALID_URL: Final = "Invalid Open ID Connect Provider URL"
NOT_HTTPS: Final = "Invalid Open ID Connect Provider URL. The URL must begin with https://."
# Not established; ours.
URL_PARTS: Final = (
    "Invalid Open ID Connect Provider URL. The URL must be a host name and a path, without user, port, query "
    "and fragment."
)

_HOST: Final = re.compile(
    r"(?=.{1,253}\Z)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*"
)
_PATH: Final = re.compile(r"(?:/[A-Za-z0-9._~!$&'()+,;=@%-]+)*/?")

KEY_SET_LIMIT: Final = 65_536
_PUBLIC_KEY_TYPES: Final = ("RSA", "EC", "OKP")
_PRIVATE_MEMBERS: Final = frozenset(("d", "p", "q", "dp", "dq", "qi", "oth", "k"))


class KeySetError(ValueError):
    """The text is not a set of public keys; the message says why."""


def parse_provider_url(url: str) -> str:
    """Return a provider's host and path, as its ARN and its condition keys name it: without `https://`.

    Raises:
        ValidationException: no URL with a scheme and a host.
        InvalidInputException: another scheme than https, or more than a host name and a path.
    """
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise ValidationException(INVALID_URL) from None
    if not parts.scheme or not parts.netloc:
        raise ValidationException(INVALID_URL)
    if not url.startswith("https://"):
        raise InvalidInputException(NOT_HTTPS)
    # SECURITY: this is looked up by tokens' issuers and becomes part of an ARN. It is taken as it was sent,
    # since `urlsplit` leaves out line ends.
    named = url.removeprefix("https://")
    host, slash, path = named.partition("/")
    if _HOST.fullmatch(host) is None or _PATH.fullmatch(slash + path) is None:
        raise InvalidInputException(URL_PARTS)
    return named


def verify_key_set(text: str) -> int:
    """Return the number of keys in a JSON Web Key Set that holds nothing but public keys.

    Raises:
        KeySetError: anything else.
    """
    if len(text) > KEY_SET_LIMIT:
        raise KeySetError(f"A key set may have {KEY_SET_LIMIT} characters at most.")
    try:
        document = json.loads(text)
    except (json.JSONDecodeError, RecursionError):
        raise KeySetError("The key set is not JSON.") from None
    keys = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(keys, list) or not keys:
        raise KeySetError('A key set is a JSON object with a list "keys" that is not empty.')
    for number, key in enumerate(keys, 1):
        _verify_key(number, key)
    return len(keys)


def _verify_key(number: int, key: Any) -> None:
    # SECURITY: a shared secret among the keys would let whoever can verify tokens make them.
    if not isinstance(key, dict) or key.get("kty") not in _PUBLIC_KEY_TYPES:
        raise KeySetError(f"Key {number} is not an RSA, EC or OKP key.")
    if _PRIVATE_MEMBERS & key.keys():
        raise KeySetError(f"Key {number} holds a private key; only public keys belong here.")

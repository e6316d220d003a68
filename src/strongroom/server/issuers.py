"""Keys of OpenID Connect issuers, fetched over HTTPS and remembered for a while. `ports.IssuerKeys`.

Source: OpenID Connect Discovery 1.0 section 4; fact sheet iam section 13.
"""

from __future__ import annotations

import http.client
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import orjson

from strongroom.errors import IDPCommunicationErrorException, InvalidIdentityTokenException

__all__ = ["FetchedIssuerKeys"]

MAX_BYTES: Final = 256 * 1024
SECONDS: Final = 5.0
"""For one fetch, its two requests together."""
KEEP_SECONDS: Final = 600.0
ASK_AGAIN_SECONDS: Final = 30.0
"""After this a set without the wanted key is fetched again, and an issuer that failed asked again."""
ISSUERS_REMEMBERED: Final = 1_000

UNREACHABLE: Final = (
    "Couldn't retrieve verification key from your identity provider: it could not be reached."
)
NOT_AS_DISCOVERED: Final = (
    "Couldn't retrieve verification key from your identity provider,  please reference "
    "AssumeRoleWithWebIdentity documentation for requirements"
)

Get = Callable[[str, float], bytes]
"""Returns the body at a URL, before a deadline of the monotonic clock."""


@dataclass(frozen=True, slots=True)
class _Fetched:
    at: float
    keys: str | None
    """None: the last attempt failed."""
    key_ids: frozenset[str]


class FetchedIssuerKeys:
    """Key sets by issuer. Threads may share it."""

    def __init__(self, get: Get | None = None, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._get = get or https_get
        self._monotonic = monotonic
        self._known: dict[str, _Fetched] = {}
        self._lock = threading.Lock()

    def keys(self, url: str, key_id: str | None) -> str | None:
        """Return the remembered key set of a provider; None: it has to be fetched."""
        known = self._known.get(url)
        if known is None or known.keys is None:
            return None
        age = self._monotonic() - known.at
        if age < ASK_AGAIN_SECONDS or (age < KEEP_SECONDS and (key_id is None or key_id in known.key_ids)):
            return known.keys
        return None

    def fetch(self, url: str) -> None:
        """Ask the provider for its keys and remember them.

        Raises:
            IDPCommunicationErrorException: it could not be reached, now or a moment ago.
            InvalidIdentityTokenException: what it published is not what it has to be.
        """
        known = self._known.get(url)
        if known is not None and known.keys is None and self._monotonic() - known.at < ASK_AGAIN_SECONDS:
            # SECURITY: anyone can make a call that leads here; an issuer that is down is not asked each time.
            raise IDPCommunicationErrorException(UNREACHABLE)
        try:
            keys, key_ids = self._discover(url)
        except (OSError, http.client.HTTPException) as error:
            self._remember(url, None, frozenset())
            raise IDPCommunicationErrorException(UNREACHABLE) from error
        except ValueError as error:
            self._remember(url, None, frozenset())
            raise InvalidIdentityTokenException(NOT_AS_DISCOVERED) from error
        self._remember(url, keys, key_ids)

    def _discover(self, url: str) -> tuple[str, frozenset[str]]:
        deadline = self._monotonic() + SECONDS
        issuer = f"https://{url}"
        discovery = _json_object(
            self._get(f"{issuer.rstrip('/')}/.well-known/openid-configuration", deadline)
        )
        # SECURITY: a document that speaks for another issuer says nothing about this one.
        if discovery.get("issuer") != issuer or not isinstance(discovery.get("jwks_uri"), str):
            raise ValueError("the discovery document is another issuer's, or names no keys")
        body = self._get(discovery["jwks_uri"], deadline)
        listed = _json_object(body).get("keys")
        if not isinstance(listed, list):
            raise ValueError("there is no list of keys")
        kids = (each.get("kid") for each in listed if isinstance(each, dict))
        return body.decode(), frozenset(kid for kid in kids if isinstance(kid, str))

    def _remember(self, url: str, keys: str | None, key_ids: frozenset[str]) -> None:
        with self._lock:
            if len(self._known) >= ISSUERS_REMEMBERED:
                self._known.clear()
            self._known[url] = _Fetched(self._monotonic(), keys, key_ids)


def _json_object(body: bytes) -> dict[str, Any]:
    value = orjson.loads(body)
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")
    return value


def https_get(url: str, deadline: float) -> bytes:
    """Return what a GET of `url` answers with status 200; redirects are not followed.

    Raises:
        ValueError: not an https URL, another status, or a body over MAX_BYTES.
        OSError, HTTPException: not reached, its certificate not trusted, or not done before `deadline`.
    """
    parts = urlsplit(url)
    if parts.scheme != "https" or parts.hostname is None or "@" in parts.netloc:
        raise ValueError("keys of an issuer are fetched from an https URL without user name")
    connection = http.client.HTTPSConnection(
        parts.hostname, parts.port, timeout=_left(deadline), context=ssl.create_default_context()
    )
    try:
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("GET", path, headers={"Accept": "application/json"})
        response = connection.getresponse()
        if response.status != http.client.OK:
            raise ValueError(f"the issuer answered with status {response.status}")
        body = b""
        # `read1` returns what one receive brings, so that an issuer that trickles meets the deadline.
        while part := response.read1(MAX_BYTES):
            body += part
            if len(body) > MAX_BYTES:
                raise ValueError("the issuer's answer is too long")
            if connection.sock is not None:
                connection.sock.settimeout(_left(deadline))
            else:
                _left(deadline)
        return body
    finally:
        connection.close()


def _left(deadline: float) -> float:
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise TimeoutError("the issuer did not answer in time")
    return seconds

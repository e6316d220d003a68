"""Keys of OpenID Connect issuers, fetched over HTTPS and remembered for a while. `ports.IssuerKeys`.

Source: OpenID Connect Discovery 1.0 section 4; fact sheet iam section 13.
"""

from __future__ import annotations

import http.client
import io
import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, cast
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
    _left(deadline)
    connection = _Connection(parts.hostname, parts.port, deadline)
    try:
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("GET", path, headers={"Accept": "application/json"})
        response = connection.getresponse()
        if response.status != http.client.OK:
            raise ValueError(f"the issuer answered with status {response.status}")
        body = response.read(MAX_BYTES + 1)
        if len(body) > MAX_BYTES:
            raise ValueError("the issuer's answer is too long")
        if response.length:
            raise http.client.IncompleteRead(body, response.length)
        return body
    finally:
        connection.hang_up()


class _Connection(http.client.HTTPConnection):
    """An HTTPS connection that is over at its deadline, however little at a time the other side sends.

    Only the operating system's name resolution has limits of its own.
    """

    def __init__(self, host: str, port: int | None, deadline: float) -> None:
        super().__init__(host, port or http.client.HTTPS_PORT)
        self._deadline = deadline
        self._socket: socket.socket | None = None

    def connect(self) -> None:
        self._socket = self._reached()
        self._socket.settimeout(_left(self._deadline))
        # The handshake as a whole keeps to the socket's timeout.
        secured = ssl.create_default_context().wrap_socket(self._socket, server_hostname=self.host)
        self._socket = secured
        self.sock = cast("socket.socket", _Timed(secured, self._deadline))

    def hang_up(self) -> None:
        self.close()
        if self._socket is not None:
            self._socket.close()

    def _reached(self) -> socket.socket:
        """Return a socket connected to the first of the host's addresses that can be reached."""
        problem: OSError = OSError("the issuer has no address")
        for family, kind, protocol, _, address in socket.getaddrinfo(
            self.host, self.port, type=socket.SOCK_STREAM
        ):
            sock = socket.socket(family, kind, protocol)
            try:
                sock.settimeout(_left(self._deadline))
                sock.connect(address)
            except OSError as error:
                sock.close()
                problem = error
            else:
                return sock
        raise problem


class _Timed:
    """What `http.client` uses of a socket; every step waits until the deadline at most.

    It closes the socket before the answer is read, as sockets let their readers live on. Here that is left to
    `_Connection.hang_up`.
    """

    def __init__(self, sock: ssl.SSLSocket, deadline: float) -> None:
        self._sock = sock
        self._deadline = deadline

    def sendall(self, data: bytes) -> None:
        self._sock.settimeout(_left(self._deadline))
        self._sock.sendall(data)

    def makefile(self, _: str) -> io.BufferedReader:
        return io.BufferedReader(_Incoming(self._sock, self._deadline))

    def close(self) -> None: ...


class _Incoming(io.RawIOBase):
    def __init__(self, sock: ssl.SSLSocket, deadline: float) -> None:
        self._sock = sock
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._sock.settimeout(_left(self._deadline))
        return self._sock.recv_into(buffer)


def _left(deadline: float) -> float:
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise TimeoutError("the issuer did not answer in time")
    return seconds

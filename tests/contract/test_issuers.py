"""Fetching of issuers' keys against a real HTTPS server on the loopback interface."""

from __future__ import annotations

import contextlib
import itertools
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from strongroom.errors import IDPCommunicationErrorException, InvalidIdentityTokenException
from strongroom.server import issuers as issuers_module
from strongroom.server.issuers import FetchedIssuerKeys, https_get
from support.certificates import self_signed

KEYS = json.dumps({"keys": [{"kid": "one"}]}).encode()
Answer = tuple[int, dict[str, str], bytes | Callable[[Any], None]]


class Issuer:
    """An HTTPS server; `pages` are its answers by path."""

    def __init__(self, certificate: Path) -> None:
        self.pages: dict[str, Answer] = {}
        self.asked: list[str] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked.append(self.path)
                status, headers, body = outer.pages.get(self.path, (404, {}, b""))
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                if callable(body):
                    body(self.wfile)
                else:
                    self.wfile.write(body)

            def log_message(self, *_: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.url = f"localhost:{self.server.server_address[1]}"
        self.publish(KEYS)

    def publish(self, keys: Any, status: int = 200, **headers: str) -> None:
        discovery = {"issuer": f"https://{self.url}", "jwks_uri": f"https://{self.url}/keys"}
        self.pages["/.well-known/openid-configuration"] = (200, {}, json.dumps(discovery).encode())
        self.pages["/keys"] = (status, headers, keys)


@pytest.fixture
def issuer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Issuer]:
    certificate = self_signed(tmp_path / "issuer.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    issuer = Issuer(certificate)
    thread = threading.Thread(target=issuer.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield issuer
    issuer.server.shutdown()
    thread.join()
    issuer.server.server_close()


def test_keys_are_fetched_over_https(issuer: Issuer) -> None:
    issuers = FetchedIssuerKeys()
    issuers.fetch(issuer.url)
    assert issuers.keys(issuer.url, "one") == KEYS.decode()
    assert issuer.asked == ["/.well-known/openid-configuration", "/keys"]


def test_a_certificate_nobody_vouches_for_is_refused(
    issuer: Issuer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(self_signed(tmp_path / "other.pem")))
    with pytest.raises(IDPCommunicationErrorException):
        FetchedIssuerKeys().fetch(issuer.url)
    assert issuer.asked == []


def test_redirects_are_not_followed(issuer: Issuer) -> None:
    issuer.pages["/elsewhere"] = (200, {}, KEYS)
    issuer.publish(b"", 302, Location=f"https://{issuer.url}/elsewhere")
    with pytest.raises(InvalidIdentityTokenException):
        FetchedIssuerKeys().fetch(issuer.url)
    assert "/elsewhere" not in issuer.asked


def test_an_endless_answer_is_cut(issuer: Issuer) -> None:
    def endless(out: Any) -> None:
        try:
            while True:
                out.write(b" " * 65_536)
        except OSError:
            pass

    issuer.publish(endless)
    with pytest.raises(InvalidIdentityTokenException):
        FetchedIssuerKeys().fetch(issuer.url)


def test_an_issuer_that_trickles_is_given_up(issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(issuers_module, "SECONDS", 0.3)
    done = threading.Event()

    def trickle(out: Any) -> None:
        try:
            while not done.wait(0.05):
                out.write(b" ")
                out.flush()
        except OSError:
            pass

    issuer.publish(trickle)
    with pytest.raises(IDPCommunicationErrorException):
        FetchedIssuerKeys().fetch(issuer.url)
    done.set()


class Trickling:
    """A server that speaks TLS and sends `text` a byte at a time, for ever."""

    def __init__(self, certificate: Path, text: bytes) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"localhost:{self._listening.getsockname()[1]}"
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._serve, args=(context, text))
        self._thread.start()

    def _serve(self, context: ssl.SSLContext, text: bytes) -> None:
        with contextlib.suppress(OSError), self._listening:
            connection, _ = self._listening.accept()
            with context.wrap_socket(connection, server_side=True) as secured:
                for byte in itertools.cycle(text):
                    secured.send(bytes([byte]))
                    if self._done.wait(0.02):
                        break

    def stop(self) -> None:
        self._done.set()
        self._thread.join()


@pytest.mark.parametrize(
    "text", [b"HTTP/1.1 200 OK" + b" " * 1_000_000, b"x-header: value\r\n"], ids=["status line", "headers"]
)
def test_an_issuer_whose_headers_trickle_is_given_up(
    text: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = self_signed(tmp_path / "issuer.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    head = b"" if text.startswith(b"HTTP") else b"HTTP/1.1 200 OK\r\n"
    server = Trickling(certificate, head + text * 100)
    try:
        with pytest.raises(TimeoutError):
            https_get(f"https://{server.url}/", time.monotonic() + 0.5)
    finally:
        server.stop()


def test_an_issuer_that_never_speaks_tls_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(TimeoutError):
        https_get(f"https://localhost:{silent.getsockname()[1]}/", time.monotonic() + 0.3)


def test_an_answer_that_ends_early_is_no_answer(issuer: Issuer) -> None:
    issuer.publish(KEYS, **{"Content-Length": str(len(KEYS) + 10)})
    with pytest.raises(IDPCommunicationErrorException):
        FetchedIssuerKeys().fetch(issuer.url)

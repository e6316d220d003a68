"""Rotation by a service of the user's own: the protocol of docs/guide/rotators.md, over real connections."""

from __future__ import annotations

import hashlib
import hmac
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from strongroom.ports import Rotator
from strongroom.rotators.registry import load_rotators
from strongroom.secret.document import FaultKind, RotationFault, SecretDocument, Strategy
from strongroom.secret.material import RotationMaterial
from support.certificates import self_signed
from support.entropies import SeededEntropy
from support.own_servers import free_port
from support.relays import dripping

KEY = "canary-signing-key-0123456789"
CURRENT = "canary-api-key-1"


@dataclass
class KeyService:
    """Issues API keys, one a version id; it answers a step again as it did before."""

    url: str = ""
    keys: set[str] = field(default_factory=lambda: {CURRENT})
    made: dict[str, str] = field(default_factory=dict)
    steps: list[str] = field(default_factory=list)
    answers: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    """What is answered instead, by step."""

    def answer(self, body: dict[str, Any]) -> dict[str, Any]:
        version, step = body["versionId"], body["step"]
        if step == "createSecret":
            key = self.made.setdefault(version, f"canary-api-key-{len(self.made) + 2}")
            return {"members": {"apiKey": key}}
        if step == "setSecret":
            self.keys.add(body["pending"]["apiKey"])
        elif step == "testSecret":
            assert body["pending"]["apiKey"] in self.keys
        elif step == "finishSecret":
            self.keys.discard(body["current"]["apiKey"])
        return {}


@contextmanager
def key_service(pem: Path | None = None) -> Iterator[KeyService]:
    service = KeyService()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            timestamp = self.headers["X-Strongroom-Timestamp"]
            expected = hmac.new(KEY.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
            asked = json.loads(body)
            service.steps.append(asked["step"])
            if self.headers["X-Strongroom-Signature"] != f"v1={expected}":
                self.reply(401, b"{}")
            elif asked["step"] in service.answers:
                self.reply(*service.answers[asked["step"]])
            else:
                assert KEY.encode() not in body
                self.reply(200, json.dumps(service.answer(asked)).encode())

        def reply(self, status: int, content: bytes) -> None:
            self.send_response(status)
            if status == 302:
                self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if pem is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    service.url = f"{'http' if pem is None else 'https'}://127.0.0.1:{server.server_port}/rotate"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def service() -> Iterator[KeyService]:
    with key_service() as found:
        yield found


@pytest.fixture
def rotator() -> Rotator:
    found = load_rotators().find("http")
    assert found is not None
    return found


def material(at: str, **members: Any) -> RotationMaterial:
    document = {"engine": "http", "url": at, "signingKey": KEY, "apiKey": CURRENT, "ssl": False, **members}
    return RotationMaterial("arn:secret", "v2", SecretDocument(document), Strategy.SINGLE_USER)


def proposed(rotator: Rotator, given: RotationMaterial) -> RotationMaterial:
    return replace(given, pending=rotator.propose(given, SeededEntropy(1)))


def fault_of(rotator: Rotator, given: RotationMaterial) -> RotationFault:
    with pytest.raises(RotationFault) as caught:
        rotator.propose(given, SeededEntropy(1))
    assert "canary" not in caught.value.message
    return caught.value


def test_a_rotation_is_four_signed_requests(service: KeyService, rotator: Rotator) -> None:
    made = proposed(rotator, material(service.url))
    assert made.pending is not None
    assert made.pending["apiKey"] == "canary-api-key-2"
    assert {name: made.pending[name] for name in ("engine", "url", "signingKey")} == {
        "engine": "http",
        "url": service.url,
        "signingKey": KEY,
    }
    rotator.set(made)
    rotator.test(made)
    assert service.keys == {CURRENT, "canary-api-key-2"}
    rotator.finish(made)
    assert service.keys == {"canary-api-key-2"}
    assert service.steps == ["createSecret", "setSecret", "testSecret", "finishSecret"]


def test_a_step_done_twice_comes_to_the_same(service: KeyService, rotator: Rotator) -> None:
    given = material(service.url)
    one, other = proposed(rotator, given), proposed(rotator, given)
    assert one.pending == other.pending or dict(one.pending or {}) == dict(other.pending or {})
    for step in (rotator.set, rotator.test, rotator.finish):
        step(one)
        step(one)
    assert service.keys == {"canary-api-key-2"}


def test_the_dry_run_asks_and_changes_nothing(service: KeyService, rotator: Rotator) -> None:
    [finding] = rotator.check(material(service.url))
    assert finding.fault is None
    assert (service.steps, service.keys, service.made) == (["check"], {CURRENT}, {})


def test_a_key_the_service_does_not_know_is_a_login_fault(service: KeyService, rotator: Rotator) -> None:
    assert (
        fault_of(rotator, material(service.url, signingKey="canary-of-another-key")).kind is FaultKind.LOGIN
    )


@pytest.mark.parametrize(
    ("answer", "kind", "message"),
    [
        ((403, b"canary"), FaultKind.PRIVILEGE, "the service says that a privilege is missing"),
        ((422, b"canary"), FaultKind.LIMIT, "the service says that a limit stands in the way"),
        ((500, b"canary"), FaultKind.TARGET, "the service answered 500"),
        ((302, b""), FaultKind.TARGET, "the service answered 302"),
        ((200, b"canary"), FaultKind.TARGET, "the service did not answer a JSON object"),
        ((200, b"[]"), FaultKind.TARGET, "the service did not answer a JSON object"),
        ((200, b"{}"), FaultKind.TARGET, "without members to change"),
        ((200, b'{"members":{"url":"https://canary"}}'), FaultKind.TARGET, "with some it may not"),
        ((200, b'{"members":{"signingKey":"canary"}}'), FaultKind.TARGET, "with some it may not"),
        ((200, b"[" + b" " * 70_000 + b"]"), FaultKind.TARGET, "more than 65536 bytes"),
    ],
)
def test_an_answer_that_is_none_fails_the_step(
    service: KeyService, rotator: Rotator, answer: tuple[int, bytes], kind: FaultKind, message: str
) -> None:
    service.answers["createSecret"] = answer
    fault = fault_of(rotator, material(service.url))
    assert fault.kind is kind
    assert message in fault.message
    assert "/elsewhere" not in service.steps


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"url": "ftp://h"}, "must begin with https://"),
        ({"url": "http://h", "ssl": True}, "must begin with https://"),
        ({"url": "https://user:canary@h/"}, "must begin with https://"),
        ({"url": "https:///path"}, "must begin with https://"),
        ({"url": "https://h:99999/"}, "must begin with https://"),
        ({"url": ""}, "url key is missing"),
        ({"signingKey": "canary"}, "at least 16 characters"),
        ({"signingKey": None}, "signingKey key is missing"),
    ],
)
def test_a_secret_that_names_no_service_is_refused(
    rotator: Rotator, members: dict[str, Any], message: str
) -> None:
    given = material("https://h", **members)
    fault = fault_of(rotator, given)
    assert (fault.kind, message in fault.message) == (FaultKind.SECRET, True)
    [finding] = rotator.check(given)
    assert (finding.fault, finding.message) == (FaultKind.SECRET, fault.message)


def test_a_service_that_is_not_there_is_unreachable(rotator: Rotator) -> None:
    gone = fault_of(rotator, material(f"http://127.0.0.1:{free_port()}/"))
    assert (gone.kind, gone.message) == (
        FaultKind.UNREACHABLE,
        "nothing answers on host and port of the secret JSON",
    )
    unknown = fault_of(rotator, material("http://no-such-host.invalid/"))
    assert unknown.message == "the host in the secret JSON does not resolve"


def test_a_service_that_is_silent_ends_with_the_steps_time(rotator: Rotator) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        given = material(f"http://127.0.0.1:{listening.getsockname()[1]}/")
        fault = fault_of(rotator, replace(given, attempt_seconds=0.3))
    assert (fault.kind, fault.message) == (
        FaultKind.UNREACHABLE,
        "the target did not answer within 0.3 seconds",
    )


@pytest.mark.parametrize(
    "beginning",
    [b"HTTP/1.1 200 OK\r\nX-Slow: ", b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n"],
    ids=["in its headers", "in its content"],
)
def test_a_service_that_never_comes_to_an_end_ends_with_the_steps_time(
    rotator: Rotator, beginning: bytes
) -> None:
    with dripping(beginning) as port:
        given = material(f"http://127.0.0.1:{port}/")
        fault = fault_of(rotator, replace(given, attempt_seconds=0.5))
    assert (fault.kind, fault.message) == (
        FaultKind.UNREACHABLE,
        "the target did not answer within 0.5 seconds",
    )


def test_a_certificate_has_to_be_trusted(rotator: Rotator, tmp_path: Path) -> None:
    pem = self_signed(tmp_path / "pem")
    with key_service(pem) as service:
        assert fault_of(rotator, material(service.url)).kind is FaultKind.TLS
        assert service.steps == []
        made = proposed(rotator, material(service.url, ca=pem.read_text().split("-----BEGIN PRIVATE")[0]))
        assert made.pending is not None
        assert made.pending["apiKey"] == "canary-api-key-2"

"""Places that records are sent to: real sockets on the loopback interface, which tests can make fail."""

from __future__ import annotations

import gzip
import hashlib
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials


@dataclass
class HttpReceiver:
    """What came, and what is answered: `answers` first, one each, then 200."""

    url: str = ""
    requests: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)
    """Method, path, headers with lower-case names, body."""
    answers: list[int] = field(default_factory=list)
    """0: the connection is cut off without an answer, after the body was read."""
    arrived: threading.Condition = field(default_factory=threading.Condition)

    def records(self) -> list[dict[str, Any]]:
        """Return the records of all deliveries, repeats included."""
        return [record for *_, body in list(self.requests) for record in json.loads(body)["Records"]]


@contextmanager
def http_receiver() -> Iterator[HttpReceiver]:
    receiver = HttpReceiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status = receiver.answers.pop(0) if receiver.answers else 200
            headers = {name.lower(): value for name, value in self.headers.items()}
            with receiver.arrived:
                receiver.requests.append((self.command, self.path, headers, body))
                receiver.arrived.notify_all()
            if status == 0:
                self.close_connection = True
                return
            self.send_response(status)
            if 300 <= status < 400:
                self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_PUT = do_POST  # noqa: N815 - the base class's name

        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    receiver.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def verify_s3(receiver: HttpReceiver, access_key_id: str, secret: str, region: str) -> None:
    """Every request carries the signature that the key makes for it, and the hash of its body."""
    for method, path, headers, body in receiver.requests:
        assert headers["x-amz-content-sha256"] == hashlib.sha256(body).hexdigest()
        signed = headers["authorization"].split("SignedHeaders=")[1].split(",")[0].split(";")
        again = AWSRequest(
            method,
            f"{receiver.url}{path}",
            headers={name: headers[name] for name in signed if name != "host"},
            data=body,
        )
        again.context["timestamp"] = headers["x-amz-date"]
        signer = S3SigV4Auth(Credentials(access_key_id, secret), "s3", region)
        expected = signer.signature(signer.string_to_sign(again, signer.canonical_request(again)), again)
        assert headers["authorization"].endswith(f"Signature={expected}")


def log_files(receiver: HttpReceiver) -> dict[str, list[dict[str, Any]]]:
    """Return the log files that were put, by their keys."""
    return {
        unquote(urlsplit(path).path): json.loads(gzip.decompress(body))["Records"]
        for method, path, _, body in receiver.requests
        if method == "PUT"
    }


@dataclass
class SyslogReceiver:
    port: int
    messages: list[bytes] = field(default_factory=list)
    connections: list[socket.socket] = field(default_factory=list)

    def drop_connections(self) -> None:
        """Close what is connected, as a restarted receiver does."""
        for each in self.connections:
            # Closing alone is not seen as long as a thread waits for what comes.
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        self.connections.clear()


@contextmanager
def udp_syslog() -> Iterator[SyslogReceiver]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.settimeout(0.05)
        receiver, stop = SyslogReceiver(listening.getsockname()[1]), threading.Event()

        def receive() -> None:
            while not stop.is_set():
                try:
                    receiver.messages.append(listening.recv(100_000))
                except TimeoutError:
                    continue

        thread = threading.Thread(target=receive)
        thread.start()
        try:
            yield receiver
        finally:
            stop.set()
            thread.join()


@contextmanager
def tcp_syslog(context: ssl.SSLContext | None = None) -> Iterator[SyslogReceiver]:
    """Takes messages in counted octets (RFC 6587), encrypted with a context."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0.05)
        receiver, stop = SyslogReceiver(listening.getsockname()[1]), threading.Event()
        threads: list[threading.Thread] = []

        def receive(connection: socket.socket) -> None:
            waiting = b""
            while True:
                try:
                    data = connection.recv(65_536)
                except OSError:
                    return
                if not data:
                    return
                waiting += data
                while b" " in waiting:
                    count, _, rest = waiting.partition(b" ")
                    if len(rest) < int(count):
                        break
                    receiver.messages.append(rest[: int(count)])
                    waiting = rest[int(count) :]

        def accept() -> None:
            while not stop.is_set():
                try:
                    connection, _ = listening.accept()
                    if context is not None:
                        connection = context.wrap_socket(connection, server_side=True)
                except OSError:
                    continue
                receiver.connections.append(connection)
                threads.append(threading.Thread(target=receive, args=(connection,)))
                threads[-1].start()

        accepting = threading.Thread(target=accept)
        accepting.start()
        try:
            yield receiver
        finally:
            stop.set()
            accepting.join()
            receiver.drop_connections()
            for thread in threads:
                thread.join(5)

"""Between a rotator and its target: a relay that cuts connections where a test says, and a front with TLS."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path

HOST = "127.0.0.1"
SIZE = 65536

SSL_REQUEST = (8).to_bytes(4, "big") + (80877103).to_bytes(4, "big")
"""With what a client of PostgreSQL asks for TLS; `S` is yes."""


class Way(Enum):
    """What becomes of a message of a client."""

    ON = auto()
    LOST = auto()
    """The connection stays, and stays silent."""
    END = auto()


@dataclass(frozen=True)
class Cut:
    """Where a relay breaks a connection: at the n-th message of a client, counted over all connections."""

    at: int
    answered: bool = False
    """The server has got the message and answered, but the answer is lost; else it never got it."""
    silent: bool = False
    """Nothing ends: the message is lost, and no answer comes."""


class Relay:
    """Passes bytes on. Once `plan` is met the connection breaks, and later ones work."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener = socket.create_server((HOST, 0))
        self.port = int(self._listener.getsockname()[1])
        self._messages = 0
        self._plan: Cut | None = None
        self._lock = threading.Lock()
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def plan(self, cut: Cut) -> None:
        """Break a connection there, counting from now."""
        with self._lock:
            self._messages, self._plan = 0, cut

    def met(self) -> bool:
        """Tell whether the planned cut has happened; none is planned any more."""
        with self._lock:
            met, self._plan = self._plan is None, None
            return met

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._accepting.join()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with (
            client,
            contextlib.suppress(OSError),
            socket.create_connection((HOST, self._target), 10) as server,
        ):
            pump(client, server, lambda message: self._passes(message, server))

    def _passes(self, message: bytes, server: socket.socket) -> Way:
        with self._lock:
            self._messages += 1
            plan = self._plan
            if plan is None or self._messages != plan.at:
                return Way.ON
            self._plan = None
        if plan.silent:
            return Way.LOST
        if plan.answered:
            server.sendall(message)
            server.settimeout(10)
            server.recv(SIZE)
        return Way.END


def pump(client: socket.socket, server: socket.socket, passes: Callable[[bytes], Way]) -> None:
    """Pass bytes both ways until one side ends, or a message of the client is to end it."""
    while True:
        readable = [side for side in (client, server) if isinstance(side, ssl.SSLSocket) and side.pending()]
        if not readable:
            readable, _, _ = select.select([client, server], [], [])
        for side in readable:
            data = side.recv(SIZE)
            if not data:
                return
            if side is server:
                client.sendall(data)
                continue
            way = passes(data)
            if way is Way.END:
                return
            if way is Way.ON:
                server.sendall(data)


@contextmanager
def relay(port: int) -> Iterator[Relay]:
    """Give a relay to a port of the loopback interface."""
    made = Relay(port)
    try:
        yield made
    finally:
        made.close()


@contextmanager
def tls_front(port: int, certificate: Path) -> Iterator[int]:
    """Give the port of a front that speaks PostgreSQL's TLS, with a certificate and its key in one file."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    listener = socket.create_server((HOST, 0))

    def serve(client: socket.socket) -> None:
        with client, contextlib.suppress(OSError), socket.create_connection((HOST, port), 10) as server:
            first = client.recv(len(SSL_REQUEST), socket.MSG_WAITALL)
            if first != SSL_REQUEST:
                server.sendall(first)
                pump(client, server, lambda _: Way.ON)
                return
            client.sendall(b"S")
            with context.wrap_socket(client, server_side=True) as wrapped:
                pump(wrapped, server, lambda _: Way.ON)

    def accept() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(client,), daemon=True).start()

    accepting = threading.Thread(target=accept, daemon=True)
    accepting.start()
    try:
        yield int(listener.getsockname()[1])
    finally:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        accepting.join()


@contextmanager
def dripping(beginning: bytes) -> Iterator[int]:
    """Give the port of a server that answers whatever it is sent by `beginning`, and then by a byte now and then,
    without an end."""
    listener = socket.create_server((HOST, 0))
    stop = threading.Event()

    def serve(client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            client.recv(SIZE)
            client.sendall(beginning)
            while not stop.wait(0.05):
                client.sendall(b"a")

    def accept() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(client,), daemon=True).start()

    accepting = threading.Thread(target=accept, daemon=True)
    accepting.start()
    try:
        yield int(listener.getsockname()[1])
    finally:
        stop.set()
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        accepting.join()

"""A Redis that takes every password and keeps what it was sent: to see who would give it one."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class CanaryServer(socketserver.ThreadingTCPServer):
    """Says +OK to everything."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self.heard = bytearray()

    @property
    def port(self) -> int:
        return int(self.server_address[1])


class _Connection(socketserver.BaseRequestHandler):
    server: CanaryServer

    def handle(self) -> None:
        while True:
            received = self.request.recv(65536)
            if not received:
                return
            self.server.heard += received
            # Each command begins with the number of its parts.
            self.request.sendall(b"+OK\r\n" * received.count(b"*"))


@contextmanager
def listening() -> Iterator[CanaryServer]:
    with CanaryServer() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()

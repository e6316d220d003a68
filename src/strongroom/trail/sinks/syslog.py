"""Records as messages of syslog: RFC 5424, over UDP (RFC 5426), TCP with counted octets (RFC 6587), TLS
(RFC 5425) or a local socket."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

import orjson

from strongroom.trail.feed import FedRecord
from strongroom.trail.sinks.outlet import SinkError

__all__ = ["SyslogOutlet", "datagrams", "message", "stream"]

FACILITY: Final = 13
"""Log audit."""
INFORMATIONAL: Final = 6
WARNING: Final = 4
ALERT: Final = 1
MAX_DATAGRAM: Final = 65_000
TIMEOUT_SECONDS: Final = 10.0

Send = Callable[[bytes], None]


class SyslogOutlet:
    """Sends one message a record. `connect` returns what sends a message, and what closes the connection."""

    def __init__(self, where: str, connect: Callable[[], tuple[Send, Callable[[], None]]]) -> None:
        self._where = where
        self._connect = connect
        self._connection: tuple[Send, Callable[[], None]] | None = None

    def deliver(self, records: Sequence[FedRecord]) -> None:
        try:
            if self._connection is None:
                self._connection = self._connect()
            for record in records:
                self._connection[0](message(record.event, socket.gethostname(), os.getpid()))
        except OSError as error:
            self.close()
            raise SinkError(f"syslog at {self._where} cannot be reached: {error}") from error

    def close(self) -> None:
        if self._connection is not None:
            with suppress(OSError):
                self._connection[1]()
            self._connection = None


def message(event: bytes, host: str, process_id: int) -> bytes:
    """Return a record as a message of RFC 5424, its text the record itself."""
    record = orjson.loads(event)
    name = str(record["eventName"])
    severity = INFORMATIONAL
    if name == "CanarySecretRead":
        severity = ALERT
    elif "errorCode" in record or name.endswith("Failed"):
        severity = WARNING
    priority = FACILITY * 8 + severity
    # MSGID: up to 32 printable characters without spaces.
    printable = "".join(each for each in name if "!" <= each <= "~")[:32] or "-"
    head = f"<{priority}>1 {record['eventTime']} {_host(host)} strongroom {process_id} {printable} - "
    return head.encode() + event


def datagrams(family: int, address: tuple[str, int] | str) -> tuple[Send, Callable[[], None]]:
    """Return what sends messages as datagrams. Raises OSError."""
    connection = socket.socket(family, socket.SOCK_DGRAM)
    try:
        connection.settimeout(TIMEOUT_SECONDS)
        connection.connect(address)
    except BaseException:
        connection.close()
        raise

    def send(text: bytes) -> None:
        connection.send(text[:MAX_DATAGRAM])

    return send, connection.close


def stream(host: str, port: int, context: ssl.SSLContext | None) -> tuple[Send, Callable[[], None]]:
    """Return what sends messages over a connection, encrypted with a context. Raises OSError."""
    connection = socket.create_connection((host, port), timeout=TIMEOUT_SECONDS)
    if context is not None:
        try:
            connection = context.wrap_socket(connection, server_hostname=host)
        except BaseException:
            connection.close()
            raise

    def send(text: bytes) -> None:
        if _has_ended(connection):
            raise ConnectionResetError("the receiver has closed the connection")
        connection.sendall(b"%d %b" % (len(text), text))

    return send, connection.close


def _has_ended(connection: socket.socket) -> bool:
    """True when the receiver has closed its end: syslog has no acknowledgement, so this is all one hears."""
    connection.settimeout(0.0)
    try:
        return connection.recv(1) == b""
    except (BlockingIOError, ssl.SSLWantReadError):
        return False
    finally:
        connection.settimeout(TIMEOUT_SECONDS)


def _host(name: str) -> str:
    return "".join(each for each in name if "!" <= each <= "~")[:255] or "-"

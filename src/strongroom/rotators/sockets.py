"""Connections opened before the driver has them: so it is told exactly why none comes about."""

from __future__ import annotations

import contextlib
import socket

from strongroom.rotators.deadlines import Deadline
from strongroom.rotators.network_faults import network_fault
from strongroom.secret.document import SecretDocument

__all__ = ["connected_socket", "shut"]


def connected_socket(document: SecretDocument, port: int, deadline: Deadline) -> socket.socket:
    """Return a connection to the host, and the port or else this one, that the document names.

    Raises:
        RotationFault: the host does not resolve, nothing answers, or not in time.
    """
    address = document.text("host"), document.port(port)
    try:
        return socket.create_connection(address, deadline.connect_seconds())
    except (OSError, UnicodeError) as exc:
        raise network_fault(exc, tls=False) from exc


def shut(twin: socket.socket) -> None:
    """End a connection, from another thread, whose socket someone else waits on; `twin` is its duplicate."""
    with contextlib.suppress(OSError):
        twin.shutdown(socket.SHUT_RDWR)

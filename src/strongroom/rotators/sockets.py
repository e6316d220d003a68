"""Connections opened before the driver has them: so it is told exactly why none comes about."""

from __future__ import annotations

import contextlib
import socket

from strongroom.rotators.deadlines import Deadline
from strongroom.rotators.network_faults import network_fault
from strongroom.secret.document import RotationFault, SecretDocument

__all__ = ["connected_socket", "open_socket", "shut"]


def connected_socket(document: SecretDocument, port: int, deadline: Deadline) -> socket.socket:
    """Return a connection to the host, and the port or else this one, that the document names.

    Raises:
        RotationFault: the host does not resolve, nothing answers, or not in time.
    """
    return open_socket(document.text("host"), document.port(port), deadline)


def open_socket(host: str, port: int, deadline: Deadline) -> socket.socket:
    """Return a connection. All addresses of the host together have the time of one attempt: whoever answers
    for its name may give hundreds.

    Raises:
        RotationFault: the host does not resolve, nothing answers, or not in time.
    """
    attempt = Deadline(deadline.connect_seconds())
    failure: Exception = TimeoutError()
    try:
        places = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as exc:
        raise network_fault(exc, tls=False) from exc
    for family, kind, protocol, _, place in places:
        if attempt.is_over():
            raise network_fault(TimeoutError(), tls=False)
        made = socket.socket(family, kind, protocol)
        try:
            made.settimeout(attempt.left())
            made.connect(place)
        except OSError as exc:
            made.close()
            failure = exc
        except RotationFault:
            made.close()
            raise
        else:
            made.settimeout(deadline.connect_seconds())
            return made
    raise network_fault(failure, tls=False) from failure


def shut(twin: socket.socket) -> None:
    """End a connection, from another thread, whose socket someone else waits on; `twin` is its duplicate."""
    with contextlib.suppress(OSError):
        twin.shutdown(socket.SHUT_RDWR)

"""What a failed connection means, told by the errors of the operating system that a driver hands on."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator

from strongroom.secret.document import FaultKind, RotationFault

__all__ = ["CLOSED", "NO_TLS", "network_fault"]

NOT_RESOLVED = "the host in the secret JSON does not resolve"
NOTHING_ANSWERS = "nothing answers on host and port of the secret JSON"
TOO_SLOW = "the target did not answer in time"
CLOSED = "the target closed the connection"
NO_TLS = "the target's certificate cannot be verified, or it has no TLS"


def network_fault(error: BaseException, *, tls: bool) -> RotationFault:
    """Return what an attempt to connect, or a connection, failed by. `tls`: it was to be encrypted.

    What lies under a driver's own error counts.
    """
    for each in _chain(error):
        if isinstance(each, socket.gaierror | UnicodeError):
            return RotationFault(FaultKind.UNREACHABLE, NOT_RESOLVED)
        if isinstance(each, ssl.SSLError):
            return RotationFault(FaultKind.TLS, NO_TLS)
        if isinstance(each, TimeoutError):
            return RotationFault(FaultKind.UNREACHABLE, TOO_SLOW)
        if isinstance(each, ConnectionRefusedError):
            return RotationFault(FaultKind.UNREACHABLE, NOTHING_ANSWERS)
        if isinstance(each, ConnectionResetError | BrokenPipeError | EOFError):
            # Who does not speak TLS hangs up on its first message.
            return (
                RotationFault(FaultKind.TLS, NO_TLS) if tls else RotationFault(FaultKind.UNREACHABLE, CLOSED)
            )
    return RotationFault(FaultKind.UNREACHABLE, CLOSED)


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    found: BaseException | None = error
    while found is not None and id(found) not in seen:
        seen.add(id(found))
        yield found
        found = found.__cause__ or found.__context__

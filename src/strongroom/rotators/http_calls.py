"""One HTTP call to a target, within a deadline, of whose answer no more is taken than was asked for.

Timeouts of HTTP libraries hold for each piece that arrives: whoever sends a byte now and then is listened to
for ever. Here the connection is cut when the time is up.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import socket
import ssl
from collections.abc import Mapping
from functools import partial

import urllib3

from strongroom.rotators.deadlines import Deadline
from strongroom.rotators.network_faults import network_fault
from strongroom.rotators.sockets import open_socket, shut
from strongroom.secret.document import FaultKind, RotationFault

__all__ = ["exchange"]

GRACE_SECONDS = 1.0


def exchange(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str],
    body: bytes | None,
    deadline: Deadline,
    most_bytes: int,
    context: ssl.SSLContext | None,
) -> tuple[int, bytes]:
    """Return status and content of the answer. Redirects are not followed, nothing is unpacked.

    `context`: for `https://`, by what the target is trusted.

    Raises:
        RotationFault: there is no answer in time (UNREACHABLE, TLS), or it is longer than `most_bytes`
            (TARGET).
    """
    place = urllib3.util.parse_url(url)
    made = http.client.HTTPConnection if context is None else http.client.HTTPSConnection
    connection = made(place.host or "", place.port)
    with contextlib.closing(connection):
        own = open_socket(connection.host, connection.port, deadline)
        try:
            connection.sock = (
                own if context is None else context.wrap_socket(own, server_hostname=connection.host)
            )
            # Longer than there is time: the cut comes first, and one message for it.
            connection.sock.settimeout(deadline.left() + GRACE_SECONDS)
            twin = socket.socket(fileno=os.dup(connection.sock.fileno()))
        except (OSError, UnicodeError) as exc:
            own.close()
            raise network_fault(exc, tls=context is not None) from None
        with twin, deadline.ending(partial(shut, twin)) as late:
            try:
                connection.request(method, place.request_uri, body, dict(headers))
                with connection.getresponse() as answer:
                    content = answer.read(most_bytes + 1)
            except (http.client.HTTPException, OSError) as exc:
                raise deadline.fault() if late() else network_fault(exc, tls=False) from None
            if late():
                # What is cut off looks like the end of an answer.
                raise deadline.fault()
    if len(content) > most_bytes:
        raise RotationFault(FaultKind.TARGET, f"the target answered more than {most_bytes} bytes")
    return answer.status, content

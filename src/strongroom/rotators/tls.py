"""Which TLS a connection to a target tries, and whom it trusts.

Source: fact sheet rotation section 7. Two members of the secret's JSON are ours: `sslrootcert`, or `ca`, is
the certificate (PEM) of the authority that signed the target's. Without one the system's authorities count.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TypeVar

import botocore

from strongroom.secret.document import FaultKind, RotationFault, SecretDocument

__all__ = [
    "Tls",
    "authorities",
    "authorities_file",
    "client_context",
    "connect_as_offered",
    "connect_by_tls",
]

_Opened = TypeVar("_Opened")

_PEM_START = "-----BEGIN CERTIFICATE-----"

NOT_VERIFIED = "the target's certificate cannot be verified, or it has no TLS"


class Tls(Enum):
    """How a connection is protected."""

    VERIFIED = "verified"
    """By a certificate that is trusted and names the host."""
    IF_OFFERED = "if offered"
    """Encrypted, with whatever certificate, where the target can; else in clear."""
    NONE = "none"


def tls_attempts(document: SecretDocument) -> tuple[Tls, ...]:
    """Return what is tried, in order.

    `ssl` true is verified TLS and nothing else; false is none. Absent, it is verified TLS first and then
    what the target offers: the templates would fall back to plain at once, which is never better.

    Raises:
        RotationFault: `ssl` is no boolean.
    """
    wish = document.flag("ssl")
    if wish is None:
        return (Tls.VERIFIED, Tls.IF_OFFERED)
    return (Tls.VERIFIED,) if wish else (Tls.NONE,)


def connect_by_tls(document: SecretDocument, connect: Callable[[Tls], _Opened]) -> tuple[_Opened, Tls]:
    """Return the first connection that comes about, and how it is protected.

    Only a fault of TLS leads to the next attempt: whoever refuses a password, or does not answer, would
    again.

    Raises:
        RotationFault: none did.
    """
    *first, last = tls_attempts(document)
    for tls in first:
        try:
            return connect(tls), tls
        except RotationFault as fault:
            if fault.kind is not FaultKind.TLS:
                raise
    return connect(last), last


def connect_as_offered(tls: Tls, connect: Callable[[Tls], _Opened]) -> _Opened:
    """Return a connection by a driver that cannot ask whether the target has TLS.

    For IF_OFFERED it tries to have it, and goes on in clear; else it does as it is told.

    Raises:
        RotationFault: none comes about.
    """
    if tls is Tls.IF_OFFERED:
        try:
            return connect(tls)
        except RotationFault as fault:
            if fault.kind is not FaultKind.TLS:
                raise
        return connect(Tls.NONE)
    return connect(tls)


def authorities(document: SecretDocument) -> str | None:
    """Return the certificates (PEM) that the secret says to trust; None when it says nothing.

    SECURITY: a text only, never a path: whoever may write the secret may not have this server read files.

    Raises:
        RotationFault: the member holds no certificate in PEM.
    """
    for field in ("sslrootcert", "ca"):
        text = document.text(field, "")
        if not text:
            continue
        if _PEM_START not in text:
            message = f"{field} in the secret JSON must be a certificate in PEM, not a path"
            raise RotationFault(FaultKind.SECRET, message)
        return text
    return None


def client_context(document: SecretDocument, tls: Tls) -> ssl.SSLContext:
    """Return a context for drivers that take one.

    Raises:
        RotationFault: the certificates in the secret cannot be read.
    """
    if tls is not Tls.VERIFIED:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    trusted = authorities(document)
    try:
        context = ssl.create_default_context(cadata=trusted)
    except (ssl.SSLError, ValueError) as exc:
        message = "the certificate in the secret JSON cannot be read as PEM"
        raise RotationFault(FaultKind.SECRET, message) from exc
    # Databases make themselves certificates of version 1 or without key usage; all else is still checked.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


@contextmanager
def authorities_file(document: SecretDocument) -> Iterator[str]:
    """Give the path of a file with the trusted certificates, for drivers that take nothing else.

    It holds certificates only, which are public, and is gone afterwards if it was made for this.

    Raises:
        RotationFault: the secret's member holds no certificate.
    """
    trusted = authorities(document)
    if trusted is None:
        yield _system_authorities()
        return
    with NamedTemporaryFile("w", prefix="strongroom-ca-", suffix=".pem", encoding="utf-8") as file:
        file.write(trusted)
        file.flush()
        yield file.name


def _system_authorities() -> str:
    """Return the system's bundle of authorities, or the one that comes with botocore where there is none."""
    paths = ssl.get_default_verify_paths()
    candidates = (paths.cafile, "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/cert.pem")
    for candidate in candidates:
        if candidate is not None and Path(candidate).is_file():
            return candidate
    return str(Path(botocore.__file__).with_name("cacert.pem"))

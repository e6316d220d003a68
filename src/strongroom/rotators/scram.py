"""What PostgreSQL keeps of a password for SCRAM-SHA-256. Source: RFC 5802 section 3, RFC 7677."""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64encode
from typing import Final

__all__ = ["LEAST_ITERATIONS", "is_prepared", "scram_verifier"]

LEAST_ITERATIONS: Final = 4096
"""RFC 7677 section 4, and PostgreSQL's default."""


def is_prepared(password: str) -> bool:
    """True when preparing the password as a string (SASLprep, RFC 4013) would leave it as it is."""
    return password.isascii() and password.isprintable() and password != ""


def scram_verifier(password: str, salt: bytes, iterations: int) -> str:
    """Return the verifier of a password that `is_prepared`, in PostgreSQL's form.

    libpq makes the same, for more than twice the processor's time: it derives the key hash by hash.
    """
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, iterations)
    stored_key = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server_key = hmac.digest(salted, b"Server Key", "sha256")
    parts = (b64encode(part).decode() for part in (salt, stored_key, server_key))
    return "SCRAM-SHA-256${}:{}${}:{}".format(iterations, *parts)

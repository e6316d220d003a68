"""Signing a request of this program's own, as an SDK would: Signature Version 4 in the Authorization header.

Source: fact sheet sigv4 sections 2 to 4.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
from collections.abc import Mapping
from typing import Final

from strongroom.wire.sigv4 import derive_signing_key

__all__ = ["signed_json_headers"]

_ALGORITHM: Final = "AWS4-HMAC-SHA256"
_CONTENT_TYPE: Final = "application/x-amz-json-1.1"


def signed_json_headers(
    body: bytes,
    *,
    target: str,
    host: str,
    service: str,
    region: str,
    credentials: tuple[str, str, str],
    now: dt.datetime,
) -> dict[str, str]:
    """Return the headers of a POST to `/` with `body`. `credentials`: key id, secret, session token."""
    access_key_id, secret_access_key, session_token = credentials
    moment = now.astimezone(dt.UTC).strftime("%Y%m%dT%H%M%SZ")
    headers = {
        "content-type": _CONTENT_TYPE,
        "host": host,
        "x-amz-date": moment,
        "x-amz-security-token": session_token,
        "x-amz-target": target,
    }
    names = ";".join(headers)
    scope = f"{moment[:8]}/{region}/{service}/aws4_request"
    canonical = _canonical_request(headers, names, body)
    to_sign = "\n".join((_ALGORITHM, moment, scope, hashlib.sha256(canonical.encode()).hexdigest()))
    key = derive_signing_key(secret_access_key, moment[:8], region, service)
    signature = hmac.digest(key, to_sign.encode(), "sha256").hex()
    claim = f"Credential={access_key_id}/{scope}, SignedHeaders={names}, Signature={signature}"
    return {**headers, "authorization": f"{_ALGORITHM} {claim}"}


def _canonical_request(headers: Mapping[str, str], names: str, body: bytes) -> str:
    lines = [f"{name}:{value}" for name, value in headers.items()]
    return "\n".join(("POST", "/", "", *lines, "", names, hashlib.sha256(body).hexdigest()))

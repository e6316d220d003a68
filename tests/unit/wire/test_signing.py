"""Requests this program signs itself: what the signature check makes of them."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from strongroom.crypto.aead import KeyedHash
from strongroom.errors import InvalidSignatureException, UnrecognizedClientException
from strongroom.wire.http import HttpRequest
from strongroom.wire.signing import signed_json_headers
from strongroom.wire.sigv4 import Credential, derive_signing_key, verify

NOW = dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)
SECRET, TOKEN = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "token/of+a=session"
BODY = b'{"SecretId":"db"}'


def signed(**changes: Any) -> HttpRequest:
    headers = signed_json_headers(
        BODY,
        target="secretsmanager.GetSecretValue",
        host="secretsmanager.amazonaws.com",
        service="secretsmanager",
        region="eu-central-1",
        credentials=("ASIAEXAMPLE", SECRET, TOKEN),
        now=NOW,
    )
    members: dict[str, Any] = {
        "method": "POST",
        "raw_path": "/",
        "raw_query": "",
        "headers": {**headers, **changes.pop("headers", {})},
        "body": BODY,
        "received_at": NOW,
        "request_id": "1",
        "source_ip": "secretsmanager.amazonaws.com",
        "secure": True,
        **changes,
    }
    return HttpRequest(**members)


def lookup(access_key_id: str, token: str | None) -> Credential | None:
    if access_key_id != "ASIAEXAMPLE":
        return None

    def key(date: str, region: str, service: str) -> KeyedHash:
        return KeyedHash(derive_signing_key(SECRET, date, region, service))

    return Credential(access_key_id, active=True, signing_key=key, session_token=TOKEN)


def test_a_signed_request_verifies() -> None:
    found = verify(signed(), service="secretsmanager", lookup=lookup, now=NOW)
    assert found.region == "eu-central-1"


@pytest.mark.parametrize(
    "changes",
    [
        {"body": BODY + b" "},
        {"raw_path": "/x"},
        {"headers": {"x-amz-target": "secretsmanager.PutSecretValue"}},
        {"headers": {"host": "elsewhere"}},
    ],
    ids=["body", "path", "target", "host"],
)
def test_what_is_changed_afterwards_does_not(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidSignatureException):
        verify(signed(**changes), service="secretsmanager", lookup=lookup, now=NOW)


def test_the_token_is_signed_too() -> None:
    request = signed(headers={"x-amz-security-token": "another"})
    with pytest.raises((InvalidSignatureException, UnrecognizedClientException)):
        verify(request, service="secretsmanager", lookup=lookup, now=NOW)

"""The least that a server in this language can do for GetSecretValue: what strongroom is held against.

It verifies the signature, opens a value under two layers of AES-GCM, writes a record without flushing it, and
answers. There are no policies, no store, no validation, no limits and no chain of records; a value is made up
when a name is first asked for. It shows how quick the machine and the web server are at the time, and is of
no other use.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
from datetime import UTC, datetime
from typing import Any

import orjson
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

SECRET, MARK = os.environ["FLOOR_SECRET"], os.environ["FLOOR_MARK"]
NONCE, CONTEXT = bytes(12), b"context"
KEY = AESGCM(os.urandom(32))
RECORDS = os.open(os.environ["FLOOR_RECORDS"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

signing_keys: dict[tuple[str, str, str], bytes] = {}
sealed: dict[str, tuple[bytes, bytes]] = {}


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    body = (await receive())["body"]
    headers = {name.decode(): value.decode() for name, value in scope["headers"]}
    status, answer = (200, _answer(headers, body)) if _is_signed(headers, body) else (400, b"{}")
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [
                (b"content-type", b"application/x-amz-json-1.1"),
                (b"x-amzn-requestid", os.urandom(16).hex().encode()),
            ],
        }
    )
    await send({"type": "http.response.body", "body": answer})


def _is_signed(headers: dict[str, str], body: bytes) -> bool:
    claim = headers["authorization"]
    date, region, service = claim.split("Credential=")[1].split(",")[0].split("/")[1:4]
    names = claim.split("SignedHeaders=")[1].split(",")[0]
    lines = [f"{name}:{headers[name]}" for name in names.split(";")]
    canonical = "\n".join(["POST", "/", "", *lines, "", names, hashlib.sha256(body).hexdigest()])
    scope = f"{date}/{region}/{service}/aws4_request"
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    text = f"AWS4-HMAC-SHA256\n{headers['x-amz-date']}\n{scope}\n{digest}"
    key = signing_keys.get((date, region, service))
    if key is None:
        key = b"AWS4" + SECRET.encode()
        for part in (date, region, service, "aws4_request"):
            key = hmac.digest(key, part.encode(), "sha256")
        signing_keys[date, region, service] = key
    expected = hmac.digest(key, text.encode(), "sha256").hex()
    return hmac.compare_digest(expected, claim.split("Signature=")[1])


def _answer(headers: dict[str, str], body: bytes) -> bytes:
    operation = headers["x-amz-target"].rpartition(".")[2]
    name = orjson.loads(body).get("SecretId", "")
    value = _opened(name) if operation == "GetSecretValue" else ""
    record = {
        "eventVersion": "1.11",
        "userIdentity": {"type": "IAMUser", "accountId": "123456789012"},
        "eventTime": datetime.now(UTC),
        "eventName": operation,
        "requestParameters": {"secretId": name},
        "requestID": os.urandom(16).hex(),
        "eventID": os.urandom(16).hex(),
    }
    os.write(RECORDS, orjson.dumps(record) + b"\n")
    return orjson.dumps({"ARN": name, "Name": name, "SecretString": value, "VersionStages": ["AWSCURRENT"]})


def _opened(name: str) -> str:
    if name not in sealed:
        fields = {"username": "app", "password": f"{MARK} {name[-7:]} {os.urandom(18).hex()}", "host": "db"}
        key, value = os.urandom(32), json.dumps(fields).encode()
        sealed[name] = KEY.encrypt(NONCE, key, CONTEXT), AESGCM(key).encrypt(NONCE, value, CONTEXT)
    wrapped, value = sealed[name]
    return AESGCM(KEY.decrypt(NONCE, wrapped, CONTEXT)).decrypt(NONCE, value, CONTEXT).decode()

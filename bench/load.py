"""Prepared requests, and what sends them: wrk for a length of time, `send_all` each of them once."""

from __future__ import annotations

import asyncio
import datetime as dt
import hashlib
import hmac
import json
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

SCRIPT = Path(__file__).with_name("requests.lua")
CONNECTIONS = 32
ANSWER_SECONDS = 30
REGION = "us-east-1"
POLICY = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": [
                    "secretsmanager:CreateSecret",
                    "secretsmanager:GetSecretValue",
                    "secretsmanager:PutSecretValue",
                ],
                "Resource": "arn:aws:secretsmanager:*:*:secret:bench/*",
            }
        ],
    }
)
"""What the IAM user whose calls are measured may do."""


class Missing(Exception):
    """A program this needs is not installed; the message says what brings it."""


class Refused(Exception):
    """A call was not answered with 200, and this is why."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(f"{status} {' '.join(reason.split())[:200]}")
        self.status = status


@dataclass(frozen=True)
class Measured:
    """What one run of wrk saw."""

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    max_ms: float
    refused: int
    broken: int
    processor_us: float = 0.0
    """What the server's processes took for one call."""
    elsewhere: float = 0.0
    """The share of the machine that went to other work than this server and the load generator."""

    @property
    def rate(self) -> float:
        """Answers with status 200 in a second."""
        return (self.requests - self.refused) / self.seconds


def need_wrk() -> None:
    """Raises Missing when the load generator is not installed."""
    if shutil.which("wrk") is None:
        raise Missing("wrk is not installed. Debian and Ubuntu: apt install wrk; macOS: brew install wrk.")


def token() -> str:
    return str(uuid.uuid4())


def raw(method: str, path: str, headers: Mapping[str, str], body: bytes = b"") -> bytes:
    """Return an HTTP/1.1 request as bytes."""
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class Signer:
    """Signs Secrets Manager calls for one endpoint, as the AWS SDKs do.

    By hand, because botocore takes most of a millisecond for each and a run needs tens of thousands.
    """

    def __init__(self, endpoint: str, access_key_id: str, secret_access_key: str) -> None:
        self._host = endpoint.removeprefix("http://")
        self._access_key_id = access_key_id
        self._secret = secret_access_key

    def call(self, operation: str, body: Mapping[str, Any], at: dt.datetime | None = None) -> bytes:
        """Return one call as the bytes that go over the connection."""
        content = json.dumps(body).encode()
        time = (at or dt.datetime.now(dt.UTC)).strftime("%Y%m%dT%H%M%SZ")
        scope = f"{time[:8]}/{REGION}/secretsmanager/aws4_request"
        signed = {
            "content-type": "application/x-amz-json-1.1",
            "host": self._host,
            "x-amz-date": time,
            "x-amz-target": f"secretsmanager.{operation}",
        }
        names = ";".join(signed)
        canonical = "\n".join(
            [
                "POST",
                "/",
                "",
                *(f"{name}:{value}" for name, value in signed.items()),
                "",
                names,
                _sha256(content),
            ]
        )
        to_sign = f"AWS4-HMAC-SHA256\n{time}\n{scope}\n{_sha256(canonical.encode())}"
        signature = hmac.digest(_signing_key(self._secret, scope), to_sign.encode(), "sha256").hex()
        authorization = (
            f"AWS4-HMAC-SHA256 Credential={self._access_key_id}/{scope}, "
            f"SignedHeaders={names}, Signature={signature}"
        )
        return raw("POST", "/", {**signed, "user-agent": "bench", "authorization": authorization}, content)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@lru_cache(maxsize=64)
def _signing_key(secret: str, scope: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def load(endpoint: str, requests: Iterable[bytes], *, seconds: int) -> Measured:
    """Send the requests in turn, again from the first after the last, over CONNECTIONS connections."""
    need_wrk()
    with tempfile.NamedTemporaryFile(suffix=".requests") as file:
        for request in requests:
            file.write(b"%d\n" % len(request) + request)
        file.flush()
        answer = subprocess.run(
            [
                *("wrk", "-t", "1", "-c", str(CONNECTIONS), "-d", f"{seconds}s", "--timeout", "10s"),
                *("-s", str(SCRIPT), endpoint, "--", file.name),
            ],
            capture_output=True,
            text=True,
            check=True,
        )
    return Measured(**json.loads(answer.stdout.strip().splitlines()[-1]))


def send(endpoint: str, request: bytes) -> bytes:
    """Return the body of the answer. Raises Refused."""
    return asyncio.run(_send_all(endpoint, [request], 1))[0]


def send_all(endpoint: str, requests: Sequence[bytes], *, connections: int = CONNECTIONS) -> list[bytes]:
    """Send each request once and return the answers' bodies, in the same order. Raises Refused."""
    return asyncio.run(_send_all(endpoint, requests, connections))


async def _send_all(endpoint: str, requests: Sequence[bytes], connections: int) -> list[bytes]:
    host, _, port = endpoint.removeprefix("http://").rpartition(":")
    numbered = enumerate(requests)
    bodies: list[bytes] = [b""] * len(requests)

    async def one_connection() -> None:
        kept: _Connection | None = None
        try:
            for number, request in numbered:
                if kept is None:
                    kept = _Connection(*await asyncio.open_connection(host, int(port)))
                async with asyncio.timeout(ANSWER_SECONDS):
                    status, body, stays_open = await kept.exchange(request)
                if status != 200:
                    raise Refused(status, body.decode(errors="replace"))
                bodies[number] = body
                if not stays_open:
                    kept.close()
                    kept = None
        finally:
            if kept is not None:
                kept.close()

    await asyncio.gather(*(one_connection() for _ in range(min(connections, len(requests)))))
    return bodies


class _Connection:
    """Just enough HTTP/1.1 to read an answer whose length is declared, chunked, or until the end."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def exchange(self, request: bytes) -> tuple[int, bytes, bool]:
        """Return status, body, and whether the connection can be used again."""
        self._writer.write(request)
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.rstrip().split("\r\n")
        headers = {
            name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)
        }
        stays_open = first.startswith("HTTP/1.1") and headers.get("connection", "").lower() != "close"
        if first.split()[1] == "204":
            body = b""
        elif "content-length" in headers:
            body = await self._reader.readexactly(int(headers["content-length"]))
        elif headers.get("transfer-encoding") == "chunked":
            body = b"".join([chunk async for chunk in self._chunks()])
        else:
            body = await self._reader.read()
            stays_open = False
        return int(first.split()[1]), body, stays_open

    async def _chunks(self) -> Any:
        while size := int(await self._reader.readline(), 16):
            yield (await self._reader.readexactly(size + 2))[:-2]
        await self._reader.readline()

    def close(self) -> None:
        self._writer.close()


def batches(numbers: range, size: int) -> Iterator[range]:
    """Give the numbers in ranges of at most `size`."""
    for start in range(numbers.start, numbers.stop, size):
        yield range(start, min(start + size, numbers.stop))

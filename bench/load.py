"""Prepared requests and the load generator (wrk) that sends them."""

from __future__ import annotations

import json
import subprocess
import tempfile
import uuid
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

SCRIPT = Path(__file__).with_name("requests.lua")
POLICY = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": ["secretsmanager:GetSecretValue", "secretsmanager:PutSecretValue"],
                "Resource": "arn:aws:secretsmanager:*:*:secret:bench/*",
            }
        ],
    }
)
"""What the IAM user whose calls are measured may do."""


def signed(
    endpoint: str, credentials: Credentials, region: str, operation: str, body: Mapping[str, Any]
) -> bytes:
    """Return one Secrets Manager call as the bytes that go over the connection."""
    host = endpoint.removeprefix("http://")
    request = AWSRequest(
        "POST",
        f"{endpoint}/",
        data=json.dumps(body),
        headers={
            "Content-Type": "application/x-amz-json-1.1",
            "X-Amz-Target": f"secretsmanager.{operation}",
            "Host": host,
            "User-Agent": "bench",
        },
    )
    SigV4Auth(credentials, "secretsmanager", region).add_auth(request)
    return raw("POST", "/", dict(request.headers.items()), request.data)


def raw(method: str, path: str, headers: Mapping[str, str], body: bytes | str = b"") -> bytes:
    """Return an HTTP/1.1 request as bytes."""
    content = body.encode() if isinstance(body, str) else body
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    if content:
        lines.append(f"Content-Length: {len(content)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content


def token() -> str:
    return str(uuid.uuid4())


def load(
    endpoint: str, requests: Iterable[bytes], *, seconds: int, connections: int = 32, threads: int = 1
) -> dict[str, float]:
    """Send the requests in turn over `connections` and return rate, latencies and failures."""
    with tempfile.NamedTemporaryFile(suffix=".requests") as file:
        for request in requests:
            file.write(b"%d\n" % len(request) + request)
        file.flush()
        command = ["wrk", "-t", str(threads), "-c", str(connections), "-d", f"{seconds}s", "-s", str(SCRIPT)]
        answer = subprocess.run(
            [*command, endpoint, "--", file.name], capture_output=True, text=True, check=True
        )
    measured: dict[str, float] = json.loads(answer.stdout.strip().splitlines()[-1])
    measured["rate"] = measured["requests"] / measured["seconds"]
    return measured

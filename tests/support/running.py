"""A real server in a process of its own, and clients that speak to it over TCP."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

STRONGROOM = str(Path(sys.executable).with_name("strongroom"))
START_SECONDS = 30
REGION = "eu-central-1"


@dataclass
class Server:
    """A running `strongroom serve`."""

    process: subprocess.Popen[str]
    endpoint: str
    access_key_id: str = ""
    secret_access_key: str = field(default="", repr=False)
    log_path: Path | None = None

    @property
    def port(self) -> int:
        return int(self.endpoint.rpartition(":")[2])

    def client(
        self,
        service: str,
        *,
        region: str = REGION,
        credentials: tuple[str, ...] | None = None,
        **config: Any,
    ) -> Any:
        """Return a boto3 client that does not retry; temporary credentials have a token as well."""
        key_id, secret, *token = credentials or (self.access_key_id, self.secret_access_key)
        return boto3.session.Session().client(
            service,
            region_name=region,
            endpoint_url=self.endpoint,
            aws_access_key_id=key_id,
            aws_secret_access_key=secret,
            aws_session_token=token[0] if token else None,
            config=Config(retries={"total_max_attempts": 1}, max_pool_connections=40, **config),
        )

    def environment(self, region: str = REGION) -> dict[str, str]:
        """Return an environment for the AWS CLI."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": "/nonexistent",
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": self.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.secret_access_key,
            "AWS_DEFAULT_REGION": region,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_PAGER": "",
            "AWS_MAX_ATTEMPTS": "1",
        }

    def ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.endpoint}/ready", timeout=2) as answer:  # noqa: S310 - loopback
                return answer.status == 200
        except (urllib.error.URLError, OSError):
            return False

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not self.ready():
            assert self.process.poll() is None, (
                f"the server ended with {self.process.returncode}\n{self.log()}"
            )
            assert time.monotonic() < deadline, f"the server is not ready\n{self.log()}"
            time.sleep(0.02)

    def log(self) -> str:
        return self.log_path.read_text() if self.log_path is not None and self.log_path.exists() else ""

    def stop(self) -> int:
        """Stop it gracefully and return its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=30)

    def kill(self) -> None:
        """Kill the whole process group at once, as a power cut would."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(timeout=30)


def start(
    arguments: Sequence[str],
    log_path: Path,
    *,
    environment: Mapping[str, str] | None = None,
    program: Sequence[str] = (STRONGROOM,),
    **popen: Any,
) -> Server:
    """Start `strongroom serve` with `arguments` and return it when it answers; `program` stands for the
    command where a test changes it."""
    log = log_path.open("a")
    process = subprocess.Popen(
        [*program, "serve", "--port", "0", *arguments],
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
        start_new_session=True,
        env={**os.environ, **(environment or {})},
        **popen,
    )
    log.close()
    try:
        return _started(process, log_path)
    except BaseException:
        # Nobody would know of it.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(timeout=30)
        if process.stdout is not None:
            process.stdout.close()
        raise


def _started(process: subprocess.Popen[str], log_path: Path) -> Server:
    """Return the server once it has said where it is, and answers."""
    assert process.stdout is not None
    exports: dict[str, str] = {}
    is_new = False
    for line in process.stdout:
        is_new = is_new or line.startswith("#")
        found = re.fullmatch(r"export (\w+)=(\S+)", line.strip())
        if found:
            exports[found[1]] = found[2].strip("'")
        if ("AWS_DEFAULT_REGION" if is_new else "AWS_ENDPOINT_URL") in exports:
            break
    assert "AWS_ENDPOINT_URL" in exports, f"no endpoint was printed\n{log_path.read_text()}"
    server = Server(
        process,
        exports["AWS_ENDPOINT_URL"],
        exports.get("AWS_ACCESS_KEY_ID", ""),
        exports.get("AWS_SECRET_ACCESS_KEY", ""),
        log_path,
    )
    server.wait_until_ready()
    return server


@contextmanager
def running(arguments: Sequence[str], log_path: Path, **options: Any) -> Iterator[Server]:
    """Run a server for the length of a block."""
    server = start(arguments, log_path, **options)
    try:
        yield server
    finally:
        server.stop()
        if server.process.stdout is not None:
            server.process.stdout.close()

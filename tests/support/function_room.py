"""Functions for the tests of what runs them: zip files, invocations, a log that remembers."""

from __future__ import annotations

import base64
import contextlib
import functools
import hashlib
import io
import os
import tempfile
import time
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from strongroom.functions.confinement import Level, sandbox_level
from strongroom.functions.limits import Limits
from strongroom.ports import Invocation

FUNCTION_ARN = "arn:aws:lambda:eu-central-1:123456789012:function:rotate"
REQUEST_ID = "6f1d4c1e-0b3e-4a0e-9d2c-3f5a7c9b1d20"
SECRET_KEY = "CanarySecretAccessKey/0123456789abcdefABCD"
SESSION_TOKEN = "CanarySessionToken//////0123456789=="


def a_zip(files: Mapping[str, str | bytes]) -> bytes:
    """Return a zip file of these files; equal files make equal bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def sha256_of(code: bytes) -> str:
    return base64.b64encode(hashlib.sha256(code).digest()).decode()


def an_invocation(code: bytes | str, **changes: Any) -> Invocation:
    """Return a call of `code`: a zip file, or the text of a module `rotate` with a function `handler`."""
    archive = a_zip({"rotate.py": code}) if isinstance(code, str) else code
    fields: dict[str, Any] = {
        "function_arn": FUNCTION_ARN,
        "request_id": REQUEST_ID,
        "runtime": "python3.12",
        "handler": "rotate.handler",
        "code_sha256": sha256_of(archive),
        "load_code": lambda: archive,
        "environment": {},
        "event": b"{}",
        "timeout_seconds": 10,
        "memory_mb": 128,
        "credentials": ("ASIACANARYACCESSKEYI", SECRET_KEY, SESSION_TOKEN),
        "region": "eu-central-1",
        "endpoint_url": "http://127.0.0.1:9",
    }
    return Invocation(**{**fields, **changes})


@functools.cache
def the_level() -> Level:
    return sandbox_level()[0]


def jailed() -> bool:
    """Say whether functions run in jails here."""
    return the_level() is Level.JAIL


def run_directory(data_dir: Path) -> Path:
    """Return where runners have their directories."""
    if the_level() is Level.USER:
        return Path(tempfile.gettempdir()) / f"strongroom-functions-{os.geteuid()}"
    return data_dir / "run" / "functions"


def command_lines() -> list[str]:
    """Return the command lines of all processes of the machine."""
    lines = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            lines.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    return lines


def eventually(condition: Callable[[], bool], seconds: float = 30) -> None:
    """Return when the condition holds; raises AssertionError when it does not in time."""
    ends_at = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends_at, "it did not come true"
        time.sleep(0.02)


LIMITS = Limits(
    sandboxes=4,
    spares=0,
    preload=False,
    # Users of this run of the tests alone, whatever else runs functions on the machine.
    first_user=1_200_000 + os.getpid() % 4096 * 16,
    users=16,
)


class RememberingLog:
    """Takes the place of the server's log."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str, dict[str, Any]]] = []

    def info(self, text: str, **fields: Any) -> None:
        self.lines.append(("info", text, fields))

    def warning(self, text: str, **fields: Any) -> None:
        self.lines.append(("warning", text, fields))

    def error(self, text: str, **fields: Any) -> None:
        self.lines.append(("error", text, fields))

    def errors(self) -> list[str]:
        return [text for level, text, _ in self.lines if level == "error"]

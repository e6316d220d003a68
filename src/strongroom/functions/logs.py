"""The logs of functions: JSON lines, one for each call, in files that only the server's user may read.

`<data-dir>/functions/logs/<account>/<region>/<function>/current.jsonl`; older ones `1.jsonl` (newest) and
so on.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import fcntl
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import orjson

from strongroom.functions.limits import Limits

__all__ = ["FunctionLogs", "LogEntry"]

_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Control characters, and those that turn the direction of writing."""
_CURRENT: Final = "current.jsonl"


@dataclass(frozen=True, slots=True)
class LogEntry:
    """What one call printed, redacted."""

    at: dt.datetime
    request_id: str
    function_error: str | None
    text: str
    """Without control characters but tabs and line ends: it may be shown on a terminal."""


class FunctionLogs:
    """Writes and reads them. Several processes may write at once."""

    def __init__(self, data_dir: Path, limits: Limits | None = None) -> None:
        self._root = data_dir / "functions" / "logs"
        self._limits = limits or Limits()

    def write(
        self, function_arn: str, at: dt.datetime, request_id: str, error: str | None, text: bytes
    ) -> None:
        """The call's output is at the end of the function's log. Raises OSError when it cannot be."""
        directory = self._directory(function_arn)
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        entry = {
            "at": at.astimezone(dt.UTC).isoformat(timespec="milliseconds"),
            "requestId": request_id,
            "functionError": error,
            "log": text.decode("utf-8", "replace"),
        }
        line = orjson.dumps(entry) + b"\n"
        lock = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._turn_over(directory, len(line))
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
            with os.fdopen(os.open(directory / _CURRENT, flags, 0o600), "ab") as file:
                file.write(line)
        finally:
            os.close(lock)

    def read(self, function_arn: str, after: int = 0) -> tuple[list[LogEntry], int]:
        """Return the entries there are, oldest first, and a mark: `after` it, later entries only.

        Entries that have been turned over in the meantime are given again.
        """
        directory = self._directory(function_arn)
        entries: list[LogEntry] = []
        current = directory / _CURRENT
        size = current.stat().st_size if current.exists() else 0
        if not 0 < after <= size:
            after = 0
            older = sorted(directory.glob("[0-9]*.jsonl"), key=lambda p: -int(p.stem))
            for path in older:
                entries += _entries(path, 0)[0]
        found, end = _entries(current, after)
        return entries + found, end

    def forget(self, function_arn: str) -> None:
        """The function's log is gone."""
        shutil.rmtree(self._directory(function_arn), ignore_errors=True)

    def _directory(self, function_arn: str) -> Path:
        parts = function_arn.split(":")
        if len(parts) < 7 or not all(_NAME.fullmatch(part) for part in (parts[4], parts[3], parts[6])):
            raise ValueError("no function's ARN")
        return self._root / parts[4] / parts[3] / parts[6]

    def _turn_over(self, directory: Path, coming: int) -> None:
        current = directory / _CURRENT
        with contextlib.suppress(FileNotFoundError):
            if current.stat().st_size + coming <= self._limits.log_bytes:
                return
            for number in range(self._limits.log_files - 1, 0, -1):
                with contextlib.suppress(FileNotFoundError):
                    (directory / f"{number}.jsonl").replace(directory / f"{number + 1}.jsonl")
            current.replace(directory / "1.jsonl")
            (directory / f"{self._limits.log_files}.jsonl").unlink(missing_ok=True)


def _entries(path: Path, after: int) -> tuple[list[LogEntry], int]:
    found = []
    end = after
    with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
        file.seek(after)
        for line in _whole_lines(file.read()):
            end += len(line)
            with contextlib.suppress(orjson.JSONDecodeError, KeyError, TypeError, ValueError):
                found.append(_entry(line))
    return found, end


def _whole_lines(data: bytes) -> Iterator[bytes]:
    """Yield the lines; the last one only when it is written to its end."""
    return (line for line in data.splitlines(keepends=True) if line.endswith(b"\n"))


def _entry(line: bytes) -> LogEntry:
    fields = orjson.loads(line)
    return LogEntry(
        dt.datetime.fromisoformat(fields["at"]),
        fields["requestId"],
        fields["functionError"],
        _CONTROL.sub("\N{REPLACEMENT CHARACTER}", fields["log"]),
    )

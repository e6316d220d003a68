"""Decision records on disk: why calls were refused, one line of JSON each, found by request id.

Beside the trail and no part of it: a slot's newest records only, in two files of which the older is dropped.
A record is out of this process when `append` returns, so a crash of the server loses none.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import orjson

__all__ = ["DECISIONS", "DecisionFile", "find_decisions"]

DECISIONS: Final = "decisions"
RECORDS_OF_A_FILE: Final = 5_000
"""A slot keeps its newest 5,000 to 10,000 records."""
KEPT_SECONDS: Final = 7 * 24 * 3600


class DecisionFile:
    """One process's records; `slot` is a name no other process uses meanwhile. Threads may share it."""

    def __init__(self, room: Path, slot: str, limit: int = RECORDS_OF_A_FILE) -> None:
        directory = room / DECISIONS
        directory.mkdir(mode=0o700, exist_ok=True)
        self._path = directory / f"{slot}.jsonl"
        self._older = directory / f"{slot}.older.jsonl"
        self._limit = limit
        self._guard = threading.Lock()
        for path in (self._path, self._older):
            if path.exists() and path.stat().st_mtime < time.time() - KEPT_SECONDS:
                path.unlink()
        self._count = sum(1 for _ in _lines(self._path))
        self._open()

    def append(self, record: bytes) -> None:
        """Keep one record (JSON, one line).

        Raises:
            OSError: it cannot be written.
        """
        with self._guard:
            if self._count >= self._limit:
                os.close(self._descriptor)
                self._path.replace(self._older)
                self._count = 0
                self._open()
            # A newline before, too: half a record of a writer that died spoils no other.
            os.write(self._descriptor, b"\n" + record + b"\n")
            self._count += 1

    def close(self) -> None:
        with self._guard:
            os.close(self._descriptor)

    def _open(self) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        self._descriptor = os.open(self._path, flags, 0o600)


def find_decisions(room: Path, request_id: str) -> list[dict[str, Any]]:
    """Return the records of one call, in the order they were written; none when there are none (any more)."""
    wanted = request_id.encode()
    found = []
    directory = room / DECISIONS
    for path in sorted(directory.glob("*.jsonl")) if directory.is_dir() else ():
        for line in _lines(path):
            if wanted in line:
                try:
                    record = orjson.loads(line)
                except orjson.JSONDecodeError:
                    continue
                if record.get("request_id") == request_id:
                    found.append(record)
    return found


def _lines(path: Path) -> Iterator[bytes]:
    if path.exists():
        with path.open("rb") as file:
            yield from (line for line in file if line.strip())

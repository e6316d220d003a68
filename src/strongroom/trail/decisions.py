"""Decision records on disk: why calls were refused, one line of JSON each, found by request id.

Beside the trail and no part of it: a slot's newest records only, in two files of which the older is dropped.
A record is out of this process when `append` returns, so a crash of the server loses none.
"""

from __future__ import annotations

import mmap
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
BYTES_OF_A_FILE: Final = 16 * 1024 * 1024
"""A slot keeps its newest 5,000 to 10,000 records, and 16 to 32 MiB of them."""
KEPT_SECONDS: Final = 7 * 24 * 3600
_AT_A_TIME: Final = 1024 * 1024
"""Bytes looked through before other threads have a turn."""


class DecisionFile:
    """One process's records; `slot` is a name no other process uses meanwhile. Threads may share it."""

    def __init__(
        self, room: Path, slot: str, limit: int = RECORDS_OF_A_FILE, byte_limit: int = BYTES_OF_A_FILE
    ) -> None:
        directory = room / DECISIONS
        directory.mkdir(mode=0o700, exist_ok=True)
        self._path = directory / f"{slot}.jsonl"
        self._older = directory / f"{slot}.older.jsonl"
        self._limit = limit
        self._byte_limit = byte_limit
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
        # A newline before, too: half a record of a writer that died spoils no other.
        line = b"\n" + record + b"\n"
        with self._guard:
            if self._count >= self._limit or self._size + len(line) > self._byte_limit:
                os.close(self._descriptor)
                self._path.replace(self._older)
                self._count = 0
                self._open()
            os.write(self._descriptor, line)
            self._count += 1
            self._size += len(line)

    def close(self) -> None:
        with self._guard:
            os.close(self._descriptor)

    def _open(self) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        self._descriptor = os.open(self._path, flags, 0o600)
        self._size = os.fstat(self._descriptor).st_size


def find_decisions(room: Path, request_id: str) -> list[dict[str, Any]]:
    """Return the records of one call, in the order they were written; none when there are none (any more).

    Takes milliseconds for each slot there is.
    """
    # Quotation marks inside texts are escaped, so this stands at the beginning of records only.
    wanted = b'"request_id":' + orjson.dumps(request_id)
    found = []
    directory = room / DECISIONS
    for path in sorted(directory.glob("*.jsonl")) if directory.is_dir() else ():
        for line in _lines_with(path, wanted):
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


def _lines_with(path: Path, wanted: bytes) -> Iterator[bytes]:
    """Yield the lines that hold `wanted`."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        # Replaced by its slot's owner this moment.
        return
    with file:
        size = os.fstat(file.fileno()).st_size
        if size == 0:
            return
        with mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ) as content:
            at = 0
            while at < size:
                place = content.find(wanted, at, at + _AT_A_TIME + len(wanted))
                if place < 0:
                    at += _AT_A_TIME
                    continue
                end = content.find(b"\n", place)
                end = size if end < 0 else end
                yield content[content.rfind(b"\n", 0, place) + 1 : end]
                at = end

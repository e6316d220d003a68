"""Records as lines: in a file, or on standard output."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from strongroom.trail.feed import FedRecord
from strongroom.trail.sinks.outlet import SinkError

__all__ = ["FileOutlet", "StandardOutput"]


class FileOutlet:
    """Appends lines to a file and flushes them. One that was moved away is made anew, so logrotate needs no
    signal; with `max_bytes` it is rotated here: to `NAME.1`, `NAME.2`, …, of which `keep` are kept."""

    def __init__(self, path: Path, max_bytes: int | None = None, keep: int = 5) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._keep = keep

    def deliver(self, records: Sequence[FedRecord]) -> None:
        lines = b"".join(each.event + b"\n" for each in records)
        try:
            self._rotate(len(lines))
            descriptor = os.open(
                self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600
            )
            try:
                size = os.fstat(descriptor).st_size
                if os.write(descriptor, lines) != len(lines):
                    # The rest is written again as a whole: half a line is no record.
                    os.ftruncate(descriptor, size)
                    raise SinkError(f"the file {self._path} takes no more")
                os.fdatasync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise SinkError(f"the file {self._path} cannot be written: {error.strerror}") from error

    def close(self) -> None:
        """Nothing is open between deliveries."""

    def _rotate(self, coming: int) -> None:
        if self._max_bytes is None or not self._path.exists():
            return
        if self._path.stat().st_size + coming <= self._max_bytes or not self._path.stat().st_size:
            return
        for number in range(self._keep, 0, -1):
            older = self._numbered(number)
            if number == self._keep:
                older.unlink(missing_ok=True)
            elif older.exists():
                older.rename(self._numbered(number + 1))
        if self._keep:
            self._path.rename(self._numbered(1))
        else:
            self._path.unlink()

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")


class StandardOutput:
    """Lines on standard output, as containers like it."""

    def deliver(self, records: Sequence[FedRecord]) -> None:
        try:
            sys.stdout.write("".join(each.event.decode() + "\n" for each in records))
            sys.stdout.flush()
        except OSError as error:
            raise SinkError(f"standard output cannot be written: {error.strerror}") from error

    def close(self) -> None:
        """It is not ours to close."""

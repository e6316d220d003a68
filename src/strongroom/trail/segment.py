"""One process's own chain of records, written before the answers they tell of.

A slot (`api-0`, `keeper`, …) belongs to one process at a time; its chain goes on where the last owner's
stopped. Layout and guarantees: docs/spec/trail.md.
"""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from strongroom.errors import IntegrityError, ServiceUnavailableException
from strongroom.trail.continuing import last_record, write_again
from strongroom.trail.layout import LOCK, SEGMENTS, format_line, format_opening, hash_line, segment_name

__all__ = ["SegmentTrail", "TrailError"]

SYNC_SECONDS: Final = 0.05
"""At most so long does a record wait for the disk (DESIGN section 7)."""
MAX_SEGMENT_BYTES: Final = 64 * 1024 * 1024
MAX_SLOTS: Final = 1024
READER_SECONDS: Final = 0.05
"""How long records that count all or not at all wait, at most, for one who reads the file."""

CLOSED: Final = "The server is stopping; nothing was recorded."
UNWRITABLE: Final = "The audit record cannot be written, so the call is refused."


class TrailError(Exception):
    """A slot cannot be opened; the message says why."""


class SegmentTrail:
    """`ports.Trail`. Safe to use from several threads; not across a fork."""

    def __init__(self, slot: Path, lock: int, *, sync_every_record: bool, max_bytes: int) -> None:
        self.slot = slot.name
        self._directory = slot
        self._lock_descriptor = lock
        self._sync_every_record = sync_every_record
        self._max_bytes = max_bytes
        self._guard = threading.Lock()
        self._stopped = threading.Event()
        self._dirty = threading.Event()
        self._broken = False
        """A flush failed: nobody knows what is on disk (a second one may lie). Only a new owner can tell."""
        self._refused = 0
        """How many bytes there was no room for, when it was so at the last attempt."""
        self._synced = 0
        """How much of the file `sync` has said to be on disk."""
        self._closed = False
        self._number, self._previous, self.last_outbox = last_record(slot)
        self._descriptor, self._size = -1, 0
        self._new_file()
        self._syncer = threading.Thread(target=self._sync_in_groups, name="trail-sync", daemon=True)
        self._syncer.start()

    @classmethod
    def open(
        cls,
        trail: Path,
        role: str,
        *,
        sync_every_record: bool = False,
        max_bytes: int = MAX_SEGMENT_BYTES,
    ) -> SegmentTrail:
        """Return a slot of `role` that nobody holds: `api` becomes `api-0`, `api-1`, …; any other role has
        one slot of its name.

        Raises:
            TrailError: the slot is held by another process, or cannot be made.
            IntegrityError: what the slot ends with is not a record.
        """
        segments = trail / SEGMENTS
        try:
            segments.mkdir(mode=0o700, exist_ok=True)
            for name in _slot_names(role):
                slot = segments / name
                slot.mkdir(mode=0o700, exist_ok=True)
                lock = os.open(slot / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    os.close(lock)
                    continue
                try:
                    return cls(slot, lock, sync_every_record=sync_every_record, max_bytes=max_bytes)
                except BaseException:
                    os.close(lock)
                    raise
        except OSError as error:
            raise TrailError(f"The audit trail in {trail} cannot be written: {error.strerror}.") from error
        raise TrailError(f"Another process writes the audit trail in {trail} as {role}.")

    def append(self, event: bytes) -> None:
        """As `ports.Trail.append`."""
        self.append_many(((None, event),))

    def append_many(self, events: Sequence[tuple[int | None, bytes]]) -> None:
        """Write events, each with the number it had in the store's outbox or None, all of them or none.

        Raises:
            ServiceUnavailableException: they cannot be written.
        """
        with self._guard:
            if self._closed:
                raise ServiceUnavailableException(CLOSED)
            if self._broken:
                raise ServiceUnavailableException(UNWRITABLE)
            number, previous = self._number, self._previous
            lines = []
            for outbox, event in events:
                number += 1
                line = format_line(number, previous, event, outbox)
                previous = hash_line(line)
                lines.append(line + b"\n")
            try:
                if self._size >= self._max_bytes:
                    self._new_file()
                if len(lines) == 1:
                    self._write(lines[0])
                else:
                    with self._unseen():
                        self._write(b"".join(lines))
                if self._sync_every_record:
                    self._flush(self._descriptor)
            except OSError as error:
                # The file is as it was, so the next record may find room again.
                self._refused = sum(map(len, lines))
                raise ServiceUnavailableException(UNWRITABLE) from error
            self._refused = 0
            self._number, self._previous = number, previous
            if events and events[-1][0] is not None:
                self.last_outbox = events[-1][0]
        # The flag is cleared before a flush begins, so where it is set a flush of these records is to come.
        if not self._dirty.is_set():
            self._dirty.set()

    def sync(self) -> None:
        """Everything appended is on disk. Raises ServiceUnavailableException when that cannot be said."""
        with self._guard:
            if self._broken:
                raise ServiceUnavailableException(UNWRITABLE)
            try:
                self._flush(self._descriptor)
            except OSError as error:
                raise ServiceUnavailableException(UNWRITABLE) from error
            self._synced = self._size

    def forget_unsynced(self) -> None:
        """Cut off what `sync` has not said to be on disk, for one whose records have an origin that keeps
        them until then. Nothing will be taken before the slot is opened anew.

        After a failed flush the system may show records that no disk has.

        Raises:
            OSError: it cannot be cut off.
        """
        with self._guard:
            self._broken = True
            os.ftruncate(self._descriptor, self._synced)

    @property
    def broken(self) -> bool:
        """True when nothing will be taken before the slot is opened anew, or has recovered."""
        return self._broken

    def recover(self) -> bool:
        """Try to take records again after a flush failed; True when they are taken.

        What the file holds is written once more, byte for byte, before it is flushed: after a failure the
        system may take for written what no disk has, and would not write it a second time.
        """
        with self._guard:
            if self._closed or not self._broken:
                return not self._closed
            try:
                write_again(self._directory)
                self._number, self._previous, self.last_outbox = last_record(self._directory)
                self._broken = False
                self._new_file()
            except (OSError, IntegrityError):
                self._broken = True
                return False
            self._refused = 0
            return True

    def is_writable(self) -> bool:
        """True when a record would be taken now; after one was refused, that is tried out."""
        with self._guard:
            if self._closed or self._broken:
                return False
            if self._refused:
                # What is tried is the beginning of a record: a crash may leave that behind.
                size = self._size
                try:
                    self._write(format_opening(self._number + 1, self._previous) + b" " * self._refused)
                    self._size = size
                    self._cut_back()
                except OSError:
                    return False
                self._refused = 0
            return True

    def close(self) -> None:
        """Everything appended is on disk, and the slot is free. A second call does nothing."""
        with self._guard:
            if self._closed:
                return
            self._closed = True
        self._stopped.set()
        self._dirty.set()
        self._syncer.join()
        with self._guard:
            with suppress(OSError):
                os.fdatasync(self._descriptor)
            os.close(self._descriptor)
            os.close(self._lock_descriptor)

    def _write(self, data: bytes) -> None:
        """Append `data` whole, or leave the file as it was."""
        written = 0
        try:
            while written < len(data):
                written += os.write(self._descriptor, data[written:] if written else data)
        except OSError:
            if written:
                with suppress(OSError):
                    self._cut_back()
            raise
        self._size += written

    @contextmanager
    def _unseen(self) -> Iterator[None]:
        """Readers wait meanwhile (`trail/undisturbed`): a part of several records may be taken away."""
        deadline = time.monotonic() + READER_SECONDS
        while True:
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                # A reader that was stopped in the middle holds up nobody for long.
                if time.monotonic() > deadline:
                    break
                time.sleep(0.001)
        try:
            yield
        finally:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def _cut_back(self) -> None:
        try:
            os.ftruncate(self._descriptor, self._size)
        except OSError:
            self._broken = True
            raise

    def _flush(self, descriptor: int) -> None:
        try:
            os.fdatasync(descriptor)
        except OSError:
            self._broken = True
            raise

    def _new_file(self) -> None:
        """Start the file of the next record. One that never got a record is taken up again."""
        path = self._directory / segment_name(self._number + 1)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        # Both are opened before anything changes: what fails for want of descriptors can be done again.
        directory = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            descriptor = os.open(path, flags, 0o600)
            try:
                if self._descriptor >= 0:
                    self._flush(self._descriptor)
                self._flush_directory(directory)
            except OSError:
                os.close(descriptor)
                raise
        finally:
            os.close(directory)
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor, self._size, self._synced = descriptor, 0, 0

    def _flush_directory(self, directory: int) -> None:
        try:
            os.fsync(directory)
        except OSError:
            self._broken = True
            raise

    def _sync_in_groups(self) -> None:
        while not self._stopped.is_set():
            self._dirty.wait()
            if self._stopped.wait(SYNC_SECONDS):
                return
            self._dirty.clear()
            # What fails is known to the next one who appends.
            with suppress(OSError):
                self._sync_beside_writers()

    def _sync_beside_writers(self) -> None:
        with self._guard:
            # A duplicate, so that flushing waits for no writer and a new file may begin meanwhile.
            try:
                descriptor = os.dup(self._descriptor)
            except OSError:
                # The process has no descriptor left: then they wait.
                self._flush(self._descriptor)
                return
        try:
            self._flush(descriptor)
        finally:
            os.close(descriptor)


def _slot_names(role: str) -> Iterator[str]:
    if role != "api":
        yield role
        return
    for number in range(MAX_SLOTS):
        yield f"api-{number}"

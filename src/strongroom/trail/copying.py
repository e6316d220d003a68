"""Checkpoints sent elsewhere, where who can write the trail cannot take them back.

On a thread of its own: signing waits for nobody. A checkpoint names the one before, so where one is missing
elsewhere for a while the next one says as much.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import urlsplit

from strongroom.audit.checkpoint import split_notes
from strongroom.trail.tree import CHECKPOINTS, TREE, append, cut

__all__ = [
    "CheckpointCopier",
    "CopyError",
    "Destination",
    "FileDestination",
    "UrlDestination",
    "destination_of",
]

WAITING: Final = 1000
"""How many checkpoints wait for a destination at most; then the oldest of them are left out."""
FIRST_PAUSE_SECONDS: Final = 1.0
MAX_PAUSE_SECONDS: Final = 60.0
CONNECT_SECONDS: Final = 5.0
READ_SECONDS: Final = 15.0


class CopyError(Exception):
    """A destination did not take a checkpoint; the message says why, and names no token of a URL."""


class Destination(Protocol):
    name: str
    """What logs call it."""

    def deliver(self, notes: Sequence[bytes]) -> int:
        """Return how many of the notes, from the first on, are there for certain.

        Raises:
            CopyError, OSError: not one of them is. It is tried again.
        """
        ...

    def close(self) -> None: ...


class CheckpointCopier:
    """Takes checkpoints at once, and delivers them when it can."""

    def __init__(self, destination: Destination, *, first_pause: float = FIRST_PAUSE_SECONDS) -> None:
        self._destination = destination
        self._first_pause = first_pause
        self._waiting: deque[bytes] = deque(maxlen=WAITING)
        self._guard = threading.Condition()
        self._stopping = threading.Event()
        self._trouble: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="checkpoint-copy", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def offer(self, note: bytes) -> None:
        """Have a checkpoint delivered. Returns at once."""
        with self._guard:
            self._waiting.append(note)
            self._guard.notify()

    def verify(self) -> None:
        """Raises what the last delivery failed with, if it failed."""
        with self._guard:
            if self._trouble is not None:
                raise self._trouble

    def stop(self, seconds: float) -> None:
        """What waits is delivered if that takes no longer than `seconds` and nothing is in its way."""
        self._stopping.set()
        with self._guard:
            self._guard.notify()
        self._thread.join(seconds)

    def _run(self) -> None:
        try:
            self._deliver_all()
        finally:
            self._destination.close()

    def _deliver_all(self) -> None:
        pause = self._first_pause
        while True:
            with self._guard:
                while not self._waiting and not self._stopping.is_set():
                    self._guard.wait()
                notes = list(self._waiting)
            if not notes:
                return
            trouble: Exception | None = None
            count = 0
            try:
                count = self._destination.deliver(notes)
                pause = self._first_pause
            except (CopyError, OSError) as error:
                trouble = error
            with self._guard:
                self._trouble = trouble
                # More may have come meanwhile, and have pushed out some of these.
                delivered = set(notes[:count])
                while self._waiting and self._waiting[0] in delivered:
                    self._waiting.popleft()
            if trouble is not None:
                if self._stopping.wait(pause):
                    return
                pause = min(2 * pause, MAX_PAUSE_SECONDS)


class FileDestination:
    """A file of checkpoints, on another machine's disk perhaps. It gets all that it does not have."""

    def __init__(self, path: Path, trail: Path) -> None:
        self.name = str(path)
        self._path = path
        self._source = trail / TREE / CHECKPOINTS
        self._last: bytes | None = None
        """What the file ends with; None where that is to be found out."""

    def deliver(self, notes: Sequence[bytes]) -> int:
        try:
            append(self._path, b"".join(self._missing(notes) if self._last is None else self._new(notes)))
        except BaseException:
            self._last = None
            raise
        self._last = notes[-1]
        return len(notes)

    def close(self) -> None:
        """Nothing is kept open."""

    def _new(self, notes: Sequence[bytes]) -> Sequence[bytes]:
        """Return those behind the file's last one, which is told of again when signing begins anew."""
        return notes[notes.index(self._last) + 1 :] if self._last in notes else notes

    def _missing(self, notes: Sequence[bytes]) -> list[bytes]:
        """Return what follows the file's last checkpoint in the trail; half a one at its end is cut off."""
        there, rest = split_notes(self._path.read_bytes() if self._path.exists() else b"")
        if rest:
            cut(self._path, self._path.stat().st_size - len(rest))
        signed, _ = split_notes(self._source.read_bytes())
        signed = signed[: signed.index(notes[-1]) + 1] if notes[-1] in signed else [*signed, *notes]
        if not there:
            return signed
        if there[-1] in signed:
            return signed[signed.index(there[-1]) + 1 :]
        raise CopyError(
            f"the last checkpoint in {self.name} is not among those of the trail before the newest one"
        )


class UrlDestination:
    """A web server that takes each checkpoint as the body of a POST."""

    def __init__(self, url: str) -> None:
        import urllib3  # what speaks HTTP takes a tenth of a second to load

        parts = urlsplit(url)
        self.name = f"{parts.scheme}://{parts.hostname}"
        self._url = url
        self._failures = urllib3.exceptions.HTTPError
        self._pool = urllib3.PoolManager(
            num_pools=1,
            retries=False,
            timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS),
        )

    def deliver(self, notes: Sequence[bytes]) -> int:
        for count, note in enumerate(notes):
            try:
                self._post(note)
            except CopyError:
                if count:
                    return count
                raise
        return len(notes)

    def close(self) -> None:
        self._pool.clear()

    def _post(self, note: bytes) -> None:
        headers = {"Content-Type": "text/plain; charset=utf-8", "User-Agent": "strongroom"}
        try:
            answer = self._pool.request("POST", self._url, body=note, headers=headers, redirect=False)
        except self._failures as error:
            # The error's text may repeat the URL, and with it a token of it.
            raise CopyError(f"{self.name} cannot be reached: {type(error).__name__}") from None
        if not 200 <= answer.status < 300:
            raise CopyError(f"{self.name} answered {answer.status}")


def destination_of(where: str, trail: Path) -> Destination:
    """Return what a URL (http, https) or else a path names."""
    if where.startswith(("http://", "https://")):
        return UrlDestination(where)
    return FileDestination(Path(where), trail)

"""How much functions may take, all of them and each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["PAYLOAD_BYTES", "Limits"]

PAYLOAD_BYTES: Final = 6 * 1024 * 1024 + 100
"""Lambda's limit of an answer (6291556 bytes)."""


@dataclass(frozen=True, slots=True)
class Limits:
    """One runner's bounds."""

    sandboxes: int = 8
    """So many exist at once, whether they run, wait warm or are being prepared."""
    spares: int = 1
    """So many are kept started, ready for any function, while functions are being run or expected."""
    preload: bool = True
    """Spares have boto3 in memory."""
    idle_seconds: float = 60
    """A sandbox waits so long for the next call of its function."""
    spare_seconds: float = 3600
    """After so long without a call no spare is kept."""
    age_seconds: float = 840
    """A sandbox gets no older, from when it got its function. Its credentials are renewed with each call."""
    start_seconds: float = 15
    """Our own part of a start."""
    load_seconds: float = 10
    """Loading the handler, before the function's own time begins (Lambda's limit)."""
    wait_seconds: float = 60
    """A call waits so long for a place among the sandboxes."""
    temporary_bytes: int = 64 * 1024 * 1024
    """The size of /tmp; it is memory."""
    output_bytes: int = 256 * 1024
    """So much of what one call prints is kept."""
    processes: int = 128
    files: int = 1024
    code_bytes: int = 250 * 1024 * 1024
    """Lambda's limit of code and layers, unpacked."""
    code_files: int = 20_000
    cache_bytes: int = 512 * 1024 * 1024
    """Unpacked code that is kept, beside what is in use."""
    log_bytes: int = 1024 * 1024
    """A function's log file is turned over when it is longer."""
    log_files: int = 4
    first_user: int = 1_064_000
    """Running as root, sandboxes have users from this number on, each its own."""
    users: int = 256

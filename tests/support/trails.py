"""What stands in the trail of a data directory."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from strongroom.trail.layout import open_segment, segment_files, slots

EXPORT_SECONDS = 10
"""The record of a write passes from the store to the trail in a tenth of a second or so."""


def records(data_dir: Path) -> list[dict[str, Any]]:
    """Return every record, slot by slot."""
    found = []
    for slot in slots(data_dir / "trail"):
        for _, path in segment_files(slot):
            with open_segment(path) as file:
                whole = file.read().rpartition(b"\n")[0]
            found += [json.loads(line)["event"] for line in whole.splitlines()]
    return found


def records_of(data_dir: Path, request_id: str) -> list[dict[str, Any]]:
    """Return the records of one call; wait for the first of them."""
    deadline = time.monotonic() + EXPORT_SECONDS
    while True:
        found = [each for each in records(data_dir) if each["requestID"] == request_id]
        if found or time.monotonic() > deadline:
            return found
        time.sleep(0.02)


def wait_for(condition: Callable[[], Any], seconds: float = 30) -> Any:
    """Return what `condition` gives once that is true; fail after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (result := condition()):
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.02)
    return result

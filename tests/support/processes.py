"""The processes of a running server, told apart by the slot of the trail each of them writes."""

from __future__ import annotations

import os
from pathlib import Path

from support.running import Server

__all__ = ["process_of"]


def process_of(server: Server, role: str) -> int | None:
    """Return the id of the server's process that writes the slot `role`; None: there is none at the moment."""
    for each in Path("/proc").iterdir():
        if each.name.isdecimal() and _parent(each) == server.process.pid and _writes(each, role):
            return int(each.name)
    return None


def _parent(process: Path) -> int | None:
    try:
        # The name in parentheses may hold anything.
        return int((process / "stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, ValueError, IndexError):
        return None


def _writes(process: Path, role: str) -> bool:
    try:
        opened = [os.readlink(each) for each in (process / "fd").iterdir()]
    except OSError:
        return False
    # Who writes a slot holds its lock; others open its segments to read them.
    return any(each.endswith(f"/segments/{role}/lock") for each in opened)

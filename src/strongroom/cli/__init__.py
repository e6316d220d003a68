"""The `strongroom` command. Machine output behind --json; exit codes in `cli/exits.py`."""

from __future__ import annotations

from strongroom.cli.app import main

__all__ = ["main"]

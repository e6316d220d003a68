"""Lines for a terminal, of texts that others wrote."""

from __future__ import annotations

__all__ = ["printable"]


def printable(line: str) -> str:
    """Return a line without what a terminal might take for a command.

    SECURITY: policies, names and what callers send are written by whoever may, of any account.
    """
    return "".join(char if char.isprintable() else "\ufffd" for char in line)

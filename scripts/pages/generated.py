"""Pages that are written by a program: how they are brought up to date, and found out of date."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]


def is_current(page: Path, text: str) -> bool:
    """True when the page says exactly `text`."""
    return page.exists() and page.read_text(encoding="utf-8") == text


def settle(page: Path, text: str, *, check: bool, command: str) -> int:
    """Write the page, or with `check` only say whether it is up to date; return the exit code."""
    name = page.relative_to(ROOT)
    if is_current(page, text):
        tell(f"{name} is up to date.")
        return 0
    if check:
        tell(stale(page, command))
        return 1
    page.write_text(text, encoding="utf-8")
    tell(f"{name} is written.")
    return 0


def tell(text: str) -> None:
    """Say something to the person who runs the script."""
    sys.stderr.write(f"{text}\n")


def stale(page: Path, command: str) -> str:
    """Return what to tell about a page that is out of date."""
    return f"{page.relative_to(ROOT)} is out of date. Run {command} and commit the page."

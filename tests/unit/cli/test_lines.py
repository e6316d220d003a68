"""What others wrote does not command the terminal."""

from __future__ import annotations

import pytest

from strongroom.cli.lines import printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("arn:aws:iam::111122223333:user/ann", "arn:aws:iam::111122223333:user/ann"),
        ("  grüße, 世界", "  grüße, 世界"),
        ("\x1b[2Jgone", "\ufffd[2Jgone"),
        ("\x9b2J", "\ufffd2J"),
        ("one\nyes  root user", "one\ufffdyes  root user"),
        ("left\u202eright", "left\ufffdright"),
    ],
)
def test_a_line_has_nothing_but_what_shows(text: str, shown: str) -> None:
    assert printable(text) == shown

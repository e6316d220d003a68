"""The reference of the command line is the program's own help."""

from __future__ import annotations

import commands
from generated import is_current, stale


def test_the_page_is_what_the_generator_writes() -> None:
    assert is_current(commands.PAGE, commands.page()), stale(commands.PAGE, commands.COMMAND)


def test_defaults_that_are_told_in_words_are_shown() -> None:
    page = commands.page()
    for default in (
        "~/.local/share/strongroom",
        "file:~/.config/strongroom/root.key",
        "the processors there are",
    ):
        assert default in page


def test_every_option_with_a_variable_is_in_the_table() -> None:
    assert "| `STRONGROOM_PORT` | `--port` of `serve` |" in commands.page()

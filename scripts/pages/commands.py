"""Prints docs/reference/cli.md: the --help of every command, and what the help does not say."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from typing import Any, Final

from generated import ROOT, settle
from typer.main import get_command
from typer.testing import CliRunner

from strongroom.cli.app import app
from strongroom.cli.exits import Exit

PAGE: Final = ROOT / "docs" / "reference" / "cli.md"
COMMAND: Final = "./scripts/reference"
PROGRAM: Final = "strongroom"

EXITS: Final = {
    Exit.DONE: "done",
    Exit.FAILED: "failed: the address is taken, the disk refuses, …",
    Exit.USAGE: "the command line, or what it names, cannot be used",
    Exit.REFUSED: "refused: the data directory is in use, damaged, open to others or of a newer format; "
    "the root key is missing, unsafe or another one",
    Exit.DAMAGED: "damage found: what was looked at has been altered",
}
OTHER_VARIABLES: Final = {
    "`STRONGROOM_ROOT_ACCESS_KEY_ID`, `STRONGROOM_ROOT_SECRET_ACCESS_KEY`": "The access key of the account "
    "that `serve`, `init` or `account create` makes, instead of a random one. The id is 16 to 128 letters, "
    "digits and underscores; the secret 8 to 128 visible ASCII characters.",
    "`XDG_DATA_HOME`": "The data directory is `$XDG_DATA_HOME/strongroom` by default.",
    "`XDG_CONFIG_HOME`": "The root key file is `$XDG_CONFIG_HOME/strongroom/root.key` by default.",
}

INTRODUCTION: Final = """\
# The command line

Written by `{command}` from the program's own `--help`; do not edit it.

## Exit codes

| code | meaning |
| --- | --- |
{exits}

A message on standard error says what to do; standard output is for what was asked for. With `--json` that is
one JSON object.

## Environment variables

An option on the command line counts more than its variable.

| variable | for |
| --- | --- |
{variables}
"""


def page() -> str:
    """Return the whole page."""
    exits = "\n".join(f"| {code:d} | {EXITS[code]} |" for code in Exit)
    rows = {**_variables(), **OTHER_VARIABLES}
    variables = "\n".join(f"| {name} | {use} |" for name, use in rows.items())
    parts = [INTRODUCTION.format(command=COMMAND, exits=exits, variables=variables)]
    parts += [f"\n## {' '.join(words)}\n\n```\n{_help(words[1:])}\n```\n" for words, _ in _commands()]
    return "".join(parts)


def _commands() -> Iterator[tuple[list[str], Any]]:
    """Yield every command with the words it is called by, groups before what is in them."""
    waiting = [([PROGRAM], get_command(app))]
    while waiting:
        words, command = waiting.pop(0)
        yield words, command
        inner = getattr(command, "commands", {})
        waiting[:0] = [([*words, name], each) for name, each in inner.items()]


def _help(words: list[str]) -> str:
    environment = {"COLUMNS": "100", "TERM": "dumb", "NO_COLOR": "1"}
    result = CliRunner().invoke(app, [*words, "--help"], prog_name=PROGRAM, env=environment)
    if result.exit_code:
        raise RuntimeError(f"{words} --help failed: {result.output}")
    return "\n".join(line.rstrip() for line in result.output.strip().splitlines())


def _variables() -> dict[str, str]:
    """Return the variables that stand for options, with the options."""
    found: dict[tuple[str, str], list[str]] = {}
    for words, command in _commands():
        for option in command.params:
            if option.envvar:
                found.setdefault((option.envvar, option.opts[0]), []).append(f"`{' '.join(words[1:])}`")
    return {
        f"`{name}`": f"`{option}` of {', '.join(users)}" for (name, option), users in sorted(found.items())
    }


def main() -> int:
    parser = argparse.ArgumentParser(prog=COMMAND, description=f"Writes {PAGE.relative_to(ROOT)}.")
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit with 1 when it is out of date"
    )
    return settle(PAGE, page(), check=parser.parse_args().check, command=COMMAND)


if __name__ == "__main__":
    sys.exit(main())

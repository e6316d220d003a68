"""The README's tour: its commands, run against a server of their own, and what they are said to print.

`python -m support.tour` (with tests/ on the path) writes what they print now into the README.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from support.running import STRONGROOM, Server, running

README = Path(__file__).parents[2] / "README.md"
SHOWN_HOME = "/home/ada"
_BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_NEXT = "=== the next command of the tour ==="
_END = "=== the end of the tour ==="

_NORMAL = (
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"), "<uuid>"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?([+-]\d\d:\d\d|Z)?"), "<time>"),
    (re.compile(r"\b\d{12}\b"), "<account>"),
    (re.compile(r"(:secret:[\w/+=.@-]+)-[A-Za-z0-9]{6}\b"), r"\1-<six>"),
    (re.compile(r"\b(AKIA|AIDA)[A-Z0-9]{12,}\b"), r"\1<id>"),
    (re.compile(r"AWS_SECRET_ACCESS_KEY=\S+"), "AWS_SECRET_ACCESS_KEY=<secret>"),
    (re.compile(r"127\.0\.0\.1:\d+"), "127.0.0.1:<port>"),
    (re.compile(r"\b\d+ records in \d+ segments"), "<n> records in <n> segments"),
)


@dataclass(frozen=True)
class Step:
    """One command as the README has it, and what stands below it."""

    command: str
    output: str


def steps(readme: str) -> list[Step]:
    """Return the commands of all console blocks, in order."""
    return [step for block in _BLOCK.findall(readme) for step in _steps_of(block)]


def _steps_of(block: str) -> Iterator[Step]:
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        lines = part.splitlines()
        length = next(at for at, line in enumerate(lines, 1) if not line.endswith("\\"))
        yield Step("\n".join(lines[:length]), "\n".join(lines[length:]).strip("\n"))


def normal(text: str) -> str:
    """Return `text` with everything that differs from run to run replaced by what it is."""
    for pattern, replacement in _NORMAL:
        text = pattern.sub(replacement, text)
    return "\n".join(line.rstrip() for line in text.strip("\n").splitlines())


@contextmanager
def toured(directory: Path) -> Iterator[tuple[Server, dict[str, str]]]:
    """Run a server as a newcomer does, whose home is `directory`; yield it with the environment to use."""
    home = directory / "home"
    home.mkdir()
    # As version 2 of the AWS CLI prints times by itself.
    (directory / "config").write_text("[default]\ncli_timestamp_format = iso8601\n")
    (directory / ".venv").symlink_to(Path(STRONGROOM).parents[1])
    inherited = dict.fromkeys(("XDG_DATA_HOME", "XDG_CONFIG_HOME"), "")
    with running(
        ["--workers", "2"], directory / "log", environment={"HOME": str(home), **inherited}
    ) as server:
        bin_directory = str(Path(STRONGROOM).parent)
        yield (
            server,
            {
                **server.environment("us-east-1"),
                "HOME": str(home),
                "PATH": f"{bin_directory}:{os.environ['PATH']}",
                "AWS_CONFIG_FILE": str(directory / "config"),
                "PYTHONWARNINGS": "ignore",
            },
        )


def outputs(commands: Sequence[str], directory: Path, environment: dict[str, str]) -> list[str]:
    """Run the commands one after the other in one shell and return what each printed."""
    script = "\n".join(f"echo '{_NEXT}'\n{command}" for command in commands) + f"\necho '{_END}'\n"
    # The shell reads from a file, so that no command can eat the ones behind it.
    (directory / "tour.sh").write_text(script)
    done = subprocess.run(
        ["bash", "tour.sh"],
        cwd=directory,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        timeout=300,
    )
    assert done.stdout.endswith(f"{_END}\n"), done.stdout
    printed = done.stdout.split(_END)[0].split(f"{_NEXT}\n")[1:]
    home = str(directory / "home")
    return [each.strip("\n").replace(home, SHOWN_HOME) for each in printed]


def written(readme: str, printed: Sequence[str]) -> str:
    """Return the README with what the commands printed below them."""
    waiting = iter(printed)

    def block(found: re.Match[str]) -> str:
        parts = []
        for step in _steps_of(found[1]):
            output = next(waiting)
            parts.append(f"$ {step.command}\n{output}\n" if output else f"$ {step.command}\n")
        return f"```console\n{''.join(parts)}```"

    return _BLOCK.sub(block, readme)


def main() -> None:
    readme = README.read_text(encoding="utf-8")
    commands = [step.command for step in steps(readme)]
    with tempfile.TemporaryDirectory() as place, toured(Path(place)) as (_, environment):
        printed = outputs(commands, Path(place), environment)
    README.write_text(written(readme, printed), encoding="utf-8")
    sys.stdout.write(f"{len(commands)} commands ran.\n")


if __name__ == "__main__":
    main()

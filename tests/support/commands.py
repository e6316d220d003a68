"""The command as a person runs it, and the processes it becomes."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.running import STRONGROOM

COMMAND_SECONDS = 60


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str

    @property
    def exports(self) -> dict[str, str]:
        """What `export NAME=value` lines say."""
        lines = [line.removeprefix("export ") for line in self.out.splitlines() if line.startswith("export ")]
        return {name: value.strip("'") for name, _, value in (line.partition("=") for line in lines)}


def home(place: Path, **more: str) -> dict[str, str]:
    """Return an environment in which everything of a user's lies below `place`."""
    place.mkdir(mode=0o700, exist_ok=True)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("STRONGROOM", "XDG_"))}
    return {**kept, "HOME": str(place), "XDG_CONFIG_HOME": "", "XDG_DATA_HOME": "", **more}


def run(arguments: Sequence[str], environment: Mapping[str, str], **options: Any) -> Outcome:
    """Run `strongroom` to its end."""
    done = subprocess.run(
        [STRONGROOM, *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=COMMAND_SECONDS,
        check=False,
        **options,
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


def descendants(pid: int) -> list[int]:
    """Return the processes that `pid` started, and those that these started."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            parents.setdefault(int(fields[1]), []).append(int(entry.name))
    found = list(parents.get(pid, ()))
    for each in found:
        found += parents.get(each, ())
    return found


def holder(pid: int, slot: str) -> int | None:
    """Return the process under `pid` that writes the trail's `slot`: `keeper`, or `api-N` for a worker."""
    for each in descendants(pid):
        try:
            targets = [os.readlink(link) for link in Path(f"/proc/{each}/fd").iterdir()]
        except OSError:
            continue
        if any(target.endswith(f"/segments/{slot}/lock") for target in targets):
            return each
    return None

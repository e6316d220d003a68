"""The README's tour prints what the README says, and its other examples work."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from support.tour import README, SHOWN_HOME, Step, normal, outputs, steps, toured, written

TEXT = README.read_text(encoding="utf-8")


def fenced(language: str) -> str:
    """Return the README's one block of a language."""
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 1
    return str(blocks[0])


def test_the_tour_prints_what_the_readme_says(tmp_path: Path) -> None:
    tour = steps(TEXT)
    assert len(tour) > 20
    with toured(tmp_path) as (server, environment):
        printed = outputs([step.command for step in tour], tmp_path, environment)
        example = fenced("python").replace("http://127.0.0.1:7780", server.endpoint)
        read = subprocess.run(
            [sys.executable, "-c", example], env=environment, text=True, capture_output=True
        )
    said = [(step.command, normal(step.output)) for step in tour]
    done = [(step.command, normal(output)) for step, output in zip(tour, printed, strict=True)]
    assert done == said, "Run ./scripts/tour and look at what it changed in README.md."
    assert read.stdout.strip() == '{"username":"shop","password":"first"}', read.stderr
    log = (tmp_path / "log").read_text()
    assert '"password"' not in log
    assert server.secret_access_key not in log


def test_the_first_start_prints_what_the_readme_says(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    environment = {"PATH": os.environ["PATH"], "HOME": str(home)}
    strongroom = Path(sys.executable).with_name("strongroom")
    server = subprocess.Popen(
        [strongroom, "serve", "--port", "0", "--workers", "1"],
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert server.stdout is not None
    said = fenced("text").strip().splitlines()
    try:
        printed = [server.stdout.readline() for _ in said]
    finally:
        server.terminate()
        rest, _ = server.communicate(timeout=30)
    assert normal("".join(printed).replace(str(home), SHOWN_HOME)) == normal("\n".join(said))
    assert rest == ""
    assert (home / ".config/strongroom/root.key").stat().st_mode & 0o777 == 0o600
    assert (home / ".local/share/strongroom").stat().st_mode & 0o777 == 0o700


def test_what_the_readme_names_is_there() -> None:
    scripts = set(re.findall(r"\./(scripts/\w+)", TEXT))
    assert {"scripts/serve", "scripts/test"} <= scripts
    for script in scripts:
        assert os.access(README.parent / script, os.X_OK), script


def test_a_step_is_a_command_with_its_continuation_and_what_stands_below() -> None:
    readme = (
        "```console\n$ one \\\n    more\nfirst line\n\nlast line\n$ two\n```\n\n```text\n$ not this\n```\n"
    )
    assert steps(readme) == [Step("one \\\n    more", "first line\n\nlast line"), Step("two", "")]
    assert steps(written(readme, ["", "printed"])) == [Step("one \\\n    more", ""), Step("two", "printed")]


def test_normal_texts_differ_only_where_runs_do() -> None:
    one = '"arn:aws:secretsmanager:us-east-1:949307592783:secret:shop/prod/db-ofiRuY" 2026-11-25T03:41:37.289000+00:00'
    two = (
        '"arn:aws:secretsmanager:us-east-1:655410435964:secret:shop/prod/db-a1b2C3" 2027-01-02T03:04:05+00:00'
    )
    assert normal(one) == normal(two)
    assert normal(one) != normal(one.replace("prod", "test"))

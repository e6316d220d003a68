"""Options, their environment variables, and what is taken out of the environment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from strongroom.cli.app import app

KEY_ID, SECRET = "AKIAEXAMPLEEXAMPLE01", "canary-secret-of-the-command-line-0001"
NAMES = ("STRONGROOM_ROOT_ACCESS_KEY_ID", "STRONGROOM_ROOT_SECRET_ACCESS_KEY")


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.startswith(("STRONGROOM_", "XDG_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


def test_a_given_key_is_used_and_taken_out_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the processes of a server inherit shows in /proc to every process of the user."""
    monkeypatch.setenv(NAMES[0], KEY_ID)
    monkeypatch.setenv(NAMES[1], SECRET)
    result = invoke("init", "--json", "--account", "123456789012")
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout) == {
        "account_id": "123456789012",
        "access_key_id": KEY_ID,
        "secret_access_key": SECRET,
    }
    assert not set(NAMES) & set(os.environ)


@pytest.mark.parametrize("given", NAMES)
def test_half_a_key_is_wrong_usage(monkeypatch: pytest.MonkeyPatch, given: str, tmp_path: Path) -> None:
    monkeypatch.setenv(given, SECRET)
    result = invoke("init")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == (f"strongroom: {NAMES[0]} and {NAMES[1]} go together; one of them is not set.\n")
    assert not (tmp_path / "home").exists()


def test_options_have_environment_variables(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STRONGROOM_DATA_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("STRONGROOM_ROOT_KEY", f"file:{tmp_path}/elsewhere.key")
    assert invoke("init").exit_code == 0
    assert (tmp_path / "elsewhere" / "FORMAT").exists()
    assert (tmp_path / "elsewhere.key").exists()
    assert not (tmp_path / "home").exists()


def test_text_is_what_a_shell_can_evaluate() -> None:
    result = invoke("init", "--region", "eu-west-3")
    script = f'{result.stdout}\nprintf \'%s %s %s\' "$AWS_ACCESS_KEY_ID" "$AWS_SECRET_ACCESS_KEY" "$AWS_DEFAULT_REGION"'
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    key_id, secret, region = done.stdout.split(" ")
    assert key_id.startswith("AKIA")
    assert len(secret) == 40
    assert region == "eu-west-3"


@pytest.mark.parametrize(
    ("store", "text"),
    [
        ("postgresql://user:canary-password@db/room", "PostgreSQL is not there yet"),
        ("postgres://user:canary-password@db/room", "PostgreSQL is not there yet"),
        ("mysql", "the only store is sqlite"),
        ("", "the only store is sqlite"),
    ],
)
def test_a_store_that_is_not_there_is_wrong_usage(store: str, text: str, tmp_path: Path) -> None:
    result = invoke("serve", "--store", store)
    assert (result.exit_code, result.stdout) == (2, "")
    assert text in " ".join(result.stderr.replace("│", " ").split())
    assert "canary-password" not in result.stderr
    assert not (tmp_path / "home").exists()


def test_help_loads_nothing_heavy() -> None:
    """So that it answers at once."""
    code = (
        "import sys; sys.argv = ['strongroom', '--help']\n"
        "from strongroom.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'botocore', 'sqlalchemy', 'alembic', 'granian', 'sqlite3', 'cryptography'} & set(sys.modules)\n"
        "sys.exit(f'loaded: {sorted(heavy)}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Usage: " in done.stdout


def test_the_trail_of_a_newer_format_is_not_judged(tmp_path: Path) -> None:
    """What a newer version writes differently would be called damage."""
    data_dir = tmp_path / "data"
    assert invoke("init", "--data-dir", str(data_dir)).exit_code == 0
    assert invoke("trail", "verify", "--data-dir", str(data_dir)).exit_code == 0
    before = (data_dir / "FORMAT").read_text()
    (data_dir / "FORMAT").write_text(before.replace("1", "2"))
    for options in ((), ("--json",)):
        result = invoke("trail", "verify", "--data-dir", str(data_dir), *options)
        assert (result.exit_code, result.stdout) == (3, "")
        assert result.stderr == (
            f"strongroom: The data directory {data_dir} was written by a newer version of strongroom: it has "
            "format 2, this version knows 1. Use the newer version.\n"
        )

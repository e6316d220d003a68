"""A runner for each way of shutting functions in that this machine has."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from strongroom.functions.confinement import Level, sandbox_level
from strongroom.functions.runner import SandboxRunner
from support.function_room import LIMITS, RememberingLog, command_lines, run_directory


@pytest.fixture(scope="session")
def level() -> Level:
    """How functions are shut in here; said in the output, so that a run of the tests tells what it tested."""
    found, words = sandbox_level()
    if found is Level.NONE:
        pytest.skip(f"functions cannot be shut in here: {words}")
    return found


@pytest.fixture(scope="session", autouse=True)
def temporary_directory() -> Iterator[None]:
    """These tests' own, which other users may pass through, unlike pytest's."""
    before, tempfile.tempdir = tempfile.tempdir, tempfile.mkdtemp(prefix="functions-")
    Path(tempfile.tempdir).chmod(0o711)
    yield
    shutil.rmtree(tempfile.tempdir)
    tempfile.tempdir = before


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("data")
    made.chmod(0o700)
    return made


@pytest.fixture(scope="module")
def log() -> RememberingLog:
    return RememberingLog()


@pytest.fixture(scope="module")
def runner(data_dir: Path, log: RememberingLog, level: Level) -> Iterator[SandboxRunner]:
    made = SandboxRunner(data_dir, log, limits=LIMITS)
    yield made
    made.close()
    assert log.errors() == []
    assert [line for line in command_lines() if str(data_dir) in line] == []
    assert [path.name for path in run_directory(data_dir).iterdir()] == ["lock"]


@pytest.fixture
def in_jail(level: Level) -> None:
    if level is not Level.JAIL:
        pytest.skip(
            "bubblewrap cannot be used here" if shutil.which("bwrap") else "bubblewrap is not installed"
        )

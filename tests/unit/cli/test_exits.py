"""Errors a person can act on: a line on standard error, and an exit code."""

from __future__ import annotations

import pytest
import typer

from strongroom.cli.exits import Exit, refusals
from strongroom.errors import IntegrityError, ServiceUnavailableException
from strongroom.operations.iam.bootstrap import BootstrapError
from strongroom.rootkey import RootKeyError
from strongroom.store.errors import RoomError
from strongroom.trail.segment import TrailError


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (RoomError("In use."), 3, "In use."),
        (RootKeyError("No key."), 3, "No key."),
        (TrailError("No trail."), 3, "No trail."),
        (BootstrapError("No account."), 2, "No account."),
        (IntegrityError("a page is altered"), 4, "Damage found: a page is altered."),
        (ServiceUnavailableException("The disk is full."), 1, "The disk is full."),
        (OSError(28, "No space left on device"), 1, "[Errno 28] No space left on device"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_each_has_its_code_and_its_line(
    error: Exception, code: int, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(typer.Exit) as ended, refusals():
        raise error
    assert ended.value.exit_code == code
    assert ended.value.__cause__ is error
    told = capsys.readouterr()
    assert (told.out, told.err) == ("", f"strongroom: {line}\n")


def test_a_bug_is_not_dressed_up() -> None:
    with pytest.raises(ZeroDivisionError), refusals():
        _ = 1 // 0


def test_what_ends_well_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with refusals():
        pass
    told = capsys.readouterr()
    assert (told.out, told.err) == ("", "")


def test_the_codes_are_the_ones_scripts_rely_on() -> None:
    """DESIGN section 10."""
    assert {each.name: each.value for each in Exit} == {
        "DONE": 0,
        "FAILED": 1,
        "USAGE": 2,
        "REFUSED": 3,
        "DAMAGED": 4,
    }

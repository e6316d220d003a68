"""What the operator is told, and that telling never fails."""

from __future__ import annotations

import io
import json
import sys

import pytest

from strongroom.server.log import open_log


class Full(io.StringIO):
    def write(self, _text: str) -> int:
        raise OSError(28, "No space left on device")


def failure(secret: str) -> ValueError:
    try:
        raise ValueError("it went wrong")
    except ValueError as error:
        assert secret
        return error


def test_a_matter_is_one_line_of_json(monkeypatch: pytest.MonkeyPatch) -> None:
    told = io.StringIO()
    monkeypatch.setattr(sys, "stderr", told)
    open_log("worker").error("bug", request_id="r-1", exc_info=failure("canary"))
    (line,) = told.getvalue().splitlines()
    said = json.loads(line)
    assert (said["process"], said["event"], said["request_id"]) == ("worker", "bug", "r-1")
    assert (said["level"], "timestamp" in said) == ("error", True)
    assert "ValueError: it went wrong" in said["exception"]
    assert "canary" not in line


@pytest.mark.parametrize("level", ["debug", "info", "warning", "error", "critical"])
def test_a_line_that_cannot_be_written_stops_nobody(level: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Full())
    getattr(open_log("worker"), level)("bug")

"""The logs of functions: bounded, private, and safe to show."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from strongroom.functions.limits import Limits
from strongroom.functions.logs import FunctionLogs, LogEntry
from support.function_room import FUNCTION_ARN

NOW = dt.datetime(2026, 3, 1, 12, 30, 15, 123000, tzinfo=dt.UTC)


@pytest.fixture
def logs(tmp_path: Path) -> FunctionLogs:
    return FunctionLogs(tmp_path, Limits(log_bytes=1000, log_files=3))


def texts(logs: FunctionLogs) -> list[str]:
    return [entry.text for entry in logs.read(FUNCTION_ARN)[0]]


def test_what_is_written_is_read(logs: FunctionLogs) -> None:
    logs.write(FUNCTION_ARN, NOW, "id-1", None, b"one\n")
    logs.write(FUNCTION_ARN, NOW, "id-2", "Unhandled", b"two\n")
    assert logs.read(FUNCTION_ARN)[0] == [
        LogEntry(NOW, "id-1", None, "one\n"),
        LogEntry(NOW, "id-2", "Unhandled", "two\n"),
    ]
    assert logs.read(FUNCTION_ARN + "-other") == ([], 0)


def test_a_reader_goes_on_where_it_was(logs: FunctionLogs) -> None:
    logs.write(FUNCTION_ARN, NOW, "id-1", None, b"one")
    _, mark = logs.read(FUNCTION_ARN)
    assert logs.read(FUNCTION_ARN, mark)[0] == []
    logs.write(FUNCTION_ARN, NOW, "id-2", None, b"two")
    entries, mark = logs.read(FUNCTION_ARN, mark)
    assert [entry.text for entry in entries] == ["two"]
    assert logs.read(FUNCTION_ARN, mark) == ([], mark)


def test_files_are_turned_over_and_the_oldest_goes(logs: FunctionLogs, tmp_path: Path) -> None:
    for number in range(12):
        logs.write(FUNCTION_ARN, NOW, str(number), None, b"x" * 300)
    entries, _ = logs.read(FUNCTION_ARN)
    assert [entry.request_id for entry in entries] == [str(n) for n in range(12)][-len(entries) :]
    assert 4 <= len(entries) <= 8
    files = {p.name: p.stat() for p in tmp_path.rglob("*") if p.is_file()}
    assert set(files) == {"lock", "current.jsonl", "1.jsonl", "2.jsonl"}
    assert all(s.st_size <= 1000 and s.st_mode & 0o777 == 0o600 for s in files.values())


def test_what_would_act_on_a_terminal_is_taken_out(logs: FunctionLogs) -> None:
    logs.write(FUNCTION_ARN, NOW, "id", None, b"\x1b[2Jcleared\r\tkept\nline\xff\xe2\x80\xae")
    assert texts(logs) == ["\ufffd[2Jcleared\ufffd\tkept\nline\ufffd\ufffd"]


def test_an_unfinished_or_damaged_line_is_passed_over(logs: FunctionLogs, tmp_path: Path) -> None:
    logs.write(FUNCTION_ARN, NOW, "id", None, b"whole")
    current = next(tmp_path.rglob("current.jsonl"))
    whole = current.read_bytes()
    current.write_bytes(b'{"at": 7}\nno json\n[]\n' + whole + whole[:20])
    assert texts(logs) == ["whole"]


def test_a_functions_log_can_be_forgotten(logs: FunctionLogs) -> None:
    logs.write(FUNCTION_ARN, NOW, "id", None, b"one")
    logs.write(FUNCTION_ARN + "2", NOW, "id", None, b"two")
    logs.forget(FUNCTION_ARN)
    assert texts(logs) == []
    assert [e.text for e in logs.read(FUNCTION_ARN + "2")[0]] == ["two"]


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:lambda:eu-central-1:123456789012:function:../../etc",
        "arn:aws:lambda:eu-central-1:..:function:rotate",
        "arn:aws:lambda:eu-central-1:123456789012:function:",
        "rotate",
    ],
)
def test_names_that_lead_elsewhere_are_refused(logs: FunctionLogs, tmp_path: Path, arn: str) -> None:
    for act in (
        lambda: logs.write(arn, NOW, "id", None, b"x"),
        lambda: logs.read(arn),
        lambda: logs.forget(arn),
    ):
        with pytest.raises(ValueError, match="no function's ARN"):
            act()
    assert list(tmp_path.rglob("*")) == []

"""`strongroom function list` and `logs`: what is there, and what it printed."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import orjson
import pytest

from strongroom.cli.exits import Exit
from strongroom.cli.functions import print_functions, print_logs
from strongroom.function.references import function_arn
from strongroom.functions.logs import FunctionLogs
from strongroom.identity.records import Account
from strongroom.names import AccountId
from strongroom.ports import ACCOUNTS, FUNCTION_VERSIONS, FUNCTIONS
from strongroom.store.errors import RoomError
from strongroom.store.room import Room
from strongroom.store.sqlite import SqliteStore
from support.key_room import ACCOUNT, NOON, OTHER_ACCOUNT, REGION
from support.lambda_room import FunctionRoom

ARN = function_arn(REGION, ACCOUNT, "rotate")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory with two accounts and a function in each."""
    directory = tmp_path / "data"
    Room.create(directory).close()
    memory = FunctionRoom()
    records = [memory.function(account_id=each, timeout_seconds=30) for each in (ACCOUNT, OTHER_ACCOUNT)]
    store = SqliteStore.open(directory)

    def fill(unit: object) -> None:
        for each in records:
            function = memory.unit.find(FUNCTIONS, f"{each.account_id}/{REGION}", "rotate")
            assert function is not None
            unit.save(ACCOUNTS, Account(account_id=each.account_id, created_at=NOON))  # type: ignore[attr-defined]
            unit.save(FUNCTIONS, function)  # type: ignore[attr-defined]
            unit.save(FUNCTION_VERSIONS, each)  # type: ignore[attr-defined]

    store.write(fill).result()
    store.close()
    return directory


def logged(data: Path, request_id: str, text: str, error: str | None = None, arn: str = ARN) -> None:
    at = NOON + dt.timedelta(seconds=len(request_id))
    FunctionLogs(data).write(arn, at, request_id, error, text.encode())


def test_functions_of_all_accounts_are_listed(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert print_functions(data, account_id=None, region=REGION, as_json=False) is Exit.DONE
    assert capsys.readouterr().out == "".join(
        f"arn:aws:lambda:{REGION}:{each}:function:rotate  python3.12  main.handler  "
        f"role arn:aws:iam::{each}:role/rotate-role\n"
        for each in (ACCOUNT, OTHER_ACCOUNT)
    )
    print_functions(data, account_id=OTHER_ACCOUNT, region=REGION, as_json=True)
    [listed] = orjson.loads(capsys.readouterr().out)["functions"]
    assert (listed["account_id"], listed["name"], listed["timeout_seconds"]) == (OTHER_ACCOUNT, "rotate", 30)
    print_functions(data, account_id=None, region="us-west-2", as_json=False)
    assert capsys.readouterr().out == "There are no functions in us-west-2.\n"


def logs(data: Path, name: str = "rotate", account: str | None = ACCOUNT, **how: bool) -> Exit:
    wanted = {"follow": False, "as_json": False, **how}
    return print_logs(data, name, account_id=account, region=REGION, **wanted)


def test_what_a_function_printed_is_shown_call_by_call(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    logged(data, "one", "first\nsecond\n")
    logged(data, "three", "third\x1b[31m\n", "Unhandled")
    assert logs(data) is Exit.DONE
    assert capsys.readouterr().out == (
        "2026-01-01T12:00:03Z  one\n  first\n  second\n"
        "2026-01-01T12:00:05Z  three  Unhandled error\n  third\N{REPLACEMENT CHARACTER}[31m\n"
    )
    logs(data, ARN, account=None, as_json=True)
    first, _ = map(orjson.loads, capsys.readouterr().out.splitlines())
    assert first == {
        "at": "2026-01-01T12:00:03+00:00",
        "request_id": "one",
        "function_error": None,
        "text": "first\nsecond\n",
    }


def test_following_shows_each_call_once_whatever_is_turned_over(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    logged(data, "one", "first")
    coming = ["two", "three", "four"]
    directory = data / "functions" / "logs" / ACCOUNT / REGION / "rotate"

    def wait() -> bool:
        if not coming:
            return False
        if len(coming) == 2:
            (directory / "current.jsonl").rename(directory / "1.jsonl")
        logged(data, coming.pop(0), "more")
        return True

    print_logs(data, "rotate", account_id=ACCOUNT, region=REGION, follow=True, as_json=False, wait=wait)
    shown = [line.split()[1] for line in capsys.readouterr().out.splitlines() if line.startswith("2026")]
    assert shown == ["one", "two", "three", "four"]


def test_a_function_that_has_gone_still_has_its_log(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    logged(data, "one", "last words", arn=function_arn(REGION, ACCOUNT, "gone"))
    logs(data, "gone", account=None)
    assert "last words" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "account", "message"),
    [
        ("nobody", None, f"There is no function nobody in {REGION}."),
        ("no such name", None, f"There is no function no such name in {REGION}."),
        (
            "rotate",
            None,
            f"Several accounts have a function rotate: {ACCOUNT}, {OTHER_ACCOUNT}. Say which: --account.",
        ),
        ("rotate", AccountId("999999999999"), f"There is no function rotate in {REGION}."),
    ],
)
def test_what_is_not_there_is_said(data: Path, name: str, account: str | None, message: str) -> None:
    with pytest.raises(RoomError) as refused:
        logs(data, name, account)
    assert str(refused.value) == message

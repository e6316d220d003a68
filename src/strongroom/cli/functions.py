"""`strongroom function`: the functions of a data directory, and what they printed."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import orjson
import typer

from strongroom.cli.exits import Exit
from strongroom.function.records import LATEST, Function, FunctionVersion
from strongroom.function.references import FunctionRef, parse_function_ref
from strongroom.functions.logs import FunctionLogs, LogEntry
from strongroom.names import AccountId, Region
from strongroom.operations.lambda_.standing import stored_function
from strongroom.ports import ACCOUNTS, FUNCTION_VERSIONS, FUNCTIONS, ReadUnit, account_region
from strongroom.store.errors import RoomError
from strongroom.store.room import Room
from strongroom.store.sqlite import SqliteStore

__all__ = ["print_functions", "print_logs"]

T = TypeVar("T")

POLL_SECONDS: Final = 0.5


def print_functions(data_dir: Path, *, account_id: str | None, region: str, as_json: bool) -> Exit:
    """Print the functions of a region, with what runs under each name.

    Raises:
        RoomError: it is no data directory.
    """

    def find(unit: ReadUnit) -> list[tuple[Function, FunctionVersion | None]]:
        return [
            (function, unit.find(FUNCTION_VERSIONS, function.arn, LATEST))
            for each in ([account_id] if account_id else _accounts(unit))
            for function in unit.scan(FUNCTIONS, account_region(each, region))
        ]

    found = _read(data_dir, find)
    if as_json:
        fields = [_fields(function, version) for function, version in found]
        typer.echo(orjson.dumps({"functions": fields}).decode())
        return Exit.DONE
    for function, version in found:
        words = "" if version is None else f"  {version.runtime}  {version.handler}  role {version.role_arn}"
        typer.echo(f"{function.arn}{words}")
    if not found:
        typer.echo(f"There are no functions in {region}.")
    return Exit.DONE


def print_logs(
    data_dir: Path,
    name: str,
    *,
    account_id: str | None,
    region: str,
    follow: bool,
    as_json: bool,
    wait: Callable[[], bool] | None = None,
) -> Exit:
    """Print what a function printed, call by call, the oldest first; with `follow` what comes later, too.

    `wait` returns after a while, and False when nothing more is wanted; by default half a second, for ever.

    Raises:
        RoomError: it is no data directory, or there is neither such a function nor a log of one.
    """
    ref = _found(data_dir, name, account_id, Region(region))
    logs, mark = FunctionLogs(data_dir), 0
    shown: set[str] = set()
    while True:
        entries, mark = logs.read(ref.arn, mark)
        # A log that was turned over in the meantime is given again.
        _print_entries([each for each in entries if each.request_id not in shown], as_json=as_json)
        shown.update(each.request_id for each in entries)
        if not follow or not (wait or _half_a_second)():
            return Exit.DONE


def _half_a_second() -> bool:
    time.sleep(POLL_SECONDS)
    return True


def _print_entries(entries: Sequence[LogEntry], *, as_json: bool) -> None:
    for each in entries:
        if as_json:
            fields = {
                "at": each.at.isoformat(),
                "request_id": each.request_id,
                "function_error": each.function_error,
                "text": each.text,
            }
            typer.echo(orjson.dumps(fields).decode())
            continue
        error = "" if each.function_error is None else f"  {each.function_error} error"
        typer.echo(f"{each.at:%Y-%m-%dT%H:%M:%S}Z  {each.request_id}{error}")
        for line in each.text.splitlines():
            typer.echo(f"  {line}")


def _fields(function: Function, version: FunctionVersion | None) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "arn": function.arn,
        "name": function.name,
        "account_id": function.account_id,
        "region": function.region,
        "created_at": function.created_at,
        "tags": dict(function.tags),
    }
    if version is not None:
        fields |= {
            "runtime": version.runtime,
            "handler": version.handler,
            "role": version.role_arn,
            "timeout_seconds": version.timeout_seconds,
            "memory_mb": version.memory_mb,
            "code_sha256": version.code_sha256,
            "modified_at": version.modified_at,
        }
    return fields


def _found(data_dir: Path, name: str, account_id: str | None, region: Region) -> FunctionRef:
    """Return the one function of that name, or ARN, that is there or has left a log."""

    def find(unit: ReadUnit) -> list[tuple[FunctionRef, bool]]:
        accounts = [account_id] if account_id else _accounts(unit)
        refs = {parse_function_ref(name, region, AccountId(each)) for each in accounts}
        return [(ref, stored_function(unit, ref) is not None) for ref in refs if ref is not None]

    logs = FunctionLogs(data_dir)
    candidates = _read(data_dir, find)
    found = [ref for ref, is_there in candidates if is_there] or [
        ref for ref, _ in candidates if logs.read(ref.arn)[0]
    ]
    if not found:
        raise RoomError(f"There is no function {name} in {region}.")
    if len(found) > 1:
        accounts = ", ".join(sorted(ref.account_id for ref in found))
        raise RoomError(f"Several accounts have a function {name}: {accounts}. Say which: --account.")
    return found[0]


def _accounts(unit: ReadUnit) -> list[str]:
    return [account.account_id for account in unit.scan(ACCOUNTS, "")]


def _read(data_dir: Path, work: Callable[[ReadUnit], T]) -> T:
    room = Room.open(data_dir, own=False)
    store = SqliteStore.open(room.path)
    try:
        return store.read(work)
    finally:
        store.close()
        room.close()

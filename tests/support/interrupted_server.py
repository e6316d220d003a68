"""`strongroom` that stops before and after each write of a rotation, and asks whoever runs it whether to go on.

Run as a program, with the path of a Unix socket in INTERRUPTIONS (`support.interruptions` listens there). Pauses
that a person would not notice the lack of are short here, so that a test may interrupt often.
"""

from __future__ import annotations

import datetime as dt
import inspect
import os
import socket
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import Any

PROGRAM = (sys.executable, str(Path(__file__).resolve()))
"""For `support.running.start`."""

VARIABLE = "INTERRUPTIONS"
OPERATIONS = ("RotateSecret", "PutSecretValue", "UpdateSecretVersionStage")
"""Whose writes are stopped at, beside those of the rotation process itself."""
ATTEMPT_SECONDS = 2.0
"""What a step may take here."""


def stopped_at_writes() -> None:
    """From now on writes of rotations go through the socket."""
    from strongroom.store.sqlite import SqliteStore

    write = SqliteStore.write

    def stopped(self: SqliteStore, work: Callable[[Any], Any]) -> Future[Any]:
        name = _name(work)
        if name is None:
            return write(self, work)
        answer: Future[Any] = Future()
        # On a thread of its own: a process that is stopped at a write answers other calls.
        threading.Thread(target=carry_out, args=(self, work, name, answer), daemon=True).start()
        return answer

    def carry_out(self: SqliteStore, work: Callable[[Any], Any], name: str, answer: Future[Any]) -> None:
        try:
            _ask(name, "before")
            result = write(self, work).result()
            _ask(name, "after")
        except BaseException as error:
            answer.set_exception(error)
        else:
            answer.set_result(result)

    SqliteStore.write = stopped  # type: ignore[method-assign,assignment]


def short_pauses() -> None:
    from strongroom.operations.secretsmanager import settling
    from strongroom.secret import steps
    from strongroom.server import pipeline, rotating, rotation_steps, supervisor

    steps.RETRY_PAUSES = tuple(dt.timedelta(seconds=0.1) for _ in range(20))  # type: ignore[misc]
    # Who looks while a rotation is stopped looks at how it would stay.
    settling.SETTLING = dt.timedelta(seconds=0.2)  # type: ignore[misc]
    pipeline.WAITED_SECONDS = 0.2  # type: ignore[misc]
    rotating.REST_SECONDS = 0.2  # type: ignore[misc]
    rotation_steps.ATTEMPT_SECONDS = ATTEMPT_SECONDS  # type: ignore[misc]
    supervisor.RESTART_SECONDS = 0.05  # type: ignore[misc]


def _name(work: Callable[[Any], Any]) -> str | None:
    """Return what a write is called if it is part of a rotation."""
    inner = getattr(work, "func", work)
    where = getattr(inner, "__qualname__", "")
    if where.startswith("Rotations._write"):
        return str(inspect.getclosurevars(inner).nonlocals["work"].__name__)
    if where == "Pipeline._commit":
        operation: str = work.args[0].operation  # type: ignore[attr-defined]
        return operation if operation in OPERATIONS else None
    return None


def _ask(name: str, when: str) -> None:
    with suppress(OSError), socket.socket(socket.AF_UNIX) as asking:
        asking.connect(os.environ[VARIABLE])
        asking.sendall(f"{name} {when}\n".encode())
        asking.recv(1)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from strongroom.cli import main

    stopped_at_writes()
    short_pauses()
    main()

"""Sandboxes are bounded in number, reused while they may be, and none is left behind."""

from __future__ import annotations

import json
import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from strongroom.functions.confinement import Level
from strongroom.functions.inside.landlock import version
from strongroom.functions.limits import Limits
from strongroom.functions.processes import users_processes
from strongroom.functions.runner import SandboxRunner
from strongroom.secret.document import FaultKind, RotationFault
from support.function_room import (
    FUNCTION_ARN,
    LIMITS,
    RememberingLog,
    a_zip,
    an_invocation,
    command_lines,
    eventually,
    run_directory,
)

CANARY = f"canary-that-waits-{os.getpid()}"
COUNTS = """
calls = 0
def handler(event, context):
    global calls
    calls += 1
    return calls
"""
LOOP = "import os, time; os.fork() and os._exit(0); time.sleep(600)"
WAITS = f"""
import os, subprocess, sys
def handler(event, context):
    wait = "import time; time.sleep(%s)" % event["seconds"]
    subprocess.run([sys.executable, "-c", wait, {CANARY!r}])
    return os.getuid()
"""


def runners(tmp_path: Path, **limits: Any) -> tuple[SandboxRunner, RememberingLog]:
    log = RememberingLog()
    return SandboxRunner(tmp_path, log, limits=Limits(**{"spares": 0, "preload": False, **limits})), log


def sandboxes(tmp_path: Path) -> list[str]:
    """Return the places of the sandboxes there are."""
    return [path.name for path in run_directory(tmp_path).glob("*/places/*")]


def count(runner: SandboxRunner, function: str = "") -> int:
    result = runner.invoke(an_invocation(COUNTS, function_arn=FUNCTION_ARN + function))
    assert result.function_error is None, result.payload
    return int(result.payload)


def test_many_callers_share_what_there_is(tmp_path: Path, level: Level) -> None:
    runner, log = runners(tmp_path, sandboxes=3)
    most = 0
    try:
        with ThreadPoolExecutor(12) as threads:
            calls = [threads.submit(count, runner, f"-{n % 2}") for n in range(40)]
            while not all(call.done() for call in calls):
                most = max(most, len(sandboxes(tmp_path)))
            results = [call.result() for call in calls]
    finally:
        runner.close()
    assert len(results) == 40
    assert most <= 3
    assert max(results) > 1
    assert log.errors() == []
    assert sandboxes(tmp_path) == []


def test_calls_at_once_of_one_function_have_sandboxes_and_users_of_their_own(
    tmp_path: Path, level: Level
) -> None:
    runner, _ = runners(tmp_path, sandboxes=3)
    event = json.dumps({"seconds": 1}).encode()
    try:
        with ThreadPoolExecutor(3) as threads:
            results = list(threads.map(lambda _: runner.invoke(an_invocation(WAITS, event=event)), range(3)))
    finally:
        runner.close()
    users = {json.loads(result.payload) for result in results}
    assert len(users) == (3 if os.geteuid() == 0 else 1)
    assert os.getuid() not in users or os.geteuid() != 0


def test_a_call_that_finds_no_place_in_time_is_refused(tmp_path: Path, level: Level) -> None:
    runner, _ = runners(tmp_path, sandboxes=1, wait_seconds=0.1)
    event = json.dumps({"seconds": 600}).encode()
    try:
        with ThreadPoolExecutor(1) as thread:
            busy = thread.submit(runner.invoke, an_invocation(WAITS, event=event, timeout_seconds=3))
            eventually(lambda: len(sandboxes(tmp_path)) == 1)
            with pytest.raises(RotationFault) as raised:
                count(runner)
            assert (raised.value.kind, raised.value.message) == (
                FaultKind.FUNCTION,
                "too many functions are running",
            )
            assert json.loads(busy.result().payload)["errorType"] == "Sandbox.Timedout"
        assert count(runner) == 1
    finally:
        runner.close()


def test_an_idle_sandbox_makes_place_for_another_function(tmp_path: Path, level: Level) -> None:
    runner, _ = runners(tmp_path, sandboxes=1)
    try:
        assert [count(runner), count(runner), count(runner, "-other"), count(runner)] == [1, 2, 1, 1]
    finally:
        runner.close()


def test_an_idle_sandbox_stands_still_and_is_ended_after_a_while(tmp_path: Path, level: Level) -> None:
    runner, _ = runners(tmp_path, idle_seconds=0.2)
    code = """
import threading, time
beats = 0
def beat():
    global beats
    while True:
        beats += 1
        time.sleep(0.001)
threading.Thread(target=beat, daemon=True).start()
def handler(event, context):
    return beats
"""
    try:
        runner.invoke(an_invocation(code))
        assert len(sandboxes(tmp_path)) == 1
        eventually(lambda: sandboxes(tmp_path) == [])
        assert [line for line in command_lines() if str(tmp_path) in line] == []
    finally:
        runner.close()


@pytest.mark.parametrize("spares", [0, 1], ids=["warm", "spare"])
def test_a_sandbox_that_was_killed_while_it_waited_is_not_used(
    tmp_path: Path, level: Level, spares: int
) -> None:
    """By the kernel, say, which had no more memory."""
    if os.geteuid() != 0:
        pytest.skip("the processes of a sandbox are found by its user here, which it has for root only")
    runner, log = runners(tmp_path, spares=spares, first_user=LIMITS.first_user, users=LIMITS.users)

    def waiting() -> list[int]:
        users = range(LIMITS.first_user, LIMITS.first_user + LIMITS.users)
        return [pid for user in users for pid in users_processes(user)]

    try:
        count(runner)
        eventually(lambda: len(waiting()) == 1 + spares)
        for pid in waiting():
            os.kill(pid, signal.SIGKILL)
        eventually(lambda: waiting() == [])
        assert count(runner) == 1
    finally:
        runner.close()
    assert log.errors() == []


def test_a_sandbox_that_is_too_old_is_not_used_again(tmp_path: Path, level: Level) -> None:
    runner, _ = runners(tmp_path, age_seconds=5)
    try:
        # The time-out of the function, ten seconds, is more than it has left.
        assert [count(runner), count(runner)] == [1, 1]
    finally:
        runner.close()


def test_a_spare_serves_the_next_function(tmp_path: Path, level: Level) -> None:
    runner, log = runners(tmp_path, spares=1, sandboxes=2, preload=True)
    try:
        runner.expect(spare=True)
        eventually(lambda: len(sandboxes(tmp_path)) == 1)
        (spare,) = sandboxes(tmp_path)
        assert count(runner) == 1
        assert spare in sandboxes(tmp_path)
        eventually(lambda: len(sandboxes(tmp_path)) == 2)
        # Spares give way: with two functions at work there is place for none.
        eventually(lambda: count(runner, "-other") > 1 and count(runner) > 1)
        assert len(sandboxes(tmp_path)) == 2
    finally:
        runner.close()
    assert log.errors() == []


def test_without_a_spare_to_expect_a_call_takes_no_memory(tmp_path: Path, level: Level) -> None:
    runner, log = runners(tmp_path, spares=1)
    try:
        runner.expect(spare=False)
        # What the first call would have to find out and make is there.
        eventually(lambda: len(list(run_directory(tmp_path).glob("*/runtime/*/bootstrap.py"))) == 1)
        eventually(lambda: len(log.lines) == 1)
        runner.expect(spare=False)
        assert count(runner) == 1
        assert len(log.lines) == 1
        # The call's own, and the spare that is kept from then on.
        eventually(lambda: len(sandboxes(tmp_path)) == 2)
    finally:
        runner.close()


def test_a_spare_may_be_older_than_a_function_s_sandbox(tmp_path: Path, level: Level) -> None:
    """Its age counts from when it got its function: rotations are a month apart."""
    runner, log = runners(tmp_path, spares=1, sandboxes=1, age_seconds=11)
    try:
        runner.expect(spare=True)
        eventually(lambda: len(runner._pool._spares) == 1)
        runner._pool._spares[0].loaded_at -= 3600
        assert [count(runner), count(runner)] == [1, 2]
    finally:
        runner.close()
    assert log.errors() == []


def test_code_that_brings_its_own_boto3_gets_it_from_a_spare_too(tmp_path: Path, level: Level) -> None:
    own = a_zip(
        {"rotate.py": "import boto3\ndef handler(e, c): return boto3.OWN\n", "boto3.py": "OWN = 'own'\n"}
    )
    runner, log = runners(tmp_path, spares=1, sandboxes=2, preload=True)
    try:
        runner.expect(spare=True)
        eventually(lambda: len(runner._pool._spares) == 1)
        assert runner.invoke(an_invocation(own)).payload == b'"own"'
    finally:
        runner.close()
    assert log.errors() == []


def test_what_cannot_be_had_is_not_expected_again_and_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("strongroom.functions.runner.sandbox_level", lambda _: (Level.NONE, "nothing here"))
    runner, log = runners(tmp_path, spares=1)
    refused = ("warning", "a sandbox could not be prepared")
    try:
        runner.expect(spare=True)
        eventually(lambda: [line[:2] for line in log.lines] == [refused])
        for spare in (True, False):
            runner.expect(spare=spare)
        # A call is told all the same, after whatever was expected before it.
        with pytest.raises(RotationFault) as raised:
            count(runner)
        assert raised.value.message == "functions are not run on this machine: nothing here"
        assert [line[:2] for line in log.lines] == [refused]
    finally:
        runner.close()


def test_nothing_runs_after_close(tmp_path: Path, level: Level) -> None:
    runner, _ = runners(tmp_path)
    count(runner)
    event = json.dumps({"seconds": 600}).encode()
    with ThreadPoolExecutor(1) as thread:
        busy = thread.submit(runner.invoke, an_invocation(WAITS, event=event, timeout_seconds=600))
        eventually(lambda: any(CANARY in line for line in command_lines()))
        runner.close()
        result = busy.result()
    assert json.loads(result.payload)["errorType"] == "Runtime.ExitError"
    assert [line for line in command_lines() if str(tmp_path) in line] == []
    assert sandboxes(tmp_path) == []
    with pytest.raises(RotationFault) as raised:
        count(runner)
    assert raised.value.message == "too many functions are running"


def test_a_runner_that_was_never_used_leaves_nothing(tmp_path: Path) -> None:
    runner, log = runners(tmp_path)
    runner.close()
    assert (list(tmp_path.iterdir()), log.lines) == ([], [])
    assert threading.active_count() == len(threading.enumerate())


def test_unpacked_code_is_kept_within_bounds(tmp_path: Path, level: Level) -> None:
    runner, _ = runners(tmp_path, cache_bytes=100, sandboxes=1)
    try:
        for number in range(4):
            code = f"DATA = '{'x' * 80}'\ndef handler(event, context): return {number}\n"
            assert runner.invoke(an_invocation(code)).payload == str(number).encode()
        kept = list(run_directory(tmp_path).glob("*/code/*"))
        assert len(kept) == 1
    finally:
        runner.close()


def test_functions_are_not_run_where_nothing_holds_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = "bubblewrap (bwrap) is not installed; and only root can give functions a user of their own"
    monkeypatch.setattr("strongroom.functions.runner.sandbox_level", lambda _: (Level.NONE, words))
    runner, _ = runners(tmp_path)
    with pytest.raises(RotationFault) as raised:
        count(runner)
    assert raised.value.message == f"functions are not run on this machine: {words}"
    runner.close()
    assert list(tmp_path.rglob("*.py")) == []


def test_functions_are_run_there_when_the_operator_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are the server's own user's then, and fenced in by Landlock where the kernel has it."""
    monkeypatch.setattr("strongroom.functions.runner.sandbox_level", lambda _: (Level.NONE, "nothing"))
    log = RememberingLog()
    runner = SandboxRunner(tmp_path, log, limits=Limits(spares=0, preload=False), allow_unconfined=True)
    try:
        assert count(runner) == 1
        assert count(runner) == 2
        # It leaves a process of another session behind, which is ended all the same.
        leaves = an_invocation(
            f"import subprocess, sys\ndef handler(e, c):\n"
            f"    subprocess.Popen([sys.executable, '-c', {LOOP!r}, {CANARY!r}], start_new_session=True)\n"
        )
        assert runner.invoke(leaves).function_error is None
        assert [line for line in command_lines() if CANARY in line] == []
        if version() > 0:
            (tmp_path / "room.db").write_text("canary")
            code = "def handler(event, context): return open(event).read()"
            refused = runner.invoke(an_invocation(code, event=json.dumps(str(tmp_path / "room.db")).encode()))
            assert json.loads(refused.payload)["errorType"] == "PermissionError"
    finally:
        runner.close()
    level, told, fields = log.lines[0]
    assert (level, fields) == ("warning", {"level": "none", "how": "nothing"})
    assert told.startswith("FUNCTIONS ARE NOT SHUT IN")

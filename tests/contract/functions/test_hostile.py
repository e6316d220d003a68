"""Functions that mean harm, or do some: the answer is right, and the server, other functions and the disk are unharmed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from strongroom.functions.confinement import Level
from strongroom.functions.limits import Limits
from strongroom.functions.logs import FunctionLogs
from strongroom.functions.processes import users_processes
from strongroom.functions.runner import SandboxRunner
from support.function_room import (
    FUNCTION_ARN,
    LIMITS,
    REQUEST_ID,
    SECRET_KEY,
    SESSION_TOKEN,
    RememberingLog,
    a_zip,
    an_invocation,
    command_lines,
    eventually,
    jailed,
    run_directory,
)

KILLED = {
    "errorType": "Runtime.OutOfMemory",
    "errorMessage": f"RequestId: {REQUEST_ID} Error: Runtime exited with error: signal: killed",
}
NO_REASON = {
    "errorType": "Runtime.ExitError",
    "errorMessage": f"RequestId: {REQUEST_ID} Error: Runtime exited without providing a reason",
}
TIMED_OUT = {
    "errorType": "Sandbox.Timedout",
    "errorMessage": f"RequestId: {REQUEST_ID} Error: Task timed out after 2.00 seconds",
}
CLOSED = TIMED_OUT if jailed() else NO_REASON
"""A jail's own processes hold the channel, too."""
MARK = f"canary-process-{os.getpid()}"
"""In the command lines of what functions start."""
ALL_USERS = range(LIMITS.first_user, LIMITS.first_user + LIMITS.users)


@pytest.fixture(autouse=True)
def unharmed(runner: SandboxRunner, data_dir: Path, log: RememberingLog) -> Iterator[None]:
    """Whatever a test has run: nothing of it is left, and another function runs as if nothing had been."""
    before = set(data_dir.rglob("*"))
    yield
    after = runner.invoke(
        an_invocation("def handler(e, c): return 'unharmed'", function_arn=FUNCTION_ARN + "-other")
    )
    assert (after.payload, after.function_error) == (b'"unharmed"', None)
    assert log.errors() == []
    run = run_directory(data_dir)
    left = {path for path in set(data_dir.rglob("*")) - before if run not in path.parents and path.is_file()}
    logs = {"current.jsonl", "lock"} | {f"{n}.jsonl" for n in range(1, 5)}
    assert {path.name for path in left} <= logs | {"room.db"}  # the test's own


def run(runner: SandboxRunner, code: str, **changes: Any) -> Any:
    """Return what the function has returned, or the error it is answered with."""
    result = runner.invoke(an_invocation(code, **changes))
    return json.loads(result.payload)


def running_code() -> list[str]:
    """Return the command lines of processes that a function of these tests has started."""
    return [line for line in command_lines() if MARK in line]


def processes_of_functions() -> list[int]:
    return [pid for user in ALL_USERS for pid in users_processes(user)] if os.geteuid() == 0 else []


def test_children_that_outlive_the_call_are_ended(runner: SandboxRunner) -> None:
    code = f"""
import subprocess, sys
LOOP = "import os, time; os.fork() and os._exit(0); os.setsid(); os.fork() and os._exit(0); time.sleep(600)"
def handler(event, context):
    for _ in range(5):
        subprocess.Popen([sys.executable, "-c", LOOP, {MARK!r}], start_new_session=True, close_fds=True)
    return "left some behind"
"""
    assert run(runner, code) == "left some behind"
    assert running_code() == []


def test_children_of_a_call_that_timed_out_are_ended(runner: SandboxRunner) -> None:
    code = f"""
import os, signal, subprocess, sys, time
def handler(event, context):
    for number in set(signal.Signals) - {{signal.SIGKILL, signal.SIGSTOP}}:
        signal.signal(number, signal.SIG_IGN)
    for _ in range(5):
        subprocess.Popen([sys.executable, "-c", "import os, time; os.setsid(); time.sleep(600)", {MARK!r}])
    while True:
        time.sleep(1)
"""
    assert run(runner, code, timeout_seconds=2) == TIMED_OUT
    assert running_code() == []


def test_a_fork_bomb_ends_with_its_sandbox(runner: SandboxRunner) -> None:
    code = """
import os
def handler(event, context):
    while True:
        try:
            os.fork()
        except OSError:
            pass
"""
    found = run(runner, code, timeout_seconds=2, memory_mb=256)
    assert found in (TIMED_OUT, KILLED)
    # Only the sandboxes that wait warm are left, one process each.
    assert len(processes_of_functions()) <= 4


@pytest.mark.parametrize(
    "take",
    [
        pytest.param("kept = bytearray(64 << 30)", id="at once"),
        pytest.param("kept = [bytearray(8 << 20) for _ in range(4096)]", id="bit by bit"),
    ],
)
def test_memory_is_bounded(runner: SandboxRunner, take: str) -> None:
    found = run(runner, f"def handler(event, context):\n    {take}\n    return 'had it all'\n")
    assert found == KILLED or found["errorType"] == "MemoryError"


def test_memory_of_all_processes_counts(runner: SandboxRunner) -> None:
    code = """
import os, time
def handler(event, context):
    for _ in range(8):
        if os.fork() == 0:
            kept = bytearray(os.urandom(1 << 20)) * 60
            time.sleep(600)
    time.sleep(600)
"""
    assert run(runner, code) == KILLED


def test_shared_memory_counts(runner: SandboxRunner) -> None:
    code = """
import mmap
def handler(event, context):
    shared = mmap.mmap(-1, 1 << 30)
    for start in range(0, 1 << 30, 1 << 20):
        shared[start:start + (1 << 20)] = b"x" * (1 << 20)
    return "had it all"
"""
    assert run(runner, code) == KILLED


def test_temporary_files_are_bounded_and_gone_afterwards(runner: SandboxRunner) -> None:
    code = """
import os, tempfile
def handler(event, context):
    written = 0
    while written < 1 << 33:
        descriptor, name = tempfile.mkstemp()
        try:
            for _ in range(60):
                written += os.write(descriptor, b"x" * (1 << 20))
        except OSError as error:
            return error.strerror
    return "had it all"
"""
    assert run(runner, code, memory_mb=1024) in ("No space left on device", KILLED)
    look = "import os\ndef handler(event, context): return os.listdir('/tmp')"
    if jailed():
        # An interpreter that lies there can be seen.
        seen = [each for each in run(runner, look) if not sys.prefix.startswith(f"/tmp/{each}")]  # noqa: S108
        assert seen == []


def test_one_large_file_is_bounded(runner: SandboxRunner) -> None:
    code = """
import tempfile
def handler(event, context):
    with tempfile.TemporaryFile() as file:
        for _ in range(1 << 12):
            file.write(b"x" * (1 << 20))
            file.flush()
    return "had it all"
"""
    found = run(runner, code, memory_mb=1024)
    assert found.get("errorMessage") in ("[Errno 27] File too large", "[Errno 28] No space left on device")


def test_a_flood_of_output_is_bounded(runner: SandboxRunner, data_dir: Path) -> None:
    code = """
import os
def handler(event, context):
    for _ in range(2000):
        os.write(1, b"x" * 65535 + b"\\n")
    print("the end")
    return "done"
"""
    result = runner.invoke(an_invocation(code, timeout_seconds=60))
    assert (result.payload, result.function_error) == (b'"done"', None)
    assert len(result.log) == 4096
    entry = FunctionLogs(data_dir).read(FUNCTION_ARN)[0][-1]
    assert len(entry.text) < 300_000
    assert "(more was printed and is not kept)" in entry.text
    files = list((data_dir / "functions" / "logs").rglob("*.jsonl"))
    assert sum(path.stat().st_size for path in files) <= 4 * LIMITS.log_bytes
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}


FIND_CHANNEL = """
import gc, os, socket
def channel():
    gc.unfreeze()
    for thing in gc.get_objects():
        if isinstance(thing, socket.socket) and thing.family == socket.AF_UNIX:
            return thing
"""


@pytest.mark.parametrize(
    ("act", "expected"),
    [
        pytest.param(
            "channel().sendall(b'\\xff\\xff\\xff\\xffgarbage')", NO_REASON, id="a length beyond all bounds"
        ),
        pytest.param("channel().sendall(b'\\0\\0\\0\\x03abc')", NO_REASON, id="no JSON"),
        pytest.param("channel().sendall(b'\\0\\0\\0\\x02[]')", NO_REASON, id="no object"),
        pytest.param("channel().sendall(b'\\0\\0\\0\\x02{}')", NO_REASON, id="an empty object"),
        pytest.param(
            "[channel().sendall(len(m).to_bytes(4, 'big') + m) for m in [b'[' * 100_000]]",
            NO_REASON,
            id="deeply nested",
        ),
        pytest.param(
            '[channel().sendall(len(m).to_bytes(4, \'big\') + m) for m in [b\'{"kind":"answer","payload":7}\']]',
            NO_REASON,
            id="an answer that is none",
        ),
        pytest.param(
            "[channel().sendall(len(m).to_bytes(4, 'big') + m) for m in"
            ' [b\'{"kind":"answer","payload":"{}","failed":false,"request_id":"of another call"}\']]',
            NO_REASON,
            id="an answer to another call",
        ),
        pytest.param("os.closerange(0, 1024); time.sleep(600)", CLOSED, id="closes everything"),
        pytest.param("os.close(1); os.close(2); time.sleep(600)", TIMED_OUT, id="closes its output"),
        pytest.param(
            "channel().sendall(b'\\0\\0\\1\\0unfinished'); time.sleep(600)",
            TIMED_OUT,
            id="an unfinished message",
        ),
    ],
)
def test_garbage_on_the_channel(runner: SandboxRunner, act: str, expected: dict[str, str]) -> None:
    code = f"import time\n{FIND_CHANNEL}\ndef handler(event, context):\n    {act}\n    time.sleep(600)\n"
    assert run(runner, code, timeout_seconds=2) == expected


def test_endless_reports_end_the_call(runner: SandboxRunner) -> None:
    code = f"""
import json
{FIND_CHANNEL}
def handler(event, context):
    while True:
        message = json.dumps({{"kind": "values", "values": [os.urandom(8).hex() * 50 for _ in range(1000)]}}).encode()
        channel().sendall(len(message).to_bytes(4, "big") + message)
"""
    assert run(runner, code, timeout_seconds=60) == NO_REASON


SNOOP = """
import os
def handler(event, context):
    found = []
    for path in event["paths"]:
        for act in (os.listdir, lambda p: open(p, "rb").read(1), lambda p: open(p, "wb")):
            try:
                act(path)
                found.append(path)
            except OSError:
                pass
    return found
"""


def test_the_data_directory_and_the_root_key_cannot_be_reached(
    runner: SandboxRunner, data_dir: Path, tmp_path: Path
) -> None:
    runner.invoke(an_invocation("def handler(e, c): return 1", function_arn=FUNCTION_ARN + "-other"))
    root_key = tmp_path / "root.key"
    root_key.write_bytes(b"canary")
    root_key.chmod(0o600)
    (data_dir / "room.db").write_bytes(b"canary")
    everything = [*map(str, data_dir.rglob("*")), str(data_dir), str(root_key)]
    own = runner.invoke(an_invocation(SNOOP, event=json.dumps({"paths": everything}).encode()))
    assert (own.payload, own.function_error) == (b"[]", None)
    assert (data_dir / "room.db").read_bytes() == root_key.read_bytes() == b"canary"


def test_what_must_not_be_seen_is_hidden_even_among_what_is(
    data_dir: Path, level: Level, in_jail: None, log: RememberingLog
) -> None:
    """A root key that lies where the server's packages lie."""
    import sysconfig

    packages = Path(sysconfig.get_paths()["purelib"])
    if not os.access(packages, os.W_OK):
        pytest.skip(f"{packages} cannot be written here")
    key = packages / f"strongroom-test-{os.getpid()}.key"
    key.write_bytes(b"canary")
    key.chmod(0o644)
    hiding = SandboxRunner(data_dir, log, limits=Limits(spares=0, preload=False), hidden=[key])
    try:
        code = "def handler(event, context): return open(event['path']).read()"
        event = json.dumps({"path": str(key)}).encode()
        refused = hiding.invoke(an_invocation(code, event=event))
        assert json.loads(refused.payload)["errorType"] == "PermissionError"
        assert b"canary" not in refused.payload
    finally:
        hiding.close()
        key.unlink()


def test_code_cannot_be_changed_for_the_next_call(runner: SandboxRunner) -> None:
    code = """
import os, sys
def handler(event, context):
    refused = []
    for path in (__file__, os.path.dirname(__file__) + "/new.py", "/opt/new.py", sys.executable):
        try:
            open(path, "ab").close()
        except OSError:
            refused.append(path)
    try:
        os.chmod(__file__, 0o777)
    except OSError:
        refused.append("chmod")
    return len(refused)
"""
    assert run(runner, code) == 5


def test_other_processes_cannot_be_seen_or_touched(runner: SandboxRunner, in_jail: None) -> None:
    code = """
import ctypes, os, signal
def handler(event, context):
    seen = sorted(int(name) for name in os.listdir("/proc") if name.isdigit())
    touched = []
    for pid in event["pids"]:
        try:
            os.kill(pid, 0)
            touched.append(pid)
        except OSError:
            pass
        if ctypes.CDLL(None).ptrace(16, pid, 0, 0) == 0:
            touched.append(pid)
    return [len(seen), touched]
"""
    pids = [os.getpid(), os.getppid(), *[t.native_id for t in threading.enumerate()]]
    event = json.dumps({"pids": [pid for pid in pids if pid is not None and pid > 10]}).encode()
    assert run(runner, code, event=event) == [2, []]


def test_no_privilege_can_be_had(runner: SandboxRunner) -> None:
    code = """
import ctypes, os, subprocess
def handler(event, context):
    status = dict(line.split(":\\t", 1) for line in open("/proc/self/status").read().splitlines() if ":\\t" in line)
    refused = []
    for act in (lambda: os.setuid(0), lambda: os.setgid(0), lambda: os.setgroups([0]), lambda: os.chroot("/tmp"),
                lambda: os.nice(-5), lambda: os.mknod("/tmp/device", 0o60600, os.makedev(254, 0))):
        try:
            act()
        except OSError:
            refused.append(1)
    mounted = ctypes.CDLL(None).mount(b"none", b"/tmp", b"tmpfs", 0, None)
    su = subprocess.run(["su", "-c", "id"], stdin=subprocess.DEVNULL, capture_output=True).returncode
    return [status["NoNewPrivs"], int(status["CapEff"], 16), int(status["CapPrm"], 16), len(refused), mounted, su != 0,
            os.getuid() != 0]
"""
    assert run(runner, code) == ["1", 0, 0, 6, -1, True, True]


def test_no_descriptor_of_the_server_is_open(runner: SandboxRunner, data_dir: Path) -> None:
    code = """
import os, stat
def handler(event, context):
    found = []
    for number in range(1024):
        try:
            mode = os.fstat(number).st_mode
        except OSError:
            continue
        found.append([number, stat.S_ISSOCK(mode), stat.S_ISFIFO(mode), stat.S_ISCHR(mode)])
    return found
"""
    with (data_dir / "room.db").open("wb") as file:
        os.set_inheritable(file.fileno(), True)
        found = run(runner, code)
    assert [kinds for number, *kinds in found] == [
        [False, False, True],
        [False, True, False],
        [False, True, False],
        [True, False, False],
    ]


def test_a_child_of_the_function_has_no_channel(runner: SandboxRunner) -> None:
    code = """
import subprocess, sys
LOOK = "import os, stat\\nfor n in range(1024):\\n try:\\n  print(n, stat.S_ISSOCK(os.fstat(n).st_mode))\\n except OSError: pass"
def handler(event, context):
    return subprocess.run([sys.executable, "-c", LOOK], capture_output=True, text=True, close_fds=False).stdout
"""
    assert run(runner, code).split() == ["0", "False", "1", "False", "2", "False"]


def test_secrets_are_in_no_command_line_and_no_initial_environment(runner: SandboxRunner) -> None:
    """What every user of the machine may read of a process while it runs."""
    code = """
def handler(event, context):
    return open("/proc/self/cmdline").read() + open("/proc/self/environ").read()
"""
    found = run(runner, code, environment={"DB_PASSWORD": "canary-in-environment"})
    for canary in ("canary-in-environment", SECRET_KEY, SESSION_TOKEN, "ASIACANARYACCESSKEYI"):
        assert canary not in found


def test_an_orphaned_sandbox_does_not_outlive_a_killed_server(tmp_path: Path, level: Level) -> None:
    tmp_path.chmod(0o700)
    marker = a_zip(
        {
            "rotate.py": f"import subprocess, sys, time\ndef handler(e, c):\n    subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)', {MARK!r}])\n    print('up', flush=True)\n    time.sleep(600)\n"
        }
    )
    (tmp_path / "code.zip").write_bytes(marker)
    before = {path.name for path in run_directory(tmp_path).glob("*")}
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER, str(tmp_path), str(Path(__file__).parents[2])],
        env={**os.environ, "TMPDIR": tempfile.gettempdir()},
    )
    eventually(lambda: running_code() != [])
    assert len({path.name for path in run_directory(tmp_path).glob("*")} - before - {"lock"}) == 1
    server.kill()
    server.wait()
    eventually(lambda: running_code() == [])
    # The next runner clears away what the killed one has left on disk.
    successor = SandboxRunner(tmp_path, RememberingLog(), limits=Limits(spares=0, preload=False))
    successor.invoke(an_invocation("def handler(e, c): return 1"))
    successor.close()
    assert {path.name for path in run_directory(tmp_path).glob("*")} == before | {"lock"}


SERVER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from strongroom.functions.limits import Limits
from strongroom.functions.runner import SandboxRunner
from support.function_room import RememberingLog, an_invocation
runner = SandboxRunner(Path(sys.argv[1]), RememberingLog(), limits=Limits(spares=0, preload=False))
runner.invoke(an_invocation(Path(sys.argv[1], "code.zip").read_bytes(), timeout_seconds=600))
"""

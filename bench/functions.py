"""How long calls of a sandboxed function take: the first of a process, cold, and warm.

    .venv/bin/python bench/functions.py [--rounds N]

The function does what a step of a rotation does: it makes a client of boto3's and asks the service
three times. The service is a thread of this program that answers at once. Prints medians and the slowest, in
milliseconds.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import io
import json
import os
import statistics
import tempfile
import threading
import time
import zipfile
from contextlib import suppress
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from strongroom.functions.confinement import sandbox_level
from strongroom.functions.limits import Limits
from strongroom.functions.processes import resident_bytes, users_processes
from strongroom.functions.runner import SandboxRunner
from strongroom.ports import Invocation

STEP = """
import boto3, json, os
def handler(event, context):
    client = boto3.client("secretsmanager", endpoint_url=os.environ["SECRETS_MANAGER_ENDPOINT"])
    client.describe_secret(SecretId="s")
    client.get_secret_value(SecretId="s", VersionStage="AWSCURRENT")
    client.get_random_password()
    return "done"
"""
OWN = Limits(first_user=1_300_000 + os.getpid() % 4096 * 16, users=16)
"""Users of this run alone: other servers of the machine may run functions, too."""
WITHOUT_SPARE = replace(OWN, spares=0)
EMPTY = "def handler(event, context): return 'done'\n"


class Service(BaseHTTPRequestHandler):
    """Answers at once."""

    protocol_version = "HTTP/1.1"
    # In one packet: two would wait for each other.
    wbufsize = 65536
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        body = json.dumps({"Name": "s", "SecretString": "{}", "RandomPassword": "x" * 32}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/x-amz-json-1.1")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


class Quiet:
    def info(self, *_: Any, **__: Any) -> None: ...

    warning = error = info


def call(code: str, endpoint: str, number: int = 0) -> Invocation:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(zipfile.ZipInfo("f.py"), code)
    archive_bytes = buffer.getvalue()
    return Invocation(
        function_arn=f"arn:aws:lambda:eu-central-1:123456789012:function:f{number}",
        request_id="00000000-0000-0000-0000-000000000000",
        runtime="python3.12",
        handler="f.handler",
        code_sha256=base64.b64encode(hashlib.sha256(archive_bytes).digest()).decode(),
        load_code=lambda: archive_bytes,
        environment={},
        event=b"{}",
        timeout_seconds=30,
        memory_mb=128,
        credentials=("ASIAEXAMPLE", "secret", "token"),
        region="eu-central-1",
        endpoint_url=endpoint,
    )


def timed(runner: SandboxRunner, invocation: Invocation) -> float:
    began = time.perf_counter()
    result = runner.invoke(invocation)
    taken = time.perf_counter() - began
    assert result.payload == b'"done"', result.payload
    return taken * 1000


def processor_time() -> float:
    """Return the milliseconds of a processor that the sandboxes there are have taken."""
    taken = 0.0
    for pid in sandboxed():
        with suppress(OSError):
            taken += int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e6
    return taken


def sandboxed() -> list[int]:
    """Return the processes in sandboxes; none unless for root, whose sandboxes have users of their own."""
    users = range(OWN.first_user, OWN.first_user + OWN.users) if os.geteuid() == 0 else ()
    return [pid for user in users for pid in users_processes(user)]


def expected(runner: SandboxRunner, data_dir: Path) -> None:
    """A worker's state when there are functions: it has been found out how they are shut in."""
    runner.expect(spare=False)
    while not list(data_dir.glob("run/functions/*/places")):
        time.sleep(0.01)


def spare_is_up(data_dir: Path) -> None:
    """Wait until a spare has imported what it imports: until it takes no more processor time."""
    used = -1.0
    while True:
        time.sleep(0.3)
        pids = sandboxed()
        now = processor_time()
        if pids and now == used:
            return
        used = now


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    print(f"{sandbox_level()[1]}; load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
    with ThreadingHTTPServer(("127.0.0.1", 0), Service) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        endpoint = f"http://127.0.0.1:{server.server_port}"
        for name, code in (("three calls of the service", STEP), ("nothing", EMPTY)):
            figures: dict[str, list[float]] = {
                "first": [],
                "first, expected": [],
                "processor time of it": [],
                "cold, spare ready": [],
                "warm": [],
            }
            for _ in range(max(rounds // 3, 1)):
                with tempfile.TemporaryDirectory() as directory:
                    runner = SandboxRunner(Path(directory), Quiet(), limits=WITHOUT_SPARE)
                    figures["first"].append(timed(runner, call(code, endpoint)))
                    runner.close()
                with tempfile.TemporaryDirectory() as directory:
                    runner = SandboxRunner(Path(directory), Quiet(), limits=WITHOUT_SPARE)
                    expected(runner, Path(directory))
                    own = time.process_time()
                    figures["first, expected"].append(timed(runner, call(code, endpoint)))
                    own = time.process_time() - own
                    figures["processor time of it"].append(own * 1000 + processor_time())
                    runner.close()
                with tempfile.TemporaryDirectory() as directory:
                    runner = SandboxRunner(Path(directory), Quiet(), limits=OWN)
                    runner.expect(spare=True)
                    for number in range(1, 4):
                        if os.geteuid() == 0:
                            spare_is_up(Path(directory))
                        figures["cold, spare ready"].append(timed(runner, call(code, endpoint, number)))
                    figures["warm"] += [timed(runner, call(code, endpoint, 3)) for _ in range(10)]
                    runner.close()
            for what, taken in figures.items():
                median, slowest = statistics.median(taken), max(taken)
                print(f"{name:28} {what:20} median {median:6.0f} ms   slowest {slowest:6.0f} ms")
        with tempfile.TemporaryDirectory() as directory:
            runner = SandboxRunner(Path(directory), Quiet(), limits=OWN)
            runner.invoke(call(STEP, endpoint))
            pids = sandboxed()
            print(f"resident memory of {len(pids)} sandboxes: {resident_bytes(pids) / 2**20:.0f} MB")
            runner.close()
        server.shutdown()


if __name__ == "__main__":
    main()

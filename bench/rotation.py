"""How long a rotation of a local PostgreSQL credential takes, and what many at once do to reads.

    .venv/bin/python -m bench.rotation [--rotations 50] [--secrets 500]

The server and a PostgreSQL are started on this machine. First one secret is rotated over and over; the time
is from the RotateSecret call to the moment DescribeSecret shows the new version as AWSCURRENT alone. Then as
many others are rotated at once while nothing else happens, which shows what a rotation takes of the
processor, process by process. At last a large number is rotated at once while wrk reads another secret; its
rate meanwhile is compared with that before and after. On a machine that does other work the processor's
times say more than the rates: which share of it the rotations take is what reads lose on a quiet one, if they
would fill it otherwise.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.load import Signer, load, need_wrk, send_all, token

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from support.postgres_server import PostgresServer, running_postgres
from support.processes import process_of
from support.running import Server, running

REGION = "us-east-1"
FIRST = "first-password-1"
SECONDS = 10
POLL_SECONDS = 1.0
QUIET = {"log_statement": "none", "log_min_duration_statement": "-1", "log_connections": "off"}
"""Databases do not write down every statement, as they do in the tests."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rotations", type=int, default=50)
    parser.add_argument("--secrets", type=int, default=500)
    arguments = parser.parse_args()
    need_wrk()
    with (
        tempfile.TemporaryDirectory() as directory,
        running_postgres(**QUIET) as database,
        running(["--ephemeral", "--workers", "2"], Path(directory) / "log") as server,
    ):
        bench = Bench(server, database)
        bench.one_after_another(arguments.rotations)
        bench.many_at_once(arguments.secrets, bench.cost(arguments.rotations))


class Bench:
    def __init__(self, server: Server, database: PostgresServer) -> None:
        self._server = server
        self._database = database
        self._client = server.client("secretsmanager", region=REGION)
        self._signer = Signer(server.endpoint, server.access_key_id, server.secret_access_key)

    def one_after_another(self, rotations: int) -> None:
        self._make(["one"])
        taken = []
        for _ in range(rotations + 5):
            began = time.perf_counter()
            version = self._client.rotate_secret(SecretId="one")["VersionId"]
            while self._described("one")["VersionIdsToStages"].get(version) != ["AWSCURRENT"]:
                time.sleep(0.002)
            taken.append((time.perf_counter() - began) * 1000)
        taken = taken[5:]
        print(
            f"one rotation, {rotations} times: median {statistics.median(taken):.0f} ms, "
            f"95th percentile {statistics.quantiles(taken, n=20)[-1]:.0f} ms, slowest {max(taken):.0f} ms"
        )

    def cost(self, rotations: int) -> float:
        """Return the milliseconds of the processor that a rotation takes."""
        names = [f"few{number}" for number in range(rotations)]
        self._make(names)
        before = self._processor_seconds()
        self._rotate(names)
        after = self._processor_seconds()
        each = {name: (after[name] - before[name]) * 1000 / rotations for name in after}
        text = ", ".join(f"{name} {value:.1f}" for name, value in each.items())
        print(f"processor for each of {rotations} at once: {sum(each.values()):.1f} ms: {text}")
        return sum(each.values())

    def many_at_once(self, secrets: int, cost: float) -> None:
        names = [f"many{number}" for number in range(secrets)]
        self._make(names)
        self._client.create_secret(Name="read", SecretString="x" * 100)
        reads = [self._signer.call("GetSecretValue", {"SecretId": "read"}) for _ in range(100)]
        load(self._server.endpoint, reads, seconds=2)
        before = load(self._server.endpoint, reads, seconds=SECONDS).rate
        taken: list[float] = []

        def rotate() -> None:
            began = time.perf_counter()
            self._rotate(names)
            taken.append(time.perf_counter() - began)

        thread = threading.Thread(target=rotate)
        meanwhile: list[float] = []
        thread.start()
        while not taken:
            meanwhile.append(load(self._server.endpoint, reads, seconds=SECONDS).rate)
        thread.join()
        # In the last of them there was rest at the end.
        rate = statistics.mean(meanwhile[:-1] or meanwhile)
        after = load(self._server.endpoint, reads, seconds=SECONDS).rate
        print(
            f"{secrets} at once: {taken[0]:.1f} s; GetSecretValue {before:.0f}/s before, {after:.0f}/s "
            f"after, {rate:.0f}/s meanwhile ({rate / statistics.mean([before, after]):.0%}); "
            f"rotations took {cost * secrets / 1000 / taken[0] / (os.cpu_count() or 1):.0%} of the processor"
        )

    def _make(self, names: Sequence[str]) -> None:
        self._database.run(*(f"CREATE ROLE {name} LOGIN PASSWORD '{FIRST}'" for name in names))
        for name in names:
            value = json.dumps(self._database.document(name, FIRST))
            self._client.create_secret(Name=name, SecretString=value)

    def _described(self, name: str) -> Any:
        return self._client.describe_secret(SecretId=name)

    def _rotate(self, names: Sequence[str]) -> None:
        """All have been rotated. It is seldom asked whether they are: asking takes time, too."""
        requests = [{"SecretId": name, "ClientRequestToken": token()} for name in names]
        calls = [self._signer.call("RotateSecret", request) for request in requests]
        send_all(self._server.endpoint, calls, connections=1)
        while "LastRotatedDate" not in self._described(names[-1]) or not self._are_rotated(names):
            time.sleep(POLL_SECONDS)

    def _are_rotated(self, names: Sequence[str]) -> bool:
        pages = self._client.get_paginator("list_secrets").paginate(PaginationConfig={"PageSize": 100})
        listed = [secret for page in pages for secret in page["SecretList"]]
        return set(names) <= {secret["Name"] for secret in listed if "LastRotatedDate" in secret}

    def _processor_seconds(self) -> dict[str, float]:
        found = {"rotation": 0.0, "PostgreSQL": _processor(self._database.process.pid)}
        rotation = process_of(self._server, "rotation")
        supervisor = self._server.process.pid
        for process in _below(supervisor):
            name = "rotation" if process == rotation else "other processes"
            found[name] = found.get(name, 0.0) + _processor(process)
        return found


def _below(process: int) -> list[int]:
    text = Path(f"/proc/{process}/task/{process}/children").read_text()
    return [below for child in map(int, text.split()) for below in (child, *_below(child))]


def _processor(process: int) -> float:
    """Return the processor time of a process, and of its children that have ended."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return sum(int(field) for field in fields[11:15]) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()

"""How long a rotation of a local PostgreSQL credential takes, and what many at once do to reads.

    .venv/bin/python -m bench.rotation [--rotations 50] [--secrets 500]

The server and a PostgreSQL are started on this machine. First one secret is rotated over and over; the time
is from the RotateSecret call to the moment DescribeSecret shows the new version as AWSCURRENT alone. Then
many secrets are rotated at once while wrk reads another one; its rate before and meanwhile is compared. On a
machine that does other work the processor's time of the process that rotates says more.
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
from pathlib import Path
from typing import Any

from bench.load import Signer, load, need_wrk

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from support.postgres_server import PostgresServer, running_postgres
from support.processes import process_of
from support.running import Server, running

REGION = "us-east-1"
FIRST = "first-password-1"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rotations", type=int, default=50)
    parser.add_argument("--secrets", type=int, default=500)
    arguments = parser.parse_args()
    need_wrk()
    with (
        tempfile.TemporaryDirectory() as directory,
        running_postgres() as database,
        running(["--ephemeral", "--workers", "2"], Path(directory) / "log") as server,
    ):
        client = server.client("secretsmanager", region=REGION)
        _one_after_another(server, client, database, arguments.rotations)
        _many_at_once(server, client, database, arguments.secrets)


def _a_secret(client: Any, database: PostgresServer, name: str) -> None:
    database.run(f"CREATE ROLE {name} LOGIN PASSWORD '{FIRST}'")
    client.create_secret(Name=name, SecretString=json.dumps(database.document(name, FIRST)))


def _one_after_another(server: Server, client: Any, database: PostgresServer, rotations: int) -> None:
    _a_secret(client, database, "one")
    taken, busy = [], 0.0
    for number in range(rotations + 5):
        if number == 5:
            busy = _processor_seconds(server)
        began = time.perf_counter()
        token = client.rotate_secret(SecretId="one")["VersionId"]
        while client.describe_secret(SecretId="one")["VersionIdsToStages"].get(token) != ["AWSCURRENT"]:
            time.sleep(0.002)
        if number >= 5:
            taken.append((time.perf_counter() - began) * 1000)
    print(
        f"one rotation, {rotations} times: median {statistics.median(taken):.0f} ms, "
        f"95th percentile {statistics.quantiles(taken, n=20)[-1]:.0f} ms, slowest {max(taken):.0f} ms; "
        f"{(_processor_seconds(server) - busy) * 1000 / rotations:.0f} ms of processor each"
    )


def _processor_seconds(server: Server) -> float:
    """Return what the process that rotates has used."""
    process = process_of(server, "rotation")
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _many_at_once(server: Server, client: Any, database: PostgresServer, secrets: int) -> None:
    names = [f"many{number}" for number in range(secrets)]
    for name in names:
        _a_secret(client, database, name)
    client.create_secret(Name="read", SecretString="x" * 100)
    signer = Signer(server.endpoint, server.access_key_id, server.secret_access_key)
    reads = [signer.call("GetSecretValue", {"SecretId": "read"}) for _ in range(100)]
    load(server.endpoint, reads, seconds=2)
    before = load(server.endpoint, reads, seconds=10)
    done = threading.Event()
    taken: list[float] = []

    def rotate() -> None:
        began = time.perf_counter()
        for name in names:
            client.rotate_secret(SecretId=name)
        waiting = set(names)
        while waiting:
            for name in sorted(waiting):
                if "LastRotatedDate" not in client.describe_secret(SecretId=name):
                    break
                waiting.discard(name)
            else:
                continue
            time.sleep(0.1)
        taken.append(time.perf_counter() - began)
        done.set()

    thread = threading.Thread(target=rotate)
    thread.start()
    meanwhile = []
    while not done.is_set():
        meanwhile.append(load(server.endpoint, reads, seconds=5).rate)
    thread.join()
    rate = statistics.mean(meanwhile)
    print(
        f"{secrets} at once: {taken[0]:.1f} s; GetSecretValue {before.rate:.0f}/s before, "
        f"{rate:.0f}/s meanwhile ({rate / before.rate:.0%})"
    )


if __name__ == "__main__":
    main()

"""How far the followers of the trail fall behind a server that is read from as fast as it answers.

    .venv/bin/python -m bench.trail_lag [--seconds 20] [--secrets 2000]

Prints the rate of GetSecretValue, the largest lag of the index and the ledger meanwhile, how long it took
them to catch up afterwards, and the processor time that the server and its clerk took for a call until then.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from bench.load import Signer, load, need_wrk, send_all, token

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from processes import processor_of

from support.running import Server, running

LAG = re.compile(r'strongroom_trail_lag_records\{follower="(index|ledger)"\} ([0-9.e+]+)')
CATCH_UP_SECONDS = 600


def lags(metrics: str) -> dict[str, int]:
    with urllib.request.urlopen(metrics) as answer:
        return {name: int(float(value)) for name, value in LAG.findall(answer.read().decode())}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--secrets", type=int, default=2000)
    chosen = parser.parse_args()
    need_wrk()
    with tempfile.TemporaryDirectory() as scratch:
        options = ["--ephemeral", "--workers", "2", "--metrics-port", "0"]
        with running(options, Path(scratch) / "log") as server:
            measure(server, chosen.seconds, chosen.secrets)


def measure(server: Server, seconds: int, secrets: int) -> None:
    assert server.process.stdout is not None
    metrics = server.process.stdout.readline().removeprefix("# metrics at ").strip()
    signer = Signer(server.endpoint, server.access_key_id, server.secret_access_key)
    names = [f"bench/{number}" for number in range(secrets)]
    made = [
        signer.call("CreateSecret", {"Name": name, "SecretString": "x" * 64, "ClientRequestToken": token()})
        for name in names
    ]
    send_all(server.endpoint, made)
    wait(metrics)
    reads = [signer.call("GetSecretValue", {"SecretId": name}) for name in names]
    largest: dict[str, int] = {}
    done = threading.Event()

    def watch() -> None:
        while not done.wait(1):
            for name, lag in lags(metrics).items():
                largest[name] = max(largest.get(name, 0), lag)

    watcher = threading.Thread(target=watch)
    watcher.start()
    server_before, clerk_before = processors(server)
    found = load(server.endpoint, reads, seconds=seconds)
    ended = time.monotonic()
    wait(metrics)
    done.set()
    watcher.join()
    print(f"GetSecretValue: {found.rate:,.0f}/s, p99 {found.p99_ms:.1f} ms, {found.requests:,} records")
    for name, lag in sorted(largest.items()):
        print(f"{name}: at most {lag:,} records behind ({lag / max(found.rate, 1):.1f} s of them)")
    server_after, clerk_after = processors(server)
    for name, spent in (("clerk", clerk_after - clerk_before), ("server", server_after - server_before)):
        print(f"{name}: {spent / found.requests * 1e6:.1f} us of a processor a call")
    print(f"all taken {time.monotonic() - ended:.1f} s after the last answer")


def processors(server: Server) -> tuple[float, float]:
    """Return the processor seconds of the whole server and of its clerk, who alone keeps the ledger open."""
    return processor_of(server.process.pid), processor_of(server.process.pid, "/index/ledger.db")


def wait(metrics: str) -> None:
    """Return when nobody lags behind any more, as the metrics tell it."""
    deadline = time.monotonic() + CATCH_UP_SECONDS
    while ((found := lags(metrics)) and any(found.values())) or not found:
        if time.monotonic() > deadline:
            raise SystemExit(f"still behind: {found}")
        time.sleep(0.5)


if __name__ == "__main__":
    main()

"""How long the other calls of one worker wait while functions of 50 MB are made.

One connection reads a secret over and over; another process gives a function new code of 50 MB, again and
again, and rests in between. Run as `python bench/large_code.py`. Prints the median, the 99th percentile and
the longest of the reads, at rest and meanwhile, in milliseconds.
"""

from __future__ import annotations

import argparse
import io
import json
import multiprocessing
import os
import statistics
import tempfile
import time
import zipfile
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from contenders import ROOT_KEY_ID, ROOT_SECRET, Strongroom
from load import REGION

SIZE = 52_000_000
TRUST = {
    "Version": "2012-10-17",
    "Statement": {
        "Effect": "Allow",
        "Principal": {"Service": "lambda.amazonaws.com"},
        "Action": "sts:AssumeRole",
    },
}


class OneWorker(Strongroom):
    flags = ("--workers", "1", "--function-code-mb", "4096")


def client(endpoint: str, service: str) -> Any:
    return boto3.client(
        service,
        region_name=REGION,
        endpoint_url=endpoint,
        aws_access_key_id=ROOT_KEY_ID,
        aws_secret_access_key=ROOT_SECRET,
        config=Config(read_timeout=120, retries={"total_max_attempts": 1}),
    )


def code() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("main.py", "def handler(event, context): return 1\n")
        archive.writestr("noise.bin", os.urandom(SIZE))
    return buffer.getvalue()


def upload(endpoint: str, rounds: int, taken: Any) -> None:
    """Make a function, and then give it new code `rounds` times."""
    functions, content = client(endpoint, "lambda"), code()
    role = client(endpoint, "iam").create_role(RoleName="bench", AssumeRolePolicyDocument=json.dumps(TRUST))
    functions.create_function(
        FunctionName="bench",
        Runtime="python3.12",
        Role=role["Role"]["Arn"],
        Handler="main.handler",
        Code={"ZipFile": content},
    )
    for _ in range(rounds):
        time.sleep(1)
        began = time.time()
        functions.update_function_code(FunctionName="bench", ZipFile=content)
        taken.put((began, time.time()))


def reads(server: Strongroom, until: Any) -> list[tuple[float, float]]:
    """Return when each read began, and how many milliseconds it took, until `until` says so."""
    secrets, found = client(server.endpoint, "secretsmanager"), []
    while not until():
        began = time.time()
        secrets.get_secret_value(SecretId="bench/large")
        found.append((began, (time.time() - began) * 1000))
    return found


def shown(title: str, found: list[float]) -> None:
    p99 = sorted(found)[len(found) * 99 // 100]
    median, longest = statistics.median(found), max(found)
    print(
        f"{title:22} {len(found):6} reads   median {median:6.1f}   p99 {p99:6.1f}   longest {longest:6.1f} ms"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
    with tempfile.TemporaryDirectory(prefix="bench-") as work:
        server = OneWorker(Path(work), Path(work))
        server.start()
        try:
            client(server.endpoint, "secretsmanager").create_secret(Name="bench/large", SecretString="x" * 64)
            taken: Any = multiprocessing.Queue()
            uploading = multiprocessing.Process(target=upload, args=(server.endpoint, rounds, taken))
            uploading.start()
            found = reads(server, lambda: not uploading.is_alive())
            uploading.join()
        finally:
            server.stop()
    spans = [taken.get() for _ in range(rounds)]
    first = spans[0][0]
    meanwhile, rest = [], []
    for began, milliseconds in found:
        ended = began + milliseconds / 1000
        if any(began < end and ended > begin for begin, end in spans):
            meanwhile.append(milliseconds)
        elif began > first:
            rest.append(milliseconds)
    print("uploads of 50 MB took " + ", ".join(f"{(end - begin) * 1000:.0f}" for begin, end in spans) + " ms")
    shown("at rest", rest)
    shown("during an upload", meanwhile)


if __name__ == "__main__":
    main()

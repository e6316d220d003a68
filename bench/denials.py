"""What refusals cost: reads refused alike, reads that are each refused for the first time, and what is left
for reads that are allowed meanwhile.

The callers who are refused have 10 policies of 20 statements; those of `denied` have a Deny with a wildcard
in each, which is the most there is to explain. Run as `python bench/denials.py`; wants `wrk`, as `compare.py`
does.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
from contenders import ROOT_KEY_ID, ROOT_SECRET, Strongroom
from load import REGION, Measured, Signer, load

POLICIES, STATEMENTS, SECRETS, DIFFERENT = 10, 20, 1000, 20_000
TEAM = {"StringEquals": {"secretsmanager:ResourceTag/team": "red"}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-") as work:
        server = Strongroom(Path(work), Path(work))
        server.start()
        try:
            server.prepare()
            reads = [server.read(number) for number in range(SECRETS)]
            server.create(range(SECRETS))
            for _ in range(options.rounds):
                _round(server, reads, options.seconds)
        finally:
            server.stop()
    for title, found in _FOUND.items():
        rate = statistics.median(each.requests / each.seconds for each in found)
        p50, p99 = (statistics.median(getattr(each, name) for each in found) for name in ("p50_ms", "p99_ms"))
        print(f"{title:<58} {rate:>8.0f}/s   p50 {p50:6.2f} ms   p99 {p99:6.2f} ms")


_FOUND: dict[str, list[Measured]] = {}


def _round(server: Strongroom, reads: list[bytes], seconds: int) -> None:
    """One run of each kind. Users are new each time, so that nothing is remembered of them."""
    lacking, denied = (_signer(server, deny=deny) for deny in (False, True))
    alike = [lacking.call("GetSecretValue", {"SecretId": "bench/none"})]
    different = [
        signer.call("GetSecretValue", {"SecretId": f"bench/none/{number}"})
        for number in range(DIFFERENT // 2)
        for signer in (lacking, denied)
    ]
    note("reads, allowed", load(server.endpoint, reads, seconds=seconds))
    note("refused, all alike", load(server.endpoint, alike, seconds=seconds))
    note("refused, all different", load(server.endpoint, different, seconds=seconds))
    with ThreadPoolExecutor(1) as flood:
        refused = flood.submit(load, server.endpoint, different, seconds=seconds + 1)
        note(
            "reads, allowed, beside a flood of different refusals",
            load(server.endpoint, reads, seconds=seconds),
        )
        note("refused, all different, beside reads that are allowed", refused.result())


def note(title: str, measured: Measured) -> None:
    _FOUND.setdefault(title, []).append(measured)


def _signer(server: Strongroom, *, deny: bool) -> Signer:
    """Return the signer of a new user to whom no policy gives the secrets."""
    iam = boto3.client(
        "iam", region_name=REGION, endpoint_url=server.endpoint,
        aws_access_key_id=ROOT_KEY_ID, aws_secret_access_key=ROOT_SECRET,
    )  # fmt: skip
    number = len(_FOUND.get("reads, allowed", ()))
    user = f"{'denied' if deny else 'lacking'}-{number}"
    iam.create_user(UserName=user)
    for place in range(POLICIES):
        statements: list[dict[str, Any]] = [
            {"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Condition": TEAM,
             "Resource": f"arn:aws:secretsmanager:*:*:secret:team{place}/{each}/*"}
            for each in range(STATEMENTS)
        ]  # fmt: skip
        if deny:
            statements[-1] = {"Effect": "Deny", "Action": "secretsmanager:*", "Resource": "*"}
        document = json.dumps({"Version": "2012-10-17", "Statement": statements})
        made = iam.create_policy(PolicyName=f"{user}-{place}", PolicyDocument=document)["Policy"]["Arn"]
        iam.attach_user_policy(UserName=user, PolicyArn=made)
    key = iam.create_access_key(UserName=user)["AccessKey"]
    return Signer(server.endpoint, key["AccessKeyId"], key["SecretAccessKey"])


if __name__ == "__main__":
    main()

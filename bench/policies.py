"""GetSecretValue under policies as people write them, beside one user with one policy, in turn on one server.

50 users, each with 10 managed policies of 20 statements (conditions on tags and on the source address among
them), a resource policy on every secret, and a customer managed key whose key policy has the say. Run as
`python bench/policies.py`; wants `wrk`, as `compare.py` does.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from pathlib import Path
from typing import Any

import boto3
from contenders import ROOT_KEY_ID, ROOT_SECRET, Strongroom, name
from load import CONNECTIONS, REGION, Measured, Signer

USERS, POLICIES, STATEMENTS, SECRETS = 50, 10, 20, 1000
NEAR = {"IpAddress": {"aws:SourceIp": ["127.0.0.0/8", "10.0.0.0/8"]}}
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
            plain = [server.read(number) for number in range(SECRETS)]
            server.create(range(SECRETS))
            governed = _governed(server)
            rounds = [
                (server.measure(plain, options.seconds), server.measure(governed, options.seconds))
                for _ in range(options.rounds)
            ]
        finally:
            server.stop()
    _say("one user, one policy", [one for one, _ in rounds])
    _say(f"{USERS} users × {POLICIES} policies × {STATEMENTS} statements", [two for _, two in rounds])
    ratio = statistics.median(two.rate / one.rate for one, two in rounds)
    print(f"second ÷ first, pair by pair: {ratio:.2f}")


def _governed(server: Strongroom) -> list[bytes]:
    """Make principals and policies; return a read of every secret, each by the next user."""
    iam, kms, secrets = (_client(server, service) for service in ("iam", "kms", "secretsmanager"))
    account = boto3.client("sts", **_arguments(server)).get_caller_identity()["Account"]
    delegated = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{account}:root"}, "Action": "kms:*"}
    key = kms.create_key(Policy=_document({**delegated, "Resource": "*"}))["KeyMetadata"]["KeyId"]
    arns = [
        iam.create_policy(PolicyName=f"p{number}", PolicyDocument=_policy(number))["Policy"]["Arn"]
        for number in range(POLICIES)
    ]
    signers = []
    for number in range(USERS):
        user = f"user{number}"
        iam.create_user(UserName=user)
        for arn in arns:
            iam.attach_user_policy(UserName=user, PolicyArn=arn)
        made = iam.create_access_key(UserName=user)["AccessKey"]
        signers.append(Signer(server.endpoint, made["AccessKeyId"], made["SecretAccessKey"]))
    guard = {"Effect": "Deny", "Principal": "*", "Action": "secretsmanager:GetSecretValue", "Resource": "*",
             "Condition": {"StringNotEquals": {"aws:PrincipalAccount": account}}}  # fmt: skip
    for number in range(SECRETS):
        secret = f"governed/{name(number)}"
        tags = [{"Key": "team", "Value": "red"}]
        secrets.create_secret(Name=secret, SecretString=f"value {number}", KmsKeyId=key, Tags=tags)
        secrets.put_resource_policy(SecretId=secret, ResourcePolicy=_document(guard))
    return [
        signers[number % USERS].call("GetSecretValue", {"SecretId": f"governed/{name(number)}"})
        for number in range(SECRETS)
    ]


def _policy(number: int) -> str:
    """Return a policy of which one statement matters here and the others bear on other things."""
    statements: list[dict[str, Any]] = [
        {"Effect": "Allow", "Action": f"secretsmanager:Describe{'*' * (each % 2)}",
         "Resource": f"arn:aws:secretsmanager:*:*:secret:team{number}/{each}-*"}
        for each in range(STATEMENTS - 3)
    ]  # fmt: skip
    statements += [
        {"Effect": "Allow", "Action": "secretsmanager:Get*", "Resource": "*", "Condition": {**NEAR, **TEAM}},
        {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": "*", "Condition": NEAR},
        {"Effect": "Deny", "Action": "secretsmanager:*", "Resource": "*",
         "Condition": {"StringEquals": {"secretsmanager:ResourceTag/team": "blue"}}},
    ]  # fmt: skip
    return _document(*statements)


def _document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def _arguments(server: Strongroom) -> dict[str, Any]:
    return {
        "region_name": REGION,
        "endpoint_url": server.endpoint,
        "aws_access_key_id": ROOT_KEY_ID,
        "aws_secret_access_key": ROOT_SECRET,
    }


def _client(server: Strongroom, service: str) -> Any:
    return boto3.client(service, **_arguments(server))


def _say(what: str, measured: list[Measured]) -> None:
    rate = statistics.median(each.rate for each in measured)
    p99 = statistics.median(each.p99_ms for each in measured)
    spent = statistics.median(each.processor_us for each in measured)
    print(f"{what}: {rate:,.0f}/s, p99 {p99:.1f} ms, {spent:.0f} µs of processor a call, "
          f"{CONNECTIONS} connections, {len(measured)} rounds")  # fmt: skip


if __name__ == "__main__":
    main()

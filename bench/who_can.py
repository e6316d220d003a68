"""What questions to a data directory cost: `who-can` over many roles, `policy diff` over many records.

The roles have up to five managed policies of 20 statements each, with conditions on address and transport,
and every second one a policy of its own on the tags that its sessions may be given: most answers are an `if`.
Run as `python bench/who_can.py --roles 1000 --records 100000`.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import resource
import subprocess
import sys
import tempfile
import uuid
from pathlib import Path
from typing import Any

import boto3
from contenders import ROOT_KEY_ID, ROOT_SECRET, Strongroom
from load import REGION

from strongroom.trail.layout import FIRST_PREVIOUS, format_line, hash_line, segment_name

MANAGED, STATEMENTS = 10, 20
GET = "secretsmanager:GetSecretValue"
SECRET = "bench/who-can"
Statement = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--roles", type=int, default=1_000)
    parser.add_argument("--records", type=int, default=100_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-") as work:
        server = Strongroom(Path(work), Path(work))
        server.start()
        try:
            secret, roles = _populate(server, options.roles)
        finally:
            server.stop()
        data = _data_dir(Path(work))
        seconds, found = _run("who-can", GET, SECRET, "--all", data=data)
        print(
            f"who-can over {options.roles} roles: {seconds:.2f} s of processor time, "
            f"{found['resources'][0]['counts']}"
        )
        _record(data, secret, roles, options.records)
        policy = Path(work) / "policy.json"
        everybody = {"Effect": "Deny", "Principal": "*", "Action": GET, "Resource": "*"}
        hours = {"StringNotLike": {"aws:PrincipalArn": "*:role/r*1"}}
        policy.write_text(_document({**everybody, "Condition": hours}))
        seconds, found = _run("policy", "diff", "--secret", SECRET, "--policy", str(policy), data=data)
        print(
            f"policy diff over {options.records} records: {seconds:.2f} s of processor time, "
            f"{found['counts']}"
        )


def _data_dir(work: Path) -> Path:
    return next(path.parent for path in work.rglob("FORMAT"))


def _document(*statements: Statement) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def _populate(server: Strongroom, count: int) -> tuple[str, list[tuple[str, str]]]:
    """Make policies, roles and the secret; return its ARN, and ids and ARNs of the roles."""
    iam, kms, secrets = (_client(server, name) for name in ("iam", "kms", "secretsmanager"))
    key = kms.create_key()["KeyMetadata"]["Arn"]
    secret = secrets.create_secret(Name=SECRET, SecretString="value", KmsKeyId=key)["ARN"]
    managed = [
        iam.create_policy(PolicyName=f"p{number}", PolicyDocument=_managed(number))["Policy"]["Arn"]
        for number in range(MANAGED)
    ]
    services = {"Service": "lambda.amazonaws.com"}
    trust = {"Effect": "Allow", "Principal": services, "Action": ["sts:AssumeRole", "sts:TagSession"]}
    roles = []
    for number in range(count):
        name = f"r{number}"
        made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=_document(trust))["Role"]
        roles.append((made["RoleId"], made["Arn"]))
        if number % 2:
            team = {"StringEquals": {"aws:PrincipalTag/team": f"t{number}"}}
            own = {"Effect": "Allow", "Action": [GET, "kms:Decrypt"], "Resource": "*", "Condition": team}
            iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=_document(own))
        for place in range(number % 6):
            iam.attach_role_policy(RoleName=name, PolicyArn=managed[(number + place) % MANAGED])
    return secret, roles


def _client(server: Strongroom, service: str) -> Any:
    return boto3.client(
        service,
        endpoint_url=server.endpoint,
        region_name=REGION,
        aws_access_key_id=ROOT_KEY_ID,
        aws_secret_access_key=ROOT_SECRET,
    )


def _managed(number: int) -> str:
    others = [
        {
            "Effect": "Allow",
            "Action": GET,
            "Resource": f"arn:aws:secretsmanager:*:*:secret:team{number}-{each}/*",
        }
        for each in range(STATEMENTS - 2)
    ]
    near = {"IpAddress": {"aws:SourceIp": f"10.{number}.0.0/16"}}
    allow = {"Effect": "Allow", "Action": [GET, "kms:Decrypt"], "Resource": "*", "Condition": near}
    far = {"Bool": {"aws:SecureTransport": "false"}, "NotIpAddress": {"aws:SourceIp": "127.0.0.0/8"}}
    deny = {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": far}
    return _document(*others, allow, deny)


def _record(data: Path, secret: str, roles: list[tuple[str, str]], count: int) -> None:
    """Write a slot of reads of the secret, every third refused, by sessions that are not on record."""
    slot = data / "trail" / "segments" / "bench"
    slot.mkdir()
    now = dt.datetime.now(dt.UTC)
    previous = FIRST_PREVIOUS
    account = secret.split(":")[4]
    with (slot / segment_name(1)).open("wb") as file:
        for number in range(1, count + 1):
            role_id, arn = roles[number % len(roles)]
            at = now - dt.timedelta(seconds=count - number)
            stamp = at.strftime("%Y-%m-%dT%H:%M:%SZ")
            session = arn.replace(":iam:", ":sts:").replace("role/", "assumed-role/") + "/bench"
            event = {
                "userIdentity": {
                    "type": "AssumedRole",
                    "principalId": f"{role_id}:bench",
                    "arn": session,
                    "accountId": account,
                    "accessKeyId": f"ASIA{number % 5000:016}",
                    "sessionContext": {
                        "sessionIssuer": {"type": "Role", "principalId": role_id, "arn": arn},
                        "attributes": {"creationDate": stamp, "mfaAuthenticated": "false"},
                    },
                },
                "eventTime": stamp,
                "eventSource": "secretsmanager.amazonaws.com",
                "eventName": "GetSecretValue",
                "awsRegion": REGION,
                "sourceIPAddress": f"10.{number % 3}.0.1",
                "userAgent": "bench",
                **({"errorCode": "AccessDenied"} if number % 3 == 0 else {}),
                "requestParameters": {"secretId": SECRET} if number % 3 else None,
                "eventID": str(uuid.uuid4()),
                "resources": [{"accountId": account, "type": "AWS::SecretsManager::Secret", "ARN": secret}],
                "eventType": "AwsApiCall",
            }
            line = format_line(number, previous, json.dumps(event).encode())
            previous = hash_line(line)
            file.write(line + b"\n")


def _run(*arguments: str, data: Path) -> tuple[float, Any]:
    command = [str(Path(sys.executable).parent / "strongroom"), *arguments, "--json", "--data-dir", str(data)]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    ran = subprocess.run(command, check=True, capture_output=True, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return used, json.loads(ran.stdout)


if __name__ == "__main__":
    main()

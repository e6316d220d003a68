"""Who can, asked of a room that is being served and again when it has stopped, is what callers then hear."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from support.running import STRONGROOM, running

CANARY = "canary-who-can-81b2d7"
GET = "secretsmanager:GetSecretValue"


def who_can(data_dir: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [STRONGROOM, "who-can", *arguments, "--data-dir", str(data_dir)],
        capture_output=True,
        text=True,
        check=False,
    )


def found(data_dir: Path, *arguments: str) -> dict[str, Any]:
    ran = who_can(data_dir, *arguments, "--json")
    assert ran.returncode == 0, ran.stderr
    assert CANARY not in ran.stdout
    (resource,) = json.loads(ran.stdout)["resources"]
    return {each["principal"].rpartition("/")[2]: each for each in resource["principals"]} | {"*": resource}


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def test_what_is_said_is_what_callers_hear(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    options = ["--data-dir", str(data_dir), "--root-key", f"file:{tmp_path / 'root.key'}"]
    options += ["--port", "0", "--workers", "1"]
    read = {"Sid": "Read", "Effect": "Allow", "Action": GET, "Resource": "*"}
    decrypt = {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": "*"}
    elsewhere = {"NotIpAddress": {"aws:SourceIp": "127.0.0.0/8"}}
    people = {
        "may": document(read, decrypt),
        "nokey": document(read),
        "nothing": document(decrypt),
        "home": document(read, decrypt, {**read, "Sid": "Out", "Effect": "Deny", "Condition": elsewhere}),
        "away": document({**read, "Condition": elsewhere}, decrypt),
    }
    with running(options, tmp_path / "log") as server:
        iam = server.client("iam")
        key = server.client("kms").create_key()["KeyMetadata"]["Arn"]
        owner = server.client("secretsmanager")
        arn = owner.create_secret(Name="prod/app/db", SecretString=CANARY, KmsKeyId=key)["ARN"]
        for name, policy in people.items():
            iam.create_user(UserName=name)
            iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=policy)
        told = found(data_dir, GET, "prod/app/db", "--all")
        for name in people:
            pair = iam.create_access_key(UserName=name)["AccessKey"]
            keys = (pair["AccessKeyId"], pair["SecretAccessKey"])
            client = server.client("secretsmanager", credentials=keys)
            expected = {"may": "yes", "home": "if", "away": "if"}.get(name, "no")
            assert told[name]["verdict"] == expected
            if name in ("may", "home"):
                assert client.get_secret_value(SecretId=arn)["SecretString"] == CANARY
            else:
                with pytest.raises(ClientError) as refused:
                    client.get_secret_value(SecretId=arn)
                assert refused.value.response["Error"]["Code"] == "AccessDeniedException"

    told = found(data_dir, GET, arn)
    assert told["*"]["key"] == {"arn": key, "state": "Enabled"}
    assert told["*"]["counts"] == {"yes": 2, "if": 2, "no": 2}
    assert "nokey" not in told
    through = [
        (each["action"], each["layer"], each["policy"], each["sid"]) for each in told["may"]["through"]
    ]
    assert through == [
        (GET, "identity-based policy", "own", "Read"),
        ("kms:Decrypt", "identity-based policy", "own", ""),
        ("kms:Decrypt", "resource-based policy", key, through[2][3]),
    ]
    (unless,) = told["home"]["unless"]
    assert (unless["sid"], unless["conditions"]) == (
        "Out",
        [{"operator": "NotIpAddress", "key": "aws:SourceIp", "values": ["127.0.0.0/8"]}],
    )
    text = who_can(data_dir, GET.lower(), "prod/app/db").stdout
    assert "may, 2 may if conditions hold, 2 may not." in text
    assert "unless identity-based policy own, statement 3 (Out) for secretsmanager:GetSecretValue" in text
    assert "if NotIpAddress aws:SourceIp 127.0.0.0/8" in text
    assert CANARY not in text

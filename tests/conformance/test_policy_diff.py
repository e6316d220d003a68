"""Recorded calls decided again under a changed policy, and then made again under it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from support.running import STRONGROOM, running

CANARY = "canary-policy-diff-3a90c4"
GET = "secretsmanager:GetSecretValue"


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(action: str, resource: str = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def diff(tmp_path: Path, policy: str, *arguments: str, code: int = 0) -> Any:
    file = tmp_path / "policy.json"
    file.write_text(policy)
    command = [STRONGROOM, "policy", "diff", "--policy", str(file), "--data-dir", str(tmp_path / "data")]
    ran = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)
    assert ran.returncode == code, (ran.stdout, ran.stderr)
    assert CANARY not in ran.stdout + ran.stderr
    return json.loads(ran.stdout) if "--json" in arguments else ran.stdout + ran.stderr


def outcomes(found: Any) -> dict[tuple[str, str], str]:
    return {
        (each["principal"].rpartition("/")[2], each["resource"].split(":")[-1][:5]): each["outcome"]
        for each in found["groups"]
    }


def test_calls_on_record_come_out_as_they_then_do(tmp_path: Path) -> None:
    options = ["--data-dir", str(tmp_path / "data"), "--root-key", f"file:{tmp_path / 'root.key'}"]
    options += ["--port", "0", "--workers", "1"]
    with running(options, tmp_path / "log") as server:
        iam, owner = server.client("iam"), server.client("secretsmanager")
        arns = {
            name: owner.create_secret(Name=name, SecretString=CANARY)["ARN"] for name in ("one/a", "two/b")
        }
        clients = {}
        for name in ("ann", "ben"):
            iam.create_user(UserName=name)
            both = document(allow(GET), allow("secretsmanager:ListSecrets"))
            only = document(allow(GET, arns["two/b"]))
            iam.put_user_policy(
                UserName=name, PolicyName="own", PolicyDocument=both if name == "ann" else only
            )
            pair = iam.create_access_key(UserName=name)["AccessKey"]
            keys = (pair["AccessKeyId"], pair["SecretAccessKey"])
            clients[name] = server.client("secretsmanager", credentials=keys)

        def read(name: str, secret: str) -> bool:
            try:
                clients[name].get_secret_value(SecretId=secret)
            except ClientError as error:
                assert error.response["Error"]["Code"] == "AccessDeniedException"
                return False
            return True

        said = {(name, secret): read(name, secret) for name in clients for secret in arns}
        assert [pair for pair, may in said.items() if not may] == [("ben", "one/a")]
        read("ann", "one/a")

        changed = document(allow(GET, arns["two/b"]))
        found = diff(tmp_path, changed, "--user", "ann", "--json")
        assert outcomes(found) == {("ann", "one/a"): "newly refused"}
        (group,) = found["groups"]
        assert (group["count"], group["action"], group["resource"]) == (2, GET, arns["one/a"])
        assert found["counts"]["newly_refused"] == 2
        assert (
            diff(tmp_path, changed, "--user", "ann", "--json", "--limit", "1")["counts"]["newly_refused"] == 1
        )

        more = document(allow(GET, arns["one/a"]), allow(GET, arns["two/b"]))
        found = diff(tmp_path, more, "--user", "ben", "--policy-name", "own", "--json")
        assert outcomes(found) == {("ben", "one/a"): "newly allowed"}
        assert (
            diff(tmp_path, more, "--user", "ben", "--policy-name", "new", "--json")["groups"]
            == found["groups"]
        )

        over_tls = document(allow(GET, Condition={"Bool": {"aws:SecureTransport": "true"}}))
        found = diff(tmp_path, over_tls, "--user", "ann", "--json")
        assert outcomes(found) == {("ann", "one/a"): "undecided", ("ann", "two/b"): "undecided"}
        assert {tuple(each["missing"]) for each in found["groups"]} == {("aws:SecureTransport",)}

        nobody = {"Effect": "Deny", "Principal": "*", "Action": GET, "Resource": "*"}
        nobody["Condition"] = {"StringNotEquals": {"aws:username": "ben"}}
        found = diff(tmp_path, document(nobody), "--secret", "two/b", "--json")
        assert outcomes(found) == {("ann", "two/b"): "newly refused"}

        # As it was said, so it is.
        iam.put_user_policy(UserName="ann", PolicyName="own", PolicyDocument=changed)
        iam.put_user_policy(UserName="ben", PolicyName="own", PolicyDocument=more)
        assert [read("ann", "one/a"), read("ben", "one/a"), read("ann", "two/b")] == [False, True, True]


@pytest.mark.parametrize("restricted", [False, True])
def test_sessions_are_replayed_with_what_they_were_made_with(tmp_path: Path, restricted: bool) -> None:
    options = ["--data-dir", str(tmp_path / "data"), "--root-key", f"file:{tmp_path / 'root.key'}"]
    options += ["--port", "0", "--workers", "1"]
    with running(options, tmp_path / "log") as server:
        iam, owner = server.client("iam"), server.client("secretsmanager")
        owner.create_secret(Name="one/a", SecretString=CANARY)
        iam.create_user(UserName="ann")
        iam.put_user_policy(UserName="ann", PolicyName="own", PolicyDocument=document(allow("sts:*")))
        pair = iam.create_access_key(UserName="ann")["AccessKey"]
        account = server.client("sts").get_caller_identity()["Account"]
        trust = {"Effect": "Allow", "Principal": {"AWS": account}, "Action": "sts:AssumeRole"}
        role = iam.create_role(RoleName="app", AssumeRolePolicyDocument=document(trust))["Role"]["Arn"]
        given = {"Policy": document(allow("secretsmanager:DescribeSecret"))} if restricted else {}
        keys = (pair["AccessKeyId"], pair["SecretAccessKey"])
        sts = server.client("sts", credentials=keys)
        made = sts.assume_role(RoleArn=role, RoleSessionName="one", **given)["Credentials"]
        temporary = (made["AccessKeyId"], made["SecretAccessKey"], made["SessionToken"])
        session = server.client("secretsmanager", credentials=temporary)
        with pytest.raises(ClientError) as refused:
            session.get_secret_value(SecretId="one/a")
        assert refused.value.response["Error"]["Code"] == "AccessDeniedException"
        found = diff(tmp_path, document(allow(GET)), "--role", "app", "--policy-name", "new", "--json")
        assert outcomes(found) == ({} if restricted else {("app", "one/a"): "newly allowed"})

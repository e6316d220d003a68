"""A refused call is explained under its request id, while the server runs and after it has stopped."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from strongroom.wire.models import OWN_MODELS
from support.running import STRONGROOM, running

CANARY = "canary-explain-5f1c9a"


def explained(data_dir: Path, request_id: str, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [STRONGROOM, "explain", request_id, "--data-dir", str(data_dir), *options],
        capture_output=True,
        text=True,
        check=False,
    )


def trail_lines(data_dir: Path) -> list[dict[str, Any]]:
    segments = (data_dir / "trail" / "segments").glob("*/*.jsonl")
    return [json.loads(line) for path in segments for line in path.read_text().splitlines()]


def user(server: Any, name: str, policy: dict[str, Any] | None) -> tuple[str, str]:
    iam = server.client("iam")
    iam.create_user(UserName=name)
    if policy is not None:
        iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=json.dumps(policy))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return key["AccessKeyId"], key["SecretAccessKey"]


def test_refusals_of_policies_and_of_the_key_are_explained(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    root_key = f"file:{tmp_path / 'root.key'}"
    options = ["--data-dir", str(data_dir), "--root-key", root_key, "--port", "0", "--workers", "1"]
    with running(options, tmp_path / "log") as server:
        owner_key = (server.access_key_id, server.secret_access_key)
        owner = server.client("secretsmanager")
        key_id = server.client("kms").create_key()["KeyMetadata"]["Arn"]
        secret = owner.create_secret(Name="prod/db", SecretString=CANARY, KmsKeyId=key_id)["ARN"]
        ids = []
        allow = {"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": "*"}
        for name, policy in (("ann", None), ("ben", {"Version": "2012-10-17", "Statement": [allow]})):
            client = server.client("secretsmanager", credentials=user(server, name, policy))
            with pytest.raises(ClientError) as refused:
                client.get_secret_value(SecretId="prod/db")
            assert refused.value.response["Error"]["Code"] == "AccessDeniedException"
            ids.append(refused.value.response["ResponseMetadata"]["RequestId"])
        assert explained(data_dir, ids[0], "--json").returncode == 0

    (by_policy,) = json.loads(explained(data_dir, ids[0], "--json").stdout)["decisions"]
    assert (by_policy["action"], by_policy["refused_by"]) == (
        "secretsmanager:GetSecretValue",
        ["identity-based policy"],
    )
    statement = {"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": secret}
    assert by_policy["explanation"]["remedies"][0][0]["statement"] == statement
    (by_key,) = json.loads(explained(data_dir, ids[1], "--json").stdout)["decisions"]
    assert (by_key["action"], by_key["resource"]) == ("kms:Decrypt", key_id)
    assert by_key["message"] == "Access to KMS is not allowed"
    text = explained(data_dir, ids[1]).stdout
    assert "add to the identity-based policy:" in text
    for path in (data_dir / "decisions").iterdir():
        assert CANARY not in path.read_text()

    pointers = {
        event["requestID"]: event.get("additionalEventData")
        for event in (line["event"] for line in trail_lines(data_dir))
        if event["eventName"] == "GetSecretValue"
    }
    assert pointers == {each: {"decisionRecord": each} for each in ids}

    encoded = explained(data_dir, ids[0], "--encoded", "--root-key", root_key)
    assert encoded.returncode == 0, encoded.stderr
    with running(options, tmp_path / "log") as server:
        server.access_key_id, server.secret_access_key = owner_key
        message = encoded.stdout.strip()
        text = server.client("sts").decode_authorization_message(EncodedMessage=message)["DecodedMessage"]
    decoded = json.loads(text)
    assert (decoded["allowed"], decoded["context"]["resource"]) == (False, secret)
    assert decoded["failures"]["items"] == [{"layer": "identity-based policy"}]

    for more in ([], ["--encoded", "--root-key", root_key]):
        unknown = explained(data_dir, "11111111-2222-4333-8444-555555555555", *more)
        assert (unknown.returncode, unknown.stdout) == (1, "")
        assert "No refusal is on record" in unknown.stderr
    assert explained(data_dir, ids[0], "--encoded", "--json").returncode == 2


def test_sdks_ask_the_server_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DATA_PATH", str(OWN_MODELS))
    options = ["--ephemeral", "--workers", "2"]
    with running(options, tmp_path / "log") as server:
        server.client("secretsmanager").create_secret(Name="prod/db", SecretString=CANARY)
        ann = user(server, "ann", None)
        statement = {"Effect": "Allow", "Action": "strongroom:ExplainDecision", "Resource": "*"}
        decode = {"Effect": "Allow", "Action": "sts:DecodeAuthorizationMessage", "Resource": "*"}
        bob = user(server, "bob", {"Version": "2012-10-17", "Statement": [statement, decode]})
        with pytest.raises(ClientError) as refused:
            server.client("secretsmanager", credentials=ann).get_secret_value(SecretId="prod/db")
        request_id = refused.value.response["ResponseMetadata"]["RequestId"]

        (decision,) = server.client("strongroom", credentials=bob).explain_decision(RequestId=request_id)[
            "Decisions"
        ]
        assert decision["Action"] == "secretsmanager:GetSecretValue"
        assert decision["At"].tzinfo is not None
        (change,) = decision["Remedies"][0]["Changes"]
        assert json.loads(change["Statements"][0])["Resource"] == decision["ResourceArn"]
        text = server.client("sts", credentials=bob).decode_authorization_message(
            EncodedMessage=decision["EncodedMessage"]
        )["DecodedMessage"]
        assert json.loads(text)["context"]["action"] == "secretsmanager:GetSecretValue"

        heard = set()
        for each in (request_id, "11111111-2222-4333-8444-555555555555"):
            with pytest.raises(ClientError) as refused:
                server.client("strongroom", credentials=ann).explain_decision(RequestId=each)
            heard.add((refused.value.response["Error"]["Code"], refused.value.response["Error"]["Message"]))
        name = server.client("sts", credentials=ann).get_caller_identity()["Arn"]
        message = f"User: {name} is not authorized to perform: strongroom:ExplainDecision"
        assert heard == {("AccessDeniedException", message)}
        with pytest.raises(ClientError) as refused:
            server.client("strongroom", credentials=bob).explain_decision(RequestId="x" * 36)
        assert refused.value.response["Error"]["Code"] == "ValidationException"
        with pytest.raises(ClientError) as refused:
            server.client("sts", credentials=bob).decode_authorization_message(EncodedMessage="AQAA")
        error = refused.value.response["Error"]
        assert (error["Code"], error["Message"]) == (
            "InvalidAuthorizationMessageException",
            "Message is not valid",
        )

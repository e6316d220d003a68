"""Canary secrets: whoever tries to read one is told of."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.running import Server, running
from support.trails import records, records_of, wait_for

CANARY = {"Key": "strongroom:canary", "Value": "true"}


class House:
    def __init__(self, server: Server, data_dir: Path) -> None:
        self.server, self.data_dir = server, data_dir
        self.client = server.client("secretsmanager")
        self.iam = server.client("iam")

    def secret(self, *tags: dict[str, str]) -> str:
        name = f"bait-{uuid.uuid4().hex[:8]}"
        return str(self.client.create_secret(Name=name, SecretString="bait-value", Tags=list(tags))["ARN"])

    def user(self, *statements: dict[str, Any]) -> Any:
        name = f"thief-{uuid.uuid4().hex[:8]}"
        self.iam.create_user(UserName=name)
        if statements:
            document = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
            self.iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=document)
        key = self.iam.create_access_key(UserName=name)["AccessKey"]
        return self.server.client("secretsmanager", credentials=(key["AccessKeyId"], key["SecretAccessKey"]))

    def alerts_of(self, answer: dict[str, Any]) -> list[dict[str, Any]]:
        found = records_of(self.data_dir, answer["ResponseMetadata"]["RequestId"])
        assert found
        return [each for each in found if each["eventName"] == "CanarySecretRead"]

    def alerts(self, arn: str) -> list[dict[str, Any]]:
        return [
            each
            for each in records(self.data_dir)
            if each["eventName"] == "CanarySecretRead" and each["additionalEventData"]["SecretId"] == arn
        ]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    directory = tmp_path_factory.mktemp("canaries")
    place = ["--data-dir", str(directory / "data"), "--root-key", f"file:{directory / 'root.key'}"]
    with running([*place, "--workers", "1"], directory / "log") as server:
        yield House(server, directory / "data")


def test_a_read_is_told_of_each_time_also_where_others_are_answered_from_memory(house: House) -> None:
    arn = house.secret(CANARY)
    for _ in range(5):
        answer = house.client.get_secret_value(SecretId=arn)
        [alert] = house.alerts_of(answer)
    assert alert["eventType"] == "AwsServiceEvent"
    assert alert["userIdentity"] == {
        "accountId": arn.split(":")[4],
        "invokedBy": "secretsmanager.amazonaws.com",
    }
    assert alert["additionalEventData"] == {
        "SecretId": arn,
        "operation": "GetSecretValue",
        "outcome": "read",
        "principal": f"arn:aws:iam::{arn.split(':')[4]}:root",
        "principalId": arn.split(":")[4],
        "sourceIPAddress": "127.0.0.1",
    }
    assert "bait-value" not in json.dumps(records(house.data_dir))


def test_an_attempt_that_is_refused_is_told_of(house: House) -> None:
    arn = house.secret(CANARY)
    thief = house.user()
    with pytest.raises(thief.exceptions.ClientError) as refused:
        thief.get_secret_value(SecretId=arn)
    [alert] = house.alerts_of(refused.value.response)
    assert alert["additionalEventData"]["outcome"] == "AccessDenied"
    assert ":user/thief-" in alert["additionalEventData"]["principal"]


def test_each_canary_of_a_batch_is_told_of(house: House) -> None:
    read, refused, plain = house.secret(CANARY), house.secret(CANARY), house.secret()
    thief = house.user(
        {"Effect": "Allow", "Action": "secretsmanager:BatchGetSecretValue", "Resource": "*"},
        {"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": [read, plain]},
    )
    answer = thief.batch_get_secret_value(SecretIdList=[read, refused, plain])
    assert len(answer["SecretValues"]) == 2
    outcomes = {
        each["additionalEventData"]["SecretId"]: each["additionalEventData"]["outcome"]
        for each in house.alerts_of(answer)
    }
    assert outcomes == {read: "read", refused: "AccessDeniedException"}


def test_looking_without_reading_is_not_told_of(house: House) -> None:
    arn = house.secret(CANARY)
    house.client.describe_secret(SecretId=arn)
    house.client.list_secret_version_ids(SecretId=arn)
    last = house.client.list_secrets()
    assert house.alerts_of(last) == []
    assert house.alerts(arn) == []


@pytest.mark.parametrize("tags", [[], [{"Key": "strongroom:canary", "Value": "false"}]])
def test_other_secrets_are_read_without_an_alert(house: House, tags: list[dict[str, str]]) -> None:
    arn = house.secret(*tags)
    assert house.alerts_of(house.client.get_secret_value(SecretId=arn)) == []


def test_the_tag_counts_from_the_moment_it_is_set(house: House) -> None:
    arn = house.secret()
    for _ in range(4):
        house.client.get_secret_value(SecretId=arn)
    house.client.tag_resource(SecretId=arn, Tags=[{"Key": "strongroom:canary", "Value": "True"}])
    house.client.get_secret_value(SecretId=arn)
    house.client.untag_resource(SecretId=arn, TagKeys=["strongroom:canary"])
    last = house.client.get_secret_value(SecretId=arn)
    assert house.alerts_of(last) == []
    assert len(wait_for(lambda: house.alerts(arn))) == 1

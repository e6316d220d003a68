"""A running server sends its trail on, and knows who reads its secrets."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from strongroom.trail.ledger import Ledger
from support.receivers import HttpReceiver, http_receiver
from support.running import REGION, STRONGROOM, Server, running
from support.trails import records, wait_for


class House:
    def __init__(self, server: Server, data_dir: Path, receiver: HttpReceiver) -> None:
        self.server, self.data_dir, self.receiver = server, data_dir, receiver
        self.client = server.client("secretsmanager")

    def secret(self, value: str = "v1", **more: Any) -> str:
        name = f"sent-{uuid.uuid4().hex[:8]}"
        return str(self.client.create_secret(Name=name, SecretString=value, **more)["ARN"])

    def consumers(self, *arguments: str) -> dict[str, Any]:
        ended = subprocess.run(
            [STRONGROOM, "consumers", *arguments, "--json", "--region", REGION, "--data-dir", str(self.data_dir)],
            capture_output=True, text=True, timeout=30, check=False,
        )  # fmt: skip
        assert ended.returncode == 0, ended.stderr
        return dict(json.loads(ended.stdout))

    def clerk(self) -> int:
        """Return the process that follows the trail."""
        for path in (self.data_dir / "run" / "metrics").glob("clerk-*.json"):
            pid = int(path.stem.rpartition("-")[2])
            if Path(f"/proc/{pid}").exists():
                return pid
        return 0


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    directory = tmp_path_factory.mktemp("sent")
    place = ["--data-dir", str(directory / "data"), "--root-key", f"file:{directory / 'root.key'}"]
    with http_receiver() as receiver:
        sinks = [
            "--sink", f"{receiver.url}/all#from=start",
            "--sink", f"{receiver.url}/alerts#events=CanarySecretRead&name=alerts",
            "--sink", f"file://{directory}/audit.jsonl#from=start",
        ]  # fmt: skip
        with running([*place, "--workers", "1", *sinks], directory / "log") as server:
            yield House(server, directory / "data", receiver)


def arrived(house: House, path: str) -> dict[str, dict[str, Any]]:
    return {
        record["eventID"]: record
        for _, to, _, body in list(house.receiver.requests)
        if to == path
        for record in json.loads(body)["Records"]
    }


def test_every_record_arrives_also_when_the_clerk_is_killed(house: House) -> None:
    canary = f"canary-{uuid.uuid4().hex}"
    arn = house.secret(canary)
    for round_ in range(6):
        for _ in range(20):
            house.client.get_secret_value(SecretId=arn)
        if round_ % 2 == 0:
            os.kill(wait_for(house.clerk), signal.SIGKILL)
        if round_ == 3:
            house.receiver.answers = [500, 0]

    def all_there() -> bool:
        written = {each["eventID"] for each in records(house.data_dir)}
        return written <= set(arrived(house, "/all")) and len(written) >= 120

    wait_for(all_there)

    def all_in_the_file() -> str:
        text = (house.data_dir.parent / "audit.jsonl").read_text()
        ids = {json.loads(line)["eventID"] for line in text.splitlines() if line.endswith("}")}
        return text if len(ids) >= 120 else ""

    assert canary not in wait_for(all_in_the_file)
    assert all(canary.encode() not in body for *_, body in house.receiver.requests)


def test_a_canary_raises_an_alert(house: House) -> None:
    arn = house.secret(Tags=[{"Key": "strongroom:canary", "Value": "true"}])
    house.client.get_secret_value(SecretId=arn)
    [alert] = wait_for(lambda: list(arrived(house, "/alerts").values()))
    assert alert["additionalEventData"]["SecretId"] == arn
    assert {each["eventName"] for each in arrived(house, "/alerts").values()} == {"CanarySecretRead"}


class TestConsumers:
    def test_say_who_still_has_the_old_credential(self, house: House) -> None:
        arn = house.secret("v1")
        iam, account = house.server.client("iam"), arn.split(":")[4]
        clients = {}
        for user in ("quick", "slow"):
            name = f"{user}-{uuid.uuid4().hex[:6]}"
            iam.create_user(UserName=name)
            policy = {
                "Version": "2012-10-17",
                "Statement": {"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": arn},
            }
            iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=json.dumps(policy))
            key = iam.create_access_key(UserName=name)["AccessKey"]
            credentials = (key["AccessKeyId"], key["SecretAccessKey"])
            clients[f"arn:aws:iam::{account}:user/{name}"] = house.server.client(
                "secretsmanager", credentials=credentials
            )
        [quick, slow] = clients
        for client in clients.values():
            for _ in range(3):
                old = client.get_secret_value(SecretId=arn)["VersionId"]
        new = house.client.put_secret_value(SecretId=arn, SecretString="v2")["VersionId"]
        clients[quick].get_secret_value(SecretId=arn)
        found = house.consumers(arn)
        assert (found["current"], found["previous"]) == (new, old)
        assert {each["principal"]: each["standing"] for each in found["consumers"]} == {
            quick: "current",
            slow: "behind",
        }
        [reading] = next(each["readings"] for each in found["consumers"] if each["principal"] == slow)
        assert (reading["version_id"], reading["times"], reading["source"]) == (old, 3, "127.0.0.1")
        assert "Boto3" in reading["client"]
        assert found["safe_to_retire"] is False
        assert found["advice"] == f"Not safe to retire yet: {slow} may still use an older version."
        clients[slow].get_secret_value(SecretId=arn)
        again = house.consumers(arn.rpartition(":")[2][:-7], "--account", account)
        assert again["safe_to_retire"] is True
        clients[slow].get_secret_value(SecretId=arn, VersionStage="AWSPREVIOUS")
        assert house.consumers(arn)["safe_to_retire"] is False

    def test_are_what_the_keepers_ledger_comes_to(self, house: House) -> None:
        arn = house.secret()
        for _ in range(5):
            house.client.get_secret_value(SecretId=arn)
        asked = house.consumers(arn)

        def kept() -> list[int]:
            ledger = Ledger.copy_in_memory(house.data_dir / "index" / "ledger.db")
            try:
                return [each.times for each in ledger.readings(arn)]
            finally:
                ledger.close()

        assert wait_for(lambda: kept() == [5])
        assert [each["times"] for each in asked["consumers"][0]["readings"]] == [5]

    def test_of_a_secret_that_is_not_there_are_a_mistake(self, house: House) -> None:
        ended = subprocess.run(
            [STRONGROOM, "consumers", "no-such", "--region", REGION, "--data-dir", str(house.data_dir)],
            capture_output=True, text=True, timeout=30, check=False,
        )  # fmt: skip
        assert ended.returncode == 3
        assert f"There is no secret no-such in {REGION}." in ended.stderr

    def test_that_are_none_make_a_secret_unused_once_it_is_old(self, house: House) -> None:
        house.secret()
        assert house.consumers("--unused", "--days", "1") == {"unused": []}

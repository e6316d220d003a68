"""What is kept of a read is never used once anything it rests on is another: two pipelines over one store,
one that keeps and one that does not, always give the same answer."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import random
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from strongroom.audit.event import EventTemplate, call_event
from strongroom.operations.authorize import DecisionMemory
from strongroom.operations.call import Resources
from strongroom.operations.catalog import CATALOG
from strongroom.operations.datakeys import KeyMemory
from strongroom.operations.iam.bootstrap import create_account
from strongroom.operations.standing import StandingMemory
from strongroom.rootkey import HeldRootKey
from strongroom.server.pipeline import Pipeline
from strongroom.server.repeats import Repeats
from strongroom.server.world import SystemClock, SystemEntropy, Uuids
from strongroom.store.room import Room
from strongroom.store.sqlite import SqliteStore
from strongroom.wire.http import HttpRequest
from strongroom.wire.models import load_service

ENDPOINT = "http://127.0.0.1:7780"
REGION = "eu-central-1"
MODELS = {name: load_service(name) for name in CATALOG}
SECRET = "prod/app/db"
GET = {"SecretId": SECRET}


class Trail:
    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []

    def append(self, event: bytes) -> None:
        self.events.append(json.loads(event))

    def close(self) -> None: ...


class Never(Repeats):
    """Keeps nothing."""

    def is_second(self, place: Any, mark: int | None) -> bool:
        return False


class Log:
    def error(self, event: str, **fields: Any) -> Any:
        raise AssertionError(f"{event}: {fields}")


class Bench:
    """Two pipelines over one store."""

    def __init__(self, path: Path) -> None:
        self.room = Room.create(path)
        self.entropy = SystemEntropy()
        self.root_key = HeldRootKey(self.entropy.token_bytes(32), self.entropy)
        self.store = SqliteStore.open(path)
        now = dt.datetime.now(dt.UTC)
        made = self.store.write(
            lambda unit: create_account(unit, self.root_key, self.entropy, now, None)
        ).result()
        self.account_id = made.account_id
        self.root = Credentials(made.access_key_id, made.secret_access_key)
        self.trails = (Trail(), Trail())
        self.keeping, self.plain = (self._pipeline(trail) for trail in self.trails)
        self.plain._repeats = Never()
        self.uuids = Uuids()
        self.source_ip = "192.0.2.1"

    def _pipeline(self, trail: Trail) -> Pipeline:
        resources = Resources(
            store=self.store,
            root_key=self.root_key,
            entropy=self.entropy,
            key_memory=KeyMemory(),
            decision_memory=DecisionMemory(),
            standing_memory=StandingMemory(),
        )
        return Pipeline(
            models=MODELS,
            catalog=CATALOG,
            store=self.store,
            trail=trail,
            resources=resources,
            clock=SystemClock(),
            log=Log(),
        )

    def ask(
        self, pipeline: Pipeline, who: Credentials, service: str, operation: str, body: Mapping[str, Any]
    ) -> tuple[int, Any]:
        """Return status and body of a call."""
        data = json.dumps(body)
        target = {"secretsmanager": "secretsmanager", "kms": "TrentService"}.get(service)
        headers = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": f"{target}.{operation}"}
        if target is None:
            data = "&".join(f"{key}={value}" for key, value in {"Action": operation, **body}.items())
            data += "&Version=2010-05-08"
            headers = {"Content-Type": "application/x-www-form-urlencoded"}
        request = AWSRequest("POST", f"{ENDPOINT}/", data=data, headers={**headers, "Host": "127.0.0.1:7780"})
        SigV4Auth(who, service, "us-east-1" if service == "iam" else REGION).add_auth(request)
        answer = asyncio.run(
            pipeline.answer(
                HttpRequest(
                    method="POST",
                    raw_path="/",
                    raw_query="",
                    headers={name.lower(): value for name, value in request.headers.items()},
                    body=data.encode(),
                    received_at=dt.datetime.now(dt.UTC),
                    request_id=self.uuids.next(),
                    source_ip=self.source_ip,
                    secure=False,
                )
            )
        )
        try:
            return answer.status, json.loads(answer.body)
        except ValueError:
            return answer.status, answer.body.decode()

    def do(self, service: str, operation: str, **body: Any) -> Any:
        """Return the body of a call of the root user that succeeds."""
        status, answer = self.ask(self.plain, self.root, service, operation, body)
        assert status == 200, answer
        return answer

    def new_user(self, name: str) -> Credentials:
        self.do("iam", "CreateUser", UserName=name)
        made = self.do("iam", "CreateAccessKey", UserName=name)
        inside = {tag: made.split(f"<{tag}>")[1].split("<")[0] for tag in ("AccessKeyId", "SecretAccessKey")}
        return Credentials(inside["AccessKeyId"], inside["SecretAccessKey"])


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path / "room")
    yield made
    made.store.close()
    made.room.close()


def statement(effect: str, action: str, **more: Any) -> dict[str, Any]:
    return {"Effect": effect, "Action": action, "Resource": "*", **more}


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def encoded(text: str) -> str:
    from urllib.parse import quote

    return quote(text, safe="")


def same(bench: Bench, callers: Mapping[str, Credentials]) -> None:
    """Every caller hears the same of both pipelines, three times over, so that answers come to be kept."""
    for name, who in callers.items():
        for source_ip in ("192.0.2.1", "203.0.113.9"):
            bench.source_ip = source_ip
            expected = bench.ask(bench.plain, who, "secretsmanager", "GetSecretValue", GET)
            for _ in range(3):
                found = bench.ask(bench.keeping, who, "secretsmanager", "GetSecretValue", GET)
                assert found == expected, (name, source_ip)
                kept, plain = (trail.events[-1] for trail in bench.trails)
                assert {**kept, "eventID": "", "requestID": "", "eventTime": ""} == {
                    **plain, "eventID": "", "requestID": "", "eventTime": ""
                }  # fmt: skip


@pytest.mark.parametrize("seed", range(6))
def test_changes_of_anything_are_seen_at_once(bench: Bench, seed: int) -> None:
    chance = random.Random(seed)
    key = bench.do("kms", "CreateKey")["KeyMetadata"]["KeyId"]
    bench.do("secretsmanager", "CreateSecret", Name=SECRET, SecretString="first", KmsKeyId=key,
             ClientRequestToken="c" * 32)  # fmt: skip
    callers = {"root": bench.root, "ann": bench.new_user("ann"), "bob": bench.new_user("bob")}
    near = {"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}
    red = {"StringEquals": {"aws:ResourceTag/team": "red"}}
    soon = {"DateLessThan": {"aws:CurrentTime": "2999-01-01T00:00:00Z"}}

    def user_policy(name: str) -> None:
        allowed = statement("Allow", "*", **chance.choice([{}, {"Condition": near}, {"Condition": red},
                                                           {"Condition": soon}]))  # fmt: skip
        denied = statement("Deny", "kms:Decrypt", Condition={"Bool": {"aws:SecureTransport": "true"}})
        policy = chance.choice([document(allowed), document(allowed, denied), document(
            statement("Allow", "secretsmanager:*")), document(allowed, statement("Deny", "secretsmanager:Get*"))])  # fmt: skip
        bench.do("iam", "PutUserPolicy", UserName=name, PolicyName="p", PolicyDocument=encoded(policy))

    def resource_policy() -> None:
        ann = f"arn:aws:iam::{bench.account_id}:user/ann"
        effect = chance.choice(["Allow", "Deny"])
        policy = document(statement(effect, "secretsmanager:GetSecretValue", Principal={"AWS": ann}))
        bench.do("secretsmanager", "PutResourcePolicy", SecretId=SECRET, ResourcePolicy=policy)

    changes = {
        "ann's policy": lambda: user_policy("ann"),
        "bob's policy": lambda: user_policy("bob"),
        "resource policy": resource_policy,
        "no resource policy": lambda: bench.do("secretsmanager", "DeleteResourcePolicy", SecretId=SECRET),
        "value": lambda: bench.do("secretsmanager", "PutSecretValue", SecretId=SECRET,
                                  SecretString=f"v{chance.random()}", ClientRequestToken=bench.uuids.next()),
        "tag": lambda: bench.do("secretsmanager", "TagResource", SecretId=SECRET,
                                Tags=[{"Key": "team", "Value": chance.choice(["red", "blue"])}]),
        "key off": lambda: bench.do("kms", "DisableKey", KeyId=key),
        "key on": lambda: bench.do("kms", "EnableKey", KeyId=key),
        "deleted": lambda: bench.ask(bench.plain, bench.root, "secretsmanager", "DeleteSecret",
                                     {"SecretId": SECRET}),
        "restored": lambda: bench.do("secretsmanager", "RestoreSecret", SecretId=SECRET),
        "bob's key": lambda: bench.do("iam", "UpdateAccessKey", UserName="bob", Status=chance.choice(
            ["Active", "Inactive"]), AccessKeyId=callers["bob"].access_key),
    }  # fmt: skip
    same(bench, callers)
    for _ in range(25):
        name = chance.choice(list(changes))
        if name in ("value", "tag", "resource policy", "no resource policy"):
            bench.do("secretsmanager", "RestoreSecret", SecretId=SECRET)
            bench.do("kms", "EnableKey", KeyId=key)
        changes[name]()
        same(bench, callers)


def test_answers_are_kept_at_all(bench: Bench) -> None:
    bench.do("secretsmanager", "CreateSecret", Name=SECRET, SecretString="v", ClientRequestToken="c" * 32)
    for _ in range(5):
        assert bench.ask(bench.keeping, bench.root, "secretsmanager", "GetSecretValue", GET)[0] == 200
        bench.store.write(lambda unit: None).result()  # lets what was touched reach the disk
    kept = bench.keeping._repeats._kept
    for _ in range(3):
        bench.ask(bench.keeping, bench.root, "secretsmanager", "GetSecretValue", GET)
    assert len(kept) == 1
    assert b"SecretString" not in repr(kept).encode()


def test_what_looks_at_the_time_is_not_kept(bench: Bench) -> None:
    bench.do("secretsmanager", "CreateSecret", Name=SECRET, SecretString="v", ClientRequestToken="c" * 32)
    ann = bench.new_user("ann")
    before = {"DateLessThan": {"aws:CurrentTime": "2999-01-01T00:00:00Z"}}
    policy = document(statement("Allow", "*", Condition=before))
    bench.do("iam", "PutUserPolicy", UserName="ann", PolicyName="p", PolicyDocument=encoded(policy))
    for _ in range(5):
        assert bench.ask(bench.keeping, ann, "secretsmanager", "GetSecretValue", GET)[0] == 200
        bench.store.write(lambda unit: None).result()
    assert bench.keeping._repeats._kept == {}


def test_a_template_fills_in_nothing_a_caller_wrote() -> None:
    at = dt.datetime(2026, 1, 1, 10, tzinfo=dt.UTC)
    ids = {
        "request_id": "11111111-1111-4111-8111-111111111111",
        "event_id": "22222222-2222-4222-8222-222222222222",
    }
    hostile = '","eventTime":"2026-01-01T10:00:00Z","requestID":"11111111'

    def event(at: dt.datetime, request_id: str, event_id: str) -> bytes:
        return call_event(
            event_source="secretsmanager.amazonaws.com", event_name="GetSecretValue", region=REGION,
            user_identity={"type": "Root", "userName": hostile}, source_ip=hostile, user_agent=hostile,
            request_id=request_id, event_id=event_id, at=at, read_only=True,
            recipient_account_id="123456789012", request_parameters={"secretId": hostile},
        )  # fmt: skip

    template = EventTemplate(event(at, **ids), at=at, **ids)
    later = at + dt.timedelta(seconds=61)
    other = {"request_id": "3" * 36, "event_id": "4" * 36}
    assert template.event(at=later, **other) == event(later, **other)

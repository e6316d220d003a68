"""What the records of a call name, and to which account they tell it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from strongroom.errors import AccessDeniedException, ServiceError
from strongroom.identity.principal import Principal
from strongroom.names import Region
from strongroom.operations.authorize import authorize
from strongroom.operations.call import Operation, Target
from strongroom.operations.iam.users import CREATE_USER
from strongroom.operations.kms import keys, multi_region
from strongroom.operations.kms.aliases import CREATE_ALIAS
from strongroom.operations.secretsmanager.values import CREATE_SECRET, PUT_SECRET_VALUE
from strongroom.server.attempt import Attempt
from strongroom.server.callers import described
from strongroom.server.records import MAX_HOST, events_of
from strongroom.server.world import Uuids
from strongroom.wire.http import HttpRequest
from strongroom.wire.models import load_service
from support.key_room import ACCOUNT, NOON, OTHER_ACCOUNT, REGION, KeyRoom, root

REQUEST_ID = "11111111-2222-3333-4444-555555555555"
TOKEN = "t" * 32


class Room(KeyRoom):
    def records(
        self, operation: Operation, request: dict[str, Any], *, service: str, region: Region = REGION
    ) -> list[dict[str, Any]]:
        """Return the records of a call that succeeds."""
        call = self.call(operation.name, request, service=service, region=region)

        def work(unit: Any) -> Any:
            attempt.targets = operation.targets(call, unit)
            return operation.handle(authorize(call, unit, attempt.targets), unit)

        attempt = an_attempt(service, operation, root())
        attempt.call = call
        response = self.store.write(work).result()
        return [json.loads(each) for each in events_of(attempt, response, Uuids())]


def a_request(host: str = "localhost", tls: str | None = None) -> HttpRequest:
    return HttpRequest(
        "POST", "/", "", {"host": host, "user-agent": "sdk"}, b"", NOON, REQUEST_ID, "192.0.2.1", tls is not None, tls
    )  # fmt: skip


def an_attempt(service: str, operation: Operation, who: Principal, **request: Any) -> Attempt:
    model = load_service(service)
    return Attempt(
        a_request(**request),
        service=model,
        operation=operation.name,
        model=model.operations[operation.name],
        declared=operation,
        caller=described(who, None),
        region=REGION,
    )


@pytest.fixture
def room() -> Room:
    return Room()


def named(records: list[dict[str, Any]]) -> list[tuple[str, str]]:
    (record,) = records
    assert all(each["accountId"] == ACCOUNT for each in record["resources"])
    return [(each["type"], each["ARN"]) for each in record["resources"]]


def test_the_record_of_a_creation_names_what_was_made(room: Room) -> None:
    request = {"Name": "db", "SecretString": "x", "ClientRequestToken": TOKEN}
    secret = named(room.records(CREATE_SECRET, request, service="secretsmanager"))
    stored = room.unit.secret_named(ACCOUNT, REGION, "db")
    assert stored is not None
    assert secret == [("AWS::SecretsManager::Secret", stored.arn)]

    ((kind, key_arn),) = named(room.records(keys.CREATE_KEY, {"MultiRegion": True}, service="kms"))
    assert kind == "AWS::KMS::Key"
    assert room.key(key_arn.rpartition("/")[2]).arn == key_arn
    replicate = {"KeyId": key_arn, "ReplicaRegion": "eu-west-3"}
    assert named(room.records(multi_region.REPLICATE_KEY, replicate, service="kms")) == [
        ("AWS::KMS::Key", key_arn),
        ("AWS::KMS::Key", key_arn.replace(REGION, "eu-west-3")),
    ]

    alias = {"AliasName": "alias/db", "TargetKeyId": key_arn}
    assert named(room.records(CREATE_ALIAS, alias, service="kms")) == [
        ("AWS::KMS::Key", key_arn),
        ("AWS::KMS::Alias", f"arn:aws:kms:{REGION}:{ACCOUNT}:alias/db"),
    ]
    user = named(room.records(CREATE_USER, {"UserName": "ann"}, service="iam"))
    assert user == [("AWS::IAM::User", f"arn:aws:iam::{ACCOUNT}:user/ann")]


def test_what_was_there_before_is_named_once(room: Room) -> None:
    request = {"Name": "db", "SecretString": "x", "ClientRequestToken": TOKEN}
    made = named(room.records(CREATE_SECRET, request, service="secretsmanager"))
    put = {"SecretId": "db", "SecretString": "y", "ClientRequestToken": "u" * 32}
    assert named(room.records(PUT_SECRET_VALUE, put, service="secretsmanager")) == made


def refused(
    error: ServiceError, explained_to: frozenset[str], *targets: Target, **request: Any
) -> list[dict[str, Any]]:
    room = KeyRoom()
    attempt = an_attempt("secretsmanager", CREATE_SECRET, root(), **request)
    attempt.call = room.call("CreateSecret", {"Name": "db"}, service="secretsmanager")
    attempt.targets = targets
    attempt.explained_to = explained_to
    return [json.loads(each) for each in events_of(attempt, None, Uuids(), error)]


def test_a_refused_creation_names_nothing() -> None:
    target = Target(
        "secretsmanager:CreateSecret", f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:db", ACCOUNT
    )
    (record,) = refused(AccessDeniedException("no"), frozenset(), target)
    assert "resources" not in record
    assert "additionalEventData" not in record


def test_each_account_is_pointed_to_a_decision_record_of_its_own_only() -> None:
    theirs = f"arn:aws:secretsmanager:{REGION}:{OTHER_ACCOUNT}:secret:db"
    target = Target("secretsmanager:GetSecretValue", theirs, OTHER_ACCOUNT, record=object())
    pointer = {"decisionRecord": REQUEST_ID}
    for concerned in ({ACCOUNT, OTHER_ACCOUNT}, {ACCOUNT}, {OTHER_ACCOUNT}, set()):
        records = refused(AccessDeniedException("no"), frozenset(concerned), target)
        told = {each["recipientAccountId"]: each.get("additionalEventData") for each in records}
        assert told == {
            account: pointer if account in concerned else None for account in (ACCOUNT, OTHER_ACCOUNT)
        }


def test_a_host_header_is_cut_to_the_length_of_a_name() -> None:
    (record,) = refused(AccessDeniedException("no"), frozenset(), host="h" * 60_000, tls="TLSv1.3")
    assert record["tlsDetails"] == {"tlsVersion": "TLSv1.3", "clientProvidedHostHeader": "h" * MAX_HOST}


def test_who_is_denied_does_not_see_in_his_record_what_another_account_has() -> None:
    theirs = f"arn:aws:secretsmanager:{REGION}:{OTHER_ACCOUNT}:secret:db-AbCdEf"
    told = []
    for record in (None, object()):
        target = Target("secretsmanager:GetSecretValue", theirs, OTHER_ACCOUNT, record=record)
        own, *others = refused(AccessDeniedException("no"), frozenset(), target)
        assert own["recipientAccountId"] == ACCOUNT
        assert [each["resources"][0]["ARN"] for each in others] == ([] if record is None else [theirs])
        assert all(each["sharedEventID"] == own["sharedEventID"] for each in others)
        told.append({name: own[name] for name in own if name not in ("eventID", "sharedEventID")})
        assert "resources" not in own
    assert told[0] == told[1]

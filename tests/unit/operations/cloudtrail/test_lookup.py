"""LookupEvents shows an account its records, and refuses in CloudTrail's words what cannot be asked."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from strongroom.errors import (
    AccessDeniedException,
    InvalidEventCategoryException,
    InvalidLookupAttributesException,
    InvalidMaxResultsException,
    InvalidNextTokenException,
    InvalidTimeRangeException,
    ServiceError,
    ServiceUnavailableException,
    ValidationException,
)
from strongroom.operations.cloudtrail.lookup import LOOKUP_EVENTS
from strongroom.trail.index.lookup import IndexReader
from strongroom.trail.index.writing import Index
from support.indexed import ACCOUNTS, NOW, REGIONS, SetClock, Writer, search
from support.secret_room import root
from support.trail_room import TrailRoom

ACCOUNT, REGION = ACCOUNTS[0], REGIONS[0]
BAD_TOKEN = (
    "A token that is not valid, or a token that was previously used in a request with different parameters."
)


class House:
    def __init__(self, directory: Path) -> None:
        self.clock = SetClock()
        self.writer = Writer()
        self.index = Index(directory, self.clock)
        self.reader = IndexReader(directory, self.clock)
        self.room = TrailRoom(self.reader)

    def write(self, count: int, **members: Any) -> None:
        at = NOW - dt.timedelta(minutes=1)
        self.index.take([self.writer.fed(self.writer.event(at, **members)) for _ in range(count)])

    def lookup(self, request: dict[str, Any] | None = None, **options: Any) -> Any:
        return self.room.ask(LOOKUP_EVENTS, request, **options)

    def close(self) -> None:
        self.reader.close()
        self.index.close()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    made.close()


def attribute(key: str, value: str) -> dict[str, Any]:
    return {"LookupAttributes": [{"AttributeKey": key, "AttributeValue": value}]}


def test_a_record_is_shown_with_what_it_can_be_asked_by(house: House) -> None:
    arn = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:db-aB3dE5"
    house.write(
        1,
        event_name="PutSecretValue",
        event_source="secretsmanager.amazonaws.com",
        region=REGION,
        recipient_account_id=ACCOUNT,
        event_id="6b1c8f0e-0000-4000-8000-000000000001",
        read_only=False,
        user_identity={"type": "IAMUser", "userName": "alice", "accessKeyId": "AKIAALICE"},
        resources=[{"accountId": ACCOUNT, "type": "AWS::SecretsManager::Secret", "ARN": arn}],
    )
    (event,) = house.lookup()["Events"]
    assert event == {
        "EventId": "6b1c8f0e-0000-4000-8000-000000000001",
        "EventName": "PutSecretValue",
        "ReadOnly": "false",
        "AccessKeyId": "AKIAALICE",
        "EventTime": NOW - dt.timedelta(minutes=1),
        "EventSource": "secretsmanager.amazonaws.com",
        "Username": "alice",
        "Resources": [{"ResourceType": "AWS::SecretsManager::Secret", "ResourceName": arn}],
        "CloudTrailEvent": house.writer.written[0].decode(),
    }


@pytest.mark.parametrize(
    ("identity", "username"),
    [
        ({"type": "Root", "principalId": ACCOUNT, "accessKeyId": "AKIAROOT"}, "root"),
        ({"type": "AssumedRole", "principalId": "AROAEXAMPLE:deploy", "accessKeyId": "ASIA1"}, "deploy"),
        ({"type": "FederatedUser", "principalId": f"{ACCOUNT}:bob", "accessKeyId": "ASIA2"}, "bob"),
        ({"type": "WebIdentityUser", "principalId": "idp:app:carol", "userName": "carol"}, "carol"),
        ({"type": "AWSAccount", "principalId": "AIDAEXAMPLE", "accountId": ACCOUNTS[1]}, None),
        ({"accountId": ACCOUNT, "invokedBy": "secretsmanager.amazonaws.com"}, None),
    ],
    ids=["root", "assumed role", "federated user", "web identity", "other account", "service"],
)
def test_every_kind_of_caller_has_its_username(
    house: House, identity: dict[str, Any], username: str | None
) -> None:
    house.write(1, user_identity=identity, region=REGION, recipient_account_id=ACCOUNT)
    (event,) = house.lookup()["Events"]
    assert event.get("Username") == username
    assert event.get("AccessKeyId") == identity.get("accessKeyId")
    if username is not None:
        assert len(house.lookup(attribute("Username", username))["Events"]) == 1


def test_pages_go_on_behind_each_other_also_with_another_page_size(house: House) -> None:
    house.write(400)
    asked = attribute("Username", "alice")
    expected = [event.decode() for event in search(house.writer.written, ACCOUNT, REGION)]
    expected = [event for event in expected if json.loads(event)["userIdentity"]["userName"] == "alice"]
    found: list[str] = []
    page: dict[str, Any] = {}
    sizes = iter([7, 20, 50, 50, 50, 50])
    while not found or "NextToken" in page:
        token = {"NextToken": page["NextToken"]} if page else {}
        page = house.lookup({**asked, **token, "MaxResults": next(sizes)})
        found += [event["CloudTrailEvent"] for event in page["Events"]]
    assert len(expected) > 27
    assert sorted(found) == sorted(expected)


def test_a_page_has_fifty_records_unless_fewer_are_asked_for(house: House) -> None:
    house.write(60, region=REGION, recipient_account_id=ACCOUNT)
    assert len(house.lookup()["Events"]) == 50
    assert len(house.lookup({"MaxResults": 3})["Events"]) == 3


def test_a_token_is_of_no_use_for_another_question_account_or_region(house: House) -> None:
    house.write(60, region=REGION, recipient_account_id=ACCOUNT)
    token = house.lookup({"MaxResults": 5})["NextToken"]
    other_ways: list[tuple[dict[str, Any], dict[str, Any]]] = [
        (attribute("Username", "alice"), {}),
        ({"StartTime": 1_700_000_000}, {}),
        ({}, {"principal": root(ACCOUNTS[1])}),  # type: ignore[arg-type]
        ({}, {"region": REGIONS[1]}),
    ]
    for request, options in other_ways:
        with pytest.raises(InvalidNextTokenException) as refused:
            house.lookup({**request, "NextToken": token}, **options)
        assert refused.value.message == BAD_TOKEN
    assert len(house.lookup({"NextToken": token})["Events"]) == 50


@pytest.mark.parametrize("token", ["", "no token", "AAAA", "é", "A" * 5000])
def test_what_is_no_token_is_refused(house: House, token: str) -> None:
    with pytest.raises(InvalidNextTokenException) as refused:
        house.lookup({"NextToken": token})
    assert refused.value.message == BAD_TOKEN


@pytest.mark.parametrize(
    ("request_", "error", "message"),
    [
        (
            {"LookupAttributes": attribute("Username", "a")["LookupAttributes"] * 2},
            InvalidLookupAttributesException,
            "Only one lookup attribute can be specified.",
        ),
        (
            {"StartTime": 1_700_000_001, "EndTime": 1_700_000_000},
            InvalidTimeRangeException,
            "The start time occurs after the end time.",
        ),
        ({"MaxResults": 0}, InvalidMaxResultsException, "MaxResults must be between 1 and 50."),
        ({"MaxResults": 51}, InvalidMaxResultsException, "MaxResults must be between 1 and 50."),
        (
            {"EventCategory": "management"},
            InvalidEventCategoryException,
            "The only event category that can be specified is insight.",
        ),
        (
            attribute("Colour", "blue"),
            ValidationException,
            "1 validation error detected: Value 'Colour' at 'lookupAttributes.1.member.attributeKey' failed to "
            "satisfy constraint: Member must satisfy enum value set: [EventId, EventName, ReadOnly, Username, "
            "ResourceType, ResourceName, EventSource, AccessKeyId]",
        ),
    ],
)
def test_what_cannot_be_asked_is_refused_in_words(
    house: House, request_: dict[str, Any], error: type[ServiceError], message: str
) -> None:
    with pytest.raises(error) as refused:
        house.lookup(request_)
    assert refused.value.message == message


def test_times_may_have_fractions_and_equal_ends(house: House) -> None:
    house.write(3, region=REGION, recipient_account_id=ACCOUNT)
    at = (NOW - dt.timedelta(minutes=1)).timestamp()
    assert len(house.lookup({"StartTime": at, "EndTime": at})["Events"]) == 3
    assert house.lookup({"StartTime": at + 0.5})["Events"] == []
    assert len(house.lookup({"EndTime": at + 0.5})["Events"]) == 3
    assert house.lookup({"EndTime": at - 0.5})["Events"] == []


def test_there_are_no_insights(house: House) -> None:
    house.write(3, region=REGION, recipient_account_id=ACCOUNT)
    assert house.lookup({"EventCategory": "insight"}) == {"Events": []}


def test_only_those_allowed_may_ask(house: House) -> None:
    house.write(3, region=REGION, recipient_account_id=ACCOUNT)
    nobody = house.room.user("nobody", {"Effect": "Allow", "Action": "s3:*", "Resource": "*"})
    with pytest.raises(AccessDeniedException) as refused:
        house.lookup(principal=nobody)
    assert refused.value.message == (
        f"User: {nobody.arn} is not authorized to perform: cloudtrail:LookupEvents on resource: * because no "
        "identity-based policy allows the cloudtrail:LookupEvents action"
    )
    auditor = house.room.user(
        "auditor", {"Effect": "Allow", "Action": "cloudtrail:LookupEvents", "Resource": "*"}
    )
    assert len(house.lookup(principal=auditor)["Events"]) == 3


def test_without_an_index_the_answer_says_so() -> None:
    with pytest.raises(ServiceUnavailableException) as refused:
        TrailRoom().ask(LOOKUP_EVENTS)
    assert refused.value.message == "The audit trail is not indexed here."

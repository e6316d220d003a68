"""CloudTrail over TCP: boto3 and the AWS CLI ask the trail, and Terraform's way with a trail goes through."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from support.dialogue import canary, fresh
from support.running import REGION, STRONGROOM, Server
from support.trails import wait_for

AWS = str(Path(sys.executable).with_name("aws"))


@pytest.fixture(scope="module")
def cloudtrail(server: Server) -> Any:
    return server.client("cloudtrail")


@pytest.fixture(scope="module")
def story(server: Server, secrets: Any, cloudtrail: Any) -> dict[str, Any]:
    """A user reads a secret; return what there is to be found, as soon as it is."""
    iam = server.client("iam")
    name, user = fresh("indexed"), fresh("reader").replace("/", "-")
    value = canary()
    secret = secrets.create_secret(Name=name, SecretString=value)
    iam.create_user(UserName=user)
    allow = {"Effect": "Allow", "Action": "secretsmanager:*", "Resource": "*"}
    iam.put_user_policy(
        UserName=user,
        PolicyName="all",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [allow]}),
    )
    key = iam.create_access_key(UserName=user)["AccessKey"]
    reader = server.client("secretsmanager", credentials=(key["AccessKeyId"], key["SecretAccessKey"]))
    for _ in range(3):
        answer = reader.get_secret_value(SecretId=name)
    reader.update_secret(SecretId=name, Description="described")
    reader.close()
    iam.close()
    attribute = {"AttributeKey": "Username", "AttributeValue": user}
    events = wait_for(
        lambda: len(found := cloudtrail.lookup_events(LookupAttributes=[attribute])["Events"]) == 4 and found
    )
    return {
        "user": user,
        "key": key["AccessKeyId"],
        "name": name,
        "arn": secret["ARN"],
        "value": value,
        "request_id": answer["ResponseMetadata"]["RequestId"],
        "events": events,
    }


def names(events: list[dict[str, Any]]) -> list[str]:
    return sorted(event["EventName"] for event in events)


def test_a_users_calls_are_found_with_their_records(story: dict[str, Any]) -> None:
    assert names(story["events"]) == ["GetSecretValue"] * 3 + ["UpdateSecret"]
    times = [event["EventTime"] for event in story["events"]]
    assert times == sorted(times, reverse=True)
    records = [json.loads(event["CloudTrailEvent"]) for event in story["events"]]
    assert story["request_id"] in {record["requestID"] for record in records}
    for event, record in zip(story["events"], records, strict=True):
        assert event["EventId"] == record["eventID"]
        assert event["Username"] == record["userIdentity"]["userName"] == story["user"]
        assert event["Resources"] == [
            {"ResourceType": "AWS::SecretsManager::Secret", "ResourceName": story["arn"]}
        ]
        assert event["ReadOnly"] == ("true" if event["EventName"] == "GetSecretValue" else "false")
        assert story["value"] not in event["CloudTrailEvent"]


ATTRIBUTES: list[tuple[str, Callable[[dict[str, Any]], str], list[str]]] = [
    ("EventId", lambda story: story["events"][0]["EventId"], []),
    ("AccessKeyId", lambda story: story["key"], ["GetSecretValue"] * 3 + ["UpdateSecret"]),
    (
        "ResourceName",
        lambda story: story["arn"],
        ["CreateSecret"] + ["GetSecretValue"] * 3 + ["UpdateSecret"],
    ),
    (
        "ResourceName",
        lambda story: story["name"],
        ["CreateSecret"] + ["GetSecretValue"] * 3 + ["UpdateSecret"],
    ),
]


@pytest.mark.parametrize(("key", "value", "expected"), ATTRIBUTES)
def test_an_attribute_of_its_own_finds_exactly_the_storys_events(
    cloudtrail: Any,
    story: dict[str, Any],
    key: str,
    value: Callable[[dict[str, Any]], str],
    expected: list[str],
) -> None:
    attribute = {"AttributeKey": key, "AttributeValue": value(story)}
    expected = expected or [story["events"][0]["EventName"]]
    wait_for(lambda: names(cloudtrail.lookup_events(LookupAttributes=[attribute])["Events"]) == expected)


@pytest.mark.parametrize(
    ("key", "value", "holds"),
    [
        ("EventName", "UpdateSecret", lambda event: event["EventName"] == "UpdateSecret"),
        ("ReadOnly", "false", lambda event: event["ReadOnly"] == "false"),
        (
            "EventSource",
            "secretsmanager.amazonaws.com",
            lambda event: event["EventSource"] == "secretsmanager.amazonaws.com",
        ),
        (
            "ResourceType",
            "AWS::SecretsManager::Secret",
            lambda event: event["Resources"][0]["ResourceType"] == "AWS::SecretsManager::Secret",
        ),
    ],
)
def test_an_attribute_that_others_share_finds_the_storys_event_too(
    cloudtrail: Any, story: dict[str, Any], key: str, value: str, holds: Callable[[Any], bool]
) -> None:
    pages = cloudtrail.get_paginator("lookup_events").paginate(
        LookupAttributes=[{"AttributeKey": key, "AttributeValue": value}], PaginationConfig={"PageSize": 7}
    )
    found = [event for page in pages for event in page["Events"]]
    assert all(holds(event) for event in found)
    updated = next(event for event in story["events"] if event["EventName"] == "UpdateSecret")
    assert updated["EventId"] in {event["EventId"] for event in found}
    assert len({event["EventId"] for event in found}) == len(found)


def test_a_time_range_holds_both_ends(cloudtrail: Any, story: dict[str, Any]) -> None:
    at = story["events"][0]["EventTime"]
    attribute = [{"AttributeKey": "Username", "AttributeValue": story["user"]}]
    found = cloudtrail.lookup_events(LookupAttributes=attribute, StartTime=at, EndTime=at)["Events"]
    assert story["events"][0]["EventId"] in {event["EventId"] for event in found}
    assert {event["EventTime"] for event in found} == {at}
    earlier = at - dt.timedelta(days=1)
    assert cloudtrail.lookup_events(LookupAttributes=attribute, EndTime=earlier)["Events"] == []


def test_the_cli_looks_events_up(server: Server, story: dict[str, Any]) -> None:
    done = subprocess.run(
        [
            AWS, "cloudtrail", "lookup-events", "--output", "json", "--max-items", "3",
            "--lookup-attributes", f"AttributeKey=Username,AttributeValue={story['user']}",
        ],
        env=server.environment(),
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert [event["EventId"] for event in answer["Events"]] == [
        event["EventId"] for event in story["events"][:3]
    ]


def test_the_command_searches_beside_the_running_server(server: Server, story: dict[str, Any]) -> None:
    assert server.log_path is not None
    done = subprocess.run(
        [
            STRONGROOM, "trail", "search", "--data-dir", str(server.log_path.with_name("data")), "--json",
            "--username", story["user"], "--event-name", "GetSecretValue", "--resource", story["name"],
        ],
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    found = [json.loads(line)["eventID"] for line in done.stdout.splitlines()]
    reads = [event["EventId"] for event in story["events"] if event["EventName"] == "GetSecretValue"]
    assert sorted(found) == sorted(reads)


def test_an_account_finds_what_it_received_and_no_more(
    server: Server, cloudtrail: Any, story: dict[str, Any]
) -> None:
    assert server.log_path is not None
    place = server.log_path.parent
    made = subprocess.run(
        [
            STRONGROOM, "account", "create", "--json", "--data-dir", str(place / "data"),
            "--root-key", f"file:{place}/root.key",
        ],
        capture_output=True,
        text=True,
        check=True,
    )  # fmt: skip
    account = json.loads(made.stdout)
    credentials = account["access_key_id"], account["secret_access_key"]
    other = server.client("cloudtrail", credentials=credentials)
    reader = server.client("secretsmanager", credentials=credentials)
    with pytest.raises(ClientError) as refused:
        reader.get_secret_value(SecretId=story["arn"])
    assert refused.value.response["Error"]["Code"] == "AccessDeniedException"
    mine = wait_for(
        lambda: other.lookup_events(
            LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": "GetSecretValue"}]
        )["Events"]
    )
    assert [json.loads(event["CloudTrailEvent"])["errorCode"] for event in mine] == ["AccessDenied"]
    shared = json.loads(mine[0]["CloudTrailEvent"])["sharedEventID"]
    attribute = {"AttributeKey": "ResourceName", "AttributeValue": story["arn"]}
    theirs = [
        record
        for event in cloudtrail.lookup_events(LookupAttributes=[attribute])["Events"]
        if (record := json.loads(event["CloudTrailEvent"])).get("sharedEventID") == shared
    ]
    assert [record["userIdentity"]["type"] for record in theirs] == ["AWSAccount"]
    attribute = {"AttributeKey": "EventId", "AttributeValue": theirs[0]["eventID"]}
    assert other.lookup_events(LookupAttributes=[attribute])["Events"] == []
    reader.close()
    other.close()


def test_what_cannot_be_asked_comes_back_as_cloudtrails_error(cloudtrail: Any) -> None:
    at = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    with pytest.raises(ClientError) as refused:
        cloudtrail.lookup_events(StartTime=at, EndTime=at - dt.timedelta(seconds=1))
    assert refused.value.response["Error"] == {
        "Code": "InvalidTimeRangeException",
        "Message": "The start time occurs after the end time.",
    }
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


@pytest.mark.parametrize(
    "prefix",
    ["com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101", "CloudTrail_20131101"],
)
def test_both_prefixes_of_the_target_are_understood(server: Server, prefix: str) -> None:
    request = AWSRequest(
        "POST",
        f"{server.endpoint}/",
        headers={"X-Amz-Target": f"{prefix}.DescribeTrails", "Content-Type": "application/x-amz-json-1.1"},
        data=b"{}",
    )
    credentials = Credentials(server.access_key_id, server.secret_access_key)
    SigV4Auth(credentials, "cloudtrail", REGION).add_auth(request)
    with urllib.request.urlopen(  # noqa: S310 - loopback
        urllib.request.Request(request.url, request.data, dict(request.headers), method="POST")  # noqa: S310
    ) as answer:
        assert "trailList" in json.load(answer)


def test_terraforms_way_with_a_trail_goes_through(cloudtrail: Any) -> None:
    name = fresh("trail").replace("/", "-")
    # Create: as aws_cloudtrail does, with tags, then logging.
    created = cloudtrail.create_trail(
        Name=name,
        S3BucketName="audit-logs",
        S3KeyPrefix="prod",
        IncludeGlobalServiceEvents=True,
        IsMultiRegionTrail=True,
        EnableLogFileValidation=True,
        IsOrganizationTrail=False,
        TagsList=[{"Key": "team", "Value": "audit"}],
    )
    arn = created["TrailARN"]
    cloudtrail.start_logging(Name=arn)
    # Read.
    (trail,) = cloudtrail.describe_trails(trailNameList=[arn])["trailList"]
    assert trail["Name"] == name
    assert (trail["HomeRegion"], trail["HasCustomEventSelectors"]) == (REGION, False)
    assert cloudtrail.get_trail_status(Name=arn)["IsLogging"] is True
    (listed,) = cloudtrail.list_tags(ResourceIdList=[arn])["ResourceTagList"]
    assert listed["TagsList"] == [{"Key": "team", "Value": "audit"}]
    # Update: selectors, settings, tags, logging off.
    cloudtrail.put_event_selectors(
        TrailName=arn, EventSelectors=[{"ReadWriteType": "WriteOnly", "IncludeManagementEvents": True}]
    )
    cloudtrail.update_trail(Name=arn, S3KeyPrefix="stage", EnableLogFileValidation=False)
    cloudtrail.add_tags(ResourceId=arn, TagsList=[{"Key": "stage", "Value": "prod"}])
    cloudtrail.remove_tags(ResourceId=arn, TagsList=[{"Key": "team"}])
    cloudtrail.stop_logging(Name=arn)
    (trail,) = cloudtrail.describe_trails(trailNameList=[name])["trailList"]
    assert (trail["S3KeyPrefix"], trail["LogFileValidationEnabled"]) == ("stage", False)
    assert trail["HasCustomEventSelectors"] is True
    selectors = cloudtrail.get_event_selectors(TrailName=arn)["EventSelectors"]
    assert [each["ReadWriteType"] for each in selectors] == ["WriteOnly"]
    assert cloudtrail.get_trail_status(Name=arn)["IsLogging"] is False
    # Delete, and see that it is gone.
    cloudtrail.delete_trail(Name=arn)
    assert cloudtrail.describe_trails(trailNameList=[arn])["trailList"] == []
    with pytest.raises(ClientError) as refused:
        cloudtrail.get_trail(Name=arn)
    assert refused.value.response["Error"]["Code"] == "TrailNotFoundException"


def test_stopping_a_trail_stops_no_record(secrets: Any, cloudtrail: Any) -> None:
    name = fresh("trail").replace("/", "-")
    cloudtrail.create_trail(Name=name, S3BucketName="audit-logs")
    cloudtrail.stop_logging(Name=name)
    secret = fresh("after-the-stop")
    secrets.create_secret(Name=secret, SecretString=canary())
    attribute = {"AttributeKey": "ResourceName", "AttributeValue": secret}
    found = wait_for(lambda: cloudtrail.lookup_events(LookupAttributes=[attribute])["Events"])
    assert names(found) == ["CreateSecret"]
    stopped = cloudtrail.lookup_events(
        LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": "StopLogging"}]
    )["Events"]
    assert name in {json.loads(event["CloudTrailEvent"])["requestParameters"]["name"] for event in stopped}
    cloudtrail.delete_trail(Name=name)

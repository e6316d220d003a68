"""What subscribers of EventBridge-shaped events get."""

from __future__ import annotations

from typing import Any

import pytest

from strongroom.audit.eventbridge import LABELS_UPDATED, eventbridge_events

ARN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:prod/db-a1b2c3"


def record(**members: Any) -> dict[str, Any]:
    return {
        "eventName": "PutSecretValue",
        "eventType": "AwsApiCall",
        "eventSource": "secretsmanager.amazonaws.com",
        "eventID": "e-1",
        "eventTime": "2026-01-01T10:00:05Z",
        "awsRegion": "eu-west-1",
        "recipientAccountId": "123456789012",
        "resources": [{"type": "AWS::SecretsManager::Secret", "ARN": ARN, "accountId": "123456789012"}],
        **members,
    }


def test_a_call_that_changes_something_is_an_event() -> None:
    sent = record()
    assert list(eventbridge_events(sent)) == [
        {
            "version": "0",
            "id": "e-1",
            "detail-type": "AWS API Call via CloudTrail",
            "source": "aws.secretsmanager",
            "account": "123456789012",
            "time": "2026-01-01T10:00:05Z",
            "region": "eu-west-1",
            "resources": [],
            "detail": sent,
        }
    ]


@pytest.mark.parametrize("name", ["GetSecretValue", "BatchGetSecretValue", "ListSecrets", "DescribeSecret"])
def test_a_call_that_reads_is_none(name: str) -> None:
    assert list(eventbridge_events(record(eventName=name))) == []


@pytest.mark.parametrize("name", ["RotationFailed", "CanarySecretRead", "StartSecretVersionDelete"])
def test_what_the_service_does_is_an_event(name: str) -> None:
    [event] = eventbridge_events(record(eventName=name, eventType="AwsServiceEvent"))
    assert event["detail-type"] == "AWS Service Event via CloudTrail"


def test_each_label_that_moved_is_an_event_of_its_own() -> None:
    moved = {LABELS_UPDATED: {"AWSCURRENT": "v2", "blue": "v2"}}
    first = list(eventbridge_events(record(additionalEventData=moved)))
    [_, current, blue] = first
    assert (current["detail-type"], current["resources"]) == ("Secret Label Updated", [ARN])
    assert current["detail"] == {"name": "prod/db", "labelUpdated": "AWSCURRENT", "versionId": "v2"}
    assert blue["detail"]["labelUpdated"] == "blue"
    assert len({event["id"] for event in first}) == 3
    assert list(eventbridge_events(record(additionalEventData=moved))) == first


def test_a_call_that_failed_moved_nothing() -> None:
    moved = {LABELS_UPDATED: {"AWSCURRENT": "v2"}}
    assert len(list(eventbridge_events(record(additionalEventData=moved, errorCode="E")))) == 1


def test_other_services_go_by_their_own_name() -> None:
    [event] = eventbridge_events(record(eventSource="kms.amazonaws.com", eventName="DisableKey"))
    assert event["source"] == "aws.kms"

"""Records of the trail as the events EventBridge would make of them. Pure.

Source: fact sheet cloudtrail sections 9 and 11; the Secrets Manager User Guide on its event notifications.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

__all__ = ["LABELS_UPDATED", "eventbridge_events"]

LABELS_UPDATED: Final = "StagingLabelsUpdated"
"""Member of additionalEventData: staging labels, each with the version it was moved to."""
_API: Final = "AWS API Call via CloudTrail"
_SERVICE: Final = "AWS Service Event via CloudTrail"
_LABEL: Final = "Secret Label Updated"
_READS: Final = ("Get", "List", "Describe", "BatchGet")


def eventbridge_events(record: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the events a record makes: none for calls that only read.

    A call that moved staging labels makes one more for each of them, as AWS does for all labels but
    AWSPENDING and AWSPREVIOUS.
    """
    name = str(record["eventName"])
    is_service = record["eventType"] == "AwsServiceEvent"
    if not is_service and name.startswith(_READS):
        return
    event_id = str(record["eventID"])
    yield _event(record, event_id, _SERVICE if is_service else _API, record, [])
    moved = (record.get("additionalEventData") or {}).get(LABELS_UPDATED) or {}
    for label, version_id in sorted(moved.items()):
        arn = next(
            (
                each["ARN"]
                for each in record.get("resources", ())
                if each["type"] == "AWS::SecretsManager::Secret"
            ),
            None,
        )
        if arn is None or "errorCode" in record:
            continue
        detail = {"name": _name(arn), "labelUpdated": label, "versionId": version_id}
        # The same each time the record is sent, so that a receiver can tell a repeat.
        yield _event(record, f"{event_id}-{label}", _LABEL, detail, [arn])


def _event(
    record: Mapping[str, Any], event_id: str, kind: str, detail: Mapping[str, Any], resources: list[str]
) -> dict[str, Any]:
    return {
        "version": "0",
        "id": event_id,
        "detail-type": kind,
        "source": "aws." + str(record["eventSource"]).partition(".")[0],
        "account": record["recipientAccountId"],
        "time": record["eventTime"],
        "region": record["awsRegion"],
        "resources": resources,
        "detail": detail,
    }


def _name(secret_arn: str) -> str:
    return secret_arn.split(":", 6)[6][:-7]

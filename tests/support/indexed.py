"""Records for the index of the trail, and what a plain search through all of them would find."""

from __future__ import annotations

import datetime as dt
import random
import uuid
from collections.abc import Sequence

import orjson

from strongroom.audit.event import call_event
from strongroom.audit.lookup import EventAttribute
from strongroom.trail.feed import FedRecord

ACCOUNTS = ("111122223333", "444455556666")
REGIONS = ("eu-central-1", "us-east-1")
NOW = dt.datetime(2026, 11, 25, 12, 0, tzinfo=dt.UTC)


class SetClock:
    def __init__(self, now: dt.datetime = NOW) -> None:
        self.moment = now

    def now(self) -> dt.datetime:
        return self.moment


class Writer:
    """Makes records of slots, each with the number that has to come next."""

    def __init__(self, seed: int = 1) -> None:
        self.chance = random.Random(seed)
        self.numbers: dict[str, int] = {}
        self.written: list[bytes] = []

    def fed(self, event: bytes, slot: str = "api-0") -> FedRecord:
        number = self.numbers[slot] = self.numbers.get(slot, 0) + 1
        self.written.append(event)
        return FedRecord(slot, number, event)

    def event(self, at: dt.datetime, **other: object) -> bytes:
        chance = self.chance
        account, region = chance.choice(ACCOUNTS), chance.choice(REGIONS)
        user = chance.choice(("alice", "bob", "carol"))
        arn = f"arn:aws:secretsmanager:{region}:{account}:secret:app/{chance.randrange(5)}-aB3dE5"
        members: dict[str, object] = {
            "event_source": chance.choice(("secretsmanager.amazonaws.com", "kms.amazonaws.com")),
            "event_name": chance.choice(("GetSecretValue", "PutSecretValue", "Decrypt")),
            "region": region,
            "user_identity": {"type": "IAMUser", "userName": user, "accessKeyId": f"AKIA{user.upper()}"},
            "source_ip": "192.0.2.10",
            "user_agent": "test",
            "request_id": str(uuid.UUID(int=chance.getrandbits(128))),
            "event_id": str(uuid.UUID(int=chance.getrandbits(128), version=4)),
            "at": at,
            "read_only": chance.random() < 0.5,
            "recipient_account_id": account,
            "resources": [{"accountId": account, "type": "AWS::SecretsManager::Secret", "ARN": arn}],
        }
        return call_event(**{**members, **other})  # type: ignore[arg-type]


def found_by(event: bytes, attribute: EventAttribute, value: str) -> bool:
    """Tell by the words of fact sheet cloudtrail section 6 whether an attribute's value finds a record."""
    record = orjson.loads(event)
    identity = record["userIdentity"]
    resources = record.get("resources", [])
    return (
        value
        in {
            EventAttribute.EVENT_ID: [record["eventID"]],
            EventAttribute.EVENT_NAME: [record["eventName"]],
            EventAttribute.EVENT_SOURCE: [record["eventSource"]],
            EventAttribute.READ_ONLY: [str(record["readOnly"]).lower()],
            EventAttribute.USERNAME: [identity.get("userName")],
            EventAttribute.ACCESS_KEY_ID: [identity.get("accessKeyId")],
            EventAttribute.RESOURCE_TYPE: [each["type"] for each in resources],
            EventAttribute.RESOURCE_NAME: [
                name for each in resources for name in (each["ARN"], each["ARN"].split(":")[6][:-7])
            ],
        }[attribute]
    )


def search(
    events: Sequence[bytes],
    account: str,
    region: str,
    attribute: tuple[EventAttribute, str] | None = None,
    start: dt.datetime | None = None,
    end: dt.datetime | None = None,
) -> list[bytes]:
    """Return what there is to be found, in the order of writing."""
    found = []
    for event in events:
        record = orjson.loads(event)
        at = dt.datetime.fromisoformat(record["eventTime"])
        if (
            (record["recipientAccountId"], record["awsRegion"]) == (account, region)
            and (attribute is None or found_by(event, *attribute))
            and (start is None or at >= start)
            and (end is None or at <= end)
        ):
            found.append(event)
    return found

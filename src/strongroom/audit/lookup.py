"""What of a record can be searched for (fact sheet cloudtrail section 6). Pure."""

from __future__ import annotations

import datetime as dt
import re
from enum import StrEnum
from functools import lru_cache
from typing import Final

import msgspec

__all__ = ["EventAttribute", "EventEntry", "parse_entry", "resource_names"]

_SECRET_SUFFIX = re.compile(r"-[A-Za-z0-9]{6}\Z")
_SECRET_TYPE: Final = "AWS::SecretsManager::Secret"
_EPOCH: Final = dt.date(1970, 1, 1)


class EventAttribute(StrEnum):
    """The values of LookupAttributes' AttributeKey, the one that finds least first."""

    EVENT_ID = "EventId"
    ACCESS_KEY_ID = "AccessKeyId"
    RESOURCE_NAME = "ResourceName"
    USERNAME = "Username"
    EVENT_NAME = "EventName"
    RESOURCE_TYPE = "ResourceType"
    EVENT_SOURCE = "EventSource"
    READ_ONLY = "ReadOnly"


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(map(str.capitalize, others))


class _Identity(msgspec.Struct, rename="camel"):
    type: str = ""
    principal_id: str | None = None
    user_name: str | None = None
    access_key_id: str | None = None


class _Resource(msgspec.Struct, rename={"arn": "ARN"}):
    type: str = ""
    arn: str = ""


class _Record(msgspec.Struct, rename=lambda name: "eventID" if name == "event_id" else _camel(name)):
    event_time: str
    event_source: str
    event_name: str
    aws_region: str
    event_id: str
    recipient_account_id: str
    read_only: bool = False
    user_identity: _Identity | None = None
    resources: list[_Resource] | None = None


_decode = msgspec.json.Decoder(_Record).decode


class EventEntry(msgspec.Struct, frozen=True):
    """What can be asked of one record."""

    at: int
    """Seconds since 1970."""
    account: str
    """recipientAccountId."""
    region: str
    event_id: str
    event_name: str
    event_source: str
    read_only: bool
    username: str | None
    access_key_id: str | None
    resources: tuple[tuple[str, str], ...]
    """Type and ARN of each."""

    def has(self, attribute: EventAttribute, value: str) -> bool:
        """True when this record is one that an attribute of that value finds."""
        match attribute:
            case EventAttribute.EVENT_ID:
                return value == self.event_id
            case EventAttribute.ACCESS_KEY_ID:
                return value == self.access_key_id
            case EventAttribute.RESOURCE_NAME:
                return any(value in resource_names(kind, arn) for kind, arn in self.resources)
            case EventAttribute.USERNAME:
                return value == self.username
            case EventAttribute.EVENT_NAME:
                return value == self.event_name
            case EventAttribute.RESOURCE_TYPE:
                return any(value == kind for kind, _ in self.resources)
            case EventAttribute.EVENT_SOURCE:
                return value == self.event_source
            case EventAttribute.READ_ONLY:
                return value == ("true" if self.read_only else "false")


def parse_entry(event: bytes) -> EventEntry | None:
    """Return what can be asked of a record; None when it is no record of a call or of a service."""
    try:
        record = _decode(event)
        at = _seconds(record.event_time)
    except (msgspec.DecodeError, ValueError):
        return None
    identity = record.user_identity
    return EventEntry(
        at=at,
        account=record.recipient_account_id,
        region=record.aws_region,
        event_id=record.event_id,
        event_name=record.event_name,
        event_source=record.event_source,
        read_only=record.read_only,
        username=None if identity is None else _username(identity),
        access_key_id=None if identity is None else identity.access_key_id,
        resources=tuple([(each.type, each.arn) for each in record.resources or ()]),
    )


@lru_cache(maxsize=1024)
def _midnight(day: str) -> int:
    return (dt.date.fromisoformat(day) - _EPOCH).days * 86_400


def _seconds(text: str) -> int:
    """Return what `YYYY-MM-DDTHH:MM:SSZ` stands for. Raises ValueError when it is not of that form."""
    if len(text) != len("YYYY-MM-DDTHH:MM:SSZ") or text[10] != "T" or text[19] != "Z":
        raise ValueError(text)
    return _midnight(text[:10]) + int(text[11:13]) * 3600 + int(text[14:16]) * 60 + int(text[17:19])


def _username(identity: _Identity) -> str | None:
    """Return the Username of a LookupEvents answer."""
    if identity.user_name is not None:
        return identity.user_name
    if identity.type == "Root":
        return "root"
    if identity.type in ("AssumedRole", "FederatedUser") and identity.principal_id:
        return identity.principal_id.partition(":")[2] or None
    return None


def resource_names(kind: str, arn: str) -> tuple[str, ...]:
    """Return what a thing is found by: its ARN, and the name people know it by."""
    name = re.split("[:/]", arn.split(":", 5)[-1], maxsplit=1)[-1]
    if kind == _SECRET_TYPE:
        name = _SECRET_SUFFIX.sub("", name)
    elif kind.startswith("AWS::IAM::"):
        name = name.rpartition("/")[2]
    return (arn,) if name in ("", arn) else (arn, name)

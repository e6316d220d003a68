"""What of a record can be searched for (fact sheet cloudtrail section 6). Pure."""

from __future__ import annotations

import datetime as dt
import re
from enum import StrEnum
from functools import lru_cache
from typing import Final

import msgspec

__all__ = ["EventAttribute", "EventEntry", "parse_entry", "short_name"]

_AFTER_KIND = re.compile(r"\A[^:/]*[:/]")
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


class _Identity(msgspec.Struct, rename="camel", gc=False):
    type: str = ""
    principal_id: str | None = None
    user_name: str | None = None
    access_key_id: str | None = None


class _Resource(msgspec.Struct, rename={"arn": "ARN"}, gc=False):
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


class EventEntry(msgspec.Struct, frozen=True, gc=False):
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
                return any(value in (arn, short_name(arn)) for _, arn in self.resources)
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
    # In the order of the fields: this is done for every record there is.
    return EventEntry(
        at,
        record.recipient_account_id,
        record.aws_region,
        record.event_id,
        record.event_name,
        record.event_source,
        record.read_only,
        None if identity is None else _username(identity),
        None if identity is None else identity.access_key_id,
        tuple([(each.type, each.arn) for each in record.resources or ()]),
    )


@lru_cache(maxsize=1024)
def _midnight(day: str) -> int:
    return (dt.date.fromisoformat(day) - _EPOCH).days * 86_400


@lru_cache(maxsize=1024)
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


def short_name(arn: str) -> str:
    """Return the name people know a thing by; the ARN itself when there is none."""
    fields = arn.split(":", 5)
    if len(fields) < 6:
        return arn
    if fields[2] == "secretsmanager":
        # Most records are about these.
        name = fields[5].removeprefix("secret:")
        suffix = name[-6:]
        if name[-7:-6] == "-" and suffix.isalnum() and suffix.isascii():
            name = name[:-7]
        return name or arn
    name = _AFTER_KIND.sub("", fields[5], count=1)
    if fields[2] == "iam":
        name = name.rpartition("/")[2]
    return name or arn

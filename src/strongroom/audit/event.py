"""Audit records in CloudTrail's shape, each one line of JSON. Pure.

Sources: fact sheet cloudtrail sections 1 to 4 and 11. What a record may hold of a call is decided before, by
the model's sensitivity trait (`wire/models`); nothing here knows a secret from a name.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

import orjson

__all__ = ["EVENT_VERSION", "EventTemplate", "call_event", "service_event"]

EVENT_VERSION: Final = "1.11"
MAX_TEXT: Final = 1024
"""Bytes of UTF-8 kept of a user agent and of an error message."""
MAX_MEMBERS: Final = 100 * 1024
"""Bytes kept of requestParameters and of responseElements."""
MAX_ADDITIONAL: Final = 28 * 1024
"""Bytes kept of additionalEventData."""

_LIMITS: Final[Mapping[str, int]] = {
    "requestParameters": MAX_MEMBERS,
    "responseElements": MAX_MEMBERS,
    "additionalEventData": MAX_ADDITIONAL,
}
_SERVICE: Final = "secretsmanager.amazonaws.com"


def call_event(
    *,
    event_source: str,
    event_name: str,
    region: str,
    user_identity: Mapping[str, Any] | orjson.Fragment,
    source_ip: str,
    user_agent: str,
    request_id: str,
    event_id: str,
    at: dt.datetime,
    read_only: bool,
    recipient_account_id: str,
    request_parameters: Mapping[str, Any] | None = None,
    response_elements: Mapping[str, Any] | None = None,
    error_code: str | None = None,
    error_message: str | None = None,
    additional: Mapping[str, Any] | None = None,
    resources: Sequence[Mapping[str, Any]] = (),
    shared_event_id: str | None = None,
    tls: Mapping[str, Any] | None = None,
    vpc_endpoint_id: str | None = None,
) -> bytes:
    """Return the record of one API call as one line of JSON, its members in CloudTrail's order.

    Texts that are no valid Unicode are mended, over-long ones cut, and members over their limit replaced by
    their size: any call can be recorded.
    """
    record: dict[str, Any] = {
        "eventVersion": EVENT_VERSION,
        "userIdentity": user_identity,
        "eventTime": _second(int(at.timestamp())),
        "eventSource": event_source,
        "eventName": event_name,
        "awsRegion": region,
        "sourceIPAddress": source_ip,
        "userAgent": _cut(user_agent),
    }
    if error_code is not None:
        record["errorCode"] = error_code
    if error_message is not None:
        record["errorMessage"] = _cut(error_message)
    record["requestParameters"] = request_parameters
    record["responseElements"] = response_elements
    if additional is not None:
        record["additionalEventData"] = additional
    record["requestID"] = request_id
    record["eventID"] = event_id
    record["readOnly"] = read_only
    if resources:
        record["resources"] = resources
    record["eventType"] = "AwsApiCall"
    record["managementEvent"] = True
    record["recipientAccountId"] = recipient_account_id
    if shared_event_id is not None:
        record["sharedEventID"] = shared_event_id
    if vpc_endpoint_id is not None:
        record["vpcEndpointId"] = vpc_endpoint_id
    record["eventCategory"] = "Management"
    if tls is not None:
        record["tlsDetails"] = tls
    return _encoded(record)


class EventTemplate:
    """The record of a call, for further records that differ from it in time and ids only."""

    __slots__ = ("_pieces",)

    def __init__(self, event: bytes, *, at: dt.datetime, request_id: str, event_id: str) -> None:
        """`event` is what `call_event` returned for these. The ids are random ones of the server, so that
        nothing a caller sent can be taken for them.

        Raises ValueError when the record was mended or cut so that they do not stand in it.
        """
        time = f'"eventTime":"{_second(int(at.timestamp()))}"'.encode()
        ids = f'"requestID":"{request_id}","eventID":"{event_id}"'.encode()
        # Of two times the first is the record's own: what callers sent stands behind it, or is escaped.
        time_at, ids_at = event.index(time), event.index(ids)
        first = time_at + len(b'"eventTime":"')
        second = ids_at + len(b'"requestID":"')
        third = second + len(request_id) + len(b'","eventID":"')
        self._pieces = (
            event[:first],
            event[time_at + len(time) - 1 : second],
            event[second + len(request_id) : third],
            event[third + len(event_id) :],
        )

    def event(self, *, at: dt.datetime, request_id: str, event_id: str) -> bytes:
        """Return the record of a call at another time, with other ids."""
        head, middle, between, tail = self._pieces
        time = _second(int(at.timestamp())).encode()
        return b"".join((head, time, middle, request_id.encode(), between, event_id.encode(), tail))


def service_event(
    *,
    name: str,
    account_id: str,
    region: str,
    at: dt.datetime,
    event_id: str,
    request_id: str,
    additional: Mapping[str, Any] | None = None,
    error_message: str | None = None,
    read_only: bool = False,
    source: str = _SERVICE,
    user_identity: Mapping[str, Any] | None = None,
    request_parameters: Mapping[str, Any] | None = None,
) -> bytes:
    """Return the record of something a service, `source`, did by itself (fact sheet cloudtrail section 4).

    `user_identity` and `request_parameters`: of who had it done, where that was not by a call of the API.
    """
    record: dict[str, Any] = {
        "eventVersion": EVENT_VERSION,
        "userIdentity": user_identity or {"accountId": account_id, "invokedBy": source},
        "eventTime": _second(int(at.timestamp())),
        "eventSource": source,
        "eventName": name,
        "awsRegion": region,
        "sourceIPAddress": source,
        "userAgent": source,
    }
    if error_message is not None:
        record["errorMessage"] = _cut(error_message)
    record["requestParameters"] = request_parameters
    record["responseElements"] = None
    if additional is not None:
        record["additionalEventData"] = additional
    record["requestID"] = request_id
    record["eventID"] = event_id
    record["readOnly"] = read_only
    record["eventType"] = "AwsServiceEvent"
    record["managementEvent"] = True
    record["recipientAccountId"] = account_id
    record["eventCategory"] = "Management"
    return _encoded(record)


@lru_cache(maxsize=8)
def _second(seconds: int) -> str:
    """Return what records call a second, which is given since 1970."""
    return dt.datetime.fromtimestamp(seconds, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _cut(text: str) -> str:
    """Return as many whole characters of a text as its limit has room for."""
    if len(text) * 4 <= MAX_TEXT:
        return text
    return text.encode(errors="replace")[:MAX_TEXT].decode(errors="ignore")


def _encoded(record: dict[str, Any]) -> bytes:
    try:
        line = orjson.dumps(record, default=_unknown)
    except orjson.JSONEncodeError:
        # A text with lone surrogates, a number beyond 64 bits, or a nesting deeper than any model allows.
        line = orjson.dumps(_mended(record, 0), default=_unknown)
    if len(line) <= MAX_ADDITIONAL:
        return line
    for member, limit in _LIMITS.items():
        size = len(orjson.dumps(_mended(record.get(member), 0), default=_unknown))
        if size > limit:
            record[member] = {"omitted": True, "originalSize": size}
    return orjson.dumps(_mended(record, 0), default=_unknown)


def _unknown(_: Any) -> None:
    """Stands for what has no place in a record, bytes above all."""


def _mended(value: Any, depth: int) -> Any:
    if isinstance(value, str):
        return value.encode(errors="replace").decode()
    if depth > 64:
        return None
    if isinstance(value, Mapping):
        return {_mended(str(key), 0): _mended(each, depth + 1) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_mended(each, depth + 1) for each in value]
    if isinstance(value, int) and not isinstance(value, bool) and not -(2**63) <= value < 2**63:
        return str(value)
    return value

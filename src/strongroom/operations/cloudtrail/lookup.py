"""LookupEvents: the newest records an account received, from the index of the trail.

Source: fact sheet cloudtrail section 6.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import hashlib
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

import msgspec

from strongroom.audit.lookup import EventAttribute, parse_entry
from strongroom.errors import (
    IntegrityError,
    InvalidEventCategoryException,
    InvalidLookupAttributesException,
    InvalidMaxResultsException,
    InvalidNextTokenException,
    InvalidTimeRangeException,
    ServiceUnavailableException,
)
from strongroom.operations.call import AuthorizedCall, Call, Operation, Unit
from strongroom.operations.cloudtrail import messages
from strongroom.operations.cloudtrail.resolution import on_everything
from strongroom.ports import EventPage, ReadUnit

MAX_RESULTS: Final = 50
NO_INDEX: Final = "The audit trail is not indexed here."
_ACTION: Final = "cloudtrail:LookupEvents"
_PURPOSE: Final = "lookup-events-token"
_position = msgspec.json.Decoder(tuple[int, ...]).decode


class _Question(NamedTuple):
    attribute: tuple[EventAttribute, str] | None
    start: dt.datetime | None
    end: dt.datetime | None
    after: tuple[int, ...] | None
    limit: int


def prepare_lookup(authorized: AuthorizedCall, unit: ReadUnit) -> Callable[[], Any] | None:
    """Check the request, and return what asks the index, which may have to read some blocks from the disk.

    Raises:
        InvalidLookupAttributesException, InvalidTimeRangeException, InvalidMaxResultsException,
        InvalidNextTokenException, InvalidEventCategoryException: the request is not as it must be.
        ServiceUnavailableException: there is no index, or it cannot be read now.
    """
    call = authorized.call
    question = _question(call)
    if call.request.get("EventCategory") is not None:
        # There are no Insights events.
        return lambda: EventPage((), None)
    events = call.resources.events
    if events is None:
        raise ServiceUnavailableException(NO_INDEX)
    return lambda: events.lookup(
        call.account_id,
        call.region,
        attribute=question.attribute,
        start=question.start,
        end=question.end,
        after=question.after,
        limit=question.limit,
    )


def lookup_events(authorized: AuthorizedCall, unit: ReadUnit) -> Mapping[str, Any]:
    """Return a page of records, newest first. Raises what `prepare_lookup` raises."""
    call = authorized.call
    _question(call)
    page: EventPage = call.prepared
    response: dict[str, Any] = {"Events": [_shown(event) for event in page.events]}
    if page.position is not None:
        response["NextToken"] = _token(call, page.position)
    return response


def _question(call: Call) -> _Question:
    request = call.request
    attributes = request.get("LookupAttributes") or ()
    if len(attributes) > 1:
        raise InvalidLookupAttributesException(messages.ONE_ATTRIBUTE)
    start, end = request.get("StartTime"), request.get("EndTime")
    if start is not None and end is not None and start > end:
        raise InvalidTimeRangeException(messages.TIME_RANGE)
    limit = request.get("MaxResults", MAX_RESULTS)
    if not 1 <= limit <= MAX_RESULTS:
        raise InvalidMaxResultsException(messages.MAX_RESULTS)
    if request.get("EventCategory") not in (None, "insight"):
        raise InvalidEventCategoryException(messages.EVENT_CATEGORY)
    attribute = None
    if attributes:
        attribute = EventAttribute(attributes[0]["AttributeKey"]), attributes[0]["AttributeValue"]
    token = request.get("NextToken")
    return _Question(attribute, start, end, None if token is None else _opened(call, token), limit)


def _bound(call: Call) -> Mapping[str, str]:
    """Return what a token is bound to: the same question of the same account in the same region."""
    request = call.request
    asked = [
        request.get("LookupAttributes") or [],
        request.get("StartTime"),
        request.get("EndTime"),
        request.get("EventCategory"),
    ]
    return {
        "Account": call.account_id,
        "Region": call.region,
        "Question": hashlib.sha256(msgspec.json.encode(asked, order="sorted")).hexdigest(),
    }


def _token(call: Call, position: tuple[int, ...]) -> str:
    sealed = call.resources.root_key.wrap(_PURPOSE, msgspec.json.encode(position), _bound(call))
    return base64.b64encode(sealed).decode()


def _opened(call: Call, token: str) -> tuple[int, ...]:
    try:
        sealed = base64.b64decode(token, validate=True)
        return _position(call.resources.root_key.unwrap(_PURPOSE, sealed, _bound(call)))
    except (binascii.Error, ValueError, IntegrityError):
        # Without its cause: a text that is no token of ours is no damage here.
        raise InvalidNextTokenException(messages.INVALID_NEXT_TOKEN) from None


def _shown(event: bytes) -> Mapping[str, Any]:
    entry = parse_entry(event)
    assert entry is not None  # noqa: S101 - the index has no others
    shown: dict[str, Any] = {
        "EventId": entry.event_id,
        "EventName": entry.event_name,
        "ReadOnly": "true" if entry.read_only else "false",
        "EventTime": dt.datetime.fromtimestamp(entry.at, dt.UTC),
        "EventSource": entry.event_source,
        "Resources": [{"ResourceType": kind, "ResourceName": arn} for kind, arn in entry.resources],
        "CloudTrailEvent": event.decode(),
    }
    if entry.access_key_id is not None:
        shown["AccessKeyId"] = entry.access_key_id
    if entry.username is not None:
        shown["Username"] = entry.username
    return shown


LOOKUP_EVENTS = Operation(
    name="LookupEvents",
    action=_ACTION,
    unit=Unit.READ,
    targets=on_everything(_ACTION),
    handle=lookup_events,
    prepare=prepare_lookup,
    deviations=(
        "Records are found a second or so after the call; AWS takes some minutes.",
        "The limit of two calls a second is not applied.",
        "How far back records are found, the operator says: 90 days by default, as at AWS.",
        "Resources name what a call touched in Secrets Manager too, where AWS leaves them out.",
        "ResourceName finds a thing by its ARN and by its name: a secret's, a user's, a role's, a key's id.",
        "The root user's Username is root.",
        "There are no Insights events, so EventCategory insight finds none.",
        "A NextToken holds for any MaxResults, and only with the same attribute, times and category.",
    ),
)

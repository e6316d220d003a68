"""Event selectors: kept and answered. Source: the model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from msgspec.structs import replace

from strongroom.audit.trails import TrailSettings
from strongroom.errors import InsightNotEnabledException, InvalidEventSelectorsException
from strongroom.operations.call import AuthorizedCall, Operation, Unit
from strongroom.operations.cloudtrail import messages
from strongroom.operations.cloudtrail.resolution import home_trail, on_trail, present_trail, save_trail
from strongroom.ports import ReadUnit, WriteUnit

MAXIMUM_SELECTORS: Final = 5
_DEFAULT: Final[Mapping[str, Any]] = {
    "ReadWriteType": "All",
    "IncludeManagementEvents": True,
    "DataResources": [],
    "ExcludeManagementEventSources": [],
}


def put_event_selectors(authorized: AuthorizedCall, unit: WriteUnit) -> Mapping[str, Any]:
    """The selectors given are the trail's, and no others.

    Raises:
        TrailNotFoundException, InvalidHomeRegionException: as they say.
        InvalidEventSelectorsException: none are given, both sorts, or more than five.
    """
    trail, request = home_trail(authorized), authorized.request
    plain = request.get("EventSelectors") or ()
    advanced = request.get("AdvancedEventSelectors") or ()
    if plain and advanced:
        raise InvalidEventSelectorsException(messages.BOTH_SELECTORS)
    if not plain and not advanced:
        raise InvalidEventSelectorsException(messages.NO_SELECTORS)
    if len(plain) > MAXIMUM_SELECTORS:
        raise InvalidEventSelectorsException(messages.TOO_MANY_SELECTORS)
    trail = replace(
        trail,
        event_selectors=tuple({**_DEFAULT, **each} for each in plain),
        advanced_selectors=tuple(advanced),
    )
    save_trail(unit, trail)
    return _answer(trail)


def get_event_selectors(authorized: AuthorizedCall, unit: ReadUnit) -> Mapping[str, Any]:
    """Return a trail's selectors. Raises TrailNotFoundException."""
    return _answer(present_trail(authorized))


def get_insight_selectors(authorized: AuthorizedCall, unit: ReadUnit) -> Mapping[str, Any]:
    """Raises InsightNotEnabledException for every trail there is, and TrailNotFoundException."""
    raise InsightNotEnabledException(messages.no_insights(present_trail(authorized).arn))


def _answer(trail: TrailSettings) -> Mapping[str, Any]:
    if trail.advanced_selectors:
        return {"TrailARN": trail.arn, "AdvancedEventSelectors": list(trail.advanced_selectors)}
    return {"TrailARN": trail.arn, "EventSelectors": list(trail.event_selectors or (_DEFAULT,))}


PUT_EVENT_SELECTORS = Operation(
    name="PutEventSelectors",
    action="cloudtrail:PutEventSelectors",
    unit=Unit.WRITE,
    targets=on_trail("cloudtrail:PutEventSelectors", "TrailName"),
    handle=put_event_selectors,
    read_only=False,
    deviations=(
        "Selectors are kept and answered, and select nothing: there are management events only, and every "
        "record is kept.",
        "What fields and operators an advanced selector names is not checked.",
    ),
)
GET_EVENT_SELECTORS = Operation(
    name="GetEventSelectors",
    action="cloudtrail:GetEventSelectors",
    unit=Unit.READ,
    targets=on_trail("cloudtrail:GetEventSelectors", "TrailName"),
    handle=get_event_selectors,
)
GET_INSIGHT_SELECTORS = Operation(
    name="GetInsightSelectors",
    action="cloudtrail:GetInsightSelectors",
    unit=Unit.READ,
    targets=on_trail("cloudtrail:GetInsightSelectors", "TrailName"),
    handle=get_insight_selectors,
    deviations=("There are no Insights, so every trail is said to have none enabled.",),
)

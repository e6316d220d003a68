"""From what a caller names a trail by to the trail, and the target it makes of a call.

Source: fact sheet cloudtrail section 6; the model's description of Name.
"""

from __future__ import annotations

import re
from typing import Final

from strongroom.audit.trails import TrailSettings
from strongroom.errors import (
    CloudTrailARNInvalidException,
    InvalidHomeRegionException,
    InvalidTrailNameException,
    TrailNotFoundException,
)
from strongroom.names import Arn, parse_arn
from strongroom.operations.call import AuthorizedCall, Call, ConditionContext, Target, Targets
from strongroom.operations.cloudtrail import messages
from strongroom.ports import TRAILS, ReadUnit, WriteUnit

__all__ = [
    "find_trail",
    "home_trail",
    "on_everything",
    "on_trail",
    "present_trail",
    "save_trail",
    "trail_arn",
    "trail_target",
    "trails_of",
    "verify_name",
]

_CHARACTERS: Final = re.compile(r"[A-Za-z0-9._-]+")
_NEIGHBOURS: Final = re.compile(r"[._-]{2}")
_ADDRESS: Final = re.compile(r"[0-9]{1,3}(\.[0-9]{1,3}){3}")


def trail_arn(account_id: str, region: str, name: str) -> Arn:
    return Arn(f"arn:aws:cloudtrail:{region}:{account_id}:trail/{name}")


def verify_name(name: str) -> None:
    """Raises InvalidTrailNameException, unless a trail may be named so."""
    if not name:
        raise InvalidTrailNameException(messages.BLANK_NAME)
    if len(name) < 3:
        raise InvalidTrailNameException(messages.name_too_short(len(name)))
    if len(name) > 128:
        raise InvalidTrailNameException(messages.name_too_long(len(name)))
    if not (name[0].isascii() and name[0].isalnum()):
        raise InvalidTrailNameException(messages.NAME_START)
    if not (name[-1].isascii() and name[-1].isalnum()):
        raise InvalidTrailNameException(messages.NAME_END)
    if _CHARACTERS.fullmatch(name) is None:
        raise InvalidTrailNameException(messages.NAME_CHARACTERS)
    if _NEIGHBOURS.search(name) is not None:
        raise InvalidTrailNameException(messages.NAME_NEIGHBOURS)
    if _ADDRESS.fullmatch(name) is not None:
        raise InvalidTrailNameException(messages.NAME_ADDRESS)


def trails_of(unit: ReadUnit, account_id: str) -> list[TrailSettings]:
    """Return an account's trails, of all regions, by region and name."""
    return unit.scan(TRAILS, account_id)


def find_trail(call: Call, unit: ReadUnit, given: str) -> tuple[Arn, TrailSettings | None]:
    """Return a trail and its ARN by name or ARN: in the call's region, or one that is in every region.

    Raises:
        CloudTrailARNInvalidException: it begins as an ARN and is none of a trail.
        InvalidTrailNameException: it is no ARN, and no trail may be named so.
    """
    if given.startswith("arn:"):
        parsed = parse_arn(given)
        if parsed is None or parsed.service != "cloudtrail" or not parsed.resource.startswith("trail/"):
            raise CloudTrailARNInvalidException(messages.MALFORMED_ARN)
        name = parsed.resource.removeprefix("trail/")
        # SECURITY: another account's trail is as good as absent.
        own = parsed.account_id == call.account_id
        found = unit.find(TRAILS, call.account_id, f"{parsed.region}/{name}") if own else None
        return Arn(given), found
    verify_name(given)
    found = unit.find(TRAILS, call.account_id, f"{call.region}/{given}")
    if found is None:
        shadows = [each for each in trails_of(unit, call.account_id) if each.multi_region]
        found = next((each for each in shadows if each.name == given), None)
    return trail_arn(call.account_id, call.region, given) if found is None else found.arn, found


def trail_target(
    call: Call, unit: ReadUnit, action: str, given: str, context: ConditionContext | None = None
) -> Target:
    arn, trail = find_trail(call, unit, given)
    tags: dict[str, str | tuple[str, ...]] = {}
    if trail is not None:
        tags = {f"aws:ResourceTag/{key}": value for key, value in trail.tags.items()}
    return Target(action, arn, call.account_id, record=trail, context={**tags, **(context or {})})


def on_trail(action: str, member: str = "Name") -> Targets:
    """Return targets that are the one trail a member names."""
    return lambda call, unit: (trail_target(call, unit, action, call.request.get(member, "")),)


def on_everything(action: str) -> Targets:
    return lambda call, _: (Target(action, "*", call.account_id),)


def present_trail(authorized: AuthorizedCall) -> TrailSettings:
    """Return the trail the call is about.

    Raises:
        TrailNotFoundException: there is none.
    """
    trail: TrailSettings | None = authorized.target.record
    if trail is None:
        request = authorized.request
        given = request.get("Name") or request.get("TrailName") or authorized.target.resource
        raise TrailNotFoundException(messages.unknown_trail(given, authorized.call.account_id))
    return trail


def home_trail(authorized: AuthorizedCall) -> TrailSettings:
    """Return the trail the call is to change.

    Raises:
        TrailNotFoundException: there is none.
        InvalidHomeRegionException: it was made in another region.
    """
    trail = present_trail(authorized)
    if trail.home_region != authorized.call.region:
        raise InvalidHomeRegionException(messages.other_home(trail.name, trail.home_region))
    return trail


def save_trail(unit: WriteUnit, trail: TrailSettings) -> None:
    unit.save(TRAILS, trail)

"""Recorded calls, decided again under a changed policy. Source: DESIGN promise 8.

A call counts as changed only if it comes out otherwise in every context that fits its record: the outcome on
record tells something about what the record leaves out. Where that does not settle it, it is undecided, and
the condition keys are named on which it hangs. What else is stored is taken as it is now.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from typing import Any, Final

import msgspec

from strongroom.identity.principal import Principal, PrincipalType
from strongroom.names import Region
from strongroom.operations.call import Call, Resources
from strongroom.operations.reach import checks_of
from strongroom.operations.recorded import (
    RecordedCall,
    SessionGiven,
    recorded_call,
    recorded_subject,
)
from strongroom.operations.subjects import Subject
from strongroom.operations.things import Thing, thing_of_arn
from strongroom.policy.context import ContextKeys, spelled
from strongroom.policy.reach import Check, Difference, compare
from strongroom.ports import ReadUnit

__all__ = ["Outcome", "Replay", "Replayed"]

MOST_REMEMBERED: Final = 100_000
SESSION_POLICIES: Final = "session policies"
STORED_SINCE: Final = "what was stored then"


class Outcome(StrEnum):
    NEWLY_ALLOWED = "newly allowed"
    NEWLY_REFUSED = "newly refused"
    UNDECIDED = "undecided"
    UNCHANGED = "unchanged"
    NOT_REPLAYED = "not replayed"


class Replayed(msgspec.Struct, frozen=True):
    """One record's outcome."""

    outcome: Outcome
    principal: str = ""
    action: str = ""
    resource: str = ""
    why: tuple[str, ...] = ()
    """UNDECIDED: what the record lacks. NOT_REPLAYED: the reason, alone."""


class Replay:
    """Decides recorded calls under what is stored, and under the same with something changed."""

    def __init__(self, resources: Resources, sessions: Mapping[str, SessionGiven], now: dt.datetime) -> None:
        self._units: tuple[ReadUnit, ReadUnit] | None = None
        self._mark: int | None = None
        self._resources = resources
        self._sessions = sessions
        self._now = now
        self._things: dict[str, tuple[Thing, Thing] | None] = {}
        self._read: dict[tuple[object, ...], tuple[str, ...]] = {}
        """The condition keys that the policies look at that bear on a call; none: the change is not among
        them. By all that these hang on."""
        self._known: dict[tuple[object, ...], tuple[Outcome, tuple[str, ...]]] = {}
        nobody: Any = Principal(PrincipalType.ROOT, "", "", "", "")  # type: ignore[arg-type]  # finds by ARN only
        self._looking = Call(
            service="",
            operation="",
            request={},
            principal=nobody,
            region=Region(""),
            received_at=now,
            request_id="",
            resources=resources,
        )

    def look_at(self, unit: ReadUnit, changed: ReadUnit) -> None:
        """What follows is decided by `unit`, and by `changed`, which is the same but for the change.

        What was found out before is kept while nothing was committed since.
        """
        if unit.mark is None or unit.mark != self._mark:
            for each in (self._things, self._read, self._known):
                each.clear()
        self._units, self._mark = (unit, changed), unit.mark

    def outcome(self, event: Mapping[str, Any]) -> Replayed:
        """Return what would become of a recorded call."""
        if self._units is None:
            raise RuntimeError("A replay begins with look_at.")
        call = recorded_call(event)
        if isinstance(call, str):
            return Replayed(Outcome.NOT_REPLAYED, why=(call,))
        made = recorded_subject(self._units[0], event, self._sessions)
        if isinstance(made, str):
            return Replayed(Outcome.NOT_REPLAYED, why=(made,))
        subject, session_known = made
        found = [(arn, self._thing(arn, self._units)) for arn in call.resources]
        there = [(arn, things) for arn, things in found if things is not None]
        if not there:
            return Replayed(Outcome.NOT_REPLAYED, why=("names a resource that is gone",))
        arn, things = there[0]
        outcome, why = self._decided(call, subject, things, session_known, self._units)
        return Replayed(outcome, subject.principal.role_arn or subject.shown, call.action, arn, why)

    def _thing(self, arn: str, units: tuple[ReadUnit, ReadUnit]) -> tuple[Thing, Thing] | None:
        if arn not in self._things:
            before, after = (thing_of_arn(unit, self._looking, arn) for unit in units)
            self._things[arn] = None if before is None or after is None else (before, after)
        return self._things[arn]

    def _decided(
        self,
        call: RecordedCall,
        subject: Subject,
        things: tuple[Thing, Thing],
        session_known: bool,
        units: tuple[ReadUnit, ReadUnit],
    ) -> tuple[Outcome, tuple[str, ...]]:
        principal = subject.principal
        # Which policies bear on a call, and what they look at, does not hang on its context.
        place = (
            principal.type,
            principal.principal_id,
            principal.session_policies,
            principal.session_policy_arns,
            principal.provider,
            call.action,
            things[0].resource,
        )
        read = self._read.get(place)
        if read == ():
            return Outcome.UNCHANGED, ()
        if read is not None:
            seen = (place, _seen(subject, read), call.allowed, session_known)
            known = self._known.get(seen)
            if known is not None:
                return known
        before, after = (
            checks_of(unit, self._resources, thing, call.action, self._now, subject)
            for unit, thing in zip(units, things, strict=True)
        )
        if _same(before, after):
            self._read[place] = ()
            return Outcome.UNCHANGED, ()
        read = self._read[place] = tuple(sorted({"", *_keys_read(before), *_keys_read(after)}))
        found = _judged(call, _difference(before, after, subject, call.allowed), session_known)
        if len(self._known) >= MOST_REMEMBERED:
            self._known.clear()
        self._known[place, _seen(subject, read), call.allowed, session_known] = found
        return found


def _keys_read(checks: list[Check] | str) -> Iterator[str]:
    for each in () if isinstance(checks, str) else checks:
        yield from each.policies.keys_read(each.request.action)


def _seen(subject: Subject, read: tuple[str, ...]) -> tuple[object, ...]:
    """Return all of a subject that policies look at which read these keys."""
    keys = ContextKeys(subject.request, subject.context)
    return tuple([keys.values(each) for each in read]), subject.opened, subject.closed


def _difference(
    before: list[Check] | str, after: list[Check] | str, subject: Subject, recorded: bool
) -> Difference:
    """Return how the call comes out; a text in the place of checks refuses it."""

    fitting = _outcomes(before, after, subject, lambda was: was is recorded)
    if fitting.before:
        return fitting
    # What is stored by now decides otherwise than was recorded, with the change or without it.
    every = _outcomes(before, after, subject, lambda was: True)
    return msgspec.structs.replace(every, before=frozenset())


def _outcomes(
    before: list[Check] | str, after: list[Check] | str, subject: Subject, fits: Callable[[bool], bool]
) -> Difference:
    refused = frozenset((False,))
    if not isinstance(before, str) and not isinstance(after, str):
        return compare(before, after, subject.setting, fits)
    if not isinstance(before, str):
        then = compare(before, before, subject.setting, fits)
        return msgspec.structs.replace(then, after=refused, same=then.before == refused)
    if not fits(False):
        return Difference(frozenset(), frozenset(), same=True, decided=True)
    if isinstance(after, str):
        return Difference(refused, refused, same=True, decided=True)
    then = compare(after, after, subject.setting)
    return msgspec.structs.replace(then, before=refused, same=then.after == refused)


def _judged(call: RecordedCall, found: Difference, session_known: bool) -> tuple[Outcome, tuple[str, ...]]:
    if found.same and found.decided:
        return Outcome.UNCHANGED, ()
    if not found.before:
        return Outcome.UNDECIDED, (STORED_SINCE,)
    if found.decided and found.after == {not call.allowed}:
        if call.allowed:
            return Outcome.NEWLY_REFUSED, ()
        # SECURITY: policies of the session's own may have refused it, and would again.
        return (Outcome.NEWLY_ALLOWED, ()) if session_known else (Outcome.UNDECIDED, (SESSION_POLICIES,))
    return Outcome.UNDECIDED, tuple(spelled(key) for key in found.keys)


def _same(before: list[Check] | str, after: list[Check] | str) -> bool:
    """True when the very same policies bear on both."""
    if isinstance(before, str) or isinstance(after, str):
        return before == after
    return len(before) == len(after) and all(
        _documents(one) == _documents(two) for one, two in zip(before, after, strict=True)
    )


def _documents(check: Check) -> list[object]:
    """Return the compiled policies of a check: the same objects for the same documents."""
    each = check.policies
    found = [("identity", *one) for one in _pairs(each.identity)]
    found += (("resource", *one) for one in _pairs(each.resource))
    found += (("session", *one) for one in _pairs(each.session or ()))
    found += (("boundary", *one) for one in _pairs(() if each.boundary is None else (each.boundary,)))
    return [*found, each.session is None, each.resource_delegates_to_account, each.grants, check.grants]


def _pairs(labelled: Any) -> list[tuple[str, int]]:
    return [(each.label, id(each.policy)) for each in labelled]

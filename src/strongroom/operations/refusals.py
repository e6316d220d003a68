"""Refusals of a call, and the records they are explained from (DESIGN promise 8).

While a call runs its refusals are only noted; the pipeline keeps records of those that decided something.
Nothing secret is in one: of the request it holds what policies look at, and no member besides.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any, Final

import msgspec

from strongroom.identity.records import Role
from strongroom.keys.grants import SYMMETRIC_OPERATIONS
from strongroom.keys.records import KmsKey
from strongroom.operations.call import Call, Target
from strongroom.policy.evaluation import AccessRequest, Decision, PolicySet
from strongroom.policy.explanation import Explanation, explain, refusals_only
from strongroom.secret.records import Secret

__all__ = [
    "Refusal",
    "decision_record",
    "explained",
    "note_refusal",
    "note_unreachable",
    "overlooked",
    "refusals_of",
    "reword",
]

_COMPLETE: Final = re.compile(r"arn:.+:secret:.+-[A-Za-z0-9]{6}", re.DOTALL)
"""An ARN that can be one secret's only (fact sheet secretsmanager section 2)."""
UNREADABLE: Final = (
    "A policy of the caller or of the resource is missing or cannot be read; it might hold a Deny."
)
IN_A_HURRY: Final = (
    "Too many calls were refused at that time to look for remedies. Make the call again to have them."
)


class Refusal(msgspec.Struct, frozen=True, eq=False, kw_only=True):
    """One target that was refused, and what that was decided by. Holds nothing that changes later."""

    target: Target
    message: str
    """What the caller is told."""
    request: AccessRequest | None = None
    """None: no policy was asked (`note` says why)."""
    policies: PolicySet | None = None
    """None: they could not be read."""
    decision: Decision | None = None
    assuming: str = ""
    """What was supposed in a check of how things would be; empty: they were so."""
    note: str = ""


def refusals_of(call: Call) -> list[Refusal]:
    """Return the refusals noted in a call so far, but for those that were overlooked."""
    noted: list[Refusal] = call.details.get("refusals", [])
    return noted


def note_refusal(call: Call, refusal: Refusal) -> None:
    """Note a refusal for the pipeline to keep, if the process keeps decision records."""
    if call.resources.keep_decision is not None:
        call.details.setdefault("refusals", []).append(refusal)


def note_unreachable(call: Call, target: Target, message: str, why: str) -> None:
    """Note a refusal that no policy made, and none can lift."""
    note_refusal(call, Refusal(target=target, message=message, note=why))


def reword(call: Call, target: Target, message: str) -> None:
    """What is noted of `target` says `message`: what the caller is told in the end."""
    noted = refusals_of(call)
    for place, each in enumerate(noted):
        if each.target is target:
            noted[place] = msgspec.structs.replace(each, message=message)


@contextmanager
def overlooked(call: Call) -> Iterator[None]:
    """What is refused inside decides nothing: the call goes on without it, and no record of it is kept."""
    before = len(refusals_of(call))
    try:
        yield
    finally:
        del refusals_of(call)[before:]


def explained(
    refusal: Refusal, known_actions: Collection[str], *, remedies: bool = True
) -> Explanation | None:
    """Return why the target was refused; None where no policy was asked or one could not be read.

    Takes milliseconds with `remedies`, for each is tried out.
    """
    if refusal.request is None or refusal.policies is None or refusal.decision is None:
        return None
    if not remedies:
        return refusals_only(refusal.decision)
    target = refusal.target
    key = isinstance(target.record, KmsKey)
    return explain(
        refusal.request,
        refusal.policies,
        refusal.decision,
        takes_policy=isinstance(target.record, (Secret, KmsKey, Role)),
        takes_grant=key and target.action.removeprefix("kms:") in SYMMETRIC_OPERATIONS,
        known_actions=known_actions,
    )


def _own_side(refusal: Refusal) -> bool:
    """True when what the caller's own policies said hangs on nothing of the resource but its name.

    SECURITY: an account is told what its own policies said of a resource of another account. Were they asked
    for a tag of it, or for whatever stands behind a part of its name, their answer would tell what is there.
    """
    target, policies = refusal.target, refusal.policies
    if policies is None or target.shown_as not in ("", target.resource):
        return False
    if ":secretsmanager:" in target.resource and _COMPLETE.fullmatch(target.resource) is None:
        return False
    own = msgspec.structs.replace(policies, resource=(), resource_control=())
    return all(
        key == "secretsmanager:secretid"
        or (key.startswith("aws:") and not key.startswith("aws:resourcetag/"))
        for key in own.keys_read(target.action)
    )


def decision_record(call: Call, refusal: Refusal, explanation: msgspec.Raw | None, note: str = "") -> bytes:
    """Return the record of a refusal as one line of JSON. `explanation`: as JSON, of `explained`."""
    target = refusal.target
    # A service may have been refused in the call's course.
    who = call.principal if refusal.request is None else refusal.request.principal
    record: dict[str, Any] = {
        "request_id": call.request_id,
        "at": call.received_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "service": call.service,
        "operation": call.operation,
        "region": call.region,
        "account": call.account_id,
        "principal": who.arn,
        "principal_id": who.principal_id,
        "action": target.action,
        "resource": target.resource,
        "resource_account": target.owner_account,
        "resource_as_sent": target.shown_as or target.resource,
        "own_side": _own_side(refusal),
        "message": refusal.message,
        "refused_by": [layer.value for layer in refusal.decision.refusing] if refusal.decision else [],
    }
    if refusal.assuming:
        record["assuming"] = refusal.assuming
    if explanation is not None:
        record["explanation"] = explanation
    told = note or refusal.note or (UNREADABLE if explanation is None else "")
    if told:
        record["note"] = told
    return msgspec.json.encode(record)

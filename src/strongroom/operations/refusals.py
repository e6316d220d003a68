"""Decision records: what a refused call keeps under its request id (DESIGN promise 8).

Nothing secret is in one: of the request it holds what policies look at, and no member besides.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from strongroom.identity.records import Role
from strongroom.keys.grants import SYMMETRIC_OPERATIONS
from strongroom.keys.records import KmsKey
from strongroom.operations.call import Call, Target
from strongroom.policy.evaluation import AccessRequest, Decision, PolicySet
from strongroom.policy.explanation import explain
from strongroom.secret.records import Secret

__all__ = ["decision_record", "note_refusal"]

UNREADABLE: Final = (
    "A policy of the caller or of the resource is missing or cannot be read; it might hold a Deny."
)


def note_refusal(
    call: Call,
    target: Target,
    request: AccessRequest,
    policies: PolicySet | None,
    decision: Decision,
    message: str,
) -> None:
    """Keep why the target was refused, if the process keeps decision records.

    A record that cannot be written changes nothing for the caller, who is refused either way.
    """
    keep = call.resources.keep_decision
    if keep is None:
        return
    try:
        keep(decision_record(call, target, request, policies, decision, message))
    except (OSError, ValueError):
        # The disk is full, or a text is no Unicode: the refusal itself stands.
        call.details["decision_lost"] = True


def decision_record(
    call: Call,
    target: Target,
    request: AccessRequest,
    policies: PolicySet | None,
    decision: Decision,
    message: str,
) -> bytes:
    """Return the record as one line of JSON."""
    record: dict[str, Any] = {
        "request_id": call.request_id,
        "at": call.received_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "service": call.service,
        "operation": call.operation,
        "region": call.region,
        "principal": call.principal.arn,
        "action": target.action,
        "resource": target.resource,
        "resource_account": target.owner_account,
        "message": message,
        "refused_by": [layer.value for layer in decision.refusing],
    }
    if policies is None:
        record["note"] = UNREADABLE
    else:
        key = isinstance(target.record, KmsKey)
        record["explanation"] = explain(
            request,
            policies,
            decision,
            takes_policy=isinstance(target.record, (Secret, KmsKey, Role)),
            takes_grant=key and target.action.removeprefix("kms:") in SYMMETRIC_OPERATIONS,
        )
    return msgspec.json.encode(record)

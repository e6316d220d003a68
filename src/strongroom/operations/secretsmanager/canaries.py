"""Canary secrets: nobody has business to read them, so whoever tries to is an alert.

A secret is one by its tag. AWS has no such thing: the event's name and members are ours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from strongroom.audit.event import service_event
from strongroom.names import Region
from strongroom.operations.call import Call, Target
from strongroom.secret.records import Secret

__all__ = ["CANARY_TAG", "canary_alerts", "is_canary"]

CANARY_TAG: Final = "strongroom:canary"
"""With the value `true`, in any case of letters."""
CANARY_EVENT: Final = "CanarySecretRead"
_READ: Final = "secretsmanager:GetSecretValue"
_READERS: Final = frozenset(("GetSecretValue", "BatchGetSecretValue"))


def is_canary(secret: Secret) -> bool:
    return bool(secret.tags) and (secret.tags or {}).get(CANARY_TAG, "").lower() == "true"


def canary_alerts(
    call: Call,
    targets: Sequence[Target],
    *,
    source_ip: str,
    error_code: str | None,
    next_id: Callable[[], str],
) -> Iterator[bytes]:
    """Yield an event for each canary whose value a call tried to read, whether or not it got it.

    It is filed in the secret's account. `next_id` returns ids of events; `error_code` is what the whole call
    failed with.
    """
    if call.operation not in _READERS:
        return
    for target in targets:
        secret = target.record
        if target.action != _READ or not isinstance(secret, Secret) or not is_canary(secret):
            continue
        yield service_event(
            name=CANARY_EVENT,
            account_id=secret.account_id,
            region=Region(secret.region),
            at=call.received_at,
            event_id=next_id(),
            request_id=call.request_id,
            additional={
                "SecretId": secret.arn,
                "operation": call.operation,
                "outcome": error_code or _outcome(call, target),
                "principal": call.principal.arn,
                "principalId": call.principal.principal_id,
                "sourceIPAddress": source_ip,
            },
        )


def _outcome(call: Call, target: Target) -> str:
    """Return how the part of a batch ended that is this target's; `read` for what gave out the value."""
    for part in call.details.get("extra_events", ()):
        if part["target"] is target and "error_code" in part:
            return str(part["error_code"])
    return "read"

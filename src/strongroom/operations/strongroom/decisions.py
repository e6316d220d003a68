"""ExplainDecision: why a call was refused, for those who may know (DESIGN promise 8).

Whoever may not learn it hears the same whether there is a record or not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from msgspec.structs import replace

from strongroom.errors import ResourceNotFoundException
from strongroom.operations.authorization_messages import encoded_message
from strongroom.operations.call import AuthorizedCall, Call, Operation, Target, Unit
from strongroom.operations.standing import standing_of
from strongroom.operations.strongroom.views import concerns, shown
from strongroom.ports import ReadUnit

__all__ = ["EXPLAIN_DECISION", "NO_DECISION"]

_ACTION: Final = "strongroom:ExplainDecision"
NO_DECISION: Final = "No decision of your account is on record under this request id."


def _targets(call: Call, unit: ReadUnit) -> Sequence[Target]:
    """The resources the call was refused on; `*` where none is known (any more).

    Records are looked up by `prepare`, so before that the target is `*` and, for a caller who may explain
    decisions on some resources, optional.
    """
    everything = Target(
        action=_ACTION,
        resource="*",
        owner_account=call.account_id,
        # The reason is left out: it would tell a record that is there from one that is not.
        denial=f"User: {call.principal.arn} is not authorized to perform: {_ACTION}",
    )
    if call.prepared is None:
        return (replace(everything, optional=_may_some(call, unit)),)
    resources = dict.fromkeys(record["resource"] for record in call.prepared)
    if not resources:
        return (everything,)
    return tuple(replace(everything, resource=each, optional=True) for each in resources)


def _may_some(call: Call, unit: ReadUnit) -> bool:
    """True when an identity policy of the caller allows the action on something."""
    return any(
        not statement.denies
        for each in standing_of(call, unit).identity
        for statement in each.policy.statements_for(_ACTION)
    )


def look_up(authorized: AuthorizedCall, unit: ReadUnit) -> Callable[[], Any] | None:
    """Return what reads the decision files, which takes milliseconds."""
    call = authorized.call
    find = call.resources.find_decisions
    request_id, account_id = authorized.request["RequestId"], call.account_id

    def work() -> Sequence[Mapping[str, Any]]:
        found = () if find is None else find(request_id)
        return tuple(record for record in found if concerns(record, account_id))

    return work


def explain_decision(authorized: AuthorizedCall, unit: ReadUnit) -> Mapping[str, Any]:
    """Return the decisions on resources that the caller may have explained.

    Raises:
        AccessDeniedException: there are some, on none of which it may.
        ResourceNotFoundException: none is on record that concerns the caller's account.
    """
    call = authorized.call
    permitted = {target.resource for target in authorized.targets}
    if not permitted and authorized.refused:
        raise authorized.refused[0][1]
    entries = []
    for record in call.prepared or ():
        if record["resource"] in permitted:
            entry = shown(record, call.account_id)
            entry["EncodedMessage"] = encoded_message(call.resources.root_key, record, entry, call.account_id)
            entries.append(entry)
    if not entries:
        raise ResourceNotFoundException(NO_DECISION)
    return {"RequestId": authorized.request["RequestId"], "Decisions": entries}


EXPLAIN_DECISION = Operation(
    name="ExplainDecision",
    action=_ACTION,
    unit=Unit.READ,
    targets=_targets,
    handle=explain_decision,
    prepare=look_up,
    deviations=(
        "The resource that policies are asked about is the one the call was refused on, or * when nothing is "
        "on record; aws:ResourceAccount is the account of the caller.",
        "Across accounts each account sees what its own policies said.",
        "Records are kept for some days and some thousand refusals, as the guide says.",
    ),
)

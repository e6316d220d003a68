"""Whether policies allow a call: every target's layers, before any handler runs.

Sources: fact sheet iam sections 4, 8 and 9; DESIGN promises 1 and 2.
"""

from __future__ import annotations

from collections.abc import Sequence

from strongroom.errors import AccessDeniedException
from strongroom.identity.principal import PrincipalType
from strongroom.operations.call import AuthorizedCall, Call, Target
from strongroom.policy.document import Policy, PolicyKind, PolicySyntaxError, compile_policy
from strongroom.policy.evaluation import (
    AccessRequest,
    Caller,
    CallerType,
    Decision,
    LabelledPolicy,
    Layer,
    PolicySet,
    denial_message,
    evaluate,
)
from strongroom.ports import USERS, ReadUnit

__all__ = ["allowed", "authorize"]

_UNREADABLE = Decision(False, Layer.IDENTITY, explicit=True, refusing=(Layer.IDENTITY,))


def authorize(call: Call, unit: ReadUnit, targets: Sequence[Target]) -> AuthorizedCall:
    """Return the call as authorized, with the decision on every target that was allowed.

    Raises AccessDeniedException with AWS's words for the first required target that is refused.
    """
    granted: list[Target] = []
    refused: list[tuple[Target, Exception]] = []
    decisions: list[Decision] = []
    for target in targets:
        request, decision = _decide(call, unit, target)
        if decision.allowed:
            granted.append(target)
            decisions.append(decision)
            continue
        error = AccessDeniedException(denial_message(request, decision, target.shown_as))
        if not target.optional:
            raise error
        refused.append((target, error))
    return AuthorizedCall(call, tuple(granted), tuple(refused), tuple(decisions))


def allowed(call: Call, unit: ReadUnit, target: Target) -> Decision:
    """Return the decision on one target, for checks inside a call (a KMS key, a hypothetical policy)."""
    return _decide(call, unit, target)[1]


def _decide(call: Call, unit: ReadUnit, target: Target) -> tuple[AccessRequest, Decision]:
    principal = call.principal
    request = AccessRequest(
        action=target.action,
        resource=target.resource,
        principal=Caller(
            type=CallerType(principal.type),
            account_id=principal.account_id,
            arn=principal.arn,
            principal_id=principal.principal_id,
        ),
        resource_account=target.owner_account,
        context={**call.context, **target.context, "aws:ResourceAccount": target.owner_account},
    )
    try:
        policies = PolicySet(
            identity=_identity_policies(call, unit),
            resource=tuple(
                LabelledPolicy(target.resource, _compiled(policy.document, policy.delegates_to_account))
                for policy in target.resource_policies
            ),
            resource_delegates_to_account=all(
                policy.delegates_to_account for policy in target.resource_policies
            ),
        )
    except PolicySyntaxError:
        # SECURITY: a stored policy that no longer parses might have held the Deny that matters.
        return request, _UNREADABLE
    return request, evaluate(request, policies)


def _compiled(document: str, delegates: bool) -> Policy:
    return compile_policy(document, PolicyKind.RESOURCE if delegates else PolicyKind.KEY)


def _identity_policies(call: Call, unit: ReadUnit) -> tuple[LabelledPolicy, ...]:
    principal = call.principal
    if principal.type is not PrincipalType.USER:
        return ()
    user = unit.find(USERS, principal.account_id, principal.principal_id)
    if user is None:
        return ()
    return tuple(
        LabelledPolicy(name, compile_policy(document, PolicyKind.IDENTITY))
        for name, document in user.policies.items()
    )

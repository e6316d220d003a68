"""Whether policies allow a call: every target's layers, before any handler runs.

Sources: fact sheet iam sections 4, 8 and 9; DESIGN promises 1 and 2.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from strongroom.errors import AccessDeniedException
from strongroom.identity.principal import PrincipalType
from strongroom.operations.call import AuthorizedCall, Call, ResourcePolicy, Target
from strongroom.operations.refusals import Refusal, note_refusal
from strongroom.operations.standing import Standing, standing_of
from strongroom.policy.context import ContextKeys
from strongroom.policy.document import PolicyKind, PolicySyntaxError, compile_policy
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
from strongroom.ports import ReadUnit

__all__ = ["DecisionMemory", "allowed", "authorize", "gathered", "note"]

_DIRECT: Final = {"aws:ViaAWSService": "false", "aws:PrincipalIsAWSService": "false"}
"""What is true of a call unless its target knows better (a KMS key used through Secrets Manager)."""
_TIME = frozenset(("aws:currenttime", "aws:epochtime"))
_UNREADABLE = Decision(False, Layer.IDENTITY, explicit=True, refusing=(Layer.IDENTITY,))


class _Remembered(msgspec.Struct, frozen=True, eq=False):
    """Decisions on one action, resource and principal, and what they were made from."""

    standing: Standing
    policies: tuple[ResourcePolicy, ...]
    grants: tuple[str, ...]
    grants_behind: bool
    keys_read: tuple[str, ...]
    """Every condition key, folded, that the policies can look at for this action."""
    timed: bool
    """Whether the time is among them."""
    by_values: dict[tuple[Any, ...], Decision]
    """By the values of `keys_read`, in their order; at most VALUES_REMEMBERED."""


class DecisionMemory:
    """Decisions of one process. Threads may share it.

    SECURITY: a decision is a function of principal, action, resource, policies and of the condition keys the
    policies look at. All of them are part of what it is remembered under: policies by the stored records
    they stand in, which are other objects as soon as they change. So nothing has to be dropped in time.
    """

    LIMIT: Final = 20_000
    CHARACTERS: Final = 16 * 1024 * 1024
    """Of all that callers choose: what a place is found by, and the values of condition keys."""
    VALUES_REMEMBERED: Final = 16
    """A key whose value is new each time (aws:CurrentTime) makes remembering useless, but not harmful."""

    def __init__(self) -> None:
        self._remembered: dict[tuple[object, ...], _Remembered] = {}
        # Threads may lose an addition to each other, which then counts when all is forgotten next.
        self._characters = 0

    def get(self, place: tuple[object, ...]) -> _Remembered | None:
        return self._remembered.get(place)

    def put(self, place: tuple[object, ...], remembered: _Remembered) -> None:
        self._make_room(place)
        self._remembered[place] = remembered

    def keep(self, known: _Remembered, values: tuple[Any, ...], decision: Decision) -> None:
        """The decision for these values of the condition keys is remembered with what it was made from."""
        if len(known.by_values) >= self.VALUES_REMEMBERED:
            self._characters -= sum(map(_characters, known.by_values))
            known.by_values.clear()
        self._make_room(values)
        known.by_values[values] = decision

    def _make_room(self, given: tuple[object, ...]) -> None:
        self._characters += _characters(given)
        if len(self._remembered) >= self.LIMIT or self._characters > self.CHARACTERS:
            self._remembered.clear()
            self._characters = _characters(given)


def _characters(given: object) -> int:
    """Return how long the texts in a tuple are, those in tuples within it too."""
    if isinstance(given, str):
        return len(given)
    return sum(map(_characters, given)) if isinstance(given, tuple) else 0


def authorize(call: Call, unit: ReadUnit, targets: Sequence[Target]) -> AuthorizedCall:
    """Return the call as authorized, with the decision on every target that was allowed.

    Raises AccessDeniedException with AWS's words for the first required target that is refused.
    """
    granted: list[Target] = []
    refused: list[tuple[Target, Exception]] = []
    decisions: list[Decision] = []
    for target in targets:
        decision = allowed(call, unit, target)
        if decision.allowed:
            granted.append(target)
            decisions.append(decision)
            continue
        request = _request(call, target, _keys(call, target))
        error = AccessDeniedException(target.denial or denial_message(request, decision, target.shown_as))
        note(call, unit, target, decision, str(error))
        if not target.optional:
            raise error
        refused.append((target, error))
    return AuthorizedCall(call, tuple(granted), tuple(refused), tuple(decisions))


def allowed(call: Call, unit: ReadUnit, target: Target) -> Decision:
    """Return the decision on one target; also for checks inside a call (a KMS key, a hypothetical policy)."""
    standing = standing_of(call, unit)
    keys = _keys(call, target)
    memory = call.resources.decision_memory
    if not isinstance(memory, DecisionMemory):
        call.details["timed"] = True
        policies = _policies(call, standing, target)
        return _UNREADABLE if policies is None else evaluate(_request(call, target, keys), policies)
    principal = call.principal
    # Records of one type of unit are objects of their own, and so are standings. Whoever comes with a
    # token has no access key, and the subject he gives himself: the provider that vouches for it counts.
    place = (
        type(unit), principal.principal_id, principal.access_key_id, target.action, target.resource,
        target.owner_account, call.endpoint_policy, principal.provider,
    )  # fmt: skip
    known = memory.get(place)
    if (
        known is None
        or known.standing is not standing
        or known.policies != target.resource_policies
        or known.grants != target.grants
        or known.grants_behind is not target.grants_behind
    ):
        policies = _policies(call, standing, target)
        if policies is None:
            return _UNREADABLE
        keys_read = tuple(sorted(policies.keys_read(target.action)))
        timed = not _TIME.isdisjoint(keys_read)
        known = _Remembered(
            standing, target.resource_policies, target.grants, target.grants_behind, keys_read, timed, {}
        )
        memory.put(place, known)
    if known.timed:
        call.details["timed"] = True
    values = tuple([keys.values(key) for key in known.keys_read])
    decision = known.by_values.get(values)
    if decision is None:
        policies = _policies(call, standing, target)
        if policies is None:
            return _UNREADABLE
        decision = evaluate(_request(call, target, keys), policies)
        memory.keep(known, values, decision)
    return decision


def note(
    call: Call, unit: ReadUnit, target: Target, decision: Decision, message: str, *, assuming: str = ""
) -> None:
    """Note a refusal; for checks inside a call (`allowed`) that refuse it with `message`.

    `assuming`: what was supposed of the target, when the check is of how things would be.
    """
    if call.resources.keep_decision is not None:
        refusal = Refusal(
            target=target,
            message=message,
            request=_request(call, target, _keys(call, target)),
            policies=_policies(call, standing_of(call, unit), target),
            decision=decision,
            assuming=assuming,
        )
        note_refusal(call, refusal)


def gathered(call: Call, unit: ReadUnit, target: Target) -> tuple[AccessRequest, PolicySet | None]:
    """Return what a decision on the target is made from; None for the policies: it is refused unseen."""
    policies = _policies(call, standing_of(call, unit), target)
    return _request(call, target, _keys(call, target)), policies


def _keys(call: Call, target: Target) -> ContextKeys:
    return ContextKeys({"aws:ResourceAccount": target.owner_account}, target.context, call.context, _DIRECT)


def _request(call: Call, target: Target, keys: ContextKeys) -> AccessRequest:
    principal = call.principal
    return AccessRequest(
        action=target.action,
        resource=target.resource,
        principal=Caller(
            type=CallerType(principal.type),
            account_id=principal.account_id,
            arn=principal.arn,
            principal_id=principal.principal_id,
            role_arn=principal.role_arn,
            issuer_arn=principal.issuer_arn,
            issuer_id=principal.issuer_id,
            provider=principal.provider if principal.type is PrincipalType.WEB_IDENTITY else None,
        ),
        resource_account=target.owner_account,
        context=keys,
    )


def _policies(call: Call, standing: Standing, target: Target) -> PolicySet | None:
    """Return every policy that bears on the target; None when one of them is missing or does not parse.

    SECURITY: a stored policy that no longer parses might have held the Deny that matters.
    """
    if not standing.readable:
        return None
    try:
        endpoint = None
        if call.endpoint_policy is not None:
            endpoint = LabelledPolicy("endpoint", compile_policy(call.endpoint_policy, PolicyKind.RESOURCE))
        return PolicySet(
            identity=standing.identity,
            resource=tuple(
                LabelledPolicy(target.resource, compile_policy(policy.document, _kind(policy)))
                for policy in target.resource_policies
            ),
            boundary=standing.boundary,
            session=standing.session,
            vpc_endpoint=endpoint,
            resource_delegates_to_account=all(
                policy.delegates_to_account for policy in target.resource_policies
            ),
            grants=target.grants,
            grants_behind=target.grants_behind,
        )
    except PolicySyntaxError:
        return None


def _kind(policy: ResourcePolicy) -> PolicyKind:
    if policy.trust:
        return PolicyKind.TRUST
    return PolicyKind.RESOURCE if policy.delegates_to_account else PolicyKind.KEY

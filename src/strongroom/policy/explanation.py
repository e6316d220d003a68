"""Why a request was refused, and the least that would have to change for it to be allowed. Pure.

Every remedy is tried out by the evaluator before it is proposed. Source: DESIGN promise 8; fact sheet iam
section 4. What a user or role gets, the sessions made from it get with it: that is how AWS means it, and no
remedy says more than "this user", "this role".
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from typing import Any

import msgspec

from strongroom.policy.context import ContextKeys, spelled
from strongroom.policy.document import (
    PolicyKind,
    Statement,
    parse_policy,
    with_statements,
    without_statement,
)
from strongroom.policy.evaluation import (
    AccessRequest,
    CallerType,
    Decision,
    DeterminingStatement,
    LabelledPolicy,
    Layer,
    PolicySet,
    evaluate,
)
from strongroom.policy.narrowing import Written, literal, narrowed

__all__ = [
    "AddGrant",
    "AddStatement",
    "Change",
    "Explanation",
    "KeySeen",
    "NarrowDeny",
    "NearMiss",
    "Refusal",
    "apply_changes",
    "explain",
    "refusals_only",
]

MAX_VALUE: int = 256
"""Characters shown of one value of a condition key; callers choose some of them."""
MAX_SHOWN: int = 50
"""Condition keys, and Allows that nearly applied, that are shown."""
ENCRYPTION_CONTEXT = "kms:encryptioncontext:"


class Refusal(msgspec.Struct, frozen=True):
    """One layer that refused: by Denies, or because nothing in it allows."""

    layer: Layer
    denies: tuple[DeterminingStatement, ...]
    """Empty: the layer has no Allow for the request."""


class KeySeen(msgspec.Struct, frozen=True):
    """A condition key the policies look at. No key of the product holds anything secret."""

    key: str
    values: tuple[str, ...]
    """Empty: the request does not have it."""


class NearMiss(msgspec.Struct, frozen=True):
    """An Allow for the action in a layer that refused, and what of it did not fit."""

    statement: DeterminingStatement
    misses: tuple[str, ...]
    """`Principal`, `Resource`, and conditions as `operator key`."""


class AddStatement(msgspec.Struct, frozen=True, tag="add statement"):
    """Put `statement` into a policy of this layer."""

    layer: Layer
    label: str
    """The policy to put it into, where the layer has one only; empty: into a policy of its own."""
    statement: Written


class AddGrant(msgspec.Struct, frozen=True, tag="add grant"):
    """Call CreateGrant on the key with `parameters`."""

    layer: Layer
    parameters: dict[str, Any]


class NarrowDeny(msgspec.Struct, frozen=True, tag="narrow deny"):
    """Put `statements` in the place of a Deny; none: remove it."""

    layer: Layer
    label: str
    sid: str
    index: int
    place: int
    """Which of the layer's policies, from 0: labels may repeat."""
    statements: tuple[Written, ...]
    also_spares: str = ""
    """What besides the request is no longer denied, where the policy language has no exact exception."""


Change = AddStatement | AddGrant | NarrowDeny


class Explanation(msgspec.Struct, frozen=True):
    refusals: tuple[Refusal, ...]
    """All layers that refused, those with Denies first."""
    keys: tuple[KeySeen, ...]
    near_misses: tuple[NearMiss, ...]
    remedies: tuple[tuple[Change, ...], ...]
    """Each makes the request succeed, all its changes taken together; one would do. The first leaves the
    decision where it was refused. Empty when nothing this module knows would help."""


def explain(
    request: AccessRequest,
    policies: PolicySet,
    decision: Decision,
    *,
    takes_policy: bool = True,
    takes_grant: bool = False,
    known_actions: Collection[str] = (),
) -> Explanation:
    """Return why `decision` refused `request` under `policies`, and what would allow it.

    `takes_policy`: a resource-based policy can stand on the resource. `takes_grant`: it is a KMS key, and
    the action one that grants can give. `known_actions` are what wildcards in a Deny are spelled out to when
    one action has to be excepted.
    """
    keys = request.context if isinstance(request.context, ContextKeys) else ContextKeys(request.context)
    return Explanation(
        _refusals(decision),
        tuple(_keys_seen(request, policies, keys)),
        tuple(_near_misses(request, policies, keys, decision))[:MAX_SHOWN],
        tuple(_remedies(request, policies, keys, takes_policy, takes_grant, known_actions)),
    )


def refusals_only(decision: Decision) -> Explanation:
    """Return what `decision` itself says of why it refused, and no remedies: at next to no cost."""
    return Explanation(_refusals(decision), (), (), ())


def apply_changes(policies: PolicySet, changes: Collection[Change]) -> PolicySet:
    """Return the policies with the changes made. Indexes of `NarrowDeny` are those before any change."""
    # From the end, so that what is put in the place of one statement does not move the next one.
    narrowings = [each for each in changes if isinstance(each, NarrowDeny)]
    for narrowing in sorted(narrowings, key=lambda each: -each.index):
        policies = _narrow(policies, narrowing)
    for each in changes:
        if isinstance(each, AddStatement):
            policies = _add(policies, each)
        elif isinstance(each, AddGrant):
            policies = msgspec.structs.replace(policies, grants=(*policies.grants, "proposed"))
    return policies


def _refusals(decision: Decision) -> tuple[Refusal, ...]:
    return tuple(
        Refusal(layer, tuple(each for each in decision.determining if each.layer is layer))
        for layer in decision.refusing
    )


# --- what was seen ---------------------------------------------------------------------------------------


def _keys_seen(request: AccessRequest, policies: PolicySet, keys: ContextKeys) -> Iterator[KeySeen]:
    for key in sorted(policies.keys_read(request.action))[:MAX_SHOWN]:
        found = keys.values(key)
        values = () if found is None else (found,) if isinstance(found, str) else found
        yield KeySeen(spelled(key), tuple(value[:MAX_VALUE] for value in values[:MAX_SHOWN]))


def _near_misses(
    request: AccessRequest, policies: PolicySet, keys: ContextKeys, decision: Decision
) -> Iterator[NearMiss]:
    for layer, _, labelled in _labelled(policies):
        if layer not in decision.refusing:
            continue
        for statement in labelled.policy.statements_for(request.action):
            if statement.denies:
                continue
            misses = tuple(_misses(statement, request, keys))
            if misses:
                yield NearMiss(_found(layer, labelled, statement), misses)


def _misses(statement: Statement, request: AccessRequest, keys: ContextKeys) -> Iterator[str]:
    if statement.principal is not None and not statement.principal.allows(request.principal):
        yield "Principal"
    if statement.resource is not None and not statement.resource.matches(request.resource, keys):
        yield "Resource"
    for condition in statement.conditions:
        if not condition.holds(keys):
            yield f"{condition.operator.text} {condition.key}"


def _found(layer: Layer, labelled: LabelledPolicy, statement: Statement) -> DeterminingStatement:
    return DeterminingStatement(layer, labelled.label, statement.sid, statement.index)


# --- remedies --------------------------------------------------------------------------------------------


def _remedies(
    request: AccessRequest,
    policies: PolicySet,
    keys: ContextKeys,
    takes_policy: bool,
    takes_grant: bool,
    known_actions: Collection[str],
) -> Iterator[tuple[Change, ...]]:
    denies: tuple[Change, ...] = tuple(_narrowings(request, policies, keys, known_actions))
    spared = apply_changes(policies, denies)
    decision = evaluate(request, spared)
    if decision.allowed:
        yield denies
        return
    resource_layer = _resource_layer(policies)
    lacking = decision.refusing
    tried: list[tuple[Change, ...]] = []
    ways: list[Change | None] = [None]
    if takes_grant:
        ways.append(AddGrant(Layer.GRANT, _grant(request, keys)))
    if takes_policy and resource_layer not in lacking and Layer.IDENTITY in lacking:
        ways.append(_addition(resource_layer, request, policies, keys))
    for way in ways:
        replaced = () if way is None else (Layer.IDENTITY, resource_layer)
        changes: list[Change] = [] if way is None else [way]
        changes += [_addition(each, request, policies, keys) for each in lacking if each not in replaced]
        if way is not None and request.principal.account_id != request.resource_account:
            # Across accounts the caller's own policies have to allow, too.
            changes.append(_addition(Layer.IDENTITY, request, policies, keys))
        if way is None and not takes_policy and resource_layer in lacking:
            continue
        least = _least(request, spared, changes)
        if least is not None and least not in tried:
            tried.append(least)
            yield (*denies, *least)


def _least(request: AccessRequest, policies: PolicySet, changes: list[Change]) -> tuple[Change, ...] | None:
    """Return the changes without those that are not needed; None when all of them together do not help."""
    if not evaluate(request, apply_changes(policies, changes)).allowed:
        return None
    for each in reversed(changes):
        rest = [other for other in changes if other is not each]
        if evaluate(request, apply_changes(policies, rest)).allowed:
            changes = rest
    return tuple(changes)


def _narrowings(
    request: AccessRequest, policies: PolicySet, keys: ContextKeys, known_actions: Collection[str]
) -> Iterator[NarrowDeny]:
    for layer, place, labelled in _labelled(policies):
        for statement in labelled.policy.statements_for(request.action):
            principal = statement.principal
            met = principal is None or principal.denies(request.principal)
            if not (statement.denies and met and statement.applies(request.resource, keys)):
                continue
            exception = narrowed(
                statement,
                request,
                keys,
                version=labelled.policy.version,
                own_resource=layer in (Layer.RESOURCE, Layer.TRUST),
                own_session=layer is Layer.SESSION,
                known_actions=known_actions,
            )
            yield NarrowDeny(
                layer,
                labelled.label,
                statement.sid,
                statement.index,
                place,
                exception.statements,
                exception.also_spares,
            )


def _addition(layer: Layer, request: AccessRequest, policies: PolicySet, keys: ContextKeys) -> AddStatement:
    """Return the smallest Allow for the request in a layer, whoever else the layer is there for."""
    caller = request.principal
    statement: Written = {"Effect": "Allow"}
    conditions: dict[str, dict[str, Any]] = {}
    label = ""
    if layer in (Layer.RESOURCE, Layer.TRUST, Layer.VPC_ENDPOINT, Layer.RESOURCE_CONTROL):
        statement["Principal"] = _principal(request)
        conditions = _only_him(request, keys)
    elif layer in (Layer.BOUNDARY, Layer.SERVICE_CONTROL):
        # Others have the same boundary; all of the account have the service control policy.
        who = keys.single("aws:principalarn")
        conditions = {} if who is None else {"ArnEquals": {"aws:PrincipalArn": literal(who)}}
    elif layer is Layer.IDENTITY and caller.type == CallerType.FEDERATED_USER:
        # The policy is that of the user who made the session.
        conditions = {"StringEquals": {"aws:userid": literal(caller.principal_id)}}
    statement["Action"] = request.action
    if layer is Layer.RESOURCE:
        statement["Resource"] = "*"
    elif layer is not Layer.TRUST:
        statement["Resource"] = "*" if request.resource == "*" else literal(request.resource)
    if conditions:
        statement["Condition"] = conditions
    if layer in (Layer.RESOURCE, Layer.TRUST):
        label = request.resource
    elif layer is Layer.BOUNDARY and policies.boundary is not None:
        label = policies.boundary.label
    elif layer is Layer.VPC_ENDPOINT and policies.vpc_endpoint is not None:
        label = policies.vpc_endpoint.label
    return AddStatement(layer, label, statement)


def _principal(request: AccessRequest) -> dict[str, str]:
    caller = request.principal
    if caller.type == CallerType.SERVICE:
        return {"Service": caller.arn}
    if caller.type == CallerType.WEB_IDENTITY:
        return {"Federated": caller.provider or ""}
    return {"AWS": caller.role_arn or caller.arn}


def _only_him(request: AccessRequest, keys: ContextKeys) -> dict[str, dict[str, Any]]:
    """Return conditions for callers whose Principal names others, too: the root user (its account), and
    whoever comes with a token (the provider of all tokens)."""
    caller = request.principal
    if caller.type == CallerType.ROOT:
        if keys.single("aws:principalarn") is None:
            return {}
        return {"ArnEquals": {"aws:PrincipalArn": caller.arn}}
    if caller.type == CallerType.WEB_IDENTITY:
        host = (caller.provider or "").partition(":oidc-provider/")[2] or (caller.provider or "")
        said = {f"{host}:{claim}": keys.single(f"{host}:{claim}".lower()) for claim in ("aud", "sub")}
        known = {key: literal(value) for key, value in said.items() if value is not None}
        return {"StringEquals": known} if known else {}
    return {}


def _grant(request: AccessRequest, keys: ContextKeys) -> dict[str, Any]:
    caller = request.principal
    grant: dict[str, Any] = {
        "KeyId": request.resource,
        "GranteePrincipal": caller.role_arn or caller.arn,
        "Operations": [request.action.partition(":")[2]],
    }
    names = keys.values("kms:encryptioncontextkeys") or ()
    context = {
        name: keys.single(f"{ENCRYPTION_CONTEXT}{name.lower()}")
        for name in ((names,) if isinstance(names, str) else names)
    }
    if context and None not in context.values():
        grant["Constraints"] = {"EncryptionContextEquals": context}
    return grant


# --- policy sets -----------------------------------------------------------------------------------------

_ONE = {Layer.BOUNDARY: "boundary", Layer.VPC_ENDPOINT: "vpc_endpoint"}
_MANY = {
    Layer.IDENTITY: "identity",
    Layer.RESOURCE: "resource",
    Layer.TRUST: "resource",
    Layer.SESSION: "session",
    Layer.SERVICE_CONTROL: "service_control",
    Layer.RESOURCE_CONTROL: "resource_control",
}


def _resource_layer(policies: PolicySet) -> Layer:
    trust = any(each.policy.kind is PolicyKind.TRUST for each in policies.resource)
    return Layer.TRUST if trust else Layer.RESOURCE


def _labelled(policies: PolicySet) -> Iterator[tuple[Layer, int, LabelledPolicy]]:
    """Yield every policy with its layer and place in it."""
    for layer, field in (*_MANY.items(), *_ONE.items()):
        if field == "resource" and layer is not _resource_layer(policies):
            continue
        for place, each in enumerate(_of(policies, layer)):
            yield layer, place, each


def _of(policies: PolicySet, layer: Layer) -> tuple[LabelledPolicy, ...]:
    if layer in _ONE:
        one = getattr(policies, _ONE[layer])
        return () if one is None else (one,)
    return tuple(getattr(policies, _MANY[layer]) or ())


def _with(policies: PolicySet, layer: Layer, labelled: tuple[LabelledPolicy, ...]) -> PolicySet:
    if layer in _ONE:
        return msgspec.structs.replace(policies, **{_ONE[layer]: labelled[0]})
    return msgspec.structs.replace(policies, **{_MANY[layer]: labelled})


def _add(policies: PolicySet, change: AddStatement) -> PolicySet:
    present = _of(policies, change.layer)
    if change.layer in _ONE:
        (only,) = present
        end = len(only.policy.statements)
        return _with(policies, change.layer, (_spliced(only, end, 0, (change.statement,)),))
    kind = _kind(policies, change.layer)
    text = json.dumps({"Version": "2012-10-17", "Statement": [change.statement]})
    added = LabelledPolicy(change.label, parse_policy(text, kind))
    return _with(policies, change.layer, (*present, added))


def _kind(policies: PolicySet, layer: Layer) -> PolicyKind:
    if layer is Layer.TRUST:
        return PolicyKind.TRUST
    if layer is Layer.RESOURCE:
        return PolicyKind.RESOURCE if policies.resource_delegates_to_account else PolicyKind.KEY
    return PolicyKind.RESOURCE if layer is Layer.RESOURCE_CONTROL else PolicyKind.IDENTITY


def _narrow(policies: PolicySet, change: NarrowDeny) -> PolicySet:
    present = list(_of(policies, change.layer))
    present[change.place] = _spliced(present[change.place], change.index, 1, change.statements)
    return _with(policies, change.layer, tuple(present))


def _spliced(
    labelled: LabelledPolicy, at: int, replaced: int, statements: Sequence[Written]
) -> LabelledPolicy:
    policy = labelled.policy
    if not statements:
        return LabelledPolicy(labelled.label, without_statement(policy, at))
    text = json.dumps({"Version": policy.version, "Statement": statements})
    return LabelledPolicy(labelled.label, with_statements(policy, at, replaced, text))

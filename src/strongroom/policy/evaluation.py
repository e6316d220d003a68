"""Evaluation: one request against all policies that bear on it, to a `Decision` that can be explained.

Source: fact sheet iam section 4 (order, same account, across accounts, KMS, trust policies) and 9 (texts).
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

import msgspec

from strongroom.policy.context import Context, ContextKeys
from strongroom.policy.document import Policy, PolicyKind
from strongroom.policy.principals import Caller, CallerType, Grade

__all__ = [
    "AccessRequest",
    "Caller",
    "CallerType",
    "Context",
    "Decision",
    "DeterminingStatement",
    "LabelledPolicy",
    "Layer",
    "PolicySet",
    "denial_message",
    "evaluate",
]


class Layer(StrEnum):
    """The kinds of policy that take part in a decision; the values are AWS's words for them."""

    ROOT_USER = "root user"
    """Not a policy: the account's root user is allowed unless something refuses."""
    SERVICE_CONTROL = "service control policy"
    RESOURCE_CONTROL = "resource control policy"
    VPC_ENDPOINT = "VPC endpoint policy"
    RESOURCE = "resource-based policy"
    TRUST = "role trust policy"
    GRANT = "grant"
    """A KMS grant."""
    IDENTITY = "identity-based policy"
    BOUNDARY = "permissions boundary"
    SESSION = "session policy"


class LabelledPolicy(msgspec.Struct, frozen=True, eq=False):
    """A policy and what people know it by: an inline policy's name, a managed policy's or resource's ARN."""

    label: str
    policy: Policy


class AccessRequest(msgspec.Struct, frozen=True, eq=False):
    """May `principal` do `action` on `resource`?"""

    action: str
    """`secretsmanager:GetSecretValue`, any case."""
    resource: str
    """ARN, or `*` for actions without a resource."""
    principal: Caller
    resource_account: str
    """Owner of the resource; the caller's own account for `*`."""
    context: Context | ContextKeys = {}


class PolicySet(msgspec.Struct, frozen=True, eq=False):
    """Every policy that bears on one request."""

    identity: tuple[LabelledPolicy, ...] = ()
    """Of the user and its groups, or of the role."""
    resource: tuple[LabelledPolicy, ...] = ()
    """Attached to the resource: kind RESOURCE, KEY, or TRUST for a role."""
    boundary: LabelledPolicy | None = None
    session: tuple[LabelledPolicy, ...] | None = None
    """None: the session was made without session policies."""
    vpc_endpoint: LabelledPolicy | None = None
    """Policy of the endpoint the call came through; kind RESOURCE."""
    service_control: tuple[LabelledPolicy, ...] = ()
    """Of the caller's account; kind IDENTITY."""
    resource_control: tuple[LabelledPolicy, ...] = ()
    """Of the resource's account; kind RESOURCE."""
    resource_delegates_to_account: bool = True
    """True: the owner account's identity policies count by themselves (secrets). False: they count only
    where a resource policy allows the account (KMS keys, roles)."""
    grants: tuple[str, ...] = ()
    """Ids of KMS grants that name the caller and fit operation and constraints: Allows, never Denies."""
    grants_behind: bool = False
    """True: all of them name the role or user behind the caller's session: boundary and session policies
    limit them as they limit a resource policy that names the role."""

    def keys_read(self, action: str) -> frozenset[str]:
        """Return the condition keys, folded, that the decision on `action` can depend on."""
        labelled = [*self.identity, *self.resource, *self.service_control, *self.resource_control]
        labelled += self.session or ()
        labelled += (each for each in (self.boundary, self.vpc_endpoint) if each is not None)
        return frozenset(key for each in labelled for key in each.policy.keys_read_for(action))


class DeterminingStatement(msgspec.Struct, frozen=True):
    """A statement that took part in a decision."""

    layer: Layer
    label: str
    sid: str
    index: int


class Decision(msgspec.Struct, frozen=True):
    """The outcome for one request."""

    allowed: bool
    layer: Layer
    """Whose Allow decided, or which layer refused (the first of `refusing`)."""
    explicit: bool = False
    """True when a Deny statement refused."""
    determining: tuple[DeterminingStatement, ...] = ()
    """Allowed: the Allows of every layer that had to agree. Refused explicitly: all Denies. Else empty."""
    refusing: tuple[Layer, ...] = ()
    """Every layer that refused, those with an explicit Deny first."""


_ROOT_ALLOWED = Decision(True, Layer.ROOT_USER)

_Found = list[DeterminingStatement]


def evaluate(request: AccessRequest, policies: PolicySet) -> Decision:
    """Return whether AWS's logic allows the request, and why.

    An explicit Deny in any layer refuses. Within one account an Allow of the identity or the resource policy
    is enough; across accounts both must allow. Neither the order of policies nor duplicates matter.
    """
    caller = request.principal
    root = caller.type == CallerType.ROOT
    same_account = caller.account_id == request.resource_account or caller.stands_alone
    if (
        root
        and same_account
        and policies.resource_delegates_to_account
        and not (policies.resource or policies.identity or policies.service_control)
        and not (policies.resource_control or policies.grants)
        and policies.vpc_endpoint is None
        and policies.boundary is None
        and policies.session is None
    ):
        return _ROOT_ALLOWED

    context = request.context
    keys = context if isinstance(context, ContextKeys) else ContextKeys(context)
    denied: _Found = []
    allows: _Found = []
    refusing = _outer_refusals(request, policies, keys, allows, denied)

    resource_layer = _resource_layer(policies)
    grade = Grade.NONE
    if policies.resource:
        grade = _admitted_by(resource_layer, policies.resource, request, keys, allows, denied)
    if policies.grants:
        grade = max(grade, Grade.ROLE if policies.grants_behind else Grade.DIRECT)
        allows += (DeterminingStatement(Layer.GRANT, label, "", 0) for label in policies.grants)

    identity = _allowed_by(Layer.IDENTITY, policies.identity, request, keys, allows, denied)
    identity = (identity or root or _root_behind(caller)) and not caller.stands_alone
    boundary = policies.boundary is None or _allowed_by(
        Layer.BOUNDARY, (policies.boundary,), request, keys, allows, denied
    )
    if policies.session is not None:
        session = _allowed_by(Layer.SESSION, policies.session, request, keys, allows, denied)
    else:
        # Without session policies a federated user's session has no permissions of its own.
        session = caller.type != CallerType.FEDERATED_USER

    # Who of those that had to agree did not? Within the account, being named directly is enough.
    if not same_account or grade is not Grade.DIRECT:
        delegated = policies.resource_delegates_to_account and same_account and not caller.stands_alone
        if grade is Grade.NONE and not delegated:
            refusing.append(resource_layer)
        # A key that does not delegate keeps identity policies out of it; another account's always count.
        if not identity and not (same_account and (grade is Grade.ROLE or resource_layer in refusing)):
            refusing.append(Layer.IDENTITY)
        if not boundary:
            refusing.append(Layer.BOUNDARY)
        if not session:
            refusing.append(Layer.SESSION)

    if denied or refusing:
        every = tuple(dict.fromkeys([each.layer for each in denied] + refusing))
        return Decision(False, every[0], bool(denied), tuple(denied), every)
    if same_account and root and (policies.resource_delegates_to_account or grade is Grade.ACCOUNT):
        layer = Layer.ROOT_USER
    elif same_account and grade < Grade.ROLE:
        layer = Layer.IDENTITY
    else:
        layer = Layer.GRANT if policies.grants else resource_layer
    return Decision(True, layer, False, tuple(allows))


def _outer_refusals(
    request: AccessRequest, policies: PolicySet, keys: ContextKeys, allows: _Found, denied: _Found
) -> list[Layer]:
    """Return which of the organization's and the network's layers are there and have no Allow."""
    refusing: list[Layer] = []
    scp, rcp, endpoint = policies.service_control, policies.resource_control, policies.vpc_endpoint
    if scp and not _allowed_by(Layer.SERVICE_CONTROL, scp, request, keys, allows, denied):
        refusing.append(Layer.SERVICE_CONTROL)
    if rcp and not _admitted_by(Layer.RESOURCE_CONTROL, rcp, request, keys, allows, denied):
        refusing.append(Layer.RESOURCE_CONTROL)
    if endpoint is not None and not _admitted_by(
        Layer.VPC_ENDPOINT, (endpoint,), request, keys, allows, denied
    ):
        refusing.append(Layer.VPC_ENDPOINT)
    return refusing


def _allowed_by(
    layer: Layer,
    policies: Iterable[LabelledPolicy],
    request: AccessRequest,
    keys: ContextKeys,
    allows: _Found,
    denied: _Found,
) -> bool:
    """Note the statements that apply, and return whether one allows. For policies without principals."""
    action, resource = request.action, request.resource
    allowed = False
    for each in policies:
        for statement in each.policy.statements_for(action):
            if statement.applies(resource, keys):
                found = DeterminingStatement(layer, each.label, statement.sid, statement.index)
                if statement.denies:
                    denied.append(found)
                else:
                    allows.append(found)
                    allowed = True
    return allowed


def _admitted_by(
    layer: Layer,
    policies: Iterable[LabelledPolicy],
    request: AccessRequest,
    keys: ContextKeys,
    allows: _Found,
    denied: _Found,
) -> Grade:
    """Note the statements that apply to the caller; return how directly the Allows among them name him."""
    action, resource, caller = request.action, request.resource, request.principal
    best = Grade.NONE
    for each in policies:
        for statement in each.policy.statements_for(action):
            principal = statement.principal
            if principal is None:
                # A document of a kind without principals: its Allows name nobody, its Denies everyone.
                if not statement.denies:
                    continue
                grade = Grade.NONE
            elif statement.denies:
                if not principal.denies(caller):
                    continue
                grade = Grade.NONE
            else:
                grade = principal.allows(caller)
                if grade is Grade.NONE:
                    continue
            if statement.applies(resource, keys):
                found = DeterminingStatement(layer, each.label, statement.sid, statement.index)
                if statement.denies:
                    denied.append(found)
                else:
                    allows.append(found)
                    best = max(best, grade)
    return best


def _resource_layer(policies: PolicySet) -> Layer:
    trust = any(each.policy.kind is PolicyKind.TRUST for each in policies.resource)
    return Layer.TRUST if trust else Layer.RESOURCE


def _root_behind(caller: Caller) -> bool:
    """True for a federated user's session that the account's root user made."""
    issuer = caller.issuer_arn
    return caller.type == CallerType.FEDERATED_USER and issuer is not None and issuer.endswith(":root")


def denial_message(request: AccessRequest, decision: Decision, shown_as: str = "") -> str:
    """Return AWS's words for a refusal. `shown_as`: how the caller named the resource; empty: its ARN.

    Across accounts the reason is left out, so that a caller learns nothing of the other account's policies.
    """
    text = (
        f"User: {request.principal.arn} is not authorized to perform: {request.action} "
        f"on resource: {shown_as or request.resource}"
    )
    if request.principal.account_id != request.resource_account and not request.principal.stands_alone:
        return text
    layer = decision.layer
    if layer in (Layer.SERVICE_CONTROL, Layer.RESOURCE_CONTROL):
        # AWS says so of implicit refusals, too.
        return f"{text} with an explicit deny in a {layer.value}"
    if not decision.explicit:
        return f"{text} because no {layer.value} allows the {request.action} action"
    article = {Layer.IDENTITY: "an", Layer.TRUST: "the"}.get(layer, "a")
    return f"{text} with an explicit deny in {article} {layer.value}"

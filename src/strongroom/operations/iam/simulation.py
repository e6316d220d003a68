"""What policies would decide: simulations by the evaluator that decides real calls.

Source: fact sheet iam sections 4 and 12.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from strongroom.errors import InvalidInputException, ValidationException
from strongroom.names import is_account_id, parse_arn
from strongroom.operations.call import AuthorizedCall, Call, Operation, Target, Targets, Unit
from strongroom.operations.iam import messages
from strongroom.operations.iam.paging import page_members, page_size, parse_marker
from strongroom.operations.iam.simulated import (
    CALLER_NEEDED,
    ONE_BOUNDARY,
    Exclusions,
    Source,
    Subject,
    caller_of,
    entity_policies,
    entity_target,
    input_policies,
    managed_source,
    parse_input,
    present_entity,
    verify_input_size,
)
from strongroom.policy.context import ContextKeys, fold_key
from strongroom.policy.document import PolicyKind
from strongroom.policy.evaluation import AccessRequest, Decision, LabelledPolicy, PolicySet, evaluate
from strongroom.policy.positions import Position, statement_spans
from strongroom.ports import ReadUnit

# Not established; ours.
NO_ORGANIZATIONS: Final = "Policies of organizations are not supported here."
NO_OWNER: Final = "ResourceOwner must be an account id or the ARN of an account."

Work = Callable[[], Mapping[str, Any]]
MAX_MATCHES: Final = 50_000
"""Statements looked at for one answer; what goes beyond is for the next page."""
_ACTION: Final = re.compile(r"[A-Za-z0-9-]+:[A-Za-z0-9_-]+")
_VARIABLE: Final = re.compile(r"\$\{([^},]+)")
_RESOURCE_KINDS: Final = {"kms": PolicyKind.KEY, "sts": PolicyKind.TRUST}
"""Of the service whose action is simulated; RESOURCE for any other."""

_INPUT_SIZE: Final = "The policies of a request can have 131,072 characters, taken together."
_DEVIATIONS: Final = (
    _INPUT_SIZE,
    "An answer has fewer results than MaxItems when there are very many statements; the Marker leads on.",
    "There is one result for each action and resource.",
    "StartPosition is that of a statement's opening brace, EndPosition just behind the closing one.",
    "Policies given in the request have the SourcePolicyType none, a ResourcePolicy has resource.",
    "Of the condition keys those of the caller and aws:ResourceAccount are known; all others must be given.",
    "A ResourcePolicy counts as a key policy for actions of KMS, and as a trust policy for those of STS.",
    "Texts of InvalidInput are our own, but for malformed policies and ARNs.",
)


def invalid_action(name: str) -> str:
    """Not established; ours."""
    return f"{name} is not the name of an action, such as secretsmanager:GetSecretValue."


@dataclass(frozen=True, slots=True)
class _Setting:
    """Everything of a simulation but action and resource."""

    subject: Subject
    identity: Sequence[Source]
    boundary: Source | None
    resource_policy: str | None
    owner: str
    """Of resources whose ARN does not say."""
    given: Mapping[str, str | tuple[str, ...]]
    as_kinds: dict[PolicyKind, Source] = field(init=False, default_factory=dict)
    """The resource policy, compiled as far as it was asked for."""


def simulate_principal_policy(authorized: AuthorizedCall, unit: ReadUnit) -> Mapping[str, Any]:
    """Return what the policies of a user, role or group, with those of the request, would decide.

    Raises:
        NoSuchEntityException: no such entity.
        InvalidInputException: a policy, action, caller or owner is none.
        ValidationException: a Marker this service did not give out.
    """
    return _done(authorized, unit, _principal_simulation)


def _principal_simulation(authorized: AuthorizedCall, unit: ReadUnit) -> Work:
    call, request = authorized.call, authorized.request
    verify_input_size(request)
    entity = present_entity(authorized.target)
    exclusions = Exclusions(request.get("PolicyExclusionList") or ())
    stored = entity_policies(unit, call.account_id, entity, exclusions)
    arn = getattr(entity, "boundary", None)
    own_boundary: Source | None = None
    if arn is not None and not exclusions.managed(arn, boundary=True):
        own_boundary = next(managed_source(unit, call.account_id, arn), None)
    subject = caller_of(call, unit, entity)

    def work() -> Mapping[str, Any]:
        identity = [*stored, *input_policies("PolicyInputList", request.get("PolicyInputList") or ())]
        return _simulated(request, _setting(call, subject, identity, _boundary(request) or own_boundary))

    return work


def simulate_custom_policy(authorized: AuthorizedCall, unit: ReadUnit) -> Mapping[str, Any]:
    """Return what the policies of the request alone would decide.

    Raises:
        InvalidInputException: a policy, action, caller or owner is none.
        ValidationException: a Marker this service did not give out.
    """
    return _done(authorized, unit, _custom_simulation)


def _custom_simulation(authorized: AuthorizedCall, unit: ReadUnit) -> Work:
    call, request = authorized.call, authorized.request
    if request.get("OrderedOrganizationPolicyInputList"):
        raise InvalidInputException(NO_ORGANIZATIONS)
    verify_input_size(request)
    subject = caller_of(call, unit, None)

    def work() -> Mapping[str, Any]:
        identity = input_policies("PolicyInputList", request["PolicyInputList"])
        return _simulated(request, _setting(call, subject, identity, _boundary(request)))

    return work


def _done(
    authorized: AuthorizedCall, unit: ReadUnit, prepare: Callable[[AuthorizedCall, ReadUnit], Work]
) -> Mapping[str, Any]:
    """Return what a worker thread has found: the answer of a moment before, when the call came in."""
    done: Mapping[str, Any] | None = authorized.call.prepared
    return prepare(authorized, unit)() if done is None else done


def _boundary(request: Mapping[str, Any]) -> Source | None:
    member = "PermissionsBoundaryPolicyInputList"
    given = input_policies(member, request.get(member) or ())
    if len(given) > 1:
        raise InvalidInputException(ONE_BOUNDARY)
    return given[0] if given else None


def _setting(call: Call, subject: Subject, identity: Sequence[Source], boundary: Source | None) -> _Setting:
    request = call.request
    if "ResourcePolicy" in request and not subject.can_be_named:
        raise InvalidInputException(CALLER_NEEDED)
    owner = request.get("ResourceOwner")
    if owner is not None and not is_account_id(owner):
        parsed = parse_arn(owner)
        if parsed is None or not is_account_id(parsed.account_id):
            raise InvalidInputException(NO_OWNER)
        owner = parsed.account_id
    given: dict[str, str | tuple[str, ...]] = {}
    for entry in request.get("ContextEntries") or ():
        values = tuple(entry.get("ContextKeyValues") or ())
        if "ContextKeyName" in entry and values:
            given[entry["ContextKeyName"]] = values[0] if len(values) == 1 else values
    return _Setting(
        subject, identity, boundary, request.get("ResourcePolicy"), owner or subject.caller.account_id, given
    )


def _simulated(request: Mapping[str, Any], setting: _Setting) -> Mapping[str, Any]:
    actions: Sequence[str] = request["ActionNames"]
    for action in actions:
        if _ACTION.fullmatch(action) is None:
            raise InvalidInputException(invalid_action(action))
    resources: Sequence[str] = request.get("ResourceArns") or ("*",)
    first = actions[0] if actions else ""
    statements = sum(len(each.policy.statements) for each in _sources(setting, first))
    size, after = min(page_size(request), max(1, MAX_MATCHES // (statements or 1))), parse_marker(request)
    if after and not after.isdecimal():
        raise ValidationException(messages.INVALID_MARKER)
    start = int(after or 0)
    rows = range(start, min(start + size + 1, len(actions) * len(resources)))
    page = rows[:size]
    results = [
        _result(setting, actions[row // len(resources)], resources[row % len(resources)], request)
        for row in page
    ]
    return {"EvaluationResults": results, **page_members(rows, size, str(start + size))}


def _result(setting: _Setting, action: str, resource: str, request: Mapping[str, Any]) -> dict[str, Any]:
    sources = {str(place): each for place, each in enumerate(_sources(setting, action))}
    decision = _decision(setting, action, resource, sources)
    outcome = "allowed" if decision.allowed else "explicitDeny" if decision.explicit else "implicitDeny"
    details = {
        "MatchedStatements": list(_matched(decision, sources)),
        "MissingContextValues": _missing(setting, action, sources.values()),
    }
    if setting.boundary is not None:
        allowed = _boundary_allows(setting, setting.boundary, action, resource)
        details["PermissionsBoundaryDecisionDetail"] = {"AllowedByPermissionsBoundary": allowed}
    result = {"EvalActionName": action, "EvalResourceName": resource, "EvalDecision": outcome, **details}
    if request.get("ResourceArns"):
        specific = {"EvalResourceName": resource, "EvalResourceDecision": outcome, **details}
        result["ResourceSpecificResults"] = [specific]
    return result


def _sources(setting: _Setting, action: str) -> Iterator[Source]:
    yield from setting.identity
    if setting.boundary is not None:
        yield setting.boundary
    if setting.resource_policy is not None:
        document, kind = setting.resource_policy, _resource_kind(action)
        if kind not in setting.as_kinds:
            source = Source("ResourcePolicy", "resource", document, parse_input(document, kind))
            setting.as_kinds[kind] = source
        yield setting.as_kinds[kind]


def _resource_kind(action: str) -> PolicyKind:
    return _RESOURCE_KINDS.get(action.partition(":")[0].lower(), PolicyKind.RESOURCE)


def _request(setting: _Setting, action: str, resource: str) -> AccessRequest:
    parsed = parse_arn(resource)
    owner = parsed.account_id if parsed is not None and is_account_id(parsed.account_id) else setting.owner
    keys = ContextKeys(setting.given, setting.subject.context, {"aws:ResourceAccount": owner})
    return AccessRequest(action, resource, setting.subject.caller, owner, keys)


def _decision(setting: _Setting, action: str, resource: str, sources: Mapping[str, Source]) -> Decision:
    labelled = {label: LabelledPolicy(label, source.policy) for label, source in sources.items()}
    of_resource = [label for label, source in sources.items() if source.policy_type == "resource"]
    boundary = [label for label, source in sources.items() if source is setting.boundary]
    policies = PolicySet(
        identity=tuple(labelled[label] for label in sources if label not in (*of_resource, *boundary)),
        resource=tuple(labelled[label] for label in of_resource),
        boundary=labelled[boundary[0]] if boundary else None,
        resource_delegates_to_account=not of_resource or _resource_kind(action) is PolicyKind.RESOURCE,
    )
    return evaluate(_request(setting, action, resource), policies)


def _boundary_allows(setting: _Setting, boundary: Source, action: str, resource: str) -> bool:
    alone = PolicySet(identity=(LabelledPolicy("boundary", boundary.policy),))
    request = _request(setting, action, resource)
    # Its own verdict, so the owner of the resource has no part in it.
    own = AccessRequest(action, resource, request.principal, request.principal.account_id, request.context)
    return evaluate(own, alone).allowed


def _matched(decision: Decision, sources: Mapping[str, Source]) -> Iterator[dict[str, Any]]:
    for each in decision.determining:
        source = sources[each.label]
        span = statement_spans(source.document)[each.index]
        yield {
            "SourcePolicyId": source.policy_id,
            "SourcePolicyType": source.policy_type,
            "StartPosition": _shown(span.start),
            "EndPosition": _shown(span.end),
        }


def _shown(position: Position) -> dict[str, int]:
    return {"Line": position.line, "Column": position.column}


def _missing(setting: _Setting, action: str, sources: Any) -> list[str]:
    """Return the keys that policies look at for this action and that have no value, as they are written."""
    keys = _request(setting, action, "*").context
    assert isinstance(keys, ContextKeys)  # noqa: S101 - _request makes it so
    missing: dict[str, str] = {}
    for source in sources:
        read = source.policy.keys_read_for(action)
        for written in _written_keys(source):
            folded = fold_key(written)
            if folded in read and keys.values(folded) is None:
                missing.setdefault(folded, written)
    return sorted(missing.values())


def _written_keys(source: Source) -> Iterator[str]:
    """Yield the condition keys of a policy as it spells them."""
    for statement in source.policy.statements:
        texts: list[str] = []
        for condition in statement.conditions:
            yield condition.key
            texts += condition.values
        if statement.resource is not None:
            texts += statement.resource.patterns
        for text in texts:
            yield from (found.strip() for found in _VARIABLE.findall(text))


def _context_keys(sources: Sequence[Source]) -> dict[str, Any]:
    """Return every condition key the policies look at, each once, as first spelt."""
    found: dict[str, str] = {}
    for source in sources:
        for written in _written_keys(source):
            if fold_key(written) in source.policy.keys_read:
                found.setdefault(fold_key(written), written)
    return {"ContextKeyNames": list(found.values())}


def get_context_keys_for_custom_policy(authorized: AuthorizedCall, unit: ReadUnit) -> Mapping[str, Any]:
    """Return the condition keys that the request's policies look at.

    Raises:
        InvalidInputException: one of them is no policy.
    """
    return _done(authorized, unit, _custom_keys)


def _custom_keys(authorized: AuthorizedCall, unit: ReadUnit) -> Work:
    request = authorized.request
    verify_input_size(request)
    return lambda: _context_keys(input_policies("PolicyInputList", request["PolicyInputList"]))


def get_context_keys_for_principal_policy(authorized: AuthorizedCall, unit: ReadUnit) -> Mapping[str, Any]:
    """Return the condition keys that the policies of a user, role or group, and the request's, look at.

    Raises:
        NoSuchEntityException: no such entity.
        InvalidInputException: one of the request's is no policy.
    """
    return _done(authorized, unit, _principal_keys)


def _principal_keys(authorized: AuthorizedCall, unit: ReadUnit) -> Work:
    call, request = authorized.call, authorized.request
    verify_input_size(request)
    own = entity_policies(unit, call.account_id, present_entity(authorized.target), Exclusions(()))
    given = request.get("PolicyInputList") or ()
    return lambda: _context_keys([*own, *input_policies("PolicyInputList", given)])


def _on_entity(action: str) -> Targets:
    return lambda call, unit: (entity_target(call, unit, action),)


def _on_nothing(action: str) -> Targets:
    return lambda call, unit: (Target(action, "*", call.account_id),)


SIMULATE_PRINCIPAL_POLICY = Operation(
    name="SimulatePrincipalPolicy",
    action="iam:SimulatePrincipalPolicy",
    unit=Unit.READ,
    targets=_on_entity("iam:SimulatePrincipalPolicy"),
    handle=simulate_principal_policy,
    prepare=_principal_simulation,
    deviations=(*_DEVIATIONS, "Inline policies are named type, entity and policy, joined by underscores."),
)
SIMULATE_CUSTOM_POLICY = Operation(
    name="SimulateCustomPolicy",
    action="iam:SimulateCustomPolicy",
    unit=Unit.READ,
    targets=_on_nothing("iam:SimulateCustomPolicy"),
    handle=simulate_custom_policy,
    prepare=_custom_simulation,
    deviations=(*_DEVIATIONS, "OrderedOrganizationPolicyInputList is refused with InvalidInput."),
)
GET_CONTEXT_KEYS_FOR_CUSTOM_POLICY = Operation(
    name="GetContextKeysForCustomPolicy",
    action="iam:GetContextKeysForCustomPolicy",
    unit=Unit.READ,
    targets=_on_nothing("iam:GetContextKeysForCustomPolicy"),
    handle=get_context_keys_for_custom_policy,
    prepare=_custom_keys,
    deviations=(_INPUT_SIZE,),
)
GET_CONTEXT_KEYS_FOR_PRINCIPAL_POLICY = Operation(
    name="GetContextKeysForPrincipalPolicy",
    action="iam:GetContextKeysForPrincipalPolicy",
    unit=Unit.READ,
    targets=_on_entity("iam:GetContextKeysForPrincipalPolicy"),
    handle=get_context_keys_for_principal_policy,
    prepare=_principal_keys,
    deviations=(_INPUT_SIZE,),
)

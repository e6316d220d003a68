"""Policies written out again, and a Deny rewritten so that it spares one request and nothing else. Pure.

A Deny without one principal, action and resource is up to three statements: the same for every other
principal, the same on this principal's other actions, and this action on other resources.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import msgspec

from strongroom.policy.context import ContextKeys, fold_key
from strongroom.policy.document import PatternElement, Policy, Statement
from strongroom.policy.evaluation import AccessRequest
from strongroom.policy.patterns import ArnPattern, Matcher, any_arn, any_text, parse_template
from strongroom.policy.principals import PrincipalElement

__all__ = ["Narrowed", "Written", "literal", "narrowed", "written_policy", "written_statement"]

Written = dict[str, Any]
"""A statement as JSON has it."""
_IS = ("ArnEquals", "StringEquals", "ArnLike", "StringLike")
_IS_NOT = ("ArnNotEquals", "StringNotEquals", "ArnNotLike", "StringNotLike")
_NO_KEYS = ContextKeys({})


class Narrowed(msgspec.Struct, frozen=True):
    """What stands in the place of a Deny."""

    statements: tuple[Written, ...]
    also_spares: str
    """What besides the request is not denied any more; empty: nothing."""


def literal(text: str, *, variables: bool = True) -> str:
    """Return the pattern that `text` alone fits, in a document of this version."""
    if not variables:
        return text
    return "".join(f"${{{char}}}" if char in "*?$" else char for char in text)


def written_policy(policy: Policy) -> dict[str, Any]:
    """Return a document that means what `policy` does."""
    written: dict[str, Any] = {"Version": policy.version}
    if policy.id is not None:
        written["Id"] = policy.id
    written["Statement"] = [written_statement(each) for each in policy.statements]
    return written


def written_statement(statement: Statement) -> Written:
    """Return a statement as JSON has it."""
    written: Written = {}
    if statement.sid:
        written["Sid"] = statement.sid
    written["Effect"] = statement.effect.value
    if statement.principal is not None:
        name = "NotPrincipal" if statement.principal.negated else "Principal"
        written[name] = _written_principal(statement.principal)
    _write_patterns(written, "Action", statement.action)
    if statement.resource is not None:
        _write_patterns(written, "Resource", statement.resource)
    for condition in statement.conditions:
        keys = written.setdefault("Condition", {}).setdefault(condition.operator.text, {})
        keys[condition.key] = _one_or_many(condition.values)
    return written


def _written_principal(element: PrincipalElement) -> dict[str, Any]:
    names: dict[str, list[str]] = {}
    for each in element.named:
        names.setdefault(each.kind, []).append(each.name)
    return {kind: _one_or_many(named) for kind, named in names.items()}


def _write_patterns(written: Written, name: str, element: PatternElement) -> None:
    written[f"Not{name}" if element.negated else name] = _one_or_many(element.patterns)


def _one_or_many(values: Sequence[str]) -> Any:
    return values[0] if len(values) == 1 else list(values)


def narrowed(
    statement: Statement,
    request: AccessRequest,
    keys: ContextKeys,
    *,
    version: str,
    own_resource: bool,
    own_session: bool,
    known_actions: Collection[str],
) -> Narrowed:
    """Return what denies everything `statement` does but `request`.

    `own_resource`: the document is attached to the request's resource. `own_session`: it is the caller's
    session's own.
    """
    variables = version == "2012-10-17"
    written = written_statement(statement)
    parts: list[Written] = []
    spares: list[str] = []
    who = keys.single("aws:principalarn")
    mine = written
    if own_session:
        pass
    elif who is None:
        spares.append("other principals")
    else:
        name = literal(who, variables=variables)
        parts.append(_also_if(written, _IS_NOT, "aws:PrincipalArn", name))
        mine = _also_if(written, _IS, "aws:PrincipalArn", name)
    parts += _other_actions(statement, mine, request.action, known_actions, spares)
    if not own_resource:
        parts += _other_resources(statement, mine, request, keys, variables, spares)
    for later in parts[1:]:
        later.pop("Sid", None)
    return Narrowed(tuple(parts), ", ".join(spares))


def _also_if(written: Written, operators: Sequence[str], key: str, value: str) -> Written:
    """Return the statement with one condition more. Conditions on the same key stay what they were."""
    conditions = {operator: dict(keys) for operator, keys in written.get("Condition", {}).items()}
    for operator in operators:
        present = conditions.setdefault(operator, {})
        if key not in present:
            present[key] = value
            break
    return {**written, "Condition": {name: keys for name, keys in conditions.items() if keys}}


def _other_actions(
    statement: Statement, mine: Written, action: str, known_actions: Collection[str], spares: list[str]
) -> list[Written]:
    element = statement.action
    rest = {name: value for name, value in mine.items() if name not in ("Action", "NotAction")}
    if element.negated:
        return [rest | {"NotAction": [*element.patterns, action]}]
    if "*" in element.patterns:
        return [rest | {"NotAction": action}]
    folded = fold_key(action)
    fitting = [each for each in element.patterns if _actions_matcher([each])(folded, _NO_KEYS)]
    left = [each for each in element.patterns if each not in fitting]
    wild = [each for each in fitting if "*" in each or "?" in each]
    if wild:
        fits = _actions_matcher(wild)
        others = ((each, fold_key(each)) for each in known_actions)
        left += sorted(each for each, name in others if name != folded and fits(name, _NO_KEYS))
        if not known_actions:
            spares.append(f"other actions that {' and '.join(wild)} stands for")
    return [rest | {"Action": _one_or_many(left)}] if left else []


def _actions_matcher(patterns: Sequence[str]) -> Matcher:
    return any_text([parse_template(each.lower(), wildcards=True, variables=False) for each in patterns])


def _other_resources(
    statement: Statement,
    mine: Written,
    request: AccessRequest,
    keys: ContextKeys,
    variables: bool,
    spares: list[str],
) -> list[Written]:
    element = statement.resource
    if element is None or request.resource == "*":
        return []
    other = ("Action", "NotAction", "Resource", "NotResource")
    rest = {name: value for name, value in mine.items() if name not in other}
    rest["Action"] = request.action
    resource = literal(request.resource, variables=variables)
    if element.negated:
        return [rest | {"NotResource": [*element.patterns, resource]}]
    if "*" in element.patterns:
        return [rest | {"NotResource": resource}]
    fitting = [each for each in element.patterns if _arn_fits(each, request.resource, keys, variables)]
    left = [each for each in element.patterns if each not in fitting]
    wild = [each for each in fitting if each not in (resource, request.resource)]
    if wild and keys.single("secretsmanager:secretid") == request.resource:
        kept = rest | {"Resource": _one_or_many(element.patterns)}
        return [_also_if(kept, _IS_NOT, "secretsmanager:SecretId", resource)]
    if wild:
        spares.append(f"this action on other resources that {' and '.join(wild)} stands for")
    return [rest | {"Resource": _one_or_many(left)}] if left else []


def _arn_fits(pattern: str, resource: str, keys: ContextKeys, variables: bool) -> bool:
    template = parse_template(pattern, wildcards=True, variables=variables)
    return bool(any_arn([ArnPattern(template)])(resource, keys))

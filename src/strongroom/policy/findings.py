"""What is wrong, or unsafe, with a resource-based policy beyond its syntax.

Source: fact sheets secretsmanager section 6 (BlockPublicPolicy), iam section 5 (principals).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from strongroom.names import is_account_id
from strongroom.policy.conditions import Condition, SetOperator, parse_network
from strongroom.policy.context import fold_key
from strongroom.policy.document import Policy, Statement
from strongroom.policy.principals import (
    NamedPrincipal,
    PrincipalElement,
    PrincipalForm,
    is_service_principal,
)

__all__ = [
    "BroadStatement",
    "NamedPrincipal",
    "PrincipalForm",
    "broad_statements",
    "is_public",
    "is_service_principal",
    "principals_named",
]

_NARROWING_KEYS = frozenset(
    fold_key(key)
    for key in (
        "aws:SourceArn",
        "aws:SourceVpc",
        "aws:SourceVpce",
        "aws:SourceAccount",
        "aws:PrincipalArn",
        "aws:PrincipalAccount",
        "aws:PrincipalOrgID",
        "aws:userid",
        "kms:CallerAccount",
    )
)
"""Keys that, held to fixed values, leave a known set of callers. (kms:CallerAccount: the same for KMS.)"""
_ADDRESS_KEY = fold_key("aws:SourceIp")
"""aws:VpcSourceIp is none: in a network of his own anybody has any address he likes."""
_WIDEST_RANGE = {4: 8, 6: 32}
"""IP version to the shortest prefix that still counts as a known network."""
_NARROWING_FAMILIES = frozenset(("String", "Arn"))


@dataclass(frozen=True, slots=True)
class BroadStatement:
    """An Allow that anyone can use."""

    index: int
    sid: str


def is_public(policy: Policy) -> bool:
    """True unless it is certain that every Allow names its callers, or narrows them to fixed values.

    A Deny elsewhere in the policy is not counted on.
    """
    return any(True for _ in broad_statements(policy))


def broad_statements(policy: Policy) -> Iterator[BroadStatement]:
    """Yield the Allows that make a policy public, in order."""
    for statement in policy.statements:
        if not statement.denies and _names_anyone(statement.principal) and not _is_narrowed(statement):
            yield BroadStatement(statement.index, statement.sid)


def principals_named(policy: Policy) -> tuple[NamedPrincipal, ...]:
    """Return each principal the policy names, once, in the order written; NotPrincipal included.

    Callers refuse those of form UNSUPPORTED and those that do not exist.
    """
    named = (
        each
        for statement in policy.statements
        if statement.principal is not None
        for each in statement.principal.named
    )
    return tuple(dict.fromkeys(named))


def _names_anyone(principal: PrincipalElement | None) -> bool:
    if principal is None or principal.negated:
        return True
    return any(_may_be_anyone(each) for each in principal.named)


def _may_be_anyone(named: NamedPrincipal) -> bool:
    if named.form is PrincipalForm.PROVIDER:
        # A provider by its host (accounts.google.com) vouches for all the world.
        return named.account_id is None
    return named.form in (PrincipalForm.EVERYONE, PrincipalForm.UNSUPPORTED)


def _is_narrowed(statement: Statement) -> bool:
    return any(_narrows(condition) for condition in statement.conditions)


def _narrows(condition: Condition) -> bool:
    """True when the condition can hold only for callers with one of its fixed values."""
    operator = condition.operator
    if operator.negated or operator.if_exists or operator.set_operator is SetOperator.ALL:
        return False
    # `keys_read` holds more than the key itself when a value has a variable: then it is not fixed.
    if not condition.values or len(condition.keys_read) > 1:
        return False
    key = fold_key(condition.key)
    if operator.family == "Ip" and key == _ADDRESS_KEY:
        return all(_is_known_network(value) for value in condition.values)
    if operator.family in _NARROWING_FAMILIES and key in _NARROWING_KEYS:
        return all(_is_fixed(value) for value in condition.values)
    return False


def _is_known_network(value: str) -> bool:
    network = parse_network(value)
    if network is None:
        return False
    version, _, mask = network
    return mask.bit_count() >= _WIDEST_RANGE[version]


def _is_fixed(value: str) -> bool:
    """True without wildcards and variables, or for an ARN with them behind a fixed account only."""
    if not value or "${" in value:
        return False
    if "*" not in value and "?" not in value:
        return True
    fields = value.split(":", 5)
    head = ":".join(fields[:-1])
    return len(fields) == 6 and "*" not in head and "?" not in head and is_account_id(fields[4])

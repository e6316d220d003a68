"""Policy documents: strict parsing into compiled policies, and the size limits.

Source: fact sheet iam section 1 (grammar, sizes), 3 (variables), kms section 5 (key policies).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum, StrEnum
from functools import lru_cache
from typing import Any, NoReturn

from strongroom.policy.conditions import Condition, ConditionError, compile_condition, parse_operator
from strongroom.policy.context import ContextKeys, fold_key
from strongroom.policy.patterns import (
    ARN_FIELDS,
    ArnPattern,
    Matcher,
    Template,
    TemplateError,
    Variable,
    any_arn,
    any_text,
    parse_template,
    variables_of,
)
from strongroom.policy.principals import PRINCIPAL_KINDS, PrincipalElement, named_principal


class PolicyKind(Enum):
    """Where a document is attached, which decides its grammar.

    Service control policies have the grammar of IDENTITY; resource control policies and VPC endpoint
    policies that of RESOURCE.
    """

    IDENTITY = "identity"
    RESOURCE = "resource"
    KEY = "key"
    TRUST = "trust"
    SESSION = "session"
    BOUNDARY = "boundary"


class Effect(StrEnum):
    ALLOW = "Allow"
    DENY = "Deny"


# AWS's texts for malformed documents (fact sheet iam section 10, and reports of the live service).
INVALID_JSON = "This policy contains invalid Json"
SYNTAX_ERRORS = "Syntax errors in policy."
NO_ACTIONS = "Policy statement must contain actions."
NO_RESOURCES = "Policy statement must contain resources."
PRINCIPAL_FORBIDDEN = "Policy document should not specify a principal."
SID_NOT_UNIQUE = "Statement IDs (SID) in a single policy must be unique."
SID_NOT_ALPHANUMERIC = (
    "Statement IDs (SID) must be alpha-numeric. "
    "Check that your input satisfies the regular expression [0-9A-Za-z]*"
)
ACTION_WITHOUT_VENDOR = "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."
ACTION_COLONS = "Actions/Condition can contain only one colon."
VENDOR_NOT_QUALIFIED = "Resource vendor must be fully qualified and cannot contain regexes."
TRUST_ACTIONS = "AssumeRole policy may only specify STS AssumeRole actions."


class PolicySyntaxError(ValueError):
    """The document is not a policy of its kind.

    `reason` says what to change; `message` is the text AWS gives for it, the general one where AWS says no
    more.
    """

    def __init__(self, reason: str, message: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.message = SYNTAX_ERRORS if message is None else message


def _refuse(reason: str) -> NoReturn:
    raise PolicySyntaxError(reason)


def _refuse_as_aws(message: str) -> NoReturn:
    raise PolicySyntaxError(message, message)


# --- size ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SizeLimit:
    """The most characters one document, or all inline documents of one entity together, may have."""

    characters: int
    white_space_counts: bool = False


MANAGED_POLICY_SIZE = SizeLimit(6_144)
USER_INLINE_TOTAL = SizeLimit(2_048)
GROUP_INLINE_TOTAL = SizeLimit(5_120)
ROLE_INLINE_TOTAL = SizeLimit(10_240)
TRUST_POLICY_SIZE = SizeLimit(2_048)
SESSION_POLICY_SIZE = SizeLimit(2_048, white_space_counts=True)
SECRET_POLICY_SIZE = SizeLimit(20_480, white_space_counts=True)
KEY_POLICY_SIZE = SizeLimit(32_768, white_space_counts=True)

_WHITE_SPACE = str.maketrans("", "", "\t\n\r ")


def fits(limit: SizeLimit, *documents: str) -> bool:
    """True when the documents, taken together, keep within `limit`."""
    counted = documents if limit.white_space_counts else (text.translate(_WHITE_SPACE) for text in documents)
    return sum(len(text) for text in counted) <= limit.characters


# --- compiled form ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class PatternElement:
    """Action, NotAction, Resource or NotResource."""

    patterns: tuple[str, ...]
    """As written."""
    negated: bool
    matches: Matcher
    """Whether a text fits the element, negation included."""
    keys_read: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, eq=False)
class Statement:
    """One statement, compiled. What was written stays readable, for explanations."""

    index: int
    """Its place in the document, from 0."""
    sid: str
    """Empty when the statement has none."""
    effect: Effect
    denies: bool
    principal: PrincipalElement | None
    """None in documents whose kind has no principals."""
    action: PatternElement
    resource: PatternElement | None
    """None: whatever the document is attached to."""
    conditions: tuple[Condition, ...]

    def applies(self, resource: str, keys: ContextKeys) -> bool:
        """True when resource and conditions fit; action and principal are the evaluation's to check."""
        element = self.resource
        if element is not None and not element.matches(resource, keys):
            return False
        for condition in self.conditions:  # noqa: SIM110 -- a generator doubles the cost of the hot path
            if not condition.holds(keys):
                return False
        return True


_ACTIONS_REMEMBERED = 128


@dataclass(frozen=True, slots=True, eq=False)
class Policy:
    """A parsed document. Two are equal only when they are the same object."""

    kind: PolicyKind
    version: str
    id: str | None
    statements: tuple[Statement, ...]
    keys_read: frozenset[str]
    """Every condition key, folded, that any outcome of this policy can depend on."""
    # INVARIANT: holds only what `statements` says, at most _ACTIONS_REMEMBERED entries.
    _by_action: dict[str, tuple[Statement, ...]] = field(default_factory=dict, repr=False)

    def statements_for(self, action: str) -> tuple[Statement, ...]:
        """Return the statements whose Action or NotAction fits, in order."""
        found = self._by_action.get(action)
        if found is None:
            folded = fold_key(action)
            found = tuple(each for each in self.statements if each.action.matches(folded, _NO_KEYS))
            if len(self._by_action) >= _ACTIONS_REMEMBERED:
                self._by_action.clear()
            self._by_action[action] = found
        return found

    def keys_read_for(self, action: str) -> frozenset[str]:
        """Return the condition keys, folded, that an outcome for `action` can depend on."""
        return frozenset(key for each in self.statements_for(action) for key in _keys_read(each))


_NO_KEYS = ContextKeys({})
"""Actions have no variables."""


# --- parsing ---------------------------------------------------------------------------------------------

_VERSIONS = ("2012-10-17", "2008-10-17")
_TOP_LEVEL = frozenset(("Version", "Id", "Statement"))
_ELEMENTS = frozenset(
    (
        "Sid",
        "Effect",
        "Principal",
        "NotPrincipal",
        "Action",
        "NotAction",
        "Resource",
        "NotResource",
        "Condition",
    )
)
_WITH_PRINCIPAL = frozenset((PolicyKind.RESOURCE, PolicyKind.KEY, PolicyKind.TRUST))
_WITH_ID = _WITH_PRINCIPAL
_RESOURCE_OPTIONAL = PolicyKind.RESOURCE
_FREE_SID = frozenset((PolicyKind.RESOURCE, PolicyKind.KEY))

_CHARACTERS = re.compile(r"[\t\n\r\x20-\xff]*")
_SID = re.compile(r"[0-9A-Za-z]*")
_VENDOR = re.compile(r"[A-Za-z0-9.-]+|\*")
_ACTION_NAME = re.compile(r"[A-Za-z0-9_*?-]+")
_PARTITION = re.compile(r"aws(?:-[a-z]+)*|\*")
_SURROGATE = re.compile(r"[\ud800-\udfff]")


class _Number(str):
    """A JSON number, kept as it was written."""

    __slots__ = ()


def parse_policy(text: str, kind: PolicyKind) -> Policy:
    """Return the compiled policy.

    Sizes are not looked at (see `fits`), and whether principals exist is the caller's to ask
    (`findings.principals_named`).

    Raises:
        PolicySyntaxError: not JSON, a key twice, an unknown element, or against the grammar of its kind.
    """
    document = _load(text)
    if not isinstance(document, dict):
        _refuse("A policy must be a JSON object.")
    _known("The policy", document, _TOP_LEVEL)
    version = document.get("Version", "2008-10-17")
    if version not in _VERSIONS:
        _refuse('The Version must be "2012-10-17" or "2008-10-17".')
    policy_id = document.get("Id")
    if policy_id is not None and not _is_text(policy_id):
        _refuse("The Id must be a string.")
    if "Id" in document and (policy_id is None or kind not in _WITH_ID):
        _refuse("An Id is allowed in resource-based policies only, and must be a string.")
    if "Statement" not in document:
        _refuse("The policy has no Statement.")
    written = document["Statement"]
    statements = _Reader(kind, variables=version == "2012-10-17").statements(written)
    read = frozenset(key for each in statements for key in _keys_read(each))
    return Policy(kind, version, policy_id, statements, read)


def with_statements(policy: Policy, at: int, replaced: int, text: str) -> Policy:
    """Return `policy` with the statements of the document `text` in the place of so many of its own from `at`
    on. Nothing else of it is compiled again; Sids may repeat.

    Raises PolicySyntaxError for `text` as `parse_policy` does for a document of the policy's kind.
    """
    put = parse_policy(text, policy.kind).statements
    statements = (*policy.statements[:at], *put, *policy.statements[at + replaced :])
    return _of_statements(policy, statements)


def without_statement(policy: Policy, at: int) -> Policy:
    """Return `policy` without the statement at that place, which may be its only one."""
    return _of_statements(policy, policy.statements[:at] + policy.statements[at + 1 :])


def _of_statements(policy: Policy, statements: tuple[Statement, ...]) -> Policy:
    numbered = tuple(
        each if each.index == index else replace(each, index=index) for index, each in enumerate(statements)
    )
    read = frozenset(key for each in numbered for key in _keys_read(each))
    return Policy(policy.kind, policy.version, policy.id, numbered, read)


@lru_cache(4096)
def compile_policy(text: str, kind: PolicyKind) -> Policy:
    """`parse_policy`, remembered for the 4,096 documents used last (the result depends on nothing else)."""
    return parse_policy(text, kind)


def _load(text: str) -> Any:
    if _CHARACTERS.fullmatch(text) is None:
        _refuse("A policy may hold tab, line feed, carriage return and the characters U+0020 to U+00FF only.")
    try:
        return json.loads(
            text,
            object_pairs_hook=_object,
            parse_int=_Number,
            parse_float=_Number,
            parse_constant=_no_constant,
        )
    except (json.JSONDecodeError, RecursionError) as problem:
        raise PolicySyntaxError(INVALID_JSON, INVALID_JSON) from problem


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            _refuse(f"The key {_shown(name)} occurs twice in one object.")
        found[name] = value
    return found


def _no_constant(name: str) -> NoReturn:
    raise PolicySyntaxError(INVALID_JSON, INVALID_JSON)


def _shown(text: str) -> str:
    """Quote what someone wrote, cut short."""
    return json.dumps(text if len(text) <= 100 else text[:100] + "…")


def _is_text(value: object) -> bool:
    """True for a JSON string that can be written as UTF-8."""
    return isinstance(value, str) and not isinstance(value, _Number) and _SURROGATE.search(value) is None


def _known(where: str, written: Mapping[str, Any], allowed: frozenset[str]) -> None:
    for name in written:
        if name not in allowed:
            _refuse(f"{where} has an unknown element {_shown(name)}.")


def _keys_read(statement: Statement) -> Iterator[str]:
    if statement.resource is not None:
        yield from statement.resource.keys_read
    for condition in statement.conditions:
        yield from condition.keys_read


class _Reader:
    """Reads the statements of one document."""

    def __init__(self, kind: PolicyKind, *, variables: bool) -> None:
        self.kind = kind
        self.variables = variables

    def statements(self, written: Any) -> tuple[Statement, ...]:
        listed = written if isinstance(written, list) else [written]
        if not listed:
            _refuse("The policy has no statement in its Statement.")
        statements = tuple(self._statement(index, each) for index, each in enumerate(listed))
        sids = [each.sid for each in statements if each.sid]
        if len(set(sids)) < len(sids):
            _refuse_as_aws(SID_NOT_UNIQUE)
        return statements

    def _statement(self, index: int, written: Any) -> Statement:
        where = f"Statement {index + 1}"
        if not isinstance(written, dict):
            _refuse(f"{where} is not a JSON object.")
        _known(where, written, _ELEMENTS)
        effect = written.get("Effect")
        if effect not in ("Allow", "Deny"):
            _refuse(f'{where} must have an Effect, "Allow" or "Deny".')
        denies = effect == "Deny"
        return Statement(
            index=index,
            sid=self._sid(where, written),
            effect=Effect(effect),
            denies=denies,
            principal=self._principal(where, written),
            action=self._action(where, written),
            resource=self._resource(where, written, denies),
            conditions=self._conditions(where, written, denies),
        )

    def _sid(self, where: str, written: Mapping[str, Any]) -> str:
        sid = written.get("Sid", "")
        if not _is_text(sid):
            _refuse(f"{where}: the Sid must be a string.")
        if self.kind not in _FREE_SID and _SID.fullmatch(sid) is None:
            _refuse_as_aws(SID_NOT_ALPHANUMERIC)
        return str(sid)

    def _one_of(self, where: str, written: Mapping[str, Any], name: str) -> tuple[bool, Any] | None:
        """Return (negated, value) of an element that may stand in its plain or its Not form, not in both."""
        negative = f"Not{name}"
        if name in written and negative in written:
            _refuse(f"{where} has both {name} and {negative}.")
        if name in written:
            return False, written[name]
        return (True, written[negative]) if negative in written else None

    def _texts(self, where: str, name: str, value: Any) -> tuple[str, ...]:
        listed = value if isinstance(value, list) else [value]
        for each in listed:
            if not _is_text(each):
                _refuse(f"{where}: {name} must be a string or a list of strings.")
        return tuple(listed)

    def _principal(self, where: str, written: Mapping[str, Any]) -> PrincipalElement | None:
        found = self._one_of(where, written, "Principal")
        if self.kind not in _WITH_PRINCIPAL:
            if found is not None:
                _refuse_as_aws(PRINCIPAL_FORBIDDEN)
            return None
        if found is None:
            _refuse(f"{where} must have a Principal.")
        negated, value = found
        if value == "*":
            return PrincipalElement((named_principal("AWS", "*"),), negated=negated)
        if not isinstance(value, dict) or not value:
            _refuse(f'{where}: the Principal must be "*" or an object such as {{"AWS": "123456789012"}}.')
        _known(f"{where}: the Principal", value, frozenset(PRINCIPAL_KINDS))
        named = [
            named_principal(kind, name)
            for kind, names in value.items()
            for name in self._texts(where, f"Principal {kind}", names)
        ]
        if not named:
            _refuse(f"{where}: the Principal names nobody.")
        return PrincipalElement(named, negated=negated)

    def _action(self, where: str, written: Mapping[str, Any]) -> PatternElement:
        found = self._one_of(where, written, "Action")
        if found is None or found[1] == []:
            _refuse_as_aws(NO_ACTIONS)
        negated, value = found
        patterns = self._texts(where, "Action", value)
        for pattern in patterns:
            self._check_action(where, pattern)
        templates = [parse_template(each.lower(), wildcards=True, variables=False) for each in patterns]
        return PatternElement(patterns, negated, _negate(any_text(templates), negated))

    def _check_action(self, where: str, pattern: str) -> None:
        if pattern != "*":
            vendor, colon, name = pattern.partition(":")
            if not colon or not vendor:
                _refuse_as_aws(ACTION_WITHOUT_VENDOR)
            if ":" in name:
                _refuse_as_aws(ACTION_COLONS)
            if _VENDOR.fullmatch(vendor) is None:
                _refuse_as_aws(f"Vendor {vendor} is not valid")
            if _ACTION_NAME.fullmatch(name) is None:
                _refuse(f"{where}: {_shown(pattern)} is not the name of an action.")
        if self.kind is PolicyKind.TRUST and not pattern.lower().startswith("sts:"):
            _refuse_as_aws(TRUST_ACTIONS)

    def _resource(self, where: str, written: Mapping[str, Any], denies: bool) -> PatternElement | None:
        found = self._one_of(where, written, "Resource")
        if self.kind is PolicyKind.TRUST:
            if found is not None:
                _refuse_as_aws("Has prohibited field Resource")
            return None
        if found is None and self.kind is _RESOURCE_OPTIONAL:
            return None
        if found is None or found[1] == []:
            _refuse_as_aws(NO_RESOURCES)
        negated, value = found
        patterns = self._texts(where, "Resource", value)
        templates = [self._resource_template(where, each) for each in patterns]
        matches = any_arn([ArnPattern(template) for template in templates])
        read = frozenset(key for template in templates for key in variables_of(template))
        if negated:
            matches = _not_resource(matches, templates, denies)
        return PatternElement(patterns, negated, matches, read)

    def _resource_template(self, where: str, pattern: str) -> Template:
        if pattern == "*":
            return parse_template(pattern, wildcards=True, variables=False)
        fields = pattern.split(":", ARN_FIELDS - 1)
        if fields[0] != "arn" or len(fields) == 1:
            _refuse_as_aws(f'Resource {pattern} must be in ARN format or "*".')
        if self.variables and any("${" in each for each in fields[: ARN_FIELDS - 1]):
            _refuse(
                f"{where}: a policy variable can stand in a Resource only after the fifth colon: "
                f"{_shown(pattern)}"
            )
        if _PARTITION.fullmatch(fields[1]) is None:
            complete = ":".join(fields + ["*"] * (ARN_FIELDS - len(fields)))
            _refuse_as_aws(f'Partition "{fields[1]}" is not valid for resource "{complete}".')
        if len(fields) < 3 or not fields[2] or "*" in fields[2] or "?" in fields[2]:
            _refuse_as_aws(VENDOR_NOT_QUALIFIED)
        try:
            return parse_template(pattern, wildcards=True, variables=self.variables)
        except TemplateError as problem:
            raise PolicySyntaxError(f"{where}: {problem}") from problem

    def _conditions(self, where: str, written: Mapping[str, Any], denies: bool) -> tuple[Condition, ...]:
        conditions = written.get("Condition", {})
        if not isinstance(conditions, dict):
            _refuse(f"{where}: the Condition must be an object of operators.")
        found: list[Condition] = []
        for operator_text, keys in conditions.items():
            if not isinstance(keys, dict):
                _refuse(
                    f"{where}: the condition operator {_shown(operator_text)} must hold an object of keys."
                )
            try:
                operator = parse_operator(operator_text)
                for key, value in keys.items():
                    if not key or not _is_text(key):
                        _refuse(f"{where}: a condition key is empty or no text.")
                    values = _condition_values(where, key, value)
                    found.append(
                        compile_condition(operator, key, values, deny=denies, variables=self.variables)
                    )
            except ConditionError as problem:
                raise PolicySyntaxError(f"{where}: {problem}") from problem
        return tuple(found)


def _condition_values(where: str, key: str, value: Any) -> tuple[str, ...]:
    values: list[str] = []
    for each in value if isinstance(value, list) else [value]:
        if isinstance(each, bool):
            values.append("true" if each else "false")
        elif isinstance(each, str) and _SURROGATE.search(each) is None:
            values.append(str(each))
        else:
            _refuse(f"{where}: the values of {_shown(key)} must be strings, numbers or booleans.")
    return tuple(values)


def _negate(matches: Matcher, negated: bool) -> Matcher:
    return (lambda text, keys: not matches(text, keys)) if negated else matches


def _not_resource(matches: Matcher, templates: Iterable[Template], denies: bool) -> Matcher:
    """Everything but what `matches`. With a variable that has no value, nothing is known to be excepted: a
    Deny then meets every resource, an Allow none."""
    varying = [template for template in templates if any(isinstance(part, Variable) for part in template)]
    if denies or not varying:
        return lambda text, keys: not matches(text, keys)
    resolved: Callable[[ContextKeys], bool] = _all_resolved(varying)
    return lambda text, keys: resolved(keys) and not matches(text, keys)


def _all_resolved(templates: Sequence[Template]) -> Callable[[ContextKeys], bool]:
    needed = frozenset(
        part.key
        for template in templates
        for part in template
        if isinstance(part, Variable) and part.default is None
    )
    return lambda keys: all(keys.single(key) is not None for key in needed)

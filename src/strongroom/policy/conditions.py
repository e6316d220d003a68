"""Condition operators, compiled: one operator on one key to a test of the request's keys.

A test has three outcomes: true, false, and "cannot be evaluated" (several values where one is expected, a
number, date or address that is none). The last counts as true in a Deny and as false in an Allow.
Source: fact sheet iam section 2.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import ipaddress
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from functools import lru_cache

from strongroom.policy.context import ContextKeys, fold_key
from strongroom.policy.patterns import (
    ARN_FIELDS,
    ArnPattern,
    Template,
    TemplateError,
    Variable,
    Wildcard,
    any_arn,
    any_text,
    parse_template,
    resolve_text,
    variables_of,
)

Holds = Callable[[ContextKeys], bool]
Test = Callable[[str, ContextKeys], "bool | None"]
"""One value of the request against the policy's values; None: cannot be evaluated."""


class ConditionError(ValueError):
    """An operator that does not exist, or a value it cannot use. The message says which."""


class SetOperator(Enum):
    ALL = "ForAllValues"
    ANY = "ForAnyValue"


@dataclass(frozen=True, slots=True)
class Operator:
    """A condition operator taken apart: `ForAnyValue:StringNotLikeIfExists`."""

    name: str
    """`StringNotLike`."""
    family: str
    """`String`, `Numeric`, `Date`, `Bool`, `Binary`, `Ip`, `Arn`, `Null`."""
    negated: bool
    if_exists: bool
    set_operator: SetOperator | None

    @property
    def text(self) -> str:
        """The operator as policies write it."""
        prefix = "" if self.set_operator is None else f"{self.set_operator.value}:"
        return f"{prefix}{self.name}{'IfExists' if self.if_exists else ''}"


@dataclass(frozen=True, slots=True, eq=False)
class Condition:
    """One operator applied to one key."""

    operator: Operator
    key: str
    """As written."""
    values: tuple[str, ...]
    holds: Holds
    """Outcome for a request; what cannot be evaluated counts against access."""
    keys_read: frozenset[str]
    """Folded keys the outcome depends on."""


_COMPARISONS = ("Equals", "NotEquals", "LessThan", "LessThanEquals", "GreaterThan", "GreaterThanEquals")
_OPERATORS: dict[str, tuple[str, bool]] = {
    "StringEquals": ("String", False),
    "StringNotEquals": ("String", True),
    "StringEqualsIgnoreCase": ("String", False),
    "StringNotEqualsIgnoreCase": ("String", True),
    "StringLike": ("String", False),
    "StringNotLike": ("String", True),
    "Bool": ("Bool", False),
    "BinaryEquals": ("Binary", False),
    "IpAddress": ("Ip", False),
    "NotIpAddress": ("Ip", True),
    "ArnEquals": ("Arn", False),
    "ArnLike": ("Arn", False),
    "ArnNotEquals": ("Arn", True),
    "ArnNotLike": ("Arn", True),
    "Null": ("Null", False),
    **{
        f"{family}{comparison}": (family, comparison == "NotEquals")
        for family in ("Numeric", "Date")
        for comparison in _COMPARISONS
    },
}
_OPERATOR = re.compile(r"(?:(ForAllValues|ForAnyValue):)?([A-Za-z]+)")


def parse_operator(text: str) -> Operator:
    """Return the operator a policy names, exact case.

    Raises:
        ConditionError: there is no such operator; or `Null` with `IfExists` or a set prefix.
    """
    found = _OPERATOR.fullmatch(text)
    if found is not None:
        name = found[2].removesuffix("IfExists")
        if_exists = name != found[2]
        set_operator = None if found[1] is None else SetOperator(found[1])
        if name in _OPERATORS and not (name == "Null" and (if_exists or set_operator)):
            family, negated = _OPERATORS[name]
            return Operator(name, family, negated, if_exists, set_operator)
    raise ConditionError(f"Invalid Condition type : {text}.")


def compile_condition(
    operator: Operator, key: str, values: Sequence[str], *, deny: bool, variables: bool
) -> Condition:
    """Return the compiled condition. `deny`: it stands in a Deny. `variables`: `${key}` is a variable.

    Raises:
        ConditionError: a value that the operator's type cannot hold.
    """
    folded = fold_key(key)
    if operator.family == "Null":
        return Condition(operator, key, tuple(values), _null(folded, values), frozenset((folded,)))
    try:
        test, read = _TESTS[operator.family](operator, values, variables)
    except TemplateError as problem:
        raise ConditionError(str(problem)) from problem
    holds = _holds(operator, folded, _negate(test) if operator.negated else test, deny)
    return Condition(operator, key, tuple(values), holds, frozenset((folded, *read)))


def _holds(operator: Operator, key: str, test: Test, unknown: bool) -> Holds:
    match operator.set_operator:
        case SetOperator.ALL:
            return _for_all(key, test, unknown)
        case SetOperator.ANY:
            return _for_any(key, test, unknown, missing=operator.if_exists)
    missing = operator.if_exists or operator.negated

    def holds(keys: ContextKeys) -> bool:
        value = keys.values(key)
        if value is None:
            return missing
        if not isinstance(value, str):
            if len(value) > 1:
                return unknown
            value = value[0]
        outcome = test(value, keys)
        return unknown if outcome is None else outcome

    return holds


def _for_all(key: str, test: Test, unknown: bool) -> Holds:
    def holds(keys: ContextKeys) -> bool:
        outcomes = [test(value, keys) for value in _each(keys, key)]
        if False in outcomes:
            return False
        return unknown if None in outcomes else True

    return holds


def _for_any(key: str, test: Test, unknown: bool, *, missing: bool) -> Holds:
    def holds(keys: ContextKeys) -> bool:
        outcomes = [test(value, keys) for value in _each(keys, key)]
        if not outcomes:
            return missing
        if True in outcomes:
            return True
        return unknown if None in outcomes else False

    return holds


def _each(keys: ContextKeys, key: str) -> tuple[str, ...]:
    value = keys.values(key)
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else value


def _negate(test: Test) -> Test:
    def negated(value: str, keys: ContextKeys) -> bool | None:
        outcome = test(value, keys)
        return None if outcome is None else not outcome

    return negated


# --- families --------------------------------------------------------------------------------------------

Compiled = tuple[Test, Iterable[str]]
"""The test (not yet negated) and the folded keys its variables read."""


def _null(key: str, values: Sequence[str]) -> Holds:
    wanted = frozenset(_boolean(value) for value in values)

    def holds(keys: ContextKeys) -> bool:
        return (keys.values(key) is None) in wanted

    return holds


def _boolean(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ConditionError(f"The value of this condition must be true or false: {text}")
    return text.lower() == "true"


def _string(operator: Operator, values: Sequence[str], variables: bool) -> Compiled:
    like = operator.name.endswith("Like")
    templates = [parse_template(value, wildcards=like, variables=variables) for value in values]
    if like:
        return any_text(templates), _read(templates)
    if operator.name.endswith("IgnoreCase"):
        return _equals(templates, fold_case), _read(templates)
    return _equals(templates, None), _read(templates)


def _equals(templates: Sequence[Template], fold: Callable[[str], str] | None) -> Test:
    """Equality with any of the templates (which hold no wildcards), after `fold` on both sides."""
    fixed: set[str] = set()
    varying: list[Template] = []
    for template in templates:
        if any(isinstance(part, Variable) for part in template):
            varying.append(template)
        else:
            text = "".join(part for part in template if isinstance(part, str))
            fixed.add(text if fold is None else fold(text))

    def plain(value: str, keys: ContextKeys) -> bool:
        return value in fixed

    def full(value: str, keys: ContextKeys) -> bool:
        if fold is not None:
            value = fold(value)
        if value in fixed:
            return True
        for template in varying:
            text = resolve_text(template, keys)
            if text is not None and value == (text if fold is None else fold(text)):
                return True
        return False

    return plain if fold is None and not varying else full


def fold_case(text: str) -> str:
    """Return `text` for comparison ignoring case.

    SECURITY: a character outside ASCII never becomes one inside it, so that no look-alike equals a letter.
    """
    if text.isascii():
        return text.lower()
    return "".join(char.lower() if char.isascii() or not char.lower().isascii() else char for char in text)


def _bool(operator: Operator, values: Sequence[str], variables: bool) -> Compiled:
    templates = [parse_template(value, wildcards=False, variables=variables) for value in values]
    for template, value in zip(templates, values, strict=True):
        if not any(isinstance(part, Variable) for part in template):
            _boolean(value)
    equals = _equals(templates, str.lower)

    def test(value: str, keys: ContextKeys) -> bool | None:
        return equals(value, keys) if value.lower() in ("true", "false") else None

    return test, _read(templates)


def _arn(operator: Operator, values: Sequence[str], variables: bool) -> Compiled:
    templates = [parse_template(value, wildcards=True, variables=variables) for value in values]
    patterns = [ArnPattern(template) for template in templates]
    for template, value in zip(templates, values, strict=True):
        whole = template == (Wildcard.ANY,) or (len(template) == 1 and isinstance(template[0], Variable))
        if not whole and _colons(template) < ARN_FIELDS - 1:
            raise ConditionError(
                f'The value of this condition must be an ARN of {ARN_FIELDS} fields or "*": {value}'
            )
    return any_arn(patterns), _read(templates)


def _colons(template: Template) -> int:
    return sum(part.count(":") for part in template if isinstance(part, str))


def _read(templates: Iterable[Template]) -> Iterator[str]:
    for template in templates:
        yield from variables_of(template)


def _comparison(
    operator: Operator, values: Sequence[str], parse: Callable[[str], Decimal | int | None], what: str
) -> Compiled:
    """Compare with any of `values`: numbers, or dates as microseconds since 1970."""
    bounds: list[Decimal | int] = []
    for value in values:
        bound = parse(value)
        if bound is None:
            raise ConditionError(f"The value of this condition must be {what}: {value}")
        bounds.append(bound)
    compare = _COMPARE[operator.name.removeprefix(operator.family)]

    def test(value: str, keys: ContextKeys) -> bool | None:
        given = parse(value)
        return None if given is None else any(compare(given, bound) for bound in bounds)

    return test, ()


_COMPARE: dict[str, Callable[[Decimal | int, Decimal | int], bool]] = {
    "Equals": lambda given, bound: given == bound,
    "NotEquals": lambda given, bound: given == bound,  # negated afterwards
    "LessThan": lambda given, bound: given < bound,
    "LessThanEquals": lambda given, bound: given <= bound,
    "GreaterThan": lambda given, bound: given > bound,
    "GreaterThanEquals": lambda given, bound: given >= bound,
}


def _numeric(operator: Operator, values: Sequence[str], variables: bool) -> Compiled:
    return _comparison(operator, values, parse_number, "a number")


def _date(operator: Operator, values: Sequence[str], variables: bool) -> Compiled:
    what = "a date as in 2026-01-31T12:00:00Z, or seconds since 1970"
    return _comparison(operator, values, parse_date, what)


_NUMBER = re.compile(r"[-+]?[0-9]{1,40}(?:\.[0-9]{1,40})?(?:[eE][-+]?[0-9]{1,3})?")


def parse_number(text: str) -> Decimal | None:
    """Return the decimal number `text` is, exactly; None when it is none."""
    return Decimal(text) if _NUMBER.fullmatch(text) else None


_EPOCH = re.compile(r"(-?[0-9]{1,15})(?:\.([0-9]{1,9}))?")
_W3C = re.compile(
    r"([0-9]{4})-([0-9]{2})(?:-([0-9]{2})"
    r"(?:[Tt]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]{1,9}))?)?([Zz]|[-+][0-9]{2}:?[0-9]{2})?)?)?"
)
_EPOCH_START = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND = dt.timedelta(microseconds=1)


@lru_cache(1024)
def parse_date(text: str) -> int | None:
    """Return microseconds since 1970 of a W3C date or of epoch seconds; None when it is neither.

    Digits alone are seconds (so a year needs its month); a date without a zone is UTC.
    """
    epoch = _EPOCH.fullmatch(text)
    if epoch is not None:
        whole = int(epoch[1]) * 1_000_000
        part = int((epoch[2] or "").ljust(6, "0")[:6])
        return whole - part if text.startswith("-") else whole + part
    found = _W3C.fullmatch(text)
    if found is None:
        return None
    year, month, day, hour, minute, second = (int(found[n] or (1 if n == 3 else 0)) for n in range(1, 7))
    micro = int((found[7] or "").ljust(6, "0")[:6])
    try:
        zone = _zone(found[8] or "Z")
        moment = dt.datetime(year, month, day, hour, minute, second, micro, tzinfo=dt.UTC)
    except ValueError:
        return None
    return (moment - _EPOCH_START - zone) // _MICROSECOND


def _zone(text: str) -> dt.timedelta:
    if text in "Zz":
        return dt.timedelta()
    hours, minutes = int(text[1:3]), int(text[-2:])
    if hours > 23 or minutes > 59:
        raise ValueError(text)
    offset = dt.timedelta(hours=hours, minutes=minutes)
    return -offset if text[0] == "-" else offset


def _binary(operator: Operator, values: Sequence[str], variables: bool) -> Compiled:
    wanted: set[bytes] = set()
    for value in values:
        octets = _decode_base64(value)
        if octets is None:
            raise ConditionError("The value of this condition must be base64.")
        wanted.add(octets)

    def test(value: str, keys: ContextKeys) -> bool | None:
        given = _decode_base64(value)
        return None if given is None else given in wanted

    return test, ()


def _decode_base64(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None


Address = tuple[int, int]
"""IP version and the address as a number; an IPv4 address mapped into IPv6 is the IPv4 address."""


def _ip(operator: Operator, values: Sequence[str], variables: bool) -> Compiled:
    networks: list[tuple[int, int, int]] = []
    for value in values:
        network = parse_network(value)
        if network is None:
            raise ConditionError(
                f"The value of this condition must be an IP address or a range such as 10.0.0.0/8: {value}"
            )
        networks.append(network)

    def test(value: str, keys: ContextKeys) -> bool | None:
        given = parse_address(value)
        if given is None:
            return None
        version, number = given
        return any(version == kind and number & mask == start for kind, start, mask in networks)

    return test, ()


@lru_cache(4096)
def parse_address(text: str) -> Address | None:
    """Return the address `text` is; None when it is none, or has a zone."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address):
        if address.scope_id is not None:
            return None
        if address.ipv4_mapped is not None:
            return 4, int(address.ipv4_mapped)
    return address.version, int(address)


def parse_network(text: str) -> tuple[int, int, int] | None:
    """Return (IP version, first address, mask) of a CIDR range or single address; None when it is neither.

    Bits behind the prefix are dropped, as AWS does.
    """
    address_text, slash, length_text = text.partition("/")
    address = parse_address(address_text)
    if address is None:
        return None
    version, number = address
    width = 32 if version == 4 else 128
    length = width
    if slash:
        if re.fullmatch(r"[0-9]{1,3}", length_text) is None:
            return None
        length = int(length_text)
        if version == 4 and ":" in address_text:
            length -= 96
        if not 0 <= length <= width:
            return None
    mask = ((1 << length) - 1) << (width - length)
    return version, number & mask, mask


_TESTS: dict[str, Callable[[Operator, Sequence[str], bool], Compiled]] = {
    "String": _string,
    "Numeric": _numeric,
    "Date": _date,
    "Bool": _bool,
    "Binary": _binary,
    "Ip": _ip,
    "Arn": _arn,
}

"""A second, naive evaluator of policies, to check the real one against.

Written from the rules alone and sharing no code with `strongroom.policy`: it reads the JSON documents anew
for every question, knows three outcomes of a condition (True, False, None), and matches wildcards by dynamic
programming. It is slow and says only allowed or not, and whether a Deny was the reason.
"""

from __future__ import annotations

import base64
import datetime as dt
import ipaddress
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Document = Mapping[str, Any]
Values = Mapping[str, Any]


@dataclass
class OracleSet:
    """Documents as dictionaries; the fields are those of PolicySet."""

    identity: Sequence[Document] = ()
    resource: Sequence[Document] = ()
    boundary: Document | None = None
    session: Sequence[Document] | None = None
    vpc_endpoint: Document | None = None
    service_control: Sequence[Document] = ()
    resource_control: Sequence[Document] = ()
    delegates: bool = True


@dataclass
class OracleRequest:
    """`identities`: what names the caller, from the most special to the account (see `caller_names`)."""

    action: str
    resource: str
    caller_type: str
    account: str
    itself: Sequence[str]
    behind: Sequence[str]
    resource_account: str
    context: Values = field(default_factory=dict)


def wildcard(pattern: str, text: str) -> bool:
    """`*` and `?` over a text, by the table of all prefixes."""
    reachable = {0}
    for char in pattern:
        if char == "*":
            reachable = set(range(min(reachable), len(text) + 1)) if reachable else set()
        else:
            reachable = {at + 1 for at in reachable if at < len(text) and char in ("?", text[at])}
    return len(text) in reachable


def fill(text: str, document: Document, context: Values) -> str | None:
    """Replace `${key}`; wildcard characters that are literal come back as private-use characters."""
    if document.get("Version") != "2012-10-17":
        return text
    result = ""
    while text:
        if not text.startswith("${"):
            result, text = result + text[0], text[1:]
            continue
        inside, text = text[2:].split("}", 1)
        if inside in ("*", "?", "$"):
            result += literal(inside)
            continue
        key, comma, default = inside.partition(",")
        values = lookup(key.strip(), context)
        if len(values) == 1:
            result += literal(values[0])
        elif comma:
            result += literal(default.strip()[1:-1])
        else:
            return None
    return result


def literal(text: str) -> str:
    return text.replace("*", "\ue000").replace("?", "\ue001")


def lookup(key: str, context: Values) -> list[str]:
    """All values under any spelling of a key."""
    found: list[str] = []
    for name, value in context.items():
        if name.lower() == key.lower():
            found += [value] if isinstance(value, str) else list(value)
    return list(dict.fromkeys(found)) if sum(n.lower() == key.lower() for n in context) > 1 else found


def arn_matches(pattern: str, text: str) -> bool:
    if pattern == "*":
        return True
    wanted, given = pattern.split(":", 5), literal(text).split(":", 5)
    wanted += ["*"] * (6 - len(wanted))
    return len(given) == 6 and all(wildcard(a, b) for a, b in zip(wanted, given, strict=True))


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def value_text(value: Any) -> str:
    return json.dumps(value) if isinstance(value, bool | int | float) else value


def moment(text: str) -> float | None:
    if re.fullmatch(r"-?\d+(\.\d+)?", text):
        return float(text)
    try:
        found = dt.datetime.fromisoformat(text.replace("z", "Z"))
    except ValueError:
        return None
    return (found if found.tzinfo else found.replace(tzinfo=dt.UTC)).timestamp()


def number(text: str) -> float | None:
    return float(text) if re.fullmatch(r"[-+]?\d+(\.\d+)?", text) else None


def one_value(name: str, wanted: str, given: str, document: Document, context: Values) -> bool | None:
    """One value of the policy against one of the request; `name` has no Not, prefix or IfExists."""
    if name in ("StringEquals", "StringEqualsIgnoreCase", "StringLike", "Bool", "ArnEquals", "ArnLike"):
        filled = fill(wanted, document, context)
        if name == "Bool" and given.lower() not in ("true", "false"):
            return None
        if filled is None:
            return False
        if name == "StringEquals":
            return literal(filled) == literal(given)
        if name in ("StringEqualsIgnoreCase", "Bool"):
            return literal(filled).lower() == literal(given).lower()
        return wildcard(filled, literal(given)) if name == "StringLike" else arn_matches(filled, given)
    if name == "BinaryEquals":
        try:
            return base64.b64decode(given, validate=True) == base64.b64decode(wanted)
        except ValueError:
            return None
    if name == "IpAddress":
        try:
            return ipaddress.ip_address(given) in ipaddress.ip_network(wanted, strict=False)
        except ValueError:
            return None
    left, right = (number, moment)[name.startswith("Date")](given), None
    right = (number, moment)[name.startswith("Date")](wanted)
    if left is None or right is None:
        return None
    return {
        "Equals": left == right,
        "LessThan": left < right,
        "LessThanEquals": left <= right,
        "GreaterThan": left > right,
        "GreaterThanEquals": left >= right,
    }[name.removeprefix("Numeric").removeprefix("Date")]


def kleene_any(outcomes: Sequence[bool | None]) -> bool | None:
    return True if True in outcomes else None if None in outcomes else False


def kleene_not(outcome: bool | None) -> bool | None:
    return None if outcome is None else not outcome


def condition(operator: str, key: str, wanted: list[str], document: Document, context: Values) -> bool | None:
    prefix, _, name = operator.rpartition(":")
    if_exists = name.endswith("IfExists")
    name = name.removesuffix("IfExists")
    given = lookup(key, context)
    if name == "Null":
        return any((not given) == (each.lower() == "true") for each in wanted)
    negated = "Not" in name
    name = name.replace("Not", "")

    def test(value: str) -> bool | None:
        outcome = kleene_any([one_value(name, each, value, document, context) for each in wanted])
        return kleene_not(outcome) if negated else outcome

    if not given:
        return prefix == "ForAllValues" or if_exists or (negated and not prefix)
    if prefix == "ForAnyValue":
        return kleene_any([test(value) for value in given])
    if prefix == "ForAllValues":
        return kleene_not(kleene_any([kleene_not(test(value)) for value in given]))
    return None if len(given) > 1 else test(given[0])


def conditions_hold(statement: Document, document: Document, context: Values) -> bool:
    outcomes = [
        condition(operator, key, [value_text(each) for each in listed(wanted)], document, context)
        for operator, keys in statement.get("Condition", {}).items()
        for key, wanted in keys.items()
    ]
    if False in outcomes:
        return False
    return None not in outcomes or statement["Effect"] == "Deny"


def resource_fits(statement: Document, document: Document, request: OracleRequest) -> bool:
    if "Resource" in statement:
        patterns = [fill(each, document, request.context) for each in listed(statement["Resource"])]
        return any(each is not None and arn_matches(each, request.resource) for each in patterns)
    if "NotResource" in statement:
        patterns = [fill(each, document, request.context) for each in listed(statement["NotResource"])]
        if None in patterns and statement["Effect"] == "Allow":
            return False
        return not any(each is not None and arn_matches(each, request.resource) for each in patterns)
    return True


def action_fits(statement: Document, action: str) -> bool:
    if "Action" in statement:
        return any(wildcard(each.lower(), action.lower()) for each in listed(statement["Action"]))
    return not any(wildcard(each.lower(), action.lower()) for each in listed(statement["NotAction"]))


def principal_names(element: Any) -> list[str]:
    if element == "*":
        return ["*"]
    return [name for names in element.values() for name in listed(names)]


def unreadable(name: str) -> bool:
    """A group, or a name with a wildcard in it: nobody can tell whom it means."""
    return ":group/" in name or ("*" in name and name != "*")


def names_account(names: Sequence[str], account: str) -> bool:
    return bool(account) and (account in names or f"arn:aws:iam::{account}:root" in names)


def strength(names: Sequence[str], request: OracleRequest) -> int:
    """3: itself or everyone, 2: role behind the session, 1: the account, 0: not named."""
    if "*" in names or any(each in names for each in request.itself):
        return 3
    if any(each in names for each in request.behind):
        return 2
    return 1 if names_account(names, request.account) else 0


def caller_fits(statement: Document, request: OracleRequest) -> int:
    """How strongly a statement's principal meets the caller, 0 to 3."""
    if "Principal" in statement:
        names = principal_names(statement["Principal"])
        if statement["Effect"] == "Deny" and any(unreadable(each) for each in names):
            return 3
        return strength(names, request)
    names = principal_names(statement["NotPrincipal"])
    if statement["Effect"] == "Allow":
        return 0 if strength(names, request) or any(unreadable(each) for each in names) else 3
    if "*" in names:
        return 0
    if not request.account:
        return 0 if strength(names, request) else 3
    if not names_account(names, request.account):
        return 3
    if request.caller_type == "Account":
        return 0
    # The account alone does not spare the users and roles in it, nor does a session without its role.
    needed = request.behind if request.caller_type == "AssumedRole" else [*request.itself, *request.behind]
    return 0 if any(each in names for each in needed) else 3


def look(documents: Sequence[Document], request: OracleRequest, *, principals: bool) -> tuple[bool, int]:
    """Return (some Deny applies, strongest Allow that applies)."""
    denied, best = False, 0
    for document in documents:
        for statement in listed(document["Statement"]):
            met = caller_fits(statement, request) if principals else 3
            if (
                met
                and action_fits(statement, request.action)
                and resource_fits(statement, document, request)
                and conditions_hold(statement, document, request.context)
            ):
                if statement["Effect"] == "Deny":
                    denied = True
                else:
                    best = max(best, met)
    return denied, best


def oracle(request: OracleRequest, policies: OracleSet) -> tuple[bool, bool]:
    """Return (allowed, refused by an explicit Deny)."""
    boundaries = () if policies.boundary is None else (policies.boundary,)
    endpoints = () if policies.vpc_endpoint is None else (policies.vpc_endpoint,)
    identity = look(policies.identity, request, principals=False)
    resource = look(policies.resource, request, principals=True)
    boundary = look(boundaries, request, principals=False)
    session = look(policies.session or (), request, principals=False)
    endpoint = look(endpoints, request, principals=True)
    scp = look(policies.service_control, request, principals=False)
    rcp = look(policies.resource_control, request, principals=True)
    if any(denied for denied, _ in (identity, resource, boundary, session, endpoint, scp, rcp)):
        return False, True
    for documents, (_, allow) in ((policies.service_control, scp), (policies.resource_control, rcp)):
        if documents and not allow:
            return False, False
    if endpoints and not endpoint[1]:
        return False, False

    by_identity = identity[1] > 0 or request.caller_type in ("Account", "RootFederated")
    within_boundary = policies.boundary is None or boundary[1] > 0
    sessions = policies.session
    within_session = session[1] > 0 if sessions is not None else "Federated" not in request.caller_type
    if not request.account:
        return resource[1] == 3, False
    if request.account != request.resource_account:
        return resource[1] > 0 and by_identity and within_boundary and within_session, False
    if resource[1] == 3:
        return True, False
    if not (within_boundary and within_session):
        return False, False
    if resource[1] == 2:
        return True, False
    return by_identity and (policies.delegates or resource[1] == 1), False

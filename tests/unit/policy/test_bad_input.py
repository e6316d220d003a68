"""Policies made to do harm: contradictory, large, look-alike, and such that matching might blow up.

Work is counted, not timed: function calls of the evaluation, and the ways a regular expression could be tried.
"""

from __future__ import annotations

import json
import re._parser as expressions
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.policy.document import (
    SECRET_POLICY_SIZE,
    PolicyKind,
    PolicySyntaxError,
    fits,
    parse_policy,
)
from strongroom.policy.evaluation import AccessRequest, Decision, LabelledPolicy, PolicySet, evaluate
from strongroom.policy.patterns import ArnPattern, parse_template
from support.policies import ACCOUNT, ANN, GET, OTHER_ANN, SECRET, a_document, allow, deny, labelled

# Matching


def ways_back(parsed: Any, *, atomic: bool = False) -> Iterator[str]:
    """Yield each repetition of a regular expression that could be tried in more ways than one."""
    for operation, argument in parsed:
        name = str(operation)
        if name in ("MAX_REPEAT", "MIN_REPEAT"):
            least, most, inner = argument
            if least != most and not atomic:
                yield name
            yield from ways_back(inner)
        elif name == "POSSESSIVE_REPEAT":
            yield from ways_back(argument[2])
        elif name == "ATOMIC_GROUP":
            # Of one repetition the first fit is kept; a second one in the group could make it try again.
            repeats = [each for each, _ in argument if str(each) in ("MAX_REPEAT", "MIN_REPEAT")]
            yield from ways_back(argument, atomic=len(repeats) == 1)
        elif name == "ASSERT":
            yield from ways_back(argument[1])
        elif name == "BRANCH":
            yield name
        elif name == "SUBPATTERN":
            yield from ways_back(argument[-1])


@pytest.mark.parametrize("source", ["a*", "(?:ab|cd)", "(?>.*?a.*?b)", "(?:a*)+", "(?>(?:.*?a)*)", "a{1,2}"])
def test_the_search_finds_expressions_that_can_go_back(source: str) -> None:
    assert list(ways_back(expressions.parse(source)))


@given(st.text("ab*?:/${}", max_size=60))
def test_no_pattern_becomes_an_expression_that_can_go_back(text: str) -> None:
    for written in (text, f"arn:aws:secretsmanager:*:*:secret:{text}", f"arn:{text}"):
        source = ArnPattern(parse_template(written, wildcards=True, variables=False)).source()
        assert list(ways_back(expressions.parse(source))) == [], source


# Evaluation


def calls_of(work: Callable[[], Any]) -> int:
    """Return how many functions, of Python and of C, `work` calls."""
    count = 0

    def note(frame: Any, event: str, argument: Any) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


def repeated(part: dict[str, Any], times: int) -> dict[str, Any]:
    return a_document(*[{**part, "Sid": f"s{number}"} for number in range(times)])


HARMFUL: dict[str, Callable[[int], dict[str, Any]]] = {
    "statements": lambda n: repeated(deny(ANN.arn, Condition={"StringEquals": {"aws:username": "x"}}), n),
    "actions": lambda n: a_document(allow(ANN.arn, Action=[f"s3:Get*Of{i}*" for i in range(n)])),
    "resources": lambda n: a_document(
        allow(ANN.arn, Resource=[f"arn:aws:secretsmanager:*:*:secret:*{i}*x*" for i in range(n)])
    ),
    "resources with variables": lambda n: a_document(
        allow(ANN.arn, Resource=[f"arn:aws:secretsmanager:*:*:secret:*${{k}}*{i}" for i in range(n)])
    ),
    "values": lambda n: a_document(
        allow(ANN.arn, Condition={"StringLike": {"aws:username": [f"*a*{i}*b" for i in range(n)]}})
    ),
    "values with variables": lambda n: a_document(
        allow(ANN.arn, Condition={"StringLike": {"aws:username": [f"*${{k}}*{i}*b" for i in range(n)]}})
    ),
    "networks": lambda n: a_document(
        allow(ANN.arn, Condition={"IpAddress": {"aws:SourceIp": [f"10.{i % 256}.0.0/16" for i in range(n)]}})
    ),
    "principals": lambda n: a_document(allow([f"arn:aws:iam::{ACCOUNT}:user/u{i}" for i in range(n)])),
    "conditions": lambda n: a_document(
        allow(ANN.arn, Condition={"StringNotEquals": {f"aws:PrincipalTag/t{i}": "x" for i in range(n)}})
    ),
    "keys of both sides": lambda n: a_document(
        allow(ANN.arn, Condition={"ForAllValues:StringLike": {"aws:TagKeys": [f"*{i}*" for i in range(n)]}})
    ),
}
CONTEXT: dict[str, Any] = {
    "aws:username": "a" * 64,
    "k": "a" * 256,
    "aws:SourceIp": "192.0.2.1",
    "aws:TagKeys": tuple(f"key{number}" for number in range(50)),
}


@pytest.mark.parametrize("what", HARMFUL)
def test_work_grows_no_faster_than_the_policy(what: str) -> None:
    def work(size: int) -> tuple[int, int]:
        text = json.dumps(HARMFUL[what](size))
        request = AccessRequest(GET, SECRET, ANN, ACCOUNT, CONTEXT)
        policy = parse_policy(text, PolicyKind.RESOURCE)
        policies = PolicySet(resource=(LabelledPolicy("p", policy),))
        evaluate(request, policies)  # What is compiled on first use is part of reading.
        reading = calls_of(lambda: parse_policy(text + " " * size, PolicyKind.RESOURCE))
        return reading, calls_of(lambda: evaluate(request, policies))

    small, large = work(20), work(80)
    for before, after in zip(small, large, strict=True):
        # Four times the policy: four times the work and a little, where sixteen would be its square.
        assert after <= 5 * before + 200


def test_a_policy_as_large_as_can_be_is_read_and_decided() -> None:
    statement = deny("*", Action="a:*", Resource="arn:aws:s3:::*")
    document = a_document(*[statement] * 260, allow(ANN.arn, Action=GET))
    text = json.dumps(document, separators=(",", ":"))
    assert fits(SECRET_POLICY_SIZE, text)
    assert len(text) > 20_000
    assert not fits(SECRET_POLICY_SIZE, text, " " * 1_000)
    policies = PolicySet(resource=(LabelledPolicy("p", parse_policy(text, PolicyKind.RESOURCE)),))
    assert evaluate(AccessRequest(GET, SECRET, ANN, ACCOUNT), policies).allowed


# Contradictions


def decide(*statements: dict[str, Any], who: Any = ANN) -> Decision:
    resource = labelled(*statements, kind=PolicyKind.RESOURCE)
    return evaluate(
        AccessRequest(GET, SECRET, who, ACCOUNT),
        PolicySet(identity=(labelled(allow()),), resource=(resource,)),
    )


@pytest.mark.parametrize("who", [ANN, OTHER_ANN])
def test_a_policy_that_contradicts_itself_denies(who: Any) -> None:
    both = [allow("*"), deny("*")]
    for statements in (both, both[::-1], both * 20):
        decision = decide(*statements, who=who)
        assert (decision.allowed, decision.explicit) == (False, True)
    for condition in ({"Null": {"aws:username": ["true", "false"]}}, {}):
        assert not decide(allow("*"), deny("*", Condition=condition), who=who).allowed


def test_a_condition_that_nothing_meets_allows_nothing_and_denies_nothing() -> None:
    never: dict[str, Any] = {"StringEquals": {"aws:username": "x"}, "StringNotEquals": {"aws:username": "x"}}
    assert not decide(allow(OTHER_ANN.arn, Condition=never), who=OTHER_ANN).allowed
    assert decide(allow(OTHER_ANN.arn), deny("*", Condition=never), who=OTHER_ANN).allowed
    nobody: dict[str, Any] = {"StringEquals": {"aws:username": []}}
    assert not decide(allow(OTHER_ANN.arn, Condition=nobody), who=OTHER_ANN).allowed


@pytest.mark.parametrize(
    "text",
    [
        '{"Statement":{"Effect":"Allow","Effect":"Deny","Principal":"*","Action":"*"}}',
        '{"Statement":{"Effect":"Deny","Principal":"*","Action":"*"},"Statement":[]}',
        '{"Version":"2008-10-17","Version":"2012-10-17","Statement":[]}',
        '{"Statement":{"Effect":"Allow","Principal":"*","NotPrincipal":"*","Action":"*"}}',
        '{"Statement":{"Effect":"Allow","Principal":"*","Action":"*","NotAction":"*"}}',
        '{"Statement":{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*","NotResource":"*"}}',
        '{"Statement":{"Effect":"Allow","Principal":"*","Action":"*","Condition":'
        '{"Bool":{"aws:SecureTransport":"true","aws:SecureTransport":"false"}}}}',
        '{"Statement":{"Effect":"allow","Principal":"*","Action":"*"}}',
        '{"Statement":{"Effect":["Allow","Deny"],"Principal":"*","Action":"*"}}',
    ],
)
def test_what_could_be_read_in_two_ways_is_not_read(text: str) -> None:
    with pytest.raises(PolicySyntaxError):
        parse_policy(text, PolicyKind.RESOURCE)


# Look-alikes

KELVIN, LONG_S, FULLWIDTH_A, CYRILLIC_A = "\u212a", "\u017f", "\uff21", "\u0430"


@pytest.mark.parametrize(
    "statement",
    [
        allow("*", Action=f"{LONG_S}ecretsmanager:GetSecretValue"),
        allow("*", Action=f"secretsmanager:GetSecretV{CYRILLIC_A}lue"),
        allow("*", Action=f"{KELVIN}ms:*"),
        allow("*", Resource=f"{FULLWIDTH_A}rn:aws:s3:::*"),
        allow("*", Resource=f"arn:{CYRILLIC_A}ws:s3:::*"),
        allow("*") | {"Effect": f"{FULLWIDTH_A}llow"},
        allow("*", Condition={f"{LONG_S}tringEquals": {"aws:username": "x"}}),
        allow("*") | {"\uff33id": "x"},
    ],
)
def test_look_alikes_of_what_means_something_are_no_policy(statement: dict[str, Any]) -> None:
    escaped = json.dumps(a_document(statement))
    assert escaped.isascii()
    for text in (escaped, json.dumps(a_document(statement), ensure_ascii=False)):
        with pytest.raises(PolicySyntaxError):
            parse_policy(text, PolicyKind.RESOURCE)


@pytest.mark.parametrize(
    ("written", "given_"),
    [
        ("ka", f"{KELVIN}a"),
        ("sa", f"{LONG_S}a"),
        ("admin", f"{CYRILLIC_A}dmin"),
        ("Admin", f"{FULLWIDTH_A}dmin"),
        ("caf\u00e9", "cafe\u0301"),
        ("stra\u00dfe", "strasse"),
        ("i", "\u0131"),
        ("I", "\u0130"),
        ("admin", "admin\u200b"),
        ("admin", "adm\u00adin"),
    ],
)
@pytest.mark.parametrize("operator", ["StringEquals", "StringEqualsIgnoreCase", "StringLike"])
def test_look_alike_values_are_other_values(operator: str, written: str, given_: str) -> None:
    for one, two in ((written, given_), (given_, written)):
        policy = labelled(allow(Condition={operator: {"aws:PrincipalTag/team": one}}))
        request = AccessRequest(GET, SECRET, ANN, ACCOUNT, {"aws:PrincipalTag/team": two})
        assert not evaluate(request, PolicySet(identity=(policy,))).allowed


@pytest.mark.parametrize("key", [f"aws:PrincipalTag/{KELVIN}ey", f"{CYRILLIC_A}ws:PrincipalTag/key"])
def test_look_alike_keys_are_other_keys(key: str) -> None:
    policy = labelled(allow(Condition={"StringEquals": {"aws:PrincipalTag/key": "x"}}))
    request = AccessRequest(GET, SECRET, ANN, ACCOUNT, {key: "x"})
    assert not evaluate(request, PolicySet(identity=(policy,))).allowed
    denying = labelled(allow(), deny(Condition={"StringNotEquals": {"aws:PrincipalTag/key": "x"}}))
    assert not evaluate(request, PolicySet(identity=(denying,))).allowed


def test_a_second_spelling_of_a_tag_neither_opens_nor_gets_away() -> None:
    tags = {"aws:ResourceTag/team": "red", "aws:ResourceTag/TEAM": "blue"}
    for value in ("red", "blue"):
        same = {"StringEquals": {"aws:ResourceTag/team": value}}
        request = AccessRequest(GET, SECRET, ANN, ACCOUNT, tags)
        assert not evaluate(request, PolicySet(identity=(labelled(allow(Condition=same)),))).allowed
        both = PolicySet(identity=(labelled(allow(), deny(Condition=same)),))
        assert not evaluate(request, both).allowed

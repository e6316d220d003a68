"""Always, never or if: held against brute force by the evaluator over every context of a small universe."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from strongroom.policy.context import ContextKeys, fold_key
from strongroom.policy.document import PolicyKind
from strongroom.policy.evaluation import AccessRequest, Caller, LabelledPolicy, Layer, PolicySet, evaluate
from strongroom.policy.reach import Check, GrantTerm, Reach, RefusedBy, Verdict, compare, reach
from strongroom.policy.universe import Setting
from support.policies import (
    ACCOUNT,
    ANN,
    APP,
    FED,
    GET,
    OTHER_ANN,
    OTHER_APP,
    ROOT,
    SECRET,
    allow,
    deny,
    labelled,
)

KEY = f"arn:aws:kms:eu-central-1:{ACCOUNT}:key/1"
KNOWN = {"aws:PrincipalAccount": ACCOUNT, "aws:ResourceTag/team": "a"}
CALLERS = (ROOT, ANN, APP, FED, OTHER_ANN, OTHER_APP)

CONDITIONS: tuple[dict[str, Any] | None, ...] = (
    None,
    None,
    {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}},
    {"NotIpAddress": {"aws:SourceIp": ["10.0.0.0/8", "192.168.0.0/16"]}},
    {"StringEquals": {"secretsmanager:VersionStage": "AWSCURRENT"}},
    {"StringNotEquals": {"secretsmanager:VersionStage": ["AWSCURRENT", "AWSPENDING"]}},
    {"StringLikeIfExists": {"secretsmanager:VersionStage": "AWS*"}},
    {"Null": {"secretsmanager:VersionStage": "true"}},
    {"Bool": {"aws:SecureTransport": "false"}},
    {"StringEquals": {"aws:ResourceTag/team": "a"}},
    {"StringEquals": {"aws:ResourceTag/team": "b"}},
    {"StringNotEquals": {"aws:PrincipalAccount": ACCOUNT}},
    {"ForAnyValue:StringEquals": {"app:groups": ["one", "two"]}},
    {"ForAllValues:StringEquals": {"app:groups": "one"}},
    {"NumericLessThan": {"app:days": "7"}, "StringEquals": {"app:mode": "fast"}},
    {"StringEquals": {"app:mode": "${aws:ResourceTag/team}"}},
    {"StringEqualsIgnoreCase": {"app:mode": "Fast"}},
)
"""Every text that a condition compares with stands in UNIVERSE, as do one outside and, where it can be,
absence."""
UNIVERSE: Mapping[str, Sequence[Any]] = {
    "aws:SourceIp": ("10.1.2.3", "192.168.1.1", "203.0.113.9", None),
    "secretsmanager:VersionStage": ("AWSCURRENT", "AWSPENDING", "AWSOTHER", "mine", None),
    "aws:SecureTransport": ("true", "false"),
    "app:groups": ("one", "two", "three", None, *product(("one", "two"), ("three",)), ("one", "two")),
    "app:days": ("6", "7", "8", "seven", None),
    "app:mode": ("fast", "FAST", "Fast", "a", "slow", None),
}
ACTIONS = (GET, "secretsmanager:*", "*", "secretsmanager:PutSecretValue")
NAMES = ("*", ACCOUNT, ANN.arn, APP.arn, APP.role_arn, "444455556666", OTHER_ANN.arn)


def contexts(keys: Sequence[str]) -> Iterator[dict[str, Any]]:
    for values in product(*(UNIVERSE[key] for key in keys)):
        yield {key: value for key, value in zip(keys, values, strict=True) if value is not None}


def read_by(checks: Sequence[Check]) -> list[str]:
    read = {key for each in checks for key in each.policies.keys_read(each.request.action)}
    return [key for key in UNIVERSE if fold_key(key) in read]


def decided(checks: Sequence[Check], context: Mapping[str, Any]) -> bool:
    """Return what the evaluator says of all checks in one context; a key of another service is absent."""
    for check in checks:
        keys = {key: value for key, value in context.items() if check.is_open(fold_key(key))}
        asked = AccessRequest(
            check.request.action,
            check.request.resource,
            check.request.principal,
            check.request.resource_account,
            ContextKeys(KNOWN, keys),
        )
        if not evaluate(asked, check.policies).allowed:
            return False
    return True


def brute_force(checks: Sequence[Check]) -> Verdict:
    outcomes = {decided(checks, context) for context in contexts(read_by(checks))}
    return Verdict.IF if len(outcomes) > 1 else Verdict.ALWAYS if True in outcomes else Verdict.NEVER


def a_check(
    policies: PolicySet, caller: Caller = ANN, *, action: str = GET, resource: str = SECRET, **members: Any
) -> Check:
    service = action.partition(":")[0]

    def is_open(key: str) -> bool:
        return service == "secretsmanager" or not key.startswith("secretsmanager:")

    request = AccessRequest(action, resource, caller, ACCOUNT, KNOWN)
    return Check(request, policies, members.pop("is_open", is_open), **members)


@st.composite
def statements(draw: st.DrawFn, *, principals: bool) -> dict[str, Any]:
    build = deny if draw(st.integers(0, 3)) == 0 else allow
    members: dict[str, Any] = {"Action": draw(st.sampled_from(ACTIONS))}
    if not principals:
        members["Resource"] = draw(st.sampled_from(["*", SECRET, "arn:aws:kms:*:*:key/*", f"{SECRET}x"]))
    condition: dict[str, Any] = {}
    for each in draw(st.lists(st.sampled_from(CONDITIONS), min_size=1, max_size=2)):
        for operator, keys in (each or {}).items():
            condition[operator] = {**condition.get(operator, {}), **keys}
    if condition:
        members["Condition"] = condition
    named = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=2)) if principals else None
    return build("*" if named and "*" in named else named, **members)


@st.composite
def policies(draw: st.DrawFn, kind: PolicyKind = PolicyKind.IDENTITY) -> LabelledPolicy:
    found = draw(st.lists(statements(principals=kind is not PolicyKind.IDENTITY), min_size=1, max_size=3))
    return labelled(*found, kind=kind)


@st.composite
def sets(draw: st.DrawFn) -> PolicySet:
    def seldom(strategy: st.SearchStrategy[Any]) -> Any:
        return draw(strategy) if draw(st.integers(0, 4)) == 0 else None

    return PolicySet(
        identity=tuple(draw(st.lists(policies(), max_size=2))),
        resource=tuple(draw(st.lists(policies(PolicyKind.RESOURCE), max_size=1))),
        boundary=seldom(policies()),
        session=seldom(st.lists(policies(), max_size=2).map(tuple)),
        vpc_endpoint=seldom(policies(PolicyKind.RESOURCE)),
        resource_delegates_to_account=draw(st.booleans()),
    )


@st.composite
def questions(draw: st.DrawFn) -> list[Check]:
    caller = draw(st.sampled_from(CALLERS))
    checks = [a_check(draw(sets()), caller)]
    if draw(st.booleans()):
        checks.append(a_check(draw(sets()), caller, action="kms:Decrypt", resource=KEY))
    return checks


def verify(found: Reach, checks: Sequence[Check]) -> None:
    """Assert that a verdict is what brute force says, and that its examples are ones."""
    assert found.decided
    assert found.verdict is brute_force(checks), found
    if found.verdict is Verdict.IF:
        assert found.allowing is not None
        assert found.refusing is not None
        assert decided(checks, found.allowing)
        assert not decided(checks, found.refusing)
    else:
        assert (found.allowing, found.refusing) == (None, None)


UNSHRUNK = (Phase.explicit, Phase.reuse, Phase.generate)
"""Making a failing example smaller takes minutes here."""


@settings(max_examples=150, deadline=None, phases=UNSHRUNK)
@given(questions())
def test_a_verdict_is_what_brute_force_says(checks: list[Check]) -> None:
    verify(reach(checks, Setting()), checks)


@settings(max_examples=40, deadline=None, phases=UNSHRUNK)
@given(questions(), st.data())
def test_a_difference_is_what_brute_force_says(checks: list[Check], data: st.DataObject) -> None:
    changed = [
        Check(each.request, data.draw(sets()) if place == 0 else each.policies, each.is_open)
        for place, each in enumerate(checks)
    ]
    keys = sorted({*read_by(checks), *read_by(changed)})
    outcomes = {
        (decided(checks, context), decided(changed, context))
        for context in contexts([key for key in UNIVERSE if key in keys])
    }
    for fits in (lambda _: True, lambda was: was, lambda was: not was):
        found = compare(checks, changed, Setting(), fits)
        fitting = {(was, now) for was, now in outcomes if fits(was)}
        if not found.decided:
            assert len(keys) > 3
            continue
        assert found.before == {was for was, _ in fitting}
        assert found.after == {now for _, now in fitting}
        assert found.same is all(was == now for was, now in fitting)


def the_reach(*identity: dict[str, Any], setting: Setting | None = None, **members: Any) -> Reach:
    check = a_check(PolicySet(identity=(labelled(*identity),)), **members)
    return reach([check], setting or Setting())


def test_what_hangs_on_the_context_is_shown_with_its_conditions() -> None:
    found = the_reach(
        allow(Sid="Read", Condition={"StringEquals": {"aws:ResourceTag/team": "a"}}),
        deny(Sid="Outside", Condition={"NotIpAddress": {"aws:SourceIp": "10.0.0.0/8"}}),
    )
    assert found.verdict is Verdict.IF
    (through, unless) = found.terms
    assert (through.effect, through.statement.sid, through.conditions) == ("Allow", "Read", ())
    assert (unless.effect, unless.statement.sid) == ("Deny", "Outside")
    (condition,) = unless.conditions
    assert (condition.operator, condition.key, condition.values) == (
        "NotIpAddress",
        "aws:SourceIp",
        ("10.0.0.0/8",),
    )
    assert found.allowing == {"aws:SourceIp": "10.0.0.0"}


def test_a_refusal_names_the_layers_and_the_denies_that_always_apply() -> None:
    found = the_reach(allow(), deny(Sid="Never"))
    assert found.verdict is Verdict.NEVER
    assert found.refused_by == (RefusedBy(GET, Layer.IDENTITY),)
    assert [(each.effect, each.statement.sid) for each in found.terms] == [("Deny", "Never")]


@pytest.mark.parametrize(
    ("condition", "verdict"),
    [
        ({"DateLessThan": {"aws:CurrentTime": "2025-01-01T00:00:00Z"}}, Verdict.NEVER),
        ({"DateGreaterThan": {"aws:CurrentTime": "2025-01-01T00:00:00Z"}}, Verdict.ALWAYS),
        ({"DateLessThan": {"aws:CurrentTime": "2030-01-01T00:00:00Z"}}, Verdict.IF),
        ({"NumericLessThan": {"aws:EpochTime": "1735689600"}}, Verdict.NEVER),
        ({"DateGreaterThan": {"aws:TokenIssueTime": "2025-01-01T00:00:00Z"}}, Verdict.IF),
        ({"DateGreaterThanIfExists": {"aws:TokenIssueTime": "2025-01-01T00:00:00Z"}}, Verdict.ALWAYS),
        ({"BoolIfExists": {"aws:MultiFactorAuthPresent": "true"}}, Verdict.IF),
        ({"Bool": {"aws:MultiFactorAuthPresent": "true"}}, Verdict.NEVER),
        ({"Bool": {"aws:SecureTransport": ["true", "false"]}}, Verdict.ALWAYS),
        ({"Null": {"aws:SourceIp": "true", "aws:SourceVpce": "true"}}, Verdict.NEVER),
        (
            {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}, "StringEquals": {"aws:SourceVpce": "vpce-1"}},
            Verdict.NEVER,
        ),
        ({"IpAddress": {"aws:SourceIp": ["0.0.0.0/0", "::/0"]}}, Verdict.IF),
        ({"StringLike": {"sts:RoleSessionName": "*"}}, Verdict.ALWAYS),
        ({"StringLike": {"token.example.com:sub": "*"}}, Verdict.ALWAYS),
        ({"StringLike": {"app:a": "*"}, "Null": {"app:a": "true"}}, Verdict.NEVER),
        ({"StringLikeIfExists": {"app:a": ["a*", "?*", ""]}}, Verdict.ALWAYS),
        ({"StringLike": {"app:a": "a*"}, "StringNotLike": {"app:a": "*"}}, Verdict.NEVER),
        ({"StringLike": {"app:a": "a*b"}, "StringEquals": {"app:a": "acc"}}, Verdict.NEVER),
        ({"StringLike": {"app:a": "a*b"}, "StringNotEquals": {"app:a": "ab"}}, Verdict.IF),
        ({"ForAllValues:StringEquals": {"aws:TagKeys": "a"}, "Null": {"aws:RequestTag/b": "false"}}, Verdict.NEVER),
        ({"ForAllValues:StringEquals": {"aws:TagKeys": ["a", "b"]}, "Null": {"aws:RequestTag/b": "false"}}, Verdict.IF),
    ],
)  # fmt: skip
def test_keys_that_hang_together_and_times_that_are_over(condition: dict[str, Any], verdict: Verdict) -> None:
    now = Setting(now=1_767_225_600)
    found = the_reach(allow(Condition=condition), setting=now)
    assert (found.verdict, found.decided) == (verdict, True)


def test_more_than_can_be_tried_is_proven_or_said_to_be_undecided() -> None:
    keys = {f"app:{number}": "x" for number in range(16)}
    every = allow(Condition={"StringEquals": keys})
    found = the_reach(every, deny(Condition={"StringEquals": keys}))
    assert (found.verdict, found.decided) == (Verdict.IF, False)
    assert the_reach(every, allow()).verdict is Verdict.ALWAYS
    assert the_reach(every, deny()).verdict is Verdict.NEVER


def test_values_that_come_to_the_same_are_tried_once() -> None:
    networks = [f"10.{one}.{two}.0/24" for one in range(40) for two in range(50)]
    labels = [f"label-{number}" for number in range(500)]
    found = the_reach(
        allow(
            Condition={
                "IpAddress": {"aws:SourceIp": networks},
                "StringEquals": {"secretsmanager:VersionStage": labels, "app:one": labels, "app:two": labels},
            }
        ),
        deny(Condition={"StringNotLike": {"app:one": "label-*", "app:two": "label-*"}}),
    )
    assert (found.verdict, found.decided) == (Verdict.IF, True)


def test_keys_compared_with_each_other_are_never_claimed_to_be_exhausted() -> None:
    same = {"StringEquals": {"app:one": "${app:two}"}}
    found = the_reach(allow(Condition=same))
    assert (found.verdict, found.decided) == (Verdict.IF, True)
    impossible = {**same, "StringNotEquals": {"app:two": "${app:one}"}}
    found = the_reach(allow(Condition=impossible))
    assert (found.verdict, found.decided) == (Verdict.IF, False)


def test_an_open_variable_in_a_resource_is_a_condition() -> None:
    pattern = f"arn:aws:secretsmanager:*:{ACCOUNT}:secret:${{aws:PrincipalTag/team}}/*"
    found = the_reach(allow(Resource=pattern))
    assert (found.verdict, found.decided) == (Verdict.IF, True)
    assert found.allowing == {"aws:PrincipalTag/team": "prod"}
    (term,) = found.terms
    assert [(each.operator, each.values) for each in term.conditions] == [("Resource", (pattern,))]


def test_grants_with_constraints_hang_on_the_encryption_context() -> None:
    nobody = PolicySet(
        resource=(labelled(allow("999999999999"), kind=PolicyKind.KEY),), resource_delegates_to_account=False
    )
    grants = (GrantTerm("g1", subset={"Dept": "it"}), GrantTerm("g2", equals={"Dept": "hr"}))
    check = a_check(nobody, action="kms:Decrypt", resource=KEY, grants=grants)
    found = reach([check], Setting())
    assert (found.verdict, found.decided) == (Verdict.IF, True)
    assert [each.statement.label for each in found.terms] == ["g1", "g2"]
    assert found.terms[0].conditions[0].key == "kms:EncryptionContext:Dept"
    denied = PolicySet(
        identity=(labelled(deny()),), resource=nobody.resource, resource_delegates_to_account=False
    )
    refused = reach([a_check(denied, action="kms:Decrypt", resource=KEY, grants=grants)], Setting())
    assert refused.verdict is Verdict.NEVER

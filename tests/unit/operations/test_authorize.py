"""Decisions on targets: the layers that are asked, AWS's words, and memories that never make a difference."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from strongroom.errors import AccessDeniedException
from strongroom.identity.principal import Principal, PrincipalType
from strongroom.names import Arn
from strongroom.operations import authorize as authorization
from strongroom.operations.authorize import DecisionMemory, allowed, authorize
from strongroom.operations.call import Call, ResourcePolicy, Resources, Target
from strongroom.operations.secretsmanager.resolution import secret_target
from strongroom.operations.standing import StandingMemory
from strongroom.policy.evaluation import Decision, Layer
from strongroom.ports import USERS
from support.key_room import KeyRoom, allow, deny, for_principal, policy
from support.memory_unit import MemoryUnit
from support.permission_world import (
    ACCOUNT,
    CHANGES,
    GET,
    NOON,
    OTHER,
    PRINCIPALS,
    REGION,
    SECRET_ARN,
    Asker,
    a_user,
    begin,
)

DESCRIBE = "secretsmanager:DescribeSecret"


class MarkedUnit(MemoryUnit):
    """A unit that says whether anything was committed, as readers of the real store do."""

    def __init__(self) -> None:
        super().__init__()
        self.commits = 0

    @property
    def mark(self) -> int | None:
        return self.commits

    def change(self, work: Callable[[Any], None]) -> None:
        work(self)
        self.commits += 2


def resources(**memories: Any) -> Resources:
    room = KeyRoom()
    return Resources(room.store, room.root_key, room.entropy, room.memory, **memories)


def an_asker() -> Asker:
    return Asker(
        remembering=resources(decision_memory=DecisionMemory(), standing_memory=StandingMemory()),
        forgetful=resources(),
    )


CHOICES = st.integers(0, 400)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(sorted(CHANGES)), CHOICES),
        st.tuples(st.sampled_from(sorted(PRINCIPALS)), CHOICES),
        st.tuples(st.sampled_from(sorted(PRINCIPALS)), st.sampled_from([6, 7, 12, 24, 60])),
    ),
    max_size=40,
)


@pytest.mark.parametrize("unit_type", [MemoryUnit, MarkedUnit])
def test_remembered_decisions_equal_those_made_afresh(unit_type: type[MemoryUnit]) -> None:
    asker, unit = an_asker(), unit_type()
    seen: set[Decision] = set()

    @settings(max_examples=120)
    @given(STEPS)
    def story(steps: list[tuple[str, int]]) -> None:
        # The memories live on from one story to the next, which begins with other records of the same content.
        change(begin)
        for name, choice in steps:
            if name in CHANGES:
                change(lambda unit, name=name, choice=choice: CHANGES[name](unit, choice))
            else:
                remembered, fresh = asker.ask(unit, name, choice)
                assert remembered == fresh
                seen.add(fresh)

    def change(work: Callable[[Any], None]) -> None:
        unit.change(work) if isinstance(unit, MarkedUnit) else work(unit)

    story()
    # Guards the property against a world in which every answer is the same.
    assert {each.allowed for each in seen} == {True, False}
    assert len({each.layer for each in seen}) >= 4


PREPARED = {
    "secret tags": [("user policies", 13)],
    "group policies": [("user groups", 1), ("user policies", 0)],
    "group attached": [("user groups", 1), ("user policies", 0)],
    "group gone": [("user groups", 1)],
}
"""What must be so for a change to make a difference."""


@pytest.mark.parametrize("name", sorted(CHANGES))
def test_each_change_holds_for_the_next_question_of_everyone(name: str) -> None:
    asker, unit = an_asker(), MarkedUnit()
    unit.change(begin)
    for first, choice in PREPARED.get(name, ()):
        unit.change(lambda unit, first=first, choice=choice: CHANGES[first](unit, choice))
    differed = False
    for choice in range(40):
        before = [asker.ask(unit, who, question)[0] for who in PRINCIPALS for question in (0, 7, 20, 55)]
        unit.change(lambda unit, choice=choice: CHANGES[name](unit, choice))
        after = [asker.ask(unit, who, question) for who in PRINCIPALS for question in (0, 7, 20, 55)]
        assert all(remembered == fresh for remembered, fresh in after)
        differed = differed or before != [fresh for _, fresh in after]
    assert differed


# What is remembered


class Counting:
    """Stands for `evaluate` and counts."""

    def __init__(self, evaluate: Callable[..., Decision]) -> None:
        self._evaluate = evaluate
        self.count = 0

    def __call__(self, *arguments: Any) -> Decision:
        self.count += 1
        return self._evaluate(*arguments)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counting:
    counting = Counting(authorization.evaluate)
    monkeypatch.setattr(authorization, "evaluate", counting)
    return counting


@pytest.fixture
def unit() -> MarkedUnit:
    made = MarkedUnit()
    made.change(begin)
    return made


def a_call(who: str | Principal = "ann", **members: Any) -> Call:
    principal = PRINCIPALS[who] if isinstance(who, str) else who
    memories = {"decision_memory": DecisionMemory(), "standing_memory": StandingMemory()}
    made = Call(
        service="secretsmanager",
        operation="GetSecretValue",
        request={"SecretId": "prod/db"},
        principal=principal,
        region=REGION,
        received_at=NOON,
        request_id="r",
        resources=resources(**memories),
        context={"aws:SourceIp": "10.1.1.1", "aws:PrincipalArn": principal.arn},
    )
    return replace(made, **members)


def decide(call: Call, unit: Any) -> Decision:
    return allowed(call, unit, secret_target(call, unit, SECRET_ARN, GET))


def give(unit: MarkedUnit, *statements: Any) -> None:
    unit.change(lambda unit: unit.save(USERS, a_user(ACCOUNT, policies={"p": policy(*statements)})))


def test_a_decision_is_made_once_for_what_its_policies_look_at(unit: MarkedUnit, counted: Counting) -> None:
    give(unit, allow("*", Condition={"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}))
    call = a_call()
    assert decide(call, unit).allowed
    for other in (call, replace(call, request_id="s"), replace(call, context={**call.context, "x": "y"})):
        assert decide(other, unit).allowed
    unit.change(lambda unit: CHANGES["role policies"](unit, 1))
    assert decide(call, unit).allowed
    assert counted.count == 1
    elsewhere = replace(call, context={**call.context, "aws:SourceIp": "192.0.2.1"})
    assert not decide(elsewhere, unit).allowed
    assert decide(call, unit).allowed
    assert counted.count == 2
    give(unit, allow("*", Condition={"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}))
    assert decide(call, unit).allowed
    assert counted.count == 3, "another record may not be trusted to say the same"


def test_a_key_that_is_new_every_time_does_not_fill_the_memory(unit: MarkedUnit, counted: Counting) -> None:
    give(unit, allow("*", Condition={"NumericLessThan": {"aws:EpochTime": "1000"}}))
    call = a_call()
    for second in range(980, 1020):
        now = replace(call, context={**call.context, "aws:EpochTime": str(second)})
        assert decide(now, unit).allowed is (second < 1000)
    assert counted.count == 40
    (remembered,) = call.resources.decision_memory._remembered.values()
    assert len(remembered.by_values) <= DecisionMemory.VALUES_REMEMBERED


def test_a_full_memory_forgets_and_goes_on(unit: MarkedUnit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DecisionMemory, "LIMIT", 3)
    call = a_call()
    for number in range(10):
        target = Target(action=f"secretsmanager:Get{number}", resource="*", owner_account=ACCOUNT)
        assert allowed(call, unit, target).allowed
        assert len(call.resources.decision_memory._remembered) <= 3


def test_what_callers_choose_does_not_fill_the_memory(
    unit: MarkedUnit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(DecisionMemory, "CHARACTERS", 50_000)
    other_keys = {"ForAnyValue:StringNotEquals": {"aws:TagKeys": "x"}}
    give(unit, allow("*", Condition={"StringNotEquals": {"aws:UserAgent": "x"}, **other_keys}))
    call = a_call()
    memory = call.resources.decision_memory

    def held() -> int:
        return sum(
            len(text)
            for known in memory._remembered.values()
            for values in known.by_values
            for value in values
            for text in ([value] if isinstance(value, str) else value or ())
        )

    most = 0
    for number in range(200):
        agent, keys = f"{number}" + "a" * 4_000, (f"{number}" + "t" * 500, "u" * 500)
        other = replace(call, context={**call.context, "aws:UserAgent": agent, "aws:TagKeys": keys})
        target = Target(action=f"secretsmanager:Get{number % 20}", resource="*", owner_account=ACCOUNT)
        assert allowed(other, unit, target).allowed
        most = max(most, held())
    assert 20_000 < most <= 50_000


def test_who_vouches_for_a_tokens_subject_is_part_of_what_is_remembered(unit: MarkedUnit) -> None:
    def caller(provider: str) -> Principal:
        return Principal(
            PrincipalType.WEB_IDENTITY, ACCOUNT, Arn("repo:a/b"), "repo:a/b", "", provider=provider
        )

    trust = policy(
        {
            "Effect": "Allow",
            "Principal": {"Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/good.example"},
            "Action": "sts:AssumeRoleWithWebIdentity",
        }
    )
    target = Target(
        action="sts:AssumeRoleWithWebIdentity",
        resource=f"arn:aws:iam::{ACCOUNT}:role/app",
        owner_account=ACCOUNT,
        resource_policies=(ResourcePolicy(trust, delegates_to_account=False, trust=True),),
    )
    good = a_call(caller(f"arn:aws:iam::{ACCOUNT}:oidc-provider/good.example"))
    bad = replace(good, principal=caller(f"arn:aws:iam::{ACCOUNT}:oidc-provider/evil.example"))
    assert [allowed(call, unit, target).allowed for call in (good, bad, good)] == [True, False, True]


def test_whom_a_grant_names_is_part_of_what_is_remembered(unit: MarkedUnit) -> None:
    target = Target(
        action="kms:Decrypt",
        resource=f"arn:aws:kms:{REGION}:{ACCOUNT}:key/k",
        owner_account=ACCOUNT,
        resource_policies=(ResourcePolicy(policy(for_principal(OTHER, "*")), delegates_to_account=False),),
        grants=("g",),
    )
    call = a_call("federated")
    unit.change(lambda unit: CHANGES["user boundary"](unit, 1))
    unit.change(lambda unit: CHANGES["managed policy"](unit, 4))
    behind = replace(target, grants_behind=True)
    assert [allowed(call, unit, each).allowed for each in (target, behind, target)] == [True, False, True]


# The layers, and the words


def refusal(call: Call, unit: Any, *targets: Target) -> str:
    with pytest.raises(AccessDeniedException) as caught:
        authorize(call, unit, targets)
    return caught.value.message


def test_the_first_required_target_that_is_refused_is_told(unit: MarkedUnit) -> None:
    give(unit, allow(GET))
    call = a_call()
    fine = secret_target(call, unit, "prod/db", GET)
    first = replace(fine, action="secretsmanager:PutSecretValue")
    second = replace(fine, action="secretsmanager:DeleteSecret")
    assert refusal(call, unit, fine, first, second) == (
        f"User: {call.principal.arn} is not authorized to perform: secretsmanager:PutSecretValue on resource: "
        "prod/db because no identity-based policy allows the secretsmanager:PutSecretValue action"
    )
    granted = authorize(call, unit, [fine, replace(first, optional=True)])
    assert granted.targets == (fine,)
    assert [decision.allowed for decision in granted.decisions] == [True]
    ((refused, error),) = granted.refused
    assert refused.action == first.action
    assert isinstance(error, AccessDeniedException)


@pytest.mark.parametrize(
    ("changes", "who", "action", "reason"),
    [
        ([("user policies", 0)], "ann", GET, f" because no identity-based policy allows the {GET} action"),
        (
            [("user policies", 10)],
            "ann",
            GET,
            " with an explicit deny in an identity-based policy",
        ),
        (
            [("user boundary", 1), ("managed policy", 2)],
            "ann",
            GET,
            f" because no permissions boundary allows the {GET} action",
        ),
        (
            [("user boundary", 2), ("managed policy", 3)],
            "ann",
            GET,
            " with an explicit deny in a permissions boundary",
        ),
        (
            [("managed policy", 2)],
            "narrowed role",
            DESCRIBE,
            f" because no session policy allows the {DESCRIBE} action",
        ),
        ([("resource policy", 6)], "eve", GET, ""),
        ([], "eve", GET, ""),
        (
            [("managed policy gone", 0), ("user attached", 1)],
            "ann",
            GET,
            " with an explicit deny in an identity-based policy",
        ),
        ([("resource policy", 8)], "ann", GET, " with an explicit deny in an identity-based policy"),
    ],
)
def test_every_layer_refuses_in_its_words(
    unit: MarkedUnit, changes: list[tuple[str, int]], who: str, action: str, reason: str
) -> None:
    for name, choice in changes:
        unit.change(lambda unit, name=name, choice=choice: CHANGES[name](unit, choice))
    call = a_call(who)
    assert refusal(call, unit, secret_target(call, unit, SECRET_ARN, action)) == (
        f"User: {call.principal.arn} is not authorized to perform: {action} on resource: {SECRET_ARN}"
        + reason
    )


def test_the_endpoints_policy_is_asked_as_well(unit: MarkedUnit) -> None:
    call = a_call()
    wide = policy(for_principal("*", "*"))
    assert decide(replace(call, endpoint_policy=wide), unit).allowed
    narrow = replace(call, endpoint_policy=policy(for_principal("*", "s3:*")))
    decision = decide(narrow, unit)
    assert (decision.allowed, decision.layer, decision.explicit) == (False, Layer.VPC_ENDPOINT, False)
    assert not decide(replace(call, endpoint_policy="{"), unit).allowed
    assert decide(call, unit).allowed


def test_a_policy_that_cannot_be_read_refuses_even_root(unit: MarkedUnit) -> None:
    call = a_call("root")
    assert decide(call, unit).allowed
    unit.change(lambda unit: CHANGES["resource policy"](unit, 8))
    decision = decide(call, unit)
    assert (decision.allowed, decision.explicit) == (False, True)
    assert not decide(replace(call, resources=resources()), unit).allowed


@pytest.mark.parametrize("who", ["ann", "role", "federated"])
def test_who_is_no_more_gets_nothing_even_from_a_policy_for_everyone(unit: MarkedUnit, who: str) -> None:
    unit.change(lambda unit: CHANGES["resource policy"](unit, 1))
    call = a_call(who)
    assert decide(call, unit).allowed
    unit.change(lambda unit: CHANGES["role gone" if who == "role" else "user gone"](unit, 0))
    assert not decide(call, unit).allowed


def test_what_the_call_does_not_say_is_told_for_it(unit: MarkedUnit) -> None:
    said = {
        "aws:ResourceAccount": ACCOUNT,
        "aws:ViaAWSService": "false",
        "aws:PrincipalIsAWSService": "false",
    }
    give(unit, allow("*", Condition={"StringEquals": said}))
    call = a_call()
    assert decide(call, unit).allowed
    target = secret_target(call, unit, SECRET_ARN, GET)
    assert not allowed(call, unit, replace(target, owner_account=OTHER)).allowed
    assert not allowed(call, unit, replace(target, context={"aws:ViaAWSService": "true"})).allowed


def test_a_caller_cannot_speak_for_the_target(unit: MarkedUnit) -> None:
    unit.change(lambda unit: CHANGES["secret tags"](unit, 2))
    give(unit, deny("*", Condition={"StringEquals": {"aws:ResourceTag/team": "b"}}), allow("*"))
    for spelling in ("aws:ResourceTag/team", "AWS:resourcetag/TEAM"):
        call = a_call(context={spelling: "a", "aws:ResourceAccount": OTHER})
        assert not decide(call, unit).allowed

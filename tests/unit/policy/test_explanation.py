"""What is proposed to someone who was refused: it helps, all of it is needed, and it opens nothing else."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import msgspec
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from strongroom.policy.context import ContextKeys
from strongroom.policy.document import PolicyKind, parse_policy
from strongroom.policy.evaluation import (
    AccessRequest,
    Caller,
    CallerType,
    Decision,
    LabelledPolicy,
    Layer,
    PolicySet,
    evaluate,
)
from strongroom.policy.explanation import (
    AddGrant,
    AddStatement,
    Change,
    Explanation,
    NarrowDeny,
    apply_changes,
    explain,
)
from strongroom.policy.narrowing import written_policy, written_statement
from support.policies import (
    ACCOUNT,
    ANN,
    APP,
    FED,
    GET,
    OTHER_ANN,
    OTHER_APP,
    OTHER_ROOT,
    ROOT,
    ROOT_FED,
    SECRET,
    SERVICE,
    a_document,
    a_policy,
    allow,
    deny,
    labelled,
)

PUT = "secretsmanager:PutSecretValue"
DELETE = "secretsmanager:DeleteSecret"
ACTIONS = (GET, PUT, DELETE)
STAGING = SECRET.replace("prod/db", "prod/api")
ELSEWHERE = SECRET.replace("prod/db", "dev/db")
RESOURCES = (SECRET, STAGING, ELSEWHERE)
BEN = Caller(CallerType.USER, ACCOUNT, f"arn:aws:iam::{ACCOUNT}:user/ben", "AIDABEN0000000000000")
CALLERS = (ROOT, ANN, BEN, APP, FED, ROOT_FED, OTHER_ROOT, OTHER_ANN, OTHER_APP, SERVICE)
STANDS_FOR = {FED: ANN}
"""Sessions whose identity policies are those of another caller here."""
NAMES = [each.role_arn or each.arn for each in CALLERS if each is not SERVICE] + [ACCOUNT, APP.arn]


def context_of(caller: Caller, resource: str) -> dict[str, Any]:
    """What the server tells policies of a caller and a secret."""
    if caller.stands_alone:
        return {"secretsmanager:SecretId": resource}
    return {
        "aws:PrincipalArn": caller.role_arn or caller.arn,
        "aws:userid": caller.principal_id,
        "secretsmanager:SecretId": resource,
        "aws:ResourceTag/env": "prod" if "prod" in resource else "dev",
    }


# --- a world of callers and secrets, with the policies each has -------------------------------------------


@dataclass(frozen=True)
class House:
    """Policies by the place where they are kept, and so by whom they concern."""

    identity: dict[str, tuple[LabelledPolicy, ...]]
    """By the ARN of the user or role that has them."""
    resource: dict[str, tuple[LabelledPolicy, ...]]
    session: dict[str, tuple[LabelledPolicy, ...] | None]
    boundary: LabelledPolicy | None
    """One for all who are limited by it."""
    limited: frozenset[str]
    service_control: tuple[LabelledPolicy, ...]
    vpc_endpoint: LabelledPolicy | None
    delegates: bool

    def policies(self, caller: Caller, resource: str) -> PolicySet:
        holder = STANDS_FOR.get(caller, caller)
        return PolicySet(
            identity=self.identity.get(holder.arn, ()),
            resource=self.resource.get(resource, ()),
            boundary=self.boundary if caller.arn in self.limited else None,
            session=self.session.get(caller.arn),
            service_control=self.service_control if caller.account_id == ACCOUNT else (),
            vpc_endpoint=self.vpc_endpoint,
            resource_delegates_to_account=self.delegates,
        )

    def with_changed(self, caller: Caller, resource: str, changed: PolicySet) -> House:
        """Keep what was changed where it was kept, for everybody it concerns."""
        holder = STANDS_FOR.get(caller, caller)
        own = caller.account_id == ACCOUNT
        return replace(
            self,
            identity={**self.identity, holder.arn: changed.identity},
            resource={**self.resource, resource: changed.resource},
            session={**self.session, caller.arn: changed.session},
            boundary=changed.boundary if caller.arn in self.limited else self.boundary,
            service_control=changed.service_control if own else self.service_control,
            vpc_endpoint=changed.vpc_endpoint,
        )

    def decide(self, caller: Caller, action: str, resource: str) -> Decision:
        return evaluate(request_of(caller, action, resource), self.policies(caller, resource))

    def outcomes(self) -> dict[tuple[Caller, str, str], bool]:
        universe = product(CALLERS, ACTIONS, RESOURCES)
        return {place: self.decide(*place).allowed for place in universe}


def request_of(caller: Caller, action: str, resource: str) -> AccessRequest:
    return AccessRequest(action, resource, caller, ACCOUNT, ContextKeys(context_of(caller, resource)))


@st.composite
def statements(draw: st.DrawFn, *, principals: bool, own: bool) -> dict[str, Any]:
    denies = draw(st.integers(0, 3)) == 0
    statement: dict[str, Any] = {"Effect": "Deny" if denies else "Allow"}
    element = draw(st.sampled_from(["Action", "Action", "Action", "NotAction"]))
    patterns = ["*", "secretsmanager:*", "secretsmanager:Get*", "secretsmanager:?*Secret*", *ACTIONS]
    statement[element] = draw(st.lists(st.sampled_from(patterns), min_size=1, max_size=2))
    element = draw(st.sampled_from(["Resource", "Resource", "NotResource"]))
    wild = ["*", "arn:aws:secretsmanager:*:*:secret:prod/*", f"arn:aws:secretsmanager:*:{ACCOUNT}:*"]
    statement[element] = draw(st.lists(st.sampled_from([*wild, *RESOURCES]), min_size=1, max_size=2))
    if own:
        statement.pop("NotResource", None)
        statement["Resource"] = "*"
    if principals:
        element = draw(st.sampled_from(["Principal", "Principal", "Principal", "NotPrincipal"]))
        statement[element] = {"AWS": draw(st.lists(st.sampled_from([*NAMES, "*"]), min_size=1, max_size=2))}
    condition = draw(st.sampled_from([None, None, *CONDITIONS]))
    if condition is not None:
        statement["Condition"] = condition
    return statement


CONDITIONS: list[dict[str, Any]] = [
    {"StringEquals": {"aws:ResourceTag/env": "prod"}},
    {"StringNotEqualsIfExists": {"aws:ResourceTag/env": ["dev", "test"]}},
    {"ArnNotEquals": {"aws:PrincipalArn": BEN.arn}},
    {"ArnLike": {"aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:*"}, "Null": {"aws:userid": "false"}},
    {"ForAllValues:StringLike": {"aws:userid": "A*"}, "ArnEquals": {"secretsmanager:SecretId": SECRET}},
]


@st.composite
def policies(
    draw: st.DrawFn, *, principals: bool = False, own: bool = False, kind: PolicyKind | None = None
) -> LabelledPolicy:
    found = draw(st.lists(statements(principals=principals, own=own), min_size=1, max_size=3))
    grammar = kind or (PolicyKind.RESOURCE if principals else PolicyKind.IDENTITY)
    return LabelledPolicy("p", parse_policy(json.dumps(a_document(*found)), grammar))


@st.composite
def houses(draw: st.DrawFn) -> House:
    def seldom(strategy: st.SearchStrategy[Any]) -> Any:
        return draw(strategy) if draw(st.integers(0, 4)) == 0 else None

    delegates = draw(st.sampled_from([True, True, False]))
    kind = PolicyKind.RESOURCE if delegates else PolicyKind.KEY
    own = policies(principals=True, own=True, kind=kind)
    own_session = st.lists(policies(), max_size=1).map(tuple)
    holders = [each.arn for each in CALLERS if each.type in (CallerType.USER, CallerType.ASSUMED_ROLE)]
    sessions = [each.arn for each in (APP, FED, ROOT_FED, OTHER_APP)]
    return House(
        identity={each: tuple(draw(st.lists(policies(), max_size=2))) for each in holders},
        resource={each: tuple(draw(st.lists(own, max_size=1))) for each in RESOURCES},
        session={each: seldom(own_session) for each in sessions},
        boundary=draw(policies()),
        limited=draw(st.frozensets(st.sampled_from(holders), max_size=2)),
        service_control=() if (scp := seldom(policies())) is None else (scp,),
        vpc_endpoint=seldom(policies(principals=True)),
        delegates=delegates,
    )


def all_of_him(caller: Caller) -> set[Caller]:
    """The caller, and the sessions that have what he has, because they are his."""
    return {caller, *(session for session, holder in STANDS_FOR.items() if holder == caller)}


@settings(max_examples=150, deadline=None)
@given(houses(), st.sampled_from(CALLERS), st.sampled_from(ACTIONS), st.sampled_from(RESOURCES))
def test_what_is_proposed_helps_and_changes_nothing_else(
    house: House, caller: Caller, action: str, resource: str
) -> None:
    request, before = request_of(caller, action, resource), house.policies(caller, resource)
    decision = evaluate(request, before)
    if decision.allowed:
        event("allowed")
        return
    explanation = explain(request, before, decision, known_actions=ACTIONS)
    assert [each.layer for each in explanation.refusals] == list(decision.refusing)
    assert explanation.remedies
    event(f"explicit: {decision.explicit}, remedies: {len(explanation.remedies)}")
    outcomes = house.outcomes()
    for remedy in explanation.remedies:
        changed_policies = apply_changes(before, remedy)
        assert_writable(changed_policies)
        after = house.with_changed(caller, resource, changed_policies)
        assert after.decide(caller, action, resource).allowed
        changed = {place for place, allowed in after.outcomes().items() if outcomes[place] is not allowed}
        inexact = [each.also_spares for each in remedy if isinstance(each, NarrowDeny) and each.also_spares]
        # A service has no ARN that a condition could except it by.
        assert bool(inexact) is (caller.stands_alone and _has_denies(remedy))
        if not inexact:
            assert changed <= {(him, action, resource) for him in all_of_him(caller)}
            event(f"changed: {len(changed)}")


def assert_writable(policies: PolicySet) -> None:
    """Every policy can be stored as it is proposed, and its statements are where they say they are."""
    one = (each for each in (policies.boundary, policies.vpc_endpoint) if each is not None)
    for each in (*policies.identity, *policies.resource, *(policies.session or ()), *one):
        statements = each.policy.statements
        assert [statement.index for statement in statements] == list(range(len(statements)))
        if statements:
            again = parse_policy(json.dumps(written_policy(each.policy)), each.policy.kind)
            assert again.keys_read == each.policy.keys_read


def _has_denies(remedy: tuple[Change, ...]) -> bool:
    return any(isinstance(each, NarrowDeny) for each in remedy)


@settings(max_examples=60, deadline=None)
@given(houses(), st.sampled_from(CALLERS), st.sampled_from(ACTIONS), st.sampled_from(RESOURCES))
def test_nothing_of_a_remedy_can_be_left_out(
    house: House, caller: Caller, action: str, resource: str
) -> None:
    request, before = request_of(caller, action, resource), house.policies(caller, resource)
    decision = evaluate(request, before)
    if decision.allowed:
        return
    for remedy in explain(request, before, decision, known_actions=ACTIONS).remedies:
        for left_out in remedy:
            rest = [each for each in remedy if each is not left_out]
            assert not evaluate(request, apply_changes(before, rest)).allowed


@settings(max_examples=80, deadline=None)
@given(policies(principals=True), st.sampled_from(CALLERS), st.sampled_from(RESOURCES))
def test_a_policy_written_out_again_means_the_same(
    policy: LabelledPolicy, caller: Caller, resource: str
) -> None:
    again = parse_policy(json.dumps(written_policy(policy.policy)), policy.policy.kind)
    for action in ACTIONS:
        request = request_of(caller, action, resource)
        one = evaluate(request, PolicySet(resource=(policy,)))
        assert evaluate(request, PolicySet(resource=(LabelledPolicy("p", again),))) == one


def test_a_statement_is_written_as_it_was() -> None:
    written = {
        "Sid": "All",
        "Effect": "Deny",
        "NotPrincipal": {"AWS": [ANN.arn, ACCOUNT], "Service": SERVICE.arn},
        "NotAction": ["kms:Decrypt", "s3:*"],
        "NotResource": SECRET,
        "Condition": {
            "ForAnyValue:StringNotLikeIfExists": {"aws:TagKeys": ["a", "b*"]},
            "Null": {"aws:SourceIp": "true"},
        },
    }
    assert written_statement(a_policy(written, kind=PolicyKind.RESOURCE).statements[0]) == written


# --- single cases ----------------------------------------------------------------------------------------


def explained(caller: Caller, policies_: PolicySet, action: str = GET, **options: Any) -> Explanation:
    request = request_of(caller, action, SECRET)
    decision = evaluate(request, policies_)
    assert not decision.allowed
    return explain(request, policies_, decision, known_actions=ACTIONS, **options)


def test_without_any_policy_an_identity_or_a_resource_statement_would_do() -> None:
    found = explained(ANN, PolicySet())
    assert [(each.layer, each.denies) for each in found.refusals] == [(Layer.IDENTITY, ())]
    assert found.remedies == (
        (AddStatement(Layer.IDENTITY, "", {"Effect": "Allow", "Action": GET, "Resource": SECRET}),),
        (
            AddStatement(
                Layer.RESOURCE,
                SECRET,
                {"Effect": "Allow", "Principal": {"AWS": ANN.arn}, "Action": GET, "Resource": "*"},
            ),
        ),
    )


def test_no_resource_policy_is_proposed_where_none_can_be() -> None:
    found = explained(ANN, PolicySet(), takes_policy=False)
    assert [[each.layer for each in remedy] for remedy in found.remedies] == [[Layer.IDENTITY]]


def test_across_accounts_both_sides_have_to_allow() -> None:
    found = explained(OTHER_APP, PolicySet())
    assert [[each.layer for each in remedy] for remedy in found.remedies] == [
        [Layer.RESOURCE, Layer.IDENTITY]
    ]
    statement = found.remedies[0][0]
    assert isinstance(statement, AddStatement)
    assert statement.statement["Principal"] == {"AWS": OTHER_APP.role_arn}


def test_a_key_is_opened_by_its_policy_or_by_a_grant_for_this_context_only() -> None:
    key = f"arn:aws:kms:eu-central-1:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    context = {
        "aws:PrincipalArn": ANN.arn,
        "kms:EncryptionContextKeys": ("SecretARN",),
        "kms:EncryptionContext:SecretARN": SECRET,
    }
    request = AccessRequest("kms:Decrypt", key, ANN, ACCOUNT, context)
    policies_ = PolicySet(
        identity=(labelled(allow()),),
        resource=(labelled(allow(APP.role_arn), kind=PolicyKind.KEY, label=key),),
        resource_delegates_to_account=False,
    )
    found = explain(request, policies_, evaluate(request, policies_), takes_grant=True)
    assert [each.layer for each in found.refusals] == [Layer.RESOURCE]
    by_policy, by_grant = found.remedies
    assert by_policy == (
        AddStatement(
            Layer.RESOURCE,
            key,
            {"Effect": "Allow", "Principal": {"AWS": ANN.arn}, "Action": "kms:Decrypt", "Resource": "*"},
        ),
    )
    assert by_grant == (
        AddGrant(
            Layer.GRANT,
            {
                "KeyId": key,
                "GranteePrincipal": ANN.arn,
                "Operations": ["Decrypt"],
                "Constraints": {"EncryptionContextEquals": {"SecretARN": SECRET}},
            },
        ),
    )
    assert [(each.statement.layer, each.misses) for each in found.near_misses] == [
        (Layer.RESOURCE, ("Principal",))
    ]


def test_a_boundary_that_others_have_too_is_widened_for_the_caller_alone() -> None:
    boundary = labelled(allow(Action="s3:*"), label="arn:aws:iam::aws:policy/B")
    found = explained(ANN, PolicySet(identity=(labelled(allow()),), boundary=boundary))
    assert found.remedies[0] == (
        AddStatement(
            Layer.BOUNDARY,
            "arn:aws:iam::aws:policy/B",
            {
                "Effect": "Allow",
                "Action": GET,
                "Resource": SECRET,
                "Condition": {"ArnEquals": {"aws:PrincipalArn": ANN.arn}},
            },
        ),
    )


def test_the_narrowest_exception_to_a_deny_of_everything() -> None:
    nobody = labelled({"Sid": "Freeze"} | deny("*"), kind=PolicyKind.RESOURCE, label=SECRET)
    found = explained(ANN, PolicySet(identity=(labelled(allow()),), resource=(nobody,)))
    (refusal,) = found.refusals
    assert [(each.label, each.sid, each.index) for each in refusal.denies] == [(SECRET, "Freeze", 0)]
    ((change,),) = found.remedies
    assert change == NarrowDeny(
        Layer.RESOURCE,
        SECRET,
        "Freeze",
        0,
        0,
        (
            {
                "Sid": "Freeze",
                "Effect": "Deny",
                "Principal": {"AWS": "*"},
                "Action": "*",
                "Resource": "*",
                "Condition": {"ArnNotEquals": {"aws:PrincipalArn": ANN.arn}},
            },
            {
                "Effect": "Deny",
                "Principal": {"AWS": "*"},
                "NotAction": GET,
                "Resource": "*",
                "Condition": {"ArnEquals": {"aws:PrincipalArn": ANN.arn}},
            },
        ),
    )


def test_an_exception_the_language_cannot_say_exactly_is_said_to_spare_more() -> None:
    key = f"arn:aws:kms:eu-central-1:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    frozen = labelled(allow(), deny(Action="kms:Decrypt", Resource="arn:aws:kms:*:*:key/1*"))
    request = AccessRequest("kms:Decrypt", key, ANN, ACCOUNT, {"aws:PrincipalArn": ANN.arn})
    policies_ = PolicySet(identity=(frozen,))
    ((change,),) = explain(request, policies_, evaluate(request, policies_)).remedies
    assert isinstance(change, NarrowDeny)
    assert change.also_spares == "this action on other resources that arn:aws:kms:*:*:key/1* stands for"


def test_keys_are_shown_as_the_request_had_them_and_cut_short() -> None:
    conditions = {"StringEquals": {"aws:useragent": "x", "aws:SourceIp": "y"}}
    policies_ = PolicySet(identity=(labelled(allow(Condition=conditions)),))
    request = AccessRequest(GET, SECRET, ANN, ACCOUNT, {"aws:UserAgent": "u" * 3000})
    found = explain(request, policies_, evaluate(request, policies_))
    assert [(each.key, each.values) for each in found.keys] == [
        ("aws:SourceIp", ()),
        ("aws:UserAgent", ("u" * 256,)),
    ]
    (miss,) = found.near_misses
    assert miss.misses == ("StringEquals aws:useragent", "StringEquals aws:SourceIp")


def test_an_explanation_goes_to_json_and_back() -> None:
    found = explained(ANN, PolicySet(identity=(labelled(deny(Action="secretsmanager:Get*")),)))
    assert msgspec.json.decode(msgspec.json.encode(found), type=Explanation) == found


@pytest.mark.parametrize("resource", [SECRET, "*"])
def test_every_remedy_for_a_deny_of_one_own_action_removes_it(resource: str) -> None:
    # Others with the same policy keep being denied.
    request = AccessRequest(GET, resource, ANN, ACCOUNT, {"aws:PrincipalArn": ANN.arn})
    policies_ = PolicySet(identity=(labelled(allow(), deny(Action=GET, Resource=resource)),))
    ((change,),) = explain(request, policies_, evaluate(request, policies_)).remedies
    assert isinstance(change, NarrowDeny)
    (kept,) = change.statements
    assert kept["Condition"] == {"ArnNotEquals": {"aws:PrincipalArn": ANN.arn}}

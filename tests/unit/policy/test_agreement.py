"""Properties of evaluation over random policy sets, and agreement with the naive second evaluator."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from strongroom.policy.document import PolicyKind, parse_policy
from strongroom.policy.evaluation import (
    AccessRequest,
    CallerType,
    Decision,
    LabelledPolicy,
    PolicySet,
    evaluate,
)
from support.policies import (
    ACCOUNT,
    ANN,
    APP,
    FED,
    OTHER,
    OTHER_ANN,
    OTHER_APP,
    OTHER_ROOT,
    ROOT,
    ROOT_FED,
    SECRET,
    SERVICE,
    a_document,
    allow,
    deny,
    labelled,
)
from support.policy_oracle import OracleSet, oracle
from support.policy_vectors import oracle_request

CALLERS = [ROOT, ANN, APP, FED, ROOT_FED, OTHER_ROOT, OTHER_ANN, OTHER_APP, SERVICE]
NAMES = ["*", ACCOUNT, OTHER, ROOT.arn, ANN.arn, ANN.principal_id, APP.arn, str(APP.role_arn), FED.arn]
NAMES += [OTHER_ANN.arn, OTHER_APP.arn, str(OTHER_APP.role_arn), OTHER_ROOT.arn]
ACTIONS = ["secretsmanager:GetSecretValue", "secretsmanager:PutSecretValue", "kms:Decrypt"]
ACTION_PATTERNS = ["*", "secretsmanager:*", "SecretsManager:get*", "kms:Decrypt", "*:?etSecretValue", "s3:*"]
BUCKET = "arn:aws:s3:::b"
RESOURCES = [SECRET, SECRET.replace("prod", "dev"), BUCKET, "*"]
RESOURCE_PATTERNS = [
    "*",
    SECRET,
    "arn:aws:secretsmanager",
    "arn:aws:secretsmanager:*:*:secret:prod/*",
    f"arn:aws:secretsmanager:eu-*:{ACCOUNT}:secret:*/db-??????",
    f"arn:aws:secretsmanager:*:{ACCOUNT}:secret:${{t:team}}/*",
    "arn:aws:secretsmanager:eu-central-1:*:secret:*${t:other, 'd'}b-*",
    BUCKET,
]
CONDITIONS: list[dict[str, Any]] = [
    {"StringEquals": {"t:team": "prod"}},
    {"StringNotEquals": {"T:Team": ["dev", "x"]}},
    {"StringLikeIfExists": {"t:team": "p*"}},
    {"StringEquals": {"t:team": "${t:other}"}},
    {"ForAnyValue:StringLike": {"t:team": ["d?v", "q"]}},
    {"ForAllValues:StringEquals": {"t:team": ["prod", "dev"]}},
    {"Null": {"t:team": "true"}},
    {"NumericLessThan": {"t:n": 5}},
    {"Bool": {"t:b": True}},
    {"IpAddress": {"t:ip": ["10.0.0.0/8", "::1"]}},
    {"ArnLike": {"t:arn": "arn:aws:iam::*:role/${t:team}"}},
    {"StringNotEquals": {"t:other": "z"}, "DateGreaterThan": {"t:d": "2026-01-01"}},
]
CONTEXTS = st.fixed_dictionaries(
    {},
    optional={
        "t:Team": st.sampled_from(["prod", "dev", "*", ("prod",), ("prod", "dev"), ()]),
        "T:OTHER": st.sampled_from(["d", "prod", "z"]),
        "t:n": st.sampled_from(["1", "9", "many"]),
        "t:b": st.sampled_from(["true", "false", "?"]),
        "t:ip": st.sampled_from(["10.1.1.1", "::1", "nowhere"]),
        "t:arn": st.sampled_from(["arn:aws:iam::1:role/prod", "arn:aws:iam::1:user/prod", "x"]),
        "t:d": st.sampled_from(["2026-06-01", "2025-06-01", "soon"]),
    },
)


def some(choices: list[str]) -> st.SearchStrategy[Any]:
    return st.one_of(st.sampled_from(choices), st.lists(st.sampled_from(choices), min_size=1, max_size=3))


@st.composite
def statements(draw: st.DrawFn, *, principals: bool) -> dict[str, Any]:
    statement: dict[str, Any] = {"Effect": draw(st.sampled_from(["Allow", "Allow", "Allow", "Deny"]))}
    statement[draw(st.sampled_from(["Action", "Action", "Action", "NotAction"]))] = draw(
        some(ACTION_PATTERNS)
    )
    statement[draw(st.sampled_from(["Resource", "Resource", "NotResource"]))] = draw(some(RESOURCE_PATTERNS))
    if principals:
        name = draw(st.sampled_from(["Principal", "Principal", "Principal", "NotPrincipal"]))
        named: dict[str, Any] = {"AWS": draw(some(NAMES))}
        if draw(st.integers(0, 3)) == 0:
            named["Service"] = SERVICE.arn
        statement[name] = draw(st.sampled_from(["*", named, named, named]))
    if draw(st.booleans()):
        statement["Condition"] = draw(st.sampled_from(CONDITIONS))
    return statement


@st.composite
def documents(draw: st.DrawFn, *, principals: bool) -> dict[str, Any]:
    found = draw(st.lists(statements(principals=principals), min_size=1, max_size=3))
    document = a_document(*found)
    if draw(st.integers(0, 9)) == 0:
        document["Version"] = "2008-10-17"
    return document


@st.composite
def oracle_sets(draw: st.DrawFn) -> OracleSet:
    identity, resource = documents(principals=False), documents(principals=True)

    def seldom(strategy: st.SearchStrategy[Any], default: Any) -> Any:
        return draw(strategy) if draw(st.integers(0, 4)) == 0 else default

    return OracleSet(
        identity=draw(st.lists(identity, max_size=2)),
        resource=draw(st.lists(resource, max_size=1)),
        boundary=seldom(identity, None),
        session=seldom(st.lists(identity, max_size=2), None),
        vpc_endpoint=seldom(resource, None),
        service_control=seldom(st.lists(identity, max_size=2), []),
        resource_control=seldom(st.lists(resource, max_size=2), []),
        delegates=draw(st.sampled_from([True, True, False])),
    )


REQUESTS = st.builds(
    AccessRequest,
    action=st.sampled_from(ACTIONS),
    resource=st.sampled_from(RESOURCES),
    principal=st.sampled_from(CALLERS),
    resource_account=st.just(ACCOUNT),
    context=CONTEXTS,
)


def compiled(documents: Any, kind: PolicyKind = PolicyKind.IDENTITY) -> tuple[LabelledPolicy, ...]:
    return tuple(
        LabelledPolicy(str(number), parse_policy(json.dumps(each), kind))
        for number, each in enumerate(documents)
    )


def policy_set(given: OracleSet) -> PolicySet:
    resource = PolicyKind.RESOURCE
    return PolicySet(
        identity=compiled(given.identity),
        resource=compiled(given.resource, resource),
        boundary=None if given.boundary is None else compiled([given.boundary])[0],
        session=None if given.session is None else compiled(given.session),
        vpc_endpoint=None if given.vpc_endpoint is None else compiled([given.vpc_endpoint], resource)[0],
        service_control=compiled(given.service_control),
        resource_control=compiled(given.resource_control, resource),
        resource_delegates_to_account=given.delegates,
    )


def outcome(decision: Decision) -> tuple[Any, ...]:
    return decision.allowed, decision.layer, decision.explicit, decision.refusing


@settings(max_examples=250, deadline=None)
@given(REQUESTS, oracle_sets())
def test_the_evaluator_agrees_with_the_naive_one(request_: AccessRequest, given_: OracleSet) -> None:
    decision = evaluate(request_, policy_set(given_))
    assert (decision.allowed, decision.explicit) == oracle(oracle_request(request_), given_)


@settings(max_examples=60, deadline=None)
@given(REQUESTS, oracle_sets())
def test_a_decision_tells_of_itself_consistently(request_: AccessRequest, given_: OracleSet) -> None:
    decision = evaluate(request_, policy_set(given_))
    if decision.allowed:
        assert (decision.explicit, decision.refusing) == (False, ())
    else:
        assert decision.layer is decision.refusing[0]
        assert len(set(decision.refusing)) == len(decision.refusing)
        assert decision.explicit is bool(decision.determining)
        assert {each.layer for each in decision.determining} <= set(decision.refusing)


LAYERS = (
    "identity",
    "resource",
    "boundary",
    "session",
    "vpc_endpoint",
    "service_control",
    "resource_control",
)
WITH_PRINCIPALS = ("resource", "vpc_endpoint", "resource_control")


def with_statement(given_: OracleSet, layer: str, statement: dict[str, Any]) -> OracleSet:
    """The same set with one statement more in a layer."""
    changed = OracleSet(**vars(given_))
    present = getattr(changed, layer)
    if layer in ("boundary", "vpc_endpoint"):
        setattr(changed, layer, a_document(*(present or {"Statement": []})["Statement"], statement))
    else:
        setattr(changed, layer, [*(present or ()), a_document(statement)])
    return changed


@settings(max_examples=60, deadline=None)
@given(REQUESTS, oracle_sets(), st.sampled_from(LAYERS))
def test_an_explicit_deny_wins(request_: AccessRequest, given_: OracleSet, layer: str) -> None:
    denied = with_statement(given_, layer, deny("*" if layer in WITH_PRINCIPALS else None))
    decision = evaluate(request_, policy_set(denied))
    assert (decision.allowed, decision.explicit) == (False, True)


@settings(max_examples=80, deadline=None)
@given(REQUESTS, oracle_sets(), st.sampled_from(LAYERS), st.data())
def test_adding_a_deny_never_allows(
    request_: AccessRequest, given_: OracleSet, layer: str, data: st.DataObject
) -> None:
    statement = data.draw(statements(principals=layer in WITH_PRINCIPALS)) | {"Effect": "Deny"}
    before = evaluate(request_, policy_set(given_))
    after = evaluate(request_, policy_set(with_statement(given_, layer, statement)))
    assert before.allowed or not after.allowed


@settings(max_examples=60, deadline=None)
@given(REQUESTS, oracle_sets(), st.randoms(use_true_random=False))
def test_order_and_duplicates_do_not_matter(request_: AccessRequest, given_: OracleSet, random: Any) -> None:
    shuffled = OracleSet(**vars(given_))
    for layer in ("identity", "resource", "service_control", "resource_control", "session"):
        listed = getattr(shuffled, layer)
        if listed:
            twice = [
                a_document(*each["Statement"][::-1]) | {"Version": each["Version"]} for each in listed
            ] * 2
            random.shuffle(twice)
            setattr(shuffled, layer, twice)
    assert outcome(evaluate(request_, policy_set(shuffled))) == outcome(
        evaluate(request_, policy_set(given_))
    )


@settings(max_examples=60, deadline=None)
@given(REQUESTS.filter(lambda each: each.principal.type is not CallerType.ROOT), oracle_sets())
def test_without_an_allow_anywhere_everything_is_refused(request_: AccessRequest, given_: OracleSet) -> None:
    stripped = OracleSet(**vars(given_))
    for layer in LAYERS:
        present = getattr(stripped, layer)
        for document in [present] if isinstance(present, dict) else present or ():
            document["Statement"] = [
                {**each, "Effect": "Deny"} if each["Effect"] == "Allow" else each
                for each in document["Statement"]
            ]
    assert not evaluate(request_, policy_set(stripped)).allowed
    assert not evaluate(request_, PolicySet()).allowed


def test_the_universe_above_has_every_kind_of_outcome() -> None:
    # Guards the properties against a universe in which nothing is ever allowed.
    wide = PolicySet(
        identity=(labelled(allow()),), resource=compiled([a_document(allow("*"))], PolicyKind.RESOURCE)
    )
    for caller in CALLERS:
        decision = evaluate(AccessRequest(ACTIONS[0], SECRET, caller, ACCOUNT), wide)
        assert decision.allowed
    assert not evaluate(AccessRequest(ACTIONS[0], SECRET, OTHER_ANN, ACCOUNT), PolicySet()).allowed

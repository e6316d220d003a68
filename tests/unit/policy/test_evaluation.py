"""The decision: same account, across accounts, keys, trust policies, and the words of a refusal."""

from __future__ import annotations

from typing import Any

import pytest

from strongroom.policy.document import PolicyKind
from strongroom.policy.evaluation import (
    AccessRequest,
    Caller,
    Context,
    Decision,
    DeterminingStatement,
    LabelledPolicy,
    Layer,
    PolicySet,
    denial_message,
    evaluate,
)
from support.policies import (
    ACCOUNT,
    ANN,
    APP,
    FED,
    GET,
    OTHER,
    OTHER_ANN,
    OTHER_APP,
    OTHER_ROOT,
    PROVIDER,
    ROOT,
    ROOT_FED,
    SECRET,
    SERVICE,
    WORKFLOW,
    allow,
    deny,
    labelled,
)

KEY = f"arn:aws:kms:eu-central-1:{ACCOUNT}:key/1"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/service/App"
ALLOWING = (labelled(allow()),)
DENYING = (labelled(deny()),)
SILENT = (labelled(allow(Action="s3:*")),)


def on_resource(
    *statements: dict[str, Any], kind: PolicyKind = PolicyKind.RESOURCE
) -> tuple[LabelledPolicy, ...]:
    return (labelled(*statements, kind=kind, label="r"),)


def decide(
    caller: Caller,
    *,
    context: Context | None = None,
    **policies: Any,
) -> Decision:
    """May the caller read a secret of ACCOUNT?"""
    return evaluate(AccessRequest(GET, SECRET, caller, ACCOUNT, context or {}), PolicySet(**policies))


def refused(decision: Decision) -> tuple[Layer, ...]:
    assert not decision.allowed
    assert decision.layer is decision.refusing[0]
    return decision.refusing


# --- within the account ----------------------------------------------------------------------------------


def test_nothing_is_allowed_without_an_allow() -> None:
    for caller in (ANN, APP):
        decision = decide(caller)
        assert decision == Decision(False, Layer.IDENTITY, False, (), (Layer.IDENTITY,))


def test_an_identity_allow_is_enough() -> None:
    decision = decide(ANN, identity=(labelled(allow(Sid="Yes"), label="inline"),))
    assert decision == Decision(
        True, Layer.IDENTITY, False, (DeterminingStatement(Layer.IDENTITY, "inline", "Yes", 0),)
    )


def test_statements_that_do_not_fit_count_for_nothing() -> None:
    policies = (
        labelled(allow(Action="secretsmanager:Put*")),
        labelled(allow(Resource="arn:aws:secretsmanager:*:*:secret:dev/*")),
        labelled(allow(Condition={"Bool": {"aws:SecureTransport": "true"}})),
    )
    assert refused(decide(ANN, identity=policies)) == (Layer.IDENTITY,)
    assert decide(ANN, identity=policies, context={"aws:securetransport": "true"}).allowed


def test_an_explicit_deny_in_any_layer_refuses() -> None:
    for layer, policies in {
        Layer.IDENTITY: {"identity": ALLOWING + DENYING},
        Layer.RESOURCE: {"identity": ALLOWING, "resource": on_resource(allow("*"), deny(ANN.arn))},
        Layer.BOUNDARY: {"identity": ALLOWING, "boundary": labelled(allow(), deny())},
        Layer.SESSION: {"identity": ALLOWING, "session": (labelled(allow()), labelled(deny()))},
        Layer.SERVICE_CONTROL: {"identity": ALLOWING, "service_control": ALLOWING + DENYING},
        Layer.RESOURCE_CONTROL: {
            "identity": ALLOWING,
            "resource_control": on_resource(allow("*"), deny("*")),
        },
        Layer.VPC_ENDPOINT: {
            "identity": ALLOWING,
            "vpc_endpoint": labelled(allow("*"), deny("*"), kind=PolicyKind.RESOURCE),
        },
    }.items():
        decision = decide(ANN, **policies)
        assert refused(decision) == (layer,)
        assert decision.explicit
        assert {each.layer for each in decision.determining} == {layer}
        # Not even being named directly, or a grant, helps.
        assert not decide(ANN, **{**policies, "grants": ("g",)}).allowed


def test_all_refusing_layers_are_told_those_that_deny_first() -> None:
    decision = decide(
        APP,
        identity=SILENT,
        boundary=labelled(deny(Sid="B")),
        session=(labelled(allow(Action="s3:*")),),
        service_control=SILENT,
        resource=on_resource(deny("*", Sid="R")),
    )
    assert decision.explicit
    assert refused(decision) == (
        Layer.RESOURCE,
        Layer.BOUNDARY,
        Layer.SERVICE_CONTROL,
        Layer.IDENTITY,
        Layer.SESSION,
    )
    assert decision.determining == (
        DeterminingStatement(Layer.RESOURCE, "r", "R", 0),
        DeterminingStatement(Layer.BOUNDARY, "p", "B", 0),
    )


@pytest.mark.parametrize(
    ("layer", "policies"),
    [
        (Layer.BOUNDARY, {"boundary": SILENT[0]}),
        (Layer.SESSION, {"session": SILENT}),
        (Layer.SESSION, {"session": ()}),
        (Layer.SERVICE_CONTROL, {"service_control": SILENT}),
        (Layer.RESOURCE_CONTROL, {"resource_control": on_resource(allow(OTHER))}),
        (Layer.VPC_ENDPOINT, {"vpc_endpoint": on_resource(allow(OTHER_ANN.arn))[0]}),
    ],
)
def test_a_limiting_layer_without_an_allow_refuses(layer: Layer, policies: dict[str, Any]) -> None:
    decision = decide(ANN, identity=ALLOWING, **policies)
    assert refused(decision) == (layer,)
    assert not decision.explicit


def test_limiting_layers_that_allow_leave_the_decision_to_identity() -> None:
    decision = decide(
        ANN,
        identity=ALLOWING,
        boundary=ALLOWING[0],
        session=ALLOWING,
        service_control=ALLOWING,
        resource_control=on_resource(allow("*")),
        vpc_endpoint=on_resource(allow(ACCOUNT))[0],
    )
    assert (decision.allowed, decision.layer) == (True, Layer.IDENTITY)
    assert {each.layer for each in decision.determining} == {
        Layer.IDENTITY,
        Layer.BOUNDARY,
        Layer.SESSION,
        Layer.SERVICE_CONTROL,
        Layer.RESOURCE_CONTROL,
        Layer.VPC_ENDPOINT,
    }
    assert refused(decide(ANN, boundary=ALLOWING[0], session=ALLOWING)) == (Layer.IDENTITY,)


# The table of fact sheet iam section 4: what an Allow in the resource policy overrides within the account.
# (caller, principal written, allowed alone, allowed past boundary, allowed past session policy)
SAME_ACCOUNT: list[tuple[str, Caller, Any, bool, bool, bool]] = [
    ("user", ANN, ANN.arn, True, True, True),
    ("user by id", ANN, ANN.principal_id, True, True, True),
    ("role session", APP, APP.arn, True, True, True),
    ("role", APP, ROLE, True, False, False),
    ("role by id", APP, "AROAAPP0000000000000", True, False, False),
    ("account, user", ANN, ACCOUNT, False, False, False),
    ("account root, role", APP, ROOT.arn, False, False, False),
    ("everyone, user", ANN, "*", True, True, True),
    ("everyone, role", APP, "*", True, True, True),
    ("another user", ANN, f"arn:aws:iam::{ACCOUNT}:user/ann", False, False, False),
    ("another role", APP, f"arn:aws:iam::{ACCOUNT}:role/App", False, False, False),
    ("another session", APP, f"arn:aws:sts::{ACCOUNT}:assumed-role/App/i-2", False, False, False),
    ("another account", ANN, OTHER, False, False, False),
    ("same name elsewhere", ANN, OTHER_ANN.arn, False, False, False),
]


@pytest.mark.parametrize(
    ("caller", "principal", "alone", "past_boundary", "past_session"),
    [row[1:] for row in SAME_ACCOUNT],
    ids=[row[0] for row in SAME_ACCOUNT],
)
def test_what_a_resource_policy_overrides_within_the_account(
    caller: Caller, principal: str, alone: bool, past_boundary: bool, past_session: bool
) -> None:
    resource = on_resource(allow(principal))
    assert not decide(caller).allowed
    for identity in ((), SILENT):
        decision = decide(caller, identity=identity, resource=resource)
        assert decision.allowed is alone
        assert decision.layer is (Layer.RESOURCE if alone else Layer.IDENTITY)
    for limits, expected in (
        ({"boundary": SILENT[0]}, past_boundary),
        ({"session": SILENT}, past_session),
        ({"boundary": SILENT[0], "session": SILENT}, past_boundary and past_session),
    ):
        assert decide(caller, resource=resource, **limits).allowed is expected
        # An identity Allow helps over none of these limits.
        assert decide(caller, resource=resource, identity=ALLOWING, **limits).allowed is expected


def test_a_federated_session_has_only_what_its_session_policy_and_its_user_have() -> None:
    assert refused(decide(FED, identity=ALLOWING)) == (Layer.SESSION,)
    assert refused(decide(FED)) == (Layer.IDENTITY, Layer.SESSION)
    assert decide(FED, identity=ALLOWING, session=ALLOWING).allowed
    assert refused(decide(FED, identity=ALLOWING, session=SILENT)) == (Layer.SESSION,)
    assert refused(decide(FED, session=ALLOWING)) == (Layer.IDENTITY,)
    assert decide(ROOT_FED, session=ALLOWING).allowed
    assert refused(decide(ROOT_FED)) == (Layer.SESSION,)


@pytest.mark.parametrize(
    ("principal", "alone", "with_session"),
    [
        (FED.arn, True, True),
        (ANN.arn, False, True),
        (ANN.principal_id, False, True),
        (ACCOUNT, False, False),
        ("*", True, True),
    ],
)
def test_resource_policies_and_federated_sessions(principal: str, alone: bool, with_session: bool) -> None:
    resource = on_resource(allow(principal))
    assert decide(FED, resource=resource).allowed is alone
    assert decide(FED, resource=resource, session=ALLOWING).allowed is with_session
    assert decide(FED, resource=resource, session=SILENT).allowed is alone
    assert decide(FED, resource=resource, session=ALLOWING, boundary=SILENT[0]).allowed is alone


# --- root ------------------------------------------------------------------------------------------------


def test_root_is_allowed_unless_something_refuses() -> None:
    assert decide(ROOT) == Decision(True, Layer.ROOT_USER)
    assert decide(ROOT, resource=on_resource(allow(ANN.arn))).layer is Layer.ROOT_USER
    assert decide(ROOT, service_control=ALLOWING).allowed
    assert refused(decide(ROOT, service_control=SILENT)) == (Layer.SERVICE_CONTROL,)
    assert refused(decide(ROOT, resource_control=on_resource(allow(OTHER)))) == (Layer.RESOURCE_CONTROL,)
    assert refused(decide(ROOT, resource=on_resource(deny(ACCOUNT)))) == (Layer.RESOURCE,)
    assert refused(decide(ROOT, resource=on_resource(deny("*")))) == (Layer.RESOURCE,)
    endpoint = on_resource(allow(OTHER))[0]
    assert refused(decide(ROOT, vpc_endpoint=endpoint)) == (Layer.VPC_ENDPOINT,)


def test_root_of_another_account_is_nobody_special() -> None:
    assert refused(decide(OTHER_ROOT)) == (Layer.RESOURCE,)
    assert decide(OTHER_ROOT, resource=on_resource(allow(OTHER))).allowed


# --- across accounts -------------------------------------------------------------------------------------


@pytest.mark.parametrize("caller", [OTHER_ANN, OTHER_APP])
@pytest.mark.parametrize("by", ["account", "root", "itself", "behind", "everyone"])
def test_across_accounts_both_sides_must_allow(caller: Caller, by: str) -> None:
    principal = {
        "account": OTHER,
        "root": OTHER_ROOT.arn,
        "itself": caller.arn,
        "behind": caller.role_arn or caller.principal_id,
        "everyone": "*",
    }[by]
    resource = on_resource(allow(principal))
    decision = decide(caller, resource=resource, identity=ALLOWING)
    assert (decision.allowed, decision.layer) == (True, Layer.RESOURCE)
    assert {each.layer for each in decision.determining} == {Layer.RESOURCE, Layer.IDENTITY}
    assert refused(decide(caller, resource=resource)) == (Layer.IDENTITY,)
    assert refused(decide(caller, resource=resource, identity=SILENT)) == (Layer.IDENTITY,)
    assert refused(decide(caller, identity=ALLOWING)) == (Layer.RESOURCE,)
    assert refused(decide(caller)) == (Layer.RESOURCE, Layer.IDENTITY)
    others = on_resource(allow(ACCOUNT))
    assert refused(decide(caller, resource=others, identity=ALLOWING)) == (Layer.RESOURCE,)
    for layer, limits in (
        (Layer.BOUNDARY, {"boundary": SILENT[0]}),
        (Layer.SESSION, {"session": SILENT}),
        (Layer.SERVICE_CONTROL, {"service_control": SILENT}),
    ):
        assert refused(decide(caller, resource=resource, identity=ALLOWING, **limits)) == (layer,)


def test_across_accounts_the_action_must_be_allowed_on_the_full_arn() -> None:
    resource = on_resource(allow(OTHER))
    own = f"arn:aws:secretsmanager:*:{OTHER}:secret:*"
    assert not decide(OTHER_ANN, resource=resource, identity=(labelled(allow(Resource=own)),)).allowed
    theirs = f"arn:aws:secretsmanager:*:{ACCOUNT}:secret:prod/*"
    assert decide(OTHER_ANN, resource=resource, identity=(labelled(allow(Resource=theirs)),)).allowed


# --- keys, roles, grants ---------------------------------------------------------------------------------


def ask_key(caller: Caller, *statements: dict[str, Any], **policies: Any) -> Decision:
    return evaluate(
        AccessRequest("kms:Decrypt", KEY, caller, ACCOUNT, {"kms:ViaService": "x"}),
        PolicySet(
            resource=on_resource(*statements, kind=PolicyKind.KEY),
            resource_delegates_to_account=False,
            **policies,
        ),
    )


def test_without_the_key_policy_nobody_has_a_key() -> None:
    for caller in (ROOT, ANN, APP):
        decision = ask_key(caller, allow(OTHER), identity=ALLOWING)
        assert refused(decision) == (Layer.RESOURCE,)
        assert not decision.explicit
    request = AccessRequest("kms:Decrypt", KEY, ROOT, ACCOUNT)
    bare = PolicySet(resource_delegates_to_account=False)
    assert refused(evaluate(request, bare)) == (Layer.RESOURCE,)


def test_identity_policies_count_for_a_key_that_names_the_account() -> None:
    to_account = allow(ROOT.arn, Action="kms:*")
    assert ask_key(ANN, to_account, identity=ALLOWING).layer is Layer.IDENTITY
    assert refused(ask_key(ANN, to_account)) == (Layer.IDENTITY,)
    assert ask_key(ROOT, to_account).layer is Layer.ROOT_USER
    assert refused(ask_key(ANN, allow(ACCOUNT, Action="kms:Encrypt"), identity=ALLOWING)) == (Layer.RESOURCE,)
    unmet = allow(ACCOUNT, Condition={"StringEquals": {"kms:ViaService": "y"}})
    assert refused(ask_key(ANN, unmet, identity=ALLOWING)) == (Layer.RESOURCE,)


def test_a_key_policy_that_names_the_caller_is_enough_but_identity_denies_count() -> None:
    assert ask_key(ANN, allow(ANN.arn)).layer is Layer.RESOURCE
    assert ask_key(APP, allow(ROLE)).layer is Layer.RESOURCE
    assert refused(ask_key(ANN, allow(ANN.arn), identity=DENYING)) == (Layer.IDENTITY,)
    assert refused(ask_key(APP, allow(ROLE), boundary=SILENT[0])) == (Layer.BOUNDARY,)


def test_the_managed_keys_policy_admits_everyone_of_the_account_through_the_service() -> None:
    managed = allow("*", Condition={"StringEquals": {"kms:ViaService": "x", "kms:CallerAccount": ACCOUNT}})
    context = {"kms:ViaService": "x", "kms:CallerAccount": ACCOUNT}
    policies = PolicySet(
        resource=on_resource(managed, kind=PolicyKind.KEY), resource_delegates_to_account=False
    )
    assert evaluate(AccessRequest("kms:Decrypt", KEY, ANN, ACCOUNT, context), policies).allowed
    direct = AccessRequest("kms:Decrypt", KEY, ANN, ACCOUNT, {"kms:CallerAccount": ACCOUNT})
    assert not evaluate(direct, policies).allowed
    foreign = {"kms:ViaService": "x", "kms:CallerAccount": OTHER}
    stranger = AccessRequest("kms:Decrypt", KEY, OTHER_ANN, ACCOUNT, foreign)
    assert not evaluate(stranger, policies).allowed


def test_a_key_of_another_account_needs_its_policy_and_the_own_identity_policy() -> None:
    assert ask_key(OTHER_ANN, allow(OTHER), identity=ALLOWING).allowed
    assert refused(ask_key(OTHER_ANN, allow(OTHER))) == (Layer.IDENTITY,)
    assert refused(ask_key(OTHER_ANN, allow(ACCOUNT), identity=ALLOWING)) == (Layer.RESOURCE,)


def test_a_grant_allows_and_never_beats_a_deny() -> None:
    decision = ask_key(ANN, allow(OTHER), grants=("g1",))
    assert (decision.allowed, decision.layer) == (True, Layer.GRANT)
    assert decision.determining == (DeterminingStatement(Layer.GRANT, "g1", "", 0),)
    assert refused(ask_key(ANN, deny(ANN.arn), grants=("g1",))) == (Layer.RESOURCE,)
    assert refused(ask_key(OTHER_ANN, allow(ACCOUNT), grants=("g1",))) == (Layer.IDENTITY,)
    assert ask_key(OTHER_ANN, allow(ACCOUNT), grants=("g1",), identity=ALLOWING).allowed


def ask_role(
    caller: Caller, *statements: dict[str, Any], action: str = "sts:AssumeRole", **more: Any
) -> Decision:
    trust = [{name: value for name, value in each.items() if name != "Resource"} for each in statements]
    return evaluate(
        AccessRequest(action, ROLE, caller, ACCOUNT, {}),
        PolicySet(
            resource=on_resource(*trust, kind=PolicyKind.TRUST), resource_delegates_to_account=False, **more
        ),
    )


def test_trust_policies() -> None:
    def trusting(principal: Any) -> dict[str, Any]:
        return allow(principal, Action="sts:AssumeRole")

    assert ask_role(ANN, trusting(ANN.arn)).layer is Layer.TRUST
    assert refused(ask_role(ANN, trusting(ACCOUNT))) == (Layer.IDENTITY,)
    assert ask_role(ANN, trusting(ACCOUNT), identity=ALLOWING).allowed
    assert refused(ask_role(ANN, trusting(OTHER), identity=ALLOWING)) == (Layer.TRUST,)
    assert refused(ask_role(ANN, trusting(ANN.arn), deny("*", Action="sts:*"))) == (Layer.TRUST,)
    assert ask_role(OTHER_ANN, trusting(OTHER), identity=ALLOWING).allowed
    assert refused(ask_role(OTHER_ANN, trusting(OTHER_ANN.arn))) == (Layer.IDENTITY,)


def test_web_identities_and_services_are_let_in_by_name_only() -> None:
    web = "sts:AssumeRoleWithWebIdentity"
    federated = {"Effect": "Allow", "Action": web, "Principal": {"Federated": PROVIDER}}
    assert ask_role(WORKFLOW, federated, action=web).allowed
    assert refused(
        ask_role(WORKFLOW, {**federated, "Principal": {"Federated": PROVIDER + "x"}}, action=web)
    ) == (Layer.TRUST,)
    by_account = {**federated, "Principal": {"AWS": ACCOUNT}}
    assert refused(ask_role(WORKFLOW, by_account, action=web, identity=ALLOWING)) == (Layer.TRUST,)
    lambda_function = {**allow(), "Principal": {"Service": SERVICE.arn}}
    assert decide(SERVICE, resource=on_resource(lambda_function)).allowed
    other_service = {**allow(), "Principal": {"Service": "rds.amazonaws.com"}}
    assert refused(decide(SERVICE, resource=on_resource(other_service))) == (Layer.RESOURCE,)
    assert refused(decide(SERVICE, identity=ALLOWING)) == (Layer.RESOURCE,)
    assert refused(decide(SERVICE, resource=on_resource(lambda_function, deny("*")))) == (Layer.RESOURCE,)
    assert refused(decide(ANN, resource=on_resource(lambda_function))) == (Layer.IDENTITY,)


# --- conditions that cannot be evaluated -----------------------------------------------------------------


def test_what_cannot_be_evaluated_denies_in_a_deny_and_does_not_allow_in_an_allow() -> None:
    condition = {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}
    garbage = {"aws:SourceIp": "somewhere"}
    request = AccessRequest(GET, SECRET, ANN, ACCOUNT, garbage)
    assert not evaluate(request, PolicySet(identity=(labelled(allow(Condition=condition)),))).allowed
    denied = evaluate(request, PolicySet(identity=(labelled(allow(), deny(Condition=condition)),)))
    assert (denied.allowed, denied.explicit) == (False, True)


# --- a document in a place its kind is not made for ------------------------------------------------------


def test_a_document_without_principals_allows_nobody_on_a_resource() -> None:
    assert refused(decide(OTHER_ANN, resource=ALLOWING, identity=ALLOWING)) == (Layer.RESOURCE,)
    assert refused(decide(ANN, resource=DENYING, identity=ALLOWING)) == (Layer.RESOURCE,)


# --- words -----------------------------------------------------------------------------------------------

BASE = f"User: {ANN.arn} is not authorized to perform: {GET} on resource: {SECRET}"
ENDPOINT = on_resource(allow(OTHER))[0]
WORDS: list[tuple[dict[str, Any], str]] = [
    ({}, f" because no identity-based policy allows the {GET} action"),
    ({"identity": DENYING}, " with an explicit deny in an identity-based policy"),
    ({"resource": on_resource(deny("*"))}, " with an explicit deny in a resource-based policy"),
    (
        {"identity": ALLOWING, "boundary": SILENT[0]},
        f" because no permissions boundary allows the {GET} action",
    ),
    ({"boundary": DENYING[0]}, " with an explicit deny in a permissions boundary"),
    ({"identity": ALLOWING, "session": SILENT}, f" because no session policy allows the {GET} action"),
    ({"session": DENYING}, " with an explicit deny in a session policy"),
    ({"service_control": SILENT}, " with an explicit deny in a service control policy"),
    ({"service_control": DENYING}, " with an explicit deny in a service control policy"),
    (
        {"resource_control": on_resource(allow(OTHER))},
        " with an explicit deny in a resource control policy",
    ),
    ({"vpc_endpoint": ENDPOINT}, f" because no VPC endpoint policy allows the {GET} action"),
    (
        {"vpc_endpoint": on_resource(deny("*"))[0]},
        " with an explicit deny in a VPC endpoint policy",
    ),
    (
        {"resource": on_resource(allow(OTHER)), "resource_delegates_to_account": False},
        f" because no resource-based policy allows the {GET} action",
    ),
]


@pytest.mark.parametrize(("policies", "reason"), WORDS)
def test_a_refusal_in_awss_words(policies: dict[str, Any], reason: str) -> None:
    request = AccessRequest(GET, SECRET, ANN, ACCOUNT)
    assert denial_message(request, evaluate(request, PolicySet(**policies))) == BASE + reason


def test_a_refusal_shows_the_resource_as_it_was_sent() -> None:
    request = AccessRequest(GET, SECRET, APP, ACCOUNT)
    decision = evaluate(request, PolicySet())
    assert denial_message(request, decision, "prod/db") == (
        f"User: arn:aws:sts::{ACCOUNT}:assumed-role/App/i-1 is not authorized to perform: {GET} on resource: "
        f"prod/db because no identity-based policy allows the {GET} action"
    )


@pytest.mark.parametrize("policies", [{}, {"identity": DENYING}, {"resource": on_resource(deny("*"))}])
def test_across_accounts_no_reason_is_given(policies: dict[str, Any]) -> None:
    request = AccessRequest(GET, SECRET, OTHER_ANN, ACCOUNT)
    assert denial_message(request, evaluate(request, PolicySet(**policies))) == (
        f"User: {OTHER_ANN.arn} is not authorized to perform: {GET} on resource: {SECRET}"
    )


def test_a_trust_policys_refusal_has_its_own_words() -> None:
    request = AccessRequest("sts:AssumeRole", ROLE, ANN, ACCOUNT)
    base = f"User: {ANN.arn} is not authorized to perform: sts:AssumeRole on resource: {ROLE}"
    silent = ask_role(ANN, allow(OTHER, Action="sts:AssumeRole"))
    explicit = ask_role(ANN, deny("*", Action="sts:AssumeRole"))
    assert denial_message(request, silent) == (
        f"{base} because no role trust policy allows the sts:AssumeRole action"
    )
    assert denial_message(request, explicit) == f"{base} with an explicit deny in the role trust policy"

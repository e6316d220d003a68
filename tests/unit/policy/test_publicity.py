"""Whatever is called not public lets no stranger in: over random policies, and for each of them every context a
stranger could come with.

A stranger is a principal of an account no policy here names, whose own account allows him everything. He
chooses what he sends and, in his own networks, his private address; not who he is, where his calls come from,
or other people's endpoints and resources.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from strongroom.policy.document import Policy, PolicyKind, parse_policy
from strongroom.policy.evaluation import (
    AccessRequest,
    Caller,
    CallerType,
    LabelledPolicy,
    PolicySet,
    evaluate,
)
from strongroom.policy.findings import is_public
from support.policies import ACCOUNT, ANN, APP, GET, OTHER, PROVIDER, SECRET, a_document, allow, labelled

STRANGE = "666666666666"
STRANGERS = (
    Caller(CallerType.ROOT, STRANGE, f"arn:aws:iam::{STRANGE}:root", STRANGE),
    Caller(CallerType.USER, STRANGE, f"arn:aws:iam::{STRANGE}:user/ann", "AIDASTR0000000000000"),
    Caller(
        CallerType.ASSUMED_ROLE,
        STRANGE,
        f"arn:aws:sts::{STRANGE}:assumed-role/App/i-1",
        "AROASTR0000000000000:i-1",
        role_arn=f"arn:aws:iam::{STRANGE}:role/service/App",
    ),
    Caller(CallerType.WEB_IDENTITY, STRANGE, "stranger", "stranger", provider="accounts.google.com"),
)
GIVEN: dict[str, tuple[Any, ...]] = {
    "aws:principalarn": (None,),
    "aws:principalaccount": (STRANGE,),
    "aws:userid": (None,),
    "aws:principalorgid": (None, "o-strange"),
    "kms:calleraccount": (STRANGE,),
    "aws:sourceip": ("198.51.100.7", "2a00::7"),
    "aws:sourcevpc": (None, "vpc-strange"),
    "aws:sourcevpce": (None, "vpce-strange"),
    "aws:sourcearn": (None, f"arn:aws:s3:::{STRANGE}", f"arn:aws:sns:eu-west-1:{STRANGE}:topic"),
    "aws:sourceaccount": (None, STRANGE),
}
"""What a stranger can have under the keys he does not choose. None: nothing, or who he is."""
FREE_VALUES = ("x", "", "10.1.2.3", "true", "1", "2026-01-01T00:00:00Z", "arn:aws:iam::1:role/x")

PRINCIPALS: list[Any] = [
    "*",
    {"AWS": "*"},
    {"AWS": [ACCOUNT, "*"]},
    {"AWS": ACCOUNT},
    {"AWS": [ANN.arn, APP.arn, str(APP.role_arn), OTHER]},
    {"AWS": f"arn:aws:iam::{ACCOUNT}:user/*"},
    {"AWS": "AIDAANN0000000000000"},
    {"Service": "rds.amazonaws.com"},
    {"Federated": PROVIDER},
    {"Federated": "accounts.google.com"},
    {"CanonicalUser": "0" * 64},
]
VALUES: dict[str, list[str]] = {
    "aws:PrincipalArn": [
        ANN.arn, f"arn:aws:iam::{ACCOUNT}:role/*", "arn:aws:iam::*:user/ann", "*", f"arn:aws:iam::{ACCOUNT}*",
        "arn:aws:iam::????????????:user/ann", f"arn:*:iam::{ACCOUNT}:*",
    ],
    "AWS:principalACCOUNT": [ACCOUNT, OTHER, "*", "1111*", "${aws:PrincipalAccount}", "????????????"],
    "aws:userid": ["AIDAANN0000000000000", "AROAAPP0000000000000:*", "*", "*:i-1", ACCOUNT],
    "aws:PrincipalOrgID": ["o-mine", "o-*", "${aws:PrincipalOrgID}"],
    "kms:CallerAccount": [ACCOUNT, "*"],
    "aws:SourceIp": ["203.0.113.0/24", "10.0.0.0/8", "0.0.0.0/0", "128.0.0.0/1", "::/0", "2001:db8::/32", "192.0.0.0/3"],
    "aws:VpcSourceIp": ["10.0.0.0/8", "10.1.2.3/32"],
    "aws:SourceVpc": ["vpc-mine", "vpc-*"],
    "aws:SourceVpce": ["vpce-mine", "*", "${aws:SourceVpce, 'vpce-mine'}"],
    "aws:SourceArn": ["arn:aws:s3:::mine", "arn:aws:s3:::*", f"arn:aws:sns:*:{ACCOUNT}:t", f"arn:aws:sns:eu-west-1:{ACCOUNT}:*"],
    "aws:SourceAccount": [ACCOUNT, "*", "666*"],
    "aws:UserAgent": ["mine", "*"],
    "aws:SecureTransport": ["true", "false"],
    "aws:PrincipalTag/team": ["red", "*", "${aws:PrincipalAccount}"],
    "secretsmanager:VersionStage": ["AWSCURRENT"],
}  # fmt: skip
OPERATORS = [
    "StringEquals", "StringNotEquals", "StringEqualsIgnoreCase", "StringLike", "StringNotLike", "ArnLike",
    "ArnEquals", "ArnNotLike", "IpAddress", "NotIpAddress", "Null", "Bool", "NumericEquals",
]  # fmt: skip


@st.composite
def conditions(draw: st.DrawFn) -> dict[str, Any]:
    key = draw(st.sampled_from(sorted(VALUES)))
    # Mostly an operator that fits the key, so that something narrows.
    fitting = {"aws:SourceIp": "IpAddress", "aws:VpcSourceIp": "IpAddress", "aws:SourceArn": "ArnLike"}
    name = draw(st.sampled_from([*OPERATORS, *[fitting.get(key, "StringEquals")] * 8]))
    prefix = draw(st.sampled_from(["", "", "", "", "ForAnyValue:", "ForAllValues:"]))
    suffix = draw(st.sampled_from(["", "", "", "", "IfExists"]))
    values = draw(st.lists(st.sampled_from(VALUES[key]), max_size=2))
    return {f"{prefix}{name}{suffix}": {key: values}}


@st.composite
def statements(draw: st.DrawFn) -> dict[str, Any]:
    element = draw(st.sampled_from(["Principal", "Principal", "Principal", "NotPrincipal"]))
    statement = allow(Action=draw(st.sampled_from(["*", GET, "secretsmanager:Get*"])))
    statement[element] = draw(st.sampled_from(PRINCIPALS))
    merged: dict[str, Any] = {}
    for condition in draw(st.lists(conditions(), max_size=2)):
        for operator, keys in condition.items():
            merged.setdefault(operator, {}).update(keys)
    if merged:
        statement["Condition"] = merged
    return statement


def written(statement: dict[str, Any]) -> Policy | None:
    """Return the policy of one statement; None when its grammar does not hold."""
    try:
        return parse_policy(json.dumps(a_document(statement)), PolicyKind.RESOURCE)
    except ValueError:
        return None


def contexts(statement: dict[str, Any], stranger: Caller) -> Iterator[dict[str, Any]]:
    """Yield every context of this universe that can make a difference to the statement."""
    who = {
        "aws:principalarn": stranger.role_arn or stranger.arn,
        "aws:userid": stranger.principal_id,
    }
    named: dict[str, list[str]] = {}
    for keys in statement.get("Condition", {}).values():
        for key, values in keys.items():
            named.setdefault(key.lower(), []).extend(values)
    choices: dict[str, list[Any]] = {}
    for key, values in named.items():
        if key in who:
            choices[key] = [who[key]]
        elif key in GIVEN:
            choices[key] = list(GIVEN[key])
        else:
            several = tuple(values) or ("x",)
            choices[key] = [
                None,
                several,
                *values,
                *(value.partition("/")[0] for value in values),
                *FREE_VALUES,
            ]
    always = {**who, "aws:principalaccount": STRANGE, "aws:sourceip": "198.51.100.7"}
    for chosen in itertools.product(*choices.values()):
        sent = {key: value for key, value in zip(choices, chosen, strict=True) if value is not None}
        yield {**{key: value for key, value in always.items() if key not in choices}, **sent}


def lets_in(policy: Policy, statement: dict[str, Any]) -> tuple[Caller, dict[str, Any]] | None:
    """Return a stranger the policy lets in, and how he came."""
    for stranger in STRANGERS:
        policies = PolicySet(identity=(labelled(allow()),), resource=(LabelledPolicy("secret", policy),))
        for context in contexts(statement, stranger):
            request = AccessRequest(GET, SECRET, stranger, ACCOUNT, context)
            if evaluate(request, policies).allowed:
                return stranger, context
    return None


@settings(max_examples=400)
@given(statements())
def test_what_is_not_public_lets_no_stranger_in(statement: dict[str, Any]) -> None:
    policy = written(statement)
    if policy is None or is_public(policy):
        return
    assert lets_in(policy, statement) is None


def test_the_universe_above_holds_policies_of_everyone_narrowed_to_somebody() -> None:
    # Guards the property against a reasoning that calls everything public.
    narrowing = {
        "StringEquals": ("AWS:principalACCOUNT", ACCOUNT),
        "StringLike": ("aws:PrincipalArn", f"arn:aws:iam::{ACCOUNT}:role/*"),
        "IpAddress": ("aws:SourceIp", "203.0.113.0/24"),
        "ArnLike": ("aws:SourceArn", f"arn:aws:sns:eu-west-1:{ACCOUNT}:*"),
    }
    for operator, (key, value) in narrowing.items():
        assert value in VALUES[key]
        statement = allow("*", Condition={operator: {key: value}})
        policy = written(statement)
        assert policy is not None
        assert not is_public(policy)


def test_the_search_finds_strangers_where_there_are_some() -> None:
    for statement in (
        allow("*"),
        allow("*", Condition={"StringLike": {"aws:UserAgent": ["mine"]}}),
        allow("*", Condition={"IpAddress": {"aws:VpcSourceIp": ["10.1.2.3/32"]}}),
        allow("*", Condition={"StringNotEquals": {"aws:PrincipalOrgID": ["o-mine"]}}),
        allow("*", Condition={"IpAddress": {"aws:SourceIp": ["0.0.0.0/0"]}}),
        {**allow(), "NotPrincipal": {"AWS": ACCOUNT}},
        {**allow(), "Principal": {"Federated": "accounts.google.com"}},
    ):
        policy = written(statement)
        assert policy is not None
        assert lets_in(policy, statement) is not None
        assert is_public(policy)

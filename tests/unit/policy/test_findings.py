"""Public or not, and who is named."""

from __future__ import annotations

from typing import Any

import pytest

from strongroom.policy.document import Policy, PolicyKind
from strongroom.policy.findings import PrincipalForm, broad_statements, is_public, principals_named
from support.policies import ACCOUNT, ANN, OTHER, PROVIDER, a_policy, allow, deny


def policy(*statements: dict[str, Any]) -> Policy:
    return a_policy(*statements, kind=PolicyKind.RESOURCE)


def to_all(operator: str, key: str, *values: str) -> dict[str, Any]:
    return allow("*", Condition={operator: {key: list(values)}})


@pytest.mark.parametrize(
    "statement",
    [
        pytest.param(allow("*"), id="everyone"),
        pytest.param({**allow(), "Principal": {"AWS": ["111122223333", "*"]}}, id="everyone in a list"),
        pytest.param({**allow(), "NotPrincipal": {"AWS": "111122223333"}}, id="everyone else"),
        pytest.param(allow(f"arn:aws:iam::{ACCOUNT}:user/*"), id="partial wildcard"),
        pytest.param({**allow(), "Principal": {"Service": "*"}}, id="every service"),
        pytest.param({**allow(), "Principal": {"Federated": "*"}}, id="every provider"),
        pytest.param({**allow(), "Principal": {"Federated": "accounts.google.com"}}, id="provider by host"),
        pytest.param(to_all("IpAddress", "aws:VpcSourceIp", "10.0.0.0/8"), id="address in any network"),
        pytest.param(allow("*", Action="secretsmanager:DescribeSecret"), id="one action"),
        pytest.param(to_all("StringEquals", "aws:SourceAccount", ACCOUNT, "*"), id="one value is no value"),
        pytest.param(to_all("StringLike", "aws:SourceAccount", "1111*"), id="wildcard in an account"),
        pytest.param(to_all("StringLike", "aws:SourceVpce", "*"), id="wildcard"),
        pytest.param(to_all("StringEquals", "aws:SourceVpce", "${aws:SourceVpce}"), id="variable"),
        pytest.param(to_all("StringEquals", "aws:SourceVpce", "${k, 'vpce-1'}"), id="default"),
        pytest.param(to_all("StringEqualsIfExists", "aws:SourceVpce", "vpce-1"), id="if exists"),
        pytest.param(to_all("ForAllValues:StringEquals", "aws:SourceVpce", "vpce-1"), id="for all values"),
        pytest.param(to_all("StringNotEquals", "aws:SourceVpce", "vpce-1"), id="negated"),
        pytest.param(to_all("StringEquals", "aws:SourceVpce"), id="no values"),
        pytest.param(to_all("StringEquals", "aws:UserAgent", "mine"), id="a key the caller chooses"),
        pytest.param(to_all("StringEquals", "aws:RequestedRegion", "eu-west-1"), id="a key of the request"),
        pytest.param(to_all("Bool", "aws:SecureTransport", "true"), id="a key that anyone meets"),
        pytest.param(to_all("Null", "aws:SourceVpce", "false"), id="present only"),
        pytest.param(to_all("ArnLike", "aws:PrincipalArn", "arn:aws:iam::*:role/Admin"), id="any account"),
        pytest.param(to_all("ArnLike", "aws:PrincipalArn", "*"), id="any ARN"),
        pytest.param(to_all("ArnLike", "aws:SourceArn", "arn:aws:s3:::*"), id="any bucket"),
        pytest.param(to_all("IpAddress", "aws:SourceIp", "0.0.0.0/0"), id="every address"),
        pytest.param(to_all("IpAddress", "aws:SourceIp", "0.0.0.0/1", "10.0.0.0/8"), id="half of them"),
        pytest.param(to_all("IpAddress", "aws:SourceIp", "::/0"), id="every IPv6 address"),
        pytest.param(to_all("NotIpAddress", "aws:SourceIp", "10.0.0.0/8"), id="everywhere else"),
    ],
)
def test_broad_access_is_public(statement: dict[str, Any]) -> None:
    assert is_public(policy(statement))
    assert is_public(policy(allow(ACCOUNT), statement, deny("*")))
    assert [each.index for each in broad_statements(policy(allow(ACCOUNT), statement))] == [1]
    assert not is_public(policy({**statement, "Effect": "Deny"}))


@pytest.mark.parametrize(
    "statement",
    [
        pytest.param(allow(ACCOUNT), id="account"),
        pytest.param(allow(ANN.arn), id="user"),
        pytest.param({**allow(), "Principal": {"Service": "rds.amazonaws.com"}}, id="service"),
        pytest.param({**allow(), "Principal": {"Federated": PROVIDER}}, id="provider of an account"),
        pytest.param(to_all("StringEquals", "aws:SourceAccount", ACCOUNT, OTHER), id="source accounts"),
        pytest.param(to_all("StringEquals", "AWS:sourcevpce", "vpce-1"), id="endpoint, key in any case"),
        pytest.param(to_all("StringLike", "aws:SourceVpc", "vpc-1"), id="vpc"),
        pytest.param(to_all("ForAnyValue:StringEquals", "aws:SourceVpc", "vpc-1"), id="for any value"),
        pytest.param(to_all("ArnEquals", "aws:SourceArn", "arn:aws:s3:::bucket"), id="source ARN"),
        pytest.param(to_all("ArnLike", "aws:PrincipalArn", f"arn:aws:iam::{ACCOUNT}:role/*"), id="roles"),
        pytest.param(
            to_all("StringLike", "aws:PrincipalArn", f"arn:aws:iam::{ACCOUNT}:*"), id="account ARNs"
        ),
        pytest.param(to_all("StringEquals", "aws:PrincipalOrgID", "o-1"), id="organization"),
        pytest.param(to_all("StringEquals", "kms:CallerAccount", ACCOUNT), id="caller account"),
        pytest.param(to_all("IpAddress", "aws:SourceIp", "203.0.113.0/24"), id="network"),
        pytest.param(to_all("IpAddress", "aws:SourceIp", "10.0.0.0/8", "2001:db8::/32"), id="networks"),
    ],
)
def test_named_or_narrowed_access_is_not_public(statement: dict[str, Any]) -> None:
    assert not is_public(policy(statement))
    assert list(broad_statements(policy(statement, deny("*")))) == []


def test_one_narrowing_condition_among_others_is_enough() -> None:
    conditions = {"StringEquals": {"aws:SourceVpce": "vpce-1", "aws:UserAgent": "*"}}
    assert not is_public(policy(allow("*", Condition=conditions)))


def test_everyone_named_is_told_once() -> None:
    first = {**allow(), "Principal": {"AWS": [ANN.arn, OTHER, ANN.arn], "Service": "rds.amazonaws.com"}}
    second = {**deny(), "NotPrincipal": {"AWS": [OTHER, f"arn:aws:iam::{ACCOUNT}:group/g"]}}
    named = principals_named(policy(first, second, allow("*")))
    assert [(each.kind, each.name, each.form) for each in named] == [
        ("AWS", ANN.arn, PrincipalForm.USER),
        ("AWS", OTHER, PrincipalForm.ACCOUNT),
        ("Service", "rds.amazonaws.com", PrincipalForm.SERVICE),
        ("AWS", f"arn:aws:iam::{ACCOUNT}:group/g", PrincipalForm.UNSUPPORTED),
        ("AWS", "*", PrincipalForm.EVERYONE),
    ]
    assert principals_named(a_policy(allow())) == ()

"""Builders for policies and callers in tests of the policy engine."""

from __future__ import annotations

import json
from typing import Any

from strongroom.policy.document import Policy, PolicyKind, parse_policy
from strongroom.policy.evaluation import Caller, CallerType, LabelledPolicy

ACCOUNT = "111122223333"
OTHER = "444455556666"
SECRET = f"arn:aws:secretsmanager:eu-central-1:{ACCOUNT}:secret:prod/db-AbCdEf"
GET = "secretsmanager:GetSecretValue"

ROOT = Caller(CallerType.ROOT, ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root", ACCOUNT)
ANN = Caller(CallerType.USER, ACCOUNT, f"arn:aws:iam::{ACCOUNT}:user/dev/ann", "AIDAANN0000000000000")
APP = Caller(
    CallerType.ASSUMED_ROLE,
    ACCOUNT,
    f"arn:aws:sts::{ACCOUNT}:assumed-role/App/i-1",
    "AROAAPP0000000000000:i-1",
    role_arn=f"arn:aws:iam::{ACCOUNT}:role/service/App",
)
FED = Caller(
    CallerType.FEDERATED_USER,
    ACCOUNT,
    f"arn:aws:sts::{ACCOUNT}:federated-user/bob",
    f"{ACCOUNT}:bob",
    issuer_arn=ANN.arn,
    issuer_id=ANN.principal_id,
)
ROOT_FED = Caller(
    CallerType.FEDERATED_USER,
    ACCOUNT,
    f"arn:aws:sts::{ACCOUNT}:federated-user/eve",
    f"{ACCOUNT}:eve",
    issuer_arn=ROOT.arn,
)
OTHER_ROOT = Caller(CallerType.ROOT, OTHER, f"arn:aws:iam::{OTHER}:root", OTHER)
OTHER_ANN = Caller(CallerType.USER, OTHER, f"arn:aws:iam::{OTHER}:user/ann", "AIDAOTH0000000000000")
OTHER_APP = Caller(
    CallerType.ASSUMED_ROLE,
    OTHER,
    f"arn:aws:sts::{OTHER}:assumed-role/App/s",
    "AROAOTH0000000000000:s",
    role_arn=f"arn:aws:iam::{OTHER}:role/App",
)
SERVICE = Caller(CallerType.SERVICE, "", "secretsmanager.amazonaws.com", "secretsmanager.amazonaws.com")
PROVIDER = f"arn:aws:iam::{ACCOUNT}:oidc-provider/token.actions.githubusercontent.com"
WORKFLOW = Caller(CallerType.WEB_IDENTITY, ACCOUNT, "repo:a/b", "repo:a/b", provider=PROVIDER)


def a_document(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def a_policy(*statements: dict[str, Any], kind: PolicyKind = PolicyKind.IDENTITY) -> Policy:
    return parse_policy(json.dumps(a_document(*statements)), kind)


def labelled(
    *statements: dict[str, Any], kind: PolicyKind = PolicyKind.IDENTITY, label: str = "p"
) -> LabelledPolicy:
    return LabelledPolicy(label, a_policy(*statements, kind=kind))


def allow(principal: Any = None, **members: Any) -> dict[str, Any]:
    return _statement("Allow", principal, members)


def deny(principal: Any = None, **members: Any) -> dict[str, Any]:
    return _statement("Deny", principal, members)


def _statement(effect: str, principal: Any, members: dict[str, Any]) -> dict[str, Any]:
    statement: dict[str, Any] = {"Effect": effect}
    if "NotAction" not in members:
        statement["Action"] = "*"
    if "NotResource" not in members:
        statement["Resource"] = "*"
    if principal is not None:
        statement["Principal"] = principal if principal == "*" else {"AWS": principal}
    return statement | members

"""The AWS managed policies: well-formed, within AWS's sizes, and as wide as AWS's own on what is here."""

from __future__ import annotations

import json
import re

import pytest

from strongroom.identity.managed import AWS_MANAGED
from strongroom.names import Arn
from strongroom.policy.document import MANAGED_POLICY_SIZE, PolicyKind, fits, parse_policy
from strongroom.policy.evaluation import (
    AccessRequest,
    Caller,
    CallerType,
    LabelledPolicy,
    PolicySet,
    evaluate,
)

ACCOUNT = "111122223333"
SECRET = f"arn:aws:secretsmanager:eu-central-1:{ACCOUNT}:secret:db-AbCdEf"
KEY = f"arn:aws:kms:eu-central-1:{ACCOUNT}:key/1234"
FUNCTION = f"arn:aws:lambda:eu-central-1:{ACCOUNT}:function:"


@pytest.mark.parametrize("arn", AWS_MANAGED)
def test_each_is_a_policy_as_aws_has_them(arn: Arn) -> None:
    policy = AWS_MANAGED[arn]
    assert arn == f"arn:aws:iam::aws:policy{policy.path}{policy.policy_name}" == policy.arn
    assert re.fullmatch("ANPA[A-Z2-7]{17}", policy.policy_id)
    assert parse_policy(policy.document, PolicyKind.IDENTITY).version == "2012-10-17"
    assert fits(MANAGED_POLICY_SIZE, policy.document)
    assert policy.created_at <= policy.updated_at == policy.versions[0].created_at
    assert policy.default_version_id == policy.versions[0].version_id
    json.loads(policy.document)


def test_ids_and_names_are_unique() -> None:
    every = AWS_MANAGED.values()
    assert (
        len({each.policy_id for each in every})
        == len({each.policy_name.lower() for each in every})
        == len(every)
    )


@pytest.mark.parametrize(
    ("name", "action", "resource", "expected"),
    [
        ("AdministratorAccess", "iam:CreateUser", "*", True),
        ("PowerUserAccess", "secretsmanager:GetSecretValue", SECRET, True),
        ("PowerUserAccess", "iam:CreateUser", "*", False),
        ("PowerUserAccess", "iam:ListRoles", "*", True),
        ("ReadOnlyAccess", "secretsmanager:DescribeSecret", SECRET, True),
        ("ReadOnlyAccess", "secretsmanager:GetSecretValue", SECRET, False),
        ("ReadOnlyAccess", "secretsmanager:BatchGetSecretValue", "*", False),
        ("ReadOnlyAccess", "kms:Decrypt", KEY, False),
        ("SecretsManagerReadWrite", "secretsmanager:GetSecretValue", SECRET, True),
        ("SecretsManagerReadWrite", "kms:Decrypt", KEY, False),
        ("SecretsManagerReadWrite", "lambda:InvokeFunction", FUNCTION + "SecretsManagerX", True),
        ("SecretsManagerReadWrite", "lambda:InvokeFunction", FUNCTION + "other", False),
        ("AWSSecretsManagerClientReadOnlyAccess", "secretsmanager:GetSecretValue", SECRET, True),
        ("AWSSecretsManagerClientReadOnlyAccess", "secretsmanager:PutSecretValue", SECRET, False),
        ("AWSSecretsManagerClientReadOnlyAccess", "kms:Decrypt", KEY, False),
        ("AWSKeyManagementServicePowerUser", "kms:CreateKey", "*", True),
        ("AWSKeyManagementServicePowerUser", "kms:Decrypt", KEY, False),
        ("IAMReadOnlyAccess", "iam:GetUser", "*", True),
        ("IAMReadOnlyAccess", "iam:CreateUser", "*", False),
    ],
)
def test_what_they_allow(name: str, action: str, resource: str, expected: bool) -> None:
    policy = AWS_MANAGED[Arn(f"arn:aws:iam::aws:policy/{name}")]
    caller = Caller(CallerType.USER, ACCOUNT, f"arn:aws:iam::{ACCOUNT}:user/bob", "AIDABOB")
    parsed = parse_policy(policy.document, PolicyKind.IDENTITY)
    request = AccessRequest(action, resource, caller, ACCOUNT)
    assert evaluate(request, PolicySet(identity=(LabelledPolicy(name, parsed),))).allowed is expected

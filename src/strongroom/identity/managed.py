"""The AWS managed policies that concern what is served here. They are constants: nobody can change them.

Each says what AWS's policy of that name says of the services that are, or are to be, here (Secrets Manager,
KMS, IAM, STS, Parameter Store, CloudTrail, Lambda and its logs); statements on other services are left out,
since they could decide nothing. Source: AWS managed policy reference, as of August 2026.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

from strongroom.identity.ids import POLICY_ID_PREFIX
from strongroom.identity.records import ManagedPolicy, PolicyVersion
from strongroom.names import AccountId, Arn, policy_arn

__all__ = ["AWS_ACCOUNT", "AWS_MANAGED", "ROTATION_POLICY"]

AWS_ACCOUNT: Final = AccountId("aws")
"""Stands for the account id in ARNs of AWS managed policies."""

_SERVICE_ROLE: Final = "/service-role/"
_SERVICE_LINKED: Final = "/aws-service-role/"


def _allow(
    *actions: str, resource: str = "*", sid: str = "", condition: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    named = {"Sid": sid} if sid else {}
    when = {} if condition is None else {"Condition": condition}
    return {**named, "Effect": "Allow", "Action": list(actions), "Resource": resource, **when}


def _allow_but(*actions: str) -> dict[str, Any]:
    return {"Effect": "Allow", "NotAction": list(actions), "Resource": "*"}


def _policy(
    name: str, version: int, made: str, changed: str, *statements: Mapping[str, Any], path: str = "/"
) -> ManagedPolicy:
    """Return AWS's policy; `made` and `changed` are the dates of its first and its present version."""
    document = json.dumps({"Version": "2012-10-17", "Statement": statements}, indent=4)
    digest = base64.b32encode(hashlib.sha256(name.encode()).digest()).decode()
    updated_at = dt.datetime.fromisoformat(changed).replace(tzinfo=dt.UTC)
    version_id = f"v{version}"
    return ManagedPolicy(
        policy_id=POLICY_ID_PREFIX + digest[:17],
        policy_name=name,
        path=path,
        arn=policy_arn(AWS_ACCOUNT, path, name),
        account_id=AWS_ACCOUNT,
        created_at=dt.datetime.fromisoformat(made).replace(tzinfo=dt.UTC),
        updated_at=updated_at,
        versions=(PolicyVersion(version_id=version_id, document=document, created_at=updated_at),),
        default_version_id=version_id,
        next_version=version + 1,
    )


_POLICIES: Final = (
    _policy("AdministratorAccess", 1, "2015-02-06", "2015-02-06", _allow("*")),
    _policy(
        "PowerUserAccess",
        12,
        "2015-02-06",
        "2026-02-12",
        _allow_but("iam:*", "organizations:*", "account:*"),
        _allow("iam:CreateServiceLinkedRole", "iam:DeleteServiceLinkedRole", "iam:ListRoles"),
    ),
    _policy(
        "ReadOnlyAccess",
        1,
        "2015-02-06",
        "2015-02-06",
        _allow(
            "cloudtrail:Describe*",
            "cloudtrail:Get*",
            "cloudtrail:List*",
            "cloudtrail:LookupEvents",
            "iam:Generate*",
            "iam:Get*",
            "iam:List*",
            "iam:Simulate*",
            "kms:Describe*",
            "kms:Get*",
            "kms:List*",
            "lambda:Get*",
            "lambda:List*",
            "secretsmanager:Describe*",
            "secretsmanager:GetResourcePolicy",
            "secretsmanager:List*",
            "ssm:Describe*",
            "ssm:Get*",
            "ssm:List*",
            "sts:GetAccessKeyInfo",
            "sts:GetCallerIdentity",
            "sts:GetSessionToken",
        ),
    ),
    _policy(
        "SecretsManagerReadWrite",
        6,
        "2018-04-04",
        "2026-08-25",
        _allow(
            "secretsmanager:*",
            "kms:DescribeKey",
            "kms:ListAliases",
            "kms:ListKeys",
            "lambda:ListFunctions",
            sid="BasePermissions",
        ),
        _allow(
            "lambda:AddPermission",
            "lambda:CreateFunction",
            "lambda:GetFunction",
            "lambda:InvokeFunction",
            "lambda:UpdateFunctionConfiguration",
            resource="arn:aws:lambda:*:*:function:SecretsManager*",
            sid="LambdaPermissions",
        ),
    ),
    _policy(
        "AWSSecretsManagerClientReadOnlyAccess",
        3,
        "2026-02-12",
        "2026-02-12",
        _allow(
            "secretsmanager:GetSecretValue",
            "secretsmanager:DescribeSecret",
            resource="arn:aws:secretsmanager:*:*:secret:*",
            sid="SecretsManagerGetAndDescribeSecret",
        ),
        _allow(
            "kms:Decrypt",
            resource="arn:aws:kms:*:*:key/*",
            sid="KMSDecryptKey",
            condition={
                "StringLike": {
                    "kms:EncryptionContext:SecretARN": "arn:aws:secretsmanager:*:*:secret:*",
                    "kms:ViaService": "secretsmanager.*.amazonaws.com",
                }
            },
        ),
    ),
    _policy(
        "AWSKeyManagementServicePowerUser",
        2,
        "2015-02-06",
        "2017-03-07",
        _allow(
            "kms:CreateAlias",
            "kms:CreateKey",
            "kms:DeleteAlias",
            "kms:Describe*",
            "kms:GenerateRandom",
            "kms:Get*",
            "kms:List*",
            "kms:TagResource",
            "kms:UntagResource",
            "iam:ListGroups",
            "iam:ListRoles",
            "iam:ListUsers",
        ),
    ),
    _policy("IAMFullAccess", 2, "2015-02-06", "2019-06-21", _allow("iam:*")),
    _policy(
        "IAMReadOnlyAccess",
        4,
        "2015-02-06",
        "2018-01-25",
        _allow(
            "iam:GenerateCredentialReport",
            "iam:GenerateServiceLastAccessedDetails",
            "iam:Get*",
            "iam:List*",
            "iam:SimulateCustomPolicy",
            "iam:SimulatePrincipalPolicy",
        ),
    ),
    _policy(
        "IAMUserChangePassword",
        2,
        "2016-11-15",
        "2016-11-15",
        _allow("iam:ChangePassword", resource="arn:aws:iam::*:user/${aws:username}"),
        _allow("iam:GetAccountPasswordPolicy"),
    ),
    _policy("AmazonSSMFullAccess", 4, "2015-05-29", "2019-11-20", _allow("logs:*", "ssm:*")),
    _policy(
        "AmazonSSMReadOnlyAccess",
        1,
        "2015-05-29",
        "2015-05-29",
        _allow("ssm:Describe*", "ssm:Get*", "ssm:List*"),
    ),
    _policy(
        "AWSCloudTrail_FullAccess",
        3,
        "2021-01-29",
        "2021-02-22",
        _allow("cloudtrail:*"),
        _allow("iam:ListRoles", "iam:GetRolePolicy", "iam:GetUser"),
        _allow(
            "iam:PassRole", condition={"StringEquals": {"iam:PassedToService": "cloudtrail.amazonaws.com"}}
        ),
        _allow("kms:CreateKey", "kms:CreateAlias", "kms:ListKeys", "kms:ListAliases"),
        _allow("lambda:ListFunctions"),
    ),
    _policy(
        "AWSCloudTrail_ReadOnlyAccess",
        1,
        "2022-06-14",
        "2022-06-14",
        _allow("cloudtrail:Get*", "cloudtrail:Describe*", "cloudtrail:List*", "cloudtrail:LookupEvents"),
    ),
    _policy(
        "AWSLambda_FullAccess",
        5,
        "2020-11-17",
        "2026-02-11",
        _allow(
            "kms:DescribeKey",
            "kms:ListAliases",
            "iam:GetPolicy",
            "iam:GetPolicyVersion",
            "iam:GetRole",
            "iam:GetRolePolicy",
            "iam:ListAttachedRolePolicies",
            "iam:ListRolePolicies",
            "iam:ListRoles",
            "lambda:*",
        ),
        _allow("iam:PassRole", condition={"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}}),
    ),
    _policy(
        "AWSLambda_ReadOnlyAccess",
        2,
        "2020-11-17",
        "2023-07-27",
        _allow(
            "kms:ListAliases",
            "iam:GetPolicy",
            "iam:GetPolicyVersion",
            "iam:GetRole",
            "iam:GetRolePolicy",
            "iam:ListAttachedRolePolicies",
            "iam:ListRolePolicies",
            "iam:ListRoles",
            "lambda:Get*",
            "lambda:List*",
        ),
    ),
    _policy(
        "AWSLambdaBasicExecutionRole",
        1,
        "2015-04-09",
        "2015-04-09",
        _allow("logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"),
        path=_SERVICE_ROLE,
    ),
    _policy(
        "AWSLambdaRole",
        1,
        "2015-02-06",
        "2015-02-06",
        _allow("lambda:InvokeFunction"),
        path=_SERVICE_ROLE,
    ),
    # Ours: AWS rotates its own services' secrets by roles of theirs.
    _policy(
        "SecretsManagerRotationServiceRolePolicy",
        1,
        "2026-11-25",
        "2026-11-25",
        _allow(
            "secretsmanager:DescribeSecret",
            "secretsmanager:GetSecretValue",
            "secretsmanager:PutSecretValue",
            "secretsmanager:UpdateSecretVersionStage",
            resource="arn:*:secretsmanager:*:*:secret:*",
            sid="RotateSecrets",
        ),
        _allow("secretsmanager:GetRandomPassword", sid="MakePasswords"),
        _allow(
            "kms:Decrypt",
            "kms:GenerateDataKey",
            resource="arn:*:kms:*:*:key/*",
            sid="UseKeysThroughSecretsManager",
            condition={
                "StringLike": {
                    "kms:EncryptionContext:SecretARN": "arn:*:secretsmanager:*:*:secret:*",
                    "kms:ViaService": "secretsmanager.*.amazonaws.com",
                }
            },
        ),
        path=_SERVICE_LINKED,
    ),
)

ROTATION_POLICY: Final = policy_arn(AWS_ACCOUNT, _SERVICE_LINKED, "SecretsManagerRotationServiceRolePolicy")
"""Of the role that rotates without a function (`operations/rotation_role`)."""
AWS_MANAGED: Final[Mapping[Arn, ManagedPolicy]] = {each.arn: each for each in _POLICIES}
"""By ARN."""

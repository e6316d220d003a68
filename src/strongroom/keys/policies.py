"""The key policies AWS writes by itself. Source: fact sheet kms section 5."""

from __future__ import annotations

import json

from strongroom.names import root_arn

POLICY_NAME = "default"
"""The only name a key policy can have."""


def default_key_policy(account_id: str) -> str:
    """Return the policy of a key made without one: the account's identity policies decide."""
    return _document(
        "key-default-1",
        {
            "Sid": "Enable IAM User Permissions",
            "Effect": "Allow",
            "Principal": {"AWS": root_arn(account_id)},
            "Action": "kms:*",
            "Resource": "*",
        },
    )


def secretsmanager_key_policy(account_id: str, region: str) -> str:
    """Return the policy of the account's `aws/secretsmanager` key: usable through Secrets Manager only."""
    return _document(
        "auto-secretsmanager-1",
        {
            "Sid": "Allow access through AWS Secrets Manager for all principals in the account that are "
            "authorized to use AWS Secrets Manager",
            "Effect": "Allow",
            "Principal": {"AWS": "*"},
            "Action": [
                "kms:Encrypt",
                "kms:Decrypt",
                "kms:ReEncrypt*",
                "kms:GenerateDataKey*",
                "kms:CreateGrant",
                "kms:DescribeKey",
            ],
            "Resource": "*",
            "Condition": {
                "StringEquals": {
                    "kms:CallerAccount": account_id,
                    "kms:ViaService": f"secretsmanager.{region}.amazonaws.com",
                }
            },
        },
        {
            "Sid": "Allow direct access to key metadata to the account",
            "Effect": "Allow",
            "Principal": {"AWS": root_arn(account_id)},
            "Action": ["kms:Describe*", "kms:Get*", "kms:List*", "kms:RevokeGrant"],
            "Resource": "*",
        },
    )


def _document(policy_id: str, *statements: dict[str, object]) -> str:
    return json.dumps({"Version": "2012-10-17", "Id": policy_id, "Statement": statements}, indent=2)

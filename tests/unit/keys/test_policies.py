"""The key policies AWS writes by itself."""

from __future__ import annotations

import json

from strongroom.keys.policies import default_key_policy, secretsmanager_key_policy

ACCOUNT = "111122223333"


def test_the_default_policy_leaves_the_key_to_the_account() -> None:
    assert json.loads(default_key_policy(ACCOUNT)) == {
        "Version": "2012-10-17",
        "Id": "key-default-1",
        "Statement": [
            {
                "Sid": "Enable IAM User Permissions",
                "Effect": "Allow",
                "Principal": {"AWS": "arn:aws:iam::111122223333:root"},
                "Action": "kms:*",
                "Resource": "*",
            }
        ],
    }


def test_the_secretsmanager_key_is_for_the_account_through_secrets_manager_only() -> None:
    policy = json.loads(secretsmanager_key_policy(ACCOUNT, "eu-central-1"))
    use, metadata = policy["Statement"]
    assert policy["Id"] == "auto-secretsmanager-1"
    assert use["Principal"] == {"AWS": "*"}
    assert use["Condition"] == {
        "StringEquals": {
            "kms:CallerAccount": ACCOUNT,
            "kms:ViaService": "secretsmanager.eu-central-1.amazonaws.com",
        }
    }
    assert metadata["Principal"] == {"AWS": "arn:aws:iam::111122223333:root"}
    assert metadata["Action"] == ["kms:Describe*", "kms:Get*", "kms:List*", "kms:RevokeGrant"]
    assert not any(action in str(policy) for action in ("kms:*", "PutKeyPolicy", "ScheduleKeyDeletion"))

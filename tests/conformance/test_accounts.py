"""What one account can see and do of another's secrets, over TCP.

Sources: fact sheets secretsmanager sections 2 and 6, iam sections 8 and 9.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from support.accounts import TwoAccounts, two_accounts
from support.dialogue import NO_KMS, NOT_FOUND, allow, answered, canary, denied, fresh, refused
from support.stillness import unchanged

DEFAULT_KEY_ELSEWHERE = (
    "InvalidRequestException",
    "You can't access a secret from a different AWS account if you encrypt the secret with the default KMS "
    "service key.",
)


@pytest.fixture(scope="module")
def accounts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoAccounts]:
    with two_accounts(tmp_path_factory.mktemp("accounts")) as started:
        yield started


@pytest.fixture(scope="module")
def mine(accounts: TwoAccounts) -> Any:
    return accounts.client("secretsmanager")


@pytest.fixture(scope="module")
def theirs(accounts: TwoAccounts) -> Any:
    return accounts.other_client("secretsmanager")


def _root(account_id: str) -> str:
    return f"arn:aws:iam::{account_id}:root"


def _share(client: Any, arn: str, account_id: str, *actions: str) -> None:
    statement = allow(list(actions) or "secretsmanager:*") | {"Principal": {"AWS": _root(account_id)}}
    client.put_resource_policy(
        SecretId=arn, ResourcePolicy=json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    )


def _shared_key(accounts: TwoAccounts) -> str:
    """Return a key of the first account that both accounts may use."""
    kms = accounts.client("kms")
    made = kms.create_key()["KeyMetadata"]
    statements = [
        allow("kms:*") | {"Principal": {"AWS": _root(made["AWSAccountId"])}},
        allow(["kms:Decrypt", "kms:GenerateDataKey"])
        | {"Principal": {"AWS": _root(accounts.other_account_id)}},
    ]
    policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
    kms.put_key_policy(KeyId=made["KeyId"], Policy=policy)
    return str(made["Arn"])


def test_another_account_sees_nothing_by_name(accounts: TwoAccounts, mine: Any, theirs: Any) -> None:
    name = fresh("mine")
    arn = mine.create_secret(Name=name, SecretString=canary())["ARN"]
    with unchanged(mine, name):
        assert refused(theirs.get_secret_value, SecretId=name) == NOT_FOUND
        assert refused(theirs.describe_secret, SecretId=name) == NOT_FOUND
        assert refused(theirs.put_secret_value, SecretId=name, SecretString="x") == NOT_FOUND
        assert refused(theirs.delete_secret, SecretId=name) == NOT_FOUND
        assert answered(theirs.list_secrets, IncludePlannedDeletion=True) == {"SecretList": []}
        filters = [{"Key": "name", "Values": [name]}]
        assert answered(theirs.batch_get_secret_value, Filters=filters) == {"SecretValues": [], "Errors": []}
        made = answered(theirs.create_secret, Name=name, SecretString="their own")
        assert made["ARN"].split(":")[4] == accounts.other_account_id != arn.split(":")[4]
        assert theirs.get_secret_value(SecretId=name)["SecretString"] == "their own"
    theirs.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)


@pytest.mark.parametrize("exists", [True, False], ids=["of a secret", "of nothing"])
@pytest.mark.parametrize("short", [False, True], ids=["whole", "in part"])
def test_an_arn_of_another_account_is_denied_whether_or_not_it_exists(
    accounts: TwoAccounts, mine: Any, theirs: Any, exists: bool, short: bool
) -> None:
    arn = mine.create_secret(Name=fresh("denied"), SecretString=canary())["ARN"]
    if not exists:
        mine.delete_secret(SecretId=arn, ForceDeleteWithoutRecovery=True)
    secret_id = arn[:-7] if short else arn

    def denial(action: str) -> tuple[str, str]:
        return denied(_root(accounts.other_account_id), action, secret_id, "")

    get, put = "secretsmanager:GetSecretValue", "secretsmanager:PutSecretValue"
    assert refused(theirs.get_secret_value, SecretId=secret_id) == denial(get)
    assert refused(theirs.put_secret_value, SecretId=secret_id, SecretString="x") == denial(put)
    force = {"SecretId": secret_id, "ForceDeleteWithoutRecovery": True}
    assert refused(theirs.delete_secret, **force) == denial("secretsmanager:DeleteSecret")
    batch = answered(theirs.batch_get_secret_value, SecretIdList=[secret_id])
    assert batch == {
        "SecretValues": [],
        "Errors": [{"SecretId": secret_id, "ErrorCode": denial(get)[0], "Message": denial(get)[1]}],
    }
    if exists:
        assert answered(mine.get_secret_value, SecretId=arn)["VersionStages"] == ["AWSCURRENT"]


def test_under_the_default_key_a_shared_secret_gives_no_value(
    accounts: TwoAccounts, mine: Any, theirs: Any
) -> None:
    name = fresh("shared")
    arn = mine.create_secret(Name=name, SecretString=canary())["ARN"]
    _share(mine, arn, accounts.other_account_id)
    with unchanged(mine, name):
        assert refused(theirs.get_secret_value, SecretId=arn) == DEFAULT_KEY_ELSEWHERE
        assert refused(theirs.put_secret_value, SecretId=arn, SecretString="x") == DEFAULT_KEY_ELSEWHERE
        assert refused(theirs.update_secret, SecretId=arn, SecretString="x") == DEFAULT_KEY_ELSEWHERE
        (error,) = answered(theirs.batch_get_secret_value, SecretIdList=[arn])["Errors"]
        assert (error["ErrorCode"], error["Message"]) == DEFAULT_KEY_ELSEWHERE
        assert len(answered(theirs.list_secret_version_ids, SecretId=arn)["Versions"]) == 1
    # What needs no value works across accounts.
    answered(theirs.tag_resource, SecretId=arn, Tags=[{"Key": "from", "Value": "elsewhere"}])
    assert answered(theirs.describe_secret, SecretId=arn)["Tags"] == [{"Key": "from", "Value": "elsewhere"}]
    answered(theirs.untag_resource, SecretId=arn, TagKeys=["from"])
    answered(theirs.get_resource_policy, SecretId=arn)
    answered(theirs.delete_secret, SecretId=arn, RecoveryWindowInDays=7)
    answered(theirs.restore_secret, SecretId=arn)
    answered(mine.get_secret_value, SecretId=name)


def test_under_a_shared_key_a_shared_secret_is_read_and_written(
    accounts: TwoAccounts, mine: Any, theirs: Any
) -> None:
    name, value = fresh("shared"), canary()
    key = _shared_key(accounts)
    arn = mine.create_secret(Name=name, SecretString=value, KmsKeyId=key)["ARN"]
    _share(
        mine, arn, accounts.other_account_id, "secretsmanager:GetSecretValue", "secretsmanager:PutSecretValue"
    )
    for secret_id in (arn, arn[:-7]):
        assert answered(theirs.get_secret_value, SecretId=secret_id)["SecretString"] == value
    answered(theirs.put_secret_value, SecretId=arn, SecretString="written from elsewhere")
    assert mine.get_secret_value(SecretId=name)["SecretString"] == "written from elsewhere"
    assert refused(theirs.get_secret_value, SecretId=name) == NOT_FOUND
    assert answered(theirs.list_secrets) == {"SecretList": []}
    mine.delete_resource_policy(SecretId=name)
    code, _ = refused(theirs.get_secret_value, SecretId=arn)
    assert code == "AccessDeniedException"


def test_a_shared_secret_under_a_key_that_is_not_shared_gives_no_value(
    accounts: TwoAccounts, mine: Any, theirs: Any
) -> None:
    name = fresh("shared")
    key = accounts.client("kms").create_key()["KeyMetadata"]["Arn"]
    arn = mine.create_secret(Name=name, SecretString=canary(), KmsKeyId=key)["ARN"]
    _share(mine, arn, accounts.other_account_id)
    with unchanged(mine, name):
        assert refused(theirs.get_secret_value, SecretId=arn) == NO_KMS
        assert refused(theirs.put_secret_value, SecretId=arn, SecretString="x") == NO_KMS

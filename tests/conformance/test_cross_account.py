"""Two accounts over TCP: secrets shared by policy, and replicas in the other account.

Source: fact sheet secretsmanager sections 2 and 6; iam sections 4, 6 and 9; kms section 9.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from support.dialogue import (
    INVALID_NAME,
    MARKED,
    NO_KMS,
    NO_LABEL,
    NOT_FOUND,
    ON_A_REPLICA,
    Person,
    a_person,
    allow,
    answered,
    canary,
    denied,
    fresh,
    invalid,
    missing,
    picture,
    refused,
    value_of,
)
from support.running import REGION
from support.tenants import Tenant, two_accounts

ASSOCIATE = "secretsmanager:AssociateCrossAccountReplica"
DISASSOCIATE = "secretsmanager:DisassociateCrossAccountReplica"
ACCEPT = "secretsmanager:AcceptCrossAccountReplication"
STOP = "secretsmanager:StopReplicationToReplica"
CREATE = "secretsmanager:CreateSecret"
PUT_POLICY = "secretsmanager:PutResourcePolicy"
DELETE_POLICY = "secretsmanager:DeleteResourcePolicy"
GET_VALUE = "secretsmanager:GetSecretValue"

DEFAULT_KEY_ELSEWHERE = (
    "InvalidRequestException",
    "You can't access a secret from a different AWS account if you encrypt the secret with the default KMS "
    "service key.",
)
NEEDS_KEY = (
    "InvalidParameterException",
    "A cross-account replica secret must be encrypted with a customer managed KMS key.",
)
NOT_A_PRIMARY_ARN = (
    "InvalidParameterException",
    "CrossAccountPrimaryARN must be the complete ARN of a secret in another account, in the same Region and "
    "partition.",
)
NOT_A_REPLICA_ARN = (
    "InvalidParameterException",
    "CrossAccountReplicaARN must be the complete ARN of a secret in another account, in the same Region and "
    "partition.",
)
NOT_A_REPLICA = (
    "InvalidRequestException",
    "You can't stop replication to this secret because it isn't a replica.",
)
SUCCEEDED = "Replication succeeded"


class House:
    """Both accounts, with the clients the tests use; the replica's account has a key open to the primary's."""

    def __init__(self, here: Tenant, there: Tenant) -> None:
        self.here, self.there = here, there
        self.primary, self.replica = here.client(), there.client()
        self.kms = there.client("kms")
        self.key = self.kms.create_key(Policy=self.key_policy("kms:Encrypt", "kms:Decrypt"))["KeyMetadata"][
            "Arn"
        ]

    def key_policy(self, *actions: str) -> str:
        """Return a key policy of the replica's account that lets the primary's use the key for `actions`."""
        statements: list[dict[str, Any]] = [
            {"Effect": "Allow", "Principal": {"AWS": self.there.root}, "Action": "kms:*", "Resource": "*"}
        ]
        if actions:
            statements.append(
                {
                    "Effect": "Allow",
                    "Principal": {"AWS": self.here.root},
                    "Action": list(actions),
                    "Resource": "*",
                }
            )
        return json.dumps({"Version": "2012-10-17", "Statement": statements})


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with two_accounts(tmp_path_factory.mktemp("tenants")) as (here, there):
        made = House(here, there)
        yield made
        for client in (made.primary, made.replica, made.kms):
            client.close()


@pytest.fixture
def value() -> str:
    return canary()


@pytest.fixture
def primary(house: House, value: str) -> str:
    """The ARN of a secret of the first account."""
    return str(house.primary.create_secret(Name=fresh("primary"), SecretString=value)["ARN"])


@pytest.fixture
def replica(house: House, primary: str) -> str:
    """The ARN of a secret of the second account, made to be the primary's replica."""
    made = house.replica.create_secret(
        Name=fresh("replica"), KmsKeyId=house.key, CrossAccountPrimaryARN=primary
    )
    return str(made["ARN"])


@pytest.fixture
def linked(house: House, primary: str, replica: str) -> str:
    """The replica, associated."""
    house.primary.associate_cross_account_replica(SecretId=primary, CrossAccountReplicaARN=replica)
    return replica


def _described(client: Any, secret_id: str) -> dict[str, Any]:
    return answered(client.describe_secret, SecretId=secret_id)


def _as_replica(primary: str, status: str = "InSync", message: str | None = SUCCEEDED) -> dict[str, str]:
    shown = {"PrimarySecretARN": primary, "ReplicationStatus": status}
    return shown if message is None else {**shown, "StatusMessage": message}


def _as_primary(replica: str, status: str = "InSync", message: str = SUCCEEDED) -> list[dict[str, str]]:
    return [{"ReplicaSecretARN": replica, "ReplicationStatus": status, "StatusMessage": message}]


def _both(house: House, primary: str, replica: str) -> tuple[Any, Any]:
    return picture(house.primary, primary), picture(house.replica, replica)


def _grant(principal: str, action: str | list[str]) -> str:
    statement = {"Effect": "Allow", "Principal": {"AWS": principal}, "Action": action, "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


# Two accounts beside each other


def test_accounts_do_not_see_each_others_secrets(house: House, primary: str) -> None:
    name = _described(house.primary, primary)["Name"]
    assert refused(house.replica.describe_secret, SecretId=name) == NOT_FOUND
    assert house.replica.create_secret(Name=name)["ARN"].split(":")[4] == house.there.account_id
    listed = house.replica.list_secrets(Filters=[{"Key": "name", "Values": [name]}])["SecretList"]
    assert [each["ARN"].split(":")[4] for each in listed] == [house.there.account_id]
    action = "secretsmanager:DescribeSecret"
    assert refused(house.replica.describe_secret, SecretId=primary) == denied(
        house.there.root, action, primary, reason=""
    )


def test_a_secret_that_is_not_there_is_not_told_from_one_that_is(house: House, primary: str) -> None:
    absent = primary[:-6] + "aaaaaa"
    for arn in (primary, absent):
        assert refused(house.replica.get_secret_value, SecretId=arn) == denied(
            house.there.root, GET_VALUE, arn, reason=""
        )


def test_a_secret_under_the_default_key_is_shared_but_for_its_value(house: House, primary: str) -> None:
    house.primary.put_resource_policy(
        SecretId=primary, ResourcePolicy=_grant(house.there.root, "secretsmanager:*")
    )
    assert refused(house.replica.get_secret_value, SecretId=primary) == DEFAULT_KEY_ELSEWHERE
    assert (
        refused(house.replica.put_secret_value, SecretId=primary, SecretString="y") == DEFAULT_KEY_ELSEWHERE
    )
    assert _described(house.replica, primary) == _described(house.primary, primary)
    assert answered(house.replica.tag_resource, SecretId=primary, Tags=[{"Key": "a", "Value": "b"}]) == {}
    assert _described(house.primary, primary)["Tags"] == [{"Key": "a", "Value": "b"}]
    assert answered(house.replica.delete_secret, SecretId=primary)["ARN"] == primary
    assert answered(house.replica.restore_secret, SecretId=primary)["ARN"] == primary
    assert len(answered(house.primary.list_secret_version_ids, SecretId=primary)["Versions"]) == 1


def test_a_value_is_shared_when_secret_and_key_allow_it(house: House, value: str) -> None:
    name = fresh("shared")
    arn = house.replica.create_secret(Name=name, SecretString=value, KmsKeyId=house.key)["ARN"]
    house.replica.put_resource_policy(SecretId=arn, ResourcePolicy=_grant(house.here.root, GET_VALUE))
    assert value_of(house.primary, arn) == value
    house.kms.put_key_policy(KeyId=house.key, Policy=house.key_policy())
    assert refused(house.primary.get_secret_value, SecretId=arn) == NO_KMS
    house.kms.put_key_policy(KeyId=house.key, Policy=house.key_policy("kms:Encrypt", "kms:Decrypt"))
    assert value_of(house.primary, arn) == value
    house.replica.delete_resource_policy(SecretId=arn)
    assert refused(house.primary.get_secret_value, SecretId=arn) == denied(
        house.here.root, GET_VALUE, arn, reason=""
    )


# Making a replica


def test_a_new_replica_waits_and_lets_the_primarys_account_replicate(
    house: House, primary: str, value: str
) -> None:
    name = fresh("replica")
    answer = answered(
        house.replica.create_secret,
        Name=name,
        KmsKeyId=house.key,
        CrossAccountPrimaryARN=primary,
        Tags=[{"Key": "team", "Value": "red"}],
    )
    arn = answer["ARN"]
    assert answer == {"ARN": arn, "Name": name}
    assert arn.startswith(f"arn:aws:secretsmanager:{REGION}:{house.there.account_id}:secret:{name}-")
    described = _described(house.replica, arn)
    assert described.pop("CreatedDate") == described.pop("LastChangedDate")
    assert described == {
        "ARN": arn,
        "Name": name,
        "KmsKeyId": house.key,
        "Tags": [{"Key": "team", "Value": "red"}],
        "CrossAccountPrimary": _as_replica(primary, "Pending", None),
    }
    assert refused(house.replica.get_secret_value, SecretId=arn) == ("ResourceNotFoundException", NO_LABEL)
    assert answered(house.replica.list_resource_policies, SecretId=arn) == {
        "ResourcePolicies": [{"PolicyName": "CrossAccountReplication"}]
    }
    policy = answered(house.replica.get_resource_policy, SecretId=arn, PolicyName="CrossAccountReplication")
    assert json.loads(policy["ResourcePolicy"]) == json.loads(_grant(house.here.root, ACCEPT))


@pytest.mark.parametrize(
    "member",
    [
        {"SecretString": "x"},
        {"SecretBinary": b"x"},
        {"Description": "x"},
        {"AddReplicaRegions": [{"Region": "eu-west-1"}]},
        {"Type": "Partner"},
    ],
    ids=lambda member: next(iter(member)),
)
def test_members_that_a_replica_takes_from_its_primary_are_refused(
    house: House, primary: str, member: dict[str, Any]
) -> None:
    name = fresh()
    assert refused(
        house.replica.create_secret, Name=name, KmsKeyId=house.key, CrossAccountPrimaryARN=primary, **member
    ) == (
        "InvalidParameterException",
        f"You can't specify {next(iter(member))} when you create a cross-account replica secret.",
    )
    assert refused(house.replica.describe_secret, SecretId=name) == NOT_FOUND


@pytest.mark.parametrize("key", [None, "", "alias/aws/secretsmanager"])
def test_a_replica_needs_a_key_of_the_customers(house: House, primary: str, key: str | None) -> None:
    # The account's own key exists by now, so that it is refused for what it is.
    house.replica.create_secret(Name=fresh(), SecretString="x")
    name = fresh()
    given = {} if key is None else {"KmsKeyId": key}
    assert (
        refused(house.replica.create_secret, Name=name, CrossAccountPrimaryARN=primary, **given) == NEEDS_KEY
    )
    assert refused(house.replica.describe_secret, SecretId=name) == NOT_FOUND


def test_a_primary_is_named_by_the_arn_of_another_accounts_secret_here(house: House, primary: str) -> None:
    name = fresh()
    for wrong in (
        "arn:aws:secretsmanager:eu-central-1:222222222222:secret:own-a1b2c3",
        primary.replace(REGION, "eu-west-1"),
        primary.replace("arn:aws:", "arn:aws-cn:"),
        primary[:-7],
        primary.replace("secretsmanager", "kms"),
        "just-a-name-of-some-length",
    ):
        assert (
            refused(house.replica.create_secret, Name=name, KmsKeyId=house.key, CrossAccountPrimaryARN=wrong)
            == NOT_A_PRIMARY_ARN
        )
    assert refused(house.replica.describe_secret, SecretId=name) == NOT_FOUND


def test_a_replica_does_not_take_a_name_in_use(house: House, primary: str) -> None:
    name = fresh()
    house.replica.create_secret(Name=name, SecretString="mine")
    request = {"Name": name, "KmsKeyId": house.key, "CrossAccountPrimaryARN": primary}
    before = picture(house.replica, name)
    assert refused(house.replica.create_secret, **request) == (
        "ResourceExistsException",
        f"The operation failed because the secret {name} already exists.",
    )
    assert picture(house.replica, name) == before
    house.replica.delete_secret(SecretId=name)
    assert refused(house.replica.create_secret, **request) == (
        "InvalidRequestException",
        "You can't create this secret because a secret with this name is already scheduled for deletion.",
    )


def test_making_a_replica_needs_the_permission_to_put_policies(house: House, primary: str) -> None:
    person = a_person(house.there.server, house.there.credentials)
    client, name = person.client(), fresh()
    request = {"Name": name, "KmsKeyId": house.key, "CrossAccountPrimaryARN": primary}
    person.may(allow([CREATE, "kms:*"]))
    assert refused(client.create_secret, **request) == denied(person.arn, PUT_POLICY, name)
    assert refused(house.replica.describe_secret, SecretId=name) == NOT_FOUND
    person.may(allow([CREATE, PUT_POLICY]))
    assert refused(client.create_secret, **request) == NO_KMS
    assert refused(house.replica.describe_secret, SecretId=name) == NOT_FOUND
    person.may(allow([CREATE, PUT_POLICY, "kms:GenerateDataKey", "kms:Decrypt"]))
    assert answered(client.create_secret, **request)["Name"] == name
    client.close()


# Associating


def test_an_associated_replica_holds_what_the_primary_holds(
    house: House, primary: str, replica: str, value: str
) -> None:
    second = house.primary.put_secret_value(SecretId=primary, SecretString=value + "2")["VersionId"]
    house.primary.update_secret(SecretId=primary, Description="of the primary")
    before = _described(house.primary, primary)
    answer = answered(
        house.primary.associate_cross_account_replica, SecretId=primary, CrossAccountReplicaARN=replica
    )
    assert answer == {"ARN": primary, "CrossAccountReplicaARN": replica, "ReplicationStatus": "InSync"}
    after = _described(house.primary, primary)
    assert after.pop("LastChangedDate") > before.pop("LastChangedDate")
    # Replication has read the value as the caller.
    after.pop("LastAccessedDate", None)
    assert after == {**before, "CrossAccountReplicas": _as_primary(replica)}
    there = _described(house.replica, replica)
    assert there["CrossAccountPrimary"] == _as_replica(primary)
    assert there["VersionIdsToStages"] == before["VersionIdsToStages"]
    assert there["Description"] == "of the primary"
    assert there["KmsKeyId"] == house.key
    got = answered(house.replica.get_secret_value, SecretId=replica)
    assert (got["VersionId"], got["SecretString"]) == (second, value + "2")
    assert (
        answered(house.replica.get_secret_value, SecretId=replica, VersionStage="AWSPREVIOUS")["SecretString"]
        == value
    )


def test_associating_again_changes_nothing(house: House, primary: str, linked: str) -> None:
    before = _both(house, primary, linked)
    assert answered(
        house.primary.associate_cross_account_replica,
        SecretId=primary,
        CrossAccountReplicaARN=linked,
        ReplicaRestriction="SameOrg",
    ) == {"ARN": primary, "CrossAccountReplicaARN": linked, "ReplicationStatus": "InSync"}
    assert _both(house, primary, linked) == before


def test_every_change_of_the_primary_reaches_the_replica(
    house: House, primary: str, linked: str, value: str
) -> None:
    house.primary.put_secret_value(SecretId=primary, SecretString=value + "2")
    assert value_of(house.replica, linked) == value + "2"
    third = house.primary.put_secret_value(
        SecretId=primary, SecretBinary=b"\x00\xff", VersionStages=["NEXT"]
    )["VersionId"]
    got = answered(house.replica.get_secret_value, SecretId=linked, VersionStage="NEXT")
    assert (got["VersionId"], got["SecretBinary"]) == (third, b"\x00\xff")
    # Tags and policies are the replica's account's own.
    house.primary.tag_resource(SecretId=primary, Tags=[{"Key": "team", "Value": "blue"}])
    assert "Tags" not in _described(house.replica, linked)


def test_a_replica_whose_key_closes_fails_and_recovers(
    house: House, primary: str, linked: str, value: str
) -> None:
    house.kms.put_key_policy(KeyId=house.key, Policy=house.key_policy())
    house.primary.put_secret_value(SecretId=primary, SecretString=value + "2")
    failed = "Failed", NO_KMS[1]
    assert _described(house.primary, primary)["CrossAccountReplicas"] == _as_primary(linked, *failed)
    assert _described(house.replica, linked)["CrossAccountPrimary"] == _as_replica(primary, *failed)
    assert value_of(house.replica, linked) == value
    before = _both(house, primary, linked)
    request = {"SecretId": primary, "CrossAccountReplicaARN": linked}
    assert refused(house.primary.associate_cross_account_replica, **request) == NO_KMS
    assert _both(house, primary, linked) == before
    house.kms.put_key_policy(KeyId=house.key, Policy=house.key_policy("kms:Encrypt", "kms:Decrypt"))
    assert answered(house.primary.associate_cross_account_replica, **request)["ReplicationStatus"] == "InSync"
    assert value_of(house.replica, linked) == value + "2"


def test_a_primary_has_one_replica_in_another_account(house: House, primary: str, linked: str) -> None:
    other = house.replica.create_secret(Name=fresh(), KmsKeyId=house.key, CrossAccountPrimaryARN=primary)[
        "ARN"
    ]
    before = _both(house, primary, linked), picture(house.replica, other)
    assert refused(
        house.primary.associate_cross_account_replica, SecretId=primary, CrossAccountReplicaARN=other
    ) == ("LimitExceededException", "A primary secret can have at most one cross-account replica.")
    assert (_both(house, primary, linked), picture(house.replica, other)) == before


def test_a_secret_made_for_another_primary_is_not_associated(
    house: House, primary: str, replica: str
) -> None:
    other = house.primary.create_secret(Name=fresh(), SecretString="other")["ARN"]
    before = picture(house.primary, other), picture(house.replica, replica)
    assert refused(
        house.primary.associate_cross_account_replica, SecretId=other, CrossAccountReplicaARN=replica
    ) == (
        "InvalidParameterException",
        f"The secret {replica} isn't a cross-account replica of the secret {other}.",
    )
    assert (picture(house.primary, other), picture(house.replica, replica)) == before


def test_a_secret_that_does_not_accept_is_not_told_from_one_that_is_not_there(
    house: House, primary: str
) -> None:
    plain = house.replica.create_secret(Name=fresh(), SecretString="x")["ARN"]
    before = picture(house.primary, primary)
    for arn in (plain, plain[:-6] + "aaaaaa"):
        assert refused(
            house.primary.associate_cross_account_replica, SecretId=primary, CrossAccountReplicaARN=arn
        ) == denied(house.here.root, ACCEPT, arn, reason="")
    assert picture(house.primary, primary) == before


def test_a_replica_is_named_by_the_arn_of_another_accounts_secret_here(
    house: House, primary: str, replica: str
) -> None:
    before = picture(house.primary, primary)
    for wrong in (
        primary,
        replica.replace(REGION, "eu-west-1"),
        replica[:-7],
        "just-a-name-of-some-length",
    ):
        assert (
            refused(
                house.primary.associate_cross_account_replica,
                SecretId=primary,
                CrossAccountReplicaARN=wrong,
            )
            == NOT_A_REPLICA_ARN
        )
    assert picture(house.primary, primary) == before


def test_a_role_that_cannot_be_assumed_is_refused(house: House, primary: str, replica: str) -> None:
    role = f"arn:aws:iam::{house.here.account_id}:role/replicator"
    before = _both(house, primary, replica)
    request = {"SecretId": primary, "CrossAccountReplicaARN": replica}
    assert refused(house.primary.associate_cross_account_replica, ReplicationRoleARN=role, **request) == (
        "InvalidRequestException",
        f"Secrets Manager is unable to assume role {role}.",
    )
    assert refused(
        house.primary.associate_cross_account_replica,
        ReplicationRoleARN=f"arn:aws:iam::{house.here.account_id}:user/replicator",
        **request,
    ) == (
        "InvalidParameterException",
        "ReplicationRoleARN must be the ARN of an IAM role in the account of the primary secret.",
    )
    assert _both(house, primary, replica) == before


def test_members_out_of_their_bounds_are_refused(house: House, primary: str, replica: str) -> None:
    client = house.here.client(parameter_validation=False)
    before = _both(house, primary, replica)
    request = {"SecretId": primary, "CrossAccountReplicaARN": replica}
    code, text = refused(client.associate_cross_account_replica, ReplicaRestriction="Nobody", **request)
    assert code == "ValidationException"
    assert text.startswith(
        "1 validation error detected: Value 'Nobody' at 'replicaRestriction' failed to satisfy constraint: "
        "Member must satisfy enum value set: ["
    )
    short = "Member must have length greater than or equal to 20"
    for operation in (client.associate_cross_account_replica, client.disassociate_cross_account_replica):
        assert refused(operation, SecretId=primary) == missing("crossAccountReplicaARN")
        assert refused(operation, CrossAccountReplicaARN=replica) == missing("secretId")
        assert refused(operation, SecretId=primary, CrossAccountReplicaARN="short") == invalid(
            f"Value 'short' at 'crossAccountReplicaARN' failed to satisfy constraint: {short}"
        )
        assert refused(operation, SecretId="a b", CrossAccountReplicaARN=replica) == INVALID_NAME
        assert refused(operation, SecretId=fresh(), CrossAccountReplicaARN=replica) == NOT_FOUND
    assert _both(house, primary, replica) == before
    client.close()


def test_associating_needs_every_permission(house: House, primary: str, replica: str, value: str) -> None:
    person = a_person(house.here.server, house.here.credentials)
    client = person.client()
    before = _both(house, primary, replica)
    request = {"SecretId": primary, "CrossAccountReplicaARN": replica}
    granted: list[str] = []
    for action, resource in ((ASSOCIATE, primary), (GET_VALUE, primary), (ACCEPT, replica)):
        assert refused(client.associate_cross_account_replica, **request) == denied(
            person.arn, action, resource, reason="" if action == ACCEPT else None
        )
        granted.append(action)
        person.may(allow(granted))
    assert refused(client.associate_cross_account_replica, **request) == NO_KMS
    assert _both(house, primary, replica) == before
    role = f"arn:aws:iam::{house.here.account_id}:role/replicator"
    assert refused(client.associate_cross_account_replica, ReplicationRoleARN=role, **request) == denied(
        person.arn, "iam:PassRole", role
    )
    person.may(allow([*granted, "kms:Encrypt"]))
    assert answered(client.associate_cross_account_replica, **request)["ReplicationStatus"] == "InSync"
    assert value_of(house.replica, replica) == value
    client.close()


def test_the_owner_associates_and_nobody_in_its_place(house: House, primary: str) -> None:
    house.primary.put_resource_policy(
        SecretId=primary, ResourcePolicy=_grant(house.there.root, "secretsmanager:*")
    )
    replica = house.replica.create_secret(Name=fresh(), KmsKeyId=house.key, CrossAccountPrimaryARN=primary)[
        "ARN"
    ]
    before = _both(house, primary, replica)
    assert refused(
        house.replica.associate_cross_account_replica, SecretId=primary, CrossAccountReplicaARN=replica
    ) == (
        "InvalidRequestException",
        "You must call this operation from the account that owns the primary secret.",
    )
    assert _both(house, primary, replica) == before


def test_a_primary_marked_for_deletion_is_not_associated(house: House, primary: str, replica: str) -> None:
    house.primary.delete_secret(SecretId=primary)
    before = _both(house, primary, replica)
    for operation in (
        house.primary.associate_cross_account_replica,
        house.primary.disassociate_cross_account_replica,
    ):
        assert refused(operation, SecretId=primary, CrossAccountReplicaARN=replica) == MARKED
    assert _both(house, primary, replica) == before


# Ending it


def test_disassociating_leaves_a_detached_replica(
    house: House, primary: str, linked: str, value: str
) -> None:
    request = {"SecretId": primary, "CrossAccountReplicaARN": linked}
    answer = answered(house.primary.disassociate_cross_account_replica, **request)
    assert answer == {"ARN": primary, "CrossAccountReplicaARN": linked}
    assert "CrossAccountReplicas" not in _described(house.primary, primary)
    assert _described(house.replica, linked)["CrossAccountPrimary"] == _as_replica(
        primary, "Detached", "Replication was stopped by the primary."
    )
    house.primary.put_secret_value(SecretId=primary, SecretString="not for the replica")
    assert value_of(house.replica, linked) == value
    assert refused(house.replica.put_secret_value, SecretId=linked, SecretString="y") == ON_A_REPLICA
    before = _both(house, primary, linked)
    assert refused(house.primary.disassociate_cross_account_replica, **request) == (
        "InvalidParameterException",
        f"The secret {primary} isn't associated with the cross-account replica {linked}.",
    )
    assert _both(house, primary, linked) == before
    assert answered(house.replica.stop_replication_to_replica, SecretId=linked) == {"ARN": linked}
    assert "CrossAccountPrimary" not in _described(house.replica, linked)


def test_a_detached_replica_is_associated_again(house: House, primary: str, linked: str) -> None:
    request = {"SecretId": primary, "CrossAccountReplicaARN": linked}
    house.primary.disassociate_cross_account_replica(**request)
    house.primary.put_secret_value(SecretId=primary, SecretString="meanwhile")
    house.primary.associate_cross_account_replica(**request)
    assert value_of(house.replica, linked) == "meanwhile"
    assert _described(house.primary, primary)["CrossAccountReplicas"] == _as_primary(linked)


def test_a_promoted_replica_stands_alone(house: House, primary: str, linked: str, value: str) -> None:
    assert answered(house.replica.stop_replication_to_replica, SecretId=linked) == {"ARN": linked}
    assert "CrossAccountPrimary" not in _described(house.replica, linked)
    assert answered(house.replica.list_resource_policies, SecretId=linked) == {"ResourcePolicies": []}
    assert _described(house.primary, primary)["CrossAccountReplicas"] == _as_primary(
        linked, "Detached", "Replication was stopped by the replica."
    )
    house.primary.put_secret_value(SecretId=primary, SecretString="here")
    assert value_of(house.replica, linked) == value
    house.replica.put_secret_value(SecretId=linked, SecretString="there")
    assert value_of(house.primary, primary) == "here"
    assert refused(house.replica.stop_replication_to_replica, SecretId=linked) == NOT_A_REPLICA
    assert answered(house.primary.delete_secret, SecretId=primary)["ARN"] == primary


def test_promoting_needs_the_permission_to_delete_policies(house: House, primary: str, linked: str) -> None:
    person: Person = a_person(house.there.server, house.there.credentials)
    client = person.client()
    before = _both(house, primary, linked)
    assert refused(client.stop_replication_to_replica, SecretId=linked) == denied(person.arn, STOP, linked)
    person.may(allow(STOP))
    assert refused(client.stop_replication_to_replica, SecretId=linked) == denied(
        person.arn, DELETE_POLICY, linked
    )
    assert _both(house, primary, linked) == before
    person.may(allow([STOP, DELETE_POLICY]))
    assert answered(client.stop_replication_to_replica, SecretId=linked) == {"ARN": linked}
    client.close()


def test_disassociating_needs_its_permission(house: House, primary: str, linked: str) -> None:
    person: Person = a_person(house.here.server, house.here.credentials)
    client = person.client()
    before = _both(house, primary, linked)
    request = {"SecretId": primary, "CrossAccountReplicaARN": linked}
    assert refused(client.disassociate_cross_account_replica, **request) == denied(
        person.arn, DISASSOCIATE, primary
    )
    assert _both(house, primary, linked) == before
    client.close()


def test_neither_end_of_a_replication_is_deleted(house: House, primary: str, linked: str, value: str) -> None:
    before = _both(house, primary, linked)
    for how in ({}, {"ForceDeleteWithoutRecovery": True}):
        assert refused(house.primary.delete_secret, SecretId=primary, **how) == (
            "InvalidRequestException",
            "You can't delete a secret that has a cross-account replica. Call "
            "DisassociateCrossAccountReplica first.",
        )
        assert refused(house.replica.delete_secret, SecretId=linked, **how) == (
            "InvalidRequestException",
            "You can't delete a cross-account replica secret. Call StopReplicationToReplica first.",
        )
    assert _both(house, primary, linked) == before
    assert value_of(house.replica, linked) == value


def test_a_replica_takes_no_writes(house: House, primary: str, linked: str, value: str) -> None:
    client = house.replica
    before = _both(house, primary, linked)
    for operation, request in (
        (client.put_secret_value, {"SecretString": "y"}),
        (client.update_secret, {"Description": "y"}),
        (client.update_secret_version_stage, {"VersionStage": "X"}),
        (client.put_resource_policy, {"ResourcePolicy": _grant(house.there.root, GET_VALUE)}),
        (client.delete_resource_policy, {}),
        (client.tag_resource, {"Tags": [{"Key": "a", "Value": "b"}]}),
        (client.untag_resource, {"TagKeys": ["a"]}),
        (client.rotate_secret, {"RotationLambdaARN": f"arn:aws:lambda:{REGION}:222222222222:function:x"}),
        (client.cancel_rotate_secret, {}),
        (client.replicate_secret_to_regions, {"AddReplicaRegions": [{"Region": "eu-west-1"}]}),
        (client.remove_regions_from_replication, {"RemoveReplicaRegions": ["eu-west-1"]}),
    ):
        assert refused(operation, SecretId=linked, **request) == ON_A_REPLICA
    assert _both(house, primary, linked) == before
    assert value_of(client, linked) == value

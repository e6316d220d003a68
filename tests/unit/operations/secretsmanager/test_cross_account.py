"""Replicas in another account. Source: service model, AssociateCrossAccountReplica and its neighbours."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec.structs import replace

from strongroom.errors import (
    AccessDeniedException,
    EncryptionFailure,
    InvalidParameterException,
    InvalidRequestException,
    LimitExceededException,
    ResourceExistsException,
    ResourceNotFoundException,
    ServiceError,
)
from strongroom.keys.records import KmsKey
from strongroom.names import AWSCURRENT, AWSPREVIOUS, Arn
from strongroom.operations.call import Operation
from strongroom.operations.secretsmanager.cross_account import (
    ASSOCIATE_CROSS_ACCOUNT_REPLICA,
    DISASSOCIATE_CROSS_ACCOUNT_REPLICA,
    create_replica,
    cross_account_primary,
    cross_account_replicas,
)
from strongroom.operations.secretsmanager.replication import (
    REPLICATE_SECRET_TO_REGIONS,
    STOP_REPLICATION_TO_REPLICA,
)
from strongroom.ports import SECRET_POLICIES
from strongroom.secret.records import Secret
from support.key_room import ACCOUNT, NOON, OTHER_ACCOUNT, REGION, allow, for_principal, policy, root
from support.replica_room import PARIS, ReplicaRoom, version_id

PRIMARY = Arn("arn:aws:secretsmanager:eu-central-1:111122223333:secret:db-AbCdEf")
REPLICATION_POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"AWS": "arn:aws:iam::111122223333:root"},
            "Action": "secretsmanager:AcceptCrossAccountReplication",
            "Resource": "*",
        }
    ],
}
SUCCEEDED = "Replication succeeded"
CANNOT_ENCRYPT = (
    "Secrets Manager can't encrypt the protected secret text using the provided KMS key. Check that the KMS "
    "key is available, enabled, and not in an invalid state."
)


@pytest.fixture
def room() -> ReplicaRoom:
    return ReplicaRoom()


@pytest.fixture
def key(room: ReplicaRoom) -> KmsKey:
    """The replica account's key, which the primary's account may use."""
    return room.add_key(account_id=OTHER_ACCOUNT, users=[ACCOUNT])


def create(room: ReplicaRoom, key_id: str | None, name: str = "copy", **more: Any) -> Any:
    request = {"Name": name, "CrossAccountPrimaryARN": PRIMARY, **more}
    if key_id is not None:
        request["KmsKeyId"] = key_id
    call = room.call("CreateSecret", request, principal=root(OTHER_ACCOUNT), service="secretsmanager")
    return room.write(lambda unit: create_replica(call, unit, request))


def associate(room: ReplicaRoom, arn: str, **more: Any) -> Any:
    principal = more.pop("principal", None)
    request = {"SecretId": "db", "CrossAccountReplicaARN": arn, **more}
    return room.run(ASSOCIATE_CROSS_ACCOUNT_REPLICA, request, principal=principal)


def refused(
    room: ReplicaRoom, kind: type[ServiceError], operation: Operation, request: dict[str, Any], **how: Any
) -> str:
    """Return the message of a call that is refused and changes nothing."""
    before = room.unit.state()
    with pytest.raises(kind) as raised:
        room.run(operation, request, **how)
    assert type(raised.value) is kind
    assert room.unit.state() == before
    return raised.value.message


def association_refused(room: ReplicaRoom, kind: type[ServiceError], arn: str, **more: Any) -> str:
    principal = more.pop("principal", None)
    request = {"SecretId": "db", "CrossAccountReplicaARN": arn, **more}
    return refused(room, kind, ASSOCIATE_CROSS_ACCOUNT_REPLICA, request, principal=principal)


def linked(room: ReplicaRoom, key: KmsKey) -> tuple[Secret, Arn]:
    """Return a primary and the ARN of its replica, in sync."""
    primary = room.add_secret(values=("first", "second"), description="the database")
    arn = create(room, key.key_id)["ARN"]
    associate(room, arn)
    return primary, arn


def shown(room: ReplicaRoom, arn: str) -> tuple[Any, Any]:
    """Return CrossAccountPrimary and CrossAccountReplicas as DescribeSecret gives them."""
    secret = room.secret(arn)
    return cross_account_primary(secret), cross_account_replicas(secret)


# CreateSecret with CrossAccountPrimaryARN


def test_a_new_replica_is_pending_empty_and_open_to_the_primarys_account(
    room: ReplicaRoom, key: KmsKey
) -> None:
    answer = create(room, key.key_id, Tags=[{"Key": "team", "Value": "a"}])
    replica = room.secret(answer["ARN"])
    assert answer == {"ARN": replica.arn, "Name": "copy"}
    assert replica.arn.startswith("arn:aws:secretsmanager:eu-central-1:444455556666:secret:copy-")
    assert (replica.kms_key_id, replica.tags, replica.labels) == (key.key_id, {"team": "a"}, {})
    assert shown(room, replica.arn) == ({"PrimarySecretARN": PRIMARY, "ReplicationStatus": "Pending"}, [])
    assert room.unit.versions(replica.arn) == []
    policies = room.policies(replica.arn)
    assert {name: json.loads(text) for name, text in policies.items()} == {
        "CrossAccountReplication": REPLICATION_POLICY
    }


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("SecretString", "x"),
        ("SecretBinary", b"x"),
        ("Description", ""),
        ("AddReplicaRegions", [{"Region": PARIS}]),
        ("ForceOverwriteReplicaSecret", True),
        ("Type", "Partner"),
    ],
)
def test_a_new_replica_takes_nothing_the_primary_brings(
    room: ReplicaRoom, key: KmsKey, member: str, value: Any
) -> None:
    before = room.unit.state()
    with pytest.raises(InvalidParameterException) as raised:
        create(room, key.key_id, **{member: value})
    assert raised.value.message == (
        f"You can't specify {member} when you create a cross-account replica secret."
    )
    assert room.unit.state() == before


@pytest.mark.parametrize("key_id", [None, "", "alias/aws/secretsmanager"])
def test_a_new_replica_needs_a_customer_key(room: ReplicaRoom, key_id: str | None) -> None:
    before = room.unit.state()
    with pytest.raises(InvalidParameterException) as raised:
        create(room, key_id)
    assert raised.value.message == (
        "A cross-account replica secret must be encrypted with a customer managed KMS key."
    )
    assert room.unit.state() == before


def test_the_services_own_key_by_its_id_is_no_customer_key(room: ReplicaRoom, key: KmsKey) -> None:
    room.unit.save_secret(room.add_secret("mine", account_id=OTHER_ACCOUNT))
    version = room.unit.versions("arn:aws:secretsmanager:eu-central-1:444455556666:secret:mine-AbCdEf")[0]
    with pytest.raises(InvalidParameterException) as raised:
        create(room, version.kms_key_arn)
    assert raised.value.message == (
        "A cross-account replica secret must be encrypted with a customer managed KMS key."
    )


@pytest.mark.parametrize(
    "arn",
    [
        "db",
        "arn:aws:secretsmanager:eu-west-3:111122223333:secret:db-AbCdEf",
        "arn:aws-cn:secretsmanager:eu-central-1:111122223333:secret:db-AbCdEf",
        "arn:aws:secretsmanager:eu-central-1:444455556666:secret:db-AbCdEf",
        "arn:aws:ssm:eu-central-1:111122223333:secret:db-AbCdEf",
        "arn:aws:secretsmanager:eu-central-1:111122223333:secret:db",
        "arn:aws:secretsmanager:eu-central-1:1111:secret:db-AbCdEf",
        "arn:aws:secretsmanager:eu-central-1:111122223333:db-AbCdEf",
    ],
)
def test_the_primary_is_in_another_account_of_the_same_region(
    room: ReplicaRoom, key: KmsKey, arn: str
) -> None:
    before = room.unit.state()
    with pytest.raises(InvalidParameterException) as raised:
        create(room, key.key_id, CrossAccountPrimaryARN=arn)
    assert raised.value.message == (
        "CrossAccountPrimaryARN must be the complete ARN of a secret in another account, in the same Region "
        "and partition."
    )
    assert room.unit.state() == before


def test_a_name_in_use_is_refused(room: ReplicaRoom, key: KmsKey) -> None:
    secret = room.add_secret("copy", account_id=OTHER_ACCOUNT)
    with pytest.raises(ResourceExistsException) as exists:
        create(room, key.key_id)
    assert exists.value.message == "The operation failed because the secret copy already exists."
    room.unit.save_secret(replace(secret, deleted_at=NOON, deletion_at=NOON))
    with pytest.raises(InvalidRequestException) as marked:
        create(room, key.key_id)
    assert marked.value.message == (
        "You can't create this secret because a secret with this name is already scheduled for deletion."
    )


# AssociateCrossAccountReplica


def test_association_copies_everything_and_both_sides_say_in_sync(room: ReplicaRoom, key: KmsKey) -> None:
    primary = room.add_secret(values=("first", "second"), description="the database", tags={"a": "b"})
    room.attach_policy(primary.arn, policy(for_principal("*", "secretsmanager:*", effect="Allow")))
    arn = create(room, key.key_id)["ARN"]
    answer = associate(room, arn, ReplicaRestriction="NoRestriction")
    assert answer == {"ARN": PRIMARY, "CrossAccountReplicaARN": arn, "ReplicationStatus": "InSync"}
    replica = room.secret(arn)
    assert replica.labels == {AWSCURRENT: version_id(2), AWSPREVIOUS: version_id(1)}
    assert room.values(arn) == {version_id(1): "first", version_id(2): "second"}
    assert (replica.description, replica.tags) == ("the database", None)
    assert list(room.policies(arn)) == ["CrossAccountReplication"]
    assert {version.kms_key_arn for version in room.unit.versions(arn)} == {key.arn}
    link = {"PrimarySecretARN": PRIMARY, "ReplicationStatus": "InSync", "StatusMessage": SUCCEEDED}
    entry = {"ReplicaSecretARN": arn, "ReplicationStatus": "InSync", "StatusMessage": SUCCEEDED}
    assert shown(room, arn) == (link, [])
    assert shown(room, PRIMARY) == (None, [entry])
    assert room.secret(PRIMARY).cross_account_replicas[0].restriction == "NoRestriction"


def test_association_again_changes_nothing(room: ReplicaRoom, key: KmsKey) -> None:
    _, arn = linked(room, key)
    before = room.unit.state()
    assert associate(room, arn)["ReplicationStatus"] == "InSync"
    assert room.unit.state() == before


def test_a_write_of_the_primary_reaches_the_replica(room: ReplicaRoom, key: KmsKey) -> None:
    _, arn = linked(room, key)
    room.put(PRIMARY, 3, "third")
    assert room.labels(arn) == {AWSCURRENT: version_id(3), AWSPREVIOUS: version_id(2)}
    assert room.values(arn)[version_id(3)] == "third"


def test_a_failing_key_shows_on_both_sides_and_association_repairs(room: ReplicaRoom, key: KmsKey) -> None:
    _, arn = linked(room, key)
    room.set_key_state(key, "Disabled")
    room.put(PRIMARY, 3, "third")
    link = {"PrimarySecretARN": PRIMARY, "ReplicationStatus": "Failed", "StatusMessage": CANNOT_ENCRYPT}
    entry = {"ReplicaSecretARN": arn, "ReplicationStatus": "Failed", "StatusMessage": CANNOT_ENCRYPT}
    assert shown(room, arn) == (link, [])
    assert shown(room, PRIMARY) == (None, [entry])
    assert room.labels(PRIMARY)[AWSCURRENT] == version_id(3)
    assert room.labels(arn)[AWSCURRENT] == version_id(2)
    assert association_refused(room, EncryptionFailure, arn) == CANNOT_ENCRYPT
    room.set_key_state(key, "Enabled")
    associate(room, arn)
    assert room.labels(arn)[AWSCURRENT] == version_id(3)
    assert room.secret(PRIMARY).cross_account_replicas[0].status == "InSync"


def test_a_writer_the_replica_does_not_accept_fails_the_replica_only(room: ReplicaRoom, key: KmsKey) -> None:
    _, arn = linked(room, key)
    ann = room.user("ann", allow("secretsmanager:PutSecretValue", "kms:*"))
    room.put(PRIMARY, 3, "third", room.call(principal=ann))
    entry = room.secret(PRIMARY).cross_account_replicas[0]
    assert (entry.status, entry.status_message) == (
        "Failed",
        "The caller isn't allowed to replicate into the replica secret.",
    )
    assert version_id(3) not in room.values(arn)


def test_each_layer_of_permission_is_needed(room: ReplicaRoom, key: KmsKey) -> None:
    source = room.add_key()
    room.add_secret(kms_key_id=source.key_id)
    arn = create(room, key.key_id)["ARN"]
    needed = [
        "secretsmanager:AssociateCrossAccountReplica",
        "secretsmanager:GetSecretValue",
        "secretsmanager:AcceptCrossAccountReplication",
        "kms:Decrypt",
        "kms:Encrypt",
    ]
    for lacking in needed:
        others = [action for action in needed if action != lacking]
        ann = room.user("ann", allow(*others))
        message = association_refused(room, AccessDeniedException, arn, principal=ann)
        if lacking.startswith("kms:"):
            assert message == "Access to KMS is not allowed"
        else:
            assert f"is not authorized to perform: {lacking} on resource: " in message
    ann = room.user("ann", allow(*needed))
    assert associate(room, arn, principal=ann)["ReplicationStatus"] == "InSync"


def test_the_replicas_account_has_a_say(room: ReplicaRoom, key: KmsKey) -> None:
    room.add_secret()
    arn = create(room, key.key_id)["ARN"]
    denied = for_principal("*", "secretsmanager:AcceptCrossAccountReplication", effect="Deny")
    room.attach_policy(arn, policy(denied))
    association_refused(room, AccessDeniedException, arn)
    room.unit.delete(SECRET_POLICIES, arn, "default")
    room.unit.delete(SECRET_POLICIES, arn, "CrossAccountReplication")
    association_refused(room, AccessDeniedException, arn)


def test_a_key_closed_to_the_primarys_account_refuses(room: ReplicaRoom) -> None:
    closed = room.add_key(account_id=OTHER_ACCOUNT)
    room.add_secret()
    arn = create(room, closed.key_id)["ARN"]
    assert association_refused(room, AccessDeniedException, arn) == "Access to KMS is not allowed"


def test_only_a_replica_made_for_this_primary_is_taken(room: ReplicaRoom, key: KmsKey) -> None:
    room.add_secret()
    elsewhere = PRIMARY.replace("db", "other")
    arn = create(room, key.key_id, CrossAccountPrimaryARN=elsewhere)["ARN"]
    assert association_refused(room, InvalidParameterException, arn) == (
        f"The secret {arn} isn't a cross-account replica of the secret {PRIMARY}."
    )
    plain = room.add_secret("plain", account_id=OTHER_ACCOUNT)
    opened = for_principal("*", "secretsmanager:AcceptCrossAccountReplication")
    room.attach_policy(plain.arn, policy(opened))
    assert association_refused(room, InvalidParameterException, plain.arn) == (
        f"The secret {plain.arn} isn't a cross-account replica of the secret {PRIMARY}."
    )


@pytest.mark.parametrize(
    "arn",
    [
        "a name of twenty letters",
        "arn:aws:secretsmanager:eu-west-3:444455556666:secret:copy-AbCdEf",
        "arn:aws:secretsmanager:eu-central-1:111122223333:secret:copy-AbCdEf",
    ],
)
def test_an_arn_that_cannot_be_a_replicas_is_refused(room: ReplicaRoom, arn: str) -> None:
    room.add_secret()
    assert association_refused(room, InvalidParameterException, arn) == (
        "CrossAccountReplicaARN must be the complete ARN of a secret in another account, in the same Region "
        "and partition."
    )


def test_a_replica_that_is_not_there_is_access_denied(room: ReplicaRoom) -> None:
    room.add_secret()
    arn = "arn:aws:secretsmanager:eu-central-1:444455556666:secret:copy-AbCdEf"
    assert "secretsmanager:AcceptCrossAccountReplication" in association_refused(
        room, AccessDeniedException, arn
    )


def test_a_primary_has_one_cross_account_replica_at_most(room: ReplicaRoom, key: KmsKey) -> None:
    _, arn = linked(room, key)
    second = create(room, key.key_id, "second")["ARN"]
    assert association_refused(room, LimitExceededException, second) == (
        "A primary secret can have at most one cross-account replica."
    )
    room.run(STOP_REPLICATION_TO_REPLICA, {"SecretId": arn}, principal=root(OTHER_ACCOUNT))
    associate(room, second)
    assert [each["ReplicaSecretARN"] for each in shown(room, PRIMARY)[1]] == [second]


def test_a_replication_role_is_refused_for_now(room: ReplicaRoom, key: KmsKey) -> None:
    room.add_secret()
    arn = create(room, key.key_id)["ARN"]
    role = "arn:aws:iam::111122223333:role/replication"
    assert association_refused(room, InvalidRequestException, arn, ReplicationRoleARN=role) == (
        f"Secrets Manager is unable to assume role {role}."
    )
    user = "arn:aws:iam::111122223333:user/replication"
    assert association_refused(room, InvalidParameterException, arn, ReplicationRoleARN=user) == (
        "ReplicationRoleARN must be the ARN of an IAM role in the account of the primary secret."
    )
    ann = room.user("ann", allow("secretsmanager:*", "kms:*"))
    denied = association_refused(room, AccessDeniedException, arn, ReplicationRoleARN=role, principal=ann)
    assert f"is not authorized to perform: iam:PassRole on resource: {role}" in denied


def test_another_account_cannot_associate(room: ReplicaRoom, key: KmsKey) -> None:
    primary = room.add_secret()
    arn = create(room, key.key_id)["ARN"]
    room.attach_policy(primary.arn, policy(for_principal("*", "secretsmanager:*")))
    request = {"SecretId": primary.arn, "CrossAccountReplicaARN": arn}
    message = refused(
        room,
        InvalidRequestException,
        ASSOCIATE_CROSS_ACCOUNT_REPLICA,
        request,
        principal=root(OTHER_ACCOUNT),
    )
    assert message == "You must call this operation from the account that owns the primary secret."


def test_marked_and_missing_primaries_are_refused(room: ReplicaRoom, key: KmsKey) -> None:
    arn = create(room, key.key_id)["ARN"]
    for operation in (ASSOCIATE_CROSS_ACCOUNT_REPLICA, DISASSOCIATE_CROSS_ACCOUNT_REPLICA):
        request = {"SecretId": "db", "CrossAccountReplicaARN": arn}
        assert refused(room, ResourceNotFoundException, operation, request) == (
            "Secrets Manager can't find the specified secret."
        )
    room.add_secret(deleted_at=NOON, deletion_at=NOON)
    for operation in (ASSOCIATE_CROSS_ACCOUNT_REPLICA, DISASSOCIATE_CROSS_ACCOUNT_REPLICA):
        assert refused(room, InvalidRequestException, operation, request) == (
            "You can't perform this operation on the secret because it was marked for deletion."
        )


# Ending it


def test_disassociation_leaves_a_detached_replica_that_hears_no_more(room: ReplicaRoom, key: KmsKey) -> None:
    _, arn = linked(room, key)
    request = {"SecretId": "db", "CrossAccountReplicaARN": arn}
    answer = room.run(DISASSOCIATE_CROSS_ACCOUNT_REPLICA, request)
    assert answer == {"ARN": PRIMARY, "CrossAccountReplicaARN": arn}
    detached = {
        "PrimarySecretARN": PRIMARY,
        "ReplicationStatus": "Detached",
        "StatusMessage": "Replication was stopped by the primary.",
    }
    assert shown(room, arn) == (detached, [])
    assert shown(room, PRIMARY) == (None, [])
    room.put(PRIMARY, 3, "third")
    assert room.values(arn) == {version_id(1): "first", version_id(2): "second"}
    refused_text = refused(
        room,
        InvalidRequestException,
        REPLICATE_SECRET_TO_REGIONS,
        {"SecretId": arn, "AddReplicaRegions": [{"Region": PARIS}]},
        principal=root(OTHER_ACCOUNT),
    )
    assert "replica" in refused_text
    associate(room, arn)
    assert room.labels(arn)[AWSCURRENT] == version_id(3)


def test_promoting_a_replica_of_another_region_leaves_the_cross_account_replica_in_sync(
    room: ReplicaRoom, key: KmsKey
) -> None:
    _, arn = linked(room, key)
    in_paris = {"SecretId": "db", "AddReplicaRegions": [{"Region": PARIS}]}
    room.run(REPLICATE_SECRET_TO_REGIONS, in_paris)
    room.run(STOP_REPLICATION_TO_REPLICA, {"SecretId": "db"}, region=PARIS)
    assert room.secret(PRIMARY).replicas == ()
    assert [each["ReplicationStatus"] for each in shown(room, PRIMARY)[1]] == ["InSync"]
    room.put(PRIMARY, 3, "third")
    assert room.values(arn)[version_id(3)] == "third"


def test_disassociating_what_is_not_associated_is_refused(room: ReplicaRoom, key: KmsKey) -> None:
    room.add_secret()
    arn = create(room, key.key_id)["ARN"]
    request = {"SecretId": "db", "CrossAccountReplicaARN": arn}
    assert refused(room, InvalidParameterException, DISASSOCIATE_CROSS_ACCOUNT_REPLICA, request) == (
        f"The secret {PRIMARY} isn't associated with the cross-account replica {arn}."
    )


def test_a_promoted_replica_stands_alone_and_the_primary_shows_it_detached(
    room: ReplicaRoom, key: KmsKey
) -> None:
    _, arn = linked(room, key)
    owner = root(OTHER_ACCOUNT)
    answer = room.run(STOP_REPLICATION_TO_REPLICA, {"SecretId": "copy"}, principal=owner)
    assert answer == {"ARN": arn}
    assert shown(room, arn) == (None, [])
    assert room.policies(arn) == {}
    assert room.values(arn) == {version_id(1): "first", version_id(2): "second"}
    entry = {
        "ReplicaSecretARN": arn,
        "ReplicationStatus": "Detached",
        "StatusMessage": "Replication was stopped by the replica.",
    }
    assert shown(room, PRIMARY) == (None, [entry])
    room.put(PRIMARY, 3, "third")
    assert shown(room, PRIMARY) == (None, [entry])
    assert version_id(3) not in room.values(arn)
    room.run(DISASSOCIATE_CROSS_ACCOUNT_REPLICA, {"SecretId": "db", "CrossAccountReplicaARN": arn})
    assert shown(room, PRIMARY) == (None, [])
    assert shown(room, arn) == (None, [])


def test_a_pending_replica_can_be_promoted(room: ReplicaRoom, key: KmsKey) -> None:
    arn = create(room, key.key_id)["ARN"]
    room.run(STOP_REPLICATION_TO_REPLICA, {"SecretId": arn}, principal=root(OTHER_ACCOUNT))
    assert shown(room, arn) == (None, [])
    assert room.policies(arn) == {}


def test_promotion_needs_delete_resource_policy_too(room: ReplicaRoom, key: KmsKey) -> None:
    _, arn = linked(room, key)
    stop, delete = "secretsmanager:StopReplicationToReplica", "secretsmanager:DeleteResourcePolicy"
    ann = room.user("ann", allow(stop), account_id=OTHER_ACCOUNT)
    message = refused(
        room, AccessDeniedException, STOP_REPLICATION_TO_REPLICA, {"SecretId": arn}, principal=ann
    )
    assert f"is not authorized to perform: {delete} on resource: {arn}" in message
    ann = room.user("ann", allow(stop, delete), account_id=OTHER_ACCOUNT)
    assert room.run(STOP_REPLICATION_TO_REPLICA, {"SecretId": arn}, principal=ann) == {"ARN": arn}


def test_a_replica_deleted_from_under_its_primary_fails(room: ReplicaRoom, key: KmsKey) -> None:
    _, arn = linked(room, key)
    room.unit.delete_secret(arn)
    room.put(PRIMARY, 3, "third")
    entry = room.secret(PRIMARY).cross_account_replicas[0]
    assert (entry.status, entry.status_message) == (
        "Failed",
        "Secrets Manager can't find the replica secret.",
    )
    assert room.secret(PRIMARY).region == REGION

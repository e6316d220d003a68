"""Replicas in other regions. Sources: fact sheets secretsmanager section 6 (Replication), iam section 6."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from msgspec.structs import replace

from strongroom.errors import (
    AccessDeniedException,
    InvalidParameterException,
    InvalidRequestException,
    ResourceNotFoundException,
    ServiceError,
)
from strongroom.names import AWSCURRENT, AWSPENDING, AWSPREVIOUS, Arn, Region
from strongroom.operations.call import Operation
from strongroom.operations.secretsmanager.replicas import propagate
from strongroom.operations.secretsmanager.replication import (
    REMOVE_REGIONS_FROM_REPLICATION,
    REPLICATE_SECRET_TO_REGIONS,
    STOP_REPLICATION_TO_REPLICA,
    replication_status,
)
from strongroom.ports import SECRET_POLICIES
from strongroom.secret.records import Rotation, RotationRules, Secret
from support.key_room import ACCOUNT, NOON, OTHER_ACCOUNT, REGION, allow, for_principal, policy, root
from support.replica_room import OHIO, PARIS, ReplicaRoom, version_id

IN_PARIS = Arn("arn:aws:secretsmanager:eu-west-3:111122223333:secret:db-AbCdEf")
IN_OHIO = Arn("arn:aws:secretsmanager:us-east-2:111122223333:secret:db-AbCdEf")
READERS = policy(for_principal("arn:aws:iam::111122223333:root", "secretsmanager:GetSecretValue"))
NAME_EXISTS = "Secret with this name already exists in this region"
REPLICA_WRITE = "Operation not permitted on a replica secret. Call must be made in primary secret's region."
CANNOT_ENCRYPT = (
    "Secrets Manager can't encrypt the protected secret text using the provided KMS key. Check that the KMS "
    "key is available, enabled, and not in an invalid state."
)


@pytest.fixture
def room() -> ReplicaRoom:
    return ReplicaRoom()


def replicate(room: ReplicaRoom, *regions: str | dict[str, str], **more: Any) -> Any:
    """Call ReplicateSecretToRegions for the secret `db`; a region alone takes the default key."""
    named = [{"Region": each} if isinstance(each, str) else each for each in regions]
    principal = more.pop("principal", None)
    request = {"SecretId": "db", "AddReplicaRegions": named, **more}
    return room.run(REPLICATE_SECRET_TO_REGIONS, request, principal=principal)


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


def in_sync(region: str, key: str = "alias/aws/secretsmanager") -> dict[str, str]:
    return {
        "Region": region,
        "KmsKeyId": key,
        "Status": "InSync",
        "StatusMessage": "Replication succeeded",
    }


def failed(region: str, message: str, key: str = "alias/aws/secretsmanager") -> dict[str, str]:
    return {"Region": region, "KmsKeyId": key, "Status": "Failed", "StatusMessage": message}


def status(room: ReplicaRoom, secret: Secret) -> list[dict[str, Any]]:
    return replication_status(room.secret(secret.arn), room.unit)


def test_a_replica_holds_the_primarys_versions_under_a_key_of_its_region(room: ReplicaRoom) -> None:
    primary = room.add_secret(
        values=("first", "second"), description="the database", tags={"team": "a"}, type="Partner"
    )
    room.attach_policy(primary.arn, READERS)
    answer = replicate(room, PARIS)
    assert answer == {"ARN": primary.arn, "ReplicationStatus": [in_sync(PARIS)]}
    replica = room.secret(IN_PARIS)
    assert (replica.name, replica.region, replica.account_id) == ("db", PARIS, ACCOUNT)
    assert (replica.replica_of, replica.primary_region, replica.replicas) == (primary.arn, REGION, ())
    assert replica.labels == {AWSCURRENT: version_id(2), AWSPREVIOUS: version_id(1)}
    assert (replica.description, replica.tags, replica.type) == ("the database", {"team": "a"}, "Partner")
    assert room.values(IN_PARIS) == {version_id(1): "first", version_id(2): "second"}
    assert room.policies(IN_PARIS) == {"default": READERS}
    version = room.unit.version(IN_PARIS, version_id(2))
    source = room.unit.version(primary.arn, version_id(2))
    assert version is not None
    assert source is not None
    assert version.kms_key_arn.startswith("arn:aws:kms:eu-west-3:111122223333:key/")
    assert version.default_key
    assert version.created_at == source.created_at
    assert version.envelope != source.envelope
    after = room.secret(primary.arn)
    assert after.primary_region == REGION
    assert after.last_changed_at > primary.last_changed_at


def test_several_regions_at_once_and_one_more_later(room: ReplicaRoom) -> None:
    primary = room.add_secret()
    replicate(room, PARIS, OHIO)
    answer = replicate(room, "ap-south-1")
    assert answer["ReplicationStatus"] == [in_sync(PARIS), in_sync(OHIO), in_sync("ap-south-1")]
    assert room.values(IN_OHIO) == {version_id(1): "first"}
    assert room.secret(primary.arn).primary_region == REGION


def test_a_write_reaches_the_replicas_and_leaves_what_they_have(room: ReplicaRoom) -> None:
    primary = room.add_secret()
    replicate(room, PARIS)
    old = room.unit.version(IN_PARIS, version_id(1))
    room.put(primary.arn, 2, "second")
    assert room.labels(IN_PARIS) == {AWSCURRENT: version_id(2), AWSPREVIOUS: version_id(1)}
    assert room.values(IN_PARIS) == {version_id(1): "first", version_id(2): "second"}
    assert room.unit.version(IN_PARIS, version_id(1)) == old
    assert room.secret(IN_PARIS).last_changed_at == room.secret(primary.arn).last_changed_at


def test_metadata_tags_policies_and_rotation_follow(room: ReplicaRoom) -> None:
    primary = room.add_secret(tags={"team": "a"})
    room.attach_policy(primary.arn, READERS)
    replicate(room, PARIS)
    rotation = Rotation(enabled=True, rules=RotationRules(automatically_after_days=3))
    room.unit.delete(SECRET_POLICIES, primary.arn, "default")
    room.change(primary.arn, description="new", tags={}, rotation=rotation)
    replica = room.secret(IN_PARIS)
    assert (replica.description, replica.tags, replica.rotation) == ("new", {}, rotation)
    assert room.policies(IN_PARIS) == {}
    assert room.labels(IN_PARIS) == {AWSCURRENT: version_id(1)}


def test_a_label_without_a_value_and_a_pruned_version_follow(room: ReplicaRoom) -> None:
    primary = room.add_secret(values=("first", "second", "third"))
    replicate(room, PARIS)
    room.unit.delete_version(primary.arn, version_id(1))
    labels = {**primary.labels, AWSPENDING: version_id(9)}
    room.change(primary.arn, labels=labels)
    assert room.labels(IN_PARIS) == labels
    assert room.values(IN_PARIS) == {version_id(2): "second", version_id(3): "third"}


def test_a_secret_without_replicas_is_left_alone(room: ReplicaRoom) -> None:
    primary = room.add_secret()
    before = room.unit.state()
    assert propagate(room.call(), room.unit, primary) is primary
    assert room.unit.state() == before


def test_a_deprecated_version_that_does_not_open_does_not_hinder_a_new_replica(room: ReplicaRoom) -> None:
    key = room.add_key()
    old = room.add_secret(values=("first",), kms_key_id=key.key_id)
    primary = replace(old, kms_key_id=None, labels={AWSCURRENT: version_id(2)})
    room.unit.save_secret(primary)
    room.add_version(primary, 2, "second")
    room.set_key_state(key, "Disabled")
    assert replicate(room, PARIS)["ReplicationStatus"] == [in_sync(PARIS)]
    assert room.values(IN_PARIS) == {version_id(2): "second"}


def test_a_secret_without_versions_is_replicated(room: ReplicaRoom) -> None:
    room.add_secret(values=())
    assert replicate(room, PARIS)["ReplicationStatus"] == [in_sync(PARIS)]
    assert room.labels(IN_PARIS) == {}


def test_last_accessed_date_is_the_replicas_own(room: ReplicaRoom) -> None:
    primary = room.add_secret(last_accessed_on=dt.date(2026, 1, 1))
    replicate(room, PARIS)
    assert "LastAccessedDate" not in status(room, primary)[0]
    room.unit.save_secret(replace(room.secret(IN_PARIS), last_accessed_on=dt.date(2026, 1, 2)))
    room.put(primary.arn, 2, "second")
    assert status(room, primary)[0]["LastAccessedDate"] == dt.datetime(2026, 1, 2, tzinfo=dt.UTC)


# Names that are in use


def test_a_name_in_use_fails_that_region_only_and_is_retried(room: ReplicaRoom) -> None:
    primary = room.add_secret()
    other = room.add_secret(region=PARIS, suffix="ZZZZZZ", values=("theirs",))
    answer = replicate(room, PARIS, OHIO)
    assert answer["ReplicationStatus"] == [failed(PARIS, NAME_EXISTS), in_sync(OHIO)]
    assert room.secret(other.arn) == other
    assert room.values(other.arn) == {version_id(1): "theirs"}
    assert room.unit.secret(IN_PARIS) is None
    room.unit.delete_secret(other.arn)
    room.put(primary.arn, 2, "second")
    assert status(room, primary) == [in_sync(PARIS), in_sync(OHIO)]
    assert room.values(IN_PARIS)[version_id(2)] == "second"


def test_force_overwrites_a_standalone_secret_of_the_name(room: ReplicaRoom) -> None:
    room.add_secret()
    other = room.add_secret(region=PARIS, suffix="ZZZZZZ", values=("theirs",))
    answer = replicate(room, PARIS, ForceOverwriteReplicaSecret=True)
    assert answer["ReplicationStatus"] == [in_sync(PARIS)]
    assert room.unit.secret(other.arn) is None
    assert room.values(IN_PARIS) == {version_id(1): "first"}


def test_a_failed_region_can_be_named_again_with_force(room: ReplicaRoom) -> None:
    primary = room.add_secret()
    room.add_secret(region=PARIS, suffix="ZZZZZZ")
    replicate(room, PARIS)
    assert status(room, primary) == [failed(PARIS, NAME_EXISTS)]
    replicate(room, PARIS, ForceOverwriteReplicaSecret=True)
    assert status(room, primary) == [in_sync(PARIS)]


@pytest.mark.parametrize(
    "members",
    [
        {"replica_of": Arn("arn:aws:secretsmanager:us-east-2:111122223333:secret:db-ZZZZZZ")},
        {"owning_service": "rds"},
    ],
    ids=["a replica of another", "managed by a service"],
)
def test_force_does_not_overwrite_what_belongs_to_others(room: ReplicaRoom, members: dict[str, Any]) -> None:
    room.add_secret()
    other = room.add_secret(region=PARIS, suffix="ZZZZZZ", **members)
    answer = replicate(room, PARIS, ForceOverwriteReplicaSecret=True)
    assert answer["ReplicationStatus"] == [failed(PARIS, NAME_EXISTS)]
    assert room.secret(other.arn) == other


def test_force_does_not_overwrite_a_primary_with_replicas(room: ReplicaRoom) -> None:
    room.add_secret(region=PARIS, suffix="ZZZZZZ")
    room.run(
        REPLICATE_SECRET_TO_REGIONS,
        {"SecretId": "db", "AddReplicaRegions": [{"Region": OHIO}]},
        region=PARIS,
    )
    room.add_secret()
    answer = replicate(room, PARIS, ForceOverwriteReplicaSecret=True)
    assert answer["ReplicationStatus"] == [failed(PARIS, NAME_EXISTS)]


# Keys


def test_a_replica_may_have_a_customer_key_of_its_region(room: ReplicaRoom) -> None:
    primary = room.add_secret()
    key = room.add_key(region=PARIS)
    replicate(room, {"Region": PARIS, "KmsKeyId": key.key_id})
    assert status(room, primary) == [in_sync(PARIS, key.key_id)]
    version = room.unit.version(IN_PARIS, version_id(1))
    assert version is not None
    assert (version.kms_key_arn, version.default_key) == (key.arn, False)
    assert room.secret(IN_PARIS).kms_key_id == key.key_id


def test_a_key_that_is_not_there_fails_the_region(room: ReplicaRoom) -> None:
    primary = room.add_secret(values=())
    missing = "99999999-9999-4999-8999-999999999999"
    replicate(room, {"Region": PARIS, "KmsKeyId": missing})
    assert status(room, primary) == [
        failed(PARIS, "Secrets Manager can't find the specified KMS key.", missing)
    ]
    assert room.unit.secret(IN_PARIS) is None


def test_while_a_key_is_disabled_values_stay_and_policies_follow(room: ReplicaRoom) -> None:
    primary = room.add_secret(tags={"team": "a"})
    room.attach_policy(primary.arn, READERS)
    key = room.add_key(region=PARIS)
    replicate(room, {"Region": PARIS, "KmsKeyId": key.key_id})
    room.set_key_state(key, "Disabled")
    room.change(primary.arn, tags={"team": "b"})
    assert status(room, primary) == [in_sync(PARIS, key.key_id)]
    tight = policy(for_principal("*", "*", effect="Deny"))
    room.attach_policy(primary.arn, tight)
    room.put(primary.arn, 2, "second")
    assert status(room, primary) == [failed(PARIS, CANNOT_ENCRYPT, key.key_id)]
    assert room.labels(IN_PARIS) == {AWSCURRENT: version_id(1)}
    assert room.policies(IN_PARIS) == {"default": tight}
    assert room.secret(IN_PARIS).tags == {"team": "b"}
    room.change(primary.arn, tags={"team": "c"})
    assert room.secret(IN_PARIS).tags == {"team": "c"}
    room.set_key_state(key, "Enabled")
    room.change(primary.arn)
    assert status(room, primary) == [in_sync(PARIS, key.key_id)]
    assert room.values(IN_PARIS) == {version_id(1): "first", version_id(2): "second"}


def test_a_failed_region_can_be_named_again_with_another_key(room: ReplicaRoom) -> None:
    primary = room.add_secret()
    key, other = room.add_key(region=PARIS), room.add_key(region=PARIS)
    room.set_key_state(key, "Disabled")
    replicate(room, {"Region": PARIS, "KmsKeyId": key.key_id})
    replicate(room, {"Region": PARIS, "KmsKeyId": other.key_id})
    assert status(room, primary) == [in_sync(PARIS, other.key_id)]


@pytest.mark.parametrize("lacking", ["kms:GenerateDataKey", "kms:Encrypt"])
def test_the_caller_needs_both_permissions_on_the_replicas_key(room: ReplicaRoom, lacking: str) -> None:
    primary = room.add_secret()
    key = room.add_key(region=PARIS)
    others = {"kms:GenerateDataKey", "kms:Encrypt", "kms:Decrypt"} - {lacking}
    ann = room.user("ann", allow("secretsmanager:*"), allow(*sorted(others)))
    replicate(room, {"Region": PARIS, "KmsKeyId": key.key_id}, principal=ann)
    assert status(room, primary) == [failed(PARIS, "Access to KMS is not allowed", key.key_id)]
    assert room.unit.secret(IN_PARIS) is None


def test_the_caller_needs_decrypt_on_the_primarys_key(room: ReplicaRoom) -> None:
    key = room.add_key()
    primary = room.add_secret(kms_key_id=key.key_id)
    ann = room.user("ann", allow("secretsmanager:*"))
    replicate(room, PARIS, principal=ann)
    assert status(room, primary) == [failed(PARIS, "Access to KMS is not allowed")]
    bob = room.user("bob", allow("secretsmanager:*"), allow("kms:Decrypt"))
    replicate(room, PARIS, principal=bob)
    assert status(room, primary) == [in_sync(PARIS)]


# Refusals


@pytest.mark.parametrize(
    ("regions", "message"),
    [
        ([REGION], "Invalid replica region."),
        ([PARIS, REGION], "Invalid replica region."),
        (["nowhere-1"], "Invalid replica region."),
        (["cn-north-1"], "Invalid replica region."),
        (["us-gov-west-1"], "Invalid replica region."),
        ([PARIS, PARIS], "You can't specify the replica Region eu-west-3 more than once."),
    ],
)
def test_regions_that_cannot_be_are_refused_and_nothing_changes(
    room: ReplicaRoom, regions: list[Region], message: str
) -> None:
    room.add_secret()
    request = {"SecretId": "db", "AddReplicaRegions": [{"Region": each} for each in regions]}
    assert refused(room, InvalidParameterException, REPLICATE_SECRET_TO_REGIONS, request) == message
    request = {**request, "AddReplicaRegions": [{}]}
    assert refused(room, InvalidParameterException, REPLICATE_SECRET_TO_REGIONS, request) == (
        "Invalid replica region."
    )


def test_a_region_in_sync_cannot_change_its_key(room: ReplicaRoom) -> None:
    room.add_secret()
    key = room.add_key(region=PARIS)
    replicate(room, PARIS)
    request = {"SecretId": "db", "AddReplicaRegions": [{"Region": PARIS, "KmsKeyId": key.key_id}]}
    assert refused(room, InvalidParameterException, REPLICATE_SECRET_TO_REGIONS, request) == (
        "The secret is already replicated to eu-west-3 with another KMS key. To change the key, remove the "
        "Region from replication and add it again."
    )
    assert replicate(room, PARIS)["ReplicationStatus"] == [in_sync(PARIS)]


@pytest.mark.parametrize(
    ("operation", "more"),
    [
        (REPLICATE_SECRET_TO_REGIONS, {"AddReplicaRegions": [{"Region": OHIO}]}),
        (REMOVE_REGIONS_FROM_REPLICATION, {"RemoveReplicaRegions": [OHIO]}),
    ],
)
def test_a_replica_refuses_to_be_replicated(
    room: ReplicaRoom, operation: Operation, more: dict[str, Any]
) -> None:
    room.add_secret()
    replicate(room, PARIS)
    message = refused(room, InvalidRequestException, operation, {"SecretId": IN_PARIS, **more}, region=PARIS)
    assert message == REPLICA_WRITE


@pytest.mark.parametrize(
    ("operation", "more"),
    [
        (REPLICATE_SECRET_TO_REGIONS, {"AddReplicaRegions": [{"Region": PARIS}]}),
        (REMOVE_REGIONS_FROM_REPLICATION, {"RemoveReplicaRegions": [PARIS]}),
        (STOP_REPLICATION_TO_REPLICA, {}),
    ],
)
def test_marked_and_missing_secrets_are_refused(
    room: ReplicaRoom, operation: Operation, more: dict[str, Any]
) -> None:
    missing = refused(room, ResourceNotFoundException, operation, {"SecretId": "db", **more})
    assert missing == "Secrets Manager can't find the specified secret."
    room.add_secret(deleted_at=NOON, deletion_at=NOON)
    marked = refused(room, InvalidRequestException, operation, {"SecretId": "db", **more})
    assert marked == ("You can't perform this operation on the secret because it was marked for deletion.")


def test_policies_can_narrow_regions_and_forbid_overwriting(room: ReplicaRoom) -> None:
    room.add_secret()
    narrow = allow(
        "secretsmanager:ReplicateSecretToRegions",
        Condition={
            "ForAllValues:StringEquals": {"secretsmanager:AddReplicaRegions": [PARIS]},
            "Bool": {"secretsmanager:ForceOverwriteReplicaSecret": "false"},
        },
    )
    ann = room.user("ann", narrow)
    request = {
        "SecretId": "db",
        "AddReplicaRegions": [{"Region": OHIO}],
        "ForceOverwriteReplicaSecret": False,
    }
    refused(room, AccessDeniedException, REPLICATE_SECRET_TO_REGIONS, request, principal=ann)
    request = {
        "SecretId": "db",
        "AddReplicaRegions": [{"Region": PARIS}],
        "ForceOverwriteReplicaSecret": True,
    }
    refused(room, AccessDeniedException, REPLICATE_SECRET_TO_REGIONS, request, principal=ann)
    answer = replicate(room, PARIS, ForceOverwriteReplicaSecret=False, principal=ann)
    assert answer["ReplicationStatus"] == [in_sync(PARIS)]


# Removing and promoting


def test_removing_a_region_deletes_its_replica_at_once(room: ReplicaRoom) -> None:
    primary = room.add_secret()
    room.attach_policy(primary.arn, READERS)
    replicate(room, PARIS, OHIO)
    request = {"SecretId": "db", "RemoveReplicaRegions": [PARIS]}
    answer = room.run(REMOVE_REGIONS_FROM_REPLICATION, request)
    assert answer == {"ARN": primary.arn, "ReplicationStatus": [in_sync(OHIO)]}
    assert room.unit.secret(IN_PARIS) is None
    assert room.unit.versions(IN_PARIS) == []
    assert room.policies(IN_PARIS) == {}
    assert room.values(IN_OHIO) == {version_id(1): "first"}
    answer = room.run(REMOVE_REGIONS_FROM_REPLICATION, {**request, "RemoveReplicaRegions": [OHIO]})
    assert answer["ReplicationStatus"] == []
    assert room.secret(primary.arn).primary_region is None
    assert room.values(primary.arn) == {version_id(1): "first"}


@pytest.mark.parametrize(
    ("region", "message"),
    [(OHIO, "The secret isn't replicated to the Region us-east-2."), (REGION, "Invalid replica region.")],
)
def test_removing_a_region_that_has_no_replica_removes_nothing(
    room: ReplicaRoom, region: Region, message: str
) -> None:
    room.add_secret()
    replicate(room, PARIS)
    request = {"SecretId": "db", "RemoveReplicaRegions": [PARIS, region]}
    assert refused(room, InvalidParameterException, REMOVE_REGIONS_FROM_REPLICATION, request) == message


def test_removing_a_failed_region_spares_the_secret_that_has_the_name(room: ReplicaRoom) -> None:
    primary = room.add_secret()
    other = room.add_secret(region=PARIS)
    assert other.arn == IN_PARIS
    replicate(room, PARIS)
    room.run(REMOVE_REGIONS_FROM_REPLICATION, {"SecretId": "db", "RemoveReplicaRegions": [PARIS]})
    assert status(room, primary) == []
    assert room.secret(IN_PARIS) == other


def test_a_promoted_replica_stands_alone_and_the_primary_forgets_it(room: ReplicaRoom) -> None:
    rotation = Rotation(enabled=True, rules=RotationRules(automatically_after_days=3), next_rotation_at=NOON)
    primary = room.add_secret(rotation=rotation)
    replicate(room, PARIS, OHIO)
    answer = room.run(STOP_REPLICATION_TO_REPLICA, {"SecretId": "db"}, region=PARIS)
    assert answer == {"ARN": IN_PARIS}
    promoted = room.secret(IN_PARIS)
    assert (promoted.replica_of, promoted.primary_region) == (None, None)
    assert promoted.rotation == replace(rotation, enabled=False, next_rotation_at=None)
    assert status(room, primary) == [in_sync(OHIO)]
    assert room.secret(primary.arn).rotation == rotation
    room.put(primary.arn, 2, "second")
    assert room.values(IN_PARIS) == {version_id(1): "first"}
    assert version_id(2) in room.values(IN_OHIO)


def test_promoting_the_only_replica_leaves_a_primary_without_a_primary_region(room: ReplicaRoom) -> None:
    primary = room.add_secret()
    replicate(room, PARIS)
    room.run(STOP_REPLICATION_TO_REPLICA, {"SecretId": IN_PARIS}, region=PARIS)
    after = room.secret(primary.arn)
    assert (after.replicas, after.primary_region) == ((), None)


def test_promoting_what_is_no_replica_is_refused(room: ReplicaRoom) -> None:
    room.add_secret()
    replicate(room, PARIS)
    assert refused(room, InvalidRequestException, STOP_REPLICATION_TO_REPLICA, {"SecretId": "db"}) == (
        "You can't stop replication to this secret because it isn't a replica."
    )


def test_a_region_whose_replica_was_promoted_can_be_replicated_to_again_with_force(room: ReplicaRoom) -> None:
    primary = room.add_secret()
    replicate(room, PARIS)
    room.run(STOP_REPLICATION_TO_REPLICA, {"SecretId": IN_PARIS}, region=PARIS)
    room.put(primary.arn, 2, "second")
    replicate(room, PARIS)
    assert status(room, primary) == [failed(PARIS, NAME_EXISTS)]
    assert room.values(IN_PARIS) == {version_id(1): "first"}
    replicate(room, PARIS, ForceOverwriteReplicaSecret=True)
    assert status(room, primary) == [in_sync(PARIS)]
    assert room.labels(IN_PARIS)[AWSCURRENT] == version_id(2)


@pytest.mark.parametrize(
    ("operation", "action", "more", "region"),
    [
        (
            REPLICATE_SECRET_TO_REGIONS,
            "ReplicateSecretToRegions",
            {"AddReplicaRegions": [{"Region": OHIO}]},
            REGION,
        ),
        (
            REMOVE_REGIONS_FROM_REPLICATION,
            "RemoveRegionsFromReplication",
            {"RemoveReplicaRegions": [PARIS]},
            REGION,
        ),
        (STOP_REPLICATION_TO_REPLICA, "StopReplicationToReplica", {}, PARIS),
    ],
)
def test_each_operation_needs_its_own_action(
    room: ReplicaRoom, operation: Operation, action: str, more: dict[str, Any], region: Region
) -> None:
    room.add_secret()
    replicate(room, PARIS)
    request = {"SecretId": "db", **more}
    nobody = room.user("nobody")
    message = refused(room, AccessDeniedException, operation, request, principal=nobody, region=region)
    assert f"is not authorized to perform: secretsmanager:{action} on resource: " in message
    ann = room.user("ann", allow(f"secretsmanager:{action}"))
    assert room.run(operation, request, principal=ann, region=region)["ARN"]


def test_the_default_key_does_not_serve_a_caller_of_another_account(room: ReplicaRoom) -> None:
    key = room.add_key(users=[OTHER_ACCOUNT])
    primary = room.add_secret(kms_key_id=key.arn)
    replicate(room, PARIS)
    stranger = room.call(principal=root(OTHER_ACCOUNT), service="secretsmanager")
    room.put(primary.arn, 2, "second", stranger)
    assert status(room, primary) == [
        failed(
            PARIS,
            "You can't access a secret from a different AWS account if you encrypt the secret with the "
            "default KMS service key.",
        )
    ]
    assert room.labels(primary.arn)[AWSCURRENT] == version_id(2)
    assert room.labels(IN_PARIS)[AWSCURRENT] == version_id(1)

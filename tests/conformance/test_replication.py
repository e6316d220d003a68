"""Replicas in other regions over TCP. Source: fact sheets secretsmanager sections 2, 6 and 7, kms section 13."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
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
    deny,
    fresh,
    invalid,
    missing,
    picture,
    refused,
    today,
    until,
    value_of,
)
from support.running import REGION, Server

WEST = "eu-west-1"
NORTH = "eu-north-1"
REPLICATE = "secretsmanager:ReplicateSecretToRegions"
REMOVE = "secretsmanager:RemoveRegionsFromReplication"
STOP = "secretsmanager:StopReplicationToReplica"
INVALID_REGION = ("InvalidParameterException", "Invalid replica region.")
NAME_EXISTS = "Secret with this name already exists in this region"
NOT_A_REPLICA = (
    "InvalidRequestException",
    "You can't stop replication to this secret because it isn't a replica.",
)


@pytest.fixture(scope="module")
def unchecked(server: Server) -> Iterator[Any]:
    """A client that sends whatever it is told, so that the server does the checking."""
    client = server.client("secretsmanager", parameter_validation=False)
    yield client
    client.close()


@pytest.fixture(scope="module")
def west(server: Server) -> Iterator[Any]:
    client = server.client("secretsmanager", region=WEST)
    yield client
    client.close()


@pytest.fixture(scope="module")
def north(server: Server) -> Iterator[Any]:
    client = server.client("secretsmanager", region=NORTH)
    yield client
    client.close()


@pytest.fixture
def name(secrets: Any) -> str:
    made = fresh("copied")
    secrets.create_secret(Name=made, SecretString="x")
    return made


@pytest.fixture
def replicated(secrets: Any, name: str) -> str:
    """A secret with a replica in eu-west-1."""
    secrets.replicate_secret_to_regions(SecretId=name, AddReplicaRegions=[{"Region": WEST}])
    return name


@pytest.fixture
def person(server: Server) -> Person:
    return a_person(server)


def _status(region: str, status: str = "InSync", message: str = "Replication succeeded", **more: Any) -> Any:
    entry = {
        "Region": region,
        "KmsKeyId": "alias/aws/secretsmanager",
        "Status": status,
        "StatusMessage": message,
    }
    return {**entry, **more}


def _add(client: Any, name: str, *regions: str, **more: Any) -> dict[str, Any]:
    wanted = [{"Region": region} for region in regions]
    return answered(client.replicate_secret_to_regions, SecretId=name, AddReplicaRegions=wanted, **more)


def _described(client: Any, name: str) -> dict[str, Any]:
    return answered(client.describe_secret, SecretId=name)


def _elsewhere(arn: str, region: str) -> str:
    return arn.replace(f":{REGION}:", f":{region}:")


# Success


def test_a_secret_is_replicated_to_two_regions(secrets: Any, west: Any, north: Any, name: str) -> None:
    before = _described(secrets, name)
    answer = _add(secrets, name, WEST, NORTH)
    assert answer == {"ARN": before["ARN"], "ReplicationStatus": [_status(WEST), _status(NORTH)]}
    after = _described(secrets, name)
    assert after.pop("LastChangedDate") > before.pop("LastChangedDate")
    assert after == {
        **before,
        "PrimaryRegion": REGION,
        "ReplicationStatus": [_status(WEST), _status(NORTH)],
    }
    for client, region in ((west, WEST), (north, NORTH)):
        there = answered(client.get_secret_value, SecretId=name)
        assert there.pop("CreatedDate")
        assert there == {
            "ARN": _elsewhere(before["ARN"], region),
            "Name": name,
            "VersionId": next(iter(before["VersionIdsToStages"])),
            "VersionStages": ["AWSCURRENT"],
            "SecretString": "x",
        }


def test_a_secret_is_created_with_replicas(secrets: Any, west: Any, server: Server) -> None:
    key = server.client("kms", region=WEST).create_key()["KeyMetadata"]["Arn"]
    name, token, value = fresh(), str(uuid.uuid4()), canary()
    request = {
        "Name": name,
        "SecretString": value,
        "ClientRequestToken": token,
        "Description": "with a replica",
        "Tags": [{"Key": "team", "Value": "blue"}],
        "AddReplicaRegions": [{"Region": WEST, "KmsKeyId": key}],
    }
    answer = answered(secrets.create_secret, **request)
    arn = answer["ARN"]
    assert answer == {
        "ARN": arn,
        "Name": name,
        "VersionId": token,
        "ReplicationStatus": [_status(WEST, KmsKeyId=key)],
    }
    assert answered(secrets.create_secret, **request) == answer
    described = _described(west, name)
    created, changed = described.pop("CreatedDate"), described.pop("LastChangedDate")
    assert created <= changed
    assert described == {
        "ARN": _elsewhere(arn, WEST),
        "Name": name,
        "Description": "with a replica",
        "KmsKeyId": key,
        "Tags": [{"Key": "team", "Value": "blue"}],
        "VersionIdsToStages": {token: ["AWSCURRENT"]},
        "PrimaryRegion": REGION,
    }
    assert value_of(west, name) == value
    assert answered(west.list_secret_version_ids, SecretId=name)["Versions"][0]["KmsKeyIds"] == [key]


def test_a_replica_is_found_in_its_region_only(secrets: Any, west: Any, north: Any, replicated: str) -> None:
    arn = _described(secrets, replicated)["ARN"]
    assert _described(west, _elsewhere(arn, WEST))["Name"] == replicated
    assert _described(west, _elsewhere(arn, WEST)[:-7])["Name"] == replicated
    assert refused(west.describe_secret, SecretId=arn) == NOT_FOUND
    assert refused(north.describe_secret, SecretId=replicated) == NOT_FOUND
    for client, found in ((west, [replicated]), (north, [])):
        listed = client.list_secrets(
            Filters=[{"Key": "name", "Values": [replicated]}, {"Key": "primary-region", "Values": [REGION]}]
        )
        assert [each["Name"] for each in listed["SecretList"]] == found


def test_every_change_of_the_primary_reaches_the_replica(secrets: Any, west: Any, replicated: str) -> None:
    name = replicated
    second = secrets.put_secret_value(SecretId=name, SecretString="y")["VersionId"]
    assert value_of(west, name) == "y"
    assert answered(west.get_secret_value, SecretId=name, VersionStage="AWSPREVIOUS")["SecretString"] == "x"
    third = secrets.put_secret_value(SecretId=name, SecretBinary=b"\x00z", VersionStages=["NEXT"])[
        "VersionId"
    ]
    assert answered(west.get_secret_value, SecretId=name, VersionId=third)["SecretBinary"] == b"\x00z"
    secrets.update_secret_version_stage(
        SecretId=name, VersionStage="AWSCURRENT", MoveToVersionId=third, RemoveFromVersionId=second
    )
    secrets.update_secret(SecretId=name, Description="changed")
    primary, replica = _described(secrets, name), _described(west, name)
    assert replica["VersionIdsToStages"] == primary["VersionIdsToStages"]
    assert primary["VersionIdsToStages"] == {second: ["AWSPREVIOUS"], third: ["AWSCURRENT", "NEXT"]}
    assert replica["Description"] == "changed"
    assert picture(secrets, name)["description"]["ReplicationStatus"] == [_status(WEST)]


def test_a_secret_without_a_value_is_replicated_too(secrets: Any, west: Any) -> None:
    name = fresh()
    secrets.create_secret(Name=name)
    assert _add(secrets, name, WEST)["ReplicationStatus"] == [_status(WEST)]
    assert refused(west.get_secret_value, SecretId=name) == ("ResourceNotFoundException", NO_LABEL)
    secrets.put_secret_value(SecretId=name, SecretString="first")
    assert value_of(west, name) == "first"


def test_a_read_of_the_replica_is_its_own_access(secrets: Any, west: Any, replicated: str) -> None:
    assert "LastAccessedDate" not in _described(west, replicated)
    value_of(west, replicated)
    # The day of an access is stored some time after the answer.
    assert until(lambda: _described(west, replicated).get("LastAccessedDate")) == today()
    assert "LastAccessedDate" not in _described(secrets, replicated)
    assert _described(secrets, replicated)["ReplicationStatus"] == [_status(WEST, LastAccessedDate=today())]


def test_a_region_in_the_list_already_changes_nothing_but_the_date(
    secrets: Any, west: Any, replicated: str
) -> None:
    before = picture(west, replicated)
    assert _add(secrets, replicated, WEST)["ReplicationStatus"] == [_status(WEST)]
    after = picture(west, replicated)
    assert after["description"].pop("LastChangedDate") >= before["description"].pop("LastChangedDate")
    assert after == before


def test_removing_a_region_deletes_the_replica_at_once(
    secrets: Any, west: Any, north: Any, replicated: str
) -> None:
    name = replicated
    _add(secrets, name, NORTH)
    arn = _described(secrets, name)["ARN"]
    assert answered(secrets.remove_regions_from_replication, SecretId=name, RemoveReplicaRegions=[WEST]) == {
        "ARN": arn,
        "ReplicationStatus": [_status(NORTH)],
    }
    assert refused(west.get_secret_value, SecretId=name) == NOT_FOUND
    assert value_of(north, name) == "x"
    assert answered(secrets.remove_regions_from_replication, SecretId=name, RemoveReplicaRegions=[NORTH]) == {
        "ARN": arn,
        "ReplicationStatus": [],
    }
    described = _described(secrets, name)
    assert "ReplicationStatus" not in described
    assert "PrimaryRegion" not in described
    assert value_of(secrets, name) == "x"


def test_a_promoted_replica_stands_alone(secrets: Any, west: Any, replicated: str) -> None:
    name = replicated
    arn = _elsewhere(_described(secrets, name)["ARN"], WEST)
    assert answered(west.stop_replication_to_replica, SecretId=name) == {"ARN": arn}
    for client in (secrets, west):
        described = _described(client, name)
        assert "PrimaryRegion" not in described
        assert "ReplicationStatus" not in described
    secrets.put_secret_value(SecretId=name, SecretString="here")
    west.put_secret_value(SecretId=name, SecretString="there")
    assert (value_of(secrets, name), value_of(west, name)) == ("here", "there")
    assert refused(west.stop_replication_to_replica, SecretId=name) == NOT_A_REPLICA


def test_a_promoted_replica_can_have_replicas_of_its_own(secrets: Any, west: Any, replicated: str) -> None:
    west.stop_replication_to_replica(SecretId=replicated)
    secrets.delete_secret(SecretId=replicated, ForceDeleteWithoutRecovery=True)
    assert _add(west, replicated, REGION)["ReplicationStatus"] == [_status(REGION)]
    assert _described(secrets, replicated)["PrimaryRegion"] == WEST
    assert refused(secrets.put_secret_value, SecretId=replicated, SecretString="y") == ON_A_REPLICA


# Replication that fails without refusing the call


def test_a_secret_of_the_same_name_is_left_alone_unless_overwriting_is_asked_for(
    secrets: Any, west: Any, name: str
) -> None:
    west.create_secret(Name=name, SecretString="somebody else's")
    before = picture(west, name)
    failed = _status(WEST, "Failed", NAME_EXISTS)
    assert _add(secrets, name, WEST)["ReplicationStatus"] == [failed]
    assert picture(west, name) == before
    assert _described(secrets, name)["ReplicationStatus"] == [failed]
    assert _add(secrets, name, WEST, ForceOverwriteReplicaSecret=False)["ReplicationStatus"] == [failed]
    assert value_of(west, name) == "somebody else's"
    assert _add(secrets, name, WEST, ForceOverwriteReplicaSecret=True)["ReplicationStatus"] == [_status(WEST)]
    assert value_of(west, name) == "x"
    assert _described(west, name)["ARN"] == _elsewhere(_described(secrets, name)["ARN"], WEST)


def test_removing_a_failed_region_leaves_the_other_secret_there(secrets: Any, west: Any, name: str) -> None:
    west.create_secret(Name=name, SecretString="somebody else's")
    _add(secrets, name, WEST)
    secrets.remove_regions_from_replication(SecretId=name, RemoveReplicaRegions=[WEST])
    assert value_of(west, name) == "somebody else's"


def test_a_key_that_is_not_there_fails_that_region_only(
    secrets: Any, west: Any, north: Any, name: str
) -> None:
    answer = answered(
        secrets.replicate_secret_to_regions,
        SecretId=name,
        AddReplicaRegions=[{"Region": WEST, "KmsKeyId": "alias/absent"}, {"Region": NORTH}],
    )
    assert answer["ReplicationStatus"] == [
        _status(
            WEST,
            "Failed",
            "Secrets Manager can't find the specified KMS key.",
            KmsKeyId="alias/absent",
        ),
        _status(NORTH),
    ]
    assert refused(west.describe_secret, SecretId=name) == NOT_FOUND
    assert value_of(north, name) == "x"


def test_a_failed_region_is_tried_again(server: Server, secrets: Any, west: Any, name: str) -> None:
    kms = server.client("kms", region=WEST)
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.disable_key(KeyId=key)
    request = {"SecretId": name, "AddReplicaRegions": [{"Region": WEST, "KmsKeyId": key}]}
    failed = answered(secrets.replicate_secret_to_regions, **request)["ReplicationStatus"][0]
    assert failed["Status"] == "Failed"
    assert failed["StatusMessage"].startswith("Secrets Manager can't encrypt the protected secret text")
    kms.enable_key(KeyId=key)
    assert answered(secrets.replicate_secret_to_regions, **request)["ReplicationStatus"] == [
        _status(WEST, KmsKeyId=key)
    ]
    kms.disable_key(KeyId=key)
    secrets.put_secret_value(SecretId=name, SecretString="while the key is off")
    assert _described(secrets, name)["ReplicationStatus"][0]["Status"] == "Failed"
    kms.enable_key(KeyId=key)
    assert value_of(west, name) == "x"
    secrets.put_secret_value(SecretId=name, SecretString="again")
    assert picture(secrets, name)["description"]["ReplicationStatus"] == [_status(WEST, KmsKeyId=key)]
    assert value_of(west, name) == "again"
    kms.close()


# Refusals


@pytest.mark.parametrize("region", [REGION, "cn-north-1", "us-gov-west-1"])
def test_regions_that_cannot_hold_a_replica_are_refused(
    secrets: Any, north: Any, name: str, region: str
) -> None:
    before = picture(secrets, name)
    wanted = [{"Region": NORTH}, {"Region": region}]
    assert (
        refused(secrets.replicate_secret_to_regions, SecretId=name, AddReplicaRegions=wanted)
        == INVALID_REGION
    )
    assert picture(secrets, name) == before
    assert refused(north.describe_secret, SecretId=name) == NOT_FOUND
    other = fresh()
    assert refused(secrets.create_secret, Name=other, AddReplicaRegions=wanted) == INVALID_REGION
    assert refused(secrets.describe_secret, SecretId=other) == NOT_FOUND


def test_a_region_is_named_once(secrets: Any, name: str) -> None:
    before = picture(secrets, name)
    wanted = [{"Region": WEST}, {"Region": WEST}]
    assert refused(secrets.replicate_secret_to_regions, SecretId=name, AddReplicaRegions=wanted) == (
        "InvalidParameterException",
        "You can't specify the replica Region eu-west-1 more than once.",
    )
    assert picture(secrets, name) == before


def test_the_key_of_a_replica_is_not_changed_by_naming_it_again(
    secrets: Any, west: Any, replicated: str
) -> None:
    before = picture(secrets, replicated), picture(west, replicated)
    wanted = [{"Region": WEST, "KmsKeyId": "alias/other"}]
    assert refused(secrets.replicate_secret_to_regions, SecretId=replicated, AddReplicaRegions=wanted) == (
        "InvalidParameterException",
        "The secret is already replicated to eu-west-1 with another KMS key. To change the key, remove the "
        "Region from replication and add it again.",
    )
    assert (picture(secrets, replicated), picture(west, replicated)) == before


def test_a_region_without_a_replica_cannot_be_removed(secrets: Any, west: Any, replicated: str) -> None:
    before = picture(secrets, replicated)
    assert refused(
        secrets.remove_regions_from_replication, SecretId=replicated, RemoveReplicaRegions=[WEST, NORTH]
    ) == ("InvalidParameterException", "The secret isn't replicated to the Region eu-north-1.")
    assert (
        refused(secrets.remove_regions_from_replication, SecretId=replicated, RemoveReplicaRegions=[REGION])
        == INVALID_REGION
    )
    assert picture(secrets, replicated) == before
    assert value_of(west, replicated) == "x"


def test_members_out_of_their_bounds_are_refused(unchecked: Any, name: str) -> None:
    before = picture(unchecked, name)
    pattern = r"Member must satisfy regular expression pattern: ^([a-z]+-)+\d+$"
    at_least_one = "Member must have length greater than or equal to 1"
    add, remove = unchecked.replicate_secret_to_regions, unchecked.remove_regions_from_replication
    assert refused(add, SecretId=name, AddReplicaRegions=[{"Region": "Europe"}]) == invalid(
        f"Value 'Europe' at 'addReplicaRegions.1.member.region' failed to satisfy constraint: {pattern}"
    )
    assert refused(remove, SecretId=name, RemoveReplicaRegions=["Europe"]) == invalid(
        f"Value 'Europe' at 'removeReplicaRegions.1.member' failed to satisfy constraint: {pattern}"
    )
    for operation, member in ((add, "AddReplicaRegions"), (remove, "RemoveReplicaRegions")):
        camel = member[0].lower() + member[1:]
        assert refused(operation, SecretId=name, **{member: []}) == invalid(
            f"Value '[]' at '{camel}' failed to satisfy constraint: {at_least_one}"
        )
        assert refused(operation, SecretId=name) == missing(camel)
    assert refused(add, SecretId=name, AddReplicaRegions=[{"KmsKeyId": "x"}]) == INVALID_REGION
    assert refused(unchecked.stop_replication_to_replica) == missing("secretId")
    assert picture(unchecked, name) == before


def test_secrets_that_are_not_there_are_refused(secrets: Any) -> None:
    for secret_id, refusal in ((fresh(), NOT_FOUND), ("a b", INVALID_NAME)):
        for operation, request in (
            (secrets.replicate_secret_to_regions, {"AddReplicaRegions": [{"Region": WEST}]}),
            (secrets.remove_regions_from_replication, {"RemoveReplicaRegions": [WEST]}),
            (secrets.stop_replication_to_replica, {}),
        ):
            assert refused(operation, SecretId=secret_id, **request) == refusal


def test_a_secret_marked_for_deletion_is_not_replicated(secrets: Any, west: Any, name: str) -> None:
    secrets.delete_secret(SecretId=name)
    before = picture(secrets, name)
    for operation, request in (
        (secrets.replicate_secret_to_regions, {"AddReplicaRegions": [{"Region": WEST}]}),
        (secrets.remove_regions_from_replication, {"RemoveReplicaRegions": [WEST]}),
        (secrets.stop_replication_to_replica, {}),
    ):
        assert refused(operation, SecretId=name, **request) == MARKED
    assert picture(secrets, name) == before
    assert refused(west.describe_secret, SecretId=name) == NOT_FOUND


def test_a_primary_is_not_deleted_while_it_has_replicas(
    secrets: Any, west: Any, north: Any, replicated: str
) -> None:
    _add(secrets, replicated, NORTH)
    arn = _described(secrets, replicated)["ARN"]
    before = picture(secrets, replicated)
    for secret_id, how in ((replicated, {}), (arn, {"ForceDeleteWithoutRecovery": True})):
        assert refused(secrets.delete_secret, SecretId=secret_id, **how) == (
            "InvalidParameterException",
            f"You can't delete secret {secret_id} that still has replica regions [eu-west-1,eu-north-1]",
        )
    assert picture(secrets, replicated) == before
    assert value_of(west, replicated) == value_of(north, replicated) == "x"
    secrets.remove_regions_from_replication(SecretId=replicated, RemoveReplicaRegions=[WEST, NORTH])
    assert answered(secrets.delete_secret, SecretId=replicated)["Name"] == replicated


WRITES: list[Any] = [
    pytest.param(lambda client: client.put_secret_value, {"SecretString": "y"}, id="PutSecretValue"),
    pytest.param(lambda client: client.update_secret, {"Description": "y"}, id="UpdateSecret"),
    pytest.param(
        lambda client: client.update_secret_version_stage,
        {"VersionStage": "X"},
        id="UpdateSecretVersionStage",
    ),
    pytest.param(lambda client: client.delete_secret, {}, id="DeleteSecret"),
    pytest.param(
        lambda client: client.delete_secret, {"ForceDeleteWithoutRecovery": True}, id="DeleteSecret by force"
    ),
    pytest.param(
        lambda client: client.replicate_secret_to_regions,
        {"AddReplicaRegions": [{"Region": NORTH}]},
        id="ReplicateSecretToRegions",
    ),
    pytest.param(
        lambda client: client.remove_regions_from_replication,
        {"RemoveReplicaRegions": [NORTH]},
        id="RemoveRegionsFromReplication",
    ),
]


@pytest.mark.parametrize(("operation", "request_"), WRITES)
def test_a_replica_takes_no_writes(
    secrets: Any, west: Any, replicated: str, operation: Callable[[Any], Any], request_: dict[str, Any]
) -> None:
    before = picture(west, replicated), picture(secrets, replicated)
    assert refused(operation(west), SecretId=replicated, **request_) == ON_A_REPLICA
    assert (picture(west, replicated), picture(secrets, replicated)) == before
    assert value_of(west, replicated) == "x"


def test_only_a_replica_is_promoted(secrets: Any, west: Any, name: str, replicated: str) -> None:
    before = picture(secrets, name)
    assert refused(secrets.stop_replication_to_replica, SecretId=name) == NOT_A_REPLICA
    assert picture(secrets, name) == before


# Permissions


def test_a_user_without_policies_replicates_nothing(
    secrets: Any, west: Any, replicated: str, person: Person
) -> None:
    here, there = person.client(), person.client(region=WEST)
    before = picture(secrets, replicated), picture(west, replicated)
    for operation, action, request in (
        (here.replicate_secret_to_regions, REPLICATE, {"AddReplicaRegions": [{"Region": NORTH}]}),
        (here.remove_regions_from_replication, REMOVE, {"RemoveReplicaRegions": [WEST]}),
        (there.stop_replication_to_replica, STOP, {}),
    ):
        assert refused(operation, SecretId=replicated, **request) == denied(person.arn, action, replicated)
    assert (picture(secrets, replicated), picture(west, replicated)) == before
    here.close()
    there.close()


def test_creating_with_replicas_needs_the_permission_to_replicate(
    secrets: Any, west: Any, person: Person
) -> None:
    client, name = person.client(), fresh()
    request = {"Name": name, "SecretString": "x", "AddReplicaRegions": [{"Region": WEST}]}
    person.may(allow("secretsmanager:CreateSecret"))
    assert refused(client.create_secret, **request) == denied(person.arn, REPLICATE, name)
    assert refused(secrets.describe_secret, SecretId=name) == NOT_FOUND
    assert refused(west.describe_secret, SecretId=name) == NOT_FOUND
    person.may(allow(["secretsmanager:CreateSecret", REPLICATE]))
    assert answered(client.create_secret, **request)["ReplicationStatus"] == [_status(WEST)]
    client.close()


def test_conditions_see_the_regions_and_whether_overwriting_is_asked_for(
    secrets: Any, name: str, person: Person
) -> None:
    person.may(
        allow(REPLICATE, **{"ForAllValues:StringEquals": {"secretsmanager:AddReplicaRegions": [WEST]}}),
        deny(REPLICATE, Bool={"secretsmanager:ForceOverwriteReplicaSecret": "true"}),
    )
    client = person.client()
    before = picture(secrets, name)
    wanted = [{"Region": WEST}, {"Region": NORTH}]
    assert refused(client.replicate_secret_to_regions, SecretId=name, AddReplicaRegions=wanted) == denied(
        person.arn, REPLICATE, name
    )
    assert refused(
        client.replicate_secret_to_regions,
        SecretId=name,
        AddReplicaRegions=wanted[:1],
        ForceOverwriteReplicaSecret=True,
    ) == denied(person.arn, REPLICATE, name, " with an explicit deny in an identity-based policy")
    assert picture(secrets, name) == before
    assert _add(client, name, WEST)["ReplicationStatus"] == [_status(WEST)]
    client.close()


def test_a_condition_sees_the_primary_region(
    secrets: Any, west: Any, replicated: str, person: Person
) -> None:
    person.may(allow("secretsmanager:*", StringEquals={"secretsmanager:SecretPrimaryRegion": WEST}))
    there = person.client(region=WEST)
    assert refused(there.get_secret_value, SecretId=replicated) == denied(
        person.arn, "secretsmanager:GetSecretValue", replicated
    )
    west.stop_replication_to_replica(SecretId=replicated)
    assert value_of(there, replicated) == "x"
    there.close()


def test_a_caller_who_may_not_use_the_key_fails_the_replica_and_changes_nothing_there(
    server: Server, secrets: Any, west: Any, name: str, person: Person
) -> None:
    key = server.client("kms", region=WEST).create_key()["KeyMetadata"]["Arn"]
    client = person.client()
    request = {"SecretId": name, "AddReplicaRegions": [{"Region": WEST, "KmsKeyId": key}]}
    failed = _status(WEST, "Failed", NO_KMS[1], KmsKeyId=key)
    for allowed in ([], ["kms:GenerateDataKey"], ["kms:GenerateDataKey", "kms:Decrypt"]):
        person.may(allow([REPLICATE, *allowed]))
        assert answered(client.replicate_secret_to_regions, **request)["ReplicationStatus"] == [failed]
        assert refused(west.describe_secret, SecretId=name) == NOT_FOUND
    person.may(allow([REPLICATE, "kms:GenerateDataKey", "kms:Decrypt", "kms:Encrypt"]))
    assert answered(client.replicate_secret_to_regions, **request)["ReplicationStatus"] == [
        _status(WEST, KmsKeyId=key)
    ]
    assert value_of(west, name) == "x"
    client.close()


def test_a_tightened_policy_holds_in_the_replicas_region_at_once(
    secrets: Any, replicated: str, person: Person
) -> None:
    person.may(allow("secretsmanager:GetSecretValue"))
    there = person.client(region=WEST)
    assert value_of(there, replicated) == "x"
    statement = {"Effect": "Deny", "Principal": {"AWS": person.arn}, "Action": "*", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    secrets.put_resource_policy(SecretId=replicated, ResourcePolicy=policy)
    assert refused(there.get_secret_value, SecretId=replicated) == denied(
        person.arn,
        "secretsmanager:GetSecretValue",
        replicated,
        " with an explicit deny in a resource-based policy",
    )
    there.close()

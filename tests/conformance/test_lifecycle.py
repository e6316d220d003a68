"""DeleteSecret and RestoreSecret, and every operation on a secret marked for deletion, over TCP.

Source: fact sheet secretsmanager sections 6 and 7.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from typing import Any

import pytest

from support.dialogue import (
    INVALID_NAME,
    MARKED,
    NOT_FOUND,
    a_person,
    allow,
    answered,
    canary,
    denied,
    fresh,
    refused,
)
from support.running import Server
from support.signing import json_call, send
from support.stillness import a_region, a_token, everything, unchanged

DAY = dt.timedelta(days=1)
A_MOMENT = dt.timedelta(seconds=5)
NAME_MARKED = (
    "InvalidRequestException",
    "You can't create this secret because a secret with this name is already scheduled for deletion.",
)
OUT_OF_RANGE = (
    "InvalidParameterException",
    "The RecoveryWindowInDays value must be between 7 and 30 days (inclusive).",
)
FORCE_AND_WINDOW = (
    "InvalidParameterException",
    "You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays.",
)
POLICY = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Deny",
                "Principal": "*",
                "Action": "secretsmanager:CancelRotateSecret",
                "Resource": "*",
                "Condition": {"StringEquals": {"aws:PrincipalAccount": "999999999999"}},
            }
        ],
    }
)
FUNCTION = "arn:aws:lambda:eu-central-1:111122223333:function:rotate"


@pytest.fixture
def name(secrets: Any) -> str:
    made = fresh("life")
    secrets.create_secret(
        Name=made, SecretString="first", Description="words", Tags=[{"Key": "team", "Value": "blue"}]
    )
    return made


@pytest.fixture
def marked(secrets: Any, name: str) -> str:
    secrets.delete_secret(SecretId=name)
    return name


@pytest.fixture(scope="module")
def unchecked(server: Server) -> Iterator[Any]:
    """A client that sends whatever it is told, so that the server does the checking."""
    client = server.client("secretsmanager", parameter_validation=False)
    yield client
    client.close()


def now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


# Marking


@pytest.mark.parametrize(
    ("window", "days"),
    [
        ({}, 30),
        ({"RecoveryWindowInDays": 7}, 7),
        ({"RecoveryWindowInDays": 30}, 30),
        ({"RecoveryWindowInDays": 8, "ForceDeleteWithoutRecovery": False}, 8),
        ({"ForceDeleteWithoutRecovery": False}, 30),
    ],
    ids=["default", "7", "30", "8, force false", "force false"],
)
def test_a_secret_is_marked_until_its_window_ends(
    secrets: Any, name: str, window: dict[str, Any], days: int
) -> None:
    before = everything(secrets, name)
    arn = before["description"]["ARN"]
    started = now()
    deleted = answered(secrets.delete_secret, SecretId=name, **window)
    assert deleted.pop("DeletionDate") - started - days * DAY < A_MOMENT
    assert deleted == {"ARN": arn, "Name": name}

    after = everything(secrets, name)
    assert after["versions"] == before["versions"]
    described = after["description"]
    assert abs(described.pop("DeletedDate") - started) < A_MOMENT
    assert described.pop("LastChangedDate") > before["description"].pop("LastChangedDate")
    assert described == before["description"]


def test_the_deletion_date_is_told_as_a_number_of_seconds(server: Server, name: str) -> None:
    answer = send(server, json_call(server, "DeleteSecret", {"SecretId": name, "RecoveryWindowInDays": 7}))
    assert set(answer.json) == {"ARN", "Name", "DeletionDate"}
    assert abs(answer.json["DeletionDate"] - (now() + 7 * DAY).timestamp()) < A_MOMENT.total_seconds()


@pytest.mark.parametrize("days", [-7, 0, 1, 6, 31, 2**40])
def test_windows_out_of_range_are_refused(secrets: Any, name: str, days: int) -> None:
    with unchanged(secrets, name):
        assert refused(secrets.delete_secret, SecretId=name, RecoveryWindowInDays=days) == OUT_OF_RANGE


@pytest.mark.parametrize("days", [7, 99])
def test_a_window_and_force_are_refused(secrets: Any, name: str, days: int) -> None:
    request = {"SecretId": name, "RecoveryWindowInDays": days, "ForceDeleteWithoutRecovery": True}
    with unchanged(secrets, name):
        assert refused(secrets.delete_secret, **request) == FORCE_AND_WINDOW


def test_windows_of_another_type_are_refused(unchecked: Any, server: Server, name: str) -> None:
    with unchanged(unchecked, name):
        for value in ("7", True, 7.5, [7]):
            request = {"SecretId": name, "RecoveryWindowInDays": value}
            status, code, _ = send(server, json_call(server, "DeleteSecret", request)).error
            assert (status, code) == (400, "SerializationException")


def test_a_marked_secret_is_not_marked_again(secrets: Any, marked: str) -> None:
    with unchanged(secrets, marked):
        assert refused(secrets.delete_secret, SecretId=marked) == MARKED
        assert refused(secrets.delete_secret, SecretId=marked, RecoveryWindowInDays=7) == MARKED


def test_what_does_not_exist_cannot_be_deleted_or_restored(secrets: Any) -> None:
    for secret_id in (
        fresh("absent"),
        f"arn:aws:secretsmanager:eu-central-1:111122223333:secret:{fresh('a')}",
    ):
        if secret_id.startswith("arn:"):
            arn = secrets.create_secret(Name=fresh("mine"))["ARN"]
            secret_id = secret_id.replace("111122223333", arn.split(":")[4])
        assert refused(secrets.delete_secret, SecretId=secret_id) == NOT_FOUND
        assert refused(secrets.restore_secret, SecretId=secret_id) == NOT_FOUND


# Restoring


def test_a_restored_secret_is_as_it_was(secrets: Any, name: str) -> None:
    secrets.put_secret_value(SecretId=name, SecretString="second")
    secrets.put_resource_policy(SecretId=name, ResourcePolicy=POLICY)
    before = everything(secrets, name)
    secrets.delete_secret(SecretId=name)
    restored = answered(secrets.restore_secret, SecretId=name)
    assert restored == {"ARN": before["description"]["ARN"], "Name": name}
    after = everything(secrets, name)
    assert after["description"].pop("LastChangedDate") > before["description"].pop("LastChangedDate")
    assert after == before
    assert secrets.get_secret_value(SecretId=name)["SecretString"] == "second"
    secrets.delete_secret(SecretId=name, RecoveryWindowInDays=7)


def test_restoring_what_is_not_marked_changes_nothing(secrets: Any, name: str) -> None:
    arn = secrets.describe_secret(SecretId=name)["ARN"]
    with unchanged(secrets, name):
        assert answered(secrets.restore_secret, SecretId=name) == {"ARN": arn, "Name": name}


# A marked secret

REFUSED_ON_A_MARKED_SECRET: dict[str, dict[str, Any]] = {
    "get_secret_value": {},
    "put_secret_value": {"SecretString": "x"},
    "update_secret": {"Description": "x"},
    "update_secret_version_stage": {"VersionStage": "X"},
    "rotate_secret": {},
    "cancel_rotate_secret": {},
    "tag_resource": {"Tags": [{"Key": "k", "Value": "v"}]},
    "untag_resource": {"TagKeys": ["team"]},
    "put_resource_policy": {"ResourcePolicy": POLICY},
    "get_resource_policy": {},
    "delete_resource_policy": {},
    "list_resource_policies": {},
    "replicate_secret_to_regions": {"AddReplicaRegions": [{"Region": "us-east-2"}]},
    "remove_regions_from_replication": {"RemoveReplicaRegions": ["us-east-2"]},
    "stop_replication_to_replica": {},
}


@pytest.mark.parametrize("operation", REFUSED_ON_A_MARKED_SECRET)
def test_operations_refused_on_a_marked_secret(secrets: Any, name: str, operation: str) -> None:
    version = secrets.get_secret_value(SecretId=name)["VersionId"]
    request = dict(REFUSED_ON_A_MARKED_SECRET[operation])
    if operation == "update_secret_version_stage":
        request["MoveToVersionId"] = version
    before = everything(secrets, name)
    secrets.delete_secret(SecretId=name)
    with unchanged(secrets, name):
        assert refused(getattr(secrets, operation), SecretId=name, **request) == MARKED
    secrets.restore_secret(SecretId=name)
    after = everything(secrets, name)
    for picture in (before, after):
        picture["description"].pop("LastChangedDate")
    assert after == before


@pytest.mark.parametrize("way", ["version", "label"])
def test_no_version_of_a_marked_secret_is_read(secrets: Any, name: str, way: str) -> None:
    version = secrets.get_secret_value(SecretId=name)["VersionId"]
    secrets.delete_secret(SecretId=name)
    chosen = {"VersionId": version} if way == "version" else {"VersionStage": "AWSCURRENT"}
    assert refused(secrets.get_secret_value, SecretId=name, **chosen) == MARKED
    assert refused(secrets.get_secret_value, SecretId=name, VersionStage="NONE") == MARKED


def test_a_batch_tells_of_a_marked_secret_among_its_errors(secrets: Any, marked: str) -> None:
    answer = answered(secrets.batch_get_secret_value, SecretIdList=[marked])
    assert answer == {
        "SecretValues": [],
        "Errors": [{"SecretId": marked, "ErrorCode": MARKED[0], "Message": MARKED[1]}],
    }


def test_a_marked_secret_is_described_and_its_versions_are_listed(secrets: Any, marked: str) -> None:
    described = answered(secrets.describe_secret, SecretId=marked)
    assert described["Description"] == "words"
    assert list(described["VersionIdsToStages"].values()) == [["AWSCURRENT"]]
    assert len(answered(secrets.list_secret_version_ids, SecretId=marked)["Versions"]) == 1


def test_a_marked_secret_is_listed_on_demand(secrets: Any, marked: str) -> None:
    request = {"Filters": [{"Key": "name", "Values": [marked]}]}
    assert answered(secrets.list_secrets, **request) == {"SecretList": []}
    (entry,) = answered(secrets.list_secrets, IncludePlannedDeletion=True, **request)["SecretList"]
    assert entry["DeletedDate"] == secrets.describe_secret(SecretId=marked)["DeletedDate"]


@pytest.mark.parametrize("token", ["same", "other"])
def test_the_name_of_a_marked_secret_is_taken(secrets: Any, token: str) -> None:
    name, first = fresh("taken"), a_token()
    request = {"Name": name, "SecretString": "x"}
    secrets.create_secret(**request, ClientRequestToken=first)
    secrets.delete_secret(SecretId=name)
    with unchanged(secrets, name):
        again = {**request, "ClientRequestToken": first if token == "same" else a_token()}
        assert refused(secrets.create_secret, **again) == NAME_MARKED


def test_whether_a_secret_is_marked_is_told_only_to_those_allowed(server: Server, marked: str) -> None:
    person = a_person(server)
    person.may(allow("secretsmanager:ListSecrets"))
    client = person.client()
    action = "secretsmanager:GetSecretValue"
    assert refused(client.get_secret_value, SecretId=marked) == denied(person.arn, action, marked)
    action = "secretsmanager:RestoreSecret"
    assert refused(client.restore_secret, SecretId=marked) == denied(person.arn, action, marked)


# Force


@pytest.mark.parametrize("was_marked", [False, True])
def test_by_force_a_secret_is_gone_at_once(secrets: Any, name: str, was_marked: bool) -> None:
    version = secrets.get_secret_value(SecretId=name)["VersionId"]
    arn = secrets.describe_secret(SecretId=name)["ARN"]
    if was_marked:
        secrets.delete_secret(SecretId=name)
    deleted = answered(secrets.delete_secret, SecretId=name, ForceDeleteWithoutRecovery=True)
    assert abs(deleted.pop("DeletionDate") - now()) < A_MOMENT
    assert deleted == {"ARN": arn, "Name": name}
    for secret_id in (name, arn, arn[:-7]):
        assert refused(secrets.describe_secret, SecretId=secret_id) == NOT_FOUND
        assert refused(secrets.get_secret_value, SecretId=secret_id, VersionId=version) == NOT_FOUND
        assert refused(secrets.restore_secret, SecretId=secret_id) == NOT_FOUND
        assert refused(secrets.list_secret_version_ids, SecretId=secret_id) == NOT_FOUND
    listed = secrets.list_secrets(IncludePlannedDeletion=True, Filters=[{"Key": "name", "Values": [name]}])
    assert listed["SecretList"] == []


def test_by_force_what_never_existed_is_deleted_too(secrets: Any) -> None:
    name = fresh("never")
    deleted = answered(secrets.delete_secret, SecretId=name, ForceDeleteWithoutRecovery=True)
    assert abs(deleted["DeletionDate"] - now()) < A_MOMENT
    assert deleted["Name"] == name
    assert f":secret:{name}-" in deleted["ARN"]
    assert set(deleted) == {"ARN", "Name", "DeletionDate"}
    assert refused(secrets.describe_secret, SecretId=name) == NOT_FOUND
    assert refused(secrets.delete_secret, SecretId="a b", ForceDeleteWithoutRecovery=True) == INVALID_NAME


@pytest.mark.parametrize("was_marked", [False, True])
def test_a_name_used_again_gets_another_arn_and_nothing_of_the_old_secret(
    secrets: Any, name: str, was_marked: bool
) -> None:
    secrets.put_resource_policy(SecretId=name, ResourcePolicy=POLICY)
    old = secrets.describe_secret(SecretId=name)
    if was_marked:
        secrets.delete_secret(SecretId=name)
    secrets.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)
    token = a_token()
    made = answered(secrets.create_secret, Name=name, SecretString="new", ClientRequestToken=token)
    assert made["ARN"] != old["ARN"]
    assert made["ARN"][:-6] == old["ARN"][:-6]
    assert refused(secrets.get_secret_value, SecretId=old["ARN"]) == NOT_FOUND
    seen = everything(secrets, name)
    assert not {"Tags", "Description", "DeletedDate"} & set(seen["description"])
    assert seen["description"]["VersionIdsToStages"] == {token: ["AWSCURRENT"]}
    assert "ResourcePolicy" not in seen["policy"]
    assert [each["SecretString"] for each in seen["values"]] == ["new"]


def test_a_token_of_a_deleted_secret_serves_again(secrets: Any) -> None:
    name, token = fresh("token"), a_token()
    request = {"Name": name, "SecretString": "one", "ClientRequestToken": token}
    first = answered(secrets.create_secret, **request)
    secrets.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)
    again = answered(secrets.create_secret, **{**request, "SecretString": "two"})
    assert again["ARN"] != first["ARN"]
    assert secrets.get_secret_value(SecretId=name)["SecretString"] == "two"


def test_a_deletion_of_an_arn_touches_no_other_region(server: Server, secrets: Any, name: str) -> None:
    arn = secrets.describe_secret(SecretId=name)["ARN"]
    elsewhere = server.client("secretsmanager", region=a_region())
    with unchanged(secrets, name):
        assert refused(elsewhere.delete_secret, SecretId=arn) == NOT_FOUND
        answered(elsewhere.delete_secret, SecretId=arn, ForceDeleteWithoutRecovery=True)


def test_force_needs_the_permission_for_what_does_not_exist_too(server: Server) -> None:
    person = a_person(server)
    person.may(allow("secretsmanager:GetSecretValue"))
    absent = fresh("absent")
    assert refused(person.client().delete_secret, SecretId=absent, ForceDeleteWithoutRecovery=True) == denied(
        person.arn, "secretsmanager:DeleteSecret", absent
    )


def test_a_policy_may_demand_a_window(server: Server, secrets: Any, name: str) -> None:
    person = a_person(server)
    long_window = {"NumericGreaterThanEquals": {"secretsmanager:RecoveryWindowInDays": "14"}}
    person.may(allow("secretsmanager:DeleteSecret", **long_window))
    client = person.client()
    refusal = denied(person.arn, "secretsmanager:DeleteSecret", name)
    with unchanged(secrets, name):
        assert refused(client.delete_secret, SecretId=name, RecoveryWindowInDays=13) == refusal
        assert refused(client.delete_secret, SecretId=name, ForceDeleteWithoutRecovery=True) == refusal
    answered(client.delete_secret, SecretId=name, RecoveryWindowInDays=14)


def test_a_primary_with_replicas_is_not_deleted(secrets: Any) -> None:
    name = fresh("primary")
    regions = [a_region(), a_region()]
    secrets.create_secret(
        Name=name, SecretString=canary(), AddReplicaRegions=[{"Region": each} for each in regions]
    )
    expected = (
        "InvalidParameterException",
        f"You can't delete secret {name} that still has replica regions [{','.join(regions)}]",
    )
    with unchanged(secrets, name):
        assert refused(secrets.delete_secret, SecretId=name) == expected
        assert refused(secrets.delete_secret, SecretId=name, ForceDeleteWithoutRecovery=True) == expected
    secrets.remove_regions_from_replication(SecretId=name, RemoveReplicaRegions=regions)
    answered(secrets.delete_secret, SecretId=name)

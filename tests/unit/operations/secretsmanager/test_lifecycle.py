"""DeleteSecret and RestoreSecret, row by row of the fact sheet."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import pytest

from strongroom.errors import (
    AccessDeniedException,
    InvalidParameterException,
    InvalidRequestException,
    ResourceNotFoundException,
)
from strongroom.names import Arn, Region
from strongroom.operations.secretsmanager.lifecycle import DELETE_SECRET, RESTORE_SECRET
from strongroom.ports import SECRET_POLICIES
from strongroom.secret.records import CrossAccountPrimary, CrossAccountReplica, Replica, SecretPolicy
from support.secret_room import ACCOUNT, MILLISECOND, NOON, REGION, Room

MARKED = "You can't perform this operation on the secret because it was marked for deletion."
NOT_FOUND = "Secrets Manager can't find the specified secret."
FORCE = {"SecretId": "a", "ForceDeleteWithoutRecovery": True}
DAY = dt.timedelta(days=1)
POLICY = (
    '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": "444455556666"}, '
    '"Action": "secretsmanager:GetSecretValue", "Resource": "*"}]}'
)
OTHER_ARN = Arn("arn:aws:secretsmanager:eu-west-1:444455556666:secret:a-abcdef")


@pytest.mark.parametrize(
    ("request_members", "days"),
    [
        pytest.param({}, 30, id="default"),
        pytest.param({"RecoveryWindowInDays": 7}, 7, id="shortest"),
        pytest.param({"RecoveryWindowInDays": 30}, 30, id="longest"),
        pytest.param({"RecoveryWindowInDays": 9, "ForceDeleteWithoutRecovery": False}, 9, id="force false"),
        pytest.param({"ForceDeleteWithoutRecovery": False}, 30, id="force false alone"),
    ],
)
def test_a_deleted_secret_is_marked_until_its_window_ends(request_members: dict[str, Any], days: int) -> None:
    room = Room()
    secret = room.add("a")
    response = room.run(DELETE_SECRET, {"SecretId": "a", **request_members})
    assert response == {"ARN": secret.arn, "Name": "a", "DeletionDate": NOON + days * DAY}
    marked = room.stored_secrets[secret.arn]
    assert (marked.deleted_at, marked.deletion_at) == (NOON, NOON + days * DAY)
    assert marked.last_changed_at == NOON + MILLISECOND
    assert len(room.stored_versions) == 1
    assert room.events == []


@pytest.mark.parametrize("days", [0, 6, 31])
def test_a_window_out_of_range_is_refused(days: int) -> None:
    room = Room()
    secret = room.add("a")
    with pytest.raises(InvalidParameterException) as caught:
        room.run(DELETE_SECRET, {"SecretId": "a", "RecoveryWindowInDays": days})
    assert caught.value.message == (
        "The RecoveryWindowInDays value must be between 7 and 30 days (inclusive)."
    )
    assert room.stored_secrets == {secret.arn: secret}


def test_force_with_a_window_is_refused() -> None:
    room = Room()
    secret = room.add("a")
    with pytest.raises(InvalidParameterException) as caught:
        room.run(DELETE_SECRET, {**FORCE, "RecoveryWindowInDays": 7})
    assert caught.value.message == (
        "You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays."
    )
    assert room.stored_secrets == {secret.arn: secret}


@pytest.mark.parametrize("marked", [False, True], ids=["alive", "marked"])
def test_force_deletes_secret_versions_and_policies_at_once(marked: bool) -> None:
    room = Room()
    dates: dict[str, Any] = {"deleted_at": NOON - DAY, "deletion_at": NOON + 9 * DAY} if marked else {}
    secret = room.add("a", versions=2, **dates)
    other = room.add("other")
    room.save(SECRET_POLICIES, SecretPolicy(secret_arn=secret.arn, policy_name="default", document=POLICY))
    response = room.run(DELETE_SECRET, FORCE)
    assert response == {"ARN": secret.arn, "Name": "a", "DeletionDate": NOON}
    assert room.stored_secrets == {other.arn: other}
    assert {arn for arn, _ in room.stored_versions} == {other.arn}
    assert room.find(SECRET_POLICIES, secret.arn, "default") is None


def test_the_trail_tells_of_each_versions_deletion() -> None:
    room = Room()
    secret = room.add("a", versions=2)
    ids = [version.version_id for version in room.versions(secret.arn)]
    room.run(DELETE_SECRET, FORCE)
    told = [(e["eventName"], e["additionalEventData"]["SecretVersionId"]) for e in room.events]
    start, end = "StartSecretVersionDelete", "EndSecretVersionDelete"
    assert told == [(start, ids[0]), (end, ids[0]), (start, ids[1]), (end, ids[1])]
    assert len({event["eventID"] for event in room.events}) == 4
    event = room.events[0]
    del event["eventID"]
    assert event == {
        "eventVersion": "1.11",
        "userIdentity": {"accountId": ACCOUNT, "invokedBy": "secretsmanager.amazonaws.com"},
        "eventTime": "2026-01-01T12:00:00Z",
        "eventSource": "secretsmanager.amazonaws.com",
        "eventName": start,
        "awsRegion": REGION,
        "sourceIPAddress": "secretsmanager.amazonaws.com",
        "userAgent": "secretsmanager.amazonaws.com",
        "requestParameters": None,
        "responseElements": None,
        "additionalEventData": {"SecretId": secret.arn, "SecretVersionId": ids[0]},
        "requestID": f"{start}-{secret.arn}-{ids[0]}",
        "readOnly": False,
        "eventType": "AwsServiceEvent",
        "managementEvent": True,
        "recipientAccountId": ACCOUNT,
        "eventCategory": "Management",
    }


def test_force_on_a_missing_name_succeeds_with_an_invented_arn() -> None:
    room = Room()
    response = room.run(DELETE_SECRET, FORCE)
    assert re.fullmatch(
        rf"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:a-[A-Za-z0-9]{{6}}", response["ARN"]
    )
    assert (response["Name"], response["DeletionDate"]) == ("a", NOON)
    assert room.stored_secrets == {}


def test_force_on_a_missing_arn_succeeds_with_that_arn() -> None:
    arn = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:a/b-abcdef"
    response = Room().run(DELETE_SECRET, {**FORCE, "SecretId": arn})
    assert response == {"ARN": arn, "Name": "a/b-abcdef", "DeletionDate": NOON}


def test_a_missing_secret_without_force_is_not_found() -> None:
    with pytest.raises(ResourceNotFoundException) as caught:
        Room().run(DELETE_SECRET, {"SecretId": "a"})
    assert caught.value.message == NOT_FOUND


def test_a_marked_secret_cannot_be_marked_again() -> None:
    room = Room()
    secret = room.add("a", deleted_at=NOON, deletion_at=NOON + 9 * DAY)
    with pytest.raises(InvalidRequestException) as caught:
        room.run(DELETE_SECRET, {"SecretId": "a", "RecoveryWindowInDays": 7})
    assert caught.value.message == MARKED
    assert room.stored_secrets == {secret.arn: secret}


REPLICAS = tuple(
    Replica(region=Region(region), arn=Arn(f"arn:aws:secretsmanager:{region}:{ACCOUNT}:secret:a-abcdef"))
    for region in ("eu-west-1", "us-east-1")
)


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize(
    ("members", "error", "message"),
    [
        pytest.param(
            {"replicas": REPLICAS},
            InvalidParameterException,
            "You can't delete secret a that still has replica regions [eu-west-1,us-east-1]",
            id="primary",
        ),
        pytest.param(
            {"replica_of": REPLICAS[0].arn},
            InvalidRequestException,
            "Operation not permitted on a replica secret. Call must be made in primary secret's region.",
            id="replica",
        ),
        pytest.param(
            {"owning_service": "rds"},
            InvalidRequestException,
            "You can't delete this secret because it is managed by rds. Use rds to delete it.",
            id="managed",
        ),
        pytest.param(
            {"cross_account_replicas": (CrossAccountReplica(arn=OTHER_ARN, status="InSync"),)},
            InvalidRequestException,
            "You can't delete a secret that has a cross-account replica. "
            "Call DisassociateCrossAccountReplica first.",
            id="cross-account primary",
        ),
        pytest.param(
            {"cross_account_primary": CrossAccountPrimary(arn=OTHER_ARN, status="InSync")},
            InvalidRequestException,
            "You can't delete a cross-account replica secret. Call StopReplicationToReplica first.",
            id="cross-account replica",
        ),
    ],
)
def test_secrets_tied_to_others_are_not_deleted(
    members: dict[str, Any], error: type[Exception], message: str, force: bool
) -> None:
    room = Room()
    secret = room.add("a", **members)
    with pytest.raises(error) as caught:
        room.run(DELETE_SECRET, FORCE if force else {"SecretId": "a"})
    assert str(caught.value) == message
    assert room.stored_secrets == {secret.arn: secret}
    assert room.events == []


def test_a_primary_whose_cross_account_replica_is_detached_can_be_deleted() -> None:
    room = Room()
    room.add("a", cross_account_replicas=(CrossAccountReplica(arn=OTHER_ARN, status="Detached"),))
    room.run(DELETE_SECRET, FORCE)
    assert room.stored_secrets == {}


def test_policies_see_how_the_secret_is_to_be_deleted() -> None:
    room = Room()
    room.add("a")
    caller = room.user(
        "ann",
        {"Effect": "Allow", "Action": "secretsmanager:DeleteSecret", "Resource": "*"},
        {
            "Effect": "Deny",
            "Action": "*",
            "Resource": "*",
            "Condition": {"Bool": {"secretsmanager:ForceDeleteWithoutRecovery": "true"}},
        },
        {
            "Effect": "Deny",
            "Action": "*",
            "Resource": "*",
            "Condition": {"NumericLessThan": {"secretsmanager:RecoveryWindowInDays": "14"}},
        },
    )
    for refused in (FORCE, {"SecretId": "a", "RecoveryWindowInDays": 13}):
        with pytest.raises(AccessDeniedException):
            room.run(DELETE_SECRET, refused, principal=caller)
    response = room.run(DELETE_SECRET, {"SecretId": "a", "RecoveryWindowInDays": 14}, principal=caller)
    assert response["DeletionDate"] == NOON + 14 * DAY


def test_a_caller_without_permission_cannot_learn_whether_a_secret_exists() -> None:
    room = Room()
    caller = room.user("ann", {"Effect": "Allow", "Action": "secretsmanager:ListSecrets", "Resource": "*"})
    room.add("a")
    texts = []
    for name in ("a", "b"):
        with pytest.raises(AccessDeniedException) as caught:
            room.run(DELETE_SECRET, {**FORCE, "SecretId": name}, principal=caller)
        texts.append(caught.value.message.replace(f"resource: {name}", "resource: X"))
    assert texts[0] == texts[1]


def test_restoring_clears_the_mark_and_cancels_each_versions_deletion() -> None:
    room = Room()
    secret = room.add("a", versions=2, deleted_at=NOON, deletion_at=NOON + 9 * DAY)
    response = room.run(RESTORE_SECRET, {"SecretId": "a"}, now=NOON + DAY)
    assert response == {"ARN": secret.arn, "Name": "a"}
    restored = room.stored_secrets[secret.arn]
    assert (restored.deleted_at, restored.deletion_at) == (None, None)
    assert restored.last_changed_at == NOON + DAY
    assert restored.labels == secret.labels
    assert [event["eventName"] for event in room.events] == ["CancelSecretVersionDelete"] * 2


def test_restoring_an_unmarked_secret_changes_nothing() -> None:
    room = Room()
    secret = room.add("a")
    assert room.run(RESTORE_SECRET, {"SecretId": "a"}) == {"ARN": secret.arn, "Name": "a"}
    assert room.stored_secrets == {secret.arn: secret}
    assert room.events == []


def test_a_secret_really_deleted_cannot_be_restored() -> None:
    room = Room()
    room.add("a")
    room.run(DELETE_SECRET, FORCE)
    with pytest.raises(ResourceNotFoundException) as caught:
        room.run(RESTORE_SECRET, {"SecretId": "a"})
    assert caught.value.message == NOT_FOUND

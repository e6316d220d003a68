"""Moving labels between stored versions, and which versions may be pruned."""

from __future__ import annotations

import datetime as dt

import pytest

from strongroom.errors import ResourceNotFoundException
from strongroom.names import AWSCURRENT, AWSPENDING, StagingLabel
from strongroom.operations.secretsmanager import messages
from strongroom.operations.secretsmanager.versions import (
    KEPT_FOR,
    UPDATE_SECRET_VERSION_STAGE,
    prunable,
)
from support.replica_room import ReplicaRoom, version_id

T1, T2 = version_id(1), version_id(2)
STUB = version_id(99)
MOMENT = dt.timedelta(microseconds=1)


@pytest.fixture
def room() -> ReplicaRoom:
    return ReplicaRoom()


def test_awscurrent_never_goes_to_a_version_without_a_value(room: ReplicaRoom) -> None:
    secret = room.add_secret(labels={AWSCURRENT: T1, AWSPENDING: STUB})
    before = room.unit.state()
    with pytest.raises(ResourceNotFoundException) as refusal:
        room.run(
            UPDATE_SECRET_VERSION_STAGE,
            {
                "SecretId": "db",
                "VersionStage": "AWSCURRENT",
                "RemoveFromVersionId": T1,
                "MoveToVersionId": STUB,
            },
        )
    assert refusal.value.message == messages.no_value_for_version(STUB)
    assert room.unit.state() == before
    assert room.labels(secret.arn) == {AWSCURRENT: T1, AWSPENDING: STUB}


def test_another_label_may_go_to_a_version_without_a_value(room: ReplicaRoom) -> None:
    secret = room.add_secret(labels={AWSCURRENT: T1, AWSPENDING: STUB})
    move = {"SecretId": "db", "VersionStage": "MINE", "MoveToVersionId": STUB}
    room.run(UPDATE_SECRET_VERSION_STAGE, move)
    assert room.labels(secret.arn)[StagingLabel("MINE")] == STUB


def test_a_hundred_versions_are_never_pruned(room: ReplicaRoom) -> None:
    secret = room.add_secret(values=[str(number) for number in range(100)])
    versions = room.unit.versions(secret.arn)
    assert prunable(secret, versions, versions[-1].created_at + 365 * KEPT_FOR) == []


def test_a_version_is_prunable_from_the_moment_it_is_a_day_old(room: ReplicaRoom) -> None:
    secret = room.add_secret(values=[str(number) for number in range(101)])
    versions = room.unit.versions(secret.arn)
    oldest = versions[0]
    assert prunable(secret, versions, oldest.created_at + KEPT_FOR - MOMENT) == []
    assert prunable(secret, versions, oldest.created_at + KEPT_FOR) == [oldest.version_id]


def test_a_labelled_version_stays_however_old(room: ReplicaRoom) -> None:
    labels = {AWSCURRENT: version_id(101), StagingLabel("KEEP"): T1}
    secret = room.add_secret(values=[str(number) for number in range(101)], labels=labels)
    versions = room.unit.versions(secret.arn)
    assert prunable(secret, versions, versions[-1].created_at + KEPT_FOR) == [T2]


def test_when_only_labelled_versions_are_surplus_nothing_goes(room: ReplicaRoom) -> None:
    labels = {StagingLabel(f"L{number}"): version_id(number) for number in range(1, 102)}
    secret = room.add_secret(values=[str(number) for number in range(101)], labels=labels)
    versions = room.unit.versions(secret.arn)
    assert prunable(secret, versions, versions[-1].created_at + KEPT_FOR) == []

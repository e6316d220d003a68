"""What the keeper really deletes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, TypeVar

from msgspec.structs import replace

from strongroom.operations.upkeep import delete_due_secrets, prune_versions
from strongroom.ports import WriteUnit
from strongroom.secret.records import Secret
from support.secret_room import NOON, OTHER_ACCOUNT, Room, SeededEntropy

T = TypeVar("T")

WEEK = dt.timedelta(days=7)


def marked(room: Room, name: str, deletion_at: dt.datetime, **members: Any) -> Secret:
    return room.add(name, deleted_at=deletion_at - WEEK, deletion_at=deletion_at, **members)


def test_secrets_of_all_accounts_go_when_their_window_has_ended() -> None:
    room = Room()
    marked(room, "due", NOON)
    marked(room, "theirs", NOON - WEEK, account_id=OTHER_ACCOUNT)
    marked(room, "later", NOON + dt.timedelta(milliseconds=1))
    room.add("alive")
    assert delete_due_secrets(room, NOON, SeededEntropy()) == 2
    assert sorted(secret.name for secret in room.stored_secrets.values()) == ["alive", "later"]
    assert {arn for arn, _ in room.stored_versions} == set(room.stored_secrets)
    assert delete_due_secrets(room, NOON, SeededEntropy()) == 0


def test_each_version_leaves_its_events_in_the_accounts_name() -> None:
    room = Room()
    secret = marked(room, "due", NOON, versions=1, account_id=OTHER_ACCOUNT)
    delete_due_secrets(room, NOON, SeededEntropy())
    assert [event["eventName"] for event in room.events] == [
        "StartSecretVersionDelete",
        "EndSecretVersionDelete",
    ]
    assert {event["recipientAccountId"] for event in room.events} == {OTHER_ACCOUNT}
    assert {event["additionalEventData"]["SecretId"] for event in room.events} == {secret.arn}


def test_a_batch_is_no_larger_than_asked() -> None:
    room = Room()
    for number in range(5):
        marked(room, f"s{number}", NOON)
    counts = [delete_due_secrets(room, NOON, SeededEntropy(), batch=2) for _ in range(4)]
    assert counts == [2, 2, 1, 0]


class RestoredMeanwhile(Room):
    """A room where somebody restores what was found before the keeper's write comes to its turn."""

    def secrets_due_for_deletion(self, now: dt.datetime, limit: int) -> Sequence[Secret]:
        found = super().secrets_due_for_deletion(now, limit)
        for secret in found:
            self.save_secret(replace(secret, deleted_at=None, deletion_at=None))
        return found


class GoneMeanwhile(Room):
    """A room where somebody deletes by force what was found."""

    def write(self, work: Callable[[WriteUnit], T]) -> Future[T]:
        self.stored_secrets.clear()
        return super().write(work)


def test_a_secret_restored_meanwhile_stays() -> None:
    room = RestoredMeanwhile()
    secret = marked(room, "due", NOON)
    assert delete_due_secrets(room, NOON, SeededEntropy()) == 0
    assert list(room.stored_secrets) == [secret.arn]
    assert len(room.stored_versions) == 1
    assert room.events == []


def test_a_secret_gone_meanwhile_is_not_counted() -> None:
    room = GoneMeanwhile()
    marked(room, "due", NOON)
    assert delete_due_secrets(room, NOON, SeededEntropy()) == 0
    assert room.events == []


DAY = dt.timedelta(days=1)


def test_old_versions_over_a_hundred_are_pruned_and_told_of() -> None:
    room = Room()
    crowded = room.add("crowded", versions=103)
    room.add("full", versions=100)
    assert prune_versions(room, NOON + DAY, SeededEntropy(), batch=1) == 3
    kept = {version_id for arn, version_id in room.stored_versions if arn == crowded.arn}
    assert len(kept) == 100
    assert crowded.labels["AWSCURRENT"] in kept
    assert [event["eventName"] for event in room.events] == ["EndSecretVersionDelete"] * 3
    assert prune_versions(room, NOON + DAY, SeededEntropy()) == 0


def test_versions_of_the_last_day_are_not_pruned() -> None:
    room = Room()
    room.add("busy", versions=103)
    before = dict(room.stored_versions)
    assert prune_versions(room, NOON + DAY - dt.timedelta(seconds=1), SeededEntropy()) == 0
    assert room.stored_versions == before
    assert room.events == []

"""What the keeper does for the trail beside exporting and signing."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from strongroom.errors import IntegrityError
from strongroom.identity.records import Account
from strongroom.ports import ACCOUNTS
from strongroom.server.chores import Chore, checkpoint_copiers, trail_chores
from strongroom.server.settings import TrailCare
from strongroom.server.space import read_space
from strongroom.store.room import Room
from strongroom.trail.copying import CopyError
from strongroom.trail.segment import SegmentTrail
from support.signed_trail import ROOT_KEY, SignedTrail, a_signed_trail

ACCOUNT = "123456789012"


class Silent:
    def warning(self, event: str, **members: Any) -> None: ...

    def info(self, event: str, **members: Any) -> None: ...


def chores_of(trail: SignedTrail, care: TrailCare) -> dict[str, Chore]:
    room = Room.open(trail.data_dir, own=False)
    found = trail_chores(care, room, trail.store, ROOT_KEY, trail.clock, Silent())
    return {chore.name: chore for chore in found}


def until_idle(chore: Chore) -> float:
    """Do a chore as often as it wants to be done at once; return how long it waits then."""
    while (pause := chore.do()) == 0:
        pass
    return pause


def test_without_settings_old_segments_are_compressed_and_the_disk_is_watched(tmp_path: Path) -> None:
    with a_signed_trail(tmp_path / "data") as trail:
        trail.write(20)
        trail.sign()
        chores = chores_of(trail, TrailCare())
        assert set(chores) == {"space", "retention"}
        assert until_idle(chores["retention"]) == 10
        assert [name for name in trail.names()[:-1] if not name.endswith(".zst")] == []
        assert chores["space"].do() == 10
        assert read_space(trail.data_dir) is not None
        assert {family.name for family in chores["space"].families()} >= {"strongroom_disk_free_bytes"}
        assert chores["retention"].families() == []


def test_old_segments_are_deleted_when_the_settings_say_so(tmp_path: Path) -> None:
    with a_signed_trail(tmp_path / "data") as trail:
        trail.write(20)
        trail.sign()
        trail.age(days=3, segments=2)
        until_idle(chores_of(trail, TrailCare(keep_days=5))["retention"])
        assert trail.names()[0] == "000000000001.jsonl.zst"
        until_idle(chores_of(trail, TrailCare(keep_days=2))["retention"])
        assert trail.names()[0] != "000000000001.jsonl.zst"


def test_log_files_are_written_also_at_the_end_and_by_the_bucket_s_name(tmp_path: Path) -> None:
    with a_signed_trail(tmp_path / "data") as trail:
        trail.store.write(
            lambda unit: unit.save(ACCOUNTS, Account(account_id=ACCOUNT, created_at=trail.clock.now()))  # type: ignore[arg-type]
        ).result()
        bucket = tmp_path / "logs"
        chore = chores_of(trail, TrailCare(log_bucket=bucket, log_bucket_name="ours"))["log files"]
        owner = SegmentTrail.open(trail.path, "api")
        event = {"eventTime": "2026-11-25T12:00:00Z", "recipientAccountId": ACCOUNT, "awsRegion": "us-east-1"}
        owner.append(json.dumps({**event, "eventID": "first"}).encode())
        assert until_idle(chore) == 300
        owner.append(json.dumps({**event, "eventID": "second"}).encode())
        chore.finish()
        logs = [json.loads(gzip.decompress(path.read_bytes())) for path in bucket.rglob("*.json.gz")]
        assert sorted(each["eventID"] for log in logs for each in log["Records"]) == ["first", "second"]
        trail.clock.days = 1
        chore = chores_of(trail, TrailCare(log_bucket=bucket, log_bucket_name="ours"))["log files"]
        assert until_idle(chore) == 300
        [digest] = [
            json.loads(gzip.decompress(path.read_bytes()))
            for path in bucket.glob("AWSLogs/*/CloudTrail-Digest/**/*.json.gz")
        ]
        assert (digest["digestS3Bucket"], len(digest["logFiles"])) == ("ours", 2)
        chore.finish()
        owner.close()


def test_a_slot_that_cannot_be_read_is_told_of_and_digests_are_written_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digests: list[str] = []
    monkeypatch.setattr("strongroom.trail.delivery.LogDelivery.digest", lambda _: digests.append("done"))
    monkeypatch.setattr(
        "strongroom.trail.delivery.LogDelivery.positions", lambda _: {"api-0": 99, "api-1": 1, "keeper": 1}
    )
    with a_signed_trail(tmp_path / "data") as trail:
        trail.write(1)
        chore = chores_of(trail, TrailCare(log_bucket=tmp_path / "logs"))["log files"]
        with pytest.raises(IntegrityError, match=r"api-0 ends before record 99"):
            until_idle(chore)
        assert digests == ["done"]
        with pytest.raises(IntegrityError):
            chore.finish()


def copying(tmp_path: Path, *copies: str) -> tuple[Callable[[bytes], None], list[Chore]]:
    with Room.create(tmp_path / "data") as room:
        copiers, chores = checkpoint_copiers(TrailCare(checkpoint_copies=copies), room)
    return lambda note: [copier.offer(note) for copier in copiers] and None, chores


def test_each_destination_of_checkpoints_is_served_and_told_of_by_itself(tmp_path: Path) -> None:
    (tmp_path / "data" / "trail" / "tree").mkdir(parents=True)
    (tmp_path / "blocked").mkdir()
    note = b"name\n1\n\n\xe2\x80\x94 name c2lnbmF0dXJl\n"
    offer, chores = copying(tmp_path, str(tmp_path / "copy"), str(tmp_path / "blocked"))
    (tmp_path / "data" / "trail" / "tree").mkdir(parents=True, exist_ok=True)
    (tmp_path / "data" / "trail" / "tree" / "checkpoints").write_bytes(note)
    assert [chore.name for chore in chores] == ["checkpoint copy 1", "checkpoint copy 2"]
    offer(note)
    for chore in chores:
        chore.finish()
    assert (tmp_path / "copy").read_bytes() == note
    assert chores[0].do() == 5
    with pytest.raises((CopyError, OSError)):
        chores[1].do()


def test_without_destinations_there_is_nothing_to_copy(tmp_path: Path) -> None:
    assert copying(tmp_path)[1] == []

"""From a directory to a room that can be served."""

from __future__ import annotations

import datetime as dt
from contextlib import closing
from pathlib import Path

import pytest

from strongroom.errors import IntegrityError
from strongroom.operations.iam.bootstrap import BootstrapError
from strongroom.ports import ACCESS_KEYS
from strongroom.rootkey import RootKeyError
from strongroom.server.opening import OpenRoom, open_room
from strongroom.server.settings import Settings
from strongroom.store.errors import RoomError
from strongroom.store.outbox import exported_up_to
from strongroom.store.room import Room
from strongroom.store.sqlite import SqliteStore
from strongroom.trail.export import export_outbox
from strongroom.trail.segment import SegmentTrail, TrailError
from strongroom.trail.verification import verify_trail
from support.entropies import SeededEntropy
from support.trails import records

MOMENT = dt.datetime(2026, 11, 25, 12, 0, tzinfo=dt.UTC)
ACCOUNT = "123456789012"


class StoppedClock:
    def now(self) -> dt.datetime:
        return MOMENT


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(
        data_dir=tmp_path / "data", root_key=f"file:{tmp_path}/root.key", account_id=ACCOUNT, workers=1
    )


def opened(settings: Settings, seed: int = 0) -> OpenRoom:
    """Return the room, open no more."""
    found = open_room(settings, StoppedClock(), SeededEntropy(seed))
    found.room.close()
    return found


def test_a_new_room_has_one_account_and_is_found_again(settings: Settings) -> None:
    account = opened(settings).new_account
    assert account is not None
    assert account.account_id == ACCOUNT
    assert opened(settings, 1).new_account is None
    store = SqliteStore.open(settings.data_dir)
    try:
        key = store.read(lambda unit: unit.find(ACCESS_KEYS, "", account.access_key_id))
        assert key is not None
        assert (key.account_id, key.user_id, key.active) == (ACCOUNT, None, True)
        [(_, event)] = store.pending_events(0, 10)
        assert b'"eventName":"CreateAccount"' in event
        assert account.secret_access_key.encode() not in event
    finally:
        store.close()


def test_an_initialisation_cut_short_is_finished(settings: Settings) -> None:
    Room.create(settings.data_dir).close()
    account = opened(settings).new_account
    assert account is not None
    assert account.account_id == ACCOUNT


def test_an_account_that_cannot_be_made_leaves_an_initialisation_to_finish(settings: Settings) -> None:
    bad = Settings(data_dir=settings.data_dir, root_key=settings.root_key, access_key=("short", "x" * 40))
    with pytest.raises(BootstrapError, match="An access key id is 16 to 128 letters, digits and underscores"):
        open_room(bad, StoppedClock(), SeededEntropy())
    assert opened(settings).new_account is not None


def test_another_root_key_is_refused_and_the_room_is_free(settings: Settings, tmp_path: Path) -> None:
    opened(settings)
    other = Settings(data_dir=tmp_path / "other", root_key=f"file:{tmp_path}/other.key")
    opened(other, 1)
    wrong = Settings(data_dir=settings.data_dir, root_key=other.root_key)
    with pytest.raises(RootKeyError, match="This is not the root key that the data directory was made with"):
        open_room(wrong, StoppedClock(), SeededEntropy())
    assert opened(settings).new_account is None


def test_a_lost_root_key_is_not_made_anew(settings: Settings, tmp_path: Path) -> None:
    opened(settings)
    (tmp_path / "root.key").unlink()
    with pytest.raises(RootKeyError, match=r"does not exist\. Without the root key nothing"):
        open_room(settings, StoppedClock(), SeededEntropy())
    assert not (tmp_path / "root.key").exists()


def test_a_room_in_use_is_refused(settings: Settings) -> None:
    first = open_room(settings, StoppedClock(), SeededEntropy())
    with pytest.raises(RoomError, match="is in use by process"):
        open_room(settings, StoppedClock(), SeededEntropy())
    first.room.close()


def test_an_ephemeral_room_keeps_its_root_key_in_memory(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data", ephemeral=True)
    assert opened(settings).new_account is not None
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


@pytest.mark.parametrize("slot", ["keeper", "api-0", "api-7"])
def test_a_chain_that_cannot_be_continued_is_damage(settings: Settings, slot: str) -> None:
    opened(settings)
    trail = SegmentTrail.open(settings.data_dir / "trail", slot)
    trail.append(b"{}")
    trail.close()
    [segment] = (settings.data_dir / "trail" / "segments" / slot).glob("*.jsonl")
    whole = segment.read_bytes()
    segment.write_bytes(whole.replace(b'"event":{}', b'"event":['))
    with pytest.raises(IntegrityError, match=f"the audit segment {segment.name} of {slot} does not end with"):
        open_room(settings, StoppedClock(), SeededEntropy())
    segment.write_bytes(whole)
    assert opened(settings).new_account is None


def test_a_trail_that_cannot_be_written_is_told(settings: Settings) -> None:
    opened(settings)
    segments = settings.data_dir / "trail" / "segments"
    segments.rename(settings.data_dir / "trail" / "elsewhere")
    segments.write_text("")
    with pytest.raises(TrailError, match="cannot be written: File exists"):
        open_room(settings, StoppedClock(), SeededEntropy())


def test_behind_a_newer_trail_an_older_database_goes_on_and_drops_nothing(settings: Settings) -> None:
    opened(settings)
    database = settings.data_dir / "room.db"
    older = database.read_bytes()
    assert written(settings, "a", "b", "c") == 4  # the first account's record came first
    database.write_bytes(older)
    again = opened(settings, 1)
    assert (again.lost_writes, again.new_account) == (3, None)
    assert written(settings, "d") == 2  # with that of the account, which stood in the older database
    events = [each["eventID"] for each in records(settings.data_dir)][1:]
    assert events == ["a", "b", "c", "d"]
    verified = verify_trail(settings.data_dir / "trail", exported=exported_up_to(database))
    assert (verified.ok, verified.records) == (True, 5)
    assert opened(settings, 2).lost_writes == 0


def test_an_older_database_that_never_recorded_a_write_goes_on_behind_the_trail(settings: Settings) -> None:
    Room.create(settings.data_dir).close()
    with closing(SegmentTrail.open(settings.data_dir / "trail", "keeper")) as trail:
        trail.append_many([(1, b'{"eventID":"a"}'), (2, b'{"eventID":"b"}')])
    assert opened(settings).lost_writes == 2
    assert written(settings) == 1
    assert [each["eventID"] for each in records(settings.data_dir)][:2] == ["a", "b"]
    assert verify_trail(settings.data_dir / "trail", exported=3).ok


def written(settings: Settings, *names: str) -> int:
    """Record writes, move all records to the trail, and return how many left the database."""
    with closing(SqliteStore.open(settings.data_dir)) as store:
        for name in names:
            event = b'{"eventID":"%b"}' % name.encode()
            store.write(lambda unit, event=event: unit.record(event)).result()  # type: ignore[misc]
        with closing(SegmentTrail.open(settings.data_dir / "trail", "keeper")) as trail:
            return export_outbox(store, trail)

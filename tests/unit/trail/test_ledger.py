"""The ledger is what a recount of the trail comes to, whatever happened on the way."""

from __future__ import annotations

import itertools
import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from strongroom.audit.reading import Reading, reading_of
from strongroom.server.clerk import Following
from strongroom.server.log import open_log
from strongroom.trail.feed import FedRecord, Feed
from strongroom.trail.ledger import LEDGER, Ledger, readings_up_to_now
from strongroom.trail.segment import SegmentTrail

ACCOUNT = "123456789012"


def event(secret: str, version: str, principal: str, second: int, stage: str, name: str) -> bytes:
    record: dict[str, Any] = {
        "userIdentity": {"type": "IAMUser", "arn": principal, "accountId": ACCOUNT},
        "eventTime": f"2026-01-01T10:00:{second:02}Z",
        "eventName": name,
        "sourceIPAddress": f"192.0.2.{second % 3}",
        "userAgent": "app",
        "additionalEventData": {"SecretVersionId": version, "SecretVersionStages": [stage]},
        "resources": [{"type": "AWS::SecretsManager::Secret", "ARN": secret, "accountId": ACCOUNT}],
        "recipientAccountId": ACCOUNT,
    }
    return json.dumps(record, separators=(",", ":")).encode()


events = st.builds(
    event,
    st.sampled_from(["secret-1", "secret-2"]),
    st.sampled_from(["a", "b"]),
    st.sampled_from(["alice", "bob"]),
    st.integers(0, 9),
    st.sampled_from(["AWSCURRENT", "AWSPREVIOUS", "AWSPENDING"]),
    st.sampled_from(["GetSecretValue", "GetSecretValue", "DescribeSecret"]),
)


def recount(all_events: list[bytes]) -> dict[tuple[str, str, str], Reading]:
    found: dict[tuple[str, str, str], Reading] = {}
    for each in all_events:
        reading = reading_of(each)
        if reading is not None:
            place = reading.secret_arn, reading.version_id, reading.principal
            found[place] = found[place].with_another(reading) if place in found else reading
    return found


def known(ledger: Ledger) -> dict[tuple[str, str, str], Reading]:
    return {(each.secret_arn, each.version_id, each.principal): each for each in ledger.readings()}


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(["api-0", "api-1", "keeper"]), events), max_size=40),
    st.lists(st.tuples(st.integers(0, 40), st.integers(1, 15), st.booleans()), max_size=8),
    st.sampled_from([0.0, 5.0]),
)
def test_it_is_exact_over_repeats_and_restarts(
    tmp_path_factory: pytest.TempPathFactory,
    written: list[tuple[str, bytes]],
    takes: list[tuple[int, int, bool]],
    hold: float,
) -> None:
    clock = itertools.count()
    path = tmp_path_factory.mktemp("ledger") / LEDGER
    numbers: dict[str, int] = {}
    records = []
    for slot, each in written:
        numbers[slot] = numbers.get(slot, 0) + 1
        records.append(FedRecord(slot, numbers[slot], each))

    def opened() -> Ledger:
        return Ledger.open(path, hold_seconds=hold, monotonic=lambda: float(next(clock)))

    ledger = opened()
    at = 0
    for back, count, restart in takes:
        # What was taken already comes again, as after a crash of the feed; never is anything left out.
        ledger.take(records[max(0, at - back) : at + count])
        at += count
        if restart:
            if back % 2:
                # What it held is lost, and comes again.
                ledger._connection.close()
            else:
                ledger.close()
            ledger = opened()
            taken = ledger.positions()
            ledger.take([each for each in records[:at] if each.number > taken.get(each.slot, 0)])
    ledger.take(records[at:])
    assert known(ledger) == recount([each for _, each in written])
    assert ledger.positions() == numbers
    ledger.close()


class TestBesideATrail:
    @pytest.fixture
    def trail(self, data_dir: Path) -> Iterator[SegmentTrail]:
        (data_dir / "trail").mkdir()
        trail = SegmentTrail.open(data_dir / "trail", "api")
        yield trail
        trail.close()

    def test_what_is_asked_is_up_to_date_without_a_keeper(self, data_dir: Path, trail: SegmentTrail) -> None:
        first = event("secret-1", "a", "alice", 1, "AWSCURRENT", "GetSecretValue")
        trail.append(first)
        ledger = Ledger.open(data_dir / LEDGER)
        feed = Feed(data_dir / "trail", [ledger])
        feed.advance()
        feed.close()
        ledger.close()
        second = event("secret-1", "a", "bob", 2, "AWSCURRENT", "GetSecretValue")
        trail.append(second)
        before = (data_dir / LEDGER).read_bytes()
        found = readings_up_to_now(data_dir, "secret-1")
        assert {each.principal: each for each in found} == {
            principal: reading for (_, _, principal), reading in recount([first, second]).items()
        }
        assert readings_up_to_now(data_dir, "secret-2") == []
        assert (data_dir / LEDGER).read_bytes() == before

    def test_one_that_is_lost_is_made_anew(self, data_dir: Path, trail: SegmentTrail) -> None:
        written = [event("s", "a", "alice", n, "AWSCURRENT", "GetSecretValue") for n in range(5)]
        for each in written:
            trail.append(each)
        [found] = readings_up_to_now(data_dir)
        assert found.times == 5
        assert not (data_dir / LEDGER).exists()

    def test_one_of_another_format_is_made_anew(self, data_dir: Path, trail: SegmentTrail) -> None:
        trail.append(event("s", "a", "alice", 1, "AWSCURRENT", "GetSecretValue"))
        ledger = Ledger.open(data_dir / LEDGER)
        feed = Feed(data_dir / "trail", [ledger])
        feed.advance()
        feed.close()
        ledger.close()
        with sqlite3.connect(data_dir / LEDGER) as connection:
            connection.execute("PRAGMA user_version = 99")
        connection.close()
        again = Ledger.open(data_dir / LEDGER)
        assert (again.positions(), again.readings()) == ({}, [])
        again.close()

    def test_its_file_is_closed_to_others(self, data_dir: Path) -> None:
        Ledger.open(data_dir / LEDGER).close()
        assert (data_dir / LEDGER).stat().st_mode & 0o077 == 0
        assert (data_dir / LEDGER).parent.stat().st_mode & 0o077 == 0


def test_of_a_trail_that_was_put_back_the_ledger_is_made_again(tmp_path: Path) -> None:
    trail, older = tmp_path / "trail", tmp_path / "older"
    trail.mkdir()
    writer = SegmentTrail.open(trail, "api")
    kept = [event("s", "a", "alice", n, "AWSCURRENT", "GetSecretValue") for n in range(3)]
    lost = [event("s", "a", "mallory", n, "AWSCURRENT", "GetSecretValue") for n in range(5)]
    new = [event("s", "a", "bob", 9, "AWSCURRENT", "GetSecretValue")]
    for each in kept:
        writer.append(each)
    shutil.copytree(trail, older)
    for each in lost:
        writer.append(each)
    writer.close()
    ledger = Ledger.open(tmp_path / LEDGER)
    following = Following("ledger", trail, [ledger], open_log("test"))
    following.advance()
    assert known(ledger) == recount(kept + lost)
    following._feed.close()
    shutil.rmtree(trail)
    shutil.copytree(older, trail)
    writer = SegmentTrail.open(trail, "api")
    for each in new:
        writer.append(each)
    following = Following("ledger", trail, [ledger], open_log("test"))
    following._feed._monotonic = lambda: next(clock)
    clock = itertools.count(0, 1000)
    for _ in range(3):
        following.advance()
    assert known(ledger) == recount(kept + new)
    following._feed.close()
    ledger.close()
    writer.close()


def test_what_cannot_be_written_was_not_taken(tmp_path: Path) -> None:
    now = [0.0]
    ledger = Ledger.open(tmp_path / LEDGER, hold_seconds=5.0, monotonic=lambda: now[0])
    first, second, third = [event("s", "a", "alice", n, "AWSCURRENT", "GetSecretValue") for n in range(3)]
    ledger.take([FedRecord("api-0", 1, first)])
    now[0] = 5.0
    with closing(sqlite3.connect(tmp_path / LEDGER)) as other:
        other.execute("BEGIN IMMEDIATE")
        ledger._connection.execute("PRAGMA busy_timeout = 0")
        with pytest.raises(sqlite3.OperationalError, match="database is locked"):
            ledger.take([FedRecord("api-0", 2, second)])
        other.rollback()
    assert ledger.positions() == {"api-0": 1}
    ledger.take([FedRecord("api-0", 2, second), FedRecord("api-0", 3, third)])
    ledger.close()
    again = Ledger.open(tmp_path / LEDGER)
    assert known(again) == recount([first, second, third])
    assert again.positions() == {"api-0": 3}
    again.close()


def test_much_that_is_held_is_written_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("strongroom.trail.ledger.MAX_HELD", 3)
    ledger = Ledger.open(tmp_path / LEDGER, hold_seconds=5.0, monotonic=lambda: 0.0)
    for number, secret in enumerate(("a", "b", "c"), 1):
        ledger.take([FedRecord("api", number, event(secret, "v", "bob", 1, "AWSCURRENT", "GetSecretValue"))])
        kept = Ledger.copy_in_memory(tmp_path / LEDGER)
        assert kept.positions() == ({"api": 3} if number == 3 else {})
        kept.close()
    ledger.close()

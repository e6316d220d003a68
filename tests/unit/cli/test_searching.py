"""`strongroom trail search` finds what fits everything given, indexed or not yet, newest first."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path
from typing import Any

import orjson
import pytest
import typer
from typer.testing import CliRunner

from strongroom.cli.app import app
from strongroom.cli.searching import given_span
from strongroom.store.room import Room
from strongroom.trail.feed import Feed
from strongroom.trail.index import search
from strongroom.trail.index.shards import INDEX
from strongroom.trail.index.writing import Index
from strongroom.trail.segment import SegmentTrail
from support.indexed import ACCOUNTS, REGIONS, SetClock, Writer, found_by

NOW = dt.datetime.now(dt.UTC).replace(microsecond=0)


class House:
    """A data directory whose trail is indexed when `index` is called, and not otherwise."""

    def __init__(self, path: Path) -> None:
        Room.create(path).close()
        self.path = path
        self.writer = Writer()

    def write(self, count: int, at: dt.datetime, **members: Any) -> None:
        slot = SegmentTrail.open(self.path / "trail", "api")
        for _ in range(count):
            event = self.writer.event(at, **members)
            self.writer.written.append(event)
            slot.append(event)
        slot.close()

    def index(self) -> None:
        index = Index(self.path / INDEX, SetClock(NOW))
        feed = Feed(self.path / "trail", [index])
        while feed.advance().taken:
            pass
        feed.close()
        index.close()

    def search(self, *arguments: str) -> tuple[str, str]:
        """Return what the command prints and what it says."""
        done = CliRunner().invoke(
            app, ["trail", "search", "--data-dir", str(self.path), *arguments], catch_exceptions=False
        )
        assert done.exit_code == 0, done.stderr
        return done.stdout, done.stderr

    def found(self, *arguments: str) -> list[bytes]:
        return [line.encode() for line in self.search("--json", *arguments)[0].splitlines()]


@pytest.fixture
def house(tmp_path: Path) -> House:
    made = House(tmp_path / "data")
    made.write(40, NOW - dt.timedelta(hours=2))
    made.index()
    made.write(40, NOW - dt.timedelta(hours=1))
    return made


def test_all_that_is_given_has_to_be_true_of_what_is_found(house: House) -> None:
    found = house.found(
        "--username", "alice", "--event-name", "GetSecretValue", "--read-only",
        "--account", ACCOUNTS[0], "--limit", "1000",
    )  # fmt: skip
    expected = [
        event
        for event in house.writer.written
        if found_by(event, "Username", "alice")  # type: ignore[arg-type]
        and found_by(event, "EventName", "GetSecretValue")  # type: ignore[arg-type]
        and found_by(event, "ReadOnly", "true")  # type: ignore[arg-type]
        and orjson.loads(event)["recipientAccountId"] == ACCOUNTS[0]
    ]
    assert len(expected) > 1
    assert sorted(found) == sorted(expected)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--event-source", "kms.amazonaws.com"],
        ["--access-key-id", "AKIABOB"],
        ["--resource", "app/3"],
        ["--resource-type", "AWS::SecretsManager::Secret"],
        ["--writes"],
        [],
    ],
)
def test_each_filter_finds_what_was_indexed_and_what_was_not_yet(house: House, arguments: list[str]) -> None:
    found = house.found("--limit", "1000", *arguments)
    names = {
        "--event-source": "EventSource",
        "--access-key-id": "AccessKeyId",
        "--resource": "ResourceName",
        "--resource-type": "ResourceType",
    }
    expected = house.writer.written
    if arguments == ["--writes"]:
        expected = [event for event in expected if not orjson.loads(event)["readOnly"]]
    elif arguments:
        expected = [event for event in expected if found_by(event, names[arguments[0]], arguments[1])]  # type: ignore[arg-type]
    assert sorted(found) == sorted(expected)
    times = [orjson.loads(event)["eventTime"] for event in found]
    assert times == sorted(times, reverse=True)
    assert len(set(times)) == 2


def test_one_record_is_found_by_its_id_and_regions_stay_apart(house: House) -> None:
    event = orjson.loads(house.writer.written[7])
    asked = ["--event-id", event["eventID"]]
    assert house.found(*asked) == [house.writer.written[7]]
    assert house.found(*asked, "--region", event["awsRegion"]) == [house.writer.written[7]]
    (other,) = set(REGIONS) - {event["awsRegion"]}
    assert house.found(*asked, "--region", other) == []


def test_times_limit_what_is_found(house: House) -> None:
    assert sorted(house.found("--since", "90m", "--limit", "1000")) == sorted(house.writer.written[40:])
    assert sorted(house.found("--until", "90m", "--limit", "1000")) == sorted(house.writer.written[:40])


def test_the_newest_are_printed_and_that_there_are_more_is_said(house: House) -> None:
    text, told = house.search("--json", "--limit", "10")
    assert {orjson.loads(line)["eventTime"] for line in text.splitlines()} == {
        (NOW - dt.timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    }
    assert told == "strongroom: there are more than 10; see --limit, --since and --until.\n"


def test_how_far_the_index_lags_is_said_where_it_matters(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "MAX_UNINDEXED", 39)
    text, told = house.search("--json", "--limit", "1000")
    assert len(text.splitlines()) == 40
    assert told == (
        "strongroom: the index lags behind by 40 records, which were not searched. A running server goes on "
        "with it.\n"
    )


def test_where_nothing_was_indexed_everything_is_looked_through(tmp_path: Path) -> None:
    house = House(tmp_path / "data")
    house.write(30, NOW)
    assert sorted(house.found()) == sorted(house.writer.written)


def test_a_line_for_each_record_says_who_did_what_and_writes_nothing_to_the_terminal(
    tmp_path: Path,
) -> None:
    house = House(tmp_path / "data")
    house.write(
        1,
        NOW,
        event_name="GetSecretValue",
        region="eu-central-1",
        recipient_account_id=ACCOUNTS[0],
        user_identity={"type": "WebIdentityUser", "userName": "eve\x1b[2J\tx"},
        error_code="AccessDenied",
    )
    text, _ = house.search()
    assert re.fullmatch(
        rf"[-0-9]{{10}} [:0-9]{{8}}\tGetSecretValue\teve\ufffd\[2J\ufffdx\tapp/[0-4]\tAccessDenied\t192\.0\.2\.10\t"
        rf"{ACCOUNTS[0]}\teu-central-1\n",
        text,
    )


def test_what_is_no_data_directory_is_refused(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["trail", "search", "--data-dir", str(tmp_path)])
    assert done.exit_code == 3
    assert done.stderr == f"strongroom: {tmp_path} is not a data directory: it has no FORMAT file.\n"


@pytest.mark.parametrize("moment", ["yesterday", "5 minutes", "90x", ""])
def test_times_that_are_none_are_refused(moment: str) -> None:
    with pytest.raises(typer.BadParameter) as refused:
        given_span(moment, None)
    assert str(refused.value) == "--since: give 2026-11-25T12:00:00Z, 2026-11-25, or 90m, 8h, 7d"


def test_times_are_read_as_they_are_written() -> None:
    assert (
        given_span("2026-01-01", "2026-01-01T00:00:10+00:00").end - given_span("2026-01-01", None).start == 10
    )
    with pytest.raises(typer.BadParameter) as refused:
        given_span("1h", "2h")
    assert str(refused.value) == "--since is later than --until"

"""Every record arrives at least once, at real receivers that fail as they do."""

from __future__ import annotations

import gzip
import json
import re
import socket
import ssl
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from strongroom.trail.feed import Feed
from strongroom.trail.segment import SegmentTrail
from strongroom.trail.sinks.addresses import parse_sink
from strongroom.trail.sinks.sink import BATCH, Sink
from strongroom.trail.sinks.webhook import SIGNATURE, TIMESTAMP, sign
from support.certificates import self_signed
from support.receivers import http_receiver, log_files, tcp_syslog, udp_syslog, verify_s3
from support.trails import wait_for

KEY = b"canary-key-of-the-webhook"
ARN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-a1b2c3"


def event(name: str = "PutSecretValue", **members: Any) -> dict[str, Any]:
    return {
        "eventName": name,
        "eventType": "AwsApiCall",
        "eventSource": "secretsmanager.amazonaws.com",
        "eventID": str(uuid.uuid4()),
        "eventTime": "2026-01-01T10:00:05Z",
        "awsRegion": "eu-west-1",
        "recipientAccountId": "123456789012",
        "resources": [{"type": "AWS::SecretsManager::Secret", "ARN": ARN, "accountId": "123456789012"}],
        **members,
    }


class House:
    """A trail, and a sink that follows it."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir, self.trail = data_dir, data_dir / "trail"
        self.trail.mkdir(parents=True)
        self.slot = SegmentTrail.open(self.trail, "api")
        self.now = 0.0
        self.feeds: list[Feed] = []
        self.sinks: list[Sink] = []

    def write(self, *events: dict[str, Any]) -> list[str]:
        for each in events:
            self.slot.append(json.dumps(each, separators=(",", ":")).encode())
        return [each["eventID"] for each in events]

    def follow(self, address: str, *, begin_behind: bool = False) -> Feed:
        """Return a feed of a sink, as the clerk opens one; the feed's clock is `now`."""
        sink = parse_sink(address).open(self.data_dir / "index")
        if begin_behind and sink.is_new:
            sink.begin_behind(self.trail)
        self.sinks.append(sink)
        feed = Feed(self.trail, [sink], monotonic=lambda: self.now)
        self.feeds.append(feed)
        return feed

    def advance(self, feed: Feed) -> str:
        """Offer what is new, after whatever pause; return what went wrong."""
        self.now += 1000
        progress = feed.advance()
        return "; ".join(str(error) for error in progress.errors.values())


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path / "data")
    yield house
    for feed in house.feeds:
        feed.close()
    for sink in house.sinks:
        sink.close()
    house.slot.close()


def ids(records: list[dict[str, Any]]) -> list[str]:
    return [each["eventID"] for each in records]


def lines(path: Path) -> list[str]:
    return ids([json.loads(line) for line in path.read_text().splitlines()])


class TestAFile:
    def test_has_a_line_for_each_record(self, house: House, tmp_path: Path) -> None:
        feed = house.follow(f"file://{tmp_path}/out.jsonl")
        first = house.write(event(), event())
        assert house.advance(feed) == ""
        second = house.write(event())
        assert house.advance(feed) == ""
        assert lines(tmp_path / "out.jsonl") == first + second
        assert (tmp_path / "out.jsonl").stat().st_mode & 0o077 == 0

    def test_moved_away_is_made_anew(self, house: House, tmp_path: Path) -> None:
        feed = house.follow(f"file://{tmp_path}/out.jsonl")
        first = house.write(event())
        house.advance(feed)
        (tmp_path / "out.jsonl").rename(tmp_path / "out.jsonl.1")
        second = house.write(event())
        house.advance(feed)
        assert (lines(tmp_path / "out.jsonl.1"), lines(tmp_path / "out.jsonl")) == (first, second)

    def test_is_rotated_at_its_size(self, house: House, tmp_path: Path) -> None:
        feed = house.follow(f"file://{tmp_path}/out.jsonl#max-bytes=500&keep=2")
        written = []
        for _ in range(5):
            written += house.write(event())
            house.advance(feed)
        assert [lines(tmp_path / f"out.jsonl{end}") for end in ("", ".1", ".2")] == [
            [written[4]],
            [written[3]],
            [written[2]],
        ]
        assert not (tmp_path / "out.jsonl.3").exists()

    def test_that_cannot_be_written_waits(self, house: House, tmp_path: Path) -> None:
        feed = house.follow(f"file://{tmp_path}/absent/out.jsonl")
        written = house.write(event())
        assert "No such file or directory" in house.advance(feed)
        (tmp_path / "absent").mkdir()
        assert house.advance(feed) == ""
        assert lines(tmp_path / "absent" / "out.jsonl") == written


class TestWhatASinkGets:
    def test_goes_on_where_it_stopped(self, house: House, tmp_path: Path) -> None:
        address = f"file://{tmp_path}/out.jsonl"
        first = house.write(event())
        house.advance(house.follow(address))
        second = house.write(event())
        house.advance(house.follow(address))
        assert lines(tmp_path / "out.jsonl") == first + second

    def test_begins_with_what_is_recorded_from_now_on(self, house: House, tmp_path: Path) -> None:
        house.write(event(), event())
        feed = house.follow(f"file://{tmp_path}/out.jsonl", begin_behind=True)
        later = house.write(event())
        house.advance(feed)
        assert lines(tmp_path / "out.jsonl") == later

    def test_is_only_what_it_wants(self, house: House, tmp_path: Path) -> None:
        feed = house.follow(f"file://{tmp_path}/out.jsonl#events=RotationFailed,CanarySecretRead")
        _, failed, _, canary = house.write(
            event(), event("RotationFailed"), event("GetSecretValue"), event("CanarySecretRead")
        )
        assert house.advance(feed) == ""
        assert lines(tmp_path / "out.jsonl") == [failed, canary]

    def test_is_everything_again_once_the_trail_was_put_back(self, house: House, tmp_path: Path) -> None:
        feed = house.follow(f"file://{tmp_path}/out.jsonl")
        first = house.write(event(), event())
        house.advance(feed)
        house.sinks[0].reset()
        again = house.write(event())
        house.advance(house.follow(f"file://{tmp_path}/out.jsonl"))
        assert lines(tmp_path / "out.jsonl") == [*first, *first, *again]


class TestAWebhook:
    @pytest.fixture
    def key_file(self, tmp_path: Path) -> Path:
        path = tmp_path / "key"
        path.write_bytes(KEY + b"\n")
        return path

    def test_gets_batches_with_a_signature(self, house: House, key_file: Path) -> None:
        with http_receiver() as receiver:
            feed = house.follow(f"{receiver.url}/hook?token=t#key-file={key_file}")
            written = house.write(*(event() for _ in range(BATCH + 10)))
            assert house.advance(feed) == ""
            assert ids(receiver.records()) == written
            assert len(receiver.requests) == 2
            for method, path, headers, body in receiver.requests:
                assert (method, path) == ("POST", "/hook?token=t")
                assert headers["content-type"] == "application/json"
                timestamp = headers[TIMESTAMP.lower()]
                assert headers[SIGNATURE.lower()] == sign(KEY, timestamp, body)
                assert sign(KEY, timestamp, body + b" ") != sign(KEY, timestamp, body)

    @pytest.mark.parametrize(
        ("status", "said"),
        [
            (500, "the webhook answered 500"),
            (404, "the webhook answered 404"),
            (302, "the webhook answered 302"),
            (0, "the webhook cannot be reached: ProtocolError"),
        ],
    )
    def test_that_fails_gets_it_again(self, house: House, status: int, said: str) -> None:
        with http_receiver() as receiver:
            receiver.answers = [status, status]
            feed = house.follow(f"{receiver.url}/hook-canary")
            written = house.write(event(), event())
            assert house.advance(feed) == said
            assert house.advance(feed) == said
            assert house.advance(feed) == ""
            assert ids(receiver.records()) == written * 3
            assert {path for _, path, _, _ in receiver.requests} == {"/hook-canary"}

    def test_that_fails_in_the_middle_does_not_get_what_it_has(self, house: House) -> None:
        with http_receiver() as receiver:
            receiver.answers = [200, 503]
            feed = house.follow(f"{receiver.url}/")
            written = house.write(*(event() for _ in range(BATCH + 1)))
            assert house.advance(feed) == "the webhook answered 503"
            assert house.advance(feed) == ""
            assert ids(receiver.records()) == [*written, written[-1]]

    def test_that_is_not_there_is_named_without_its_path(self, house: House) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listening:
            port = listening.getsockname()[1]
        feed = house.follow(f"http://127.0.0.1:{port}/canary-path")
        house.write(event())
        said = house.advance(feed)
        assert said.startswith("the webhook cannot be reached: ")
        assert "canary" not in said

    def test_in_eventbridges_shape_hears_of_changes_only(self, house: House) -> None:
        with http_receiver() as receiver:
            feed = house.follow(f"{receiver.url}/#format=eventbridge")
            house.write(event("GetSecretValue"), event("ListSecrets"))
            assert house.advance(feed) == ""
            assert receiver.requests == []
            house.write(event(additionalEventData={"StagingLabelsUpdated": {"AWSCURRENT": "v2"}}))
            assert house.advance(feed) == ""
            [(*_, body)] = receiver.requests
            assert [each["detail-type"] for each in json.loads(body)] == [
                "AWS API Call via CloudTrail",
                "Secret Label Updated",
            ]


class TestABucket:
    @pytest.fixture
    def credentials(self, tmp_path: Path) -> Path:
        path = tmp_path / "credentials"
        path.write_text("AKIAIOSFODNN7EXAMPLE\ncanary-secret-of-the-bucket\n")
        return path

    def test_gets_log_files_as_cloudtrail_names_them(self, house: House, credentials: Path) -> None:
        with http_receiver() as receiver:
            feed = house.follow(
                f"s3://bucket/some/prefix#endpoint={receiver.url}&credentials-file={credentials}&region=eu-west-1"
            )
            here = house.write(event(), event())
            elsewhere = house.write(event(recipientAccountId="210987654321", awsRegion="us-east-1"))
            assert house.advance(feed) == ""
            files = log_files(receiver)
            name = (
                r"/bucket/some/prefix/AWSLogs/{0}/CloudTrail/{1}/2026/01/01/"
                r"{0}_CloudTrail_{1}_20260101T1000Z_[A-Za-z0-9]{{16}}\.json\.gz"
            )
            found = {
                place: ids(records)
                for key, records in files.items()
                for place in (("123456789012", "eu-west-1"), ("210987654321", "us-east-1"))
                if re.fullmatch(name.format(*place), key)
            }
            assert found == {
                ("123456789012", "eu-west-1"): here,
                ("210987654321", "us-east-1"): elsewhere,
            }
            verify_s3(receiver, "AKIAIOSFODNN7EXAMPLE", "canary-secret-of-the-bucket", "eu-west-1")

    def test_that_refuses_gets_it_again(self, house: House, credentials: Path) -> None:
        with http_receiver() as receiver:
            receiver.answers = [403]
            feed = house.follow(f"s3://bucket#endpoint={receiver.url}&credentials-file={credentials}")
            written = house.write(event())
            assert house.advance(feed) == "the bucket answered 403"
            assert house.advance(feed) == ""
            bodies = [json.loads(gzip.decompress(body))["Records"] for *_, body in receiver.requests]
            assert [ids(each) for each in bodies] == [written, written]


class TestSyslog:
    def test_by_datagram_is_one_message_a_record(self, house: House) -> None:
        with udp_syslog() as receiver:
            feed = house.follow(f"syslog+udp://127.0.0.1:{receiver.port}")
            written = house.write(event(), event("CanarySecretRead"), event("GetSecretValue", errorCode="E"))
            assert house.advance(feed) == ""
            wait_for(lambda: len(receiver.messages) == 3)
        heads = [message.split(b" - {")[0].decode() for message in receiver.messages]
        pattern = r"<%d>1 2026-01-01T10:00:05Z \S+ strongroom \d+ %s"
        for head, priority, name in zip(
            heads, (110, 105, 108), ("PutSecretValue", "CanarySecretRead", "GetSecretValue"), strict=True
        ):
            assert re.fullmatch(pattern % (priority, name), head)
        assert ids([json.loads(each[each.index(b"{") :]) for each in receiver.messages]) == written

    def test_by_stream_survives_a_receiver_that_restarts(self, house: House) -> None:
        with tcp_syslog() as receiver:
            feed = house.follow(f"syslog+tcp://127.0.0.1:{receiver.port}")
            first = house.write(event())
            assert house.advance(feed) == ""
            wait_for(lambda: len(receiver.messages) == 1)
            receiver.drop_connections()
            second = house.write(event(), event())
            assert "the receiver has closed the connection" in house.advance(feed)
            assert house.advance(feed) == ""
            wait_for(lambda: len(receiver.messages) == 3)
            assert ids([json.loads(each[each.index(b"{") :]) for each in receiver.messages]) == first + second

    def test_encrypted_knows_whom_it_talks_to(self, house: House, tmp_path: Path) -> None:
        pem = self_signed(tmp_path / "pem")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
        with tcp_syslog(context) as receiver:
            written = house.write(event())
            stranger = house.follow(f"syslog+tls://127.0.0.1:{receiver.port}#name=stranger")
            assert "CERTIFICATE_VERIFY_FAILED" in house.advance(stranger)
            assert receiver.messages == []
            known = house.follow(f"syslog+tls://127.0.0.1:{receiver.port}#ca={pem}")
            assert house.advance(known) == ""
            wait_for(lambda: receiver.messages)
            assert ids([json.loads(each[each.index(b"{") :]) for each in receiver.messages]) == written

    def test_that_is_not_there_waits(self, house: House) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listening:
            port = listening.getsockname()[1]
        feed = house.follow(f"syslog+tcp://127.0.0.1:{port}")
        house.write(event())
        assert "Connection refused" in house.advance(feed)

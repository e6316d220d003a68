"""Log files and their chain of digests, checked the way CloudTrail's documentation says (section 13 of the
fact sheet)."""

from __future__ import annotations

import datetime as dt
import gzip
import json
import random
import shutil
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from strongroom.audit.digest import fingerprint
from strongroom.audit.trails import TrailSettings
from strongroom.identity.records import Account
from strongroom.names import Arn
from strongroom.ports import ACCOUNTS, DIGEST_CHAINS, TRAILS
from strongroom.rootkey.held import HeldRootKey
from strongroom.store.room import Room
from strongroom.store.sqlite import SqliteStore
from strongroom.trail.delivery import LogDelivery
from strongroom.trail.feed import FedRecord
from support.digest_walk import Bucket, walk
from support.entropies import SeededEntropy, pattern
from support.tampering import append_noise, double, empty, flip, overwrite, remove_bytes, truncate

ROOT_KEY = HeldRootKey(pattern("the root key of digests", 32), SeededEntropy(3))
ACCOUNT, OTHER = "123456789012", "210987654321"
REGION = "us-east-1"
START = dt.datetime(2026, 11, 25, 12, 0, 5, tzinfo=dt.UTC)


@cache
def a_key(number: int) -> rsa.RSAPrivateKey:
    """Keys take a while to make; they are the same for all tests."""
    return rsa.generate_private_key(65537, 2048)


class House:
    """A delivery over a store of its own, its clock in the test's hands."""

    def __init__(self, directory: Path) -> None:
        Room.create(directory / "data").close()
        self.store = SqliteStore.open(directory / "data")
        self.bucket = Bucket(directory / "our-logs")
        self.at = START
        self.numbers: dict[str, int] = {}
        self.made = 0
        for account in (ACCOUNT, OTHER):
            record = Account(account_id=account, created_at=START)  # type: ignore[call-arg]
            self.store.write(lambda unit, record=record: unit.save(ACCOUNTS, record)).result()  # type: ignore[misc]
        self.delivery = self.deliver_anew()

    def now(self) -> dt.datetime:
        return self.at

    def generate(self) -> rsa.RSAPrivateKey:
        self.made += 1
        return a_key(self.made)

    def deliver_anew(self) -> LogDelivery:
        """Return a delivery as a process that starts makes it."""
        return LogDelivery(
            self.bucket.directory, self.bucket.name, self.store, ROOT_KEY, self, generate=self.generate
        )

    def record(self, slot: str = "api-0", account: str | None = ACCOUNT, region: str = REGION) -> FedRecord:
        number = self.numbers[slot] = self.numbers.get(slot, 0) + 1
        event = {
            "eventTime": self.at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "eventID": f"{slot}-{number}",
            "recipientAccountId": account,
            "awsRegion": region,
        }
        return FedRecord(slot, number, json.dumps(event).encode())

    def hour(self, *records: FedRecord) -> None:
        """Let the records come, and an hour pass."""
        if records:
            self.delivery.take(records)
        self.at += dt.timedelta(hours=1)
        self.delivery.digest()

    def keys(self) -> dict[str, bytes]:
        chains = self.store.read(lambda unit: unit.scan(DIGEST_CHAINS, ""))
        return {fingerprint(each.public_key): each.public_key for each in chains}

    def wrong(self, account: str = ACCOUNT, region: str = REGION) -> list[str]:
        return walk(self.bucket, account, region, self.keys())

    def logs(self) -> list[Path]:
        return sorted(self.bucket.directory.glob("AWSLogs/*/CloudTrail/**/*.json.gz"))

    def digest(self, index: int) -> dict[str, Any]:
        content = self.bucket.content(self.bucket.digests(ACCOUNT, REGION)[index])
        assert content is not None
        found: dict[str, Any] = json.loads(content)
        return found

    def delivered(self) -> list[str]:
        """Return the ids of all records in log files."""
        contents = [json.loads(gzip.decompress(path.read_bytes())) for path in self.logs()]
        return sorted(each["eventID"] for content in contents for each in content["Records"])


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    made.store.close()


@pytest.fixture
def chained(house: House) -> House:
    """Four hours, the third of them empty."""
    house.hour(house.record(), house.record("keeper"))
    house.hour(house.record())
    house.hour()
    house.hour(house.record())
    return house


def test_files_lie_and_read_as_cloudtrails(house: House) -> None:
    house.delivery.take([house.record(), house.record("keeper"), house.record(account=OTHER)])
    house.at += dt.timedelta(minutes=5)
    house.delivery.take([house.record(region="eu-central-1")])
    names = [str(path.relative_to(house.bucket.directory)) for path in house.logs()]
    assert [name[:-25] for name in names] == [
        f"AWSLogs/{ACCOUNT}/CloudTrail/eu-central-1/2026/11/25/{ACCOUNT}_CloudTrail_eu-central-1_20261125T1205Z",
        f"AWSLogs/{ACCOUNT}/CloudTrail/us-east-1/2026/11/25/{ACCOUNT}_CloudTrail_us-east-1_20261125T1200Z",
        f"AWSLogs/{OTHER}/CloudTrail/us-east-1/2026/11/25/{OTHER}_CloudTrail_us-east-1_20261125T1200Z",
    ]
    assert all(name[-25] == "_" and name[-24:-8].isalnum() and name.endswith(".json.gz") for name in names)
    content = json.loads(gzip.decompress(house.logs()[1].read_bytes()))
    assert [each["eventID"] for each in content.pop("Records")] == ["api-0-1", "keeper-1"]
    assert content == {}
    house.at = START + dt.timedelta(hours=1)
    assert house.delivery.digest() == 2
    own = house.store.read(lambda unit: unit.find(DIGEST_CHAINS, "", f"{ACCOUNT}/{REGION}"))
    assert own is not None
    assert house.bucket.digests(ACCOUNT, REGION) == [
        f"AWSLogs/{ACCOUNT}/CloudTrail-Digest/us-east-1/2026/11/25/"
        f"{ACCOUNT}_CloudTrail-Digest_us-east-1_strongroom_us-east-1_20261125T130005Z.json.gz"
    ]
    assert house.digest(0) == {
        "awsAccountId": ACCOUNT,
        "digestStartTime": "2026-11-25T12:00:05Z",
        "digestEndTime": "2026-11-25T13:00:05Z",
        "digestS3Bucket": "our-logs",
        "digestS3Object": house.bucket.digests(ACCOUNT, REGION)[0],
        "digestPublicKeyFingerprint": fingerprint(own.public_key),
        "digestSignatureAlgorithm": "SHA256withRSA",
        "newestEventTime": "2026-11-25T12:00:05Z",
        "oldestEventTime": "2026-11-25T12:00:05Z",
        "previousDigestS3Bucket": None,
        "previousDigestS3Object": None,
        "previousDigestHashValue": None,
        "previousDigestHashAlgorithm": None,
        "previousDigestSignature": None,
        "logFiles": [
            {
                "s3Bucket": "our-logs",
                "s3Object": names[1],
                "hashValue": house.digest(0)["logFiles"][0]["hashValue"],
                "hashAlgorithm": "SHA-256",
                "newestEventTime": "2026-11-25T12:00:05Z",
                "oldestEventTime": "2026-11-25T12:00:05Z",
            }
        ],
    }
    metadata = house.bucket.metadata(house.bucket.digests(ACCOUNT, REGION)[0])
    assert set(metadata) == {"signature", "signature-algorithm"}
    assert metadata["signature-algorithm"] == "SHA256withRSA"
    assert (house.wrong(), house.wrong(OTHER)) == ([], [])


def test_an_untouched_chain_holds_and_an_empty_hour_has_a_digest(chained: House) -> None:
    assert chained.wrong() == []
    assert len(chained.bucket.digests(ACCOUNT, REGION)) == 4
    empty = chained.digest(2)
    assert (empty["logFiles"], empty["newestEventTime"], empty["oldestEventTime"]) == ([], None, None)
    assert empty["previousDigestS3Object"] == chained.bucket.digests(ACCOUNT, REGION)[1]
    assert empty["digestStartTime"] == chained.digest(1)["digestEndTime"]
    assert chained.digest(0)["previousDigestSignature"] is None


def rewritten(path: Path, change: Callable[[bytes], bytes]) -> None:
    path.write_bytes(gzip.compress(change(gzip.decompress(path.read_bytes()))))


def test_a_log_file_that_was_altered_is_found(chained: House) -> None:
    path = chained.logs()[1]
    rewritten(path, lambda content: content.replace(b"api-0-2", b"api-0-X"))
    assert chained.wrong() == [f"altered log {path.relative_to(chained.bucket.directory)}"]


def test_a_log_file_that_was_deleted_is_found(chained: House) -> None:
    path = chained.logs()[0]
    path.unlink()
    assert chained.wrong() == [f"missing log {path.relative_to(chained.bucket.directory)}"]


@pytest.mark.parametrize("index", [0, 1, 2])
def test_a_digest_that_was_deleted_or_altered_is_found(index: int, chained: House) -> None:
    name = chained.bucket.digests(ACCOUNT, REGION)[index]
    path = chained.bucket.directory / name
    rewritten(path, lambda content: content.replace(b'"logFiles":[', b'"logFiles": ['))
    assert chained.wrong() == [f"altered digest {name}"]
    path.unlink()
    assert chained.wrong() == [f"missing digest {name}"]


def test_the_newest_digest_altered_or_its_signature_is_found(chained: House) -> None:
    name = chained.bucket.digests(ACCOUNT, REGION)[-1]
    path = chained.bucket.directory / name
    before = path.read_bytes()
    rewritten(path, lambda content: content.replace(b'"logFiles":[', b'"logFiles": ['))
    assert chained.wrong() == [f"signature of digest {name}"]
    path.write_bytes(before)
    assert chained.wrong() == []
    beside = path.with_name(path.name + ".metadata.json")
    beside.write_text(json.dumps({"signature": "00" * 256}))
    assert chained.wrong() == [f"signature of digest {name}"]


def test_a_chain_signed_with_another_key_is_found(chained: House) -> None:
    known = chained.keys()
    chain = chained.store.read(lambda unit: unit.scan(DIGEST_CHAINS, ""))[0]
    chained.store.write(lambda unit: unit.delete(DIGEST_CHAINS, "", f"{ACCOUNT}/{REGION}")).result()
    shutil.rmtree(chained.bucket.directory)
    chained.hour(chained.record())
    assert chained.wrong() == []
    forged = walk(chained.bucket, ACCOUNT, REGION, known)
    assert forged == [f"unknown key of digest {chained.bucket.digests(ACCOUNT, REGION)[0]}"]
    assert fingerprint(chain.public_key) in known


def test_a_digest_that_was_moved_is_found(chained: House) -> None:
    name = chained.bucket.digests(ACCOUNT, REGION)[-1]
    path = chained.bucket.directory / name
    later = path.with_name(path.name.replace("T16", "T17"))
    shutil.copy(path, later)
    shutil.copy(f"{path}.metadata.json", f"{later}.metadata.json")
    assert chained.wrong() == [f"moved digest {later.relative_to(chained.bucket.directory)}"]


def test_whatever_is_done_to_what_the_files_say_is_found(chained: House) -> None:
    """80 random edits. What only the compression of a file is concerned with does not count, as with AWS."""
    chance = random.Random(5)
    root = chained.bucket.directory
    files = [*chained.logs(), *(root / name for name in chained.bucket.digests(ACCOUNT, REGION))]
    before = {path: path.read_bytes() for path in files}
    for number in range(80):
        path, other = chance.sample(files, 2)
        content = gzip.decompress(before[path])
        edit = chance.choice(
            [flip, truncate, overwrite, remove_bytes, append_noise, double, empty, "swap", "delete"]
        )
        if edit == "delete":
            path.unlink()
        elif edit == "swap":
            path.write_bytes(before[other])
            other.write_bytes(before[path])
        else:
            assert callable(edit)
            path.write_bytes(gzip.compress(edit(content, chance)))
        # Nothing names the newest digest yet: see the next test.
        assert chained.wrong() or (path, edit) == (files[-1], "delete"), (number, edit, path)
        for each, data in before.items():
            each.write_bytes(data)
    assert chained.wrong() == []


def test_a_newest_digest_that_was_deleted_is_missed_by_the_next_one(chained: House) -> None:
    name = chained.bucket.digests(ACCOUNT, REGION)[-1]
    (chained.bucket.directory / name).unlink()
    assert chained.wrong() == []
    chained.hour()
    assert chained.wrong() == [f"missing digest {name}"]


def test_after_a_pause_one_digest_covers_all_of_it(chained: House) -> None:
    chained.at += dt.timedelta(hours=9)
    chained.delivery = chained.deliver_anew()
    assert chained.delivery.digest() == 1
    assert chained.wrong() == []
    assert chained.digest(4)["digestStartTime"] == chained.digest(3)["digestEndTime"]
    assert chained.digest(4)["previousDigestS3Object"] == chained.bucket.digests(ACCOUNT, REGION)[3]


def test_a_trail_of_the_account_gives_its_name_and_begins_a_chain_of_its_own(chained: House) -> None:
    trail = TrailSettings(
        name="ours",
        account_id=ACCOUNT,
        home_region="eu-central-1",
        arn=Arn(f"arn:aws:cloudtrail:eu-central-1:{ACCOUNT}:trail/ours"),
        created_at=START,
        bucket="our-logs",
        multi_region=True,
        logging=True,
    )
    chained.store.write(lambda unit: unit.save(TRAILS, trail)).result()
    chained.hour(chained.record())
    names = [each.rpartition("/")[2] for each in chained.bucket.digests(ACCOUNT, REGION)]
    assert [each for each in names if "ours" in each] == [
        f"{ACCOUNT}_CloudTrail-Digest_us-east-1_ours_eu-central-1_20261125T170005Z.json.gz"
    ]
    newest = next(each for each in chained.bucket.digests(ACCOUNT, REGION) if "ours" in each)
    digest = json.loads(chained.bucket.content(newest) or b"")
    assert digest["previousDigestS3Object"] is None and len(digest["logFiles"]) == 1
    other = msgspec.structs.replace(trail, logging=False)
    chained.store.write(lambda unit: unit.save(TRAILS, other)).result()
    chained.hour()
    assert len([each for each in chained.bucket.digests(ACCOUNT, REGION) if "strongroom" in each]) == 5


def test_records_come_once_whatever_is_offered_again_and_nobodys_are_left_out(house: House) -> None:
    first, second, third = house.record(), house.record(), house.record()
    house.delivery.take([first, second])
    house.delivery = house.deliver_anew()
    assert house.delivery.positions() == {"api-0": 2}
    house.delivery.take([first, second, third])
    nobodys = [
        house.record(account=None),
        house.record(account="999999999999"),
        FedRecord("api-0", 6, b'{"eventTime":7}'),
    ]
    house.delivery.take(nobodys)
    assert house.delivered() == ["api-0-1", "api-0-2", "api-0-3"]
    assert house.delivery.positions() == {"api-0": 6}
    assert house.made == 1, "one key an account and region"


def test_regions_that_callers_make_up_are_bounded(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("strongroom.trail.delivery.MAX_REGIONS", 5)
    regions = [f"eu-made-{number}" for number in range(1, 60)]
    house.delivery.take([house.record(region=each) for each in [REGION, "../..", *regions]])
    found = {path.parts[-5] for path in house.logs()}
    assert REGION in found and len(found) == 5
    assert len(house.delivered()) == 61
    assert all(
        path.is_relative_to(house.bucket.directory.resolve()) for path in (p.resolve() for p in house.logs())
    )


def test_many_files_are_digested_before_the_hour_is_over(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("strongroom.trail.delivery.MAX_FILES", 3)
    for count in (1, 2, 3):
        house.at += dt.timedelta(seconds=1)
        house.delivery.take([house.record()])
        assert house.delivery.digest() == (count == 3)
    assert len(house.digest(0)["logFiles"]) == 3
    assert house.wrong() == []


class Crash(BaseException):
    """Stands for the end of the process."""


@pytest.mark.parametrize("instant", range(12))
def test_after_a_crash_while_a_digest_is_written_the_chain_holds(
    instant: int, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.hour(house.record())
    house.delivery.take([house.record(), house.record(account=OTHER)])
    house.at += dt.timedelta(hours=1)
    left = [instant]

    def dying(name: str) -> Any:
        real = getattr(LogDelivery, name)

        def call(self: LogDelivery, *arguments: Any, **options: Any) -> Any:
            if left[0] == 0:
                raise Crash
            left[0] -= 1
            return real(self, *arguments, **options)

        return call

    with monkeypatch.context() as crashing:
        for name in ("_put", "_save"):
            crashing.setattr(LogDelivery, name, dying(name))
        try:
            house.delivery.digest()
        except Crash:
            pass
        else:
            assert instant >= 8
    house.delivery = house.deliver_anew()
    house.at += dt.timedelta(minutes=7)
    house.delivery.digest()
    house.hour(house.record())
    assert (house.wrong(), house.wrong(OTHER)) == ([], [])
    assert house.delivered() == ["api-0-1", "api-0-2", "api-0-3", "api-0-4"]
    listed = [
        each["s3Object"]
        for index in range(len(house.bucket.digests(ACCOUNT, REGION)))
        for each in house.digest(index)["logFiles"]
    ]
    assert len(listed) == len(set(listed)) == 3


def test_no_private_key_rests_in_clear(chained: House, tmp_path: Path) -> None:
    from cryptography.hazmat.primitives import serialization

    der = a_key(1).private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    secret = der[340:420]  # of the private exponent
    assert secret not in chained.store.read(lambda unit: unit.scan(DIGEST_CHAINS, ""))[0].public_key
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or secret not in path.read_bytes(), path

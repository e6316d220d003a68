"""How fast the index of the trail takes records in, and how fast it answers, over many records.

    .venv/bin/python -m bench.trail_index [--records 10000000] [--directory DIR]

Records are synthesised in memory as the feed would give them, so that the index alone is measured; their
times lie some days back and go on at 10,000 records a second.
"""

from __future__ import annotations

import argparse
import datetime as dt
import gc
import random
import resource
import statistics
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from strongroom.audit.event import call_event
from strongroom.audit.lookup import EventAttribute
from strongroom.server.clerk import GC_THRESHOLDS
from strongroom.trail.feed import FedRecord
from strongroom.trail.index.lookup import IndexReader
from strongroom.trail.index.writing import Index

ACCOUNTS = ("111122223333", "444455556666")
REGION = "eu-central-1"
SECRETS = 100_000
USERS = 500
RATE = 10_000
BATCH = 8_000
SLOTS = ("api-0", "api-1", "keeper")
BEGIN = dt.datetime.now(dt.UTC).replace(microsecond=0) - dt.timedelta(days=2)


class Clock:
    def now(self) -> dt.datetime:
        return dt.datetime.now(dt.UTC)


def secret_arn(account: str, number: int) -> str:
    return f"arn:aws:secretsmanager:{REGION}:{account}:secret:app/{number}/database-aB3dE{number % 10}"


def synthesise(count: int, chance: random.Random) -> Iterator[list[FedRecord]]:
    numbers = dict.fromkeys(SLOTS, 0)
    made = 0
    while made < count:
        batch = []
        for slot in SLOTS:
            for _ in range(BATCH // len(SLOTS)):
                numbers[slot] += 1
                made += 1
                batch.append(FedRecord(slot, numbers[slot], event(made, slot == "keeper", chance)))
        yield batch


def event(
    made: int, write: bool, chance: random.Random, *, secrets: int = SECRETS, user: int | None = None
) -> bytes:
    account = ACCOUNTS[chance.random() < 0.1]
    user = chance.randrange(USERS) if user is None else user
    secret = chance.randrange(secrets)
    arn = secret_arn(account, secret)
    return call_event(
        event_source="secretsmanager.amazonaws.com",
        event_name="PutSecretValue" if write else "GetSecretValue",
        region=REGION,
        user_identity={
            "type": "IAMUser",
            "principalId": f"AIDAEXAMPLE{user:09}",
            "arn": f"arn:aws:iam::{account}:user/app-{user}",
            "accountId": account,
            "accessKeyId": f"AKIAEXAMPLE{user:09}",
            "userName": f"app-{user}",
        },
        source_ip="192.0.2.10",
        user_agent="Boto3/1.40.0 md/Botocore#1.40.0 ua/2.1 os/linux#6.1 md/arch#x86_64 lang/python#3.11",
        request_id=random_uuid(chance),
        event_id=random_uuid(chance),
        at=BEGIN + dt.timedelta(seconds=made // RATE),
        read_only=not write,
        recipient_account_id=account,
        request_parameters={"secretId": arn},
        additional={
            "SecretVersionId": f"0123abcd-4567-4890-abcd-{secret:012}",
            "SecretVersionStages": ["AWSCURRENT"],
        },
        resources=[{"accountId": account, "type": "AWS::SecretsManager::Secret", "ARN": arn}],
    )


def random_uuid(chance: random.Random) -> str:
    return str(uuid.UUID(int=chance.getrandbits(128), version=4))


def fill(directory: Path, count: int) -> list[str]:
    """Index the records; print how long that took, and return some of their ids."""
    gc.set_threshold(*GC_THRESHOLDS)
    index = Index(directory, Clock())
    busy, longest, taken, size = 0.0, 0.0, 0, 0
    ids: list[str] = []
    chance = random.Random(7)
    processor = 0.0
    for batch in synthesise(count, chance):
        begun, used = time.perf_counter(), time.process_time()
        index.take(batch)
        index.tend(wait=True)
        spent = time.perf_counter() - begun
        processor += time.process_time() - used
        busy += spent
        longest = max(longest, spent)
        taken += len(batch)
        size += sum(len(record.event) for record in batch)
        text = batch[-1].event.decode()
        ids.append(text.split('"eventID":"')[1][:36])
        if taken // 1_000_000 != (taken - len(batch)) // 1_000_000:
            print(f"{taken:>12,} records, {taken / busy:>10,.0f} a second", flush=True)
    index.close()
    on_disk = sum(path.stat().st_size for path in directory.iterdir())
    print(
        f"indexed {taken:,} records ({size / taken:.0f} bytes each) in {busy:.1f} s: {taken / busy:,.0f}/s, "
        f"{taken / processor:,.0f} per processor second; longest pause {longest:.2f} s"
    )
    print(f"on disk: {on_disk / 1e6:,.0f} MB, {on_disk / taken:.0f} bytes a record")
    print(f"largest resident size: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")
    return ids


def ask(directory: Path, ids: list[str], count: int) -> None:
    """Print how long answers take, for each kind of question."""
    chance = random.Random(11)
    account = ACCOUNTS[0]
    seconds = count // RATE

    def moment() -> dt.datetime:
        return BEGIN + dt.timedelta(seconds=chance.randrange(max(1, seconds)))

    questions = {
        "newest": dict,
        "EventId": lambda: {"attribute": (EventAttribute.EVENT_ID, chance.choice(ids))},
        "EventName": lambda: {"attribute": (EventAttribute.EVENT_NAME, "GetSecretValue")},
        "ReadOnly": lambda: {"attribute": (EventAttribute.READ_ONLY, "false")},
        "Username": lambda: {"attribute": (EventAttribute.USERNAME, f"app-{chance.randrange(USERS)}")},
        "ResourceName": lambda: {
            "attribute": (EventAttribute.RESOURCE_NAME, secret_arn(account, chance.randrange(SECRETS)))
        },
        "nothing found": lambda: {"attribute": (EventAttribute.USERNAME, "nobody")},
        "up to a time": lambda: {"end": moment()},
        "user, up to a time": lambda: {
            "attribute": (EventAttribute.USERNAME, f"app-{chance.randrange(USERS)}"),
            "end": moment(),
        },
    }
    for name, make in questions.items():
        reader = IndexReader(directory, Clock())
        times = []
        used = []
        events = 0
        for _ in range(50):
            asked = make()
            begun, processor = time.perf_counter(), time.process_time()
            page = reader.lookup(account, REGION, **asked)
            times.append((time.perf_counter() - begun) * 1000)
            used.append((time.process_time() - processor) * 1000)
            events += len(page.events)
        reader.close()
        times_sorted = sorted(times)
        print(
            f"{name:>20}: first {times[0]:6.1f} ms, median {statistics.median(times):6.1f} ms, "
            f"slowest {times_sorted[-1]:6.1f} ms; of a processor {statistics.median(used):5.1f} ms, "
            f"slowest {max(used):5.1f} ms; {events / 50:.1f} events a page"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=10_000_000)
    parser.add_argument("--directory", type=Path)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=chosen.directory) as scratch:
        directory = Path(scratch) / "index"
        ids = fill(directory, chosen.records)
        ask(directory, ids, chosen.records)


if __name__ == "__main__":
    main()

"""The names people know things by, and what is no record."""

from __future__ import annotations

import orjson
import pytest

from strongroom.audit.lookup import parse_entry, short_name

SECRETS = "arn:aws:secretsmanager:eu-central-1:111122223333:"
RECORD = {
    "eventTime": "2026-01-31T23:59:58Z",
    "eventSource": "secretsmanager.amazonaws.com",
    "eventName": "GetSecretValue",
    "awsRegion": "eu-central-1",
    "eventID": "7f0c5a3e-0000-4000-8000-000000000001",
    "recipientAccountId": "111122223333",
}


@pytest.mark.parametrize(
    ("arn", "name"),
    [
        (f"{SECRETS}secret:app/db-aB3dE5", "app/db"),
        (f"{SECRETS}secret:app/db-aB3dE", "app/db-aB3dE"),
        (f"{SECRETS}secret:app/db-aB3d_5", "app/db-aB3d_5"),
        (f"{SECRETS}secret:app/db-aB3dE\u00e9", "app/db-aB3dE\u00e9"),
        (f"{SECRETS}secret:app/db", "app/db"),
        (f"{SECRETS}secret:a:b-aB3dE5", "a:b"),
        (f"{SECRETS}secret:", f"{SECRETS}secret:"),
        ("arn:aws:iam::111122223333:user/team/alice", "alice"),
        ("arn:aws:iam::111122223333:role/app", "app"),
        ("arn:aws:kms:eu-central-1:111122223333:key/1234", "1234"),
        ("arn:aws:kms:eu-central-1:111122223333:alias/a/b", "a/b"),
        ("app/db-aB3dE5", "app/db-aB3dE5"),
    ],
)
def test_a_thing_is_known_by_its_short_name(arn: str, name: str) -> None:
    assert short_name(arn) == name


def test_the_time_of_a_record_is_in_seconds() -> None:
    entry = parse_entry(orjson.dumps(RECORD))
    assert entry is not None
    assert entry.at == 1_769_903_998


@pytest.mark.parametrize(
    "time",
    ["2026-01-31 23:59:58Z", "2026-01-31T23:59:58", "2026-02-31T23:59:58Z", "2026-01-31T2x:59:58Z", ""],
)
def test_what_has_no_time_is_no_record_each_time(time: str) -> None:
    for _ in range(2):
        assert parse_entry(orjson.dumps(RECORD | {"eventTime": time})) is None

"""Values that no rotation without a function can work with: RotateSecret or the history says what to mend."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from strongroom.operations.secretsmanager.rotation_choice import NO_SUPERUSER
from strongroom.operations.secretsmanager.rotation_view import history
from strongroom.secret.runs import RotationRecord
from strongroom.store.sqlite import SqliteStore
from support.dialogue import MARKED, fresh, picture, refused, until
from support.rotating_server import rotating
from support.running import Server

NO_FUNCTION = "No Lambda rotation function ARN is associated with this secret."
CANARY = "Canary-of-a-bad-value"
VALUE: dict[str, Any] = {
    "engine": "postgres",
    "host": "127.0.0.1",
    # Nobody listens there.
    "port": 1,
    "username": "bob",
    "password": CANARY,
    "dbname": "postgres",
}
ABSENT = object()
NOT_RESOLVED = "the host in the secret JSON does not resolve"
NOTHING_ANSWERS = "nothing answers on host and port of the secret JSON"
PORT_RANGE = "port in the secret JSON must be between 1 and 65535"

LATER: dict[str, tuple[dict[str, Any], str, str, str]] = {
    "no host": ({"host": ABSENT}, "createSecret", "secret", "host key is missing from secret JSON"),
    "an empty host": ({"host": ""}, "createSecret", "secret", "host key is missing from secret JSON"),
    "a host that is a list": (
        {"host": ["h"]}, "createSecret", "secret", "host in the secret JSON must be a text"),
    "no username": ({"username": ABSENT}, "createSecret", "secret", "username key is missing from secret JSON"),
    "no password": ({"password": ABSENT}, "createSecret", "secret", "password key is missing from secret JSON"),
    "Oracle without dbname": (
        {"engine": "oracle", "dbname": ABSENT}, "createSecret", "secret", "dbname key is missing from secret JSON"),
    "a host name without an address": (
        {"host": "no-such-host.invalid"}, "setSecret", "unreachable", NOT_RESOLVED),
    "a host name with a null": ({"host": "a\0b"}, "setSecret", "unreachable", NOT_RESOLVED),
    "nobody listens": ({}, "setSecret", "unreachable", NOTHING_ANSWERS),
    "a port that is no number": ({"port": "x"}, "setSecret", "secret", PORT_RANGE),
    "port 0": ({"port": 0}, "setSecret", "secret", PORT_RANGE),
    "port 65536": ({"port": 65536}, "setSecret", "secret", PORT_RANGE),
    "an ssl that is neither": (
        {"ssl": "maybe"}, "setSecret", "secret", "ssl in the secret JSON must be true or false"),
    "an authority that is a path": (
        {"sslrootcert": "/etc/ca.pem", "ssl": True}, "setSecret", "secret",
        "sslrootcert in the secret JSON must be a certificate in PEM, not a path"),
}  # fmt: skip
"""What is different, the step it fails in, the kind of fault, and what to mend."""

AT_ONCE: dict[str, tuple[str | bytes, tuple[str, str]]] = {
    "no engine": ("{}", ("InvalidRequestException", NO_FUNCTION)),
    "no JSON": ("no JSON", ("InvalidRequestException", NO_FUNCTION)),
    "a list": ("[]", ("InvalidRequestException", NO_FUNCTION)),
    "bytes": (b"\0", ("InvalidRequestException", NO_FUNCTION)),
    "a superuser secret that is not there": (
        json.dumps({**VALUE, "masterarn": "absent"}),
        ("ResourceNotFoundException", NO_SUPERUSER),
    ),
    "a superuser secret that has no name": (
        json.dumps({**VALUE, "masterarn": "arn:aws:x"}),
        ("ResourceNotFoundException", NO_SUPERUSER),
    ),
    "a superuser secret that is a list": (
        json.dumps({**VALUE, "masterarn": ["admin"]}),
        (
            "InvalidRequestException",
            "Secrets Manager can't rotate this secret: masterarn in the secret JSON must be a text.",
        ),
    ),
}


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bad-values")


@pytest.fixture(scope="module")
def server(directory: Path) -> Iterator[Server]:
    with rotating(directory, "--workers", "1") as started:
        yield started


@pytest.fixture(scope="module")
def secrets(server: Server) -> Iterator[Any]:
    client = server.client("secretsmanager")
    yield client
    client.close()


@pytest.fixture(scope="module")
def failed(directory: Path, secrets: Any) -> dict[str, RotationRecord]:
    """How the first attempt of each ended that RotateSecret takes."""
    arns = {}
    for case, (changes, *_) in LATER.items():
        value = {name: member for name, member in {**VALUE, **changes}.items() if member is not ABSENT}
        arns[case] = secrets.create_secret(Name=fresh("bad"), SecretString=json.dumps(value))["ARN"]
        secrets.rotate_secret(SecretId=arns[case])
    found: dict[str, RotationRecord] = {}
    with closing(SqliteStore.open(directory / "data")) as store:
        for case, arn in arns.items():
            record, *_ = until(lambda arn=arn: store.read(lambda unit: history(unit, unit.secret(arn))), 60)
            found[case] = record
    for arn in arns.values():
        secrets.cancel_rotate_secret(SecretId=arn)
    return found


@pytest.mark.parametrize("case", LATER)
def test_the_history_says_which_member_to_mend(
    server: Server, failed: dict[str, RotationRecord], case: str
) -> None:
    record = failed[case]
    assert (record.outcome, record.step, record.kind, record.message) == ("failed", *LATER[case][1:])
    assert CANARY not in server.log()


@pytest.mark.parametrize("case", AT_ONCE)
def test_what_nothing_can_be_done_with_is_refused_at_once(secrets: Any, case: str) -> None:
    value, expected = AT_ONCE[case]
    name = fresh("bad")
    kept = {"SecretBinary": value} if isinstance(value, bytes) else {"SecretString": value}
    secrets.create_secret(Name=name, **kept)
    before = picture(secrets, name)
    assert refused(secrets.rotate_secret, SecretId=name) == expected
    assert picture(secrets, name) == before


def test_an_unknown_engine_is_told_with_those_there_are(secrets: Any) -> None:
    name = fresh("bad")
    secrets.create_secret(Name=name, SecretString=json.dumps({**VALUE, "engine": "Postgres"}))
    code, message = refused(secrets.rotate_secret, SecretId=name)
    assert code == "InvalidRequestException"
    assert message.startswith(
        f"{NO_FUNCTION} The engine in the secret's JSON is none that this server rotates"
    )
    assert ", postgres, " in message
    assert secrets.describe_secret(SecretId=name).get("RotationEnabled") is None


def test_a_value_less_secret_has_nothing_to_rotate_by(secrets: Any) -> None:
    name = fresh("bad")
    secrets.create_secret(Name=name)
    assert refused(secrets.rotate_secret, SecretId=name) == ("InvalidRequestException", NO_FUNCTION)
    assert secrets.describe_secret(SecretId=name).get("RotationEnabled") is None


def test_a_marked_superuser_secret_is_told_apart_from_a_marked_secret(secrets: Any) -> None:
    admin, name = fresh("admin"), fresh("bad")
    secrets.create_secret(Name=admin, SecretString="{}")
    secrets.create_secret(Name=name, SecretString=json.dumps({**VALUE, "masterarn": admin}))
    secrets.delete_secret(SecretId=admin)
    assert refused(secrets.rotate_secret, SecretId=name) == (
        "InvalidRequestException",
        "You can't rotate this secret, because the superuser secret that masterarn in its JSON names was "
        "marked for deletion.",
    )
    secrets.delete_secret(SecretId=name)
    for call in (secrets.rotate_secret, secrets.cancel_rotate_secret):
        assert refused(call, SecretId=name) == MARKED

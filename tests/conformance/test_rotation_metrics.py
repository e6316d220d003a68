"""What Prometheus reads of rotations, as their states follow one another."""

from __future__ import annotations

import datetime as dt
import json
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from prometheus_client.parser import text_string_to_metric_families

from strongroom.names import AWSCURRENT
from strongroom.ports import ReadUnit, WriteUnit
from strongroom.secret.records import Secret, SecretVersion
from strongroom.server.rotating import THREADS
from strongroom.store.sqlite import SqliteStore
from support.dialogue import fresh, until
from support.drawer import Drawer
from support.rotating_server import rotating
from support.running import Server

DAILY: dict[str, Any] = {"RotationRules": {"AutomaticallyAfterDays": 1}}
SECONDS = 60
DAY = dt.timedelta(days=1)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with rotating(tmp_path, "--workers", "1", "--metrics-port", "0") as started:
        yield started


@pytest.fixture
def gauges(server: Server) -> Callable[[], dict[str, float]]:
    """Reads the metrics of rotations."""
    assert server.process.stdout is not None
    url = server.process.stdout.readline().removeprefix("# metrics at ").strip()

    def read() -> dict[str, float]:
        with suppress(OSError), urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - loopback
            families = text_string_to_metric_families(answer.read().decode())
            samples = [sample for family in families for sample in family.samples]
            rotation = "strongroom_rotation_"
            return {
                ":".join([each.name.removeprefix(rotation), *each.labels.values()]): each.value
                for each in samples
                if each.name.startswith(rotation)
            }
        # Its process is starting still.
        return {}

    return read


@pytest.fixture
def drawer(tmp_path: Path) -> Drawer:
    return Drawer(tmp_path / "drawer")


def a_secret(client: Any, drawer: Drawer) -> str:
    name = fresh("metered")
    user = name.replace("/", "-")
    drawer.set_password(user, "old")
    value = {"engine": "drawer", "host": str(drawer.path), "username": user, "password": "old"}
    return str(client.create_secret(Name=name, SecretString=json.dumps(value))["ARN"])


def current(unit: ReadUnit, arn: str) -> tuple[Secret, SecretVersion]:
    secret = unit.secret(arn)
    assert secret is not None
    version = unit.version(arn, secret.labels[AWSCURRENT])
    assert version is not None
    return secret, version


def test_each_number_follows_what_it_counts(
    server: Server, gauges: Callable[[], dict[str, float]], drawer: Drawer, tmp_path: Path
) -> None:
    def become(**expected: float) -> None:
        seen: dict[str, float] = {}

        def as_expected() -> bool:
            seen.update(gauges())
            return seen.items() >= expected.items()

        with suppress(AssertionError):
            until(as_expected, SECONDS)
        assert {name: seen.get(name) for name in expected} == expected

    client = server.client("secretsmanager")
    become(secrets=0, due=0, running=0, failed=0, overdue=0, oldest_credential_age_seconds=0)

    # More than are rotated at once.
    drawer.hold("create")
    arns = [a_secret(client, drawer) for _ in range(THREADS + 2)]
    for arn in arns:
        client.rotate_secret(SecretId=arn, **DAILY)
    become(secrets=THREADS + 2, running=THREADS, due=2, failed=0, overdue=0)
    drawer.let_go("create")
    become(secrets=THREADS + 2, running=0, due=0, failed=0, overdue=0)

    drawer.refuse("test")
    client.rotate_secret(SecretId=arns[0])
    become(running=0, due=0, failed=1, **{"failures_total:target": 1})
    client.cancel_rotate_secret(SecretId=arns[0])
    become(secrets=THREADS + 1, failed=0, **{"failures_total:target": 1})
    drawer.allow("test")

    with closing(SqliteStore.open(tmp_path / "data")) as store:
        # Its last rotation was ten days ago, and nothing has come of the next.
        def put_back(unit: WriteUnit) -> None:
            secret, version = current(unit, arns[1])
            assert secret.rotation is not None
            assert secret.rotation.next_rotation_at is not None
            late = replace(secret.rotation, next_rotation_at=secret.rotation.next_rotation_at - 2 * DAY)
            unit.save_secret(replace(secret, rotation=late))
            unit.save_version(replace(version, created_at=version.created_at - 10 * DAY))

        store.write(put_back).result()
    become(overdue=1, due=0, failed=0)
    age = gauges()["oldest_credential_age_seconds"]
    assert 10 * DAY.total_seconds() < age < 10 * DAY.total_seconds() + 600

    client.rotate_secret(SecretId=arns[1])
    become(overdue=0, running=0, due=0)
    until(lambda: gauges()["oldest_credential_age_seconds"] < 600, SECONDS)
    client.close()

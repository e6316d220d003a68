"""A rotation whose process is killed at any step, or whose whole server is, ends right; and at every moment
somebody looks, some labelled version opens the target.

DESIGN promise 7; issue: rotation that really ends right.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from support.dialogue import fresh, until
from support.drawer import Drawer
from support.rotating_server import rotating
from support.running import Server

pytestmark = pytest.mark.crash
LABELS = ("AWSCURRENT", "AWSPENDING", "AWSPREVIOUS")
POINTS = [(step, when) for step in ("create", "set", "test", "finish") for when in ("before", "after")]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with rotating(tmp_path_factory.mktemp("rotating"), "--workers", "1") as started:
        yield started


@pytest.fixture
def drawer(tmp_path: Path) -> Drawer:
    made = Drawer(tmp_path / "drawer")
    made.set_password("bob", "old")
    made.set_password("admin", "root")
    return made


def made(client: Any, drawer: Drawer, *, alternating: bool) -> str:
    """Return the name of a new secret for the drawer's bob."""
    name, value = fresh("rotated"), {"engine": "drawer", "host": str(drawer.path)}
    if alternating:
        admin = json.dumps({**value, "username": "admin", "password": "root"})
        value["masterarn"] = client.create_secret(Name=fresh("admin"), SecretString=admin)["ARN"]
    value |= {"username": "bob", "password": "old"}
    client.create_secret(Name=name, SecretString=json.dumps(value))
    return name


class Watch:
    """Looks at a secret and its target, over and over."""

    def __init__(self, client: Any, name: str, drawer: Drawer, *, alternating: bool) -> None:
        self._client, self._name, self._drawer = client, name, drawer
        self._alternating = alternating
        self._stop = threading.Event()
        self.looks = 0
        self.stranded: list[str] = []

    @contextmanager
    def looking(self) -> Iterator[None]:
        thread = threading.Thread(target=self._run)
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._look()
            except (BotoCoreError, ClientError):
                continue  # the server is away

    def _look(self) -> None:
        before = self._value("AWSCURRENT")
        assert before is not None
        if self._drawer.takes_value(before):
            self.looks += 1
            return
        if self._alternating:
            self.stranded.append("AWSCURRENT does not open")
        # It has just been changed: as an application does, ask again.
        opens = [label for label in LABELS if self._opens(label)]
        after = self._value("AWSCURRENT")
        if not opens and before == after:
            self.stranded.append("no label opens")
        self.looks += 1

    def _opens(self, label: str) -> bool:
        value = self._value(label)
        return value is not None and self._drawer.takes_value(value)

    def _value(self, label: str) -> dict[str, str] | None:
        try:
            answer = self._client.get_secret_value(SecretId=self._name, VersionStage=label)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ResourceNotFoundException":
                raise
            return None
        value: dict[str, str] = json.loads(answer["SecretString"])
        return value


def rotated_to(client: Any, name: str, token: str) -> bool:
    stages = client.describe_secret(SecretId=name)["VersionIdsToStages"]
    return bool(stages.get(token) == ["AWSCURRENT"])


@pytest.mark.parametrize("alternating", [False, True], ids=["single user", "alternating users"])
@pytest.mark.parametrize(("step", "when"), POINTS)
def test_a_process_killed_at_a_step_is_followed_by_one_that_ends_it(
    server: Server, drawer: Drawer, step: str, when: str, alternating: bool
) -> None:
    client = server.client("secretsmanager")
    name = made(client, drawer, alternating=alternating)
    watch = Watch(server.client("secretsmanager"), name, drawer, alternating=alternating)
    drawer.kill_at(step, when)
    with watch.looking():
        token = client.rotate_secret(SecretId=name)["VersionId"]
        until(lambda: rotated_to(client, name, token))
    assert drawer.killed()
    assert watch.looks > 0
    assert watch.stranded == []
    value = json.loads(client.get_secret_value(SecretId=name)["SecretString"])
    assert drawer.takes_value(value)
    assert value["username"] == ("bob_clone" if alternating else "bob")
    steps = [call.split()[0] for call in drawer.calls()]
    assert steps[0] == "create"
    assert steps[-1] == "finish"
    assert {call.split()[1] for call in drawer.calls()} == {token}
    client.close()


@pytest.mark.parametrize(("step", "when"), [("set", "after"), ("finish", "before")])
def test_a_server_killed_in_a_rotation_ends_it_after_its_next_start(
    tmp_path: Path, drawer: Drawer, step: str, when: str
) -> None:
    drawer.refuse(step) if when == "before" else drawer.refuse("test")
    with rotating(tmp_path, "--workers", "1") as server:
        client = server.client("secretsmanager")
        name = made(client, drawer, alternating=False)
        token = client.rotate_secret(SecretId=name)["VersionId"]
        refused = step if when == "before" else "test"
        until(lambda: f"{refused} {token}" in drawer.calls())
        server.kill()
        client.close()
    drawer.allow(refused)
    with rotating(tmp_path, "--workers", "1") as server:
        client = server.client("secretsmanager")
        until(lambda: rotated_to(client, name, token))
        value = json.loads(client.get_secret_value(SecretId=name)["SecretString"])
        assert drawer.takes_value(value)
        client.close()

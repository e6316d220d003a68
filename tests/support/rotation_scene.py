"""A server and a target that a rotation goes on between, while a test does harm to either."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError, ReadTimeoutError

from strongroom.secret.document import SecretDocument, Strategy
from strongroom.secret.material import RotationMaterial
from strongroom.trail.layout import open_segment
from support.crashing import Site, a_site, children, wait_for
from support.dialogue import fresh, until
from support.interrupted_server import PROGRAM, VARIABLE
from support.interruptions import (
    Fate,
    InterruptedRelay,
    Interruptions,
    Point,
    interrupted_relay,
    stops_at_writes,
)
from support.own_servers import free_port
from support.running import Server
from support.watching import Value, Watch

END_SECONDS = 60
LOOP_SECONDS = 6
CALL_SECONDS = 20
"""A call that is not answered for so long never will be."""


class Target(Protocol):
    """A running target, as `support.rotator_contract` has them."""

    def material(self, strategy: Strategy) -> RotationMaterial: ...

    def logs_in(self, document: SecretDocument) -> bool: ...


@dataclass
class Scene:
    """One server, one target, and what lies between them."""

    site: Site
    target: Target
    relays: dict[str, InterruptedRelay]
    """By the member of the secret's JSON that names its port."""
    interruptions: Interruptions
    ports: dict[str, int]
    values: list[Value] = field(default_factory=list)
    """All that were current at the end of a rotation."""
    functions: dict[Strategy, str] = field(default_factory=dict)
    """The ARNs of functions that rotate instead of the server itself."""
    down: threading.Event = field(default_factory=threading.Event)
    refusing: threading.Event = field(default_factory=threading.Event)
    _failures: int = 0
    _worker_killed: float = float("-inf")

    @property
    def server(self) -> Server:
        assert self.site.server is not None
        return self.site.server

    @cached_property
    def client(self) -> Any:
        """A client whose endpoint outlives the server: each that is started listens on the same port."""
        return self.server.client("secretsmanager", read_timeout=CALL_SECONDS)

    @cached_property
    def watching(self) -> Any:
        """Another one."""
        return self.server.client("secretsmanager", read_timeout=CALL_SECONDS)

    def close(self) -> None:
        self.client.close()
        self.watching.close()

    def opens(self, value: Value) -> bool:
        """Tell whether a value opens the target, asked without the relay."""
        return self.target.logs_in(SecretDocument({**value, **self.ports}))

    def secret(self, strategy: Strategy) -> str:
        """Return the name of a new secret for a new user, reached through the relay."""
        material = self.target.material(strategy)
        value = self._through_relay(material.current)
        value.pop("masterarn", None)
        if material.admin is not None:
            admin = json.dumps(self._through_relay(material.admin))
            value["masterarn"] = self.client.create_secret(Name=fresh("admin"), SecretString=admin)["ARN"]
        name = fresh("rotated")
        self.client.create_secret(Name=name, SecretString=json.dumps(value))
        self.values.append(value)
        return name

    def _through_relay(self, document: SecretDocument) -> Value:
        return {**document, **{member: relay.port for member, relay in self.relays.items()}}

    def failures(self) -> int:
        return self.server.log().count("rotation failed")

    # Harm. Each is called while the rotation waits at a point.

    def kill_rotation(self) -> Fate:
        self._kill("rotation")
        return Fate.CUT

    def kill_keeper(self) -> Fate:
        self._kill("keeper")
        return Fate.ON

    def kill_worker(self) -> Fate:
        self._kill("api")
        self._worker_killed = time.monotonic()
        return Fate.ON

    def await_old_workers(self) -> None:
        """Return when a worker may be killed: one that ends soon after it began ends the server (a crash loop, to
        the web server)."""
        wait_for(lambda: time.monotonic() > self._worker_killed + LOOP_SECONDS)

    def kill_function(self) -> Fate:
        """All processes of sandboxes are killed at once."""
        for pid in descendants(self._holder("rotation")):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return Fate.CUT

    def kill_everything(self) -> Fate:
        self.site.kill()
        self.down.set()
        return Fate.CUT

    def refuse(self) -> Fate:
        """Nobody listens at the target's port until an attempt has failed."""
        self._failures = self.failures()
        for each in self.relays.values():
            each.close()
        self.refusing.set()
        return Fate.CUT

    def failed_since(self) -> bool:
        """Tell whether an attempt has failed since the target went away."""
        return self.failures() > self._failures

    def mend(self) -> None:
        """What was killed or closed comes back, when it is time."""
        if self.down.is_set():
            self.site.start()
            self.down.clear()
        if self.refusing.is_set() and self.failed_since():
            self.reopen()

    def recover(self) -> None:
        """Server and target can be reached again, whatever state a failed test has left them in."""
        self.interruptions.arm(None)
        self.reopen()
        if not self.down.is_set():
            self.site.kill()
        self.site.start()
        self.down.clear()

    def reopen(self) -> None:
        if self.refusing.is_set():
            for each in self.relays.values():
                each.listen()
            self.refusing.clear()

    def _kill(self, role: str) -> None:
        os.kill(self._holder(role), signal.SIGKILL)

    def _holder(self, role: str) -> int:
        found: list[int] = []

        def look() -> bool:
            found.extend(pid for slot, pid in self.site.holders() if slot.startswith(role))
            return bool(found)

        wait_for(look)
        return found[0]


def descendants(pid: int) -> list[int]:
    """Return the processes that a process has started, and those they have."""
    found = children(pid)
    return found + [each for child in found for each in descendants(child)]


@dataclass(frozen=True)
class Ended:
    """How a rotation went."""

    met: bool
    """It came to the point: drivers do not always need as many messages."""
    looks: int
    by_pending_alone: int
    longest_gap: float


def rotate(
    scene: Scene, name: str, strategy: Strategy, point: Point | None, harm: Callable[[], Fate]
) -> Ended:
    """Rotate a secret, do harm at `point`, and return when the rotation has ended; fail unless it ended right,
    and unless at every look the target was open to whoever follows the advice."""
    alternating = strategy is Strategy.ALTERNATING_USERS
    client = scene.client
    before = _patiently(lambda: json.loads(client.get_secret_value(SecretId=name)["SecretString"]))
    [old] = [
        version
        for version, labels in client.describe_secret(SecretId=name)["VersionIdsToStages"].items()
        if "AWSCURRENT" in labels
    ]
    watch = Watch(scene.watching, name, scene.opens, alternating=alternating)

    def act() -> Fate:
        # All is still: what is seen here is how it would stay if nothing ever went on.
        watch.look()
        return harm()

    scene.interruptions.arm(point, act)
    token, begun = str(uuid.uuid4()), False
    function = scene.functions.get(strategy)
    request = {} if function is None else {"RotationLambdaARN": function}

    def ended() -> bool:
        nonlocal begun
        scene.mend()
        try:
            if not begun:
                client.rotate_secret(SecretId=name, ClientRequestToken=token, **request)
                begun = True
            return _labels(client, name).get(token) == ["AWSCURRENT"]
        except ReadTimeoutError:
            raise
        except BotoCoreError:
            return False
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] < 500:
                raise
            return False

    with watch.looking():
        until(ended, END_SECONDS)
        met = point is not None and scene.interruptions.met()
        # The harm may have been done after the last write.
        until(lambda: not scene.down.is_set() or scene.mend() or not scene.down.is_set())
        scene.reopen()
    labels = _patiently(lambda: _labels(client, name))
    after = _patiently(lambda: json.loads(client.get_secret_value(SecretId=name)["SecretString"]))
    scene.values.append(after)
    assert labels.pop(token) == ["AWSCURRENT"]
    assert labels.pop(old) == ["AWSPREVIOUS"]
    assert labels == {}
    assert after["password"] != before["password"]
    assert (after["username"] != before["username"]) is alternating
    assert scene.opens(after)
    assert not alternating or scene.opens(before)
    assert watch.stranded == []
    assert watch.looks > 0
    return Ended(met, watch.looks, watch.by_pending_alone, watch.longest_gap)


def _patiently(ask: Callable[[], Any]) -> Any:
    """Return an answer; who would have given it may just have been killed."""

    def answer() -> Any:
        with suppress(BotoCoreError):
            return ask()
        return None

    return until(answer)


def _labels(client: Any, name: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = client.describe_secret(SecretId=name)["VersionIdsToStages"]
    return found


def verify_unseen(scene: Scene) -> None:
    """Fail if a password stands in clear in any file of the data directory, or in the log."""
    passwords = [value["password"].encode() for value in scene.values]
    for path in [scene.site.log, *scene.site.data_dir.rglob("*")]:
        if not path.is_file():
            continue
        with open_segment(path) if path.suffix == ".zst" else path.open("rb") as file:
            found = file.read()
        assert not any(password in found for password in passwords), f"{path} holds a password"


@contextmanager
def a_scene(directory: Path, target: Target, ports: dict[str, int]) -> Iterator[Scene]:
    """Give a server and relays to a target, whose ports have these names in a secret's JSON."""
    interruptions = Interruptions()
    socket_path = directory / "s"
    with ExitStack() as stack:
        stack.enter_context(stops_at_writes(socket_path, interruptions))
        relays = {
            member: stack.enter_context(interrupted_relay(port, interruptions))
            for member, port in ports.items()
        }
        popen = {"program": PROGRAM, "environment": {VARIABLE: str(socket_path)}}
        arguments = ("--workers", "2", "--port", str(free_port()))
        site = stack.enter_context(a_site(directory, arguments=arguments, popen=popen))
        site.start()
        scene = Scene(site, target, relays, interruptions, ports)
        try:
            yield scene
        finally:
            scene.close()

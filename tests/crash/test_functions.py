"""kill -9 while functions are made, changed and removed: what was acknowledged is there, with its code; nothing
is there by half."""

from __future__ import annotations

import base64
import hashlib
import io
import itertools
import json
import random
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from strongroom.ports import ACCOUNTS, CODE_PARTS, FUNCTION_VERSIONS, FUNCTIONS, STORED_CODE, ReadUnit
from strongroom.store.room import Room
from strongroom.store.sqlite import SqliteStore
from support.crashing import a_site, wait_for
from support.running import REGION, Server

pytestmark = pytest.mark.crash

ROUNDS = 3
SEED = 20260102
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": {
            "Effect": "Allow",
            "Principal": {"Service": "lambda.amazonaws.com"},
            "Action": "sts:AssumeRole",
        },
    }
)


def code(number: int) -> bytes:
    """Return a zip file that takes several records, another one for each number."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("main.py", f"number = {number}\n")
        archive.writestr("noise.bin", random.Random(number).randbytes(2_500_000))
    return buffer.getvalue()


def sha256(content: bytes) -> str:
    return base64.b64encode(hashlib.sha256(content).digest()).decode()


class Changes:
    """One caller that makes, changes and removes a function, and knows what it was answered."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.answered = 0
        self.possible: set[str | None] = {None}
        """The SHA-256 of its code, or None for no function: the one acknowledged, and what was asked since."""
        self._numbers = itertools.count(1)

    def run(self, server: Server, role: str) -> None:
        """Go on until the server is gone."""
        client = server.client("lambda", connect_timeout=5, read_timeout=60)
        while True:
            try:
                self._step(client, role)
            except (BotoCoreError, ClientError) as error:
                if isinstance(error, ClientError) and "ServiceUnavailable" not in str(error):
                    raise
                return

    def _step(self, client: Any, role: str) -> None:
        [now] = self.possible if len(self.possible) == 1 else [self._look(client)]
        content = code(next(self._numbers))
        if now is None:
            self._asked(now, sha256(content))
            client.create_function(
                FunctionName=self.name,
                Runtime="python3.12",
                Role=role,
                Handler="main.handler",
                Code={"ZipFile": content},
            )
            self._acknowledged(sha256(content))
        elif self.answered % 4 == 3:
            self._asked(now, None)
            client.delete_function(FunctionName=self.name)
            self._acknowledged(None)
        else:
            self._asked(now, sha256(content))
            client.update_function_code(FunctionName=self.name, ZipFile=content)
            self._acknowledged(sha256(content))

    def _asked(self, now: str | None, then: str | None) -> None:
        self.possible = {now, then}

    def _acknowledged(self, now: str | None) -> None:
        self.possible = {now}
        self.answered += 1

    def _look(self, client: Any) -> str | None:
        try:
            found: str = client.get_function_configuration(FunctionName=self.name)["CodeSha256"]
        except client.exceptions.ResourceNotFoundException:
            return None
        return found


def stored(data_dir: Path) -> Iterator[tuple[str, str]]:
    """Yield name and SHA-256 of every function there is, after a look at all the code that is stored."""
    with Room.open(data_dir, own=False):
        store = SqliteStore.open(data_dir)
        try:
            yield from store.read(_looked_through)
        finally:
            store.close()


def _looked_through(unit: ReadUnit) -> list[tuple[str, str]]:
    [account] = [each.account_id for each in unit.scan(ACCOUNTS, "")]
    functions = unit.scan(FUNCTIONS, f"{account}/{REGION}")
    versions = [version for each in functions for version in unit.scan(FUNCTION_VERSIONS, each.arn)]
    assert [each.function_name for each in versions] == [each.name for each in functions]
    records = unit.scan(STORED_CODE, "")
    assert {each.code_id for each in records} == {each.code_id for each in versions}, (
        "code without a function"
    )
    for each in records:
        assert len(unit.scan(CODE_PARTS, each.code_id)) == each.parts > 1
    return [(each.function_name, each.code_sha256) for each in versions]


def test_functions_are_there_whole_or_not_at_all(tmp_path: Path) -> None:
    instants = random.Random(SEED)
    callers = [Changes(f"function-{number}") for number in range(3)]
    with a_site(tmp_path) as site:
        server = site.start()
        role = server.client("iam").create_role(RoleName="runner", AssumeRolePolicyDocument=TRUST)
        arn = role["Role"]["Arn"]
        for _ in range(ROUNDS):
            threads = [threading.Thread(target=each.run, args=(server, arn)) for each in callers]
            for thread in threads:
                thread.start()
            enough = sum(each.answered for each in callers) + instants.randrange(4, 12)
            wait_for(lambda enough=enough: sum(each.answered for each in callers) >= enough)
            site.kill()
            for thread in threads:
                thread.join()
            found = dict(stored(site.data_dir))
            for each in callers:
                assert found.get(each.name) in each.possible
            server = site.start()
            client = server.client("lambda")
            for each in callers:
                each.possible = {each._look(client)}
                assert each.possible == {found.get(each.name)}
        site.stop()

"""Workers that die one after the other: the server outlives them."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from support.processes import process_of
from support.running import running
from support.trails import wait_for

pytestmark = pytest.mark.crash

SETTLED = 10.0


def test_a_worker_killed_as_soon_as_it_comes_back_does_not_end_the_server(tmp_path: Path) -> None:
    place = ["--data-dir", str(tmp_path / "data"), "--root-key", f"file:{tmp_path / 'root.key'}"]
    with running([*place, "--workers", "1"], tmp_path / "log") as server:
        begun = time.monotonic()
        client = server.client("secretsmanager")
        arn = client.create_secret(Name="s", SecretString="kept")["ARN"]
        # Earlier it would be taken for a server that cannot start.
        wait_for(lambda: time.monotonic() > begun + SETTLED + 1)
        killed: set[int] = set()
        for _ in range(4):
            pid = wait_for(
                lambda: process_of(server, "api-0") not in {None, *killed} and process_of(server, "api-0")
            )
            os.kill(pid, signal.SIGKILL)
            killed.add(pid)
        server.wait_until_ready()
        assert client.get_secret_value(SecretId=arn)["SecretString"] == "kept"
        assert "workers ended one after the other" in server.log()
        assert server.stop() == 0

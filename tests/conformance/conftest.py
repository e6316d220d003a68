"""One server for all conformance tests of a process; each test makes its own names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from support.running import Server, running


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(["--ephemeral", "--workers", "2"], tmp_path_factory.mktemp("server") / "log") as started:
        yield started


@pytest.fixture(scope="session")
def secrets(server: Server) -> Any:
    """A Secrets Manager client of the account's root user."""
    return server.client("secretsmanager")

"""One server for all conformance tests of a process; each test makes its own names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from support.record_schema import faults
from support.running import Server, running
from support.trails import records


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Whatever the tests do to it, every record of it is as CloudTrail's are."""
    place = tmp_path_factory.mktemp("server")
    options = ["--data-dir", str(place / "data"), "--root-key", f"file:{place}/root.key", "--workers", "2"]
    with running(options, place / "log") as started:
        yield started
    wrong = Counter(
        (record["eventSource"], record["eventName"], fault)
        for record in records(place / "data")
        for fault in faults(record)
    )
    assert not wrong, "\n".join(f"{count} x {kind}" for kind, count in wrong.most_common())


@pytest.fixture(scope="session")
def secrets(server: Server) -> Any:
    """A Secrets Manager client of the account's root user."""
    return server.client("secretsmanager")

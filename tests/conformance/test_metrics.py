"""What Prometheus reads of a running server."""

from __future__ import annotations

import os
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from support.running import Server, running

CANARY = "canary-value-of-the-metrics-test"


class Metered:
    def __init__(self, server: Server, data_dir: Path) -> None:
        assert server.process.stdout is not None
        self.server, self.data_dir = server, data_dir
        self.url = server.process.stdout.readline().removeprefix("# metrics at ").strip()

    def text(self) -> str:
        # Its process may be starting still.
        for _ in range(100):
            with suppress(OSError), urllib.request.urlopen(self.url, timeout=5) as answer:  # noqa: S310
                return answer.read().decode()
            time.sleep(0.05)
        raise AssertionError("metrics are not given out")

    def values(self) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
        return {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in text_string_to_metric_families(self.text())
            for sample in family.samples
        }

    def value(self, name: str, **labels: str) -> float | None:
        return self.values().get((name, tuple(sorted(labels.items()))))

    def until(self, holds: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + 15
        while not holds():
            assert time.monotonic() < deadline, f"{what}\n{self.text()}"
            time.sleep(0.1)


@pytest.fixture(scope="module")
def metered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Metered]:
    directory = tmp_path_factory.mktemp("metrics")
    place = ["--data-dir", str(directory / "data"), "--root-key", f"file:{directory / 'root.key'}"]
    with running([*place, "--workers", "2", "--metrics-port", "0"], directory / "log") as server:
        yield Metered(server, directory / "data")


def test_calls_are_counted_by_operation_and_outcome(metered: Metered) -> None:
    client = metered.server.client("secretsmanager")
    client.create_secret(Name="counted", SecretString=CANARY)
    for _ in range(7):
        client.get_secret_value(SecretId="counted")
    for _ in range(3):
        with pytest.raises(client.exceptions.ResourceNotFoundException):
            client.get_secret_value(SecretId="absent")
    of = {"service": "secretsmanager", "operation": "GetSecretValue"}
    metered.until(
        lambda: (
            metered.value("strongroom_calls_total", outcome="ok", **of) == 7
            and metered.value("strongroom_calls_total", outcome="ResourceNotFoundException", **of) == 3
        ),
        "seven reads and three failures are not counted",
    )
    assert metered.value("strongroom_call_duration_seconds_count", **of) == 10
    assert metered.value("strongroom_call_duration_seconds_bucket", le="+Inf", **of) == 10
    total = metered.value("strongroom_call_duration_seconds_sum", **of)
    assert total is not None
    assert 0 < total < 10


def test_nothing_of_a_call_stands_in_it_but_its_name(metered: Metered) -> None:
    text = metered.text()
    assert CANARY not in text
    assert "counted" not in text
    for path in (metered.data_dir / "run" / "metrics").iterdir():
        assert CANARY not in path.read_text()


def test_each_process_tells_its_memory_until_it_ends(metered: Metered) -> None:
    def told(process: str) -> list[str]:
        return [
            dict(labels)["pid"]
            for name, labels in metered.values()
            if name == "strongroom_resident_bytes" and dict(labels)["process"] == process
        ]

    metered.until(lambda: len(told("worker")) == 2 and len(told("keeper")) == 1, "not all have told")
    [keeper] = told("keeper")
    os.kill(int(keeper), signal.SIGKILL)
    metered.until(
        lambda: [pid for pid in told("keeper") if pid != keeper] != [], "the next keeper has not told"
    )


def test_the_api_does_not_answer_for_metrics(metered: Metered) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{metered.server.endpoint}/metrics", timeout=5)  # noqa: S310 - loopback
    assert refused.value.code >= 400
    refused.value.close()

"""Counting calls, and what comes of several processes' counts."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from strongroom.server.metering import Family, Meter, Sample, clear_metrics, metrics_directory, publish
from strongroom.server.metrics import STALE_SECONDS, MetricsFiles


def text_of(data_dir: Path) -> list[str]:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(MetricsFiles(data_dir))
    return generate_latest(registry).decode().splitlines()


def counter(value: float, name: str = "things") -> Family:
    return Family(name, "counter", "Things.", [Sample("_total", {"a": "b"}, value)])


def gauge(value: float) -> Family:
    return Family("level", "gauge", "Level.", [Sample("", {}, value)])


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    clear_metrics(tmp_path)
    return tmp_path


def test_buckets_hold_what_is_not_above_their_bound() -> None:
    meter = Meter()
    for seconds in (0.0004, 0.0005, 0.0006, 7.0):
        meter.note("kms", "Decrypt", "ok", seconds)
    [calls, durations] = meter.families()
    assert calls.samples == [Sample("_total", {"service": "kms", "operation": "Decrypt", "outcome": "ok"}, 4)]
    by_bound = {each.labels.get("le"): each.value for each in durations.samples if each.suffix == "_bucket"}
    assert (by_bound["0.0005"], by_bound["0.001"], by_bound["5.0"], by_bound["+Inf"]) == (2, 3, 3, 4)


def test_counts_of_processes_are_added_up(data_dir: Path) -> None:
    publish(data_dir, "worker", [counter(2)])
    path = metrics_directory(data_dir) / f"worker-{os.getpid()}.json"
    path.rename(path.with_name("worker-1.json"))
    publish(data_dir, "worker", [counter(3)])
    assert 'things_total{a="b"} 5.0' in text_of(data_dir)


def test_of_a_process_that_has_gone_the_counts_stay_and_the_gauges_go(data_dir: Path) -> None:
    publish(data_dir, "keeper", [counter(2), gauge(7)])
    assert "level 7.0" in text_of(data_dir)
    [path] = metrics_directory(data_dir).iterdir()
    long_ago = time.time() - STALE_SECONDS - 1
    os.utime(path, (long_ago, long_ago))
    text = text_of(data_dir)
    assert 'things_total{a="b"} 2.0' in text
    assert not [line for line in text if line.startswith("level")]


def test_a_file_that_is_damaged_is_passed_over(data_dir: Path) -> None:
    publish(data_dir, "keeper", [counter(2)])
    (metrics_directory(data_dir) / "worker-1.json").write_text('{"families": [')
    assert 'things_total{a="b"} 2.0' in text_of(data_dir)


def test_what_cannot_be_written_stops_nobody(tmp_path: Path) -> None:
    publish(tmp_path / "absent", "keeper", [counter(1)])
    assert not (tmp_path / "absent").exists()


def test_a_new_server_begins_with_nothing(data_dir: Path) -> None:
    publish(data_dir, "keeper", [counter(2)])
    clear_metrics(data_dir)
    assert list(metrics_directory(data_dir).iterdir()) == []

"""GET /metrics, in a process and at an address of its own, which can neither slow nor stop a call."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec
from prometheus_client import CollectorRegistry, Metric, start_http_server
from prometheus_client.registry import Collector

from strongroom.server.metering import Published, metrics_directory

__all__ = ["MetricsFiles", "serve_metrics"]

STALE_SECONDS: Final = 15.0
"""What a process has not told again for so long it does not tell any more."""
PARENT_SECONDS: Final = 0.25


class MetricsFiles(Collector):
    """Collects what the processes have published."""

    def __init__(self, data_dir: Path) -> None:
        self._directory = metrics_directory(data_dir)

    def collect(self) -> Iterator[Metric]:
        now = time.time()
        merged: dict[str, tuple[str, str, dict[tuple[str, tuple[tuple[str, str], ...]], float]]] = {}
        for path in sorted(self._directory.glob("*.json")):
            try:
                published = msgspec.json.decode(path.read_bytes(), type=Published)
                stale = path.stat().st_mtime < now - STALE_SECONDS
            except (OSError, msgspec.DecodeError):
                continue
            for family in published.families:
                if stale and family.kind == "gauge":
                    continue
                _, _, values = merged.setdefault(family.name, (family.kind, family.help, {}))
                for sample in family.samples:
                    place = sample.suffix, tuple(sample.labels.items())
                    earlier = 0.0 if family.kind == "gauge" else values.get(place, 0.0)
                    values[place] = earlier + sample.value
        for name, (kind, text, values) in merged.items():
            metric = Metric(name, text, kind)
            for (suffix, labels), value in values.items():
                metric.add_sample(name + suffix, dict(labels), value)
            yield metric


def serve_metrics(data_dir: Path, host: str, port: int, parent: int) -> None:
    """Answer at the address until the process `parent` has gone. Call in a process of its own."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(MetricsFiles(data_dir))
    server, thread = start_http_server(port, host, registry)
    try:
        while thread.is_alive() and os.getppid() == parent:
            time.sleep(PARENT_SECONDS)
    finally:
        server.shutdown()
        server.server_close()

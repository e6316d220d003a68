"""How a server is to run. Flags and environment variables are declared once, in `cli/`."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from strongroom.server import proxies
from strongroom.trail.sinks.addresses import SinkAddress
from strongroom.wire.http import Endpoint

__all__ = [
    "DEFAULT_PORT",
    "FunctionCare",
    "FurtherListener",
    "Network",
    "Settings",
    "Tls",
    "TrailCare",
    "default_data_dir",
    "default_workers",
    "local_url",
]

DEFAULT_PORT: Final = 7780


def default_data_dir() -> Path:
    """Return `$XDG_DATA_HOME/strongroom`, or the same below the home directory."""
    configured = os.environ.get("XDG_DATA_HOME", "")
    parent = Path(configured) if configured.startswith("/") else Path.home() / ".local" / "share"
    return parent / "strongroom"


def default_workers() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True, slots=True)
class Tls:
    """PEM files. TLS 1.3 is spoken, nothing older."""

    certificate: Path
    """With the intermediate ones, if any."""
    key: Path
    client_ca: Path | None = None
    """Who does not show a certificate of it is not let in."""


@dataclass(frozen=True, slots=True)
class Network:
    """What the listener takes for granted of those who connect to it."""

    endpoint: Endpoint | None = None
    trusted_proxies: tuple[proxies.Network, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FurtherListener:
    """One more address to answer on, with workers and a network position of its own."""

    host: str
    port: int
    """0: any free port."""
    workers: int = 1
    tls: Tls | None = None
    network: Network = Network()
    functions: bool = False
    """Functions reach this server here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionCare:
    """What functions may take, and how they are held."""

    code_bytes: int = 2 << 30
    """How much code an account may keep in a region."""
    allow_unconfined: bool = False
    """Run them also where nothing shuts them in: as the server's user, with its files within reach."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrailCare:
    """What is done with the trail beyond writing and signing it."""

    keep_days: int | None = None
    """Delete segments whose newest record is older; None: keep all."""
    checkpoint_copies: tuple[str, ...] = ()
    """Files and URLs that each checkpoint is sent to as well."""
    log_bucket: Path | None = None
    """The directory that log files and digests are written to, laid out as CloudTrail's bucket."""
    log_bucket_name: str = ""
    """What the bucket is called that the directory stands for; empty: as the directory."""
    index_days: int = 90
    """How far back LookupEvents and `trail search` find records."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    data_dir: Path
    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    """0: any free port."""
    workers: int = field(default_factory=default_workers)
    root_key: str = ""
    """A root key source (`rootkey`); empty: the default file."""
    ephemeral: bool = False
    """The directory and the root key live as long as the process."""
    region: str = "us-east-1"
    """Only named in what is printed."""
    access_key: tuple[str, str] | None = field(default=None, repr=False)
    """The first account's root access key, when it is not to be random."""
    account_id: str | None = None
    """The first account, when it is not to be random."""
    sync_every_record: bool = False
    """Flush the trail to disk before each answer, not in groups."""
    trail: TrailCare = TrailCare()
    tls: Tls | None = None
    network: Network = Network()
    further_listeners: tuple[FurtherListener, ...] = ()
    functions: FunctionCare = FunctionCare()
    sinks: tuple[SinkAddress, ...] = ()
    """Where the trail is sent on to."""
    metrics: tuple[str, int] | None = None
    """Host and port that metrics are read at; None: they are not given out."""

    @property
    def endpoint_url(self) -> str:
        """Where this server answers, as seen from this machine."""
        return local_url(self)


def local_url(listener: Settings | FurtherListener) -> str:
    """Return the address of a listener, as seen from this machine."""
    everywhere = {"": "localhost", "0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104 - not listened on
    host = everywhere.get(listener.host) or (f"[{listener.host}]" if ":" in listener.host else listener.host)
    return f"{'http' if listener.tls is None else 'https'}://{host}:{listener.port}"

"""Sinks as an operator names them: an address, and behind `#` what else there is to say."""

from __future__ import annotations

import hashlib
import os
import socket
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import SplitResult, parse_qsl, urlsplit

from strongroom.trail.sinks.files import FileOutlet, StandardOutput
from strongroom.trail.sinks.outlet import Outlet
from strongroom.trail.sinks.sink import Sink
from strongroom.trail.sinks.syslog import SyslogOutlet, datagrams, stream

if TYPE_CHECKING:
    from strongroom.trail.sinks.bucket import Bucket

__all__ = ["SinkAddress", "SinkAddressError", "parse_sink"]

_COMMON: Final = frozenset(("events", "from", "name"))
_OPTIONS: Final[Mapping[str, frozenset[str]]] = {
    "file": frozenset(("max-bytes", "keep")),
    "stdout": frozenset(),
    "syslog+udp": frozenset(),
    "syslog+tcp": frozenset(),
    "syslog+tls": frozenset(("ca",)),
    "syslog+unix": frozenset(),
    "http": frozenset(("key-file", "format")),
    "https": frozenset(("key-file", "format", "ca")),
    "s3": frozenset(("endpoint", "region", "credentials-file", "ca")),
}
SYSLOG_PORT: Final = 514
SYSLOG_TLS_PORT: Final = 6514


class SinkAddressError(ValueError):
    """An address names no sink. The message is for the operator."""


@dataclass(frozen=True, slots=True)
class SinkAddress:
    """One sink, to be opened in the process that serves it."""

    name: str
    """What logs, metrics and the file of its positions call it."""
    events: frozenset[str]
    """The names of the events it gets; empty: all."""
    from_start: bool
    """Whether it gets what was recorded before it was named."""
    connect: Callable[[], Outlet]

    def open(self, directory: Path) -> Sink:
        """Return the sink, its positions in `directory`. Raises OSError when it cannot be used."""
        identity = hashlib.sha256(self.name.encode()).hexdigest()[:16]
        return Sink(self.name, self.connect(), directory / f"sink-{identity}.json", self.events)


def parse_sink(text: str) -> SinkAddress:
    """Return what an address says: `SCHEME:…#option=value&…`.

    Files that it names (keys, credentials) are read now, so that a mistake stops the start.

    Raises:
        SinkAddressError: it names no sink, or a file that cannot be read.
    """
    where, _, fragment = text.partition("#")
    address = urlsplit(where)
    allowed = _OPTIONS.get(address.scheme)
    if allowed is None:
        raise SinkAddressError(f"{_shown(address)}: no sink; there are {', '.join(_OPTIONS)}")
    try:
        _ = address.port
    except ValueError as error:
        raise SinkAddressError(f"{address.scheme}: {error}") from None
    options = dict(parse_qsl(fragment, keep_blank_values=True))
    unknown = sorted(set(options) - allowed - _COMMON)
    if unknown:
        raise SinkAddressError(f"{_shown(address)}: no option {unknown[0]}")
    if options.get("from", "now") not in ("now", "start"):
        raise SinkAddressError(f"{_shown(address)}: from is now or start")
    try:
        connect = _connect(address, where, options)
    except OSError as error:
        raise SinkAddressError(f"{_shown(address)}: {error.filename}: {error.strerror}") from error
    except (ValueError, ssl.SSLError) as error:
        raise SinkAddressError(f"{_shown(address)}: {error}") from None
    events = frozenset(each for each in options.get("events", "").split(",") if each)
    return SinkAddress(
        options.get("name") or _shown(address), events, options.get("from") == "start", connect
    )


def _connect(address: SplitResult, where: str, options: Mapping[str, str]) -> Callable[[], Outlet]:
    scheme = address.scheme
    if scheme == "file":
        path = Path(address.path)
        if address.netloc or not path.is_absolute():
            raise ValueError("give an absolute path, as in file:///var/log/strongroom.jsonl")
        limit = _number(options, "max-bytes")
        return partial(FileOutlet, path, limit, _number(options, "keep", 5) or 0)
    if scheme == "stdout":
        return StandardOutput
    if scheme.startswith("syslog"):
        return partial(SyslogOutlet, _shown(address), _syslog(address, options))
    if scheme == "s3":
        # Imported by who needs it: what speaks HTTP takes a tenth of a second to load.
        from strongroom.trail.sinks.bucket import BucketOutlet

        return partial(BucketOutlet, _bucket(address, options))
    if not address.hostname:
        raise ValueError("no host")
    if options.get("format", "cloudtrail") not in ("cloudtrail", "eventbridge"):
        raise ValueError("format is cloudtrail or eventbridge")
    from strongroom.trail.sinks.webhook import WebhookOutlet

    return partial(
        WebhookOutlet,
        where,
        _key(options),
        eventbridge=options.get("format") == "eventbridge",
        ca_file=_readable(options.get("ca")),
    )


def _syslog(
    address: SplitResult, options: Mapping[str, str]
) -> Callable[[], tuple[Callable[[bytes], None], Callable[[], None]]]:
    if address.scheme == "syslog+unix":
        return partial(datagrams, socket.AF_UNIX, address.path or "/dev/log")
    if not address.hostname:
        raise ValueError("no host")
    host = address.hostname
    if address.scheme == "syslog+udp":
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return partial(datagrams, family, (host, address.port or SYSLOG_PORT))
    if address.scheme == "syslog+tcp":
        return partial(stream, host, address.port or SYSLOG_PORT, None)
    context = ssl.create_default_context(cafile=_readable(options.get("ca")))
    return partial(stream, host, address.port or SYSLOG_TLS_PORT, context)


def _bucket(address: SplitResult, options: Mapping[str, str]) -> Bucket:
    endpoint = urlsplit(options.get("endpoint", ""))
    if not address.netloc or endpoint.scheme not in ("http", "https") or not endpoint.netloc:
        raise ValueError("give s3://BUCKET/PREFIX#endpoint=https://HOST&credentials-file=FILE")
    if "credentials-file" not in options:
        raise ValueError("credentials-file is missing: two lines, access key id and secret access key")
    lines = Path(options["credentials-file"]).read_text(encoding="utf-8").split()
    from strongroom.trail.sinks.bucket import Bucket

    if len(lines) != 2:
        raise ValueError("credentials-file must hold two lines: access key id and secret access key")
    return Bucket(
        endpoint=f"{endpoint.scheme}://{endpoint.netloc}",
        name=address.netloc,
        prefix=address.path.strip("/"),
        region=options.get("region", "us-east-1"),
        access_key_id=lines[0],
        secret_access_key=lines[1],
        ca_file=_readable(options.get("ca")),
    )


def _key(options: Mapping[str, str]) -> bytes | None:
    if "key-file" not in options:
        return None
    key = Path(options["key-file"]).read_bytes().strip()
    if len(key) < 16:
        raise ValueError("the key in key-file is shorter than 16 bytes")
    return key


def _readable(file: str | None) -> str | None:
    if file is not None:
        os.close(os.open(file, os.O_RDONLY | os.O_CLOEXEC))
    return file


def _number(options: Mapping[str, str], option: str, default: int | None = None) -> int | None:
    text = options.get(option)
    if text is None:
        return default
    if not text.isascii() or not text.isdigit():
        raise ValueError(f"{option} must be a number")
    return int(text)


def _shown(address: SplitResult) -> str:
    """Return an address without what may be secret of it: user, password, and a webhook's path and query."""
    host = address.hostname or ""
    if address.scheme in _OPTIONS and address.port is not None:
        host += f":{address.port}"
    path = address.path if address.scheme in ("file", "s3", "syslog+unix") else ""
    return f"{address.scheme}:{f'//{host}' if host or path else ''}{path}"

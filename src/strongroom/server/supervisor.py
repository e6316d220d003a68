"""The supervisor: opens the room, forks the workers and the keeper, and outlives them.

The root key passes to them in memory, by the fork; it is in no argument, environment or file of theirs.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from granian.constants import HTTPModes, Interfaces, Loops, RuntimeModes, SSLProtocols
from granian.http import HTTP1Settings
from granian.server import Server

from strongroom.operations.catalog import CATALOG
from strongroom.rootkey import HeldRootKey
from strongroom.server.clerk import run_clerk
from strongroom.server.homes import NO_HOME, Home, home_of
from strongroom.server.keeper import run_keeper
from strongroom.server.log import open_log
from strongroom.server.memory import keep_memory
from strongroom.server.metering import clear_metrics
from strongroom.server.rotation import run_rotations
from strongroom.server.settings import Settings, Tls
from strongroom.server.worker import Worker
from strongroom.store.room import Room
from strongroom.wire.models import ServiceModel, load_service

__all__ = ["AddressError", "free_address", "supervise"]

STOP_SECONDS: Final = 15
"""How long a worker may take to finish its calls."""
RESTART_SECONDS: Final = 1.0
"""How long after its end a process is started again."""
SETTLED_SECONDS: Final = 10.0
"""A server that has served for so long has nothing that keeps workers from starting."""
STRIKES: Final = 3
"""How often in a row the web server may give up, without having served for SETTLED_SECONDS in between."""
HEADER_MILLISECONDS: Final = 20_000
PARENT_SECONDS: Final = 0.25


class AddressError(Exception):
    """The address cannot be listened on."""


def free_address(host: str, port: int) -> int:
    """Return the port to listen on; for 0 one that is free.

    The web server shares its port between workers, which would let a second server join in unseen.

    Raises:
        AddressError: another program listens there, or the host is none of this machine's.
    """
    try:
        family, *_, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            return int(probe.getsockname()[1])
    except OSError as error:
        raise AddressError(f"Cannot listen on {host} port {port}: {error.strerror or error}.") from error


def supervise(settings: Settings, room: Room, root_key: HeldRootKey) -> None:
    """Serve until SIGTERM or SIGINT; calls under way are finished and the last records are exported."""
    keep_memory()
    multiprocessing.set_start_method("fork", force=True)
    models = {name: load_service(name) for name in CATALOG}
    log = open_log("supervisor")
    supervisor = os.getpid()
    children = [
        _Kept("keeper", lambda: run_keeper(room, root_key, supervisor, settings.trail), log),
        _Kept(
            "clerk", lambda: run_clerk(room.path, settings.sinks, settings.trail.index_days, supervisor), log
        ),
    ]
    home = home_of(settings)
    if home is None:
        log.warning("functions are not run", reason=NO_HOME)
    rotate = partial(run_rotations, settings, room, root_key, models, home, supervisor)
    children.append(_Kept("rotation", rotate, log))
    for number, listener in enumerate(settings.further_listeners, 2):
        own = replace(
            settings,
            host=listener.host,
            port=listener.port,
            workers=listener.workers,
            tls=listener.tls,
            network=listener.network,
        )
        children.append(
            _Kept(
                f"listener {number}",
                partial(_listen_further, own, room, root_key, models, home, supervisor),
                log,
            )
        )
    if settings.metrics is not None:
        children.append(
            _Kept("metrics", partial(_serve_metrics, room.path, *settings.metrics, supervisor), log)
        )
    clear_metrics(room.path)
    worker = Worker(settings, room, root_key, models, home)
    # What exists now is shared with the workers, page by page, until someone writes to it.
    gc.collect()
    gc.freeze()
    for child in children:
        child.start()
    try:
        # None is forgiven at first: workers that die at once suffer from what starting again does not mend.
        strikes, begun = STRIKES, time.monotonic()
        while not _served(settings, worker, log):
            strikes = 0 if time.monotonic() >= begun + SETTLED_SECONDS else strikes
            strikes += 1
            if strikes > STRIKES:
                sys.exit(1)
            time.sleep(RESTART_SECONDS)
            begun = time.monotonic()
    finally:
        # The keeper is the last: it exports what the others have recorded.
        for child in reversed(children):
            child.stop()


def _served(settings: Settings, worker: Worker, log: Any) -> bool:
    """Serve; True when that ended because it was to. False: workers died too quickly one after the other for
    the web server, which gives up then."""
    server = _server(settings)
    try:
        server.serve(target_loader=worker.listener, wrap_loader=False)
    except SystemExit:
        if server.interrupt_signal:
            raise
        log.error("workers ended one after the other")
        return False
    return True


def _listen_further(
    settings: Settings,
    room: Room,
    root_key: HeldRootKey,
    models: Mapping[str, ServiceModel],
    home: Home | None,
    supervisor: int,
) -> None:
    """Serve one more address, with workers of its own, as long as the supervisor lives."""
    # INVARIANT: made here, for workers end when the process that made them does.
    worker = Worker(settings, room, root_key, models, home)
    threading.Thread(target=_end_without, args=(supervisor,), name="parent-watch", daemon=True).start()
    _server(settings).serve(target_loader=worker.listener, wrap_loader=False)


def _serve_metrics(data_dir: Path, host: str, port: int, supervisor: int) -> None:
    # Imported by who needs it: the start of every other process is the quicker for it.
    from strongroom.server.metrics import serve_metrics

    serve_metrics(data_dir, host, port, supervisor)


def _end_without(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(PARENT_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)


def _server(settings: Settings) -> Any:
    return Server(
        "strongroom",
        address=settings.host,
        port=settings.port,
        interface=Interfaces.ASGI,
        workers=settings.workers,
        runtime_mode=RuntimeModes.st,
        loop=Loops.auto,
        http=HTTPModes.auto,
        http1_settings=HTTP1Settings(header_read_timeout=HEADER_MILLISECONDS),
        websockets=False,
        **_encryption(settings.tls),
        log_enabled=False,
        respawn_failed_workers=True,
        workers_kill_timeout=STOP_SECONDS,
    )


def _encryption(tls: Tls | None) -> dict[str, Any]:
    if tls is None:
        return {}
    return {
        "ssl_cert": tls.certificate,
        "ssl_key": tls.key,
        "ssl_protocol_min": SSLProtocols.tls13,
        "ssl_ca": tls.client_ca,
        "ssl_client_verify": tls.client_ca is not None,
    }


class _Kept:
    """A child process that is started again when it ends by itself."""

    def __init__(self, name: str, target: Callable[[], None], log: Any) -> None:
        self._name = name
        self._target = target
        self._log = log
        self._stopping = threading.Event()
        self._process = self._fork()
        self._watcher = threading.Thread(target=self._watch, name=f"{name}-watch", daemon=True)

    def start(self) -> None:
        self._process.start()
        self._watcher.start()

    def stop(self) -> None:
        """End it, giving it the time it needs to finish its duties."""
        self._stopping.set()
        self._process.terminate()
        self._process.join(STOP_SECONDS)
        self._watcher.join(1)

    def _fork(self) -> Any:
        return multiprocessing.get_context("fork").Process(target=self._target, name=self._name)

    def _watch(self) -> None:
        while True:
            self._process.join()
            if self._stopping.is_set():
                return
            self._log.error(
                "a process ended; starting it again", name=self._name, exit_code=self._process.exitcode
            )
            if self._stopping.wait(RESTART_SECONDS):
                return
            self._process = self._fork()
            self._process.start()

"""One API worker: what it opens after the fork, and how it stops."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
from collections.abc import Mapping
from functools import partial
from typing import Any

from strongroom.operations.authorize import DecisionMemory
from strongroom.operations.call import Resources
from strongroom.operations.catalog import CATALOG
from strongroom.operations.datakeys import KeyMemory
from strongroom.operations.standing import StandingMemory
from strongroom.ports import FunctionRunner, Store
from strongroom.rootkey import HeldRootKey
from strongroom.server.drivers import are_functions, open_functions, open_rotators
from strongroom.server.homes import NO_HOME, Home
from strongroom.server.issuers import FetchedIssuerKeys
from strongroom.server.listener import Listener
from strongroom.server.log import open_log
from strongroom.server.metering import PUBLISH_SECONDS, Meter, publish, resident
from strongroom.server.pipeline import Pipeline
from strongroom.server.settings import Settings
from strongroom.server.world import SystemClock, SystemEntropy
from strongroom.store.room import Room
from strongroom.store.sqlite import SqliteStore
from strongroom.trail.decisions import DecisionFile, find_decisions
from strongroom.trail.index.lookup import IndexReader
from strongroom.trail.index.shards import INDEX
from strongroom.trail.segment import SegmentTrail
from strongroom.wire.models import ServiceModel

__all__ = ["Worker"]

WATCH_SECONDS = 0.25
MEND_SECONDS = 1.0
GC_THRESHOLDS = (20_000, 20, 20)


class Worker:
    """Builds the application of one forked process. `listener` is handed to the web server."""

    def __init__(
        self,
        settings: Settings,
        room: Room,
        root_key: HeldRootKey,
        models: Mapping[str, ServiceModel],
        home: Home | None = None,
    ) -> None:
        """`home`: where functions reach the server; None: they are not run."""
        self._settings = settings
        self._home = home
        self._room = room
        self._root_key = root_key
        self._models = models
        self._parent = os.getpid()
        self._store: Store | None = None
        self._trail: SegmentTrail | None = None
        self._functions: FunctionRunner | None = None
        self._log: Any = None
        self._ailing = ""
        """Why it is not ready, as last told in the log."""
        self._watch: asyncio.TimerHandle | None = None
        self._meter = Meter()
        self._telling: asyncio.TimerHandle | None = None
        self._mending: asyncio.TimerHandle | None = None
        self._under_repair = False

    def listener(self) -> Listener:
        return Listener(self._open, self._close, self._ready, SystemClock(), self._settings.network)

    def _open(self) -> Pipeline:
        log = self._log = open_log("worker")
        try:
            store = SqliteStore.open(self._room.path)
            trail = SegmentTrail.open(
                self._room.trail, role="api", sync_every_record=self._settings.sync_every_record
            )
            # The slot is this process's own as long as its trail is open.
            decisions = DecisionFile(self._room.path, trail.slot)
        except Exception as error:
            log.error("cannot start", exc_info=error)
            raise
        self._store, self._trail = store, trail
        self._functions = open_functions(self._settings, self._home, log)
        # Calls leave no cycles behind; looking for some after every few of them costs more than it frees.
        gc.set_threshold(*GC_THRESHOLDS)
        self._watch_parent()
        self._mend_trail()
        self._tell_metrics()
        resources: Any = Resources(
            store=store,
            root_key=self._root_key,
            entropy=SystemEntropy(),
            key_memory=KeyMemory(),
            decision_memory=DecisionMemory(),
            standing_memory=StandingMemory(),
            keep_decision=decisions.append,
            find_decisions=partial(find_decisions, self._room.path),
            issuers=FetchedIssuerKeys(),
            functions=self._functions,
            events=IndexReader(
                self._room.path / INDEX,
                SystemClock(),
                retention_days=self._settings.trail.index_days,
            ),
            rotators=open_rotators(),
            no_functions="" if self._home is not None else NO_HOME,
            endpoint_url="" if self._home is None else self._home.endpoint_url,
            code_bytes=self._settings.functions.code_bytes,
        )
        return Pipeline(
            models=self._models,
            catalog=CATALOG,
            store=store,
            trail=trail,
            resources=resources,
            clock=SystemClock(),
            log=log,
            meter=self._meter,
        )

    def _ready(self) -> bool:
        """True while reads are answered: the store gives them, and the trail takes their records."""
        reason = self._reason_against_serving()
        if reason != self._ailing:
            self._ailing = reason
            if reason:
                self._log.error("not ready", reason=reason)
            else:
                self._log.info("ready again")
        return not reason

    def _reason_against_serving(self) -> str:
        if self._store is None or self._trail is None:
            return "it has not started"
        try:
            self._store.read(lambda _: True)
        except Exception as error:
            return f"the store cannot be read: {error}"
        if self._trail.broken:
            return "a flush of the audit trail failed, so it takes no record until it could be written again"
        if not self._trail.is_writable():
            return "the audit trail cannot be written"
        return ""

    def _tell_metrics(self) -> None:
        self._expect_functions()
        publish(self._room.path, "worker", [*self._meter.families(), resident("worker")])
        loop = asyncio.get_running_loop()
        self._telling = loop.call_later(PUBLISH_SECONDS, self._tell_metrics)

    def _expect_functions(self) -> None:
        """Where there are functions, one may be invoked by hand. That takes no memory now: it would do so in
        each worker."""
        if self._functions is not None and self._store is not None:
            try:
                if are_functions(self._store):
                    self._functions.expect(spare=False)
            except Exception as error:
                self._log.error("cannot look for functions", exc_info=error)

    def _mend_trail(self) -> None:
        """Have a trail whose flush failed take records again as soon as the disk does."""
        loop = asyncio.get_running_loop()
        if self._trail is not None and self._trail.broken and not self._under_repair:
            self._under_repair = True
            loop.run_in_executor(None, self._repair_trail, self._trail)
        self._mending = loop.call_later(MEND_SECONDS, self._mend_trail)

    def _repair_trail(self, trail: SegmentTrail) -> None:
        try:
            if trail.recover():
                self._log.info("the audit trail takes records again")
        finally:
            self._under_repair = False

    def _close(self) -> None:
        if self._telling is not None:
            self._telling.cancel()
        if self._mending is not None:
            self._mending.cancel()
        if self._watch is not None:
            self._watch.cancel()
        if self._functions is not None:
            self._functions.close()
        if self._store is not None:
            self._store.close()
        if self._trail is not None:
            self._trail.close()

    def _watch_parent(self) -> None:
        """Stop when the supervisor has gone: a worker on its own would keep the directory locked."""
        if os.getppid() != self._parent:
            os.kill(os.getpid(), signal.SIGTERM)
            return
        loop = asyncio.get_running_loop()
        self._watch = loop.call_later(WATCH_SECONDS, self._watch_parent)

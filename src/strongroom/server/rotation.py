"""The rotator process: the one process of a node that rotates what is due, a few secrets at a time.

It is apart from keeper and workers, so that a driver's crash or a hung target hurts neither the trail nor a
call. What it was doing when it ended is taken up again where it was recorded last.
"""

from __future__ import annotations

import math
import os
import signal
import threading
import time
from collections.abc import Mapping
from typing import Any, Final

from strongroom.operations.authorize import DecisionMemory
from strongroom.operations.call import Resources
from strongroom.operations.catalog import CATALOG
from strongroom.operations.datakeys import KeyMemory
from strongroom.operations.secretsmanager.rotation_sweep import DutySweep
from strongroom.operations.standing import StandingMemory
from strongroom.ports import FunctionRunner, Store
from strongroom.rootkey import HeldRootKey
from strongroom.server.drivers import are_functions, open_functions, open_rotators
from strongroom.server.homes import NO_HOME, Home
from strongroom.server.log import open_log
from strongroom.server.memory import bound_memory
from strongroom.server.metering import PUBLISH_SECONDS, Family, publish, resident
from strongroom.server.pipeline import Pipeline
from strongroom.server.rotating import REST_SECONDS, TICK_SECONDS, Rotations
from strongroom.server.rotation_steps import RotationSteps
from strongroom.server.service_calls import ServiceCalls
from strongroom.server.settings import Settings
from strongroom.server.world import SystemClock, SystemEntropy, Uuids
from strongroom.store.room import Room
from strongroom.store.sqlite import SqliteStore
from strongroom.trail.decisions import DecisionFile
from strongroom.trail.segment import SegmentTrail
from strongroom.wire.models import ServiceModel

__all__ = ["advance", "mend", "run_rotations"]

NICENESS: Final = 10
DATA_BYTES: Final = 1 << 30
"""What the process may keep in memory: ten times what it needs."""
MEND_SECONDS: Final = 1.0
"""How often a trail whose flush failed is tried again."""
COUNT_SECONDS: Final = 15.0
"""How often every secret that rotates is looked at, for metrics, and whether there are functions."""
DRAIN_SECONDS: Final = 10.0
"""How long steps under way may take when the server stops."""


def run_rotations(
    settings: Settings,
    room: Room,
    root_key: HeldRootKey,
    models: Mapping[str, ServiceModel],
    home: Home | None,
    parent: int,
) -> None:
    """Rotate until SIGTERM, or until the process `parent` has gone. Call in a process of its own."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Whoever waits for an answer comes first.
    os.nice(NICENESS)
    # A target may answer without end.
    bound_memory(DATA_BYTES)
    log = open_log("rotation")
    store = SqliteStore.open(room.path)
    trail = SegmentTrail.open(room.trail, role="rotation", sync_every_record=settings.sync_every_record)
    functions = open_functions(settings, home, log)
    resources = Resources(
        store=store,
        root_key=root_key,
        entropy=SystemEntropy(),
        key_memory=KeyMemory(),
        decision_memory=DecisionMemory(),
        standing_memory=StandingMemory(),
        keep_decision=DecisionFile(room.path, trail.slot).append,
        functions=functions,
        rotators=open_rotators(),
        no_functions="" if home is not None else NO_HOME,
        endpoint_url="" if home is None else home.endpoint_url,
    )
    clock = SystemClock()
    pipeline = Pipeline(
        models=models, catalog=CATALOG, store=store, trail=trail, resources=resources, clock=clock, log=log
    )
    calls = ServiceCalls(pipeline, resources, clock)
    steps = RotationSteps(resources, calls, clock)
    rotations = Rotations(store, resources, steps, clock, Uuids().next(), log)
    sweep = DutySweep(store)
    published_at = counted_at = mended_at = swept_at = float("-inf")
    families: list[Family] = []
    while not stop.wait(TICK_SECONDS) and os.getppid() == parent:
        try:
            rotations.tick()
        except Exception as error:
            log.error("cannot look for what is due", exc_info=error)
            stop.wait(1)
        if time.monotonic() >= swept_at:
            swept_at = time.monotonic() + advance(sweep, log)
        if time.monotonic() >= mended_at + MEND_SECONDS:
            mended_at = time.monotonic()
            mend(trail, log)
        hung = rotations.hung()
        if hung is not None:
            log.error("a rotation step hangs; starting this process again", secret=hung)
            os._exit(1)
        if time.monotonic() >= counted_at + COUNT_SECONDS:
            counted_at, families = time.monotonic(), _families(rotations, families, log)
            _expect(store, functions, log)
        if time.monotonic() >= published_at + PUBLISH_SECONDS:
            published_at = time.monotonic()
            publish(room.path, "rotation", [*families, resident("rotation")])
    drained = rotations.finish(DRAIN_SECONDS)
    if functions is not None:
        functions.close()
    calls.close()
    trail.close()
    store.close()
    if not drained:
        # A step that goes on in a thread would hold the process; what it does is done again.
        os._exit(0)


def advance(sweep: DutySweep, log: Any) -> float:
    """A page more has been looked through, if any is left. Return in how many seconds to call again.

    A secret that cannot be read must not keep what is due from being rotated.
    """
    try:
        sweep.advance()
    except Exception as error:
        log.error("cannot look for secrets that nothing is due for yet", exc_info=error)
        return REST_SECONDS
    return math.inf if sweep.done else 0.0


def mend(trail: SegmentTrail, log: Any) -> None:
    """A trail whose flush failed takes records again, if the disk does: without it every call of the service
    is refused, and so every rotation without a function."""
    if trail.broken and trail.recover():
        log.info("the audit trail takes records again")


def _expect(store: Store, functions: FunctionRunner | None, log: Any) -> None:
    """As long as there are functions, a sandbox is ready for the next that rotates, be it in a month."""
    try:
        if functions is not None and are_functions(store):
            functions.expect(spare=True)
    except Exception as error:
        log.error("cannot look for functions", exc_info=error)


def _families(rotations: Rotations, before: list[Family], log: Any) -> list[Family]:
    try:
        return rotations.families()
    except Exception as error:
        log.error("cannot count rotations", exc_info=error)
        return before

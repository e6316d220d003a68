"""The keeper: the one process of a node that does what no call asks for.

It moves the records of writes from the store to the trail, deletes secrets whose recovery window has ended,
prunes old versions, and rotates and erases KMS keys.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Final

from strongroom.operations.kms.duties import do_key_duties
from strongroom.operations.upkeep import delete_due_secrets, prune_versions
from strongroom.ports import Clock, Entropy, RootKey, Store
from strongroom.server.chores import Chore, checkpoint_copiers, trail_chores
from strongroom.server.log import open_log
from strongroom.server.metering import PUBLISH_SECONDS, Family, Sample, publish, resident
from strongroom.server.settings import TrailCare
from strongroom.server.troubles import Troubles
from strongroom.server.world import SystemClock, SystemEntropy
from strongroom.store.room import Room
from strongroom.store.sqlite import SqliteStore
from strongroom.trail.export import export_outbox
from strongroom.trail.integration import Integrator
from strongroom.trail.segment import SegmentTrail

__all__ = ["Keeper", "run_keeper"]

TICK_SECONDS: Final = 0.1
INTEGRATION_SECONDS: Final = 1.0
DELETION_SECONDS: Final = 1.0
PRUNING_SECONDS: Final = 3600.0
BATCH: Final = 1000
DELETION_BATCH: Final = 100


class Keeper:
    """The duties, each with how often it is done."""

    def __init__(
        self,
        store: Store,
        open_trail: Callable[[], SegmentTrail],
        clock: Clock,
        entropy: Entropy,
        log: Any,
        root_key: RootKey,
        integrator: Integrator | None = None,
        chores: Iterable[Chore] = (),
    ) -> None:
        """`open_trail` is called now, and again whenever the trail has closed itself.

        Raises what it raises now.
        """
        self._store = store
        self._open_trail = open_trail
        self._trail = open_trail()
        self._clock = clock
        self._entropy = entropy
        self._root_key = root_key
        self._integrator = integrator
        self._chores = tuple(chores)
        self._integration_at = 0.0
        self._deletion_at = 0.0
        self._pruning_at = time.monotonic() + PRUNING_SECONDS
        self._unsigned = 0
        self._troubles = Troubles(log)

    def tick(self) -> None:
        """Do what is due. A duty that fails is logged and tried again at its next time."""
        self._attempt("export", self._export)
        now = time.monotonic()
        if now >= self._integration_at:
            self._integration_at = now + INTEGRATION_SECONDS
            self._attempt("integration", self._integrate)
        if now >= self._deletion_at:
            self._deletion_at = now + DELETION_SECONDS
            self._attempt("deletion", self._delete)
            self._attempt("keys", self._keep_keys)
        if now >= self._pruning_at:
            self._pruning_at = now + PRUNING_SECONDS
            self._attempt("pruning", self._prune)
        for chore in self._chores:
            if chore.is_due():
                self._attempt(chore.name, chore.attempt)

    def finish(self) -> None:
        """Export and sign what is left, and close the trail; for the end of the server."""
        self._attempt("export", self._export)
        self._attempt("integration", partial(self._integrate, sign_now=True))
        for chore in self._chores:
            self._attempt(chore.name, chore.finish)
        self._trail.close()

    def families(self) -> list[Family]:
        """Return what is to be known of the duties."""
        chores = [family for chore in self._chores for family in chore.families()]
        unsigned = Family(
            "strongroom_trail_unsigned_records",
            "gauge",
            "Records that no signed checkpoint covers yet.",
            [Sample("", {}, self._unsigned)],
        )
        return [*self._troubles.families(), unsigned, *chores, resident("keeper")]

    def _export(self) -> None:
        if self._trail.broken:
            # What is not on disk for certain is in the store still, and written again.
            self._trail.forget_unsynced()
            self._trail.close()
            self._trail = self._open_trail()
        while export_outbox(self._store, self._trail, BATCH) == BATCH:
            pass

    def _integrate(self, *, sign_now: bool = False) -> None:
        if self._integrator is not None:
            self._unsigned = self._integrator.advance(sign_now=sign_now)

    def _delete(self) -> None:
        while (
            delete_due_secrets(self._store, self._clock.now(), self._entropy, DELETION_BATCH)
            == DELETION_BATCH
        ):
            self._export()

    def _keep_keys(self) -> None:
        now = self._clock.now()
        while (
            do_key_duties(self._store, now, self._entropy, self._root_key, DELETION_BATCH) == DELETION_BATCH
        ):
            self._export()

    def _prune(self) -> None:
        prune_versions(self._store, self._clock.now(), self._entropy)

    def _attempt(self, duty: str, do: Any) -> None:
        try:
            do()
        except Exception as error:
            self._troubles.failed(duty, error)
        else:
            self._troubles.done(duty)


def run_keeper(room: Room, root_key: RootKey, parent: int, care: TrailCare | None = None) -> None:
    """Keep until SIGTERM, or until the process `parent` has gone. Call in a process of its own."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    log = open_log("keeper")
    store = SqliteStore.open(room.path)
    clock, care = SystemClock(), care or TrailCare()
    copiers, copying = checkpoint_copiers(care, room)

    def announce(note: bytes) -> None:
        for copier in copiers:
            copier.offer(note)

    keeper = Keeper(
        store,
        partial(SegmentTrail.open, room.trail, role="keeper"),
        clock,
        SystemEntropy(),
        log,
        root_key,
        Integrator(room.trail, store, root_key, clock, SystemEntropy(), announce=announce),
        [*trail_chores(care, room, store, root_key, clock, log), *copying],
    )
    published_at = float("-inf")
    while not stop.wait(TICK_SECONDS) and os.getppid() == parent:
        keeper.tick()
        if time.monotonic() >= published_at + PUBLISH_SECONDS:
            published_at = time.monotonic()
            publish(room.path, "keeper", keeper.families())
    keeper.finish()
    store.close()

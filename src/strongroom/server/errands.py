"""Slow work outside of the store that has to be done before callers can be identified.

Anyone can cause such work, with no more than a token that names an issuer. So there are threads of its own
for it, and no account's issuers hold more than some of them.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Final

from strongroom.operations.call import Errand

__all__ = ["Errands"]

THREADS: Final = 4
SHARE: Final = 2
"""How many threads may work for one account at a time."""


class _Gate:
    """Where the errands of one account wait for each other."""

    def __init__(self) -> None:
        self.places = asyncio.Semaphore(SHARE)
        self.users = 0


class Errands:
    """The errands of one process. Belongs to an event loop."""

    def __init__(self) -> None:
        self._running: dict[str, asyncio.Future[None]] = {}
        self._gates: dict[str, _Gate] = {}
        # Threads start with the first errand.
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="errand")

    async def run(self, errand: Errand, account_id: str) -> None:
        """The errand is done, once for all who wait for it. Raises what its work raises."""
        running = self._running.get(errand.key)
        if running is None:
            running = self._running[errand.key] = asyncio.ensure_future(self._do(errand, account_id))
            running.add_done_callback(lambda done: self._forget(errand.key, done))
        # One caller who hangs up does not take the errand from the others.
        await asyncio.shield(running)

    async def _do(self, errand: Errand, account_id: str) -> None:
        gate = self._gates.setdefault(account_id, _Gate())
        gate.users += 1
        try:
            async with gate.places:
                await asyncio.get_running_loop().run_in_executor(self._threads, errand.work)
        finally:
            gate.users -= 1
            if gate.users == 0:
                del self._gates[account_id]

    def _forget(self, key: str, done: asyncio.Future[None]) -> None:
        del self._running[key]
        with suppress(asyncio.CancelledError):
            # Whoever waited was told; perhaps nobody does any more.
            done.exception()

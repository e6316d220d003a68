"""Keeping why calls were refused, off the event loop and within bounds.

Looking for remedies takes a millisecond or more. So it is done on a thread of its own, once for refusals
that are alike, and as long as an allowance lasts: in a flood of refusals only the layers and statements that
refused are kept (bench/denials.py).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Hashable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import msgspec

from strongroom.operations.call import Call
from strongroom.operations.refusals import IN_A_HURRY, Refusal, decision_record, explained, refusals_of
from strongroom.policy.context import ContextKeys

__all__ = ["Explainer"]

_EACH_SECOND: Final = 0.2
"""Seconds of work on remedies that a second brings."""
_MOST: Final = 2.0
"""Seconds of work that can be saved up."""
_REMEMBERED: Final = 256
_REMEMBERED_BYTES: Final = 4 * 1024 * 1024
_VOLATILE: Final = {"aws:CurrentTime": "aws:currenttime", "aws:EpochTime": "aws:epochtime"}


class Explainer:
    """Writes the decision records of one process."""

    def __init__(
        self,
        keep: Callable[[bytes], None],
        known_actions: Collection[str],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._keep = keep
        self._known_actions = known_actions
        self._now = now
        self._allowance = _MOST
        self._seen_at = now()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="explaining")
        # Of the thread alone.
        self._memory: dict[Hashable, msgspec.Raw] = {}
        self._remembered_bytes = 0

    async def keep(self, call: Call) -> frozenset[str]:
        """Records of the call's refusals are written. Return the accounts that have one now.

        A record that cannot be written changes nothing for the caller, who is refused either way.
        """
        refusals = refusals_of(call)
        if not refusals:
            return frozenset()
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._write, call, refusals)

    def _write(self, call: Call, refusals: list[Refusal]) -> frozenset[str]:
        concerned: set[str] = set()
        for refusal in refusals:
            try:
                self._keep(self._record(call, refusal))
            except (OSError, ValueError):
                # The disk is full, or a text is no Unicode: the refusal itself stands.
                call.details["decision_lost"] = True
            else:
                concerned |= {call.account_id, refusal.target.owner_account}
        return frozenset(concerned)

    def _record(self, call: Call, refusal: Refusal) -> bytes:
        alike = _alike(refusal)
        known = None if alike is None else self._memory.get(alike)
        if known is not None:
            return decision_record(call, refusal, known)
        begun = self._now()
        self._allowance = min(_MOST, self._allowance + (begun - self._seen_at) * _EACH_SECOND)
        self._seen_at = begun
        unhurried = self._allowance > 0
        explanation = explained(refusal, self._known_actions, remedies=unhurried)
        if explanation is None:
            return decision_record(call, refusal, None)
        encoded = msgspec.Raw(msgspec.json.encode(explanation))
        if not unhurried:
            return decision_record(call, refusal, encoded, IN_A_HURRY)
        self._allowance -= self._now() - begun
        if alike is not None:
            self._remember(alike, encoded)
        return decision_record(call, refusal, encoded)

    def _remember(self, alike: Hashable, encoded: msgspec.Raw) -> None:
        size = len(memoryview(encoded))
        if len(self._memory) >= _REMEMBERED or self._remembered_bytes + size > _REMEMBERED_BYTES:
            self._memory.clear()
            self._remembered_bytes = 0
        self._memory[alike] = encoded
        self._remembered_bytes += size


def _alike(refusal: Refusal) -> Hashable | None:
    """Return what the explanation is a function of; None when it is not worth remembering, or there is none.

    Policies are compared as objects, which change when anything in them does.
    """
    request, policies = refusal.request, refusal.policies
    if request is None or policies is None or not isinstance(request.context, ContextKeys):
        return None
    read = policies.keys_read(request.action)
    seen = frozenset(
        each for each in request.context.items() if each[0] not in _VOLATILE or _VOLATILE[each[0]] in read
    )
    return (
        request.action, request.resource, request.principal, request.resource_account, seen,
        msgspec.structs.astuple(policies), refusal.decision, type(refusal.target.record),
    )  # fmt: skip

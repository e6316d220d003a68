"""From the store's outbox, where records of writes are born in their transactions, to the trail."""

from __future__ import annotations

from strongroom.ports import Store
from strongroom.trail.segment import SegmentTrail

__all__ = ["export_outbox"]


def export_outbox(store: Store, trail: SegmentTrail, limit: int = 1000) -> int:
    """Move up to `limit` records to `trail`, on disk there before they leave the store; return how many.

    The numbers they had in the store stand in the trail, so a crash between the two steps doubles nothing:
    what the trail has already is only dropped.

    Raises:
        ServiceUnavailableException: the trail or the store cannot be written now; nothing is lost.
    """
    done = trail.last_outbox or 0
    pending = store.pending_events(0, limit)
    fresh = [(number, event) for number, event in pending if number > done]
    if fresh:
        trail.append_many(fresh)
        trail.sync()
    if pending:
        store.drop_events(pending[-1][0])
    return len(pending)

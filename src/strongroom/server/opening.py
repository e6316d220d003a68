"""From a directory and a root key source to a room that can be served: made, finished or found."""

from __future__ import annotations

from dataclasses import dataclass, replace

from strongroom.keys.records import RootKeyCheck
from strongroom.operations.iam.bootstrap import NewAccount, create_account
from strongroom.ports import ROOT_KEY_CHECKS, Clock, Entropy, WriteUnit
from strongroom.rootkey import HeldRootKey, open_root_key
from strongroom.server.settings import Settings
from strongroom.store.outbox import begin_behind
from strongroom.store.room import Room, is_room
from strongroom.store.sqlite import SqliteStore
from strongroom.trail.layout import EXPORTED, slots
from strongroom.trail.segment import SegmentTrail

__all__ = ["OpenRoom", "open_room"]


@dataclass(frozen=True, slots=True)
class OpenRoom:
    """A data directory whose root key was shown to be the right one."""

    room: Room
    root_key: HeldRootKey
    new_account: NewAccount | None
    """The first account, when this call made it: the only time its secret is known."""
    lost_writes: int = 0
    """How many writes the trail tells of that the database, being an older one, has never seen."""


def open_room(settings: Settings, clock: Clock, entropy: Entropy, *, own: bool = True) -> OpenRoom:
    """Return the room of `settings.data_dir`, made now when there is none.

    With `own` no other process may serve the directory as long as this one holds it. An initialisation that
    was interrupted is finished.

    Raises:
        RoomError: the directory cannot be used, is in use, or has a newer format.
        RootKeyError: the root key is missing, unsafe, or another one.
        BootstrapError: the given account or access key cannot be taken.
        IntegrityError: the database or the end of the trail is damaged.
        TrailError: the trail cannot be written.
    """
    is_new = not is_room(settings.data_dir)
    room = Room.create(settings.data_dir) if is_new else Room.open(settings.data_dir, own=own)
    try:
        lost = begin_behind(room.database, _verified_trail(room)) if own else 0
        return replace(_open(room, settings, clock, entropy, is_new=is_new), lost_writes=lost)
    except BaseException:
        room.close()
        raise


def _open(room: Room, settings: Settings, clock: Clock, entropy: Entropy, *, is_new: bool) -> OpenRoom:
    store = SqliteStore.open(room.path)
    try:
        check = store.read(lambda unit: unit.find(ROOT_KEY_CHECKS, "", "root"))
        unfinished = check is None
        if settings.ephemeral:
            root_key = HeldRootKey(entropy.token_bytes(32), entropy)
        else:
            root_key = open_root_key(
                settings.root_key, settings.data_dir, create=is_new or unfinished, entropy=entropy
            )
        if check is not None:
            root_key.verify_check(check.check_value)
            return OpenRoom(room, root_key, None)

        def first(unit: WriteUnit) -> NewAccount:
            now = clock.now()
            unit.save(ROOT_KEY_CHECKS, RootKeyCheck(check_value=root_key.check_value(), created_at=now))
            return create_account(
                unit, root_key, entropy, now, settings.account_id, access_key=settings.access_key
            )

        return OpenRoom(room, root_key, store.write(first).result())
    finally:
        store.close()


def _verified_trail(room: Room) -> int:
    """Every chain of the trail can be continued. Return the number of the last write it tells of.

    Found here, where a person sees it: a worker can only fail to start, again and again.
    """
    last = 0
    roles = {EXPORTED, *(slot.name for slot in slots(room.trail))}
    for role in sorted(roles):
        trail = SegmentTrail.open(room.trail, role)
        trail.close()
        if role == EXPORTED:
            last = trail.last_outbox or 0
    return last

"""Making rooms and accounts."""

from __future__ import annotations

from strongroom.operations.iam.bootstrap import NewAccount, create_account
from strongroom.ports import ROOT_KEY_CHECKS
from strongroom.rootkey import HeldRootKey, open_root_key
from strongroom.server.opening import open_room
from strongroom.server.settings import Settings
from strongroom.server.world import SystemClock, SystemEntropy
from strongroom.store.errors import RoomError
from strongroom.store.room import Room
from strongroom.store.sqlite import SqliteStore

__all__ = ["add_account", "init_room", "verified_root_key"]


def init_room(settings: Settings) -> NewAccount:
    """Return the first account of a directory that was empty or absent.

    Raises:
        RoomError: there is a room in the directory already; or as `open_room`.
    """
    opened = open_room(settings, SystemClock(), SystemEntropy())
    opened.room.close()
    if opened.new_account is None:
        raise RoomError(
            f"{settings.data_dir} is initialised already; 'strongroom account create' makes one more account."
        )
    return opened.new_account


def add_account(settings: Settings) -> NewAccount:
    """Return one more account of a room, which may be served meanwhile.

    Raises:
        RoomError, RootKeyError, BootstrapError: as `open_room`.
    """
    clock, entropy = SystemClock(), SystemEntropy()
    room = Room.open(settings.data_dir, own=False)
    store = SqliteStore.open(room.path)
    try:
        root_key = _verified_root_key(settings, store)
        return store.write(
            lambda unit: create_account(
                unit,
                root_key,
                entropy,
                clock.now(),
                settings.account_id,
                access_key=settings.access_key,
            )
        ).result()
    finally:
        store.close()
        room.close()


def verified_root_key(settings: Settings) -> HeldRootKey:
    """Return the root key of a room, which may be served meanwhile.

    Raises:
        RoomError, RootKeyError: as `open_room`.
    """
    room = Room.open(settings.data_dir, own=False)
    store = SqliteStore.open(room.path)
    try:
        return _verified_root_key(settings, store)
    finally:
        store.close()
        room.close()


def _verified_root_key(settings: Settings, store: SqliteStore) -> HeldRootKey:
    root_key = open_root_key(settings.root_key, settings.data_dir, create=False, entropy=SystemEntropy())
    check = store.read(lambda unit: unit.find(ROOT_KEY_CHECKS, "", "root"))
    if check is None:
        raise RoomError(f"{settings.data_dir} was never finished; run 'strongroom init' on it.")
    root_key.verify_check(check.check_value)
    return root_key

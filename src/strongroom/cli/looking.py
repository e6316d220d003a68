"""Looking into a data directory, whether or not a server has it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from strongroom.errors import ServiceError
from strongroom.ports import ACCOUNTS, ReadUnit
from strongroom.secret.records import Secret
from strongroom.secret.reference import parse_secret_ref
from strongroom.store.errors import RoomError
from strongroom.store.room import Room
from strongroom.store.sqlite import SqliteStore

__all__ = ["found_secret", "read_room"]

T = TypeVar("T")


def read_room(data_dir: Path, work: Callable[[ReadUnit], T]) -> T:
    """Return what `work` returns of one view of the directory's store.

    Raises:
        RoomError: it is no data directory, or cannot be used.
    """
    room = Room.open(data_dir, own=False)
    try:
        store = SqliteStore.open(room.path)
        try:
            return store.read(work)
        finally:
            store.close()
    finally:
        room.close()


def found_secret(unit: ReadUnit, secret_id: str, account_id: str | None, region: str) -> Secret:
    """Return the secret of a name or ARN; a name is looked for in one region, in every account or one.

    Raises:
        RoomError: there is none, or several accounts have one.
    """
    try:
        ref = parse_secret_ref(secret_id)
    except ServiceError as error:
        raise RoomError(error.message) from error
    if ref.arn is not None:
        named = [unit.secret(ref.arn)]
    else:
        one = ref.account_id or account_id
        accounts = [one] if one else [each.account_id for each in unit.scan(ACCOUNTS, "")]
        named = [unit.secret_named(each, ref.region or region, ref.name or "") for each in accounts]
    found = [each for each in named if each is not None]
    if not found:
        elsewhere = "" if ref.region else " --region looks in another one."
        raise RoomError(f"There is no secret {secret_id} in {ref.region or region}.{elsewhere}")
    if len(found) > 1:
        having = ", ".join(each.account_id for each in found)
        raise RoomError(f"Several accounts have a secret {secret_id}: {having}. Say which: --account.")
    return found[0]

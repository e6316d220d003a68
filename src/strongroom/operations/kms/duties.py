"""What the keeper does to KMS keys by itself: it rotates them, and erases expired material and whole keys.

What is due counts from its date on without the keeper (`keys/states.as_of`); the keeper makes it so on disk.
Sources: fact sheet kms sections 3 and 4; UG:security-encryption for the yearly rotation of AWS managed keys.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Sequence
from functools import partial
from typing import Any

from msgspec.structs import replace

from strongroom.audit.event import service_event
from strongroom.keys import states
from strongroom.keys.records import KeyDuty, KmsKey
from strongroom.names import Arn, parse_arn
from strongroom.operations.kms.custody import add_material, erase_key, new_material, save_key
from strongroom.operations.kms.rotation import AUTOMATIC
from strongroom.ports import (
    KEY_DUTIES,
    KMS_KEYS,
    Entropy,
    ReadUnit,
    RootKey,
    Store,
    WriteUnit,
    account_region,
)

__all__ = ["do_key_duties"]


def do_key_duties(
    store: Store, now: dt.datetime, entropy: Entropy, root_key: RootKey, batch: int = 100
) -> int:
    """Do up to `batch` things that are due on KMS keys; return how many were.

    Each is a write of its own, together with its event, so a crash leaves every key as it was or as it
    should be. Fewer than `batch` means that nothing more is due. Waits for the disk: not for the event loop.
    """
    found = store.read(partial(_due, now=now, limit=batch))
    writes = [
        store.write(partial(_do, arn=duty.key_arn, now=now, entropy=entropy, root_key=root_key))
        for duty in found
    ]
    return sum(write.result() for write in writes)


def _due(unit: ReadUnit, now: dt.datetime, limit: int) -> Sequence[KeyDuty]:
    return [duty for duty in unit.scan(KEY_DUTIES, "", limit=limit) if duty.due_at <= now]


def _do(unit: WriteUnit, arn: Arn, now: dt.datetime, entropy: Entropy, root_key: RootKey) -> bool:
    """Do what is due on one key now, as it is by now; True when there was something."""
    parsed = parse_arn(arn)
    key = None
    if parsed is not None:
        scope = account_region(parsed.account_id, parsed.region)
        key = unit.find(KMS_KEYS, scope, parsed.resource.removeprefix("key/"))
    due_at = None if key is None else states.next_due(key)
    if key is None or due_at is None or due_at > now:
        _set_right(unit, arn, key)
        return False
    present = states.as_of(key, now)
    if present is None:
        erase_key(unit, key, now)
        unit.record(_event("DeleteKey", key, now, entropy))
    elif present is not key:
        save_key(unit, present)
        unit.record(_event("DeleteExpiredKeyMaterial", key, now, entropy))
    else:
        _rotate(unit, key, now, entropy, root_key)
    return True


def _set_right(unit: WriteUnit, arn: Arn, key: KmsKey | None) -> None:
    """The duty of a key is when the key says, also after somebody changed it meanwhile."""
    if key is not None:
        save_key(unit, key)
    elif unit.find(KEY_DUTIES, "", arn) is not None:
        unit.delete(KEY_DUTIES, "", arn)


def _rotate(unit: WriteUnit, key: KmsKey, now: dt.datetime, entropy: Entropy, root_key: RootKey) -> None:
    period = dt.timedelta(days=key.rotation_days or 0)
    regular = (key.rotation_due_at or now) + period
    key = replace(key, rotation_due_at=regular if regular > now else now + period)
    material = new_material(root_key, entropy, key, now, AUTOMATIC)
    add_material(unit, root_key, key, material)
    details = {"rotationType": AUTOMATIC, "keyMaterialId": material.material_id}
    unit.record(_event("RotateKey", key, now, entropy, **details))


def _event(name: str, key: KmsKey, now: dt.datetime, entropy: Entropy, **details: Any) -> bytes:
    return service_event(
        name=name,
        account_id=key.account_id,
        region=key.region,
        at=now,
        event_id=str(uuid.UUID(bytes=entropy.token_bytes(16), version=4)),
        request_id=f"{name}-{key.arn}-{now:%Y%m%dT%H%M%S}",
        additional={"keyId": key.arn, **details},
        source="kms.amazonaws.com",
    )

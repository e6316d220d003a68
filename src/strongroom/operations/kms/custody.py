"""Saving a key together with what hangs on its record: what is due on it, and its related keys elsewhere.

Sources: fact sheet kms sections 3 and 4.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

from msgspec.structs import replace

from strongroom.errors import UnsupportedOperationException
from strongroom.keys import states
from strongroom.keys.records import KeyDuty, KeyMaterial, KmsKey
from strongroom.operations.kms import messages
from strongroom.operations.kms.grants import forget_retirement
from strongroom.operations.kms.material import open_material, seal_material
from strongroom.ports import (
    ALIASES,
    GRANTS,
    KEY_DUTIES,
    KMS_KEYS,
    Entropy,
    ReadUnit,
    RootKey,
    WriteUnit,
    account_region,
)

MATERIAL_BYTES = 32


def save_key(unit: WriteUnit, key: KmsKey) -> None:
    """The key is stored, and its next duty with it.

    For every change of state, of dates, or of material; other changes may save the record alone.
    """
    unit.save(KMS_KEYS, key)
    due_at = states.next_due(key)
    if due_at is not None:
        unit.save(KEY_DUTIES, KeyDuty(key_arn=key.arn, due_at=due_at))
    elif unit.find(KEY_DUTIES, "", key.arn) is not None:
        unit.delete(KEY_DUTIES, "", key.arn)


def erase_key(unit: WriteUnit, key: KmsKey, now: dt.datetime) -> None:
    """The key, its material, aliases and grants are gone; related keys do not list it any more.

    A primary key that waited for its last replica to go is pending deletion from then on.
    """
    scope = account_region(key.account_id, key.region)
    for name in key.alias_names:
        unit.delete(ALIASES, scope, name)
    for grant in unit.scan(GRANTS, key.arn) if key.grant_count else ():
        unit.delete(GRANTS, key.arn, grant.grant_id)
        forget_retirement(unit, key, grant)
    unit.delete(KMS_KEYS, scope, key.key_id)
    unit.delete(KEY_DUTIES, "", key.arn)
    for related in related_keys(unit, key):
        left = tuple(region for region in related.replica_regions if region != key.region)
        related = replace(related, replica_regions=left)
        if related.state == states.PENDING_REPLICA_DELETION and not left:
            window = related.pending_window_days or states.DEFAULT_PENDING_WINDOW_DAYS
            related = replace(
                related,
                state=states.PENDING_DELETION,
                deletion_at=now + dt.timedelta(days=window),
                pending_window_days=None,
            )
        save_key(unit, related)


def related_keys(unit: ReadUnit, key: KmsKey) -> Iterator[KmsKey]:
    """Yield the other keys of a multi-Region key; nothing for single-Region keys."""
    if not key.multi_region:
        return
    for region in (key.primary_region or key.region, *key.replica_regions):
        if region != key.region:
            related = unit.find(KMS_KEYS, account_region(key.account_id, region), key.key_id)
            if related is not None:
                yield related


def verify_primary(key: KmsKey) -> None:
    """Raises UnsupportedOperationException for a multi-Region replica key."""
    if key.multi_region and key.primary_region != key.region:
        raise UnsupportedOperationException(messages.not_a_primary(key.arn))


def new_material(
    root_key: RootKey, entropy: Entropy, key: KmsKey, now: dt.datetime, rotation: str
) -> KeyMaterial:
    """Return a new generation of material for a symmetric key, not saved yet."""
    material_id = entropy.token_bytes(32).hex()
    sealed = seal_material(root_key, key, material_id, entropy.token_bytes(MATERIAL_BYTES))
    return KeyMaterial(material_id=material_id, created_at=now, sealed=sealed, rotation=rotation)


def material_for(root_key: RootKey, key: KmsKey, material: KeyMaterial, other: KmsKey) -> KeyMaterial:
    """Return `key`'s material sealed for a related key: the same id and bytes."""
    if not material.sealed:
        return material
    plaintext = open_material(root_key, key, material)
    return replace(material, sealed=seal_material(root_key, other, material.material_id, plaintext))


def add_material(unit: WriteUnit, root_key: RootKey, key: KmsKey, material: KeyMaterial) -> None:
    """`material` is the newest one of `key` and of its related keys; older material still opens."""
    save_key(unit, replace(key, materials=(*key.materials, material)))
    for related in related_keys(unit, key):
        shared = material_for(root_key, key, material, related)
        save_key(unit, replace(related, materials=(*related.materials, shared)))

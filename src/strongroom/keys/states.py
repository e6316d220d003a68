"""Key states and what each lets be done. Source: fact sheet kms section 4."""

from __future__ import annotations

import datetime as dt
from typing import Final

from msgspec.structs import replace

from strongroom.errors import DisabledException, KMSInvalidStateException
from strongroom.keys.records import KeyMaterial, KmsKey

ENABLED: Final = "Enabled"
DISABLED: Final = "Disabled"
PENDING_DELETION: Final = "PendingDeletion"
PENDING_IMPORT: Final = "PendingImport"
PENDING_REPLICA_DELETION: Final = "PendingReplicaDeletion"

EXTERNAL: Final = "EXTERNAL"
"""The origin of keys whose material is imported."""

DEFAULT_PENDING_WINDOW_DAYS: Final = 30
MINIMUM_PENDING_WINDOW_DAYS: Final = 7
MAXIMUM_PENDING_WINDOW_DAYS: Final = 30


def verify_usable(key: KmsKey) -> None:
    """Pass for a key that may encrypt and decrypt now.

    Raises:
        DisabledException: it is disabled.
        KMSInvalidStateException: it is pending deletion (what the live service answers; the documentation
            allows DisabledException too), or has no material.
    """
    if key.state == ENABLED:
        return
    if key.state == DISABLED:
        raise DisabledException(f"{key.arn} is disabled.")
    verify_not_pending_deletion(key)
    verify_imported(key)


def verify_not_pending_deletion(key: KmsKey) -> None:
    """Raises KMSInvalidStateException for a key pending deletion."""
    if key.state == PENDING_DELETION:
        raise KMSInvalidStateException(f"{key.arn} is pending deletion.")
    if key.state == PENDING_REPLICA_DELETION:
        raise KMSInvalidStateException(f"{key.arn} is pending replica deletion.")


def verify_pending_deletion(key: KmsKey) -> None:
    """Raises KMSInvalidStateException for a key not pending deletion."""
    if key.state not in (PENDING_DELETION, PENDING_REPLICA_DELETION):
        raise KMSInvalidStateException(f"{key.arn} is not pending deletion.")


def verify_imported(key: KmsKey) -> None:
    """Raises KMSInvalidStateException for a key that waits for its material."""
    if key.state == PENDING_IMPORT:
        raise KMSInvalidStateException(f"{key.arn} is pending import.")


def is_gone(key: KmsKey, now: dt.datetime) -> bool:
    """True once the deletion date has come: from then on the key does not exist for anyone."""
    return key.deletion_at is not None and key.deletion_at <= now


def as_of(key: KmsKey, now: dt.datetime) -> KmsKey | None:
    """Return the key as it is at this moment; None once its deletion date has come.

    Material that has expired opens and seals nothing from its date on, before anybody has erased it.
    """
    if key.deletion_at is not None and key.deletion_at <= now:
        return None
    if key.origin != EXTERNAL or all(each.valid_to is None for each in _all_materials(key)):
        return key
    pending = key.pending_material
    if pending is not None and _has_expired(pending, now):
        pending = None
    materials = tuple([without_material(each) if _has_expired(each, now) else each for each in key.materials])
    if materials == key.materials and pending is key.pending_material:
        return key
    return settled(replace(key, materials=materials, pending_material=pending))


def without_material(material: KeyMaterial) -> KeyMaterial:
    """Return what stays of imported material that was deleted or has expired: its id, and how to know it."""
    return replace(material, sealed=b"", valid_to=None)


def settled(key: KmsKey) -> KmsKey:
    """Return an imported key in the state that its material puts it in. Pending deletion outlasts that."""
    complete = bool(key.materials) and all(each.sealed for each in key.materials)
    if complete and key.state == PENDING_IMPORT:
        return replace(key, state=ENABLED)
    if not complete and key.state in (ENABLED, DISABLED):
        return replace(key, state=PENDING_IMPORT)
    return key


def next_due(key: KmsKey) -> dt.datetime | None:
    """Return when something is next to be done about the key by itself; None: nothing ever."""
    dates = [each.valid_to for each in _all_materials(key)]
    dates.append(key.deletion_at)
    # A replica is rotated with its primary, and a key out of use waits until it is in use again.
    if key.state == ENABLED and key.primary_region in (None, key.region):
        dates.append(key.rotation_due_at)
    return min((each for each in dates if each is not None), default=None)


def _all_materials(key: KmsKey) -> tuple[KeyMaterial, ...]:
    return key.materials if key.pending_material is None else (*key.materials, key.pending_material)


def _has_expired(material: KeyMaterial, now: dt.datetime) -> bool:
    return material.valid_to is not None and material.valid_to <= now

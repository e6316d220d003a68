"""Rotation of key material, by the calendar and on demand. Source: fact sheet kms sections 3 and 4.

New material seals from the moment it is stored; all older material still opens. The key's id stays.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, Final

from msgspec.structs import replace

from strongroom.errors import (
    DisabledException,
    InvalidMarkerException,
    KMSInvalidStateException,
    LimitExceededException,
    UnsupportedOperationException,
)
from strongroom.keys import states
from strongroom.keys.records import KeyMaterial, KmsKey
from strongroom.operations.call import AuthorizedCall, Call, Operation, Target, Unit
from strongroom.operations.kms import messages
from strongroom.operations.kms.custody import add_material, new_material, save_key, verify_primary
from strongroom.operations.kms.paging import page_members, page_size, parse_marker
from strongroom.operations.kms.resolution import managed, on_key, present
from strongroom.ports import KMS_KEYS, ReadUnit, WriteUnit, account_region

DEFAULT_PERIOD_DAYS: Final = 365
MAXIMUM_ON_DEMAND: Final = 25
AUTOMATIC: Final = "AUTOMATIC"
ON_DEMAND: Final = "ON_DEMAND"
SYMMETRIC: Final = "SYMMETRIC_DEFAULT"


def _enable_targets(call: Call, unit: ReadUnit) -> Sequence[Target]:
    days = call.request.get("RotationPeriodInDays", DEFAULT_PERIOD_DAYS)
    return on_key("kms:EnableKeyRotation", context={"kms:RotationPeriodInDays": str(days)})(call, unit)


def enable_key_rotation(authorized: AuthorizedCall, unit: WriteUnit) -> None:
    """The key is rotated one period from now, and then every period.

    Raises:
        UnsupportedOperationException: not a symmetric key with material of KMS, or a replica key.
        DisabledException, KMSInvalidStateException: the key's state.
    """
    call = authorized.call
    key = _rotatable(authorized)
    days = authorized.request.get("RotationPeriodInDays", DEFAULT_PERIOD_DAYS)
    if key.rotation_days != days:
        due_at = call.received_at + dt.timedelta(days=days)
        save_key(unit, replace(key, rotation_days=days, rotation_due_at=due_at))


def disable_key_rotation(authorized: AuthorizedCall, unit: WriteUnit) -> None:
    """The key is not rotated by itself any more. Raises as `enable_key_rotation` does."""
    save_key(unit, replace(_rotatable(authorized), rotation_days=None, rotation_due_at=None))


def _rotatable(authorized: AuthorizedCall) -> KmsKey:
    """Return the target's key, whose automatic rotation may be set now."""
    key = managed(authorized.target)
    if key.spec != SYMMETRIC:
        raise UnsupportedOperationException
    if key.origin != "AWS_KMS":
        raise UnsupportedOperationException(messages.wrong_origin(key.arn, key.origin))
    verify_primary(key)
    if key.state == states.DISABLED:
        raise DisabledException(f"{key.arn} is disabled.")
    states.verify_not_pending_deletion(key)
    return key


def get_key_rotation_status(authorized: AuthorizedCall, unit: ReadUnit) -> Mapping[str, Any]:
    """Return whether and when the key is rotated; that of a replica key is its primary's."""
    key = present(authorized.target)
    if key.state == states.PENDING_IMPORT:
        raise UnsupportedOperationException(messages.wrong_origin(key.arn, key.origin))
    source = key
    if key.multi_region and key.primary_region not in (None, key.region):
        scope = account_region(key.account_id, str(key.primary_region))
        source = unit.find(KMS_KEYS, scope, key.key_id) or key
    # A key on its way out is not rotated; the setting comes back when its deletion is cancelled.
    enabled = source.rotation_days is not None and key.deletion_at is None
    status: dict[str, Any] = {"KeyRotationEnabled": enabled, "KeyId": key.key_id}
    if enabled:
        status["RotationPeriodInDays"] = source.rotation_days
        status["NextRotationDate"] = source.rotation_due_at
    return status


def rotate_key_on_demand(authorized: AuthorizedCall, unit: WriteUnit) -> Mapping[str, Any]:
    """The key seals with new material from now on: fresh, or for an imported key the one that waits for it.

    Raises:
        UnsupportedOperationException: not a symmetric key, or a replica key.
        DisabledException: the key is disabled.
        KMSInvalidStateException: it is pending deletion or import, or no imported material waits.
        LimitExceededException: it was rotated on demand 25 times.
    """
    call = authorized.call
    key = managed(authorized.target)
    if key.spec != SYMMETRIC:
        raise UnsupportedOperationException
    verify_primary(key)
    states.verify_usable(key)
    if sum(each.rotation == ON_DEMAND for each in key.materials) >= MAXIMUM_ON_DEMAND:
        raise LimitExceededException(messages.too_many_rotations(key.arn))
    resources = call.resources
    if key.origin == states.EXTERNAL:
        pending = key.pending_material
        if pending is None:
            raise KMSInvalidStateException(messages.nothing_pending_rotation(key.arn))
        material = replace(pending, created_at=call.received_at, rotation=ON_DEMAND)
        key = replace(key, pending_material=None)
    else:
        material = new_material(resources.root_key, resources.entropy, key, call.received_at, ON_DEMAND)
    add_material(unit, resources.root_key, key, material)
    return {"KeyId": key.key_id}


def list_key_rotations(authorized: AuthorizedCall, unit: ReadUnit) -> Mapping[str, Any]:
    """Return the rotations done, oldest first; with ALL_KEY_MATERIAL also the first and the waiting one."""
    request = authorized.request
    key = present(authorized.target)
    if key.spec != SYMMETRIC:
        raise UnsupportedOperationException
    every = request.get("IncludeKeyMaterial") == "ALL_KEY_MATERIAL"
    entries = [_entry(key, each) for each in key.materials if every or each.rotation is not None]
    if every and key.pending_material is not None:
        entries.append(_entry(key, key.pending_material))
    size, after = page_size(request, 100, 1000), parse_marker(request)
    if not (after or "0").isdecimal():
        raise InvalidMarkerException(messages.INVALID_MARKER)
    start = int(after or 0)
    rows = entries[start : start + size + 1]
    return {"Rotations": rows[:size], **page_members(rows, size, str(start + size))}


def _entry(key: KmsKey, material: KeyMaterial) -> dict[str, Any]:
    entry: dict[str, Any] = {"KeyId": key.key_id, "KeyMaterialId": material.material_id}
    if material is key.pending_material:
        entry["KeyMaterialState"] = "PENDING_ROTATION"
    else:
        entry["KeyMaterialState"] = "CURRENT" if material is key.materials[-1] else "NON_CURRENT"
    if material.rotation is not None:
        entry["RotationDate"] = material.created_at
        entry["RotationType"] = material.rotation
    if key.origin == states.EXTERNAL:
        entry["ImportState"] = "IMPORTED" if material.sealed else "PENDING_IMPORT"
        if material.sealed:
            entry["ExpirationModel"] = expiration_model(material.valid_to)
        if material.valid_to is not None:
            entry["ValidTo"] = material.valid_to
        if material.description:
            entry["KeyMaterialDescription"] = material.description
    return entry


def expiration_model(valid_to: dt.datetime | None) -> str:
    return "KEY_MATERIAL_DOES_NOT_EXPIRE" if valid_to is None else "KEY_MATERIAL_EXPIRES"


_MANAGED: Final = (
    "Automatic rotations are done by the server itself within seconds of their date; a key that was disabled "
    "on it is rotated as soon as it is enabled."
)

ENABLE_KEY_ROTATION = Operation(
    name="EnableKeyRotation",
    action="kms:EnableKeyRotation",
    unit=Unit.WRITE,
    targets=_enable_targets,
    handle=enable_key_rotation,
    read_only=False,
    deviations=(_MANAGED, "A new period begins with the call that sets it."),
)
DISABLE_KEY_ROTATION = Operation(
    name="DisableKeyRotation",
    action="kms:DisableKeyRotation",
    unit=Unit.WRITE,
    targets=on_key("kms:DisableKeyRotation"),
    handle=disable_key_rotation,
    read_only=False,
)
GET_KEY_ROTATION_STATUS = Operation(
    name="GetKeyRotationStatus",
    action="kms:GetKeyRotationStatus",
    unit=Unit.READ,
    targets=on_key("kms:GetKeyRotationStatus", cross_account=True),
    handle=get_key_rotation_status,
)
ROTATE_KEY_ON_DEMAND = Operation(
    name="RotateKeyOnDemand",
    action="kms:RotateKeyOnDemand",
    unit=Unit.WRITE,
    targets=on_key("kms:RotateKeyOnDemand"),
    handle=rotate_key_on_demand,
    read_only=False,
    deviations=("The rotation is done when the call returns: ConflictException does not occur.",),
)
LIST_KEY_ROTATIONS = Operation(
    name="ListKeyRotations",
    action="kms:ListKeyRotations",
    unit=Unit.READ,
    targets=on_key("kms:ListKeyRotations"),
    handle=list_key_rotations,
)

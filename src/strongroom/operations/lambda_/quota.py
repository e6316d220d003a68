"""How much code an account may keep in a region. Source: Lambda developer guide, "Lambda quotas"."""

from __future__ import annotations

from strongroom.errors import CodeStorageExceededException
from strongroom.names import AccountId, Region
from strongroom.operations.call import Call
from strongroom.operations.lambda_ import messages
from strongroom.ports import (
    FUNCTION_VERSIONS,
    FUNCTIONS,
    LAYER_VERSIONS,
    LAYERS,
    ReadUnit,
    account_region,
)

__all__ = ["kept_bytes", "verify_room"]


def verify_room(call: Call, unit: ReadUnit, account_id: AccountId, region: Region, more: int) -> None:
    """Raises CodeStorageExceededException when there is no room for a zip file of `more` bytes."""
    if kept_bytes(unit, account_id, region) + more > call.resources.code_bytes:
        raise CodeStorageExceededException(messages.CODE_STORAGE)


def kept_bytes(unit: ReadUnit, account_id: AccountId, region: Region) -> int:
    """Return the size of the zip files of functions and layers; what several versions share counts once."""
    place = account_region(account_id, region)
    sizes = {
        version.code_id: version.code_size
        for function in unit.scan(FUNCTIONS, place)
        for version in unit.scan(FUNCTION_VERSIONS, function.arn)
    }
    sizes |= {
        version.code_id: version.code_size
        for layer in unit.scan(LAYERS, place)
        for version in unit.scan(LAYER_VERSIONS, layer.arn)
    }
    return sum(sizes.values())

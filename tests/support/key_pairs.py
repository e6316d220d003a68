"""Making keys of every spec in a key room, without waiting for RSA each time."""

from __future__ import annotations

from functools import cache
from typing import Any

from msgspec.structs import replace

from strongroom.crypto.private_keys import PrivateKeyHandle
from strongroom.keys.records import KmsKey
from strongroom.operations.authorize import authorize
from strongroom.operations.kms import keys
from support.key_room import KeyRoom


@cache
def private_key(spec: str) -> PrivateKeyHandle:
    """Return one private key of the spec for the whole test run."""
    return PrivateKeyHandle.generate(spec)


def a_key(room: KeyRoom, spec: str, usage: str, **members: Any) -> KmsKey:
    """Save a key of the spec and return it; RSA keys of one spec share their key pair."""
    request = {"KeySpec": spec, "KeyUsage": usage, **members}
    prepared = private_key(spec) if spec.startswith("RSA_") else None
    call = replace(room.call("CreateKey", request), prepared=prepared)

    def answer(unit: Any) -> Any:
        return keys.CREATE_KEY.handle(authorize(call, unit, keys.CREATE_KEY.targets(call, unit)), unit)

    return room.key(room.store.write(answer).result()["KeyMetadata"]["KeyId"])

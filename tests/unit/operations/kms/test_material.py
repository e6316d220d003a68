"""Key material: what stays in memory, and what always comes from the store."""

from __future__ import annotations

import msgspec
import pytest

from strongroom.crypto.aead import KeyHandle
from strongroom.crypto.context import encode_context
from strongroom.errors import IntegrityError
from strongroom.keys.ciphertext import Ciphertext, parse_ciphertext
from strongroom.keys.records import KeyMaterial, KmsKey
from strongroom.operations.call import Resources
from strongroom.operations.kms.material import KeyMaterialDamage, KeyMemory, decrypt, encrypt, new_key
from support.entropies import pattern
from support.key_room import ACCOUNT, NOON, REGION, KeyRoom

CONTEXT = encode_context({"a": "b"})


@pytest.fixture
def room() -> KeyRoom:
    return KeyRoom()


def made(room: KeyRoom) -> KmsKey:
    return new_key(
        account_id=ACCOUNT,
        region=REGION,
        policy="{}",
        now=NOON,
        entropy=room.entropy,
        root_key=room.root_key,
    )


def parsed(blob: bytes) -> Ciphertext:
    ciphertext = parse_ciphertext(blob)
    assert ciphertext is not None
    return ciphertext


def handle(name: str) -> KeyHandle:
    return KeyHandle(pattern(name, 32))


def material(name: str) -> KeyMaterial:
    return KeyMaterial(material_id=name, created_at=NOON, sealed=name.encode())


def test_older_material_opens_what_it_sealed_and_the_newest_seals(room: KeyRoom) -> None:
    first = made(room)
    blob = parsed(encrypt(room.resources, first, b"x", CONTEXT))
    newer = msgspec.structs.replace(made(room), key_id=first.key_id, arn=first.arn)
    # The newer material is sealed for its own key's ARN; bind it to this key as a rotation would.
    sealed = room.root_key.wrap(
        "kms-material",
        pattern("second", 32),
        {"KeyArn": first.arn, "KeyMaterialId": newer.materials[0].material_id},
    )
    second = msgspec.structs.replace(newer.materials[0], sealed=sealed)
    rotated = msgspec.structs.replace(first, materials=(*first.materials, second))
    assert decrypt(room.resources, rotated, blob, CONTEXT) == b"x"
    assert parsed(encrypt(room.resources, rotated, b"x", CONTEXT)).material_id == second.material_id


def test_material_does_not_unwrap_for_another_key(room: KeyRoom) -> None:
    key, other = made(room), made(room)
    stolen = msgspec.structs.replace(other, materials=key.materials)
    with pytest.raises(KeyMaterialDamage) as damage:
        encrypt(room.resources, stolen, b"x", CONTEXT)
    assert str(damage.value) == f"the material of {other.arn} does not unwrap"


def test_a_blob_of_another_key_or_of_unknown_material_does_not_open(room: KeyRoom) -> None:
    key, other = made(room), made(room)
    blob = parsed(encrypt(room.resources, key, b"x", CONTEXT))
    for wrong in (other, msgspec.structs.replace(key, materials=other.materials)):
        with pytest.raises(IntegrityError, match="what was sealed does not open"):
            decrypt(room.resources, wrong, blob, CONTEXT)


def test_without_a_memory_everything_still_opens(room: KeyRoom) -> None:
    resources = Resources(room.store, room.root_key, room.entropy)
    key = made(room)
    blob = parsed(encrypt(resources, key, b"x", CONTEXT))
    assert decrypt(resources, key, blob, CONTEXT) == b"x"
    assert len(room.memory) == 0


def test_memory_follows_the_stored_material_not_the_name() -> None:
    memory, kept = KeyMemory(), handle("one")
    stored = material("m")
    memory.keep("arn", stored, kept)
    assert memory.handle("arn", stored) is kept
    assert memory.handle("arn", msgspec.structs.replace(stored, sealed=b"changed")) is None
    assert memory.handle("arn:other", stored) is None
    newer = handle("two")
    memory.keep("arn", msgspec.structs.replace(stored, sealed=b"changed"), newer)
    assert memory.handle("arn", stored) is None
    assert len(memory) == 1


def test_memory_is_bounded_and_drops_the_oldest() -> None:
    memory = KeyMemory(capacity=3)
    for name in "abcd":
        memory.keep("arn", material(name), handle(name))
    assert len(memory) == 3
    assert memory.handle("arn", material("a")) is None
    assert memory.handle("arn", material("b")) is not None


def test_memory_forgets_a_key() -> None:
    memory = KeyMemory()
    for arn in ("one", "two"):
        for name in "ab":
            memory.keep(arn, material(name), handle(name))
    memory.forget("one")
    assert len(memory) == 2
    assert memory.handle("one", material("a")) is None
    assert memory.handle("two", material("a")) is not None

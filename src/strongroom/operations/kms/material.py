"""KMS key material at work: making keys, sealing and opening under them, and the handles kept in memory."""

from __future__ import annotations

import datetime as dt
import threading
import uuid
from typing import Final

from strongroom.crypto.aead import DOES_NOT_OPEN, KEY_BYTES, SEALING_BYTES, KeyHandle
from strongroom.errors import IntegrityError
from strongroom.keys.ciphertext import Ciphertext, encode_header
from strongroom.keys.records import KeyMaterial, KmsKey
from strongroom.names import AccountId, Region, kms_key_arn
from strongroom.operations.call import Resources
from strongroom.ports import Entropy, RootKey

MATERIAL_PURPOSE: Final = "kms-material"
"""The root key's purpose for key material (docs/spec/envelope.md section 3)."""


class KeyMaterialDamage(IntegrityError):
    """Stored key material does not unwrap: damage of ours, whatever a client sent."""


class KeyMemory:
    """The key material handles one process has unwrapped, at most `capacity` of them, oldest dropped first.

    A handle serves only while the stored, sealed material is byte for byte the one it came from, so what the
    store says about a key always wins. Whether a key may be used is never remembered here. Threads may share
    it.
    """

    __slots__ = ("_capacity", "_handles", "_lock")

    def __init__(self, capacity: int = 10_000) -> None:
        self._capacity = capacity
        self._handles: dict[tuple[str, str], tuple[bytes, KeyHandle]] = {}
        self._lock = threading.Lock()

    def handle(self, key_arn: str, material: KeyMaterial) -> KeyHandle | None:
        """Return the handle kept for this material, or None."""
        kept = self._handles.get((key_arn, material.material_id))
        return kept[1] if kept is not None and kept[0] == material.sealed else None

    def keep(self, key_arn: str, material: KeyMaterial, handle: KeyHandle) -> None:
        with self._lock:
            self._handles.pop((key_arn, material.material_id), None)
            while len(self._handles) >= self._capacity:
                del self._handles[next(iter(self._handles))]
            self._handles[key_arn, material.material_id] = (material.sealed, handle)

    def forget(self, key_arn: str) -> None:
        """Drop every handle of a key, as when it is deleted."""
        with self._lock:
            for kept in [kept for kept in self._handles if kept[0] == key_arn]:
                del self._handles[kept]

    def __len__(self) -> int:
        return len(self._handles)


def new_key(
    *,
    account_id: AccountId,
    region: Region,
    policy: str,
    now: dt.datetime,
    entropy: Entropy,
    root_key: RootKey,
) -> KmsKey:
    """Return a new, enabled, symmetric key with one generation of material, not saved yet."""
    key_id = str(uuid.UUID(bytes=entropy.token_bytes(16), version=4))
    arn = kms_key_arn(region, account_id, key_id)
    material_id = entropy.token_bytes(32).hex()
    sealed = root_key.wrap(MATERIAL_PURPOSE, entropy.token_bytes(KEY_BYTES), _binding(arn, material_id))
    return KmsKey(
        key_id=key_id,
        arn=arn,
        account_id=account_id,
        region=region,
        created_at=now,
        policy=policy,
        materials=(KeyMaterial(material_id=material_id, created_at=now, sealed=sealed),),
    )


def encrypt(resources: Resources, key: KmsKey, plaintext: bytes, context: bytes) -> bytes:
    """Return the CiphertextBlob of `plaintext` under the key's newest material.

    `context` is the encryption context it is bound to, from `encode_context`.
    """
    return seal_blob(resources, key, plaintext, context, resources.entropy.token_bytes(SEALING_BYTES))


def seal_blob(
    resources: Resources, key: KmsKey, plaintext: bytes, context: bytes, randomness: bytes
) -> bytes:
    """`encrypt` with the SEALING_BYTES random bytes given."""
    material = key.materials[-1]
    header = encode_header(key.arn, material.material_id)
    handle = _handle(resources, key, material)
    return header + handle.seal(plaintext, header + context, randomness=randomness)


def decrypt(resources: Resources, key: KmsKey, ciphertext: Ciphertext, context: bytes) -> bytes:
    """Return what was encrypted. The caller has checked permission and state.

    Raises:
        KeyMaterialDamage: the stored key material is damaged.
        IntegrityError: another key's or unknown material, another context, or a changed byte.
    """
    if ciphertext.key_arn != key.arn:
        raise IntegrityError(DOES_NOT_OPEN)
    for material in reversed(key.materials):
        if material.material_id == ciphertext.material_id:
            handle = _handle(resources, key, material)
            return handle.open(ciphertext.sealed, ciphertext.header + context)
    raise IntegrityError(DOES_NOT_OPEN)


def _handle(resources: Resources, key: KmsKey, material: KeyMaterial) -> KeyHandle:
    memory = resources.key_memory
    if not isinstance(memory, KeyMemory):
        return _unwrap(resources, key, material)
    kept = memory.handle(key.arn, material)
    if kept is None:
        kept = _unwrap(resources, key, material)
        memory.keep(key.arn, material, kept)
    return kept


def _unwrap(resources: Resources, key: KmsKey, material: KeyMaterial) -> KeyHandle:
    binding = _binding(key.arn, material.material_id)
    try:
        return KeyHandle(resources.root_key.unwrap(MATERIAL_PURPOSE, material.sealed, binding))
    except IntegrityError as exc:
        raise KeyMaterialDamage(f"the material of {key.arn} does not unwrap") from exc


def _binding(key_arn: str, material_id: str) -> dict[str, str]:
    return {"KeyArn": key_arn, "KeyMaterialId": material_id}

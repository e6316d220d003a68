"""KMS key material at work: making keys, sealing and opening under them, and the handles kept in memory."""

from __future__ import annotations

import datetime as dt
import threading
import uuid
from typing import Final, TypeAlias, TypeVar

from msgspec.structs import replace

from strongroom.crypto.aead import DOES_NOT_OPEN, KEY_BYTES, SEALING_BYTES, KeyHandle
from strongroom.crypto.mac_keys import MacKeyHandle
from strongroom.crypto.private_keys import PrivateKeyHandle
from strongroom.errors import IntegrityError
from strongroom.keys.ciphertext import Ciphertext, encode_header
from strongroom.keys.records import KeyMaterial, KmsKey
from strongroom.keys.specs import ENCRYPT_DECRYPT, MAC_KEY_BYTES, SYMMETRIC
from strongroom.names import AccountId, Region, kms_key_arn
from strongroom.operations.call import Resources
from strongroom.ports import Entropy, RootKey

H = TypeVar("H", KeyHandle, MacKeyHandle, PrivateKeyHandle)

MATERIAL_PURPOSE: Final = "kms-material"
"""The root key's purpose for key material (docs/spec/envelope.md section 3)."""

Handle: TypeAlias = KeyHandle | MacKeyHandle | PrivateKeyHandle
"""What key material is used through: of a symmetric, an HMAC or an asymmetric key."""


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
        self._handles: dict[tuple[str, str], tuple[bytes, Handle]] = {}
        self._lock = threading.Lock()

    def handle(self, key_arn: str, material: KeyMaterial) -> Handle | None:
        """Return the handle kept for this material, or None."""
        kept = self._handles.get((key_arn, material.material_id))
        return kept[1] if kept is not None and kept[0] == material.sealed else None

    def keep(self, key_arn: str, material: KeyMaterial, handle: Handle) -> None:
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
    spec: str = SYMMETRIC,
    usage: str = ENCRYPT_DECRYPT,
    private_key: PrivateKeyHandle | None = None,
    multi_region: bool = False,
) -> KmsKey:
    """Return a new, enabled key with one generation of material, not saved yet.

    With `multi_region` it is a primary key, so far without replicas.
    `private_key` is the material of an asymmetric key, which takes time to make; that of others is made here.
    """
    number = uuid.UUID(bytes=entropy.token_bytes(16), version=4)
    key_id = f"mrk-{number.hex}" if multi_region else str(number)
    arn = kms_key_arn(region, account_id, key_id)
    key = KmsKey(
        key_id=key_id,
        arn=arn,
        account_id=account_id,
        region=region,
        created_at=now,
        policy=policy,
        materials=(),
        spec=spec,
        usage=usage,
        multi_region=multi_region,
        primary_region=region if multi_region else None,
    )
    if private_key is None:
        plaintext = entropy.token_bytes(MAC_KEY_BYTES.get(spec, KEY_BYTES))
    else:
        plaintext = private_key.pkcs8()
    material_id = entropy.token_bytes(32).hex()
    sealed = seal_material(root_key, key, material_id, plaintext)
    material = KeyMaterial(material_id=material_id, created_at=now, sealed=sealed)
    return replace(key, materials=(material,))


def seal_material(root_key: RootKey, key: KmsKey, material_id: str, plaintext: bytes) -> bytes:
    """Return `plaintext` as `KeyMaterial.sealed` of this key; nothing else opens it."""
    return root_key.wrap(MATERIAL_PURPOSE, plaintext, _binding(key, material_id))


def open_material(root_key: RootKey, key: KmsKey, material: KeyMaterial) -> bytes:
    """Return what `seal_material` was given.

    Raises:
        KeyMaterialDamage: it does not open.
    """
    try:
        return root_key.unwrap(MATERIAL_PURPOSE, material.sealed, _binding(key, material.material_id))
    except IntegrityError as exc:
        raise KeyMaterialDamage(f"the material of {key.arn} does not unwrap") from exc


def private_key(resources: Resources, key: KmsKey) -> PrivateKeyHandle:
    """Return the private key of an asymmetric key. Raises KeyMaterialDamage."""
    return _handle(resources, key, key.materials[-1], PrivateKeyHandle)


def mac_key(resources: Resources, key: KmsKey) -> MacKeyHandle:
    """Return the key of an HMAC key. Raises KeyMaterialDamage."""
    return _handle(resources, key, key.materials[-1], MacKeyHandle)


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
    handle = _handle(resources, key, material, KeyHandle)
    return header + handle.seal(plaintext, header + context, randomness=randomness)


def decrypt(resources: Resources, key: KmsKey, ciphertext: Ciphertext, context: bytes) -> bytes:
    """Return what was encrypted. The caller has checked permission and state.

    Raises:
        KeyMaterialDamage: the stored key material is damaged.
        IntegrityError: another key's or unknown material, another context, or a changed byte.
    """
    if not ciphertext.is_under(key.arn):
        raise IntegrityError(DOES_NOT_OPEN)
    for material in reversed(key.materials):
        if material.material_id == ciphertext.material_id:
            handle = _handle(resources, key, material, KeyHandle)
            return handle.open(ciphertext.sealed, ciphertext.header + context)
    raise IntegrityError(DOES_NOT_OPEN)


def _handle(resources: Resources, key: KmsKey, material: KeyMaterial, kind: type[H]) -> H:
    memory = resources.key_memory
    kept = memory.handle(key.arn, material) if isinstance(memory, KeyMemory) else None
    # SECURITY: a handle of one kind is never taken for another: bytes meet one algorithm only.
    if isinstance(kept, kind):
        return kept
    handle = _unwrap(resources, key, material)
    if not isinstance(handle, kind):
        raise TypeError(f"a key of spec {key.spec} has no {kind.__name__}")
    if isinstance(memory, KeyMemory):
        memory.keep(key.arn, material, handle)
    return handle


def _unwrap(resources: Resources, key: KmsKey, material: KeyMaterial) -> Handle:
    plaintext = open_material(resources.root_key, key, material)
    if key.spec == SYMMETRIC:
        return KeyHandle(plaintext)
    if key.spec in MAC_KEY_BYTES:
        return MacKeyHandle(plaintext)
    try:
        return PrivateKeyHandle.open(plaintext)
    except IntegrityError as exc:
        raise KeyMaterialDamage(f"the material of {key.arn} is no private key") from exc


def _binding(key: KmsKey, material_id: str) -> dict[str, str]:
    binding = {"KeyArn": key.arn, "KeyMaterialId": material_id}
    if key.spec != SYMMETRIC:
        # SECURITY: a stored record that was made another spec or usage opens no more: a HMAC over messages of
        # the caller's choice under a symmetric key would give away keys derived from it.
        binding |= {"KeySpec": key.spec, "KeyUsage": key.usage}
    return binding

"""Zip files at rest: sealed in parts, each bound to its place, under a data key of their own.

A part is small enough to be a record; a file of 50 MB makes some fifty. DESIGN promise 6.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from strongroom.crypto.aead import KEY_BYTES, SEALING_BYTES, KeyHandle
from strongroom.crypto.context import encode_context
from strongroom.errors import IntegrityError
from strongroom.function.records import CodePart, StoredCode
from strongroom.operations.call import Resources
from strongroom.ports import CODE_PARTS, STORED_CODE, Entropy, ReadUnit, RootKey, WriteUnit

__all__ = ["PART_BYTES", "SealedCode", "delete_code", "load_code", "loader", "save_code", "seal_code"]

PART_BYTES: Final = 1 << 20
_PURPOSE: Final = "function-code"
_ID_BYTES: Final = 16


@dataclass(frozen=True, slots=True, repr=False)
class SealedCode:
    """A zip file as it is going to be stored, and what is known of it."""

    record: StoredCode
    parts: tuple[CodePart, ...]
    sha256: str
    """Base64."""
    size: int
    unzipped_size: int

    @property
    def code_id(self) -> str:
        return self.record.code_id


def seal_code(root_key: RootKey, entropy: Entropy, zip_file: bytes, unzipped_size: int) -> SealedCode:
    """Return the file in parts that open only with the root key, together, and in their order."""
    code_id = entropy.token_bytes(_ID_BYTES).hex()
    data_key = entropy.token_bytes(KEY_BYTES)
    handle = KeyHandle(data_key)
    pieces = [zip_file[at : at + PART_BYTES] for at in range(0, len(zip_file), PART_BYTES)]
    parts = tuple(
        CodePart(
            code_id=code_id,
            number=number,
            sealed=handle.seal(
                piece,
                _bound(code_id, number, len(pieces)),
                randomness=entropy.token_bytes(SEALING_BYTES),
            ),
        )
        for number, piece in enumerate(pieces)
    )
    sealed_key = root_key.wrap(_PURPOSE, data_key, {"CodeId": code_id})
    return SealedCode(
        StoredCode(code_id=code_id, sealed_key=sealed_key, parts=len(parts)),
        parts,
        base64.b64encode(hashlib.sha256(zip_file).digest()).decode(),
        len(zip_file),
        unzipped_size,
    )


def save_code(unit: WriteUnit, code: SealedCode) -> None:
    unit.save(STORED_CODE, code.record)
    for part in code.parts:
        unit.save(CODE_PARTS, part)


def delete_code(unit: WriteUnit, code_id: str) -> None:
    """No trace of the file is left."""
    record = unit.find(STORED_CODE, "", code_id)
    if record is None:
        return
    for number in range(record.parts):
        unit.delete(CODE_PARTS, code_id, f"{number:06}")
    unit.delete(STORED_CODE, "", code_id)


def load_code(unit: ReadUnit, root_key: RootKey, code_id: str) -> bytes:
    """Return the zip file.

    Raises:
        IntegrityError: it is not there whole, or was changed.
    """
    record = unit.find(STORED_CODE, "", code_id)
    if record is None:
        raise IntegrityError(f"the code {code_id} of a function is not there")
    handle = KeyHandle(root_key.unwrap(_PURPOSE, record.sealed_key, {"CodeId": code_id}))
    pieces: list[bytes] = []
    for number in range(record.parts):
        part = unit.find(CODE_PARTS, code_id, f"{number:06}")
        if part is None:
            raise IntegrityError(f"part {number} of the code {code_id} of a function is not there")
        pieces.append(handle.open(part.sealed, _bound(code_id, number, record.parts)))
    return b"".join(pieces)


def loader(resources: Resources, code_id: str) -> Callable[[], bytes]:
    """Return what loads a zip file when it is called; it takes a unit of its own then."""

    def load() -> bytes:
        return resources.store.read(lambda unit: load_code(unit, resources.root_key, code_id))

    return load


def _bound(code_id: str, number: int, parts: int) -> bytes:
    return encode_context({"CodeId": code_id, "Part": str(number), "Parts": str(parts)})

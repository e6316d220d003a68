"""The layout of a symmetric CiphertextBlob, so that Decrypt needs to be told no key.

    offset  size  field
    0       4     magic "SRKC"
    4       1     layout version, 1
    5       1     A, length of the key ARN in bytes, 1 to 255
    6       A     key ARN, ASCII
    6+A     32    key material id (its 64 hex digits as bytes)
    38+A    16    salt of the message key
    54+A    12    nonce
    66+A    P     ciphertext, as long as the plaintext
    66+A+P  16    tag

Associated data: every byte before the salt, then the canonical encryption context. To clients all of this is
opaque. Normative text and vectors: docs/spec/envelope.md section 6. Source: fact sheet kms section 8.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from strongroom.names import AccountId, Arn, Region

MULTI_REGION_PREFIX: Final = "mrk-"
"""Begins the key ids of multi-Region keys; related keys of all regions have the same id and material."""
MAGIC: Final = b"SRKC\x01"
_ARN_LENGTH_AT: Final = len(MAGIC)
_ARN_AT: Final = _ARN_LENGTH_AT + 1
_MATERIAL_ID_BYTES: Final = 32
_SEALED_MINIMUM: Final = 16 + 12 + 16
_KEY_ARN: Final = re.compile(
    r"arn:aws[a-z-]*:kms:([a-z0-9-]{1,32}):([0-9]{12}):key/([a-z0-9-]{1,64})", re.ASCII
)


class Ciphertext(msgspec.Struct, frozen=True):
    """The parts of a blob that keeps to the layout; whether it opens is not known yet."""

    key_arn: Arn
    region: Region
    account_id: AccountId
    key_id: str
    material_id: str
    """64 lower-case hex digits."""
    header: bytes
    """Every byte before the salt."""
    sealed: bytes
    """Salt, nonce, ciphertext, tag."""

    def is_under(self, key_arn: str) -> bool:
        """True when the blob says it was made under this key, or under its related key of another region."""
        if self.key_arn == key_arn:
            return True
        if not self.key_id.startswith(MULTI_REGION_PREFIX):
            return False
        region = key_arn.split(":")[3]
        return self.key_arn.replace(f":kms:{self.region}:", f":kms:{region}:", 1) == key_arn


def encode_header(key_arn: str, material_id: str) -> bytes:
    """Return the bytes that stand before the salt and are bound as associated data.

    Raises:
        ValueError: `key_arn` or `material_id` has not the form the layout holds.
    """
    material = bytes.fromhex(material_id)
    if _KEY_ARN.fullmatch(key_arn) is None or len(material) != _MATERIAL_ID_BYTES:
        raise ValueError("not a KMS key's ARN and material id")
    return MAGIC + bytes((len(key_arn),)) + key_arn.encode("ascii") + material


def parse_ciphertext(blob: bytes) -> Ciphertext | None:
    """Return the parts of a blob; None when it was not made by `encode_header` and a seal."""
    if len(blob) <= _ARN_AT or not blob.startswith(MAGIC):
        return None
    material_at = _ARN_AT + blob[_ARN_LENGTH_AT]
    sealed_at = material_at + _MATERIAL_ID_BYTES
    if len(blob) - sealed_at < _SEALED_MINIMUM:
        return None
    key_arn = blob[_ARN_AT:material_at].decode("latin-1")
    match = _KEY_ARN.fullmatch(key_arn)
    if match is None:
        return None
    region, account_id, key_id = match.groups()
    return Ciphertext(
        Arn(key_arn),
        Region(region),
        AccountId(account_id),
        key_id,
        blob[material_at:sealed_at].hex(),
        blob[:sealed_at],
        blob[sealed_at:],
    )

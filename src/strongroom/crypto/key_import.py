"""Opening key material that a customer wrapped for import, with the private key made for it.

Layouts (KMS's wrapping algorithms): RSAES_OAEP_*: the material under RSA alone. RSA_AES_KEY_WRAP_*: an AES
key under RSA-OAEP, and behind it the material under that key by AES key wrap with padding (RFC 5649).
Source: fact sheet kms section 3, GetParametersForImport.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap_with_padding

from strongroom.crypto.aead import DOES_NOT_OPEN
from strongroom.crypto.private_keys import PrivateKeyHandle
from strongroom.errors import IntegrityError

WRAPPING_KEY_BYTES: Final[Mapping[str, int]] = {"RSA_2048": 256, "RSA_3072": 384, "RSA_4096": 512}
"""Length of what RSA encrypts, by the spec of the wrapping key."""
WRAPPING_ALGORITHMS: Final[Mapping[str, str]] = {
    "RSAES_OAEP_SHA_1": "RSAES_OAEP_SHA_1",
    "RSAES_OAEP_SHA_256": "RSAES_OAEP_SHA_256",
    "RSA_AES_KEY_WRAP_SHA_1": "RSAES_OAEP_SHA_1",
    "RSA_AES_KEY_WRAP_SHA_256": "RSAES_OAEP_SHA_256",
}
"""Each with the RSA encryption it begins with."""


def open_wrapped(pkcs8: bytes, spec: str, algorithm: str, wrapped: bytes) -> bytes:
    """Return the material that was wrapped for the private key `pkcs8`.

    Raises:
        IntegrityError: another key or algorithm, or bytes changed, added or missing.
    """
    key, size = PrivateKeyHandle.open(pkcs8), WRAPPING_KEY_BYTES[spec]
    rsa = WRAPPING_ALGORITHMS[algorithm]
    if rsa == algorithm:
        return key.decrypt(rsa, wrapped)
    try:
        return aes_key_unwrap_with_padding(key.decrypt(rsa, wrapped[:size]), wrapped[size:])
    except (InvalidUnwrap, ValueError):
        raise IntegrityError(DOES_NOT_OPEN) from None

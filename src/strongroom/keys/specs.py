"""What kinds of KMS keys there are, what each may be used for, and with which algorithms.

Sources: fact sheet kms section 3; the service model's texts on KeySpec and KeyUsage.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

SYMMETRIC: Final = "SYMMETRIC_DEFAULT"

ENCRYPT_DECRYPT: Final = "ENCRYPT_DECRYPT"
SIGN_VERIFY: Final = "SIGN_VERIFY"
GENERATE_VERIFY_MAC: Final = "GENERATE_VERIFY_MAC"
KEY_AGREEMENT: Final = "KEY_AGREEMENT"
ENCAPSULATE_DECAPSULATE: Final = "ENCAPSULATE_DECAPSULATE"

_RSA: Final[Mapping[str, tuple[str, ...]]] = {
    ENCRYPT_DECRYPT: ("RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256"),
    SIGN_VERIFY: (
        "RSASSA_PKCS1_V1_5_SHA_256",
        "RSASSA_PKCS1_V1_5_SHA_384",
        "RSASSA_PKCS1_V1_5_SHA_512",
        "RSASSA_PSS_SHA_256",
        "RSASSA_PSS_SHA_384",
        "RSASSA_PSS_SHA_512",
    ),
}
_ML_DSA: Final[Mapping[str, tuple[str, ...]]] = {SIGN_VERIFY: ("ML_DSA_SHAKE_256",)}
_ML_KEM: Final[Mapping[str, tuple[str, ...]]] = {ENCAPSULATE_DECAPSULATE: ("ML_KEM",)}


def _curve(signing: str) -> Mapping[str, tuple[str, ...]]:
    return {SIGN_VERIFY: (signing,), KEY_AGREEMENT: ("ECDH",)}


KEY_SPECS: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    SYMMETRIC: {ENCRYPT_DECRYPT: (SYMMETRIC,)},
    "HMAC_224": {GENERATE_VERIFY_MAC: ("HMAC_SHA_224",)},
    "HMAC_256": {GENERATE_VERIFY_MAC: ("HMAC_SHA_256",)},
    "HMAC_384": {GENERATE_VERIFY_MAC: ("HMAC_SHA_384",)},
    "HMAC_512": {GENERATE_VERIFY_MAC: ("HMAC_SHA_512",)},
    "RSA_2048": _RSA,
    "RSA_3072": _RSA,
    "RSA_4096": _RSA,
    "ECC_NIST_P256": _curve("ECDSA_SHA_256"),
    "ECC_NIST_P384": _curve("ECDSA_SHA_384"),
    "ECC_NIST_P521": _curve("ECDSA_SHA_512"),
    "ECC_SECG_P256K1": {SIGN_VERIFY: ("ECDSA_SHA_256",)},
    "ECC_NIST_EDWARDS25519": {SIGN_VERIFY: ("ED25519_SHA_512",)},
    "ML_DSA_44": _ML_DSA,
    "ML_DSA_65": _ML_DSA,
    "ML_DSA_87": _ML_DSA,
    "ML_KEM_768": _ML_KEM,
    "ML_KEM_1024": _ML_KEM,
}
"""Key spec to its usages, each with the algorithms it is used with, in the order KeyMetadata lists them."""

MAC_KEY_BYTES: Final[Mapping[str, int]] = {"HMAC_224": 28, "HMAC_256": 32, "HMAC_384": 48, "HMAC_512": 64}
"""Length of the material of HMAC keys: that of their digest."""

ALGORITHM_MEMBERS: Final[Mapping[str, str]] = {
    ENCRYPT_DECRYPT: "EncryptionAlgorithms",
    SIGN_VERIFY: "SigningAlgorithms",
    GENERATE_VERIFY_MAC: "MacAlgorithms",
    KEY_AGREEMENT: "KeyAgreementAlgorithms",
    ENCAPSULATE_DECAPSULATE: "EncapsulationAlgorithms",
}
"""The member of KeyMetadata that lists a key's algorithms, by its usage."""

SLOW_SPECS: Final = frozenset({"RSA_2048", "RSA_3072", "RSA_4096", "ML_DSA_44", "ML_DSA_65", "ML_DSA_87"})
"""Specs whose private keys take milliseconds to work with, and RSA up to seconds to make."""


def is_key_pair(spec: str) -> bool:
    """True for specs with a public and a private key."""
    return spec != SYMMETRIC and spec not in MAC_KEY_BYTES


def key_type(spec: str) -> str:
    """Return `symmetric`, `HMAC` or `asymmetric`: an alias stays with keys of one type."""
    if spec in MAC_KEY_BYTES:
        return "HMAC"
    return "asymmetric" if is_key_pair(spec) else "symmetric"


def algorithms(spec: str, usage: str) -> tuple[str, ...]:
    """Return what a key of this spec and usage can be used with."""
    return KEY_SPECS.get(spec, {}).get(usage, ())

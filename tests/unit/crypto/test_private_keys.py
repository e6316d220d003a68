"""Handles of private keys and of MAC keys: used, not seen."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from functools import cache

import pytest
from cryptography.hazmat.primitives.asymmetric import x25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from strongroom.crypto.mac_keys import MacKeyHandle
from strongroom.crypto.private_keys import PAIR_SPECS, PrivateKeyHandle, message_bytes
from strongroom.errors import IntegrityError

SECRET = b"a MAC key nobody may see, 32 long"


@cache
def private(spec: str) -> PrivateKeyHandle:
    return PrivateKeyHandle.generate(spec)


@pytest.mark.parametrize("spec", sorted(PAIR_SPECS - {"RSA_3072", "RSA_4096"}))
def test_a_key_that_was_kept_is_the_same_key(spec: str) -> None:
    key = private(spec)
    again = PrivateKeyHandle.open(key.pkcs8())
    assert again.pkcs8() == key.pkcs8()
    assert again.public_der() == key.public_der()


@pytest.mark.parametrize("handle", [lambda: private("ECC_NIST_P256"), lambda: MacKeyHandle(SECRET)])
def test_a_handle_can_be_neither_printed_copied_nor_stored(
    handle: Callable[[], PrivateKeyHandle | MacKeyHandle],
) -> None:
    key = handle()
    assert repr(key) == str(key) == f"<{type(key).__name__}>"
    with pytest.raises(TypeError, match="cannot be copied or stored"):
        pickle.dumps(key)
    for way in (copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="cannot be copied or stored"):
            way(key)
    with pytest.raises(AttributeError):
        key.anything = 1  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "kept",
    [b"", b"no key", private("ECC_NIST_P256").public_der()],
    ids=["nothing", "other bytes", "a public key"],
)
def test_what_is_no_private_key_does_not_open(kept: bytes) -> None:
    with pytest.raises(IntegrityError) as refused:
        PrivateKeyHandle.open(kept)
    assert str(refused.value) == "what was sealed does not open"


def test_a_key_of_another_kind_does_not_open() -> None:
    other = x25519.X25519PrivateKey.generate()
    with pytest.raises(IntegrityError):
        PrivateKeyHandle.open(other.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()))


def test_only_rsa_keys_encrypt_and_only_curves_agree() -> None:
    curve, rsa = private("ECC_NIST_P256"), private("RSA_2048")
    for use in (
        lambda: curve.encrypt("RSAES_OAEP_SHA_256", b"x"),
        lambda: curve.decrypt("RSAES_OAEP_SHA_256", b"x"),
        lambda: curve.longest_plaintext("RSAES_OAEP_SHA_256"),
    ):
        with pytest.raises(TypeError, match="not an RSA key"):
            use()
    with pytest.raises(ValueError, match="not a key on an elliptic curve"):
        rsa.agree(curve.public_der())


@pytest.mark.parametrize(
    ("algorithm", "message_type", "length"),
    [
        ("RSASSA_PSS_SHA_256", "RAW", None),
        ("RSASSA_PSS_SHA_256", "DIGEST", 32),
        ("ECDSA_SHA_384", "DIGEST", 48),
        ("RSASSA_PKCS1_V1_5_SHA_512", "DIGEST", 64),
        ("ML_DSA_SHAKE_256", "EXTERNAL_MU", 64),
        ("ML_DSA_SHAKE_256", "RAW", None),
    ],
)
def test_lengths_of_messages(algorithm: str, message_type: str, length: int | None) -> None:
    assert message_bytes(algorithm, message_type) == length


def test_a_mac_is_compared_whole() -> None:
    key = MacKeyHandle(SECRET)
    mac = key.mac("HMAC_SHA_256", b"message")
    assert key.is_mac("HMAC_SHA_256", b"message", mac)
    assert not key.is_mac("HMAC_SHA_256", b"message", mac[:16])
    assert not key.is_mac("HMAC_SHA_384", b"message", mac)
    assert not MacKeyHandle(SECRET + b"!").is_mac("HMAC_SHA_256", b"message", mac)

"""AES-256-GCM under handles: what opens, what does not, and what a handle never gives away."""

from __future__ import annotations

import copy
import pickle

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.kbkdf import KBKDFHMAC, CounterLocation, Mode
from hypothesis import given
from hypothesis import strategies as st

from strongroom.crypto.aead import (
    CHECK_LABEL,
    MESSAGE_LABEL,
    OVERHEAD_BYTES,
    SEALING_BYTES,
    SUBKEY_LABEL,
    KeyHandle,
    derive_key,
    open_once,
    seal_once,
)
from strongroom.errors import IntegrityError
from support.entropies import pattern

KEY = pattern("key", 32)
RANDOMNESS = pattern("randomness", SEALING_BYTES)
DOES_NOT_OPEN = "what was sealed does not open"


def kbkdf(key: bytes, label: bytes, context: bytes) -> bytes:
    """SP 800-108 counter mode by another implementation."""
    return KBKDFHMAC(
        algorithm=hashes.SHA256(),
        mode=Mode.CounterMode,
        length=32,
        rlen=4,
        llen=4,
        location=CounterLocation.BeforeFixed,
        label=label,
        context=context,
        fixed=None,
    ).derive(key)


@pytest.mark.parametrize("label", [MESSAGE_LABEL, SUBKEY_LABEL, CHECK_LABEL])
@given(key=st.binary(min_size=32, max_size=32), context=st.binary(max_size=64))
def test_derivation_is_counter_mode_of_sp_800_108(label: bytes, key: bytes, context: bytes) -> None:
    assert derive_key(key, label, context) == kbkdf(key, label, context)


def test_labels_hold_no_separator() -> None:
    assert not any(b"\x00" in label for label in (MESSAGE_LABEL, SUBKEY_LABEL, CHECK_LABEL))


def test_a_sealed_message_is_salt_nonce_and_gcm_under_the_derived_key() -> None:
    sealed = KeyHandle(KEY).seal(b"plain", b"bound", randomness=RANDOMNESS)
    message_key = kbkdf(KEY, MESSAGE_LABEL, RANDOMNESS[:16])
    assert sealed == RANDOMNESS + AESGCM(message_key).encrypt(RANDOMNESS[16:], b"plain", b"bound")
    assert len(sealed) == len(b"plain") + OVERHEAD_BYTES


def test_check_value_and_subkeys_are_derived_apart() -> None:
    handle = KeyHandle(KEY)
    assert handle.check_value() == kbkdf(KEY, CHECK_LABEL, b"")
    assert handle.subkey("a").check_value() == kbkdf(kbkdf(KEY, SUBKEY_LABEL, b"a"), CHECK_LABEL, b"")
    assert handle.subkey("a").check_value() != handle.subkey("b").check_value()


@given(
    plaintext=st.binary(max_size=200),
    aad=st.binary(max_size=50),
    randomness=st.binary(min_size=28, max_size=28),
)
def test_what_was_sealed_opens(plaintext: bytes, aad: bytes, randomness: bytes) -> None:
    handle = KeyHandle(KEY)
    assert handle.open(handle.seal(plaintext, aad, randomness=randomness), aad) == plaintext


def test_no_changed_byte_opens() -> None:
    handle = KeyHandle(KEY)
    sealed = handle.seal(b"plaintext", b"bound", randomness=RANDOMNESS)
    for at in range(len(sealed)):
        changed = sealed[:at] + bytes((sealed[at] ^ 1,)) + sealed[at + 1 :]
        with pytest.raises(IntegrityError, match=DOES_NOT_OPEN):
            handle.open(changed, b"bound")


def test_no_cut_or_longer_message_opens() -> None:
    handle = KeyHandle(KEY)
    sealed = handle.seal(b"plaintext", b"bound", randomness=RANDOMNESS)
    for wrong in (*(sealed[:length] for length in range(len(sealed))), sealed + b"\x00", b"\x00" + sealed):
        with pytest.raises(IntegrityError, match=DOES_NOT_OPEN):
            handle.open(wrong, b"bound")


@pytest.mark.parametrize(
    ("key", "aad"),
    [
        pytest.param(pattern("other key", 32), b"bound", id="another key"),
        pytest.param(KEY, b"", id="no associated data"),
        pytest.param(KEY, b"boune", id="other associated data"),
    ],
)
def test_nothing_opens_under_another_key_or_binding(key: bytes, aad: bytes) -> None:
    sealed = KeyHandle(KEY).seal(b"plaintext", b"bound", randomness=RANDOMNESS)
    with pytest.raises(IntegrityError, match=DOES_NOT_OPEN):
        KeyHandle(key).open(sealed, aad)


def test_a_subkey_does_not_open_what_its_parent_sealed() -> None:
    handle = KeyHandle(KEY)
    with pytest.raises(IntegrityError):
        handle.subkey("purpose").open(handle.seal(b"x", b"", randomness=RANDOMNESS), b"")


@pytest.mark.parametrize("size", [0, 16, 31, 33])
def test_a_handle_takes_256_bits_only(size: int) -> None:
    with pytest.raises(ValueError, match="a key is 32 bytes"):
        KeyHandle(bytes(size))


@pytest.mark.parametrize("size", [0, 12, 27, 29])
def test_sealing_takes_exactly_its_random_bytes(size: int) -> None:
    with pytest.raises(ValueError, match="sealing takes 28 random bytes"):
        KeyHandle(KEY).seal(b"x", b"", randomness=bytes(size))


def test_a_handle_shows_nothing_and_cannot_be_copied() -> None:
    handle = KeyHandle(KEY)
    assert repr(handle) == str(handle) == f"{handle}" == "<KeyHandle>"
    assert not hasattr(handle, "__dict__")
    for copying in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError, match="cannot be copied or stored"):
            copying(handle)
    with pytest.raises(TypeError, match="cannot be copied or stored"):
        handle.__getstate__()


def test_handles_of_one_key_do_not_compare_equal() -> None:
    assert KeyHandle(KEY) != KeyHandle(KEY)


def test_aes_256_gcm_as_the_specification_of_gcm_has_it() -> None:
    """Test case 16 of McGrew and Viega's "The Galois/Counter Mode of Operation", appendix B."""
    key = bytes.fromhex("feffe9928665731c6d6a8f9467308308" * 2)
    nonce = bytes.fromhex("cafebabefacedbaddecaf888")
    aad = bytes.fromhex("feedfacedeadbeeffeedfacedeadbeefabaddad2")
    plaintext = bytes.fromhex(
        "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
        "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"
    )
    sealed = bytes.fromhex(
        "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
        "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
        "76fc6ece0f4e1768cddf8853bb2d551b"
    )
    assert seal_once(key, plaintext, aad, nonce=nonce) == sealed
    assert open_once(key, sealed, aad, nonce=nonce) == plaintext


@pytest.mark.parametrize(
    ("key", "nonce", "sealed"),
    [
        pytest.param(bytes(31), bytes(12), bytes(16), id="short key"),
        pytest.param(bytes(32), bytes(11), bytes(16), id="short nonce"),
        pytest.param(bytes(32), bytes(12), bytes(15), id="no room for the tag"),
        pytest.param(bytes(32), bytes(12), bytes(16), id="wrong tag"),
    ],
)
def test_open_once_refuses_what_cannot_be_right(key: bytes, nonce: bytes, sealed: bytes) -> None:
    with pytest.raises(IntegrityError, match=DOES_NOT_OPEN):
        open_once(key, sealed, b"", nonce=nonce)


@pytest.mark.parametrize(("key", "nonce"), [(31, 12), (32, 11)])
def test_seal_once_takes_right_sizes_only(key: int, nonce: int) -> None:
    with pytest.raises(ValueError, match="a data key is 32 bytes and a nonce 12"):
        seal_once(bytes(key), b"", b"", nonce=bytes(nonce))

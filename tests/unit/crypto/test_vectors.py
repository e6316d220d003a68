"""The vectors of docs/spec/envelope.md open, and come out the same byte for byte when made again."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.kbkdf import KBKDFHMAC, CounterLocation, Mode

from strongroom.crypto.aead import KeyHandle
from strongroom.crypto.context import encode_context
from strongroom.crypto.envelope import parse
from strongroom.errors import IntegrityError
from strongroom.keys.ciphertext import parse_ciphertext
from strongroom.rootkey.held import HeldRootKey, parse_text
from strongroom.rootkey.passphrase import Argon2Parameters, derive
from support.entropies import WrittenEntropy
from support.envelope_vectors import FILES, VECTORS, document


def load(name: str) -> list[dict[str, Any]]:
    return json.loads((VECTORS / name).read_text(encoding="utf-8"))


def cases(name: str) -> Any:
    return pytest.mark.parametrize("vector", [pytest.param(v, id=v["name"]) for v in load(name)])


def kbkdf(key: bytes, label: bytes, context: bytes) -> bytes:
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


def opened(key: bytes, salted: bytes, aad: bytes) -> bytes:
    """Open salt, nonce, ciphertext and tag as the specification says, without the code under test."""
    message_key = kbkdf(key, b"strongroom/v1/message-key", salted[:16])
    return AESGCM(message_key).decrypt(salted[16:28], salted[28:], aad)


@pytest.mark.parametrize("name", FILES)
def test_vectors_come_out_the_same_when_made_again(name: str) -> None:
    assert (VECTORS / name).read_text(encoding="utf-8") == document(name)


def test_every_vector_file_is_known() -> None:
    assert {path.name for path in VECTORS.glob("*.json")} == set(FILES)


@cases("contexts.v1.json")
def test_contexts_encode_to_their_vector(vector: dict[str, Any]) -> None:
    assert encode_context(vector["context"]).hex() == vector["encoded"]


@cases("root-key-wrap.v1.json")
def test_wraps_of_the_root_key_open(vector: dict[str, Any]) -> None:
    key, sealed = bytes.fromhex(vector["root_key"]), bytes.fromhex(vector["sealed"])
    root = HeldRootKey(parse_text(vector["root_key_text"].encode(), "the vector"), WrittenEntropy())
    root.verify_check(bytes.fromhex(vector["check_value"]))
    assert root.unwrap(vector["purpose"], sealed, vector["context"]).hex() == vector["plaintext"]
    purpose = vector["purpose"].encode()
    aad = b"\x01" + len(purpose).to_bytes(4, "big") + purpose + encode_context(vector["context"])
    subkey = kbkdf(key, b"strongroom/v1/subkey", purpose)
    assert sealed[0] == 1
    assert opened(subkey, sealed[1:], aad).hex() == vector["plaintext"]
    assert kbkdf(key, b"strongroom/v1/check-value", b"").hex() == vector["check_value"]


@cases("root-key-passphrase.v1.json")
def test_passphrases_give_their_root_key(vector: dict[str, Any]) -> None:
    parameters = Argon2Parameters(**vector["parameters"])
    assert derive(vector["passphrase"].encode(), parameters).hex() == vector["root_key"]


@cases("secret-value.v1.json")
def test_values_open_from_the_root_key_down(vector: dict[str, Any]) -> None:
    root = HeldRootKey(bytes.fromhex(vector["root_key"]), WrittenEntropy())
    binding = {"KeyArn": vector["key_arn"], "KeyMaterialId": vector["key_material_id"]}
    material = root.unwrap("kms-material", bytes.fromhex(vector["sealed_key_material"]), binding)
    parts = parse(bytes.fromhex(vector["envelope"]))
    wrapped = parse_ciphertext(parts.wrapped_key)
    assert wrapped is not None
    assert (wrapped.key_arn, wrapped.material_id) == (vector["key_arn"], vector["key_material_id"])
    context = encode_context(vector["context"])
    data_key = KeyHandle(material).open(wrapped.sealed, wrapped.header + context)
    assert data_key.hex() == vector["data_key"]
    assert parts.kind.name.lower() == vector["kind"]
    assert parts.open(data_key, context).hex() == vector["value"]


@cases("secret-value.v1.json")
def test_values_open_by_the_specification_alone(vector: dict[str, Any]) -> None:
    made = bytes.fromhex(vector["envelope"])
    context = encode_context(vector["context"])
    assert made[:5] == b"SREV\x01"
    assert made[5] == {"text": 1, "binary": 2}[vector["kind"]]
    nonce_at = 8 + int.from_bytes(made[6:8], "big")
    wrapped = made[8:nonce_at]
    assert wrapped.hex() == vector["wrapped_key"]
    assert wrapped[:5] == b"SRKC\x01"
    arn_end = 6 + wrapped[5]
    assert wrapped[6:arn_end].decode() == vector["key_arn"]
    assert wrapped[arn_end : arn_end + 32].hex() == vector["key_material_id"]
    header, sealed = wrapped[: arn_end + 32], wrapped[arn_end + 32 :]
    data_key = opened(bytes.fromhex(vector["key_material"]), sealed, header + context)
    nonce, rest = made[nonce_at : nonce_at + 12], made[nonce_at + 12 :]
    assert AESGCM(data_key).decrypt(nonce, rest, made[:nonce_at] + context).hex() == vector["value"]


def test_no_byte_of_the_chain_can_be_changed() -> None:
    vector = next(v for v in load("secret-value.v1.json") if v["name"] == "text")
    made, context = bytes.fromhex(vector["envelope"]), encode_context(vector["context"])
    handle = KeyHandle(bytes.fromhex(vector["key_material"]))
    refused = 0
    for at in range(len(made)):
        changed = made[:at] + bytes((made[at] ^ 0x80,)) + made[at + 1 :]
        try:
            parts = parse(changed)
            wrapped = parse_ciphertext(parts.wrapped_key)
            if wrapped is None:
                raise IntegrityError("not a ciphertext")
            data_key = handle.open(wrapped.sealed, wrapped.header + context)
            parts.open(data_key, context)
        except IntegrityError:
            refused += 1
    assert refused == len(made)

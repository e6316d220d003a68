"""Makes the vectors of docs/spec/envelope.md: `python -m support.envelope_vectors` from tests/ writes them.

Inputs are SHAKE-256 of their names, so every byte of a vector follows from this file and the specification.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from strongroom.crypto import envelope
from strongroom.crypto.aead import KeyHandle
from strongroom.crypto.context import encode_context
from strongroom.crypto.envelope import ValueKind
from strongroom.keys.ciphertext import encode_header
from strongroom.rootkey.held import HeldRootKey, encode_text
from strongroom.rootkey.passphrase import Argon2Parameters, derive
from support.entropies import WrittenEntropy, pattern

VECTORS = Path(__file__).parent.parent / "vectors" / "envelope"

CONTEXTS: dict[str, dict[str, str]] = {
    "empty": {},
    "one pair": {"Department": "IT"},
    "order does not matter": {"SecretVersionId": "v" * 32, "SecretARN": "arn:aws:x"},
    "empty strings": {"": ""},
    "not ASCII": {"ключ": "Wert-ß", "𝒦": "🔑"},
    "keys sort by bytes, not by case": {"b": "1", "B": "2", "a": "3"},
}


def contexts() -> list[dict[str, Any]]:
    return [
        {"name": name, "context": context, "encoded": encode_context(context).hex()}
        for name, context in CONTEXTS.items()
    ]


def root_wraps() -> list[dict[str, Any]]:
    made = []
    for name, purpose, plaintext, context in (
        ("key material", "kms-material", pattern("material", 32), {"KeyArn": "arn", "KeyMaterialId": "id"}),
        ("secret access key", "access-key", b"wJalrXUtnFEMI", {"AccessKeyId": "AKIAIOSFODNN7EXAMPLE"}),
        ("empty", "empty", b"", {}),
    ):
        key, randomness = pattern(f"root key of {name}", 32), pattern(f"randomness of {name}", 28)
        root = HeldRootKey(key, WrittenEntropy(randomness))
        made.append(
            {
                "name": name,
                "root_key": key.hex(),
                "root_key_text": encode_text(key).decode(),
                "check_value": root.check_value().hex(),
                "purpose": purpose,
                "context": context,
                "plaintext": plaintext.hex(),
                "randomness": randomness.hex(),
                "sealed": root.wrap(purpose, plaintext, context).hex(),
            }
        )
    return made


def passphrases() -> list[dict[str, Any]]:
    parameters = Argon2Parameters(
        salt=base64.b64encode(pattern("salt", 16)).decode(), memory_kib=19_456, time_cost=2, parallelism=1
    )
    passphrase = "correct horse battery staple ß"
    return [
        {
            "name": "smallest parameters",
            "passphrase": passphrase,
            "parameters": {name: getattr(parameters, name) for name in parameters.__struct_fields__},
            "root_key": derive(passphrase.encode(), parameters).hex(),
        }
    ]


def secret_values() -> list[dict[str, Any]]:
    made = []
    for name, kind, value in (
        ("text", ValueKind.TEXT, '{"username":"admin","password":"pässword"}'.encode()),
        ("binary", ValueKind.BINARY, bytes(range(256))),
        ("one byte", ValueKind.TEXT, b"x"),
        ("a kibibyte", ValueKind.BINARY, pattern("a kibibyte", 1024)),
    ):
        key_arn = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
        material_id = pattern(f"material id of {name}", 32).hex()
        secret_arn = f"arn:aws:secretsmanager:eu-central-1:111122223333:secret:{kind.name.lower()}-a1B2c3"
        context = {"SecretARN": secret_arn, "SecretVersionId": pattern(f"version of {name}", 16).hex()}
        root_key, material, data_key = (
            pattern(f"{what} of {name}", 32) for what in ("root key", "material", "data key")
        )
        material_randomness, wrap_randomness = (
            pattern(f"{what} of {name}", 28) for what in ("material randomness", "wrap randomness")
        )
        nonce = pattern(f"nonce of {name}", 12)
        root = HeldRootKey(root_key, WrittenEntropy(material_randomness))
        header = encode_header(key_arn, material_id)
        wrapped_key = header + KeyHandle(material).seal(
            data_key, header + encode_context(context), randomness=wrap_randomness
        )
        made.append(
            {
                "name": name,
                "root_key": root_key.hex(),
                "key_arn": key_arn,
                "key_material_id": material_id,
                "key_material": material.hex(),
                "key_material_randomness": material_randomness.hex(),
                "sealed_key_material": root.wrap(
                    "kms-material", material, {"KeyArn": key_arn, "KeyMaterialId": material_id}
                ).hex(),
                "context": context,
                "data_key": data_key.hex(),
                "wrap_randomness": wrap_randomness.hex(),
                "wrapped_key": wrapped_key.hex(),
                "kind": kind.name.lower(),
                "value": value.hex(),
                "nonce": nonce.hex(),
                "envelope": envelope.encode(
                    kind,
                    value,
                    data_key=data_key,
                    wrapped_key=wrapped_key,
                    context=encode_context(context),
                    nonce=nonce,
                ).hex(),
            }
        )
    return made


FILES = {
    "contexts.v1.json": contexts,
    "root-key-wrap.v1.json": root_wraps,
    "root-key-passphrase.v1.json": passphrases,
    "secret-value.v1.json": secret_values,
}


def document(name: str) -> str:
    """Return what the vector file `name` holds."""
    return json.dumps(FILES[name](), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    for file_name in FILES:
        (VECTORS / file_name).write_text(document(file_name), encoding="utf-8")

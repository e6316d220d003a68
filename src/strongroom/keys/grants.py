"""What a KMS grant allows, and the tokens grants are handed on by. Pure. Source: fact sheet kms section 6."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any, Final

from strongroom.keys.records import Grant
from strongroom.names import Arn

MAXIMUM_GRANTS_OF_A_KEY: Final = 50_000
MAXIMUM_CONSTRAINT_PAIRS: Final = 8
MAXIMUM_CONSTRAINT_TEXT: Final = 384

ON_EVERY_KEY: Final = frozenset(("CreateGrant", "RetireGrant", "DescribeKey"))
SYMMETRIC_OPERATIONS: Final = frozenset(
    (
        "Decrypt",
        "Encrypt",
        "GenerateDataKey",
        "GenerateDataKeyWithoutPlaintext",
        "GenerateDataKeyPair",
        "GenerateDataKeyPairWithoutPlaintext",
        "ReEncryptFrom",
        "ReEncryptTo",
    )
)
"""Those with an encryption context, which constraints are about."""
_BY_USAGE: Final[Mapping[str, frozenset[str]]] = {
    "ENCRYPT_DECRYPT": frozenset(("Decrypt", "Encrypt", "ReEncryptFrom", "ReEncryptTo", "GetPublicKey")),
    "SIGN_VERIFY": frozenset(("Sign", "Verify", "GetPublicKey")),
    "GENERATE_VERIFY_MAC": frozenset(("GenerateMac", "VerifyMac")),
    "KEY_AGREEMENT": frozenset(("DeriveSharedSecret", "GetPublicKey")),
    "ENCAPSULATE_DECAPSULATE": frozenset(("Encapsulate", "Decapsulate", "GetPublicKey")),
}
_GRANT_ID: Final = re.compile(r"[0-9a-f]{64}")
_TOKEN_MAGIC: Final = b"SRGT\x01"
TOKEN_NONCE_BYTES: Final = 16
_ID_BYTES: Final = 32
_ID_AT: Final = len(_TOKEN_MAGIC) + TOKEN_NONCE_BYTES
_ARN_AT: Final = _ID_AT + _ID_BYTES


def operations_of(spec: str, usage: str) -> frozenset[str]:
    """Return the grant operations that a key of this spec and usage takes."""
    if spec == "SYMMETRIC_DEFAULT":
        return SYMMETRIC_OPERATIONS | ON_EVERY_KEY
    return _BY_USAGE.get(usage, frozenset()) | ON_EVERY_KEY


def covers(
    grant: Grant, operation: str, encryption_context: Mapping[str, str] | None, request: Mapping[str, Any]
) -> bool:
    """True when the grant allows `operation`, under this encryption context.

    `request` is looked at for CreateGrant alone: a grant that lets its grantee make grants lets no more be
    given than it gives itself.
    """
    if operation not in grant.operations:
        return False
    if operation == "CreateGrant":
        return _covers_child(grant, request)
    if operation not in SYMMETRIC_OPERATIONS:
        return True
    given = encryption_context or {}
    equals, subset = grant.context_equals, grant.context_subset
    return (equals is None or given == equals) and (subset is None or subset.items() <= given.items())


def _covers_child(grant: Grant, request: Mapping[str, Any]) -> bool:
    """True when a grant made as `request` says allows nothing that `grant` does not."""
    if not set(request.get("Operations") or ()) <= set(grant.operations):
        return False
    constraints = request.get("Constraints") or {}
    equals = constraints.get("EncryptionContextEquals")
    subset = constraints.get("EncryptionContextSubset")
    if grant.context_equals is not None and equals != grant.context_equals:
        return False
    if grant.context_subset is None:
        return True
    # Whatever fits the child must hold all pairs the grant asks for.
    demanded = {**(subset or {}), **(equals or {})}
    return grant.context_subset.items() <= demanded.items()


def is_grant_id(text: str) -> bool:
    return _GRANT_ID.fullmatch(text) is not None


def encode_token(key_arn: str, grant_id: str, nonce: bytes) -> str:
    """Return a token for the grant; with another `nonce` another one. Tokens are no secrets."""
    if len(nonce) != TOKEN_NONCE_BYTES:
        raise ValueError(f"a token takes {TOKEN_NONCE_BYTES} random bytes")
    content = _TOKEN_MAGIC + nonce + bytes.fromhex(grant_id) + key_arn.encode("ascii")
    return base64.urlsafe_b64encode(content).decode("ascii")


def parse_token(text: str) -> tuple[Arn, str] | None:
    """Return the key's ARN and the grant's id; None for what `encode_token` did not make."""
    try:
        content = base64.b64decode(text, altchars=b"-_", validate=True)
        arn = content[_ARN_AT:].decode("ascii")
    except (binascii.Error, ValueError):
        return None
    if not content.startswith(_TOKEN_MAGIC) or not arn.startswith("arn:"):
        return None
    return Arn(arn), content[_ID_AT:_ARN_AT].hex()

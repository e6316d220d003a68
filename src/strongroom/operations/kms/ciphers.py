"""Encrypting, decrypting, data keys and random bytes. Source: fact sheet kms sections 3, 4, 7, 8 and 9."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from msgspec.structs import replace

from strongroom.crypto.context import encode_context
from strongroom.errors import (
    AccessDeniedException,
    DryRunOperationException,
    IncorrectKeyException,
    IntegrityError,
    InvalidCiphertextException,
    InvalidGrantTokenException,
    InvalidKeyUsageException,
    UnsupportedOperationException,
    ValidationException,
)
from strongroom.keys import states
from strongroom.keys.ciphertext import Ciphertext, parse_ciphertext
from strongroom.keys.records import KmsKey
from strongroom.keys.reference import KeyRef
from strongroom.operations.call import AuthorizedCall, Call, Operation, Target, Unit
from strongroom.operations.kms import messages
from strongroom.operations.kms.material import KeyMaterialDamage
from strongroom.operations.kms.material import decrypt as open_blob
from strongroom.operations.kms.material import encrypt as seal_blob
from strongroom.operations.kms.resolution import (
    find_key,
    key_target,
    named_key,
    note_key,
    on_key,
    present,
    without_resource,
)
from strongroom.ports import ReadUnit

MAXIMUM_CONTEXT_BYTES: Final = 8192
NO_ENCLAVES: Final = "Attestation documents of Recipient are not supported."
NO_DRY_RUN_MODIFIERS: Final = "DryRunModifiers are not supported."
NO_CUSTOM_STORE: Final = "Custom key stores are not supported."
_DATA_KEY_BYTES: Final = {"AES_256": 32, "AES_128": 16}


def encrypt(authorized: AuthorizedCall, unit: ReadUnit) -> Mapping[str, Any]:
    request = authorized.request
    key = _usable(authorized, authorized.target, request.get("EncryptionAlgorithm"))
    context = _context(request, "EncryptionContext")
    _stop_dry_run(request)
    return {
        "CiphertextBlob": seal_blob(authorized.call.resources, key, request["Plaintext"], context),
        "KeyId": key.arn,
        "EncryptionAlgorithm": key.spec,
    }


def _decrypt_targets(call: Call, unit: ReadUnit) -> Sequence[Target]:
    context = call.request.get("EncryptionContext") or {}
    return (_source_target(call, unit, "KeyId", "kms:Decrypt", context),)


def decrypt(authorized: AuthorizedCall, unit: ReadUnit) -> Mapping[str, Any]:
    """Return the plaintext of a blob.

    Raises:
        InvalidCiphertextException: what is no blob of ours, is damaged, or was bound to another context.
        AccessDeniedException: the blob's key is not there, or not the caller's to use.
        IncorrectKeyException: KeyId names another key than the blob's.
        DisabledException, KMSInvalidStateException: the key's state.
    """
    request = authorized.request
    if "Recipient" in request:
        raise UnsupportedOperationException(NO_ENCLAVES)
    _refuse_unreachable(authorized)
    key, ciphertext = _source(authorized, authorized.target, request.get("EncryptionAlgorithm"))
    context = _context(request, "EncryptionContext")
    _stop_dry_run(request)
    return {
        "Plaintext": _open(authorized.call, key, ciphertext, context),
        "KeyId": key.arn,
        "EncryptionAlgorithm": key.spec,
        "KeyMaterialId": ciphertext.material_id,
    }


def _re_encrypt_targets(call: Call, unit: ReadUnit) -> Sequence[Target]:
    request = call.request
    source = _source_target(
        call, unit, "SourceKeyId", "kms:ReEncryptFrom", request.get("SourceEncryptionContext") or {}
    )
    destination = named_key(
        call,
        unit,
        request["DestinationKeyId"],
        "kms:ReEncryptTo",
        aliases=True,
        cross_account=True,
        encryption_context=request.get("DestinationEncryptionContext") or {},
    )
    same = "true" if source.resource == destination.resource else "false"
    return (_on_same_key(source, same), _on_same_key(destination, same))


def re_encrypt(authorized: AuthorizedCall, unit: ReadUnit) -> Mapping[str, Any]:
    """Return a blob of the same plaintext under another key or context; the plaintext does not leave."""
    request, call = authorized.request, authorized.call
    _refuse_unreachable(authorized)
    source, destination = authorized.targets
    old, ciphertext = _source(authorized, source, request.get("SourceEncryptionAlgorithm"))
    new = _usable(authorized, destination, request.get("DestinationEncryptionAlgorithm"))
    context = _context(request, "SourceEncryptionContext")
    new_context = _context(request, "DestinationEncryptionContext")
    _stop_dry_run(request)
    plaintext = _open(call, old, ciphertext, context)
    return {
        "CiphertextBlob": seal_blob(call.resources, new, plaintext, new_context),
        "SourceKeyId": old.arn,
        "KeyId": new.arn,
        "SourceEncryptionAlgorithm": old.spec,
        "DestinationEncryptionAlgorithm": new.spec,
        "SourceKeyMaterialId": ciphertext.material_id,
        "DestinationKeyMaterialId": new.materials[-1].material_id,
    }


def generate_data_key(authorized: AuthorizedCall, unit: ReadUnit) -> Mapping[str, Any]:
    """Return a new data key, in clear and under the KMS key."""
    if "Recipient" in authorized.request:
        raise UnsupportedOperationException(NO_ENCLAVES)
    data_key, members = _generate(authorized)
    return {"Plaintext": data_key, **members}


def generate_data_key_without_plaintext(authorized: AuthorizedCall, unit: ReadUnit) -> Mapping[str, Any]:
    """Return a new data key under the KMS key only."""
    return _generate(authorized)[1]


def generate_random(authorized: AuthorizedCall, unit: ReadUnit) -> Mapping[str, Any]:
    request = authorized.request
    if "Recipient" in request:
        raise UnsupportedOperationException(NO_ENCLAVES)
    if "CustomKeyStoreId" in request:
        raise UnsupportedOperationException(NO_CUSTOM_STORE)
    size = request.get("NumberOfBytes")
    if size is None:
        raise ValidationException(messages.NUMBER_OF_BYTES_REQUIRED)
    return {"Plaintext": authorized.call.resources.entropy.token_bytes(size)}


def _generate(authorized: AuthorizedCall) -> tuple[bytes, dict[str, Any]]:
    request, resources = authorized.request, authorized.call.resources
    spec, size = request.get("KeySpec"), request.get("NumberOfBytes")
    if (spec is None) == (size is None):
        raise ValidationException(messages.DATA_KEY_SIZE)
    key = _usable(authorized, authorized.target, None)
    context = _context(request, "EncryptionContext")
    _stop_dry_run(request)
    data_key = resources.entropy.token_bytes(size or _DATA_KEY_BYTES[str(spec)])
    return data_key, {
        "CiphertextBlob": seal_blob(resources, key, data_key, context),
        "KeyId": key.arn,
        "KeyMaterialId": key.materials[-1].material_id,
    }


def _source_target(
    call: Call, unit: ReadUnit, member: str, action: str, context: Mapping[str, str]
) -> Target:
    """Return the target of opening the request's CiphertextBlob, with the key it was made under.

    Optional, so that the handler may answer a denial with the text that tells least.

    Raises:
        ValidationException: no blob.
        InvalidCiphertextException: not a blob of ours.
        AccessDeniedException: its key is not in this region or not there.
    """
    blob = call.request.get("CiphertextBlob")
    if "DryRunModifiers" in call.request:
        raise UnsupportedOperationException(NO_DRY_RUN_MODIFIERS)
    if blob is None:
        raise ValidationException(messages.null_member("ciphertextBlob"))
    ciphertext = parse_ciphertext(blob)
    if ciphertext is None:
        raise InvalidCiphertextException
    named = call.request.get(member)
    if named is not None:
        return named_key(
            call, unit, named, action, aliases=True, cross_account=True, encryption_context=context
        )
    ref = KeyRef(ciphertext.account_id, ciphertext.region, key_id=ciphertext.key_id)
    key = find_key(unit, ref, call.received_at)
    if key is None or key.region != call.region:
        raise AccessDeniedException(messages.UNREACHABLE_CIPHERTEXT)
    return key_target(call, key, action, encryption_context=context, optional=True)


def _refuse_unreachable(authorized: AuthorizedCall) -> None:
    """Raise what a refused source key deserves: across accounts nothing is told apart."""
    for target, refusal in authorized.refused:
        if target.owner_account != authorized.call.account_id:
            raise AccessDeniedException(messages.UNREACHABLE_CIPHERTEXT)
        raise refusal


def _source(authorized: AuthorizedCall, target: Target, algorithm: str | None) -> tuple[KmsKey, Ciphertext]:
    """Return the key that opens the request's blob, and the blob's parts."""
    key = _usable(authorized, target, algorithm)
    ciphertext = parse_ciphertext(authorized.request["CiphertextBlob"])
    if ciphertext is None:
        raise InvalidCiphertextException
    if ciphertext.key_arn != key.arn:
        raise IncorrectKeyException(messages.INCORRECT_KEY)
    return key, ciphertext


def _open(call: Call, key: KmsKey, ciphertext: Ciphertext, context: bytes) -> bytes:
    try:
        return open_blob(call.resources, key, ciphertext, context)
    except KeyMaterialDamage:
        raise
    except IntegrityError:
        # A client's wrong context or garbled blob, not damage of ours: KMS answers without a message.
        raise InvalidCiphertextException from None


def _usable(authorized: AuthorizedCall, target: Target, algorithm: str | None) -> KmsKey:
    """Return the target's key, in a state to be used with `algorithm` (None: the key's own)."""
    key = note_key(authorized.call, present(target))
    states.verify_usable(key)
    if algorithm not in (None, key.spec):
        raise InvalidKeyUsageException(f"Algorithm {algorithm} is incompatible with key spec {key.spec}.")
    if authorized.request.get("GrantTokens"):
        raise InvalidGrantTokenException(messages.INVALID_GRANT_TOKEN)
    return key


def _context(request: Mapping[str, Any], member: str) -> bytes:
    """Return the encryption context a request gives, encoded to be bound.

    Raises:
        ValidationException: it is over the limit.
    """
    context = encode_context(request.get(member) or {})
    if len(context) > MAXIMUM_CONTEXT_BYTES:
        raise ValidationException(messages.CONTEXT_TOO_LARGE)
    return context


def _stop_dry_run(request: Mapping[str, Any]) -> None:
    if request.get("DryRun"):
        raise DryRunOperationException(messages.DRY_RUN)


def _on_same_key(target: Target, same: str) -> Target:
    return replace(target, context={**target.context, "kms:ReEncryptOnSameKey": same})


_NO_GRANTS = "There are no grants yet: any GrantToken answers InvalidGrantTokenException."

ENCRYPT = Operation(
    name="Encrypt",
    action="kms:Encrypt",
    unit=Unit.READ,
    targets=on_key("kms:Encrypt", aliases=True, cross_account=True, encryption=True),
    handle=encrypt,
    deviations=(
        _NO_GRANTS,
        "A key pending deletion answers KMSInvalidStateException to every cryptographic operation, as "
        "observed; AWS documents DisabledException too.",
    ),
)
DECRYPT = Operation(
    name="Decrypt",
    action="kms:Decrypt",
    unit=Unit.READ,
    targets=_decrypt_targets,
    handle=decrypt,
    deviations=(
        "Ciphertext blobs have a layout of our own (docs/spec/envelope.md); blobs made by AWS do not open.",
        "Recipient and DryRunModifiers are not supported.",
    ),
)
RE_ENCRYPT = Operation(
    name="ReEncrypt",
    action="kms:ReEncryptTo",
    unit=Unit.READ,
    targets=_re_encrypt_targets,
    handle=re_encrypt,
)
GENERATE_DATA_KEY = Operation(
    name="GenerateDataKey",
    action="kms:GenerateDataKey",
    unit=Unit.READ,
    targets=on_key("kms:GenerateDataKey", aliases=True, cross_account=True, encryption=True),
    handle=generate_data_key,
    deviations=("Recipient is not supported.",),
)
GENERATE_DATA_KEY_WITHOUT_PLAINTEXT = Operation(
    name="GenerateDataKeyWithoutPlaintext",
    action="kms:GenerateDataKeyWithoutPlaintext",
    unit=Unit.READ,
    targets=on_key("kms:GenerateDataKeyWithoutPlaintext", aliases=True, cross_account=True, encryption=True),
    handle=generate_data_key_without_plaintext,
)
GENERATE_RANDOM = Operation(
    name="GenerateRandom",
    action="kms:GenerateRandom",
    unit=Unit.READ,
    targets=without_resource("kms:GenerateRandom"),
    handle=generate_random,
    deviations=("Recipient and CustomKeyStoreId are not supported.",),
)

"""Encrypting, decrypting, data keys and random bytes. Source: fact sheet kms sections 3, 4, 7, 8 and 9."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from msgspec.structs import replace

from strongroom.errors import (
    AccessDeniedException,
    IncorrectKeyException,
    IntegrityError,
    InvalidCiphertextException,
    UnsupportedOperationException,
    ValidationException,
)
from strongroom.keys.ciphertext import MULTI_REGION_PREFIX, Ciphertext, parse_ciphertext
from strongroom.keys.records import KmsKey
from strongroom.keys.reference import KeyRef
from strongroom.keys.specs import ENCRYPT_DECRYPT, SYMMETRIC
from strongroom.operations.call import AuthorizedCall, Call, Operation, Resources, Target, Unit
from strongroom.operations.kms import messages
from strongroom.operations.kms.material import KeyMaterialDamage, private_key
from strongroom.operations.kms.material import decrypt as open_blob
from strongroom.operations.kms.material import encrypt as seal_blob
from strongroom.operations.kms.resolution import (
    absent_target,
    find_key,
    key_target,
    named_key,
    on_key,
    present,
    without_resource,
)
from strongroom.operations.kms.slow_work import Prepared, done, slow_work
from strongroom.operations.kms.usage import (
    encryption_context,
    stop_dry_run,
    usable_key,
    verify_algorithm,
    verify_symmetric,
)
from strongroom.operations.refusals import note_unreachable, reword
from strongroom.ports import ReadUnit

NO_ENCLAVES: Final = "Attestation documents of Recipient are not supported."
NO_KEY_HERE: Final = (
    "The key that the ciphertext was made under is not there, or not in the Region of the call."
)
NO_CUSTOM_STORE: Final = "Custom key stores are not supported."
_CONTEXT_TEXT: Final = (
    "An encryption context with an asymmetric key is a ValidationException, whose text is our own."
)
_DATA_KEY_BYTES: Final = {"AES_256": 32, "AES_128": 16}


@dataclass(frozen=True, slots=True)
class _Opening:
    """What opens a request's blob, after every check but the opening itself."""

    key: KmsKey
    algorithm: str
    material_id: str | None
    """None for asymmetric keys."""
    open: Callable[[], bytes]


@dataclass(frozen=True, slots=True)
class _Source:
    """The members of a request that tell about the blob to be opened."""

    key_id: str
    algorithm: str
    context: str
    action: str


_DECRYPT: Final = _Source("KeyId", "EncryptionAlgorithm", "EncryptionContext", "kms:Decrypt")
_RE_ENCRYPT: Final = _Source(
    "SourceKeyId", "SourceEncryptionAlgorithm", "SourceEncryptionContext", "kms:ReEncryptFrom"
)


def _encrypt_targets(call: Call, unit: ReadUnit) -> Sequence[Target]:
    return (_sealing_target(call, unit, "KeyId", "EncryptionAlgorithm", "EncryptionContext", "kms:Encrypt"),)


def encrypt(authorized: AuthorizedCall, unit: ReadUnit) -> Mapping[str, Any]:
    request = authorized.request
    key = usable_key(authorized, authorized.target, ENCRYPT_DECRYPT)
    algorithm = _algorithm(request, "EncryptionAlgorithm")
    verify_algorithm(key, algorithm)
    context = encryption_context(request, "EncryptionContext", key)
    _verify_length(authorized.call, key, algorithm, request["Plaintext"])
    stop_dry_run(request)
    return {
        "CiphertextBlob": _seal(authorized.call, key, algorithm, request["Plaintext"], context),
        "KeyId": key.arn,
        "EncryptionAlgorithm": algorithm,
    }


def _decrypt_targets(call: Call, unit: ReadUnit) -> Sequence[Target]:
    return (_source_target(call, unit, _DECRYPT),)


def decrypt(authorized: AuthorizedCall, unit: ReadUnit) -> Mapping[str, Any]:
    """Return the plaintext of a blob.

    Raises:
        InvalidCiphertextException: what is no blob of ours, is damaged, or was bound to another context.
        AccessDeniedException: the blob's key is not there, or not the caller's to use.
        IncorrectKeyException: KeyId names another key than the blob's.
        DisabledException, KMSInvalidStateException: the key's state.
        InvalidKeyUsageException: the key, or its spec, is not for this algorithm.
    """
    opening = _decrypt_opening(authorized)
    answer = {
        "Plaintext": done(authorized.call, opening.key, opening.open),
        "KeyId": opening.key.arn,
        "EncryptionAlgorithm": opening.algorithm,
    }
    return answer if opening.material_id is None else {**answer, "KeyMaterialId": opening.material_id}


def prepare_decrypt(authorized: AuthorizedCall, unit: ReadUnit) -> Callable[[], Prepared] | None:
    opening = _decrypt_opening(authorized)
    return slow_work(opening.key, opening.open)


def _decrypt_opening(authorized: AuthorizedCall) -> _Opening:
    if "Recipient" in authorized.request:
        raise UnsupportedOperationException(NO_ENCLAVES)
    _refuse_unreachable(authorized)
    opening = _opening(authorized, authorized.target, _DECRYPT)
    stop_dry_run(authorized.request)
    return opening


def _re_encrypt_targets(call: Call, unit: ReadUnit) -> Sequence[Target]:
    source = _source_target(call, unit, _RE_ENCRYPT)
    destination = _sealing_target(
        call,
        unit,
        "DestinationKeyId",
        "DestinationEncryptionAlgorithm",
        "DestinationEncryptionContext",
        "kms:ReEncryptTo",
    )
    same = "true" if source.resource == destination.resource else "false"
    return (_on_same_key(source, same), _on_same_key(destination, same))


def re_encrypt(authorized: AuthorizedCall, unit: ReadUnit) -> Mapping[str, Any]:
    """Return a blob of the same plaintext under another key or context; the plaintext does not leave."""
    call = authorized.call
    opening, new, algorithm, context = _re_encryption(authorized)
    plaintext = done(call, opening.key, opening.open)
    _verify_length(call, new, algorithm, plaintext)
    answer = {
        "CiphertextBlob": _seal(call, new, algorithm, plaintext, context),
        "SourceKeyId": opening.key.arn,
        "KeyId": new.arn,
        "SourceEncryptionAlgorithm": opening.algorithm,
        "DestinationEncryptionAlgorithm": algorithm,
    }
    if opening.material_id is not None:
        answer["SourceKeyMaterialId"] = opening.material_id
    if algorithm == SYMMETRIC:
        answer["DestinationKeyMaterialId"] = new.materials[-1].material_id
    return answer


def prepare_re_encrypt(authorized: AuthorizedCall, unit: ReadUnit) -> Callable[[], Prepared] | None:
    opening = _re_encryption(authorized)[0]
    return slow_work(opening.key, opening.open)


def _re_encryption(authorized: AuthorizedCall) -> tuple[_Opening, KmsKey, str, bytes]:
    """Return what opens the blob, and the key, algorithm and context to seal its plaintext with anew."""
    request = authorized.request
    _refuse_unreachable(authorized)
    source, destination = authorized.targets
    opening = _opening(authorized, source, _RE_ENCRYPT)
    key = usable_key(authorized, destination, ENCRYPT_DECRYPT)
    algorithm = _algorithm(request, "DestinationEncryptionAlgorithm")
    verify_algorithm(key, algorithm)
    context = encryption_context(request, "DestinationEncryptionContext", key)
    stop_dry_run(request)
    return opening, key, algorithm, context


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
    key = usable_key(authorized, authorized.target, ENCRYPT_DECRYPT)
    verify_symmetric(key)
    context = encryption_context(request, "EncryptionContext", key)
    stop_dry_run(request)
    data_key = resources.entropy.token_bytes(size or _DATA_KEY_BYTES[str(spec)])
    return data_key, {
        "CiphertextBlob": seal_blob(resources, key, data_key, context),
        "KeyId": key.arn,
        "KeyMaterialId": key.materials[-1].material_id,
    }


def _algorithm(request: Mapping[str, Any], member: str) -> str:
    return str(request.get(member, SYMMETRIC))


def _sealing_target(
    call: Call, unit: ReadUnit, key_id: str, algorithm: str, context: str, action: str
) -> Target:
    """Return the target of encrypting under the key a request names; the arguments name its members."""
    return named_key(
        call,
        unit,
        call.request[key_id],
        action,
        aliases=True,
        cross_account=True,
        encryption_context=call.request.get(context) or {},
        context={"kms:EncryptionAlgorithm": _algorithm(call.request, algorithm)},
    )


def _source_target(call: Call, unit: ReadUnit, source: _Source) -> Target:
    """Return the target of opening the request's CiphertextBlob.

    Without a key named it is the one the blob was made under, and optional, so that the handler may answer a
    denial with the text that tells least.

    Raises:
        ValidationException: no blob, or the key had to be named.
        InvalidCiphertextException: not a blob of ours.
        AccessDeniedException: its key is not in this region or not there.
    """
    request = call.request
    context = request.get(source.context) or {}
    algorithm = _algorithm(request, source.algorithm)
    named, ciphertext = request.get(source.key_id), None
    if not _ignores_ciphertext(request):
        ciphertext = parse_ciphertext(_blob(request))
        if ciphertext is None and (named is None or algorithm == SYMMETRIC):
            raise InvalidCiphertextException
    use: Mapping[str, str] = {"kms:EncryptionAlgorithm": algorithm}
    if named is not None:
        return named_key(
            call,
            unit,
            named,
            source.action,
            aliases=True,
            cross_account=True,
            encryption_context=context,
            context=use,
        )
    if ciphertext is None:
        raise ValidationException(messages.null_member(source.key_id[0].lower() + source.key_id[1:]))
    # A blob of a multi-Region key opens with the related key of the region the call is made in.
    is_shared = ciphertext.key_id.startswith(MULTI_REGION_PREFIX)
    region = call.region if is_shared else ciphertext.region
    ref = KeyRef(ciphertext.account_id, region, key_id=ciphertext.key_id)
    key = find_key(unit, ref, call.received_at)
    if key is None or key.region != call.region or not ciphertext.is_under(key.arn):
        note_unreachable(
            call, absent_target(ref, source.action), messages.UNREACHABLE_CIPHERTEXT, NO_KEY_HERE
        )
        raise AccessDeniedException(messages.UNREACHABLE_CIPHERTEXT)
    return key_target(
        call, key, source.action, encryption_context=context, optional=True, context=use, unit=unit
    )


def _refuse_unreachable(authorized: AuthorizedCall) -> None:
    """Raise what a refused source key deserves: across accounts nothing is told apart."""
    for target, refusal in authorized.refused:
        if target.owner_account != authorized.call.account_id:
            reword(authorized.call, target, messages.UNREACHABLE_CIPHERTEXT)
            raise AccessDeniedException(messages.UNREACHABLE_CIPHERTEXT)
        raise refusal


def _opening(authorized: AuthorizedCall, target: Target, source: _Source) -> _Opening:
    """Return what opens the request's blob with the target's key, which is usable for that."""
    request, resources = authorized.request, authorized.call.resources
    algorithm = _algorithm(request, source.algorithm)
    ciphertext, blob = None, b""
    if not _ignores_ciphertext(request):
        blob = _blob(request)
        ciphertext = parse_ciphertext(blob) if algorithm == SYMMETRIC else None
    # Recorded by localstack: this is told before a wrong usage.
    if ciphertext is not None and not ciphertext.is_under(present(target).arn):
        raise IncorrectKeyException(messages.INCORRECT_KEY)
    key = usable_key(authorized, target, ENCRYPT_DECRYPT)
    verify_algorithm(key, algorithm)
    context = encryption_context(request, source.context, key)
    if algorithm != SYMMETRIC:
        return _Opening(key, algorithm, None, partial(_open_asymmetric, resources, key, algorithm, blob))
    if ciphertext is None:
        stop_dry_run(request)
        raise InvalidCiphertextException
    work = partial(_open, resources, key, ciphertext, context)
    return _Opening(key, algorithm, ciphertext.material_id, work)


def _open(resources: Resources, key: KmsKey, ciphertext: Ciphertext, context: bytes) -> bytes:
    try:
        return open_blob(resources, key, ciphertext, context)
    except KeyMaterialDamage:
        raise
    except IntegrityError:
        # A client's wrong context or garbled blob, not damage of ours: KMS answers without a message.
        raise InvalidCiphertextException from None


def _open_asymmetric(resources: Resources, key: KmsKey, algorithm: str, blob: bytes) -> bytes:
    handle = private_key(resources, key)
    try:
        return handle.decrypt(algorithm, blob)
    except IntegrityError:
        raise InvalidCiphertextException from None


def _seal(call: Call, key: KmsKey, algorithm: str, plaintext: bytes, context: bytes) -> bytes:
    if algorithm == SYMMETRIC:
        return seal_blob(call.resources, key, plaintext, context)
    return private_key(call.resources, key).encrypt(algorithm, plaintext)


def _verify_length(call: Call, key: KmsKey, algorithm: str, plaintext: bytes) -> None:
    """Raises ValidationException for more than an asymmetric key encrypts."""
    if algorithm == SYMMETRIC:
        return
    limit = private_key(call.resources, key).longest_plaintext(algorithm)
    if len(plaintext) > limit:
        raise ValidationException(messages.plaintext_too_long(algorithm, key.spec, limit))


def _blob(request: Mapping[str, Any]) -> bytes:
    blob = request.get("CiphertextBlob")
    if blob is None:
        raise ValidationException(messages.null_member("ciphertextBlob"))
    return bytes(blob)


def _ignores_ciphertext(request: Mapping[str, Any]) -> bool:
    """True for a dry run that asks about permissions only."""
    return bool(request.get("DryRun")) and "IGNORE_CIPHERTEXT" in request.get("DryRunModifiers", ())


def _on_same_key(target: Target, same: str) -> Target:
    return replace(target, context={**target.context, "kms:ReEncryptOnSameKey": same})


ENCRYPT = Operation(
    name="Encrypt",
    action="kms:Encrypt",
    unit=Unit.READ,
    targets=_encrypt_targets,
    handle=encrypt,
    deviations=(
        "A key pending deletion answers KMSInvalidStateException to every cryptographic operation, as "
        "observed; AWS documents DisabledException too.",
        _CONTEXT_TEXT,
    ),
)
DECRYPT = Operation(
    name="Decrypt",
    action="kms:Decrypt",
    unit=Unit.READ,
    targets=_decrypt_targets,
    handle=decrypt,
    prepare=prepare_decrypt,
    deviations=(
        "Ciphertext blobs have a layout of our own (docs/spec/envelope.md); blobs made by AWS do not open.",
        "Recipient is not supported.",
        _CONTEXT_TEXT,
    ),
)
RE_ENCRYPT = Operation(
    name="ReEncrypt",
    action="kms:ReEncryptTo",
    unit=Unit.READ,
    targets=_re_encrypt_targets,
    handle=re_encrypt,
    prepare=prepare_re_encrypt,
    deviations=(_CONTEXT_TEXT,),
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

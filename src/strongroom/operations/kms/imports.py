"""Importing key material: the key to wrap it with, taking it in, and giving it up. Source: fact sheet kms
sections 3 and 4.

The private wrapping key is in the import token, sealed by the root key: nothing is stored before material
comes.
"""

from __future__ import annotations

import datetime as dt
import hmac
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from strongroom.crypto.aead import KEY_BYTES, KeyHandle
from strongroom.crypto.key_import import WRAPPING_ALGORITHMS, WRAPPING_KEY_BYTES, open_wrapped
from strongroom.crypto.private_keys import PrivateKeyHandle
from strongroom.errors import (
    ExpiredImportTokenException,
    IncorrectKeyMaterialException,
    IntegrityError,
    InvalidCiphertextException,
    InvalidImportTokenException,
    KMSInvalidStateException,
    UnsupportedOperationException,
    ValidationException,
)
from strongroom.keys import states
from strongroom.keys.records import KeyMaterial, KmsKey
from strongroom.operations.call import AuthorizedCall, Call, Operation, Target, Unit
from strongroom.operations.kms import messages
from strongroom.operations.kms.custody import save_key
from strongroom.operations.kms.material import KeyMaterialDamage, seal_material
from strongroom.operations.kms.resolution import managed, on_key
from strongroom.ports import ReadUnit, RootKey, WriteUnit

TOKEN_PURPOSE: Final = "kms-import-token"
CHECK_PURPOSE: Final = "kms-import-check"
TOKEN_LIFE: Final = dt.timedelta(hours=24)
LONGEST_VALIDITY: Final = dt.timedelta(days=365)
EXPIRES: Final = "KEY_MATERIAL_EXPIRES"
NEW: Final = "NEW_KEY_MATERIAL"


class _Token(msgspec.Struct, frozen=True):
    """What an import token holds."""

    pkcs8: bytes
    spec: str
    algorithm: str
    valid_to: dt.datetime


def _parameters_targets(call: Call, unit: ReadUnit) -> Sequence[Target]:
    request = call.request
    context = {
        "kms:WrappingAlgorithm": str(request["WrappingAlgorithm"]),
        "kms:WrappingKeySpec": str(request["WrappingKeySpec"]),
    }
    return on_key("kms:GetParametersForImport", context=context)(call, unit)


def prepare_parameters(authorized: AuthorizedCall, unit: ReadUnit) -> Callable[[], PrivateKeyHandle] | None:
    """An RSA key pair takes up to seconds to make."""
    _importable(authorized)
    _verify_wrapping(authorized.request)
    return partial(PrivateKeyHandle.generate, authorized.request["WrappingKeySpec"])


def get_parameters_for_import(authorized: AuthorizedCall, unit: ReadUnit) -> Mapping[str, Any]:
    """Return a new public key to wrap material with, and the token that leads to its private key.

    Raises:
        UnsupportedOperationException: a key of another origin, or a wrapping algorithm that is not supported.
        KMSInvalidStateException: the key is pending deletion.
    """
    call, request = authorized.call, authorized.request
    key = _importable(authorized)
    _verify_wrapping(request)
    spec = request["WrappingKeySpec"]
    made = call.prepared
    pair = made if isinstance(made, PrivateKeyHandle) else PrivateKeyHandle.generate(spec)
    valid_to = call.received_at + TOKEN_LIFE
    token = _Token(pair.pkcs8(), spec, request["WrappingAlgorithm"], valid_to)
    return {
        "KeyId": key.arn,
        "ImportToken": call.resources.root_key.wrap(
            TOKEN_PURPOSE, msgspec.msgpack.encode(token), {"KeyArn": key.arn}
        ),
        "PublicKey": pair.public_der(),
        "ParametersValidTo": valid_to,
    }


def _verify_wrapping(request: Mapping[str, Any]) -> None:
    algorithm, spec = request["WrappingAlgorithm"], request["WrappingKeySpec"]
    if algorithm not in WRAPPING_ALGORITHMS or spec not in WRAPPING_KEY_BYTES:
        raise UnsupportedOperationException(messages.no_such_wrapping(algorithm, spec))


def _importable(authorized: AuthorizedCall) -> KmsKey:
    """Return the target's key, whose material comes from outside."""
    key = managed(authorized.target)
    if key.origin != states.EXTERNAL:
        raise UnsupportedOperationException(messages.wrong_origin(key.arn, key.origin))
    states.verify_not_pending_deletion(key)
    return key


def _import_targets(call: Call, unit: ReadUnit) -> Sequence[Target]:
    request = call.request
    context: dict[str, str | tuple[str, ...]] = {
        "kms:ExpirationModel": request.get("ExpirationModel", EXPIRES)
    }
    if "ValidTo" in request:
        context["kms:ValidTo"] = request["ValidTo"].astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return on_key("kms:ImportKeyMaterial", context=context)(call, unit)


class _Material:
    """Imported material on its way into the store. Without text form: it is secret."""

    __slots__ = ("plaintext",)

    def __init__(self, plaintext: bytes) -> None:
        self.plaintext = plaintext


def prepare_import(authorized: AuthorizedCall, unit: ReadUnit) -> Callable[[], _Material]:
    """RSA takes milliseconds to open with."""
    _importable(authorized)
    return partial(_opened, _verified_token(authorized), authorized.request["EncryptedKeyMaterial"])


def import_key_material(authorized: AuthorizedCall, unit: WriteUnit) -> Mapping[str, Any]:
    """The key has this material and can be used; or the material waits for RotateKeyOnDemand.

    Material that was deleted or has expired comes back by importing the very same again, and no other.

    Raises:
        InvalidImportTokenException, ExpiredImportTokenException: the token.
        InvalidCiphertextException: the material does not open, or is not 32 bytes.
        IncorrectKeyMaterialException: not the material the key had before.
        ValidationException: ExpirationModel and ValidTo do not fit together.
        KMSInvalidStateException: the key is pending deletion, or other material waits for rotation already.
    """
    call, request = authorized.call, authorized.request
    key = _importable(authorized)
    token = _verified_token(authorized)
    valid_to = _valid_to(request, call.received_at)
    made = call.prepared
    opened = made if isinstance(made, _Material) else _opened(token, request["EncryptedKeyMaterial"])
    plaintext = opened.plaintext
    known = _known(call.resources.root_key, key, plaintext)
    material = known or _new_material(call, key, plaintext)
    material = replace(
        material,
        sealed=seal_material(call.resources.root_key, key, material.material_id, plaintext),
        valid_to=valid_to,
        description=request.get("KeyMaterialDescription", material.description),
    )
    save_key(unit, states.settled(_placed(key, known, material, request)))
    return {"KeyId": key.arn, "KeyMaterialId": material.material_id}


def _placed(
    key: KmsKey, known: KeyMaterial | None, material: KeyMaterial, request: Mapping[str, Any]
) -> KmsKey:
    """Return the key with the material where the request wants it."""
    is_new = request.get("ImportType", NEW if not key.materials else None) == NEW
    wanted_id = request.get("KeyMaterialId")
    if known is None:
        if not is_new or wanted_id is not None:
            raise IncorrectKeyMaterialException(messages.OTHER_KEY_MATERIAL)
        if not key.materials:
            return replace(key, materials=(material,))
        if key.pending_material is not None or key.state == states.PENDING_IMPORT:
            raise KMSInvalidStateException(messages.no_second_import(key.arn))
        return replace(key, pending_material=material)
    if wanted_id not in (None, known.material_id) or (is_new and known is not key.pending_material):
        raise IncorrectKeyMaterialException(messages.OTHER_KEY_MATERIAL)
    if known is key.pending_material:
        return replace(key, pending_material=material)
    return replace(key, materials=tuple([material if each is known else each for each in key.materials]))


def _new_material(call: Call, key: KmsKey, plaintext: bytes) -> KeyMaterial:
    resources = call.resources
    material_id = resources.entropy.token_bytes(32).hex()
    check = resources.root_key.wrap(
        CHECK_PURPOSE, KeyHandle(plaintext).check_value(), _check_binding(key, material_id)
    )
    return KeyMaterial(material_id=material_id, created_at=call.received_at, sealed=b"", check=check)


def _known(root_key: RootKey, key: KmsKey, plaintext: bytes) -> KeyMaterial | None:
    """Return the key's material that these bytes are, present or not."""
    value = KeyHandle(plaintext).check_value()
    materials = key.materials if key.pending_material is None else (*key.materials, key.pending_material)
    for material in materials:
        try:
            known = root_key.unwrap(CHECK_PURPOSE, material.check, _check_binding(key, material.material_id))
        except IntegrityError as exc:
            raise KeyMaterialDamage(f"the check value of material of {key.arn} does not unwrap") from exc
        if hmac.compare_digest(known, value):
            return material
    return None


def _check_binding(key: KmsKey, material_id: str) -> dict[str, str]:
    return {"KeyArn": key.arn, "KeyMaterialId": material_id}


def _verified_token(authorized: AuthorizedCall) -> _Token:
    """Return what the request's token, made for this key and still valid, holds."""
    call, arn = authorized.call, authorized.target.resource
    try:
        content = call.resources.root_key.unwrap(
            TOKEN_PURPOSE, authorized.request["ImportToken"], {"KeyArn": arn}
        )
    except IntegrityError:
        # A client's token of another key, or garbled; not damage of ours.
        raise InvalidImportTokenException(messages.INVALID_IMPORT_TOKEN) from None
    token = msgspec.msgpack.decode(content, type=_Token)
    if token.valid_to <= call.received_at:
        raise ExpiredImportTokenException(messages.EXPIRED_IMPORT_TOKEN)
    return token


def _opened(token: _Token, wrapped: bytes) -> _Material:
    try:
        plaintext = open_wrapped(token.pkcs8, token.spec, token.algorithm, wrapped)
    except IntegrityError:
        raise InvalidCiphertextException from None
    if len(plaintext) != KEY_BYTES:
        raise InvalidCiphertextException
    return _Material(plaintext)


def _valid_to(request: Mapping[str, Any], now: dt.datetime) -> dt.datetime | None:
    """Return when the material is to expire; None: never."""
    valid_to: dt.datetime | None = request.get("ValidTo")
    if request.get("ExpirationModel", EXPIRES) != EXPIRES:
        if valid_to is not None:
            raise ValidationException(messages.VALID_TO_NOT_TAKEN)
        return None
    if valid_to is None:
        raise ValidationException(messages.VALID_TO_REQUIRED)
    if not now < valid_to <= now + LONGEST_VALIDITY:
        raise ValidationException(messages.VALID_TO_RANGE)
    return valid_to


def delete_imported_key_material(authorized: AuthorizedCall, unit: WriteUnit) -> Mapping[str, Any]:
    """The material named, or the newest, is gone; the key waits for it to be imported again.

    Raises:
        UnsupportedOperationException: a key of another origin.
        KMSInvalidStateException: the key is pending deletion.
        IncorrectKeyMaterialException: KeyMaterialId names none of the key's.
    """
    key = _importable(authorized)
    material_id = authorized.request.get("KeyMaterialId")
    pending = key.pending_material
    if pending is not None and pending.material_id == material_id:
        save_key(unit, replace(key, pending_material=None))
        return {"KeyId": key.arn, "KeyMaterialId": material_id}
    if not key.materials:
        return {"KeyId": key.arn}
    gone = key.materials[-1].material_id if material_id is None else material_id
    if all(each.material_id != gone for each in key.materials):
        raise IncorrectKeyMaterialException(messages.OTHER_KEY_MATERIAL)
    left = [states.without_material(each) if each.material_id == gone else each for each in key.materials]
    save_key(unit, states.settled(replace(key, materials=tuple(left))))
    return {"KeyId": key.arn, "KeyMaterialId": gone}


GET_PARAMETERS_FOR_IMPORT = Operation(
    name="GetParametersForImport",
    action="kms:GetParametersForImport",
    unit=Unit.READ,
    targets=_parameters_targets,
    handle=get_parameters_for_import,
    prepare=prepare_parameters,
    deviations=(
        "Wrapping algorithms RSAES_PKCS1_V1_5 (which AWS has given up) and SM2PKE are not supported.",
    ),
)
IMPORT_KEY_MATERIAL = Operation(
    name="ImportKeyMaterial",
    action="kms:ImportKeyMaterial",
    unit=Unit.WRITE,
    targets=_import_targets,
    handle=import_key_material,
    prepare=prepare_import,
    read_only=False,
    deviations=(
        "The texts about other material than before and about ValidTo out of range are our own.",
        "Without ImportType, material other than what the key has had is taken for its first import only.",
    ),
)
DELETE_IMPORTED_KEY_MATERIAL = Operation(
    name="DeleteImportedKeyMaterial",
    action="kms:DeleteImportedKeyMaterial",
    unit=Unit.WRITE,
    targets=on_key("kms:DeleteImportedKeyMaterial"),
    handle=delete_imported_key_material,
    read_only=False,
)

"""How Secrets Manager uses KMS: a data key for every value, wrapped by a KMS key, as the caller.

Each function checks, in this order, that policies let the caller use the key (through Secrets Manager, for
this secret and version), that the key is in a state to be used, and only then touches key material.
Sources: fact sheets kms sections 5 and 13, secretsmanager sections 6 and 11; docs/spec/envelope.md.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import msgspec

from strongroom.crypto import envelope
from strongroom.crypto.aead import DOES_NOT_OPEN, KEY_BYTES, NONCE_BYTES, SEALING_BYTES
from strongroom.crypto.context import encode_context
from strongroom.crypto.envelope import Envelope, ValueKind
from strongroom.errors import (
    AccessDeniedException,
    DecryptionFailure,
    EncryptionFailure,
    IntegrityError,
    InvalidParameterException,
    InvalidRequestException,
    NotFoundException,
    ResourceNotFoundException,
)
from strongroom.keys.ciphertext import Ciphertext, parse_ciphertext
from strongroom.keys.policies import secretsmanager_key_policy
from strongroom.keys.records import Alias, KmsKey
from strongroom.keys.reference import KeyRef, parse_key_ref
from strongroom.keys.specs import SYMMETRIC
from strongroom.keys.states import ENABLED, as_of
from strongroom.names import AccountId, Arn, Region, kms_alias_arn
from strongroom.operations import authorize
from strongroom.operations.call import Call, ConditionContext, Resources, Target
from strongroom.operations.kms.custody import save_key
from strongroom.operations.kms.material import KeyMemory, decrypt, new_key, seal_blob
from strongroom.operations.kms.messages import NO_ASYMMETRIC_DATA_KEY
from strongroom.operations.kms.resolution import absent_target, find_key, key_target
from strongroom.operations.kms.rotation import DEFAULT_PERIOD_DAYS
from strongroom.operations.refusals import overlooked
from strongroom.ports import ALIASES, KMS_KEYS, ReadUnit, WriteUnit, account_region
from strongroom.secret.records import SecretVersion
from strongroom.secret.value import SecretValue

__all__ = [
    "KeyMemory",
    "Opening",
    "SealedValue",
    "open_value",
    "opening_target",
    "permitted_opening",
    "reseal",
    "seal_value",
    "sealing_target",
    "validate_key_access",
]

DEFAULT_ALIAS: Final = "alias/aws/secretsmanager"
VALIDATION_VERSION_ID: Final = "RequestToValidateKeyAccess"
"""Stands for a version id when access to a key is only tried (fact sheet kms section 7)."""

# Fact sheet secretsmanager section 6, GetSecretValue; recorded by localstack.
DEFAULT_KEY_ELSEWHERE: Final = (
    "You can't access a secret from a different AWS account if you encrypt the secret with the default KMS "
    "service key."
)
# Fact sheet iam section 9; seen by many clients.
KMS_NOT_ALLOWED: Final = "Access to KMS is not allowed"
# Texts not established (fact sheet secretsmanager section 11): the service model's own description.
CANNOT_DECRYPT: Final = "Secrets Manager can't decrypt the protected secret text using the provided KMS key."
CANNOT_ENCRYPT: Final = (
    "Secrets Manager can't encrypt the protected secret text using the provided KMS key. Check that the KMS "
    "key is available, enabled, and not in an invalid state."
)
LARGE_ENVELOPE_BYTES: Final = 2048
"""Parts of greater envelopes are not kept in memory a second time."""
_ON_BEHALF: Final[ConditionContext] = {
    "aws:ViaAWSService": "true",
    "aws:CalledVia": ("secretsmanager.amazonaws.com",),
    "aws:CalledViaFirst": "secretsmanager.amazonaws.com",
    "aws:CalledViaLast": "secretsmanager.amazonaws.com",
}
"""What policies see of a call that Secrets Manager makes for its caller (fact sheet iam sections 6 and 8)."""
NO_SUCH_KEY: Final = "Secrets Manager can't find the specified KMS key."
NOT_A_KEY: Final = "The parameter KmsKeyId is not a valid KMS key identifier for this Region."


@dataclass(frozen=True, slots=True, repr=False)
class SealedValue:
    """A value ready to be stored."""

    envelope: bytes
    kms_key_arn: Arn
    default_key: bool
    """True for the account's `aws/secretsmanager` key."""


def seal_value(
    call: Call,
    unit: WriteUnit,
    *,
    secret_arn: str,
    region: str,
    account_id: str,
    version_id: str,
    kms_key_id: str | None,
    value: SecretValue,
    key_actions: Sequence[str] = ("kms:GenerateDataKey",),
) -> SealedValue:
    """Return `value` sealed under a new data key, which opens for this secret and version only.

    `region` and `account_id` are the secret's. None or "" for `kms_key_id` means the account's
    `aws/secretsmanager` key, which is made here on its first use. The caller needs `key_actions` on the key
    (replication asks for others, fact sheet iam section 6).

    Raises:
        InvalidRequestException: the default key and a caller of another account.
        InvalidParameterException: `kms_key_id` cannot name a key of this region.
        AccessDeniedException: policies do not let the caller use the key.
        ResourceNotFoundException: no such key, in the caller's own account.
        InvalidParameterException: an asymmetric or HMAC key.
        EncryptionFailure: the key is disabled or pending deletion.
    """
    context = _encryption_context(secret_arn, version_id)
    use = _KeyUse(call, unit, Region(region), AccountId(account_id), context)
    key = _sealing_key(use, unit, kms_key_id, *key_actions)
    return _seal(call, key, context, value)


def open_value(
    call: Call, unit: ReadUnit, version: SecretVersion, *, region: str, account_id: str
) -> SecretValue:
    """Return the value of a stored version. `region` and `account_id` are the secret's.

    Raises:
        InvalidRequestException: the default key and a caller of another account.
        AccessDeniedException: policies do not let the caller use the key (kms:Decrypt).
        DecryptionFailure: the key is gone, disabled or pending deletion; or what is stored does not open,
            and then the cause is an IntegrityError.
    """
    opening = permitted_opening(call, unit, version, region=region, account_id=account_id)
    return opening.open(call.resources, call.received_at)


def permitted_opening(
    call: Call, unit: ReadUnit, version: SecretVersion, *, region: str, account_id: str
) -> Opening:
    """Return what opens a stored version, for a caller who may and under a key in a state to do so.

    Raises as `open_value`.
    """
    if version.default_key and call.principal.account_id != account_id:
        raise InvalidRequestException(DEFAULT_KEY_ELSEWHERE)
    try:
        layout = _layout(version.envelope, version.secret_arn, version.version_id)
        if layout.wrapped.key_arn != version.kms_key_arn:
            raise IntegrityError(DOES_NOT_OPEN)
    except IntegrityError as damage:
        raise DecryptionFailure(CANNOT_DECRYPT) from damage
    wrapped = layout.wrapped
    stored = unit.find(KMS_KEYS, layout.key_scope, wrapped.key_id)
    key = None if stored is None else as_of(stored, call.received_at)
    use = _KeyUse(call, unit, Region(region), AccountId(account_id), layout.context)
    if stored is None or key is None:
        use.require_absent(KeyRef(wrapped.account_id, wrapped.region, key_id=wrapped.key_id), "kms:Decrypt")
        raise DecryptionFailure(CANNOT_DECRYPT)
    use.require(key, "kms:Decrypt")
    if key.state != ENABLED:
        raise DecryptionFailure(CANNOT_DECRYPT)
    return Opening(stored, layout)


def opening_target(
    call: Call, unit: ReadUnit, version: SecretVersion, *, region: str, account_id: str
) -> Target | None:
    """Return what `permitted_opening` asks for: the key and kms:Decrypt, whatever state the key is in.

    None: the caller is refused whatever policies say, as the key is the default one of another account.
    """
    if version.default_key and call.principal.account_id != account_id:
        return None
    ref = parse_key_ref(version.kms_key_arn, Region(version.kms_key_arn.split(":")[3]), AccountId(account_id))
    stored = unit.find(KMS_KEYS, account_region(ref.account_id, ref.region), ref.key_id or "")
    key = None if stored is None else as_of(stored, call.received_at)
    if key is None:
        return absent_target(ref, "kms:Decrypt")
    context = _encryption_context(version.secret_arn, version.version_id)
    return _KeyUse(call, unit, Region(region), AccountId(account_id), context).target(key, "kms:Decrypt")


def sealing_target(
    call: Call, unit: ReadUnit, *, secret_arn: str, region: str, account_id: str, kms_key_id: str | None
) -> Target | None:
    """Return what `seal_value` asks for on a key that is there, whatever state it is in, for a version whose
    id is not known yet: kms:GenerateDataKey. The default key that is not made yet counts as absent.

    None: the caller is refused whatever policies say, as the key is the default one of another account.
    """
    home = AccountId(account_id)
    ref = parse_key_ref(kms_key_id or DEFAULT_ALIAS, Region(region), home)
    key = find_key(unit, ref, call.received_at)
    default = ref.account_id == home and ref.alias_name == DEFAULT_ALIAS
    if (default or (key is not None and key.manager == "AWS")) and call.account_id != home:
        return None
    if key is None:
        return absent_target(ref, "kms:GenerateDataKey")
    use = _KeyUse(call, unit, Region(region), home, {"SecretARN": secret_arn})
    target = use.target(key, "kms:GenerateDataKey")
    names = {"kms:EncryptionContextKeys": tuple(_encryption_context("", ""))}
    return msgspec.structs.replace(target, context={**target.context, **names})


class Opening(msgspec.Struct, frozen=True):
    """A stored version and the key that opens it, for one caller. Made by `permitted_opening` only.

    SECURITY: it holds for the state of the store it was made from, and no longer: whoever keeps it must know
    that nothing was committed since.
    """

    stored_key: KmsKey
    layout: _Layout

    def open(self, resources: Resources, now: dt.datetime) -> SecretValue:
        """Return the value.

        Raises:
            DecryptionFailure: the key's end has come meanwhile; or it does not open, and then the cause is
                an IntegrityError.
        """
        layout = self.layout
        key = as_of(self.stored_key, now)
        if key is None or key.state != ENABLED:
            raise DecryptionFailure(CANNOT_DECRYPT)
        try:
            data_key = decrypt(resources, key, layout.wrapped, layout.bound)
            value = layout.parts.open(data_key, layout.bound)
            if layout.parts.kind is ValueKind.TEXT:
                return SecretValue(text=value.decode())
            return SecretValue(binary=value)
        except (IntegrityError, UnicodeDecodeError) as exc:
            damage = exc if isinstance(exc, IntegrityError) else IntegrityError(DOES_NOT_OPEN)
            raise DecryptionFailure(CANNOT_DECRYPT) from damage


def validate_key_access(
    call: Call,
    unit: WriteUnit,
    *,
    secret_arn: str,
    region: str,
    account_id: str,
    kms_key_id: str,
    key_actions: Sequence[str] = ("kms:GenerateDataKey", "kms:Decrypt"),
) -> bool:
    """Pass when the caller may seal and open this secret's values with the key now; True when it is the
    account's `aws/secretsmanager` key. The caller needs `key_actions` on the key.

    Raises as `seal_value` does.
    """
    context = _encryption_context(secret_arn, VALIDATION_VERSION_ID)
    use = _KeyUse(call, unit, Region(region), AccountId(account_id), context)
    return _sealing_key(use, unit, kms_key_id, *key_actions).manager == "AWS"


def reseal(
    call: Call,
    unit: WriteUnit,
    version: SecretVersion,
    *,
    region: str,
    account_id: str,
    kms_key_id: str | None,
) -> SecretVersion:
    """Return the version sealed under another key, not saved yet.

    The version comes back as it was when it is under that key already, or when policies do not give the
    caller kms:Encrypt on the new key (it then stays on the old one, fact sheet secretsmanager, UpdateSecret).

    Raises as `open_value` does for the old key, and as `seal_value` for the new one otherwise.
    """
    context = _encryption_context(version.secret_arn, version.version_id)
    use = _KeyUse(call, unit, Region(region), AccountId(account_id), context)
    try:
        with overlooked(call):
            key = _sealing_key(use, unit, kms_key_id, "kms:Encrypt")
    except AccessDeniedException:
        return version
    if key.arn == version.kms_key_arn:
        return version
    value = open_value(call, unit, version, region=region, account_id=account_id)
    sealed = _seal(call, key, context, value)
    return msgspec.structs.replace(
        version,
        envelope=sealed.envelope,
        kms_key_arn=sealed.kms_key_arn,
        default_key=sealed.default_key,
    )


class _Layout(msgspec.Struct, frozen=True):
    """A stored envelope taken apart, and what it is bound to. Nothing here is secret."""

    parts: Envelope
    wrapped: Ciphertext
    key_scope: str
    context: Mapping[str, str]
    bound: bytes
    """The encryption context in its canonical form."""


@lru_cache(maxsize=4096)
def _small_layout(stored: bytes, secret_arn: str, version_id: str) -> _Layout:
    parts = envelope.parse(stored)
    wrapped = parse_ciphertext(parts.wrapped_key)
    if wrapped is None:
        raise IntegrityError(DOES_NOT_OPEN)
    context = _encryption_context(secret_arn, version_id)
    scope = account_region(wrapped.account_id, wrapped.region)
    return _Layout(parts, wrapped, scope, context, encode_context(context))


def _layout(stored: bytes, secret_arn: str, version_id: str) -> _Layout:
    """Return the parts of an envelope; those of small ones are remembered.

    Raises IntegrityError when it does not keep to the layout.
    """
    if len(stored) > LARGE_ENVELOPE_BYTES:
        return _small_layout.__wrapped__(stored, secret_arn, version_id)
    return _small_layout(stored, secret_arn, version_id)


class _KeyUse(msgspec.Struct, frozen=True):
    """Who wants to use a key, through Secrets Manager of which region, for what."""

    call: Call
    unit: ReadUnit
    region: Region
    account_id: AccountId
    context: Mapping[str, str]

    def require(self, key: KmsKey, *actions: str) -> None:
        """Raises AccessDeniedException unless every action is allowed on `key`."""
        for action in actions:
            self._require(self.target(key, action))

    def target(self, key: KmsKey, action: str) -> Target:
        return key_target(
            self.call,
            key,
            action,
            encryption_context=self.context,
            via_service=f"secretsmanager.{self.region}.amazonaws.com",
            context=_ON_BEHALF,
            unit=self.unit,
        )

    def require_absent(self, ref: KeyRef, *actions: str) -> None:
        """Raises AccessDeniedException unless the caller might use a key of that name, were it there."""
        for action in actions:
            self._require(absent_target(ref, action))

    def _require(self, target: Target) -> None:
        decision = authorize.allowed(self.call, self.unit, target)
        if not decision.allowed:
            authorize.note(self.call, self.unit, target, decision, KMS_NOT_ALLOWED)
            raise AccessDeniedException(KMS_NOT_ALLOWED)


def _sealing_key(use: _KeyUse, unit: WriteUnit, kms_key_id: str | None, *actions: str) -> KmsKey:
    """Return the key a caller named, permitted for `actions` and enabled."""
    name = kms_key_id or DEFAULT_ALIAS
    try:
        ref = parse_key_ref(name, use.region, use.account_id)
    except NotFoundException:
        raise InvalidParameterException(NOT_A_KEY) from None
    key = find_key(unit, ref, use.call.received_at)
    own_default = ref.account_id == use.account_id and ref.alias_name == DEFAULT_ALIAS
    if (own_default or (key is not None and key.manager == "AWS")) and (
        use.call.account_id != use.account_id
    ):
        raise InvalidRequestException(DEFAULT_KEY_ELSEWHERE)
    if key is None and own_default:
        # Saved only once permitted: a caller of ours may catch the refusal and commit (replication does).
        key = _new_default_key(use)
        use.require(key, *actions)
        _save_default_key(use, unit, key)
        return key
    if key is None:
        use.require_absent(ref, *actions)
        raise ResourceNotFoundException(NO_SUCH_KEY)
    use.require(key, *actions)
    if key.spec != SYMMETRIC:
        raise InvalidParameterException(NO_ASYMMETRIC_DATA_KEY)
    if key.state != ENABLED:
        raise EncryptionFailure(CANNOT_ENCRYPT)
    return key


def _new_default_key(use: _KeyUse) -> KmsKey:
    """Return a new `aws/secretsmanager` key for the secret's account and region, not saved yet."""
    call = use.call
    return msgspec.structs.replace(
        new_key(
            account_id=use.account_id,
            region=use.region,
            policy=secretsmanager_key_policy(use.account_id, use.region),
            now=call.received_at,
            entropy=call.resources.entropy,
            root_key=call.resources.root_key,
        ),
        manager="AWS",
        description="Default key that protects my Secrets Manager data when no other key is defined",
        alias_names=(DEFAULT_ALIAS,),
        rotation_days=DEFAULT_PERIOD_DAYS,
        rotation_due_at=call.received_at + dt.timedelta(days=DEFAULT_PERIOD_DAYS),
    )


def _save_default_key(use: _KeyUse, unit: WriteUnit, key: KmsKey) -> None:
    """The key and the alias it is found by are stored."""
    alias = Alias(
        alias_name=DEFAULT_ALIAS,
        arn=kms_alias_arn(use.region, use.account_id, DEFAULT_ALIAS),
        key_id=key.key_id,
        created_at=use.call.received_at,
        updated_at=use.call.received_at,
    )
    save_key(unit, key)
    unit.save(ALIASES, alias)


def _seal(call: Call, key: KmsKey, context: Mapping[str, str], value: SecretValue) -> SealedValue:
    random = call.resources.entropy.token_bytes(KEY_BYTES + SEALING_BYTES + NONCE_BYTES)
    data_key, sealing, nonce = (
        random[:KEY_BYTES],
        random[KEY_BYTES : KEY_BYTES + SEALING_BYTES],
        random[KEY_BYTES + SEALING_BYTES :],
    )
    bound = encode_context(context)
    sealed = envelope.encode(
        ValueKind.BINARY if value.text is None else ValueKind.TEXT,
        value.encoded(),
        data_key=data_key,
        wrapped_key=seal_blob(call.resources, key, data_key, bound, sealing),
        context=bound,
        nonce=nonce,
    )
    return SealedValue(sealed, key.arn, key.manager == "AWS")


def _encryption_context(secret_arn: str, version_id: str) -> dict[str, str]:
    """Return the context Secrets Manager binds both layers to (fact sheet kms section 7)."""
    return {"SecretARN": secret_arn, "SecretVersionId": version_id}

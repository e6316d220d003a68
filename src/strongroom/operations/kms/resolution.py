"""From what a caller sent to the stored key, and from the key to the target its use is authorized on.

Sources: fact sheets kms sections 2 and 9, iam sections 4 (KMS exception) and 7.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence

from strongroom.errors import AccessDeniedException, NotFoundException, UnsupportedOperationException
from strongroom.keys.records import KmsKey
from strongroom.keys.reference import ALIAS_PREFIX, KeyRef, parse_key_ref
from strongroom.keys.states import as_of
from strongroom.operations.call import Call, ResourcePolicy, Target, Targets
from strongroom.operations.kms import messages
from strongroom.operations.kms.grantees import NOTHING, granted
from strongroom.operations.refusals import note_unreachable
from strongroom.ports import ALIASES, KMS_KEYS, ReadUnit, account_region

OWN_ACCOUNT_ONLY = "The operation is for keys of the caller's own account only, whatever policies allow."
KeyContext = dict[str, "str | tuple[str, ...]"]


def find_key(unit: ReadUnit, ref: KeyRef, now: dt.datetime) -> KmsKey | None:
    """Return the key `ref` leads to, as it is now; None when there is none, or its deletion date has come."""
    scope = account_region(ref.account_id, ref.region)
    key_id = ref.key_id
    if ref.alias_name is not None:
        alias = unit.find(ALIASES, scope, ref.alias_name)
        key_id = None if alias is None else alias.key_id
    key = None if key_id is None else unit.find(KMS_KEYS, scope, key_id)
    return None if key is None else as_of(key, now)


def key_target(
    call: Call,
    key: KmsKey,
    action: str,
    *,
    encryption_context: Mapping[str, str] | None = None,
    via_service: str | None = None,
    request_alias: str | None = None,
    optional: bool = False,
    context: Mapping[str, str | tuple[str, ...]] | None = None,
    unit: ReadUnit | None = None,
) -> Target:
    """Return the target of using a key that exists, with the condition keys of the key and of its use.

    `encryption_context` is given for cryptographic operations only (an empty one included). `context` adds
    condition keys of the operation. Grants are looked for in `unit`: give it for every operation that grants
    can allow.
    """
    keys: KeyContext = {
        "kms:CallerAccount": call.account_id,
        "kms:KeySpec": key.spec,
        "kms:KeyUsage": key.usage,
        "kms:KeyOrigin": key.origin,
        "kms:MultiRegion": "true" if key.multi_region else "false",
    }
    if key.alias_names:
        keys["kms:ResourceAliases"] = key.alias_names
    for tag, value in key.tags.items():
        keys[f"aws:ResourceTag/{tag}"] = value
    if via_service is not None:
        keys["kms:ViaService"] = via_service
    if request_alias is not None:
        keys["kms:RequestAlias"] = request_alias
    if encryption_context is not None:
        keys["kms:EncryptionAlgorithm"] = key.spec
        for name, value in encryption_context.items():
            keys[f"kms:EncryptionContext:{name}"] = value
        if encryption_context:
            keys["kms:EncryptionContextKeys"] = tuple(encryption_context)
    if key.multi_region:
        keys["kms:MultiRegionKeyType"] = "PRIMARY" if key.primary_region == key.region else "REPLICA"
        keys["kms:PrimaryRegion"] = key.primary_region or key.region
    if context is not None:
        keys.update(context)
    grants = NOTHING if unit is None else granted(call, unit, key, action, encryption_context)
    return Target(
        action=action,
        resource=key.arn,
        owner_account=key.account_id,
        record=key,
        resource_policies=(ResourcePolicy(key.policy, delegates_to_account=False),),
        context=keys,
        grants=grants.ids,
        grants_behind=grants.behind,
        optional=optional,
    )


def absent_target(ref: KeyRef, action: str) -> Target:
    """Return the target of using a key that is not there: only the caller's own identity policies speak.

    So a caller without permission hears the same for a key that is not there and for one it may not use.
    """
    return Target(action=action, resource=ref.arn, owner_account=ref.account_id)


def named_key(
    call: Call,
    unit: ReadUnit,
    text: str,
    action: str,
    *,
    aliases: bool = False,
    cross_account: bool = False,
    encryption_context: Mapping[str, str] | None = None,
    context: Mapping[str, str | tuple[str, ...]] | None = None,
) -> Target:
    """Return the target for the key the caller named by `text`.

    `aliases` and `cross_account` say what the operation takes (fact sheet kms sections 2 and 9).

    Raises:
        NotFoundException: nothing could be named so, in this region.
        AccessDeniedException: another account's key, and the operation is for the owner's account only.
    """
    ref = parse_key_ref(text, call.region, call.account_id)
    if ref.alias_name is not None and not aliases:
        raise NotFoundException(messages.invalid_key_id(text))
    if ref.account_id != call.account_id and not cross_account:
        message = messages.not_reachable(call.principal.arn, action, ref.arn)
        note_unreachable(call, absent_target(ref, action), message, OWN_ACCOUNT_ONLY)
        raise AccessDeniedException(message)
    key = find_key(unit, ref, call.received_at)
    if key is None:
        return absent_target(ref, action)
    return key_target(
        call,
        key,
        action,
        encryption_context=encryption_context,
        request_alias=ref.alias_name,
        context=context,
        unit=unit,
    )


def on_key(
    action: str,
    *,
    aliases: bool = False,
    cross_account: bool = False,
    encryption: bool = False,
    context: Mapping[str, str | tuple[str, ...]] | None = None,
) -> Targets:
    """Return the targets function of an operation on request["KeyId"].

    `encryption`: a cryptographic operation, whose EncryptionContext is told to conditions. `context` adds
    condition keys of the operation.
    """

    def targets(call: Call, unit: ReadUnit) -> Sequence[Target]:
        given = call.request.get("EncryptionContext") or {}
        return (
            named_key(
                call,
                unit,
                call.request["KeyId"],
                action,
                aliases=aliases,
                cross_account=cross_account,
                encryption_context=given if encryption else None,
                context=context,
            ),
        )

    return targets


def without_resource(action: str) -> Targets:
    """Return the targets function of an operation that identity policies alone decide."""

    def targets(call: Call, unit: ReadUnit) -> Sequence[Target]:
        return (Target(action=action, resource="*", owner_account=call.account_id),)

    return targets


def present(target: Target) -> KmsKey:
    """Return the target's key.

    Raises:
        NotFoundException: there is no such key or alias.
    """
    if isinstance(target.record, KmsKey):
        return target.record
    if f":{ALIAS_PREFIX}" in target.resource:
        raise NotFoundException(messages.no_such_alias(target.resource))
    raise NotFoundException(messages.no_such_key(target.resource))


def managed(target: Target) -> KmsKey:
    """Return the target's key, one that customers manage.

    Raises:
        NotFoundException: there is no such key.
        UnsupportedOperationException: an AWS managed key. Its key policy allows no management to begin with.
    """
    key = present(target)
    if key.manager == "AWS":
        raise UnsupportedOperationException(messages.AWS_MANAGED_KEY)
    return key

"""Names for KMS keys. Source: fact sheet kms sections 2, 3, 9 and 14.

A key's record lists the names that point to it, so both records change together.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from strongroom.errors import (
    AlreadyExistsException,
    InvalidAliasNameException,
    LimitExceededException,
    NotFoundException,
    ValidationException,
)
from strongroom.keys import states
from strongroom.keys.records import Alias, KmsKey
from strongroom.keys.reference import ALIAS_PREFIX, AWS_ALIAS_PREFIX, KeyRef, is_alias_name, parse_key_ref
from strongroom.keys.specs import key_type
from strongroom.names import Arn, kms_alias_arn
from strongroom.operations.call import AuthorizedCall, Call, Operation, Target, Unit
from strongroom.operations.kms import messages
from strongroom.operations.kms.paging import page_members, page_size, parse_marker
from strongroom.operations.kms.resolution import find_key, key_target, managed, named_key
from strongroom.ports import ALIASES, KMS_KEYS, ReadUnit, WriteUnit, account_region

MAXIMUM_ALIASES_OF_A_KEY: Final = 50
TOO_MANY_ALIASES: Final = "The KMS key already has 50 aliases, which is the maximum."


def _alias_arn(call: Call, name: str) -> Arn:
    """Return the ARN of a name that customers may use.

    Raises:
        ValidationException: it lacks the prefix `alias/`.
        InvalidAliasNameException: it is reserved or holds other characters.
    """
    if not name.startswith(ALIAS_PREFIX):
        raise ValidationException(messages.ALIAS_PREFIX_REQUIRED)
    if name.startswith(AWS_ALIAS_PREFIX):
        raise InvalidAliasNameException(messages.RESERVED_ALIAS)
    if not is_alias_name(name):
        raise InvalidAliasNameException(messages.INVALID_ALIAS_NAME)
    return kms_alias_arn(call.region, call.account_id, name)


def _alias_target(call: Call, action: str) -> Target:
    """Aliases have no policy of their own: identity policies decide."""
    context = {"kms:CallerAccount": call.account_id}
    arn = _alias_arn(call, call.request["AliasName"])
    return Target(action=action, resource=arn, owner_account=call.account_id, context=context)


def _aliased_key(call: Call, unit: ReadUnit) -> KmsKey | None:
    """Return the key the request's AliasName points to now."""
    ref = KeyRef(call.account_id, call.region, alias_name=call.request["AliasName"])
    return find_key(unit, ref, call.received_at)


def _create_targets(call: Call, unit: ReadUnit) -> Sequence[Target]:
    return (
        _alias_target(call, "kms:CreateAlias"),
        named_key(call, unit, call.request["TargetKeyId"], "kms:CreateAlias"),
    )


def _update_targets(call: Call, unit: ReadUnit) -> Sequence[Target]:
    targets = (
        _alias_target(call, "kms:UpdateAlias"),
        named_key(call, unit, call.request["TargetKeyId"], "kms:UpdateAlias"),
    )
    left = _aliased_key(call, unit)
    return targets if left is None else (*targets, key_target(call, left, "kms:UpdateAlias"))


def _delete_targets(call: Call, unit: ReadUnit) -> Sequence[Target]:
    target = _alias_target(call, "kms:DeleteAlias")
    key = _aliased_key(call, unit)
    return (target,) if key is None else (target, key_target(call, key, "kms:DeleteAlias"))


def create_alias(authorized: AuthorizedCall, unit: WriteUnit) -> None:
    """Save a new name for a key.

    Raises:
        NotFoundException: no such key.
        AlreadyExistsException: the name is in use.
        KMSInvalidStateException: the key is pending deletion.
        LimitExceededException: the key has 50 names.
    """
    call = authorized.call
    name_target, target = authorized.targets
    key = managed(target)
    if _aliased_key(call, unit) is not None:
        raise AlreadyExistsException(messages.alias_exists(name_target.resource))
    states.verify_not_pending_deletion(key)
    name = call.request["AliasName"]
    unit.save(KMS_KEYS, _with_alias(key, name))
    alias = Alias(
        alias_name=name,
        arn=Arn(name_target.resource),
        key_id=key.key_id,
        created_at=call.received_at,
        updated_at=call.received_at,
    )
    unit.save(ALIASES, alias)


def update_alias(authorized: AuthorizedCall, unit: WriteUnit) -> None:
    """Point an existing name to another key.

    Raises:
        NotFoundException: no such name, or no such key.
        KMSInvalidStateException: the new key is pending deletion.
        ValidationException: the two keys are not of one type and usage.
        LimitExceededException: the new key has 50 names.
    """
    call = authorized.call
    name_target, target = authorized.targets[:2]
    key = managed(target)
    left, alias = _existing(call, unit, name_target)
    states.verify_not_pending_deletion(key)
    if (key_type(left.spec), left.usage) != (key_type(key.spec), key.usage):
        raise ValidationException(messages.ALIAS_OF_ANOTHER_KIND)
    if left.key_id != key.key_id:
        unit.save(KMS_KEYS, _without_alias(left, alias.alias_name))
        unit.save(KMS_KEYS, _with_alias(key, alias.alias_name))
    unit.save(ALIASES, msgspec.structs.replace(alias, key_id=key.key_id, updated_at=call.received_at))


def delete_alias(authorized: AuthorizedCall, unit: WriteUnit) -> None:
    """Remove a name; the key stays as it is.

    Raises:
        NotFoundException: no such name.
    """
    call = authorized.call
    key, alias = _existing(call, unit, authorized.targets[0])
    unit.save(KMS_KEYS, _without_alias(key, alias.alias_name))
    unit.delete(ALIASES, account_region(call.account_id, call.region), alias.alias_name)


def _existing(call: Call, unit: ReadUnit, name_target: Target) -> tuple[KmsKey, Alias]:
    key = _aliased_key(call, unit)
    scope = account_region(call.account_id, call.region)
    alias = unit.find(ALIASES, scope, call.request["AliasName"])
    if key is None or alias is None:
        raise NotFoundException(messages.no_such_alias(name_target.resource))
    return key, alias


def _with_alias(key: KmsKey, name: str) -> KmsKey:
    if len(key.alias_names) >= MAXIMUM_ALIASES_OF_A_KEY:
        raise LimitExceededException(TOO_MANY_ALIASES)
    return msgspec.structs.replace(key, alias_names=tuple(sorted((*key.alias_names, name))))


def _without_alias(key: KmsKey, name: str) -> KmsKey:
    return msgspec.structs.replace(key, alias_names=tuple(n for n in key.alias_names if n != name))


def _list_targets(call: Call, unit: ReadUnit) -> Sequence[Target]:
    """Identity policies alone decide (fact sheet iam section 4); a key is named for the answer only."""
    key_id = call.request.get("KeyId")
    record = None if key_id is None else named_key(call, unit, key_id, "kms:ListAliases").record
    return (Target("kms:ListAliases", "*", call.account_id, record=record),)


def list_aliases(authorized: AuthorizedCall, unit: ReadUnit) -> Mapping[str, Any]:
    """Return the account's aliases in this region, or those of one key.

    Raises:
        NotFoundException: KeyId names no key.
    """
    call, request = authorized.call, authorized.request
    key = authorized.target.record
    if request.get("KeyId") is not None and key is None:
        ref = parse_key_ref(request["KeyId"], call.region, call.account_id)
        raise NotFoundException(messages.no_such_key(ref.arn))
    prefix = "" if key is None else f"{key.key_id}/"
    size = page_size(request, 50, 100)
    after = parse_marker(request)
    scope = account_region(call.account_id, call.region)
    found: list[Alias] = []
    # Names of keys that are gone must not shorten a page to nothing.
    while len(found) <= size:
        rows = unit.scan(ALIASES, scope, prefix=prefix, after=after, limit=size + 1)
        found += [alias for alias in rows if _leads_somewhere(unit, scope, alias, call.received_at)]
        if len(rows) <= size:
            break
        after = ALIASES.alternate(rows[-1])
    found = found[: size + 1]
    page = found[:size]
    return {
        "Aliases": [_entry(alias) for alias in page],
        **page_members(found, size, ALIASES.alternate(page[-1]) if page else ""),
    }


def _leads_somewhere(unit: ReadUnit, scope: str, alias: Alias, now: dt.datetime) -> bool:
    key = unit.find(KMS_KEYS, scope, alias.key_id)
    return key is not None and not states.is_gone(key, now)


def _entry(alias: Alias) -> dict[str, Any]:
    return {
        "AliasName": alias.alias_name,
        "AliasArn": alias.arn,
        "TargetKeyId": alias.key_id,
        "CreationDate": alias.created_at,
        "LastUpdatedDate": alias.updated_at,
    }


CREATE_ALIAS = Operation(
    name="CreateAlias",
    action="kms:CreateAlias",
    unit=Unit.WRITE,
    targets=_create_targets,
    handle=create_alias,
    read_only=False,
    deviations=("The texts for reserved and malformed alias names are our own.",),
)
UPDATE_ALIAS = Operation(
    name="UpdateAlias",
    action="kms:UpdateAlias",
    unit=Unit.WRITE,
    targets=_update_targets,
    handle=update_alias,
    read_only=False,
    deviations=("The text for a key of another type or usage is our own: AWS's is not established.",),
)
DELETE_ALIAS = Operation(
    name="DeleteAlias",
    action="kms:DeleteAlias",
    unit=Unit.WRITE,
    targets=_delete_targets,
    handle=delete_alias,
    read_only=False,
)
LIST_ALIASES = Operation(
    name="ListAliases",
    action="kms:ListAliases",
    unit=Unit.READ,
    targets=_list_targets,
    handle=list_aliases,
    deviations=("AWS managed aliases are listed once their key exists, not before.",),
)

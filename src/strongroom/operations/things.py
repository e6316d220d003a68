"""The thing a question is about: found by what people call it, and what has to be allowed to act on it.

The targets are those the operations themselves declare (`secret_target`, `key_target`, `role_targets`), so a
question is decided by what a call is decided by.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from enum import StrEnum
from typing import Any, Final

import msgspec

from strongroom.errors import NotFoundException, ValidationException
from strongroom.identity.managed import AWS_ACCOUNT
from strongroom.identity.records import Group, ManagedPolicy, Role, User
from strongroom.keys.records import KmsKey
from strongroom.keys.reference import parse_key_ref
from strongroom.names import AWSCURRENT, AccountId, Arn, Region, is_account_id, is_region, parse_arn
from strongroom.operations.call import Call, Target
from strongroom.operations.datakeys import opening_target
from strongroom.operations.iam.entities import GROUP, ROLE, USER, target_of
from strongroom.operations.iam.policy_resolution import find_policy
from strongroom.operations.kms.resolution import find_key, key_target
from strongroom.operations.principals import entity_named
from strongroom.operations.secretsmanager.resolution import secret_target
from strongroom.operations.sts.roles import role_targets
from strongroom.ports import GROUPS, ReadUnit
from strongroom.secret.records import Secret, SecretVersion
from strongroom.secret.reference import parse_secret_ref

__all__ = ["Thing", "ThingKind", "current_version", "find_things", "targets_of", "thing_of_arn"]

READ_SECRET: Final = "secretsmanager:getsecretvalue"


class ThingKind(StrEnum):
    SECRET = "secret"
    KEY = "KMS key"
    ENTITY = "IAM entity"
    OTHER = "other"
    """Of which nothing is known but its ARN; `*` among them."""


class Thing(msgspec.Struct, frozen=True, eq=False):
    kind: ThingKind
    resource: str
    """Its ARN, or `*`."""
    account_id: AccountId | None = None
    """None: of the caller's own account."""
    region: Region | None = None
    """None: it is in no Region, or that is not known."""
    record: Any = None


def find_things(
    unit: ReadUnit, call: Call, text: str, accounts: Sequence[AccountId], regions: Collection[str]
) -> Iterator[Thing]:
    """Yield what `text` names: itself for an ARN or `*`; else in every account and Region given, the secret
    of that name, and the key of that id or alias. Yields nothing where it names nothing that is stored.
    """
    if text == "*" or text.startswith("arn:"):
        found = thing_of_arn(unit, call, text)
        if found is not None:
            yield found
        return
    for account in accounts:
        for region in sorted(regions):
            yield from _named(unit, call, text, account, Region(region))


def _named(unit: ReadUnit, call: Call, text: str, account: AccountId, region: Region) -> Iterator[Thing]:
    secret = unit.secret_named(account, region, text)
    if secret is not None:
        yield _secret(secret)
    try:
        ref = parse_key_ref(text, region, account)
    except NotFoundException:
        return
    key = find_key(unit, ref, call.received_at)
    if key is not None:
        yield _key(key)


def thing_of_arn(unit: ReadUnit, call: Call, arn: str) -> Thing | None:
    """Return what an ARN names; None when it would be a secret, key or IAM entity, and there is none."""
    parsed = parse_arn(arn)
    if arn == "*" or parsed is None:
        return Thing(ThingKind.OTHER, "*") if arn == "*" else None
    if parsed.service == "secretsmanager" and "*" not in arn and "?" not in arn:
        return _secret_of_arn(unit, arn)
    if parsed.service == "kms" and is_region(parsed.region) and "*" not in arn:
        try:
            key = find_key(
                unit,
                parse_key_ref(arn, Region(parsed.region), AccountId(parsed.account_id)),
                call.received_at,
            )
        except NotFoundException:
            return None
        return None if key is None else _key(key)
    if parsed.service == "iam" and parsed.resource.split("/")[0] in ("user", "role", "group", "policy"):
        record = _entity(unit, AccountId(parsed.account_id), arn, parsed.resource)
        if record is None:
            return None
        owner = None if parsed.account_id == AWS_ACCOUNT else AccountId(parsed.account_id)
        return Thing(ThingKind.ENTITY, arn, owner, None, record)
    owner = AccountId(parsed.account_id) if is_account_id(parsed.account_id) else None
    region = Region(parsed.region) if is_region(parsed.region) else None
    return Thing(ThingKind.OTHER, arn, owner, region)


def _secret_of_arn(unit: ReadUnit, arn: str) -> Thing | None:
    try:
        ref = parse_secret_ref(arn)
    except ValidationException:
        return None
    if ref.arn is not None:
        found = unit.secret(ref.arn)
    else:
        found = unit.secret_named(ref.account_id or "", ref.region or "", ref.name or "")
    return None if found is None else _secret(found)


def _entity(
    unit: ReadUnit, account: AccountId, arn: str, resource: str
) -> User | Role | Group | ManagedPolicy | None:
    if resource.startswith("policy/"):
        return find_policy(unit, account, Arn(arn))
    if resource.startswith("group/"):
        group = unit.find_alternate(GROUPS, account, resource.rpartition("/")[2].lower())
        return group if group is not None and group.arn == arn else None
    return entity_named(unit, arn)


def _secret(secret: Secret) -> Thing:
    return Thing(ThingKind.SECRET, secret.arn, secret.account_id, secret.region, secret)


def _key(key: KmsKey) -> Thing:
    return Thing(ThingKind.KEY, key.arn, key.account_id, key.region, key)


def current_version(unit: ReadUnit, secret: Secret) -> SecretVersion | None:
    """Return the version that a read gives out which names none."""
    version_id = secret.labels.get(AWSCURRENT)
    return None if version_id is None else unit.version(secret.arn, version_id)


def targets_of(call: Call, unit: ReadUnit, thing: Thing, action: str) -> list[Target] | None:
    """Return what has to be allowed for the caller to do `action`; None: it is refused whatever policies say.

    Reading a secret's value asks for its key as well, the one of the current version. Where a key is asked
    for directly, grants are left out: which of them fit hangs on the call's encryption context.
    """
    record = thing.record
    if isinstance(record, Secret):
        targets = [secret_target(call, unit, record.arn, action)]
        version = current_version(unit, record)
        if action.lower() != READ_SECRET or version is None:
            return targets
        opening = opening_target(call, unit, version, region=record.region, account_id=record.account_id)
        return None if opening is None else [*targets, opening]
    if isinstance(record, KmsKey):
        return [key_target(call, record, action)]
    if isinstance(record, Role) and action.lower().startswith("sts:"):
        if call.principal.is_root and action.lower() == "sts:assumerole":
            return None
        return role_targets(unit, record.arn, [action], {}, [""])
    if thing.kind is ThingKind.ENTITY:
        # IAM's operations are for the own account's entities; other accounts' cannot even be named.
        if thing.account_id not in (None, call.account_id):
            return None
        return [_entity_target(call, record, action)]
    return [Target(action=action, resource=thing.resource, owner_account=thing.account_id or call.account_id)]


def _entity_target(call: Call, record: Any, action: str) -> Target:
    if isinstance(record, User):
        return target_of(call, USER, action, record, record.user_name)
    if isinstance(record, Role):
        return target_of(call, ROLE, action, record, record.role_name)
    if isinstance(record, Group):
        return target_of(call, GROUP, action, record, record.group_name)
    tags = {f"aws:ResourceTag/{key}": value for key, value in record.tags.items()}
    return Target(
        action=action, resource=record.arn, owner_account=call.account_id, record=record, context=tags
    )

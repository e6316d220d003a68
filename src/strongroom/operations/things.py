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
from strongroom.function.references import FunctionRef, parse_function_ref
from strongroom.identity.managed import AWS_ACCOUNT
from strongroom.identity.records import Group, ManagedPolicy, Role, User
from strongroom.keys.records import KmsKey
from strongroom.keys.reference import parse_key_ref
from strongroom.names import AWSCURRENT, AccountId, Arn, Region, is_account_id, is_region, parse_arn
from strongroom.operations.call import Call, Target
from strongroom.operations.datakeys import opening_target, sealing_target
from strongroom.operations.iam.entities import GROUP, ROLE, USER, target_of
from strongroom.operations.iam.policy_resolution import find_policy
from strongroom.operations.kms.resolution import find_key, key_target
from strongroom.operations.lambda_.resolution import function_target
from strongroom.operations.lambda_.standing import version_of
from strongroom.operations.principals import entity_named
from strongroom.operations.secretsmanager.resolution import secret_target
from strongroom.operations.sts.roles import role_targets
from strongroom.ports import GROUPS, ReadUnit
from strongroom.secret.records import Secret, SecretVersion
from strongroom.secret.reference import parse_secret_ref

__all__ = ["Thing", "ThingKind", "current_version", "find_things", "targets_of", "thing_of_arn"]

READ_SECRET: Final = "secretsmanager:getsecretvalue"
ACROSS_ACCOUNTS: Final = frozenset(
    f"kms:{each}".lower()
    for each in (
        "CreateGrant",
        "Decapsulate",
        "Decrypt",
        "DeriveSharedSecret",
        "DescribeKey",
        "Encapsulate",
        "Encrypt",
        "GenerateDataKey",
        "GenerateDataKeyPair",
        "GenerateDataKeyPairWithoutPlaintext",
        "GenerateDataKeyWithoutPlaintext",
        "GenerateMac",
        "GetKeyRotationStatus",
        "GetPublicKey",
        "ListGrants",
        "ReEncryptFrom",
        "ReEncryptTo",
        "RetireGrant",
        "RevokeGrant",
        "Sign",
        "Verify",
        "VerifyMac",
    )
)
"""What callers may ask of another account's key; all else KMS refuses them, whatever policies say (fact sheet
kms section 9)."""
WRITE_SECRET: Final = "secretsmanager:putsecretvalue"


class ThingKind(StrEnum):
    SECRET = "secret"
    KEY = "KMS key"
    FUNCTION = "function"
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
    unit: ReadUnit,
    call: Call,
    text: str,
    accounts: Sequence[AccountId],
    regions: Collection[str],
    *,
    service: str,
) -> Iterator[Thing]:
    """Yield what `text` names: itself for an ARN or `*`; else, in every account and Region given, the secret
    or function of that name, or the key of that id or alias, as `service` has them. Yields nothing where it
    names nothing that is stored.
    """
    if text == "*" or text.startswith("arn:"):
        found = thing_of_arn(unit, call, text)
        if found is not None:
            yield found
        return
    for account in accounts:
        for region in sorted(regions):
            found = _named(unit, call, text, account, Region(region), service)
            if found is not None:
                yield found


def _named(
    unit: ReadUnit, call: Call, text: str, account: AccountId, region: Region, service: str
) -> Thing | None:
    if service == "secretsmanager":
        secret = unit.secret_named(account, region, text)
        return None if secret is None else _secret(secret)
    if service == "lambda":
        return _function(unit, parse_function_ref(text, region, account))
    if service != "kms":
        return None
    try:
        key = find_key(unit, parse_key_ref(text, region, account), call.received_at)
    except NotFoundException:
        return None
    return None if key is None else _key(key)


def thing_of_arn(unit: ReadUnit, call: Call, arn: str) -> Thing | None:
    """Return what an ARN names; None when it would be a secret, key, function or IAM entity, and there is
    none, and for a pattern, which is no name."""
    parsed = parse_arn(arn)
    if arn == "*":
        return Thing(ThingKind.OTHER, "*")
    if parsed is None or "*" in arn or "?" in arn:
        return None
    if parsed.service == "secretsmanager":
        return _secret_of_arn(unit, arn)
    if parsed.service == "kms" and is_region(parsed.region):
        try:
            key = find_key(
                unit,
                parse_key_ref(arn, Region(parsed.region), AccountId(parsed.account_id)),
                call.received_at,
            )
        except NotFoundException:
            return None
        return None if key is None else _key(key)
    if parsed.service == "lambda" and parsed.resource.startswith("function:"):
        return _function(unit, parse_function_ref(arn, Region(parsed.region), AccountId(parsed.account_id)))
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


def _function(unit: ReadUnit, ref: FunctionRef | None) -> Thing | None:
    if ref is None or version_of(unit, ref) is None:
        return None
    return Thing(ThingKind.FUNCTION, ref.qualified_arn, ref.account_id, ref.region, ref)


def current_version(unit: ReadUnit, secret: Secret) -> SecretVersion | None:
    """Return the version that a read gives out which names none."""
    version_id = secret.labels.get(AWSCURRENT)
    return None if version_id is None else unit.version(secret.arn, version_id)


def targets_of(call: Call, unit: ReadUnit, thing: Thing, action: str) -> list[Target] | None:
    """Return what has to be allowed for the caller to do `action`; None: it is refused whatever policies say.

    Reading a secret's value asks for its key as well, the one of the current version; so does putting one,
    with the key that the secret is to be under, unless that is still to be made. Where a key is asked
    for directly, grants are left out: which of them fit hangs on the call's encryption context.
    """
    record = thing.record
    if isinstance(record, Secret):
        targets = [secret_target(call, unit, record.arn, action)]
        if action.lower() in (READ_SECRET, WRITE_SECRET):
            key = _key_target(call, unit, record, action)
            return None if key is None else [*targets, *key]
        return targets
    if isinstance(record, KmsKey):
        reachable = record.account_id == call.account_id or action.lower() in ACROSS_ACCOUNTS
        return [key_target(call, record, action)] if reachable else None
    if isinstance(record, FunctionRef):
        return [function_target(call, unit, record, action)]
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


def _key_target(call: Call, unit: ReadUnit, secret: Secret, action: str) -> list[Target] | None:
    """Return what the secret's key is asked for: nothing for a value or a key that is not there yet."""
    if action.lower() == READ_SECRET:
        version = current_version(unit, secret)
        if version is None:
            return []
        opening = opening_target(call, unit, version, region=secret.region, account_id=secret.account_id)
        return None if opening is None else [opening]
    sealing = sealing_target(
        call,
        unit,
        secret_arn=secret.arn,
        region=secret.region,
        account_id=secret.account_id,
        kms_key_id=secret.kms_key_id,
    )
    if sealing is not None and sealing.record is None and secret.kms_key_id is None:
        return []
    return None if sealing is None else [sealing]


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

"""A policy put in the place of a stored one, in thought: the records as they would be then."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, Final

import msgspec

from strongroom.errors import NotFoundException, ValidationException
from strongroom.identity.managed import AWS_MANAGED
from strongroom.identity.naming import fold_name
from strongroom.keys.records import KmsKey
from strongroom.keys.reference import parse_key_ref
from strongroom.names import AccountId, Arn, Region, parse_arn
from strongroom.operations.principals import pinned_document, stranger
from strongroom.policy.document import PolicyKind, PolicySyntaxError, parse_policy
from strongroom.ports import (
    ACCOUNTS,
    ALIASES,
    GROUPS,
    KMS_KEYS,
    MANAGED_POLICIES,
    ROLES,
    SECRET_POLICIES,
    USERS,
    Kind,
    ReadUnit,
    account_region,
)
from strongroom.secret.records import Secret, SecretPolicy
from strongroom.secret.reference import parse_secret_ref

__all__ = ["Change", "ChangeError", "ChangeKind", "changed_records"]


class ChangeError(Exception):
    """What is to be changed cannot be; the message says why."""


class ChangeKind(StrEnum):
    SECRET = "secret"
    KEY = "key"
    USER = "user"
    ROLE = "role"
    GROUP = "group"
    TRUST = "role trust"
    MANAGED = "managed policy"


class Change(msgspec.Struct, frozen=True):
    """`document` in the place of a policy of what `name` names."""

    kind: ChangeKind
    name: str
    document: str
    policy_name: str | None = None
    """Inline policies: which; None: the only one there is."""
    accounts: tuple[AccountId, ...] = ()
    """Where to look for a name; empty: in all."""
    regions: tuple[Region, ...] = ()


_ENTITIES: Final[Mapping[ChangeKind, Kind[Any]]] = {
    ChangeKind.USER: USERS,
    ChangeKind.ROLE: ROLES,
    ChangeKind.GROUP: GROUPS,
    ChangeKind.TRUST: ROLES,
}


def changed_records(unit: ReadUnit, change: Change) -> dict[Kind[Any], Any]:
    """Return the record that the change makes another one, by its kind.

    Raises:
        ChangeError: nothing or several things are named so; or the document is no policy of that kind.
    """
    return _CHANGERS[change.kind](unit, change)


def _parsed(change: Change, kind: PolicyKind) -> None:
    try:
        parse_policy(change.document, kind)
    except PolicySyntaxError as error:
        raise ChangeError(f"The policy is not one for a {change.kind.value}: {error.reason}") from error


def _pinned(unit: ReadUnit, change: Change, kind: PolicyKind, owner: AccountId, *kinds: str) -> str:
    """Return the document as it is kept where principals stand in it."""
    _parsed(change, kind)
    unknown = stranger(unit, owner, change.document, kinds)
    if unknown is not None:
        raise ChangeError(f"The policy names {unknown.name}, which may not stand there or does not exist.")
    return pinned_document(unit, change.document)


def _accounts(unit: ReadUnit, change: Change) -> list[AccountId]:
    return list(change.accounts) or [each.account_id for each in unit.scan(ACCOUNTS, "")]


def _only(found: list[Any], change: Change) -> Any:
    if not found:
        raise ChangeError(f"There is no {change.kind.value} {change.name}.")
    if len(found) > 1:
        raise ChangeError(
            f"{len(found)} accounts or Regions have a {change.kind.value} {change.name}: say which."
        )
    return found[0]


def _secret(unit: ReadUnit, change: Change) -> dict[Kind[Any], Any]:
    try:
        ref = parse_secret_ref(change.name)
    except ValidationException as error:
        raise ChangeError(error.message) from error
    found: list[Secret | None]
    if ref.arn is not None:
        found = [unit.secret(ref.arn)]
    else:
        accounts = _accounts(unit, change) if ref.account_id is None else [AccountId(ref.account_id)]
        regions = change.regions if ref.region is None else (Region(ref.region),)
        found = [unit.secret_named(one, two, ref.name or "") for one in accounts for two in regions]
    secret: Secret = _only([each for each in found if each is not None], change)
    document = _pinned(unit, change, PolicyKind.RESOURCE, secret.account_id, "AWS", "Service")
    stored = unit.find(SECRET_POLICIES, secret.arn, change.policy_name or "default")
    name = change.policy_name or ("default" if stored is None else stored.policy_name)
    return {SECRET_POLICIES: SecretPolicy(secret_arn=secret.arn, policy_name=name, document=document)}


def _key(unit: ReadUnit, change: Change) -> dict[Kind[Any], Any]:
    arn = parse_arn(change.name)
    regions = change.regions if arn is None else (Region(arn.region),)
    accounts = _accounts(unit, change) if arn is None else [AccountId(arn.account_id)]
    found: dict[str, KmsKey] = {}
    for account in accounts:
        for region in regions:
            try:
                ref = parse_key_ref(change.name, region, account)
            except NotFoundException as error:
                raise ChangeError(f"{change.name} cannot be the name of a key.") from error
            scope, key_id = account_region(ref.account_id, ref.region), ref.key_id
            if ref.alias_name is not None:
                alias = unit.find(ALIASES, scope, ref.alias_name)
                key_id = None if alias is None else alias.key_id
            key = None if key_id is None else unit.find(KMS_KEYS, scope, key_id)
            if key is not None:
                found[key.arn] = key
    stored: KmsKey = _only(list(found.values()), change)
    document = _pinned(unit, change, PolicyKind.KEY, stored.account_id, "AWS", "Service")
    return {KMS_KEYS: msgspec.structs.replace(stored, policy=document, policy_written=change.document)}


def _found_entity(unit: ReadUnit, change: Change) -> Any:
    kind = _ENTITIES[change.kind]
    arn = parse_arn(change.name)
    accounts = _accounts(unit, change) if arn is None else [AccountId(arn.account_id)]
    name = change.name if arn is None else arn.resource.rpartition("/")[2]
    found = [unit.find_alternate(kind, account, fold_name(name)) for account in accounts]
    present = [each for each in found if each is not None and (arn is None or each.arn == change.name)]
    return _only(present, change)


def _inline(unit: ReadUnit, change: Change) -> dict[Kind[Any], Any]:
    _parsed(change, PolicyKind.IDENTITY)
    entity = _found_entity(unit, change)
    name = change.policy_name
    if name is None:
        if len(entity.policies) != 1:
            raise ChangeError(
                f"{change.name} has {len(entity.policies)} inline policies: say by name which one is changed."
            )
        (name,) = entity.policies
    policies = {**entity.policies, name: change.document}
    return {_ENTITIES[change.kind]: msgspec.structs.replace(entity, policies=policies)}


def _trust(unit: ReadUnit, change: Change) -> dict[Kind[Any], Any]:
    role = _found_entity(unit, change)
    document = _pinned(unit, change, PolicyKind.TRUST, role.account_id, "AWS", "Service", "Federated")
    changed = msgspec.structs.replace(role, trust_policy=document, written_trust_policy=change.document)
    return {ROLES: changed}


def _managed(unit: ReadUnit, change: Change) -> dict[Kind[Any], Any]:
    _parsed(change, PolicyKind.IDENTITY)
    if change.name in AWS_MANAGED:
        raise ChangeError(f"{change.name} is AWS's own: nobody can change it.")
    arn = parse_arn(change.name)
    stored = None if arn is None else unit.find(MANAGED_POLICIES, arn.account_id, Arn(change.name))
    policy = _only([] if stored is None else [stored], change)
    versions = tuple(
        msgspec.structs.replace(each, document=change.document)
        if each.version_id == policy.default_version_id
        else each
        for each in policy.versions
    )
    return {MANAGED_POLICIES: msgspec.structs.replace(policy, versions=versions)}


_CHANGERS: Final[Mapping[ChangeKind, Callable[[ReadUnit, Change], dict[Kind[Any], Any]]]] = {
    ChangeKind.SECRET: _secret,
    ChangeKind.KEY: _key,
    ChangeKind.USER: _inline,
    ChangeKind.ROLE: _inline,
    ChangeKind.GROUP: _inline,
    ChangeKind.TRUST: _trust,
    ChangeKind.MANAGED: _managed,
}

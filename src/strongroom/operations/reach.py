"""Who can: everyone who may do an action on a thing, by which statements, and on what that hangs.

Nothing is decided here: each principal's policies are gathered as for a call of its own
(`authorize.gathered`), and `policy/reach` says in which contexts they allow it. Source: DESIGN promise 8.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from strongroom.function.references import FunctionRef
from strongroom.identity.records import Role
from strongroom.keys.grants import ON_EVERY_KEY, SYMMETRIC_OPERATIONS, operations_of
from strongroom.keys.records import KmsKey
from strongroom.keys.reference import parse_key_ref
from strongroom.keys.states import ENABLED
from strongroom.names import Region
from strongroom.operations.authorize import gathered
from strongroom.operations.call import Call, Resources, Target
from strongroom.operations.datakeys import DEFAULT_ALIAS
from strongroom.operations.kms.grantees import grantees_of, grants_naming
from strongroom.operations.kms.resolution import find_key
from strongroom.operations.subjects import Subject, SubjectKind, named_subjects, stored_subjects
from strongroom.operations.things import (
    READ_SECRET,
    WRITE_SECRET,
    Thing,
    ThingKind,
    current_version,
    targets_of,
)
from strongroom.policy.context import fold_key
from strongroom.policy.document import PolicyKind, PolicySyntaxError, compile_policy
from strongroom.policy.evaluation import PolicySet
from strongroom.policy.principals import NamedPrincipal, named_principal
from strongroom.policy.reach import Check, GrantTerm, Reach, Verdict, reach
from strongroom.ports import FUNCTION_POLICIES, GRANTS, SECRET_POLICIES, ReadUnit
from strongroom.secret.records import Secret

__all__ = ["Answer", "Row", "checks_of", "who_can"]

UNREADABLE: Final = "A policy of it is missing or cannot be read, so all it asks for is refused."
NEVER_AT_ALL: Final = "Refused whatever policies say."
DEFAULT_KEY: Final = "The secret is under the default key of its account, which no other account can use."
_HYPOTHETICAL: Final = {
    SubjectKind.FEDERATED_SESSION: "As if the account's root user had made the session.",
    SubjectKind.ELSEWHERE: "As far as the resource's side goes: there is no such principal here.",
}
_USE_KEYS: Final = frozenset(
    f"secretsmanager:{each}"
    for each in ("createsecret", "updatesecret", "rotatesecret", "replicatesecrettoregions")
)
"""Actions whose operations use KMS keys in ways that are not followed here."""
_ON_EVERYTHING: Final = frozenset(
    (
        "secretsmanager:batchgetsecretvalue",
        "secretsmanager:getrandompassword",
        "secretsmanager:listsecrets",
        "kms:createkey",
        "kms:generaterandom",
        "kms:listaliases",
        "kms:listkeys",
    )
)
"""Actions that their operations ask for on `*`."""
_ON_ALIASES: Final = frozenset(("kms:createalias", "kms:deletealias", "kms:updatealias"))
_SEALED_VERSION: Final = "kms:encryptioncontext:secretversionid"
_READ_KEYS: Final = frozenset(("secretsmanager:versionid", "secretsmanager:versionstage"))
"""Of the request's own keys those that reading a secret's value has."""
_REQUEST_TAGS: Final = ("aws:requesttag/", "aws:tagkeys")
_SETTLED: Final = tuple(
    fold_key(each)
    for each in (
        "secretsmanager:ResourceTag/",
        "secretsmanager:resource/",
        "secretsmanager:SecretId",
        "secretsmanager:SecretPrimaryRegion",
        "iam:ResourceTag/",
        "kms:CallerAccount",
        "kms:KeyOrigin",
        "kms:KeySpec",
        "kms:KeyUsage",
        "kms:MultiRegion",
        "kms:PrimaryRegion",
        "kms:ResourceAliases",
        "kms:ViaService",
    )
)
"""Beginnings of keys that a thing which is there has, or has not: no call changes them."""


class Row(msgspec.Struct, frozen=True, eq=False):
    """One principal's answer."""

    subject: Subject
    reach: Reach
    note: str = ""


class Answer(msgspec.Struct, frozen=True, eq=False):
    """One thing's answer."""

    thing: Thing
    key: KmsKey | None
    """Reading a secret: the key of its current version, if that is there."""
    notes: tuple[str, ...]
    """What stands in everybody's way, whatever policies say."""
    rows: tuple[Row, ...]


def who_can(unit: ReadUnit, resources: Resources, thing: Thing, action: str, now: dt.datetime) -> Answer:
    """Return the answer of every principal: those stored, and those that the policies on the thing name."""
    subjects = [*stored_subjects(unit, now), *named_subjects(unit, now, _named_on(unit, thing, action, now))]
    rows = [_row(unit, resources, thing, action, now, each) for each in subjects]
    key = _key_of(unit, thing, action, now)
    return Answer(thing, key, tuple(_notes(unit, thing, action, key)), tuple(rows))


def checks_of(
    unit: ReadUnit, resources: Resources, thing: Thing, action: str, now: dt.datetime, subject: Subject
) -> list[Check] | str:
    """Return what has to be allowed for the subject to do `action`; a text: why it is refused in any case."""
    call = Call(
        service=action.partition(":")[0].lower(),
        operation=action.partition(":")[2],
        request={},
        principal=subject.principal,
        region=thing.region or Region("us-east-1"),
        received_at=now,
        request_id="",
        resources=resources,
        context=_known(subject, thing),
    )
    targets = targets_of(call, unit, thing, action)
    if targets is None:
        return DEFAULT_KEY if thing.kind is ThingKind.SECRET else NEVER_AT_ALL
    checks = []
    for place, found in enumerate(targets):
        target = found
        if place == 0 and subject.request:
            target = msgspec.structs.replace(found, context={**found.context, **subject.request})
        request, policies = gathered(call, unit, target)
        if policies is None:
            return UNREADABLE
        if subject.caller is not None:
            request = msgspec.structs.replace(request, principal=subject.caller)
            if target.owner_account == call.account_id and thing.account_id is None:
                request = msgspec.structs.replace(request, resource_account=subject.caller.account_id)
        terms: tuple[GrantTerm, ...] = ()
        if thing.kind is ThingKind.KEY:
            policies, terms = _with_grants(unit, call, target, policies)
        checks.append(Check(request, policies, _opened(subject, thing, target, action), terms))
    return checks


def _row(
    unit: ReadUnit, resources: Resources, thing: Thing, action: str, now: dt.datetime, subject: Subject
) -> Row:
    checks = checks_of(unit, resources, thing, action, now, subject)
    if isinstance(checks, str):
        return Row(subject, Reach(Verdict.NEVER), checks)
    return Row(subject, reach(checks, subject.setting), _HYPOTHETICAL.get(subject.kind, ""))


# --- what is known, and what is open -----------------------------------------------------------------------


def _known(subject: Subject, thing: Thing) -> dict[str, str | tuple[str, ...]]:
    known: dict[str, str | tuple[str, ...]] = dict(subject.context)
    if thing.region is not None:
        known["aws:RequestedRegion"] = thing.region
    return known


def _opened(subject: Subject, thing: Thing, target: Target, action: str) -> Callable[[str], bool]:
    """Return which keys a call of the subject may have that are not known: of its connection, of its
    credentials and, for the thing asked for itself, of the request. Any other key no call has."""
    own = target.action.lower() == action.lower()
    service = f"{action.partition(':')[0].lower()}:"
    reading = action.lower() == READ_SECRET

    def is_open(key: str) -> bool:
        if key in subject.closed:
            return False
        if subject.is_open(key):
            return True
        if key == "aws:requestedregion":
            return thing.region is None
        if not own:
            # The id of a version that is to be made is the caller's choice.
            return key == _SEALED_VERSION
        if key.startswith("aws:resourcetag/"):
            return target.record is None
        if reading:
            return key in _READ_KEYS
        if target.record is not None and key.startswith(_SETTLED):
            return False
        return key.startswith((service, *_REQUEST_TAGS))

    return is_open


def _with_grants(
    unit: ReadUnit, call: Call, target: Target, policies: PolicySet
) -> tuple[PolicySet, tuple[GrantTerm, ...]]:
    """Return the policies with the grants on the key that fit in any case, and the grants that may fit."""
    key: KmsKey = target.record
    operation = _operation(target.action)
    _, behind = grantees_of(call.principal)
    certain: list[GrantTerm] = []
    open_ones: list[GrantTerm] = []
    for grant in grants_naming(unit, key, call.principal):
        if operation not in grant.operations:
            continue
        constrained = operation in SYMMETRIC_OPERATIONS or operation == "CreateGrant"
        equals, subset = (grant.context_equals, grant.context_subset) if constrained else (None, None)
        term = GrantTerm(grant.grant_id, grant.grantee == behind, equals, subset)
        (certain if equals is None and subset is None else open_ones).append(term)
    ids = tuple(each.grant_id for each in certain)
    granted = bool(ids) and all(each.behind for each in certain)
    return msgspec.structs.replace(policies, grants=ids, grants_behind=granted), tuple(open_ones)


def _operation(action: str) -> str:
    """Return the name of a KMS action as grants have it, whatever case it is asked for in."""
    name = action.partition(":")[2].lower()
    every = (*SYMMETRIC_OPERATIONS, *ON_EVERY_KEY, *operations_of("RSA_2048", "SIGN_VERIFY"))
    every += (*operations_of("", "GENERATE_VERIFY_MAC"), *operations_of("", "KEY_AGREEMENT"))
    return next((each for each in (*every, "Encapsulate", "Decapsulate") if each.lower() == name), name)


# --- the thing ---------------------------------------------------------------------------------------------


def _key_of(unit: ReadUnit, thing: Thing, action: str, now: dt.datetime) -> KmsKey | None:
    """Return the key that reading or putting a secret's value takes, or the key asked for."""
    record = thing.record
    if isinstance(record, KmsKey):
        return record
    if not isinstance(record, Secret) or action.lower() not in (READ_SECRET, WRITE_SECRET):
        return None
    name = record.kms_key_id or DEFAULT_ALIAS
    if action.lower() == READ_SECRET:
        version = current_version(unit, record)
        if version is None:
            return None
        name = version.kms_key_arn
    return find_key(unit, parse_key_ref(name, record.region, record.account_id), now)


def _notes(unit: ReadUnit, thing: Thing, action: str, key: KmsKey | None) -> Iterator[str]:
    record = thing.record
    if action.lower() in _ON_EVERYTHING and thing.resource != "*":
        yield "The operation asks for this action on *, not on one resource."
    if action.lower() in _ON_ALIASES:
        yield "The operation asks for this action on the alias as well, which was not asked."
    if isinstance(record, Secret):
        if record.deleted_at is not None:
            yield "The secret is marked for deletion: nobody can read its value until it is restored."
        if action.lower() == READ_SECRET:
            version = current_version(unit, record)
            if version is None:
                yield "The secret has no current value: there is nothing to read, and no key was asked."
            elif key is None:
                yield f"The key of its current value, {version.kms_key_arn}, is gone: nobody can read it."
            others = {each.kms_key_arn for each in unit.versions(record.arn)} - {
                version.kms_key_arn if version is not None else ""
            }
            for arn in sorted(others):
                yield f"Other versions than the current one are under {arn}, which was not asked about."
        elif action.lower() == WRITE_SECRET and key is None:
            name = "default key" if record.kms_key_id is None else f"key {record.kms_key_id}"
            yield f"The secret's {name} is not there, so no key was asked."
        elif action.lower() in _USE_KEYS:
            yield "The operation uses KMS keys as well, which were not asked."
    if key is not None and key.state != ENABLED:
        yield f"The key {key.arn} is {key.state}: nobody can use it meanwhile."


def _named_on(unit: ReadUnit, thing: Thing, action: str, now: dt.datetime) -> Iterator[NamedPrincipal]:
    """Yield whom the Allows and grants on the thing, and on the key it takes, name."""
    key, record = _key_of(unit, thing, action, now), thing.record
    if isinstance(record, Secret):
        for each in unit.scan(SECRET_POLICIES, record.arn):
            yield from _allowed_by(each.document, PolicyKind.RESOURCE)
    if isinstance(record, Role) and action.lower().startswith("sts:"):
        yield from _allowed_by(record.trust_policy, PolicyKind.TRUST)
    if isinstance(record, FunctionRef):
        policy = unit.find(FUNCTION_POLICIES, record.arn, record.version_or_alias)
        if policy is not None:
            yield from _allowed_by(policy.document, PolicyKind.RESOURCE)
    if key is not None:
        yield from _allowed_by(key.policy, PolicyKind.KEY)
        if key.grant_count:
            for grant in unit.scan(GRANTS, key.arn):
                yield named_principal("AWS", grant.grantee_written)


def _allowed_by(document: str, kind: PolicyKind) -> Iterator[NamedPrincipal]:
    try:
        policy = compile_policy(document, kind)
    except PolicySyntaxError:
        return
    for statement in policy.statements:
        if not statement.denies and statement.principal is not None and not statement.principal.negated:
            yield from statement.principal.named

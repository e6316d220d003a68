"""`strongroom rotation check`: what a rotation would meet, found out without changing anything.

The operator has the root key, and reads the secret as its account's root user: the policies of the secret and
of its key hold for that, and the trail says who looked.
"""

from __future__ import annotations

import datetime as dt
import uuid
from pathlib import Path
from typing import Final

from strongroom.cli.exits import Exit
from strongroom.cli.looking import found_secret
from strongroom.cli.operator import operator_event
from strongroom.cli.rotation_findings import (
    function_findings,
    role_findings,
    state_findings,
    superuser_findings,
)
from strongroom.cli.rotation_report import Checked, print_checked
from strongroom.errors import ServiceError
from strongroom.identity.principal import Principal, PrincipalType
from strongroom.names import (
    AWSCURRENT,
    AWSPENDING,
    AWSPREVIOUS,
    AccountId,
    Arn,
    Region,
    StagingLabel,
    root_arn,
)
from strongroom.operations.authorize import authorize
from strongroom.operations.call import Call, Resources
from strongroom.operations.datakeys import KeyMemory, open_value
from strongroom.operations.rotation_way import ByFunction, ByRotator, rotator_of, settings_of, way_of
from strongroom.operations.secretsmanager.resolution import secret_target
from strongroom.ports import ROOT_KEY_CHECKS, ReadUnit
from strongroom.rootkey import open_root_key
from strongroom.secret.document import FaultKind, RotationFault, SecretDocument, parse_document
from strongroom.secret.lifecycle import is_marked
from strongroom.secret.material import CheckFinding, RotationMaterial
from strongroom.secret.records import Secret
from strongroom.secret.rotation import ADMIN, pending_version, unsaid_of_target, use_refused
from strongroom.secret.staging import abandoned_labels
from strongroom.server.drivers import open_rotators
from strongroom.server.world import SystemClock, SystemEntropy
from strongroom.store.errors import RoomError
from strongroom.store.room import Room
from strongroom.store.sqlite import SqliteStore

__all__ = ["print_check"]

# No finding quotes a value of a secret, so the host has to come from whoever knows it.
NOT_USED: Final = (
    "it is not used, and so nothing is looked at in the target: RotateSecret has not been called for this "
    "secret yet, and the superuser secret does not say the same of the target itself ({}), so its password "
    "would go where this secret's JSON says. See what that says, and name it: --superuser-at HOST:PORT, or "
    "HOST where the JSON has no port"
)
_SENT_NOWHERE: Final = frozenset({"tls-key"})
"""Engines whose superuser secret is an authority's key, which signs here."""
_GET: Final = "secretsmanager:GetSecretValue"


def print_check(
    data_dir: Path,
    secret_id: str,
    *,
    root_key: str,
    account_id: str | None,
    region: str,
    superuser_at: str | None,
    as_json: bool,
) -> Exit:
    """Print what a rotation of the secret would meet; FAILED when something stands in its way, or could not
    be looked at.

    `superuser_at` is where the superuser's password may go although nobody has called RotateSecret.

    Raises:
        RoomError, RootKeyError: the directory or the root key cannot be used; there is no such secret.
    """
    clock, entropy = SystemClock(), SystemEntropy()
    room = Room.open(data_dir, own=False)
    store = SqliteStore.open(room.path)
    try:
        held = open_root_key(root_key, data_dir, create=False, entropy=entropy)
        known = store.read(lambda unit: unit.find(ROOT_KEY_CHECKS, "", "root"))
        if known is None:
            raise RoomError(f"{data_dir} was never finished; run 'strongroom init' on it.")
        held.verify_check(known.check_value)
        secret = store.read(lambda unit: found_secret(unit, secret_id, account_id, region))
        event = operator_event("CheckRotation", secret.account_id, {"secretId": secret.arn}, clock, entropy)
        # The value is opened when the trail says so.
        store.write(lambda unit: unit.record(event)).result()
        resources = Resources(store, held, entropy, KeyMemory(), rotators=open_rotators())
        call = _call(secret, resources, clock.now())
        checked = store.read(lambda unit: _look(unit, call, secret, superuser_at))
        if checked.superuser is not None:
            opened = {"secretId": checked.superuser, "usedFor": secret.arn}
            event = operator_event("CheckRotation", secret.account_id, opened, clock, entropy)
            store.write(lambda unit: unit.record(event)).result()
    finally:
        store.close()
        room.close()
    findings = checked.findings
    if isinstance(checked.way, ByRotator) and checked.material is not None:
        findings += checked.way.rotator.check(checked.material)
    return print_checked(data_dir, checked, as_json=as_json)


def _call(secret: Secret, resources: Resources, now: dt.datetime) -> Call:
    arn = root_arn(secret.account_id)
    principal = Principal(PrincipalType.ROOT, secret.account_id, arn, secret.account_id, "")
    return Call(
        service="secretsmanager",
        operation="GetSecretValue",
        request={},
        principal=principal,
        region=secret.region,
        received_at=now,
        request_id=str(uuid.uuid4()),
        resources=resources,
        context={
            "aws:PrincipalArn": arn,
            "aws:PrincipalAccount": secret.account_id,
            "aws:PrincipalType": principal.type.value,
            "aws:userid": secret.account_id,
            "aws:RequestedRegion": secret.region,
            "aws:SecureTransport": "true",
        },
        details={},
    )


def _look(unit: ReadUnit, call: Call, secret: Secret, superuser_at: str | None = None) -> Checked:
    secret = unit.secret(secret.arn) or secret
    findings = [*state_findings(unit, secret)]
    if is_marked(secret) or secret.replica_of is not None or secret.cross_account_primary is not None:
        return Checked(secret, findings, None, None)
    way = way_of(unit, call.resources, secret)
    if isinstance(way, ByFunction):
        findings += function_findings(unit, secret, way)
        return Checked(secret, findings, way, None)
    try:
        current = _document(unit, call, secret, AWSCURRENT)
    except ServiceError as error:
        findings.append(CheckFinding("value", FaultKind.SERVICE, f"it cannot be read: {error.message}"))
        return Checked(secret, findings, None, None)
    if current is None:
        message = "the secret has no current value that is a JSON object"
        findings.append(CheckFinding("value", FaultKind.SECRET, message))
        return Checked(secret, findings, None, None)
    way = way or rotator_of(call.resources, current)
    if way is None:
        message = "there is no rotator for the engine in the secret JSON, and no function is configured"
        findings.append(CheckFinding("rotator", FaultKind.SECRET, message))
        return Checked(secret, findings, None, None)
    words = f"rotated by the rotator for {way.name}, {way.strategy.value}"
    findings.append(CheckFinding("rotator", None, words))
    findings += role_findings(unit, call, secret)
    try:
        superuser, admin = _admin(unit, call, secret, current)
        if superuser is not None:
            findings += superuser_findings(unit, call, secret, superuser)
        unsaid = [] if admin is None else _unsaid(secret, way, current, admin, superuser_at)
        if unsaid:
            return Checked(secret, findings, way, None, superuser, NOT_USED.format(", ".join(unsaid)))
    except (ServiceError, RotationFault) as error:
        findings.append(CheckFinding("superuser secret", FaultKind.SECRET, error.message))
        return Checked(secret, findings, way, None)
    material = _material(unit, call, secret, current, admin, way)
    if material.pending is None and unit.version(secret.arn, pending_version(secret) or "") is not None:
        message = "what is under AWSPENDING is no JSON object"
        findings.append(CheckFinding("pending", FaultKind.SECRET, message))
        return Checked(secret, findings, way, None, superuser)
    return Checked(secret, findings, way, material, superuser)


def _material(
    unit: ReadUnit,
    call: Call,
    secret: Secret,
    current: SecretDocument,
    admin: SecretDocument | None,
    way: ByRotator,
) -> RotationMaterial:
    pending = pending_version(secret)
    left = [_document(unit, call, secret, label) for label in abandoned_labels(secret.labels)]
    return RotationMaterial(
        secret_arn=secret.arn,
        version_id=pending or str(uuid.uuid4()),
        current=current,
        strategy=way.strategy,
        pending=None if pending is None else _document(unit, call, secret, AWSPENDING),
        previous=_document(unit, call, secret, AWSPREVIOUS),
        abandoned=[each for each in left if each is not None],
        admin=admin,
        settings=settings_of(secret.tags or {}),
    )


def _admin(
    unit: ReadUnit, call: Call, secret: Secret, current: SecretDocument
) -> tuple[Arn | None, SecretDocument | None]:
    """Return the superuser secret's ARN and value; None of either: the secret's value names none.

    Raises:
        RotationFault: a rotation would not use it; there is none; it is marked, cannot be read, or has no
            value.
        ServiceError: the account's root user may not look for it, or it is no name.
    """
    named = current.text(ADMIN, "")
    if not named:
        return None, None
    refused = None if secret.rotation is None else use_refused(secret, current)
    if refused is not None:
        raise RotationFault(FaultKind.SECRET, refused)
    target = secret_target(call, unit, named, _GET)
    authorize(call, unit, (target,))
    found = target.record
    if not isinstance(found, Secret):
        raise RotationFault(FaultKind.SECRET, f"there is no superuser secret {named}")
    if is_marked(found):
        raise RotationFault(FaultKind.SECRET, f"the superuser secret {named} is marked for deletion")
    try:
        admin = _document(unit, call, found, AWSCURRENT)
    except ServiceError as error:
        message = f"the superuser secret {named} cannot be read: {error.message}"
        raise RotationFault(FaultKind.SERVICE, message) from error
    if admin is None:
        message = f"the superuser secret {named} has no current value that is a JSON object"
        raise RotationFault(FaultKind.SECRET, message)
    return found.arn, admin


def _unsaid(
    secret: Secret,
    way: ByRotator,
    current: SecretDocument,
    admin: SecretDocument,
    superuser_at: str | None,
) -> list[str]:
    """Return what nobody who may read the superuser secret has said of where its password goes: not in
    RotateSecret, not in the superuser secret itself, and not now. Nothing: it may be used.

    SECURITY: whoever may write a secret could otherwise have the superuser's password sent to a host of his
    own, by an operator who means to change nothing.
    """
    approved = secret.rotation is not None
    if approved or way.name in _SENT_NOWHERE:
        return []
    host, port = current.text("host", ""), current.text("port", "")
    if host and superuser_at == (f"{host}:{port}" if port else host):
        return []
    return unsaid_of_target(admin, current)


def _document(unit: ReadUnit, call: Call, secret: Secret, label: StagingLabel) -> SecretDocument | None:
    """Return the value under a label; None: there is none, or it is no JSON object.

    Raises:
        ServiceError: the caller may not read it, or it does not open.
    """
    authorize(call, unit, (secret_target(call, unit, secret.arn, _GET),))
    version = unit.version(secret.arn, secret.labels.get(label, ""))
    if version is None:
        return None
    value = open_value(
        call, unit, version, region=Region(secret.region), account_id=AccountId(secret.account_id)
    )
    try:
        return parse_document(value)
    except RotationFault:
        return None

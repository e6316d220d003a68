"""Doing one step of a rotation: by a rotator, through calls in the service's role, or by a function.

Source: fact sheet rotation sections 4, 6, 8 and 9.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

import orjson

from strongroom.errors import IntegrityError, ServiceError
from strongroom.names import (
    AWSCURRENT,
    AWSPENDING,
    AWSPREVIOUS,
    AccountId,
    Arn,
    Region,
    StagingLabel,
    VersionId,
    parse_arn,
)
from strongroom.operations.call import Resources
from strongroom.operations.lambda_.invoking import invocation_of
from strongroom.operations.lambda_.policies import function_of, may_invoke
from strongroom.operations.rotation_role import ROLE_NAME
from strongroom.operations.rotation_way import ByFunction, ByRotator, rotator_of, settings_of, way_of
from strongroom.operations.secretsmanager.rotation_work import Task
from strongroom.ports import Clock, Invocation, ReadUnit
from strongroom.secret.document import FaultKind, RotationFault, SecretDocument, parse_document
from strongroom.secret.material import RotationMaterial
from strongroom.secret.records import Secret
from strongroom.secret.rotation import ADMIN, NOT_APPROVED, use_refused
from strongroom.secret.runs import Step
from strongroom.secret.staging import Labels, abandoned_labels
from strongroom.secret.value import SecretValue
from strongroom.server.rotation_memory import RunMemory
from strongroom.server.service_calls import CallRefused, NoRole
from strongroom.server.world import Uuids

__all__ = ["RotationSteps", "event_text"]

ATTEMPT_SECONDS: Final = 30.0
"""What a rotator may take for a step."""
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.]{0,127}")


def event_text(task: Task, function_arn: str | None, fault: RotationFault) -> str:
    """Return the errorMessage of RotationFailed; for functions AWS's own text (section 5)."""
    if function_arn is not None:
        return f"Error when executing lambda {function_arn} during {task.step} step"
    return f"Error during {task.step} step: {fault.message}"


def _no_functions(reason: str) -> str:
    return f"this server does not run functions{f': {reason}' if reason else ''}"


class Calls(Protocol):
    """Makes calls in the service's role (`server/service_calls`)."""

    def call(
        self, operation: str, request: Mapping[str, Any], *, account_id: AccountId, region: Region
    ) -> dict[str, Any]: ...


@dataclass(frozen=True, slots=True)
class _Seen:
    """What a step meets of its secret in the store, none of which is secret."""

    way: ByFunction | ByRotator | None
    labels: Labels
    has_value: bool
    """Whether the version being made has one."""


class RotationSteps:
    """Does steps, each on the thread it is called on."""

    def __init__(self, resources: Resources, calls: Calls, clock: Clock) -> None:
        self._resources = resources
        self._calls = calls
        self._clock = clock
        self._uuids = Uuids()

    def do(self, task: Task, memory: RunMemory | None = None) -> None:
        """The step is done. `memory` is what the steps before it left, on the same lease.

        Raises:
            RotationFault: it cannot be done now.
        """
        seen = self._resources.store.read(lambda unit: self._look(unit, task))
        if isinstance(seen.way, ByFunction):
            self._invoke(task, seen.way.arn)
        else:
            self._rotate(task, seen, RunMemory() if memory is None else memory)

    def function_arn(self, task: Task) -> str | None:
        """Return the function that rotates the task's secret; None: a rotator does."""

        way = self._resources.store.read(lambda unit: self._look(unit, task)).way
        return way.arn if isinstance(way, ByFunction) else None

    def _look(self, unit: ReadUnit, task: Task) -> _Seen:
        secret = unit.secret(task.secret_arn)
        if secret is None:
            return _Seen(None, {}, False)
        has_value = unit.version(task.secret_arn, task.version_id) is not None
        return _Seen(way_of(unit, self._resources, secret), secret.labels, has_value)

    # By a function

    def _invoke(self, task: Task, function_arn: Arn) -> None:
        if self._resources.functions is None:
            raise RotationFault(FaultKind.FUNCTION, _no_functions(self._resources.no_functions))
        event = orjson.dumps(
            {
                "Step": task.step,
                "SecretId": task.secret_arn,
                "ClientRequestToken": task.version_id,
                "RotationToken": task.rotation_token,
            }
        )
        invocation = self._resources.store.read(
            lambda unit: self._invocation(unit, task, function_arn, event)
        )
        result = self._resources.functions.invoke(invocation)
        if result.function_error is not None:
            raise RotationFault(FaultKind.FUNCTION, _failure(function_arn, task.step, result.payload))

    def _invocation(self, unit: ReadUnit, task: Task, function_arn: Arn, event: bytes) -> Invocation:
        function = function_of(unit, function_arn)
        if function is None:
            raise RotationFault(FaultKind.FUNCTION, f"there is no function {function_arn}")
        if not may_invoke(unit, function_arn, task.secret_arn, task.account_id):
            raise RotationFault(
                FaultKind.FUNCTION,
                f"the policy of the function {function_arn} does not let secretsmanager.amazonaws.com in",
            )
        try:
            return invocation_of(
                unit,
                self._resources,
                function,
                event,
                self._clock.now(),
                self._uuids.next(),
                invoked_arn=Arn(function_arn),
            )
        except (ServiceError, IntegrityError) as refusal:
            raise RotationFault(FaultKind.FUNCTION, f"the function cannot be run: {refusal}") from refusal

    # By a rotator

    def _rotate(self, task: Task, seen: _Seen, memory: RunMemory) -> None:
        labels, settings = seen.labels, self._settings(task, memory)
        promoted = labels.get(AWSCURRENT) == task.version_id and not task.test_only
        if not promoted and labels.get(AWSPENDING) != task.version_id:
            # Seen by the machine, too, before each step; but a call may have come in between.
            raise RotationFault(FaultKind.SERVICE, "the version being made is no longer under AWSPENDING")
        current = self._labelled(task, AWSPREVIOUS if promoted else AWSCURRENT, labels, memory)
        pending = self._pending(task, seen, memory)
        if promoted and current is None:
            current = pending
        if current is None:
            raise RotationFault(FaultKind.SECRET, "the secret has no current value")
        way = seen.way if isinstance(seen.way, ByRotator) else rotator_of(self._resources, current)
        if way is None:
            raise RotationFault(
                FaultKind.SECRET, "there is no rotator for the engine in the secret JSON, and no function"
            )
        # Only who changes the credential may need one besides the current one.
        changes = task.step is Step.SET and not promoted
        material = RotationMaterial(
            secret_arn=task.secret_arn,
            version_id=task.version_id,
            current=current,
            strategy=way.strategy,
            pending=pending,
            previous=self._labelled(task, AWSPREVIOUS, labels, memory) if changes else None,
            abandoned=self._abandoned(task, labels, memory) if changes else (),
            admin=self._admin_of(task, current),
            settings=settings,
            attempt_seconds=ATTEMPT_SECONDS,
            test_only=task.test_only,
            untried=changes and memory.made == task.version_id,
        )
        memory.made = None
        self._step(task, way, material, labels)
        if task.step is Step.CREATE and pending is None:
            memory.made = task.version_id

    def _step(self, task: Task, way: ByRotator, material: RotationMaterial, labels: Labels) -> None:
        rotator = way.rotator
        if task.step is not Step.CREATE and material.pending is None:
            raise RotationFault(FaultKind.SECRET, "the version being made has no value")
        match task.step:
            case Step.CREATE:
                if material.pending is None:
                    self._create(task, rotator.propose(material, self._resources.entropy))
            case Step.SET:
                rotator.set(material)
            case Step.TEST:
                rotator.test(material)
            case Step.FINISH:
                if labels.get(AWSCURRENT) != task.version_id:
                    self._promote(task, labels.get(AWSCURRENT))
                rotator.finish(replace(material, previous=None))

    def _create(self, task: Task, document: SecretDocument) -> None:
        self._call(
            task,
            "PutSecretValue",
            SecretId=task.secret_arn,
            ClientRequestToken=task.version_id,
            SecretString=document.encode(),
            VersionStages=[AWSPENDING],
            RotationToken=task.rotation_token,
        )

    def _promote(self, task: Task, current: str | None) -> None:
        moved = {"RemoveFromVersionId": current} if current is not None else {}
        self._call(
            task,
            "UpdateSecretVersionStage",
            SecretId=task.secret_arn,
            VersionStage=AWSCURRENT,
            MoveToVersionId=task.version_id,
            **moved,
        )

    def _admin_of(self, task: Task, current: SecretDocument) -> SecretDocument | None:
        """Return the superuser secret. finishSecret comes without, if it cannot be read any more: all has
        been done that it takes, and applications wait for AWSCURRENT."""
        try:
            return self._admin(task, current)
        except RotationFault:
            if task.step is Step.FINISH:
                return None
            raise

    def _admin(self, task: Task, current: SecretDocument) -> SecretDocument | None:
        """Return the superuser secret, used as RotateSecret was called for (`secret.rotation.admin_use`)."""
        named = current.text(ADMIN, "")
        if not named:
            return None
        secret: Secret | None = self._resources.store.read(lambda unit: unit.secret(task.secret_arn))
        refused = NOT_APPROVED if secret is None else use_refused(secret, current)
        if refused is not None:
            raise RotationFault(FaultKind.SECRET, refused)
        try:
            return parse_document(_value(self._call(task, "GetSecretValue", SecretId=named)))
        except RotationFault as fault:
            raise RotationFault(fault.kind, f"the superuser secret {named}: {fault.message}") from fault

    def _abandoned(self, task: Task, labels: Labels, memory: RunMemory) -> list[SecretDocument]:
        """Return the values of versions that rotations before this one may have left the target with."""
        others = [label for label in abandoned_labels(labels) if labels[label] != task.version_id]
        found = [self._labelled(task, label, labels, memory) for label in others]
        return [document for document in found if document is not None]

    def _settings(self, task: Task, memory: RunMemory) -> Mapping[str, str]:
        """Return what the secret's tags say of its rotation, as they were when the lease began."""
        if memory.settings is None:
            described = self._call(task, "DescribeSecret", SecretId=task.secret_arn)
            memory.settings = settings_of({each["Key"]: each["Value"] for each in described.get("Tags", ())})
        return memory.settings

    def _labelled(
        self, task: Task, label: StagingLabel, labels: Labels, memory: RunMemory
    ) -> SecretDocument | None:
        """Return the value under a label, read now unless it is known; None when there is none."""
        version_id = labels.get(label)
        if version_id is None:
            return None
        known = memory.documents.get(version_id)
        return self._document(task, label, memory) if known is None else known

    def _pending(self, task: Task, seen: _Seen, memory: RunMemory) -> SecretDocument | None:
        """Return the value of the version being made; None when there is none yet."""
        if not seen.has_value:
            return None
        known = memory.documents.get(task.version_id) if task.step is Step.FINISH else None
        return self._document(task, None, memory) if known is None else known

    def _document(self, task: Task, label: StagingLabel | None, memory: RunMemory) -> SecretDocument | None:
        """Return the value under a label, or of the version being made, as read now; None when there is
        none."""
        which = {"VersionId": task.version_id} if label is None else {"VersionStage": label}
        try:
            answer = self._calls.call(
                "GetSecretValue",
                {"SecretId": task.secret_arn, **which},
                account_id=task.account_id,
                region=task.region,
            )
        except CallRefused as refusal:
            if refusal.code == "ResourceNotFoundException":
                return None
            raise _refused("GetSecretValue", refusal) from refusal
        except NoRole as missing:
            raise _no_role() from missing
        value = _value(answer)
        try:
            document: SecretDocument | None = parse_document(value)
        except RotationFault as fault:
            if label is None:
                raise RotationFault(fault.kind, f"the version being made: {fault.message}") from fault
            if label == AWSCURRENT:
                raise
            document = None
        if document is not None:
            # By the version that was read: the label may have moved since it was looked at.
            memory.documents[VersionId(answer["VersionId"])] = document
        return document

    def _call(self, task: Task, operation: str, **request: Any) -> dict[str, Any]:
        try:
            return self._calls.call(operation, request, account_id=task.account_id, region=task.region)
        except CallRefused as refusal:
            raise _refused(operation, refusal) from refusal
        except NoRole as missing:
            raise _no_role() from missing


def _value(answer: dict[str, Any]) -> SecretValue:
    text = answer.get("SecretString")
    return SecretValue(text=text) if text is not None else SecretValue(binary=b"binary")


def _refused(operation: str, refusal: CallRefused) -> RotationFault:
    return RotationFault(FaultKind.SERVICE, f"{operation} was refused: {refusal.code}: {refusal.message}")


def _no_role() -> RotationFault:
    return RotationFault(
        FaultKind.SERVICE,
        f"the role {ROLE_NAME} has gone, or no longer trusts secretsmanager.amazonaws.com; call RotateSecret "
        "again, which makes it",
    )


def _failure(function_arn: str, step: Step, payload: bytes) -> str:
    """Return what to say of a function's failure. SECURITY: nothing it said itself but an error's name."""
    try:
        told = orjson.loads(payload)
    except orjson.JSONDecodeError:
        told = None
    kind = told.get("errorType") if isinstance(told, dict) else None
    shown = kind if isinstance(kind, str) and _NAME.fullmatch(kind) else "an error"
    parsed = parse_arn(function_arn)
    name = function_arn if parsed is None else parsed.resource.split(":")[1]
    return f"the function {name} ended {step} with {shown}; see 'strongroom function logs {name}'"

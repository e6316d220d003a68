"""A room in memory whose secrets rotate: functions and rotators to rotate by, a clock that stands still, and
the rotator process's way of doing what is due, one step at a time."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson
from msgspec.structs import replace

from strongroom.errors import ServiceError
from strongroom.function.records import LATEST, Function, FunctionPolicy, FunctionVersion
from strongroom.identity.records import Role
from strongroom.names import AWSCURRENT, AccountId, Arn, Region, role_arn
from strongroom.operations.call import Operation
from strongroom.operations.rotation_role import as_service, rotation_role
from strongroom.operations.secretsmanager import OPERATIONS
from strongroom.operations.secretsmanager.rotation_records import duty_of
from strongroom.operations.secretsmanager.rotation_work import Task, due, fail, proceed, release_others, take
from strongroom.ports import (
    FUNCTION_POLICIES,
    FUNCTION_VERSIONS,
    FUNCTIONS,
    ROLES,
    ROTATION_HISTORY,
    Entropy,
    Invocation,
    InvocationResult,
    Rotator,
)
from strongroom.secret.document import FaultKind, RotationFault, SecretDocument, Strategy
from strongroom.secret.material import CheckFinding, RotationMaterial
from strongroom.secret.records import Secret
from strongroom.secret.runs import RotationDuty, RotationRecord
from strongroom.server.rotation_steps import RotationSteps, event_text
from strongroom.server.service_calls import CallRefused, NoRole
from support.key_room import ACCOUNT, NOON, REGION
from support.replica_room import ReplicaRoom

FUNCTION = Arn(f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:rotate")
OWNER = "process-1"
BY_NAME: Mapping[str, Operation] = {each.name: each for each in OPERATIONS}


class StillClock:
    def __init__(self, now: dt.datetime = NOON) -> None:
        self.time = now

    def now(self) -> dt.datetime:
        return self.time

    def pass_(self, **how_long: float) -> None:
        self.time += dt.timedelta(**how_long)


class Target:
    """What users log in to."""

    def __init__(self, **passwords: str) -> None:
        self.passwords = dict(passwords)

    def takes(self, document: Mapping[str, Any]) -> bool:
        return self.passwords.get(document["username"]) == document["password"]


class TargetRotator:
    """Rotates users of a `Target`, of the engine `target`. `before` is called before each step."""

    engines = frozenset({"target"})
    strategies = frozenset(Strategy)

    def __init__(self, target: Target) -> None:
        self.target = target
        self.begun: list[str] = []
        self.refused: dict[str, RotationFault] = {}
        self.before: Callable[[str, RotationMaterial], None] = lambda step, material: None

    def propose(self, material: RotationMaterial, entropy: Entropy) -> SecretDocument:
        self._begin("create", material)
        user = material.current.text("username")
        if material.strategy is Strategy.ALTERNATING_USERS:
            user = user.removesuffix("_clone") if user.endswith("_clone") else f"{user}_clone"
        return material.current.replaced(username=user, password=entropy.token_bytes(8).hex())

    def set(self, material: RotationMaterial) -> None:
        self._begin("set", material)
        pending = material.pending
        assert pending is not None
        if self.target.takes(pending):
            return
        acting = [material.current, material.previous, *material.abandoned]
        if material.strategy is Strategy.ALTERNATING_USERS:
            acting = [material.admin]
        if not any(each is not None and self.target.takes(each) for each in acting):
            raise RotationFault(FaultKind.LOGIN, "the target refuses the user or the password")
        self.target.passwords[pending["username"]] = pending["password"]

    def test(self, material: RotationMaterial) -> None:
        self._begin("test", material)
        assert material.pending is not None
        if not self.target.takes(material.pending):
            raise RotationFault(FaultKind.LOGIN, "the target refuses the new password")

    def finish(self, material: RotationMaterial) -> None:
        self._begin("finish", material)

    def check(self, material: RotationMaterial) -> Sequence[CheckFinding]:
        opens = self.target.takes(material.current)
        return [
            CheckFinding("login", None if opens else FaultKind.LOGIN, "it logs in" if opens else "refused")
        ]

    def _begin(self, step: str, material: RotationMaterial) -> None:
        self.begun.append(step)
        self.before(step, material)
        if step in self.refused:
            raise self.refused[step]


class OneRotator:
    """`ports.Rotators` with the engine `target`, which also stands for a template."""

    def __init__(self, rotator: Rotator) -> None:
        self.rotator = rotator

    def find(self, engine: str) -> Rotator | None:
        return self.rotator if engine == "target" else None

    def named(self, function_name: str) -> tuple[Rotator, Strategy] | None:
        if function_name == "SecretsManagerTargetRotationSingleUser":
            return self.rotator, Strategy.SINGLE_USER
        return None

    def engines(self) -> Sequence[str]:
        return ["target"]


class PythonFunctions:
    """`ports.FunctionRunner` that calls a Python function in the place of a stored one."""

    def __init__(self) -> None:
        self.handler: Callable[[Mapping[str, Any]], None] = lambda event: None
        self.invocations: list[Invocation] = []

    def invoke(self, invocation: Invocation) -> InvocationResult:
        self.invocations.append(invocation)
        try:
            self.handler(orjson.loads(invocation.event))
        except Exception as error:
            told = {"errorMessage": str(error), "errorType": type(error).__name__, "stackTrace": []}
            return InvocationResult(orjson.dumps(told), "Unhandled", b"")
        return InvocationResult(b"null", None, b"")

    def close(self) -> None: ...


class RotationRoom(ReplicaRoom):
    def __init__(self) -> None:
        super().__init__()
        self.clock = StillClock()
        self.target = Target(bob="old", admin="root")
        self.rotator = TargetRotator(self.target)
        self.functions = PythonFunctions()
        self.resources = replace(
            self.resources,
            rotators=OneRotator(self.rotator),
            functions=self.functions,
            endpoint_url="http://127.0.0.1:7780",
        )
        self.steps = RotationSteps(self.resources, _RoomCalls(self), self.clock)

    def add_function(self, arn: str = FUNCTION, *, principal: str = "secretsmanager.amazonaws.com") -> None:
        """Store a function, its role, and a policy that lets `principal` invoke it for the account."""
        account_id, name = AccountId(arn.split(":")[4]), arn.split(":")[6]
        own = Arn(":".join(arn.split(":")[:7]))
        trust = {
            "Effect": "Allow",
            "Principal": {"Service": "lambda.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
        role = Role(
            role_id=f"AROA{name.upper():0<17}",
            role_name=name,
            path="/",
            arn=role_arn(account_id, "/", name),
            account_id=account_id,
            created_at=NOON,
            trust_policy=json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
        )
        self.unit.save(ROLES, role)
        self.unit.save(
            FUNCTIONS,
            Function(account_id=account_id, region=REGION, name=name, arn=own, created_at=NOON),
        )
        self.unit.save(
            FUNCTION_VERSIONS,
            FunctionVersion(
                function_arn=own,
                account_id=account_id,
                region=REGION,
                function_name=name,
                version=LATEST,
                runtime="python3.12",
                role_arn=role.arn,
                handler="rotate.handler",
                code_id="code",
                code_sha256="sha",
                code_size=1,
                unzipped_size=1,
                modified_at=NOON,
                revision_id="1",
            ),
        )
        self.admit(own, principal)

    def admit(self, function_arn: Arn, service: str, *callers: str) -> None:
        """The function's policy lets this service in, and callers, and nobody else."""
        admitted = [{"Service": service}, *({"AWS": arn} for arn in callers)]
        statements = [
            {
                "Effect": "Allow",
                "Principal": each,
                "Action": "lambda:InvokeFunction",
                "Resource": function_arn,
            }
            for each in admitted
        ]
        document = json.dumps({"Version": "2012-10-17", "Statement": statements})
        self.unit.save(
            FUNCTION_POLICIES,
            FunctionPolicy(function_arn=function_arn, qualifier=LATEST, document=document, revision_id="1"),
        )

    def add_rotated(self, name: str = "db", **members: str) -> Secret:
        """Store a secret whose value the engine `target` rotates."""
        value = {"engine": "target", "host": "h", "username": "bob", "password": "old", **members}
        return self.add_secret(name, [json.dumps(value)])

    def document(self, arn: str, label: Any = AWSCURRENT) -> dict[str, Any]:
        """Return the JSON of the version under a label."""
        value: dict[str, Any] = json.loads(self.values(arn)[self.secret(arn).labels[label]] or "")
        return value

    # The rotator process

    def due(self) -> list[RotationDuty]:
        return due(self.unit, self.clock.now(), 100)

    def duty(self, arn: str) -> RotationDuty | None:
        return duty_of(self.unit, arn)

    def take(self, arn: Arn, owner: str = OWNER) -> Task | None:
        return self.write(lambda unit: take(unit, self.resources, arn, owner, self.clock.now()))

    def proceed(self, task: Task) -> Task | None:
        return self.write(lambda unit: proceed(unit, self.resources, task, self.clock.now()))

    def fail(self, task: Task, fault: RotationFault) -> None:
        told = event_text(task, self.steps.function_arn(task), fault)
        self.write(lambda unit: fail(unit, self.resources, task, fault, told, self.clock.now()))

    def release(self, owner: str) -> int:
        """A new process begins."""
        return self.write(lambda unit: release_others(unit, owner, self.clock.now()))

    def do(self, task: Task) -> Task | None:
        """Do a step, record how it went, and return the next."""
        try:
            self.steps.do(task)
        except RotationFault as fault:
            self.fail(task, fault)
            return None
        return self.proceed(task)

    def work(self) -> None:
        """Do what is due by now, to the end of each attempt."""
        for duty in self.due():
            task = self.take(duty.secret_arn)
            while task is not None:
                task = self.do(task)

    def history(self, arn: str) -> list[RotationRecord]:
        return self.unit.scan(ROTATION_HISTORY, arn)

    def events(self) -> list[str]:
        """Return the names of the service's own events, in order."""
        found = [orjson.loads(each) for each in self.unit.events]
        return [each["eventName"] for each in found if each["eventType"] == "AwsServiceEvent"]

    def last_event(self, name: str) -> dict[str, Any]:
        found = [orjson.loads(each) for each in self.unit.events]
        event: dict[str, Any] = [each for each in found if each["eventName"] == name][-1]
        return event


class _RoomCalls:
    """`server/service_calls` without a pipeline: authorized, as the role, and answered."""

    def __init__(self, room: RotationRoom) -> None:
        self._room = room

    def call(
        self, operation: str, request: Mapping[str, Any], *, account_id: AccountId, region: Region
    ) -> dict[str, Any]:
        with self._room.store.gate:
            return self._answer(operation, request, account_id, region)

    def _answer(
        self, operation: str, request: Mapping[str, Any], account_id: AccountId, region: Region
    ) -> dict[str, Any]:
        room = self._room
        role = rotation_role(room.unit, account_id)
        if role is None:
            raise NoRole(account_id)
        caller = as_service(room.call(now=room.clock.now()), role).principal
        try:
            answer = room.run(
                BY_NAME[operation], request, principal=caller, now=room.clock.now(), region=region
            )
        except ServiceError as error:
            raise CallRefused(type(error).__name__, error.message) from error
        return dict(answer)

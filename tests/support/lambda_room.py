"""A room with Lambda: roles that trust it, functions stored or made, and a runner of the test's own."""

from __future__ import annotations

import datetime as dt
import io
import json
import zipfile
from collections.abc import Callable, Mapping
from typing import Any

from msgspec.structs import replace

from strongroom.function.records import (
    LATEST,
    Function,
    FunctionPolicy,
    FunctionVersion,
)
from strongroom.function.references import function_arn
from strongroom.identity.principal import Principal
from strongroom.identity.records import Role
from strongroom.names import AccountId, Region
from strongroom.operations.call import Operation
from strongroom.operations.lambda_.code import save_code, seal_code
from strongroom.operations.lambda_.environment import seal_environment
from strongroom.operations.lambda_.functions import CREATE_FUNCTION
from strongroom.ports import (
    FUNCTION_POLICIES,
    FUNCTION_VERSIONS,
    FUNCTIONS,
    Invocation,
    InvocationResult,
)
from strongroom.wire.rest import encode_rest
from support.identity_room import service
from support.key_room import ACCOUNT, NOON, REGION, KeyRoom, policy
from support.session_room import SessionRoom

HANDLER = b"def handler(event, context):\n    return event\n"
ENDPOINT = "http://127.0.0.1:7780"
LAMBDA_TRUST: Mapping[str, Any] = {
    "Effect": "Allow",
    "Principal": {"Service": "lambda.amazonaws.com"},
    "Action": "sts:AssumeRole",
}


def zipped(files: Mapping[str, bytes] | None = None) -> bytes:
    """Return a zip file, the same bytes for the same files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in (files or {"main.py": HANDLER}).items():
            archive.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), content)
    return buffer.getvalue()


class FakeRunner:
    """`ports.FunctionRunner` that keeps what it was asked and answers as `behave` says."""

    def __init__(self, behave: Callable[[Invocation], InvocationResult] | None = None) -> None:
        self.seen: list[Invocation] = []
        self.behave = behave or (lambda run: InvocationResult(run.event, None, b"START\nEND\n"))

    def invoke(self, invocation: Invocation) -> InvocationResult:
        self.seen.append(invocation)
        return self.behave(invocation)

    def close(self) -> None: ...


class FunctionRoom(SessionRoom):
    def __init__(self) -> None:
        super().__init__()
        self.runner = FakeRunner()
        self.resources = replace(self.resources, functions=self.runner, endpoint_url=ENDPOINT)

    def run(
        self,
        operation: Operation,
        request: Mapping[str, Any] | None = None,
        *,
        principal: Principal | None = None,
        now: dt.datetime = NOON,
        region: Region = REGION,
    ) -> Any:
        """Answer a request as the pipeline does, from the model's validation to the answer's encoding."""
        if not operation.action.startswith("lambda:"):
            return super().run(operation, request, principal=principal, now=now, region=region)
        model = service("lambda").operations[operation.name]
        decoded = model.checked(dict(request or {}))
        answered = KeyRoom.run(self, operation, decoded, principal=principal, now=now, region=region)
        assert encode_rest(model, answered).status in (200, 201, 204)
        return answered

    def created(self, name: str = "rotate", **members: Any) -> dict[str, Any]:
        """Make a function by CreateFunction, its role as well."""
        role = members.pop("Role", None) or self.execution_role(f"{name}-role").arn
        request = {
            "FunctionName": name,
            "Runtime": "python3.12",
            "Role": role,
            "Handler": "main.handler",
            "Code": {"ZipFile": zipped()},
            **members,
        }
        answered: dict[str, Any] = self.run(CREATE_FUNCTION, request)
        return answered

    def execution_role(self, name: str = "runner", account_id: AccountId = ACCOUNT, **members: Any) -> Role:
        """Store a role that trusts Lambda."""
        return self.role(name, LAMBDA_TRUST, account_id=account_id, **members)

    def function(
        self,
        name: str = "rotate",
        *,
        environment: Mapping[str, str] | None = None,
        code: bytes | None = None,
        account_id: AccountId = ACCOUNT,
        **members: Any,
    ) -> FunctionVersion:
        """Store a function with code, as CreateFunction does."""
        arn = function_arn(REGION, account_id, name)
        sealed = seal_code(self.root_key, self.entropy, zipped() if code is None else code, 100)
        save_code(self.unit, sealed)  # type: ignore[arg-type]  # the unit in memory
        record = FunctionVersion(
            function_arn=arn,
            account_id=account_id,
            region=REGION,
            function_name=name,
            version=LATEST,
            runtime="python3.12",
            role_arn=members.pop("role_arn", None) or self.execution_role(f"{name}-role", account_id).arn,
            handler="main.handler",
            code_id=sealed.code_id,
            code_sha256=sealed.sha256,
            code_size=sealed.size,
            unzipped_size=sealed.unzipped_size,
            modified_at=NOON,
            revision_id="00000000-0000-4000-8000-000000000001",
            sealed_environment=seal_environment(self.root_key, environment or {}, arn, LATEST),
            **members,
        )
        self.unit.save(
            FUNCTIONS, Function(account_id=account_id, region=REGION, name=name, arn=arn, created_at=NOON)
        )
        self.unit.save(FUNCTION_VERSIONS, record)
        return record

    def function_policy(
        self, function: FunctionVersion, *statements: Mapping[str, Any], qualifier: str = LATEST
    ) -> None:
        """Attach a resource policy, as AddPermission does."""
        self.unit.save(
            FUNCTION_POLICIES,
            FunctionPolicy(
                function_arn=function.function_arn,
                qualifier=qualifier,
                document=policy(*statements),
                revision_id="r",
            ),
        )


def service_may_invoke(resource: str, **conditions: Any) -> dict[str, Any]:
    """Return the statement that lets Secrets Manager invoke a function."""
    statement: dict[str, Any] = {
        "Sid": "rotation",
        "Effect": "Allow",
        "Principal": {"Service": "secretsmanager.amazonaws.com"},
        "Action": "lambda:InvokeFunction",
        "Resource": resource,
    }
    return {**statement, "Condition": conditions} if conditions else statement


def as_json(payload: bytes) -> Any:
    return json.loads(payload)

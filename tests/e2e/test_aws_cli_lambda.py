"""The AWS CLI deploys a rotation function as AWS's guide says, runs it, and takes it away again.

Source: User Guide of Secrets Manager, rotate-secrets-cli.
"""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore
import pytest

from support.running import Server, running

AWS = str(Path(sys.executable).with_name("aws"))
NEWER_MODELS = str(Path(botocore.__file__).with_name("data"))
CODE = "def handler(event, context):\n    return {'step': event['Step'], 'name': context.function_name}\n"
TRUST = (
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},'
    '"Action":"sts:AssumeRole"}]}'
)


class Cli:
    def __init__(self, server: Server) -> None:
        self.environment = {**server.environment(), "AWS_DATA_PATH": NEWER_MODELS}

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [AWS, *arguments], env=self.environment, capture_output=True, text=True, timeout=60, check=False
        )

    def tell(self, *arguments: str) -> Any:
        """Return what a command that has to succeed answers."""
        done = self.run(*arguments)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout.strip() else None


@pytest.fixture(scope="module")
def cli(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cli]:
    with running(["--ephemeral", "--workers", "1"], tmp_path_factory.mktemp("server") / "log") as server:
        yield Cli(server)


def test_a_rotation_function_is_deployed_run_and_removed(cli: Cli, tmp_path: Path) -> None:
    role = cli.tell("iam", "create-role", "--role-name", "rotator", "--assume-role-policy-document", TRUST)
    archive, payload, answer = tmp_path / "f.zip", tmp_path / "event.json", tmp_path / "answer.json"
    with zipfile.ZipFile(archive, "w") as out:
        out.writestr("lambda_function.py", CODE)
    created = cli.tell(
        "lambda", "create-function",
        "--function-name", "my-rotation-function",
        "--runtime", "python3.12",
        "--zip-file", f"fileb://{archive}",
        "--handler", "lambda_function.handler",
        "--role", role["Role"]["Arn"],
        "--timeout", "30",
        "--environment", "Variables={EXCLUDE_CHARACTERS=/@}",
    )  # fmt: skip
    assert created["State"] == "Active"
    cli.tell("lambda", "wait", "function-active-v2", "--function-name", "my-rotation-function")
    permission = cli.tell(
        "lambda", "add-permission",
        "--function-name", "my-rotation-function",
        "--action", "lambda:InvokeFunction",
        "--statement-id", "SecretsManager",
        "--principal", "secretsmanager.amazonaws.com",
        "--source-account", created["FunctionArn"].split(":")[4],
    )  # fmt: skip
    assert json.loads(permission["Statement"])["Sid"] == "SecretsManager"
    payload.write_text('{"Step":"createSecret"}')
    invocation = cli.run(
        "lambda",
        "invoke",
        "--function-name",
        "my-rotation-function",
        "--payload",
        f"file://{payload}",
        str(answer),
    )
    if invocation.returncode and "could not be started" in invocation.stderr:
        pytest.skip(f"functions are not run on this machine: {invocation.stderr}")
    assert invocation.returncode == 0, invocation.stderr
    assert json.loads(invocation.stdout) == {"StatusCode": 200, "ExecutedVersion": "$LATEST"}
    assert json.loads(answer.read_text()) == {"step": "createSecret", "name": "my-rotation-function"}
    listed = cli.tell("lambda", "list-functions", "--query", "Functions[].FunctionName")
    assert listed == ["my-rotation-function"]
    cli.tell("lambda", "delete-function", "--function-name", "my-rotation-function")
    gone = cli.run("lambda", "get-function", "--function-name", "my-rotation-function")
    assert gone.returncode == 255
    assert gone.stderr.strip() == (
        "An error occurred (ResourceNotFoundException) when calling the GetFunction operation: "
        f"Function not found: {created['FunctionArn']}"
    )

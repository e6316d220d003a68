"""Lambda over TCP with boto3: a function's life, its runs, and what Terraform asks."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import random
import uuid
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from support.dialogue import fresh
from support.running import Server, running

TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "lambda.amazonaws.com"},
                "Action": "sts:AssumeRole",
            }
        ],
    }
)
ECHO = """
import json, os

def handler(event, context):
    print("hello from", context.function_name)
    return {"event": event, "colour": os.environ.get("COLOUR"), "version": 1}
"""
CALLER = """
import boto3

def handler(event, context):
    secret = boto3.client("secretsmanager").get_secret_value(SecretId=event["SecretId"])
    identity = boto3.client("sts").get_caller_identity()
    return {"length": len(secret["SecretString"]), "arn": identity["Arn"]}
"""
CANARY = "canary-b41f0c"


def named(word: str) -> str:
    """Return a name no other test uses, without what names of functions have not."""
    return f"{word}-{uuid.uuid4().hex[:12]}"


def zipped(**files: str | bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(f"{name}.py", content)
    return buffer.getvalue()


class Account:
    """Clients of the account's root user."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.functions = server.client("lambda")
        self.iam = server.client("iam")
        self.secrets = server.client("secretsmanager")

    def role(self, *statements: dict[str, Any]) -> str:
        name = named("role")
        arn: str = self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
        if statements:
            document = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
            self.iam.put_role_policy(RoleName=name, PolicyName="may", PolicyDocument=document)
        return arn

    def create(self, code: str = ECHO, role: str | None = None, **members: Any) -> dict[str, Any]:
        request = {
            "FunctionName": named("function"),
            "Runtime": "python3.12",
            "Role": role or self.role(),
            "Handler": "main.handler",
            "Timeout": 30,
            "MemorySize": 512,
            "Code": {"ZipFile": zipped(main=code)},
            **members,
        }
        created: dict[str, Any] = self.functions.create_function(**request)
        return created

    def invoke(self, name: str, payload: Any = None, **members: Any) -> tuple[Any, dict[str, Any]]:
        answer = self.functions.invoke(
            FunctionName=name, Payload=json.dumps(payload or {}).encode(), **members
        )
        return json.loads(answer["Payload"].read()), answer


@pytest.fixture
def account(server: Server) -> Account:
    return Account(server)


@pytest.fixture
def runs(account: Account) -> Account:
    """An account of a server that can run functions here."""
    name = account.create()["FunctionName"]
    try:
        account.invoke(name)
    except ClientError as error:
        pytest.skip(f"functions are not run on this machine: {error}")
    return account


def error_of(call: Any, **request: Any) -> tuple[str, int, str]:
    with pytest.raises(ClientError) as refused:
        call(**request)
    answer = refused.value.response
    return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Message"]


def test_the_life_of_a_function(account: Account) -> None:
    functions = account.functions
    created = account.create(Environment={"Variables": {"COLOUR": "blue"}}, Tags={"team": "db"})
    name, arn = created["FunctionName"], created["FunctionArn"]
    assert created["ResponseMetadata"]["HTTPStatusCode"] == 201
    functions.get_waiter("function_active_v2").wait(FunctionName=name)
    functions.get_waiter("function_updated_v2").wait(FunctionName=name)
    functions.get_waiter("function_exists").wait(FunctionName=name)
    found = functions.get_function(FunctionName=arn)
    assert found["Configuration"]["Environment"] == {"Variables": {"COLOUR": "blue"}}
    assert found["Tags"] == {"team": "db"}
    code = zipped(main=ECHO.replace("1}", "2}"))
    updated = functions.update_function_code(FunctionName=name, ZipFile=code, Publish=True)
    assert updated["CodeSha256"] == base64.b64encode(hashlib.sha256(code).digest()).decode()
    assert updated["Version"] == "1"
    functions.update_function_configuration(FunctionName=name, Timeout=60)
    functions.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    assert functions.get_function_configuration(FunctionName=f"{name}:live")["Timeout"] == 30
    assert arn in [
        each["FunctionArn"]
        for page in functions.get_paginator("list_functions").paginate()
        for each in page["Functions"]
    ]
    assert [
        each["Version"] for each in functions.list_versions_by_function(FunctionName=name)["Versions"]
    ] == ["$LATEST", "1"]
    functions.tag_resource(Resource=arn, Tags={"stage": "live"})
    functions.untag_resource(Resource=arn, TagKeys=["team", "none of it"])
    assert functions.list_tags(Resource=arn)["Tags"] == {"stage": "live"}
    statement = functions.add_permission(
        FunctionName=name,
        StatementId="rotation",
        Action="lambda:InvokeFunction",
        Principal="secretsmanager.amazonaws.com",
        SourceAccount=arn.split(":")[4],
    )["Statement"]
    assert json.loads(functions.get_policy(FunctionName=name)["Policy"])["Statement"] == [
        json.loads(statement)
    ]
    functions.remove_permission(FunctionName=name, StatementId="rotation")
    assert functions.delete_function(FunctionName=name)["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert error_of(functions.get_function, FunctionName=name) == (
        "ResourceNotFoundException",
        404,
        f"Function not found: {arn}",
    )


def test_refusals_come_as_rest_json(account: Account, server: Server) -> None:
    created = account.create()
    again = {
        "FunctionName": created["FunctionName"],
        "Runtime": "python3.12",
        "Role": created["Role"],
        "Handler": "main.handler",
        "Code": {"ZipFile": zipped(main=ECHO)},
    }
    assert error_of(account.functions.create_function, **again) == (
        "ResourceConflictException",
        409,
        f"Function already exist: {created['FunctionName']}",
    )
    stranger = server.client("lambda", credentials=(server.access_key_id, "wrong" * 8))
    code, status, message = error_of(stranger.get_function, FunctionName="any")
    assert (code, status) == ("InvalidSignatureException", 403)
    assert message.startswith("The request signature we calculated does not match")
    code, status, message = error_of(account.functions.list_event_source_mappings)
    assert (code, status) == ("UnknownOperationException", 404)
    assert message.startswith("ListEventSourceMappings is not supported here. ")
    name = named("carol")
    account.iam.create_user(UserName=name)
    key = account.iam.create_access_key(UserName=name)["AccessKey"]
    carol = server.client("lambda", credentials=(key["AccessKeyId"], key["SecretAccessKey"]))
    code, status, message = error_of(carol.get_function, FunctionName=created["FunctionName"])
    assert (code, status) == ("AccessDeniedException", 403)
    assert (
        f"is not authorized to perform: lambda:GetFunction on resource: {created['FunctionArn']}" in message
    )


def test_code_of_the_greatest_size_is_taken(account: Account) -> None:
    buffer = io.BytesIO()
    noise = random.Random(7).randbytes(49 * 1024 * 1024)
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("main.py", ECHO)
        archive.writestr("noise.bin", noise)
    code = buffer.getvalue()
    created = account.create(Code={"ZipFile": code})
    assert created["CodeSize"] == len(code)
    assert created["CodeSha256"] == base64.b64encode(hashlib.sha256(code).digest()).decode()
    account.functions.delete_function(FunctionName=created["FunctionName"])


def test_a_function_runs(runs: Account) -> None:
    name = runs.create(Environment={"Variables": {"COLOUR": "blue"}})["FunctionName"]
    payload, answer = runs.invoke(name, {"Step": "createSecret"}, LogType="Tail")
    assert payload == {"event": {"Step": "createSecret"}, "colour": "blue", "version": 1}
    assert (answer["StatusCode"], answer["ExecutedVersion"]) == (200, "$LATEST")
    assert "FunctionError" not in answer
    assert f"hello from {name}" in base64.b64decode(answer["LogResult"]).decode()


def test_changed_code_runs_from_the_next_call_on(runs: Account) -> None:
    name = runs.create()["FunctionName"]
    assert runs.invoke(name)[0]["version"] == 1
    changed = zipped(main=ECHO.replace('"version": 1', '"version": 2'))
    runs.functions.update_function_code(FunctionName=name, ZipFile=changed)
    assert runs.invoke(name)[0]["version"] == 2
    runs.functions.update_function_configuration(
        FunctionName=name, Environment={"Variables": {"COLOUR": "red"}}
    )
    assert runs.invoke(name)[0]["colour"] == "red"


def test_a_failure_is_told_in_a_header(runs: Account) -> None:
    failing = "def handler(event, context):\n    raise ValueError('no ' + event['what'])\n"
    name = runs.create(failing)["FunctionName"]
    payload, answer = runs.invoke(name, {"what": "luck"})
    assert (answer["StatusCode"], answer["FunctionError"]) == (200, "Unhandled")
    assert (payload["errorType"], payload["errorMessage"]) == ("ValueError", "no luck")


def test_a_function_calls_this_server_as_its_role(runs: Account) -> None:
    secret = runs.secrets.create_secret(Name=fresh("secret"), SecretString=CANARY)["ARN"]
    read = {"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": secret}
    role = runs.role(read)
    name = runs.create(CALLER, role)["FunctionName"]
    payload, answer = runs.invoke(name, {"SecretId": secret})
    assert "FunctionError" not in answer, payload
    account_id, role_name = role.split(":")[4], role.rpartition("/")[2]
    assert payload == {
        "length": len(CANARY),
        "arn": f"arn:aws:sts::{account_id}:assumed-role/{role_name}/{name}",
    }
    runs.iam.delete_role_policy(RoleName=role_name, PolicyName="may")
    payload, answer = runs.invoke(name, {"SecretId": secret})
    assert answer["FunctionError"] == "Unhandled"
    assert "AccessDenied" in payload["errorMessage"]
    assert CANARY not in runs.server.log()


def test_a_layer_brings_modules(runs: Account) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("python/colours.py", "best = 'green'\n")
    layer = runs.functions.publish_layer_version(
        LayerName=named("layer"), Content={"ZipFile": buffer.getvalue()}
    )["LayerVersionArn"]
    code = "import colours\n\ndef handler(event, context):\n    return colours.best\n"
    name = runs.create(code, Layers=[layer])["FunctionName"]
    assert runs.invoke(name)[0] == "green"


def test_a_role_that_is_gone_ends_the_runs(runs: Account) -> None:
    created = runs.create()
    runs.invoke(created["FunctionName"])
    runs.iam.delete_role(RoleName=created["Role"].rpartition("/")[2])
    assert error_of(runs.functions.invoke, FunctionName=created["FunctionName"]) == (
        "InvalidParameterValueException",
        400,
        "The role defined for the function cannot be assumed by Lambda.",
    )


def test_terraforms_way_through_a_function_and_its_permission(account: Account) -> None:
    """The calls of aws_lambda_function and aws_lambda_permission: create, read, update, read, delete."""
    functions = account.functions
    name = named("terraform")
    role = account.role()
    functions.create_function(
        FunctionName=name,
        Runtime="python3.12",
        Role=role,
        Handler="main.handler",
        Code={"ZipFile": zipped(main=ECHO)},
        Architectures=["x86_64"],
        EphemeralStorage={"Size": 512},
        PackageType="Zip",
        Publish=False,
        MemorySize=128,
        Timeout=3,
        Tags={"made-by": "terraform"},
    )

    def read() -> dict[str, Any]:
        found = functions.get_function(FunctionName=name)
        assert functions.get_function_code_signing_config(FunctionName=name)["CodeSigningConfigArn"] == ""
        functions.get_function_concurrency(FunctionName=name)
        functions.get_runtime_management_config(FunctionName=name)
        functions.get_function_recursion_config(FunctionName=name)
        versions = functions.list_versions_by_function(FunctionName=name, MaxItems=10_000)["Versions"]
        assert versions[0]["Version"] == "$LATEST"
        return dict(found)

    found = read()
    assert found["Configuration"]["State"] == "Active"
    assert found["Tags"] == {"made-by": "terraform"}
    functions.add_permission(
        FunctionName=name,
        StatementId="AllowSecretsManager",
        Action="lambda:InvokeFunction",
        Principal="secretsmanager.amazonaws.com",
    )
    policy = functions.get_policy(FunctionName=name)
    assert json.loads(policy["Policy"])["Statement"][0]["Sid"] == "AllowSecretsManager"
    functions.update_function_configuration(
        FunctionName=name, Timeout=30, Environment={"Variables": {"A_B": "c"}}
    )
    functions.get_waiter("function_updated_v2").wait(FunctionName=name)
    functions.update_function_code(
        FunctionName=name,
        ZipFile=zipped(main=ECHO + "\n"),
        Architectures=["x86_64"],
        DryRun=False,
        Publish=False,
    )
    changed = read()["Configuration"]
    assert (changed["Timeout"], changed["LastUpdateStatus"]) == (30, "Successful")
    functions.remove_permission(FunctionName=name, StatementId="AllowSecretsManager")
    assert error_of(functions.get_policy, FunctionName=name)[:2] == ("ResourceNotFoundException", 404)
    functions.delete_function(FunctionName=name)
    assert error_of(functions.get_function, FunctionName=name)[:2] == ("ResourceNotFoundException", 404)


@pytest.fixture
def own_server(tmp_path: Any) -> Iterator[Server]:
    arguments = ["--data-dir", str(tmp_path / "data"), "--root-key", f"file:{tmp_path / 'root.key'}"]
    with running([*arguments, "--workers", "1"], tmp_path / "log") as started:
        yield started


def test_what_is_given_rests_sealed_and_is_told_to_nobody(own_server: Server, tmp_path: Any) -> None:
    account = Account(own_server)
    code = f"# {CANARY}\n" + ECHO
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("main.py", code)
    account.create(Code={"ZipFile": buffer.getvalue()}, Environment={"Variables": {"PASSWORD": CANARY}})
    account.functions.list_functions()
    own_server.stop()
    for path in (tmp_path / "data").rglob("*"):
        if path.is_file():
            assert CANARY.encode() not in path.read_bytes(), path
    assert CANARY not in own_server.log()

"""No request makes the server fail: bodies drawn from the service models, and signed requests spoiled at random.

For each: no status of 500 or more, no repeated value in an error, nothing in the log, exactly one record.
"""

from __future__ import annotations

import base64
import collections
import http.client
import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from strongroom.operations.catalog import CATALOG
from strongroom.wire.models import OperationModel, load_service
from support.record_schema import faults
from support.running import Server, running
from support.signing import Answer, Request, connect, json_call, query_call, receive, rest_call
from support.trails import records

CANARY = "canary-in-the-fuzz-mine"
CANARY_64 = base64.b64encode(CANARY.encode()).decode()
BOUNDED = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

MODELS = {name: load_service(name) for name in CATALOG}


def zip_of(name: str, content: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, content)
    return buffer.getvalue()


OPERATIONS: list[OperationModel] = [
    MODELS[service].operations[name] for service, served in CATALOG.items() for name in served.operations
]


ACCOUNT = "123456789012"
"""Stands in what is drawn for the server's own account."""


class Asked:
    """What was asked of a server, to be compared with its trail at the end."""

    def __init__(self, server: Server, arn: str) -> None:
        self.server = server
        self.account = arn.split(":")[4]
        self.suffix = arn[-6:]
        self.request_ids: list[str] = []

    def located(self, text: str) -> bytes:
        """Return `text` with the ARNs in it those of this server's account and secret."""
        return text.replace(ACCOUNT, self.account).replace("AbCdEf", self.suffix).encode()

    def send(self, request: Request) -> Answer | None:
        """Return the answer after looking at it; None when HTTP itself was too broken for one of ours."""
        with connect(self.server) as connection:
            try:
                connection.sendall(request.encoded())
                answer = receive(connection, request.method)
            except (ConnectionError, http.client.HTTPException):
                return None
        assert answer.status < 500, (request, answer)
        if answer.status >= 300:
            assert CANARY.encode() not in answer.body
            assert CANARY_64.encode() not in answer.body
        if "x-amzn-requestid" not in answer.headers:
            assert answer.status in (400, 414, 431)
            assert answer.body == b""
            return None
        self.request_ids.append(answer.request_id)
        return answer


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    place = tmp_path_factory.mktemp("fuzz")
    data_dir = place / "data"
    options = ["--data-dir", str(data_dir), "--root-key", f"file:{place}/root.key", "--workers", "1"]
    with running(options, place / "log") as server:
        client = server.client("secretsmanager")
        arn = client.create_secret(Name="held", SecretString=CANARY)["ARN"]
        asked = Asked(server, arn)
        trust = {
            "Effect": "Allow",
            "Principal": {"Service": "lambda.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
        document = json.dumps({"Version": "2012-10-17", "Statement": trust})
        role = server.client("iam").create_role(RoleName="x", AssumeRolePolicyDocument=document)["Role"][
            "Arn"
        ]
        server.client("lambda").create_function(
            FunctionName="f",
            Runtime="python3.12",
            Role=role,
            Handler="main.handler",
            Code={"ZipFile": base64.b64decode(ZIP)},
        )
        yield asked
    # That functions are shut in is told; of nothing a client sends there is anything to tell.
    assert [line for line in server.log().splitlines() if json.loads(line)["level"] != "info"] == []
    _verify_records(data_dir, asked.request_ids)
    for path in data_dir.rglob("*"):
        assert not path.is_file() or CANARY.encode() not in path.read_bytes(), path


def _verify_records(data_dir: Path, request_ids: list[str]) -> None:
    """Each request has one record for its own account, beside those of the parts of a batch and the ones
    other accounts get."""
    found: dict[str, list[Mapping[str, Any]]] = collections.defaultdict(list)
    for record in records(data_dir):
        assert faults(record) == [], record
        found[record["requestID"]].append(record)
    for request_id in request_ids:
        mine = found[request_id]
        accounts = [each["recipientAccountId"] for each in mine]
        names = [each["eventName"] for each in mine]
        if names[0] != "BatchGetSecretValue":
            assert accounts and len(set(accounts)) == len(accounts), mine
            assert len(set(names)) == 1, mine
        else:
            assert names.count("BatchGetSecretValue") == 1, mine


# Bodies by the model

TEXTS = st.one_of(
    st.sampled_from(
        [
            "held",
            "held2",
            "",
            "a b",
            "*",
            "AWSCURRENT",
            "AWSPENDING",
            "alias/aws/secretsmanager",
            "alias/x",
            "arn:aws:secretsmanager:eu-central-1:123456789012:secret:held-AbCdEf",
            "arn:aws:secretsmanager:eu-central-1:123456789012:secret:",
            "arn:aws:kms:eu-central-1:123456789012:key/1",
            "arn:aws:iam::123456789012:role/x",
            "arn:",
            "us-west-2",
            "eu-central-1",
            "0f5ba7c5-8f0f-4a33-9a5c-c6f6ab6a0a55",
            "rate(10 days)",
            "cron(0 8 1 * ? *)",
            "2h",
            '{"Version":"2012-10-17","Statement":[]}',
            '{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"*","Resource":"*",'
            '"Condition":{"NumericEquals":{"a":"b"}}}]}',
            '{"Statement":' + "[" * 200,
            "\x00",
            "\ud800",
            "\U0001f511" * 100,
            "x" * 5000,
        ]
    ),
    st.text(max_size=40),
)
JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**25), 10**25)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)


DENY = (
    '{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":{"AWS":"arn:aws:iam::123456789012:root"},'
    '"Action":"secretsmanager:PutSecretValue","Resource":"*"}]}'
)
SECRETS = ["held", "arn:aws:secretsmanager:eu-central-1:123456789012:secret:held-AbCdEf", "made", "made2"]
KEYS = ["alias/aws/secretsmanager", "alias/made", "arn:aws:kms:eu-central-1:123456789012:alias/made"]
ZIP = base64.b64encode(zip_of("main.py", f"# {CANARY}")).decode()
FITTING: Mapping[str, list[str]] = {
    "AliasName": ["alias/made", "alias/made2"],
    "FunctionName": ["f", "g", "f:1", "arn:aws:lambda:eu-central-1:123456789012:function:f"],
    "Handler": ["main.handler"],
    "LayerName": ["l"],
    "Resource": ["arn:aws:lambda:eu-central-1:123456789012:function:f"],
    "Role": ["arn:aws:iam::123456789012:role/x"],
    "Runtime": ["python3.12"],
    "ZipFile": [ZIP],
    "ClientRequestToken": ["0f5ba7c5-8f0f-4a33-9a5c-c6f6ab6a0a55", "1f5ba7c5-8f0f-4a33-9a5c-c6f6ab6a0a55"],
    "KeyId": KEYS,
    "KmsKeyId": KEYS,
    "MoveToVersionId": ["0f5ba7c5-8f0f-4a33-9a5c-c6f6ab6a0a55"],
    "Name": ["made", "made2", "a/b"],
    "Policy": [DENY],
    "PolicyDocument": [DENY.replace('"Principal":{"AWS":"arn:aws:iam::123456789012:root"},', "")],
    "PolicyName": ["default", "p"],
    "Region": ["us-west-2", "eu-west-1"],
    "ResourcePolicy": [DENY],
    "RotationLambdaARN": ["arn:aws:lambda:eu-central-1:123456789012:function:f"],
    "SecretId": SECRETS,
    "TargetKeyId": KEYS,
    "UserName": ["u", "v"],
    "VersionId": ["0f5ba7c5-8f0f-4a33-9a5c-c6f6ab6a0a55"],
    "VersionStage": ["AWSCURRENT", "AWSPREVIOUS", "s"],
}
"""Values that mean something in a member of the name: they lead past the first checks."""


def value(shapes: Mapping[str, Any], name: str, depth: int = 0) -> st.SearchStrategy[Any]:
    """Return what mostly fits a shape of the model."""
    shape = shapes[name]
    kind = shape["type"]
    if kind == "structure":
        fitting = structure(shapes, name, depth)
    elif kind == "list":
        fitting = st.lists(value(shapes, shape["member"]["shape"], depth + 1), max_size=3)
    elif kind == "map":
        fitting = st.dictionaries(TEXTS, value(shapes, shape["value"]["shape"], depth + 1), max_size=3)
    elif kind == "boolean":
        fitting = st.booleans()
    elif kind in ("integer", "long"):
        fitting = st.integers(0, 100) | st.integers(-(2**70), 2**70)
    elif kind == "blob":
        fitting = st.sampled_from([CANARY_64, "", "AAAA", "!"]) | st.binary(max_size=40).map(
            lambda raw: base64.b64encode(raw).decode()
        )
    elif kind == "timestamp":
        fitting = st.integers(0, 2**33) | st.floats(allow_nan=False, allow_infinity=False)
    elif shape.get("sensitive"):
        fitting = st.just(CANARY) | st.just(CANARY * 3000)
    elif "enum" in shape:
        fitting = st.sampled_from(shape["enum"])
    else:
        fitting = TEXTS
    # Seldom: one member of another kind is enough for a refusal, and hides what comes after.
    return st.integers(0, 29).flatmap(lambda pick: fitting if pick else JUNK)


def member_value(shapes: Mapping[str, Any], member: str, name: str, depth: int) -> st.SearchStrategy[Any]:
    known = FITTING.get(member)
    drawn = value(shapes, name, depth)
    if known is None:
        return drawn
    return st.integers(0, 4).flatmap(lambda pick: st.sampled_from(known) if pick else drawn)


def structure(shapes: Mapping[str, Any], name: str, depth: int = 0) -> st.SearchStrategy[Any]:
    shape = shapes[name]
    if depth > 4:
        return st.just({})
    members = {
        member: member_value(shapes, member, definition["shape"], depth + 1)
        for member, definition in shape["members"].items()
    }
    required = {member: members[member] for member in shape.get("required", ())}
    optional = {member: members[member] for member in members if member not in required}
    return st.fixed_dictionaries(required, optional=optional)


def request_of(operation: OperationModel) -> st.SearchStrategy[dict[str, Any]]:
    shape = operation._input
    return st.just({}) if shape is None else structure(operation.service.shapes, shape)


def flattened(given: Any, prefix: str = "") -> list[tuple[str, str]]:
    """Return `given` as parameters of the query protocol."""
    if isinstance(given, dict):
        pairs = [flattened(each, f"{prefix}.{name}" if prefix else name) for name, each in given.items()]
        return [pair for part in pairs for pair in part]
    if isinstance(given, list):
        pairs = [flattened(each, f"{prefix}.member.{number}") for number, each in enumerate(given, 1)]
        return [pair for part in pairs for pair in part] or [(encodable(prefix), "")]
    text = json.dumps(given) if given is None or isinstance(given, bool) else str(given)
    return [(encodable(prefix), encodable(text))]


def encodable(text: str) -> str:
    return text.encode(errors="replace").decode()


@pytest.mark.parametrize("service", sorted(MODELS))
@BOUNDED
@given(data=st.data())
def test_any_request_of_the_model_is_answered(asked: Asked, service: str, data: st.DataObject) -> None:
    operation = data.draw(st.sampled_from([each for each in OPERATIONS if each.service.name == service]))
    content = data.draw(request_of(operation))
    if operation.service.protocol == "json":
        body = asked.located(json.dumps(content))
        request = json_call(
            asked.server, operation.name, body, service=service, prefix=operation.service.target_prefix
        )
    elif operation.service.protocol == "rest-json":
        request = rest_call(asked.server, operation, json.loads(asked.located(json.dumps(content))))
    else:
        parameters = [("Action", operation.name), ("Version", operation.service.api_version)]
        body = asked.located(urlencode([*parameters, *flattened(content)]))
        request = query_call(asked.server, service, body)
    assert asked.send(request) is not None


# Anything else

BODY = {
    "SecretId": "held",
    "SecretString": CANARY,
    "ClientRequestToken": "0f5ba7c5-8f0f-4a33-9a5c-c6f6ab6a0a55",
}


@BOUNDED
@given(
    body=st.one_of(
        st.binary(max_size=200),
        JUNK.map(lambda each: json.dumps(each).encode()),
        st.dictionaries(st.sampled_from(sorted(BODY)), JUNK).map(lambda each: json.dumps(each).encode()),
        st.tuples(st.integers(0, 150), st.binary(max_size=4)).map(
            lambda change: (
                json.dumps(BODY).encode()[: change[0]]
                + change[1]
                + json.dumps(BODY).encode()[change[0] + len(change[1]) :]
            )
        ),
    )
)
def test_any_signed_body_is_answered(asked: Asked, body: bytes) -> None:
    answer = asked.send(json_call(asked.server, "PutSecretValue", body))
    assert answer is not None
    if answer.status == 200:
        assert json.loads(body)["SecretId"] == "held"


HEADER_TEXT = st.text(
    st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=60
)
NAMES = ["Host", "Content-Type", "X-Amz-Target", "X-Amz-Date", "Authorization", "Content-Length"]


@st.composite
def spoiled(draw: st.DrawFn, server: Server) -> Request:
    """Return a signed request with one to three things about it changed."""
    request = draw(
        st.sampled_from(
            [
                json_call(server, "PutSecretValue", BODY),
                query_call(server, "sts", b"Action=GetCallerIdentity&Version=2011-06-15"),
            ]
        )
    )
    for _ in range(draw(st.integers(1, 3))):
        name = draw(st.sampled_from(NAMES))
        present = any(each == name for each, _ in request.headers)
        match draw(st.sampled_from(["value", "piece", "drop", "again", "more", "path", "method", "body"])):
            case "value":
                request = request.having(name, draw(HEADER_TEXT))
            case "piece" if present:
                old = request.header(name)
                start = draw(st.integers(0, len(old)))
                end = draw(st.integers(start, len(old)))
                request = request.having(name, old[:start] + draw(HEADER_TEXT) + old[end:])
            case "drop":
                request = request.without(name)
            case "again" if present:
                request = request.adding(name, request.header(name))
            case "more":
                extra = draw(
                    st.sampled_from(
                        [
                            "X-Amz-Security-Token",
                            "X-Amz-Content-SHA256",
                            "Date",
                            "X-Forwarded-For",
                            "User-Agent",
                        ]
                    )
                )
                request = request.adding(extra, draw(HEADER_TEXT))
            case "path":
                alphabet = st.characters(min_codepoint=0x21, max_codepoint=0x7E)
                query = draw(st.sampled_from(["", "?", "?X-Amz-Algorithm=", "?Version=2010-05-08&Action="]))
                path = "/" + draw(st.text(alphabet, max_size=20)) if not query else "/"
                request.path = path + query + (draw(st.text(alphabet, max_size=40)) if query else "")
            case "method":
                request.method = draw(st.sampled_from(["GET", "PUT", "DELETE", "OPTIONS", "PATCH", "LOCK"]))
            case "body" if request.body:
                place = draw(st.integers(0, len(request.body) - 1))
                changed = bytearray(request.body)
                changed[place] ^= draw(st.integers(1, 255))
                request.body = bytes(changed)
            case _:
                pass
    # A length that promises more would only be waited for; that has tests of its own.
    if any(each == "Content-Length" for each, _ in request.headers):
        request = request.without("Content-Length").adding("Content-Length", str(len(request.body)))
    return request


@BOUNDED
@given(data=st.data())
def test_any_spoiled_request_is_answered(asked: Asked, data: st.DataObject) -> None:
    asked.send(data.draw(spoiled(asked.server)))


def test_the_secret_is_still_there(asked: Asked) -> None:
    listed = asked.server.client("secretsmanager").list_secrets(
        MaxResults=1, Filters=[{"Key": "name", "Values": ["held"]}], IncludePlannedDeletion=True
    )
    assert listed["ResponseMetadata"]["HTTPStatusCode"] == 200

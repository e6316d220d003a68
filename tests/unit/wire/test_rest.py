"""REST-JSON: which operation a method and path name, and where its members stand."""

from __future__ import annotations

import base64
import datetime as dt
import json
from contextlib import suppress
from typing import Any
from urllib.parse import quote

import boto3
import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from hypothesis import given, settings
from hypothesis import strategies as st

from strongroom.errors import (
    SerializationException,
    ServiceError,
    UnknownOperationException,
    ValidationException,
)
from strongroom.wire import models
from strongroom.wire.http import HttpRequest, joined_headers
from strongroom.wire.models import load_service
from strongroom.wire.rest import MAX_PATH, decode_rest, encode_rest
from strongroom.wire.routing import Router

LAMBDA = load_service("lambda")
ROUTER = Router([LAMBDA, load_service("secretsmanager"), load_service("sts")])
MOMENT = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
FUNCTIONS = "/2015-03-31/functions"
ARN = "arn:aws:lambda:eu-central-1:111122223333:function:rotate"


def sent(method: str, path: str, query: str = "", body: bytes = b"", **headers: str) -> HttpRequest:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return HttpRequest(method, path, query, named, body, MOMENT, "id", "127.0.0.1", False)


def decoded(request: HttpRequest) -> tuple[str, dict[str, Any]]:
    route = ROUTER.route(request)
    return route.operation, decode_rest(LAMBDA.operations[route.operation], route.parameters, request)


@pytest.mark.parametrize(
    ("method", "path", "query", "operation", "labels"),
    [
        ("POST", FUNCTIONS, "", "CreateFunction", {}),
        ("POST", f"{FUNCTIONS}/", "", "CreateFunction", {}),
        ("GET", f"{FUNCTIONS}/", "MaxItems=3", "ListFunctions", {}),
        ("GET", f"{FUNCTIONS}/rotate", "", "GetFunction", {"FunctionName": "rotate"}),
        ("GET", f"{FUNCTIONS}/{quote(ARN, safe='')}", "", "GetFunction", {"FunctionName": ARN}),
        ("GET", f"{FUNCTIONS}/{ARN}", "", "GetFunction", {"FunctionName": ARN}),
        ("GET", f"{FUNCTIONS}/a/configuration", "", "GetFunctionConfiguration", {"FunctionName": "a"}),
        (
            "DELETE",
            f"{FUNCTIONS}/a/policy/s1",
            "",
            "RemovePermission",
            {"FunctionName": "a", "StatementId": "s1"},
        ),
        ("GET", "/2018-10-31/layers", "", "ListLayers", {}),
        ("GET", "/2018-10-31/layers", "find=LayerVersion&Arn=x", "GetLayerVersionByArn", {}),
        ("GET", "/2018-10-31/layers", "Arn=x&find=LayerVersion", "GetLayerVersionByArn", {}),
        ("GET", "/2018-10-31/layers", "find=Other", "ListLayers", {}),
        ("GET", "/2017-03-31/tags/a%2Fb%20c", "", "ListTags", {"Resource": "a/b c"}),
        ("POST", f"{FUNCTIONS}/policy/policy", "", "AddPermission", {"FunctionName": "policy"}),
    ],
)
def test_method_and_path_name_an_operation(
    method: str, path: str, query: str, operation: str, labels: dict[str, str]
) -> None:
    route = ROUTER.route(sent(method, path, query))
    assert (route.service.name, route.operation, dict(route.parameters)) == ("lambda", operation, labels)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PATCH", FUNCTIONS),
        ("HEAD", f"{FUNCTIONS}/a"),
        ("GET", "/2015-03-31"),
        ("GET", "/2015-03-32/functions"),
        ("GET", "//2015-03-31/functions"),
        ("GET", f"{FUNCTIONS}//"),
        ("GET", f"{FUNCTIONS}//configuration"),
        ("GET", f"{FUNCTIONS}/a/configuration//"),
        ("GET", f"{FUNCTIONS}/a/b/c/d/e/f"),
        ("GET", f"{FUNCTIONS}/a/Configuration"),
        ("GET", f"{FUNCTIONS}/{'a' * MAX_PATH}"),
        ("GET", "/%32015-03-31/functions"),
        ("GET", "*"),
    ],
)
def test_other_paths_name_nothing(method: str, path: str) -> None:
    with pytest.raises(UnknownOperationException) as refused:
        ROUTER.route(sent(method, path))
    assert refused.value.message == ""


@pytest.mark.parametrize("name", ["%", "%4", "a%zz", "%ff", "%c3%28", "a%u0041"])
def test_a_label_must_be_escaped_text(name: str) -> None:
    with pytest.raises(SerializationException) as refused:
        ROUTER.route(sent("GET", f"{FUNCTIONS}/{name}"))
    assert refused.value.message == "The request's path is malformed."


def test_every_operation_of_the_model_is_found_by_its_own_path() -> None:
    for name, model in LAMBDA.operations.items():
        path, _, query = model.http_uri.partition("?")
        for label in ("{", "}"):
            path = path.replace(label, "")
        assert ROUTER.route(sent(model.http_method, path, query)).operation == name


@settings(max_examples=300)
@given(st.text(alphabet="/%{}.aA2-:?", max_size=60))
def test_no_path_is_a_bug(path: str) -> None:
    try:
        ROUTER.route(sent("GET", f"/2015-03-31{path}"))
    except ServiceError as error:
        assert isinstance(error, (UnknownOperationException, SerializationException))


def test_members_come_from_path_query_headers_and_body() -> None:
    assert decoded(
        sent(
            "POST",
            f"{FUNCTIONS}/rotate/policy",
            "Qualifier=live&X-Amz-Signature=0",
            b'{"StatementId":"s","Action":"lambda:InvokeFunction","Principal":"secretsmanager.amazonaws.com"}',
        )
    ) == (
        "AddPermission",
        {
            "FunctionName": "rotate",
            "Qualifier": "live",
            "StatementId": "s",
            "Action": "lambda:InvokeFunction",
            "Principal": "secretsmanager.amazonaws.com",
        },
    )
    assert decoded(
        sent(
            "POST", f"{FUNCTIONS}/rotate/invocations", "", b"\x00\xff not JSON", x_amz_invocation_type="Event"
        )
    ) == ("Invoke", {"FunctionName": "rotate", "InvocationType": "Event", "Payload": b"\x00\xff not JSON"})
    assert decoded(sent("DELETE", "/2017-03-31/tags/" + quote(ARN, safe=""), "tagKeys=a&tagKeys=b")) == (
        "UntagResource",
        {"Resource": ARN, "TagKeys": ["a", "b"]},
    )
    assert decoded(sent("GET", FUNCTIONS, "MaxItems=7&Marker=")) == (
        "ListFunctions",
        {"MaxItems": 7, "Marker": ""},
    )
    assert decoded(sent("GET", "/2018-10-31/layers/drivers/versions/3"))[1]["VersionNumber"] == 3


def test_the_body_cannot_say_what_belongs_elsewhere() -> None:
    body = json.dumps({"FunctionName": "other", "Qualifier": "other", "StatementId": "s"}).encode()
    body = body[:-1] + b',"Action":"lambda:*","Principal":"*"}'
    _, request = decoded(sent("POST", f"{FUNCTIONS}/rotate/policy", "", body))
    assert request == {"FunctionName": "rotate", "StatementId": "s", "Action": "lambda:*", "Principal": "*"}


def test_blobs_in_a_body_are_base64() -> None:
    body = json.dumps({"ZipFile": base64.b64encode(b"zip").decode()}).encode()
    assert decoded(sent("PUT", f"{FUNCTIONS}/a/code", "", body))[1] == {
        "FunctionName": "a",
        "ZipFile": b"zip",
    }
    with pytest.raises(SerializationException):
        decoded(sent("PUT", f"{FUNCTIONS}/a/code", "", b'{"ZipFile":"not base64"}'))


STEP = models._BASE64_STEP


@pytest.mark.parametrize("size", [STEP - 1, STEP * 3 // 4, STEP, STEP * 2 + 1, STEP * 3])
def test_long_blobs_are_decoded_in_steps(size: int) -> None:
    blob = (bytes(range(256)) * (size // 256 + 1))[:size]
    text = base64.b64encode(blob).decode()
    assert models.from_base64(text) == blob
    for other in (
        text + "=",
        text[:-1],
        "=" + text[1:],
        text[: STEP - 1] + "=" + text[STEP:],
        text + "\n",
        "\u00e4" + text,
    ):
        # None of these is what anything encodes to. What base64 puts up with, we need not; nothing else.
        with suppress(ValueError):
            assert models.from_base64(other) == base64.b64decode(other, validate=True)


@pytest.mark.parametrize(
    ("request_", "error", "message"),
    [
        (
            sent("GET", f"{FUNCTIONS}/a%20b"),
            ValidationException,
            "1 validation error detected: Value 'a b' at 'functionName' failed to satisfy constraint: "
            "Member must satisfy regular expression pattern: "
            + LAMBDA.shapes["NamespacedFunctionName"]["pattern"],
        ),
        (
            sent("GET", FUNCTIONS, "MaxItems=0"),
            ValidationException,
            "1 validation error detected: Value '0' at 'maxItems' failed to satisfy constraint: "
            "Member must have value greater than or equal to 1",
        ),
        (
            sent("GET", FUNCTIONS, "MaxItems=many"),
            SerializationException,
            "String can not be converted to an Integer",
        ),
        (
            sent("GET", FUNCTIONS, "MaxItems=1&MaxItems=2"),
            SerializationException,
            "The request has a parameter more than once.",
        ),
        (
            sent("GET", FUNCTIONS, "Marker=%ff"),
            SerializationException,
            "The request's parameters are malformed or too many.",
        ),
        (
            sent("GET", FUNCTIONS, "&".join(["a=b"] * 300)),
            SerializationException,
            "The request's parameters are malformed or too many.",
        ),
        (
            sent("POST", f"{FUNCTIONS}/a/invocations", x_amz_invocation_type="Later"),
            ValidationException,
            "1 validation error detected: Value 'Later' at 'invocationType' failed to satisfy constraint: "
            "Member must satisfy enum value set: [Event, RequestResponse, DryRun]",
        ),
        (
            sent("POST", FUNCTIONS, "", b"[]"),
            SerializationException,
            "The request body must be a JSON object.",
        ),
    ],
)
def test_what_the_model_does_not_allow_is_refused(
    request_: HttpRequest, error: type[ServiceError], message: str
) -> None:
    with pytest.raises(error) as refused:
        decoded(request_)
    assert refused.value.message == message


def test_answers_put_members_where_the_model_has_them() -> None:
    invoke = encode_rest(
        LAMBDA.operations["Invoke"],
        {"StatusCode": 200, "FunctionError": "Unhandled", "ExecutedVersion": "3", "Payload": b'{"a":1}'},
    )
    assert (invoke.status, invoke.body) == (200, b'{"a":1}')
    assert invoke.headers == (("X-Amz-Function-Error", "Unhandled"), ("X-Amz-Executed-Version", "3"))
    dry = encode_rest(LAMBDA.operations["Invoke"], {"StatusCode": 204})
    assert (dry.status, dry.body, dry.headers) == (204, b"", ())
    created = encode_rest(LAMBDA.operations["CreateFunction"], {"FunctionName": "a"})
    assert (created.status, created.body) == (201, b'{"FunctionName":"a"}')
    assert encode_rest(LAMBDA.operations["TagResource"], None).status == 204
    assert encode_rest(LAMBDA.operations["TagResource"], None).body == b""


class _Recorder:
    """Keeps the request botocore would send, and answers with what is given."""

    def __init__(self) -> None:
        self.request: Any = None

    def send(self, request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        self.request = request
        answer = AWSResponse(request.url, 200, {}, None)
        answer._content = b"{}"
        return answer


@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        ("get_function", {"FunctionName": ARN, "Qualifier": "$LATEST"}),
        ("list_tags", {"Resource": ARN}),
        ("untag_resource", {"Resource": ARN, "TagKeys": ["a b", "c/d"]}),
        ("invoke", {"FunctionName": "rotate", "Payload": b'{"Step":"x"}', "LogType": "Tail"}),
        ("add_permission", {"FunctionName": "a", "StatementId": "s", "Action": "lambda:*", "Principal": "*"}),
        ("get_layer_version", {"LayerName": "drivers", "VersionNumber": 12}),
        ("get_layer_version_by_arn", {"Arn": "arn:aws:lambda:eu-central-1:111122223333:layer:drivers:1"}),
        ("update_function_code", {"FunctionName": "a", "ZipFile": bytes(range(256)), "Publish": True}),
        ("list_functions", {"MaxItems": 5, "Marker": "a+b c"}),
    ],
)
def test_what_boto3_sends_is_what_is_understood(method: str, arguments: dict[str, Any]) -> None:
    client = boto3.session.Session().client(
        "lambda",
        region_name="eu-central-1",
        endpoint_url="http://127.0.0.1:1",
        aws_access_key_id="AKIAEXAMPLE",
        aws_secret_access_key="secret",
    )
    recorder = _Recorder()
    client.meta.events.register("before-send", recorder.send)
    getattr(client, method)(**arguments)
    request = recorder.request
    path, _, query = request.url.removeprefix("http://127.0.0.1:1").partition("?")
    headers = joined_headers(
        (name.lower().encode(), value if isinstance(value, bytes) else value.encode())
        for name, value in request.headers.items()
    )
    body = request.body or b""
    received = HttpRequest(request.method, path, query, headers, body, MOMENT, "id", "127.0.0.1", False)
    assert decoded(received)[1] == arguments

"""Which service and operation a request names."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from strongroom.errors import SerializationException, ServiceError, UnknownOperationException
from strongroom.wire.http import HttpRequest
from strongroom.wire.models import load_service
from strongroom.wire.routing import Router

ROUTER = Router([load_service(name) for name in ("secretsmanager", "kms", "iam", "sts", "lambda")])
MOMENT = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
STS_SCOPE = (
    "AWS4-HMAC-SHA256 Credential=AKIA/20260101/us-east-1/sts/aws4_request, SignedHeaders=host, Signature=0"
)


def sent(
    method: str = "POST", path: str = "/", query: str = "", body: bytes = b"", **headers: str
) -> HttpRequest:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return HttpRequest(method, path, query, named, body, MOMENT, "id", "127.0.0.1", False)


@pytest.mark.parametrize(
    ("request_", "service", "operation", "parameters"),
    [
        (sent(x_amz_target="secretsmanager.GetSecretValue"), "secretsmanager", "GetSecretValue", {}),
        (sent(x_amz_target="TrentService.Encrypt"), "kms", "Encrypt", {}),
        (
            sent(body=b"Action=CreateUser&Version=2010-05-08&UserName=ann%2Bb"),
            "iam",
            "CreateUser",
            {"UserName": "ann+b"},
        ),
        (
            sent("GET", query="Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Signature=0"),
            "sts",
            "GetCallerIdentity",
            {},
        ),
        (sent(body=b"Action=GetCallerIdentity", authorization=STS_SCOPE), "sts", "GetCallerIdentity", {}),
        (
            sent(body="Action=GetUser&Version=2010-05-08&UserName=\u00e4".encode()),
            "iam",
            "GetUser",
            {"UserName": "\u00e4"},
        ),
    ],
    ids=["secretsmanager", "kms", "iam form", "sts get", "no version", "text that is not encoded"],
)
def test_requests_find_their_operation(
    request_: HttpRequest, service: str, operation: str, parameters: dict[str, Any]
) -> None:
    route = ROUTER.route(request_)
    assert (route.service.name, route.operation, dict(route.parameters)) == (service, operation, parameters)


@pytest.mark.parametrize(
    ("request_", "error", "message"),
    [
        (sent(x_amz_target="secretsmanager.Nothing"), UnknownOperationException, ""),
        (sent(x_amz_target="SecretsManager.GetSecretValue"), UnknownOperationException, ""),
        (sent(x_amz_target=""), UnknownOperationException, ""),
        (sent("GET", x_amz_target="secretsmanager.GetSecretValue"), UnknownOperationException, ""),
        (sent(path="/x", x_amz_target="secretsmanager.GetSecretValue"), UnknownOperationException, ""),
        (sent(), UnknownOperationException, ""),
        (sent("PUT", body=b"Action=GetUser&Version=2010-05-08"), UnknownOperationException, ""),
        (
            sent(body=b"Action=Fly&Version=2010-05-08"),
            UnknownOperationException,
            "Could not find operation Fly for version 2010-05-08",
        ),
        (
            sent(body=b"Action=GetCallerIdentity&Version=1999-01-01", authorization=STS_SCOPE),
            UnknownOperationException,
            "Could not find operation GetCallerIdentity for version 1999-01-01",
        ),
        (
            sent(body=b"Action=GetUser&Version=2010-05-08&UserName=a&UserName=b"),
            SerializationException,
            "The request has a parameter more than once.",
        ),
        (
            sent(body=b"Action=GetUser&Version=2010-05-08&UserName=%ff"),
            SerializationException,
            "The request's parameters are malformed or too many.",
        ),
        (
            sent(body=b"\xff\xfe"),
            SerializationException,
            "The request's parameters are malformed or too many.",
        ),
        (
            sent(body=b"Action=GetUser" + b"&a=b" * 3000),
            SerializationException,
            "The request's parameters are malformed or too many.",
        ),
    ],
)
def test_requests_for_nothing_are_refused(
    request_: HttpRequest, error: type[ServiceError], message: str
) -> None:
    with pytest.raises(error) as refused:
        ROUTER.route(request_)
    assert refused.value.message == message


@pytest.mark.parametrize(
    ("request_", "service"),
    [
        (sent(x_amz_target="secretsmanager.Nothing"), "secretsmanager"),
        (sent(x_amz_target="TrentService."), "kms"),
        (sent(x_amz_target="Nobody.Home"), None),
        (sent(authorization=STS_SCOPE), "sts"),
        (sent("GET", query="Version=2010-05-08"), "iam"),
        (sent("GET", path="/2015-03-31/nothing"), "lambda"),
        (sent("GET", path="/2015-03-31"), "lambda"),
        (sent("GET", path="/2015-03-3/functions"), None),
        (sent(), None),
    ],
)
def test_the_protocol_of_a_refusal_is_the_service_it_names(
    request_: HttpRequest, service: str | None
) -> None:
    found = ROUTER.service_of(request_)
    assert (found.name if found else None) == service


def test_the_search_for_a_service_is_bounded_in_every_field_of_the_scope() -> None:
    # Unbounded, a long header without slashes takes time that grows with the square of its length.
    for credential in ("A" * 129 + "/d/r/sts/", "A/" + "d" * 65 + "/r/sts/", "A/d/" + "r" * 65 + "/sts/"):
        assert ROUTER.service_of(sent(authorization=f"AWS4-HMAC-SHA256 Credential={credential}")) is None
    longest = "A" * 128 + "/" + "d" * 64 + "/" + "r" * 64 + "/sts/"
    found = ROUTER.service_of(sent(authorization=f"AWS4-HMAC-SHA256 Credential={longest}"))
    assert found is not None
    assert found.name == "sts"

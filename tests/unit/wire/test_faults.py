"""Every error of every served model has a class, and every class an answer."""

from __future__ import annotations

import inspect
import xml.etree.ElementTree as ET

import orjson
import pytest

from strongroom import errors
from strongroom.errors import ServiceError
from strongroom.operations.catalog import CATALOG
from strongroom.wire.faults import encode_fault, fault_of, internal_fault
from strongroom.wire.models import ServiceModel, load_service

SERVICES = {name: load_service(name) for name in CATALOG}
CLASSES = {
    name: each
    for name, each in vars(errors).items()
    if inspect.isclass(each) and issubclass(each, ServiceError) and each is not ServiceError
}
PLATFORM = {
    "AccessDeniedException",
    "ExpiredWebIdentityTokenException",
    "IncompleteSignatureException",
    "InvalidParameterValueException",
    "InvalidSignatureException",
    "MissingAuthenticationTokenException",
    "RequestEntityTooLargeException",
    "RequestTimeoutException",
    "SerializationException",
    "ServiceUnavailableException",
    "ThrottlingException",
    "UnknownOperationException",
    "UnrecognizedClientException",
    "ValidationException",
}


@pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES)
def test_every_modelled_error_has_a_class(service: ServiceModel) -> None:
    assert set(service.error_shapes) - set(CLASSES) == set()


def test_every_class_is_modelled_or_a_platform_error() -> None:
    modelled = {shape for service in SERVICES.values() for shape in service.error_shapes}
    assert set(CLASSES) - modelled - PLATFORM == set()


@pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES)
@pytest.mark.parametrize("name", sorted(CLASSES))
def test_every_error_encodes_for_every_service(name: str, service: ServiceModel) -> None:
    answer = encode_fault(CLASSES[name]("what <happened> & why\x00\ud800"), service, "the-id")
    assert 400 <= answer.status < 600
    if service.protocol == "query":
        # The parser raises when the text is not well-formed.
        root = ET.fromstring(answer.body)  # noqa: S314 - our own output
        assert root.tag.endswith("ErrorResponse")
    elif service.protocol == "rest-json":
        assert dict(answer.headers) == {"x-amzn-errortype": name}
        told = orjson.loads(answer.body)
        assert "what <happened> & why\x00?" in (told.get("message"), told.get("Message"))
    else:
        assert orjson.loads(answer.body)["__type"] == name


@pytest.mark.parametrize(
    ("service", "error", "status", "body"),
    [
        (
            "secretsmanager",
            errors.ResourceNotFoundException("gone"),
            400,
            {"__type": "ResourceNotFoundException", "Message": "gone"},
        ),
        (
            "secretsmanager",
            errors.ValidationException("bad"),
            400,
            {"__type": "ValidationException", "message": "bad"},
        ),
        (
            "secretsmanager",
            errors.AccessDeniedException("no"),
            400,
            {"__type": "AccessDeniedException", "message": "no"},
        ),
        (
            "secretsmanager",
            errors.InternalServiceError("ours"),
            500,
            {"__type": "InternalServiceError", "Message": "ours"},
        ),
        ("kms", errors.NotFoundException("gone"), 400, {"__type": "NotFoundException", "message": "gone"}),
        ("kms", errors.InvalidCiphertextException(), 400, {"__type": "InvalidCiphertextException"}),
        ("kms", errors.KMSInternalException("x"), 500, {"__type": "KMSInternalException", "message": "x"}),
        (
            "kms",
            errors.RequestEntityTooLargeException("big"),
            413,
            {"__type": "RequestEntityTooLargeException", "message": "big"},
        ),
    ],
)
def test_json_faults(service: str, error: ServiceError, status: int, body: dict[str, str]) -> None:
    answer = encode_fault(error, SERVICES[service], "the-id")
    assert (answer.status, answer.content_type, orjson.loads(answer.body)) == (
        status,
        "application/x-amz-json-1.1",
        body,
    )


@pytest.mark.parametrize(
    ("service", "error", "code", "status", "blame"),
    [
        ("iam", errors.NoSuchEntityException("m"), "NoSuchEntity", 404, "Sender"),
        ("iam", errors.EntityAlreadyExistsException("m"), "EntityAlreadyExists", 409, "Sender"),
        ("iam", errors.LimitExceededException("m"), "LimitExceeded", 409, "Sender"),
        ("iam", errors.ServiceFailureException("m"), "ServiceFailure", 500, "Receiver"),
        ("iam", errors.ValidationException("m"), "ValidationError", 400, "Sender"),
        ("iam", errors.AccessDeniedException("m"), "AccessDenied", 403, "Sender"),
        ("iam", errors.UnrecognizedClientException("m"), "InvalidClientTokenId", 403, "Sender"),
        ("iam", errors.InvalidSignatureException("m"), "SignatureDoesNotMatch", 403, "Sender"),
        ("sts", errors.ExpiredTokenException("m"), "ExpiredToken", 403, "Sender"),
        ("sts", errors.ExpiredWebIdentityTokenException("m"), "ExpiredTokenException", 400, "Sender"),
        ("sts", errors.InvalidParameterValueException("m"), "InvalidParameterValue", 400, "Sender"),
        ("sts", errors.UnknownOperationException("m"), "InvalidAction", 400, "Sender"),
        ("sts", errors.ServiceUnavailableException("m"), "ServiceUnavailable", 503, "Receiver"),
    ],
)
def test_query_faults(service: str, error: ServiceError, code: str, status: int, blame: str) -> None:
    answer = encode_fault(error, SERVICES[service], "the-id")
    model = SERVICES[service]
    assert (answer.status, answer.content_type) == (status, "text/xml")
    assert answer.body.decode() == (
        f'<ErrorResponse xmlns="{model.xml_namespace}"><Error><Type>{blame}</Type><Code>{code}</Code>'
        "<Message>m</Message></Error><RequestId>the-id</RequestId></ErrorResponse>"
    )
    assert fault_of(error, model).code == code


@pytest.mark.parametrize(
    ("error", "status", "body"),
    [
        (errors.ResourceNotFoundException("m"), 404, {"Type": "User", "Message": "m"}),
        (errors.ResourceConflictException("m"), 409, {"Type": "User", "message": "m"}),
        (errors.InvalidParameterValueException("m"), 400, {"Type": "User", "message": "m"}),
        (errors.PreconditionFailedException("m"), 412, {"Type": "User", "message": "m"}),
        (errors.TooManyRequestsException("m"), 429, {"Type": "User", "message": "m"}),
        (errors.ServiceException("m"), 500, {"Type": "Service", "Message": "m"}),
        (errors.AccessDeniedException("m"), 403, {"message": "m"}),
        (errors.ValidationException("m"), 400, {"message": "m"}),
        (errors.UnrecognizedClientException("m"), 403, {"message": "m"}),
        (errors.InvalidSignatureException("m"), 403, {"message": "m"}),
        (errors.UnknownOperationException("m"), 404, {"message": "m"}),
        (errors.RequestEntityTooLargeException("m"), 413, {"message": "m"}),
        (errors.ServiceUnavailableException("m"), 503, {"message": "m"}),
    ],
)
def test_rest_faults(error: ServiceError, status: int, body: dict[str, str]) -> None:
    answer = encode_fault(error, SERVICES["lambda"], "the-id")
    assert (answer.status, answer.content_type, orjson.loads(answer.body)) == (
        status,
        "application/json",
        body,
    )
    assert answer.headers == (("x-amzn-errortype", type(error).__name__),)


@pytest.mark.parametrize(
    ("service", "code"),
    [
        ("secretsmanager", "InternalServiceError"),
        ("kms", "KMSInternalException"),
        ("iam", "ServiceFailure"),
        ("sts", "InternalFailure"),
        ("lambda", "ServiceException"),
    ],
)
def test_internal_faults_are_named_as_the_service_names_them(service: str, code: str) -> None:
    fault = fault_of(internal_fault(SERVICES[service]), SERVICES[service])
    assert (fault.code, fault.status) == (code, 500)


def test_an_error_before_the_service_is_known_is_json() -> None:
    answer = encode_fault(errors.UnknownOperationException(), None, "the-id")
    assert (answer.status, answer.body) == (400, b'{"__type":"UnknownOperationException"}')

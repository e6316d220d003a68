"""Errors on their way out: the one place that knows codes, HTTP statuses, headers and bodies.

Sources: fact sheets secretsmanager section 1, sigv4 section 7, kms section 1, iam section 10. The models of
Secrets Manager and KMS carry no statuses, so this table does.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from xml.sax.saxutils import escape

import orjson

from strongroom import errors
from strongroom.errors import ServiceError
from strongroom.wire.http import HttpResponse
from strongroom.wire.models import ServiceModel
from strongroom.wire.rest import REST_TYPE

__all__ = ["JSON_TYPE", "XML_TYPE", "Fault", "encode_fault", "fault_of", "internal_fault"]

JSON_TYPE: Final = "application/x-amz-json-1.1"
XML_TYPE: Final = "text/xml"


@dataclass(frozen=True, slots=True)
class Fault:
    """What a client and the trail are told of one error."""

    code: str
    status: int
    message: str


_JSON_STATUS: Final[Mapping[type[ServiceError], int]] = {
    errors.InternalServiceError: 500,
    errors.KMSInternalException: 500,
    errors.DependencyTimeoutException: 500,
    errors.KeyUnavailableException: 500,
    errors.ServiceUnavailableException: 503,
    errors.RequestEntityTooLargeException: 413,
    errors.RequestTimeoutException: 408,
}
"""Everything else is 400."""

_QUERY: Final[Mapping[type[ServiceError], tuple[str, int]]] = {
    errors.AccessDeniedException: ("AccessDenied", 403),
    errors.ExpiredTokenException: ("ExpiredToken", 403),
    errors.ExpiredWebIdentityTokenException: ("ExpiredTokenException", 400),
    errors.IncompleteSignatureException: ("IncompleteSignature", 403),
    errors.InternalServiceError: ("InternalFailure", 500),
    errors.InvalidParameterValueException: ("InvalidParameterValue", 400),
    errors.InvalidSignatureException: ("SignatureDoesNotMatch", 403),
    errors.MissingAuthenticationTokenException: ("MissingAuthenticationToken", 403),
    errors.RequestEntityTooLargeException: ("RequestEntityTooLarge", 413),
    errors.RequestTimeoutException: ("RequestTimeout", 408),
    errors.SerializationException: ("MalformedInput", 400),
    errors.ServiceUnavailableException: ("ServiceUnavailable", 503),
    errors.ThrottlingException: ("Throttling", 400),
    errors.UnknownOperationException: ("InvalidAction", 400),
    errors.UnrecognizedClientException: ("InvalidClientTokenId", 403),
    errors.ValidationException: ("ValidationError", 400),
}
"""Platform errors under the query protocol; modelled ones carry code and status in the model."""

_REST_STATUS: Final[Mapping[type[ServiceError], int]] = {
    errors.AccessDeniedException: 403,
    errors.ExpiredTokenException: 403,
    errors.IncompleteSignatureException: 403,
    errors.InternalServiceError: 500,
    errors.InvalidSignatureException: 403,
    errors.MissingAuthenticationTokenException: 403,
    errors.RequestEntityTooLargeException: 413,
    errors.RequestTimeoutException: 408,
    errors.ServiceUnavailableException: 503,
    errors.ThrottlingException: 429,
    errors.UnknownOperationException: 404,
    errors.UnrecognizedClientException: 403,
}
"""Platform errors under the REST protocol; everything else is as the model says, or 400."""

_INTERNAL: Final[Mapping[str, type[ServiceError]]] = {
    "lambda": errors.ServiceException,
    "kms": errors.KMSInternalException,
    "iam": errors.ServiceFailureException,
}
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def internal_fault(service: ServiceModel | None) -> ServiceError:
    """Return what a service answers when the fault is ours; it says nothing about the cause."""
    kind = errors.InternalServiceError if service is None else _INTERNAL.get(service.name)
    return (kind or errors.InternalServiceError)(
        "An internal error occurred. The request can be tried again."
    )


def fault_of(error: ServiceError, service: ServiceModel | None) -> Fault:
    """Return code, status and message of `error` as `service` (None: not known yet) gives them."""
    name = type(error).__name__
    if service is None or service.protocol == "json":
        return Fault(name, _JSON_STATUS.get(type(error), 400), error.message)
    modelled = service.error_shapes.get(name, {})
    if service.protocol == "rest-json":
        status = modelled.get("httpStatusCode", _REST_STATUS.get(type(error), 400))
        return Fault(name, status, error.message)
    # An expired token met while authenticating is not the STS shape of that name, so this table comes first.
    platform = _QUERY.get(type(error))
    if platform is not None:
        return Fault(*platform, error.message)
    return Fault(modelled.get("code", name), modelled.get("httpStatusCode", 400), error.message)


def encode_fault(error: ServiceError, service: ServiceModel | None, request_id: str) -> HttpResponse:
    """Return the answer to a call that failed, in the protocol of `service`; JSON when it is not known."""
    fault = fault_of(error, service)
    if service is not None and service.protocol == "query":
        return _query(fault, service, request_id)
    if service is not None and service.protocol == "rest-json":
        return _rest(fault, service)
    body = {"__type": fault.code}
    if fault.message:
        body[_message_member(fault.code, service)] = fault.message.encode(errors="replace").decode()
    return HttpResponse(fault.status, JSON_TYPE, orjson.dumps(body))


def _message_member(code: str, service: ServiceModel | None) -> str:
    """Return the member a message stands in: as the model spells it, lower case for platform errors."""
    if service is None or code not in service.error_shapes:
        return "message"
    members: Mapping[str, object] = service.shapes[code].get("members", {})
    return "Message" if "Message" in members else "message"


def _rest(fault: Fault, service: ServiceModel) -> HttpResponse:
    body = {_message_member(fault.code, service): fault.message.encode(errors="replace").decode()}
    shape = service.shapes[fault.code] if fault.code in service.error_shapes else {}
    if "Type" in shape.get("members", {}):
        body = {"Type": "Service" if fault.status >= 500 else "User", **body}
    return HttpResponse(fault.status, REST_TYPE, orjson.dumps(body), (("x-amzn-errortype", fault.code),))


def _query(fault: Fault, service: ServiceModel, request_id: str) -> HttpResponse:
    blame = "Receiver" if fault.status >= 500 else "Sender"
    message = escape(_NOT_XML.sub("\ufffd", fault.message))
    text = (
        f'<ErrorResponse xmlns="{escape(service.xml_namespace)}"><Error><Type>{blame}</Type>'
        f"<Code>{escape(fault.code)}</Code><Message>{message}</Message></Error>"
        f"<RequestId>{escape(request_id)}</RequestId></ErrorResponse>"
    )
    return HttpResponse(fault.status, XML_TYPE, text.encode())

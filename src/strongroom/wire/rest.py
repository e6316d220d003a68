"""The REST-JSON protocol: operations named by method and path, members in path, query, headers and body.

Templates and locations come from the model. Sources: Smithy's "AWS restJson1 protocol" and "HTTP bindings".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl, unquote

from strongroom.errors import SerializationException, UnknownOperationException
from strongroom.wire.http import HttpRequest
from strongroom.wire.lifting import parse_long
from strongroom.wire.models import OperationModel, ServiceModel, parse_json, scalar

__all__ = ["REST_TYPE", "RestAnswer", "RestRoutes", "decode_rest", "encode_rest"]

REST_TYPE: Final = "application/json"
MAX_PATH: Final = 2_048
"""Characters of a path, as sent: an ARN with every character escaped fits."""
MAX_PARAMETERS: Final = 200
_MALFORMED: Final = "The request's parameters are malformed or too many."
_MALFORMED_PATH: Final = "The request's path is malformed."
_SIGNATURE_PARAMETERS: Final = "X-Amz-"
_BAD_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")


@dataclass(frozen=True, slots=True)
class _Template:
    """One operation's method and path, taken apart."""

    service: ServiceModel
    operation: str
    segments: tuple[str | None, ...]
    """Literal ones, as sent; None for a label."""
    labels: tuple[str, ...]
    query: tuple[tuple[str, str], ...]
    """What the query must say besides (`find=LayerVersion`)."""

    def fits(self, segments: list[str], raw_query: str) -> bool:
        if any(own is not None and own != sent for own, sent in zip(self.segments, segments, strict=True)):
            return False
        pairs = raw_query.split("&")
        return all(f"{name}={value}" in pairs for name, value in self.query)

    @property
    def strictness(self) -> tuple[int, int]:
        """The more literal segments and parameters, the earlier it is tried."""
        return -sum(each is not None for each in self.segments), -len(self.query)


class RestRoutes:
    """Finds operations by method and path. Every look is over the few templates of one method and length."""

    def __init__(self, services: Iterable[ServiceModel]) -> None:
        self._templates: dict[tuple[str, int], list[_Template]] = {}
        self._services: dict[str, ServiceModel] = {}
        for service in services:
            for name, operation in service.operations.items():
                template = _template(service, name, operation)
                place = operation.http_method, len(template.segments)
                self._templates.setdefault(place, []).append(template)
                self._services[template.segments[0] or ""] = service
        for templates in self._templates.values():
            templates.sort(key=lambda each: each.strictness)

    def service_of(self, request: HttpRequest) -> ServiceModel | None:
        """Return the service whose paths begin as the request's does."""
        return self._services.get(request.raw_path[1:33].partition("/")[0])

    def find(self, request: HttpRequest) -> tuple[ServiceModel, str, Mapping[str, str]]:
        """Return service, operation and path labels, unescaped.

        Raises:
            UnknownOperationException: nothing answers to that method and path.
            SerializationException: a label is not UTF-8, or wrongly escaped.
        """
        path = request.raw_path
        if len(path) > MAX_PATH:
            raise UnknownOperationException()
        # AWS: the models of some releases end paths of collections with a slash; both are taken.
        segments = path[1:].removesuffix("/").split("/")
        for template in self._templates.get((request.method, len(segments)), ()):
            if template.fits(segments, request.raw_query):
                sent = [each for own, each in zip(template.segments, segments, strict=True) if own is None]
                values = [_unescaped(each) for each in sent]
                if all(values):
                    return (
                        template.service,
                        template.operation,
                        dict(zip(template.labels, values, strict=True)),
                    )
        raise UnknownOperationException()


@dataclass(frozen=True, slots=True)
class RestAnswer:
    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()


def decode_rest(model: OperationModel, labels: Mapping[str, str], request: HttpRequest) -> dict[str, Any]:
    """Return the request's members, from wherever the model has them, checked against their shapes.

    A member that belongs into path, query or headers is not taken from the body.

    Raises:
        SerializationException: body, query or a value is not what the model says it must be.
        ValidationException: constraints broken, all of them named.
    """
    shapes, shape = model.service.shapes, model.input_shape
    if shape is None:
        return {}
    members: Mapping[str, Any] = shape["members"]
    parameters = _parameters(request.raw_query)
    given = _body(model, shape, request.body)
    for member, definition in members.items():
        location = definition.get("location")
        if location is None:
            continue
        given.pop(member, None)
        kind, name = shapes[definition["shape"]]["type"], definition.get("locationName", member)
        if location == "uri":
            given[member] = scalar(kind, labels[name])
        elif location == "querystring" and name in parameters:
            given[member] = _from_query(kind, parameters[name])
        elif location == "header" and name.lower() in request.headers:
            given[member] = scalar(kind, request.headers[name.lower()])
    return model.checked(given)


def encode_rest(model: OperationModel, response: Mapping[str, Any] | None) -> RestAnswer:
    """Return status, headers and body of an answer, each member where the model has it."""
    shape = model.output_shape
    status, headers = model.http_status, []
    if shape is None:
        return RestAnswer(status, b"")
    body = dict(response or {})
    for member, definition in shape["members"].items():
        location = definition.get("location")
        if location is None:
            continue
        value = body.pop(member, None)
        if location == "statusCode" and value is not None:
            status = value
        elif location == "header" and value is not None:
            headers.append((definition.get("locationName", member), str(value)))
    payload = shape.get("payload")
    if payload is not None:
        return RestAnswer(status, body.get(payload, b""), tuple(headers))
    return RestAnswer(status, b"" if status == 204 else model.encode(body), tuple(headers))


def _template(service: ServiceModel, name: str, operation: OperationModel) -> _Template:
    path, _, query = operation.http_uri.partition("?")
    segments = path[1:].removesuffix("/").split("/")
    return _Template(
        service,
        name,
        tuple(None if each.startswith("{") else each for each in segments),
        tuple(each[1:-1] for each in segments if each.startswith("{")),
        tuple(parse_qsl(query, keep_blank_values=True)),
    )


def _unescaped(segment: str) -> str:
    if _BAD_ESCAPE.search(segment):
        raise SerializationException(_MALFORMED_PATH)
    try:
        return unquote(segment, errors="strict")
    except UnicodeDecodeError as error:
        raise SerializationException(_MALFORMED_PATH) from error


def _parameters(raw_query: str) -> dict[str, list[str]]:
    try:
        pairs = parse_qsl(raw_query, keep_blank_values=True, errors="strict", max_num_fields=MAX_PARAMETERS)
    except ValueError as error:
        raise SerializationException(_MALFORMED) from error
    parameters: dict[str, list[str]] = {}
    for name, value in pairs:
        if not name.startswith(_SIGNATURE_PARAMETERS):
            parameters.setdefault(name, []).append(value)
    return parameters


def _from_query(kind: str, values: list[str]) -> Any:
    if kind == "list":
        return values
    if len(values) > 1:
        raise SerializationException("The request has a parameter more than once.")
    return scalar(kind, values[0])


def _body(model: OperationModel, shape: Mapping[str, Any], body: bytes) -> dict[str, Any]:
    """Return the members a body holds; a payload member is the whole of it."""
    payload = shape.get("payload")
    if payload is None:
        return parse_long(body, model.service, shape) if body else {}
    if not body:
        return {}
    kind = model.service.shapes[shape["members"][payload]["shape"]]["type"]
    return {payload: body if kind == "blob" else parse_json(body)}

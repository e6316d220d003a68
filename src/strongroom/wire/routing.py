"""Which service and operation a request is meant for, before anything in it is believed.

JSON services are named by X-Amz-Target, query services by Version and Action (fact sheets secretsmanager
section 1, iam section 10), REST services by method and path.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import parse_qsl

import msgspec

from strongroom.errors import SerializationException, UnknownOperationException
from strongroom.wire.http import HttpRequest
from strongroom.wire.models import ServiceModel
from strongroom.wire.rest import RestRoutes

__all__ = ["Route", "Router"]

MAX_PARAMETERS: Final = 2_000
"""More than any IAM or STS call can use; the rest is not parsed at all."""
# SECURITY: bounded, for anyone can send any header: without slashes a long one would be searched n x n times.
_SCOPE_SERVICE = re.compile(r"Credential=[^/,\s]{0,128}/[^/,\s]{0,64}/[^/,\s]{0,64}/([^/,\s]{1,64})/")
_MALFORMED: Final = "The request's parameters are malformed or too many."
_NO_ACTION: Final = "The request names no action: the parameter Action is missing."
_SIGNATURE_PARAMETERS: Final = "X-Amz-"


class Route(msgspec.Struct, frozen=True, eq=False):
    """Where a request goes."""

    service: ServiceModel
    operation: str
    """A name from the model."""
    parameters: Mapping[str, str] = {}
    """Query protocol: what came in the body and the query string, without signature parameters. REST: the
    labels of the path."""


class Router:
    """Knows the services and how requests name them."""

    def __init__(self, services: Iterable[ServiceModel]) -> None:
        by_target: dict[str, tuple[ServiceModel, str]] = {}
        query: list[ServiceModel] = []
        rest: list[ServiceModel] = []
        self._by_prefix: dict[str, ServiceModel] = {}
        for service in services:
            if service.protocol == "rest-json":
                rest.append(service)
                continue
            if service.protocol == "query":
                query.append(service)
                continue
            for prefix in _prefixes(service):
                self._by_prefix[prefix] = service
                for operation in service.operations:
                    by_target[f"{prefix}.{operation}"] = (service, operation)
        self._by_target = by_target
        self._by_version = {service.api_version: service for service in query}
        self._by_name = {service.signing_name: service for service in query}
        self._rest = RestRoutes(rest)

    def service_of(self, request: HttpRequest) -> ServiceModel | None:
        """Return the service a request speaks to as far as that can be seen, to answer in its protocol."""
        if request.raw_path not in ("/", ""):
            return self._rest.service_of(request)
        target = request.headers.get("x-amz-target")
        if target is not None:
            return self._by_prefix.get(target.rpartition(".")[0])
        return self._query_service(request, request.raw_query)

    def route(self, request: HttpRequest) -> Route:
        """Return where `request` goes.

        Raises:
            UnknownOperationException: no such path, service or operation.
            SerializationException: a query call whose body, or a path, cannot be read.
        """
        if request.raw_path not in ("/", ""):
            return Route(*self._rest.find(request))
        target = request.headers.get("x-amz-target")
        if target is not None:
            found = self._by_target.get(target)
            if found is None or request.method != "POST":
                raise UnknownOperationException()
            return Route(*found)
        parameters = _parameters(request)
        action = parameters.pop("Action", None)
        version = parameters.pop("Version", "")
        service = self._by_version.get(version) or self._query_service(request, request.raw_query)
        if service is None:
            raise UnknownOperationException()
        if action is None:
            raise UnknownOperationException(_NO_ACTION)
        if action not in service.operations or version not in ("", service.api_version):
            raise UnknownOperationException(
                f"Could not find operation {action[:128]} for version {version[:32] or service.api_version}"
            )
        return Route(service, action, parameters)

    def _query_service(self, request: HttpRequest, raw_query: str) -> ServiceModel | None:
        scope = _SCOPE_SERVICE.search(request.headers.get("authorization") or "")
        if scope is not None:
            return self._by_name.get(scope.group(1))
        for version, service in self._by_version.items():
            if f"Version={version}" in raw_query:
                return service
        return None


def _prefixes(service: ServiceModel) -> set[str]:
    """Return what X-Amz-Target may begin with: CloudTrail's prefix comes long and short, as SDKs were
    generated (fact sheet cloudtrail section 6)."""
    return {service.target_prefix, service.target_prefix.rpartition(".")[2]}


def _parameters(request: HttpRequest) -> dict[str, str]:
    parameters: dict[str, str] = {}
    sources = [request.raw_query]
    if request.method == "POST":
        try:
            sources.append(request.body.decode())
        except UnicodeDecodeError as error:
            raise SerializationException(_MALFORMED) from error
    elif request.method != "GET":
        raise UnknownOperationException()
    for source in sources:
        try:
            pairs = parse_qsl(source, keep_blank_values=True, errors="strict", max_num_fields=MAX_PARAMETERS)
        except ValueError as error:
            raise SerializationException(_MALFORMED) from error
        for name, value in pairs:
            if name.startswith(_SIGNATURE_PARAMETERS):
                continue
            if name in parameters:
                raise SerializationException("The request has a parameter more than once.")
            parameters[name] = value
    return parameters

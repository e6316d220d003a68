"""Requests as an SDK would sign them, sent as bytes, so that any part can be wrong on purpose."""

from __future__ import annotations

import datetime as dt
import http.client
import json
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch
from urllib.parse import quote
from xml.etree import ElementTree

from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from strongroom.wire.models import OperationModel
from support.running import REGION, Server

JSON_TYPE = "application/x-amz-json-1.1"
FORM_TYPE = "application/x-www-form-urlencoded; charset=utf-8"
SECONDS = 30
"""Waiting longer for an answer is a failure."""


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes

    @property
    def request_id(self) -> str:
        return self.headers["x-amzn-requestid"]

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> tuple[int, str, str]:
        """Status, code and message of an error, in whichever protocol it came."""
        if self.headers["content-type"] == "text/xml":
            found = ElementTree.fromstring(self.body).find("{*}Error")  # noqa: S314  # our own server
            assert found is not None, self.body
            return self.status, found.findtext("{*}Code", ""), found.findtext("{*}Message", "")
        body = self.json
        code = body.get("__type") or self.headers["x-amzn-errortype"]
        return self.status, code, body.get("message", body.get("Message", ""))


@dataclass
class Request:
    """One request, ready to be sent or spoiled."""

    method: str
    path: str
    """With its query."""
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""

    def header(self, name: str) -> str:
        return next(value for each, value in self.headers if each.lower() == name.lower())

    def without(self, *names: str) -> Request:
        lowered = {name.lower() for name in names}
        kept = [pair for pair in self.headers if pair[0].lower() not in lowered]
        return Request(self.method, self.path, kept, self.body)

    def having(self, name: str, value: str) -> Request:
        """Return it with the header `name` being `value`, in its old place or at the end."""
        if all(each.lower() != name.lower() for each, _ in self.headers):
            return self.adding(name, value)
        changed = [(each, value if each.lower() == name.lower() else old) for each, old in self.headers]
        return Request(self.method, self.path, changed, self.body)

    def adding(self, name: str, value: str) -> Request:
        return Request(self.method, self.path, [*self.headers, (name, value)], self.body)

    def replacing(self, name: str, old: str, new: str) -> Request:
        """Return it with `old` in the header `name` made `new`; `old` has to be there."""
        value = self.header(name)
        assert old in value, value
        return self.having(name, value.replace(old, new))

    def encoded(self) -> bytes:
        """Return the bytes of the request as HTTP/1.1 has them."""
        lines = [f"{self.method} {self.path} HTTP/1.1", *(f"{name}: {value}" for name, value in self.headers)]
        return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + self.body


def signed(
    server: Server,
    service: str,
    headers: Mapping[str, str],
    body: bytes,
    *,
    method: str = "POST",
    path: str = "/",
    region: str = REGION,
    credentials: tuple[str, str] | None = None,
    token: str | None = None,
    at: dt.datetime | None = None,
) -> Request:
    """Return a request signed by botocore in its headers, as if the clock said `at`."""
    host = server.endpoint.partition("://")[2]
    given = AWSRequest(
        method=method, url=f"{server.endpoint}{path}", data=body, headers={"Host": host, **headers}
    )
    key_id, secret = credentials or (server.access_key_id, server.secret_access_key)
    with patch("botocore.auth.get_current_datetime", return_value=at or dt.datetime.now(dt.UTC)):
        SigV4Auth(Credentials(key_id, secret, token), service, region).add_auth(given)
    pairs = [(str(name), str(value)) for name, value in given.headers.items()]
    return Request(method, path, [*pairs, ("Content-Length", str(len(body)))], body)


def json_call(
    server: Server,
    operation: str,
    body: bytes | Mapping[str, Any],
    *,
    service: str = "secretsmanager",
    prefix: str | None = None,
    **options: Any,
) -> Request:
    """Return a signed call of a JSON service."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"Content-Type": JSON_TYPE, "X-Amz-Target": f"{prefix or service}.{operation}"}
    return signed(server, service, headers, content, **options)


def query_call(server: Server, service: str, body: bytes, **options: Any) -> Request:
    """Return a signed call of a query service."""
    options.setdefault("region", "us-east-1")
    return signed(server, service, {"Content-Type": FORM_TYPE}, body, **options)


def rest_call(server: Server, model: OperationModel, content: Mapping[str, Any], **options: Any) -> Request:
    """Return a signed call of a REST service, each member where the model has it; labels that `content` has
    not are left as they stand in the template."""
    path, _, query = model.http_uri.partition("?")
    parameters = [query] if query else []
    headers = {"Content-Type": "application/json"}
    shape = model.input_shape or {"members": {}}
    body = dict(content)
    for member, definition in shape["members"].items():
        if member not in body or "location" not in definition:
            continue
        name = definition.get("locationName", member)
        value = body.pop(member)
        texts = [_text(each) for each in value] if isinstance(value, list) else [_text(value)]
        match definition["location"]:
            case "uri":
                path = path.replace(f"{{{name}}}", quote(texts[0] if texts else "", safe=""))
            case "querystring":
                parameters += [f"{name}={quote(each, safe='')}" for each in texts]
            case "header":
                headers[name] = quote("".join(texts))
    payload = shape.get("payload")
    raw = json.dumps(body).encode() if payload is None else _text(body.get(payload, "")).encode()
    whole = path + ("?" + "&".join(parameters) if parameters else "")
    return signed(
        server,
        model.service.signing_name,
        headers,
        raw,
        method=model.http_method,
        path=whole.replace("{", "%7B").replace("}", "%7D"),
        **options,
    )


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text.encode(errors="replace").decode()


def presigned(
    server: Server,
    service: str,
    query: str,
    *,
    headers: Mapping[str, str] | None = None,
    expires: int = 60,
    region: str = "us-east-1",
    credentials: tuple[str, str] | None = None,
    token: str | None = None,
    at: dt.datetime | None = None,
) -> Request:
    """Return a GET signed by botocore in its query; `headers` are signed too."""
    host = server.endpoint.partition("://")[2]
    given = AWSRequest(
        method="GET", url=f"{server.endpoint}/?{query}", headers={"Host": host, **(headers or {})}
    )
    key_id, secret = credentials or (server.access_key_id, server.secret_access_key)
    with patch("botocore.auth.get_current_datetime", return_value=at or dt.datetime.now(dt.UTC)):
        SigV4QueryAuth(Credentials(key_id, secret, token), service, region, expires).add_auth(given)
    pairs = [(str(name), str(value)) for name, value in given.headers.items()]
    return Request("GET", given.url.removeprefix(server.endpoint), pairs)


def connect(server: Server) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=SECONDS)


def send(server: Server, request: Request) -> Answer:
    """Send it on a connection of its own and return the answer."""
    with connect(server) as connection:
        connection.sendall(request.encoded())
        return receive(connection, request.method)


def receive(connection: socket.socket, method: str = "POST") -> Answer:
    """Read one answer. Raises http.client.HTTPException when there is none."""
    response = http.client.HTTPResponse(connection, method=method)
    try:
        response.begin()
        body = response.read()
        return Answer(response.status, _lowered(response.getheaders()), body)
    finally:
        response.close()


def _lowered(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    return {name.lower(): value for name, value in pairs}

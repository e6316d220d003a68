"""Requests that are signed rightly and wrong otherwise: each gets its own 4xx, and one record.

Codes and texts: fact sheet secretsmanager section 1; query protocol: iam section 10, sigv4 section 7.
"""

from __future__ import annotations

import json
import re
import socket
import struct
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from support.running import Server, running
from support.signing import (
    JSON_TYPE,
    Answer,
    Request,
    connect,
    json_call,
    query_call,
    receive,
    send,
    signed,
)
from support.trails import records, records_of

CANARY = "canary-in-the-body-mine"
CANARY_64 = "Y2FuYXJ5LWluLXRoZS1ib2R5LW1pbmU="
"""The canary in base64, as SecretBinary travels."""
TOKEN = "0f5ba7c5-8f0f-4a33-9a5c-c6f6ab6a0a55"
NOT_JSON = "The request body is not valid JSON."
TOO_LARGE = "The request body is larger than 1048576 bytes."
CUT_OFF = "The request body ended before it was complete."
TOO_SLOW = "The request body did not arrive in time."


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bad-requests") / "data"


@pytest.fixture(scope="module")
def server(data_dir: Path) -> Iterator[Server]:
    options = ["--data-dir", str(data_dir), "--root-key", f"file:{data_dir.parent}/root.key"]
    with running([*options, "--workers", "1"], data_dir.parent / "log") as started:
        started.client("secretsmanager").create_secret(Name="held", SecretString="v")
        yield started
    assert started.log() == "", "nothing that a client sends is an error of the server"
    for path in data_dir.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert CANARY.encode() not in content, path
            assert CANARY_64.encode() not in content, path


def error_of(data_dir: Path, answer: Answer) -> tuple[int, str, str]:
    """Return status, code and message of a refusal that is whole, recorded once and repeats no value."""
    assert CANARY.encode() not in answer.body
    assert CANARY_64.encode() not in answer.body
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", answer.request_id)
    assert "date" in answer.headers
    [record] = records_of(data_dir, answer.request_id)
    status, code, message = answer.error
    assert record["errorCode"] == code
    assert record.get("errorMessage", "") == message[:1024]
    return status, code, message


def secrets_of(server: Server) -> list[tuple[str, Any]]:
    """Return every secret with its versions: what a refused write must leave as it was."""
    call = json_call(server, "ListSecrets", {"MaxResults": 100, "IncludePlannedDeletion": True})
    listed = send(server, call).json["SecretList"]
    return [(each["Name"], each.get("SecretVersionsToStages")) for each in listed]


def too_long(member: str, limit: int, value: str | None = None) -> str:
    shown = "Value" if value is None else f"Value '{value}'"
    return f"{shown} at '{member}' failed to satisfy constraint: Member must have length less than or equal to {limit}"


def required(member: str) -> str:
    return f"Value null at '{member}' failed to satisfy constraint: Member must not be null"


def validation(*faults: str) -> tuple[str, str]:
    noun = "error" if len(faults) == 1 else "errors"
    return "ValidationException", f"{len(faults)} validation {noun} detected: {'; '.join(faults)}"


def serialization(text: str) -> tuple[str, str]:
    return "SerializationException", text


# Where it goes


@pytest.mark.parametrize(
    "spoil",
    [
        lambda s: json_call(s, "DropSecret", {}),
        lambda s: json_call(s, "getsecretvalue", {}),
        lambda s: json_call(s, "GetSecretValue", {}, prefix="SecretsManager"),
        lambda s: json_call(s, "GetItem", {}, service="dynamodb", prefix="DynamoDB_20120810"),
        lambda s: json_call(s, "", {}),
        lambda s: json_call(s, "GetSecretValue", {"SecretId": "held"}, path="/secrets"),
        lambda s: json_call(s, "GetSecretValue", {"SecretId": "held"}, path="//"),
        lambda s: json_call(s, "GetSecretValue", {"SecretId": "held"}, path="/health"),
        lambda s: json_call(s, "GetSecretValue", {"SecretId": "held"}, path="/%ff"),
        lambda s: json_call(s, "GetSecretValue", {"SecretId": "held"}, method="GET"),
        lambda s: json_call(s, "GetSecretValue", {"SecretId": "held"}, method="PUT"),
        lambda s: json_call(s, "GetSecretValue", {"SecretId": "held"}, method="DELETE"),
        lambda s: json_call(s, "GetSecretValue", {"SecretId": "held"}, method="PATCH"),
        lambda s: json_call(s, "GetSecretValue", {"SecretId": "held"}, method="OPTIONS"),
        lambda s: json_call(s, "GetSecretValue", {"SecretId": "held"}, method="SPLICE"),
        lambda s: signed(s, "secretsmanager", {"Content-Type": JSON_TYPE}, b'{"SecretId": "held"}'),
        lambda s: Request("GET", "/", [("Host", "x")]),
        lambda s: Request("GET", "/favicon.ico", [("Host", "x")]),
    ],
    ids=[
        "unknown operation",
        "operation in other letters",
        "prefix in other letters",
        "service that is not here",
        "no operation",
        "a path",
        "two slashes",
        "the path of the health check, by POST",
        "a path that is not UTF-8",
        "GET",
        "PUT",
        "DELETE",
        "PATCH",
        "OPTIONS",
        "a method nobody knows",
        "no target",
        "a browser",
        "a browser's icon",
    ],
)
def test_what_is_no_operation_is_unknown(
    server: Server, data_dir: Path, spoil: Callable[[Server], Request]
) -> None:
    answer = send(server, spoil(server))
    assert answer.headers["content-type"] == JSON_TYPE
    assert error_of(data_dir, answer) == (400, "UnknownOperationException", "")


def test_head_is_refused_without_a_body(server: Server, data_dir: Path) -> None:
    answer = send(server, Request("HEAD", "/", [("Host", "x")]))
    assert (answer.status, answer.body) == (400, b"")
    assert [each["errorCode"] for each in records_of(data_dir, answer.request_id)] == [
        "UnknownOperationException"
    ]


def test_an_operation_of_the_model_that_is_not_served_says_why(server: Server, data_dir: Path) -> None:
    status, code, message = error_of(
        data_dir,
        send(server, json_call(server, "CreateCustomKeyStore", {}, service="kms", prefix="TrentService")),
    )
    assert (status, code) == (400, "UnknownOperationException")
    assert message.startswith("CreateCustomKeyStore is not supported here. ")


# What it says: JSON

DEEP = b'{"SecretId": "held", "Deep": %b1%b}'

BODIES: dict[str, tuple[str, bytes, tuple[str, str]]] = {
    "no object": ("GetSecretValue", b"[]", serialization("The request body must be a JSON object.")),
    "null": ("GetSecretValue", b"null", serialization("The request body must be a JSON object.")),
    "half an object": ("GetSecretValue", b'{"SecretId": "held"', serialization(NOT_JSON)),
    "two objects": ("GetSecretValue", b"{}{}", serialization(NOT_JSON)),
    "XML": ("GetSecretValue", b"<SecretId>held</SecretId>", serialization(NOT_JSON)),
    "a byte order mark": ("GetSecretValue", b'\xef\xbb\xbf{"SecretId": "held"}', serialization(NOT_JSON)),
    "UTF-16": ("GetSecretValue", '{"SecretId": "held"}'.encode("utf-16"), serialization(NOT_JSON)),
    "invalid UTF-8": ("GetSecretValue", b'{"SecretId": "held\xff"}', serialization(NOT_JSON)),
    "an overlong encoding": ("GetSecretValue", b'{"SecretId": "\xc0\xaf"}', serialization(NOT_JSON)),
    "a lone surrogate": ("GetSecretValue", b'{"SecretId": "\\ud800"}', serialization(NOT_JSON)),
    "a lone surrogate in a value": (
        "CreateSecret",
        b'{"Name": "n", "SecretString": "' + CANARY.encode() + b'\\udfff"}',
        serialization(NOT_JSON),
    ),
    "a control character": ("GetSecretValue", b'{"SecretId": "a\nb"}', serialization(NOT_JSON)),
    "not a number": ("ListSecrets", b'{"MaxResults": NaN}', serialization(NOT_JSON)),
    "infinity": ("ListSecrets", b'{"MaxResults": 1e999}', serialization(NOT_JSON)),
    "five thousand digits": ("ListSecrets", b'{"MaxResults": %b}' % (b"9" * 5000), serialization(NOT_JSON)),
    "a key twice": (
        "GetSecretValue",
        b'{"SecretId": "held", "SecretId": "other"}',
        serialization("The request body has an object with a duplicate key."),
    ),
    "a key twice, once escaped": (
        "GetSecretValue",
        b'{"SecretId": "held", "\\u0053ecretId": "other"}',
        serialization("The request body has an object with a duplicate key."),
    ),
    "a key twice further in": (
        "CreateSecret",
        b'{"Name": "n", "Tags": [{"Key": "a", "Key": "b", "Value": "c"}]}',
        serialization("The request body has an object with a duplicate key."),
    ),
    "forty objects deep": (
        "GetSecretValue",
        DEEP % (b'{"a": ' * 40, b"}" * 40),
        serialization("The request body is nested too deeply."),
    ),
    "forty lists deep, colons beside": (
        "GetSecretValue",
        DEEP.replace(b"held", b"a:b") % (b"[" * 40, b"]" * 40),
        serialization("The request body is nested too deeply."),
    ),
    "a hundred thousand lists deep": (
        "GetSecretValue",
        DEEP % (b"[" * 100_000, b"]" * 100_000),
        serialization(NOT_JSON),
    ),
    "a number for a text": (
        "GetSecretValue",
        b'{"SecretId": 1}',
        serialization("Number can not be converted to a String"),
    ),
    "a truth for a text": (
        "GetSecretValue",
        b'{"SecretId": true}',
        serialization("Boolean can not be converted to a String"),
    ),
    "an object for a text": (
        "GetSecretValue",
        b'{"SecretId": {}}',
        serialization("Structure can not be converted to a String"),
    ),
    "a list for a value": (
        "CreateSecret",
        b'{"Name": "n", "SecretString": ["%b"]}' % CANARY.encode(),
        serialization("List can not be converted to a String"),
    ),
    "a text for a number": (
        "ListSecrets",
        b'{"MaxResults": "5"}',
        serialization("String can not be converted to an Integer"),
    ),
    "a truth for a number": (
        "ListSecrets",
        b'{"MaxResults": true}',
        serialization("Boolean can not be converted to an Integer"),
    ),
    "half a number": (
        "ListSecrets",
        b'{"MaxResults": 1.5}',
        serialization("Number can not be converted to an Integer"),
    ),
    "thirty digits": (
        "ListSecrets",
        b'{"MaxResults": 999999999999999999999999999999}',
        serialization("Number can not be converted to an Integer"),
    ),
    "three hundred zeros": (
        "ListSecrets",
        b'{"MaxResults": -1e300}',
        serialization("Number can not be converted to an Integer"),
    ),
    "a text for a truth": (
        "ListSecrets",
        b'{"IncludePlannedDeletion": "true"}',
        serialization("String can not be converted to a Boolean"),
    ),
    "an object for a list": (
        "CreateSecret",
        b'{"Name": "n", "Tags": {"Key": "a"}}',
        serialization("Expected list or null"),
    ),
    "a text for an object": (
        "CreateSecret",
        b'{"Name": "n", "Tags": ["a"]}',
        serialization("Start of structure or map found where not expected."),
    ),
    "what is no base64": (
        "CreateSecret",
        b'{"Name": "n", "SecretBinary": "%b*"}' % CANARY.encode(),
        serialization("A binary value is not valid base64."),
    ),
    "base64 without its padding": (
        "CreateSecret",
        b'{"Name": "n", "SecretBinary": "%b"}' % CANARY_64.rstrip("=").encode(),
        serialization("A binary value is not valid base64."),
    ),
    "nothing at all": ("GetSecretValue", b"", validation(required("secretId"))),
    "a null": ("GetSecretValue", b'{"SecretId": null}', validation(required("secretId"))),
    "nulls further in": (
        "CreateSecret",
        b'{"Name": null, "AddReplicaRegions": null}',
        validation(required("name")),
    ),
    "an empty name": (
        "GetSecretValue",
        b'{"SecretId": ""}',
        validation(
            "Value '' at 'secretId' failed to satisfy constraint: "
            "Member must have length greater than or equal to 1"
        ),
    ),
    "a name too long": (
        "CreateSecret",
        b'{"Name": "%b"}' % (b"n" * 513),
        validation(too_long("name", 512, "n" * 256)),
    ),
    "a value too long": (
        "CreateSecret",
        json.dumps({"Name": "n", "SecretString": CANARY + "x" * (65_537 - len(CANARY))}).encode(),
        validation(too_long("secretString", 65536)),
    ),
    "a value too long in bytes only": (
        "PutSecretValue",
        json.dumps({"SecretId": "held", "SecretString": CANARY + "é" * 32_760}).encode(),
        validation(too_long("secretString", 65536)),
    ),
    "bytes too many": (
        "UpdateSecret",
        json.dumps({"SecretId": "held", "SecretBinary": CANARY_64.rstrip("=") + "A" * 87_385}).encode(),
        validation(too_long("secretBinary", 65536)),
    ),
    "a tag's key too long": (
        "TagResource",
        json.dumps({"SecretId": "held", "Tags": [{"Key": "k" * 129, "Value": "v"}]}).encode(),
        validation(too_long("tags.1.member.key", 128, "k" * 129)),
    ),
    "a value not among those there are": (
        "ListSecrets",
        b'{"SortOrder": "up"}',
        validation(
            "Value 'up' at 'sortOrder' failed to satisfy constraint: "
            "Member must satisfy enum value set: [asc, desc]"
        ),
    ),
    "a pattern not met": (
        "RotateSecret",
        b'{"SecretId": "held", "RotationRules": {"Duration": "now"}}',
        validation(
            "Value 'now' at 'rotationRules.duration' failed to satisfy constraint: "
            "Member must satisfy regular expression pattern: [0-9]+h"
        ),
    ),
    "a number too small": (
        "ListSecrets",
        b'{"MaxResults": 0}',
        validation(
            "Value '0' at 'maxResults' failed to satisfy constraint: "
            "Member must have value greater than or equal to 1"
        ),
    ),
    "a number too great": (
        "GetRandomPassword",
        b'{"PasswordLength": 9223372036854775807}',
        validation(
            "Value '9223372036854775807' at 'passwordLength' failed to satisfy constraint: "
            "Member must have value less than or equal to 4096"
        ),
    ),
    "four faults at once": (
        "ListSecrets",
        b'{"MaxResults": 101, "Filters": [{"Key": "size", "Values": []}], "SortOrder": "up"}',
        validation(
            "Value '101' at 'maxResults' failed to satisfy constraint: "
            "Member must have value less than or equal to 100",
            "Value 'size' at 'filters.1.member.key' failed to satisfy constraint: Member must satisfy enum "
            "value set: [description, name, tag-key, tag-value, primary-region, owning-service, all]",
            "Value '[]' at 'filters.1.member.values' failed to satisfy constraint: "
            "Member must have length greater than or equal to 1",
            "Value 'up' at 'sortOrder' failed to satisfy constraint: "
            "Member must satisfy enum value set: [asc, desc]",
        ),
    ),
    "a value and a name too long, the value unsaid": (
        "CreateSecret",
        json.dumps({"Name": "n" * 513, "SecretString": CANARY * 3000}).encode(),
        validation(too_long("name", 512, "n" * 256), too_long("secretString", 65536)),
    ),
    "neither kind of value": (
        "PutSecretValue",
        json.dumps({"SecretId": "held", "ClientRequestToken": TOKEN}).encode(),
        ("InvalidRequestException", "You must provide either SecretString or SecretBinary."),
    ),
    "both kinds of value": (
        "CreateSecret",
        json.dumps(
            {"Name": "n", "ClientRequestToken": TOKEN, "SecretString": CANARY, "SecretBinary": CANARY_64}
        ).encode(),
        (
            "InvalidParameterException",
            "You can't specify both a binary secret value and a string secret value in the same secret.",
        ),
    ),
    "a name with a space": (
        "CreateSecret",
        json.dumps({"Name": "a b", "ClientRequestToken": TOKEN, "SecretString": CANARY}).encode(),
        (
            "ValidationException",
            "Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: "
            "-/_+=.@!",
        ),
    ),
    "a token too short": (
        "CreateSecret",
        json.dumps({"Name": "n", "ClientRequestToken": "short", "SecretString": CANARY}).encode(),
        ("InvalidParameterException", "ClientRequestToken must be 32-64 characters long."),
    ),
    "no token": (
        "CreateSecret",
        json.dumps({"Name": "n", "SecretString": CANARY}).encode(),
        (
            "InvalidRequestException",
            "You must provide a ClientRequestToken value. We recommend a UUID-type value.",
        ),
    ),
}


@pytest.mark.parametrize("case", BODIES)
def test_a_bad_body_is_told_what_is_wrong_and_changes_nothing(
    server: Server, data_dir: Path, case: str
) -> None:
    operation, body, (code, message) = BODIES[case]
    before = secrets_of(server)
    assert error_of(data_dir, send(server, json_call(server, operation, body))) == (400, code, message)
    assert secrets_of(server) == before


def test_members_nobody_knows_are_ignored(server: Server) -> None:
    body = {"SecretId": "held", "Newer": {"a": [1, {"b": None}]}, "a:b": "::"}
    assert send(server, json_call(server, "GetSecretValue", body)).json["SecretString"] == "v"


def test_the_longest_value_passes(server: Server) -> None:
    client = server.client("secretsmanager")
    longest = "é" * 32_768
    client.create_secret(Name="longest", SecretString=longest)
    assert client.get_secret_value(SecretId="longest")["SecretString"] == longest
    client.put_secret_value(SecretId="longest", SecretBinary=b"\x00\xff" * 32_768)
    assert client.get_secret_value(SecretId="longest")["SecretBinary"] == b"\x00\xff" * 32_768
    client.delete_secret(SecretId="longest", ForceDeleteWithoutRecovery=True)


def test_the_longest_value_passes_with_every_character_escaped(server: Server) -> None:
    body = b'{"Name": "escaped", "ClientRequestToken": "%b", "SecretString": "%b"}' % (
        TOKEN.encode(),
        rb"\u0061" * 65_536,
    )
    assert send(server, json_call(server, "CreateSecret", body)).status == 200
    client = server.client("secretsmanager")
    assert client.get_secret_value(SecretId="escaped")["SecretString"] == "a" * 65_536
    client.delete_secret(SecretId="escaped", ForceDeleteWithoutRecovery=True)


# What it says: the query protocol

QUERIES: dict[str, tuple[str, bytes, int, str, str]] = {
    "an unknown action": (
        "sts",
        b"Action=Nope&Version=2011-06-15",
        400,
        "InvalidAction",
        "Could not find operation Nope for version 2011-06-15",
    ),
    "no action": (
        "sts",
        b"Version=2011-06-15",
        400,
        "InvalidAction",
        "The request names no action: the parameter Action is missing.",
    ),
    "an empty body": (
        "iam",
        b"",
        400,
        "InvalidAction",
        "The request names no action: the parameter Action is missing.",
    ),
    "another version": (
        "iam",
        b"Action=ListUsers&Version=2010-05-09",
        400,
        "InvalidAction",
        "Could not find operation ListUsers for version 2010-05-09",
    ),
    "a parameter twice": (
        "iam",
        b"Action=CreateUser&Version=2010-05-08&UserName=a&UserName=b",
        400,
        "MalformedInput",
        "The request has a parameter more than once.",
    ),
    "what is not UTF-8": (
        "iam",
        b"Action=CreateUser&Version=2010-05-08&UserName=\xff",
        400,
        "MalformedInput",
        "The request's parameters are malformed or too many.",
    ),
    "what is not UTF-8, encoded": (
        "iam",
        b"Action=CreateUser&Version=2010-05-08&UserName=%ff",
        400,
        "MalformedInput",
        "The request's parameters are malformed or too many.",
    ),
    "parameters too many": (
        "iam",
        b"Action=ListUsers&Version=2010-05-08" + b"".join(b"&p%d=1" % number for number in range(5000)),
        400,
        "MalformedInput",
        "The request's parameters are malformed or too many.",
    ),
    "a required parameter missing": (
        "iam",
        b"Action=CreateUser&Version=2010-05-08",
        400,
        "ValidationError",
        f"1 validation error detected: {required('userName')}",
    ),
    "a name too long": (
        "iam",
        b"Action=CreateUser&Version=2010-05-08&UserName=" + b"u" * 65,
        400,
        "ValidationError",
        f"1 validation error detected: {too_long('userName', 64, 'u' * 65)}",
    ),
    "markup in a name": (
        "iam",
        b"Action=GetUser&Version=2010-05-08&UserName=%3Cb%3E%26%00",
        400,
        "ValidationError",
        "1 validation error detected: Value '<b>&\ufffd' at 'userName' failed to satisfy constraint: "
        r"Member must satisfy regular expression pattern: [\w+=,.@-]+",
    ),
    "a text for a number": (
        "iam",
        b"Action=ListUsers&Version=2010-05-08&MaxItems=many",
        400,
        "MalformedInput",
        "String can not be converted to an Integer",
    ),
    "a number too small": (
        "iam",
        b"Action=ListUsers&Version=2010-05-08&MaxItems=0",
        400,
        "ValidationError",
        "1 validation error detected: Value '0' at 'maxItems' failed to satisfy constraint: "
        "Member must have value greater than or equal to 1",
    ),
    "a user who is not there": (
        "iam",
        b"Action=GetUser&Version=2010-05-08&UserName=nobody",
        404,
        "NoSuchEntity",
        "The user with name nobody cannot be found.",
    ),
}


@pytest.mark.parametrize("case", QUERIES)
def test_a_bad_query_call_is_told_in_xml(server: Server, data_dir: Path, case: str) -> None:
    service, body, status, code, message = QUERIES[case]
    answer = send(server, query_call(server, service, body))
    assert answer.headers["content-type"] == "text/xml"
    assert b"<Type>Sender</Type>" in answer.body
    assert f"<RequestId>{answer.request_id}</RequestId>".encode() in answer.body
    # A record keeps the text as it was; XML cannot hold every character of it.
    [record] = records_of(data_dir, answer.request_id)
    assert record["errorCode"] == code
    assert answer.error == (status, code, message)


def test_a_query_service_that_is_not_here_is_unknown(server: Server, data_dir: Path) -> None:
    request = query_call(server, "ec2", b"Action=DescribeInstances&Version=2016-11-15")
    assert error_of(data_dir, send(server, request)) == (400, "UnknownOperationException", "")


def test_boto3_finds_code_text_and_request_id(server: Server, data_dir: Path) -> None:
    with pytest.raises(ClientError) as refusal:
        server.client("iam").get_user(UserName="nobody")
    response = refusal.value.response
    assert response["Error"] == {
        "Type": "Sender",
        "Code": "NoSuchEntity",
        "Message": "The user with name nobody cannot be found.",
    }
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 404
    [record] = records_of(data_dir, response["ResponseMetadata"]["RequestId"])
    assert record["eventName"] == "GetUser"


# How it comes: bodies


def chunked(request: Request, *chunks: bytes, ended: bool = True) -> bytes:
    """Return `request` with its body in chunks instead of all at once."""
    head = request.without("Content-Length").adding("Transfer-Encoding", "chunked")
    body = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)
    return Request(head.method, head.path, head.headers).encoded() + body + (b"0\r\n\r\n" if ended else b"")


def exchange(server: Server, data: bytes, *, hang_up: bool = False) -> Answer:
    with connect(server) as connection:
        connection.sendall(data)
        if hang_up:
            connection.shutdown(socket.SHUT_WR)
        return receive(connection)


def held(server: Server) -> Request:
    return json_call(server, "GetSecretValue", {"SecretId": "held"})


def test_a_body_in_chunks_is_as_good(server: Server) -> None:
    request = held(server)
    answer = exchange(server, chunked(request, request.body[:5], request.body[5:6], request.body[6:]))
    assert answer.json["SecretString"] == "v"


def test_chunks_win_over_a_length(server: Server) -> None:
    """RFC 9112 section 6.3: else another reader of the connection would see another request."""
    request = held(server)
    data = chunked(request, request.body).replace(
        b"Transfer-Encoding", b"Content-Length: 3\r\nTransfer-Encoding"
    )
    with connect(server) as connection:
        connection.sendall(data + held(server).encoded())
        assert receive(connection).json["SecretString"] == "v"
        assert connection.recv(1) == b"", "such a connection is not used again"


def test_a_body_declared_too_long_is_not_waited_for(server: Server, data_dir: Path) -> None:
    request = held(server).having("Content-Length", "1048577")
    answer = exchange(server, Request("POST", "/", request.headers).encoded())
    assert error_of(data_dir, answer) == (413, "RequestEntityTooLargeException", TOO_LARGE)


def test_chunks_beyond_the_limit_are_refused_on_the_way(server: Server, data_dir: Path) -> None:
    answer = exchange(server, chunked(held(server), *[b"x" * 65_536] * 16, b"x", ended=False))
    assert error_of(data_dir, answer) == (413, "RequestEntityTooLargeException", TOO_LARGE)


def test_a_query_call_too_long_is_told_in_xml(server: Server, data_dir: Path) -> None:
    request = query_call(server, "iam", b"").having("Content-Length", "1048577")
    answer = exchange(server, request.encoded())
    assert error_of(data_dir, answer) == (413, "RequestEntityTooLarge", TOO_LARGE)


def test_a_body_of_the_limit_is_read(server: Server, data_dir: Path) -> None:
    body = b'{"SecretId": "held", "Padding": "%b"}'
    request = json_call(server, "GetSecretValue", body % (b"x" * (1_048_576 - len(body) + 2)))
    assert len(request.body) == 1_048_576
    assert send(server, request).json["SecretString"] == "v"


@pytest.mark.parametrize(
    "cut",
    [
        lambda request: request.having("Content-Length", "1000").encoded(),
        lambda request: chunked(request, request.body, ended=False),
        lambda request: chunked(request, ended=False) + b"zz\r\n",
    ],
    ids=["declared", "in chunks", "chunk of no length"],
)
def test_a_body_cut_off_is_not_acted_on(
    server: Server, data_dir: Path, cut: Callable[[Request], bytes]
) -> None:
    before = secrets_of(server)
    body = json.dumps({"Name": "cut", "ClientRequestToken": TOKEN, "SecretString": CANARY})
    answer = exchange(server, cut(json_call(server, "CreateSecret", body.encode())), hang_up=True)
    assert error_of(data_dir, answer) == (408, "RequestTimeoutException", CUT_OFF)
    assert secrets_of(server) == before


def test_a_body_longer_than_declared_is_cut_there(server: Server, data_dir: Path) -> None:
    """And the rest is no second request."""
    data = held(server).having("Content-Length", "5").encoded()
    with connect(server) as connection:
        connection.sendall(data)
        status, code, _ = error_of(data_dir, receive(connection))
        assert (status, code) == (400, "InvalidSignatureException")


def test_a_client_that_hangs_up_without_waiting_is_still_recorded(server: Server, data_dir: Path) -> None:
    body = json.dumps({"Name": "hung-up", "ClientRequestToken": TOKEN, "SecretString": "v"}).encode()
    with connect(server) as connection:
        # Closing with this sends a reset: the server sees a broken connection, not a finished one.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.sendall(json_call(server, "CreateSecret", body).encoded())
    assert send(server, held(server)).status == 200
    made = [name for name, _ in secrets_of(server) if name == "hung-up"]
    recorded = [each for each in records(data_dir) if each["requestParameters"] == {"name": "hung-up"}]
    assert len(recorded) <= 1, "done at most once, and recorded when it was done"
    if made:
        server.client("secretsmanager").delete_secret(SecretId="hung-up", ForceDeleteWithoutRecovery=True)


# How it comes: connections


def test_requests_in_a_row_are_answered_in_that_order(server: Server, data_dir: Path) -> None:
    bad, good = json_call(server, "DropSecret", {}), held(server)
    last = json_call(server, "ListSecrets", {"MaxResults": 0}).adding("Connection", "close")
    with connect(server) as connection:
        connection.sendall(good.encoded() + bad.encoded() + good.encoded() + last.encoded())
        received = b""
        while chunk := connection.recv(65_536):
            received += chunk
    statuses = re.findall(rb"HTTP/1\.1 (\d{3})", received)
    assert statuses == [b"200", b"400", b"200", b"400"]
    identities = re.findall(rb"x-amzn-requestid: ([0-9a-f-]{36})", received)
    names = [[each["eventName"] for each in records_of(data_dir, one.decode())] for one in identities]
    assert names == [["GetSecretValue"], ["Unknown"], ["GetSecretValue"], ["ListSecrets"]]


def test_a_connection_survives_a_refusal(server: Server) -> None:
    with connect(server) as connection:
        for _ in range(3):
            connection.sendall(json_call(server, "GetSecretValue", b"{").encoded())
            assert receive(connection).error == (400, "SerializationException", NOT_JSON)
            connection.sendall(held(server).encoded())
            assert receive(connection).json["SecretString"] == "v"


@pytest.mark.parametrize(
    "data",
    [
        b"\x00\x01\x02\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 64,
        b"POST / HTTP/9.9\r\nHost: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: many\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"POST / HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nX: a\x00b\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST / HTTP/1.1\r\n" + b"X-Long: " + b"x" * 2_000_000 + b"\r\n\r\n",
        b"POST / HTTP/1.1\r\n" + b"".join(b"X-%d: 1\r\n" % number for number in range(1000)) + b"\r\n",
    ],
    ids=[
        "bytes",
        "TLS",
        "another HTTP",
        "a length below nothing",
        "a length in words",
        "two lengths",
        "a header without a colon",
        "a header with a NUL",
        "a target that is not ASCII",
        "a header of two million bytes",
        "a thousand headers",
    ],
)
def test_what_is_no_http_is_refused_and_harms_nobody(server: Server, data: bytes) -> None:
    with connect(server) as connection:
        try:
            connection.sendall(data)
            received = connection.recv(4096)
        except ConnectionError:
            received = b""  # It hung up before it had all.
    assert received == b"" or re.match(rb"HTTP/1\.[01] 4\d\d ", received), received
    assert send(server, held(server)).json["SecretString"] == "v"


def test_http_2_by_prior_knowledge_is_served(server: Server, data_dir: Path) -> None:
    """The host stands in `:authority` there (fact sheet sigv4 section 10)."""
    answers = [
        http_2(server, held(server)),
        http_2(server, held(server).having("X-Amz-Target", "secretsmanager.DropSecret")),
        http_2(server, Request("POST", "/", held(server).headers, held(server).body.replace(b"d", b"D"))),
    ]
    assert json.loads(answers[0])["SecretString"] == "v"
    assert json.loads(answers[1])["__type"] == "UnknownOperationException"
    assert json.loads(answers[2])["__type"] == "InvalidSignatureException"


def http_2(server: Server, request: Request) -> bytes:
    """Return the body of the answer to `request` sent as HTTP/2 frames (RFC 9113, 7541)."""

    def text(value: str) -> bytes:
        content = value.encode("latin-1")
        # A prefix of seven bits; lengths from 127 on continue.
        if len(content) < 127:
            return bytes([len(content)]) + content
        rest, encoded = len(content) - 127, [127]
        while rest >= 128:
            encoded.append(rest % 128 + 128)
            rest //= 128
        return bytes([*encoded, rest]) + content

    def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
        return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload

    pseudo = [
        (":method", request.method),
        (":scheme", "http"),
        (":path", request.path),
        (":authority", request.header("Host")),
    ]
    fields = [*pseudo, *((name.lower(), value) for name, value in request.headers if name != "Host")]
    block = b"".join(b"\x00" + text(name) + text(value) for name, value in fields)
    data, headers, settings, end_stream, end_headers, acknowledged = 0, 1, 4, 1, 4, 1
    with connect(server) as connection:
        connection.sendall(
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
            + frame(settings, 0, 0, b"")
            + frame(headers, end_headers, 1, block)
            + frame(data, end_stream, 1, request.body)
        )
        body = b""
        with connection.makefile("rb") as file:
            while True:
                head = file.read(9)
                assert len(head) == 9, "the server hung up"
                length, kind, flags = int.from_bytes(head[:3]), head[3], head[4]
                payload = file.read(length)
                if kind == settings and not flags & acknowledged:
                    connection.sendall(frame(settings, acknowledged, 0, b""))
                assert kind not in (3, 7), f"the server ended the stream: {payload!r}"
                if kind == data:
                    body += payload
                if kind in (data, headers) and flags & end_stream:
                    return body


# How it comes: time

HURRIED = (
    "import strongroom.server.listener as listener, strongroom.server.supervisor as supervisor; "
    "listener.BODY_SECONDS = 0.5; listener.SWEEP_SECONDS = 0.1; supervisor.HEADER_MILLISECONDS = 1000; "
    "from strongroom.cli import main; main()"
)
"""The server with less patience, so that a test needs less of it."""


@pytest.fixture(scope="module")
def hurried(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Path]]:
    place = tmp_path_factory.mktemp("hurried")
    options = ["--data-dir", str(place / "data"), "--root-key", f"file:{place}/root.key", "--workers", "1"]
    with running(options, place / "log", program=(sys.executable, "-c", HURRIED)) as started:
        yield started, place / "data"
    assert started.log() == ""


def test_a_body_that_does_not_come_is_given_up(hurried: tuple[Server, Path]) -> None:
    server, data_dir = hurried
    body = json.dumps({"Name": "slow", "ClientRequestToken": TOKEN, "SecretString": CANARY})
    whole = json_call(server, "CreateSecret", body.encode()).encoded()
    assert error_of(data_dir, exchange(server, whole[:-1])) == (408, "RequestTimeoutException", TOO_SLOW)
    assert secrets_of(server) == []
    answer = exchange(server, chunked(json_call(server, "CreateSecret", b""), b"{", ended=False))
    assert error_of(data_dir, answer) == (408, "RequestTimeoutException", TOO_SLOW)


def test_headers_that_do_not_come_are_given_up(hurried: tuple[Server, Path]) -> None:
    server, _ = hurried
    with connect(server) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: secretsm")
        assert connection.recv(1) == b""


def test_slow_clients_do_not_hold_up_others(hurried: tuple[Server, Path]) -> None:
    server, _ = hurried
    waiting = [connect(server) for _ in range(50)]
    try:
        for number, connection in enumerate(waiting):
            call = json_call(server, "ListSecrets", b"{ }").encoded()
            connection.sendall(call[:-1] if number % 2 else call[:40])
        assert server.client("secretsmanager").list_secrets()["SecretList"] == []
    finally:
        for connection in waiting:
            connection.close()

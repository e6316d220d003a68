"""Decoding, encoding and redaction compiled from the installed service models."""

from __future__ import annotations

import base64
import datetime as dt
import json
from collections.abc import Iterator
from typing import Any

import botocore.session
import pytest
from botocore.parsers import create_parser
from botocore.serialize import create_serializer
from hypothesis import given, settings
from hypothesis import strategies as st

from strongroom.errors import SerializationException, ValidationException
from strongroom.wire.models import OperationModel, load_service, parse_json

SECRETS = load_service("secretsmanager")
KMS = load_service("kms")
IAM = load_service("iam")
STS = load_service("sts")
CANARY = "canary-7f2e"
MOMENT = dt.datetime(2026, 5, 3, 17, 51, 2, 123000, tzinfo=dt.UTC)


def operation(name: str) -> OperationModel:
    return SECRETS.operations[name]


def test_every_operation_of_every_service_compiles() -> None:
    for service in (SECRETS, KMS, IAM, STS):
        for model in service.operations.values():
            assert model.redact_request({}) == {}
            assert model.redact_response({}) == {}
    assert operation("ListSecrets").decode(b"") == {}


def test_unknown_and_null_members_are_ignored() -> None:
    body = b'{"SecretId":"a","Nonsense":[1],"VersionId":null}'
    assert operation("GetSecretValue").decode(body) == {"SecretId": "a"}


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b'"x"',
        b"\xff",
        b'{"SecretId":1}',
        b'{"SecretId":["a"]}',
        b'{"SecretId":"a","SecretId":"b"}',
        b'{"SecretId" : "a:b","SecretId":"b"}',
        b'{"SecretId":"\\ud800"}',
        b'{"SecretId":NaN}',
        b'{"x":' + b"[" * 200 + b"]" * 200 + b"}",
    ],
)
def test_what_is_not_a_request_is_a_serialization_error(body: bytes) -> None:
    with pytest.raises(SerializationException) as refusal:
        operation("GetSecretValue").decode(body)
    assert refusal.value.message


def test_colons_in_strings_are_not_taken_for_duplicate_keys() -> None:
    assert parse_json(b'{"a":"x:y:z","b":{"a":1}}') == {"a": "x:y:z", "b": {"a": 1}}


_TEXTS = st.sampled_from(['"a"', '"b"', '":"', '"\\u003a"', '"\\u003A:"', '"\\\\u003a"', '"\\":\\""', '""'])


def _objects(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    pair = st.tuples(_TEXTS, inner).map(" : ".join)
    array = st.lists(inner, max_size=3).map(lambda items: f"[{','.join(items)}]")
    return st.lists(pair, max_size=3).map(lambda pairs: f"{{{','.join(pairs)}}}") | array


@settings(max_examples=300)
@given(_objects(st.recursive(_TEXTS | st.sampled_from(["1", "null"]), _objects, max_leaves=6)))
def test_no_key_comes_twice_however_colons_are_written(text: str) -> None:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        assert len(dict(pairs)) == len(pairs)
        return dict(pairs)

    try:
        expected = json.loads(text, object_pairs_hook=unique)
    except AssertionError:
        expected = None
    if isinstance(expected, dict):
        assert parse_json(text.encode()) == expected
    else:
        with pytest.raises(SerializationException):
            parse_json(text.encode())


def test_a_colon_that_is_escaped_hides_no_key() -> None:
    with pytest.raises(SerializationException) as refused:
        parse_json(b'{"a":"\\u003a","a":"b"}')
    assert refused.value.message == "The request body has an object with a duplicate key."


@pytest.mark.parametrize(
    ("name", "request_members", "text"),
    [
        (
            "GetSecretValue",
            {},
            "1 validation error detected: Value null at 'secretId' failed to satisfy constraint: "
            "Member must not be null",
        ),
        (
            "ListSecrets",
            {"MaxResults": 101},
            "1 validation error detected: Value '101' at 'maxResults' failed to satisfy constraint: "
            "Member must have value less than or equal to 100",
        ),
        (
            "GetSecretValue",
            {"SecretId": "", "VersionId": "short"},
            "2 validation errors detected: Value '' at 'secretId' failed to satisfy constraint: Member must have "
            "length greater than or equal to 1; Value 'short' at 'versionId' failed to satisfy constraint: "
            "Member must have length greater than or equal to 32",
        ),
        (
            "PutSecretValue",
            {"SecretId": "a", "SecretString": CANARY * 6000},
            "1 validation error detected: Value at 'secretString' failed to satisfy constraint: "
            "Member must have length less than or equal to 65536",
        ),
        (
            "ListSecrets",
            {"SortOrder": "up"},
            "1 validation error detected: Value 'up' at 'sortOrder' failed to satisfy constraint: "
            "Member must satisfy enum value set: [asc, desc]",
        ),
        (
            "ReplicateSecretToRegions",
            {"SecretId": "a", "AddReplicaRegions": [{"Region": "Mars"}]},
            "1 validation error detected: Value 'Mars' at 'addReplicaRegions.1.member.region' failed to satisfy "
            r"constraint: Member must satisfy regular expression pattern: ^([a-z]+-)+\d+$",
        ),
    ],
)
def test_broken_constraints_are_named_as_aws_names_them(
    name: str, request_members: dict[str, Any], text: str
) -> None:
    with pytest.raises(ValidationException) as refusal:
        operation(name).decode(json.dumps(request_members).encode())
    assert refusal.value.message == text
    assert CANARY not in refusal.value.message


def test_secret_strings_are_measured_in_bytes() -> None:
    put = operation("PutSecretValue")
    fits = json.dumps({"SecretId": "a", "SecretString": "é" * 32768}).encode()
    assert len(put.decode(fits)["SecretString"]) == 32768
    with pytest.raises(ValidationException):
        put.decode(json.dumps({"SecretId": "a", "SecretString": "é" * 32769}).encode())


def test_tokens_and_empty_values_are_left_to_the_handlers() -> None:
    body = b'{"SecretId":"a","ClientRequestToken":"short","SecretString":"","SecretBinary":""}'
    decoded = operation("PutSecretValue").decode(body)
    assert decoded == {
        "SecretId": "a",
        "ClientRequestToken": "short",
        "SecretString": "",
        "SecretBinary": b"",
    }


@pytest.mark.parametrize("text", ["!", "YQ", "YQ==\n", "YQ= ="])
def test_binary_values_are_strict_base64(text: str) -> None:
    with pytest.raises(SerializationException):
        operation("PutSecretValue").decode(json.dumps({"SecretId": "a", "SecretBinary": text}).encode())


def sample(shape: Any, depth: int = 0) -> Any:
    """Return a value of a botocore shape with every member set."""
    kind = shape.type_name
    if kind == "structure":
        return {name: sample(member, depth + 1) for name, member in shape.members.items() if depth < 6}
    if kind == "list":
        return [sample(shape.member, depth + 1)]
    if kind == "map":
        return {"k" * 32: sample(shape.value, depth + 1)}
    if kind == "timestamp":
        return MOMENT
    if kind == "blob":
        return b"\x00bytes"
    if kind == "boolean":
        return True
    if kind in ("integer", "long"):
        return 7
    return shape.metadata.get("enum", ["eu-west-1"])[0]


@pytest.mark.parametrize("name", sorted(SECRETS.operations))
def test_botocore_reads_back_every_answer(name: str) -> None:
    output = (
        botocore.session.get_session().get_service_model("secretsmanager").operation_model(name).output_shape
    )
    if output is None:
        assert operation(name).encode(None) == b"{}"
        return
    answer = sample(output)
    reply = {"status_code": 200, "headers": {}, "body": operation(name).encode(answer)}
    parsed = create_parser("json").parse(reply, output)
    parsed.pop("ResponseMetadata")
    assert parsed == answer


@pytest.mark.parametrize(
    ("service", "name", "sent"),
    [
        (IAM, "CreateUser", {"UserName": "u", "Path": "/a/", "Tags": [{"Key": "k", "Value": "v"}]}),
        (IAM, "ListUsers", {"MaxItems": 5, "PathPrefix": "/a/"}),
        (IAM, "UntagUser", {"UserName": "u", "TagKeys": ["a", "b"]}),
        (STS, "GetCallerIdentity", {}),
    ],
)
def test_what_botocore_sends_by_query_is_what_we_read(service: Any, name: str, sent: dict[str, Any]) -> None:
    model = botocore.session.get_session().get_service_model(service.name).operation_model(name)
    body = create_serializer("query").serialize_to_request(sent, model)["body"]
    assert service.operations[name].decode_query({key: str(value) for key, value in body.items()}) == sent


def test_query_numbers_that_are_none_are_refused() -> None:
    with pytest.raises(SerializationException):
        IAM.operations["ListUsers"].decode_query({"MaxItems": "many"})


def test_botocore_reads_back_query_answers() -> None:
    document = '{"Version":"2012-10-17","Statement":[]}'
    for name, answer in (
        ("GetUserPolicy", {"UserName": "u", "PolicyName": "p<&>", "PolicyDocument": document}),
        ("ListUserPolicies", {"PolicyNames": ["a", "b"], "IsTruncated": False}),
        (
            "CreateUser",
            {"User": {"Path": "/", "UserName": "u", "UserId": "AIDA", "Arn": "arn", "CreateDate": MOMENT}},
        ),
    ):
        output = botocore.session.get_session().get_service_model("iam").operation_model(name).output_shape
        reply = {
            "status_code": 200,
            "headers": {},
            "body": IAM.operations[name].encode_query(answer, "request-1"),
        }
        parsed = create_parser("query").parse(reply, output)
        assert parsed.pop("ResponseMetadata")["RequestId"] == "request-1"
        expected = json.loads(json.dumps(answer, default=str))
        if "PolicyDocument" in expected:
            assert "%22Version%22" in parsed["PolicyDocument"]
            parsed["PolicyDocument"] = document
        assert json.loads(json.dumps(parsed, default=str)).keys() == expected.keys()
        if name == "ListUserPolicies":
            assert parsed == answer


def test_the_trail_keeps_no_sensitive_member() -> None:
    request = {
        "SecretId": "a",
        "SecretString": CANARY,
        "SecretBinary": CANARY.encode(),
        "RotationToken": CANARY,
    }
    assert operation("PutSecretValue").redact_request(request) == {"secretId": "a"}
    answer = {"ARN": "arn", "SecretString": CANARY, "CreatedDate": MOMENT}
    assert operation("GetSecretValue").redact_response(answer) == {
        "aRN": "arn",
        "createdDate": "May 3, 2026 5:51:02 PM",
    }
    assert operation("GetRandomPassword").redact_response({"RandomPassword": CANARY}) == {}
    assert KMS.operations["Encrypt"].redact_request({"KeyId": "k", "Plaintext": b"x"}) == {"keyId": "k"}
    key = {"AccessKey": {"UserName": "u", "AccessKeyId": "AKIA", "SecretAccessKey": CANARY}}
    assert IAM.operations["CreateAccessKey"].redact_response(key) == {
        "accessKey": {"userName": "u", "accessKeyId": "AKIA"}
    }


def test_binary_answers_are_base64() -> None:
    assert json.loads(operation("GetSecretValue").encode({"SecretBinary": b"\x00"})) == {
        "SecretBinary": base64.b64encode(b"\x00").decode()
    }


def test_a_long_list_is_decoded_without_walking_through_all_parameters_for_each_item() -> None:
    walks = 0

    class Parameters(dict[str, str]):
        def __iter__(self) -> Iterator[str]:
            nonlocal walks
            walks += 1
            return super().__iter__()

    arns = [f"arn:aws:iam::aws:policy/p{number}" for number in range(500)]
    sent = Parameters(
        {"RoleArn": "arn:aws:iam::123456789012:role/reader", "RoleSessionName": "tests"}
        | {f"PolicyArns.member.{number}.arn": arn for number, arn in enumerate(arns, 1)}
    )
    decoded = STS.operations["AssumeRole"].decode_query(sent)
    assert [each["arn"] for each in decoded["PolicyArns"]] == arns
    assert walks <= 2

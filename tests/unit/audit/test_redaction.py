"""What the models call sensitive stands in no record and no error, for every operation of every service."""

from __future__ import annotations

import base64
import datetime as dt
import json
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import pytest
from botocore.loaders import Loader

from strongroom.audit.event import call_event
from strongroom.errors import ServiceError
from strongroom.operations.catalog import CATALOG
from strongroom.wire.models import OWN_MODELS, OperationModel, ServiceModel, load_service, lowered

CANARY = "canary-f3a9"
NOT_FOR_RECORDS = {"Plaintext", "CiphertextBlob", "SecretAccessKey", "SessionToken"}
"""Not marked in the models; fact sheet cloudtrail section 12."""
AT = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


@cache
def service(name: str) -> ServiceModel:
    return load_service(name)


OPERATIONS = [(name, operation) for name in CATALOG for operation in service(name).operations]


class Sample:
    """A value of a shape with every member set: canaries where it is sensitive, unique marks elsewhere."""

    def __init__(self, shapes: Mapping[str, Any]) -> None:
        self._shapes = shapes
        self.marks: list[str] = []
        self.canaries = 0

    def of(self, name: str, hidden: bool = False, path: tuple[str, ...] = ()) -> Any:
        shape = self._shapes[name]
        hidden = hidden or bool(shape.get("sensitive"))
        kind = shape["type"]
        if kind == "structure":
            return {
                member: self.of(
                    definition["shape"],
                    hidden or bool(definition.get("sensitive")) or member in NOT_FOR_RECORDS,
                    (*path, name),
                )
                for member, definition in shape["members"].items()
                if name not in path
            }
        if kind == "list":
            return [self.of(shape["member"]["shape"], hidden, path)]
        if kind == "map":
            return {self._text(hidden): self.of(shape["value"]["shape"], hidden, path)}
        if kind == "blob":
            self.canaries += 1
            return CANARY.encode()
        if kind == "timestamp":
            return AT
        if kind == "string":
            return self._text(hidden)
        return {"boolean": True, "integer": 1, "long": 1, "double": 1.0, "float": 1.0}[kind]

    def _text(self, hidden: bool) -> str:
        if hidden:
            self.canaries += 1
            return CANARY
        self.marks.append(f"mark-{len(self.marks)}-")
        return self.marks[-1]


def recorded(parameters: Mapping[str, Any] | None, elements: Mapping[str, Any] | None) -> str:
    return call_event(
        event_source="s", event_name="n", region="r", user_identity={}, source_ip="", user_agent="", request_id="",
        event_id="", at=AT, read_only=False, recipient_account_id="", request_parameters=parameters,
        response_elements=elements,
    ).decode()  # fmt: skip


@cache
def definitions(name: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = Loader(extra_search_paths=[str(OWN_MODELS)]).load_service_model(
        name, "service-2"
    )["operations"]
    return found


def shapes_of(name: str, operation: str) -> tuple[str | None, str | None]:
    definition = definitions(name)[operation]
    return definition.get("input", {}).get("shape"), definition.get("output", {}).get("shape")


@pytest.mark.parametrize(
    ("name", "operation"), OPERATIONS, ids=[f"{name}:{each}" for name, each in OPERATIONS]
)
def test_a_record_holds_everything_but_what_is_sensitive(name: str, operation: str) -> None:
    model = service(name).operations[operation]
    sample = Sample(service(name).shapes)
    given, answered = shapes_of(name, operation)
    request = None if given is None else sample.of(given)
    response = None if answered is None else sample.of(answered)
    record = recorded(
        None if request is None else model.redact_request(request),
        None if response is None else model.redact_response(response),
    )
    assert CANARY not in record
    assert base64.b64encode(CANARY.encode()).decode() not in record
    missing = [mark for mark in sample.marks if mark not in record]
    assert not missing, "something was left out that is not sensitive"


def test_the_walk_meets_what_has_to_be_hidden() -> None:
    """The test above would pass if it found nothing to hide."""
    hidden: dict[tuple[str, str], int] = {}
    for name, operation in OPERATIONS:
        sample = Sample(service(name).shapes)
        for shape in shapes_of(name, operation):
            if shape is not None:
                sample.of(shape)
        hidden[name, operation] = sample.canaries
    assert hidden["secretsmanager", "CreateSecret"] == 2
    assert hidden["secretsmanager", "PutSecretValue"] == 3
    assert hidden["secretsmanager", "GetSecretValue"] == 2
    assert hidden["secretsmanager", "GetRandomPassword"] == 1
    assert hidden["kms", "GenerateDataKey"] >= 2
    assert hidden["iam", "CreateAccessKey"] == 1
    assert hidden["sts", "AssumeRole"] == 2


def test_members_begin_with_a_small_letter_and_change_nothing_else() -> None:
    model = service("secretsmanager").operations["DeleteSecret"]
    answer = {"ARN": "a", "Name": "n", "DeletionDate": dt.datetime(2018, 5, 3, 17, 51, 2, tzinfo=dt.UTC)}
    assert model.redact_response(answer) == {
        "aRN": "a",
        "name": "n",
        "deletionDate": "May 3, 2018 5:51:02 PM",
    }
    assert lowered("RotationLambdaARN") == "rotationLambdaARN"


def hidden_members(shapes: Mapping[str, Any], name: str, path: tuple[str, ...] = ()) -> Iterator[list[str]]:
    """Yield the way to each sensitive member of a structure."""
    for member, definition in shapes[name]["members"].items():
        shape = shapes[definition["shape"]]
        if shape.get("sensitive") or definition.get("sensitive") or shape["type"] == "blob":
            yield [*path, member]
        elif shape["type"] == "structure" and len(path) < 4:
            yield from hidden_members(shapes, definition["shape"], (*path, member))


SENSITIVE = [
    (name, operation, tuple(way))
    for name, operation in OPERATIONS
    if (given := shapes_of(name, operation)[0]) is not None
    for way in hidden_members(service(name).shapes, given)
]
WRONG: dict[str, Any] = {
    "far too long": CANARY * 10_000,
    "not of the right characters": CANARY + "\0\n\u2028{}",
    "a structure": {CANARY: CANARY},
    "a list": [CANARY, [CANARY]],
    "a list of structures": [{"Key": CANARY}],
}


def refusal(model: OperationModel, way: tuple[str, ...], value: Any) -> str:
    if model.service.protocol == "json":
        body: Any = value
        for member in reversed(way):
            body = {member: body}
        text = json.dumps(body).encode()
        decode = lambda: model.decode(text)  # noqa: E731
    else:
        parameters = {".".join(way): value if isinstance(value, str) else json.dumps(value)}
        decode = lambda: model.decode_query(parameters)  # noqa: E731
    try:
        decode()
    except ServiceError as error:
        return error.message
    return ""


@pytest.mark.parametrize("case", WRONG)
@pytest.mark.parametrize(
    ("name", "operation", "way"), SENSITIVE, ids=[".".join((a, b, *c)) for a, b, c in SENSITIVE]
)
def test_an_error_repeats_nothing_sensitive(
    name: str, operation: str, way: tuple[str, ...], case: str
) -> None:
    assert CANARY not in refusal(service(name).operations[operation], way, WRONG[case])


def test_an_error_repeats_what_is_not_sensitive() -> None:
    """The test above would pass if no error repeated anything."""
    model = service("secretsmanager").operations["GetSecretValue"]
    assert CANARY in refusal(model, ("SecretId",), CANARY * 1000)
    assert ("secretsmanager", "PutSecretValue", ("SecretString",)) in SENSITIVE
    assert ("secretsmanager", "PutSecretValue", ("RotationToken",)) in SENSITIVE

"""Every operation of every service leaves a record, and each is as CloudTrail's are."""

from __future__ import annotations

import collections
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.model import Shape, StructureShape

from strongroom.operations.catalog import CATALOG
from strongroom.wire.models import OWN_MODELS, load_service
from support.record_schema import faults
from support.running import Server, running
from support.trails import records

CALLS = [(service, name) for service, served in CATALOG.items() for name in sorted(served.operations)]
UNSIGNED = {"AssumeRoleWithWebIdentity"}


class Asked:
    """Calls by somebody who may do everything, what came of each, and in the end the records."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.clients: dict[str, Any] = {}
        self.answers: dict[str, tuple[str, str, str | None]] = {}
        """Request id to service, operation and error code."""

    def client(self, service: str) -> Any:
        if service not in self.clients:
            self.clients[service] = self.server.client(service, parameter_validation=False)
        return self.clients[service]

    def call(self, service: str, operation: str) -> None:
        client = self.client(service)
        shape = client.meta.service_model.operation_model(operation).input_shape
        try:
            answer = client._make_api_call(operation, {} if shape is None else least(shape))
            code = None
        except ClientError as error:
            answer, code = error.response, error.response["Error"]["Code"]
        self.answers[answer["ResponseMetadata"]["RequestId"]] = service, operation, code


def least(shape: Shape, member: str = "") -> Any:
    """Return the least that a shape of the model takes."""
    if isinstance(shape, StructureShape):
        return {name: least(shape.members[name], name) for name in shape.required_members}
    kind = shape.type_name
    if kind == "list":
        return [least(shape.member, member) for _ in range(shape.metadata.get("min", 1))]  # type: ignore[attr-defined]
    if kind == "map":
        return {}
    if kind == "blob":
        return b"AAAA"
    if kind == "boolean":
        return False
    if kind in ("integer", "long", "double", "float"):
        return shape.metadata.get("min", 1)
    if kind == "timestamp":
        return 1_700_000_000
    if "enum" in shape.metadata:
        return shape.metadata["enum"][0]
    return "x" * max(3, shape.metadata.get("min", 3))


@pytest.fixture(scope="module")
def asked(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch_module: pytest.MonkeyPatch
) -> Iterator[tuple[Asked, Path]]:
    place = tmp_path_factory.mktemp("records")
    monkeypatch_module.setenv("AWS_DATA_PATH", str(OWN_MODELS))
    options = ["--data-dir", str(place / "data"), "--root-key", f"file:{place}/root.key", "--workers", "1"]
    with running(options, place / "log") as server:
        made = Asked(server)
        for service, operation in CALLS:
            made.call(service, operation)
    yield made, place / "data"


@pytest.fixture(scope="module")
def monkeypatch_module() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        yield patch


def test_every_operation_leaves_a_record_of_what_was_answered(asked: tuple[Asked, Path]) -> None:
    made, data_dir = asked
    by_request: dict[str, list[Mapping[str, Any]]] = collections.defaultdict(list)
    for record in records(data_dir):
        by_request[record["requestID"]].append(record)
    assert len(made.answers) == len(CALLS)
    for request_id, (service, operation, code) in made.answers.items():
        (record,) = by_request[request_id]
        assert (record["eventSource"], record["eventName"]) == (load_service(service).event_source, operation)
        expected = "AccessDenied" if code == "AccessDeniedException" else code
        assert record.get("errorCode") == expected, record
        assert record["readOnly"] is CATALOG[service].operations[operation].read_only
        kind = "Unknown" if operation in UNSIGNED else "Root"
        assert record["userIdentity"]["type"] == kind, record


def test_every_record_is_as_cloudtrails_are(asked: tuple[Asked, Path]) -> None:
    found = records(asked[1])
    assert len(found) >= len(CALLS)
    wrong = [(record["eventName"], faults(record)) for record in found if faults(record)]
    assert wrong == []


def test_the_schema_finds_what_is_wrong(asked: tuple[Asked, Path]) -> None:
    record = next(each for each in records(asked[1]) if each["eventName"] == "GetRandomPassword")
    assert faults(record) == []
    spoiled: list[tuple[dict[str, Any], str]] = [
        ({"requestParameters": {"SecretId": "a"}}, "requestParameters has the member SecretId, not secretId"),
        ({"responseElements": {"randomPassword": "x"}}, "responseElements has the member randomPassword"),
        ({"readOnly": False}, "readOnly of GetRandomPassword is False"),
        ({"errorMessage": "no"}, "the members are not in CloudTrail's order"),
        ({"eventTime": "now"}, "eventTime is 'now'"),
        ({"userIdentity": {"type": "Root"}}, "the identity of type Root has []"),
        ({"eventName": "GetNothing"}, "secretsmanager.amazonaws.com GetNothing is no operation"),
    ]
    for changed, expected in spoiled:
        assert any(fault.startswith(expected) for fault in faults({**record, **changed})), changed

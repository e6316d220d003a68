"""Changing a function, publishing versions of it, and naming these."""

from __future__ import annotations

from typing import Any

import pytest

from strongroom.errors import (
    AccessDeniedException,
    InvalidParameterValueException,
    PreconditionFailedException,
    ResourceConflictException,
    ResourceNotFoundException,
    ServiceError,
    ValidationException,
)
from strongroom.operations.call import Operation
from strongroom.operations.lambda_.aliases import (
    CREATE_ALIAS,
    DELETE_ALIAS,
    GET_ALIAS,
    LIST_ALIASES,
    UPDATE_ALIAS,
)
from strongroom.operations.lambda_.code import load_code
from strongroom.operations.lambda_.functions import GET_FUNCTION, GET_FUNCTION_CONFIGURATION
from strongroom.operations.lambda_.updates import UPDATE_FUNCTION_CODE, UPDATE_FUNCTION_CONFIGURATION
from strongroom.operations.lambda_.versions import LIST_VERSIONS_BY_FUNCTION, PUBLISH_VERSION
from strongroom.ports import FUNCTION_VERSIONS, STORED_CODE
from support.key_room import ACCOUNT, DAY, NOON, allow
from support.lambda_room import FunctionRoom, zipped

ARN = f"arn:aws:lambda:eu-central-1:{ACCOUNT}:function:rotate"
NAMED = {"FunctionName": "rotate"}
NEW_CODE = zipped({"main.py": b"new = 1\n"})
REVISION = (
    "The Revision Id provided does not match the latest Revision Id. "
    "Call the GetFunction/GetAlias API to retrieve the latest Revision Id"
)


@pytest.fixture
def room() -> FunctionRoom:
    room = FunctionRoom()
    room.created(Environment={"Variables": {"COLOUR": "blue"}})
    return room


def code_of(room: FunctionRoom, version: str = "$LATEST") -> bytes:
    stored = room.unit.find(FUNCTION_VERSIONS, ARN, version)
    assert stored is not None
    return load_code(room.unit, room.root_key, stored.code_id)


def configuration(room: FunctionRoom, **named: str) -> dict[str, Any]:
    found: dict[str, Any] = room.run(GET_FUNCTION_CONFIGURATION, {**NAMED, **named})
    return found


def test_new_code_takes_the_place_of_the_old(room: FunctionRoom) -> None:
    before = configuration(room)
    updated = room.run(UPDATE_FUNCTION_CODE, {**NAMED, "ZipFile": NEW_CODE}, now=NOON + DAY)
    assert updated == configuration(room)
    assert updated["CodeSize"] == len(NEW_CODE)
    assert updated["LastModified"] == "2026-01-02T12:00:00.000+0000"
    assert updated["CodeSha256"] != before["CodeSha256"]
    assert updated["RevisionId"] != before["RevisionId"]
    assert updated["Environment"] == {"Variables": {"COLOUR": "blue"}}
    assert code_of(room) == NEW_CODE
    assert len(room.unit.scan(STORED_CODE, "")) == 1


def test_a_dry_run_changes_nothing(room: FunctionRoom) -> None:
    before = room.unit.state()
    told = room.run(UPDATE_FUNCTION_CODE, {**NAMED, "ZipFile": NEW_CODE, "DryRun": True})
    assert told["CodeSize"] == len(NEW_CODE)
    assert room.unit.state() == before


def test_configuration_changes_where_the_request_says_something(room: FunctionRoom) -> None:
    other = room.execution_role("other")
    changes = {
        "Description": "better",
        "Timeout": 60,
        "MemorySize": 512,
        "Handler": "app.run",
        "Runtime": "python3.13",
        "Role": other.arn,
        "EphemeralStorage": {"Size": 1024},
        "TracingConfig": {"Mode": "Active"},
        "LoggingConfig": {"LogFormat": "JSON"},
    }
    updated = room.run(UPDATE_FUNCTION_CONFIGURATION, {**NAMED, **changes})
    assert {key: updated[key] for key in changes if key != "LoggingConfig"} == {
        key: value for key, value in changes.items() if key != "LoggingConfig"
    }
    assert updated["LoggingConfig"] == {"LogFormat": "JSON", "LogGroup": "/aws/lambda/rotate"}
    assert updated["Environment"] == {"Variables": {"COLOUR": "blue"}}
    assert code_of(room) == zipped()
    gone = room.run(UPDATE_FUNCTION_CONFIGURATION, {**NAMED, "Environment": {"Variables": {}}})
    assert "Environment" not in gone
    assert gone["Timeout"] == 60


@pytest.mark.parametrize(
    ("operation", "more", "error", "message"),
    [
        (
            UPDATE_FUNCTION_CODE,
            {"RevisionId": "x", "ZipFile": NEW_CODE},
            PreconditionFailedException,
            REVISION,
        ),
        (UPDATE_FUNCTION_CONFIGURATION, {"RevisionId": "x"}, PreconditionFailedException, REVISION),
        (PUBLISH_VERSION, {"RevisionId": "x"}, PreconditionFailedException, REVISION),
        (UPDATE_FUNCTION_CODE, {}, InvalidParameterValueException, "Please provide a ZipFile."),
        (
            UPDATE_FUNCTION_CODE,
            {"ZipFile": b"x"},
            InvalidParameterValueException,
            "Could not unzip uploaded file. Please check your file, then try to upload again.",
        ),
        (
            UPDATE_FUNCTION_CODE,
            {"S3Bucket": "bucket", "S3Key": "k"},
            InvalidParameterValueException,
            "Code comes as a zip file in the call (ZipFile); there are no buckets and no images here.",
        ),
        (
            UPDATE_FUNCTION_CONFIGURATION,
            {"Runtime": "java21"},
            InvalidParameterValueException,
            "The runtime java21 is not supported here: functions are written in Python, 3.9 or later.",
        ),
        (
            UPDATE_FUNCTION_CONFIGURATION,
            {"Timeout": 1000},
            ValidationException,
            "1 validation error detected: Value '1000' at 'timeout' failed to satisfy constraint: "
            "Member must have value less than or equal to 900",
        ),
        (
            UPDATE_FUNCTION_CONFIGURATION,
            {"Role": f"arn:aws:iam::{ACCOUNT}:role/nobody"},
            InvalidParameterValueException,
            "The role defined for the function cannot be assumed by Lambda.",
        ),
        (
            PUBLISH_VERSION,
            {"CodeSha256": "x"},
            InvalidParameterValueException,
            "CodeSHA256 (x) is different from current CodeSHA256 in $LATEST ({sha}). "
            "Please try again with the CodeSHA256 in $LATEST.",
        ),
        (
            UPDATE_FUNCTION_CONFIGURATION,
            {"FunctionName": "rotate:1"},
            InvalidParameterValueException,
            "A function is created and changed under its name without a qualifier.",
        ),
    ],
)
def test_refused_changes(
    room: FunctionRoom,
    operation: Operation,
    more: dict[str, Any],
    error: type[ServiceError],
    message: str,
) -> None:
    expected = message.replace("{sha}", configuration(room)["CodeSha256"])
    assert room.refused(error, operation, {**NAMED, **more}) == expected


@pytest.mark.parametrize(
    ("operation", "more"),
    [
        (UPDATE_FUNCTION_CODE, {"ZipFile": NEW_CODE}),
        (UPDATE_FUNCTION_CONFIGURATION, {}),
        (PUBLISH_VERSION, {}),
        (LIST_VERSIONS_BY_FUNCTION, {}),
        (CREATE_ALIAS, {"Name": "live", "FunctionVersion": "1"}),
        (GET_ALIAS, {"Name": "live"}),
        (UPDATE_ALIAS, {"Name": "live"}),
        (DELETE_ALIAS, {"Name": "live"}),
        (LIST_ALIASES, {}),
    ],
)
def test_a_function_that_is_not_there_is_not_changed(
    room: FunctionRoom, operation: Operation, more: dict[str, Any]
) -> None:
    request = {"FunctionName": "nobody", **more}
    told = room.refused(ResourceNotFoundException, operation, request)
    assert told == f"Function not found: {ARN.replace('rotate', 'nobody')}"
    carol = room.user("carol")
    room.refused(AccessDeniedException, operation, {**request, "FunctionName": "rotate"}, principal=carol)


def test_another_role_must_be_passed_and_the_same_one_not(room: FunctionRoom) -> None:
    other = room.execution_role("other")
    carol = room.user("carol", allow("lambda:*"))
    room.run(UPDATE_FUNCTION_CONFIGURATION, {**NAMED, "Timeout": 5}, principal=carol)
    told = room.refused(
        AccessDeniedException, UPDATE_FUNCTION_CONFIGURATION, {**NAMED, "Role": other.arn}, principal=carol
    )
    assert "is not authorized to perform: iam:PassRole on resource" in told


def test_a_published_version_never_changes(room: FunctionRoom) -> None:
    first = room.run(PUBLISH_VERSION, {**NAMED, "Description": "the first"})
    assert (first["Version"], first["Description"]) == ("1", "the first")
    room.run(UPDATE_FUNCTION_CODE, {**NAMED, "ZipFile": NEW_CODE})
    room.run(UPDATE_FUNCTION_CONFIGURATION, {**NAMED, "Environment": {"Variables": {"COLOUR": "red"}}})
    assert configuration(room, Qualifier="1") == first
    assert first["Environment"] == {"Variables": {"COLOUR": "blue"}}
    assert code_of(room, "1") == zipped()
    assert code_of(room) == NEW_CODE
    second = room.run(UPDATE_FUNCTION_CODE, {**NAMED, "ZipFile": NEW_CODE, "Publish": True})
    assert (second["Version"], second["FunctionArn"]) == ("2", f"{ARN}:2")


def test_without_a_change_no_version_is_made(room: FunctionRoom) -> None:
    first = room.run(PUBLISH_VERSION, NAMED)
    assert room.run(PUBLISH_VERSION, NAMED) == first
    room.run(UPDATE_FUNCTION_CONFIGURATION, {**NAMED, "Environment": {"Variables": {"COLOUR": "red"}}})
    assert room.run(PUBLISH_VERSION, NAMED)["Version"] == "2"


def test_versions_are_listed_by_number_in_pages(room: FunctionRoom) -> None:
    for timeout in range(1, 12):
        room.run(UPDATE_FUNCTION_CONFIGURATION, {**NAMED, "Timeout": timeout})
        room.run(PUBLISH_VERSION, NAMED)
    found, marker = [], {}
    while True:
        page = room.run(LIST_VERSIONS_BY_FUNCTION, {**NAMED, "MaxItems": 5, **marker})
        found += [each["FunctionArn"] for each in page["Versions"]]
        if "NextMarker" not in page:
            break
        marker = {"Marker": page["NextMarker"]}
    assert found == [f"{ARN}:{version}" for version in ("$LATEST", *range(1, 12))]


def test_an_alias_stands_for_a_version(room: FunctionRoom) -> None:
    room.run(PUBLISH_VERSION, NAMED)
    live = {**NAMED, "Name": "live"}
    made = room.run(CREATE_ALIAS, {**live, "FunctionVersion": "1", "Description": "now"})
    assert made.pop("RevisionId")
    assert made == {
        "AliasArn": f"{ARN}:live",
        "Name": "live",
        "FunctionVersion": "1",
        "Description": "now",
    }
    assert configuration(room, Qualifier="live")["Version"] == "1"
    assert (
        room.run(GET_FUNCTION, {"FunctionName": f"{ARN}:live"})["Configuration"]["FunctionArn"]
        == f"{ARN}:live"
    )
    moved = room.run(UPDATE_ALIAS, {**live, "FunctionVersion": "$LATEST"})
    assert (moved["FunctionVersion"], moved["Description"]) == ("$LATEST", "now")
    assert room.run(GET_ALIAS, live) == moved
    assert configuration(room, Qualifier="live")["Version"] == "$LATEST"
    room.run(DELETE_ALIAS, live)
    room.run(DELETE_ALIAS, live)
    assert room.refused(ResourceNotFoundException, GET_ALIAS, live) == f"Cannot find alias arn: {ARN}:live"
    assert room.refused(ResourceNotFoundException, UPDATE_ALIAS, live) == f"Cannot find alias arn: {ARN}:live"


@pytest.mark.parametrize(
    ("operation", "more", "error", "message"),
    [
        (
            CREATE_ALIAS,
            {"Name": "live", "FunctionVersion": "$LATEST"},
            ResourceConflictException,
            f"Alias already exists: {ARN}:live",
        ),
        (
            CREATE_ALIAS,
            {"Name": "next", "FunctionVersion": "7"},
            ResourceNotFoundException,
            f"Function not found: {ARN}:7",
        ),
        (
            UPDATE_ALIAS,
            {"Name": "live", "FunctionVersion": "7"},
            ResourceNotFoundException,
            f"Function not found: {ARN}:7",
        ),
        (
            UPDATE_ALIAS,
            {"Name": "live", "RevisionId": "x"},
            PreconditionFailedException,
            REVISION,
        ),
        (
            UPDATE_ALIAS,
            {"Name": "live", "RoutingConfig": {"AdditionalVersionWeights": {"1": 0.5}}},
            InvalidParameterValueException,
            "RoutingConfig is not supported here.",
        ),
    ],
)
def test_refused_aliases(
    room: FunctionRoom, operation: Operation, more: dict[str, Any], error: type[ServiceError], message: str
) -> None:
    room.run(CREATE_ALIAS, {**NAMED, "Name": "live", "FunctionVersion": "$LATEST"})
    assert room.refused(error, operation, {**NAMED, **more}) == message


def test_aliases_are_listed_by_name_and_version(room: FunctionRoom) -> None:
    room.run(PUBLISH_VERSION, NAMED)
    for name, version in (("c", "1"), ("a", "1"), ("b", "$LATEST")):
        room.run(CREATE_ALIAS, {**NAMED, "Name": name, "FunctionVersion": version})
    first = room.run(LIST_ALIASES, {**NAMED, "MaxItems": 2})
    assert [each["Name"] for each in first["Aliases"]] == ["a", "b"]
    rest = room.run(LIST_ALIASES, {**NAMED, "Marker": first["NextMarker"]})
    assert [each["Name"] for each in rest["Aliases"]] == ["c"]
    of_one = room.run(LIST_ALIASES, {**NAMED, "FunctionVersion": "1"})
    assert [each["Name"] for each in of_one["Aliases"]] == ["a", "c"]

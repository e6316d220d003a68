"""Layers: published, read, listed, given to functions, deleted."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import pytest

from strongroom.errors import (
    AccessDeniedException,
    InvalidParameterValueException,
    ResourceNotFoundException,
)
from strongroom.operations.lambda_.functions import DELETE_FUNCTION, GET_FUNCTION_CONFIGURATION
from strongroom.operations.lambda_.invocations import INVOKE_FUNCTION
from strongroom.operations.lambda_.layers import (
    DELETE_LAYER_VERSION,
    GET_LAYER_VERSION,
    GET_LAYER_VERSION_BY_ARN,
    LIST_LAYER_VERSIONS,
    LIST_LAYERS,
    PUBLISH_LAYER_VERSION,
)
from strongroom.operations.lambda_.updates import UPDATE_FUNCTION_CONFIGURATION
from strongroom.ports import LAYER_VERSIONS, STORED_CODE
from support.key_room import ACCOUNT, OTHER_ACCOUNT, allow, root
from support.lambda_room import FunctionRoom, zipped

LAYER = f"arn:aws:lambda:eu-central-1:{ACCOUNT}:layer:drivers"
CONTENT = zipped({"python/driver.py": b"x = 1\n"})


@pytest.fixture
def room() -> FunctionRoom:
    return FunctionRoom()


def published(room: FunctionRoom, name: str = "drivers", **members: Any) -> dict[str, Any]:
    request = {"LayerName": name, "Content": {"ZipFile": CONTENT}, **members}
    answered: dict[str, Any] = room.run(PUBLISH_LAYER_VERSION, request)
    return answered


def test_a_version_is_described_as_aws_describes_one(room: FunctionRoom) -> None:
    made = published(
        room,
        Description="drivers",
        LicenseInfo="MIT",
        CompatibleRuntimes=["python3.12"],
        CompatibleArchitectures=["arm64"],
    )
    assert made == {
        "Content": {
            "CodeSha256": base64.b64encode(hashlib.sha256(CONTENT).digest()).decode(),
            "CodeSize": len(CONTENT),
        },
        "LayerArn": LAYER,
        "LayerVersionArn": f"{LAYER}:1",
        "Version": 1,
        "Description": "drivers",
        "CreatedDate": "2026-01-01T12:00:00.000+0000",
        "CompatibleRuntimes": ["python3.12"],
        "CompatibleArchitectures": ["arm64"],
        "LicenseInfo": "MIT",
    }
    assert room.run(GET_LAYER_VERSION, {"LayerName": "drivers", "VersionNumber": 1}) == made
    assert room.run(GET_LAYER_VERSION, {"LayerName": LAYER, "VersionNumber": 1}) == made
    assert room.run(GET_LAYER_VERSION_BY_ARN, {"Arn": f"{LAYER}:1"}) == made


def test_versions_are_numbered_and_listed_newest_first(room: FunctionRoom) -> None:
    for number in range(1, 13):
        assert published(room, CompatibleRuntimes=["python3.12"] if number % 2 else [])["Version"] == number
    found, marker = [], {}
    while True:
        page = room.run(LIST_LAYER_VERSIONS, {"LayerName": "drivers", "MaxItems": 5, **marker})
        found += [each["Version"] for each in page["LayerVersions"]]
        if "NextMarker" not in page:
            break
        marker = {"Marker": page["NextMarker"]}
    assert found == list(range(12, 0, -1))
    odd = room.run(LIST_LAYER_VERSIONS, {"LayerName": "drivers", "CompatibleRuntime": "python3.12"})
    assert [each["Version"] for each in odd["LayerVersions"]] == [11, 9, 7, 5, 3, 1]
    assert room.run(LIST_LAYER_VERSIONS, {"LayerName": "nothing"}) == {"LayerVersions": []}


def test_layers_are_listed_by_name_with_their_newest_version(room: FunctionRoom) -> None:
    for name in ("c", "a", "b", "a"):
        published(room, name)
    first = room.run(LIST_LAYERS, {"MaxItems": 2})
    assert [(each["LayerName"], each["LatestMatchingVersion"]["Version"]) for each in first["Layers"]] == [
        ("a", 2),
        ("b", 1),
    ]
    rest = room.run(LIST_LAYERS, {"Marker": first["NextMarker"]})
    assert [each["LayerName"] for each in rest["Layers"]] == ["c"]
    assert room.run(LIST_LAYERS, {"CompatibleRuntime": "python3.12"}) == {"Layers": []}
    assert room.run(LIST_LAYERS, principal=root(OTHER_ACCOUNT)) == {"Layers": []}


def test_a_function_runs_with_its_layers(room: FunctionRoom) -> None:
    published(room)
    created = room.created(Layers=[f"{LAYER}:1"])
    assert created["Layers"] == [{"Arn": f"{LAYER}:1", "CodeSize": len(CONTENT)}]
    room.run(INVOKE_FUNCTION, {"FunctionName": "rotate"})
    assert [load() for _, load in room.runner.seen[0].layers] == [CONTENT]
    room.run(UPDATE_FUNCTION_CONFIGURATION, {"FunctionName": "rotate", "Layers": []})
    assert "Layers" not in room.run(GET_FUNCTION_CONFIGURATION, {"FunctionName": "rotate"})


def test_whoever_gives_a_layer_to_a_function_must_be_allowed_to_read_it(room: FunctionRoom) -> None:
    published(room)
    room.created()
    carol = room.user("carol", allow("lambda:UpdateFunctionConfiguration"))
    request = {"FunctionName": "rotate", "Layers": [f"{LAYER}:1"]}
    told = room.refused(AccessDeniedException, UPDATE_FUNCTION_CONFIGURATION, request, principal=carol)
    assert told == (
        f"User: {carol.arn} is not authorized to perform: lambda:GetLayerVersion on resource: {LAYER}:1 "
        "because no identity-based policy allows the lambda:GetLayerVersion action"
    )


def test_policies_see_the_layers_of_a_request(room: FunctionRoom) -> None:
    published(room)
    published(room, "other")
    room.created()
    ours = {"ForAllValues:StringLike": {"lambda:Layer": f"{LAYER}:*"}}
    carol = room.user("carol", allow("lambda:Update*", Condition=ours), allow("lambda:GetLayerVersion"))
    request = {"FunctionName": "rotate", "Layers": [f"{LAYER}:1"]}
    room.run(UPDATE_FUNCTION_CONFIGURATION, request, principal=carol)
    more = [f"{LAYER}:1", f"{LAYER.replace('drivers', 'other')}:1"]
    room.refused(
        AccessDeniedException, UPDATE_FUNCTION_CONFIGURATION, {**request, "Layers": more}, principal=carol
    )


def test_layers_of_other_accounts_and_regions_are_not_taken(room: FunctionRoom) -> None:
    foreign = LAYER.replace(ACCOUNT, OTHER_ACCOUNT)
    room.created()
    request = {"FunctionName": "rotate", "Layers": [f"{foreign}:1"]}
    room.refused(AccessDeniedException, UPDATE_FUNCTION_CONFIGURATION, request)
    elsewhere = f"{LAYER.replace('eu-central-1', 'us-east-1')}:1"
    told = room.refused(
        InvalidParameterValueException, UPDATE_FUNCTION_CONFIGURATION, {**request, "Layers": [elsewhere]}
    )
    assert told == f"Layer version {elsewhere} does not exist."
    room.refused(AccessDeniedException, GET_LAYER_VERSION, {"LayerName": foreign, "VersionNumber": 1})


def test_a_deleted_version_is_gone_and_its_number_is_not_given_again(room: FunctionRoom) -> None:
    published(room)
    first = {"LayerName": "drivers", "VersionNumber": 1}
    room.run(DELETE_LAYER_VERSION, first)
    room.run(DELETE_LAYER_VERSION, first)
    assert room.refused(ResourceNotFoundException, GET_LAYER_VERSION, first) == (
        f"Layer version {LAYER}:1 does not exist."
    )
    assert room.unit.scan(STORED_CODE, "") == []
    assert published(room)["Version"] == 2


def test_a_function_keeps_a_layer_that_was_deleted(room: FunctionRoom) -> None:
    published(room)
    room.created(Layers=[f"{LAYER}:1"])
    room.run(DELETE_LAYER_VERSION, {"LayerName": "drivers", "VersionNumber": 1})
    room.refused(ResourceNotFoundException, GET_LAYER_VERSION, {"LayerName": "drivers", "VersionNumber": 1})
    assert room.run(LIST_LAYERS) == {"Layers": []}
    room.run(INVOKE_FUNCTION, {"FunctionName": "rotate"})
    assert [load() for _, load in room.runner.seen[0].layers] == [CONTENT]
    same = {"FunctionName": "rotate", "Layers": [f"{LAYER}:1"], "Timeout": 9}
    assert room.run(UPDATE_FUNCTION_CONFIGURATION, same)["Timeout"] == 9
    room.run(DELETE_FUNCTION, {"FunctionName": "rotate"})
    kept = room.unit.find(LAYER_VERSIONS, LAYER, "1")
    assert kept is not None
    assert kept.deleted
    room.created("two")
    request = {"FunctionName": "two", "Layers": [f"{LAYER}:1"]}
    told = room.refused(InvalidParameterValueException, UPDATE_FUNCTION_CONFIGURATION, request)
    assert told == f"Layer version {LAYER}:1 does not exist."


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            {"ZipFile": b"x"},
            "Could not unzip uploaded file. Please check your file, then try to upload again.",
        ),
        (
            {"S3Bucket": "bucket", "S3Key": "k"},
            "Code comes as a zip file in the call (ZipFile); there are no buckets and no images here.",
        ),
    ],
)
def test_content_that_is_no_zip_file_is_refused(
    room: FunctionRoom, content: dict[str, Any], message: str
) -> None:
    request = {"LayerName": "drivers", "Content": content}
    assert room.refused(InvalidParameterValueException, PUBLISH_LAYER_VERSION, request) == message

"""How much code an account may keep in a region, and what of it counts."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from strongroom.errors import CodeStorageExceededException
from strongroom.operations.call import Operation
from strongroom.operations.lambda_ import functions, layers, updates
from strongroom.operations.lambda_.fixed_settings import FIXED
from strongroom.operations.lambda_.functions import CREATE_FUNCTION, DELETE_FUNCTION
from strongroom.operations.lambda_.layers import DELETE_LAYER_VERSION, PUBLISH_LAYER_VERSION
from strongroom.operations.lambda_.updates import UPDATE_FUNCTION_CODE
from strongroom.operations.lambda_.versions import PUBLISH_VERSION
from strongroom.ports import CODE_PARTS, STORED_CODE
from support.key_room import ACCOUNT
from support.lambda_room import FunctionRoom, zipped

SIZE = len(zipped())
ROLE = f"arn:aws:iam::{ACCOUNT}:role/rotate-role"
EXCEEDED = "Code storage limit exceeded."
NAMED = {"FunctionName": "rotate"}
LAYER = {"LayerName": "drivers", "Content": {"ZipFile": zipped()}}
[SETTINGS] = [each for each in FIXED if each.name == "GetAccountSettings"]


@pytest.fixture
def room() -> FunctionRoom:
    """A room for two zip files as `zipped` makes them."""
    room = FunctionRoom()
    room.resources = replace(room.resources, code_bytes=2 * SIZE)
    return room


def another(name: str) -> dict[str, Any]:
    members = {"Runtime": "python3.12", "Role": ROLE, "Handler": "main.handler"}
    return {"FunctionName": name, **members, "Code": {"ZipFile": zipped()}}


def kept(room: FunctionRoom) -> int:
    usage: int = room.run(SETTINGS)["AccountUsage"]["TotalCodeSize"]
    return usage


def test_the_limit_is_told(room: FunctionRoom) -> None:
    assert room.run(SETTINGS)["AccountLimit"]["TotalCodeSize"] == 2 * SIZE


def test_functions_and_layers_fill_it_up(room: FunctionRoom) -> None:
    room.created()
    room.run(PUBLISH_LAYER_VERSION, LAYER)
    assert kept(room) == 2 * SIZE
    assert room.refused(CodeStorageExceededException, CREATE_FUNCTION, another("two")) == EXCEEDED
    assert room.refused(CodeStorageExceededException, PUBLISH_LAYER_VERSION, LAYER) == EXCEEDED
    assert len(room.unit.scan(STORED_CODE, "")) == 2
    room.run(DELETE_LAYER_VERSION, {"LayerName": "drivers", "VersionNumber": 1})
    assert kept(room) == SIZE
    room.run(CREATE_FUNCTION, another("two"))
    assert kept(room) == 2 * SIZE


def test_code_in_place_of_other_code_needs_the_difference(room: FunctionRoom) -> None:
    room.created()
    room.created("two")
    room.run(UPDATE_FUNCTION_CODE, {**NAMED, "ZipFile": zipped()})
    longer = zipped({"main.py": b"x = 1", "more.py": b"y = 2"})
    for more in ({}, {"DryRun": True}):
        refused = {**NAMED, "ZipFile": longer, **more}
        assert room.refused(CodeStorageExceededException, UPDATE_FUNCTION_CODE, refused) == EXCEEDED
    assert kept(room) == 2 * SIZE


def test_code_that_a_version_keeps_is_not_freed(room: FunctionRoom) -> None:
    room.created(Publish=True)
    assert kept(room) == SIZE
    other = zipped({"main.py": b"def handler(event, context):\n    return 1\n"})
    room.resources = replace(room.resources, code_bytes=SIZE + len(other))
    room.run(UPDATE_FUNCTION_CODE, {**NAMED, "ZipFile": other})
    assert kept(room) == SIZE + len(other)
    room.run(UPDATE_FUNCTION_CODE, {**NAMED, "ZipFile": other})
    assert room.run(PUBLISH_VERSION, NAMED)["Version"] == "2"
    refused = {**NAMED, "ZipFile": other}
    assert room.refused(CodeStorageExceededException, UPDATE_FUNCTION_CODE, refused) == EXCEEDED
    room.run(DELETE_FUNCTION, NAMED)
    assert (kept(room), room.unit.scan(STORED_CODE, "")) == (0, [])


@pytest.mark.parametrize(
    ("operation", "request_", "module", "sealing"),
    [
        (CREATE_FUNCTION, another("three"), functions, "_seal"),
        (UPDATE_FUNCTION_CODE, {**NAMED, "ZipFile": zipped({"a.py": b"x", "b.py": b"y"})}, updates, "_seal"),
        (PUBLISH_LAYER_VERSION, LAYER, layers, "_seal"),
    ],
    ids=["CreateFunction", "UpdateFunctionCode", "PublishLayerVersion"],
)
def test_it_is_refused_before_the_slow_work(
    room: FunctionRoom,
    monkeypatch: pytest.MonkeyPatch,
    operation: Operation,
    request_: dict[str, Any],
    module: Any,
    sealing: str,
) -> None:
    room.created()
    room.created("two")
    before = room.unit.scan(STORED_CODE, "")
    monkeypatch.setattr(module, sealing, lambda *_: pytest.fail("the code was looked at"))
    assert room.refused(CodeStorageExceededException, operation, request_) == EXCEEDED
    assert room.unit.scan(STORED_CODE, "") == before
    assert all(len(room.unit.scan(CODE_PARTS, each.code_id)) == each.parts for each in before)

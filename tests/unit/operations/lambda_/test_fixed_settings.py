"""What infrastructure tools ask of a function that has none of it."""

from __future__ import annotations

from typing import Any

import pytest

from strongroom.errors import AccessDeniedException, ResourceNotFoundException
from strongroom.operations.lambda_.fixed_settings import FIXED
from strongroom.operations.lambda_.versions import PUBLISH_VERSION
from support.key_room import ACCOUNT
from support.lambda_room import FunctionRoom, zipped

ARN = f"arn:aws:lambda:eu-central-1:{ACCOUNT}:function:rotate"
BY_NAME = {operation.name: operation for operation in FIXED}


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("GetFunctionCodeSigningConfig", {"CodeSigningConfigArn": "", "FunctionName": "rotate"}),
        ("GetFunctionConcurrency", {}),
        ("GetFunctionRecursionConfig", {"RecursiveLoop": "Terminate"}),
        ("GetRuntimeManagementConfig", {"UpdateRuntimeOn": "Auto", "FunctionArn": ARN}),
    ],
)
def test_a_function_has_none_of_it(name: str, answer: dict[str, Any]) -> None:
    room = FunctionRoom()
    room.created()
    assert room.run(BY_NAME[name], {"FunctionName": "rotate"}) == answer
    told = room.refused(ResourceNotFoundException, BY_NAME[name], {"FunctionName": "nobody"})
    assert told == f"Function not found: {ARN.replace('rotate', 'nobody')}"
    carol = room.user("carol")
    room.refused(AccessDeniedException, BY_NAME[name], {"FunctionName": "rotate"}, principal=carol)


def test_code_that_versions_share_counts_once() -> None:
    room = FunctionRoom()
    room.created(Publish=True)
    room.created("two")
    room.run(PUBLISH_VERSION, {"FunctionName": "rotate"})
    usage = room.run(BY_NAME["GetAccountSettings"])["AccountUsage"]
    assert usage == {"TotalCodeSize": 2 * len(zipped()), "FunctionCount": 2}

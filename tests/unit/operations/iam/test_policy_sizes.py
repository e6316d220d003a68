"""A policy over its limit is refused for that before it is read: reading takes time that grows with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from strongroom.errors import LimitExceededException
from strongroom.operations.call import Operation
from strongroom.operations.iam import (
    group_policies,
    groups,
    managed_policies,
    role_policies,
    roles,
    user_policies,
)
from support.identity_room import IdentityRoom
from support.key_room import policy

TRUST = policy({"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"})
NO_POLICY = "{" * 131_072


@pytest.mark.parametrize(
    ("operation", "request_", "message"),
    [
        pytest.param(
            user_policies.PUT_USER_POLICY,
            {"UserName": "bob", "PolicyName": "p", "PolicyDocument": NO_POLICY},
            "Maximum policy size of 2048 bytes exceeded for user bob",
            id="user",
        ),
        pytest.param(
            group_policies.PUT_GROUP_POLICY,
            {"GroupName": "team", "PolicyName": "p", "PolicyDocument": NO_POLICY},
            "Maximum policy size of 5120 bytes exceeded for group team",
            id="group",
        ),
        pytest.param(
            role_policies.PUT_ROLE_POLICY,
            {"RoleName": "deploy", "PolicyName": "p", "PolicyDocument": NO_POLICY},
            "Maximum policy size of 10240 bytes exceeded for role deploy",
            id="role",
        ),
        pytest.param(
            managed_policies.CREATE_POLICY,
            {"PolicyName": "p", "PolicyDocument": NO_POLICY},
            "Cannot exceed quota for PolicySize: 6144",
            id="managed",
        ),
        pytest.param(
            roles.CREATE_ROLE,
            {"RoleName": "new", "AssumeRolePolicyDocument": NO_POLICY},
            "Cannot exceed quota for ACLSizePerRole: 2048",
            id="trust",
        ),
    ],
)
def test_the_size_of_a_policy_comes_before_its_text(
    operation: Operation, request_: Mapping[str, Any], message: str
) -> None:
    room = IdentityRoom()
    room.user("bob")
    room.run(groups.CREATE_GROUP, {"GroupName": "team"})
    room.run(roles.CREATE_ROLE, {"RoleName": "deploy", "AssumeRolePolicyDocument": TRUST})
    assert room.refused(LimitExceededException, operation, request_) == message

"""Inline policies of users. What the operations do is `inline_policies`."""

from __future__ import annotations

from typing import Final

from strongroom.operations.call import Operation, Unit
from strongroom.operations.iam.entities import USER, ignores_case, on_entity
from strongroom.operations.iam.inline_policies import (
    delete_policy,
    exact_names,
    get_policy,
    list_policies,
    put_policy,
    put_targets,
)

_IGNORES_CASE: Final = ignores_case(USER)
_EXACT_NAMES: Final = exact_names(USER)

PUT_USER_POLICY = Operation(
    name="PutUserPolicy",
    action="iam:PutUserPolicy",
    unit=Unit.WRITE,
    targets=put_targets(USER, "iam:PutUserPolicy"),
    handle=put_policy(USER),
    read_only=False,
    deviations=(_IGNORES_CASE, _EXACT_NAMES),
)
GET_USER_POLICY = Operation(
    name="GetUserPolicy",
    action="iam:GetUserPolicy",
    unit=Unit.READ,
    targets=on_entity(USER, "iam:GetUserPolicy"),
    handle=get_policy(USER),
    deviations=(_IGNORES_CASE, _EXACT_NAMES),
)
LIST_USER_POLICIES = Operation(
    name="ListUserPolicies",
    action="iam:ListUserPolicies",
    unit=Unit.READ,
    targets=on_entity(USER, "iam:ListUserPolicies"),
    handle=list_policies(USER),
    deviations=(_IGNORES_CASE,),
)
DELETE_USER_POLICY = Operation(
    name="DeleteUserPolicy",
    action="iam:DeleteUserPolicy",
    unit=Unit.WRITE,
    targets=on_entity(USER, "iam:DeleteUserPolicy"),
    handle=delete_policy(USER),
    read_only=False,
    deviations=(_IGNORES_CASE, _EXACT_NAMES),
)

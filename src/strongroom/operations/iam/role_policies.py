"""Inline policies of roles. What the operations do is `inline_policies`."""

from __future__ import annotations

from typing import Final

from strongroom.operations.call import Operation, Unit
from strongroom.operations.iam.entities import ROLE, ignores_case, on_entity
from strongroom.operations.iam.inline_policies import (
    delete_policy,
    exact_names,
    get_policy,
    list_policies,
    put_policy,
    put_targets,
)

_IGNORES_CASE: Final = ignores_case(ROLE)
_EXACT_NAMES: Final = exact_names(ROLE)

PUT_ROLE_POLICY = Operation(
    name="PutRolePolicy",
    action="iam:PutRolePolicy",
    unit=Unit.WRITE,
    targets=put_targets(ROLE, "iam:PutRolePolicy"),
    handle=put_policy(ROLE),
    read_only=False,
    deviations=(_IGNORES_CASE, _EXACT_NAMES),
)
GET_ROLE_POLICY = Operation(
    name="GetRolePolicy",
    action="iam:GetRolePolicy",
    unit=Unit.READ,
    targets=on_entity(ROLE, "iam:GetRolePolicy"),
    handle=get_policy(ROLE),
    deviations=(_IGNORES_CASE, _EXACT_NAMES),
)
LIST_ROLE_POLICIES = Operation(
    name="ListRolePolicies",
    action="iam:ListRolePolicies",
    unit=Unit.READ,
    targets=on_entity(ROLE, "iam:ListRolePolicies"),
    handle=list_policies(ROLE),
    deviations=(_IGNORES_CASE,),
)
DELETE_ROLE_POLICY = Operation(
    name="DeleteRolePolicy",
    action="iam:DeleteRolePolicy",
    unit=Unit.WRITE,
    targets=on_entity(ROLE, "iam:DeleteRolePolicy"),
    handle=delete_policy(ROLE),
    read_only=False,
    deviations=(_IGNORES_CASE, _EXACT_NAMES),
)

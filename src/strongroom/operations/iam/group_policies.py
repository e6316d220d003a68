"""Inline policies of groups. What the operations do is `inline_policies`."""

from __future__ import annotations

from typing import Final

from strongroom.operations.call import Operation, Unit
from strongroom.operations.iam.entities import GROUP, ignores_case, on_entity
from strongroom.operations.iam.inline_policies import (
    delete_policy,
    exact_names,
    get_policy,
    list_policies,
    put_policy,
    put_targets,
)

_IGNORES_CASE: Final = ignores_case(GROUP)
_EXACT_NAMES: Final = exact_names(GROUP)

PUT_GROUP_POLICY = Operation(
    name="PutGroupPolicy",
    action="iam:PutGroupPolicy",
    unit=Unit.WRITE,
    targets=put_targets(GROUP, "iam:PutGroupPolicy"),
    handle=put_policy(GROUP),
    read_only=False,
    deviations=(_IGNORES_CASE, _EXACT_NAMES),
)
GET_GROUP_POLICY = Operation(
    name="GetGroupPolicy",
    action="iam:GetGroupPolicy",
    unit=Unit.READ,
    targets=on_entity(GROUP, "iam:GetGroupPolicy"),
    handle=get_policy(GROUP),
    deviations=(_IGNORES_CASE, _EXACT_NAMES),
)
LIST_GROUP_POLICIES = Operation(
    name="ListGroupPolicies",
    action="iam:ListGroupPolicies",
    unit=Unit.READ,
    targets=on_entity(GROUP, "iam:ListGroupPolicies"),
    handle=list_policies(GROUP),
    deviations=(_IGNORES_CASE,),
)
DELETE_GROUP_POLICY = Operation(
    name="DeleteGroupPolicy",
    action="iam:DeleteGroupPolicy",
    unit=Unit.WRITE,
    targets=on_entity(GROUP, "iam:DeleteGroupPolicy"),
    handle=delete_policy(GROUP),
    read_only=False,
    deviations=(_IGNORES_CASE, _EXACT_NAMES),
)

"""Tags of roles. What the operations do is `tagging`."""

from __future__ import annotations

from typing import Final

from strongroom.operations.call import Operation, Unit
from strongroom.operations.iam.entities import ROLE, ignores_case, on_entity
from strongroom.operations.iam.tagging import (
    OWN_TEXTS,
    list_tags,
    remove_tags,
    set_tags,
    tag_targets,
    untag_targets,
)

_IGNORES_CASE: Final = ignores_case(ROLE)

TAG_ROLE = Operation(
    name="TagRole",
    action="iam:TagRole",
    unit=Unit.WRITE,
    targets=tag_targets(ROLE, "iam:TagRole"),
    handle=set_tags(ROLE),
    read_only=False,
    deviations=(_IGNORES_CASE, OWN_TEXTS),
)
UNTAG_ROLE = Operation(
    name="UntagRole",
    action="iam:UntagRole",
    unit=Unit.WRITE,
    targets=untag_targets(ROLE, "iam:UntagRole"),
    handle=remove_tags(ROLE),
    read_only=False,
    deviations=(_IGNORES_CASE,),
)
LIST_ROLE_TAGS = Operation(
    name="ListRoleTags",
    action="iam:ListRoleTags",
    unit=Unit.READ,
    targets=on_entity(ROLE, "iam:ListRoleTags"),
    handle=list_tags(ROLE),
    deviations=(_IGNORES_CASE,),
)

"""Tags of users. What the operations do is `tagging`."""

from __future__ import annotations

from typing import Final

from strongroom.operations.call import Operation, Unit
from strongroom.operations.iam.entities import USER, ignores_case, on_entity
from strongroom.operations.iam.tagging import (
    OWN_TEXTS,
    list_tags,
    remove_tags,
    set_tags,
    tag_targets,
    untag_targets,
)

_IGNORES_CASE: Final = ignores_case(USER)

TAG_USER = Operation(
    name="TagUser",
    action="iam:TagUser",
    unit=Unit.WRITE,
    targets=tag_targets(USER, "iam:TagUser"),
    handle=set_tags(USER),
    read_only=False,
    deviations=(_IGNORES_CASE, OWN_TEXTS),
)
UNTAG_USER = Operation(
    name="UntagUser",
    action="iam:UntagUser",
    unit=Unit.WRITE,
    targets=untag_targets(USER, "iam:UntagUser"),
    handle=remove_tags(USER),
    read_only=False,
    deviations=(_IGNORES_CASE,),
)
LIST_USER_TAGS = Operation(
    name="ListUserTags",
    action="iam:ListUserTags",
    unit=Unit.READ,
    targets=on_entity(USER, "iam:ListUserTags"),
    handle=list_tags(USER),
    deviations=(_IGNORES_CASE,),
)

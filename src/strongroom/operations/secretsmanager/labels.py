"""What the record of a call says of the staging labels it moved."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from strongroom.audit.eventbridge import LABELS_UPDATED
from strongroom.names import AWSPENDING, AWSPREVIOUS, StagingLabel, VersionId
from strongroom.operations.call import Call

__all__ = ["note_labels"]

_NOT_TOLD: Final = frozenset((AWSPENDING, AWSPREVIOUS))


def note_labels(
    call: Call, before: Mapping[StagingLabel, VersionId], after: Mapping[StagingLabel, VersionId]
) -> None:
    """The call's record names the labels that stand on another version now, which subscribers hear of."""
    moved = {
        label: version_id
        for label, version_id in after.items()
        if label not in _NOT_TOLD and before.get(label) != version_id
    }
    if moved:
        call.details.setdefault("additional", {})[LABELS_UPDATED] = moved

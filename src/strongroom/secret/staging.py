"""Staging labels: which version is current, previous, pending, or named by the caller.

Labels are a mapping from label to version, so a label is on at most one version and nothing has to guard
that. Every function returns a new mapping; a refused change changes nothing.
Normative: docs/spec/staging-labels.md. Source: fact sheet secretsmanager section 4 and section 6,
UpdateSecretVersionStage.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import count
from typing import Final, TypeAlias

from strongroom.errors import (
    InvalidParameterException,
    LimitExceededException,
    ResourceNotFoundException,
)
from strongroom.names import ABANDONED, AWSCURRENT, AWSPENDING, AWSPREVIOUS, StagingLabel, VersionId

Labels: TypeAlias = Mapping[StagingLabel, VersionId]

MAX_LABELS: Final = 20
TOO_MANY_LABELS: Final = "You can't have more than 20 staging labels across all versions of a secret."
# Section 6, UpdateSecretVersionStage; Terraform (typographic apostrophe).
CURRENT_CANNOT_GO: Final = (
    "You can only move staging label AWSCURRENT to a different secret version. "
    "It can’t be completely removed."
)
NOTHING_ASKED: Final = "You must provide RemoveFromVersionId, MoveToVersionId or both."


def attach(labels: Labels, label: StagingLabel, to: VersionId) -> Labels:
    """Return the labels with `label` on version `to` and nowhere else.

    Moving AWSCURRENT leaves AWSPREVIOUS on the version it left; any other label just moves.
    """
    # INVARIANT: a label names at most one version; a mapping's key cannot repeat.
    moved = {**labels, label: to}
    left = labels.get(AWSCURRENT)
    if label == AWSCURRENT and left is not None and left != to:
        moved[AWSPREVIOUS] = left
    return moved


def labels_of(labels: Labels, version_id: str) -> list[str]:
    """Return the version's labels in alphabetical order."""
    return sorted(label for label, version in labels.items() if version == version_id)


def with_abandoned(labels: Labels, version_id: VersionId) -> Labels:
    """Return the labels with one of ours on a version whose credential the target may have, unless it is
    current or has one already: the first that is free of STRONGROOM_ABANDONED, STRONGROOM_ABANDONED_2, …

    None of them moves to another version: which of several the target has is not known.
    """
    if version_id in [labels.get(label) for label in (AWSCURRENT, *abandoned_labels(labels))]:
        return labels
    names = (StagingLabel(ABANDONED if number == 1 else f"{ABANDONED}_{number}") for number in count(1))
    return {**labels, next(name for name in names if name not in labels): version_id}


def without_abandoned(labels: Labels) -> Labels:
    """Return the labels without those of `with_abandoned`."""
    gone = abandoned_labels(labels)
    return {label: version for label, version in labels.items() if label not in gone}


def abandoned_labels(labels: Labels) -> list[StagingLabel]:
    """Return those of the labels that are of `with_abandoned`, in alphabetical order."""
    return sorted(label for label in labels if f"{label}_".startswith(f"{ABANDONED}_"))


def verify_number(labels: Labels) -> None:
    """Pass unless a secret would have too many labels.

    Raises:
        LimitExceededException: more than 20.
    """
    # Ours are not counted: what keeps a credential findable is not refused, and takes nobody's place.
    if len(without_abandoned(labels)) > MAX_LABELS:
        raise LimitExceededException(TOO_MANY_LABELS)


def after_new_version(labels: Labels, version_id: VersionId, stages: Sequence[str] | None) -> Labels:
    """Return the labels after a version with a value was made.

    `stages` None means AWSCURRENT. The first version of a secret gets AWSCURRENT besides what was asked
    for. AWSPREVIOUS goes to the version AWSCURRENT leaves, also where both were asked for. When AWSCURRENT
    moves, an AWSPENDING that is not on the new version is dropped: the rotation it belonged to is abandoned.

    Raises LimitExceededException when the secret would have more than 20 labels.
    """
    wanted = [StagingLabel(stage) for stage in (stages or ()) if stage != AWSCURRENT]
    # Last, so that the order of a request's list does not matter.
    if not wanted or AWSCURRENT in (stages or ()) or AWSCURRENT not in labels:
        wanted.append(AWSCURRENT)
    result: Labels = labels
    for label in wanted:
        result = attach(result, label, version_id)
    if AWSCURRENT in wanted and result.get(AWSPENDING, version_id) != version_id:
        result = {label: version for label, version in result.items() if label != AWSPENDING}
    verify_number(result)
    return result


def after_stage_update(
    labels: Labels,
    label: StagingLabel,
    *,
    remove_from: VersionId | None,
    move_to: VersionId | None,
    versions: Collection[str],
) -> Labels:
    """Return the labels after UpdateSecretVersionStage. `versions` are the ids that exist.

    Raises:
        InvalidParameterException: neither version given; the label sits on another version than
            `remove_from` says; AWSCURRENT would be on no version.
        ResourceNotFoundException: `move_to` does not exist.
        LimitExceededException: more than 20 labels.
    """
    if remove_from is None and move_to is None:
        raise InvalidParameterException(NOTHING_ASKED)
    holder = labels.get(label)
    if remove_from is not None and remove_from != holder:
        raise InvalidParameterException(
            f"The staging label {label} is not attached to the version {remove_from} that you gave in "
            "RemoveFromVersionId."
        )
    if move_to is None:
        if label == AWSCURRENT:
            raise InvalidParameterException(CURRENT_CANNOT_GO)
        return {each: version for each, version in labels.items() if each != label}
    if move_to not in versions:
        raise ResourceNotFoundException(
            f"Secrets Manager can't find the specified secret value for VersionId: {move_to}"
        )
    if holder is not None and holder != move_to and remove_from is None:
        raise InvalidParameterException(
            f"The parameter RemoveFromVersionId can't be empty. Staging label {label} is currently attached "
            f"to version {holder}, so you must explicitly reference that version in RemoveFromVersionId."
        )
    moved = attach(labels, label, move_to)
    verify_number(moved)
    return moved

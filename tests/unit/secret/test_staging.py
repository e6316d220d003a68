"""Staging labels: the moves AWS makes by itself, and those a caller asks for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.errors import (
    InvalidParameterException,
    LimitExceededException,
    ResourceNotFoundException,
    ServiceError,
)
from strongroom.names import ABANDONED, AWSCURRENT, AWSPENDING, AWSPREVIOUS, StagingLabel, VersionId
from strongroom.secret.staging import (
    CURRENT_CANNOT_GO,
    MAX_LABELS,
    TOO_MANY_LABELS,
    Labels,
    abandoned_labels,
    after_new_version,
    after_stage_update,
    labels_of,
    with_abandoned,
    without_abandoned,
)

V1, V2, V3 = (VersionId(str(number) * 32) for number in (1, 2, 3))
CUSTOM = StagingLabel("CUSTOM")


def test_the_first_version_gets_awscurrent_besides_what_was_asked() -> None:
    assert after_new_version({}, V1, None) == {AWSCURRENT: V1}
    assert after_new_version({}, V1, ["CUSTOM"]) == {CUSTOM: V1, AWSCURRENT: V1}


def test_a_new_version_moves_awscurrent_and_leaves_awsprevious() -> None:
    labels = after_new_version({AWSCURRENT: V2, AWSPREVIOUS: V1, CUSTOM: V2}, V3, None)
    assert labels == {AWSCURRENT: V3, AWSPREVIOUS: V2, CUSTOM: V2}


def test_labels_without_awscurrent_leave_it_alone() -> None:
    assert after_new_version({AWSCURRENT: V1}, V2, ["AWSPENDING"]) == {AWSCURRENT: V1, AWSPENDING: V2}


@pytest.mark.parametrize(
    "stages", [["AWSCURRENT", "AWSPREVIOUS"], ["AWSPREVIOUS", "AWSCURRENT"]], ids=["current first", "last"]
)
def test_awsprevious_goes_where_awscurrent_left_in_whatever_order_they_are_asked(stages: list[str]) -> None:
    assert after_new_version({AWSCURRENT: V2, AWSPREVIOUS: V1}, V3, stages) == {
        AWSCURRENT: V3,
        AWSPREVIOUS: V2,
    }


def test_each_abandoned_version_has_a_label_of_its_own_that_stays_there() -> None:
    labels = with_abandoned({AWSCURRENT: V1, AWSPENDING: V2}, V2)
    assert labels == {AWSCURRENT: V1, AWSPENDING: V2, ABANDONED: V2}
    assert with_abandoned(labels, V2) == labels
    second = StagingLabel("STRONGROOM_ABANDONED_2")
    labels = with_abandoned(after_new_version(labels, V3, None), V1)
    assert labels == {AWSCURRENT: V3, AWSPREVIOUS: V1, ABANDONED: V2, second: V1}
    assert abandoned_labels(labels) == [ABANDONED, second]
    assert without_abandoned(labels) == {AWSCURRENT: V3, AWSPREVIOUS: V1}


def test_what_is_current_is_not_abandoned() -> None:
    assert with_abandoned({AWSCURRENT: V1}, V1) == {AWSCURRENT: V1}


def test_a_label_that_only_looks_like_it_is_somebodys_own() -> None:
    labels = {AWSCURRENT: V1, StagingLabel("STRONGROOM_ABANDONEDED"): V1}
    assert abandoned_labels(labels) == []
    assert without_abandoned(labels) == labels


def test_labels_of_abandoned_versions_take_nobodys_place() -> None:
    labels = {AWSCURRENT: V1, AWSPENDING: V2}
    labels |= {StagingLabel(f"L{number}"): V1 for number in range(MAX_LABELS - 2)}
    labels = {**with_abandoned(labels, V2)}
    assert len(labels) == MAX_LABELS + 1
    assert ABANDONED in after_new_version(labels, V3, None)
    with pytest.raises(LimitExceededException):
        after_new_version(labels, V3, ["ONE_MORE"])


def test_awsprevious_alone_goes_to_the_new_version() -> None:
    labels = after_new_version({AWSCURRENT: V2, AWSPREVIOUS: V1}, V3, ["AWSPREVIOUS"])
    assert labels == {AWSCURRENT: V2, AWSPREVIOUS: V3}


@pytest.mark.parametrize("pending", [V1, V2], ids=["on the old current", "elsewhere"])
def test_moving_awscurrent_by_hand_drops_awspending(pending: VersionId) -> None:
    labels = after_new_version({AWSCURRENT: V1, AWSPENDING: pending}, V3, None)
    assert labels == {AWSCURRENT: V3, AWSPREVIOUS: V1}


def test_twenty_labels_are_the_most_a_secret_has() -> None:
    full: Labels = {AWSCURRENT: V1, **{StagingLabel(f"L{number}"): V1 for number in range(MAX_LABELS - 1)}}
    assert len(after_new_version(full, V2, ["L0"])) == MAX_LABELS
    with pytest.raises(LimitExceededException) as refusal:
        after_new_version(full, V2, ["ONE MORE"])
    assert refusal.value.message == TOO_MANY_LABELS


def test_a_finished_rotation_keeps_awspending_beside_awscurrent() -> None:
    labels = after_stage_update(
        {AWSCURRENT: V1, AWSPENDING: V2}, AWSCURRENT, remove_from=V1, move_to=V2, versions={V1, V2}
    )
    assert labels == {AWSCURRENT: V2, AWSPENDING: V2, AWSPREVIOUS: V1}


def test_a_rollback_swaps_current_and_previous() -> None:
    labels = after_stage_update(
        {AWSCURRENT: V2, AWSPREVIOUS: V1}, AWSCURRENT, remove_from=V2, move_to=V1, versions={V1, V2}
    )
    assert labels == {AWSCURRENT: V1, AWSPREVIOUS: V2}


@pytest.mark.parametrize(
    ("label", "remove_from", "move_to", "error", "text"),
    [
        pytest.param(
            AWSCURRENT,
            None,
            V2,
            InvalidParameterException,
            "The parameter RemoveFromVersionId can't be empty. Staging label AWSCURRENT is currently "
            f"attached to version {V1}, so you must explicitly reference that version in "
            "RemoveFromVersionId.",
            id="label is elsewhere and not named",
        ),
        pytest.param(
            AWSCURRENT, V1, None, InvalidParameterException, CURRENT_CANNOT_GO, id="current removed"
        ),
        pytest.param(
            AWSCURRENT, V2, V1, InvalidParameterException, "not attached to the version", id="wrong holder"
        ),
        pytest.param(CUSTOM, None, V3, ResourceNotFoundException, f"VersionId: {V3}", id="unknown version"),
        pytest.param(CUSTOM, None, None, InvalidParameterException, "You must provide", id="nothing asked"),
    ],
)
def test_stage_updates_that_are_refused(
    label: StagingLabel,
    remove_from: VersionId | None,
    move_to: VersionId | None,
    error: type[ServiceError],
    text: str,
) -> None:
    before = {AWSCURRENT: V1, AWSPENDING: V2}
    with pytest.raises(error) as refusal:
        after_stage_update(before, label, remove_from=remove_from, move_to=move_to, versions={V1, V2})
    assert text in refusal.value.message
    assert before == {AWSCURRENT: V1, AWSPENDING: V2}


@given(
    st.lists(
        st.tuples(
            st.sampled_from([V1, V2, V3]),
            st.none() | st.lists(st.sampled_from(["AWSCURRENT", "AWSPENDING", "CUSTOM"]), min_size=1),
        ),
        min_size=1,
    )
)
def test_awscurrent_is_never_lost_and_previous_is_another_version(
    puts: list[tuple[VersionId, list[str] | None]],
) -> None:
    labels: Labels = {}
    for version, stages in puts:
        before = labels.get(AWSCURRENT)
        labels = after_new_version(labels, version, stages)
        assert AWSCURRENT in labels
        if before is not None and labels[AWSCURRENT] != before:
            assert labels[AWSPREVIOUS] == before
        assert "AWSCURRENT" in labels_of(labels, labels[AWSCURRENT])

"""The pace of rotations: a few at once, many spread over the time they have, and never later than that."""

from __future__ import annotations

import pytest

from strongroom.server.rotation_pace import AT_ONCE, COUNTED, LONGEST_SECONDS, SPREAD_SECONDS, pause_after


@pytest.mark.parametrize("late", [0.0, 50.0, 1e6])
def test_a_few_begin_at_once(late: float) -> None:
    assert [pause_after(waiting, late) for waiting in range(AT_ONCE + 1)] == [0.0] * (AT_ONCE + 1)


def test_a_dozen_are_over_in_a_moment() -> None:
    assert pause_after(12, 0.0) == LONGEST_SECONDS < 0.25


def test_the_more_are_due_the_faster_they_begin() -> None:
    assert pause_after(800, 0.0) == SPREAD_SECONDS / 800


@pytest.mark.parametrize("late", [SPREAD_SECONDS, SPREAD_SECONDS + 1, 1e9])
def test_what_is_late_is_not_put_off(late: float) -> None:
    assert pause_after(500, late) == 0.0


def test_what_no_pace_would_bring_home_in_time_is_done_as_fast_as_it_can() -> None:
    assert pause_after(COUNTED - 1, 0.0) > 0.0
    assert pause_after(COUNTED, 0.0) == 0.0


@pytest.mark.parametrize("secrets", [9, 50, 500, 900])
def test_all_that_is_due_at_one_moment_has_begun_when_its_time_is_over(secrets: int) -> None:
    moment, pauses = 0.0, []
    for waiting in range(secrets - 1, -1, -1):
        pauses.append(pause_after(waiting, moment))
        moment += pauses[-1]
    assert moment <= SPREAD_SECONDS
    # Evenly: those at the end are not paid for by the ones at the beginning.
    paced = pauses[: -AT_ONCE - 1]
    assert max(paced, default=0.0) - min(paced, default=0.0) < 0.01

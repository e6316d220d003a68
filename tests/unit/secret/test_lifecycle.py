"""Marking, restoring, and when a secret may really go."""

from __future__ import annotations

import datetime as dt

import pytest

from strongroom.errors import InvalidParameterException
from strongroom.names import AccountId, Arn, Region
from strongroom.secret.lifecycle import (
    changed_at,
    due,
    is_marked,
    mark_for_deletion,
    recovery_window,
    restore,
)
from strongroom.secret.records import Secret

NOON = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)
WEEK = dt.timedelta(days=7)
MILLISECOND = dt.timedelta(milliseconds=1)

ALIVE = Secret(
    arn=Arn("arn:aws:secretsmanager:eu-central-1:111122223333:secret:a-abcdef"),
    account_id=AccountId("111122223333"),
    region=Region("eu-central-1"),
    name="a",
    created_at=NOON,
    last_changed_at=NOON,
)


@pytest.mark.parametrize(
    ("days", "force", "expected"),
    [
        pytest.param(None, False, dt.timedelta(days=30), id="default"),
        pytest.param(7, False, dt.timedelta(days=7), id="shortest"),
        pytest.param(30, False, dt.timedelta(days=30), id="longest"),
        pytest.param(None, True, None, id="force"),
    ],
)
def test_recovery_window(days: int | None, force: bool, expected: dt.timedelta | None) -> None:
    assert recovery_window(days, force=force) == expected


@pytest.mark.parametrize("days", [-1, 0, 6, 31, 10**12])
def test_a_window_out_of_range_is_refused(days: int) -> None:
    with pytest.raises(InvalidParameterException) as caught:
        recovery_window(days, force=False)
    assert caught.value.message == (
        "The RecoveryWindowInDays value must be between 7 and 30 days (inclusive)."
    )


@pytest.mark.parametrize("days", [7, 99])
def test_force_and_a_window_together_are_refused(days: int) -> None:
    with pytest.raises(InvalidParameterException) as caught:
        recovery_window(days, force=True)
    assert caught.value.message == (
        "You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays."
    )


def test_a_marked_secret_says_when_it_was_marked_and_when_it_goes() -> None:
    marked = mark_for_deletion(ALIVE, NOON + WEEK, WEEK)
    assert is_marked(marked)
    assert marked.deleted_at == NOON + WEEK
    assert marked.deletion_at == NOON + 2 * WEEK
    assert marked.last_changed_at == NOON + WEEK
    assert not is_marked(ALIVE)


def test_a_marked_secret_is_due_when_its_window_has_ended_and_not_before() -> None:
    marked = mark_for_deletion(ALIVE, NOON, WEEK)
    assert not due(marked, NOON + WEEK - MILLISECOND)
    assert due(marked, NOON + WEEK)
    assert not due(ALIVE, NOON + 100 * WEEK)


def test_a_restored_secret_is_as_before_but_for_its_change_date() -> None:
    restored = restore(mark_for_deletion(ALIVE, NOON, WEEK), NOON + WEEK)
    assert (restored.deleted_at, restored.deletion_at) == (None, None)
    assert restored.last_changed_at == NOON + WEEK
    assert not due(restored, NOON + 100 * WEEK)


def test_restoring_a_secret_that_is_not_marked_changes_nothing() -> None:
    assert restore(ALIVE, NOON + WEEK) is ALIVE


@pytest.mark.parametrize("now", [NOON, NOON - WEEK, NOON + MILLISECOND / 2])
def test_the_change_date_always_moves_forward_by_what_the_wire_can_show(now: dt.datetime) -> None:
    assert changed_at(ALIVE, now) == NOON + MILLISECOND

"""The order of listings."""

from __future__ import annotations

import datetime as dt

import pytest

from strongroom.names import AccountId, Arn, Region
from strongroom.secret.ordering import NEVER_ACCESSED, SORT_KEYS, microseconds, sort_position
from strongroom.secret.records import Secret

NOON = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)


def a_secret(name: str, *, suffix: str = "abcdef", **members: object) -> Secret:
    values: dict[str, object] = {
        "arn": Arn(f"arn:aws:secretsmanager:eu-central-1:111122223333:secret:{name}-{suffix}"),
        "account_id": AccountId("111122223333"),
        "region": Region("eu-central-1"),
        "name": name,
        "created_at": NOON,
        "last_changed_at": NOON,
        **members,
    }
    return Secret(**values)  # type: ignore[arg-type]  # members of one record, by name


@pytest.mark.parametrize("sort_by", SORT_KEYS)
def test_equal_secrets_are_ordered_by_arn(sort_by: str) -> None:
    one, two = a_secret("same", suffix="aaaaaa"), a_secret("same", suffix="bbbbbb")
    assert sort_position(one, sort_by) < sort_position(two, sort_by)


def test_dates_order_to_the_microsecond_and_before_names() -> None:
    early = a_secret("z")
    late = a_secret("a", created_at=NOON + dt.timedelta(microseconds=1))
    assert sort_position(early, "created-date") < sort_position(late, "created-date")
    assert sort_position(late, "name") < sort_position(early, "name")
    assert sort_position(late, "created-date")[0] == microseconds(NOON) + 1


def test_changed_date_orders_by_the_last_change() -> None:
    changed = a_secret("a", last_changed_at=NOON + dt.timedelta(hours=1))
    assert sort_position(changed, "last-changed-date") > sort_position(a_secret("b"), "last-changed-date")


def test_a_secret_never_read_comes_before_one_read_in_the_first_century() -> None:
    never, read = a_secret("b"), a_secret("a", last_accessed_on=dt.date(1, 1, 1))
    assert sort_position(never, "last-accessed-date") < sort_position(read, "last-accessed-date")
    assert sort_position(never, "last-accessed-date") == (NEVER_ACCESSED, never.arn)


def test_an_unknown_sort_key_is_refused() -> None:
    with pytest.raises(ValueError, match="not a sort key: size"):
        sort_position(a_secret("a"), "size")

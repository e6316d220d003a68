"""Rotation schedules. Examples without further mention: fact sheet rotation section 2."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from itertools import islice, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strongroom.errors import InvalidParameterException
from strongroom.secret.schedule import (
    automatically_after_days,
    every_days,
    moment_within,
    next_rotation_date,
    parse_duration,
    parse_schedule,
    window_ending,
    windows,
)

TUESDAY = dt.datetime(2026, 2, 3, 17, 40, 12, 345000, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
WEEKDAY_NAMES = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]
MONTH_NAMES = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]


def starts(expression: str, count: int, after: dt.datetime = TUESDAY) -> list[str]:
    found = islice(windows(parse_schedule(expression), None, after), count)
    return [start.strftime("%Y-%m-%d %H") for start, _ in found]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("cron(0 /8 * * ? *)", ["2026-02-04 00", "2026-02-04 08", "2026-02-04 16", "2026-02-05 00"]),
        ("cron(0 8/8 * * ? *)", ["2026-02-04 08", "2026-02-04 16", "2026-02-05 08", "2026-02-05 16"]),
        ("cron(0 4/12 * * ? *)", ["2026-02-04 04", "2026-02-04 16", "2026-02-05 04", "2026-02-05 16"]),
        ("cron(0 2/10 * * ? *)", ["2026-02-03 22", "2026-02-04 02", "2026-02-04 12", "2026-02-04 22"]),
        ("cron(0 10 * * ? *)", ["2026-02-04 10", "2026-02-05 10"]),
        ("cron(0 18 ? * SAT *)", ["2026-02-07 18", "2026-02-14 18"]),
        ("cron(0 18 ? * 7 *)", ["2026-02-07 18", "2026-02-14 18"]),
        ("cron(0 18 ? * L *)", ["2026-02-07 18", "2026-02-14 18"]),
        ("cron(0 8 1 * ? *)", ["2026-03-01 08", "2026-04-01 08"]),
        ("cron(0 1 ? 1/3 SUN#1 *)", ["2026-04-05 01", "2026-07-05 01", "2026-10-04 01", "2027-01-03 01"]),
        ("cron(0 17 L * ? *)", ["2026-02-28 17", "2026-03-31 17", "2026-04-30 17"]),
        ("cron(0 17 SUNL * ? *)", ["2026-02-22 17", "2026-03-29 17"]),
        ("cron(0 17 ? * 1L *)", ["2026-02-22 17", "2026-03-29 17"]),
        ("cron(0 8 ? * MON-FRI *)", ["2026-02-04 08", "2026-02-05 08", "2026-02-06 08", "2026-02-09 08"]),
        ("cron(0 16 1,15 * ? *)", ["2026-02-15 16", "2026-03-01 16", "2026-03-15 16"]),
        ("cron(0 0 ? * TUE#3,FRI#1 *)", ["2026-02-06 00", "2026-02-17 00", "2026-03-06 00"]),
        (
            "cron(0 0 1-10/4 JAN,mar ? *)",
            ["2026-03-01 00", "2026-03-05 00", "2026-03-09 00", "2027-01-01 00"],
        ),
        ("cron(0 0 31 * ? *)", ["2026-03-31 00", "2026-05-31 00", "2026-07-31 00"]),
        ("cron(0 0 1 JAN ? *)", ["2027-01-01 00", "2028-01-01 00"]),
        ("cron(0 0 ? 1 MON#1 *)", ["2027-01-04 00", "2028-01-03 00"]),
        ("rate(4 hours)", ["2026-02-03 20", "2026-02-04 00", "2026-02-04 04"]),
        ("rate(12 hour)", ["2026-02-04 00", "2026-02-04 12"]),
        ("rate(10 days)", ["2026-02-13 00", "2026-02-23 00", "2026-03-05 00"]),
        ("rate(1 day)", ["2026-02-04 00", "2026-02-05 00"]),
    ],
)
def test_windows_open_when_the_expression_says(expression: str, expected: list[str]) -> None:
    assert starts(expression, len(expected)) == expected


def test_a_window_opening_now_is_not_the_next_one() -> None:
    at_ten = dt.datetime(2026, 2, 3, 10, tzinfo=dt.UTC)
    assert starts("cron(0 10 * * ? *)", 1, at_ten) == ["2026-02-04 10"]
    assert starts("cron(0 10 * * ? *)", 1, at_ten - dt.timedelta(milliseconds=1)) == ["2026-02-03 10"]


def test_hours_that_do_not_divide_a_day_stay_even_after_a_late_rotation() -> None:
    schedule = parse_schedule("rate(10 hours)")
    first, second = islice(windows(schedule, None, TUESDAY), 2)
    late = next(windows(schedule, None, first[0] + dt.timedelta(minutes=50)))
    assert second[0] - first[0] == 10 * HOUR
    assert late == second


def test_the_calendar_s_end_ends_the_windows() -> None:
    eve = dt.datetime(9999, 12, 30, 12, tzinfo=dt.UTC)
    assert starts("cron(0 10 * * ? *)", 5, eve) == []
    assert starts("rate(1 day)", 5, eve) == []


@pytest.mark.parametrize(
    ("expression", "duration", "close"),
    [
        ("cron(0 8/8 * * ? *)", None, "2026-02-04T09:00:00"),
        ("cron(0 8/8 * * ? *)", 3, "2026-02-04T11:00:00"),
        ("cron(0 10 * * ? *)", None, "2026-02-05T00:00:00"),
        ("cron(0 10 * * ? *)", 2, "2026-02-04T12:00:00"),
        ("cron(0 20/8 * * ? *)", None, "2026-02-04T00:00:00"),
        ("rate(4 hours)", None, "2026-02-03T21:00:00"),
        ("rate(4 hours)", 4, "2026-02-04T00:00:00"),
        ("rate(10 days)", None, "2026-02-14T00:00:00"),
        ("rate(10 days)", 5, "2026-02-13T05:00:00"),
    ],
)
def test_a_window_closes_after_its_duration_or_by_default(
    expression: str, duration: int | None, close: str
) -> None:
    window = next(windows(parse_schedule(expression), duration, TUESDAY))
    assert window[1].isoformat() == close + "+00:00"


def test_a_window_ends_with_its_utc_day() -> None:
    found = islice(windows(parse_schedule("rate(10 hours)"), 6, TUESDAY), 20)
    assert all(start.date() == (close - dt.timedelta(seconds=1)).date() for start, close in found)


def test_next_rotation_date_is_the_last_second_of_the_day_as_recorded() -> None:
    # The published record of fact sheet rotation section 3.
    changed = dt.datetime(2026, 2, 3, 17, 45, tzinfo=dt.UTC)
    expected = dt.datetime(2026, 3, 5, 23, 59, 59, tzinfo=dt.UTC)
    assert next_rotation_date(every_days(30), None, changed) == expected


def test_other_time_zones_are_taken_as_utc() -> None:
    tokyo = TUESDAY.astimezone(dt.timezone(9 * HOUR))
    for expression in ("cron(0 10 * * ? *)", "rate(2 days)", "rate(5 hours)"):
        assert starts(expression, 3, tokyo) == starts(expression, 3)


@pytest.mark.parametrize(
    ("expression", "days"),
    [
        ("rate(10 days)", 10),
        ("rate(36 hours)", 2),
        ("rate(4 hours)", 1),
        ("cron(0 /8 * * ? *)", 1),
        ("cron(0 18 ? * SAT *)", 7),
        ("cron(0 8 ? * MON-FRI *)", 3),
        ("cron(0 8 1 * ? *)", 31),
        ("cron(0 8 1 1 ? *)", 366),
        ("cron(0 16 1,15 * ? *)", 17),
    ],
)
def test_automatically_after_days_is_the_longest_interval(expression: str, days: int) -> None:
    assert automatically_after_days(parse_schedule(expression)) == days


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("every day", "use rate(<number> <hours|days>) or cron(0 <hours> <days> <months> <weekdays> *)."),
        ("rate(4 weeks)", "use rate(<number> <hours|days>) or cron(0 <hours> <days> <months> <weekdays> *)."),
        (
            "rate(-4 hours)",
            "use rate(<number> <hours|days>) or cron(0 <hours> <days> <months> <weekdays> *).",
        ),
        ("rate(3 hours)", "the rate must be at least 4 hours."),
        ("rate(0 days)", "the rate must be at least 4 hours."),
        ("rate(1001 days)", "the rate must be at most 1000 days."),
        ("rate(24001 hours)", "the rate must be at most 1000 days."),
        (f"rate({'9' * 200} days)", "the rate must be at most 1000 days."),
        (
            "cron(0 10 * * ?)",
            "cron() has six fields: minutes, hours, day of month, month, day of week, year.",
        ),
        ("cron(5 10 * * ? *)", "the minutes must be 0."),
        ("cron(0 10 * * ? 2027)", "the year must be *."),
        ("cron(0 10 * * * *)", "exactly one of day of month and day of week must be ?."),
        ("cron(0 10 ? * ? *)", "exactly one of day of month and day of week must be ?."),
        ("cron(0 * * * ? *)", "the hours are one hour from 0 to 23, or an increment such as 2/10 or /8."),
        ("cron(0 8,16 * * ? *)", "the hours are one hour from 0 to 23, or an increment such as 2/10 or /8."),
        ("cron(0 24 * * ? *)", "the hour '24' is not 0 to 23."),
        ("cron(0 0/0 * * ? *)", "the hour increment '0' is not 1 to 23."),
        ("cron(0 0 32 * ? *)", "the day of month '32' is not 1 to 31."),
        ("cron(0 0 0 * ? *)", "the day of month '0' is not 1 to 31."),
        ("cron(0 0 1,,2 * ? *)", "the day of month '' is not 1 to 31."),
        ("cron(0 0 3L * ? *)", "the day of month '3L' is not 1 to 31."),
        ("cron(0 0 20-10 * ? *)", "the day of month range 20-10 runs backwards."),
        ("cron(0 0 1 13 ? *)", "the month '13' is not 1 to 12 or JAN to DEC."),
        ("cron(0 0 1 FOO ? *)", "the month 'FOO' is not 1 to 12 or JAN to DEC."),
        ("cron(0 0 ? * 8 *)", "the day of week '8' is not 1 to 7 or SUN to SAT."),
        ("cron(0 0 ? * TUE#6 *)", "the number after # is 1 to 5, as in TUE#3."),
        ("cron(0 0 ? * TUE# *)", "the number after # is 1 to 5, as in TUE#3."),
        ("cron(0 0 30 2 ? *)", "no day ever matches."),
        ("cron(0 0 29 2 ? *)", "rotations must not be more than a year apart."),
        ("cron(0 0 ? 2 MON#5 *)", "rotations must not be more than a year apart."),
        ("cron(0 /3 * * ? *)", "rotations must be at least 4 hours apart, across midnight too."),
        ("cron(0 0/7 * * ? *)", "rotations must be at least 4 hours apart, across midnight too."),
    ],
)
def test_a_bad_expression_is_refused_with_the_reason(expression: str, reason: str) -> None:
    with pytest.raises(InvalidParameterException) as refused:
        parse_schedule(expression)
    assert refused.value.message == f"The ScheduleExpression {expression!r} is not valid: {reason}"


def test_a_short_gap_over_midnight_does_not_matter_where_no_two_days_follow() -> None:
    assert starts("cron(0 0/7 ? * SAT *)", 5)[3:] == ["2026-02-07 21", "2026-02-14 00"]


@pytest.mark.parametrize(
    ("expression", "duration", "reason"),
    [
        (
            "rate(4 hours)",
            "5h",
            "windows open 4 hours apart, and a window must not extend into the next one.",
        ),
        (
            "rate(1 day)",
            "25h",
            "windows open 24 hours apart, and a window must not extend into the next one.",
        ),
        ("rate(2 days)", "25h", "a window opens at 00:00 UTC, and it must not extend into the next UTC day."),
        (
            "cron(0 /8 * * ? *)",
            "9h",
            "windows open 8 hours apart, and a window must not extend into the next one.",
        ),
        (
            "cron(0 18 ? * SAT *)",
            "7h",
            "a window opens at 18:00 UTC, and it must not extend into the next UTC day.",
        ),
        ("rate(1 day)", "0h", "give whole hours, at least one, such as 3h."),
        ("rate(1 day)", "3", "give whole hours, at least one, such as 3h."),
    ],
)
def test_a_duration_that_does_not_fit_is_refused(expression: str, duration: str, reason: str) -> None:
    with pytest.raises(InvalidParameterException) as refused:
        parse_duration(duration, parse_schedule(expression))
    assert refused.value.message == f"The Duration {duration!r} is not valid: {reason}"


@pytest.mark.parametrize(
    ("expression", "duration", "hours"),
    [("rate(4 hours)", "4h", 4), ("cron(0 /8 * * ? *)", "8h", 8), ("cron(0 18 ? * SAT *)", "6h", 6)],
)
def test_the_longest_duration_that_fits_is_taken(expression: str, duration: str, hours: int) -> None:
    assert parse_duration(duration, parse_schedule(expression)) == hours


def moments(first_year: int, years: int) -> st.SearchStrategy[dt.datetime]:
    first = dt.datetime(first_year, 1, 1, tzinfo=dt.UTC)
    return st.integers(0, years * 365 * 86_400_000).map(lambda n: first + dt.timedelta(milliseconds=n))


Named = tuple[str, Callable[[dt.date], bool]]


def last_day(date: dt.date) -> bool:
    return (date + dt.timedelta(days=1)).day == 1


def sunday_first(date: dt.date) -> int:
    return date.isoweekday() % 7


@st.composite
def month_days(draw: st.DrawFn) -> Named:
    low, high = sorted((draw(st.integers(1, 31)), draw(st.integers(1, 31))))
    step, weekday = draw(st.integers(1, 31)), draw(st.integers(0, 6))
    named: Named = draw(
        st.sampled_from(
            [
                ("*", lambda date: True),
                (f"{low}", lambda date: date.day == low),
                (f"{low},{high},L", lambda date: date.day in (low, high) or last_day(date)),
                (f"{low}-{high}", lambda date: low <= date.day <= high),
                (f"{low}/{step}", lambda date: date.day >= low and (date.day - low) % step == 0),
                (f"*/{step}", lambda date: (date.day - 1) % step == 0),
                (
                    f"{WEEKDAY_NAMES[weekday]}L",
                    lambda date: (
                        sunday_first(date) == weekday and (date + dt.timedelta(days=7)).month != date.month
                    ),
                ),
            ]
        )
    )
    return f"{named[0]} {{}} ?", named[1]


@st.composite
def week_days(draw: st.DrawFn) -> Named:
    low, high = sorted((draw(st.integers(0, 6)), draw(st.integers(0, 6))))
    which = draw(st.integers(1, 5))
    named: Named = draw(
        st.sampled_from(
            [
                ("*", lambda date: True),
                (WEEKDAY_NAMES[low], lambda date: sunday_first(date) == low),
                (f"{low + 1}-{WEEKDAY_NAMES[high]}", lambda date: low <= sunday_first(date) <= high),
                (f"{low + 1},L", lambda date: sunday_first(date) in (low, 6)),
                (f"{low + 1}/2", lambda date: sunday_first(date) in range(low, 7, 2)),
                (
                    f"{WEEKDAY_NAMES[low]}#{which}",
                    lambda date: (
                        sunday_first(date) == low
                        and sum(sunday_first(date.replace(day=day)) == low for day in range(1, date.day + 1))
                        == which
                    ),
                ),
            ]
        )
    )
    return f"? {{}} {named[0]}", named[1]


@st.composite
def months(draw: st.DrawFn) -> tuple[str, frozenset[int]]:
    low, high = sorted((draw(st.integers(1, 12)), draw(st.integers(1, 12))))
    step = draw(st.integers(1, 12))
    named: tuple[str, frozenset[int]] = draw(
        st.sampled_from(
            [
                ("*", frozenset(range(1, 13))),
                (f"{low}", frozenset({low})),
                (f"{MONTH_NAMES[low - 1]}-{high}", frozenset(range(low, high + 1))),
                (f"{low}/{step}", frozenset(range(low, 13, step))),
                (f"{low},{MONTH_NAMES[high - 1]}", frozenset({low, high})),
            ]
        )
    )
    return named


@st.composite
def day_hours(draw: st.DrawFn) -> tuple[str, list[int]]:
    low, step = draw(st.integers(0, 23)), draw(st.integers(1, 23))
    named: tuple[str, list[int]] = draw(
        st.sampled_from([(f"{low}", [low]), (f"{low}/{step}", list(range(low, 24, step)))])
    )
    return named


@settings(max_examples=60, deadline=None)
@given(
    days=st.one_of(month_days(), week_days()),
    months=months(),
    hours=day_hours(),
    after=moments(2001, years=19),
)
def test_cron_agrees_with_looking_at_every_hour(
    days: Named, months: tuple[str, frozenset[int]], hours: tuple[str, list[int]], after: dt.datetime
) -> None:
    expression = f"cron(0 {hours[0]} {days[0].format(months[0])} *)"
    first = dt.date(2001, 1, 1)
    expected = [
        dt.datetime.combine(date, dt.time(hour), tzinfo=dt.UTC)
        for date in (first + dt.timedelta(days=n) for n in range(28 * 365 + 7))
        if date.month in months[1] and days[1](date)
        for hour in hours[1]
    ]
    # Weekdays and leap years are the same again after 28 years.
    later_cycle = [each + dt.timedelta(days=28 * 365 + 7) for each in expected]
    if expected:
        cycle = [*expected, later_cycle[0]]
        gaps = [later - earlier for earlier, later in pairwise(cycle)]
        day_gaps = [later.date() - earlier.date() for earlier, later in pairwise(cycle)]
    if not expected or min(gaps) < 4 * HOUR or max(day_gaps) > dt.timedelta(days=371):
        with pytest.raises(InvalidParameterException):
            parse_schedule(expression)
        return
    schedule = parse_schedule(expression)
    found = [start for start, _ in islice(windows(schedule, None, after), 12)]
    assert found == [start for start in [*expected, *later_cycle] if start > after][:12]
    assert dt.timedelta(days=automatically_after_days(schedule)) >= max(gaps)


@settings(max_examples=100, deadline=None)
@given(
    rate=st.one_of(
        st.integers(4, 24_000).map(lambda n: f"rate({n} hours)"),
        st.integers(1, 1000).map(lambda n: f"rate({n} days)"),
    ),
    after=moments(2000, years=100),
)
def test_rate_windows_lie_ahead_evenly_and_do_not_touch(rate: str, after: dt.datetime) -> None:
    schedule = parse_schedule(rate)
    found = list(islice(windows(schedule, None, after), 6))
    gaps = {later[0] - earlier[0] for earlier, later in pairwise(found)}
    assert found[0][0] > after
    assert len(gaps) == 1
    assert gaps.pop() >= 4 * HOUR
    assert all(earlier[1] <= later[0] for earlier, later in pairwise(found))
    assert after < next_rotation_date(schedule, None, after) < found[0][1]


@settings(max_examples=150, deadline=None)
@given(
    expression=st.one_of(
        st.integers(4, 2_000).map(lambda n: f"rate({n} hours)"),
        st.integers(1, 1000).map(lambda n: f"rate({n} days)"),
        st.sampled_from(
            [
                "cron(0 /8 * * ? *)",
                "cron(0 10 * * ? *)",
                "cron(0 18 ? * SAT *)",
                "cron(0 0 1 * ? *)",
                "cron(0 23 L * ? *)",
                "cron(0 1 ? 1/3 SUN#1 *)",
            ]
        ),
    ),
    duration=st.sampled_from([None, 1]),
    after=moments(2000, years=100),
)
def test_the_window_of_a_next_date_is_found_again(
    expression: str, duration: int | None, after: dt.datetime
) -> None:
    schedule = parse_schedule(expression)
    last_second = next_rotation_date(schedule, duration, after)
    assert window_ending(schedule, duration, last_second) == next(windows(schedule, duration, after))


@pytest.mark.parametrize(("hours", "spread"), [(24, 60), (1, 30), (3, 60)])
def test_rotations_are_spread_over_the_beginning_of_a_window(hours: int, spread: int) -> None:
    window = (TUESDAY, TUESDAY + hours * HOUR)
    moments = [moment_within(window, f"secret-{number}") for number in range(2000)]
    assert moments == [moment_within(window, f"secret-{number}") for number in range(2000)]
    assert all(window[0] <= moment < window[0] + dt.timedelta(minutes=spread) for moment in moments)
    by_tenth = [0] * 10
    for moment in moments:
        by_tenth[int((moment - window[0]) / dt.timedelta(minutes=spread) * 10)] += 1
    assert all(130 < each < 270 for each in by_tenth), by_tenth

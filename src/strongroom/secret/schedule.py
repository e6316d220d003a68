"""Rotation schedules: `rate()` and the six-field `cron()`, and the windows they open. All times are UTC.

A window is [open, close): rotation may happen at any moment of it. Texts of refusals are ours, AWS's are
not on record. Source: fact sheet rotation section 2.
"""

from __future__ import annotations

import calendar
import datetime as dt
import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, NoReturn, TypeAlias

from strongroom.errors import InvalidParameterException

MIN_GAP_HOURS: Final = 4
"""A secret can be rotated as often as every four hours."""
MAX_RATE_DAYS: Final = 1000
"""The upper bound of AutomaticallyAfterDays, taken for `rate()` too."""
MAX_CRON_GAP_DAYS: Final = 371
"""A year: 53 weeks, so that "the first Monday of January" is once a year in every year."""
DAY_HOURS: Final = 24
SECOND: Final = dt.timedelta(seconds=1)
MAX_SPREAD: Final = dt.timedelta(hours=1)
"""Over how much of a window rotations are spread at most."""

_INVALID: Final = "The ScheduleExpression {!r} is not valid: {}"
_INVALID_DURATION: Final = "The Duration {!r} is not valid: {}"

_MONTHS: Final[Mapping[str, int]] = {
    name: number
    for number, name in enumerate(
        ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"), 1
    )
}
_WEEKDAYS: Final[Mapping[str, int]] = {
    name: number for number, name in enumerate(("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"), 1)
}
_NO_NAMES: Final[Mapping[str, int]] = {}
_SATURDAY: Final = 7

_RATE: Final = re.compile(r"rate\( *([0-9]+) +(hours?|days?) *\)")
_CRON: Final = re.compile(r"cron\((.*)\)")
_DURATION: Final = re.compile(r"([0-9]{1,2})h")

# The Gregorian calendar from 1901 to 2099 repeats every 28 years: what holds in one cycle holds in all.
_CYCLE_START: Final = 2001
_CYCLE_YEARS: Final = 28
_CYCLE_DAYS: Final = 28 * 365 + 7

Window: TypeAlias = tuple[dt.datetime, dt.datetime]


@dataclass(frozen=True, slots=True)
class Rate:
    """Every so many hours, or every so many days when `hours` is a multiple of 24 and `in_days` is set."""

    hours: int
    in_days: bool


@dataclass(frozen=True, slots=True)
class Days:
    """Which days of a month a cron expression names; a day any part names counts. Sunday is 1."""

    numbers: frozenset[int] = frozenset()
    last: bool = False
    """The month's last day."""
    weekdays: frozenset[int] = frozenset()
    nth_weekdays: frozenset[tuple[int, int]] = frozenset()
    """(weekday, which one of the month)."""
    last_weekdays: frozenset[int] = frozenset()
    """The month's last Sunday, Monday, …"""

    def of_month(self, first_weekday: int, length: int) -> list[int]:
        """Return the days named, ascending, of a month that begins on `first_weekday`."""
        named = []
        for day in range(1, length + 1):
            weekday = (first_weekday + day - 2) % 7 + 1
            if (
                day in self.numbers
                or (self.last and day == length)
                or weekday in self.weekdays
                or (weekday, (day - 1) // 7 + 1) in self.nth_weekdays
                or (weekday in self.last_weekdays and day + 7 > length)
            ):
                named.append(day)
        return named


@dataclass(frozen=True, slots=True)
class Cron:
    """At these hours of these days of these months."""

    hours: tuple[int, ...]
    """Ascending, at least one."""
    days: Days
    months: frozenset[int]
    shortest_gap_hours: int
    longest_gap_hours: int


Schedule: TypeAlias = Rate | Cron


def parse_schedule(expression: str) -> Schedule:
    """Return what a ScheduleExpression says.

    Raises:
        InvalidParameterException: neither `rate()` nor `cron()`; a field out of its bounds; windows closer
            than 4 hours or further apart than a year (`rate()`: 1000 days), or none at all.
    """
    rate = _RATE.fullmatch(expression)
    if rate is not None:
        return _parse_rate(expression, int(rate[1]), rate[2].startswith("day"))
    cron = _CRON.fullmatch(expression)
    if cron is None:
        _refuse(
            expression, "use rate(<number> <hours|days>) or cron(0 <hours> <days> <months> <weekdays> *)."
        )
    return _parse_cron(expression, cron[1].split())


def every_days(days: int) -> Rate:
    """Return the schedule of AutomaticallyAfterDays: the same as `rate(<days> days)`."""
    return Rate(days * DAY_HOURS, in_days=True)


def parse_duration(text: str, schedule: Schedule) -> int:
    """Return the hours a window stays open.

    Raises:
        InvalidParameterException: not `<hours>h`; or windows would reach the next one or the next UTC day.
    """
    match = _DURATION.fullmatch(text)
    hours = 0 if match is None else int(match[1])
    if hours == 0:
        raise InvalidParameterException(
            _INVALID_DURATION.format(text, "give whole hours, at least one, such as 3h.")
        )
    if isinstance(schedule, Cron):
        latest, gap = schedule.hours[-1], schedule.shortest_gap_hours
    else:
        latest, gap = 0, schedule.hours
    if hours > gap:
        raise InvalidParameterException(
            _INVALID_DURATION.format(
                text, f"windows open {gap} hours apart, and a window must not extend into the next one."
            )
        )
    if latest + hours > DAY_HOURS:
        raise InvalidParameterException(
            _INVALID_DURATION.format(
                text,
                f"a window opens at {latest:02}:00 UTC, and it must not extend into the next UTC day.",
            )
        )
    return hours


def windows(schedule: Schedule, duration: int | None, after: dt.datetime) -> Iterator[Window]:
    """Yield the windows that open later than `after`, in order, for as long as the calendar goes.

    `after` is the last rotation, or the moment the schedule was set; `rate()` in days counts from its date.
    `duration` is in hours; None is the default: 1 hour for a schedule in hours, else the rest of the UTC
    day. No window goes beyond its UTC day.
    """
    after = after.astimezone(dt.UTC)
    starts = _cron_starts(schedule, after) if isinstance(schedule, Cron) else _rate_starts(schedule, after)
    hourly = len(schedule.hours) > 1 if isinstance(schedule, Cron) else not schedule.in_days
    length = dt.timedelta(hours=(1 if hourly else DAY_HOURS) if duration is None else duration)
    try:
        for start in starts:
            midnight = start.replace(hour=0) + dt.timedelta(days=1)
            yield start, min(start + length, midnight)
    except OverflowError:
        # The year 9999 has ended.
        return


def next_rotation_date(schedule: Schedule, duration: int | None, after: dt.datetime) -> dt.datetime:
    """Return the last second of the next window: the latest moment of the next rotation."""
    _, close = next(windows(schedule, duration, after))
    return close - SECOND


def window_ending(schedule: Schedule, duration: int | None, last_second: dt.datetime) -> Window:
    """Return the window that `next_rotation_date` gave the end of."""
    closes = last_second.astimezone(dt.UTC) + SECOND
    midnight = last_second.astimezone(dt.UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if isinstance(schedule, Cron) or not schedule.in_days:
        for window in windows(schedule, duration, midnight - SECOND):
            if window[1] == closes:
                return window
            if window[1] > closes:
                break
    return midnight, closes


def moment_within(window: Window, name: str) -> dt.datetime:
    """Return when in a window the secret called `name` (its ARN) is rotated: always at the same place of it.

    What many windows open at is spread over their first halves, an hour at most, so that not everything
    starts at midnight.
    """
    opens, closes = window
    spread = min((closes - opens) / 2, MAX_SPREAD)
    place = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8]) / (1 << 64)
    return opens + spread * place


def automatically_after_days(schedule: Schedule) -> int:
    """Return the longest time between two rotations, in days rounded up: what Describe shows beside the
    expression."""
    hours = schedule.longest_gap_hours if isinstance(schedule, Cron) else schedule.hours
    return -(-hours // DAY_HOURS)


def _parse_rate(expression: str, value: int, in_days: bool) -> Rate:
    hours = value * DAY_HOURS if in_days else value
    if hours < MIN_GAP_HOURS:
        _refuse(expression, f"the rate must be at least {MIN_GAP_HOURS} hours.")
    if hours > MAX_RATE_DAYS * DAY_HOURS:
        _refuse(expression, f"the rate must be at most {MAX_RATE_DAYS} days.")
    return Rate(hours, in_days)


def _parse_cron(expression: str, fields: Sequence[str]) -> Cron:
    if len(fields) != 6:
        _refuse(
            expression,
            "cron() has six fields: minutes, hours, day of month, month, day of week, year.",
        )
    minutes, hours_field, month_days, months_field, week_days, year = (each.upper() for each in fields)
    if minutes != "0":
        _refuse(expression, "the minutes must be 0.")
    if year != "*":
        _refuse(expression, "the year must be *.")
    if (month_days == "?") == (week_days == "?"):
        _refuse(expression, "exactly one of day of month and day of week must be ?.")
    if not re.fullmatch(r"[0-9]+|[0-9]*/[0-9]+", hours_field):
        _refuse(expression, "the hours are one hour from 0 to 23, or an increment such as 2/10 or /8.")
    hours = _numbers(expression, "hour", hours_field, 0, 23, _NO_NAMES)
    months = _numbers(expression, "month", months_field, 1, 12, _MONTHS)
    days = _month_days(expression, month_days) if week_days == "?" else _week_days(expression, week_days)
    return _with_gaps(expression, tuple(sorted(hours)), days, months)


def _month_days(expression: str, field: str) -> Days:
    """Parse the day-of-month field."""
    plain, last, last_weekdays = [], False, set()
    for item in field.split(","):
        if item == "L":
            last = True
        elif item.endswith("L") and item[:-1] in _WEEKDAYS:
            last_weekdays.add(_WEEKDAYS[item[:-1]])
        else:
            plain.append(item)
    numbers = _numbers(expression, "day of month", ",".join(plain), 1, 31, _NO_NAMES) if plain else ()
    return Days(numbers=frozenset(numbers), last=last, last_weekdays=frozenset(last_weekdays))


def _week_days(expression: str, field: str) -> Days:
    """Parse the day-of-week field. `L` alone is the week's last day."""
    plain, nth, last_weekdays = [], set(), set()
    for item in field.split(","):
        day, mark, which = item.partition("#")
        if mark:
            if which not in ("1", "2", "3", "4", "5"):
                _refuse(expression, "the number after # is 1 to 5, as in TUE#3.")
            nth.add((_number(expression, "day of week", day, 1, 7, _WEEKDAYS), int(which)))
        elif item == "L":
            plain.append(str(_SATURDAY))
        elif item.endswith("L"):
            last_weekdays.add(_number(expression, "day of week", item[:-1], 1, 7, _WEEKDAYS))
        else:
            plain.append(item)
    weekdays = _numbers(expression, "day of week", ",".join(plain), 1, 7, _WEEKDAYS) if plain else ()
    return Days(
        weekdays=frozenset(weekdays), nth_weekdays=frozenset(nth), last_weekdays=frozenset(last_weekdays)
    )


def _numbers(
    expression: str, field: str, text: str, low: int, high: int, names: Mapping[str, int]
) -> frozenset[int]:
    """Parse a list of values, ranges and increments: `1,15`, `MON-FRI`, `*`, `1/3`, `/2`, `1-10/2`."""
    found: set[int] = set()
    for item in text.split(","):
        span, slash, step_text = item.partition("/")
        step = 1
        if slash:
            step = _number(expression, f"{field} increment", step_text, 1, max(high, 1), _NO_NAMES)
        first, dash, last = span.partition("-")
        if span == "*" or (slash and not span):
            start, end = low, high
        elif dash:
            start = _number(expression, field, first, low, high, names)
            end = _number(expression, field, last, low, high, names)
            if start > end:
                _refuse(expression, f"the {field} range {span} runs backwards.")
        else:
            start = _number(expression, field, span, low, high, names)
            end = high if slash else start
        found.update(range(start, end + 1, step))
    return frozenset(found)


def _number(expression: str, field: str, text: str, low: int, high: int, names: Mapping[str, int]) -> int:
    if text in names:
        return names[text]
    if not re.fullmatch(r"[0-9]{1,4}", text) or not low <= int(text) <= high:
        spelled = (
            f" or {min(names, key=names.__getitem__)} to {max(names, key=names.__getitem__)}" if names else ""
        )
        _refuse(expression, f"the {field} {text!r} is not {low} to {high}{spelled}.")
    return int(text)


def _with_gaps(expression: str, hours: tuple[int, ...], days: Days, months: frozenset[int]) -> Cron:
    """Return the schedule, measured over a whole cycle of the calendar."""
    ordinals = list(_cycle(days, months))
    if not ordinals:
        _refuse(expression, "no day ever matches.")
    ordinals.append(ordinals[0] + _CYCLE_DAYS)
    day_gaps = [later - earlier for earlier, later in pairwise(ordinals)]
    if max(day_gaps) > MAX_CRON_GAP_DAYS:
        _refuse(expression, "rotations must not be more than a year apart.")
    within_day = [later - earlier for earlier, later in pairwise(hours)]
    overnight = hours[0] - hours[-1]
    shortest = min([*within_day, min(day_gaps) * DAY_HOURS + overnight])
    longest = max([*within_day, max(day_gaps) * DAY_HOURS + overnight])
    if shortest < MIN_GAP_HOURS:
        _refuse(expression, f"rotations must be at least {MIN_GAP_HOURS} hours apart, across midnight too.")
    return Cron(hours, days, months, shortest, longest)


def _cycle(days: Days, months: frozenset[int]) -> Iterator[int]:
    """Yield the ordinals of all days named in one cycle of the calendar."""
    # A month is one of 28 kinds, by its first weekday and its length.
    known: dict[tuple[int, int], list[int]] = {}
    for year in range(_CYCLE_START, _CYCLE_START + _CYCLE_YEARS):
        for month in sorted(months):
            kind = _kind(year, month)
            if kind not in known:
                known[kind] = days.of_month(*kind)
            before = dt.date(year, month, 1).toordinal() - 1
            for day in known[kind]:
                yield before + day


def _kind(year: int, month: int) -> tuple[int, int]:
    """Return a month's first weekday (Sunday is 1) and its length."""
    first, length = calendar.monthrange(year, month)
    return (first + 1) % 7 + 1, length


def _cron_starts(schedule: Cron, after: dt.datetime) -> Iterator[dt.datetime]:
    for year in range(after.year, dt.MAXYEAR + 1):
        for month in sorted(schedule.months):
            if (year, month) < (after.year, after.month):
                continue
            for day in schedule.days.of_month(*_kind(year, month)):
                for hour in schedule.hours:
                    start = dt.datetime(year, month, day, hour, tzinfo=dt.UTC)
                    if start > after:
                        yield start


def _rate_starts(schedule: Rate, after: dt.datetime) -> Iterator[dt.datetime]:
    step = dt.timedelta(hours=schedule.hours)
    if schedule.in_days:
        start = after.replace(hour=0, minute=0, second=0, microsecond=0)
    else:
        # Steps are counted from a fixed midnight, so that they stay even however late a rotation was.
        origin = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
        start = origin + (after - origin) // step * step
    while True:
        start += step
        yield start


def _refuse(expression: str, reason: str) -> NoReturn:
    raise InvalidParameterException(_INVALID.format(expression, reason))

"""Working hours: what their texts mean on a calendar, and what they are not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from holdpoint.engine.errors import Invalid
from holdpoint.simulation.hours import DAY, NEVER, SECOND, Shifts, parse_hours

ROME = ZoneInfo("Europe/Rome")
MONDAY = datetime(2026, 1, 5, tzinfo=UTC)  # 01:00 in Rome
HOUR = 3_600 * SECOND


def test_people_work_in_their_own_zone() -> None:
    shifts = Shifts(parse_hours("mon-fri 09:00-17:00", ROME), MONDAY, 7 * DAY)

    assert [shifts.is_on(hour * HOUR) for hour in (7, 8, 15, 16)] == [False, True, True, False]
    assert not shifts.is_on(5 * DAY + 10 * HOUR)
    assert shifts.worked(7 * DAY) == 40 * HOUR


def test_work_goes_on_where_it_was_left_the_evening_before() -> None:
    shifts = Shifts(parse_hours("mon-fri 09:00-17:00", ROME), MONDAY, 14 * DAY)

    assert shifts.after(15 * HOUR, 2 * HOUR) == DAY + 9 * HOUR
    assert shifts.after(4 * DAY + 15 * HOUR, 2 * HOUR) == 7 * DAY + 9 * HOUR
    assert shifts.after(0, 1) == 8 * HOUR + 1
    assert shifts.after(12 * HOUR, 0) == 12 * HOUR


def test_the_next_time_on_duty_is_now_or_when_hours_begin_again() -> None:
    shifts = Shifts(parse_hours("mon-fri 09:00-17:00", ROME), MONDAY, 7 * DAY)

    times = [shifts.next_on(shifts.starts[0] + after * 3_600 * SECOND) - shifts.starts[0] for after in (-1, 3, 8, 9)]

    assert times == [0, 3 * 3_600 * SECOND, DAY, DAY]
    assert shifts.next_on(60 * DAY) == NEVER


def test_work_that_the_calendar_does_not_hold_never_ends() -> None:
    shifts = Shifts(parse_hours("mon 09:00-10:00", ROME), MONDAY, 7 * DAY)

    assert shifts.after(0, 100 * HOUR) == NEVER


def test_a_working_day_keeps_its_clock_time_when_the_clocks_change() -> None:
    friday = datetime(2026, 3, 27, tzinfo=UTC)
    shifts = Shifts(parse_hours("always", ROME), friday, 7 * DAY)
    days = Shifts(parse_hours("mon-sun 09:00-17:00", ROME), friday, 7 * DAY)

    assert [friday + timedelta(microseconds=at) for at in days.starts[1:3]] == [
        datetime(2026, 3, 28, 8, tzinfo=UTC),
        datetime(2026, 3, 29, 7, tzinfo=UTC),
    ]
    assert len(shifts.starts) == 1


def test_a_day_has_the_spans_that_it_is_given() -> None:
    hours = parse_hours("mon-thu 09:00-12:00 13:00-17:00, fri 09:00-12:00", ROME)

    assert hours.week[0] == ((540, 720), (780, 1_020))
    assert hours.week[4] == ((540, 720),)
    assert hours.week[5] == ()
    assert hours.minutes_a_day == (4 * 420 + 180) / 5


def test_days_of_a_list_share_the_times_behind_it() -> None:
    hours = parse_hours("tue,thu-fri 10:00-12:00 14:00-15:00, sat 09:00-10:00", ROME)

    assert hours.week == ((), ((600, 720), (840, 900)), (), *2 * (((600, 720), (840, 900)),), ((540, 600),), ())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("mon-fri", "has no times"),
        ("mon 09:00-17:00, tue", "'tue' has no times"),
        ("mon,", "'' is not a day"),
        ("mod 09:00-17:00", "'mod' is not a day; did you mean 'mon'"),
        ("fri-mon 09:00-17:00", "ends before it begins"),
        ("mon 17:00-09:00", "begins before it ends"),
        ("mon 9-17", "is not a span of a day"),
        ("mon 09:00-12:00 11:00-13:00", "overlap"),
        ("", "are a text"),
    ],
)
def test_what_are_no_hours_is_refused(text: str, said: str) -> None:
    with pytest.raises(Invalid, match=said):
        parse_hours(text, ROME)

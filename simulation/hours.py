"""Working hours: their text, and the times that they mean over one stretch of the calendar.

All times here are whole microseconds from the beginning of a simulation.
"""

from __future__ import annotations

import itertools
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from holdpoint.engine.errors import Invalid, did_you_mean

SECOND = 1_000_000
DAY = 86_400 * SECOND
NEVER = 2**62
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_SPAN = re.compile(r"(\d\d):(\d\d)-(\d\d):(\d\d)", re.ASCII)
_MINUTES = 24 * 60
ALLOWED = "write e.g. 'mon-fri 09:00-17:00', 'mon-thu 09:00-12:00 13:00-17:00, fri 09:00-12:00' or 'always'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hours:
    """When people work: for each day of the week, from Monday, spans in minutes of the local day."""

    text: str
    week: tuple[tuple[tuple[int, int], ...], ...]
    zone: ZoneInfo

    @property
    def minutes_a_day(self) -> float:
        """The length of a day that has hours, on average."""
        days = [sum(end - start for start, end in spans) for spans in self.week if spans]
        return sum(days) / len(days)


def parse_hours(text: object, zone: ZoneInfo) -> Hours:
    """The hours that a text says, in a time zone. Raises `Invalid`."""
    if not isinstance(text, str) or not text.strip():
        raise Invalid(f"working hours are a text; {ALLOWED}", code="hours")
    if text.strip() == "always":
        return Hours(text="always", week=(((0, _MINUTES),),) * 7, zone=zone)
    week: list[list[tuple[int, int]]] = [[] for _ in DAYS]
    days: list[int] = []  # those that the next times are for
    for part in text.split(","):
        names, *spans = part.split() or [""]
        days += _days(names)
        for day in days if spans else ():
            week[day] += [_span(span) for span in spans]
        days = [] if spans else days
    if days:
        raise Invalid(f"{text.rpartition(',')[2].strip()!r} has no times; {ALLOWED}", code="hours")
    return Hours(text=text.strip(), week=tuple(_in_order(spans) for spans in week), zone=zone)


def parse_zone(name: object) -> ZoneInfo:
    """The time zone of that name. Raises `Invalid`."""
    try:
        return ZoneInfo(str(name))
    except (ValueError, OSError, LookupError):
        raise Invalid(f"{name!r} is not a time zone; write e.g. Europe/Rome", code="timezone") from None


class Shifts:
    """The stretches of one calendar in which somebody works, from *start* for *length* microseconds and some more."""

    __slots__ = ("_before", "ends", "starts")

    def __init__(self, hours: Hours, start: datetime, length: int) -> None:
        spans = list(_merged(_spans(hours, start, length + 7 * DAY)))
        self.starts: Sequence[int] = [begin for begin, _ in spans]
        self.ends: Sequence[int] = [end for _, end in spans]
        self._before = [0]
        for begin, end in spans:
            self._before.append(self._before[-1] + end - begin)

    def is_on(self, at: int) -> bool:
        """Whether somebody works at that time."""
        index = bisect_right(self.starts, at) - 1
        return index >= 0 and at < self.ends[index]

    def next_on(self, at: int) -> int:
        """When somebody first works from that time on; `NEVER` where nobody does any more."""
        index = bisect_right(self.ends, at)
        return max(at, self.starts[index]) if index < len(self.starts) else NEVER

    def worked(self, at: int) -> int:
        """How much of the time before *at* is working time."""
        index = bisect_right(self.starts, at) - 1
        return 0 if index < 0 else self._before[index] + min(at, self.ends[index]) - self.starts[index]

    def after(self, at: int, work: int) -> int:
        """When so much work is done that begins at *at*; `NEVER` where the stretch ends before."""
        return self.when(self.worked(at) + work) if work else at

    def when(self, worked: int) -> int:
        """When so much working time is over."""
        index = bisect_left(self._before, worked)
        if index >= len(self._before):
            return NEVER
        return self.ends[index - 1] - (self._before[index] - worked) if index else self.starts[0]


def _days(names: str) -> Sequence[int]:
    first, _, last = names.lower().partition("-")
    for name in (first, last or first):
        if name not in DAYS:
            hint = did_you_mean(name, DAYS) or f"days are {', '.join(DAYS)}"
            raise Invalid(f"{name!r} is not a day; {hint}", code="hours")
    begin, end = DAYS.index(first), DAYS.index(last or first)
    if end < begin:
        raise Invalid(f"{names!r} ends before it begins; write two parts, with a comma", code="hours")
    return range(begin, end + 1)


def _span(text: str) -> tuple[int, int]:
    match = _SPAN.fullmatch(text)
    if match is None:
        raise Invalid(f"{text!r} is not a span of a day; {ALLOWED}", code="hours")
    hours = [int(number) for number in match.groups()]
    start, end = hours[0] * 60 + hours[1], hours[2] * 60 + hours[3]
    if max(hours[1], hours[3]) > 59 or end > _MINUTES or start >= end:
        raise Invalid(f"{text!r} is not a span of a day: it begins before it ends, by 24:00", code="hours")
    return start, end


def _in_order(spans: list[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    ordered = sorted(spans)
    for one, other in itertools.pairwise(ordered):
        if other[0] < one[1]:
            raise Invalid("two spans of a day overlap; write each hour once", code="hours")
    return tuple(ordered)


def _spans(hours: Hours, start: datetime, length: int) -> Iterator[tuple[int, int]]:
    day = start.astimezone(hours.zone).date() - timedelta(days=1)
    while _since(start, day, 0, hours.zone) < length:
        for begin, end in hours.week[day.weekday()]:
            opened, closed = (_since(start, day, minute, hours.zone) for minute in (begin, end))
            if closed > 0 and opened < closed:
                yield max(opened, 0), closed
        day += timedelta(days=1)


def _since(start: datetime, day: date, minute: int, zone: ZoneInfo) -> int:
    """Microseconds from *start* to a local time."""
    wall = datetime.combine(day, time(0), zone) + timedelta(minutes=minute)
    return (wall.astimezone(UTC) - start) // timedelta(microseconds=1)


def _merged(spans: Iterator[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """The spans, two that touch as one."""
    open_span: tuple[int, int] | None = None
    for begin, end in spans:
        if open_span is not None and begin <= open_span[1]:
            open_span = (open_span[0], max(end, open_span[1]))
            continue
        if open_span is not None:
            yield open_span
        open_span = (begin, end)
    if open_span is not None:
        yield open_span

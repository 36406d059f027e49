"""When runs start: the times of one replication, drawn from a plan."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import accumulate, count

from holdpoint.engine.errors import Invalid
from holdpoint.simulation.draws import Stream
from holdpoint.simulation.hours import SECOND, Shifts
from holdpoint.simulation.plan import MAX_ARRIVALS, SECONDS, Arrivals

HOUR = 3_600 * SECOND


def arrivals_of(arrivals: Arrivals, start: datetime, length: int, stream: Stream) -> list[int]:
    """The times at which runs start, in microseconds from *start*, all before *length*. Raises `Invalid` for too many.

    A Poisson process of rate 1, or its fixed twin, whose time is stretched to that of the plan.
    """
    if arrivals.times is not None:
        return [round(time * SECOND) for time in arrivals.times if 0 <= time * SECOND < length]
    clock = _Weekly(arrivals, start, length) if arrivals.week else _Hourly(arrivals, start, length)
    if clock.expected > MAX_ARRIVALS:
        raise Invalid(f"arrivals: more than {MAX_ARRIVALS:,} runs; simulate fewer days or a lower rate", code="rate")
    return list(_stretched(clock, arrivals.is_fixed, length, stream))


def _stretched(clock: _Weekly | _Hourly, is_fixed: bool, length: int, stream: Stream) -> Iterator[int]:
    passed = 0.0
    for number in count():
        passed += 1.0 if is_fixed else -math.log1p(-stream.uniform(f"arrival/{number}"))
        at = clock.when(passed)
        if at >= length:
            return
        yield at


class _Hourly:
    """A constant rate, within hours."""

    def __init__(self, arrivals: Arrivals, start: datetime, length: int) -> None:
        rate, hours = arrivals.rate, arrivals.hours
        seconds: float = SECONDS[rate.unit]
        if hours is not None and rate.unit == "d":
            seconds = hours.minutes_a_day * 60
        elif hours is not None and rate.unit == "w":
            seconds = sum(end - begin for spans in hours.week for begin, end in spans) * 60
        self._gap = seconds / rate.count * SECOND
        self._shifts = None if hours is None else Shifts(hours, start, length)
        self.expected = (length if self._shifts is None else self._shifts.worked(length)) / self._gap

    def when(self, passed: float) -> int:
        """When so many are expected to have come."""
        at = round(passed * self._gap)
        return at if self._shifts is None else self._shifts.when(at)


class _Weekly:
    """A rate for each hour of the week."""

    def __init__(self, arrivals: Arrivals, start: datetime, length: int) -> None:
        share = arrivals.rate.count * SECONDS["w"] / SECONDS[arrivals.rate.unit] / sum(arrivals.week)
        hours = range(length // HOUR + 2)
        local = ((start + timedelta(hours=hour)).astimezone(arrivals.zone) for hour in hours)
        expected = [arrivals.week[time.weekday() * 24 + time.hour] * share for time in local]
        self._expected = [0.0, *accumulate(expected)]
        self.expected = self._expected[-1]

    def when(self, passed: float) -> int:
        """When so many are expected to have come."""
        index = bisect_left(self._expected, passed)
        if index >= len(self._expected):
            return len(self._expected) * HOUR
        low, high = self._expected[index - 1], self._expected[index]
        return round((index - 1 + (passed - low) / (high - low)) * HOUR)

"""The one place that reads the system's clock."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeAlias

Clock: TypeAlias = Callable[[], datetime]
"""Gives the time as an aware datetime."""


def system_clock() -> datetime:
    """The system's time, in UTC."""
    return datetime.now(UTC)


def in_utc(clock: Clock) -> Clock:
    """A clock that gives the time of *clock* in UTC, and refuses one without a timezone."""

    def now() -> datetime:
        time = clock()
        if time.tzinfo is None:
            raise ValueError("the clock gave a time without a timezone")
        return time.astimezone(UTC)

    return clock if clock is system_clock else now

"""For those who test what they build on Holdpoint: a clock that moves when it is told to."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from holdpoint.engine.durations import parse_duration

if TYPE_CHECKING:
    from holdpoint.api import Engine


class Clock:
    """A clock that stands still until it is moved. Give it to `Engine(clock=…)`."""

    def __init__(self, start: datetime = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)) -> None:
        self._now = start

    def __call__(self) -> datetime:
        """The time that it shows."""
        return self._now

    def set(self, time: datetime) -> None:
        """Show another time, an earlier one too; nothing else happens."""
        self._now = time

    def advance(self, engine: Engine, duration: str) -> dict[str, int]:
        """Move on by *duration* (`5d`, `90s`) and stop for a tick at every due time on the way and at the end.

        Returns the counts of all these ticks together.
        """
        end = parse_duration(duration).after(self._now, ZoneInfo("UTC"))
        total: dict[str, int] = {}
        while True:
            due = engine.next_due()
            is_last = due is None or due > end
            self._now = end if is_last else max(self._now, due or end)
            counts = engine.tick()
            total = {name: total.get(name, 0) + count for name, count in counts.items()}
            if is_last:
                return total
            is_moved = any(count for name, count in counts.items() if name != "errors")
            if not is_moved and engine.next_due() == due:
                raise RuntimeError(f"what is due at {due} could not be applied")

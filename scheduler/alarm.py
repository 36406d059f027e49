"""APScheduler as the alarm clock: it wakes a function at the next due time, and at the latest after a sweep.

The stored deadlines are the truth; no job outlives this process, and a late one is never dropped. The library plans by
the wall clock, which may be set: so it never sleeps longer than a sweep, and when the clock has jumped it is armed
anew (faults.md, T1 to T3).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.jobstores.base import JobLookupError
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.date import DateTrigger
from apscheduler.triggers.interval import IntervalTrigger

from holdpoint.engine.clock import system_clock

_DUE, _SWEEP = "due", "sweep"
_SOONEST = datetime(1970, 1, 1, tzinfo=UTC)


class Alarm:
    """Calls *wake*, one call at a time, at the time that the call before gave, and every *sweep*."""

    def __init__(self, wake: Callable[[], datetime | None], sweep: timedelta) -> None:
        self._wake = wake
        self._ringing = threading.Lock()
        self._is_over = False
        self._scheduler = _Capped(sweep.total_seconds())
        self._scheduler.add_job(self._ring, IntervalTrigger(seconds=sweep.total_seconds()), id=_SWEEP)
        self.arm(_SOONEST)

    def start(self) -> None:
        """Begin; the first call comes at once."""
        self._scheduler.start()

    def stop(self) -> None:
        """Call no more, and wait for the call that is under way."""
        self._is_over = True
        # The library would wait with its lock held, and the call under way needs that lock to arm the next.
        self._scheduler.shutdown(wait=False)
        with self._ringing:
            pass

    def _ring(self) -> None:
        with self._ringing:
            if not self._is_over:
                self.arm(self._wake())

    def arm(self, due_at: datetime | None) -> None:
        """Ring at this time next, besides the sweeps; None leaves that to them."""
        if due_at is not None:
            self._scheduler.add_job(self._ring, DateTrigger(due_at), id=_DUE, replace_existing=True)


class _Capped(BackgroundScheduler):  # type: ignore[misc, unused-ignore]
    """APScheduler that looks at the clock at least every *cap* seconds, and takes a jump of the clock as a sweep."""

    def __init__(self, cap: float) -> None:
        super().__init__(
            timezone=UTC,
            executors={"default": ThreadPoolExecutor(1)},
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 2},
        )
        self._cap = cap
        self._seen = system_clock()

    def _process_jobs(self) -> float:
        try:
            return self._look()
        except JobLookupError:  # it was stopped meanwhile, and has no jobs any more
            return self._cap

    def _look(self) -> float:
        now = system_clock()
        # Back, the sweep would wait for its old time; forward, the library would count each one that was missed.
        if not self._seen <= now <= self._seen + timedelta(seconds=10 * self._cap):
            self.modify_job(_SWEEP, next_run_time=now)
        self._seen = now
        wait: float | None = super()._process_jobs()
        return self._cap if wait is None else min(wait, self._cap)

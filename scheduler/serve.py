"""The process that serves: an alarm for deadlines, and workers for the runs that are ready.

Any number of such processes, and of ticks, may run at once on one database.
"""

from __future__ import annotations

import json
import logging
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

from holdpoint.engine.errors import StoreError
from holdpoint.engine.loop import Loop
from holdpoint.engine.times import format_time
from holdpoint.scheduler.alarm import Alarm
from holdpoint.scheduler.tick import Take, Tally, apply_deadlines, do, work

SWEEP = timedelta(seconds=5)
WORKERS = 4
_log = logging.getLogger("holdpoint.serve")


class Server:
    """Applies deadlines as they fall due and advances runs, until it is stopped.

    *sweep* is how long what another process made ready may go unnoticed, and *workers* how many agents run at once.
    *health*, if given, is a file that says after each pass when it was and what it counted: a file that is older than
    a few sweeps means trouble.
    """

    def __init__(
        self, loop: Loop, *, sweep: timedelta = SWEEP, workers: int = WORKERS, health: Path | None = None
    ) -> None:
        self._loop = loop
        self._alarm = Alarm(self._wake, sweep)
        self._workers = ThreadPoolExecutor(workers, thread_name_prefix="holdpoint-worker")
        self._health = health
        self._tally = Tally()
        self._guard = threading.Lock()
        self._under_way: set[str] = set()
        self._stopping = threading.Event()

    @property
    def counts(self) -> dict[str, int]:
        """What was done since the start, as `tick` counts it."""
        return dict(self._tally.counts)

    def run(self) -> None:
        """Serve until `stop` is called, then let the agents that are at work finish."""
        self._alarm.start()
        self._stopping.wait()
        self._alarm.stop()
        self._workers.shutdown(wait=True, cancel_futures=True)

    def stop(self) -> None:
        """Ask `run` to come to its end; safe in a signal's handler and from any thread."""
        self._stopping.set()

    def _wake(self) -> datetime | None:
        """One pass; returns when the next deadline falls due."""
        try:
            looked_at = self._loop.now()
            apply_deadlines(self._loop, self._tally)
            for run_id, kind, take in work(self._loop):
                self._submit(run_id, kind, take)
            # What was due before was done, waits for a worker, or could not be: the sweep looks at it again.
            due_at = self._loop.store.next_due(looked_at)
        except Exception:  # the database may be back at the next sweep; until then the health file grows old
            self._tally.note_error("(all)")
            return None
        self._report()
        return due_at

    def _submit(self, run_id: str, kind: str, take: Take) -> None:
        with self._guard:
            if run_id in self._under_way or self._stopping.is_set():
                return
            self._under_way.add(run_id)
        self._workers.submit(self._work, run_id, kind, take)

    def _work(self, run_id: str, kind: str, take: Take) -> None:
        try:
            do(self._loop, self._tally, run_id, kind, take)
            # The run may have come to a deadline of its own.
            self._alarm.arm(self._loop.store.next_due(self._loop.now()))
        except StoreError:
            self._tally.note_error(run_id)
        finally:
            with self._guard:
                self._under_way.discard(run_id)

    def _report(self) -> None:
        if self._health is None:
            return
        text = json.dumps({"pid": os.getpid(), "at": format_time(self._loop.now()), "counts": self.counts})
        draft = self._health.with_name(f"{self._health.name}.{os.getpid()}")
        try:
            draft.write_text(text + "\n", encoding="utf-8")
            draft.replace(self._health)
        except OSError as error:
            _log.warning("health file %s cannot be written: %s", self._health, error.strerror)

"""One pass over all that is due: deadlines first, then what crashed, then what is ready (spec 4, `flow tick`).

Any number of passes may run at once: each thing is settled by compare-and-set, or taken under a lease.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from holdpoint.engine.errors import StoreError
from holdpoint.engine.loop import Loop
from holdpoint.engine.model import Expire, Step

COUNTS = (
    "defaults", "reminders", "escalations", "retries", "woken", "recovered", "advanced", "notified", "failed", "errors",
)  # fmt: skip
_BATCH = 100
_log = logging.getLogger("holdpoint.tick")


def tick(loop: Loop, limit: int | None = None) -> dict[str, int]:
    """Do at most *limit* things that are to be done now, and count them by kind."""
    return _Pass(loop, limit).run()


class _Pass:
    def __init__(self, loop: Loop, limit: int | None) -> None:
        self._loop = loop
        self._left = float("inf") if limit is None else limit
        self._counts = dict.fromkeys(COUNTS, 0)

    def run(self) -> dict[str, int]:
        self._apply_deadlines()
        for lease in self._loop.store.leases():
            self._work("recovered", lease.run_id, lambda lease=lease: self._loop.recover(lease))  # type: ignore[misc]
        self._take_up_ready()
        return self._counts

    def _apply_deadlines(self) -> None:
        """Apply what is due, in batches: one transaction each, and in it a savepoint for each request."""
        skipped: set[str] = set()
        while self._left > 0:
            due = self._loop.store.due(self._loop.now(), _BATCH + len(skipped))
            batch = [item for item in due if item[1] not in skipped][: int(min(_BATCH, self._left))]
            if not batch:
                return
            with self._loop.batch():
                # What is applied is no longer due; what could not be must not be tried for ever.
                skipped.update(request_id for run_id, request_id in batch if not self._expire(run_id, request_id))

    def _expire(self, run_id: str, request_id: str) -> bool:
        try:
            step = self._loop.apply(run_id, Expire(request_id=request_id))
        except StoreError:
            raise
        except Exception:  # one broken run must not keep the others from their defaults
            self._note_error(run_id)
            return False
        if step is not None:
            self._count("defaults", step)
        return step is not None

    def _take_up_ready(self) -> None:
        after: str | None = None
        while self._left > 0:
            batch = self._loop.store.ready(_BATCH, after)
            if not batch:
                return
            for run_id in batch:
                self._work("advanced", run_id, lambda run_id=run_id: self._loop.take_up(self._loop.read(run_id)))  # type: ignore[misc]
            after = batch[-1]

    def _work(self, kind: str, run_id: str, take: Callable[[], Step | None]) -> None:
        if self._left <= 0:
            return
        try:
            step = take()
            if step is not None:
                self._count(kind, step)
                self._loop.advance(step)
                self._count_failure(run_id, step)
        except StoreError:
            raise
        except Exception:  # as above: the pass goes on
            self._note_error(run_id)

    def _count(self, kind: str, step: Step) -> None:
        self._counts[kind] += 1
        self._left -= 1
        if step.work is None and step.after.failure is not None:
            self._counts["failed"] += 1

    def _count_failure(self, run_id: str, step: Step) -> None:
        if step.work is not None and self._loop.store.run(run_id).failure is not None:
            self._counts["failed"] += 1

    def _note_error(self, run_id: str) -> None:
        self._counts["errors"] += 1
        _log.exception("run %s could not be handled in this pass", run_id)

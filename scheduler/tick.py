"""One pass over all that is due: deadlines first, then what crashed, then what is ready (spec 4, `flow tick`).

Any number of passes may run at once: each thing is done once, by compare-and-set, or taken under a lease.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from functools import partial

from holdpoint.engine.errors import StoreError
from holdpoint.engine.loop import Loop, Standing, command_of
from holdpoint.engine.model import Deadline

COUNTS = (
    "defaults", "reminders", "escalations", "retries", "woken", "recovered", "advanced", "notified", "failed", "errors",
)  # fmt: skip
_COUNTED_AS = {"decide": "defaults", "wake": "woken"}
_BATCH = 100
_MANY = 10_000
_log = logging.getLogger("holdpoint.tick")


def tick(loop: Loop, limit: int | None = None) -> dict[str, int]:
    """Do at most *limit* things that are to be done now, and count them by kind."""
    tally = Tally(limit)
    apply_deadlines(loop, tally)
    for run_id, kind, take in work(loop):
        if tally.is_full:
            break
        do(loop, tally, run_id, kind, take)
    return tally.counts


class Tally:
    """What a pass has done, and how much it may still do."""

    def __init__(self, limit: int | None = None) -> None:
        self.left = float("inf") if limit is None else limit
        self.counts = dict.fromkeys(COUNTS, 0)
        self._guard = threading.Lock()

    @property
    def is_full(self) -> bool:
        """Whether the pass may do no more."""
        return self.left <= 0

    def add(self, kind: str, *, is_failed: bool) -> None:
        """Count one thing that was done, and whether its run is now `failed`."""
        with self._guard:
            self.counts[kind] += 1
            self.counts["failed"] += is_failed
            self.left -= 1

    def note_error(self, run_id: str) -> None:
        """Count something that could not be handled, and report it."""
        with self._guard:
            self.counts["errors"] += 1
        _log.exception("run %s could not be handled in this pass", run_id)


Take = Callable[[], Standing | None]
"""Takes a run up, if it is still there to be taken; what it begins is still to be advanced."""


def apply_deadlines(loop: Loop, tally: Tally) -> None:
    """Apply what is due, in batches: one transaction each, and in it a savepoint for each request."""
    skipped: set[tuple[str, Deadline]] = set()
    while not tally.is_full:
        due = loop.store.due(loop.now(), tuple(_COUNTED_AS), _BATCH + len(skipped))
        batch = [item for item in due if item not in skipped][: int(min(_BATCH, tally.left))]
        if not batch:
            return
        with loop.batch():
            # What is applied is no longer due; what could not be must not be tried for ever.
            skipped.update(item for item in batch if not _apply(loop, tally, *item))


def work(loop: Loop) -> Iterator[tuple[str, str, Take]]:
    """The runs that crashed or are ready, each with the kind that it counts as and how it is taken up."""
    for lease in loop.store.leases():
        yield lease.run_id, "recovered", partial(loop.recover, lease)
    for run_id, _ in loop.store.due(loop.now(), ("retry",), _MANY):
        yield run_id, "retries", partial(_take_up, loop, run_id)
    after: str | None = None
    while batch := loop.store.ready(_BATCH, after):
        for run_id in batch:
            yield run_id, "advanced", partial(_take_up, loop, run_id)
        after = batch[-1]


def _take_up(loop: Loop, run_id: str) -> Standing | None:
    return loop.take_up(loop.read(run_id))


def do(loop: Loop, tally: Tally, run_id: str, kind: str, take: Take) -> None:
    """Take a run up and advance it as far as it goes."""
    try:
        standing = take()
        if standing is not None:
            tally.add(kind, is_failed=loop.advance(standing).run.failure is not None)
    except Exception:  # one broken run must not keep the pass from the others
        tally.note_error(run_id)


def _apply(loop: Loop, tally: Tally, run_id: str, deadline: Deadline) -> bool:
    try:
        after = loop.apply(run_id, command_of(deadline))
    except StoreError as error:
        if error.code != "corrupt":
            raise
        tally.note_error(run_id)
        return False
    except Exception:  # as above, and each is undone alone
        tally.note_error(run_id)
        return False
    if after is None:
        return False
    tally.add(_COUNTED_AS[deadline.action], is_failed=after.run.failure is not None)
    return True

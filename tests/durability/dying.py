"""The points at which a process can die, and the death that it dies at one of them."""

from __future__ import annotations

import functools
import os
import signal
import sqlite3
import threading
from typing import Any

from holdpoint.engine import agents
from holdpoint.engine.agents import Outcome, Work

BOUNDS = ("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE")


class Points:
    """The points that a process passes. At number *deadly* it kills itself."""

    def __init__(self, deadly: int | None) -> None:
        self.passed: list[str] = []
        self._deadly = deadly
        self._thread = threading.get_ident()

    def reach(self, name: str) -> None:
        """Pass the next point, or die there. The heartbeat's thread passes none."""
        if threading.get_ident() != self._thread:
            return
        self.passed.append(name)
        if len(self.passed) == self._deadly:
            os.kill(os.getpid(), signal.SIGKILL)

    def reach_within_process(self, name: str) -> None:
        """Pass the two points within an agent's own process, which kills its parent there."""
        for when in ("before", "after"):
            self.passed.append(f"in {name}, {when} its effect")
            if len(self.passed) == self._deadly:
                os.environ["KILL"] = when


class Connection(sqlite3.Connection):
    """A connection whose statements are points."""

    points: Points

    def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
        """Between two points, where the statement begins or ends a transaction; behind one else."""
        verb = sql.split(maxsplit=1)[0].upper()
        self.points.reach(f"before {' '.join(sql.split())[:40]}")
        cursor = super().execute(sql, *parameters)
        if verb in BOUNDS:
            self.points.reach(f"after {verb}")
        return cursor

    def executemany(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
        """Behind a point."""
        self.points.reach(f"before {' '.join(sql.split())[:40]}")
        return super().executemany(sql, *parameters)


def watch(points: Points) -> None:
    """Make every statement and every call of an agent a point, for the rest of this process."""
    Connection.points = points
    sqlite3.connect = functools.partial(sqlite3.connect, factory=Connection)  # type: ignore[assignment]
    run = agents.run

    def run_between_points(work: Work, **options: Any) -> Outcome | agents.Crashed:
        points.reach(f"before agent {work.context.state}")
        if work.kind == "command" or (work.is_isolated and work.target not in options["registry"]):
            points.reach_within_process(work.context.state)
        outcome = run(work, **options)
        points.reach(f"after agent {work.context.state}")
        return outcome

    agents.run = run_between_points


def is_always_played(name: str) -> bool:
    """Whether a point has a commit or a call of an agent at its one side.

    What was not committed is gone, so these are all the states that a death can leave behind. The others are drawn.
    """
    return "COMMIT" in name or "RELEASE" in name or "agent" in name or " effect" in name

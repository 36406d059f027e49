"""What a simulation writes down of one replication: runs, requests and people. All times are microseconds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from holdpoint.simulation.hours import Shifts

How: TypeAlias = Literal["person", "deadline", "initiator", "void"]


@dataclass(slots=True, kw_only=True)
class Trip:
    """A run: when it began, and when and how it ended. Its status is `open` until then."""

    began_at: int
    ended_at: int | None = None
    status: str = "open"


@dataclass(slots=True, kw_only=True)
class Item:
    """A request: `begun_at` is when somebody took it up, `how` who or what settled it.

    `on_duty_at` is when somebody who may decide it was first on duty; None where nobody may.
    """

    case: int
    state: str
    visit: int
    lane: str
    opened_at: int
    on_duty_at: int | None = None
    begun_at: int | None = None
    settled_at: int | None = None
    how: How | None = None
    option: str | None = None


@dataclass(slots=True, kw_only=True)
class Toil:
    """What one person did (or all of an unlimited group): the stretches in which they had a request in hand.

    `withdrawn_at` is when they, as initiators, lost patience with requests of their own.
    """

    group: str
    is_unlimited: bool = False
    shifts: Shifts | None = None
    spells: list[tuple[int, int]] = field(default_factory=list)
    decided_at: list[int] = field(default_factory=list)
    withdrawn_at: list[int] = field(default_factory=list)

    def busy(self, since: int, until: int) -> int:
        """How much working time of a stretch went into requests."""
        return sum(
            self.on_duty(max(begun, since), min(end, until))
            for begun, end in self.spells
            if begun < until and end > since
        )

    def on_duty(self, since: int, until: int) -> int:
        """How much of a stretch is working time."""
        return until - since if self.shifts is None else self.shifts.worked(until) - self.shifts.worked(since)


@dataclass(slots=True, kw_only=True)
class Record:
    """One replication. `nobody` counts requests by state that nobody may decide; `reasons` says why runs failed.

    `agents` is how often agents worked, by state, and for how long; `waiting` counts waits that nothing ends.
    """

    length: int
    trips: list[Trip] = field(default_factory=list)
    items: list[Item] = field(default_factory=list)
    toils: Mapping[str, Toil] = field(default_factory=dict)
    nobody: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    agents: dict[str, tuple[int, int]] = field(default_factory=dict)
    waiting: Counter[str] = field(default_factory=Counter)

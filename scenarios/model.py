"""What a scenario file says, each part with its line, and what came of playing it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from holdpoint.engine.canonical import Json
from holdpoint.engine.definition import Definition

START: Final = "2026-01-05T09:00:00Z"
"""When what does not say it begins: a Monday."""

INITIATOR: Final = "initiator"
"""Who starts a run where a scenario names nobody, and what a step calls whoever did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing that happens, or an expectation between two: its one verb, its keys and its line.

    `lines` are those of what an expectation expects, by name.
    """

    verb: str
    keys: Mapping[str, Json]
    line: int
    lines: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One way through a workflow: what the agents give, what people do, and what must come of it.

    `agents` is by state; `expect` holds at the end, and `expect_lines` are the lines of what it expects, by name.
    """

    name: str
    line: int
    input: Json
    agents: Mapping[str, Json]
    steps: Sequence[Step]
    expect: Mapping[str, Json] = field(default_factory=dict)
    expect_line: int = 0
    expect_lines: Mapping[str, int] = field(default_factory=dict)
    initiator: str = INITIATOR
    start: str = START


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """A scenario file: the workflow that it tests, its people with their roles, and the scenarios."""

    path: Path
    workflow: Path
    definition: Definition
    people: Mapping[str, Sequence[str]]
    scenarios: Sequence[Scenario]
    invariants: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Mismatch:
    """What was not as a scenario says: at which line, and in which words."""

    line: int
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """A scenario that was played: what did not match, the way that the run took, and what it covered."""

    scenario: Scenario
    mismatches: Sequence[Mismatch]
    path: Sequence[str] = ()
    covered: frozenset[tuple[str, ...]] = frozenset()

    @property
    def passed(self) -> bool:
        """Whether all was as the scenario says."""
        return not self.mismatches

    def told(self, file: str) -> str:
        """What did not match, each with its line in a file of this name, and the way that the run went."""
        lines = [f"{file}:{one.line}: {one.message}" for one in self.mismatches]
        return "\n".join([*lines, f"the run went {' → '.join(self.path) or 'nowhere'}"])

"""Explores a workflow: every way of its runs up to a bound, the shortest first, then ways at random.

What is walked are choices: of an input, of what each agent gives, of what happens to a run that rests. Two runs in the
same situation go on in the same ways, so only the first that comes to one is followed. The same seed gives the same.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from itertools import count
from random import Random
from time import monotonic
from typing import Final, Literal, TypeAlias

from holdpoint.scenarios.coverage import Coverage, Item, coverage_of
from holdpoint.scenarios.guided import Guided, guide
from holdpoint.scenarios.subjects import Subject

DEPTH: Final = 24
WALKS: Final = 100
SECONDS: Final = 60.0
MAX_PROBLEMS: Final = 20
MAX_WAITING: Final = 200_000
_OF_WALKS: Final = 0.2
"""The share of the time that runs at random have, should the systematic part not come to its end."""


Stop: TypeAlias = Literal["time", "problems", "size"]
"""Why no more ways are tried: the time is over, so many rules are broken, or too many ways are still to go."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How far is explored: steps of a run, seconds, runs at random; and the seed of what is random."""

    depth: int = DEPTH
    seconds: float = SECONDS
    walks: int = WALKS
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Explored:
    """What was found: by rule the shortest run that breaks it, and runs that cover what can be covered.

    `stopped_by` says why ways up to the bound were left out, None where none was; all with up to `choices` steps and
    choices other than the plainest were tried. `runs` were made, `walks` of them at random, and came to `situations`
    different ones.
    """

    subject: Subject
    problems: Mapping[str, Guided]
    covering: Sequence[Guided]
    coverage: Coverage
    runs: int
    situations: int
    stopped_by: Stop | None
    choices: int
    walks: int


def with_drawn(subject: Subject, seed: int) -> Subject:
    """The subject with values that hypothesis draws too; as it is where hypothesis, the extra `explore`, is not."""
    if find_spec("hypothesis") is None:
        return subject
    from holdpoint.scenarios.drawn import drawn

    definition = subject.suite.definition
    outputs = {
        name: [*values, *drawn(getattr(definition.states[name], "output", None), seed)]
        for name, values in subject.outputs.items()
    }
    inputs = [*subject.inputs, *drawn(definition.input, seed)]
    return replace(subject, inputs=inputs, outputs=outputs, more=lambda schema: drawn(schema, seed))


def explore(
    subject: Subject, limits: Limits, tell: Callable[[int, int], None] = lambda runs, waiting: None
) -> Explored:
    """Explore a workflow. *tell* is told now and then how many runs were made, and how many ways are still to go."""
    search = _Search(subject, limits, tell)
    search.walk_all()
    search.walk_at_random()
    return Explored(
        subject=subject,
        problems=search.problems,
        covering=search.covering,
        coverage=coverage_of(subject.suite.definition, [search.reached]),
        runs=search.runs,
        situations=len(search.seen),
        stopped_by=search.stopped_by,
        choices=search.choices,
        walks=search.walks,
    )


@dataclass(slots=True)
class _Search:
    subject: Subject
    limits: Limits
    tell: Callable[[int, int], None]
    seen: set[str] = field(default_factory=set)
    reached: frozenset[Item] = frozenset()
    covered: frozenset[Item] = frozenset()
    covered_to_the_end: frozenset[Item] = frozenset()
    covering: list[Guided] = field(default_factory=list)
    problems: dict[str, Guided] = field(default_factory=dict)
    runs: int = 0
    stopped_by: Stop | None = None
    choices: int = 0
    walks: int = 0
    _end: float = 0.0

    def walk_all(self) -> None:
        """The systematic part: by number of choices that are not the plainest, and of steps."""
        share = 1 - _OF_WALKS if self.limits.walks else 1
        self._end = monotonic() + share * self.limits.seconds
        numbers = count()
        waiting: list[tuple[int, int, tuple[int, ...]]] = [(0, next(numbers), ())]
        while waiting:
            self.stopped_by = self._stop() or ("size" if len(waiting) > MAX_WAITING else None)
            if self.stopped_by is not None:
                return
            cost, _, choices = heapq.heappop(waiting)
            self.choices = max(0, cost - 1)  # the ways are in order
            guided = self._walked(guide(self.subject, choices, bound=self.limits.depth, is_new=self._is_new))
            for following in self._following(guided, len(choices)):
                heapq.heappush(waiting, (cost + 1, next(numbers), following))
            self.tell(self.runs, len(waiting))

    def walk_at_random(self) -> None:
        """Then at random, through situations that were seen before too, with what hypothesis draws where it is."""
        if not self.limits.walks:
            return
        self._end = max(self._end, monotonic()) + _OF_WALKS * self.limits.seconds
        subject = with_drawn(self.subject, self.limits.seed)
        for number in range(self.limits.walks):
            if self._stop() is not None:
                return
            chance = Random(f"{self.limits.seed}/{number}")
            self._walked(guide(subject, (), chance=chance, bound=self.limits.depth, is_new=self._is_new))
            self.walks += 1
            self.tell(self.runs, 0)

    def _is_new(self, situation: str) -> bool:
        """Whether no run has come to this situation before."""
        return situation not in self.seen

    def _stop(self) -> Stop | None:
        if len(self.problems) >= MAX_PROBLEMS:
            return "problems"
        return "time" if monotonic() > self._end else None

    def _walked(self, guided: Guided) -> Guided:
        """Keep what a run shows that none before it has shown."""
        self.runs += 1
        self.reached |= guided.covered
        for rule in guided.broken:
            self.problems.setdefault(rule, guided)
        if guided.broken:
            return guided
        known = self.covered_to_the_end if guided.has_ended else self.covered
        if not guided.covered <= known:
            self.covering.append(guided)
            self.covered |= guided.covered
            if guided.has_ended:
                self.covered_to_the_end |= guided.covered
        return guided

    def _following(self, guided: Guided, given: int) -> Iterator[tuple[int, ...]]:
        """The choices that are to be tried after a run: others at those that it made by itself, and its ways on."""
        choices = guided.choices
        for position in range(given, len(choices)):
            for other in range(1, guided.branches[position].of):
                yield (*choices[:position], other)
        if guided.is_lost or guided.situation in self.seen:
            return
        self.seen.add(guided.situation)
        yield from ((*choices, way) for way in range(guided.ways_on))

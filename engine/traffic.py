"""The ways that runs went, read from their histories: of one run step by step, of many as counts and times."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from holdpoint.engine.model import Entry

CHOOSING = (
    "request.decided",
    "request.expired",
    "agent.succeeded",
    "agent.failed",
    "wait.ended",
    "operator.moved",
    "operator.cancelled",
)
"""The kinds of entries that choose the way out of a state: of those before a transition the last one did."""

DEFAULTED = "request.expired"
"""Of these, the one by which the clock chooses an option that is a person's too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """One step of the way that a run came; `source` is None for the step into its first state.

    `by` says who or what chose the option, `is_default` that it was the deadline, in a person's place. `stayed` is how
    long the run had been in `source`.
    """

    at: datetime
    source: str | None
    option: str
    to: str
    is_default: bool
    by: str
    stayed: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A way from state to state (from None: into the first), how often it was taken, and by how many runs."""

    source: str | None
    option: str
    to: str
    is_default: bool
    times: int
    runs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Stay:
    """How long runs were in a state before they left it: of `times` stays the median, and what nine in ten kept to."""

    state: str
    times: int
    median: timedelta
    most: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """The ways of all `runs` of a workflow or of one version of it, and how many are of other versions.

    `ways` and `stays` are in the order of their names; `here` counts the runs that have not ended, by state.
    """

    runs: int
    others: int
    ways: Sequence[Way]
    stays: Sequence[Stay]
    here: Sequence[tuple[str, int]]


def passages(history: Iterable[Entry]) -> Iterator[Passage]:
    """Each step of a run's way: what was chosen last before a transition is what caused it."""
    chosen: Entry | None = None
    entered: Entry | None = None
    senders: dict[int, str] = {}
    for entry in history:
        if entry.kind in CHOOSING:
            chosen = entry
        elif entry.kind == "signal.received":
            senders[entry.seq] = entry.actor or "a signal"
        elif entry.kind == "transition" and entered is not None:
            yield Passage(
                at=entry.at,
                source=entry.data["from"],
                option=entry.data["option"],
                to=entry.data["to"],
                is_default=chosen is not None and chosen.kind == DEFAULTED,
                by="" if chosen is None else _chooser(chosen, senders),
                stayed=entry.at - entered.at,
            )
        elif entry.kind == "state.entered":
            if entered is None:
                to = entry.data["state"]
                yield Passage(at=entry.at, source=None, option="", to=to, is_default=False, by="", stayed=timedelta())
            entered = entry


def gather(histories: Iterable[Iterable[Entry]]) -> tuple[list[Way], list[Stay]]:
    """What the histories of some runs add up to, as `Traffic` has it."""
    times: Counter[tuple[str, str, str, bool]] = Counter()
    runs: Counter[tuple[str, str, str, bool]] = Counter()
    stays: dict[str, list[timedelta]] = defaultdict(list)
    for history in histories:
        taken: Counter[tuple[str, str, str, bool]] = Counter()
        for step in passages(history):
            taken[step.source or "", step.option, step.to, step.is_default] += 1
            if step.source is not None:
                stays[step.source].append(step.stayed)
        times.update(taken)
        runs.update(taken.keys())
    ways = [
        Way(source=way[0] or None, option=way[1], to=way[2], is_default=way[3], times=count, runs=runs[way])
        for way, count in sorted(times.items())
    ]
    return ways, [_stay(state, sorted(found)) for state, found in sorted(stays.items())]


def _stay(state: str, found: list[timedelta]) -> Stay:
    # The nearest rank: the shortest stay that half, or nine in ten, did not exceed.
    median, most = (found[(len(found) * tenths + 9) // 10 - 1] for tenths in (5, 9))
    return Stay(state=state, times=len(found), median=median, most=most)


def _chooser(entry: Entry, senders: dict[int, str]) -> str:
    if entry.kind == DEFAULTED:
        return "the deadline"
    if entry.kind == "wait.ended":
        return senders.get(entry.data["signal"], "a signal") if "signal" in entry.data else "the clock"
    if entry.kind in ("agent.succeeded", "agent.failed"):
        return (entry.actor or "") if entry.actor_kind == "human" else "the agent"
    return entry.actor or ""

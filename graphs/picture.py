"""What there is to draw, whatever the format: nodes, edges, and the way that a run came."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias

from holdpoint.engine.definition import AgentState, AnyState, Definition, EndState, HumanState, Target, WaitState
from holdpoint.engine.model import Entry, RunRecord

Kind: TypeAlias = Literal["agent", "human", "wait", "end"]
_Way: TypeAlias = tuple[str | None, str, str, bool]

CANCEL = "(cancel)"
"""Where the ways begin that a cancelled run takes; no state can be called that."""

_SETTLED = frozenset({"request.decided", "request.expired"})
_WORKED = frozenset({"agent.succeeded", "agent.failed"})
# They turn the text around them about, so that a title could pass for another.
_TURNING = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A state. `notes` say in words what kind of state it is; `visits` count how often the run has entered it."""

    name: str
    kind: Kind
    title: str
    notes: tuple[str, ...]
    is_irreversible: bool
    is_success: bool
    is_current: bool
    visits: int

    @property
    def visited(self) -> str:
        """How often the run has been here, in words; nothing where it has not."""
        return f"visited {_times(self.visits)}" if self.visits else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """A way from one state to another; `source` is None for the way to the first, `CANCEL` when it is cancelled.

    One that the clock takes is `is_timed`: either the timeout's own edge, or a second one beside that of the option
    which is the default. `after` is how long until then. `taken` counts how often the run went this way.
    """

    source: str | None
    option: str
    guard: str
    to: str
    is_timed: bool
    after: str
    taken: int

    @property
    def label(self) -> str:
        """What stands on the edge, without its guard."""
        if not self.is_timed:
            return self.option
        after = f"after {self.after}" if self.after else "in time"
        return after if self.option == "timeout" else f"{after}: {self.option}"

    @property
    def used(self) -> str:
        """How often the run went this way, in words; nothing where it did not."""
        return f"taken {_times(self.taken)}" if self.taken else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """One step of the way that a run came. `by` says who or what chose the option."""

    at: datetime
    source: str | None
    option: str
    to: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A graph, in the author's order. `run` is None for a definition's; `standing` says where the run stands."""

    workflow: str
    title: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    run: str | None
    standing: str
    way: tuple[Passage, ...]

    def edges_from(self, source: str | None) -> list[Edge]:
        """The edges that leave a state, or (None) lead to the first."""
        return [edge for edge in self.edges if edge.source == source]


def picture(definition: Definition, run: RunRecord | None, history: Sequence[Entry]) -> Picture:
    """The graph of a definition or of a run. Every text in it is one line, free of control characters."""
    steps = list(_steps(history)) if run is not None else []
    taken = Counter(way for way, _ in steps)
    return Picture(
        workflow=one_line(definition.workflow),
        title=one_line(definition.title),
        nodes=tuple(_node(state, run) for state in definition.states.values()),
        edges=tuple(_edges(definition, taken)),
        run=None if run is None else one_line(run.id),
        standing="" if run is None else _standing(run, history),
        way=tuple(passage for _, passage in steps),
    )


_KINDS: Mapping[type, Kind] = {AgentState: "agent", HumanState: "human", WaitState: "wait", EndState: "end"}


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


def one_line(text: str) -> str:
    """The text on one line: white space is one space, and what could steer a terminal is spelt out."""
    return "".join(_spelt(character) for character in " ".join(text.split()))


def _spelt(character: str) -> str:
    is_steering = character in _TURNING or unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp")
    return f"\\u{{{ord(character):x}}}" if is_steering else character


def _node(state: AnyState, run: RunRecord | None) -> Node:
    return Node(
        name=state.name,
        kind=_KINDS[type(state)],
        title=one_line(state.title),
        notes=tuple(one_line(note) for note in _notes(state)),
        is_irreversible=isinstance(state, AgentState) and state.is_irreversible,
        is_success=isinstance(state, EndState) and state.outcome == "success",
        is_current=run is not None and run.state == state.name,
        visits=0 if run is None else run.visits.get(state.name, 0),
    )


def _notes(state: AnyState) -> Iterator[str]:
    yield state.type
    if isinstance(state, EndState):
        yield state.outcome
    elif isinstance(state, AgentState):
        yield "python" if state.python is not None else "command" if state.command is not None else "value"
        if state.is_irreversible:
            yield "irreversible"
        if state.artifacts:
            yield f"makes {', '.join(state.artifacts)}"
    elif isinstance(state, WaitState):
        yield _awaited(state)
    elif state.show:
        yield f"shows {', '.join(state.show)}"


def _awaited(state: WaitState) -> str:
    if state.takes:
        return f"for signal {' or '.join(state.takes)}"
    return f"for {state.duration}" if state.duration is not None else "until a time"


def _edges(definition: Definition, taken: Mapping[_Way, int]) -> Iterator[Edge]:
    for source, targets in ((None, definition.initial), (CANCEL, definition.on_cancel)):
        for target in targets:
            yield Edge(
                source=source,
                option="",
                guard=_guard(target, len(targets)),
                to=target.to,
                is_timed=False,
                after="",
                taken=taken.get((source, "", target.to, False), 0),
            )
    for state in definition.states.values():
        options = [(option, option == "timeout") for option in state.on]
        if isinstance(state, HumanState) and state.timeout is not None and state.default is not None:
            options.append((state.default["decision"], True))
        after = str(state.timeout or "") if isinstance(state, HumanState | WaitState) else ""
        for option, is_timed in options:
            for target in state.on[option]:
                yield Edge(
                    source=state.name,
                    option=option,
                    guard=_guard(target, len(state.on[option])),
                    to=target.to,
                    is_timed=is_timed,
                    after=after if is_timed else "",
                    taken=taken.get((state.name, option, target.to, is_timed), 0),
                )


def _guard(target: Target, targets: int) -> str:
    if target.when is not None:
        return f"when {one_line(target.when.source)}"
    return "otherwise" if targets > 1 else ""


def _steps(history: Sequence[Entry]) -> Iterator[tuple[_Way, Passage]]:
    """Each step with the edge that it took: what was decided last before a transition is what caused it."""
    by, is_timed, is_begun = "", False, False
    for entry in history:
        if entry.kind in _SETTLED:
            is_timed = entry.actor_kind == "timer"
            by = "the deadline" if is_timed else one_line(entry.actor or "")
        elif entry.kind in _WORKED:
            is_timed = False
            by = one_line(entry.actor or "") if entry.actor_kind == "human" else "the agent"
        elif entry.kind == "wait.ended":
            is_timed = "signal" not in entry.data
            sender = next((one.actor for one in history if one.seq == entry.data.get("signal")), None)
            by = "the clock" if is_timed else one_line(sender or "a signal")
        elif entry.kind == "transition":
            source, option, to = (str(entry.data[name]) for name in ("from", "option", "to"))
            yield (
                (source, option, to, is_timed),
                Passage(at=entry.at, source=source, option=option, to=to, by=by),
            )
        elif entry.kind == "state.entered" and not is_begun:
            is_begun = True
            to = str(entry.data["state"])
            yield (None, "", to, False), Passage(at=entry.at, source=None, option="", to=to, by="")


def _standing(run: RunRecord, history: Sequence[Entry]) -> str:
    if run.status == "done":
        return f"done, with outcome {run.outcome}"
    where = f" in {run.state}" if run.state else ""
    if run.status == "failed":
        failed = next((entry for entry in history if entry.seq == run.failure), None)
        why = one_line(str(failed.data.get("message", ""))) if failed else ""
        return f"failed{where}" + (f": {why}" if why else "")
    return f"{run.status}{where}"

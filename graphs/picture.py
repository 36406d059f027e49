"""What there is to draw, whatever the format: the nodes and edges of a definition; overlays lay over it what runs did.

An overlay gives nodes and edges their marks, their remarks and their heat; it adds none but ways that no edge shows.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from holdpoint.engine.definition import AgentState, AnyState, Definition, EndState, HumanState, Target, WaitState
from holdpoint.engine.traffic import Passage

Kind: TypeAlias = Literal["agent", "human", "wait", "end"]
Mark: TypeAlias = Literal["current", "failed", "visited", "taken", "dim", "covered", "uncovered"]
"""`dim`: of a run, what it cannot come to any more; of many, where none of them came."""
Overlay: TypeAlias = Literal["", "run", "heat", "coverage"]

CANCEL = "(cancel)"
"""Where the ways begin that a cancelled run takes; no state can be called that."""

# They turn the text around them about, so that a title could pass for another.
_TURNING = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A state. `notes` say in words what kind of state it is, `people` whom it asks; `outcome` is an end's.

    `remark` and `details` are what an overlay says of it, `heat` how long runs stay there, as a step of `HEATS`.
    """

    name: str
    kind: Kind
    type: str
    title: str
    notes: tuple[str, ...]
    people: str
    is_irreversible: bool
    outcome: str
    marks: frozenset[Mark] = frozenset()
    remark: str = ""
    details: tuple[str, ...] = ()
    heat: int | None = None

    @property
    def look(self) -> str:
        """What decides its shape and colour: its type, of an end its outcome."""
        return self.outcome or self.type


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """A way from one state to another; `source` is None for the way to the first, `CANCEL` when it is cancelled.

    One that the clock takes is `is_timed`: either the timeout's own edge, or a second one beside that of the option
    which is the default. `after` is how long until then. `share` is the part of all that left the state which went
    this way.
    """

    source: str | None
    option: str
    guard: str
    to: str
    is_timed: bool = False
    after: str = ""
    marks: frozenset[Mark] = frozenset()
    remark: str = ""
    details: tuple[str, ...] = ()
    share: float | None = None

    @property
    def label(self) -> str:
        """What stands on the edge, without its guard."""
        return self.option if not self.is_timed else f"{self.timing}: {self.option}" if self.is_default else self.timing

    @property
    def timing(self) -> str:
        """When the clock takes it."""
        return f"after {self.after}" if self.after else "in time"

    @property
    def is_default(self) -> bool:
        """Whether the clock chooses here what a person could have chosen."""
        return self.is_timed and self.option != "timeout"

    @property
    def is_error(self) -> bool:
        """Whether it is where an agent goes whose attempts have all failed."""
        return self.option == "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A graph, in the author's order, with the overlay that lies over it: a run's way, the heat of many, coverage.

    `caption` says in a line what the overlay is of; `way` is how a run came.
    """

    workflow: str
    title: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    overlay: Overlay = ""
    caption: str = ""
    way: tuple[Passage, ...] = ()

    def edges_from(self, source: str | None) -> list[Edge]:
        """The edges that leave a state, or (None) lead to the first."""
        return [edge for edge in self.edges if edge.source == source]


def picture(definition: Definition) -> Picture:
    """The graph of a definition. Every text in it is one line, free of control characters."""
    return Picture(
        workflow=one_line(definition.workflow),
        title=one_line(definition.title),
        nodes=tuple(_node(state) for state in definition.states.values()),
        edges=tuple(_edges(definition)),
    )


_KINDS: Mapping[type, Kind] = {AgentState: "agent", HumanState: "human", WaitState: "wait", EndState: "end"}


def one_line(text: str) -> str:
    """The text on one line: white space is one space, and what could steer a terminal is spelt out."""
    return "".join(_spelt(character) for character in " ".join(text.split()))


def _spelt(character: str) -> str:
    # The last two are no characters at all, and no XML may hold them.
    is_steering = character in _TURNING or unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp")
    is_none = ord(character) & 0xFFFE == 0xFFFE
    return f"\\u{{{ord(character):x}}}" if is_steering or is_none else character


def _node(state: AnyState) -> Node:
    return Node(
        name=state.name,
        kind=_KINDS[type(state)],
        type=state.type,
        title=one_line(state.title),
        notes=tuple(one_line(note) for note in _notes(state)),
        people=one_line(_people(state)) if isinstance(state, HumanState) else "",
        is_irreversible=isinstance(state, AgentState) and state.is_irreversible,
        outcome=state.outcome if isinstance(state, EndState) else "",
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


def _people(state: HumanState) -> str:
    by_option = state.assign.values() if isinstance(state.assign, Mapping) else [state.assign]
    return ", ".join(dict.fromkeys(person for people in by_option for person in people))


def _edges(definition: Definition) -> Iterator[Edge]:
    for source, targets in ((None, definition.initial), (CANCEL, definition.on_cancel)):
        for target in targets:
            yield Edge(source=source, option="", guard=_guard(target, len(targets)), to=target.to)
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
                )


def _guard(target: Target, targets: int) -> str:
    if target.when is not None:
        return f"when {one_line(target.when.source)}"
    return "otherwise" if targets > 1 else ""

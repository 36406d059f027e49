"""A workflow of the right shape, as the semantic checks look at it: its states, options, targets and artifacts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, TypeAlias, TypeVar

from holdpoint.engine.canonical import Json
from holdpoint.engine.definition import TIMEOUT
from holdpoint.schema.nodes import Path
from holdpoint.schema.report import Report

State: TypeAlias = Mapping[str, Json]
_Found = TypeVar("_Found")

HUMAN_TYPES: Final = ("approval", "return", "form")
AVAILABLE_TYPES: Final = ("agent", *HUMAN_TYPES, "wait", "end")
NEVER: Final = "never"
PERSON: Final = "human"
TIMER: Final = "timer"
BY_KINDS: Final = (PERSON, TIMER, "operator")
"""What `by_kind` of a request's result can be (spec 4, JSON)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """Where an option leads: `path` is that of its targets in the file, each target a state and its condition."""

    option: str
    path: Path
    targets: Sequence[tuple[Path, str, str | None]]


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """What is checked, and where to report it."""

    report: Report
    value: Mapping[str, Json]

    @property
    def states(self) -> Mapping[str, State]:
        """The states by name, in the author's order."""
        states: Mapping[str, State] = self.value["states"]
        return states

    def of_types(self, *types: str) -> Iterator[tuple[str, State]]:
        """The states of some types, with their names."""
        return ((name, state) for name, state in self.states.items() if state["type"] in types)

    @cached_property
    def results(self) -> tuple[str, ...]:
        """The states that leave a result under their own name."""
        return tuple(name for name, state in self.states.items() if state["type"] != "end")

    @cached_property
    def artifacts(self) -> Mapping[str, Sequence[str]]:
        """The names of all artifacts, each with the states that make it."""
        found: dict[str, list[str]] = {}
        for name, state in self.of_types("agent"):
            for artifact in artifacts_of(state):
                found.setdefault(artifact, []).append(name)
        return found

    def initial(self) -> Edge:
        """Where a run begins; without a word, in the first state."""
        if "initial" in self.value:
            return _edge("initial", ("initial",), self.value["initial"])
        first = next(iter(self.states))
        return Edge(option="initial", path=(), targets=[((), first, None)])

    def on_cancel(self) -> Edge | None:
        """Where a cancelled run goes to clean up."""
        return _edge("on_cancel", ("on_cancel",), self.value["on_cancel"]) if "on_cancel" in self.value else None

    def remembered(self, name: str, find: Callable[[], _Found]) -> _Found:
        """What *find* finds of the workflow, which is worked out when it is first asked for under a name."""
        if name not in self._memory:
            self._memory[name] = find()
        found: _Found = self._memory[name]
        return found

    @cached_property
    def _memory(self) -> dict[str, Any]:
        return {}

    def edges(self, name: str) -> Sequence[Edge]:
        """Where a state's options lead, `next` first."""
        return self.remembered(f"edges {name}", lambda: tuple(self._read_edges(name)))

    def _read_edges(self, name: str) -> Iterator[Edge]:
        state, path = self.states[name], ("states", name)
        if "next" in state:
            yield _edge(next_option(state), (*path, "next"), state["next"])
        for option, target in state.get("on", {}).items():
            yield _edge(option, (*path, "on", option), target)

    def all_edges(self) -> Iterator[Edge]:
        """Every edge of the workflow, its beginning and its cleaning up too."""
        yield self.initial()
        cancel = self.on_cancel()
        if cancel is not None:
            yield cancel
        for name in self.states:
            yield from self.edges(name)


def next_option(state: State) -> str:
    """The option that `next` is short for."""
    if state["type"] == "form":
        return "submit"
    return "received" if "signal" in state else "done"


def options_for_people(state: State) -> tuple[str, ...]:
    """What a person may choose; the timeout's edge is nobody's choice."""
    if state["type"] == "form":
        return ("submit",)
    return tuple(option for option in state.get("on", {}) if option != TIMEOUT)


def forms_of(state: State) -> Iterator[tuple[Path, Json]]:
    """The forms of a state that asks people, each with its path below the state."""
    if state["type"] in HUMAN_TYPES and "form" in state:
        yield ("form",), state["form"]
    if state["type"] in HUMAN_TYPES:
        yield from ((("forms", option), form) for option, form in state.get("forms", {}).items())


def forms_of_option(state: State, option: str) -> Json:
    """The form that the answers of an option meet, None where it has none; a timeout's edge has no answers."""
    return None if option == TIMEOUT else state.get("form") or state.get("forms", {}).get(option)


def options_of_wait(state: State) -> tuple[str, ...]:
    """How a wait can end, other than by its timeout."""
    signal = state.get("signal")
    if signal is None:
        return ("done",)
    return ("received",) if isinstance(signal, str) else tuple(signal)


def crash_request(state: State) -> Mapping[str, Json] | None:
    """How a person is asked after a crash of an agent, where the state says more than that one is."""
    after_crash = state.get("after_crash")
    return after_crash.get("ask") if isinstance(after_crash, dict) else None


def decision_of(default: Json) -> tuple[str, Json]:
    """The option that a default chooses, and its answers, None where it has none."""
    return (default, None) if isinstance(default, str) else (default["decision"], default.get("answers"))


def artifacts_of(state: State) -> tuple[str, ...]:
    """The artifacts that an agent's output becomes."""
    artifact = state.get("artifact")
    if artifact is None:
        return ()
    return (artifact,) if isinstance(artifact, str) else tuple(artifact)


def _edge(option: str, path: Path, target: Json) -> Edge:
    if isinstance(target, str):
        return Edge(option=option, path=path, targets=[(path, target, None)])
    targets = [((*path, index, "to"), item["to"], item.get("when")) for index, item in enumerate(target)]
    return Edge(option=option, path=path, targets=targets)

"""What scenarios cover of a workflow: states, transitions, options of people, branches of guards, deadlines.

Everything that can be covered is an item: its kind, and where it is. A run's history says which it went through.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from holdpoint.engine.canonical import Json
from holdpoint.engine.definition import AgentState, Definition, HumanState, WaitState
from holdpoint.engine.model import Entry
from holdpoint.schema.nodes import Path as Where
from holdpoint.schema.reader import read
from holdpoint.schema.sheet import next_option

Item: TypeAlias = tuple[str, ...]
"""`('state', NAME)`, `('transition', STATE, OPTION, TARGET)`, `('option', STATE, OPTION)`, `('timeout', STATE)`,
`('error', STATE)` or `('guard', STATE, OPTION, NUMBER, 'true' or 'false')`, targets being counted from 1."""

KINDS: Final[Mapping[str, str]] = {
    "state": "states",
    "transition": "transitions",
    "option": "options",
    "timeout": "timeouts",
    "error": "errors",
    "guard": "guards",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Uncovered:
    """Something that no scenario went through, in words, and the line of the workflow that says it."""

    item: Item
    text: str
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """What of a workflow was covered, out of all that can be."""

    items: Sequence[Item]
    covered: frozenset[Item]

    @property
    def percent(self) -> float:
        """The share of all items that were covered, in percent."""
        return 100.0 * len(self.covered) / len(self.items) if self.items else 100.0

    @property
    def by_kind(self) -> Mapping[str, tuple[int, int]]:
        """How many items of each kind were covered, and how many there are."""
        return {
            kind: (
                sum(item[0] == kind for item in self.covered),
                sum(item[0] == kind for item in self.items),
            )
            for kind in KINDS
        }

    @property
    def said(self) -> Mapping[str, tuple[int, int]]:
        """The same by the words for the kinds."""
        return {KINDS[kind]: counts for kind, counts in self.by_kind.items()}

    @property
    def missing(self) -> list[Item]:
        """What was not covered, in the order of the workflow."""
        return [item for item in self.items if item not in self.covered]

    def to_dict(self, lines: Mapping[Item, int]) -> dict[str, Json]:
        """The coverage as `flow test --json` prints it."""
        return {
            "percent": round(self.percent, 1),
            "by_kind": {word: {"covered": done, "of": of} for word, (done, of) in self.said.items()},
            "missing": [
                {"kind": item[0], "where": list(item[1:]), "text": said(item), "line": lines.get(item)}
                for item in self.missing
            ],
        }


def items_of(definition: Definition) -> list[Item]:
    """Everything of a workflow that can be covered, in its order; without `on_cancel` and what only it leads to."""
    return list(dict.fromkeys(_items(definition)))


def _items(definition: Definition) -> Iterator[Item]:
    for state in definition.states.values():
        yield ("state", state.name)
        for option, targets in state.on.items():
            if isinstance(state, HumanState) and option != "timeout":
                yield ("option", state.name, option)
            if isinstance(state, AgentState) and option == "error":
                yield ("error", state.name)
            for number, target in enumerate(targets, 1):
                yield ("transition", state.name, option, target.to)
                if target.when is not None:
                    yield ("guard", state.name, option, str(number), "true")
                    yield ("guard", state.name, option, str(number), "false")
        if isinstance(state, HumanState | WaitState) and state.timeout is not None:
            yield ("timeout", state.name)


def covered_by(definition: Definition, history: Iterable[Entry]) -> frozenset[Item]:
    """What a run went through."""
    found: set[Item] = set()
    state = ""
    for entry in history:
        data = entry.data
        if entry.kind == "state.entered":
            state = data["state"]
            found.add(("state", state))
        elif entry.kind == "request.decided":
            found.add(("option", state, data["decision"]))
        elif entry.kind == "request.expired" or (entry.kind == "wait.ended" and data.get("option") == "timeout"):
            found.add(("timeout", state))
        elif entry.kind == "transition":
            found.update(_taken(definition, data["from"], data["option"], data["to"]))
    return frozenset(found)


def _taken(definition: Definition, state: str, option: str, to: str) -> Iterator[Item]:
    """The transition, and how the guards of its option must have come out: those before its target did not hold."""
    targets = definition.states[state].on.get(option, ()) if state in definition.states else ()
    for number, target in enumerate(targets, 1):
        if target.to == to:
            yield ("transition", state, option, to)
            if option == "error":
                yield ("error", state)
            if target.when is not None:
                yield ("guard", state, option, str(number), "true")
            return
        yield ("guard", state, option, str(number), "false")


def coverage_of(definition: Definition, covered: Iterable[frozenset[Item]]) -> Coverage:
    """What of a workflow several runs covered together."""
    items = items_of(definition)
    return Coverage(items=items, covered=frozenset(items) & frozenset().union(*covered))


def said(item: Item) -> str:
    """An item in words."""
    kind, *where = item
    if kind == "state":
        return f"state {where[0]!r}"
    if kind == "transition":
        return f"from {where[0]!r} by {where[1]!r} to {where[2]!r}"
    if kind == "option":
        return f"a person's {where[1]!r} in {where[0]!r}"
    if kind == "timeout":
        return f"nobody answers in {where[0]!r}"
    if kind == "error":
        return f"the agent of {where[0]!r} fails"
    return f"target {where[2]} of {where[1]!r} in {where[0]!r}: its condition is {where[3]}"


def lines_of(workflow: Path) -> Mapping[Item, int]:
    """The line of the workflow's file that says each item."""
    document, _ = read(workflow.read_bytes(), str(workflow))
    if document is None:
        return {}
    found: dict[Item, int] = {}
    for name, state in document.value["states"].items():
        here: Where = ("states", name)
        found["state", name] = found["timeout", name] = document.key_place(here).line
        if "timeout" in state:
            found["timeout", name] = document.key_place((*here, "timeout")).line
        for option, path, targets in _written(state):
            line = document.key_place((*here, *path)).line
            found["option", name, option] = found["error", name] = line
            for number, (to, place) in enumerate(targets, 1):
                at = document.node((*here, *path, *place)).place.line
                found.setdefault(("transition", name, option, to), at)
                for branch in ("true", "false"):
                    found["guard", name, option, str(number), branch] = at
    return found


def _written(state: Mapping[str, Json]) -> Iterator[tuple[str, Where, list[tuple[str, Where]]]]:
    places: list[tuple[str, Where, Json]] = [
        (option, ("on", option), target) for option, target in state.get("on", {}).items()
    ]
    if "next" in state:
        places.append((next_option(state), ("next",), state["next"]))
    for option, path, target in places:
        if isinstance(target, str):
            yield option, path, [(target, ())]
        else:
            yield option, path, [(item["to"], (index,)) for index, item in enumerate(target)]

"""What scenarios cover of a workflow: states, transitions, options of people, branches of guards, deadlines.

Everything that can be covered is an item: its kind, and where it is. A run's history says which it went through.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from holdpoint.engine.canonical import Json
from holdpoint.engine.definition import TIMEOUT, AgentState, Definition, HumanState, Targets, WaitState
from holdpoint.engine.model import ON_CANCEL, Entry
from holdpoint.engine.traffic import CHOOSING, DEFAULTED
from holdpoint.schema.nodes import Path as Where
from holdpoint.schema.reader import read
from holdpoint.schema.sheet import next_option

Item: TypeAlias = tuple[str, ...]
"""`('state', NAME)`, `('transition', STATE, OPTION, TARGET)`, `('option', STATE, OPTION)`, `('timeout', STATE)`,
`('error', STATE)` or `('guard', STATE, OPTION, NUMBER, 'true' or 'false')`, targets being counted from 1.

The ways to the first state are those of `START`, where there are several; those of a cancelled run are `CANCELLED`'s.
What was seen of a run also has `('default', STATE, OPTION, TARGET)`, the way that a deadline led in a person's place,
and `('chosen', STATE, OPTION, TARGET)`, each other way."""

START: Final = "(start)"
CANCELLED: Final = "(cancel)"
INITIAL: Final = "start"
ERROR: Final = "error"

KINDS: Final[Mapping[str, str]] = {
    "state": "states",
    "transition": "transitions",
    "option": "options",
    "timeout": "timeouts",
    "error": "errors",
    "guard": "guards",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """What of a workflow was covered, out of all that can be. `seen` is all that runs went through."""

    items: Sequence[Item]
    covered: frozenset[Item]
    seen: frozenset[Item] = frozenset()

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
    """Everything of a workflow that can be covered, in its order."""
    return list(dict.fromkeys(_items(definition)))


def _items(definition: Definition) -> Iterator[Item]:
    if len(definition.initial) > 1:
        yield from _ways(START, INITIAL, definition.initial)
    yield from _ways(CANCELLED, ON_CANCEL, definition.on_cancel)
    for state in definition.states.values():
        yield ("state", state.name)
        for option, targets in state.on.items():
            if isinstance(state, HumanState) and option != TIMEOUT:
                yield ("option", state.name, option)
            if isinstance(state, AgentState) and option == ERROR:
                yield ("error", state.name)
            yield from _ways(state.name, option, targets)
        if isinstance(state, HumanState | WaitState) and state.timeout is not None:
            yield ("timeout", state.name)


def _ways(state: str, option: str, targets: Targets) -> Iterator[Item]:
    for number, target in enumerate(targets, 1):
        yield ("transition", state, option, target.to)
        if target.when is not None:
            yield ("guard", state, option, str(number), "true")
            yield ("guard", state, option, str(number), "false")


def covered_by(definition: Definition, history: Iterable[Entry]) -> frozenset[Item]:
    """What a run went through."""
    found: set[Item] = set()
    state, is_default = "", False
    for entry in history:
        data = entry.data
        if entry.kind in CHOOSING:
            is_default = entry.kind == DEFAULTED
        if entry.kind == "state.entered":
            if not state and len(definition.initial) > 1:
                found.update(_taken(START, INITIAL, definition.initial, data["state"]))
            state = data["state"]
            found.add(("state", state))
        elif entry.kind == "request.decided":
            found.add(("option", state, data["decision"]))
        elif entry.kind == "request.expired" or (entry.kind == "wait.ended" and data.get("option") == TIMEOUT):
            found.add(("timeout", state))
        elif entry.kind == "transition" and data["option"] == ON_CANCEL:
            found.update(_taken(CANCELLED, ON_CANCEL, definition.on_cancel, data["to"]))
        elif entry.kind == "transition" and data["from"] in definition.states:
            targets = definition.states[data["from"]].on.get(data["option"], ())
            found.update(_taken(data["from"], data["option"], targets, data["to"]))
            kind = "default" if is_default and data["option"] != TIMEOUT else "chosen"
            found.add((kind, data["from"], data["option"], data["to"]))
    return frozenset(found)


def _taken(state: str, option: str, targets: Targets, to: str) -> Iterator[Item]:
    """The transition, and how the guards of its option must have come out: those before its target did not hold."""
    for number, target in enumerate(targets, 1):
        if target.to == to:
            yield ("transition", state, option, to)
            if state in (START, CANCELLED):
                yield ("chosen", state, option, to)
            if option == ERROR:
                yield ("error", state)
            if target.when is not None:
                yield ("guard", state, option, str(number), "true")
            return
        yield ("guard", state, option, str(number), "false")


def coverage_of(definition: Definition, covered: Iterable[frozenset[Item]]) -> Coverage:
    """What of a workflow several runs covered together."""
    items = items_of(definition)
    seen = frozenset[Item]().union(*covered)
    return Coverage(items=items, covered=frozenset(items) & seen, seen=seen)


def said(item: Item) -> str:
    """An item in words."""
    kind, *where = item
    if kind == "state":
        return f"state {where[0]!r}"
    source = {START: "the start", CANCELLED: "a cancelled run"}.get(where[0], repr(where[0]))
    if kind == "transition":
        by = "" if where[0] in (START, CANCELLED) else f" by {where[1]!r}"
        return f"from {source}{by} to {where[2]!r}"
    if kind == "option":
        return f"a person's {where[1]!r} in {where[0]!r}"
    if kind == "timeout":
        return f"nobody answers in {where[0]!r}"
    if kind == "error":
        return f"the agent of {where[0]!r} fails"
    of = source if where[0] in (START, CANCELLED) else f"{where[1]!r} in {source}"
    return f"the condition of target {where[2]} of {of} is {where[3]}"


def lines_of(workflow: Path) -> Mapping[Item, int]:
    """The line of the workflow's file that says each item."""
    document, _ = read(workflow.read_bytes(), str(workflow))
    if document is None:
        return {}
    value: Json = document.value
    found: dict[Item, int] = {}
    for name, state in value["states"].items():
        here: Where = ("states", name)
        found["state", name] = found["timeout", name] = document.key_place(here).line
        if "timeout" in state:
            found["timeout", name] = document.key_place((*here, "timeout")).line
    for name, option, path in _written(value):
        line = document.key_place(path).line
        found["option", name, option] = found["error", name] = line
        for number, (to, place) in enumerate(_targets(document.node(path).value), 1):
            at = document.node((*path, *place)).place.line
            found.setdefault(("transition", name, option, to), at)
            for branch in ("true", "false"):
                found["guard", name, option, str(number), branch] = at
    return found


def _written(value: Mapping[str, Json]) -> Iterator[tuple[str, str, Where]]:
    """Whose way out, by which option, and where it is written."""
    for key, source, option in (("initial", START, INITIAL), ("on_cancel", CANCELLED, ON_CANCEL)):
        if key in value:
            yield source, option, (key,)
    for name, state in value["states"].items():
        for option in state.get("on", {}):
            yield name, option, ("states", name, "on", option)
        if "next" in state:
            yield name, next_option(state), ("states", name, "next")


def _targets(target: Json) -> list[tuple[str, Where]]:
    """The states that a target names, each with its place in it."""
    if isinstance(target, str):
        return [(target, ())]
    return [(item["to"], (index,)) for index, item in enumerate(target)]

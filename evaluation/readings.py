"""What cases read of a run: their conditions and the paths of what is measured, checked against what is known of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple, TypeAlias

from holdpoint.engine.asking import asking
from holdpoint.engine.canonical import Json
from holdpoint.engine.definition import AgentState, Definition, WaitState
from holdpoint.engine.errors import did_you_mean
from holdpoint.engine.expressions import Expression
from holdpoint.engine.expressions.parse import Access, Literal, Name
from holdpoint.engine.jsonschemas import errors
from holdpoint.evaluation.standins import agents_of
from holdpoint.scenarios.agents import kind_of
from holdpoint.scenarios.invariants import problems_of_condition
from holdpoint.schema.infer import infer
from holdpoint.schema.names import Names
from holdpoint.schema.nodes import Path as Where
from holdpoint.schema.reader import read
from holdpoint.schema.report import Report, listed, suggestion
from holdpoint.schema.sheet import Sheet
from holdpoint.schema.types import NUMBER, TEXT, Type

NAMES: Final = ("input", "artifacts", "visits")
"""What cases may read besides the results of states."""


class Problem(NamedTuple):
    """What is wrong: the code of the finding, the message and the fix."""

    code: str
    message: str
    fix: str


Strange: TypeAlias = tuple[Where, Sequence[str]]
"""Where a property is that its schema does not have, and which it has."""


class Readings:
    """What is known of the values of a workflow's runs, before there is one.

    `people` are the states in which people may decide, those that ask after a crash too; `made_up` those with agents
    whose work can be made up.
    """

    def __init__(self, definition: Definition) -> None:
        self._input = definition.input
        self._states = definition.states
        self._results = [name for name in self._states if name in definition.producing]
        self.people = [name for name in self._states if self.options_in(name)]
        self._agents = [name for name, state in self._states.items() if isinstance(state, AgentState)]
        self.made_up = agents_of(definition)
        document, _ = read(definition.text.encode(), definition.workflow)
        # A file may be within the bounds of files and what it was compiled to, its aliases written out, not.
        self._names = None if document is None else Names(Sheet(report=Report(document), value=document.value))

    def options_in(self, name: str) -> tuple[str, ...]:
        """What people may decide in a state; nothing where nobody is asked."""
        asked = asking(self._states.get(name))
        return () if asked is None else asked.options

    def strange_in_input(self, given: Json) -> Iterator[Strange]:
        """The properties of an input that are not meant to be there."""
        if self._names is not None and self._input is not None:
            yield from _strange(self._input, self._names["input"], given)

    def strange_in_output(self, name: str, described: Json) -> Iterator[Strange]:
        """The properties that the agent of a state is not meant to give, as its visits are described."""
        state = self._states.get(name)
        if self._names is None or not isinstance(state, AgentState) or state.output is None:
            return
        visits = list(enumerate(described)) if isinstance(described, list) else [(None, described)]
        for number, given in visits:
            if kind_of(given) is None:
                for below, known in _strange(state.output, self._names.output_of(name), given):
                    yield (below if number is None else (number, *below)), known

    def of_signal(self, name: str, data: Json) -> Problem | None:
        """Why the data of a signal would be refused, if so."""
        for state in self._states.values():
            if isinstance(state, WaitState) and name in state.takes and state.output is not None:
                found = errors(state.output, data, "data")
                if found:
                    message = f"the signal {name!r} is refused: {found[0]}"
                    return Problem("HP421", message, f"write what state {state.name!r} takes, by its 'output'")
        return None

    def of_condition(self, expression: Expression) -> Iterator[Problem]:
        """What is wrong with a condition, whatever happens in a run."""
        known = [*NAMES, *self._states]
        for name in sorted(expression.names - set(known)):
            yield Problem("HP405", f"no value is called {name!r}", suggestion(name, known))
        for message, fix in problems_of_condition(expression, self._names or {}):
            yield Problem("HP421", message, fix)

    def of_recommendation(self, state: str, text: str) -> Problem | None:
        """What is wrong with the path of what is recommended in a state."""
        if state not in self.people:
            message = f"the workflow has no state {state!r} in which people decide"
            return Problem("HP405", message, suggestion(state, self.people))
        root, *keys = text.split(".")
        if root not in (*NAMES, *self._results):
            message = f"the workflow has no state {root!r} that leaves a result"
            return Problem("HP405", message, suggestion(root, [*self._results, *NAMES]))
        found = _read(root, keys, self._names or {})
        return found if isinstance(found, Problem) else self._of_option(state, text, found)

    def _of_option(self, name: str, text: str, found: Type) -> Problem | None:
        options = self.options_in(name)
        fix = f"name what gives an option: {listed(options)}"
        if not found.may_be(TEXT):
            return Problem("HP421", f"{text!r} is {found}, and no option of state {name!r}", fix)
        given = found.values.get(TEXT)
        if given and not {*given} & {*options}:
            what = listed(repr(value) for value in given)
            return Problem("HP421", f"{text!r} is one of {what}: none is an option of state {name!r}", fix)
        return None

    def of_cost(self, text: str) -> Problem | None:
        """What is wrong with the path of a cost."""
        root, *keys = text.split(".")
        if root not in self._agents:
            message = f"the workflow has no state {root!r} with an agent, whose output may have a cost"
            return Problem("HP405", message, suggestion(root, self._agents))
        found = _read(root, keys, {} if self._names is None else {root: self._names.output_of(root)})
        if isinstance(found, Problem) or found.may_be(NUMBER):
            return found if isinstance(found, Problem) else None
        return Problem("HP421", f"{text!r} is {found}, and a cost is a number", "name a number in an agent's output")


def _strange(schema: Json, found: Type, given: Json) -> Iterator[Strange]:
    """The properties that a schema does not name and that are misspelt, or are refused, or in place of another."""
    for below, named, is_meant in _unnamed(found, given, ()):
        if is_meant or _is_refused(schema, given, below):
            yield below, named


def _unnamed(found: Type, given: Json, path: Where) -> Iterator[tuple[Where, list[str], bool]]:
    """The properties that no form names, those that are named, and whether one that is not there was meant."""
    if not isinstance(given, dict) or not found.objects:
        return
    named = dict.fromkeys(name for fields in found.objects for name in fields.named)
    absent = [name for name in named if name not in given]
    is_missing = all(fields.required - given.keys() for fields in found.objects)
    for key, value in given.items():
        inner = found.read(key)
        if inner is None:
            yield (*path, key), list(named), is_missing or bool(did_you_mean(key, absent))
        else:
            yield from _unnamed(inner, value, (*path, key))


def _is_refused(schema: Json, given: Json, path: Where) -> bool:
    """Whether a value is refused for a property."""
    return len(errors(schema, given, "")) > len(errors(schema, _without(given, path), ""))


def _without(given: Json, path: Where) -> Json:
    first, *rest = path
    if rest:
        return {**given, first: _without(given[first], tuple(rest))}
    return {key: value for key, value in given.items() if key != first}


def _read(root: str, keys: Sequence[str], names: Mapping[str, Type]) -> Type | Problem:
    """The type of what is at a path."""
    base = Name(0, root)
    found, problems = infer(Access(0, base, tuple(Literal(0, key) for key in keys)) if keys else base, names)
    return Problem("HP421", problems[0].message, problems[0].fix) if problems else found

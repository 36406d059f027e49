"""What cases read of a run: their conditions and the paths of what is measured, checked against what is known of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from holdpoint.engine.definition import AgentState, Definition, HumanState
from holdpoint.engine.expressions import Expression
from holdpoint.engine.expressions.parse import Access, Literal, Name
from holdpoint.scenarios.invariants import problems_of_condition
from holdpoint.schema.infer import infer
from holdpoint.schema.names import Names
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


class Readings:
    """What is known of the values of a workflow's runs, before there is one."""

    def __init__(self, definition: Definition) -> None:
        self._states = definition.states
        self._results = [name for name in self._states if name in definition.producing]
        self._people = [name for name, state in self._states.items() if isinstance(state, HumanState | AgentState)]
        self._agents = [name for name, state in self._states.items() if isinstance(state, AgentState)]
        document, _ = read(definition.text.encode(), definition.workflow)
        # A file may be within the bounds of files and what it was compiled to, its aliases written out, not.
        self._names = None if document is None else Names(Sheet(report=Report(document), value=document.value))

    def of_condition(self, expression: Expression) -> Iterator[Problem]:
        """What is wrong with a condition, whatever happens in a run."""
        known = [*NAMES, *self._states]
        for name in sorted(expression.names - set(known)):
            yield Problem("HP405", f"no value is called {name!r}", suggestion(name, known))
        for message, fix in problems_of_condition(expression, self._names or {}):
            yield Problem("HP421", message, fix)

    def of_recommendation(self, state: str, text: str) -> Problem | None:
        """What is wrong with the path of what is recommended in a state."""
        if state not in self._people:
            message = f"the workflow has no state {state!r} in which people decide"
            return Problem("HP405", message, suggestion(state, self._people))
        root, *keys = text.split(".")
        if root not in (*NAMES, *self._results):
            message = f"the workflow has no state {root!r} that leaves a result"
            return Problem("HP405", message, suggestion(root, [*self._results, *NAMES]))
        found = _read(root, keys, self._names or {})
        return found if isinstance(found, Problem) else self._of_option(state, text, found)

    def _of_option(self, name: str, text: str, found: Type) -> Problem | None:
        state = self._states[name]
        options = list(state.options) if isinstance(state, HumanState) else []
        fix = f"name what gives an option: {listed(options)}" if options else "name a text"
        if not found.may_be(TEXT):
            return Problem("HP421", f"{text!r} is {found}, and no option of state {name!r}", fix)
        given = found.values.get(TEXT)
        if given and options and not {*given} & {*options}:
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


def _read(root: str, keys: Sequence[str], names: Mapping[str, Type]) -> Type | Problem:
    """The type of what is at a path."""
    base = Name(0, root)
    found, problems = infer(Access(0, base, tuple(Literal(0, key) for key in keys)) if keys else base, names)
    return Problem("HP421", problems[0].message, problems[0].fix) if problems else found

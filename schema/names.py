"""The names that a workflow's expressions may read, each with the type of what it stands for (spec 2, Values)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property, partial
from typing import Final

from holdpoint.engine.canonical import Json
from holdpoint.engine.definition import TIMEOUT
from holdpoint.engine.expressions import ExpressionSyntaxError, parse_template
from holdpoint.schema.infer import infer
from holdpoint.schema.jsonschemas import without_templates
from holdpoint.schema.nodes import Path
from holdpoint.schema.schema_types import type_of_schema
from holdpoint.schema.sheet import BY_KINDS, HUMAN_TYPES, Sheet, State, forms_of, options_for_people
from holdpoint.schema.types import (
    ANY,
    MISSING,
    NONE,
    NUMBER,
    OBJECT,
    TEXT,
    Fields,
    Later,
    Type,
    known,
    object_of,
    of_kinds,
    of_values,
    once,
    union,
)

EVERYWHERE: Final = ("input", "artifacts", "visits", "previous", "error", "run", "now")
ENV: Final = ("env",)
OUTPUT: Final = ("output",)

ENVIRONMENT: Final = Type(kinds=frozenset({OBJECT}), objects=(Fields(others=lambda: of_kinds(TEXT)),))
"""The type of `env`: texts under any name."""

_TEXT: Final = of_kinds(TEXT)
_TEXT_OR_NONE: Final = of_kinds(TEXT, NONE)


class Names(Mapping[str, Type]):
    """The types of the names that every expression may read, each worked out when it is first read."""

    def __init__(self, sheet: Sheet) -> None:
        self._sheet = sheet
        self._results = sheet.results
        self._found: dict[str, Type] = {}
        self._open: set[str] = set()

    def __getitem__(self, name: str) -> Type:
        if name not in self._found:
            self._found[name] = self._made(name)
        return self._found[name]

    def __iter__(self) -> Iterator[str]:
        return iter((*EVERYWHERE, *self._results))

    def __len__(self) -> int:
        return len(EVERYWHERE) + len(self._results)

    def __contains__(self, name: object) -> bool:
        return name in EVERYWHERE or name in self._known_results

    @cached_property
    def _known_results(self) -> frozenset[str]:
        return frozenset(self._results)

    def output_of(self, name: str) -> Type:
        """The type of an agent's output."""
        return self._of_schema(("states", name, "output"), self._sheet.states[name].get("output", True))

    def _made(self, name: str) -> Type:
        makers: Mapping[str, Later] = {
            "input": self._input,
            "artifacts": self._artifacts,
            "visits": self._visits,
            "previous": self._previous,
            "error": self._error,
            "run": self._run,
            "now": lambda: _TEXT,
        }
        if name in makers:
            return makers[name]()
        if name not in self._known_results:
            raise KeyError(name)
        return union([MISSING, self._result(name)])

    def _of_schema(self, path: Path, schema: Json) -> Type:
        return ANY if self._sheet.report.has_errors_below(path) else known(type_of_schema(schema))

    def _input(self) -> Type:
        if "input" in self._sheet.value:
            return self._of_schema(("input",), self._sheet.value["input"])
        return object_of({}, hint="add an 'input' schema")

    def _visits(self) -> Type:
        return object_of(dict.fromkeys(self._sheet.states, lambda: of_kinds(NUMBER)), noun="state")

    def _previous(self) -> Type:
        states = of_values(TEXT, self._results)
        found = _object(state=states, option=_TEXT, result=ANY)
        return union([found, MISSING])

    def previous_from(self, name: str) -> Type:
        """The type of `previous` where a run comes from a certain state, if that left a result."""
        return _object(state=of_values(TEXT, [name]), option=_TEXT, result=lambda: self._result(name))

    def _error(self) -> Type:
        agents = of_values(TEXT, [name for name, _ in self._sheet.of_types("agent")])
        found = _object(state=agents, code=_TEXT, message=_TEXT, attempts=of_kinds(NUMBER), details=of_kinds(OBJECT))
        return union([found, MISSING])

    def _run(self) -> Type:
        return _object(id=_TEXT, workflow=_TEXT, initiator=_TEXT_OR_NONE, started_at=_TEXT)

    # -- results

    def _result(self, name: str) -> Type:
        state = self._sheet.states[name]
        if state["type"] in HUMAN_TYPES:
            return self._decision(name, state)
        if state["type"] == "wait" and "signal" not in state:
            return MISSING
        return self.output_of(name)

    def _decision(self, name: str, state: State) -> Type:
        options = [*options_for_people(state), *([TIMEOUT] if TIMEOUT in state.get("on", {}) else [])]
        return _object(
            decision=of_values(TEXT, options),
            by=_TEXT_OR_NONE,
            by_kind=of_values(TEXT, BY_KINDS),
            comment=_TEXT_OR_NONE,
            answers=once(partial(self._answers, name, state)),
            at=_TEXT,
        )

    def _answers(self, name: str, state: State) -> Type:
        """What some form of the state asks for; none too where an option, or the timeout's edge, has no form."""
        forms = [self._of_schema(("states", name, *below), without_templates(form)) for below, form in forms_of(state)]
        has_all = "form" in state or set(options_for_people(state)) <= set(state.get("forms", ()))
        is_sure = has_all and TIMEOUT not in state.get("on", {})
        return union(forms if is_sure and forms else [*forms, MISSING])

    # -- artifacts

    def _artifacts(self) -> Type:
        named = {name: once(partial(self._artifact, name, makers)) for name, makers in self._sheet.artifacts.items()}
        return object_of(named, noun="artifact")

    def _artifact(self, name: str, makers: Sequence[str]) -> Type:
        if name in self._open:  # a part that is made of what it was before
            return ANY
        self._open.add(name)
        found = union([MISSING, *(self._content(name, maker) for maker in makers)])
        self._open.discard(name)
        return found

    def _content(self, name: str, maker: str) -> Type:
        """What an artifact is once a state has made it. An edit of a whole output must meet its schema, one of a part
        need not (spec 3.7), so that a part under review may be anything."""
        artifact = self._sheet.states[maker]["artifact"]
        if isinstance(artifact, str):
            return self.output_of(maker)
        if name in self._edited:
            return ANY
        try:
            template = parse_template(artifact[name])
        except ExpressionSyntaxError:
            return ANY  # reported where the template stands
        if not template.is_whole:
            return _TEXT
        return infer(template.roots[0], LocalNames(self, {"output": self.output_of(maker)}))[0]

    @cached_property
    def _edited(self) -> frozenset[str]:
        """The artifacts that some person may edit."""
        shown = (state.get("show") for _, state in self._sheet.of_types("return"))
        return frozenset(names[0] for names in shown if isinstance(names, list) and names)


class LocalNames(Mapping[str, Type]):
    """The names of one place: those of everywhere, and its own."""

    def __init__(self, names: Names, own: Mapping[str, Type]) -> None:
        self._names = names
        self._own = own

    def __getitem__(self, name: str) -> Type:
        return self._own[name] if name in self._own else self._names[name]

    def __iter__(self) -> Iterator[str]:
        return iter((*self._names, *self._own))

    def __len__(self) -> int:
        return len(self._names) + len(self._own)


def _object(**named: Type | Later) -> Type:
    return object_of({name: _later(found) for name, found in named.items()})


def _later(found: Type | Later) -> Later:
    return (lambda: found) if isinstance(found, Type) else found

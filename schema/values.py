"""Expressions and templates: well formed, every name and property in them known, every operation possible."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Final

from holdpoint.engine.expressions import (
    Expression,
    ExpressionError,
    ExpressionSyntaxError,
    Scope,
    Template,
    parse_template,
)
from holdpoint.engine.expressions import Path as Use
from holdpoint.schema.infer import infer
from holdpoint.schema.names import ENVIRONMENT, OUTPUT, LocalNames, Names
from holdpoint.schema.report import hinted, listed, place_name, suggestion
from holdpoint.schema.sheet import HUMAN_TYPES, Sheet, State
from holdpoint.schema.texts import Text, texts_of
from holdpoint.schema.types import BOOLEAN, TEXT, Type, of_kinds

_PLACES_OF: Final = {
    "env": "'env' is for the arguments of an agent alone ('with', 'command')",
    "output": "'output' is for the parts of an artifact alone",
    "item": "'item' is for the children of a call alone",
    "index": "'index' is for the children of a call alone",
}


def check_values(sheet: Sheet) -> None:
    """Report expressions that cannot be parsed, names and properties that nothing has, operations that cannot work."""
    _Checker(sheet).check()


class _Checker:
    """Checks one workflow's texts; what they may name is worked out once."""

    def __init__(self, sheet: Sheet) -> None:
        self._sheet = sheet
        self._report = sheet.report
        self._names = Names(sheet)

    def check(self) -> None:
        for text in texts_of(self._sheet):
            try:
                parsed = text.parse()
            except ExpressionSyntaxError as error:
                example = "input.amount > 5000" if text.is_condition else "{{ input.amount }}"
                message, fix = hinted(str(error), f"write e.g. {example!r}")
                self._report.text(text.path, error.offset, "HP240", message, fix)
            else:
                self._check_names(text, parsed)
                self._check_types(text, parsed)
                self._check_previous(text, parsed)

    # -- names

    def _check_names(self, text: Text, parsed: Expression | Template) -> None:
        for use in parsed.paths:
            if use.root in self._names or use.root in text.extra:
                self._check_artifact_is_read_as_such(text, use)
            else:
                self._report_unknown(text, use)

    def _report_unknown(self, text: Text, use: Use) -> None:
        if use.root in self._sheet.states:
            results = listed(self._sheet.results)
            message, fix = f"the end state {use.root!r} has no result", f"states with a result: {results}"
        elif use.root in _PLACES_OF:
            message, fix = f"the name {use.root!r} is not known here", _PLACES_OF[use.root]
        else:
            message = f"the name {use.root!r} is not known"
            known = (*self._names, *text.extra)
            fix = suggestion(use.root, known)
            if use.root in (self._sheet.value.get("input") or {}).get("properties", {}):
                fix = f"did you mean 'input.{use.root}'?"
            elif not use.keys and fix.startswith("allowed"):
                fix = f"write '{use.root}' in quotes where a text is meant; {fix}"
        self._report.text(text.path, use.offset, "HP241", message, fix)

    # -- types

    def _check_types(self, text: Text, parsed: Expression | Template) -> None:
        trees = (parsed.root,) if isinstance(parsed, Expression) else parsed.roots
        place = LocalNames(self._names, self._own_names(text)) if text.extra else self._names
        found, is_clean = of_kinds(TEXT), True
        for tree in trees:
            found, problems = infer(tree, place)
            is_clean = is_clean and not problems
            for problem in problems:
                self._report.text(text.path, problem.offset, problem.code, problem.message, problem.fix)
        if isinstance(parsed, Expression):
            self._check_condition(text, parsed, found, is_clean)
        elif text.takes and trees:
            self._check_taken(text, found if parsed.is_whole else of_kinds(TEXT))

    def _check_previous(self, text: Text, parsed: Expression | Template) -> None:
        """Report a property of what came before that some state which leads here does not leave."""
        reads = [use for use in parsed.paths if use.root == "previous"]
        if text.path[0] != "states" or not any(use.keys[:1] == ("result",) and use.keys[1:] for use in reads):
            return
        if any(use.keys[:1] in (("state",), ("option",)) for use in reads):
            return  # it asks which way the run came
        for name in self._before.get(str(text.path[1]), ()):
            place = LocalNames(self._names, {**self._own_names(text), "previous": self._names.previous_from(name)})
            for tree in (parsed.root,) if isinstance(parsed, Expression) else parsed.roots:
                for problem in infer(tree, place)[1]:
                    if problem.code == "HP242":
                        message = f"where the run comes from {name!r}: {problem.message}"
                        self._report.text(text.path, problem.offset, "HP259", message, problem.fix)

    @cached_property
    def _before(self) -> Mapping[str, Sequence[str]]:
        """The states that lead to each state."""
        found: dict[str, dict[str, None]] = {}
        for name in self._sheet.states:
            for edge in self._sheet.edges(name):
                for _, to, _ in edge.targets:
                    found.setdefault(to, {})[name] = None
        return {to: list(names) for to, names in found.items()}

    def _own_names(self, text: Text) -> Mapping[str, Type]:
        if text.extra == OUTPUT:
            return {"output": self._names.output_of(str(text.path[1]))}
        return {"env": ENVIRONMENT}

    def _check_taken(self, text: Text, found: Type) -> None:
        if not found.may_be(text.takes):
            message = f"{place_name(text.path)} takes {text.takes}, and the template gives {found}"
            self._report.value(text.path, "HP248", message, f"give it {text.takes}")

    def _check_condition(self, text: Text, parsed: Expression, found: Type, is_clean: bool) -> None:
        if not found.may_be(BOOLEAN):
            message = f"the condition gives {found}; it must give true or false"
            self._report.text(text.path, 0, "HP247", message, "compare it, such as 'input.amount > 100'")
        elif is_clean:
            self._check_can_go_both_ways(text, parsed, found)

    def _check_can_go_both_ways(self, text: Text, parsed: Expression, found: Type) -> None:
        answer = found.constant
        if not parsed.paths and not answer:
            try:
                answer = (parsed.holds(Scope({})),)
            except ExpressionError as error:
                message = f"the condition fails whenever it is asked: {error.message}"
                self._report.text(text.path, 0, "HP246", message, "write one that can hold")
                return
        if answer == (False,):
            message = f"the condition never holds, so that {text.to!r} is not reached from here"
            self._report.text(text.path, 0, "HP249", message, "remove the target")
        elif answer == (True,):
            rest = f", so that {listed(map(repr, text.rest))} after it is never reached from here" if text.rest else ""
            message = f"the condition always holds{rest}"
            self._report.text(text.path, 0, "HP249", message, "remove the condition")

    # -- artifacts that people have seen

    @cached_property
    def _shown(self) -> frozenset[str]:
        """The artifacts that some person is shown, by name or in an expression."""
        shown: set[str] = set()
        for _, state in self._sheet.of_types(*HUMAN_TYPES):
            show = state.get("show", ())
            if not isinstance(show, dict):
                shown.update(show)
                continue
            for template in show.values():
                uses = _uses(template)
                shown.update(str(use.keys[0]) for use in uses if use.root == "artifacts" and use.keys)
        return frozenset(shown)

    @cached_property
    def _seen_parts(self) -> Mapping[str, Sequence[tuple[tuple[str | int, ...], str]]]:
        """For each agent, the parts of its output that a person is shown, each with the artifact that it became."""
        return {name: list(self._parts_of(state)) for name, state in self._sheet.of_types("agent")}

    def _parts_of(self, state: State) -> Iterator[tuple[tuple[str | int, ...], str]]:
        artifact = state.get("artifact", {})
        if isinstance(artifact, str):
            if artifact in self._shown:
                yield (), artifact
            return
        for name, template in artifact.items():
            if name in self._shown:
                yield from ((use.keys, name) for use in _uses(template) if use.root == "output")

    def _check_artifact_is_read_as_such(self, text: Text, use: Use) -> None:
        for part, artifact in self._seen_parts.get(use.root, ()):
            if use.keys[: len(part)] == part:
                message = (
                    f"the result of {use.root!r} is shown to a person as the artifact {artifact!r}, who may edit it"
                )
                fix = f"read it as 'artifacts.{artifact}'"
                self._report.text(text.path, use.offset, "HP243", message, fix)
                return


def _uses(template: str) -> Sequence[Use]:
    try:
        return parse_template(template).paths
    except ExpressionSyntaxError:
        return ()  # reported where the template stands

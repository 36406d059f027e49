"""Expressions and templates: well formed, and every name in them known where it stands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Final

from holdpoint.engine.canonical import Json
from holdpoint.engine.expressions import (
    Expression,
    ExpressionSyntaxError,
    Template,
    parse_template,
)
from holdpoint.engine.expressions import Path as Use
from holdpoint.schema.report import hinted, listed, suggestion
from holdpoint.schema.sheet import HUMAN_TYPES, Sheet, State
from holdpoint.schema.texts import Text, texts_of

_EVERYWHERE: Final = ("input", "artifacts", "visits", "previous", "error", "run", "now")
_PLACES_OF: Final = {
    "env": "'env' is for the arguments of an agent alone ('with', 'command')",
    "output": "'output' is for the parts of an artifact alone",
    "item": "'item' is for the children of a call alone",
    "index": "'index' is for the children of a call alone",
}
_DECISION: Final = ("decision", "by", "by_kind", "comment", "answers", "at")
_KEYS_OF: Final[Mapping[str, Sequence[str]]] = {
    "run": ("id", "workflow", "initiator", "started_at"),
    "previous": ("state", "option", "result"),
    "error": ("state", "code", "message", "attempts", "details"),
}


def check_values(sheet: Sheet) -> None:
    """Report expressions that cannot be parsed and names that nothing has."""
    _Checker(sheet).check()


class _Checker:
    """Checks one workflow's texts; what they may name is worked out once."""

    def __init__(self, sheet: Sheet) -> None:
        self._sheet = sheet
        self._report = sheet.report
        self._artifacts = sheet.artifacts
        self._results = sheet.results

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

    def _check_names(self, text: Text, parsed: Expression | Template) -> None:
        for use in parsed.paths:
            if use.root not in (*_EVERYWHERE, *self._results, *text.extra):
                self._report_unknown(text, use)
            elif not self._is_unknown_part(text, use):
                self._check_artifact_is_read_as_such(text, use)

    def _report_unknown(self, text: Text, use: Use) -> None:
        known = (*_EVERYWHERE, *self._results, *text.extra)
        if use.root in self._sheet.states:
            message, fix = f"the end state {use.root!r} has no result", f"states with a result: {listed(self._results)}"
        elif use.root in _PLACES_OF:
            message, fix = f"the name {use.root!r} is not known here", _PLACES_OF[use.root]
        else:
            message, fix = f"the name {use.root!r} is not known", suggestion(use.root, known)
        self._report.text(text.path, use.offset, "HP241", message, fix)

    def _is_unknown_part(self, text: Text, use: Use) -> bool:
        """Report a property that the named value cannot have; whether there was one."""
        key = use.keys[0] if use.keys else None
        if key is None:
            return False
        if use.root == "input":
            return self._is_unknown_input(text, use)
        known = self._known_keys(use.root)
        if known is None or key in known:
            return False
        code, what = ("HP241", "the") if use.root in ("artifacts", "visits") else ("HP242", "the property")
        noun = {"artifacts": " artifact", "visits": " state"}.get(use.root, "")
        message = f"{what}{noun} {key!r} of {use.root!r} does not exist"
        self._report.text(text.path, use.offset, code, message, suggestion(str(key), list(known)))
        return True

    def _known_keys(self, root: str) -> Sequence[str] | None:
        if root == "artifacts":
            return tuple(self._artifacts)
        if root == "visits":
            return tuple(self._sheet.states)
        if root in self._sheet.states and self._sheet.states[root]["type"] in HUMAN_TYPES:
            return _DECISION
        return _KEYS_OF.get(root)

    def _is_unknown_input(self, text: Text, use: Use) -> bool:
        schema: Json = self._sheet.value.get("input")
        for depth, key in enumerate(use.keys):
            known = ["nothing"] if schema is None else _closed_properties(schema, is_top=depth == 0)
            if known is None or not isinstance(key, str):
                return False
            if schema is None or key not in known:
                name = ".".join(map(str, ("input", *use.keys[: depth + 1])))
                fix = "add an 'input' schema" if schema is None else suggestion(key, known)
                self._report.text(text.path, use.offset, "HP242", f"the input has no {name!r}", fix)
                return True
            schema = schema["properties"][key]
        return False

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


def _closed_properties(schema: Json, *, is_top: bool) -> list[str] | None:
    """The properties of an object that has no others, or None where there may be more.

    The top of an input has no others unless its schema says `additionalProperties` (spec 4); further down, JSON
    Schema's own rule holds.
    """
    if not isinstance(schema, dict) or not isinstance(schema.get("properties"), dict):
        return None
    if any(key in schema for key in ("patternProperties", "allOf", "anyOf", "oneOf", "$ref", "if", "dependentSchemas")):
        return None
    more = schema.get("additionalProperties", not is_top)
    return list(schema["properties"]) if more is False else None

"""Files of cases: YAML, read as strictly as a workflow, or CSV, a case a row; checked against their workflow."""

from __future__ import annotations

import csv
import io
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Final

from holdpoint.engine.canonical import Json, parse_json
from holdpoint.engine.definition import AgentState, Definition, HumanState
from holdpoint.engine.durations import parse_duration
from holdpoint.engine.errors import DefinitionError, Finding, Invalid, NotFound
from holdpoint.engine.expressions import Expression, ExpressionSyntaxError, parse_expression
from holdpoint.engine.times import parse_time
from holdpoint.evaluation.cases import Case, Cases, Rule, Sent
from holdpoint.scenarios.reading import scenarios_schema
from holdpoint.schema.keywords import violations
from holdpoint.schema.nodes import Path as Where
from holdpoint.schema.reader import read
from holdpoint.schema.report import MAX_ERRORS, Report, TooManyErrors, suggestion
from holdpoint.schema.shape import check_shape

START: Final = "2026-01-05T09:00:00Z"
_NAMES: Final = ("input", "artifacts", "visits")
_RULE_COLUMNS: Final = {"decide": "decide", "by": "by", "after": "after", "comment": "comment"}
_COLUMNS: Final = ("name", "initiator", "input", "agents", "expect", *_RULE_COLUMNS)

Tell = Callable[[Where, str, str, str], None]
"""Takes a finding: where it is, its code, what is wrong and what to do."""


@cache
def cases_schema() -> Json:
    """The JSON Schema of a file of cases."""
    schema = json.loads(files("holdpoint.evaluation").joinpath("cases.schema.json").read_text(encoding="utf-8"))
    schema["$defs"]["expect"] = scenarios_schema()["$defs"]["expect"]
    return schema


def load_cases(
    path: Path,
    definition: Definition,
    recommendation: Mapping[str, str] | None = None,
    cost: Sequence[str] = (),
) -> Cases:
    """The cases of a file, for a workflow; *recommendation* and *cost* are laid over what it says.

    Raises `NotFound`, or `DefinitionError` with what is wrong in it.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise NotFound(f"{path} cannot be read: {error.strerror or error}") from None
    source = _csv(path, data, definition) if path.suffix.lower() == ".csv" else _yaml(path, data)
    source.value["recommendation"] = {**source.value.get("recommendation", {}), **(recommendation or {})}
    source.value["cost"] = [*source.value.get("cost", ()), *cost]
    reader = _Reader(source, definition)
    cases = reader.cases(path)
    source.raise_errors()
    return cases


OF: Final = "these cases"
"""What a `DefinitionError` says that the file is of."""


class _Source(ABC):
    """The value of a file, with where each part of it is."""

    def __init__(self, file: str, value: Json) -> None:
        self.file = file
        self.value = value
        self.findings: list[Finding] = []

    @abstractmethod
    def line(self, path: Where) -> int:
        """The line that says what is at a path."""

    @abstractmethod
    def tell(self, path: Where, code: str, message: str, fix: str) -> None:
        """Take a finding."""

    def raise_errors(self) -> None:
        """Raise `DefinitionError` if there is any finding."""
        if self.findings:
            raise DefinitionError(self.findings, OF)


class _Yaml(_Source):
    def __init__(self, file: str, report: Report, value: Json) -> None:
        super().__init__(file, value)
        self._report = report

    def line(self, path: Where) -> int:
        return self._report.document.node(path).place.line

    def tell(self, path: Where, code: str, message: str, fix: str) -> None:
        self._report.value(path, code, message, fix)

    def raise_errors(self) -> None:
        if self._report.has_errors:
            raise DefinitionError(self._report.findings, OF)


class _Csv(_Source):
    """Rows have lines, and no columns that one could name."""

    def __init__(self, file: str, value: Json, lines: Sequence[int]) -> None:
        super().__init__(file, value)
        self._lines = lines

    def line(self, path: Where) -> int:
        return self._lines[int(path[1])] if len(path) > 1 and path[0] == "cases" else 1

    def tell(self, path: Where, code: str, message: str, fix: str) -> None:
        if len(self.findings) >= MAX_ERRORS:
            raise DefinitionError(self.findings, OF)
        where = ".".join(str(part) for part in path[2:]) if path[:1] == ("cases",) else ".".join(map(str, path))
        message = f"{where}: {message}" if where else message
        self.findings.append(
            Finding(
                file=self.file, line=self.line(path), column=1, severity="error", code=code, message=message, fix=fix
            )
        )


def _yaml(path: Path, data: bytes) -> _Source:
    document, problems = read(data, str(path))
    if document is None:
        raise DefinitionError(problems, OF)
    report = Report(document)
    try:
        value = check_shape(report, cases_schema())
    except TooManyErrors:
        value = None
    if value is None or report.has_errors:
        raise DefinitionError(report.findings, OF)
    return _Yaml(str(path), report, value)


def _csv(path: Path, data: bytes, definition: Definition) -> _Source:
    try:
        rows = list(_rows(data.decode("utf-8-sig")))
    except (UnicodeDecodeError, csv.Error) as error:
        raise Invalid(f"{path} is no CSV in UTF-8: {error}", code="cases") from None
    header = rows[0][1] if rows else []
    source = _Csv(str(path), {"cases": []}, [line for line, _ in rows[1:]] or [1])
    _check_header(source, header)
    source.raise_errors()
    if len(rows) < 2:
        raise Invalid(f"{path} has no case: a header with 'name', and a row for each", code="cases")
    for number, (_, cells) in enumerate(rows[1:]):
        if len(cells) != len(header):
            message = f"the row has {len(cells)} cells, and the header {len(header)}"
            source.tell(("cases", number), "HP421", message, "")
        source.value["cases"].append(_case(header, cells, definition))
    for found in violations(source.value, cases_schema()):
        message = f"does not meet {found.validator}: {found.validator_value!r}"
        source.tell(found.absolute_path, "HP421", message, "")
    source.raise_errors()
    return source


def _rows(text: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    line = 1
    for cells in reader:
        if cells:
            yield line, cells
        line = reader.line_num + 1


def _check_header(source: _Source, header: Sequence[str]) -> None:
    for name in header:
        first, _, rest = name.partition(".")
        is_known = first in _COLUMNS and (bool(rest) or first in ("name", "initiator"))
        if not is_known or header.count(name) > 1:
            problem = "is there twice" if header.count(name) > 1 else "is not known"
            fix = (
                "columns are name, initiator, input.KEY, expect.KEY, agents.STATE and decide, by, after, comment.STATE"
            )
            source.tell((), "HP421", f"the column {name!r} {problem}", fix)


def _case(header: Sequence[str], cells: Sequence[str], definition: Definition) -> Json:
    """A case from its row; an empty cell says nothing."""
    case: dict[str, Json] = {}
    for name, text in zip(header, cells, strict=False):
        if text == "":
            continue
        first, *keys = name.split(".")
        if first in _RULE_COLUMNS:
            rule = case.setdefault("decisions", {}).setdefault(".".join(keys), {})
            rule[_RULE_COLUMNS[first]] = text
        elif not keys:
            case[first] = text
        else:
            inner = case.setdefault(first, {})
            for key in keys[:-1]:
                inner = inner.setdefault(key, {})
            inner[keys[-1]] = _typed(text, definition.input if first == "input" else None, keys)
    return case


def _typed(text: str, schema: Json, keys: Sequence[str]) -> Json:
    """What a cell says: text where the schema says so, else JSON where it is that."""
    for key in keys:
        schema = schema.get("properties", {}).get(key) if isinstance(schema, dict) else None
    if isinstance(schema, dict) and schema.get("type") == "string":
        return text
    try:
        return parse_json(text.encode(), "a cell")
    except Invalid:
        return text


class _Reader:
    """Makes cases of the value of a file, and reports what its workflow cannot do."""

    def __init__(self, source: _Source, definition: Definition) -> None:
        self._source = source
        self._value: Mapping[str, Json] = source.value
        self._definition = definition
        self._people = [
            state.name for state in definition.states.values() if isinstance(state, HumanState | AgentState)
        ]

    def cases(self, path: Path) -> Cases:
        value = self._value
        names: set[str] = set()
        cases = []
        shared_rules = self._decisions(("decisions",), value.get("decisions", {}))
        shared_signals = self._signals(("signals",), value.get("signals", []))
        self._check_agents(("agents",), value.get("agents", {}))
        for number, one in enumerate(value["cases"]):
            here: Where = ("cases", number)
            if one["name"] in names:
                self._source.tell((*here, "name"), "HP403", f"two cases are named {one['name']!r}", "")
            names.add(one["name"])
            self._check_agents((*here, "agents"), one.get("agents", {}))
            signals = self._signals((*here, "signals"), one.get("signals", []))
            cases.append(
                Case(
                    name=one["name"],
                    line=self._source.line(here),
                    input=one.get("input", {}),
                    initiator=one.get("initiator", value.get("initiator", "initiator")),
                    agents={**value.get("agents", {}), **one.get("agents", {})},
                    decisions={**shared_rules, **self._decisions((*here, "decisions"), one.get("decisions", {}))},
                    signals=signals if "signals" in one else shared_signals,
                    expect=one.get("expect", {}),
                )
            )
        return Cases(
            path=path,
            cases=cases,
            start=self._time(("start",), value.get("start", START)),
            people=value.get("people"),
            recommendation={
                state: self._path(("recommendation", state), text, state)
                for state, text in value["recommendation"].items()
            },
            cost=[self._path(("cost", number), text) for number, text in enumerate(value["cost"])],
        )

    def _path(self, where: Where, text: str, state: str | None = None) -> Sequence[str]:
        """A path: a state, or `input` or `artifacts`, and keys."""
        if state is not None:
            self._check_state(where, state)
        parts = text.split(".")
        if parts[0] not in _NAMES:
            self._check_state(where, parts[0])
        return parts

    def _check_state(self, where: Where, name: str) -> None:
        states = list(self._definition.states)
        if name not in states:
            self._source.tell(where, "HP405", f"the workflow has no state {name!r}", suggestion(name, states))

    def _check_agents(self, where: Where, agents: Mapping[str, Json]) -> None:
        known = [
            state.name
            for state in self._definition.states.values()
            if isinstance(state, AgentState) and state.value is None
        ]
        for name in agents:
            if name not in known:
                message = f"the workflow has no agent {name!r} that could be made up"
                self._source.tell((*where, name), "HP405", message, suggestion(name, known))

    def _decisions(self, where: Where, decisions: Mapping[str, Json]) -> dict[str, Sequence[Rule]]:
        found: dict[str, Sequence[Rule]] = {}
        for state, written in decisions.items():
            place: Where = (*where, state)
            if state not in self._people:
                message = f"the workflow has no state {state!r} in which people decide"
                self._source.tell(place, "HP405", message, suggestion(state, self._people))
            rules = written if isinstance(written, list) else [written]
            found[state] = [
                self._rule((*place, number) if isinstance(written, list) else place, state, rule)
                for number, rule in enumerate(rules)
            ]
        return found

    def _rule(self, where: Where, state: str, written: Json) -> Rule:
        rule = {"decide": written} if isinstance(written, str) else written
        found = list(violations(rule, _rule_schema()))
        if found or ("decide" in rule) == ("silence" in rule):
            at = (*where, *found[0].absolute_path) if found else where
            fix = "write an option, or a rule with 'decide' or 'silence: true', and when, by, after, comment"
            self._source.tell(at, "HP421", "it does not say what is decided", fix)
            return Rule(option=None)
        self._check_option(where, state, rule.get("decide"))
        return Rule(
            option=rule.get("decide"),
            when=self._condition((*where, "when"), rule.get("when")),
            by=rule.get("by"),
            after=self._span((*where, "after"), rule.get("after")),
            comment=rule.get("comment"),
            answers=rule.get("answers"),
            artifact=rule.get("artifact"),
        )

    def _check_option(self, where: Where, name: str, option: str | None) -> None:
        state = self._definition.states.get(name)
        if option is not None and isinstance(state, HumanState) and option not in state.options:
            message = f"{option!r} is not an option of state {name!r}"
            self._source.tell(where, "HP405", message, suggestion(option, state.options))

    def _condition(self, where: Where, text: str | None) -> Expression | None:
        if text is None:
            return None
        try:
            found = parse_expression(text)
        except ExpressionSyntaxError as error:
            self._source.tell(where, "HP421", f"the condition {text!r} cannot be read: {error}", "")
            return None
        known = [*_NAMES, *self._definition.states]
        for name in sorted(found.names - set(known)):
            self._source.tell(where, "HP405", f"no value is called {name!r}", suggestion(name, known))
        return found

    def _signals(self, where: Where, signals: Sequence[Json]) -> list[Sent]:
        known = [name for state in self._definition.states.values() for name in getattr(state, "takes", ())]
        for number, one in enumerate(signals):
            if one["signal"] not in known:
                message = f"no wait of the workflow takes the signal {one['signal']!r}"
                self._source.tell((*where, number, "signal"), "HP405", message, suggestion(one["signal"], known))
        return [
            Sent(name=one["signal"], after=self._span((*where, number, "after"), one["after"]), data=one.get("data"))
            for number, one in enumerate(signals)
        ]

    def _time(self, where: Where, text: str) -> datetime:
        try:
            return parse_time(text)
        except Invalid as error:
            self._source.tell(where, "HP404", str(error), "")
            return parse_time(START)

    def _span(self, where: Where, text: str | None) -> timedelta:
        try:
            begun = parse_time(START)
            return timedelta() if text is None else parse_duration(text).after(begun, UTC) - begun
        except Invalid as error:
            self._source.tell(where, "HP404", str(error), "")
            return timedelta()


@cache
def _rule_schema() -> Json:
    return {**cases_schema()["$defs"]["rule"], "$defs": cases_schema()["$defs"]}

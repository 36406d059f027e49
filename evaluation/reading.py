"""Files of cases: YAML, read as strictly as a workflow, or CSV, a case a row; checked against their workflow."""

from __future__ import annotations

import csv
import io
import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Final

from holdpoint.engine.canonical import Json, parse_json
from holdpoint.engine.definition import AgentState, Definition, HumanState
from holdpoint.engine.durations import parse_duration
from holdpoint.engine.errors import DefinitionError, Finding, Invalid, NotFound, UsageError
from holdpoint.engine.expressions import Expression, ExpressionSyntaxError, parse_expression
from holdpoint.engine.times import parse_time
from holdpoint.evaluation.cases import Case, Cases, Rule, Sent
from holdpoint.evaluation.readings import Problem, Readings
from holdpoint.scenarios.checks import Checker
from holdpoint.scenarios.reading import scenarios_schema
from holdpoint.schema.keywords import violations
from holdpoint.schema.nodes import Path as Where
from holdpoint.schema.reader import read
from holdpoint.schema.report import MAX_ERRORS, Report, TooManyErrors, suggestion
from holdpoint.schema.shape import check_shape

START: Final = "2026-01-05T09:00:00Z"
_RULE_COLUMNS: Final = ("decide", "by", "after", "comment")
COLUMNS: Final[Mapping[str, str]] = {
    "name": "what the case is called; it is needed",
    "initiator": "who starts the run",
    "input.KEY": "a key of the input; keys in it follow, each after a dot",
    "expect.KEY": "what should be so at the end, as `expect.outcome` or `expect.output.KEY`",
    "agents.STATE": "what the agent of a state gives",
    "agents.STATE.KEY": "a key of what it gives",
    "decide.STATE": "the option that is decided in a state, whatever the condition",
    "by.STATE": "who decides it; without it, somebody who may",
    "after.STATE": "how long after the request has opened",
    "comment.STATE": "what is said with the decision",
}
"""The columns of cases in CSV, each with what its cells say."""


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

    Raises `NotFound`, `DefinitionError` with what is wrong in it, or `UsageError` with what is wrong beside it.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise NotFound(f"{path} cannot be read: {error.strerror or error}") from None
    source = _csv(path, data, definition) if path.suffix.lower() == ".csv" else _yaml(path, data)
    readings = Readings(definition)
    try:
        cases = _Reader(source, definition, readings).cases(path)
    except TooManyErrors:
        source.raise_errors()
        raise
    source.raise_errors()
    return _with_options(cases, readings, recommendation or {}, cost)


def _with_options(cases: Cases, readings: Readings, recommendation: Mapping[str, str], cost: Sequence[str]) -> Cases:
    """The cases with what options say beside them. Raises `UsageError` with what is wrong in an option."""
    for state, text in recommendation.items():
        _refuse(f"--recommend {state}={text}", readings.of_recommendation(state, text))
    for text in cost:
        _refuse(f"--cost {text}", readings.of_cost(text))
    given = {state: text.split(".") for state, text in recommendation.items()}
    paths = dict.fromkeys(tuple(path) for path in (*cases.cost, *(text.split(".") for text in cost)))
    return replace(cases, recommendation={**cases.recommendation, **given}, cost=list(paths))


def _refuse(option: str, problem: Problem | None) -> None:
    if problem is not None:
        raise UsageError(f"{option}: {problem.message}; {problem.fix}")


OF: Final = "these cases"
"""What a `DefinitionError` says that the file is of."""


class _Source(ABC):
    """The value of a file, with where each part of it is."""

    def __init__(self, file: str, said: Json) -> None:
        self.file = file
        self.said = said
        self.findings: list[Finding] = []

    @abstractmethod
    def line(self, path: Where) -> int:
        """The line that says what is at a path."""

    @abstractmethod
    def value(self, path: Where, code: str, message: str, fix: str) -> None:
        """Take a finding about the value at a path."""

    @abstractmethod
    def key(self, path: Where, code: str, message: str, fix: str) -> None:
        """Take a finding about the key at the end of a path."""

    @abstractmethod
    def has_errors_below(self, path: Where) -> bool:
        """Whether an error stands inside of the value at a path."""

    def raise_errors(self) -> None:
        """Raise `DefinitionError` if there is any finding."""
        if self.findings:
            raise DefinitionError(self.findings, OF)


class _Yaml(_Source):
    def __init__(self, file: str, report: Report, said: Json) -> None:
        super().__init__(file, said)
        self._report = report

    def line(self, path: Where) -> int:
        return self._report.document.node(path).place.line

    def value(self, path: Where, code: str, message: str, fix: str) -> None:
        self._report.value(path, code, message, fix)

    def key(self, path: Where, code: str, message: str, fix: str) -> None:
        self._report.key(path, code, message, fix)

    def has_errors_below(self, path: Where) -> bool:
        return self._report.has_errors_below(path)

    def raise_errors(self) -> None:
        if self._report.has_errors:
            raise DefinitionError(self._report.findings, OF)


class _Csv(_Source):
    """Rows have lines, and no columns that one could name."""

    def __init__(self, file: str, said: Json, lines: Sequence[int]) -> None:
        super().__init__(file, said)
        self._lines = lines
        self._wrong: list[Where] = []

    def line(self, path: Where) -> int:
        return self._lines[int(path[1])] if len(path) > 1 and path[0] == "cases" else 1

    def value(self, path: Where, code: str, message: str, fix: str) -> None:
        self._wrong.append(tuple(path))
        if len(self.findings) >= MAX_ERRORS:
            raise DefinitionError(self.findings, OF)
        where = ".".join(str(part) for part in path[2:]) if path[:1] == ("cases",) else ".".join(map(str, path))
        message = f"{where}: {message}" if where else message
        self.findings.append(
            Finding(
                file=self.file, line=self.line(path), column=1, severity="error", code=code, message=message, fix=fix
            )
        )

    def key(self, path: Where, code: str, message: str, fix: str) -> None:
        self.value(path, code, message, fix)

    def has_errors_below(self, path: Where) -> bool:
        return any(where[: len(path)] == tuple(path) for where in self._wrong)


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
            source.value(("cases", number), "HP421", message, "")
        source.said["cases"].append(_case(header, cells, definition))
    for found in violations(source.said, cases_schema()):
        message = f"does not meet {found.validator}: {found.validator_value!r}"
        source.value(found.absolute_path, "HP421", message, "")
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
    firsts = {column.partition(".")[0] for column in COLUMNS}
    for name in header:
        first, _, rest = name.partition(".")
        is_known = first in firsts and (bool(rest) or first in COLUMNS)
        if not is_known or header.count(name) > 1:
            problem = "is there twice" if header.count(name) > 1 else "is not known"
            fix = f"columns are {', '.join(COLUMNS)}"
            source.value((), "HP421", f"the column {name!r} {problem}", fix)


def _case(header: Sequence[str], cells: Sequence[str], definition: Definition) -> Json:
    """A case from its row; an empty cell says nothing."""
    case: dict[str, Json] = {}
    for name, text in zip(header, cells, strict=False):
        if text == "":
            continue
        first, *keys = name.split(".")
        if first in _RULE_COLUMNS:
            rule = case.setdefault("decisions", {}).setdefault(".".join(keys), {})
            rule[first] = text
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

    def __init__(self, source: _Source, definition: Definition, readings: Readings) -> None:
        self._source = source
        self._value: Mapping[str, Json] = source.said
        self._definition = definition
        self._readings = readings
        self._checker = Checker(source, definition, source.said)
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
                self._source.value((*here, "name"), "HP403", f"two cases are named {one['name']!r}", "")
            names.add(one["name"])
            self._check_agents((*here, "agents"), one.get("agents", {}))
            signals = self._signals((*here, "signals"), one.get("signals", []))
            self._checker.check_end((*here, "expect"), one.get("expect", {}))
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
                state: self._path(("recommendation", state), text, self._readings.of_recommendation(state, text))
                for state, text in value.get("recommendation", {}).items()
            },
            cost=[
                self._path(("cost", number), text, self._readings.of_cost(text))
                for number, text in enumerate(value.get("cost", ()))
            ],
        )

    def _path(self, where: Where, text: str, problem: Problem | None) -> Sequence[str]:
        """A path: a state, or `input` or `artifacts`, and keys."""
        if problem is not None:
            self._source.value(where, *problem)
        return text.split(".")

    def _check_agents(self, where: Where, agents: Mapping[str, Json]) -> None:
        known = [
            state.name
            for state in self._definition.states.values()
            if isinstance(state, AgentState) and state.value is None
        ]
        for name in agents:
            if name not in known:
                message = f"the workflow has no agent {name!r} that could be made up"
                self._source.value((*where, name), "HP405", message, suggestion(name, known))

    def _decisions(self, where: Where, decisions: Mapping[str, Json]) -> dict[str, Sequence[Rule]]:
        found: dict[str, Sequence[Rule]] = {}
        for state, written in decisions.items():
            place: Where = (*where, state)
            if state not in self._people:
                message = f"the workflow has no state {state!r} in which people decide"
                self._source.value(place, "HP405", message, suggestion(state, self._people))
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
            self._source.value(at, "HP421", "it does not say what is decided", fix)
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
            self._source.value(where, "HP405", message, suggestion(option, state.options))

    def _condition(self, where: Where, text: str | None) -> Expression | None:
        if text is None:
            return None
        try:
            found = parse_expression(text)
        except ExpressionSyntaxError as error:
            self._source.value(where, "HP421", f"the condition {text!r} cannot be read: {error}", "")
            return None
        for problem in self._readings.of_condition(found):
            self._source.value(where, *problem)
        return found

    def _signals(self, where: Where, signals: Sequence[Json]) -> list[Sent]:
        known = [name for state in self._definition.states.values() for name in getattr(state, "takes", ())]
        for number, one in enumerate(signals):
            if one["signal"] not in known:
                message = f"no wait of the workflow takes the signal {one['signal']!r}"
                self._source.value((*where, number, "signal"), "HP405", message, suggestion(one["signal"], known))
        return [
            Sent(name=one["signal"], after=self._span((*where, number, "after"), one["after"]), data=one.get("data"))
            for number, one in enumerate(signals)
        ]

    def _time(self, where: Where, text: str) -> datetime:
        try:
            return parse_time(text)
        except Invalid as error:
            self._source.value(where, "HP404", str(error), "")
            return parse_time(START)

    def _span(self, where: Where, text: str | None) -> timedelta:
        try:
            begun = parse_time(START)
            return timedelta() if text is None else parse_duration(text).after(begun, UTC) - begun
        except Invalid as error:
            self._source.value(where, "HP404", str(error), "")
            return timedelta()


@cache
def _rule_schema() -> Json:
    return {**cases_schema()["$defs"]["rule"], "$defs": cases_schema()["$defs"]}

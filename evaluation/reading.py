"""Files of cases: YAML, read as strictly as a workflow, or CSV, a case a row; checked against their workflow."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Final

from holdpoint.engine.canonical import Json, parse_json
from holdpoint.engine.definition import Definition
from holdpoint.engine.durations import parse_duration
from holdpoint.engine.errors import DefinitionError, Invalid, NotFound, UsageError, did_you_mean
from holdpoint.engine.expressions import Expression, ExpressionSyntaxError, parse_expression
from holdpoint.engine.times import parse_time
from holdpoint.evaluation.cases import Case, Cases, Rule, Sent
from holdpoint.evaluation.readings import Problem, Readings, Strange
from holdpoint.scenarios.checks import Checker
from holdpoint.scenarios.model import START
from holdpoint.scenarios.reading import scenarios_schema
from holdpoint.schema.nodes import Document, Node, Place
from holdpoint.schema.nodes import Path as Where
from holdpoint.schema.reader import read
from holdpoint.schema.report import Report, TooManyErrors, suggestion
from holdpoint.schema.shape import check_part, check_shape

_RULE_COLUMNS: Final = ("decide", "by", "after", "comment")
_SEPARATORS: Final = (";", "\t", "|")
COLUMNS: Final[Mapping[str, str]] = {
    "name": "what the case is called; it is needed",
    "initiator": "who starts the run",
    "input.KEY": "a key of the input; keys in it follow, each after a dot",
    "expect.KEY": "what should be so at the end, as `expect.outcome`",
    "expect.output.KEY": "a key of the output, of which the keys without a column are not compared",
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
    readings = Readings(definition)
    is_table = path.suffix.lower() == ".csv"
    report = _table(path, data, definition, readings) if is_table else _document(path, data)
    cases = None
    try:
        value = check_shape(report, cases_schema())
        if value is not None and not report.has_errors:
            cases = _Reader(report, value, definition, readings, is_table=is_table).cases(path)
    except TooManyErrors:
        pass
    if cases is None or report.has_errors:
        raise DefinitionError(report.findings, OF)
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


class _Table(Report):
    """Findings about the rows of a table: places are lines, and what is at them is named by its column."""

    def __init__(self, document: Document) -> None:
        super().__init__(document)
        self._told: set[Where] = set()

    def value(self, path: Where, code: str, message: str, fix: str) -> None:
        """Add a finding about what a row says."""
        super().value(path, code, _of_column(path, message), _in_a_cell(code, message, fix))

    def key(self, path: Where, code: str, message: str, fix: str) -> None:
        """Add a finding about the key at the end of a path: once, in the header, where it is a part of a column."""
        if path and path[-1] in self.document.node(path[:-1]).keys:
            if path[2:] in self._told:
                return
            self._told.add(path[2:])
        super().key(path, code, _of_column(path, message), fix)


def _of_column(path: Where, message: str) -> str:
    """A message about a part of a case, in which that is named by its column."""
    if len(path) < 2:
        return message
    case, below = f"cases[{path[1]}]", path[2:]
    if below[:1] == ("decisions",) and len(below) > 1:
        below = (below[2] if len(below) > 2 else "decide", below[1])
    column = ".".join(map(str, below))
    message = message.replace(f"{case}.", "").replace(repr(case), "the row")
    return message if not column or repr(column) in message else f"{column}: {message}"


def _in_a_cell(code: str, message: str, fix: str) -> str:
    """How to mend what is told of a cell."""
    if code == "HP102":
        return "fill the cell of its column"
    if code == "HP103" and "must be a list" in message:
        return """write JSON in the cell, such as ["a", "b"]; as the file has it: "[""a"", ""b""]\""""
    if code == "HP103" and "must be a mapping" in message:
        return """write JSON in the cell, such as {"a": 1}; as the file has it: "{""a"": 1}\""""
    return fix


def _document(path: Path, data: bytes) -> Report:
    document, problems = read(data, str(path))
    if document is None:
        raise DefinitionError(problems, OF)
    return Report(document)


def _table(path: Path, data: bytes, definition: Definition, readings: Readings) -> Report:
    try:
        text = data.decode("utf-8-sig")
        _check_separator(path, text)
        rows = list(_rows(text))
    except (UnicodeDecodeError, csv.Error) as error:
        raise Invalid(f"{path} is no CSV in UTF-8: {error}", code="cases") from None
    header = rows[0][1] if rows else []
    first = Place(line=rows[0][0] if rows else 1, column=1)
    _check_header(_table_of(path, first, []), header, readings)
    if len(rows) < 2:
        raise Invalid(f"{path} has no case: a header with 'name', and a row for each", code="cases")
    cases = [_case(header, cells, definition) for _, cells in rows[1:]]
    nodes = [_node(case, first, Place(line=line, column=1)) for case, (line, _) in zip(cases, rows[1:], strict=True)]
    report = _table_of(path, first, nodes)
    for number, (_, cells) in enumerate(rows[1:]):
        if len(cells) != len(header):
            message = f"the row has {len(cells)} cells, and the header {len(header)}"
            report.value(("cases", number), "HP421", message, "quote a cell that has a comma in it")
    if report.has_errors:
        raise DefinitionError(report.findings, OF)
    return report


def _table_of(path: Path, first: Place, cases: Sequence[Node]) -> _Table:
    """The report on a table, whose header is in a line and whose cases are these."""
    inner = Node(value=[node.value for node in cases], place=first, parts=cases)
    root = Node(value={"cases": inner.value}, place=first, parts={"cases": inner})
    return _Table(Document(file=str(path), root=root, lines=()))


class _Row(dict[str, Json]):
    """A mapping that columns make up, and not a cell."""


def _node(value: Json, header: Place, row: Place) -> Node:
    """A part of a case: the keys that columns name are in the header, and what their cells say in the row."""
    if not isinstance(value, _Row):
        return Node(value=value, place=row)
    parts = {key: _node(part, header, row) for key, part in value.items()}
    plain = {key: part.value for key, part in parts.items()}
    return Node(value=plain, place=row, keys=dict.fromkeys(parts, header), parts=parts)


def _rows(text: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    line = 1
    for cells in reader:
        if cells:
            yield line, cells
        line = reader.line_num + 1


def _check_header(report: Report, header: Sequence[str], readings: Readings) -> None:
    """Raise `DefinitionError` with what is wrong with the columns."""
    try:
        for name in dict.fromkeys(header):
            _check_column(report, name, header, readings)
        if not report.has_errors:
            _check_together(report, header)
    except TooManyErrors:
        pass
    if report.has_errors:
        raise DefinitionError(report.findings, OF)


def _check_separator(path: Path, text: str) -> None:
    """Raise `DefinitionError` where something else than a comma separates the columns."""
    header = text.partition("\n")[0]
    found = next((sign for sign in _SEPARATORS if sign in header and "," not in header), None)
    if found is not None:
        report = _table_of(path, Place(line=1, column=1), [])
        message = f"the columns are separated by {found!r}, and not by ','"
        report.value((), "HP421", message, "save the table as CSV with commas")
        raise DefinitionError(report.findings, OF)


def _check_column(report: Report, name: str, header: Sequence[str], readings: Readings) -> None:
    firsts = {column.partition(".")[0] for column in COLUMNS}
    first, _, rest = name.partition(".")
    is_known = first in firsts and (bool(rest) or first in COLUMNS)
    fix = f"columns are {', '.join(COLUMNS)}"
    if header.count(name) > 1:
        report.value((), "HP421", f"the column {name!r} is there twice", fix)
    elif not is_known:
        meant = did_you_mean(first, firsts)
        report.value((), "HP421", f"the column {name!r} is not known", f"{meant} {fix}".strip())
    elif first == "agents" and (state := rest.partition(".")[0]) not in readings.made_up:
        message = f"the column {name!r}: the workflow has no agent {state!r} whose work could be made up"
        report.value((), "HP405", message, suggestion(state, readings.made_up))
    elif first in _RULE_COLUMNS and rest not in readings.people:
        message = f"the column {name!r}: the workflow has no state {rest!r} in which people decide"
        report.value((), "HP405", message, suggestion(rest, readings.people))


def _check_together(report: Report, header: Sequence[str]) -> None:
    """Report columns that say nothing without another, or the same as another."""
    for name in header:
        first, _, rest = name.partition(".")
        if first in _RULE_COLUMNS and (decided := f"decide.{rest}") not in header:
            message = f"the column {name!r} says nothing without the column {decided!r}"
            report.value((), "HP421", message, f"add the column {decided!r}, or remove this one")
        if whole := next((one for one in header if name.startswith(f"{one}.")), None):
            message = f"the column {name!r} is a part of the column {whole!r}"
            report.value((), "HP421", message, "remove one of them")


def _case(header: Sequence[str], cells: Sequence[str], definition: Definition) -> _Row:
    """A case from its row; an empty cell says nothing."""
    case = _Row()
    for name, text in zip(header, cells, strict=False):
        if text == "":
            continue
        first, *keys = name.split(".")
        if first in _RULE_COLUMNS:
            _put(case, ("decisions", ".".join(keys), first), text)
        elif keys:
            _put(case, (first, *keys), _typed(text, definition.input if first == "input" else None, keys))
        else:
            case[first] = text
    return case


def _put(case: _Row, keys: Sequence[str], value: Json) -> None:
    inner = case
    for key in keys[:-1]:
        inner = inner.setdefault(key, _Row())
    inner[keys[-1]] = value


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

    def __init__(
        self, report: Report, value: Mapping[str, Json], definition: Definition, readings: Readings, *, is_table: bool
    ) -> None:
        self._report = report
        self._value = value
        self._definition = definition
        self._readings = readings
        self._checker = Checker(report, definition, value)
        self._is_table = is_table

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
                self._report.value((*here, "name"), "HP403", f"two cases are named {one['name']!r}", "")
            names.add(one["name"])
            self._check_agents((*here, "agents"), one.get("agents", {}))
            if "refused" not in one.get("expect", {}):
                self._check_names((*here, "input"), "the input", self._readings.strange_in_input(one.get("input", {})))
            signals = self._signals((*here, "signals"), one.get("signals", []))
            self._checker.check_end((*here, "expect"), one.get("expect", {}))
            cases.append(
                Case(
                    name=one["name"],
                    line=self._report.document.node(here).place.line,
                    input=one.get("input", {}),
                    initiator=one.get("initiator", value.get("initiator", "initiator")),
                    agents={**value.get("agents", {}), **one.get("agents", {})},
                    decisions={**shared_rules, **self._decisions((*here, "decisions"), one.get("decisions", {}))},
                    signals=signals if "signals" in one else shared_signals,
                    expect=one.get("expect", {}),
                    is_output_partial=self._is_made_of_columns((*here, "expect", "output")),
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

    def _is_made_of_columns(self, where: Where) -> bool:
        return self._is_table and bool(self._report.document.node(where).keys)

    def _path(self, where: Where, text: str, problem: Problem | None) -> Sequence[str]:
        """A path: a state, or `input` or `artifacts`, and keys."""
        if problem is not None:
            self._report.value(where, *problem)
        return text.split(".")

    def _check_agents(self, where: Where, agents: Mapping[str, Json]) -> None:
        """Report what is misspelt in what agents give, and of the others what they cannot give."""
        strange = {name: list(self._readings.strange_in_output(name, given)) for name, given in agents.items()}
        for name, found in strange.items():
            self._check_names((*where, name), f"what the agent of {name!r} gives", found)
        self._checker.check_agents(where, {name: given for name, given in agents.items() if not strange[name]})

    def _check_names(self, where: Where, what: str, strange: Iterable[Strange]) -> None:
        for below, known in strange:
            name = str(below[-1])
            message = f"{what} has no property {name!r}"
            self._report.key((*where, *below), "HP421", message, suggestion(name, known))

    def _decisions(self, where: Where, decisions: Mapping[str, Json]) -> dict[str, Sequence[Rule]]:
        found: dict[str, Sequence[Rule]] = {}
        for state, written in decisions.items():
            place: Where = (*where, state)
            if state not in self._readings.people:
                message = f"the workflow has no state {state!r} in which people decide"
                self._report.key(place, "HP405", message, suggestion(state, self._readings.people))
            rules = written if isinstance(written, list) else [written]
            found[state] = [
                self._rule((*place, number) if isinstance(written, list) else place, state, rule)
                for number, rule in enumerate(rules)
            ]
        return found

    def _rule(self, where: Where, state: str, written: Json) -> Rule:
        rule = {"decide": written} if isinstance(written, str) else written
        if isinstance(rule, dict) and not check_part(self._report, where, rule, _rule_schema()):
            return Rule(option=None)
        if not isinstance(rule, dict) or ("decide" in rule) == ("silence" in rule):
            more = ", ".join(key for key in _rule_schema()["properties"] if key not in ("decide", "silence"))
            fix = f"write an option, or a rule with 'decide' or 'silence: true', and as it needs {more}"
            self._report.value(where, "HP421", "it does not say what is decided", fix)
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
        options = self._readings.options_in(name)
        if option is not None and options and option not in options:
            message = f"{option!r} is not an option of state {name!r}"
            self._report.value(where, "HP405", message, suggestion(option, options))

    def _condition(self, where: Where, text: str | None) -> Expression | None:
        if text is None:
            return None
        try:
            found = parse_expression(text)
        except ExpressionSyntaxError as error:
            self._report.value(where, "HP421", f"the condition {text!r} cannot be read: {error}", "")
            return None
        for problem in self._readings.of_condition(found):
            self._report.value(where, *problem)
        return found

    def _signals(self, where: Where, signals: Sequence[Json]) -> list[Sent]:
        known = [name for state in self._definition.states.values() for name in getattr(state, "takes", ())]
        for number, one in enumerate(signals):
            if one["signal"] not in known:
                message = f"no wait of the workflow takes the signal {one['signal']!r}"
                self._report.value((*where, number, "signal"), "HP405", message, suggestion(one["signal"], known))
            elif problem := self._readings.of_signal(one["signal"], one.get("data")):
                at = (*where, number, "data") if "data" in one else (*where, number)
                self._report.value(at, *problem)
        return [
            Sent(name=one["signal"], after=self._span((*where, number, "after"), one["after"]), data=one.get("data"))
            for number, one in enumerate(signals)
        ]

    def _time(self, where: Where, text: str) -> datetime:
        try:
            return parse_time(text)
        except Invalid as error:
            self._report.value(where, "HP404", str(error), "")
            return parse_time(START)

    def _span(self, where: Where, text: str | None) -> timedelta:
        try:
            begun = parse_time(START)
            return timedelta() if text is None else parse_duration(text).after(begun, UTC) - begun
        except Invalid as error:
            self._report.value(where, "HP404", str(error), "")
            return timedelta()


@cache
def _rule_schema() -> Json:
    return {**cases_schema()["$defs"]["rule"], "$defs": cases_schema()["$defs"]}

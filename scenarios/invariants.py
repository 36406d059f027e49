"""What an author says that must hold in every run: `never: …`, `always: …`, `ends: …`, `always ends within …`.

The expressions are those of workflows, with the names of workflows and those of `OWN_NAMES`. They are asked after every
entry of a run's history, `ends` after the one that ends it, unless the run was cancelled.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from holdpoint.engine.durations import Duration, parse_duration
from holdpoint.engine.errors import Invalid
from holdpoint.engine.expressions import Expression, ExpressionError, Scope, parse_expression
from holdpoint.engine.model import ENDED, STATUSES
from holdpoint.engine.moments import Moment
from holdpoint.engine.times import say_span
from holdpoint.schema.infer import infer
from holdpoint.schema.names import LocalNames, Names
from holdpoint.schema.nodes import Path
from holdpoint.schema.report import Report, hinted, suggestion
from holdpoint.schema.shape import workflow_schema
from holdpoint.schema.sheet import Sheet
from holdpoint.schema.types import ANY, BOOLEAN, NONE, NUMBER, TEXT, Type, list_of, of_kinds, of_values, once, union

OWN_NAMES: Final[Mapping[str, str]] = {
    "state": "the state that the run is in, none before the first",
    "status": "running, waiting, done, failed or cancelled",
    "path": "the states that were entered, in order",
    "outcome": "the outcome of the end, none before it",
    "output": "the output of the end, none before it",
    "elapsed": "the seconds since the run was started",
}
"""What invariants may read besides the names of workflows."""

_FORM: Final = re.compile(r"\s*(never|always|ends)\s*:\s*(\S.*)", re.DOTALL)
_WITHIN: Final = re.compile(r"\s*always\s+ends\s+within\s+(\S.*?)\s*")
FORMS: Final = "write 'never: EXPRESSION', 'always: EXPRESSION', 'ends: EXPRESSION' or 'always ends within DURATION'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Invariant:
    """One thing that must hold: `text` as the author wrote it; an expression, or (`within`) a duration."""

    text: str
    form: Literal["never", "always", "ends", "within"]
    expression: Expression | None = None
    duration: Duration | None = None

    @property
    def is_timed(self) -> bool:
        """Whether it asks how long a run took, so that a slow run and a quick one are not the same to it."""
        return self.duration is not None or (
            self.expression is not None and bool({"elapsed", "now"} & self.expression.names)
        )

    def broken_at(self, moment: Moment) -> str:
        """How it is broken at a moment of a run; an empty text where it is not."""
        if self.duration is not None:
            end, took = self.duration.after(moment.run.started_at, moment.definition.zone), _taken(moment)
            if moment.entry.at <= end:
                return ""
            how = "it ended only" if moment.run.status in ENDED else "it has not ended"
            return f"in {_place(moment)} {how} {say_span(took)} after its start"
        assert self.expression is not None
        if self.form == "ends" and (moment.run.status != "done" or moment.run.is_cancelling):
            return ""  # what an operator cancels does not end as its workflow says
        try:
            holds = self.expression.holds(_scope_of(moment))
        except ExpressionError as error:
            return f"in {_place(moment)} it cannot be told: {error.message}"
        if holds is not (self.form == "never"):
            return ""
        return f"in {_place(moment)} it {'holds' if holds else 'does not hold'}"

    def stays_broken(self, due_at: datetime | None, moment: Moment) -> str:
        """How a run that rests until *due_at* (None: for ever) breaks it; an empty text where it does not."""
        if self.duration is None or moment.run.status in (*ENDED, "failed"):
            return ""
        return f"in {_place(moment)} it waits for ever" if due_at is None else ""


def _place(moment: Moment) -> str:
    return repr(moment.run.state) if moment.run.state else "the beginning"


def _taken(moment: Moment) -> timedelta:
    return moment.entry.at - moment.run.started_at


def _scope_of(moment: Moment) -> Scope:
    run = moment.run
    return moment.scope(
        state=run.state,
        status=run.status,
        path=list(moment.path),
        outcome=run.outcome if run.status == "done" else ("cancelled" if run.status == "cancelled" else None),
        output=None if run.output is None else moment.values.content(run.output),
        elapsed=_taken(moment).total_seconds(),
    )


def parse_invariant(text: str) -> Invariant:
    """The invariant that a text says. Raises `Invalid` where it has none of the forms, or its expression is none."""
    if (within := _WITHIN.fullmatch(text)) is not None:
        return Invariant(text=text, form="within", duration=parse_duration(within[1]))
    found = _FORM.fullmatch(text)
    if found is None:
        raise Invalid(f"{text!r} is no invariant; {FORMS}", code="invariant")
    form: Literal["never", "always", "ends"] = found[1]  # type: ignore[assignment]  # the pattern has no other
    return Invariant(text=text, form=form, expression=parse_expression(found[2].strip()))


def problems_of(text: str, names: Mapping[str, Type]) -> Iterator[tuple[str, str]]:
    """What is wrong with an invariant, each with the fix; *names* are those that it may read, with their types."""
    try:
        expression = parse_invariant(text).expression
    except Invalid as error:
        yield hinted(error.message, FORMS)
        return
    if expression is None:
        return
    for use in expression.paths:
        if use.root not in names:
            yield f"the name {use.root!r} is not known in an invariant", suggestion(use.root, tuple(names))
    yield from problems_of_condition(expression, names)


def problems_of_condition(expression: Expression, names: Mapping[str, Type]) -> Iterator[tuple[str, str]]:
    """What is wrong with a condition whatever the values are, each with the fix; *names* have these types."""
    found, problems = infer(expression.root, names)
    yield from ((problem.message, problem.fix) for problem in problems)
    if not problems and not found.may_be(BOOLEAN):
        yield f"the condition gives {found}; it must give true or false", "compare it, such as 'input.amount > 100'"


def check_invariants(report: Report, path: Path, texts: list[str], sheet: Sheet) -> None:
    """Report what is wrong with the invariants of a scenario file; *sheet* is its workflow."""
    names = names_of(sheet)
    for index, text in enumerate(texts):
        for message, fix in problems_of(text, names):
            report.value((*path, index), "HP408", message, fix)


def names_of(sheet: Sheet) -> Mapping[str, Type]:
    """The names that invariants about a workflow may read, with their types. A state's own name comes first."""
    outcomes = workflow_schema()["$defs"]["end"]["properties"]["outcome"]["enum"]
    state, outcome = of_values(TEXT, tuple(sheet.states)), of_values(TEXT, outcomes)
    own = {
        "state": union([state, of_kinds(NONE)]),
        "status": of_values(TEXT, STATUSES),
        "path": list_of(once(lambda: state)),
        "outcome": union([outcome, of_kinds(NONE)]),
        "output": ANY,
        "elapsed": of_kinds(NUMBER),
    }
    return LocalNames(Names(sheet), {name: found for name, found in own.items() if name not in sheet.results})

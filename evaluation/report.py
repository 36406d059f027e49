"""How the numbers of a study are said, and its results as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from holdpoint.engine.errors import counted
from holdpoint.engine.times import say_span
from holdpoint.evaluation.estimates import CONFIDENCE, Estimate
from holdpoint.evaluation.study import MEASURES, SHARES, Study

RESULT_COLUMNS: Final[Mapping[str, str]] = {
    "file": "the version of the workflow",
    "case": "the name of the case",
    "repeat": "the number of the play, from 0",
    "met": "`yes` or `no`: whether all that the case expects holds; empty where it expects nothing",
    "status": "the status of the run, or `refused` where none was started",
    "state": "the state that the run is in",
    "outcome": "the outcome of its end",
    "rounds": "visits of return states",
    "cost": "the sum of the numbers at the `cost` paths",
    "seconds": "the seconds from the start to the end by the virtual clock: what invariants call `elapsed`",
    "elapsed": "the seconds that the play took on this machine",
    "path": "the states that were entered, in order",
    "differences": "what is not as expected",
    "stop": "why the run could not start, or not go on",
    "failures": "attempts of agents that failed, each with its state, code and message",
}
"""The columns of the results in CSV, each with what its cells say."""


def say_name(name: str) -> str:
    """A measure in words: `agreement in review`."""
    kind, _, state = name.partition(".")
    return f"{MEASURES[kind]} in {state}" if state else MEASURES[kind]


def say_value(name: str, value: float) -> str:
    """A value of a measure."""
    kind = name.partition(".")[0]
    if kind in SHARES:
        return f"{100 * value:.1f} %"
    if kind in ("seconds", "elapsed"):
        if abs(value) < 1:
            return f"{value:.2f}s"
        return ("-" if value < 0 else "") + say_span(timedelta(seconds=abs(value)))
    return f"{value:.4g}" if kind == "cost" else f"{value:.2f}"


def say_estimate(name: str, found: Estimate) -> str:
    """A value with its interval: `82.0 % (69.2 % to 90.2 %)`."""
    low, high = say_value(name, found.low), say_value(name, found.high)
    return f"{say_value(name, found.value)} ({low} to {high})"


def say_difference(name: str, found: Estimate) -> str:
    """A difference with its sign and interval."""
    low, high = say_signed(name, found.low), say_signed(name, found.high)
    return f"{say_signed(name, found.value)} ({low} to {high})"


def say_signed(name: str, value: float) -> str:
    """A difference with its sign; one of shares is in percentage points."""
    if name.partition(".")[0] in SHARES:
        return f"{100 * value:+.1f} points" if value else "0 points"
    text = say_value(name, value)
    return text if text.startswith("-") or value == 0 else f"+{text}"


def say_setting(study: Study) -> str:
    """What was played, in a line."""
    count = len(study.versions[0].cases)
    cases = counted(count, "case")
    times = "" if study.repeat == 1 else f", each played {study.repeat} times"
    return f"{cases}{times}; agents are {study.agents}; intervals of {100 * CONFIDENCE:.0f} %"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A measure in words, as each version has it, and the difference of the second to the first."""

    name: str
    values: Sequence[str]
    difference: str
    is_clear: bool


def lines(study: Study) -> list[Line]:
    """Every measure of a study."""
    names = dict.fromkeys(name for version in study.versions for name in version.measures)
    return [_line(study, name) for name in names]


def _line(study: Study, name: str) -> Line:
    found = [version.measures.get(name) for version in study.versions]
    difference = study.differences.get(name)
    return Line(
        name=say_name(name),
        values=["" if one is None else say_estimate(name, one) for one in found],
        difference="" if difference is None else say_difference(name, difference),
        is_clear=difference is not None and difference.is_clear,
    )


def to_csv(study: Study) -> str:
    """The results, a play a row."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(RESULT_COLUMNS)
    writer.writerows(_rows(study))
    return text.getvalue()


def _rows(study: Study) -> Iterator[list[object]]:
    for version in study.versions:
        for result in version.results:
            members = {**result.to_dict(), "file": version.file}
            members["path"] = " ".join(result.path)
            members["differences"] = "; ".join(result.differences)
            members["failures"] = "; ".join(f"{one.state}: {one.code}: {one.message}" for one in result.failures)
            yield [_cell(members[name]) for name in RESULT_COLUMNS]


def _cell(value: object) -> object:
    if isinstance(value, bool):
        return "yes" if value else "no"
    # A spreadsheet takes what begins so for a formula, and what is in it was written by anybody.
    if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")):
        return f"'{value}"
    return value

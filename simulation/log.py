"""What happened, as a log: the steps of runs, from their histories or from a CSV file."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from holdpoint.engine import jsonschemas
from holdpoint.engine.canonical import Json
from holdpoint.engine.definition import AgentState, Definition, HumanState
from holdpoint.engine.errors import Invalid, NotFound, did_you_mean
from holdpoint.engine.model import Entry
from holdpoint.engine.times import parse_time
from holdpoint.engine.views import Run

COLUMNS = ("run", "state", "option", "opened_at", "settled_at")
OPTIONAL = ("by",)
_ENDS = {"agent.succeeded": "", "agent.failed": "error", "agent.crashed": "crash"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """A request, or an attempt of an agent (whose option is empty, `error` or `crash`).

    `by` is the person; None where a deadline did it, or where the log knows nobody. `begun_at` is when the person
    claimed it. One that `is_open` had not come to its end when the log did.
    """

    run: str
    state: str
    option: str
    opened_at: datetime
    settled_at: datetime
    by: str | None = None
    is_default: bool = False
    is_open: bool = False
    begun_at: datetime | None = None
    message: str = ""
    code: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """What happened. `inputs` and `outputs` are values that occurred, as often as they did; `has_people` says that the
    log knows who decided.
    """

    passages: tuple[Passage, ...]
    starts: tuple[datetime, ...]
    inputs: tuple[Json, ...] = ()
    outputs: Mapping[str, tuple[Json, ...]] = field(default_factory=dict)
    has_people: bool = True


def passages_of(run: str, entries: Iterable[Entry]) -> Iterator[Passage]:
    """The requests and attempts of a run that came to an end, from its history."""
    opened: dict[str, tuple[str, datetime]] = {}
    claimed: dict[str, datetime] = {}
    state, began = "", None
    for entry in entries:
        data = entry.data
        request = str(data.get("request", ""))
        if entry.kind == "state.entered":
            state = data["state"]
        elif entry.kind == "request.opened" and data["kind"] != "crash":
            opened[request] = (state, entry.at)
        elif entry.kind == "request.claimed":
            claimed[request] = entry.at
        elif entry.kind in ("request.decided", "request.expired") and request in opened:
            where, at = opened.pop(request)
            yield Passage(
                run=run,
                state=where,
                option=data["decision"],
                opened_at=at,
                settled_at=entry.at,
                by=entry.actor,
                is_default=entry.kind == "request.expired",
                begun_at=claimed.get(request),
            )
        elif entry.kind == "agent.started":
            began = entry.at
        elif entry.kind in _ENDS and began is not None:
            yield Passage(
                run=run,
                state=state,
                option=_ENDS[entry.kind],
                opened_at=began,
                settled_at=entry.at,
                message=str(data.get("message", "")),
                code=str(data.get("code", "")),
            )
            began = None


def read_log(path: Path, definition: Definition) -> Log:
    """A log from a CSV file: `run,state,option,opened_at,settled_at` and, where people are known, `by`.

    The option is empty for an agent, or `error` or `crash`. A request whose `by` is empty was settled by its deadline,
    one whose `settled_at` is empty was still open when the log ended. Raises `NotFound`, or `Invalid` with the line.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file)
            names = rows.fieldnames or ()
            _check_columns(path, names)
            read = [_passage(path, number, row, definition, "by" in names) for number, row in enumerate(rows, 2)]
    except (OSError, UnicodeDecodeError) as error:
        raise NotFound(f"file {str(path)!r} cannot be read: {error}", details={"file": str(path)}) from None
    if not read:
        raise Invalid(f"{path}: there is nothing below the header", code="log")
    end = max(passage.settled_at for passage in read)
    passages = tuple(replace(passage, settled_at=end) if passage.is_open else passage for passage in read)
    first: dict[str, datetime] = {}
    for passage in passages:
        first[passage.run] = min(passage.opened_at, first.get(passage.run, passage.opened_at))
    return Log(passages=passages, starts=tuple(sorted(first.values())), has_people="by" in names)


def _check_columns(path: Path, names: Iterable[str]) -> None:
    known = (*COLUMNS, *OPTIONAL)
    missing = [name for name in COLUMNS if name not in names]
    strange = [name for name in names if name not in known]
    if missing or strange:
        hint = did_you_mean(strange[0], missing or known) if strange else ""
        what = f"column {missing[0]!r} is missing" if missing else f"unknown column {strange[0]!r}"
        raise Invalid(f"{path}:1:1: {what}; {hint or 'the columns are ' + ', '.join(known)}", code="log")


def _passage(path: Path, number: int, row: Mapping[str, str], definition: Definition, has_people: bool) -> Passage:
    state, option, by = row["state"], row["option"] or "", (row.get("by") or "") or None
    found = definition.states.get(state)
    if not isinstance(found, AgentState | HumanState):
        hint = did_you_mean(state, definition.states) or "name one that is an agent or asks people"
        raise Invalid(f"{path}:{number}: there is no such state {state!r}; {hint}", code="log")
    allowed = found.on if isinstance(found, HumanState) else ("", "error", "crash")
    is_open = not row["settled_at"]
    if option not in allowed and not (is_open and option == ""):
        hint = did_you_mean(option, allowed) or f"allowed: {', '.join(repr(one) for one in allowed)}"
        raise Invalid(f"{path}:{number}: state {state!r} has no option {option!r}; {hint}", code="log")
    try:
        opened_at, settled_at = parse_time(row["opened_at"]), parse_time(row["settled_at"] or row["opened_at"])
    except Invalid as error:
        raise Invalid(f"{path}:{number}: {error.message}", code="log") from None
    if settled_at < opened_at:
        raise Invalid(f"{path}:{number}: it was settled before it was opened", code="log")
    is_default = not is_open and has_people and by is None and isinstance(found, HumanState)
    return Passage(
        run=row["run"],
        state=state,
        option=option,
        opened_at=opened_at,
        settled_at=settled_at,
        by=by,
        is_default=is_default or option == "timeout",
        is_open=is_open,
        message="as in the log" if option == "error" else "",
    )


def log_of(definition: Definition, runs: Iterable[tuple[Run, Sequence[Entry]]]) -> Log:
    """The log of runs with their histories, as far as the definition has their states."""
    passages: list[Passage] = []
    outputs: dict[str, list[Json]] = {}
    starts, inputs = [], []
    for run, entries in runs:
        starts.append(run.started_at)
        if _takes(definition, run.input):
            inputs.append(run.input)
        passages += [passage for passage in passages_of(run.id, entries) if _is_known(definition, passage)]
        for name, result in run.results.items():
            if isinstance(definition.states.get(name), AgentState):
                outputs.setdefault(name, []).append(result)
    return Log(
        passages=tuple(passages),
        starts=tuple(sorted(starts)),
        inputs=tuple(inputs),
        outputs={name: tuple(values) for name, values in outputs.items()},
    )


def _takes(definition: Definition, value: Json) -> bool:
    """Whether a run of the definition can start with an input that another one had."""
    if definition.input is None:
        return bool(value == {})
    try:
        jsonschemas.validate(definition.input, value, "input", "input")
    except Invalid:
        return False
    return True


def _is_known(definition: Definition, passage: Passage) -> bool:
    state = definition.states.get(passage.state)
    if isinstance(state, AgentState):
        return state.value is None
    return isinstance(state, HumanState) and (passage.is_default or passage.option in state.options)

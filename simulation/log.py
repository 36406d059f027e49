"""What happened, as a log: the steps of runs, from their histories or from a CSV file."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from holdpoint.engine.asking import options_of
from holdpoint.engine.canonical import Json
from holdpoint.engine.definition import TIMEOUT, AgentState, Definition, HumanState, WaitState
from holdpoint.engine.errors import Invalid, NotFound, did_you_mean
from holdpoint.engine.model import Entry
from holdpoint.engine.times import parse_time
from holdpoint.engine.views import Run
from holdpoint.simulation.samples import meets

COLUMNS = ("run", "state", "option", "opened_at", "settled_at")
OPTIONAL = ("by",)
_ENDS = {"agent.succeeded": "", "agent.failed": "error", "agent.crashed": "crash"}
ATTEMPTS = tuple(_ENDS.values())
_STEERED = ("operator.moved", "operator.cancelled", "run.cancelled")


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """A request, an attempt of an agent (whose option is empty, `error` or `crash`), or a wait for signals.

    A request in the state of an agent is the question after a crash. `by` is the person; None where a deadline did it,
    or where the log knows nobody. `begun_at` is when the person claimed it. One that `is_open` had not come to its end
    when the log did, or an operator ended it.
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

    @property
    def is_attempt(self) -> bool:
        """Whether this, in the state of an agent, is an attempt and no question after a crash."""
        return self.option in ATTEMPTS


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """What happened. `inputs` and `outputs` are values that occurred, as often as they did, and `signals` what they
    brought, by state and option; `has_people` says that the log knows who decided.
    """

    passages: tuple[Passage, ...]
    starts: tuple[datetime, ...]
    inputs: tuple[Json, ...] = ()
    outputs: Mapping[str, tuple[Json, ...]] = field(default_factory=dict)
    signals: Mapping[tuple[str, str], tuple[Json, ...]] = field(default_factory=dict)
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
        elif entry.kind == "request.opened":
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


def waits_of(run: str, entries: Iterable[Entry], until: datetime) -> Iterator[Passage]:
    """The waits of a run from its history, with the one that nothing has ended *until* then.

    A wait whose signal had come before it began took no time.
    """
    state, since = "", None
    for entry in entries:
        if entry.kind == "wait.started":
            state, since = entry.data["state"], entry.at
        elif entry.kind == "wait.ended":
            option = entry.data["option"]
            yield Passage(
                run=run,
                state=entry.data["state"],
                option=option,
                opened_at=since or entry.at,
                settled_at=entry.at,
                is_default=option == TIMEOUT,
            )
            since = None
        elif entry.kind in _STEERED and since is not None:
            yield Passage(run=run, state=state, option="", opened_at=since, settled_at=entry.at, is_open=True)
            since = None
    if since is not None:
        yield Passage(run=run, state=state, option="", opened_at=since, settled_at=max(since, until), is_open=True)


def read_log(path: Path, definition: Definition) -> Log:
    """A log from a CSV file: `run,state,option,opened_at,settled_at` and, where people are known, `by`.

    The option of an agent is empty, `error` or `crash`; or that of the question after a crash. A request whose `by` is
    empty was settled by its deadline; what has an empty `settled_at` was still open when the log ended. Raises
    `NotFound`, or `Invalid` with the line.
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
    meant = {name: hint for name in strange if (hint := did_you_mean(name, missing or known))}
    if missing or strange:
        wrong = next(iter(meant), None if missing else strange[0])
        what = f"column {missing[0]!r} is missing" if wrong is None else f"unknown column {wrong!r}"
        hint = meant.get(wrong or "", f"the columns are {', '.join(known)}")
        raise Invalid(f"{path}:1:1: {what}; {hint}", code="log")


def _passage(path: Path, number: int, row: Mapping[str, str], definition: Definition, has_people: bool) -> Passage:
    state, option, by = row["state"], row["option"] or "", (row.get("by") or "") or None
    found = definition.states.get(state)
    if found is None:
        hint = did_you_mean(state, definition.states) or f"there are {', '.join(definition.states)}"
        raise Invalid(f"{path}:{number}: there is no such state {state!r}; {hint}", code="log")
    if not isinstance(found, AgentState | HumanState | WaitState) or (isinstance(found, WaitState) and not found.takes):
        what = f"state {state!r} is no agent, asks nobody and waits for no signal"
        raise Invalid(f"{path}:{number}: {what}; leave its rows out", code="log")
    allowed = (*ATTEMPTS, *options_of(found)) if isinstance(found, AgentState) else tuple(found.on)
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
    is_default = not is_open and has_people and by is None and option in options_of(found)
    return Passage(
        run=row["run"],
        state=state,
        option=option,
        opened_at=opened_at,
        settled_at=settled_at,
        by=by if option in options_of(found) else None,
        is_default=is_default or option == TIMEOUT,
        is_open=is_open,
        message="as in the log" if option == "error" else "",
    )


def log_of(definition: Definition, runs: Iterable[tuple[Run, Sequence[Entry]]], now: datetime) -> Log:
    """The log of runs with their histories, up to *now*, as far as the definition has their states."""
    passages: list[Passage] = []
    outputs: dict[str, list[Json]] = {}
    signals: dict[tuple[str, str], list[Json]] = {}
    starts, inputs = [], []
    for run, entries in runs:
        starts.append(run.started_at)
        if _takes(definition, run.input):
            inputs.append(run.input)
        found = (*passages_of(run.id, entries), *waits_of(run.id, entries, now))
        known = [passage for passage in found if _is_known(definition, passage)]
        for name, option, value in _brought(definition, run, known):
            signals.setdefault((name, option), []).append(value)
        passages += known
        for name, result in run.results.items():
            if isinstance(definition.states.get(name), AgentState):
                outputs.setdefault(name, []).append(result)
    return Log(
        passages=tuple(passages),
        starts=tuple(sorted(starts)),
        inputs=tuple(inputs),
        outputs={name: tuple(values) for name, values in outputs.items()},
        signals={name: tuple(values) for name, values in signals.items()},
    )


def _brought(definition: Definition, run: Run, passages: Iterable[Passage]) -> Iterator[tuple[str, str, Json]]:
    """What the last signal to each wait of a run brought, with its state and option, as far as the wait takes it."""
    last = {passage.state: passage for passage in passages if not passage.is_default and not passage.is_open}
    for name, passage in last.items():
        state = definition.states[name]
        if isinstance(state, WaitState) and name in run.results and meets(state.output, run.results[name]):
            yield name, passage.option, run.results[name]


def _takes(definition: Definition, value: Json) -> bool:
    """Whether a run of the definition can start with an input that another one had."""
    return bool(value == {}) if definition.input is None else meets(definition.input, value)


def _is_known(definition: Definition, passage: Passage) -> bool:
    state = definition.states.get(passage.state)
    if isinstance(state, AgentState):
        return state.value is None and (passage.is_attempt or passage.option in options_of(state))
    if isinstance(state, WaitState):
        return bool(state.takes) and (passage.is_default or passage.is_open or passage.option in state.takes.values())
    return isinstance(state, HumanState) and (passage.is_default or passage.option in state.options)

"""The names that expressions of a workflow may use, each looked up only when it is read (spec 2, Values)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from holdpoint.engine.canonical import Json
from holdpoint.engine.definition import AgentState, Definition
from holdpoint.engine.errors import Invalid
from holdpoint.engine.expressions import Scope
from holdpoint.engine.model import Entry, Ref, RunRecord, Values
from holdpoint.engine.times import format_time


def decision_result(entry: Entry, values: Values) -> dict[str, Json]:
    """What a request's entry (`request.decided`, `request.expired`) leaves as the result of its state."""
    data = entry.data
    answers = data.get("answers")
    return {
        "decision": data["decision"],
        "by": entry.actor,
        "by_kind": entry.actor_kind,
        "comment": data.get("comment"),
        "answers": None if answers is None else values.content(answers),
        "at": data.get("at") or format_time(entry.at),
    }


def error_result(entry: Entry) -> dict[str, Json]:
    """What an `agent.failed` entry leaves as `error`."""
    data = entry.data
    return {
        "state": data["state"],
        "code": data["code"],
        "message": data["message"],
        "attempts": data["attempt"],
        "details": data.get("details", {}),
    }


def resolve(ref: Ref | None, values: Values) -> Json:
    """The result that an entry left: an agent's output, or a decision."""
    if ref is None:
        return None
    entry = values.entry(ref)
    output = entry.data.get("output")
    return decision_result(entry, values) if output is None else values.content(output)


def arguments_shown(state: AgentState, scope: Callable[..., Scope]) -> Json:
    """What the agent of a state is given, as it may be shown: `(env.NAME)` where an environment variable is read.

    *scope* makes that of the moment with further names. None where it does not render: what was there when an attempt
    began need not be there now.
    """
    read = [str(path.keys[0]) for path in state.arguments.paths if path.root == "env" and path.keys]
    try:
        return state.arguments.render(scope(env={name: f"(env.{name})" for name in read}))
    except Invalid:
        return None


def left_by(entry: Entry) -> list[str]:
    """The contents, by their hashes, that the result which an entry left is made of."""
    return [entry.data[name] for name in ("output", "answers") if entry.data.get(name) is not None]


class Names(Mapping[str, Json]):
    """The names at one moment of a run; `extra` adds those of one place alone (`env`, `output`)."""

    __slots__ = ("_definition", "_extra", "_now", "_run", "_values")

    def __init__(
        self, definition: Definition, run: RunRecord, now: str, values: Values, extra: Mapping[str, Json] | None = None
    ) -> None:
        self._definition = definition
        self._run = run
        self._now = now
        self._values = values
        self._extra = extra or {}

    def __getitem__(self, name: str) -> Json:
        run = self._run
        if name == "input":
            return self._values.content(run.input)
        if name in self._definition.producing:
            return resolve(run.results.get(name), self._values)
        if name in self._extra:
            return self._extra[name]
        read = _READERS.get(name)
        if read is None:
            raise KeyError(name)
        return read(self)

    def __iter__(self) -> Iterator[str]:
        yield from ("input", *_READERS, *self._extra, *self._definition.producing)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __contains__(self, name: object) -> bool:
        return name == "input" or name in self._definition.producing or name in self._extra or name in _READERS

    def _artifacts(self) -> Mapping[str, Json]:
        return _Artifacts(self._definition, self._run, self._values)

    def _visits(self) -> Json:
        return {name: self._run.visits.get(name, 0) for name in self._definition.states}

    def _previous(self) -> Json:
        previous = self._run.previous
        if previous is None:
            return None
        return {
            "state": previous.state,
            "option": previous.option,
            "result": resolve(previous.result, self._values),
        }

    def _error(self) -> Json:
        seq = self._run.last_error
        return None if seq is None else error_result(self._values.entry(seq))

    def _about_run(self) -> Json:
        run = self._run
        return {
            "id": run.id,
            "workflow": run.workflow,
            "initiator": run.initiator,
            "started_at": format_time(run.started_at),
        }

    def _moment(self) -> Json:
        return self._now


_READERS = {
    "artifacts": Names._artifacts,
    "visits": Names._visits,
    "previous": Names._previous,
    "error": Names._error,
    "run": Names._about_run,
    "now": Names._moment,
}


class _Artifacts(Mapping[str, Json]):
    """The latest contents by name, none before the first revision."""

    def __init__(self, definition: Definition, run: RunRecord, values: Values) -> None:
        self._names = definition.producers
        self._run = run
        self._values = values

    def __getitem__(self, name: str) -> Json:
        if name not in self._names:
            raise KeyError(name)
        revision = self._run.artifacts.get(name)
        return None if revision is None else self._values.content(revision.sha256)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

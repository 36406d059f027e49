"""What tests of the public engine share: workflows from a few words, and an engine under a clock that stands still."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

import holdpoint
from holdpoint.testing import Clock

ENDS: Mapping[str, Any] = {"accepted": {"type": "end"}, "refused": {"type": "end", "outcome": "failure"}}
PEOPLE: Mapping[str, Iterable[str]] = {"dora": ["manager", "legal"], "eli": ["director"]}
ANYTHING = {"type": "object", "additionalProperties": True}
FORM = {
    "type": "object",
    "required": ["sum", "currency"],
    "properties": {"sum": {"type": "integer"}, "currency": {"enum": ["EUR", "CHF"], "default": "EUR"}},
    "additionalProperties": False,
}
MIB = 1024 * 1024


def workflow(states: Mapping[str, Any], /, **top: Any) -> str:
    """The text of a workflow of these states; `accepted` and `refused` are ends where nothing else is."""
    document = {"workflow": "flow", "input": ANYTHING, **top, "states": {**states, **ENDS, **states}}
    return json.dumps({key: value for key, value in document.items() if value is not None}, ensure_ascii=False)


def gate(**keys: Any) -> dict[str, Any]:
    """An approval that waits for ever and leads to `accepted` or `refused`."""
    on = {"approve": "accepted", "reject": "refused"}
    return {"type": "approval", "message": "Go?", "on": on, **_waiting(keys)}


def review(**keys: Any) -> dict[str, Any]:
    """A return state that shows `report` and sends it back to `draft`."""
    return {"type": "return", "show": ["report"], "on": {"accept": "accepted", "revise": "draft"}, **_waiting(keys)}


def value(result: Any, next: str = "accepted", /, **keys: Any) -> dict[str, Any]:
    """An agent whose output is a value."""
    return {"type": "agent", "value": result, "next": next, **keys}


def worker(next: str = "accepted", /, **keys: Any) -> dict[str, Any]:
    """A Python agent that calls what the world's `agent` is at that time."""
    return {"type": "agent", "python": "agents:work", "next": next, **keys}


def program(source: str, next: str = "accepted", /, **keys: Any) -> dict[str, Any]:
    """A command that runs a Python program."""
    return {"type": "agent", "command": ["python", "-c", source], "next": next, **keys}


def _waiting(keys: dict[str, Any]) -> dict[str, Any]:
    return keys if "timeout" in keys else {"timeout": "never", **keys}


def drafted(content: Any = "first\nsecond\nthird\n", **keys: Any) -> dict[str, Any]:
    """An agent state whose output becomes the artifact `report`, and its review, as `states`."""
    return {"draft": value(content, "review", artifact="report", **keys), "review": review()}


def utc(text: str) -> datetime:
    """`2026-01-05T09:00` as a time in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


DUE = utc("2026-01-06T09:00")
"""When a gate of one day is due that opened when the clock of a `World` begins."""


def hash_of(value: Any) -> str:
    """The SHA-256 of a value's canonical JSON, written down here a second time."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


class World:
    """An engine on a file of its own, its clock, and the agent that `worker` states call."""

    def __init__(self, folder: Path, *, people: Any = PEOPLE, agents: Mapping[str, Callable[..., Any]] = {}) -> None:
        self.folder = folder
        self.clock = Clock()
        self.agent: Callable[..., Any] = lambda **given: given
        self.calls: list[dict[str, Any]] = []
        self._terms: dict[str, Any] = {
            "clock": self.clock,
            "project": folder,
            "people": people,
            "agents": {"agents:work": self._work, **agents},
        }
        self.engine = self.another()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        flaws = [str(flaw) for flaw in self.engine.verify()] if kind is None else []
        self.engine.close()
        assert flaws == [], flaws

    def another(self) -> holdpoint.Engine:
        """One more engine on the same file."""
        return holdpoint.Engine("sqlite:///flow.db?synchronous=normal", **self._terms)

    def _work(self, **given: Any) -> Any:
        self.calls.append(given)
        return self.agent(**given)

    def load(self, states: Mapping[str, Any], /, **top: Any) -> holdpoint.Definition:
        return self.engine.loads(workflow(states, **top))

    def start(
        self, states: Mapping[str, Any], given: Any = None, /, *, initiator: str | None = "bob", **top: Any
    ) -> holdpoint.Run:
        """Start a run of a workflow of these states."""
        return self.engine.start(self.load(states, **top), given, initiator=initiator)

    def decide(self, run: holdpoint.Run, option: str, by: str = "ann", **more: Any) -> holdpoint.Run:
        return self.engine.decide(run.id, option, by=by, **more)

    def pass_time(self, duration: str) -> dict[str, int]:
        """Let time pass, with a tick at every due time."""
        return self.clock.advance(self.engine, duration)

    def evaluate(self, template: Any, given: Any = None, /, **top: Any) -> Any:
        """What a template gives in a run that is just started with *given* as its input."""
        run = self.start({"begin": value(template)}, given, **top)
        run.raise_for_failure()
        return run.results["begin"]

    def request(self, run: holdpoint.Run) -> holdpoint.Request:
        """The one open request, with its contents."""
        (request,) = self.engine.get_run(run.id).requests
        return self.engine.get_request(request.id)

    def kinds(self, run: holdpoint.Run) -> list[str]:
        """The kinds of all entries of a run's history."""
        return [entry.kind for entry in self.engine.history(run.id)]

    def entries(self, run: holdpoint.Run, kind: str) -> list[dict[str, Any]]:
        """The entries of one kind, as JSON."""
        return [entry.to_dict() for entry in self.engine.history(run.id) if entry.kind == kind]

    def path(self, run: holdpoint.Run) -> list[str]:
        """The states that a run has entered."""
        return [entry["data"]["state"] for entry in self.entries(run, "state.entered")]

    @contextmanager
    def refusal(
        self, run: holdpoint.Run, kind: type[holdpoint.HoldpointError], *, is_noted: bool = False
    ) -> Iterator[pytest.ExceptionInfo[holdpoint.HoldpointError]]:
        """What is done inside is refused with exactly this error and changes nothing.

        Only the refusals that the history keeps (conflicts, not allowed) add their one entry.
        """
        before, entries = self.engine.get_run(run.id), self.kinds(run)

        with pytest.raises(holdpoint.HoldpointError) as caught:
            yield caught

        after = self.engine.get_run(run.id)
        assert type(caught.value) is kind
        assert self.kinds(run) == [*entries, *(["decision.refused"] if is_noted else [])]
        assert after == before

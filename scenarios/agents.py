"""Made-up agents: what a scenario says that the agent of a state gives, visit by visit, attempt by attempt."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any, Final

from holdpoint.engine.agents import Context, Crashed, Failure, Scripted
from holdpoint.engine.agents.python import call_with
from holdpoint.engine.canonical import Json
from holdpoint.engine.errors import NotFound, UsageError

KINDS: Final = ("output", "error", "crash", "python", "real", "attempts")
"""The keys that make a mapping the description of an agent; a mapping with any other key is an output."""

Load = Callable[[str], Callable[..., Any]]
"""Finds the function that `module:function` names. Raises `NotFound`, and whatever its module raises."""


class Unscripted(Exception):
    """An agent was called for which the scenario says nothing that could be done."""


def made_up(state: str, described: Json, load: Load, problems: list[str]) -> Callable[..., Any] | None:
    """The function that stands in for the agent of a state; None where the real one runs.

    What is wrong with the description itself is added to *problems* when it is called.
    """
    if kind_of(described) == "real":
        return None
    visits = described if isinstance(described, list) else [described]
    if not visits or any(kind_of(visit) == "attempts" and not visit["attempts"] for visit in visits):
        raise UsageError(f"the agent of {state!r} is described by an empty list; say what it gives")
    return _Agent(state, described, load, problems)


def unscripted(state: str, problems: list[str]) -> Callable[..., Any]:
    """The function that stands in for an agent that a scenario forgot: it fails, and *problems* says so."""

    def agent(this_attempt: Context, /, **arguments: Json) -> Json:
        problems.append(
            f"the agent of {state!r} ran, and the scenario does not say what it gives;"
            f" add {state!r} to its agents, with {{real: true}} to run the real one"
        )
        raise Unscripted(problems[-1])

    return agent


class _Agent:
    """Gives what is described for a visit; a list is one visit after the other, its last stands for all that follow."""

    def __init__(self, state: str, described: Json, load: Load, problems: list[str]) -> None:
        self._state = state
        self._visits = described if isinstance(described, list) else [described]
        self._load = load
        self._problems = problems
        self._lock = threading.Lock()
        self._calls: dict[str, int] = {}

    def __call__(self, this_attempt: Context, /, **arguments: Json) -> Any:
        described = self._visits[min(this_attempt.visit, len(self._visits)) - 1]
        if kind_of(described) == "attempts":
            with self._lock:  # a crash is no attempt to the engine, so it is counted here
                call = self._calls[this_attempt.key] = self._calls.get(this_attempt.key, 0) + 1
            attempts = described["attempts"]
            described = attempts[min(call, len(attempts)) - 1]
        return self._given(described, this_attempt, arguments)

    def _given(self, described: Json, context: Context, arguments: Mapping[str, Json]) -> Any:
        kind = kind_of(described)
        if kind == "output":
            return described["output"]
        if kind == "python":
            return call_with(self._function(described["python"]), dict(arguments), context)
        if kind == "crash":
            raise Scripted(Crashed(reason="the scenario says that it crashed"))
        if kind == "error":
            raise Scripted(_failure(described["error"]))
        return described

    def _function(self, reference: str) -> Callable[..., Any]:
        try:
            return self._load(reference)
        except NotFound as error:
            problem = str(error)
        except Exception as error:  # a module may raise anything while it is imported
            problem = f"the module of '{reference}' cannot be imported: {type(error).__name__}: {error}"
        self._problems.append(f"the agent of {self._state!r} cannot be made up: {problem}")
        raise Unscripted(self._problems[-1])


def kind_of(described: Json) -> str | None:
    """What a description says that the agent does; None where it is an output as it stands."""
    keys = list(described) if isinstance(described, dict) else []
    return keys[0] if len(keys) == 1 and keys[0] in KINDS else None


def _failure(error: Json) -> Failure:
    if isinstance(error, dict):
        return Failure(
            code=error.get("code", "agent_error"),
            message=error.get("message", "the scenario says that it failed"),
            details=error.get("details", {}),
        )
    return Failure(code="agent_error", message=error)

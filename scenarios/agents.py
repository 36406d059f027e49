"""Made-up agents: what a scenario says that the agent of a state gives, visit by visit, attempt by attempt."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any, Final

from holdpoint.engine.agents import Context, Crashed, Failure, Scripted
from holdpoint.engine.canonical import Json

KINDS: Final = ("output", "error", "crash", "python", "real", "attempts")
"""The keys that make a mapping the description of an agent; a mapping with any other key is an output."""


class Unscripted(Exception):
    """An agent was called for which the scenario says nothing."""


def made_up(state: str, described: Json, load: Callable[[str], Callable[..., Any]]) -> Callable[..., Any] | None:
    """The function that stands in for the agent of a state; None where the real one runs. *load* finds a function."""
    if _kind(described) == "real":
        return None
    return _Agent(state, described, load)


def unscripted(state: str, problems: list[str]) -> Callable[..., Any]:
    """The function that stands in for an agent that a scenario forgot: it fails, and is told of."""

    def agent(this_attempt: Context, /, **arguments: Json) -> Json:
        problems.append(f"the agent of {state!r} ran, and the scenario does not say what it gives")
        raise Unscripted(problems[-1])

    return agent


class _Agent:
    """Gives what is described for a visit; a list is one visit after the other, its last stands for all that follow."""

    def __init__(self, state: str, described: Json, load: Callable[[str], Callable[..., Any]]) -> None:
        self._state = state
        self._visits = described if isinstance(described, list) else [described]
        self._load = load
        self._lock = threading.Lock()
        self._calls: dict[int, int] = {}

    def __call__(self, this_attempt: Context, /, **arguments: Json) -> Any:
        described = self._visits[min(this_attempt.visit, len(self._visits)) - 1]
        with self._lock:
            call = self._calls[this_attempt.visit] = self._calls.get(this_attempt.visit, 0) + 1
        if _kind(described) == "attempts":
            attempts = described["attempts"]
            described = attempts[min(call, len(attempts)) - 1]
        return self._given(described, arguments)

    def _given(self, described: Json, arguments: Mapping[str, Json]) -> Any:
        kind = _kind(described)
        if kind == "output":
            return described["output"]
        if kind == "python":
            return self._load(described["python"])(**arguments)
        if kind == "crash":
            raise Scripted(Crashed(reason="the scenario says that it crashed"))
        if kind == "error":
            raise Scripted(_failure(described["error"]))
        return described


def _kind(described: Json) -> str | None:
    """What a description says that the agent does; None where it is an output as it stands."""
    keys = list(described) if isinstance(described, dict) else []
    return keys[0] if len(keys) == 1 and keys[0] in KINDS else None


def _failure(error: Json) -> Failure:
    if isinstance(error, dict):
        return Failure(
            code=str(error.get("code", "agent_error")),
            message=str(error.get("message", "it failed")),
            details=error.get("details", {}),
        )
    return Failure(code="agent_error", message=str(error))

"""Agents: what one attempt is, what may come of it, and who runs it; one file a kind.

Nothing here touches a store or a clock: an attempt runs outside any transaction, and what came of it is a value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from types import MappingProxyType
from typing import Any, Final, Literal

from holdpoint.engine.canonical import Json

__all__ = ["FAILURES", "Context", "Crashed", "Failure", "Outcome", "Scripted", "Success", "Work", "run"]

FAILURES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "agent_missing": "there is no such function or program: nothing ran, and it is no attempt",
        "agent_import": "the module of the function raised while it was imported",
        "agent_arguments": "the function does not take these arguments: it was not called",
        "agent_error": "it raised, or the program could not be started",
        "agent_exit": "the program ended with another status than 0, or by a signal",
        "agent_output": "what it gave is not JSON, is too large, or does not meet the state's `output`",
        "agent_timeout": "it took longer than it may, and was ended",
        "agent_stopped": "the lease was lost or the run cancelled, and it was ended: what became of it is only noted",
        "agent_crashed": "its process died, and `after_crash` or a person says that it failed: it is not tried again",
    }
)
"""Each code with which an attempt can fail, and what it says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What a Python agent gets for a parameter that it annotates with `Context`.

    `key` is `RUN/STATE/VISIT`: the same for every attempt of a visit, so that a service that is called with it
    can tell a repeated attempt from a new one.
    """

    key: str
    run_id: str
    workflow: str
    state: str
    visit: int
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Success:
    """The attempt gave an output: strict JSON, free of anything that the agent still holds."""

    output: Json
    stderr: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """The attempt gave none. `code` is one of `FAILURES`."""

    code: str
    message: str
    details: Mapping[str, Json] = field(default_factory=dict)
    stderr: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Crashed:
    """The attempt has no outcome: the process of its own ended before it gave one, and nobody knows what it did."""

    reason: str


Outcome = Success | Failure


class Scripted(Exception):
    """Raised by a function that stands in for an agent, to have what it says come of the attempt."""

    def __init__(self, outcome: Failure | Crashed) -> None:
        super().__init__(repr(outcome))
        self.outcome = outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """One attempt, ready to be run outside any transaction.

    `target` is `package.module:function`, or the command as a list; `arguments` are rendered. `timeout` is in seconds,
    and holds for what runs in a process of its own: commands, and Python agents that are isolated. `max_bytes` bounds
    the output's canonical JSON.
    """

    kind: Literal["python", "command"]
    target: str | tuple[str, ...]
    arguments: dict[str, Json]
    context: Context
    project: Path
    timeout: float
    max_bytes: int
    is_isolated: bool = False


def run(work: Work, *, registry: Mapping[str, Callable[..., Any]], stop: Event) -> Outcome | Crashed:
    """Run one attempt and say what came of it; whatever the agent does, only `KeyboardInterrupt` is raised.

    *registry* replaces agents, by `workflow/state` (of either kind) or by `module:function`, the former first; what it
    names runs in this process. When *stop* is set, a process of its own is ended; an attempt that has not begun does
    not begin.
    """
    if stop.is_set():
        return Failure(code="agent_stopped", message=f"the agent of {work.context.state!r} was stopped before it began")
    replacement = _replacement(work, registry)
    if replacement is not None:
        from holdpoint.engine.agents import python

        try:
            return python.call(replacement, work)
        except Scripted as scripted:
            return scripted.outcome
    if work.kind == "python" and work.is_isolated:
        from holdpoint.engine.agents import isolated

        return isolated.run(work, stop=stop)
    if work.kind == "python":
        from holdpoint.engine.agents import python

        return python.run(work)
    from holdpoint.engine.agents import command

    return command.run(work, stop=stop)


def _replacement(work: Work, registry: Mapping[str, Callable[..., Any]]) -> Callable[..., Any] | None:
    by_state = registry.get(f"{work.context.workflow}/{work.context.state}")
    if by_state is None and isinstance(work.target, str):
        return registry.get(work.target)
    return by_state

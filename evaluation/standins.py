"""Stand-ins: what plays the agents of a run by what was recorded of them, and how that is kept in a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from holdpoint.engine.agents import Context, Crashed, Failure, Scripted, Success
from holdpoint.engine.canonical import Json, canonical
from holdpoint.engine.definition import AgentState, Definition
from holdpoint.engine.errors import Invalid
from holdpoint.evaluation.driving import Stop
from holdpoint.evaluation.recording import Attempt, Place
from holdpoint.testing import Clock


class StandIns:
    """Gives what was recorded, attempt by attempt of a visit, and takes as long; beyond it nothing is made up.

    `stop` says which agent was to run that was not recorded, once one was: it fails as one that is not there, so that
    no retry and no error edge follows. `played` are the visits whose agents gave something.
    """

    def __init__(self, attempts: Mapping[Place, Sequence[Attempt]], clock: Clock) -> None:
        self._attempts = attempts
        self._clock = clock
        self.played: dict[Place, int] = {}
        self.stop: Stop | None = None

    def of(self, definition: Definition) -> dict[str, Callable[..., Any]]:
        """What stands in for each agent of a definition."""
        return {f"{definition.workflow}/{name}": self for name in agents_of(definition)}

    def __call__(self, this_attempt: Context, /, **arguments: Json) -> Json:
        """What came of the attempt."""
        place = this_attempt.state, this_attempt.visit
        attempts = self._attempts.get(place, ())
        call = self.played.get(place, 0)
        if self.stop is not None or call >= len(attempts):
            self._miss(place, call, arguments)
            raise Scripted(Failure(code="agent_missing", message="it was not recorded"))
        self.played[place] = call + 1
        attempt = attempts[call]
        self._clock.set(self._clock() + attempt.took)
        if isinstance(attempt.outcome, Failure | Crashed):
            raise Scripted(attempt.outcome)
        return attempt.outcome.output

    def _miss(self, place: Place, call: int, arguments: Mapping[str, Json]) -> None:
        if self.stop is not None:
            return
        state, visit = place
        which = f"attempt {call + 1} of " if call else ""
        text = f"the agent of {state!r} is to run, and {which}visit {visit} was not recorded; it would get "
        self.stop = Stop(why="unrecorded", text=text + canonical(dict(arguments)))


def agents_of(definition: Definition) -> list[str]:
    """The states of a definition in which an agent runs."""
    return [state.name for state in definition.states.values() if isinstance(state, AgentState) and state.value is None]


def to_json(attempts: Mapping[Place, Sequence[Attempt]]) -> Json:
    """The attempts as a file keeps them: by state, visit by visit."""
    kept: dict[str, list[Json]] = {}
    for (state, visit), made in sorted(attempts.items()):
        visits = kept.setdefault(state, [])
        visits += [[] for _ in range(visit - len(visits))]
        visits[visit - 1] = [_attempt_to_json(one) for one in made]
    return kept


def from_json(kept: Json) -> dict[Place, list[Attempt]]:
    """The attempts that a file keeps. Raises `Invalid`."""
    try:
        return {
            (state, visit): [_attempt_from_json(one) for one in made]
            for state, visits in kept.items()
            for visit, made in enumerate(visits, 1)
        }
    except (AttributeError, KeyError, TypeError, ValueError):
        raise Invalid("it does not hold what agents gave, by state and visit", code="recording") from None


def _attempt_to_json(attempt: Attempt) -> dict[str, Json]:
    outcome = attempt.outcome
    took: dict[str, Json] = {"seconds": attempt.took.total_seconds()} if attempt.took else {}
    if isinstance(outcome, Success):
        return {"output": outcome.output, **took}
    if isinstance(outcome, Failure):
        error = {"code": outcome.code, "message": outcome.message, "details": dict(outcome.details)}
        return {"error": error, **took}
    return {"crash": outcome.reason, **took}


def _attempt_from_json(kept: Mapping[str, Json]) -> Attempt:
    took = timedelta(seconds=kept.get("seconds", 0))
    if "output" in kept:
        return Attempt(outcome=Success(output=kept["output"]), took=took)
    if "error" in kept:
        return Attempt(outcome=Failure(**kept["error"]), took=took)
    return Attempt(outcome=Crashed(reason=kept["crash"]), took=took)

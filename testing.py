"""For those who test what they build on Holdpoint: a clock to move, made-up agents, scripted people, assertions.

What an agent gives, what people do and what is expected are said as in a scenario file; where a test is all of that,
such a file is shorter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from holdpoint.engine.durations import parse_duration

if TYPE_CHECKING:
    from holdpoint.api import Engine
    from holdpoint.engine.canonical import Json
    from holdpoint.engine.views import Run
    from holdpoint.scenarios.coverage import Coverage
    from holdpoint.scenarios.model import Played, Suite

__all__ = ["Clock", "agents", "assert_run", "coverage_of", "load_scenarios", "path_of", "play_scenario", "take_steps"]

_UTC = ZoneInfo("UTC")


class Clock:
    """A clock that stands still until it is moved. Give it to `Engine(clock=…)`."""

    def __init__(self, start: datetime = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)) -> None:
        self._now = start

    def __call__(self) -> datetime:
        """The time that it shows."""
        return self._now

    def set(self, time: datetime) -> None:
        """Show another time, an earlier one too; nothing else happens."""
        self._now = time

    def advance(self, engine: Engine, duration: str, *, zone: ZoneInfo = _UTC) -> dict[str, int]:
        """Move on by *duration* (`5d`, `90s`) and stop for a tick at every due time on the way and at the end.

        Days are counted in *zone*. Returns the counts of all these ticks together.
        """
        end = parse_duration(duration).after(self._now, zone)
        total: dict[str, int] = {}
        while True:
            due = engine.next_due()
            is_last = due is None or due > end
            self._now = end if is_last else max(self._now, due or end)
            counts = engine.tick()
            total = {name: total.get(name, 0) + count for name, count in counts.items()}
            if is_last:
                return total
            is_moved = any(count for name, count in counts.items() if name != "errors")
            if not is_moved and engine.next_due() == due:
                raise RuntimeError(f"what is due at {due} could not be applied")


def agents(workflow: str, by_state: Mapping[str, Json], *, project: str | Path = ".") -> dict[str, Callable[..., Any]]:
    """Made-up agents of a workflow, for `Engine(agents=…)`.

    *by_state* says what each gives, as a scenario file does: `{"output": …}`, `{"error": …}`, `{"crash": True}`,
    `{"python": "module:function"}` (found in the folder *project*), `{"attempts": […]}`, `{"real": True}`; a list is
    one visit after the other, any other value the output.
    """
    from holdpoint.engine.agents.python import load_function
    from holdpoint.scenarios.agents import made_up

    folder = Path(project)
    found = {
        f"{workflow}/{state}": made_up(state, described, lambda name: load_function(name, folder), [])
        for state, described in by_state.items()
    }
    return {name: agent for name, agent in found.items() if agent is not None}


def take_steps(engine: Engine, run: Run | str, steps: Iterable[Mapping[str, Json]], clock: Clock | None = None) -> Run:
    """Let people and time do what the steps say, as a scenario file says them; the run as it stands then.

    `{"decide": "accept", "at": "review", "by": "ann"}`, `{"advance": "25h"}` (which needs the engine's *clock*),
    `{"expect": {…}}` and the others. Raises `AssertionError` with the number of the step that is not as it says,
    `UsageError` where a step is none.
    """
    from holdpoint.scenarios.checks import step_of
    from holdpoint.scenarios.model import INITIATOR
    from holdpoint.scenarios.play import Player, Stopped

    run = engine.get_run(run if isinstance(run, str) else run.id)
    player = Player(engine, clock, run.id, run.initiator or INITIATOR)
    for number, step in enumerate([step_of(step, number) for number, step in enumerate(steps, 1)], 1):
        try:
            player.take(step)
        except Stopped as stopped:
            told = "\n".join(one.message for one in stopped.mismatches)
            raise AssertionError(f"step {number}: {told}{_way(engine, run)}") from None
    return engine.get_run(run.id)


def assert_run(engine: Engine, run: Run | str, **expected: Json) -> None:
    """Compare a run as it stands with what is expected of it, by the names of `expect` in a scenario file.

    `assert_run(engine, run, state="paid", path=["draft", "paid"])`. Raises `AssertionError` that says all that is not
    so, `UsageError` for a name that is none.
    """
    from holdpoint.engine.errors import UsageError, did_you_mean
    from holdpoint.scenarios.expect import EXPECTATIONS
    from holdpoint.scenarios.model import INITIATOR
    from holdpoint.scenarios.play import Player

    for name in expected:
        if name not in EXPECTATIONS:
            hint = did_you_mean(name, EXPECTATIONS) or f"it is one of {', '.join(EXPECTATIONS)}"
            raise UsageError(f"nothing called {name!r} can be expected of a run; {hint}")
    run = engine.get_run(run if isinstance(run, str) else run.id)
    found = Player(engine, None, run.id, run.initiator or INITIATOR).compared(expected)
    if found:
        raise AssertionError("\n".join(one.message for one in found) + _way(engine, run))


def path_of(engine: Engine, run: Run | str) -> list[str]:
    """The states that a run entered, in order."""
    from holdpoint.scenarios.expect import path_of as path

    return path(engine.history(run if isinstance(run, str) else run.id))


def load_scenarios(path: str | Path) -> Suite:
    """A scenario file with the workflow that it tests. Raises `NotFound`, `DefinitionError`."""
    from holdpoint.scenarios.reading import load_suite

    return load_suite(Path(path))


def play_scenario(suite: Suite, name: str) -> Played:
    """Play the scenario of this name: `passed`, `mismatches` and the `path` that the run took. Raises `NotFound`."""
    from holdpoint.engine.errors import NotFound, did_you_mean
    from holdpoint.scenarios.play import play
    from holdpoint.scenarios.run import loader

    named = {scenario.name: scenario for scenario in suite.scenarios}
    if name not in named:
        hint = did_you_mean(name, named) or f"it has {', '.join(map(repr, named))}"
        raise NotFound(f"{str(suite.path)!r} has no scenario {name!r}; {hint}")
    return play(suite, named[name], loader(suite))


def coverage_of(workflow: str | Path) -> Coverage:
    """What the scenario files beside a workflow cover of it: they are played.

    It has `percent`, `said` (counts by kind), `missing`, and is what `Engine.graph(…, coverage=…)` takes. Raises
    `NotFound` where no file tests the workflow, `DefinitionError`.
    """
    from holdpoint import trials

    return trials.coverage_of(Path(workflow))


def _way(engine: Engine, run: Run) -> str:
    return f"\nthe run went {' → '.join(path_of(engine, run)) or 'nowhere'}"

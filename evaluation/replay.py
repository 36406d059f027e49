"""What if: a recorded run, played again against another definition or with another decision, and where the two part.

Agents, people and signals give what they gave, as long after they were asked as they did; nothing else is made up.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, Literal

from holdpoint.api import Engine
from holdpoint.engine.canonical import Json, canonical
from holdpoint.engine.definition import TIMEOUT, AgentState, Definition
from holdpoint.engine.errors import HoldpointError
from holdpoint.engine.model import ENDED
from holdpoint.engine.people import ROLE, assigned, is_role
from holdpoint.engine.times import say_span
from holdpoint.engine.views import Request, Run
from holdpoint.evaluation.course import Course, Leg, course_of, first_difference
from holdpoint.evaluation.driving import Driver, Reaction, Stop, Why
from holdpoint.evaluation.recording import Question, Recording, kind_of, shown_by
from holdpoint.evaluation.standins import StandIns
from holdpoint.testing import Clock

_SOON: Final = timedelta(minutes=1)  # quicker than that is not worth a word
WHYS: Final[Mapping[Why, str]] = {
    "refused": "at a decision that is refused now",
    "unasked": "at a decision that was never made",
    "silence": "where nobody answers and nothing is due",
    "unrecorded": "at an agent that has no recording",
    "input": "as their input is refused",
    "endless": "as they do not end",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Parting:
    """The first place where a run goes another way than it was recorded: which, and in a sentence."""

    state: str
    visit: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """A recorded run and what became of it when it was played again.

    `verdict` is `same` where it ends as it did, `other` where it ends elsewhere or with another output, and `stuck`
    where it cannot go on; then `stop` says why. `notes` are what a reader should know of how far to trust it.
    """

    run: str
    workflow: str
    before: str
    after: str
    recorded: Course
    replayed: Course
    verdict: Literal["same", "other", "stuck"]
    parting: Parting | None
    stop: Stop | None
    notes: Sequence[str]

    @property
    def end(self) -> str:
        """What it does instead, in words that follow a subject in the plural."""
        if self.verdict == "same":
            return "end the same"
        if self.verdict == "stuck":
            return "cannot go on"
        if self.replayed.end == self.recorded.end:
            return f"{self.replayed.end} too, with another output"
        return f"{self.replayed.end} instead"

    def to_dict(self) -> dict[str, Json]:
        """The replay as `flow what-if --json` prints it."""
        parting, stop = self.parting, self.stop
        return {
            "run": self.run,
            "workflow": self.workflow,
            "before": self.before,
            "after": self.after,
            "verdict": self.verdict,
            "recorded": self.recorded.to_dict(),
            "replayed": self.replayed.to_dict(),
            "parting": None
            if parting is None
            else {"state": parting.state, "visit": parting.visit, "text": parting.text},
            "stop": None if stop is None else {"why": stop.why, "text": stop.text},
            "notes": list(self.notes),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What became of many runs: how many do what, the most first, and of how many the way is another."""

    runs: int
    same: int
    by_another_way: int
    ends: Sequence[tuple[str, int]]
    stops: Sequence[tuple[Why, int]]

    @property
    def said_of_stops(self) -> str:
        """Where those stop that cannot go on: `2 at a decision that was never made, 1 at an agent that …`."""
        return ", ".join(f"{count} {WHYS[why]}" for why, count in self.stops)

    @property
    def said(self) -> str:
        """`41 of 50 end the same, 6 end in 'refused' instead, 3 cannot go on`."""
        others = "".join(f", {count} {end}" for end, count in self.ends)
        return f"{self.same} of {self.runs} end the same{others}"

    def to_dict(self) -> dict[str, Json]:
        """The summary as `flow what-if --json` prints it."""
        return {
            "runs": self.runs,
            "same": self.same,
            "by_another_way": self.by_another_way,
            "ends": dict(self.ends),
            "stops": dict(self.stops),
            "text": self.said,
        }


def summary(replays: Sequence[Replay]) -> Summary:
    """What became of these runs together."""
    same = [one for one in replays if one.verdict == "same"]
    return Summary(
        runs=len(replays),
        same=len(same),
        by_another_way=sum(one.parting is not None for one in same),
        ends=Counter(one.end for one in replays if one.verdict != "same").most_common(),
        stops=Counter(one.stop.why for one in replays if one.verdict == "stuck" and one.stop).most_common(),
    )


def roles_of_then(recording: Recording, roles: Callable[[str], frozenset[str]]) -> Callable[[str], frozenset[str]]:
    """The roles that people have, with those that they must have had when they decided as they did."""
    had: dict[str, set[str]] = {}
    for question in recording.questions:
        answer = question.answer
        if answer is None:
            continue
        asked = assigned(question.assign, answer.option)
        wanted = {person.removeprefix(ROLE) for person in asked if is_role(person)}
        if wanted and answer.by not in asked and not wanted & roles(answer.by):
            had.setdefault(answer.by, set()).update(wanted)
    return lambda person: roles(person) | had.get(person, set())


def replay(
    recording: Recording,
    definition: Definition,
    roles: Callable[[str], frozenset[str]],
    project: Path,
) -> Replay:
    """Play a recorded run against a definition. *roles* are those that people have; *project* is a folder."""
    clock = Clock(recording.started_at)
    script = _Recorded(recording, definition, clock)
    engine = Engine(
        "memory://",
        clock=clock,
        project=project,
        agents=script.agents(),
        people=roles,
    )
    with engine:
        try:
            run = engine.start(definition, recording.input, initiator=recording.initiator)
        except HoldpointError as error:
            nowhere = Course(legs=[], status="failed", state=None, outcome=None, output=None)
            refused = Stop(why="input", text=f"it does not start: {error.message}", error=error)
            return _judged(recording, definition, nowhere, refused, [])
        driver = Driver(engine, clock, run.id, script, recording.events)
        stop = driver.drive(recording.until)
        course = _like(course_of(engine.get_run(run.id), engine.history(run.id)), run.id, recording.run)
    if stop is not None and stop.why == "unrecorded":
        # It failed for want of a recording alone: in truth it would be at work there.
        course = replace(course, status="waiting", error=None)
    return _judged(recording, definition, course, stop, [*script.all_notes, *driver.notes])


class _Recorded:
    """The script that a recording is."""

    def __init__(self, recording: Recording, definition: Definition, clock: Clock) -> None:
        self._recording = recording
        self._definition = definition
        self._asked: Counter[tuple[str, int, str]] = Counter()
        self._stand_ins = StandIns(recording.attempts, clock)
        self.notes: list[str] = []

    def agents(self) -> dict[str, Callable[..., Any]]:
        """What stands in for each agent of the definition: none of them runs."""
        return self._stand_ins.of(self._definition)

    @property
    def stop(self) -> Stop | None:
        """Why it cannot go on, once an agent was to run that was not recorded."""
        return self._stand_ins.stop

    @property
    def all_notes(self) -> list[str]:
        """What to know of decisions, and of agents whose state has another now."""
        notes = list(self.notes)
        for name in dict.fromkeys(state for state, _ in self._stand_ins.played):
            before, after = self._recording.definition.states.get(name), self._definition.states[name]
            if isinstance(before, AgentState) and isinstance(after, AgentState) and _work(before) != _work(after):
                notes.append(f"the agent of {name!r} is another now; it gives what the recorded one gave")
        return notes

    def react(self, run: Run, request: Request) -> Reaction | Stop:
        """What became of the request of the same visit."""
        visit, kind = run.visits[request.state], kind_of(request.kind)
        number = self._asked[request.state, visit, kind]
        self._asked[request.state, visit, kind] += 1
        questions = self._recording.asked(request.state, visit, kind)
        if number >= len(questions):
            what = "what became of a crash" if kind == "crash" else f"the decision in {request.state!r}, visit {visit},"
            return Stop(why="unasked", text=f"it waits for {what} that was never made: {', '.join(request.options)}")
        question = questions[number]
        if question.answer is not None:
            self._compare(request, question)
        return Reaction(answer=question.answer, changes=question.changes)

    def _compare(self, request: Request, question: Question) -> None:
        shown = shown_by(request.show)
        for name, sha256 in question.shown.items():
            if shown.get(name) != sha256:
                self.notes.append(f"the decision in {request.state!r} was made on another content of {name!r}")


def _work(state: AgentState) -> tuple[object, ...]:
    """What makes an agent the one that it is."""
    return state.python, state.command, state.arguments


def _like(course: Course, run_id: str, recorded: str) -> Course:
    """The course with the recorded run's id in its output, where that names its run."""
    if not isinstance(course.output, dict | list | str):
        return course
    import json

    return replace(course, output=json.loads(canonical(course.output).replace(run_id, recorded)))


def _judged(
    recording: Recording, definition: Definition, course: Course, stop: Stop | None, notes: Sequence[str]
) -> Replay:
    recorded = recording.course
    number = first_difference(recorded, course)
    is_over = recorded.status in ENDED
    as_far = number is None and not is_over and stop is not None and stop.why == "unrecorded"
    ends = (recorded.status, recorded.state, recorded.outcome, recorded.output)
    if as_far or (stop is None and ends == (course.status, course.state, course.outcome, course.output)):
        verdict: Literal["same", "other", "stuck"] = "same"
        stop = None
    else:
        verdict = "other" if stop is None else "stuck"
    return Replay(
        run=recording.run,
        workflow=definition.workflow,
        before=recording.definition.version,
        after=definition.version,
        recorded=recorded,
        replayed=course,
        verdict=verdict,
        parting=_parting(recorded, course, number, stop),
        stop=stop,
        notes=list(dict.fromkeys(notes)),
    )


def _parting(recorded: Course, course: Course, number: int | None, stop: Stop | None) -> Parting | None:
    if number is None and stop is None:
        return None
    legs = course.legs
    here = legs[-1 if number is None else min(number, len(legs) - 1)] if legs else Leg(state="", visit=0)
    if stop is not None and (number is None or number >= len(legs) - 1):
        return Parting(state=here.state, visit=here.visit, text=stop.text)
    before = recorded.legs[number] if number is not None and number < len(recorded.legs) else None
    return Parting(state=here.state, visit=here.visit, text=_told(before, here, course))


def _told(before: Leg | None, here: Leg, course: Course) -> str:
    """How a leg differs from the recorded one, in a sentence."""
    if before is None or before.state != here.state:
        return f"it goes to {here.state!r}" + (f", not to {before.state!r}" if before else ", where it ended before")
    if before.option == here.option and before.to != here.to:
        return f"{here.option!r} leads to {here.to!r}, not to {before.to!r}"
    if here.option is None:
        why = f": {course.error}" if course.error is not None else ""
        return f"it {course.said}{why}; recorded is {_left(before)}"
    return f"it goes on by {_left(here)}; recorded is {_left(before)}"


def _left(leg: Leg) -> str:
    """How a state was left: `'approve' by 'dora' after 2h`."""
    if leg.option is None:
        return "that it stays there"
    waited = "" if leg.after is None or leg.after < _SOON else f" after {say_span(leg.after)}"
    if leg.by is not None:
        return f"{leg.option!r} by {leg.by!r}{waited}"
    if leg.after is not None or leg.option == TIMEOUT:
        return f"{leg.option!r} of the deadline{waited}"
    return f"{leg.option!r}"

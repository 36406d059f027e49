"""One run that is guided by choices: what the agents give, what people do, whether anybody does anything at all.

The same choices make the same run. A run is played by what plays scenarios, so that what it did can be written down as
a scenario that does it again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any, Final

from holdpoint.api import Engine
from holdpoint.engine.agents import Context, Crashed, Failure, Scripted
from holdpoint.engine.canonical import Json, canonical
from holdpoint.engine.definition import AgentState, HumanState
from holdpoint.engine.errors import Conflict, HoldpointError, Invalid, NotAllowed
from holdpoint.engine.expressions import Expression
from holdpoint.engine.model import ENDED, Entry
from holdpoint.engine.moments import Moment
from holdpoint.engine.people import is_excluded, may_act
from holdpoint.engine.times import parse_time
from holdpoint.engine.views import Request, Run
from holdpoint.scenarios.acts import COMMENT, STRANGER, Act, Acts
from holdpoint.scenarios.coverage import Item, covered_by
from holdpoint.scenarios.expect import arguments_given, path_of
from holdpoint.scenarios.invariants import Invariant
from holdpoint.scenarios.model import INITIATOR, START, Scenario, Step
from holdpoint.scenarios.play import Player
from holdpoint.scenarios.rules import broken_rules, unapproved
from holdpoint.scenarios.subjects import Subject
from holdpoint.settings import find_project
from holdpoint.testing import Clock

FAILED: Final = "it failed"
MAX_CRASHES: Final = 1
MAX_VISITS_TOLD_APART: Final = 6
_INSTANT: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """A choice that was made: which of how many."""

    taken: int
    of: int


@dataclass(frozen=True, kw_only=True)
class Guided:
    """What came of a run: its choices, how many ways on it has where it was stopped, and what was wrong with it.

    `broken` are the rules that it breaks, each with how; where that is a rule of the engine, the run was not followed
    any further. `asked` is what a person was asked before each step, as a scenario expects it; `given` is what agents
    were given. `situation` is all that matters for how it can go on.
    """

    branches: Sequence[Branch]
    ways_on: int
    situation: str
    covered: frozenset[Item]
    broken: Mapping[str, str]
    scenario: Scenario
    asked: Sequence[Act | None]
    given: Mapping[str, Json]
    path: Sequence[str]
    run: Run | None

    @property
    def is_lost(self) -> bool:
        """Whether it breaks a rule of the engine: what comes after that means nothing."""
        return any(":" not in rule and " " not in rule for rule in self.broken)

    @property
    def has_ended(self) -> bool:
        """Whether it came to an end."""
        return self.run is not None and self.run.status in ENDED

    @property
    def choices(self) -> tuple[int, ...]:
        """Which choices were made."""
        return tuple(branch.taken for branch in self.branches)


class Problem(Exception):
    """Something that must hold did not: the rule, and how."""

    def __init__(self, rule: str, message: str) -> None:
        super().__init__(message)
        self.rule = rule
        self.message = message


def guide(
    subject: Subject,
    choices: Sequence[int],
    *,
    chance: Random | None = None,
    bound: int = 40,
    is_new: Callable[[str], bool] = lambda situation: True,
) -> Guided:
    """Play the run that *choices* lead to: as far as they go or (with *chance*) on at random, *bound* steps at most.

    *is_new* says whether no run was in a situation before: then it is looked at more closely.
    """
    chooser = _Chooser(choices, chance)
    given = subject.inputs[chooser.choose(len(subject.inputs))]
    player = _Guide(subject, chooser, given, bound, is_new)
    try:
        return player.go()
    finally:
        player.close()


class _Chooser:
    """Makes the choices that were given, and then the first ones or any."""

    def __init__(self, choices: Sequence[int], chance: Random | None) -> None:
        self._choices = choices
        self._chance = chance
        self.branches: list[Branch] = []

    @property
    def is_spent(self) -> bool:
        """Whether no given choice is left."""
        return self._chance is None and len(self.branches) >= len(self._choices)

    def choose(self, of: int) -> int:
        position = len(self.branches)
        if position < len(self._choices):
            taken = min(self._choices[position], of - 1)
        else:
            taken = 0 if self._chance is None else self._chance.randrange(of)
        self.branches.append(Branch(taken=taken, of=of))
        return taken


@dataclass(slots=True)
class _Visit:
    """What the agent of a state gives in one visit, attempt by attempt."""

    attempts: list[Json] = field(default_factory=list)
    fails: bool = False


class _Guide:
    """One guided run in play."""

    def __init__(
        self, subject: Subject, chooser: _Chooser, given: Json, bound: int, is_new: Callable[[str], bool]
    ) -> None:
        self._is_new = is_new
        self._subject = subject
        self._chooser = chooser
        self._bound = bound
        self._visits: dict[str, dict[int, _Visit]] = {}
        self._calls = 0
        self._crashes = 0
        self._steps: list[Act] = []
        self._asked: list[Act | None] = []
        self._used: dict[str, int] = {}
        self._rested = ""
        self._start_of_step = 0
        self._moments: list[Moment] = []
        self._broken: dict[str, str] = {}
        self._input = given
        self._clock = Clock(parse_time(START))
        self._engine = Engine(
            "memory://",
            clock=self._clock,
            project=find_project(subject.suite.workflow.parent),
            agents=dict(self._agents()),
            people=subject.suite.people,
        )
        self._acts = Acts(subject, self._engine, self._clock, self._used)
        self._run: Run | None = None
        self._player: Player | None = None
        self.history: Sequence[Entry] = ()

    def close(self) -> None:
        """Let go of the engine."""
        self._engine.close()

    @property
    def _id(self) -> str:
        return self.run.id

    def _look(self) -> None:
        self._run = self._engine.get_run(self._id)
        self.history = self._engine.history(self._id)
        self._acts.look(self._run, self.history)

    # --- agents ---

    def _agents(self) -> Iterator[tuple[str, Callable[..., Any]]]:
        definition = self._subject.suite.definition
        for name, state in definition.states.items():
            if isinstance(state, AgentState) and state.value is None:
                yield f"{definition.workflow}/{name}", self._agent(state)

    def _agent(self, state: AgentState) -> Callable[..., Any]:
        def agent(this_attempt: Context, /, **arguments: Json) -> Json:
            self._calls += 1
            visit = self._visits.setdefault(state.name, {}).setdefault(this_attempt.visit, _Visit())
            described = self._chosen(state, visit)
            visit.attempts.append(described)
            if "crash" in described:
                self._crashes += 1
                raise Scripted(Crashed(reason="it crashed"))
            if "error" in described:
                raise Scripted(Failure(code="agent_error", message=FAILED))
            return described["output"]

        return agent

    def _chosen(self, state: AgentState, visit: _Visit) -> Mapping[str, Json]:
        """What the agent gives now: an output, an error for all of the visit or for once, or a crash."""
        if visit.fails:
            return {"error": FAILED}
        kinds: list[tuple[str, Json]] = [("output", value) for value in self._subject.outputs[state.name]]
        kinds.append(("error", None))
        if state.retry is not None and not visit.attempts:
            kinds.append(("once", None))
        if self._crashes < MAX_CRASHES and not any("crash" in attempt for attempt in visit.attempts):
            kinds.append(("crash", None))
        kind, value = kinds[self._chooser.choose(len(kinds))]
        visit.fails = kind == "error"
        if kind == "crash":
            return {"crash": True}
        return {"output": value} if kind == "output" else {"error": FAILED}

    # --- the run ---

    def go(self) -> Guided:
        """Play the run; what came of it."""
        acts: list[Act] = []
        try:
            acts = self._played()
        except Problem as error:
            self._broken[error.rule] = error.message
        except Exception as error:  # whatever the engine raises is what is looked for
            self._broken["unexpected"] = f"{type(error).__name__}: {error}"
        return self._came_to(acts)

    def _came_to(self, acts: Sequence[Act]) -> Guided:
        return Guided(
            branches=self._chooser.branches,
            ways_on=len(acts),
            situation=self._rested,
            covered=covered_by(self._subject.suite.definition, self.history),
            broken=self._broken,
            scenario=self._told(),
            asked=self._asked,
            given=arguments_given(self._moments),
            path=path_of(self.history),
            run=self._run,
        )

    def _played(self) -> list[Act]:
        """Go through the choices; the ways on where there are none left, nothing where the run has ended."""
        subject = self._subject
        try:
            self._run = self._engine.start(subject.suite.definition, self._input, initiator=INITIATOR)
        except Invalid as error:
            if error.code == "input":
                return []  # a made-up input that the workflow does not take
            raise
        self._player = Player(self._engine, self._clock, self._id, INITIATOR)
        while True:
            self._look()
            acts = self._acts.possible() if self.run.status not in ENDED else []
            if not acts or self._chooser.is_spent or len(self._steps) >= self._bound:
                self._check_at_rest(acts)
                return acts if len(self._steps) < self._bound else []
            act = acts[self._chooser.choose(len(acts))]
            if not self._done(act):
                return []

    @property
    def run(self) -> Run:
        """The run as it was last looked at."""
        assert self._run is not None
        return self._run

    def _done(self, act: Act) -> bool:
        """Take a step; whether it was taken. A made-up value that the engine does not take is given up."""
        verb = next(iter(act))
        assert self._player is not None
        self._start_of_step = len(self.history)
        before = self.run
        self._steps.append(act)
        self._asked.append(_asked(before))
        for name in ("cancel", "retry"):
            self._used[name] = self._used.get(name, 0) + (name == verb)
        try:
            _TAKE[verb](self._player, Step(verb=verb, keys=act, line=0))
        except Invalid as error:
            if error.code in ("answers", "artifact", "signal"):
                self._steps.pop()
                self._asked.pop()
                return False
            raise Problem("refused", f"{verb} is refused: {error}") from None
        except (Conflict, NotAllowed) as error:
            raise Problem("refused", f"{verb} is refused: {error}") from None
        self._look()
        self._check_step(act, before, self.history[self._start_of_step :])
        return True

    # --- what must hold ---

    def _check(self) -> None:
        """What must hold of the run so far."""
        definition = self._subject.suite.definition
        self._moments = list(self._engine.moments(self._id))
        for rule in broken_rules(definition, self._subject.roles, self._moments):
            raise Problem("stuck" if rule.startswith("it is stuck") else "rule", rule)
        self._check_invariants()
        for name in unapproved(definition.document, self.history):
            raise Problem("unapproved", f"{name!r} is irreversible, and nobody had approved it")
        started = sum(entry.kind == "agent.started" for entry in self.history)
        if started != self._calls:
            raise Problem("rule", f"agents were called {self._calls} times, and the history has {started} attempts")

    def _check_invariants(self) -> None:
        for invariant in self._subject.invariants:
            found = next(filter(None, map(invariant.broken_at, self._moments)), "")
            if found:
                self._broken[invariant.text] = f"{_quoted(invariant)} is broken: {found}"

    def _check_step(self, act: Act, before: Run, entries: Sequence[Entry]) -> None:
        """What a step must have left in the history."""
        kinds = [entry.kind for entry in entries]
        if "decide" in act:
            self._check_decision(act, before, entries)
        if "signal" in act and kinds.count("signal.received") != 1:
            raise Problem("rule", f"the signal {act['signal']!r} is {kinds.count('signal.received')} times there")
        is_due = any(request.due_at and request.due_at <= self._clock() for request in before.requests)
        count = kinds.count("request.expired")
        if "advance" in act and before.requests and count != is_due:
            raise Problem("rule", f"{act['advance']} after it opened, the deadline was applied {count} times")
        if "cancel" in act and not {"operator.cancelled", "run.cancelled"} & set(kinds):
            raise Problem("rule", "the run was cancelled, and its history does not say so")

    def _check_decision(self, act: Act, before: Run, entries: Sequence[Entry]) -> None:
        request = before.requests[0]
        decided = [entry for entry in entries if entry.kind == "request.decided"]
        found = [(entry.data["request"], entry.data["decision"], entry.actor) for entry in decided]
        if found != [(request.id, act["decide"], act["by"])]:
            raise Problem("rule", f"{act['by']!r} decided {act['decide']!r} at {request.state!r}, and there is {found}")
        if "artifact" not in act:
            return
        state = self._subject.suite.definition.states[request.state]
        name = state.under_review if isinstance(state, HumanState) else None
        moment = next(one for one in self._engine.moments(self._id) if one.entry.seq == decided[0].seq)
        revision = moment.run.artifacts[name or ""]
        if moment.values.content(revision.sha256) != act["artifact"]:
            raise Problem("rule", f"the edit of {name!r} at {request.state!r} is lost")

    def _check_at_rest(self, acts: Sequence[Act]) -> None:
        """What must hold of a run that nothing moves now.

        Where none has come to the same situation before, people who may not do it try all sorts of things.
        """
        self._check()
        run, due_at = self.run, self._engine.next_due()
        self._rested = self._situation()  # before the checks, which move the clock to what is due
        if not self._is_new(self._rested):
            return
        for flaw in self._engine.verify(self._id):
            raise Problem("verify", f"flow verify finds: {flaw}")
        if run.status in (*ENDED, "failed"):
            return
        self._check_goes_on(run, due_at, acts)
        for invariant in self._subject.invariants:
            if found := invariant.stays_broken(due_at, self._moments[-1]):
                self._broken[invariant.text] = f"{_quoted(invariant)} is broken: {found}"
        self._check_probes(run, due_at)

    def _check_goes_on(self, run: Run, due_at: datetime | None, acts: Sequence[Act]) -> None:
        if due_at is not None or run.status == "running":
            return
        if self._subject.is_sure_to_end and not self._crashes and not self._used.get("cancel"):
            raise Problem("silence", f"in {run.state!r} it waits for ever, and it was proved that it never does")
        if all("cancel" in act for act in acts):
            who = "nobody may decide it" if run.requests else "nothing can come"
            raise Problem("stuck", f"in {run.state!r} it waits for ever: {who}")

    def _check_probes(self, run: Run, due_at: datetime | None) -> None:
        before = _standing(run)
        for request in run.requests:
            self._try_to_decide(request)
            self._same(before, "a decision that was refused")
        self._decide_again()
        self._same(before, "the same decision once more")
        if due_at is not None and due_at - _INSTANT > self._clock():
            self._clock.set(due_at - _INSTANT)
            self._engine.tick()
            self._same(before, "a tick before anything is due")
        if self._subject.signals and run.requests:
            self._engine.signal(self._id, self._subject.signals[0], self._any_data())
            self._same(before, "a signal for another state")

    def _any_data(self) -> Json:
        act = self._acts.signal_acts(self._subject.signals[0])[0]
        return act.get("data")

    def _same(self, before: Json, why: str) -> None:
        now = _standing(self._engine.get_run(self._id))
        if now != before:
            changed = [name for name in before if now[name] != before[name]]
            raise Problem("rule", f"{why} changes {', '.join(changed)} in {self.run.state!r}")

    def _try_to_decide(self, request: Request) -> None:
        """Those who may not, what is not offered, and what was looked at before it changed: all must be refused."""
        roles, option = self._subject.roles, request.options[0]
        for person in (STRANGER, INITIATOR, *self._subject.suite.people):
            is_out = is_excluded(self._excluded(request), person, roles)
            if is_out or not any(may_act(request.assign or [], one, person, roles) for one in request.options):
                self._refuses(NotAllowed, request, option, person)
        by = self._acts.somebody(request, option)
        if by is None:
            return
        self._refuses(Invalid, request, "no option of its", by)
        shown = [item for item in request.show if item.get("revision", 0)]
        if shown and (revision := self.run.artifacts[shown[0]["name"]]["revision"]) > 1:
            self._refuses(Conflict, request, option, by, base=revision - 1)

    def _excluded(self, request: Request) -> list[str]:
        """Whom the workflow excludes, whatever the request says."""
        state = self._subject.suite.definition.states[request.state]
        asks = state.ask if isinstance(state, AgentState) else state
        return [INITIATOR if one == "initiator" else one for one in getattr(asks, "exclude", ())]

    def _refuses(self, expected: type[HoldpointError], request: Request, option: str, by: str, **more: Any) -> None:
        answers = self._acts.answers(request, option)
        wish = {"answers": answers[0] if answers else None, "comment": COMMENT, **more}
        try:
            self._engine.decide(request.id, option, by=by, **wish)
        except expected:
            return
        except HoldpointError as error:
            raise Problem("rule", f"{by!r} is refused as {type(error).__name__}: {error}") from None
        raise Problem("rule", f"{by!r} may decide {option!r} at {request.state!r}, and must not")

    def _decide_again(self) -> None:
        """The decision that was taken last, once more: it is answered, and nothing comes of it."""
        decided = [entry for entry in self.history if entry.kind == "request.decided"]
        acts = [act for act in self._steps if "decide" in act]
        if not decided or not acts:
            return
        act, request = acts[-1], decided[-1].data["request"]
        wish: dict[str, Any] = {name: act.get(name) for name in ("comment", "answers", "artifact")}
        try:
            again = self._engine.decide(request, str(act["decide"]), by=str(act["by"]), **wish)
        except HoldpointError as error:
            raise Problem("rule", f"the decision {act['decide']!r} once more is refused: {error}") from None
        if not again.replayed:
            raise Problem("rule", f"the decision {act['decide']!r} is taken a second time")

    # --- where the run is ---

    def _situation(self) -> str:
        """All that matters for how the run can go on."""
        run, moment = self.run, self._moments[-1]
        record = moment.run
        results: Json = {
            name: run.results[name].get("decision", True) if isinstance(run.results[name], dict) else True
            for name in run.results
            if run.results[name] is not None
        }
        request = run.requests[0] if run.requests else None
        said: list[Json] = [
            run.state if run.status not in ENDED else path_of(self.history),
            run.status,
            None if request is None else [request.kind, *request.options],
            record.attempts,
            results,
            sorted(run.artifacts),
            {name: min(run.visits.get(name, 0), MAX_VISITS_TOLD_APART) for name in sorted(self._subject.reads)},
            dict(record.returns),
            self._kept_signals(),
            record.is_cancelling,
            record.last_error is not None,
            self._used,
            self._crashes,
            [_truth(guard, moment) for guard in self._subject.guards],
            [_told(invariant, moment) for invariant in self._subject.invariants],
            self._times() if self._subject.is_timed else None,
        ]
        return canonical(said)

    def _times(self) -> list[Json]:
        """The seconds since the run's start, and those until what is due next."""
        now, due_at = self._clock(), self._engine.next_due()
        since = (now - self._moments[0].entry.at).total_seconds()
        return [since, None if due_at is None else (due_at - now).total_seconds()]

    def _kept_signals(self) -> list[Json]:
        """The signals that came and were not taken, by the history: what the engine keeps may be wrong."""
        taken = {entry.data.get("signal") for entry in self.history if entry.kind == "wait.ended"}
        received = [entry for entry in self.history if entry.kind == "signal.received"]
        return [entry.data["name"] for entry in received if entry.seq not in taken]

    def _told(self) -> Scenario:
        """The run as a scenario."""
        agents = {}
        for name, visits in self._visits.items():
            each = [_described(visits.get(number)) for number in range(1, max(visits) + 1)]
            agents[name] = each[0] if all(one == each[0] for one in each) else each
        steps = [Step(verb=next(iter(act)), keys=act, line=0) for act in self._steps]
        return Scenario(name="", line=0, input=self._input, agents=agents, steps=steps)


_TAKE: Final[Mapping[str, Callable[[Player, Step], None]]] = {
    "decide": Player._decide,
    "advance": Player._advance,
    "signal": Player._signal,
    "cancel": Player._cancel,
    "retry": Player._retry,
    "tick": Player._tick,
}


def _standing(run: Run) -> dict[str, Json]:
    """What no refused, repeated or early command may change."""
    said = run.to_dict()
    kept = ("status", "state", "outcome", "results", "artifacts", "visits", "error", "output")
    return {
        **{name: said[name] for name in kept},
        "requests": [
            {key: one[key] for key in ("id", "options", "assign", "exclude", "due_at", "default", "form")}
            for one in said["requests"]
        ],
    }


def _asked(run: Run) -> Act | None:
    """What a person is asked, as a scenario expects it; None where nobody is."""
    if not run.requests:
        return None
    said = run.requests[0].to_dict()
    asked = {name: said[name] for name in ("state", "kind", "message", "options", "form") if said[name] is not None}
    show = [{"name": one["name"]} for one in said["show"]]
    return {**asked, "show": show, "assigned": said["assign"], "exclude": said["exclude"], "due": said["due_at"]}


def _described(visit: _Visit | None) -> Json:
    """What a scenario says that an agent gives in a visit."""
    if visit is None:
        return {"error": FAILED}
    attempts = visit.attempts
    if len(attempts) == 1 or all(attempt == attempts[0] for attempt in attempts):
        return attempts[0]
    return {"attempts": list(attempts)}


def _quoted(invariant: Invariant) -> str:
    return f'"{invariant.text}"'


def _truth(expression: Expression, moment: Moment) -> Json:
    try:
        return bool(expression.evaluate(moment.scope()))
    except Invalid:
        return None


def _told(invariant: Invariant, moment: Moment) -> Json:
    """What an invariant comes to: runs that differ in it go on differently."""
    return invariant.broken_at(moment) == ""

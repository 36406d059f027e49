"""Virtual time: arrivals, agents, people and deadlines around runs that follow the engine's rules.

Events come in the order of their times; of those at one time, deadlines are first, as they are in the engine.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from heapq import heappop, heappush
from typing import TypeAlias

from holdpoint.engine.agents import Failure, Success
from holdpoint.engine.canonical import Json, canonical
from holdpoint.engine.decide import form_of
from holdpoint.engine.definition import AgentState, Definition
from holdpoint.engine.errors import HoldpointError, Invalid
from holdpoint.engine.model import Command, Crash, Decide, Finish, RequestRecord, RunRecord, Send, Values
from holdpoint.engine.people import ROLE, assigned, is_excluded, is_role, may_act
from holdpoint.simulation.arriving import arrivals_of
from holdpoint.simulation.course import Course, Key, Rules
from holdpoint.simulation.draws import Stream, pick
from holdpoint.simulation.hours import DAY, NEVER, SECOND, Shifts
from holdpoint.simulation.plan import INITIATORS, Group, Outcome, Plan, people_of
from holdpoint.simulation.record import How, Item, Record, Toil, Trip
from holdpoint.simulation.samples import meets, sample

# At one time deadlines come first, and who has finished comes before who begins.
_DUE, _FINISH, _LATER, _DECIDE, _ON_DUTY, _ARRIVE = range(6)
_PRIORITIES = {"urgent": 0, "high": 1, "normal": 2, "low": 3}
COMMENT = "simulated"
Action: TypeAlias = Callable[[], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A run that waits when a simulation begins, with its own definition and what its record refers to."""

    definition: Definition
    run: RunRecord
    values: Values


def rules_of(definition: Definition, plan: Plan, *, is_shared: bool = True) -> Rules:
    """The rules for simulations of a plan; all replications may share them."""
    roles = plan.roles
    return Rules(definition, lambda person: roles.get(person, frozenset()), plan.start, is_shared=is_shared)


def simulate(rules: Rules, plan: Plan, replication: int, backlog: Sequence[Waiting] = ()) -> Record:
    """One replication, from beginning to end. Raises `Invalid` where what was given does not fit the workflow.

    *backlog* are runs that wait when it begins. They are counted among requests and people's work, not among runs.
    """
    world = _World(rules, plan, Stream(plan.seed, replication))
    for number, waiting in enumerate(backlog, 1):
        own = rules if waiting.definition is rules.definition else rules_of(waiting.definition, plan, is_shared=False)
        world.take_over(-number, own.go_on(waiting.run, waiting.values))
    return world.run()


@dataclass(slots=True, kw_only=True, eq=False)
class _Person:
    """Somebody at work. `options` of a lane are kept there; `since` is when they last became idle."""

    name: str
    group: Group
    shifts: Shifts | None
    toil: Toil
    since: int = 0
    task: _Task | None = None


@dataclass(slots=True, kw_only=True, eq=False)
class _Task:
    """An open request with its run."""

    item: Item
    case: _Case
    request: RequestRecord
    lane: _Lane
    rank: tuple[int, int, int]
    person: _Person | None = None
    is_open: bool = True


@dataclass(slots=True, kw_only=True)
class _Choice:
    options: tuple[str, ...]
    weights: tuple[float, ...]


@dataclass(slots=True, kw_only=True, eq=False)
class _Lane:
    """Requests that the same people may decide in the same way, most urgent first."""

    label: str
    choices: Mapping[str, _Choice]
    shifts: tuple[Shifts | None, ...]
    unlimited: _Person | None
    waiting: list[tuple[tuple[int, int, int], int, _Task]] = field(default_factory=list)

    def put(self, task: _Task, number: int) -> None:
        """Let a request wait here; of two equally urgent ones the lower number is first."""
        heappush(self.waiting, (task.rank, number, task))

    def first(self) -> _Task | None:
        """The most urgent request that is still open, here, and in nobody's hands."""
        while self.waiting:
            task = self.waiting[0][2]
            if task.is_open and task.person is None and task.lane is self:
                return task
            heappop(self.waiting)
        return None


@dataclass(slots=True, kw_only=True, eq=False)
class _Case:
    """A run with what is written down of it."""

    number: int
    initiator: str
    course: Course
    trip: Trip
    tasks: dict[str, _Task] = field(default_factory=dict)
    voters: dict[str, tuple[str, ...]] = field(default_factory=dict)


class _World:
    """One replication under way."""

    def __init__(self, rules: Rules, plan: Plan, stream: Stream) -> None:
        self.rules, self.plan, self.stream = rules, plan, stream
        self.length = plan.days * DAY
        self.record = Record(length=self.length)
        self.now = 0
        self._events: list[tuple[int, int, int, Action]] = []
        self._count = 0
        self._lanes: dict[tuple[object, ...], _Lane] = {}
        self._answers: dict[str, Json] = {}
        self._lanes_of: dict[str, list[_Lane]] = {}
        self._shifts: dict[tuple[str, str], Shifts | None] = {}
        self._roles = plan.roles
        self._initiators = plan.initiators
        self._weights = [case.weight for case in plan.cases]
        self._people = {person.name: person for person in self._hire()}
        self.record.toils = {name: person.toil for name, person in self._people.items()}

    def run(self) -> Record:
        """Let all that happens within the length of the simulation happen."""
        for number, at in enumerate(arrivals_of(self.plan.arrivals, self.plan.start, self.length, self.stream)):
            self._at(at, _ARRIVE, lambda number=number: self._arrive(number))  # type: ignore[misc]
        events = self._events
        while events and events[0][0] < self.length:
            self.now, _, _, action = heappop(events)
            action()
        return self.record

    def take_over(self, number: int, course: Course) -> None:
        """Let a run that waits already go on."""
        run = course.run
        trip = Trip(began_at=self._since_start(run.started_at))
        self._moved(_Case(number=number, initiator=run.initiator or INITIATORS, course=course, trip=trip))

    def _at(self, at: int, rank: int, action: Action) -> None:
        if at < self.length:
            heappush(self._events, (at, rank, self._next(), action))

    def _next(self) -> int:
        self._count += 1
        return self._count

    # People

    def _hire(self) -> list[_Person]:
        people = []
        for group in self.plan.people:
            shifts = self._shifts_of(group)
            for name in people_of(group):
                toil = Toil(group=group.name, is_unlimited=group.names is None, shifts=shifts)
                people.append(_Person(name=name, group=group, shifts=shifts, toil=toil))
            if shifts is not None and group.names is not None:
                self._call_in(group, shifts, 0)
        return people

    def _shifts_of(self, group: Group) -> Shifts | None:
        """The shifts of a group, None where it always works."""
        key = (group.hours.text, group.hours.zone.key)
        if key not in self._shifts:
            always = group.hours.text == "always"
            self._shifts[key] = None if always else Shifts(group.hours, self.plan.start, self.length)
        return self._shifts[key]

    def _call_in(self, group: Group, shifts: Shifts, after: int) -> None:
        """Let a group look for work when its next shift begins."""
        index = bisect_right(shifts.starts, after)
        if index < len(shifts.starts):
            self._at(shifts.starts[index], _ON_DUTY, lambda: self._come_in(group, shifts))

    def _come_in(self, group: Group, shifts: Shifts) -> None:
        for name in people_of(group):
            self._look_for_work(self._people[name])
        self._call_in(group, shifts, self.now)

    def _look_for_work(self, person: _Person) -> None:
        """Let somebody who is idle and on duty take up the most urgent request that they may decide."""
        if person.task is not None or not self._is_on(person):
            return
        firsts = [task for lane in self._lanes_of.get(person.name, ()) if (task := lane.first()) is not None]
        if firsts:
            self._take_up(person, min(firsts, key=lambda task: task.rank))

    def _is_on(self, person: _Person) -> bool:
        return person.shifts is None or person.shifts.is_on(self.now)

    def _offer(self, task: _Task) -> None:
        """Put a request before the people who may decide it."""
        lane = task.lane
        if lane.unlimited is not None:
            self._begin(lane.unlimited, task)
            return
        if not lane.choices:
            self.record.nobody[task.item.state] += 1
            return
        if task.item.on_duty_at is None:
            task.item.on_duty_at = min(self.now if one is None else one.next_on(self.now) for one in lane.shifts)
        lane.put(task, self._next())
        idle = [person for name in lane.choices if (person := self._people[name]).task is None and self._is_on(person)]
        if idle:
            self._look_for_work(min(idle, key=lambda person: person.since))

    def _take_up(self, person: _Person, task: _Task) -> None:
        person.task = task
        task.person = person
        self._begin(person, task)

    def _begin(self, person: _Person, task: _Task) -> None:
        item = task.item
        if item.begun_at is None:
            item.begun_at = self.now
        takes = self.plan.habit(item.state).takes or person.group.takes
        seconds = takes.at(self._drawn_of(task, "takes")) / person.group.speed
        work = round(seconds * SECOND)
        end = self.now + work if person.shifts is None else person.shifts.after(self.now, work)
        person.toil.spells.append((self.now, end))
        self._at(end, _DECIDE, lambda: self._decide(person, task))

    def _decide(self, person: _Person, task: _Task) -> None:
        """What a person does who has looked at a request to the end."""
        if not task.is_open or (person.group.names is not None and person.task is not task):
            return
        choice = task.lane.choices[person.name]
        option = choice.options[pick(choice.weights, self._drawn_of(task, "option"))]
        person.toil.decided_at.append(self.now)
        self._let_go(person, is_done=True)
        self._apply_decision(task, option, person.name, "person")
        self._look_for_work(person)

    def _let_go(self, person: _Person, *, is_done: bool) -> None:
        """End what a person works on; a spell that is broken off ends now."""
        if not is_done:
            begun, _ = person.toil.spells[-1]
            person.toil.spells[-1] = (begun, self.now)
        if person.task is not None:
            person.task.person = None
        person.task = None
        person.since = self.now

    # Runs

    def _arrive(self, number: int) -> None:
        index = pick(self._weights, self.stream.uniform(f"{number}/input"))
        who = self._initiators[int(self.stream.uniform(f"{number}/initiator") * len(self._initiators))]
        course = self.rules.begin((index, who), self.plan.cases[index].value, who, self.now)
        case = _Case(number=number, initiator=who, course=course, trip=Trip(began_at=self.now))
        self.record.trips.append(case.trip)
        self._moved(case)

    def _apply(self, case: _Case, what: str, key: Key, command: Command) -> None:
        """Give a run a command from outside, and see to what follows."""
        try:
            case.course.apply(key, command, self.now)
        except HoldpointError as error:
            raise Invalid(f"{what} was refused: {error.message}", code="simulation") from None
        self._moved(case)

    def _moved(self, case: _Case) -> None:
        """See to what a step of a run has begun and ended."""
        course, run = case.course, case.course.run
        for request_id in [known for known in case.tasks if known not in run.requests]:
            self._close(case.tasks.pop(request_id))
        if run.phase == "ended" or run.failure is not None:
            self._stop(case)
            return
        if course.due is not None:
            version = course.version
            self._at(course.due, _DUE, lambda: self._fall_due(case, version))
        if course.place.work is not None:
            self._start_agent(case)
        for request in run.requests.values():
            self._open(case, request)
        if run.phase == "waiting":
            self._expect_signal(case)

    def _stop(self, case: _Case) -> None:
        run, trip = case.course.run, case.trip
        trip.status = run.outcome or run.status
        if run.failure is not None:
            trip.status = "failed"
            self.record.reasons[str(case.course.place.values.entry(run.failure).data["message"])] += 1
        trip.ended_at = self.now

    def _fall_due(self, case: _Case, version: int) -> None:
        if case.course.version == version:
            for task in case.tasks.values():
                task.item.how = "deadline"
            case.course.apply_due(self.now)
            self._moved(case)
            for task in case.tasks.values():  # it was a rung, or another request's
                task.item.how = None

    def _draw(self, case: _Case, state: str, visit: int, what: str) -> float:
        return self.stream.uniform(f"{case.number}/{state}/{visit}/{what}")

    def _drawn_of(self, task: _Task, what: str) -> float:
        """A number for a request: each question after a crash of one visit has its own."""
        number = f"/{task.case.course.run.crashes}" if task.request.kind == "crash" else ""
        return self._draw(task.case, task.item.state, task.item.visit, f"{what}{number}")

    # Agents and signals

    def _start_agent(self, case: _Case) -> None:
        run, work = case.course.run, case.course.place.work
        state, attempt = run.state or "", run.attempt
        if work is None or attempt is None:
            return
        plan = self.plan.work(state)
        visit, tried = run.visit, f"{attempt.number}/{run.crashes}"
        index = pick([one.weight for one in plan.outcomes], self._draw(case, state, visit, f"outcome/{tried}"))
        version, outcome = case.course.version, plan.outcomes[index]
        seconds = plan.time_of(outcome).at(self._draw(case, state, visit, f"agent/{tried}"))
        is_late = seconds > work.timeout
        end = self.now + round(min(seconds, work.timeout) * SECOND)
        command = _late(attempt.token, work.timeout) if is_late else _finished(attempt.token, outcome)
        times, spent = self.record.agents.get(state, (0, 0))
        self.record.agents[state] = (times + 1, spent + end - self.now)
        key: Key = ("agent", -1 if is_late else index)
        self._at(end, _FINISH, lambda: self._if_still(case, version, f"an outcome of {state!r}", key, command))

    def _expect_signal(self, case: _Case) -> None:
        run = case.course.run
        state = run.state or ""
        plan = self.plan.signals.get(state)
        if plan is None:
            if case.course.due is None:
                self.record.waiting[state] += 1
            return
        visit = run.visit
        index = pick([one.weight for one in plan.outcomes], self._draw(case, state, visit, "signal"))
        outcome, version = plan.outcomes[index], case.course.version
        after = plan.time_of(outcome).at(self._draw(case, state, visit, "signal after"))
        command = Send(name=outcome.signal or "", data=outcome.output)
        key: Key = ("signal", index)
        at = self.now + round(after * SECOND)
        self._at(at, _LATER, lambda: self._if_still(case, version, f"the signal to {state!r}", key, command))

    def _if_still(self, case: _Case, version: int, what: str, key: Key, command: Command) -> None:
        """Apply a command if the run has not moved since it was thought of."""
        if case.course.version == version:
            self._apply(case, what, key, command)

    # Requests

    def _open(self, case: _Case, request: RequestRecord) -> None:
        """Offer a request that is new, or one that has had a vote, to those who may decide it now."""
        known = case.tasks.get(request.id)
        voters = case.voters.get(request.id, ())
        if known is not None and known.request is request and not voters:
            return
        lane = self._lane(request, voters)
        if known is not None:
            known.request, known.lane = request, lane
            if known.person is None:
                self._offer(known)
            return
        run = case.course.run
        visit = run.visits.get(request.state, 0)
        opened_at = self.now if case.number >= 0 or case.course.version > 1 else self._since_start(request.opened_at)
        item = Item(case=case.number, state=request.state, visit=visit, lane=lane.label, opened_at=opened_at)
        self.record.items.append(item)
        due = NEVER if case.course.due is None else case.course.due
        urgency = (_PRIORITIES.get(request.priority, 2), due) if self.plan.is_inbox_order else (0, 0)
        task = _Task(item=item, case=case, request=request, lane=lane, rank=(*urgency, self._next()))
        case.tasks[request.id] = task
        self._be_patient(task)
        self._offer(task)

    def _since_start(self, time: datetime) -> int:
        """The time of something before the simulation."""
        return min(-1, (time - self.plan.start) // timedelta(microseconds=1))

    def _close(self, task: _Task) -> None:
        """Note that a request is settled; who works on it stops, and looks for other work."""
        item = task.item
        task.is_open = False
        item.settled_at = self.now
        item.how = item.how or "void"
        person = task.person
        if person is not None:
            self._let_go(person, is_done=False)
            self._look_for_work(person)

    def _be_patient(self, task: _Task) -> None:
        patience = self.plan.habit(task.item.state).patience
        if patience is None or patience.option not in task.request.options:
            return
        seconds = patience.after.at(self._drawn_of(task, "patience"))
        option, at = patience.option, self.now + round(seconds * SECOND)
        self._at(at, _LATER, lambda: self._lose_patience(task, option))

    def _lose_patience(self, task: _Task, option: str) -> None:
        if not task.is_open:
            return
        initiator = task.case.initiator
        if initiator in self.record.toils:
            self.record.toils[initiator].withdrawn_at.append(self.now)
        self._apply_decision(task, option, initiator, "initiator")

    def _apply_decision(self, task: _Task, option: str, by: str, how: How) -> None:
        request, case = task.request, task.case
        command = Decide(
            request_id=request.id,
            option=option,
            by=by,
            comment=COMMENT if option in request.data.get("comment", ()) else None,
            answers=self._answers_to(task, option),
        )
        task.item.how, task.item.option = how, option
        case.voters[request.id] = (*case.voters.get(request.id, ()), by)
        self._apply(
            case, f"{option!r} of state {request.state!r} by {by!r}", ("decide", request.id, option, by), command
        )
        if task.is_open:  # a vote
            task.item.how, task.item.option = None, None

    def _answers_to(self, task: _Task, option: str) -> Json:
        request = task.request
        given = self.plan.habit(request.state).answers
        if option in given:
            return given[option]
        state = task.case.course.definition.states[request.state]
        if request.kind == "crash" and isinstance(state, AgentState):
            return self._output_of(state) if option == "done" else None
        form = form_of(request.data, option)
        if form is None:
            return None
        return self._sample(form, f"form of state {request.state!r}")

    def _output_of(self, state: AgentState) -> Json:
        """What an agent's crashed attempt made: the first output that it may give, or one from its schema."""
        given = (one.output for one in self.plan.work(state.name).outcomes if one.error is None and not one.is_crash)
        output = next(given, None)
        is_enough = state.output is None or output is not None or meets(state.output, None)
        return output if is_enough else self._sample(state.output, f"output of state {state.name!r}")

    def _sample(self, schema: Json, what: str) -> Json:
        """A value that meets a schema, the same each time."""
        key = canonical(schema)
        if key not in self._answers:
            self._answers[key] = sample(schema, what)
        return self._answers[key]

    def _lane(self, request: RequestRecord, voters: tuple[str, ...]) -> _Lane:
        """Where a request waits."""
        assign = tuple(request.assign) if isinstance(request.assign, list) else json.dumps(request.assign)
        key = (request.state, request.kind, assign, request.exclude, request.options, voters)
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = self._new_lane(request, voters)
            for name in lane.choices if lane.unlimited is None else ():
                self._lanes_of.setdefault(name, []).append(lane)
        return lane

    def _new_lane(self, request: RequestRecord, voters: tuple[str, ...]) -> _Lane:
        choices = self._without_initiators(
            {
                name: choice
                for name, person in self._people.items()
                if name not in voters and (choice := self._choice(request, person)) is not None
            }
        )
        unlimited = (person for name in choices if (person := self._people[name]).group.names is None)
        shifts = tuple(dict.fromkeys(self._people[name].shifts for name in choices))
        return _Lane(label=_label(request), choices=choices, shifts=shifts, unlimited=next(unlimited, None))

    def _without_initiators(self, choices: Mapping[str, _Choice]) -> Mapping[str, _Choice]:
        """The choices without those of unlimited initiators, who leave a request to others who may decide it too."""
        others = {
            name: choice
            for name, choice in choices.items()
            if (group := self._people[name].group).name != INITIATORS or group.names is not None
        }
        return others or choices

    def _choice(self, request: RequestRecord, person: _Person) -> _Choice | None:
        """What a person may choose, as often as their habit says; None where nothing is left."""
        if is_excluded(request.exclude, person.name, self._held):
            return None
        habit = self.plan.habit(request.state)
        weights = habit.options or dict.fromkeys(habit.open_to(request.options), 1.0)
        options = {
            option: weights.get(option, 0.0)
            for option in request.options
            if may_act(request.assign, option, person.name, self._held)
            and (person.group.name != INITIATORS or person.name in assigned(request.assign, option))
        }
        chosen = {option: weight for option, weight in options.items() if weight > 0}
        return _Choice(options=tuple(chosen), weights=tuple(chosen.values())) if chosen else None

    def _held(self, person: str) -> frozenset[str]:
        return self._roles.get(person, frozenset())


def _finished(token: int, outcome: Outcome) -> Command:
    if outcome.is_crash:
        return Crash(token=token, reason=COMMENT)
    if outcome.error is not None:
        return Finish(token=token, outcome=Failure(code=outcome.code, message=outcome.error))
    return Finish(token=token, outcome=Success(output=outcome.output))


def _late(token: int, timeout: float) -> Command:
    message = f"it took longer than {timeout:g} s"
    return Finish(token=token, outcome=Failure(code="agent_timeout", message=message))


def _label(request: RequestRecord) -> str:
    """Whom a request asks, in a word: its roles, `people` where it names them, `anyone` where it names nobody."""
    named = dict.fromkeys(entry for option in request.options for entry in assigned(request.assign, option))
    words = dict.fromkeys(entry.removeprefix(ROLE) if is_role(entry) else "people" for entry in named)
    return ", ".join(words) or "anyone"

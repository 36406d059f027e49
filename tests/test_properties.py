"""Random workflows under random commands, beside a small model that says what must be (I1-I4, I10, I16, I22).

The model knows the rules of spec 3 and nothing of how the engine keeps them: a run is a place, a time and the requests
that it has opened, each with the decision that settled it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

import holdpoint
from holdpoint.testing import Clock
from tests.building import workflow

GATES = ("first", "second", "third")
ENDS = ("accepted", "refused")
PRIORITIES = ("urgent", "high", "normal", "low")
ROLES = {"dora": ["manager"]}
PEOPLE = st.sampled_from(["dora", "eli"])
OPTIONS = st.sampled_from(["approve", "reject", "defer", "timeout", "nonsense"])
COMMENTS = st.sampled_from([None, "so", "otherwise"])
INSTANT = timedelta(microseconds=1)


@dataclass(kw_only=True)
class Opened:
    """A request that the model expects; `decision` is (option, by, comment, kind, at) once it is settled."""

    state: str
    opened_at: datetime
    due_at: datetime | None
    decision: tuple[str | None, str | None, str | None, str, datetime] | None = None


@dataclass(kw_only=True)
class Case:
    """A run that the model expects."""

    id: str
    place: str
    time: datetime
    updated_at: datetime
    status: str = "running"
    opened: list[Opened] = field(default_factory=list)

    @property
    def request(self) -> Opened | None:
        """The request that is open as far as anything was written."""
        return self.opened[-1] if self.status == "waiting" else None


@st.composite
def states(draw: st.DrawFn) -> dict[str, Any]:
    """The states of a workflow: up to three gates and an agent, each of which can lead anywhere, and an end."""
    gates = GATES[: draw(st.integers(1, 3))]
    anywhere = st.sampled_from([*gates, "work", *ENDS])
    found: dict[str, Any] = {name: draw(gates_that_lead(anywhere)) for name in gates}
    after_work = st.sampled_from([*gates, *ENDS])
    on = {"done": draw(after_work)}
    if draw(st.booleans()):
        on["error"] = draw(after_work)
    return {**found, "work": {"type": "agent", "python": "agents:work", "on": on}}


@st.composite
def gates_that_lead(draw: st.DrawFn, anywhere: st.SearchStrategy[str]) -> dict[str, Any]:
    gate: dict[str, Any] = {
        "type": "approval",
        "on": {"approve": draw(st.sampled_from(ENDS)), "reject": draw(anywhere), "defer": draw(anywhere)},
        "priority": draw(st.sampled_from(PRIORITIES)),
        "comment": [draw(st.sampled_from(["approve", "reject"]))],
    }
    if draw(st.booleans()):
        gate["assign"] = ["role:manager"]
    hours = draw(st.sampled_from([None, 1, 7, 24]))
    if hours is None:
        return {**gate, "timeout": "never"}
    gate["timeout"] = f"{hours}h"
    if draw(st.booleans()):
        return {**gate, "default": draw(st.sampled_from(["approve", "reject", "defer"]))}
    gate["on"]["timeout"] = draw(anywhere)
    return gate


class Holdpoint(RuleBasedStateMachine):
    """One engine, one workflow, some runs, and the model of them."""

    @initialize(states=states())
    def begin(self, states: dict[str, Any]) -> None:
        self.clock = Clock()
        self.is_well = True
        self.engine = holdpoint.Engine(
            "sqlite:///:memory:", clock=self.clock, people=ROLES, agents={"agents:work": self._work}
        )
        self.states: Mapping[str, Any] = states
        self.definition = self.engine.loads(workflow(states))
        self.cases: list[Case] = []
        self.keys: dict[str, tuple[int, Case]] = {}
        self.start_run(advance=True, n=0, key=None)

    def teardown(self) -> None:
        if hasattr(self, "engine"):
            self.engine.close()

    def _work(self) -> int:
        if not self.is_well:
            raise ValueError("the agent is not well")
        return 1

    # --- the model ---

    def touch(self, case: Case) -> None:
        self.note(case)
        case.updated_at = case.time

    def note(self, case: Case) -> None:
        """A refusal has a time as every entry, and changes nothing of the run."""
        case.time = max(case.time, self.clock())

    def enter(self, case: Case, place: str, *, is_worker: bool) -> None:
        case.place = place
        if place in ENDS:
            case.status = "done"
        elif place == "work":
            case.status = "running"
            if is_worker:
                self.work(case)
        else:
            timeout = self.states[place]["timeout"]
            due_at = None if timeout == "never" else case.time + timedelta(hours=int(timeout[:-1]))
            case.opened.append(Opened(state=place, opened_at=case.time, due_at=due_at))
            case.status = "waiting"

    def work(self, case: Case) -> None:
        on = self.states["work"]["on"]
        if self.is_well:
            self.enter(case, on["done"], is_worker=True)
        elif "error" in on:
            self.enter(case, on["error"], is_worker=True)
        else:
            case.status = "failed"

    def is_overdue(self, case: Case) -> bool:
        request = case.request
        return request is not None and request.due_at is not None and request.due_at <= self.clock()

    def catch_up(self, case: Case) -> None:
        request = case.request
        if request is None or request.due_at is None or not self.is_overdue(case):
            return
        self.touch(case)
        gate = self.states[request.state]
        option = gate.get("default", "timeout")
        request.decision = (option, None, None, "timer", request.due_at)
        self.enter(case, gate["on"][option], is_worker=False)

    def tick(self) -> None:
        for case in self.cases:
            self.catch_up(case)
        for case in self.cases:
            if case.status == "running":
                self.touch(case)
                self.work(case)

    def refusal_of(self, request: Opened, option: str, by: str, comment: str | None) -> Any:
        """What refuses a decision on an open request, if anything does."""
        gate = self.states[request.state]
        if "assign" in gate and by != "dora":
            return holdpoint.NotAllowed
        if option not in ("approve", "reject", "defer") or (option in gate["comment"] and comment is None):
            return holdpoint.Invalid
        return None

    # --- what happens ---

    @rule(advance=st.booleans(), n=st.integers(0, 1), key=st.sampled_from([None, None, "a", "b"]))
    def start(self, advance: bool, n: int, key: str | None) -> None:
        self.start_run(advance=advance, n=n, key=key)

    def start_run(self, *, advance: bool, n: int, key: str | None) -> None:
        if key in self.keys and self.keys[key][0] != n:
            with pytest.raises(holdpoint.Conflict) as caught:
                self.engine.start(self.definition, {"n": n}, key=key, advance=advance)
            assert caught.value.code == "key_reused"
            return

        run = self.engine.start(self.definition, {"n": n}, key=key, advance=advance)

        if key in self.keys:
            assert run.id == self.keys[key][1].id
            return
        case = Case(id=run.id, place="", time=self.clock(), updated_at=self.clock())
        self.enter(case, GATES[0], is_worker=advance)
        self.cases.append(case)
        if key is not None:
            self.keys[key] = (n, case)

    @precondition(lambda self: any(case.opened for case in self.cases))
    @rule(data=st.data(), option=OPTIONS, by=PEOPLE, comment=COMMENTS, advance=st.booleans())
    def decide_a_request(self, data: st.DataObject, option: str, by: str, comment: str | None, advance: bool) -> None:
        case = data.draw(st.sampled_from([case for case in self.cases if case.opened]), label="case")
        index = data.draw(st.integers(0, len(case.opened) - 1), label="request")
        ids = [entry.data["request"] for entry in self.engine.history(case.id) if entry.kind == "request.opened"]
        self.decide(case, case.opened[index], ids[index], option, by, comment, advance)

    @precondition(lambda self: any(case.opened for case in self.cases))
    @rule(data=st.data(), advance=st.booleans())
    def decide_again(self, data: st.DataObject, advance: bool) -> None:
        """The very decision that was taken, or the default that was applied, once more."""
        case = data.draw(st.sampled_from([case for case in self.cases if case.opened]), label="case")
        request = case.opened[-1]
        option, by, comment, *_ = request.decision or ("approve", None, None)
        self.decide(case, request, case.id, option or "approve", by or "dora", comment, advance)

    @precondition(lambda self: any(case.opened for case in self.cases))
    @rule(data=st.data(), option=OPTIONS, by=PEOPLE, comment=COMMENTS, advance=st.booleans())
    def decide_a_run(self, data: st.DataObject, option: str, by: str, comment: str | None, advance: bool) -> None:
        case = data.draw(st.sampled_from([case for case in self.cases if case.opened]), label="case")
        self.decide(case, case.opened[-1], case.id, option, by, comment, advance)

    def decide(
        self, case: Case, request: Opened, target: str, option: str, by: str, comment: str | None, advance: bool
    ) -> None:
        wish: dict[str, Any] = {"option": option, "by": by, "comment": comment, "advance": advance}
        if request.decision is not None and request.decision[:4] == (option, by, comment, "human"):
            assert self.engine.decide(target, **wish).replayed
            return
        self.catch_up(case)
        if request.decision is not None:
            with pytest.raises(holdpoint.Conflict):
                self.engine.decide(target, **wish)
            self.note(case)
            return
        refusal = self.refusal_of(request, option, by, comment)
        if refusal is not None:
            with pytest.raises(holdpoint.HoldpointError) as caught:
                self.engine.decide(target, **wish)
            assert type(caught.value) is refusal
            if refusal is holdpoint.NotAllowed:
                self.note(case)
            return

        run = self.engine.decide(target, **wish)

        assert run.replayed is False
        self.touch(case)
        request.decision = (option, by, comment, "human", case.time)
        self.enter(case, self.states[request.state]["on"][option], is_worker=advance)

    @rule(limit=st.sampled_from([None, 1000]))
    def pass_once(self, limit: int | None) -> None:
        due = sum(self.is_overdue(case) for case in self.cases)

        counts = self.engine.tick(limit=limit)

        self.tick()
        assert (counts["defaults"], counts["errors"]) == (due, 0)
        next_due = self.engine.next_due()
        assert next_due is None or next_due > self.clock()

    @rule(hours=st.integers(-30, 30))
    def move_the_clock(self, hours: int) -> None:
        self.clock.set(self.clock() + timedelta(hours=hours))

    @precondition(lambda self: any(case.request and case.request.due_at for case in self.cases))
    @rule(data=st.data(), off=st.sampled_from([-INSTANT, timedelta(0), INSTANT]))
    def move_the_clock_to_a_due_time(self, data: st.DataObject, off: timedelta) -> None:
        due = [case.request.due_at for case in self.cases if case.request and case.request.due_at]
        self.clock.set(data.draw(st.sampled_from(due)) + off)

    @rule(hours=st.integers(1, 40))
    def let_time_pass(self, hours: int) -> None:
        start = self.clock()
        self.clock.advance(self.engine, f"{hours}h")
        end = self.clock()

        assert end == start + timedelta(hours=hours)
        self.clock.set(start)
        while True:
            due = [case.request.due_at for case in self.cases if case.request and case.request.due_at]
            is_last = not due or min(due) > end
            self.clock.set(end if is_last else max(self.clock(), min(due)))
            self.tick()
            if is_last:
                return

    @rule()
    def change_the_agent(self) -> None:
        self.is_well = not self.is_well

    @precondition(lambda self: self.cases)
    @rule(data=st.data())
    def advance_a_run(self, data: st.DataObject) -> None:
        case = data.draw(st.sampled_from(self.cases), label="case")

        self.engine.advance(case.id)

        self.catch_up(case)
        if case.status == "running":
            self.touch(case)
            self.work(case)

    @precondition(lambda self: any(case.status == "failed" for case in self.cases))
    @rule(data=st.data())
    def retry(self, data: st.DataObject) -> None:
        case = data.draw(st.sampled_from([case for case in self.cases if case.status == "failed"]), label="case")

        self.engine.retry(case.id)

        self.touch(case)
        self.work(case)

    @precondition(lambda self: self.cases)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        case = data.draw(st.sampled_from(self.cases), label="case")
        self.catch_up(case)
        if case.status in ("done", "cancelled"):
            with pytest.raises(holdpoint.Conflict):
                self.engine.cancel(case.id)
            return

        self.engine.cancel(case.id)

        self.touch(case)
        if case.request is not None:
            case.request.decision = (None, None, None, "void", case.time)
        case.status = "cancelled"

    # --- what must hold after each of these ---

    @invariant()
    def history_and_state_agree(self) -> None:
        assert [str(flaw) for flaw in self.engine.verify()] == []

    @invariant()
    def every_run_is_where_the_model_has_it(self) -> None:
        for case in self.cases:
            run, is_overdue = self.engine.get_run(case.id), self.is_overdue(case)
            status = "running" if is_overdue else case.status
            assert (run.status, run.state, run.updated_at) == (status, case.place, case.updated_at)
            request = None if is_overdue else case.request
            expected = [(request.state, request.opened_at, request.due_at)] if request else []
            assert [(one.state, one.opened_at, one.due_at) for one in run.requests] == expected
            assert run.status != "running" or is_overdue or run.state == "work", "a run that nothing holds is stuck"

    @invariant()
    def every_request_is_settled_as_the_model_has_it(self) -> None:
        for case in self.cases:
            ids = [entry.data["request"] for entry in self.engine.history(case.id) if entry.kind == "request.opened"]
            assert len(ids) == len(case.opened)
            for request_id, opened in zip(ids, case.opened, strict=True):
                self.check_request(case, request_id, opened)

    def check_request(self, case: Case, request_id: str, opened: Opened) -> None:
        request = self.engine.get_request(request_id)
        decision = opened.decision
        if decision is None and self.is_overdue(case) and opened.due_at is not None:
            option = self.states[opened.state].get("default", "timeout")
            decision = (option, None, None, "timer", opened.due_at)
        if decision is None or decision[3] == "void":
            assert (request.status, request.decision) == ("open" if decision is None else "void", None)
            return
        assert request.status == "decided"
        assert request.decision is not None
        found = [request.decision[name] for name in ("decision", "by", "comment", "by_kind")]
        assert (*found, datetime.fromisoformat(request.decision["at"])) == decision

    @invariant()
    def the_inbox_has_all_that_is_open_the_most_urgent_first(self) -> None:
        now = self.clock()
        expected = Counter(case.id for case in self.cases if case.request and not self.is_overdue(case))

        items = self.engine.inbox(limit=1000).items

        assert Counter(item.run for item in items) == expected
        order = [(PRIORITIES.index(item.priority), item.due_at is None, item.due_at or now) for item in items]
        assert order == sorted(order)
        mine = {item.run for item in self.engine.inbox(mine="eli", limit=1000).items}
        assert mine == {item.run for item in items if not item.assign}

    @invariant()
    def no_run_is_lost_or_counted_twice(self) -> None:
        statuses = ("running", "waiting", "failed", "done", "cancelled")
        listed = [item.id for status in statuses for item in self.engine.runs(status=status, limit=1000).items]

        assert sorted(listed) == sorted(case.id for case in self.cases)


TestHoldpoint = Holdpoint.TestCase
TestHoldpoint.settings = settings(max_examples=25, stateful_step_count=25)

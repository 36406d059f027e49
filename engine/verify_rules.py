"""Checks of `verify` on what the history says: every entry was allowed where it stands, by the pinned definition.

They say again, independently of `decide`, what may follow what. A chain that was forged with all its hashes still
has to tell a story that the workflow allows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from functools import lru_cache
from types import MappingProxyType
from typing import TypeAlias

from holdpoint.engine.canonical import Json, canonical, digest
from holdpoint.engine.decide import form_of
from holdpoint.engine.definition import (
    CRASH_OPTIONS,
    DEFAULT_PRIORITY,
    TIMEOUT,
    AgentState,
    AnyState,
    Ask,
    Assignment,
    Definition,
    EndState,
    HumanState,
    WaitState,
)
from holdpoint.engine.durations import Duration
from holdpoint.engine.expressions import parse_value
from holdpoint.engine.gates import excluded
from holdpoint.engine.ids import request_id
from holdpoint.engine.model import (
    MAX_CRASHES,
    MAX_SIGNALS,
    MAX_TRANSITIONS,
    MOVED,
    NOTING,
    ON_CANCEL,
    SETTLING,
    Entry,
    RunRecord,
)
from holdpoint.engine.people import ROLE, assigned, may_act
from holdpoint.engine.proceed import retry_delay
from holdpoint.engine.times import format_time, parse_time
from holdpoint.engine.verify_replay import Moment, Problem, Replay, guarded

_Rule: TypeAlias = Callable[[Moment, Definition], Iterator[Problem]]

_WHILE_FAILED = NOTING | {
    "operator.retried", "operator.cancelled", "operator.moved", "request.voided", "run.cancelled", "signal.received",
}  # fmt: skip
# A calendar changes with its zone's rules: a due time that was right when it was set must not turn wrong with them.
_VOIDING = frozenset({"request.voided", "run.cancelled", "operator.cancelled", "operator.moved"})
_NO_ANSWERS = digest(canonical(None))
_CALENDAR_SLACK = timedelta(days=1)


def check_moves(replay: Replay) -> Iterator[Problem]:
    """I1, I2, I5, I8, I9, I14, I19: each entry may stand where it stands."""
    definition = replay.definition
    if definition is None:
        return
    for moment in replay.moments:
        for rule in (_at_rest, *_RULES.get(moment.entry.kind, ())):
            for code, message in guarded("it", rule(moment, definition)):
                yield code, f"entry {moment.entry.seq} ({moment.entry.kind}): {message}"


def check_settlements(replay: Replay) -> Iterator[Problem]:
    """I4: a request is settled once, and only one that was opened."""
    opened = {entry.data["request"] for entry in replay.entries if entry.kind == "request.opened"}
    settled = Counter(entry.data["request"] for entry in replay.entries if entry.kind in SETTLING)
    for request, count in settled.items():
        if request not in opened:
            yield "settled", f"request {request} was settled and never opened"
        elif count > 1:
            yield "settled", f"request {request} was settled {count} times"


def check_late_agents(replay: Replay) -> Iterator[Problem]:
    """I13: what came too late is of an attempt that was no longer under way."""
    started = {entry.seq for entry in replay.entries if entry.kind == "agent.started"}
    for moment in replay.moments:
        if moment.entry.kind == "agent.late":
            token, attempt = moment.entry.data["token"], moment.before.attempt
            if token not in started or token > moment.entry.seq or (attempt is not None and attempt.token == token):
                yield "attempt", f"entry {moment.entry.seq} (agent.late): attempt {token} was not late"


def check_standing(replay: Replay) -> Iterator[Problem]:
    """I1, I2, I16: the run stands in a state that exists, and waits for somebody, works, rests or has ended."""
    run, definition = replay.final, replay.definition
    if run is None or definition is None:
        return
    state = definition.states.get(run.state) if run.state is not None else None
    if run.state is not None and state is None:
        yield "state", f"the run is in {run.state!r}, which its definition does not have"
    if run.phase == "asking":
        if len(run.requests) != 1:
            yield "requests", f"the run waits with {len(run.requests)} open requests"
    elif run.requests:
        yield "requests", f"the run is {run.phase} and has {len(run.requests)} open requests"
    if run.phase == "waiting" and not isinstance(state, WaitState):
        yield "stuck", f"the run waits in {run.state!r}, which waits for nothing"
    if run.failure is not None and run.deadlines:
        yield "stuck", "the run rests as failed, and has something that falls due"
    if run.phase == "delayed" and run.alarm is None:
        yield "stuck", f"the next attempt in {run.state!r} has no time"
    if run.status == "running" and not _is_held(run, state):
        yield "stuck", f"the run is {run.phase} in {run.state!r}, where nothing holds it and nothing failed"


def _is_held(run: RunRecord, state: AnyState | None) -> bool:
    """Whether there is a reason that a run which is to move has not: an agent works, or is still to begin."""
    is_agent = isinstance(state, AgentState) and state.value is None
    return run.phase == "working" or (run.phase in ("entered", "crashed") and is_agent)


def _at_rest(moment: Moment, definition: Definition) -> Iterator[Problem]:
    run, kind = moment.before, moment.entry.kind
    if run.phase == "ended":
        if kind not in NOTING:
            yield "ended", "the run had ended"
    elif run.failure is not None and kind not in _WHILE_FAILED:
        yield "failed", "the run had failed"


def _transition(moment: Moment, definition: Definition) -> Iterator[Problem]:
    run, following = moment.before, moment.following
    source, option, to = (moment.entry.data[name] for name in ("from", "option", "to"))
    if source != run.state:
        yield "edge", f"it leaves {source!r}, and the run was in {run.state!r}"
    if run.phase != "leaving" or run.leaving is None or run.leaving.option != option:
        yield "edge", f"nothing that happened in {run.state!r} leads to option {option!r}"
    if (source, option, to) not in _edges(definition) and not _is_steered(moment, definition):
        yield "edge", f"the definition has no edge from {source!r} by {option!r} to {to!r}"
    if following is None or following.kind != "state.entered" or following.data["state"] != to:
        yield "edge", f"{to!r} is not entered after it"
    if moment.after.transitions > MAX_TRANSITIONS:
        yield "limit", f"it is the transition number {moment.after.transitions}; {MAX_TRANSITIONS} are allowed"


def _is_steered(moment: Moment, definition: Definition) -> bool:
    """Whether an operator took the run out of its state, where it is then taken."""
    option, to = moment.entry.data["option"], moment.entry.data["to"]
    if option == ON_CANCEL:
        return moment.before.is_cancelling and to in {target.to for target in definition.on_cancel}
    return bool(option == MOVED and moment.previous.kind == "operator.moved" and moment.previous.data["to"] == to)


def _entered(moment: Moment, definition: Definition) -> Iterator[Problem]:
    run, data = moment.before, moment.entry.data
    state = data["state"]
    if state not in definition.states:
        yield "state", f"the definition has no state {state!r}"
    is_moved = moment.previous.kind == "operator.moved" and run.state is None and moment.previous.data["to"] == state
    if moment.previous.kind != "transition" and not is_moved:
        if run.phase != "starting":
            yield "edge", f"{state!r} is entered without a transition"
        elif state not in {target.to for target in definition.initial}:
            yield "edge", f"{state!r} is not where a run begins"
    if data["visit"] != run.visits.get(state, 0) + 1:
        yield "visit", f"visit {data['visit']} of {state!r} follows visit {run.visits.get(state, 0)}"


def _agent_started(moment: Moment, definition: Definition) -> Iterator[Problem]:
    run, data = moment.before, moment.entry.data
    state = _agent(run, definition)
    is_again = run.phase == "crashed" and state is not None and state.after_crash == "retry"
    is_time = (
        run.phase == "entered"
        or is_again
        or (run.phase == "delayed" and run.alarm is not None and run.alarm.due_at <= moment.entry.at)
    )
    if not is_time or state is None or state.value is not None or data["state"] != state.name:
        yield "attempt", f"no attempt of {data['state']!r} could begin: the run was {run.phase} in {run.state!r}"
    if data["attempt"] != run.attempts + 1:
        yield "attempt", f"attempt {data['attempt']} follows attempt {run.attempts}"


def _agent_ended(moment: Moment, definition: Definition) -> Iterator[Problem]:
    run, entry = moment.before, moment.entry
    state = _agent(run, definition)
    if state is None or entry.data["state"] != state.name:
        yield "attempt", f"no agent of {entry.data['state']!r} was at work: the run was in {run.state!r}"
        return
    decision = _crash_decision(moment)
    is_due = (
        run.phase == "working"
        or (run.phase == "entered" and state.value is not None)
        or (entry.kind == "agent.failed" and run.phase == "crashed" and state.after_crash == "fail")
        or decision == "done"
        or (entry.kind == "agent.failed" and decision == "fail")
    )
    if not is_due:
        yield "attempt", f"no attempt was under way: the run was {run.phase} in {run.state!r}"
    by_person = entry.kind == "agent.succeeded" and decision == "done" and moment.previous.actor is not None
    actor = (moment.previous.actor, "human") if by_person else (state.name, "agent")
    if (entry.actor, entry.actor_kind) != actor:
        yield "actor", f"it is of {entry.actor_kind} {entry.actor!r}, not of {actor[1]} {actor[0]!r}"


def _agent_failed(moment: Moment, definition: Definition) -> Iterator[Problem]:
    run, data, following = moment.before, moment.entry.data, moment.following
    if data["attempt"] != run.attempts:
        yield "attempt", f"it is of attempt {data['attempt']}, and {run.attempts} was the last"
    state = definition.states[data["state"]]
    retry_at = _retry_at(moment, state)
    if data.get("retry_at") != retry_at:
        yield (
            "attempt",
            f"the next attempt is due at {data.get('retry_at')}, and {retry_at} is what the definition says",
        )
    has_edge = retry_at is None and "error" in state.on and not data.get("uncounted")
    if bool(data.get("edge")) != has_edge:
        yield "edge", f"{data['state']!r} is {'not ' * (not has_edge)}left by its error edge"
    elif not has_edge and retry_at is None and (following is None or following.kind != "run.failed"):
        yield "failed", "the run did not fail with it"


def _retry_at(moment: Moment, state: AnyState) -> str | None:
    """When the definition makes the next attempt after a failed one; None where there is none."""
    run, data = moment.before, moment.entry.data
    is_last = data.get("uncounted") or run.phase == "crashed" or _crash_decision(moment) == "fail"
    if is_last or not isinstance(state, AgentState):
        return None
    delay = retry_delay(state, run, data["code"])
    return None if delay is None else format_time(moment.entry.at + delay)


def _agent_crashed(moment: Moment, definition: Definition) -> Iterator[Problem]:
    run, data, following = moment.before, moment.entry.data, moment.following
    attempt = run.attempt
    if attempt is None or (attempt.token, attempt.number) != (data["token"], data["attempt"]):
        yield "attempt", f"attempt {data['attempt']} was not under way"
    if moment.after.crashes > MAX_CRASHES:
        yield "limit", f"it is the crash number {moment.after.crashes} of the visit; {MAX_CRASHES} are allowed"
    elif moment.after.crashes == MAX_CRASHES and (following is None or following.kind != "run.failed"):
        yield "limit", f"{MAX_CRASHES} crashes in one visit fail a run, and it did not"
    elif moment.after.crashes < MAX_CRASHES:
        state = _agent(run, definition)
        then = {"ask": "request.opened", "fail": "agent.failed"}.get(state.after_crash if state else "")
        # A question that could not be put leaves the run failed, and an operator's retry puts it again.
        if then is not None and (following is None or following.kind not in (then, "run.failed")):
            yield "attempt", f"it is not followed by {then}, as the definition says"


def _opened(moment: Moment, definition: Definition) -> Iterator[Problem]:
    run, entry = moment.before, moment.entry
    if run.requests:
        yield "requests", "another request was open"
    if entry.data["request"] != request_id(run.id, entry.seq):
        yield "requests", f"{entry.data['request']} is not the id that follows from its place"
    rule = _crash_opened if entry.data["kind"] == "crash" else _gate_opened
    yield from rule(moment, definition)


def _crash_opened(moment: Moment, definition: Definition) -> Iterator[Problem]:
    run, data = moment.before, moment.entry.data
    state = _agent(run, definition)
    if run.phase != "crashed" or state is None or state.after_crash != "ask":
        yield "requests", f"no attempt crashed in {run.state!r} that is to be asked about"
        return
    yield from _opened_as_defined(moment, definition, state.ask, list(CRASH_OPTIONS))
    if data.get("default", {}) != (state.ask.default or {}):
        yield "requests", "its default is not the one of the definition"


def _gate_opened(moment: Moment, definition: Definition) -> Iterator[Problem]:
    run, entry = moment.before, moment.entry
    gate = definition.states.get(run.state or "")
    if run.phase != "entered" or not isinstance(gate, HumanState) or entry.data["kind"] != gate.type:
        yield "requests", f"the run was {run.phase} in {run.state!r}, which opens no such request"
        return
    options = gate.offered(run.returns.get(gate.name, 0))
    yield from _opened_as_defined(moment, definition, gate, options)
    if entry.data.get("comment", []) != [one for one in options if one in gate.comment or one == "revise"]:
        yield "requests", "it needs comments for other options than the definition"
    # The answers of its default were completed by a form that was rendered then.
    if entry.data.get("default", {}).get("decision") != (gate.default or {}).get("decision"):
        yield "requests", "its default is not the one of the definition"
    yield from _shown(entry, run)


def _opened_as_defined(
    moment: Moment, definition: Definition, asked: HumanState | Ask, options: list[str]
) -> Iterator[Problem]:
    """What a gate and the question after a crash have in common: options, people, priority, deadline."""
    run, entry = moment.before, moment.entry
    if entry.data["options"] != options:
        yield "requests", f"it offers {entry.data['options']}, the definition {options}"
    if entry.data.get("priority", DEFAULT_PRIORITY) != asked.priority:
        yield "requests", "its priority is not the one of the definition"
    if entry.data.get("exclude", []) != excluded(asked.exclude, run):
        yield "requests", "it excludes others than the definition"
    if not _is_assigned_as_defined(entry.data.get("assign", []), asked.assign, run):
        yield "requests", "its people are not those of the definition"
    yield from _due_as_defined(moment, definition, asked.timeout, "it opened")


def _due_as_defined(moment: Moment, definition: Definition, timeout: Duration | None, since: str) -> Iterator[Problem]:
    entry = moment.entry
    due_at = parse_time(entry.data["due_at"]) if "due_at" in entry.data else None
    if timeout is None or due_at is None:
        if (timeout is None) != (due_at is None):
            yield "deadline", "it has a deadline where the definition has none, or none where it has one"
        return
    distance = abs(due_at - timeout.after(entry.at, definition.zone))
    if distance > (_CALENDAR_SLACK if timeout.days else timedelta(0)):
        yield "deadline", f"it is due at {entry.data['due_at']}, not {timeout} after {since}"


def _is_assigned_as_defined(assign: Json, defined: Assignment, run: RunRecord) -> bool:
    """Whether these can be the rendered people; what a template gave then is not known."""
    if isinstance(defined, Mapping):
        return (
            isinstance(assign, dict)
            and assign.keys() == defined.keys()
            and all(_are_people(assign[option], people, run) for option, people in defined.items())
        )
    return _are_people(assign, defined, run)


def _are_people(assign: Json, people: tuple[str, ...], run: RunRecord) -> bool:
    return (
        isinstance(assign, list)
        and len(assign) == len(people)
        and all(
            not parse_value(text).is_constant or one == (run.initiator if text == "initiator" else text)
            for one, text in zip(assign, people, strict=True)
        )
    )


def _shown(entry: Entry, run: RunRecord) -> Iterator[Problem]:
    for item in entry.data["show"]:
        if "value" in item:
            continue
        latest = run.artifacts.get(item["name"])
        there = (latest.revision, latest.sha256) if latest is not None else (None, None)
        if (item["revision"], item["sha256"]) != there:
            yield "shown", f"it shows revision {item['revision']} of {item['name']!r}, and {there[0]} was the latest"


def _decided(moment: Moment, definition: Definition) -> Iterator[Problem]:
    run, entry, data = moment.before, moment.entry, moment.entry.data
    request = run.requests[data["request"]]
    option = data["decision"]
    if request.due_at is not None and entry.at >= request.due_at:
        yield "decided", f"it was decided at {entry.at}, and the deadline was {request.due_at}"
    if option not in request.options:
        yield "decided", f"option {option!r} was not offered"
    if entry.actor in request.exclude:
        yield "decided", f"{entry.actor!r} was excluded"
    if not _might_act(request.assign, option, entry.actor or ""):
        yield "decided", f"{entry.actor!r} was not assigned"
    if option in request.data.get("comment", ()) and not str(data.get("comment", "")).strip():
        yield "decided", f"option {option!r} needs a comment"
    if "answers" in data and request.kind != "crash" and form_of(request.data, option) is None:
        yield "decided", "it has answers to a form that was not there"
    if option == "revise" and request.kind == "return":
        gate = definition.states[request.state]
        if isinstance(gate, HumanState) and run.returns.get(gate.name, 0) >= gate.max_returns:
            yield "returns", f"{gate.max_returns} returns had been made, and no more are allowed"
    if request.kind == "crash":
        yield from _crash_settled(moment)
    else:
        yield from _stood_on(moment)


def _expired(moment: Moment, definition: Definition) -> Iterator[Problem]:
    run, entry, data = moment.before, moment.entry, moment.entry.data
    request = run.requests[data["request"]]
    if request.due_at is None or entry.at < request.due_at:
        yield "expired", f"its deadline, {request.due_at or 'none'}, had not come"
    elif data["at"] != format_time(request.due_at):
        yield "expired", f"it is dated {data['at']}, and the deadline was {request.due_at}"
    gate = definition.states[request.state]
    asked = gate.ask if isinstance(gate, AgentState) else gate
    default = asked.default if isinstance(asked, HumanState | Ask) else None
    expected = default["decision"] if default is not None else TIMEOUT
    if data["decision"] != expected:
        yield "expired", f"{data['decision']!r} was applied, and {expected!r} is what the definition says"
    answers = request.silence.get("answers")
    if data.get("answers") != (None if answers is None else digest(canonical(answers))):
        yield "expired", "its answers are not those of the default"
    yield from _crash_settled(moment) if request.kind == "crash" else _stood_on(moment)


def _stood_on(moment: Moment) -> Iterator[Problem]:
    """I19: a decision is on the latest revisions, which are those shown or the person's own edit of one."""
    run, entry = moment.before, moment.entry
    request = run.requests[entry.data["request"]]
    shown = {item["name"]: item["revision"] for item in request.data["show"] if item.get("revision") is not None}
    latest = {name: run.artifacts[name] for name in shown}
    expected = {name: {"revision": one.revision, "sha256": one.sha256} for name, one in latest.items()}
    if entry.data.get("artifacts", {}) != expected:
        yield "shown", "the revisions that it stands on are not the latest"
    for name, revision in shown.items():
        own = int(moment.previous.kind == "artifact.revised" and moment.previous.data["name"] == name)
        if latest[name].revision != revision + own:
            yield "shown", f"revision {latest[name].revision} of {name!r} was the latest, and {revision} was shown"


def _crash_settled(moment: Moment) -> Iterator[Problem]:
    """What was decided of a crashed attempt follows at once, but for a retry, which is made when somebody works."""
    data, following = moment.entry.data, moment.following
    wanted = {"done": ("agent.succeeded", "agent.failed"), "fail": ("agent.failed",)}
    then = wanted.get(data["decision"])
    if then is None:
        return
    if following is None or following.kind not in then:
        yield "attempt", f"it is not followed by {' or '.join(then)}"
    elif following.kind == "agent.succeeded" and following.data["output"] != data.get("answers", _NO_ANSWERS):
        yield "attempt", "its answers are not the output that follows"


def _voided(moment: Moment, definition: Definition) -> Iterator[Problem]:
    if moment.entry.data["request"] not in moment.before.requests:
        yield "settled", "the request was not open"
    if moment.following is None or moment.following.kind not in _VOIDING:
        yield "requests", "the run was neither cancelled nor moved with it"


def _wait_started(moment: Moment, definition: Definition) -> Iterator[Problem]:
    run, entry = moment.before, moment.entry
    state = definition.states.get(run.state or "")
    if run.phase != "entered" or not isinstance(state, WaitState):
        yield "wait", f"the run was {run.phase} in {run.state!r}, where no wait begins"
        return
    duration = state.timeout if state.takes else state.duration
    if state.until is None:
        yield from _due_as_defined(moment, definition, duration, "it began")
    elif "due_at" not in entry.data:
        yield "deadline", "it has no deadline where the definition has one"


def _wait_ended(moment: Moment, definition: Definition) -> Iterator[Problem]:
    run, entry, data = moment.before, moment.entry, moment.entry.data
    state = definition.states.get(run.state or "")
    if run.phase not in ("entered", "waiting") or not isinstance(state, WaitState):
        yield "wait", f"the run was {run.phase} in {run.state!r}, where no wait ends"
        return
    if "signal" in data:
        yield from _signal_taken(moment, state)
        return
    option = TIMEOUT if state.takes else "done"
    if data["option"] != option or "output" in data:
        yield "wait", f"a wait that ends by its time is left by {option!r}, with nothing"
    is_past = run.phase == "entered" and state.until is not None
    if not is_past and (run.alarm is None or run.alarm.due_at > entry.at):
        yield "wait", "its time had not come"


def _signal_taken(moment: Moment, state: WaitState) -> Iterator[Problem]:
    data = moment.entry.data
    first = next((signal for signal in moment.before.signals if signal.name in state.takes), None)
    if first is None or first.seq != data["signal"]:
        yield "wait", f"entry {data['signal']} is not the oldest signal that it takes"
        return
    received = moment.history[first.seq - 1].data
    if (data["option"], data.get("output")) != (state.takes[first.name], received["output"]):
        yield "wait", f"it does not say what signal {first.name!r} brought"


def _signal_received(moment: Moment, definition: Definition) -> Iterator[Problem]:
    waits = [state for state in definition.states.values() if isinstance(state, WaitState)]
    if not any(moment.entry.data["name"] in state.takes for state in waits):
        yield "wait", f"no state waits for signal {moment.entry.data['name']!r}"
    is_taken = moment.following is not None and moment.following.kind == "wait.ended"
    if len(moment.after.signals) > MAX_SIGNALS + is_taken:
        yield "limit", f"{len(moment.after.signals)} signals are kept; {MAX_SIGNALS} are allowed"


def _request_changed(moment: Moment, definition: Definition) -> Iterator[Problem]:
    request = moment.before.requests.get(moment.entry.data["request"])
    if request is None:
        yield "requests", "the request was not open"
    elif request.due_at is not None and request.due_at <= moment.entry.at:
        yield "requests", "the request's deadline had come"


def _operator_moved(moment: Moment, definition: Definition) -> Iterator[Problem]:
    if moment.before.state is not None and (moment.following is None or moment.following.kind != "transition"):
        yield "edge", f"the run was not taken to {moment.entry.data['to']!r} with it"


def _operator_cancelled(moment: Moment, definition: Definition) -> Iterator[Problem]:
    if moment.before.is_cancelling or not definition.on_cancel:
        yield "edge", "there was nothing to clean up, or it had begun before"


def _revised(moment: Moment, definition: Definition) -> Iterator[Problem]:
    run, entry, data = moment.before, moment.entry, moment.entry.data
    latest = run.artifacts.get(data["name"])
    last = latest.revision if latest is not None else None
    if data["revision"] != (last or 0) + 1 or data.get("parent") != last:
        yield "revision", f"revision {data['revision']} of {data.get('parent')} follows revision {last}"
    rule = _revised_by_agent if entry.actor_kind == "agent" else _revised_by_person
    yield from rule(moment, definition)


def _revised_by_agent(moment: Moment, definition: Definition) -> Iterator[Problem]:
    run, entry, data = moment.before, moment.entry, moment.entry.data
    state, leaving = _agent(run, definition), run.leaving
    if state is None or leaving is None or leaving.option != "done" or data["name"] not in state.artifacts:
        yield "revision", f"no agent made {data['name']!r}: the run was {run.phase} in {run.state!r}"
        return
    if not entry.actor == data["state"] == state.name:
        yield "revision", f"it is of {entry.actor!r}, and {state.name!r} made it"
    output = moment.history[int(leaving.result or 0) - 1].data.get("output")
    if isinstance(state.artifact, str) and data["sha256"] != output:
        yield "revision", f"it is not the output of {state.name!r}"


def _revised_by_person(moment: Moment, definition: Definition) -> Iterator[Problem]:
    run, entry, data, following = moment.before, moment.entry, moment.entry.data, moment.following
    gate = definition.states.get(run.state or "")
    under_review = gate.under_review if isinstance(gate, HumanState) else None
    if run.phase != "asking" or data["name"] != under_review:
        yield "revision", f"{data['name']!r} was not under review"
        return
    if following is None or following.kind != "request.decided" or following.actor != entry.actor:
        yield "revision", f"no decision of {entry.actor!r} follows it"
    elif following.data["decision"] not in ("accept", "revise") or "edit" not in following.data:
        yield "revision", "the decision that follows carries no edit"
    if data["state"] != run.artifacts[data["name"]].state:
        yield "revision", f"{data['state']!r} did not make the revision before"


def _failed(moment: Moment, definition: Definition) -> Iterator[Problem]:
    run, data = moment.before, moment.entry.data
    if data.get("state") != run.state:
        yield "state", f"it failed in {data.get('state')!r}, and the run was in {run.state!r}"


def _retried(moment: Moment, definition: Definition) -> Iterator[Problem]:
    if moment.before.status != "failed":
        yield "failed", f"the run was {moment.before.status}, not failed"


def _run_ended(moment: Moment, definition: Definition) -> Iterator[Problem]:
    run, data = moment.before, moment.entry.data
    end = definition.states.get(run.state or "")
    if run.phase != "entered" or not isinstance(end, EndState):
        yield "ended", f"it ended in {run.state!r}, {run.phase}: that is no end"
    elif data["outcome"] != end.outcome:
        yield "ended", f"its outcome is {data['outcome']!r}, the definition says {end.outcome!r}"


def _cancelled(moment: Moment, definition: Definition) -> Iterator[Problem]:
    run = moment.before
    if run.requests:
        yield "requests", "a request was still open"
    if definition.on_cancel and run.state is not None and not run.is_cancelling:
        yield "edge", "the run was not cleaned up first, as the definition says"


def _agent(run: RunRecord, definition: Definition) -> AgentState | None:
    state = definition.states.get(run.state or "")
    return state if isinstance(state, AgentState) else None


def _crash_decision(moment: Moment) -> str | None:
    """What a person has just decided of a crashed attempt, if that is what came before."""
    previous = moment.previous
    if previous.kind not in ("request.decided", "request.expired") or moment.before.leaving is not None:
        return None
    decision: str = previous.data["decision"]
    return decision


def _might_act(assign: Json, option: str, person: str) -> bool:
    """Whether the person could have been allowed: who held which role then is not in the history."""
    roles = frozenset(entry[len(ROLE) :] for entry in assigned(assign, option) if entry.startswith(ROLE))
    return may_act(assign, option, person, lambda _: roles)


@lru_cache(maxsize=64)
def _edges(definition: Definition) -> frozenset[tuple[str, str, str]]:
    return frozenset((source, option, target.to) for source, option, target in definition.edges())


_RULES: Mapping[str, tuple[_Rule, ...]] = MappingProxyType(
    {
        "transition": (_transition,),
        "state.entered": (_entered,),
        "agent.started": (_agent_started,),
        "agent.succeeded": (_agent_ended,),
        "agent.failed": (_agent_ended, _agent_failed),
        "agent.crashed": (_agent_crashed,),
        "request.opened": (_opened,),
        "request.decided": (_decided,),
        "request.expired": (_expired,),
        "request.voided": (_voided,),
        "request.assigned": (_request_changed,),
        "request.claimed": (_request_changed,),
        "operator.extended": (_request_changed,),
        "operator.moved": (_operator_moved,),
        "operator.cancelled": (_operator_cancelled,),
        "wait.started": (_wait_started,),
        "wait.ended": (_wait_ended,),
        "signal.received": (_signal_received,),
        "artifact.revised": (_revised,),
        "run.failed": (_failed,),
        "run.ended": (_run_ended,),
        "run.cancelled": (_cancelled,),
        "operator.retried": (_retried,),
    }
)

"""What a run does by itself: choose a target, enter a state, begin an attempt or a wait, end.

`proceed` goes on until the run waits for somebody, works, rests as failed, or has ended. An expression that fails on
the way leaves the run `failed` in its state with everything kept that was there before (spec 2, Values).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from types import MappingProxyType

from holdpoint.engine import jsonschemas
from holdpoint.engine.agents import Context, Work
from holdpoint.engine.canonical import Json, as_text
from holdpoint.engine.definition import AgentState, EndState, HumanState, Targets, WaitState
from holdpoint.engine.draft import Draft
from holdpoint.engine.errors import Invalid
from holdpoint.engine.expressions import Expression, Scope, Value
from holdpoint.engine.gates import open_crash_request, open_gate
from holdpoint.engine.machine import START, choose
from holdpoint.engine.model import MAX_TRANSITIONS, ON_CANCEL, RunRecord
from holdpoint.engine.names import resolve
from holdpoint.engine.times import format_time, parse_time

_DAY = 86_400.0


def proceed(draft: Draft) -> None:
    """Move the run on as far as it goes without anybody."""
    while draft.run.failure is None:
        act = _PHASES.get(draft.run.phase)
        if act is None:
            return
        try:
            if not act(draft):
                return
        except Invalid as error:
            fail(draft, error.code, _in_state(draft, error.message))


def fail(draft: Draft, code: str, message: str, details: Mapping[str, Json] | None = None) -> None:
    """Leave the run at rest as `failed`, where it stands."""
    run = draft.run
    draft.emit(
        "run.failed",
        code=code,
        message=message,
        state=run.state,
        attempt=run.attempts or None,
        details=details or None,
    )


def succeed(
    draft: Draft, output: Json, *, actor: str | None = None, stderr: str = "", is_checked: bool = False
) -> None:
    """Take an agent's output as the result of the state, if it meets the state's schema.

    *is_checked*: whoever ran the agent has made sure that the output is JSON, and not too large.
    """
    state = draft.state
    if not isinstance(state, AgentState):
        raise TypeError(f"state {state.name!r} is no agent")
    try:
        sha256 = draft.keep(output, f"output of state {state.name!r}", is_checked=is_checked)
        if state.output is not None:
            jsonschemas.validate(state.output, output, "output", "agent_output")
    except Invalid as error:
        fail_agent(draft, "agent_output", error.message, error.details, stderr)
        return
    draft.emit(
        "agent.succeeded",
        actor=actor or state.name,
        actor_kind="agent" if actor is None else "human",
        state=state.name,
        output=sha256,
        stderr=stderr or None,
    )


def fail_agent(
    draft: Draft,
    code: str,
    message: str,
    details: Mapping[str, Json] | None = None,
    stderr: str = "",
    *,
    is_counted: bool = True,
    is_last: bool = False,
) -> None:
    """Note that an attempt has failed: made again later, on by the error edge, or the run fails where it stands."""
    state, run = draft.state, draft.run
    is_retried = is_counted and not is_last and isinstance(state, AgentState)
    retry_in = retry_delay(state, run, code) if is_retried and isinstance(state, AgentState) else None
    has_edge = is_counted and retry_in is None and "error" in state.on
    draft.emit(
        "agent.failed",
        actor=state.name,
        actor_kind="agent",
        state=state.name,
        attempt=run.attempts,
        code=code,
        message=message,
        details=dict(details) if details else None,
        stderr=stderr or None,
        uncounted=None if is_counted else True,
        edge=has_edge or None,
        retry_at=None if retry_in is None else format_time(draft.now + retry_in),
    )
    if not has_edge and retry_in is None:
        fail(draft, code, f"agent of state {state.name!r} failed: {message}", details)


def retry_delay(state: AgentState, run: RunRecord, code: str) -> timedelta | None:
    """How long until the next attempt, after the run's last one failed with *code*; None where there is no next."""
    if state.retry is None:
        return None
    # Deciding is pure: the spread of the delay follows from the hash of the run's last entry.
    return state.retry.delay_after(run.attempts - run.spared, code, int(run.head[:8], 16) / 0xFFFFFFFF)


def _after_crash(draft: Draft) -> bool:
    """Do what the state says of an attempt that ended without an answer."""
    state, run = draft.state, draft.run
    if not isinstance(state, AgentState) or run.crash is None:
        raise RuntimeError("agents crash, and a crash has its entry")
    reason = draft.entry(run.crash).data["reason"]
    if state.after_crash == "retry":
        return _enter(draft)
    if state.after_crash == "ask":
        open_crash_request(draft, state.ask, reason)
        return False
    fail_agent(draft, "agent_crashed", f"the attempt ended without an answer: {reason}", is_last=True)
    return True


def _start(draft: Draft) -> bool:
    return _go(draft, START, draft.definition.initial)


def _leave(draft: Draft) -> bool:
    state, leaving = draft.state, draft.run.leaving
    if leaving is None:
        raise RuntimeError("a run that leaves a state knows how")
    if isinstance(state, AgentState) and leaving.option == "done" and not leaving.is_revised:
        _revise(draft, state)
    is_cancelled = leaving.option == ON_CANCEL
    return _go(draft, leaving.option, draft.definition.on_cancel if is_cancelled else state.on[leaving.option])


def _go(draft: Draft, option: str, targets: Targets) -> bool:
    run = draft.run
    if run.transitions >= MAX_TRANSITIONS:
        fail(draft, "too_many_transitions", f"the run has made {MAX_TRANSITIONS} transitions, more than any may")
        return False

    def holds(when: Expression) -> bool:
        return when.holds(draft.scope())

    to = choose(draft.definition, run.state, option, holds)
    if to is None:
        conditions = ", ".join(repr(target.when.source) for target in targets if target.when is not None)
        where = f"state {run.state!r}, option {option!r}" if run.state else "initial"
        fail(draft, "no_target", f"{where}: no condition holds, of {conditions}")
        return False
    enter(draft, option, to)
    return True


def enter(draft: Draft, option: str, to: str) -> None:
    """Put the run into a state; what happens there comes next."""
    if draft.run.state is not None:
        draft.emit("transition", {"from": draft.run.state, "option": option, "to": to})
    draft.emit("state.entered", state=to, visit=draft.run.visits.get(to, 0) + 1)


def _enter(draft: Draft) -> bool:
    state = draft.state
    if isinstance(state, EndState):
        output = state.output.render(draft.scope())
        kept = None if output is None else draft.keep(output, f"output of state {state.name!r}")
        draft.emit("run.ended", outcome=state.outcome, output=kept)
        return False
    if isinstance(state, HumanState):
        open_gate(draft, state)
        return False
    if isinstance(state, WaitState):
        return _wait(draft, state)
    if state.value is not None:
        succeed(draft, state.value.render(draft.scope()))
        return True
    if draft.facts.worker:
        _begin(draft, state)
    return False


def _wait(draft: Draft, state: WaitState) -> bool:
    """Begin to wait, or go on at once where the time has passed or a signal has come before."""
    if state.takes:
        if take_signal(draft, state):
            return True
        due_at = draft.due_text(state.timeout)
    elif state.duration is not None:
        due_at = draft.due_text(state.duration)
    else:
        until = parse_time(_rendered(state.until, draft.scope()))
        if until <= draft.now:
            draft.emit("wait.ended", state=state.name, option="done")
            return True
        due_at = format_time(until)
    draft.emit("wait.started", state=state.name, due_at=due_at)
    return False


def take_signal(draft: Draft, state: WaitState) -> bool:
    """End a wait by the oldest signal that it takes, if there is one."""
    signal = next((signal for signal in draft.run.signals if signal.name in state.takes), None)
    if signal is None:
        return False
    output = draft.entry(signal.seq).data["output"]
    draft.emit("wait.ended", state=state.name, option=state.takes[signal.name], signal=signal.seq, output=output)
    return True


def _make_attempt(draft: Draft) -> bool:
    """Make the next attempt of an agent whose last one failed, once it is time."""
    state, alarm = draft.state, draft.run.alarm
    if draft.facts.worker and isinstance(state, AgentState) and alarm is not None and alarm.due_at <= draft.now:
        _begin(draft, state)
    return False


def _begin(draft: Draft, state: AgentState) -> None:
    run, facts = draft.run, draft.facts
    scope = draft.scope(env=facts.env)
    arguments = state.arguments.render(scope)
    if state.python is not None:
        target: str | tuple[str, ...] = state.python
    else:
        target = tuple(as_text(part) for part in _rendered(state.command, scope))
    entry = draft.emit("agent.started", state=state.name, attempt=run.attempts + 1)
    draft.work = Work(
        kind="python" if state.python is not None else "command",
        target=target,
        arguments=arguments,
        context=Context(
            key=run.key,
            run_id=run.id,
            workflow=run.workflow,
            state=state.name,
            visit=run.visit,
            attempt=entry.data["attempt"],
        ),
        project=facts.project,
        timeout=state.timeout.days * _DAY + state.timeout.seconds,
        max_bytes=facts.max_bytes,
        is_isolated=state.is_isolated,
    )


def _revise(draft: Draft, state: AgentState) -> None:
    if state.artifact is None:
        return
    output = resolve(draft.run.results[state.name], draft)
    if isinstance(state.artifact, str):
        contents: dict[str, Json] = {state.artifact: output}
    else:
        scope = draft.scope(output=output)
        contents = {name: part.render(scope) for name, part in state.artifact.items()}
    is_whole = isinstance(state.artifact, str)  # then it is the output, which was kept before
    kept = {name: draft.keep(content, f"artifact {name!r}", is_checked=is_whole) for name, content in contents.items()}
    for name, sha256 in kept.items():
        latest = draft.run.artifacts.get(name)
        draft.emit(
            "artifact.revised",
            actor=state.name,
            actor_kind="agent",
            name=name,
            revision=latest.revision + 1 if latest else 1,
            sha256=sha256,
            parent=latest.revision if latest else None,
            state=state.name,
        )


def _rendered(value: Value | None, scope: Scope) -> Json:
    return None if value is None else value.render(scope)


def _in_state(draft: Draft, message: str) -> str:
    return f"state {draft.run.state!r}: {message}" if draft.run.state else f"initial: {message}"


_PHASES: Mapping[str, Callable[[Draft], bool]] = MappingProxyType(
    {"starting": _start, "entered": _enter, "crashed": _after_crash, "delayed": _make_attempt, "leaving": _leave}
)

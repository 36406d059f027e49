"""What a command does to a run: the rules that may refuse, and the entries that follow.

`decide` is pure. It returns the step that is to be committed, None where there is nothing to do, or raises the one
error that refuses the command. `start` does the same for a run that does not exist yet. Checks run in the order of
spec 3.2: settled or stale (`Conflict`), allowed (`NotAllowed`), valid (`Invalid`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from holdpoint.engine import jsonschemas, steer
from holdpoint.engine.agents import Failure, Success
from holdpoint.engine.canonical import Json, check_note
from holdpoint.engine.definition import TIMEOUT, AgentState, Definition, HumanState, WaitState
from holdpoint.engine.draft import Draft, Facts
from holdpoint.engine.due import NOT_OPEN, check_caught_up, is_due
from holdpoint.engine.errors import Conflict, Invalid, NotAllowed, did_you_mean
from holdpoint.engine.merge import MergeConflict, merge
from holdpoint.engine.model import (
    MAX_CRASHES,
    MAX_SIGNALS,
    Assign,
    Cancel,
    Claim,
    Command,
    Continue,
    Crash,
    Decide,
    Expire,
    Extend,
    Finish,
    Move,
    Refuse,
    RequestRecord,
    Retry,
    RunRecord,
    Send,
    Start,
    Step,
    Wake,
)
from holdpoint.engine.people import ROLE, assigned, check_person, is_excluded, may_act
from holdpoint.engine.proceed import fail, fail_agent, proceed, succeed, take_signal
from holdpoint.engine.times import format_time

_MAX_REFUSED = 64  # characters of an option that was refused: whoever may do nothing must not fill the history
_NOT_COUNTED = frozenset({"agent_missing"})


def start(definition: Definition, command: Start, facts: Facts) -> Step:
    """The first step of a run. Raises `Invalid` (code `input`) where the input does not meet its schema."""
    if command.initiator is not None:
        check_person(command.initiator, "the initiator")
    draft = Draft(definition, None, facts)
    value = _checked_input(definition, command.input)
    draft.start(
        command.run_id,
        command.initiator,
        {
            "workflow": definition.workflow,
            "definition": definition.version,
            "definition_id": definition.id,
            "input": draft.keep(value, "input"),
        },
    )
    proceed(draft)
    return draft.step()


def decide(definition: Definition, run: RunRecord, command: Command, facts: Facts) -> Step | None:
    """The step that *command* makes of *run*, or None where it asks for nothing that is still to be done."""
    by, reason = getattr(command, "by", None), getattr(command, "reason", None)
    if by is not None:
        check_person(by, "the one who acts")
    if reason is not None:
        check_note(reason, "reason")
    draft = Draft(definition, run, facts)
    is_done = _COMMANDS[type(command)](draft, command)
    return draft.step() if is_done else None


def _checked_input(definition: Definition, value: Json) -> Json:
    if definition.input is None:
        if value != {}:
            raise Invalid(f"workflow {definition.workflow!r} takes no input", code="input")
        return {}
    filled = jsonschemas.fill_defaults(definition.input, value)
    jsonschemas.validate(definition.input, filled, "input", "input")
    return filled


def _decide(draft: Draft, command: Decide) -> bool:
    request = draft.run.requests.get(command.request_id)
    if request is None or is_due(request, draft.run, draft.now):
        # Whoever asks applies what is due first, and then names the winner; between the two this can still happen.
        raise Conflict(f"request {command.request_id} is not open", code=NOT_OPEN)
    edit = _fresh_edit(draft, request, command)
    _check_allowed(draft, request, command)
    answers = _check_valid(draft, request, command)
    if request.kind == "crash":
        _settle_crash(draft, request, command, answers)
    else:
        _settle(draft, request, command, answers, edit)
    proceed(draft)
    return True


def _fresh_edit(draft: Draft, request: RequestRecord, command: Decide) -> Json:
    """The artifact to go on with. Raises `Conflict` where the decision looked at a revision that is not the latest."""
    shown = _shown_first(request)
    base = command.base if command.base is not None else shown["revision"] if shown else None
    if shown is None or base is None or not 1 <= base < draft.run.artifacts[shown["name"]].revision:
        return command.artifact
    return _merged_or_conflict(draft, shown["name"], base, command)


def _check_base(draft: Draft, request: RequestRecord, command: Decide) -> None:
    """Refuse a revision that there is not; one that is not the latest was refused before."""
    shown = _shown_first(request)
    if command.base is None:
        return
    if shown is None:
        raise Invalid(f"request {request.id} shows no artifact, so there is no revision {command.base}", code="base")
    latest = draft.run.artifacts[shown["name"]]
    if not 1 <= command.base <= latest.revision:
        raise Invalid(
            f"artifact {latest.name!r} has no revision {command.base}; it has 1 to {latest.revision}",
            code="base",
            details={"artifact": latest.name, "base": command.base, "latest": latest.revision},
        )


def _shown_first(request: RequestRecord) -> Json:
    """The first artifact that the request shows, which is the one that `base` is about."""
    return next((item for item in request.data["show"] if item.get("revision") is not None), None)


def _merged_or_conflict(draft: Draft, name: str, base: int, command: Decide) -> Json:
    latest = draft.run.artifacts[name]
    theirs = draft.content(latest.sha256)
    details: dict[str, Json] = {
        "artifact": name,
        "base": base,
        "latest": {"revision": latest.revision, "sha256": latest.sha256, "author": latest.author, "content": theirs},
    }
    if command.has_artifact:
        details["yours"] = command.artifact
        try:
            merged = merge(draft.facts.values.revision(name, base), command.artifact, theirs)
        except MergeConflict:
            pass
        else:
            if command.option == "revise":
                return merged
            details["merge"] = merged
    raise Conflict(
        f"artifact {name!r} is at revision {latest.revision} by {latest.author}, and you looked at revision {base}; "
        "look at the latest and decide again",
        code="stale_revision",
        details=details,
    )


def _check_allowed(draft: Draft, request: RequestRecord, command: Decide) -> None:
    roles = draft.facts.roles
    if is_excluded(request.exclude, command.by, roles):
        raise NotAllowed(
            f"{command.by!r} may not decide request {request.id}: excluded are {', '.join(request.exclude)}",
            details={"by": command.by, "exclude": list(request.exclude)},
        )
    # An option that there is not is invalid, but only for somebody who may choose another one.
    options = (command.option,) if command.option in request.options else request.options
    if not any(may_act(request.assign, option, command.by, roles) for option in options):
        people = sorted({person for option in options for person in assigned(request.assign, option)})
        held = ", ".join(f"{ROLE}{role}" for role in sorted(roles(command.by)))
        raise NotAllowed(
            f"{command.by!r} may not choose {command.option!r} in request {request.id}; "
            f"it is assigned to {', '.join(people)}" + (f", and {command.by!r} has {held}" if held else ""),
            details={"by": command.by, "assign": people},
        )


def _check_valid(draft: Draft, request: RequestRecord, command: Decide) -> Json:
    """The answers to store, defaults filled in. Raises `Invalid`."""
    options = request.options
    if command.option not in options:
        state = draft.state
        is_spent = command.option == "revise" and isinstance(state, HumanState) and "revise" in state.on
        hint = "it was sent back as often as max_returns allows" if is_spent else did_you_mean(command.option, options)
        raise Invalid(
            f"request {request.id} takes {', '.join(options)}, not {command.option!r}" + (f"; {hint}" if hint else ""),
            code="option",
            details={"options": list(options)},
        )
    _check_base(draft, request, command)
    _check_comment(request, command)
    _check_artifact(draft, request, command)
    if request.kind == "crash":
        return _crash_answers(draft, request, command)
    form = form_of(request.data, command.option)
    if form is None:
        if command.answers is not None:
            raise Invalid(f"option {command.option!r} of request {request.id} has no form: no answers", code="answers")
        return None
    answers = jsonschemas.fill_defaults(form, {} if command.answers is None else command.answers)
    jsonschemas.validate(form, answers, "answers", "answers")
    return answers


def form_of(data: Mapping[str, Json], option: str) -> Json:
    """The form that an option's answers must meet, by the entry that opened the request; None where there is none."""
    return data.get("forms", {}).get(option, data.get("form"))


def _check_comment(request: RequestRecord, command: Decide) -> None:
    comment = command.comment
    if command.option in request.data.get("comment", ()) and not (comment and comment.strip()):
        raise Invalid(f"option {command.option!r} of request {request.id} needs a comment", code="comment")


def _check_artifact(draft: Draft, request: RequestRecord, command: Decide) -> None:
    if not command.has_artifact:
        return
    state = draft.state
    name = state.under_review if isinstance(state, HumanState) and request.kind != "crash" else None
    if name is None or name not in draft.run.artifacts:
        raise Invalid(f"request {request.id} has no artifact under review, so it takes no edit", code="artifact")
    if command.option not in ("accept", "revise"):
        raise Invalid(f"option {command.option!r} takes no edit; accept and revise do", code="artifact")


def _crash_answers(draft: Draft, request: RequestRecord, command: Decide) -> Json:
    if command.option != "done":
        if command.answers is not None:
            raise Invalid(f"option {command.option!r} takes no answers; only done does", code="answers")
        return None
    state = draft.state
    if isinstance(state, AgentState) and state.output is not None:
        if command.answers is None and jsonschemas.errors(state.output, None, "answers"):
            raise _no_output(request, state.output)
        jsonschemas.validate(state.output, command.answers, "answers", "answers")
    return command.answers


def _no_output(request: RequestRecord, schema: Json) -> Invalid:
    """What `done` lacks where it comes without the output that the agent would have given."""
    keys = schema.get("required", []) if isinstance(schema, dict) else []
    needs = f", which has {', '.join(keys)}" if keys else ""
    return Invalid(
        f"option 'done' of request {request.id} needs the agent's output{needs}: -a KEY=… or --answers FILE",
        code="answers",
        details={"schema": schema},
    )


def _settle(draft: Draft, request: RequestRecord, command: Decide, answers: Json, edit: Json) -> None:
    edited = _edit(draft, command, edit) if command.has_artifact else None
    _note_decision(draft, request, command, answers, edited)


def _note_decision(
    draft: Draft, request: RequestRecord, command: Decide, answers: Json, edited: str | None = None
) -> None:
    draft.emit(
        "request.decided",
        actor=command.by,
        actor_kind="human",
        request=request.id,
        decision=command.option,
        comment=command.comment,
        answers=None if answers is None else draft.keep(answers, "answers"),
        artifacts=_stood_on(draft, request) or None,
        edit=edited,
    )


def _edit(draft: Draft, command: Decide, edit: Json) -> str:
    """Make the person's edit the next revision, if it changes anything. The hash of what the person handed in."""
    state = draft.state
    name = state.under_review if isinstance(state, HumanState) else None
    if name is None:
        raise RuntimeError("only what is under review is edited")
    latest = draft.run.artifacts[name]
    schema = _schema_of(draft.definition, name, latest.state)
    if schema is not None:
        jsonschemas.validate(schema, edit, f"artifact {name!r}", "artifact")
    sha256 = draft.keep(edit, f"artifact {name!r}")
    if sha256 != latest.sha256:
        draft.emit(
            "artifact.revised",
            actor=command.by,
            actor_kind="human",
            name=name,
            revision=latest.revision + 1,
            sha256=sha256,
            parent=latest.revision,
            state=latest.state,
        )
    return sha256 if edit is command.artifact else draft.keep(command.artifact, f"artifact {name!r}")


def _schema_of(definition: Definition, name: str, state_name: str) -> Json:
    """The output schema of the state that made the artifact, where its output is the artifact."""
    state = definition.states[state_name]
    return state.output if isinstance(state, AgentState) and state.artifact == name else None


def _stood_on(draft: Draft, request: RequestRecord) -> dict[str, Json]:
    """The revisions that a decision stands on: those shown, or the person's own edit of one."""
    return {
        item["name"]: {
            "revision": draft.run.artifacts[item["name"]].revision,
            "sha256": draft.run.artifacts[item["name"]].sha256,
        }
        for item in request.data["show"]
        if item.get("revision") is not None
    }


def _settle_crash(draft: Draft, request: RequestRecord, command: Decide, answers: Json) -> None:
    _note_decision(draft, request, command, answers)
    _after_crash(draft, command.option, answers, command.by)


def _after_crash(draft: Draft, option: str, answers: Json, by: str | None) -> None:
    """Do what was decided about a crashed attempt; `retry` needs no more than to go on."""
    if option == "done":
        succeed(draft, answers, actor=by)
    elif option == "fail":
        who = by or "the deadline of the question"
        fail_agent(draft, "agent_crashed", f"{who} decided that the crashed attempt has failed", is_last=True)


def _expire(draft: Draft, command: Expire) -> bool:
    request = draft.run.requests.get(command.request_id)
    if request is None or not is_due(request, draft.run, draft.now):
        return False
    default = request.silence
    answers = default.get("answers")
    draft.emit(
        "request.expired",
        actor_kind="timer",
        request=request.id,
        decision=default["decision"],
        answers=None if answers is None else draft.keep(answers, "answers"),
        artifacts=_stood_on(draft, request) or None,
        at=format_time(request.due_at) if request.due_at else None,
    )
    if request.kind == "crash":
        _after_crash(draft, default["decision"], answers, None)
    proceed(draft)
    return True


def _wake(draft: Draft, command: Wake) -> bool:
    run, state = draft.run, draft.state
    alarm = run.alarm
    if run.phase != "waiting" or alarm is None or alarm.due_at > draft.now or not isinstance(state, WaitState):
        return False
    draft.emit("wait.ended", actor_kind="timer", state=state.name, option=TIMEOUT if state.takes else "done")
    proceed(draft)
    return True


def _send(draft: Draft, command: Send) -> bool:
    run, definition = draft.run, draft.definition
    if run.phase == "ended":
        raise Conflict(f"run {run.id} has ended and takes no signal", code="ended")
    check_caught_up(draft)
    waits = [
        state for state in definition.states.values() if isinstance(state, WaitState) and command.name in state.takes
    ]
    if not waits:
        taking = (state for state in definition.states.values() if isinstance(state, WaitState))
        known = dict.fromkeys(name for state in taking for name in state.takes)
        hint = did_you_mean(command.name, known) or f"it has {', '.join(known) or 'none'}"
        raise Invalid(f"workflow {run.workflow!r} has no wait for signal {command.name!r}; {hint}", code="signal")
    is_awaited = run.phase == "waiting" and isinstance(draft.state, WaitState) and command.name in draft.state.takes
    if len(run.signals) >= MAX_SIGNALS and not is_awaited:
        raise Conflict(
            f"run {run.id} keeps {MAX_SIGNALS} signals that no wait has taken; no more", code="too_many_signals"
        )
    for state in waits:
        if state.output is not None:
            jsonschemas.validate(state.output, command.data, f"data of signal {command.name!r}", "signal")
    draft.emit(
        "signal.received",
        actor=command.by,
        actor_kind="human" if command.by else "engine",
        name=command.name,
        output=draft.keep(command.data, f"data of signal {command.name!r}"),
    )
    if run.phase == "waiting" and isinstance(draft.state, WaitState):
        take_signal(draft, draft.state)
        proceed(draft)
    return True


def _refuse(draft: Draft, command: Refuse) -> bool:
    check_caught_up(draft)
    check_note(command.option, "option")
    draft.emit(
        "decision.refused",
        actor=command.by,
        actor_kind="human",
        request=command.request_id,
        decision=command.option[:_MAX_REFUSED],
        code=command.code,
    )
    return True


def _continue(draft: Draft, command: Continue) -> bool:
    before = draft.run
    proceed(draft)
    return draft.run is not before


def _finish(draft: Draft, command: Finish) -> bool:
    run, outcome = draft.run, command.outcome
    if run.attempt is None or run.attempt.token != command.token:
        _note_late(draft, command)
        return True
    if isinstance(outcome, Success):
        succeed(draft, outcome.output, stderr=outcome.stderr, is_checked=True)
    else:
        is_counted = outcome.code not in _NOT_COUNTED
        fail_agent(draft, outcome.code, outcome.message, outcome.details, outcome.stderr, is_counted=is_counted)
    proceed(draft)
    return True


def _note_late(draft: Draft, command: Finish) -> None:
    check_caught_up(draft)
    outcome, state = command.outcome, draft.entry(command.token).data["state"]
    if isinstance(outcome, Failure):
        draft.emit(
            "agent.late",
            actor=state,
            actor_kind="agent",
            token=command.token,
            code=outcome.code,
            message=outcome.message,
        )
        return
    try:
        output: str | None = draft.keep(outcome.output, "late output")
    except Invalid:  # an output that could never have been taken is not worth an error now
        output = None
    draft.emit("agent.late", actor=state, actor_kind="agent", token=command.token, output=output)


def _crash(draft: Draft, command: Crash) -> bool:
    run = draft.run
    if run.attempt is None or run.attempt.token != command.token:
        return False
    state = draft.state
    draft.emit(
        "agent.crashed", state=state.name, attempt=run.attempt.number, token=command.token, reason=command.reason
    )
    if draft.run.crashes >= MAX_CRASHES:
        fail(draft, "poisoned", f"agent of state {state.name!r} crashed {MAX_CRASHES} times in one visit")
        return True
    proceed(draft)
    return True


_COMMANDS: Mapping[type, Callable[[Draft, Any], bool]] = MappingProxyType(
    {
        Decide: _decide,
        Refuse: _refuse,
        Expire: _expire,
        Wake: _wake,
        Send: _send,
        Assign: steer.assign,
        Claim: steer.claim,
        Extend: steer.extend,
        Move: steer.move,
        Continue: _continue,
        Finish: _finish,
        Crash: _crash,
        Retry: steer.retry,
        Cancel: steer.cancel,
    }
)

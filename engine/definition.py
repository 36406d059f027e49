"""A workflow as the engine knows it: frozen, compiled from the normalised document that `schema` makes.

The document is plain JSON in the author's order. `Definition.version` is the SHA-256 of its canonical form without
titles and descriptions (spec 3.13); `Definition.id` that of the whole document as it stands, order included, so that
what people are shown is pinned with a run too.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from types import MappingProxyType
from typing import Any, Literal, TypeAlias
from zoneinfo import ZoneInfo

from holdpoint.engine.canonical import Json, canonical, digest
from holdpoint.engine.durations import Duration, parse_duration
from holdpoint.engine.errors import did_you_mean
from holdpoint.engine.expressions import Expression, Value, parse_expression, parse_value
from holdpoint.engine.people import ROLE, is_role

AfterCrash: TypeAlias = Literal["retry", "fail", "ask"]
Assignment: TypeAlias = tuple[str, ...] | Mapping[str, tuple[str, ...]]
"""Whom a request asks: people and roles, or these by option. Nobody means anyone."""

DEFAULT_TIMEOUT = Duration(days=0, seconds=600)
DEFAULT_MAX_RETURNS = 5
PRIORITIES = ("urgent", "high", "normal", "low")
"""How pressing a request can be, the most urgent first."""

DEFAULT_PRIORITY = "normal"
TIMEOUT = "timeout"
"""The option of a deadline without a default: the edge of that name, which no person is offered."""

CRASH_OPTIONS = ("retry", "done", "fail")
"""What a person may choose who is asked after a crash."""

NOTHING = parse_value(None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where an option leads: a state, if its condition holds."""

    to: str
    when: Expression | None = None


Targets: TypeAlias = tuple[Target, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What every state has. `on` keeps the author's order of options."""

    name: str
    type: str
    title: str = ""
    description: str = ""
    on: Mapping[str, Targets] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """When a failed attempt is made again: *attempts* counts the first, *on* names the codes (None: all)."""

    attempts: int
    delay: Duration
    factor: float
    max_delay: Duration
    on: frozenset[str] | None = None

    def delay_after(self, attempts: int, code: str, spread: float) -> timedelta | None:
        """How long to wait after *attempts* attempts, the last failed with *code*; None where that was the last.

        *spread*, from 0 to 1, takes up to half of the delay off, so that what failed together is not tried together.
        """
        if attempts >= self.attempts or (self.on is not None and code not in self.on):
            return None
        longest = float(_seconds(self.max_delay))
        # The exponent is bounded: what is beyond is the longest delay in any case.
        grown = min(longest, _seconds(self.delay) * self.factor ** min(attempts - 1, 64))
        return timedelta(microseconds=int(grown * (1 - spread / 2) * 1_000_000))


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """The request that a crash opens."""

    assign: Assignment = ()
    exclude: tuple[str, ...] = ()
    priority: str = DEFAULT_PRIORITY
    timeout: Duration | None = None
    default: Mapping[str, Json] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentState(State):
    """Work that is not a person's: exactly one of `python`, `command` and `value` is set."""

    python: str | None = None
    command: Value | None = None
    value: Value | None = None
    arguments: Value = NOTHING
    output: Json = None
    artifact: str | Mapping[str, Value] | None = None
    is_irreversible: bool = False
    after_crash: AfterCrash = "retry"
    ask: Ask = Ask()
    retry: Retry | None = None
    is_isolated: bool = True
    timeout: Duration = DEFAULT_TIMEOUT

    @property
    def artifacts(self) -> tuple[str, ...]:
        """The names of the artifacts that this state makes."""
        if self.artifact is None:
            return ()
        return (self.artifact,) if isinstance(self.artifact, str) else tuple(self.artifact)


@dataclass(frozen=True, slots=True, kw_only=True)
class HumanState(State):
    """A gate: `approval`, `return` with an artifact under review, or `form` for missing information."""

    message: Value = NOTHING
    show: tuple[str, ...] | Mapping[str, Value] = ()
    assign: Assignment = ()
    exclude: tuple[str, ...] = ()
    form: Json = None
    forms: Mapping[str, Json] = field(default_factory=dict)
    comment: tuple[str, ...] = ()
    priority: str = DEFAULT_PRIORITY
    max_returns: int = DEFAULT_MAX_RETURNS
    timeout: Duration | None = None
    default: Mapping[str, Json] | None = None

    @property
    def options(self) -> tuple[str, ...]:
        """What a person may choose, in the author's order; the timeout's edge is nobody's choice."""
        return tuple(option for option in self.on if option != TIMEOUT)

    def offered(self, returns: int) -> list[str]:
        """What a person may choose after so many returns: a return state sends work back `max_returns` times."""
        is_spent = self.type == "return" and returns >= self.max_returns
        return [option for option in self.options if not (is_spent and option == "revise")]

    @property
    def under_review(self) -> str | None:
        """The artifact that a return state puts up for editing: the first that it shows."""
        is_editable = self.type == "return" and isinstance(self.show, tuple) and bool(self.show)
        return self.show[0] if is_editable and isinstance(self.show, tuple) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitState(State):
    """Where a run waits for a time or an event: exactly one of `duration`, `until` and `signals` is set.

    `takes` says which option each signal leads out by: its own name, or `received` where there is one only.
    """

    duration: Duration | None = None
    until: Value | None = None
    takes: Mapping[str, str] = field(default_factory=dict)
    timeout: Duration | None = None
    output: Json = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EndState(State):
    """Where a run ends."""

    outcome: str = "success"
    output: Value = NOTHING


AnyState: TypeAlias = AgentState | HumanState | WaitState | EndState


@dataclass(frozen=True, kw_only=True, eq=False)
class Definition:
    """A compiled workflow. Two definitions with the same `version` mean the same; each object is its own key."""

    workflow: str
    title: str
    description: str
    timezone: str
    input: Json
    initial: Targets
    on_cancel: Targets
    states: Mapping[str, AnyState]
    document: Json
    text: str
    id: str
    version: str

    @classmethod
    def from_document(cls, document: Json) -> Definition:
        """Compile a document that `schema` has checked."""
        text = json.dumps(document, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        return cls(
            workflow=document["workflow"],
            title=document.get("title", ""),
            description=document.get("description", ""),
            timezone=document.get("timezone", "UTC"),
            input=document.get("input"),
            initial=_targets(document["initial"]),
            on_cancel=_targets(document.get("on_cancel", [])),
            states=MappingProxyType({name: _state(name, state) for name, state in document["states"].items()}),
            document=document,
            text=text,
            id=digest(text),
            version=digest(canonical(meaning(document))),
        )

    @cached_property
    def zone(self) -> ZoneInfo:
        """The timezone in which days and local times are counted."""
        return ZoneInfo(self.timezone)

    @cached_property
    def producing(self) -> frozenset[str]:
        """The states that leave a result, under whose names it is read."""
        return frozenset(name for name, state in self.states.items() if not isinstance(state, EndState))

    @cached_property
    def producers(self) -> Mapping[str, tuple[AgentState, ...]]:
        """For each artifact, the states that make it."""
        found: dict[str, tuple[AgentState, ...]] = {}
        for state in self.states.values():
            if isinstance(state, AgentState):
                for name in state.artifacts:
                    found[name] = (*found.get(name, ()), state)
        return found

    @cached_property
    def schemas(self) -> Mapping[str, Json]:
        """What is known of the values behind the names of expressions, as JSON Schemas."""
        known: dict[str, Json] = {"input": self.input or {}, "run": _RUN_SCHEMA, "error": _ERROR_SCHEMA}
        artifacts: dict[str, Json] = {}
        for state in self.states.values():
            if isinstance(state, AgentState):
                known[state.name] = state.output or {}
                if isinstance(state.artifact, str):
                    artifacts.setdefault(state.artifact, state.output or {})
            elif isinstance(state, HumanState):
                answers: Json = {"anyOf": list(state.forms.values())} if state.forms else state.form or {}
                known[state.name] = {"properties": {**_RESULT_PROPERTIES, "answers": answers}}
            elif isinstance(state, WaitState):
                known[state.name] = state.output or {}
        known["artifacts"] = {"properties": artifacts}
        return known

    @cached_property
    def asked(self) -> tuple[str, ...]:
        """Whom requests may ask, those after a crash too, as the workflow says it; `""` stands for anyone."""
        found: dict[str, None] = {}
        for state in self.states.values():
            if isinstance(state, HumanState):
                assign = state.assign
            elif isinstance(state, AgentState) and state.after_crash == "ask":
                assign = state.ask.assign
            else:
                continue
            for people in assign.values() if isinstance(assign, Mapping) else [assign]:
                found.update(dict.fromkeys(people or ("",)))
        return tuple(found)

    @cached_property
    def roles_asked(self) -> tuple[str, ...]:
        """The roles that requests may ask; they are always written out."""
        return tuple(entry.removeprefix(ROLE) for entry in self.asked if is_role(entry))

    def role_meant(self, role: str, held: Collection[str]) -> str:
        """`did you mean 'x'?` for a role of somebody that no request asks: one that is asked, and is not *held*."""
        if role in self.roles_asked:
            return ""
        return did_you_mean(role, [one for one in self.roles_asked if one not in held])

    def edges(self) -> Iterator[tuple[str, str, Target]]:
        """Every `(state, option, target)`."""
        for state in self.states.values():
            for option, targets in state.on.items():
                for target in targets:
                    yield state.name, option, target


_RESULT_PROPERTIES: Json = {name: {} for name in ("decision", "by", "by_kind", "comment", "answers", "at")}
_ERROR_SCHEMA: Json = {"properties": {name: {} for name in ("state", "code", "message", "attempts", "details")}}
_RUN_SCHEMA: Json = {"properties": {name: {} for name in ("id", "workflow", "initiator", "started_at")}}

# Where a JSON Schema holds other schemas by name; there `title` is a property's name and not a title.
SCHEMAS_BY_NAME = frozenset({"properties", "patternProperties", "$defs", "definitions", "dependentSchemas"})
# Where a JSON Schema holds values, which are not schemas.
_SCHEMA_VALUES = frozenset({"default", "const", "enum", "examples"})


def meaning(document: Json) -> Json:
    """The document without what is only for reading: titles and descriptions, in the schemas too."""
    result = {key: value for key, value in document.items() if key not in ("title", "description")}
    if "input" in result:
        result["input"] = _schema_meaning(result["input"])
    result["states"] = {name: _state_meaning(state) for name, state in document["states"].items()}
    return result


def _state_meaning(state: Json) -> Json:
    schemas = {"output"} if state["type"] in ("agent", "wait") else {"form"}
    meaning = {
        key: _schema_meaning(value) if key in schemas else value
        for key, value in state.items()
        if key not in ("title", "description")
    }
    if "forms" in meaning:
        meaning["forms"] = {option: _schema_meaning(form) for option, form in meaning["forms"].items()}
    return meaning


def _schema_meaning(schema: Json) -> Json:
    if isinstance(schema, list):
        return [_schema_meaning(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    meaning = {}
    for key, value in schema.items():
        if key in ("title", "description"):
            continue
        if key in _SCHEMA_VALUES:
            meaning[key] = value
        elif key in SCHEMAS_BY_NAME and isinstance(value, dict):
            meaning[key] = {name: _schema_meaning(item) for name, item in value.items()}
        else:
            meaning[key] = _schema_meaning(value)
    return meaning


def _targets(targets: Json) -> Targets:
    return tuple(
        Target(to=target["to"], when=parse_expression(target["when"]) if "when" in target else None)
        for target in targets
    )


def _state(name: str, state: Json) -> AnyState:
    common: dict[str, Any] = {
        "name": name,
        "type": state["type"],
        "title": state.get("title", ""),
        "description": state.get("description", ""),
        "on": MappingProxyType({option: _targets(targets) for option, targets in state.get("on", {}).items()}),
    }
    return _READERS[state["type"]](common, state)


def _agent(common: dict[str, Any], state: Json) -> AgentState:
    is_irreversible = state.get("effect") == "irreversible"
    artifact = state.get("artifact")
    after_crash = state.get("after_crash", "ask" if is_irreversible else "retry")
    return AgentState(
        **common,
        python=state.get("python"),
        command=parse_value(state["command"]) if "command" in state else None,
        value=parse_value(state["value"]) if "value" in state else None,
        arguments=parse_value(state.get("with", {})),
        output=state.get("output"),
        artifact=(
            {key: parse_value(part) for key, part in artifact.items()} if isinstance(artifact, dict) else artifact
        ),
        is_irreversible=is_irreversible,
        after_crash="ask" if isinstance(after_crash, dict) else after_crash,
        ask=_ask(after_crash["ask"]) if isinstance(after_crash, dict) else Ask(),
        retry=_retry(state["retry"]) if "retry" in state else None,
        is_isolated=state.get("isolate", True),
        timeout=parse_duration(state["timeout"]) if "timeout" in state else DEFAULT_TIMEOUT,
    )


def _human(common: dict[str, Any], state: Json) -> HumanState:
    show = state.get("show", ())
    return HumanState(
        **common,
        message=parse_value(state.get("message", "")),
        show={label: parse_value(text) for label, text in show.items()} if isinstance(show, dict) else tuple(show),
        assign=_assignment(state),
        exclude=tuple(state.get("exclude", ())),
        form=state.get("form"),
        forms=state.get("forms", {}),
        comment=tuple(state.get("comment", ())),
        priority=state.get("priority", DEFAULT_PRIORITY),
        max_returns=state.get("max_returns", DEFAULT_MAX_RETURNS),
        timeout=_timeout(state),
        default=state.get("default"),
    )


def _retry(retry: Json) -> Retry:
    return Retry(
        attempts=retry["attempts"],
        delay=parse_duration(retry["delay"]),
        factor=retry["factor"],
        max_delay=parse_duration(retry["max_delay"]),
        on=frozenset(retry["on"]) if "on" in retry else None,
    )


def _ask(ask: Json) -> Ask:
    return Ask(
        assign=_assignment(ask),
        exclude=tuple(ask.get("exclude", ())),
        priority=ask.get("priority", DEFAULT_PRIORITY),
        timeout=_timeout(ask),
        default=ask.get("default"),
    )


def _wait(common: dict[str, Any], state: Json) -> WaitState:
    signal = state.get("signal", [])
    return WaitState(
        **common,
        duration=parse_duration(state["for"]) if "for" in state else None,
        until=parse_value(state["until"]) if "until" in state else None,
        takes={signal: "received"} if isinstance(signal, str) else {name: name for name in signal},
        timeout=_timeout(state),
        output=state.get("output"),
    )


def _assignment(state: Json) -> Assignment:
    assign = state.get("assign", ())
    if isinstance(assign, dict):
        return {option: tuple(people) for option, people in assign.items()}
    return tuple(assign)


def _timeout(state: Json) -> Duration | None:
    text = state.get("timeout", "never")
    return None if text == "never" else parse_duration(text)


def _seconds(duration: Duration) -> int:
    return duration.days * 86_400 + duration.seconds


def _end(common: dict[str, Any], state: Json) -> EndState:
    return EndState(**common, outcome=state.get("outcome", "success"), output=parse_value(state.get("output")))


_READERS: Mapping[str, Callable[[dict[str, Any], Json], AnyState]] = {
    "agent": _agent,
    "approval": _human,
    "return": _human,
    "form": _human,
    "wait": _wait,
    "end": _end,
}

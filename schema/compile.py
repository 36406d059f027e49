"""A checked workflow to its normalised document: one spelling for each meaning, defaults left out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from holdpoint.engine.canonical import Json
from holdpoint.engine.definition import DEFAULT_MAX_RETURNS, DEFAULT_PRIORITY, DEFAULT_TIMEOUT
from holdpoint.engine.durations import parse_duration
from holdpoint.engine.times import format_time, parse_time
from holdpoint.schema.agents import RETRY_DEFAULTS
from holdpoint.schema.sheet import NEVER, Edge, Sheet, State, decision_of
from holdpoint.schema.waits import is_moment

# The keys of a document's states, in its order; `on` is put after the texts for people.
_TEXTS: Final = ("title", "description")
_AGENT_KEYS: Final = ("python", "command", "value", "with", "output", "artifact", "effect", "unattended", "isolate")
_HUMAN_KEYS: Final = (*("message", "show", "assign", "exclude", "form", "forms", "comment", "priority", "max_returns"),)
_DEFAULTS: Final[Mapping[str, Json]] = {
    "effect": "none",
    "isolate": True,
    "priority": DEFAULT_PRIORITY,
    "max_returns": DEFAULT_MAX_RETURNS,
}


def compile_document(sheet: Sheet) -> Json:
    """The normalised document of a workflow in which nothing wrong was found."""
    value = sheet.value
    document: dict[str, Json] = {"workflow": value["workflow"], **_kept(value, _TEXTS)}
    if value.get("timezone", "UTC") != "UTC":
        document["timezone"] = value["timezone"]
    document |= _kept(value, ("input",))
    document["initial"] = _targets(sheet.initial())
    if (cancel := sheet.on_cancel()) is not None:
        document["on_cancel"] = _targets(cancel)
    document["states"] = {name: _state(sheet, name, state) for name, state in sheet.states.items()}
    return document


def _kept(value: Mapping[str, Json], keys: tuple[str, ...]) -> dict[str, Json]:
    return {key: value[key] for key in keys if key in value and not _is_default(key, value[key])}


def _is_default(key: str, value: Json) -> bool:
    return key in _DEFAULTS and bool(value == _DEFAULTS[key])


def _state(sheet: Sheet, name: str, state: State) -> Json:
    kind = state["type"]
    result: dict[str, Json] = {"type": kind, **_kept(state, _TEXTS)}
    if kind != "end":
        result["on"] = {edge.option: _targets(edge) for edge in sheet.edges(name)}
    return result | _COMPILERS[kind](state)


def _targets(edge: Edge) -> Json:
    return [{"to": to} if when is None else {"to": to, "when": when} for _, to, when in edge.targets]


def _agent(state: State) -> dict[str, Json]:
    result = _kept(state, _AGENT_KEYS)
    usual = "ask" if state.get("effect") == "irreversible" else "retry"
    after_crash = _after_crash(state.get("after_crash", usual))
    if after_crash != usual:
        result["after_crash"] = after_crash
    if "retry" in state:
        result["retry"] = _retry(state["retry"])
    if "timeout" in state:
        timeout = parse_duration(state["timeout"])
        if timeout != DEFAULT_TIMEOUT:
            result["timeout"] = timeout.iso
    return result


def _after_crash(after_crash: Json) -> Json:
    """The word, or how a person is asked where the file says more than `ask`."""
    if not isinstance(after_crash, dict):
        return after_crash
    ask = _kept(after_crash["ask"], ("assign", "exclude", "priority")) | _silence(after_crash["ask"])
    if ask.get("timeout") == NEVER:
        del ask["timeout"]
    return {"ask": ask} if ask else "ask"


def _retry(retry: Mapping[str, Json]) -> dict[str, Json]:
    """All figures, so that a run keeps the defaults that it began with."""
    full = {**RETRY_DEFAULTS, **retry}
    result: dict[str, Json] = {
        "attempts": int(full["attempts"]),
        "delay": parse_duration(full["delay"]).iso,
        "factor": _short_number(full["factor"]),
        "max_delay": parse_duration(full["max_delay"]).iso,
    }
    return result | _kept(full, ("on",))


def _short_number(number: float) -> float:
    return int(number) if number == int(number) else number


def _human(state: State) -> dict[str, Json]:
    return _kept(state, _HUMAN_KEYS) | _silence(state)


def _silence(asked: Mapping[str, Json]) -> dict[str, Json]:
    """How long a request waits, and what then is decided."""
    result: dict[str, Json] = {}
    if "timeout" in asked:
        timeout = asked["timeout"]
        result["timeout"] = timeout if timeout == NEVER else parse_duration(timeout).iso
    if "default" in asked:
        decision, answers = decision_of(asked["default"])
        result["default"] = {"decision": decision} if answers is None else {"decision": decision, "answers": answers}
    return result


def _wait(state: State) -> dict[str, Json]:
    result = _kept(state, ("signal", "output"))
    if "for" in state:
        result["for"] = parse_duration(state["for"]).iso
    if "until" in state:
        until = state["until"]
        result["until"] = format_time(parse_time(until)) if is_moment(until) else until
    if state.get("timeout", NEVER) != NEVER:
        result["timeout"] = parse_duration(state["timeout"]).iso
    return result


def _end(state: State) -> dict[str, Json]:
    result = _kept(state, ("output",))
    if state.get("outcome", "success") != "success":
        result = {"outcome": state["outcome"], **result}
    return result


_COMPILERS: Final[Mapping[str, Callable[[State], dict[str, Json]]]] = {
    "agent": _agent,
    "approval": _human,
    "return": _human,
    "form": _human,
    "wait": _wait,
    "end": _end,
}

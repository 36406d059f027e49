"""A checked workflow to its normalised document: one spelling for each meaning, defaults left out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from holdpoint.engine.canonical import Json
from holdpoint.engine.durations import parse_duration
from holdpoint.schema.requests import NEVER
from holdpoint.schema.sheet import Edge, Sheet, State

_AGENT_TIMEOUT: Final = parse_duration("10m")
_MAX_RETURNS: Final = 5

# The keys of a document's states, in its order; `on` is put after the texts for people.
_TEXTS: Final = ("title", "description")
_AGENT_KEYS: Final = ("python", "command", "value", "with", "output", "artifact", "effect", "unattended")
_HUMAN_KEYS: Final = ("message", "show", "assign", "form", "comment", "priority", "max_returns")
_DEFAULTS: Final[Mapping[str, Json]] = {"effect": "none", "priority": "normal", "max_returns": _MAX_RETURNS}


def compile_document(sheet: Sheet) -> Json:
    """The normalised document of a workflow in which nothing wrong was found."""
    value = sheet.value
    document: dict[str, Json] = {"workflow": value["workflow"], **_kept(value, _TEXTS)}
    if value.get("timezone", "UTC") != "UTC":
        document["timezone"] = value["timezone"]
    document |= _kept(value, ("input",))
    document["initial"] = _targets(sheet.initial())
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
    if state.get("after_crash", usual) != usual:
        result["after_crash"] = state["after_crash"]
    if "timeout" in state:
        timeout = parse_duration(state["timeout"])
        if timeout != _AGENT_TIMEOUT:
            result["timeout"] = timeout.iso
    return result


def _human(state: State) -> dict[str, Json]:
    result = _kept(state, _HUMAN_KEYS)
    if "timeout" in state:
        timeout = state["timeout"]
        result["timeout"] = timeout if timeout == NEVER else parse_duration(timeout).iso
    if "default" in state:
        default = state["default"]
        result["default"] = {"decision": default} if isinstance(default, str) else default
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
    "end": _end,
}

"""What `check` accepts ends or waits at a person, whoever decides what or not at all.

The workflows are drawn at random and the walks through them too; what must not happen is told from the history.
"""

from __future__ import annotations

import json
from typing import Any

from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st

from holdpoint.schema import check_text
from tests.walking import Walk

GATES = ("first", "second")
AGENTS = ("make", "change", "ship")
HARMLESS = {"HP215", "HP250", "HP255", "HP256", "HP310"}
"""Warnings of what keeps no run from its end: what is never reached or read, and that a person is asked for ever."""

ENDS = {"good": {"type": "end"}, "bad": {"type": "end", "outcome": "failure"}}
OUTPUT = {
    "type": "object",
    "required": ["size", "is_fine"],
    "properties": {"size": {"type": "integer", "minimum": 0, "maximum": 9}, "is_fine": {"type": "boolean"}},
}


@st.composite
def workflows(draw: st.DrawFn) -> str:
    """A workflow of agents that make and do things, gates, a review, a wait, and ways between them."""
    others = draw(st.permutations(["change", "ship", "first", "second", "review", "rest", "details"]))
    names = [*others[: draw(st.integers(1, 6))]]
    names.insert(draw(st.sampled_from([0, 0, 0, 1])), "make")
    states: dict[str, Any] = {}
    for index, name in enumerate(names):
        # Mostly onwards: a workflow that leads anywhere is nearly always refused.
        onwards = [*names[index + 1 : index + 3], "good", "bad"]
        anywhere = st.sampled_from(onwards) if draw(st.integers(0, 4)) else st.sampled_from([*names, *ENDS])
        states[name] = draw(_states_of(name, names, anywhere))
    if draw(st.booleans()):
        states["good"] = {"type": "end", "output": {"seen": draw(_templates(names))}}
    document: dict[str, Any] = {"workflow": "drawn", "input": {**OUTPUT, "type": "object"}}
    return json.dumps({**document, "states": {**states, **ENDS, **states}})


def _states_of(name: str, names: list[str], anywhere: st.SearchStrategy[str]) -> st.SearchStrategy[dict[str, Any]]:
    targets = st.one_of(anywhere, anywhere, _guarded(names, anywhere))
    if name in AGENTS:
        return _agents(name, names, targets)
    if name in GATES:
        return _gates("approval", names, targets, ("approve", "reject"))
    if name == "review":
        return _gates("return", names, targets, ("accept", "revise", "reject"))
    if name == "rest":
        signal = {"signal": "go", "output": OUTPUT, "timeout": "1h"}
        return st.one_of(
            st.fixed_dictionaries({"type": st.just("wait"), "for": st.just("1h"), "next": targets}),
            st.fixed_dictionaries({"received": targets, "timeout": targets}).map(
                lambda on: {"type": "wait", **signal, "on": on}
            ),
        )
    form = {"type": "object", "required": ["size"], "properties": {"size": {"type": "integer", "maximum": 9}}}
    return st.fixed_dictionaries({"submit": targets, "timeout": targets}).map(
        lambda on: {"type": "form", "form": form, "timeout": "1d", "on": on}
    )


@st.composite
def _agents(draw: st.DrawFn, name: str, names: list[str], targets: st.SearchStrategy[Any]) -> dict[str, Any]:
    state: dict[str, Any] = {"type": "agent", "command": ["x"], "on": {"done": draw(targets)}}
    if draw(st.booleans()):
        state["on"]["error"] = draw(targets)
    if name == "ship":
        state["effect"] = "irreversible"
    else:
        state["output"] = OUTPUT
    if name == "make" or (name == "change" and draw(st.integers(0, 2)) == 0):
        state["artifact"] = "report"
    if draw(st.booleans()):
        state["with"] = {"seen": draw(_templates(names))}
    return state


@st.composite
def _gates(
    draw: st.DrawFn, kind: str, names: list[str], targets: st.SearchStrategy[Any], options: tuple[str, ...]
) -> dict[str, Any]:
    state: dict[str, Any] = {"type": kind, "on": {option: draw(targets) for option in options}}
    if kind == "return" or draw(st.booleans()):
        state["show"] = ["report"]
    if draw(st.booleans()):
        state["message"] = draw(_templates(names))
    how = draw(st.sampled_from(["never", "default", "edge"]))
    if how == "never":
        return {**state, "timeout": "never"}
    if how == "edge":
        state["on"]["timeout"] = draw(targets)
        return {**state, "timeout": "2h"}
    return {**state, "timeout": "2h", "default": draw(st.sampled_from([one for one in options if one != "revise"]))}


@st.composite
def _guarded(draw: st.DrawFn, names: list[str], anywhere: st.SearchStrategy[str]) -> list[dict[str, str]]:
    condition = draw(_conditions(names))
    targets = [{"to": draw(anywhere), "when": condition}]
    last = draw(st.sampled_from(["always", "otherwise", "nothing"]))
    if last == "always":
        targets.append({"to": draw(anywhere)})
    elif last == "otherwise":
        targets.append({"to": draw(anywhere), "when": f"not ({condition})"})
    return targets


def _conditions(names: list[str]) -> st.SearchStrategy[str]:
    conditions = ["input.is_fine", "error is not none and error.attempts > 0"]
    for one in names:
        conditions.append(f"visits.{one} < 3")
        if one == "change":
            conditions += [f"{one}.is_fine", f"{one} is not none and {one}.size > 3"]
        elif one in (*GATES, "review"):
            conditions += [f"{one}.decision == 'approve'", f"{one} and {one}.decision == 'reject'", f"{one} is none"]
    return st.sampled_from(conditions)


def _templates(names: list[str]) -> st.SearchStrategy[str]:
    templates = ["{{ error.message }}", "{{ previous.state }}", "{{ previous.result.size }}", "{{ input.size }}"]
    for one in names:
        if one in (*GATES, "review"):
            templates += [f"{{{{ {one}.comment }}}}", f"It is {{{{ {one}.comment if {one} else '' }}}}"]
        elif one == "details":
            templates += ["{{ details.answers.size }}", "{{ details.answers.size if details else 0 }}"]
        elif one == "make":
            templates += ["{{ artifacts.report.size }}", "{{ artifacts.report.size if artifacts.report else 0 }}"]
        elif one != "ship":
            templates += [f"It is {{{{ {one}.size }}}}", f"{{{{ {one}.size if {one} else 1 }}}}"]
    return st.sampled_from(templates)


@given(text=workflows(), seed=st.integers(0, 2**16))
@settings(
    max_examples=2500,
    deadline=None,
    suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow, HealthCheck.data_too_large],
)
def test_what_is_accepted_ends_or_waits_at_a_person(text: str, seed: int) -> None:
    document, findings = check_text(text, "w.yaml")
    assume(document is not None and not {finding.code for finding in findings} - HARMLESS)

    for chance in range(4):
        ending = Walk(text, seed + chance).to_its_end()

        assert ending.run.status != "failed", ending.run.error
        assert ending.unapproved == ()
        asked = bool(ending.run.requests)
        assert ending.run.status in ("done", "cancelled") or asked or ending.is_broken_off
        event(ending.run.status)

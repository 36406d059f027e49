"""What a state asks people: its own request, or the question that follows a crash of its agent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from holdpoint.engine.canonical import Json
from holdpoint.engine.definition import CRASH_OPTIONS, AgentState, AnyState, Assignment, HumanState


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """A request as its state defines it: its options, whom it asks, and what answers to an option must meet."""

    options: tuple[str, ...]
    assign: Assignment
    exclude: tuple[str, ...]
    forms: Mapping[str, Json] = field(default_factory=dict)

    def people(self, option: str) -> tuple[str, ...]:
        """Whom `assign` names for an option, as the workflow says it; nobody named means anyone."""
        return self.assign.get(option, ()) if isinstance(self.assign, Mapping) else self.assign

    @property
    def named(self) -> tuple[str, ...]:
        """Whom `assign` names for any option."""
        return tuple(dict.fromkeys(entry for option in self.options for entry in self.people(option)))


def asking(state: AnyState | None) -> Asking | None:
    """What a state asks people, None where it asks nothing: an agent asks where its `after_crash` says so."""
    if isinstance(state, HumanState):
        forms = {option: form for option in state.options if (form := state.forms.get(option, state.form)) is not None}
        return Asking(options=state.options, assign=state.assign, exclude=state.exclude, forms=forms)
    if isinstance(state, AgentState) and state.after_crash == "ask":
        forms = {"done": {} if state.output is None else state.output}
        return Asking(options=CRASH_OPTIONS, assign=state.ask.assign, exclude=state.ask.exclude, forms=forms)
    return None


def options_of(state: AnyState | None) -> tuple[str, ...]:
    """What people may choose in a state, after a crash too."""
    asked = asking(state)
    return () if asked is None else asked.options

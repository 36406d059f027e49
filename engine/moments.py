"""A run as it was: after each entry of its history, with the names that expressions read then."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from holdpoint.engine.canonical import Json
from holdpoint.engine.definition import AgentState, Definition
from holdpoint.engine.evolve import begin, evolve
from holdpoint.engine.expressions import Scope
from holdpoint.engine.model import Entry, RunRecord, Values
from holdpoint.engine.names import Names, arguments_shown
from holdpoint.engine.times import format_time


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """What an entry left: the run as it stood then, and the states that it had entered, in order."""

    entry: Entry
    run: RunRecord
    path: tuple[str, ...]
    definition: Definition
    values: Values

    def scope(self, **extra: Json) -> Scope:
        """What expressions see at this moment; *extra* are further names."""
        names = Names(self.definition, self.run, format_time(self.entry.at), self.values, extra)
        return Scope(values=names, schemas=self.definition.schemas, zone=self.definition.zone)

    @property
    def arguments(self) -> tuple[str, Json] | None:
        """The state whose agent is called at this moment, and what it is given, as `arguments_shown` says."""
        state = self.definition.states.get(self.entry.data.get("state", ""))
        if self.entry.kind != "agent.started" or not isinstance(state, AgentState):
            return None
        return state.name, arguments_shown(state, self.scope)


def moments_of(definition: Definition, history: Iterable[Entry], values: Values) -> Iterator[Moment]:
    """Every moment of a run, from its history."""
    run: RunRecord | None = None
    path: tuple[str, ...] = ()
    for entry in history:
        run = begin(entry) if run is None else evolve(run, entry)
        if entry.kind == "state.entered":
            path = (*path, entry.data["state"])
        yield Moment(entry=entry, run=run, path=path, definition=definition, values=values)

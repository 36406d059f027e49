"""What is left to chance in a run, drawn by the case that is played: the same each time, and by every version.

That is the spread of the delays between attempts, which in any other run follows from its history, and so from its id.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from datetime import timedelta
from hashlib import sha256
from types import MappingProxyType

from holdpoint.engine.definition import AgentState, AnyState, Definition, Retry


@dataclass(frozen=True, slots=True, kw_only=True)
class _Drawn(Retry):
    """A retry whose delays are spread by a text, whatever the spread that it is given."""

    by: str

    def delay_after(self, attempts: int, code: str, spread: float) -> timedelta | None:
        drawn = sha256(f"{self.by}/{attempts}".encode()).hexdigest()
        return Retry.delay_after(self, attempts, code, int(drawn[:8], 16) / 0xFFFFFFFF)


def drawn(definition: Definition, case: str, repeat: int) -> Definition:
    """The definition as it is played for a case: the same, but for what it would leave to chance."""
    changed = dict(_drawn_states(definition, f"{case}/{repeat}"))
    # Itself where nothing is drawn, so that what was worked out of it is not worked out again.
    return replace(definition, states=MappingProxyType({**definition.states, **changed})) if changed else definition


def _drawn_states(definition: Definition, by: str) -> Iterator[tuple[str, AnyState]]:
    for name, state in definition.states.items():
        if isinstance(state, AgentState) and state.retry is not None:
            said = {part.name: getattr(state.retry, part.name) for part in fields(Retry)}
            yield name, replace(state, retry=_Drawn(**said, by=f"{by}/{name}"))

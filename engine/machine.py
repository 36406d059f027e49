"""Where a run goes: one `transitions.Machine` a definition, the only place that knows the library.

The machine is asked, never told: `choose` fires an option on an object made for the occasion and reads where that
object landed. There are conditions and no callbacks with side effects, so a refusal or an exception changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from typing import Any

from transitions import Machine

from holdpoint.engine.definition import Definition, Targets
from holdpoint.engine.expressions import Expression
from holdpoint.engine.model import ON_CANCEL

START = "start"
_BEFORE_START = "(before the first state)"


class Traveller:
    """The throwaway model of one question."""

    __slots__ = ("holds", "state")

    def __init__(self, state: str, holds: Callable[[Expression], bool]) -> None:
        self.state = state
        self.holds = holds


@lru_cache(maxsize=256)
def build(definition: Definition) -> Machine:
    """The machine of a definition, made once for each: building it costs more than a hundred questions."""
    machine = Machine(
        model=None,
        states=[_BEFORE_START, *definition.states],
        initial=_BEFORE_START,
        auto_transitions=False,
        send_event=True,
    )
    _add(machine, _BEFORE_START, START, definition.initial)
    _add(machine, "*", ON_CANCEL, definition.on_cancel)
    for state in definition.states.values():
        for option, targets in state.on.items():
            _add(machine, state.name, option, targets)
    return machine


def choose(definition: Definition, state: str | None, option: str, holds: Callable[[Expression], bool]) -> str | None:
    """The state that *option* leads to from *state* (None: before the first), or None where no condition holds.

    Whatever *holds* raises is passed on.
    """
    fixed = _fixed(definition).get((state, option))
    return _ask(build(definition), state, option, holds) if fixed is None else fixed


def _ask(machine: Machine, state: str | None, option: str, holds: Callable[[Expression], bool]) -> str | None:
    traveller = Traveller(_BEFORE_START if state is None else state, holds)
    is_moved: bool = machine.events[option].trigger(traveller)
    return traveller.state if is_moved else None


@lru_cache(maxsize=256)
def _fixed(definition: Definition) -> Mapping[tuple[str | None, str], str]:
    """What the machine answers whatever holds: an option with one target and no condition is asked about once."""
    options = [
        (state.name, option, targets) for state in definition.states.values() for option, targets in state.on.items()
    ]
    machine = build(definition)
    return {
        (state, option): str(_ask(machine, state, option, _nothing_holds))
        for state, option, targets in options
        if targets[0].when is None
    }


def _nothing_holds(when: Expression) -> bool:
    return False


def _add(machine: Machine, source: str, option: str, targets: Targets) -> None:
    for target in targets:
        conditions: list[Any] = [] if target.when is None else [partial(_holds, target.when)]
        machine.add_transition(option, source, target.to, conditions=conditions)


def _holds(when: Expression, event: Any) -> bool:
    traveller: Traveller = event.model
    return traveller.holds(when)

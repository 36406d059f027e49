"""Random walks through a workflow: made-up agents, people who decide at random or not at all, and time that passes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

import holdpoint
from holdpoint.engine.canonical import Json
from holdpoint.scenarios.rules import unapproved
from holdpoint.schema.samples import properties_of, samples
from holdpoint.testing import Clock

OFTEN = 60
"""Steps after which a walk is broken off: by then its people have been asked again and again."""


def made_up(schema: Json, chance: Random) -> Any:
    """A value at random that meets a schema of the plain kind that workflows have."""
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return chance.choice(schema["enum"])
    kind = schema.get("type")
    kind = chance.choice(kind) if isinstance(kind, list) else kind
    if kind == "object" or (kind is None and "properties" in schema):
        required = schema.get("required", [])
        return {
            name: made_up(part, chance)
            for name, part in properties_of(schema).items()
            if name in required or chance.random() < 0.5
        }
    if kind == "array":
        count = max(schema.get("minItems", 0), chance.randint(0, 2))
        items = [made_up(schema.get("items", {}), chance) for _ in range(count)]
        return _distinct(items) if schema.get("uniqueItems", False) else items
    if kind in ("integer", "number"):
        low = schema.get("minimum", schema.get("exclusiveMinimum", 0))
        low = low + 1 if "exclusiveMinimum" in schema else low
        high = schema.get("maximum", low + chance.choice([1, 10, 10_000]))
        return chance.randint(int(low), max(int(low), int(high)))
    if kind == "boolean":
        return chance.random() < 0.5
    return None if kind == "null" else samples(schema)[0]


def _distinct(items: Iterable[Json]) -> list[Json]:
    return [json.loads(text) for text in dict.fromkeys(map(json.dumps, items))]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a walk came to its end: the run, whether it was broken off, and effects that no person had approved."""

    run: holdpoint.Run
    is_broken_off: bool
    unapproved: tuple[str, ...]


class Walk:
    """Walks through a workflow, the same way for the same seed.

    *outputs* are those of agents for which the workflow has no schema, by state: what gives one. An agent
    fails now and then where
    there is an `error` edge; where there is none, that it fails is nothing that a workflow could provide for.
    """

    def __init__(self, text: str, seed: int, outputs: Mapping[str, Callable[[Random], Any]] | None = None) -> None:
        self._chance = Random(seed)
        self._outputs = outputs or {}
        self._clock = Clock()
        self._definition = holdpoint.Engine("memory://").loads(text)
        states = self._definition.states
        self._engine = holdpoint.Engine(
            "memory://",
            clock=self._clock,
            agents={f"{self._definition.workflow}/{name}": self._agent(name) for name in states},
        )

    def to_its_end(self) -> Ending:
        """Start a run and go on until it has ended, has failed, or waits for ever."""
        given = made_up(self._definition.input, self._chance) if self._definition.input else None
        run = self._engine.start(self._definition, given, initiator="ann")
        for _ in range(OFTEN):
            if run.status not in ("waiting", "running"):
                return self._ended(run)
            acted = self._decide(run) or self._signal(run)
            if not acted:
                due = self._engine.next_due()
                if due is None:
                    if not run.requests:
                        return self._ended(run)
                    continue  # nobody answered in time, and there is no time limit: somebody will
                self._clock.set(max(self._clock(), due))
                self._engine.tick()
            run = self._engine.get_run(run.id)
        return Ending(run=run, is_broken_off=True, unapproved=self._unapproved(run))

    def _ended(self, run: holdpoint.Run) -> Ending:
        assert list(self._engine.verify(run.id)) == []
        return Ending(run=run, is_broken_off=False, unapproved=self._unapproved(run))

    def _agent(self, name: str) -> Callable[..., Any]:
        def agent(**arguments: Any) -> Any:
            state = self._definition.document["states"][name]
            if "error" in state["on"] and self._chance.random() < 0.3:
                raise ValueError("it did not work")
            if "output" in state:
                return made_up(state["output"], self._chance)
            if name in self._outputs:
                return self._outputs[name](self._chance)
            return f"what {name} made {self._chance.random()}"

        return agent

    def _decide(self, run: holdpoint.Run) -> bool:
        if not run.requests or self._chance.random() < 0.35:
            return False
        request = run.requests[0]
        option = self._chance.choice(request.options)
        form = request.form or (request.forms or {}).get(option)
        answers = None if form is None else made_up(form, self._chance)
        by = self._somebody(request, option)
        self._engine.decide(request.id, option, by=by, comment="so it is", answers=answers)
        return True

    def _somebody(self, request: holdpoint.Request, option: str) -> str:
        assign = request.assign
        people = assign.get(option, []) if isinstance(assign, dict) else assign or []
        named = [name for name in people if not name.startswith("role:") and name not in request.exclude]
        if not people or not named:
            name = "zoe"
            if people:
                self._engine.assign(request.id, [name])
            return name
        return "ann" if named[0] == "initiator" else str(named[0])

    def _signal(self, run: holdpoint.Run) -> bool:
        state = self._definition.states[run.state or ""]
        takes = getattr(state, "takes", None)
        if run.requests or not takes or self._chance.random() < 0.35:
            return False
        schema = getattr(state, "output", None)
        data = made_up(schema, self._chance) if schema else {"note": "something"}
        self._engine.signal(run.id, self._chance.choice(list(takes)), data)
        return True

    def _unapproved(self, run: holdpoint.Run) -> tuple[str, ...]:
        return unapproved(self._definition.document, self._engine.history(run.id))

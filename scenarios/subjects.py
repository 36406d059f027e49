"""What is explored of a workflow: made-up inputs, outputs and people that go into every branch of its conditions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Final

from holdpoint import api
from holdpoint.engine.canonical import Json
from holdpoint.engine.definition import AgentState, Definition, WaitState
from holdpoint.engine.expressions import Expression, ExpressionSyntaxError, parse_expression, parse_template
from holdpoint.engine.expressions.evaluate import children_of, paths_of
from holdpoint.engine.expressions.parse import Access, Compare, Filter, ListOf, Literal, Name, Node
from holdpoint.engine.people import ROLE, is_role
from holdpoint.scenarios.agents import KINDS
from holdpoint.scenarios.invariants import Invariant, parse_invariant
from holdpoint.scenarios.model import INITIATOR, Suite
from holdpoint.schema import check
from holdpoint.schema.proofs import SILENCE
from holdpoint.schema.samples import MAX_SAMPLES, TEXT, Hints, is_met, samples

_MAX_OUTPUTS: Final = 5
_OF_LISTS: Final = ("join", "length", "count", "first", "last", "sort", "map", "select", "reject", "unique", "reverse")
_PEOPLE: Final = ("{}_1", "{}_2")
"""Who has a role that nobody of the scenario file has: two of each, should one be excluded."""


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What is explored: a workflow with made-up inputs, outputs and people, and what must hold.

    `reads` are the states whose visits some expression counts; `is_sure_to_end`: it is proved that a run ends though
    nobody ever answers. `more` gives further values that meet a schema, for runs at random.
    """

    suite: Suite
    inputs: Sequence[Json]
    outputs: Mapping[str, Sequence[Json]]
    hints: Hints
    guards: Sequence[Expression]
    reads: frozenset[str]
    invariants: Sequence[Invariant]
    is_sure_to_end: bool
    more: Callable[[Json], Sequence[Json]] = lambda schema: ()

    def values(self, schema: Json) -> list[Json]:
        """Values that meet a schema: the plain ones, and what there is more."""
        return [*samples(schema, self.hints), *self.more(schema)]

    @cached_property
    def signals(self) -> tuple[str, ...]:
        """The signals that waits of the workflow take."""
        states = self.suite.definition.states.values()
        return tuple(dict.fromkeys(name for state in states if isinstance(state, WaitState) for name in state.takes))

    @cached_property
    def is_timed(self) -> bool:
        """Whether an invariant asks how long a run took."""
        return any(invariant.is_timed for invariant in self.invariants)

    def roles(self, person: str) -> frozenset[str]:
        """The roles of a person."""
        return frozenset(self.suite.people.get(person, ()))


def subject_of(workflow: Path, suites: Sequence[Suite] = ()) -> Subject:
    """What is explored of a workflow's file, with the people, the agents and the invariants of its scenarios.

    Raises `NotFound`, or `DefinitionError` with the findings of a file that has errors.
    """
    definition = api.load(workflow)
    proofs = check(workflow.read_bytes(), str(workflow)).proofs
    known = {name: list(roles) for suite in suites for name, roles in suite.people.items()}
    trees = list(_trees(definition.document))
    hints = {name: list(values) for name, values in _compared(trees).items()}
    guards = list(_guards(definition))
    is_sure = any(proof.claim == SILENCE and proof.holds for proof in proofs)
    return Subject(
        suite=Suite(
            path=workflow,
            workflow=workflow,
            definition=definition,
            people={**known, **_people(definition, known)},
            scenarios=(),
        ),
        inputs=_inputs(definition, suites, hints),
        outputs=dict(_outputs(definition, suites, hints, trees)),
        hints=hints,
        guards=guards,
        reads=frozenset(
            str(path.keys[0]) for tree in trees for path in paths_of(tree) if path.root == "visits" and path.keys
        ),
        invariants=[
            parse_invariant(text) for text in dict.fromkeys(text for suite in suites for text in suite.invariants)
        ],
        is_sure_to_end=is_sure,
    )


def _people(definition: Definition, known: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """People with the roles that nobody has who is known."""
    held = {role for roles in known.values() for role in roles}
    needed = dict.fromkeys(
        text.removeprefix(ROLE) for text in _texts(definition.document["states"]) if is_role(text) and " " not in text
    )
    made_up = {name.format(role): [role] for role in needed if role not in held for name in _PEOPLE}
    excluded = [state for state in definition.states.values() if INITIATOR in getattr(state, "exclude", ())]
    # Whoever starts a run may else do what only exclude forbids: that it does, shows then.
    roles = {
        text.removeprefix(ROLE) for state in excluded for text in _texts(getattr(state, "assign", ())) if is_role(text)
    }
    return {**made_up, **({INITIATOR: sorted(roles)} if roles and INITIATOR not in known else {})}


def _texts(value: Json) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping | list | tuple):
        for part in value.values() if isinstance(value, Mapping) else value:
            yield from _texts(part)


def _inputs(definition: Definition, suites: Sequence[Suite], hints: Mapping[str, list[Json]]) -> list[Json]:
    """Inputs of the scenarios first, then made-up ones."""
    if definition.input is None:
        return [{}]
    given = [scenario.input for suite in suites for scenario in suite.scenarios]
    known = [value for value in given if is_met(definition.input, value)]
    return _different([*known, *samples(definition.input, hints)])[: 2 * MAX_SAMPLES] or [{}]


def _outputs(
    definition: Definition, suites: Sequence[Suite], hints: Mapping[str, list[Json]], trees: Sequence[Node]
) -> Iterator[tuple[str, list[Json]]]:
    """By agent what it may give: what it gives in scenarios first, then made-up values."""
    for state in definition.states.values():
        if not isinstance(state, AgentState):
            continue
        known = list(_given(suites, state.name))
        if state.output is None:
            made = [] if known else _guessed(state, hints, trees)
        else:
            known = [value for value in known if is_met(state.output, value)]
            made = samples(state.output, hints)
        yield state.name, _different([*known, *made])[:_MAX_OUTPUTS] or [TEXT]


def _given(suites: Sequence[Suite], state: str) -> Iterator[Json]:
    """The outputs that scenarios say the agent of a state gives."""
    for scenario in (one for suite in suites for one in suite.scenarios):
        described = scenario.agents.get(state)
        for visit in described if isinstance(described, list) else [described]:
            yield from _said(visit)


def _said(described: Json) -> Iterator[Json]:
    kind = next(iter(described)) if isinstance(described, dict) and len(described) == 1 else None
    if kind == "output":
        yield described["output"]
    elif kind == "attempts":
        for attempt in described["attempts"]:
            yield from _said(attempt)
    elif kind not in KINDS and described is not None:
        yield described


def _guessed(state: AgentState, hints: Mapping[str, list[Json]], trees: Sequence[Node]) -> list[Json]:
    """What an agent may give whose output has no schema: an object with all that is read of it, else a text."""
    roots = [(state.name,), *(("artifacts", name) for name in state.artifacts if state.artifact == name)]
    properties: dict[str, Json] = {}
    for tree in trees:
        for keys, is_list in _reads(tree):
            for root in roots:
                if keys[: len(root)] == root and len(keys) > len(root):
                    _put(properties, keys[len(root) :], is_list=is_list)
    if properties:
        schema = {"type": "object", "required": list(properties), "properties": properties}
        return samples(schema, hints)
    return [f"what {state.name} gives"]


def _put(properties: dict[str, Json], keys: Sequence[str], *, is_list: bool) -> None:
    """Note that a property is read, and what is read below it."""
    first, *rest = keys
    schema = properties.setdefault(first, {})
    if rest:
        inner = schema.setdefault("properties", {})
        schema["type"] = "object"
        _put(inner, rest, is_list=is_list)
        schema["required"] = list(inner)
    elif is_list:
        schema.update({"type": "array", "items": {"type": "string"}, "minItems": 1})


def _reads(tree: Node) -> Iterator[tuple[tuple[str, ...], bool]]:
    """The paths that a tree reads, each with whether a list is expected there."""
    if isinstance(tree, Filter) and tree.name in _OF_LISTS:
        yield from ((keys, True) for keys in _path(tree.base))
    yield from ((keys, False) for keys in _path(tree))
    for child in children_of(tree):
        yield from _reads(child)


def _path(node: Node) -> Iterator[tuple[str, ...]]:
    if not isinstance(node, Access) or not isinstance(node.base, Name):
        return
    keys = [node.base.name]
    for key in node.keys:
        if not isinstance(key, Literal) or not isinstance(key.value, str):
            break
        keys.append(key.value)
    yield tuple(keys)


def _trees(document: Json) -> Iterator[Node]:
    """The trees of all conditions and templates of a document."""
    for key, text in _keyed(document, ""):
        try:
            if key == "when":
                yield parse_expression(text).root
            elif "{{" in text:
                yield from parse_template(text).roots
        except ExpressionSyntaxError:
            continue  # not a template: a pattern, a description


def _keyed(value: Json, key: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield key, value
    elif isinstance(value, dict):
        for name, part in value.items():
            yield from _keyed(part, name)
    elif isinstance(value, list):
        for part in value:
            yield from _keyed(part, key)


def _guards(definition: Definition) -> Iterator[Expression]:
    for targets in (definition.initial, definition.on_cancel):
        yield from (target.when for target in targets if target.when is not None)
    yield from (target.when for _, _, target in definition.edges() if target.when is not None)


def _compared(trees: Sequence[Node]) -> dict[str, list[Json]]:
    """By the last name of a path the values that it is compared with."""
    found: dict[str, list[Json]] = defaultdict(list)
    for tree in trees:
        for one, other in _pairs(tree):
            keys = [key.value for key in one.keys if isinstance(key, Literal)] if isinstance(one, Access) else []
            value = _written(other)
            if keys and value is not _NOTHING and value not in found[str(keys[-1])]:
                found[str(keys[-1])].append(value)
    return found


def _pairs(tree: Node) -> Iterator[tuple[Node, Node]]:
    if isinstance(tree, Compare):
        sides = [tree.first, *(operand for _, operand in tree.rest)]
        for left, right in pairwise(sides):
            yield from ((left, right), (right, left))
    for child in children_of(tree):
        yield from _pairs(child)


_NOTHING: Final = object()


def _written(node: Node) -> Json:
    """The value that an expression writes out."""
    if isinstance(node, Literal):
        return node.value
    if isinstance(node, ListOf) and all(isinstance(item, Literal) for item in node.items):
        return [item.value for item in node.items if isinstance(item, Literal)]
    return _NOTHING


def _different(values: Sequence[Json]) -> list[Json]:
    found: list[Json] = []
    for value in values:
        if value not in found:
            found.append(value)
    return found

"""What is known of a run where a text stands: which results, artifacts and errors it has, how its gates were decided.

A fact is one bit: that a name is not none, or that a gate was last decided by an option, or by a person. `Facts` holds
those that are known to hold and those known not to; of all others nothing is known. A condition is asked in three
values.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from holdpoint.engine.definition import TIMEOUT
from holdpoint.engine.expressions.evaluate import children_of, is_soft
from holdpoint.engine.expressions.parse import Access, Choice, Compare, Literal, Logic, Name, Node, Test, Unary
from holdpoint.schema.sheet import BY_KINDS, HUMAN_TYPES, PERSON, TIMER, Sheet, options_for_people

Key: TypeAlias = tuple[str, ...]
"""A name that may be none, as it is read: `('review',)`, `('artifacts', 'report')`, `(gate, 'by')`; or what a gate's
result says: `(gate, 'decision', option)`, `(gate, 'by_kind', kind)`."""

ERROR: Final[Key] = ("error",)
PREVIOUS: Final[Key] = ("previous",)
PREVIOUS_RESULT: Final[Key] = ("previous", "result")


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known to hold, and what is known not to, one bit a fact."""

    yes: int = 0
    no: int = 0

    def shared_with(self, other: Facts) -> Facts:
        """What is known in both."""
        return Facts(self.yes & other.yes, self.no & other.no)

    def covers(self, other: Facts) -> bool:
        """Whether all that is known here is known there too."""
        return not (self.yes & ~other.yes or self.no & ~other.no)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unset:
    """A property read of something that may be none: where, of what, and whether it is none for certain."""

    offset: int
    key: Key
    is_certain: bool


class Knowledge:
    """Asks conditions about facts. Only what some text of the workflow depends on is a fact; the rest is left open."""

    def __init__(self, sheet: Sheet, trees: Iterable[tuple[Node, bool]], needed: Iterable[Key] = ()) -> None:
        self._humans = {name: options_for_people(state) for name, state in sheet.of_types(*HUMAN_TYPES)}
        self._results = frozenset(sheet.results)
        self._artifacts = frozenset(sheet.artifacts)
        found = dict.fromkeys(needed)
        for tree, is_condition in trees:
            found |= dict.fromkeys(self._keys_in(tree, is_asked=is_condition))
        self._bits = {key: 1 << index for index, key in enumerate(found)}
        self._asked_gates = {key[0] for key in found if self._is_of_a_decision(key)}

    @property
    def nothing_yet(self) -> Facts:
        """What is known at the beginning of a run: nothing has happened."""
        return Facts(0, (1 << len(self._bits)) - 1)

    def learn(self, facts: Facts, key: Key, holds: bool | None) -> Facts:
        """The facts after something new is so, is not so, or (None) is no longer known."""
        bit = self._bits.get(key, 0)
        if not bit:
            return facts
        yes, no = facts.yes & ~bit, facts.no & ~bit
        return Facts(yes | bit if holds else yes, no | bit if holds is False else no)

    def decide(self, facts: Facts, gate: str, option: str, *, is_person: bool) -> Facts:
        """The facts after a gate was decided, by a person or by its deadline."""
        if gate not in self._asked_gates:
            return facts
        facts = self.learn(facts, (gate, "by"), is_person)
        for kind in BY_KINDS:
            facts = self.learn(facts, (gate, "by_kind", kind), kind == (PERSON if is_person else TIMER))
        for other in self._values_of(gate, "decision"):
            facts = self.learn(facts, (gate, "decision", other), other == option)
        return facts

    def known(self, facts: Facts, key: Key) -> bool | None:
        """Whether a fact holds, None where that is not known."""
        bit = self._bits.get(key, 0)
        return True if facts.yes & bit else False if facts.no & bit else None

    def truth(self, node: Node, facts: Facts) -> bool | None:
        """Whether a condition holds, None where the facts do not say."""
        if isinstance(node, Literal):
            return bool(node.value)
        if isinstance(node, Unary) and node.operator == "not":
            return _opposite(self.truth(node.operand, facts))
        if isinstance(node, Logic):
            return _combined(node.operator, [self.truth(part, facts) for part in node.parts])
        asked = self._asked(node)
        if asked is not None:
            key, is_so = asked
            known = self.known(facts, key)
            return known if is_so else _opposite(known)
        name = self._key(node)
        if name is None:
            return None
        known = self.known(facts, name)
        return known if known is False or self._is_never_empty(name) else None

    def assume(self, node: Node, holds: bool, facts: Facts) -> Facts | None:
        """What is known besides, once a condition was found to hold or not; None where that cannot be."""
        truth = self.truth(node, facts)
        if truth is not None:
            return facts if truth == holds else None
        if isinstance(node, Unary) and node.operator == "not":
            return self.assume(node.operand, not holds, facts)
        if isinstance(node, Logic):
            return self._assume_parts(node, holds, facts)
        asked = self._asked(node)
        if asked is not None:
            key, is_so = asked
            facts = self.learn(facts, key, is_so == holds)
            return self.learn(facts, key[:1], True) if self._is_of_a_decision(key) and is_so == holds else facts
        name = self._key(node)
        if name is not None and (holds or self._is_never_empty(name)):
            return self.learn(facts, name, holds)
        return facts

    def unset(self, node: Node, facts: Facts) -> Iterator[Unset]:
        """Every property that an expression may read of none, given these facts."""
        if isinstance(node, Access):
            yield from self._unset_on_the_way(node, facts)
        elif isinstance(node, Choice):
            yield from self.unset(node.test, facts)
            for branch, holds in ((node.then, True), (node.otherwise, False)):
                then = self.assume(node.test, holds, facts)
                if then is not None:
                    yield from self.unset(branch, then)
        elif isinstance(node, Logic):
            for part in node.parts:
                yield from self.unset(part, facts)
                then = self.assume(part, node.operator == "and", facts)
                if then is None:
                    return
                facts = then
        else:
            for child in children_of(node):
                if not (child is getattr(node, "base", None) and is_soft(node)):
                    yield from self.unset(child, facts)

    def neither(self, node: Node, facts: Facts) -> Iterator[Unset]:
        """Every name that a condition may give itself, and that may be none: neither true nor false."""
        if isinstance(node, Choice):
            for branch, holds in ((node.then, True), (node.otherwise, False)):
                then = self.assume(node.test, holds, facts)
                if then is not None:
                    yield from self.neither(branch, then)
        elif isinstance(node, Logic):
            for part in node.parts:
                yield from self.neither(part, facts)
                then = self.assume(part, node.operator == "and", facts)
                if then is None:
                    return
                facts = then
        elif (key := self._key(node)) is not None and not (known := self.known(facts, key)):
            yield Unset(offset=node.offset, key=key, is_certain=known is False)

    def _unset_on_the_way(self, node: Access, facts: Facts) -> Iterator[Unset]:
        for key in self._prefixes(node):
            known = self.known(facts, key)
            if not known:
                yield Unset(offset=node.offset, key=key, is_certain=known is False)
                break
        if not isinstance(node.base, Name):
            yield from self.unset(node.base, facts)
        for part in node.keys:
            yield from self.unset(part, facts)

    def _assume_parts(self, node: Logic, holds: bool, facts: Facts) -> Facts | None:
        if holds == (node.operator == "and"):
            for part in node.parts:
                then = self.assume(part, holds, facts)
                if then is None:
                    return None
                facts = then
            return facts
        open_parts = [part for part in node.parts if self.truth(part, facts) is None]
        return self.assume(open_parts[0], holds, facts) if len(open_parts) == 1 else facts

    def _asked(self, node: Node) -> tuple[Key, bool] | None:
        """The fact that a comparison asks for, and whether it asks for it or for its opposite."""
        if isinstance(node, Test) and node.name == "none":
            key = self._none_or_not(node.base)
            return None if key is None else (key, node.is_negated)
        if not isinstance(node, Compare) or len(node.rest) != 1:
            return None
        operator, right = node.rest[0]
        path, literal = (node.first, right) if isinstance(right, Literal) else (right, node.first)
        if operator not in ("==", "!=") or not isinstance(literal, Literal):
            return None
        if literal.value is None:
            key = self._none_or_not(path)
            return None if key is None else (key, operator == "!=")
        words = _words(path)
        if len(words) != 2 or literal.value not in self._values_of(*words):
            return None
        return (*words, str(literal.value)), operator == "=="

    def _values_of(self, gate: str, name: str) -> Sequence[str]:
        """All that a name of a gate's result can be, where facts tell it."""
        if gate not in self._humans:
            return ()
        return (*self._humans[gate], TIMEOUT) if name == "decision" else BY_KINDS if name == "by_kind" else ()

    def _none_or_not(self, node: Node) -> Key | None:
        """What is none or not; `by` of a gate is none where its deadline decided."""
        words = _words(node)
        is_by = len(words) == 2 and words[0] in self._humans and words[1] == "by"
        return words if is_by else self._key(node)

    def _is_of_a_decision(self, key: Key) -> bool:
        return key[0] in self._humans and (len(key) == 3 or key[1:] == ("by",))

    def _key(self, node: Node) -> Key | None:
        words = _words(node)
        return words if words and self._may_be_none(words) else None

    def _prefixes(self, node: Access) -> Iterator[Key]:
        words = _words(node, is_partial=True)
        for length in range(1, len(words) + (len(words) < len(node.keys) + 1)):
            if self._may_be_none(words[:length]):
                yield words[:length]

    def _may_be_none(self, words: Key) -> bool:
        if words in (ERROR, PREVIOUS, PREVIOUS_RESULT):
            return True
        if words[0] == "artifacts":
            return len(words) == 2 and words[1] in self._artifacts
        if len(words) == 2:
            return words[0] in self._humans and words[1] == "answers"
        return len(words) == 1 and words[0] in self._results

    def _is_never_empty(self, key: Key) -> bool:
        """Whether it is true in a condition as soon as it is not none."""
        return key in (ERROR, PREVIOUS) or (len(key) == 1 and key[0] in self._humans)

    def _keys_in(self, node: Node, *, is_asked: bool) -> Iterator[Key]:
        """What an expression depends on; a name that is only passed on, none or not, is no fact that matters."""
        asked = self._asked(node)
        if asked is not None:
            yield asked[0]
        elif is_asked and (key := self._key(node)) is not None:
            yield key
        if isinstance(node, Access):
            yield from self._prefixes(node)
        for child in children_of(node):
            yield from self._keys_in(child, is_asked=True)


def _words(node: Node, *, is_partial: bool = False) -> Key:
    """The name that is read and its keys; if not all are written out, nothing, or as many as are (partial)."""
    if isinstance(node, Name):
        return (node.name,)
    if not isinstance(node, Access) or not isinstance(node.base, Name):
        return ()
    words = [node.base.name]
    for key in node.keys:
        if not isinstance(key, Literal) or not isinstance(key.value, str):
            return tuple(words) if is_partial else ()
        words.append(key.value)
    return tuple(words)


def _opposite(truth: bool | None) -> bool | None:
    return None if truth is None else not truth


def _combined(operator: str, parts: list[bool | None]) -> bool | None:
    decisive = operator == "or"
    if decisive in parts:
        return decisive
    return None if None in parts else not decisive

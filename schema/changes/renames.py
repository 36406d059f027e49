"""States that seem to have been renamed: one is gone, one is new, and their content is nearly the same. A guess."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from holdpoint.engine.canonical import Json
from holdpoint.schema.changes.change import is_same

ALIKE: Final = 0.75
"""At least this part of the keys of two states is the same where one is taken for the other, targets aside."""

_MEAGRE: Final = 3
"""A state with fewer keys is like many others: the same way must lead to it, too."""


def find_renames(before: Json, after: Json) -> Mapping[str, str]:
    """The later names of states that seem to be renamed, by their earlier ones; the most alike are taken first."""
    gone = [name for name in before["states"] if name not in after["states"]]
    new = [name for name in after["states"] if name not in before["states"]]
    arrivals = _arrivals(before), _arrivals(after)
    found = []
    for old in gone:
        for name in new:
            alike, keys = _likeness(before["states"][old], after["states"][name])
            ways = len(arrivals[0][old] & arrivals[1][name])
            if alike >= ALIKE and (ways or keys >= _MEAGRE):
                found.append((-alike, -ways, sorted((old, name)), old, name))
    renames: dict[str, str] = {}
    for *_, old, name in sorted(found):
        if old not in renames and name not in renames.values():
            renames[old] = name
    return renames


def with_names(before: Json, after: Json, renames: Mapping[str, str]) -> Json:
    """The earlier definition with the later names, wherever it means a state: so that a rename shows once."""
    if not renames:
        return before
    follow = _Follow(renames)
    states = {renames.get(name, name): state for name, state in before["states"].items()}
    return follow.value({**before, "states": states}, after)


class _Follow:
    """Puts later names for earlier ones, in texts only where the later text is what comes of it."""

    def __init__(self, renames: Mapping[str, str]) -> None:
        self._renames = renames
        names = "|".join(map(re.escape, renames))
        # A name of its own, or one of `visits`, is a state's; after another point it is a property.
        self._pattern = re.compile(rf"(?:(?<=visits\.)|(?<![\w.'\"]))(?:{names})(?!\w)")

    def value(self, old: Json, new: Json) -> Json:
        """A part of the earlier definition, beside the same part of the later one."""
        if isinstance(old, dict):
            others = new if isinstance(new, dict) else {}
            return {key: self._member(key, value, others.get(key)) for key, value in old.items()}
        if isinstance(old, list):
            others_of_list = new if isinstance(new, list) else []
            padded = [*others_of_list, *[None] * len(old)]
            return [self.value(value, padded[index]) for index, value in enumerate(old)]
        return new if isinstance(old, str) and self._put(old) == new else old

    def _member(self, key: str, value: Json, other: Json) -> Json:
        if key == "to" and isinstance(value, str):
            return self._renames.get(value, value)
        if key == "exclude" and isinstance(value, list):
            return [self._excluded(word) for word in value]
        return self.value(value, other)

    def _excluded(self, word: str) -> str:
        kind, colon, name = word.partition(":")
        return f"{kind}:{self._renames.get(name, name)}" if colon and kind == "deciders" else word

    def _put(self, text: str) -> str:
        return self._pattern.sub(lambda match: self._renames[match[0]], text)


def _likeness(old: Mapping[str, Json], new: Mapping[str, Json]) -> tuple[float, int]:
    """The part of the keys of two states that is the same, and how many there are; none where the types differ."""
    if old["type"] != new["type"]:
        return 0, 0
    keys = old.keys() | new.keys()
    equal = sum(key in old and key in new and _is_alike(key, old[key], new[key]) for key in keys)
    return equal / len(keys), len(keys)


def _is_alike(key: str, old: Json, new: Json) -> bool:
    return set(old) == set(new) if key == "on" else is_same(old, new)


def _arrivals(document: Json) -> Mapping[str, set[tuple[str | None, str]]]:
    """By which options of which states each state is reached."""
    found: dict[str, set[tuple[str | None, str]]] = {name: set() for name in document["states"]}
    for source, option, targets in _edges(document):
        for target in targets:
            found[target["to"]].add((source, option))
    return found


def _edges(document: Json) -> Iterator[tuple[str | None, str, Json]]:
    yield None, "initial", document["initial"]
    yield None, "on_cancel", document.get("on_cancel", [])
    for name, state in document["states"].items():
        yield from ((name, option, targets) for option, targets in state.get("on", {}).items())
